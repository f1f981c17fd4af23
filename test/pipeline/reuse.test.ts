/** What a new version needs not have embedded again, and how the embedder's own pause is kept by everybody. */
import { describe, expect, test } from "vitest";
import { SluiceError } from "../../src/errors.ts";
import { createClock } from "../support/clock.ts";
import { createTestEmbedder } from "../support/embedder.ts";
import { openRig, paragraphs, type Rig, tenant_id } from "../support/rig.ts";

async function countsOf(rig: Rig, document_id: string, version: number) {
  const events = await rig.expectReplays(document_id);
  const embedded = events.find(
    ({ event_type, data }) =>
      event_type === "rag.ingestion.stage_completed" &&
      data.stage === "embedding" &&
      data.version === version,
  );
  if (embedded?.event_type !== "rag.ingestion.stage_completed") throw new Error("it was not embedded");
  return embedded.data.counts;
}

describe("a new version", () => {
  test.each(["sqlite", "memory"] as const)(
    "embeds what changed and keeps the other vectors, in %s",
    async (storage) => {
      const embedder = createTestEmbedder("test@1", 16);
      const rig = await openRig({ storage, embedder });
      const texts = paragraphs(1_000).split("\n\n");
      const { document_id } = await rig.upload(texts.join("\n\n"));
      await rig.worker().start();
      const { chunks_created, status } = await rig.settled(document_id);
      expect(status).toBe("completed");
      expect(chunks_created).toBeGreaterThanOrEqual(1_000);
      expect(embedder.texts).toHaveLength(chunks_created);
      texts[499] = "An amethyst paragraph that was not there before, in the midst of the others.";
      texts.splice(10, 1);
      await rig.upload(texts.join("\n\n"), { document_id });
      const next = await rig.settled(document_id);
      expect(next).toMatchObject({ status: "completed", version: 2 });
      const made = embedder.texts.slice(chunks_created);
      expect(made.length).toBeLessThan(10);
      expect(made.some((text) => text.includes("amethyst"))).toBe(true);
      expect(await countsOf(rig, document_id, 2)).toEqual({
        embedded: made.length,
        reused: next.chunks_created - made.length,
      });
      // Kept vectors are the right ones: the same as if each text had been embedded now.
      for (const { text, vector } of await rig.documents.listChunks(tenant_id, document_id, 2, 0, 2_000)) {
        expect(vector).toEqual((await createTestEmbedder().embed([text], "passage"))[0]);
      }
      expect(await rig.found("amethyst")).toHaveLength(1);
    },
  );

  test("under another embedder is embedded whole", async () => {
    const rig = await openRig({ embedder: createTestEmbedder("test@1") });
    const { document_id } = await rig.upload(paragraphs(8));
    const worker = rig.worker();
    await worker.start();
    await rig.settled(document_id);
    await worker.stop();
    const other = createTestEmbedder("test@2");
    await rig.commands.reingest(tenant_id, document_id, "req_1");
    // Its index is the first embedder's, so only the embedding is looked at.
    await rig.worker({ embedder: other }).start();
    await rig.settled(document_id);
    expect(other.texts).toHaveLength(8);
  });
});

describe("an embedder that asks for a pause", () => {
  test("is left alone by every job until then, and none of them pays with an attempt", async () => {
    const clock = createClock();
    const embedder = createTestEmbedder();
    let asked = 0;
    let limited = true;
    embedder.before = () => {
      if (!limited) return;
      asked += 1;
      throw new SluiceError("embedder_rate_limited", "slow down", { retry_after_ms: 60_000 });
    };
    const rig = await openRig({ system: clock.system, embedder, max_attempts: 2 });
    const documents = [];
    for (let count = 0; count < 6; count++) documents.push(await rig.upload(`${paragraphs(3)} ${count}`));
    await rig.worker().start();
    await rig.worker().start();
    for (let round = 1; round <= 3; round++) {
      // Each was put back once more, and only then does time pass: whatever runs would lose its lease.
      for (const { document_id, job_id } of documents) {
        const pauses = async () => {
          const events = await rig.expectReplays(document_id);
          return events.filter(({ event_type }) => event_type === "rag.ingestion.retry_scheduled").length;
        };
        await expect.poll(pauses, { interval: 5, timeout: 10_000 }).toBe(round);
        expect(await rig.job(job_id)).toMatchObject({
          state: "retrying",
          attempts: 0,
          error: { code: "embedder_rate_limited" },
        });
      }
      // Two workers may have asked at the same moment; the other documents did not ask at all.
      expect(asked).toBeLessThanOrEqual(2 * round);
      if (round === 3) limited = false;
      clock.advance(61_000);
    }
    for (const { document_id } of documents) {
      expect(await rig.settled(document_id)).toMatchObject({ status: "completed" });
      await rig.expectReplays(document_id);
    }
  });
});

test("an original whose bytes changed on disk is refused as such, not read as something else", async () => {
  const rig = await openRig({ storage: "memory" });
  const { document_id, job_id } = await rig.upload("what was uploaded");
  const corrupted = { ...rig.blobs, get: async () => rig.blobs.get(await other()) };
  async function other() {
    await rig.upload("what the disk made of it");
    return (await rig.blobKeys()).at(-1)!;
  }
  const worker = rig.worker({ blobs: corrupted });
  await worker.start();
  expect(await rig.settled(document_id)).toMatchObject({
    status: "failed",
    error: { code: "blob_corrupted", retryable: false },
  });
  expect(await rig.job(job_id)).toMatchObject({ state: "dead", attempts: 1 });
});

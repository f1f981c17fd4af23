import { expect, test } from "vitest";
import { SluiceError } from "../../src/errors.ts";
import type { VectorIndex } from "../../src/ports/vector-index.ts";
import { sweepBlobs } from "../../src/worker/sweep.ts";
import { createClock } from "../support/clock.ts";
import { effective, mortal } from "../support/deaths.ts";
import { holdAt, type Place, places } from "../support/hold.ts";
import { createLife } from "../support/life.ts";
import { gate, openRig, PATIENCE_MS, paragraphs, type Rig, tenant_id } from "../support/rig.ts";

const nothing = {
  documents: 0,
  versions: 0,
  checkpoints: 0,
  chunks: 0,
  embeddings: 0,
  chunks_fts_docsize: 0,
  vectors_1: 0,
};

const erased = (rig: Rig, job_id: string) =>
  rig.until(async () => (await rig.job(job_id)).state === "succeeded");

/** The facts are told still: that it was there, what it was called, that it is gone. Not a word of what it said. */
async function expectFactsAlone(rig: Rig, document_id: string): Promise<void> {
  const events = await rig.events(document_id);
  expect(events[0]).toMatchObject({ event_type: "rag.document.uploaded", data: { filename: "notes.txt" } });
  expect(events.at(-1)?.event_type).toBe("rag.document.deleted");
  expect(JSON.stringify(events)).not.toMatch(/quartz|paragraph/i);
}

test("of a finished document with several versions nothing is left but its events", async () => {
  const rig = await openRig();
  const document_id = await rig.searchable(paragraphs(6));
  const other = await rig.searchable("Another document, which stays.");
  const kept = { rows: rig.rows(), blobs: await rig.blobKeys(), found: await rig.found("stays") };
  expect(kept.found).toHaveLength(1);
  await rig.upload(paragraphs(8), { document_id });
  const worker = rig.worker();
  await worker.start();
  await rig.settled(document_id);
  await rig.commands.reingest(tenant_id, document_id, "req_1");
  await rig.until(async () => (await rig.get(document_id)).searchable_version === 3);
  const { job_id } = await rig.commands.remove(tenant_id, document_id, "req_2");
  await erased(rig, job_id);
  await worker.stop(PATIENCE_MS);

  expect(rig.rows()).toEqual({
    documents: 1,
    versions: 1,
    checkpoints: 3,
    chunks: 1,
    embeddings: 1,
    chunks_fts_docsize: 1,
    vectors_1: 1,
  });
  expect(kept.blobs).toEqual(expect.arrayContaining(await rig.blobKeys()));
  expect(await rig.blobKeys()).toHaveLength(2);
  expect(await rig.found("quartz")).toEqual([]);
  expect(await rig.found("stays")).toEqual(kept.found);
  expect((await rig.get(other)).status).toBe("completed");
  await expectFactsAlone(rig, document_id);
});

test.each(places)(
  "deleted while held %s: the attempt writes nothing more, and nothing stays",
  async (place: Place) => {
    const clock = createClock();
    const rig = await openRig({ system: clock.system });
    const { document_id } = await rig.upload(paragraphs(10));
    const held = holdAt(rig, place);
    const worker = rig.worker(held.parts);
    await worker.start();
    await held.reached;
    const { job_id } = await rig.commands.remove(tenant_id, document_id, "req_1");
    // Another erases it, while the first has still to notice.
    const other = rig.worker();
    await other.start();
    await erased(rig, job_id);
    held.go();
    await worker.stop(PATIENCE_MS);
    await other.stop(PATIENCE_MS);
    expect(rig.rows()).toEqual(nothing);
    // What it was just writing when the lease went is nobody's.
    clock.advance(86_400_000);
    await sweepBlobs(rig, new AbortController().signal);
    expect(await rig.blobKeys()).toEqual([]);
    await expectFactsAlone(rig, document_id);
  },
);

test("dying after every operation of it, it is done in the end", async () => {
  const clock = createClock();
  const rig = await openRig({ system: clock.system });
  async function dieAfter(last: number): Promise<string[]> {
    const document_id = await rig.searchable(paragraphs(4));
    const { job_id } = await rig.commands.remove(tenant_id, document_id, "req_1");
    const life = createLife(last);
    const doomed = rig.worker(mortal(rig, life));
    void doomed.startUnstopped();
    if (Number.isFinite(last)) await life.died;
    else {
      await erased(rig, job_id);
      await doomed.stop(PATIENCE_MS);
    }
    expect(await rig.found("quartz")).toEqual([]);
    clock.advance(30_001);
    const heir = rig.worker();
    await heir.start();
    await erased(rig, job_id);
    await heir.stop();
    expect(rig.rows()).toEqual(nothing);
    expect(await rig.blobKeys()).toEqual([]);
    await expectFactsAlone(rig, document_id);
    return effective(life.operations);
  }
  const operations = await dieAfter(Number.POSITIVE_INFINITY);
  expect(operations).toEqual(["claim", "delete", "delete", "remove", "commit"]);
  for (let last = 0; last <= operations.length; last++) await dieAfter(last);
});

test("a blob that can't be removed now is removed later; until then its key is known", async () => {
  const rig = await openRig();
  const document_id = await rig.searchable(paragraphs(4));
  const { job_id } = await rig.commands.remove(tenant_id, document_id, "req_1");
  let failures = 0;
  const blobs = {
    ...rig.blobs,
    async delete(key: string) {
      if (failures++ < 3) throw new SluiceError("storage_unavailable", "The disk is read-only.");
      await rig.blobs.delete(key);
    },
  };
  await rig.worker({ blobs }).start();
  await erased(rig, job_id);
  expect(await rig.job(job_id)).toMatchObject({ attempts: 4 });
  expect(await rig.blobKeys()).toEqual([]);
  expect(rig.rows()).toEqual(nothing);
  await expectFactsAlone(rig, document_id);
});

test("bytes that another document shares by content are that document's own, and stay", async () => {
  const rig = await openRig();
  const text = paragraphs(4);
  const first = await rig.searchable(text);
  const second = await rig.searchable(text, { collection: "archive" });
  const { job_id } = await rig.commands.remove(tenant_id, first, "req_1");
  await rig.worker().start();
  await erased(rig, job_id);
  const [version] = await rig.documents.listVersions(tenant_id, second);
  const parts: Buffer[] = [];
  for await (const part of await rig.blobs.get(version!.blob_key)) parts.push(part as Buffer);
  expect(Buffer.concat(parts).toString()).toBe(text);
  expect(await rig.found("quartz")).toHaveLength(4);
});

test("an index outside the database is rid of a version by a job, after the newer one was published", async () => {
  const rig = await openRig({ storage: "memory" });
  const removed: number[] = [];
  const both = gate();
  let fails = 1;
  const index: VectorIndex = {
    ...rig.index,
    separate: true,
    async remove(tenant, document, version) {
      if (fails-- > 0) throw new SluiceError("storage_unavailable", "the index is away");
      removed.push(version);
      await rig.index.remove(tenant, document, version);
      if (removed.length === 2) both.open();
    },
  };
  const worker = rig.worker({ index });
  await worker.start();
  const { document_id } = await rig.upload(paragraphs(4));
  await rig.settled(document_id);
  expect(await rig.queue.list({ state: "succeeded", limit: 10 })).toHaveLength(1);
  for (const version of [2, 3]) {
    await rig.upload(paragraphs(4 + version), { document_id });
    await rig.until(async () => (await rig.get(document_id)).searchable_version === version);
  }
  await both.opened;
  await worker.stop(PATIENCE_MS);
  expect(removed.sort()).toEqual([1, 2]);
  const jobs = await rig.queue.list({ tenant_id, limit: 10 });
  expect(jobs.map(({ job_type, state }) => `${job_type} ${state}`).sort()).toEqual([
    ...Array(3).fill("ingest_document succeeded"),
    ...Array(2).fill("remove_entries succeeded"),
  ]);
});

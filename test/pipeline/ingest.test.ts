import { describe, expect, test } from "vitest";
import { SluiceError } from "../../src/errors.ts";
import type { SluiceEvent } from "../../src/events.ts";
import type { Accepted } from "../../src/intake/upload.ts";
import { ConflictError } from "../../src/ports/document-store.ts";
import { sweepBlobs } from "../../src/worker/sweep.ts";
import { recoverWorker } from "../../src/worker/worker.ts";
import { createClock } from "../support/clock.ts";
import { counting, effective, mortal } from "../support/deaths.ts";
import { createTestEmbedder } from "../support/embedder.ts";
import { holdAt, type Place, places } from "../support/hold.ts";
import { createLife } from "../support/life.ts";
import { chunkIds, openRig, PATIENCE_MS, paragraphs, type Rig, tenant_id } from "../support/rig.ts";

const CHUNKS = 10;
const BATCH = 4;
const LEASE_MS = 30_000;

const typesOf = (events: SluiceEvent[]) =>
  events.map((event) => event.event_type).filter((type) => type !== "rag.ingestion.progressed");
const stagesOf = (events: SluiceEvent[]) =>
  events.flatMap((event) => (event.event_type === "rag.ingestion.stage_completed" ? [event.data.stage] : []));
async function textOf(rig: Rig, key: unknown): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of await rig.blobs.get(key as string)) parts.push(part as Buffer);
  return Buffer.concat(parts).toString();
}

describe.each(["sqlite", "memory"] as const)("one document's journey, in %s", (storage) => {
  test("each stage tells what it made and leaves its checkpoint; then all is searchable", async () => {
    const clock = createClock();
    const embedder = createTestEmbedder("test@1", BATCH);
    const rig = await openRig({ storage, system: clock.system, embedder });
    const text = paragraphs(CHUNKS);
    const { document_id, job_id, correlation_id } = await rig.upload(text);
    const worker = rig.worker();
    await worker.start();
    const document = await rig.settled(document_id);
    expect(document).toMatchObject({
      status: "completed",
      stage: null,
      error: null,
      version: 1,
      searchable_version: 1,
      chunks_created: CHUNKS,
      progress: { done: CHUNKS, total: CHUNKS },
    });
    expect(await rig.job(job_id)).toMatchObject({ state: "succeeded", attempts: 1, leased_by: null });

    const events = await rig.expectReplays(document_id);
    expect(typesOf(events)).toEqual([
      "rag.document.uploaded",
      "rag.ingestion.started",
      "rag.ingestion.stage_completed",
      "rag.ingestion.stage_completed",
      "rag.ingestion.stage_completed",
      "rag.ingestion.stage_completed",
      "rag.ingestion.completed",
    ]);
    const completed = events.filter((event) => event.event_type === "rag.ingestion.stage_completed");
    expect(completed.map(({ data }) => [data.stage, data.counts])).toEqual([
      ["extracting", { characters: text.length, blocks: CHUNKS, pages: 0 }],
      ["chunking", { chunks: CHUNKS, tokens: expect.any(Number) }],
      ["embedding", expect.objectContaining({ embedded: CHUNKS })],
      ["indexing", { indexed: CHUNKS }],
    ]);
    expect(events[1]).toMatchObject({ data: { job_id, attempt: 1, worker_id: worker.worker_id } });
    expect(events.at(-1)).toMatchObject({ data: { job_id, version: 1, chunks_created: CHUNKS } });
    for (const event of events) expect(event).toMatchObject({ correlation_id, collection: "default" });
    for (const event of events.slice(1)) expect(event.causation_id).toBe(job_id);

    const checkpoints = await rig.documents.listCheckpoints(tenant_id, document_id, 1);
    expect(checkpoints.map(({ stage }) => stage)).toEqual(["extracting", "chunking", "embedding"]);
    const [blocks, ...lines] = (await textOf(rig, checkpoints[0]?.data.part_0_key)).split("\n");
    expect(lines.join("\n")).toBe(text);
    expect(JSON.parse(blocks ?? "")).toHaveLength(CHUNKS);
    const chunks = await rig.documents.listChunks(tenant_id, document_id, 1, 0, 100);
    expect(chunks.map((chunk) => chunk.text)).toEqual(text.split("\n\n"));
    for (const chunk of chunks) expect(text.slice(chunk.char_start, chunk.char_end)).toBe(chunk.text);
    expect(chunks.every((chunk) => chunk.vector !== null)).toBe(true);
    expect(await rig.found("quartz")).toEqual(chunkIds(document_id, 1, CHUNKS));
  });

  test("every batch of vectors is stored before the next is asked for", async () => {
    const embedder = createTestEmbedder("test@1", BATCH);
    const rig = await openRig({ storage, embedder });
    const { document_id } = await rig.upload(paragraphs(CHUNKS));
    const seen: unknown[] = [];
    embedder.before = async (answered) => {
      const next = await rig.documents.firstUnembedded(tenant_id, document_id, 1, "test@1");
      seen.push([answered, next]);
    };
    await rig.worker().start();
    await rig.settled(document_id);
    expect(seen).toEqual([
      [0, 0],
      [4, 4],
      [8, 8],
    ]);
    expect(embedder.texts).toEqual(paragraphs(CHUNKS).split("\n\n"));
  });
});

test("the processing time runs from the first start, whatever happened in between", async () => {
  const clock = createClock();
  const rig = await openRig({
    storage: "memory",
    system: clock.system,
    retry: { base_ms: 8_000, cap_ms: 8_000 },
  });
  const { document_id } = await rig.upload("short");
  let failures = 0;
  const embedder = createTestEmbedder();
  embedder.before = () => {
    clock.advance(100);
    if (failures++ === 0) throw new Error("not yet");
  };
  clock.chance(0.5);
  const waits = clock.nextSleep(4_000);
  await rig.worker({ embedder }).start();
  await waits;
  clock.advance(4_000);
  await rig.settled(document_id);
  const last = (await rig.events(document_id)).at(-1);
  expect(last).toMatchObject({ event_type: "rag.ingestion.completed", data: { processing_time_ms: 4_200 } });
});

test("what a document says of itself outlives the attempt that read it", async () => {
  const embedder = createTestEmbedder();
  embedder.before = () => {
    embedder.before = () => {};
    throw new SluiceError("embedder_unavailable", "not yet");
  };
  const rig = await openRig({ embedder });
  const text = `---\ntitle: Locks\n---\n\n${paragraphs(CHUNKS)}`;
  const { document_id, job_id } = await rig.upload(text, { filename: "a.md" });
  await rig.worker().start();
  const { about } = await rig.settled(document_id);
  expect(await rig.job(job_id)).toMatchObject({ state: "succeeded", attempts: 2 });
  expect(about).toMatchObject({ title: "Locks", author: null, page_count: null });
  const events = await rig.expectReplays(document_id);
  expect(events.at(-1)).toMatchObject({ event_type: "rag.ingestion.completed", data: { about } });
  expect((await rig.index.matching({ tenant_id }, "locks", 100)).length).toBeGreaterThanOrEqual(CHUNKS);
});

test("a job that finds its work done, or its document gone, ends without an event", async () => {
  const rig = await openRig();
  const { document_id, job_id } = await rig.upload("short");
  // A twin of the job, as a queue that delivers twice would make it.
  const [job] = await rig.queue.list({ tenant_id, limit: 1 });
  await rig.worker().start();
  await rig.settled(document_id);
  const before = await rig.events(document_id);
  for (const payload of [job!.payload, { document_id: "doc_none", version: 1 }]) {
    const { job_type, correlation_id } = job!;
    const twin = rig.system.newId("job");
    await rig.queue.enqueue([{ job_id: twin, tenant_id, job_type, payload, correlation_id }]);
    await rig.until(async () => (await rig.job(twin)).state === "succeeded");
  }
  expect(await rig.events(document_id)).toEqual(before);
  expect(await rig.get(document_id)).toMatchObject({ job_id, version: 1, status: "completed" });
});

describe("dying after every operation", () => {
  const journeys = {
    "a new document": (rig: Rig, text: string, tenant: string) => rig.upload(text, { tenant_id: tenant }),
    "a new version of a document": async (rig: Rig, text: string, tenant: string) => {
      const document_id = await rig.searchable(`${paragraphs(CHUNKS, "basalt")}\n\nAnother one.`, {
        tenant_id: tenant,
      });
      return rig.upload(text, { tenant_id: tenant, document_id });
    },
  };

  test.each([
    ["a new document", "lapsed"],
    ["a new document", "released"],
    ["a new version of a document", "lapsed"],
  ] as const)("%s, whose lease is then %s", async (journey, lease) => {
    const clock = createClock();
    const embedder = createTestEmbedder("test@1", BATCH);
    const rig = await openRig({ system: clock.system, embedder });
    const uploads: Accepted[] = [];

    /** One document whose first worker dies after so many operations. @returns those operations */
    async function dieAfter(last: number): Promise<string[]> {
      const tenant = `tenant-${last}`;
      const upload = await journeys[journey](rig, paragraphs(CHUNKS), tenant);
      const { document_id, version, job_id } = upload;
      uploads.push(upload);
      embedder.texts.length = 0;
      const served = await rig.found("paragraph", tenant);
      const oldIds = version === 1 ? [] : chunkIds(document_id, 1, CHUNKS);
      expect(served).toEqual(oldIds);
      const newIds = chunkIds(document_id, version, CHUNKS);

      const journal = async () =>
        (await rig.events(document_id)).filter(({ data }) => data.job_id === job_id);

      const life = createLife(last);
      const doomed = rig.worker(mortal(rig, life));
      void doomed.startUnstopped();
      if (Number.isFinite(last)) await life.died;
      else {
        await rig.settled(document_id, tenant);
        await doomed.stop(PATIENCE_MS);
      }
      // It died before its publishing transaction or after it, and never in between.
      const published = (await rig.get(document_id, tenant)).status === "completed";
      expect(await rig.found("paragraph", tenant)).toEqual(published ? newIds : oldIds);
      const done = new Set(stagesOf(await journal()));
      const storedVectors = (await rig.documents.listChunks(tenant, document_id, version, 0, 100)).filter(
        (chunk) => chunk.vector !== null,
      );
      const claimed = life.operations.length > 0;

      if (lease === "lapsed") clock.advance(LEASE_MS + 1);
      else await recoverWorker(rig.workerParts(), doomed.worker_id);
      const texts = embedder.texts.length;
      const second = counting(rig);
      const heir = rig.worker(second.parts);
      await heir.start();
      const document = await rig.settled(document_id, tenant);
      await heir.stop();

      expect(document).toMatchObject({
        status: "completed",
        error: null,
        version,
        searchable_version: version,
        chunks_created: CHUNKS,
      });
      expect(await rig.found("paragraph", tenant)).toEqual(newIds);
      const chunks = await rig.documents.listChunks(tenant, document_id, version, 0, 100);
      expect(chunks.map((chunk) => chunk.vector !== null)).toEqual(Array(CHUNKS).fill(true));
      const attempts = claimed && !published ? 2 : 1;
      expect(await rig.job(job_id)).toMatchObject({ state: "succeeded", attempts });
      // What had a checkpoint was not done again, and each stage ended once.
      await rig.expectReplays(document_id, tenant);
      const events = await journal();
      expect(stagesOf(events)).toEqual(["extracting", "chunking", "embedding", "indexing"]);
      expect(events.filter(({ event_type }) => event_type === "rag.ingestion.completed")).toHaveLength(1);
      expect(second.count).toEqual({
        extractions: done.has("extracting") ? 0 : 1,
        chunkings: done.has("chunking") ? 0 : 1,
      });
      expect(embedder.texts.length - texts).toBe(CHUNKS - (published ? CHUNKS : storedVectors.length));
      const times = new Map<string, number>();
      for (const each of embedder.texts) times.set(each, (times.get(each) ?? 0) + 1);
      expect(times.size).toBe(CHUNKS);
      expect(Math.max(...times.values())).toBeLessThanOrEqual(2);
      expect(embedder.texts.length).toBeLessThanOrEqual(CHUNKS + BATCH);
      return effective(life.operations);
    }

    const operations = await dieAfter(Number.POSITIVE_INFINITY);
    const happened = (name: string) => operations.filter((each) => each === name).length;
    // Claim; started, two stages' checkpoints and one more, the chunks, three batches, publishing, and progress.
    expect(operations[0]).toBe("claim");
    expect(happened("commit")).toBeGreaterThanOrEqual(9);
    expect(happened("put")).toBe(1);
    expect(happened("stage")).toBe(1);
    expect(happened("delete")).toBe(journey === "a new document" ? 0 : 1);
    for (let last = 0; last <= operations.length; last++) await dieAfter(last);

    // In the end there is what there would be had nobody died.
    clock.advance(365 * 86_400_000);
    await sweepBlobs(rig.workerParts(), new AbortController().signal);
    const versions = uploads[0]!.version;
    const documents = uploads.length;
    expect(await rig.blobKeys()).toHaveLength(documents * (1 + versions));
    expect(rig.rows()).toEqual({
      documents,
      versions: documents * versions,
      checkpoints: documents * 3,
      chunks: documents * CHUNKS,
      embeddings: documents * CHUNKS,
      chunks_fts_docsize: documents * CHUNKS,
      vectors_1: documents * CHUNKS,
    });
  });
});

describe("while a document is ingested again", () => {
  test("after every single write, searches find one version whole and nothing of another", async () => {
    const rig = await openRig();
    const document_id = await rig.searchable(paragraphs(7));
    const seen: number[] = [];
    async function look(): Promise<void> {
      const document = await rig.get(document_id);
      const version = document.searchable_version ?? 0;
      expect(await rig.found("quartz")).toEqual(chunkIds(document_id, version, version === 1 ? 7 : CHUNKS));
      const { hits } = await rig.search.search(tenant_id, { query: "quartz", top_k: 100 });
      expect(hits).toHaveLength(version === 1 ? 7 : CHUNKS);
      expect(new Set(hits.map((hit) => hit.version))).toEqual(new Set([version]));
      expect(document.chunks_created).toBe(version === 1 ? 7 : CHUNKS);
      seen.push(version);
    }
    const watched =
      <Given extends unknown[], T>(write: (...given: Given) => Promise<T>) =>
      async (...given: Given): Promise<T> => {
        const result = await write(...given);
        await look();
        return result;
      };
    await rig.upload(paragraphs(CHUNKS), { document_id });
    await look();
    const worker = rig.worker({
      documents: { ...rig.documents, commit: watched(rig.documents.commit) },
      index: { ...rig.index, stage: watched(rig.index.stage) },
      blobs: { ...rig.blobs, put: watched(rig.blobs.put), delete: watched(rig.blobs.delete) },
    });
    await worker.start();
    await rig.settled(document_id);
    await worker.stop(PATIENCE_MS);
    expect(seen.filter((version) => version === 2)).toHaveLength(2);
    // Old, and from the publishing transaction on new: it, and the removal of the old text.
    const first = seen.indexOf(2);
    expect(first).toBeGreaterThanOrEqual(12);
    expect(new Set(seen.slice(first))).toEqual(new Set([2]));
    expect(rig.rows()).toMatchObject({
      chunks: CHUNKS,
      chunks_fts_docsize: CHUNKS,
      vectors_1: CHUNKS,
    });
  });

  test.each(places)(
    "a newer upload takes the place of one held %s; the old one serves until then",
    async (place: Place) => {
      const rig = await openRig();
      const document_id = await rig.searchable(paragraphs(4, "first"));
      const second = await rig.upload(paragraphs(6, "second"), { document_id });
      const held = holdAt(rig, place);
      const worker = rig.worker(held.parts);
      await worker.start();
      await held.reached;
      expect(await rig.found("first")).toHaveLength(4);

      const third = await rig.upload(paragraphs(5, "third"), { document_id });
      expect(third).toMatchObject({ version: 3, duplicate: false });
      expect((await rig.job(second.job_id)).state).toBe("cancelled");
      expect(await rig.found("first")).toHaveLength(4);
      held.go();
      expect(await rig.settled(document_id)).toMatchObject({ status: "completed", searchable_version: 3 });
      await worker.stop(PATIENCE_MS);
      expect(await rig.found("first")).toEqual([]);
      expect(await rig.found("second")).toEqual([]);
      expect(await rig.found("third")).toEqual(chunkIds(document_id, 3, 5));
      const events = await rig.expectReplays(document_id);
      const superseded = events.filter(({ event_type }) => event_type === "rag.ingestion.cancelled");
      expect(superseded.map(({ data }) => data)).toEqual([
        { job_id: second.job_id, version: 2, reason: "superseded" },
      ]);
      expect(rig.log.filter(({ level }) => level === "error" || level === "warn")).toEqual([]);
    },
  );

  test("one that fails leaves the old version serving", async () => {
    const rig = await openRig({ max_attempts: 1 });
    const document_id = await rig.searchable(paragraphs(4, "first"));
    await rig.upload(paragraphs(6, "second"), { document_id });
    const embedder = createTestEmbedder();
    embedder.before = (answered) => {
      if (answered > 0) throw new Error("the model broke");
    };
    await rig.worker({ embedder }).start();
    expect(await rig.settled(document_id)).toMatchObject({
      status: "failed",
      version: 2,
      searchable_version: 1,
      chunks_created: 4,
    });
    expect(await rig.found("first")).toHaveLength(4);
    expect(await rig.found("second")).toEqual([]);
  });
});

test("another embedder between two attempts: every vector is made anew, none is mixed", async () => {
  const rig = await openRig();
  const { document_id } = await rig.upload(paragraphs(CHUNKS));
  const held = holdAt(rig, "indexing");
  const worker = rig.worker({ ...held.parts, embedder: createTestEmbedder("older@1", BATCH) });
  await worker.start();
  await held.reached;
  const stopping = worker.stop();
  held.go();
  await stopping;
  const embedder = createTestEmbedder("test@1", BATCH);
  await rig.worker({ embedder }).start();
  expect((await rig.settled(document_id)).status).toBe("completed");
  expect(embedder.texts).toHaveLength(CHUNKS);
  const near = await rig.index.nearest({ tenant_id }, (await embedder.embed(["quartz"], "query"))[0]!, 100);
  expect(near).toHaveLength(CHUNKS);
});

test("a commit that is refused is no failure of the document", async () => {
  const rig = await openRig();
  const { document_id } = await rig.upload("short");
  const refused = new ConflictError("lease_lost");
  const worker = rig.worker({ documents: { ...rig.documents, commit: () => Promise.reject(refused) } });
  await worker.start();
  await worker.stop(PATIENCE_MS);
  expect(rig.log.at(-1)?.message).toBe("ingest_document stopped: no longer ours");
  expect(await rig.get(document_id)).toMatchObject({ status: "pending", error: null });
});

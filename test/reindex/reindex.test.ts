/** What meets a reindex: searches, uploads, its own end, and failures that hold it up. */
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, test } from "vitest";
import type { ClaimedJob } from "../../src/job.ts";
import type { Embedder } from "../../src/ports/embedder.ts";
import { createReindex } from "../../src/reindex/reindex.ts";
import { createTender } from "../../src/reindex/tend.ts";
import { createSearch } from "../../src/search/search.ts";
import type { WorkerDependencies } from "../../src/worker/worker.ts";
import { createTestEmbedder } from "../support/embedder.ts";
import { holdAt } from "../support/hold.ts";
import { openRig, PATIENCE_MS, paragraphs, type Rig } from "../support/rig.ts";

const OLD = "test@1";
const NEW = "test@2";
const BATCH = 4;

/** A process whose settings name the new embedder, and who can make the old one. */
function changed(rig: Rig) {
  const embedder = createTestEmbedder(NEW, BATCH);
  const opens = [embedder, rig.embedder];
  const openEmbedder = async (embedder_id: string): Promise<Embedder | undefined> =>
    opens.find((each) => each.embedder_id === embedder_id);
  const parts = { embedder, openEmbedder };
  const reindex = createReindex({ ...rig.ports, embedder, system: rig.system });
  return {
    ...parts,
    parts,
    reindex,
    search: createSearch({ ...rig.ports, ...parts }),
    /** Tends until the reindex is over. */
    async tend(until: () => Promise<boolean> = async () => (await reindex.status()).state !== "running") {
      const tender = createTender(
        { documents: rig.documents, system: rig.system, max_attempts: 5, log: silent },
        rig.system.newId("wrk"),
      );
      tender.start();
      await rig.until(until);
      await tender.stop();
    },
  };
}

const silent = { debug() {}, info() {}, warn() {}, error() {} };

async function found(search: ReturnType<typeof createSearch>) {
  const { hits, embedder_id } = await search.search("t1", { query: "quartz", mode: "vector", top_k: 100 });
  return { documents: [...new Set(hits.map(({ document_id }) => document_id))].sort(), embedder_id };
}

async function jobs(rig: Rig): Promise<ClaimedJob["job"][]> {
  const all = await rig.queue.list({ limit: 100 });
  return all.filter(({ job_type }) => job_type === "reembed_document");
}

async function runAll(rig: Rig, parts: Partial<WorkerDependencies>): Promise<void> {
  const worker = rig.worker(parts);
  await worker.start();
  await rig.until(async () => (await rig.queue.depth("t1")).total === 0);
  await worker.stop(PATIENCE_MS);
}

test("where the old embedder can't be made, searches by meaning are refused with what to do, and words go on", async () => {
  const rig = await openRig({ embedder: createTestEmbedder(OLD, BATCH) });
  const document_id = await rig.searchable(paragraphs(3));
  const { embedder, reindex, tend, parts } = changed(rig);
  const search = createSearch({ ...rig.ports, embedder });
  await expect(found(search)).rejects.toMatchObject({ code: "embedder_mismatch" });
  const words = await search.search("t1", { query: "quartz", mode: "keyword" });
  expect(words.hits).toHaveLength(3);
  // What is uploaded meanwhile is found by words as well, and the reindex has nothing to do for it.
  const { document_id: late } = await rig.upload("quartz too");
  await runAll(rig, { embedder });
  expect((await search.search("t1", { query: "quartz too", mode: "keyword" })).hits[0]?.document_id).toBe(
    late,
  );
  expect(await reindex.status()).toMatchObject({ state: "due", serving: OLD, documents: 2, done: 1 });
  await reindex.begin();
  const worker = rig.worker(parts);
  await worker.start();
  await tend();
  expect(await found(search)).toEqual({ documents: [document_id, late].sort(), embedder_id: NEW });
});

test("a search that another process's flip overtakes is made once more, under the embedder that serves", async () => {
  const rig = await openRig({ embedder: createTestEmbedder(OLD, BATCH) });
  const document_id = await rig.searchable(paragraphs(3));
  const { search, reindex, parts, tend } = changed(rig);
  expect(await found(search)).toEqual({ documents: [document_id], embedder_id: OLD });
  await reindex.begin();
  const worker = rig.worker(parts);
  await worker.start();
  await tend();
  expect(await found(search)).toEqual({ documents: [document_id], embedder_id: NEW });
  // The old ones go bit by bit, and a new version is of the new embedder alone.
  let rounds = 0;
  while (await rig.documents.embedders.removeRetired(2)) rounds += 1;
  expect(rounds).toBeGreaterThan(2);
  expect(await found(search)).toEqual({ documents: [document_id], embedder_id: NEW });
  const { document_id: second } = await rig.upload("quartz anew");
  await rig.settled(second);
  expect((await found(search)).documents).toEqual([document_id, second].sort());
});

test("a version published while a reindex is under way is found at once, and has a job of its own", async () => {
  const rig = await openRig({ embedder: createTestEmbedder(OLD, BATCH) });
  await rig.searchable(paragraphs(2));
  const { search, reindex, parts, tend } = changed(rig);
  const { document_id } = await rig.upload("quartz in between");
  const held = holdAt(rig, "publishing");
  const worker = rig.worker({ ...parts, ...held.parts, embedder: parts.embedder });
  await worker.start();
  await held.reached;
  // It read that there is none.
  await reindex.begin();
  held.go();
  await rig.settled(document_id);
  await worker.stop(PATIENCE_MS);
  expect((await found(search)).documents).toContain(document_id);
  expect((await jobs(rig)).map(({ payload }) => payload)).toEqual([{ document_id, embedder_id: NEW }]);
  const log = await rig.expectReplays(document_id);
  const working = rig.worker(parts);
  await working.start();
  await tend();
  expect(await found(search)).toMatchObject({ embedder_id: NEW });
  expect((await found(search)).documents).toHaveLength(2);
  // The reindex changed nothing of the document.
  expect(await rig.events(document_id)).toEqual(log);
});

test("a version that was staged for the old embedder when the new one took over is embedded once more", async () => {
  const rig = await openRig({ embedder: createTestEmbedder(OLD, BATCH) });
  const { search, reindex, parts, embedder } = changed(rig);
  await rig.searchable(paragraphs(2));
  const { document_id } = await rig.upload(paragraphs(6, "quartz late"));
  const held = holdAt(rig, "publishing");
  const worker = rig.worker({ ...parts, ...held.parts, embedder: parts.embedder });
  await worker.start();
  await held.reached;
  await reindex.begin();
  for (const { tenant_id, document_id: other } of await rig.documents.embedders.lacking(NEW, "", 9)) {
    await rig.documents.commit([
      { tenant_id, indexed: { document_id: other, version: 1, embedder_id: NEW } },
    ]);
  }
  expect(await rig.documents.embedders.finish(NEW)).toBe(true);
  expect(embedder.texts).toEqual([]);
  held.go();
  const { status, chunks_created } = await rig.settled(document_id);
  expect(status).toBe("completed");
  expect(embedder.texts).toHaveLength(chunks_created);
  expect((await found(search)).documents).toEqual([document_id]);
  await rig.expectReplays(document_id);
});

test("a document that can't be embedded holds the flip up until it is retried", async () => {
  const rig = await openRig({ embedder: createTestEmbedder(OLD, BATCH), max_attempts: 1 });
  const document_id = await rig.searchable(paragraphs(3));
  const { search, reindex, parts, tend, embedder } = changed(rig);
  const broken = { ...embedder, embed: () => Promise.reject(new Error("no such luck")) };
  await reindex.begin();
  const failing = rig.worker({ ...parts, embedder: broken, retry: { base_ms: 1, cap_ms: 1 } });
  await failing.start();
  await tend(async () => (await reindex.status()).failed > 0);
  await failing.stop(PATIENCE_MS);
  expect(await reindex.status()).toMatchObject({ state: "running", documents: 1, done: 0, failed: 1 });
  expect(await found(search)).toEqual({ documents: [document_id], embedder_id: OLD });
  const [dead] = await jobs(rig);
  await rig.commands.retry("t1", dead!.job_id, "req_1");
  const worker = rig.worker(parts);
  await worker.start();
  await tend();
  expect(await found(search)).toEqual({ documents: [document_id], embedder_id: NEW });
});

test("a document that is ingested anew, or deleted, under the hands of its job doesn't fail it", async () => {
  const rig = await openRig({ embedder: createTestEmbedder(OLD, BATCH) });
  const replaced = await rig.searchable(paragraphs(6));
  const deleted = await rig.searchable(paragraphs(7));
  const { search, reindex, parts, tend, embedder } = changed(rig);
  await reindex.begin();
  const held = holdAt(rig, "embedding");
  const worker = rig.worker({ ...parts, embedder: { ...embedder, embed: held.parts.embedder!.embed } });
  await worker.start();
  const tending = tend();
  await held.reached;
  await rig.commands.reingest("t1", replaced, "req_1");
  await rig.commands.remove("t1", deleted, "req_2");
  const other = rig.worker({ ...parts });
  await other.start();
  await rig.until(async () => (await rig.get(replaced)).searchable_version === 2);
  held.go();
  await tending;
  expect(await found(search)).toEqual({ documents: [replaced], embedder_id: NEW });
  await rig.until(async () => (await rig.queue.depth("t1")).total === 0);
  for (const { state } of await jobs(rig)) expect(state).not.toBe("dead");
});

test("an index of an earlier version serves by the embedder that it was made with", async () => {
  const rig = await openRig({ embedder: createTestEmbedder(OLD, BATCH) });
  const document_id = await rig.searchable(paragraphs(3));
  const waiting = await rig.upload("not searchable yet");
  const db = new DatabaseSync(join(rig.folder as string, "sluice.db"));
  // What the schema before the register of embedders, its fifth, had not.
  db.exec(`DROP TABLE indexed_versions; DROP TABLE embedder_state; DROP TABLE retired_embedders;
    DROP INDEX documents_parent; ALTER TABLE documents DROP COLUMN parent_document_id;
    ALTER TABLE chunks DROP COLUMN sheet; ALTER TABLE chunks DROP COLUMN row_start;
    ALTER TABLE chunks DROP COLUMN row_end; ALTER TABLE chunks DROP COLUMN section_start;
    ALTER TABLE chunks DROP COLUMN header;
    DROP TABLE collections;
    ALTER TABLE documents DROP COLUMN about;
    DROP TABLE condemned_blobs;
    ALTER TABLE api_keys DROP COLUMN operator; ALTER TABLE api_keys DROP COLUMN expires_at; DROP INDEX jobs_dead;
    PRAGMA user_version = 5`);
  db.close();
  const { documents, index } = await rig.connect();
  expect(await documents.embedders.read()).toMatchObject({ serving: OLD, target: null, retired: [] });
  expect(await documents.embedders.lacking(OLD, "", 9)).toEqual([]);
  expect(await documents.embedders.count(NEW)).toEqual({ documents: 1, lacking: 1 });
  const search = createSearch({ documents, index, embedder: rig.embedder });
  expect(await found(search)).toEqual({ documents: [document_id], embedder_id: OLD });
  expect(waiting.status).toBe("pending");
});

test("a job of a reindex is not cancelled by itself", async () => {
  const rig = await openRig({ embedder: createTestEmbedder(OLD, BATCH) });
  await rig.searchable(paragraphs(2));
  const { reindex, tend } = changed(rig);
  await reindex.begin();
  await tend(async () => (await jobs(rig)).length > 0);
  const [job] = await jobs(rig);
  await expect(rig.commands.cancel("t1", job!.job_id, "req_1")).rejects.toMatchObject({
    message: expect.stringContaining("sluice reindex --cancel"),
  });
});

test("two targets at once are refused", async () => {
  const rig = await openRig({ embedder: createTestEmbedder(OLD, BATCH) });
  await rig.searchable(paragraphs(2));
  const { reindex } = changed(rig);
  await reindex.begin();
  const third = createReindex({ ...rig.ports, embedder: createTestEmbedder("test@3"), system: rig.system });
  await expect(third.begin()).rejects.toMatchObject({ code: "reindex_under_way" });
  expect(await reindex.cancel()).toMatchObject({ state: "due", serving: OLD });
  expect(await third.begin()).toMatchObject({ state: "running", target: "test@3" });
});

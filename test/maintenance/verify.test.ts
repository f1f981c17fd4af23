import { readFile, rm, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { aboutNothing } from "../../src/about.ts";
import { openDatabase } from "../../src/adapters/sqlite/schema.ts";
import { SluiceError } from "../../src/errors.ts";
import { blobOfUpload } from "../../src/ids.ts";
import { writeRecord } from "../../src/intake/upload-record.ts";
import { inspectJob } from "../../src/maintenance/inspect-job.ts";
import { repair } from "../../src/maintenance/repair.ts";
import { createTestEmbedder } from "../support/embedder.ts";
import { bytesOf, chunkIds, openRig, paragraphs, tenant_id } from "../support/rig.ts";
import { age, changeText, drain, folderOf, loseText, maintain, originalOf, tamper } from "./harness.ts";

const CHUNKS = 6;

async function openSearchable() {
  const embedder = createTestEmbedder();
  const rig = await openRig({ embedder });
  const document_id = await rig.searchable(paragraphs(CHUNKS));
  return { rig, embedder, document_id, check: await maintain(folderOf(rig), rig) };
}

test("documents in every state are in order", async () => {
  const embedder = createTestEmbedder();
  const { embed } = embedder;
  // Text with nothing in it for the embedder: its vector has no direction.
  embedder.embed = async (texts, kind, signal) =>
    (await embed(texts, kind, signal)).map((vector, place) =>
      texts[place]?.includes("nothing") ? vector.fill(0) : vector,
    );
  const rig = await openRig({ embedder, max_attempts: 1 });
  await rig.searchable(`${paragraphs(3)}\n\n${paragraphs(2, "nothing")}`);
  const again = await rig.searchable(paragraphs(4, "again"));
  await rig.commands.reingest(tenant_id, again, "req_1");
  await drain(rig);
  const erased = await rig.searchable("erased");
  await rig.commands.remove(tenant_id, erased, "req_2");
  await rig.upload(" ");
  await drain(rig);
  const cancelled = await rig.upload(paragraphs(2, "cancelled"));
  await rig.commands.cancel(tenant_id, cancelled.job_id, "req_3");
  embedder.before = () => {
    throw new SluiceError("embedder_rejected", "no");
  };
  await rig.upload(paragraphs(2, "failed"));
  await drain(rig);
  embedder.before = () => {};
  await rig.upload("of another tenant", { tenant_id: "t2" });
  const removed = await rig.searchable("removed");
  await rig.commands.remove(tenant_id, removed, "req_4");
  await rig.upload("pending");
  const settings = { chunking: { max_tokens: 300 } };
  const updated_at = "2026-01-01T00:00:00.000Z";
  await rig.documents.collections.put(tenant_id, { collection: "empty", settings, updated_at });

  const check = await maintain(folderOf(rig), rig);
  expect(await check.verify()).toEqual([]);
  expect(await check.verify({ fast: true, repair: true })).toEqual([]);
});

describe("originals", () => {
  test("one that is gone is told, with its document, and can't be repaired", async () => {
    const { rig, document_id, check } = await openSearchable();
    const { path, blob_key } = await originalOf(rig, document_id);
    await rm(path);
    const [finding, ...others] = await check.verify({ fast: true, repair: true });
    expect(others).toEqual([]);
    expect(finding).toMatchObject({
      code: "original_missing",
      severity: "error",
      document_id,
      tenant_id,
      repaired: false,
    });
    expect(finding?.message).toContain(blob_key);
    expect(finding?.message).toMatch(/Restore that file from a backup/);
  });

  test("a flipped byte is found by reading, a shorter file also without", async () => {
    const { rig, document_id, check } = await openSearchable();
    const { path } = await originalOf(rig, document_id);
    const bytes = await readFile(path);
    bytes[10]! ^= 1;
    await writeFile(path, bytes);
    expect(await check.codes()).toEqual(["original_damaged"]);
    expect(await check.codes({ fast: true })).toEqual([]);
    await truncate(path, bytes.length - 1);
    expect(await check.codes({ fast: true })).toEqual(["original_damaged"]);
    await writeFile(path, Buffer.concat([bytes, bytes]));
    expect(await check.codes({ fast: true })).toEqual(["original_damaged"]);
  });

  test("without its original, a damaged index is not ingested again", async () => {
    const { rig, document_id, check } = await openSearchable();
    await rm((await originalOf(rig, document_id)).path);
    tamper(rig, "DELETE FROM chunks WHERE ordinal = 0");
    expect(await check.codes({ repair: true })).toContain("version_damaged");
    expect((await rig.get(document_id)).status).toBe("completed");
  });
});

const indexDamage: [string, (rig: Awaited<ReturnType<typeof openRig>>, document_id: string) => unknown][] = [
  ["a chunk is gone", (rig) => tamper(rig, "DELETE FROM chunks WHERE ordinal = 2")],
  ["the last chunk is gone", (rig) => tamper(rig, "DELETE FROM chunks WHERE ordinal = ?", CHUNKS - 1)],
  ["a chunk has moved", (rig) => tamper(rig, "UPDATE chunks SET ordinal = 90 WHERE ordinal = 2")],
  ["a chunk's words are gone", (rig) => tamper(rig, "DELETE FROM chunks_fts WHERE rowid = 3")],
  ["no chunk has words", (rig) => tamper(rig, "DELETE FROM chunks_fts")],
  ["a chunk has no neighbours", (rig) => tamper(rig, "DELETE FROM vectors_1 WHERE chunk_row = 3")],
  ["a vector is gone", (rig) => tamper(rig, "DELETE FROM embeddings WHERE chunk_row = 3")],
  [
    "a vector is another one",
    (rig) =>
      tamper(
        rig,
        "UPDATE embeddings SET vector = (SELECT vector FROM embeddings WHERE chunk_row = 5) WHERE chunk_row = 3",
      ),
  ],
  ["a chunk has other words", (rig) => tamper(rig, "UPDATE chunks SET text = 'other' WHERE ordinal = 2")],
  ["its text has changed", (rig, document_id) => changeText(rig, document_id)],
  ["its text is gone", (rig, document_id) => loseText(rig, document_id)],
  ["nothing tells of its text", (rig) => tamper(rig, "DELETE FROM checkpoints WHERE stage = 'extracting'")],
  ["a chunk can't be read", (rig) => tamper(rig, "UPDATE chunks SET heading_path = '{' WHERE ordinal = 2")],
];

test.each(indexDamage)("repaired by ingesting again: %s", async (_, damage) => {
  const { rig, embedder, document_id, check } = await openSearchable();
  await damage(rig, document_id);
  // Whatever the damage left behind of itself is told beside it.
  expect((await check.codes()).filter((code) => code !== "stray_rows")).toEqual(["version_damaged"]);
  embedder.texts.length = 0;
  expect(await check.codes({ repair: true })).toContain("+version_damaged");
  await drain(rig);
  // No vector of the damaged version was kept.
  expect(embedder.texts).toHaveLength(CHUNKS);
  await check.verify({ repair: true });
  expect(await check.verify()).toEqual([]);
  expect(await rig.found("quartz")).toEqual(chunkIds(document_id, 2, CHUNKS));
  await rig.expectReplays(document_id);
});

describe("documents that nobody works on", () => {
  test("a pending one whose job is gone gets another", async () => {
    const rig = await openRig();
    const { document_id, job_id } = await rig.upload(paragraphs(2));
    const check = await maintain(folderOf(rig), rig);
    tamper(rig, "DELETE FROM jobs WHERE job_id = ?", job_id);
    expect(await check.codes()).toEqual(["document_stuck"]);
    expect(await check.codes({ repair: true })).toEqual(["+document_stuck"]);
    expect(await check.codes({ repair: true })).toEqual([]);
    await drain(rig);
    expect((await rig.get(document_id)).status).toBe("completed");
    await rig.expectReplays(document_id);
    expect(await check.verify()).toEqual([]);
  });

  test("one that is processing, with a dead job and chunks half made, is begun anew", async () => {
    const embedder = createTestEmbedder();
    const rig = await openRig({ embedder });
    const { document_id, job_id } = await rig.upload(paragraphs(CHUNKS));
    const check = await maintain(folderOf(rig), rig);
    const worker = rig.worker();
    embedder.before = () => new Promise(() => {});
    await worker.start();
    await rig.until(async () => (await rig.get(document_id)).stage === "embedding");
    tamper(rig, "UPDATE jobs SET state = 'dead', lease_token = NULL WHERE job_id = ?", job_id);
    expect(await check.codes({ repair: true })).toEqual(["+document_stuck"]);
    await worker.stop();
    embedder.before = () => {};
    await drain(rig);
    expect((await rig.get(document_id)).status).toBe("completed");
    await rig.expectReplays(document_id);
    expect(await check.verify()).toEqual([]);
  });

  test("a deleted one whose job is gone is erased", async () => {
    const { rig, document_id, check } = await openSearchable();
    const { job_id } = await rig.commands.remove(tenant_id, document_id, "req_1");
    tamper(rig, "DELETE FROM jobs WHERE job_id = ?", job_id);
    expect(await check.codes({ repair: true })).toEqual(["+removal_stuck"]);
    expect(await check.verify()).toEqual([]);
    await drain(rig);
    expect(await check.verify()).toEqual([]);
    expect(await rig.blobKeys()).toEqual([]);
    expect(rig.rows().chunks).toBe(0);
  });
});

test("a document that is deleted and whose events do not say so is not erased", async () => {
  const { rig, document_id, check } = await openSearchable();
  tamper(rig, "UPDATE documents SET removed = 1");
  expect(await check.codes({ repair: true })).toEqual(["log_damaged", "removal_stuck"]);
  await drain(rig);
  expect((await originalOf(rig, document_id)).version).toBe(1);
  expect(await rig.blobKeys()).toHaveLength(2);
  expect(rig.rows().chunks).toBe(CHUNKS);
});

test("chunks without vectors of the embedder that serves are told, and left to a reindex", async () => {
  const { rig, document_id } = await openSearchable();
  const check = await maintain(folderOf(rig), { ...rig, embedder: createTestEmbedder("test@2") });
  // Other settings change nothing in what is searched.
  expect(await check.codes()).toEqual([]);
  tamper(rig, "UPDATE embedder_state SET serving = 'test@2'");
  const [finding, ...others] = await check.verify({ repair: true });
  expect(finding).toMatchObject({ code: "other_embedder", document_id, repaired: false });
  expect(finding?.message).toMatch(
    /6 chunks of version 1 have no vector of the embedder that searches go by/,
  );
  expect(others).toEqual([]);
  expect((await rig.get(document_id)).status).toBe("completed");
});

describe("what can't be read is told, the rest is looked at, and nothing is dropped", () => {
  test.each([
    "UPDATE documents SET metadata = '{' WHERE document_id = ?",
    "UPDATE events SET data = '{' WHERE document_id = ?",
    "UPDATE checkpoints SET data = '{' WHERE document_id = ?",
  ])("%s", async (sql) => {
    const { rig, document_id, check } = await openSearchable();
    const lost = await rig.searchable(paragraphs(2, "lost"));
    await rm((await originalOf(rig, lost)).path);
    tamper(rig, "INSERT INTO embeddings SELECT chunk_row + 100, embedder_id, vector FROM embeddings");
    for (const key of await rig.blobKeys()) await age(rig.blobs.localPath!(key), 7);
    const before = await rig.blobKeys();
    tamper(rig, sql, document_id);
    const found = await check.verify({ repair: true });
    expect(found[0]).toMatchObject({ code: "unreadable", document_id, repairable: false });
    expect(found[1]).toMatchObject({ code: "original_missing", document_id: lost });
    expect(found.map(({ code }) => code)).toContain("stray_rows");
    expect(found.filter(({ repaired }) => repaired)).toEqual([]);
    expect(await rig.blobKeys()).toEqual(before);
  });

  test("a job", async () => {
    const { rig, check } = await openSearchable();
    const { job_id } = await rig.upload("waits");
    tamper(rig, "UPDATE jobs SET payload = '{' WHERE job_id = ?", job_id);
    const found = await check.verify();
    expect(found).toContainEqual(expect.objectContaining({ code: "unreadable", job_id, severity: "error" }));
  });

  test("the settings of a collection", async () => {
    const { rig, check } = await openSearchable();
    const settings = { chunking: { max_tokens: 300 } };
    const updated_at = "2026-01-01T00:00:00.000Z";
    await rig.documents.collections.put(tenant_id, { collection: "c", settings, updated_at });
    tamper(rig, "UPDATE collections SET settings = '{'");
    const [finding, ...others] = await check.verify({ repair: true });
    expect(finding).toMatchObject({ code: "database_damaged", severity: "error" });
    expect(finding?.message).toContain("collection c of tenant t1");
    expect(others).toEqual([]);
  });

  test("a file that the disk does not give", async () => {
    const { rig, document_id, check } = await openSearchable();
    const { blob_key } = await originalOf(rig, document_id);
    const blobs: typeof rig.blobs = {
      ...rig.blobs,
      async get(key, range) {
        if (key === blob_key) throw new SluiceError("storage_unavailable", "the disk reported an error");
        return rig.blobs.get(key, range);
      },
    };
    const [finding, ...others] = await check.verify({}, { ...check.parts, blobs });
    expect(finding).toMatchObject({ code: "original_damaged", document_id });
    expect(finding?.message).toMatch(/can't be read/);
    expect(others).toEqual([]);
  });
});

describe("the log", () => {
  test("an event without what belongs in it is told, and no record is made of it", async () => {
    const { rig, document_id, check } = await openSearchable();
    const before = await rig.get(document_id);
    tamper(rig, "UPDATE events SET data = '{}' WHERE event_type = 'rag.ingestion.completed'");
    const [finding, ...others] = await check.verify({ repair: true });
    expect(finding).toMatchObject({ code: "log_damaged", document_id, repairable: false });
    expect(finding?.message).toMatch(/rag.ingestion.completed, has a wrong data/);
    expect(others).toEqual([]);
    expect(await rig.get(document_id)).toEqual(before);
  });

  test("a record that is not what its events say is made so again", async () => {
    const { rig, document_id, check } = await openSearchable();
    const before = await rig.get(document_id);
    tamper(rig, "UPDATE documents SET status = 'processing', searchable_version = NULL, filename = 'x'");
    const found = await check.verify();
    expect(found.find(({ code }) => code === "record_differs")?.message).toMatch(
      /filename, status, searchable_version/,
    );
    expect(await check.codes({ repair: true })).toEqual(["+record_differs"]);
    expect(await rig.get(document_id)).toEqual(before);
    expect(await check.verify()).toEqual([]);
  });

  test("documents of before they told anything of themselves are in order, and tell nothing", async () => {
    const { rig, document_id, check } = await openSearchable();
    tamper(rig, "UPDATE events SET data = json_remove(data, '$.about')");
    tamper(rig, "UPDATE documents SET about = NULL");
    expect(await check.verify()).toEqual([]);
    expect((await rig.get(document_id)).about).toEqual(aboutNothing);
    tamper(rig, `UPDATE documents SET about = '${JSON.stringify({ ...aboutNothing, title: "Other" })}'`);
    expect((await check.verify())[0]?.message).toMatch(/otherwise of about/);
    expect(await check.codes({ repair: true })).toEqual(["+record_differs"]);
    expect((await rig.get(document_id)).about).toEqual(aboutNothing);
  });

  test("events that are missing or can't have been are told", async () => {
    const { rig, document_id, check } = await openSearchable();
    const events = await rig.events(document_id);
    const remove = (type: string) =>
      tamper(
        rig,
        "DELETE FROM events WHERE sequence = ?",
        events.find((e) => e.event_type === type)!.sequence,
      );
    remove("rag.ingestion.completed");
    expect(await check.codes({ repair: true })).toEqual(["log_damaged"]);
    remove("rag.ingestion.started");
    const [finding, ...others] = await check.verify({ repair: true });
    expect(finding?.message).toMatch(/can't follow on pending/);
    expect(others).toEqual([]);
  });

  test("a document that vanished is told, and nothing of it is dropped", async () => {
    const { rig, document_id, check } = await openSearchable();
    tamper(rig, "DELETE FROM documents WHERE document_id = ?", document_id);
    const codes = await check.codes({ repair: true });
    expect(codes).toContain("document_lost");
    expect(codes.filter((code) => code.startsWith("+"))).toEqual([]);
    expect(rig.rows().chunks).toBe(CHUNKS);
  });
});

describe("what belongs to nothing", () => {
  test("rows", async () => {
    const { rig, document_id, check } = await openSearchable();
    const columns =
      "document_id, ordinal, text, page, char_start, char_end, heading_path, token_count, indexed";
    tamper(rig, `INSERT INTO chunks (version, ${columns}) SELECT 7, ${columns} FROM chunks`);
    tamper(rig, "INSERT INTO embeddings SELECT chunk_row + 100, embedder_id, vector FROM embeddings");
    tamper(
      rig,
      "INSERT INTO chunks_fts (rowid, text, headings) VALUES (70, 'quartz', ''), (71, 'quartz', '')",
    );
    tamper(
      rig,
      "INSERT INTO vectors_1 (chunk_row, block, vector) SELECT 80, block, vector FROM vectors_1 LIMIT 1",
    );
    tamper(rig, "INSERT INTO checkpoints VALUES (?, 7, 'chunking', '{}')", document_id);
    tamper(
      rig,
      "INSERT INTO versions SELECT 'doc_x', 1, tenant_id, 't1/x', 'x', 'x', 1, 'x', 'x' FROM versions",
    );
    const found = await check.verify();
    expect(found.map(({ message }) => message)).toEqual([
      "6 chunks of versions that nobody sees",
      "1 checkpoints of versions that nobody sees",
      "1 versions of no document",
      "6 vectors of no chunk",
      "2 keyword entries of no indexed chunk",
      "1 index entries of no indexed chunk",
    ]);
    expect(new Set(found.map(({ code }) => code))).toEqual(new Set(["stray_rows"]));
    expect(new Set(await check.codes({ repair: true }))).toEqual(new Set(["+stray_rows"]));
    expect(await check.verify()).toEqual([]);
    expect(rig.rows()).toMatchObject({
      versions: 1,
      chunks: CHUNKS,
      embeddings: CHUNKS,
      chunks_fts_docsize: CHUNKS,
      vectors_1: CHUNKS,
    });
    expect(await rig.found("quartz")).toHaveLength(CHUNKS);
  });

  test("jobs, also one that would erase what nobody deleted", async () => {
    const { rig, document_id, check } = await openSearchable();
    const job = { tenant_id, payload: { document_id, version: 1 }, correlation_id: "cor_1" };
    await rig.queue.enqueue([
      { ...job, job_id: "job_1", job_type: "ingest_document" },
      { ...job, job_id: "job_2", job_type: "delete_document" },
      { ...job, job_id: "job_3", job_type: "somebody_elses" },
    ]);
    const found = await check.verify({ repair: true });
    expect(found.map(({ code, job_id, repaired }) => [code, job_id, repaired])).toEqual([
      ["stray_job", "job_1", true],
      ["stray_job", "job_2", true],
    ]);
    expect((await rig.job("job_2")).state).toBe("cancelled");
    expect((await rig.job("job_3")).state).toBe("queued");
    expect(await check.verify()).toEqual([]);
  });

  test("a job that ended and was retried between two looks is no stray one", async () => {
    const rig = await openRig();
    const { document_id, job_id } = await rig.upload(paragraphs(2));
    const { parts } = await maintain(folderOf(rig), rig);
    const steps = [
      () => rig.commands.cancel(tenant_id, job_id, "req_1"),
      () => rig.commands.retry(tenant_id, job_id, "req_2"),
    ];
    const queue: typeof parts.queue = {
      ...parts.queue,
      async get(id) {
        const job = await parts.queue.get(id);
        await steps.shift()?.();
        return job;
      },
    };
    const maintenance: typeof parts.maintenance = {
      ...parts.maintenance,
      async getDocument(id) {
        const held = await parts.maintenance.getDocument(id);
        await steps.shift()?.();
        return held;
      },
    };
    expect(await inspectJob({ ...parts, queue, maintenance }, job_id)).toBeUndefined();
    expect(steps).toEqual([]);
    expect(await rig.get(document_id)).toMatchObject({ status: "pending", job_id });
  });

  test("a stray job is left alone when its document changes while it is to be cancelled", async () => {
    const { rig, document_id, check } = await openSearchable();
    const { parts } = check;
    const stray = { tenant_id, payload: { document_id, version: 1 }, correlation_id: "cor_1" };
    await rig.queue.enqueue([{ ...stray, job_id: "job_1", job_type: "ingest_document" }]);
    const [finding] = await check.verify();
    const documents: typeof parts.documents = {
      ...parts.documents,
      async commit(commits) {
        await rig.commands.reingest(tenant_id, document_id, "req_1");
        return parts.documents.commit(commits);
      },
    };
    expect(await repair({ ...parts, documents }, finding!)).toBe(false);
    expect((await rig.job("job_1")).state).toBe("queued");
    expect(await repair(parts, finding!)).toBe(true);
    expect((await rig.job("job_1")).state).toBe("cancelled");
  });

  test("more rows than are dropped at a time", async () => {
    const { rig, check } = await openSearchable();
    tamper(
      rig,
      `WITH RECURSIVE n (i) AS (SELECT 1000 UNION ALL SELECT i + 1 FROM n WHERE i < 2202)
       INSERT INTO embeddings SELECT i, 'test@1', x'00' FROM n`,
    );
    expect(await check.verify({ repair: true })).toMatchObject([
      { code: "stray_rows", message: "1203 vectors of no chunk", repaired: true },
    ]);
    expect(rig.rows().embeddings).toBe(CHUNKS);
  });

  test("blobs, unless they may be about to be named", async () => {
    const { rig, check } = await openSearchable();
    const put = async (name: string, hours: number) => {
      const key = `t1/${name}`;
      await rig.blobs.put(
        key,
        (async function* () {
          yield Buffer.from("x");
        })(),
      );
      await age(rig.blobs.localPath!(key), hours);
      return key;
    };
    const stray = await put("old", 7);
    const young = await put("young", 5);
    for (const key of await rig.blobKeys()) if (key !== young) await age(rig.blobs.localPath!(key), 7);
    const named = (await rig.blobKeys()).filter((key) => key !== stray);
    expect(await check.verify()).toMatchObject([{ code: "stray_blob", blob_key: stray }]);
    expect(await check.codes({ repair: true })).toEqual(["+stray_blob"]);
    expect(await rig.blobKeys()).toEqual(named);
    expect(await check.verify()).toEqual([]);
  });

  test("a resumable upload's record, and its bytes that are no document yet, are none of them", async () => {
    const rig = await openRig();
    const check = await maintain(folderOf(rig), rig);
    const upload_id = rig.system.newId("upl");
    await writeRecord(rig.blobs, tenant_id, {
      upload_id,
      size_bytes: 4,
      file: { filename: "a.txt" },
      options: { collection: "default", metadata: {} },
      fields: {},
      created_at: new Date().toISOString(),
    });
    const key = `${tenant_id}/${blobOfUpload(upload_id)}`;
    await rig.blobs.resumable.append(key, 0, bytesOf("four"));
    await rig.blobs.resumable.finish(key);
    const keys = await rig.blobKeys();
    for (const each of keys) await age(rig.blobs.localPath!(each), 7);
    expect(await check.codes({ repair: true })).toEqual([]);
    expect(await rig.blobKeys()).toEqual(keys);
    expect(keys).toHaveLength(2);
  });
});

test("a dead letter whose checkpoints lost their text begins anew when it is retried", async () => {
  const embedder = createTestEmbedder();
  const rig = await openRig({ embedder, max_attempts: 1 });
  embedder.before = () => {
    throw new SluiceError("embedder_rejected", "no");
  };
  const { document_id, job_id } = await rig.upload(paragraphs(2));
  await drain(rig);
  embedder.before = () => {};
  await loseText(rig, document_id);
  const check = await maintain(folderOf(rig), rig);
  expect(await check.codes({ repair: true })).toEqual(["+checkpoint_damaged"]);
  expect(await check.verify()).toEqual([]);
  await rig.commands.retry(tenant_id, job_id, "req_1");
  await drain(rig);
  expect((await rig.get(document_id)).status).toBe("completed");
});

test("a damaged database is told as such, and nothing is dropped from it", async () => {
  const rig = await openRig();
  await rig.searchable(paragraphs(40));
  const path = join(folderOf(rig), "sluice.db");
  const first = await maintain(folderOf(rig), rig);
  await first.close();
  const { root } = readRoot(path);
  const bytes = await readFile(path);
  bytes.fill(0x5a, (root - 1) * 4096 + 100, root * 4096);
  await writeFile(path, bytes);
  const check = await maintain(folderOf(rig), rig);
  const found = await check.verify({ repair: true });
  expect(found[0]).toMatchObject({ code: "database_damaged", repairable: false });
  expect(found.filter(({ repaired }) => repaired)).toEqual([]);
});

/** The first page of the chunks' index, everything in the file itself. */
function readRoot(path: string): { root: number } {
  const db = openDatabase(path);
  db.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  const row = db.prepare("SELECT rootpage FROM sqlite_master WHERE name = 'chunks'").get();
  db.close();
  return { root: row?.rootpage as number };
}

test("nothing is reported of what only changes meanwhile", async () => {
  const rig = await openRig();
  const kept = [await rig.searchable(paragraphs(4)), await rig.searchable(paragraphs(4, "second"))];
  const check = await maintain(folderOf(rig), rig);
  const workers = [rig.worker(), rig.worker()];
  for (const worker of workers) await worker.start();
  let busy = true;
  const load = (async () => {
    for (let round = 0; round < 12; round++) {
      const { document_id } = await rig.upload(paragraphs(3, `round ${round}`));
      for (const id of kept) await rig.commands.reingest(tenant_id, id, "req_1");
      if (round % 2 === 0) await rig.settled(document_id);
      await rig.commands.remove(tenant_id, document_id, "req_2");
    }
    busy = false;
  })();
  const found = [];
  let rounds = 0;
  while (busy) {
    found.push(...(await check.verify()));
    rounds += 1;
  }
  await load;
  for (const worker of workers) await worker.stop();
  expect(rounds).toBeGreaterThan(1);
  expect(found).toEqual([]);
});

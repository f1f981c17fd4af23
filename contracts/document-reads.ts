/** The part of the DocumentStore contract that is about reading what was written. */
import { expect } from "vitest";
import { aboutNothing } from "../src/about.ts";
import type { DocumentRecord } from "../src/document.ts";
import type { Checkpoint, DocumentQuery } from "../src/ports/document-store.ts";
import { newChunks, newDocument, newError, newVersion, unit, uploadCommit } from "./samples.ts";
import { change, publish, type StorageHarness, type StorageTest, stageVersion, upload } from "./storage.ts";

export function describeDocumentReads(check: StorageTest): void {
  documents(check);
  chunksAndVectors(check);
  theRest(check);
}

function documents(check: StorageTest): void {
  check("a document keeps every field through a round trip", async (h) => {
    const record = newDocument(h.system, {
      filename: 'Übersicht "2026" 😀.pdf',
      status: "failed",
      stage: "embedding",
      progress: { done: 3, total: 10 },
      error: newError({ message: "it broke; 'quotes'" }),
      searchable_version: 1,
      chunks_created: 12,
      about: {
        title: 'Über "alles" 😀',
        author: "Ann O'Neill, Bo",
        authored_at: "2019-03",
        modified_at: "2026-01-02T03:04:05.678Z",
        language: "pt-BR",
        page_count: 12,
      },
      metadata: { year: 2026, ratio: 0.1, draft: false, note: null, tags: ["a", 1, true], "x.y-z": "" },
      size_bytes: 5_000_000_000,
    });
    await h.documents.commit([uploadCommit(h.system, record)]);
    expect(await h.documents.getDocument("t1", record.document_id)).toEqual(record);
  });

  check("what a reader gets is its own: changing it changes nothing stored", async (h) => {
    const record = await upload(h, { metadata: { a: 1 } });
    const read = await h.documents.getDocument("t1", record.document_id);
    read!.metadata.a = 2;
    read!.filename = "changed";
    expect(await h.documents.getDocument("t1", record.document_id)).toEqual(record);
  });

  check("what a writer handed in is its own: changing it later changes nothing stored", async (h) => {
    const record = await upload(h, { metadata: { a: 1 } });
    record.metadata.a = 2;
    expect((await h.documents.getDocument("t1", record.document_id))?.metadata).toEqual({ a: 1 });
  });

  check("documents are listed newest first, in pages, by collection and by status", async (h) => {
    const all: DocumentRecord[] = [];
    for (let count = 0; count < 7; count += 1) {
      all.push(await upload(h, { collection: count % 2 === 0 ? "even" : "odd" }));
    }
    const changed = await change(h, all[2]!, { status: "failed" });
    await upload(h, { tenant_id: "t2" });
    const newestFirst = all.map((record) => record.document_id).reverse();
    const ids = async (query: Partial<DocumentQuery>) =>
      (await h.documents.listDocuments({ tenant_id: "t1", limit: 100, ...query })).map(
        (record) => record.document_id,
      );
    expect(await ids({})).toEqual(newestFirst);
    expect(await ids({ limit: 3 })).toEqual(newestFirst.slice(0, 3));
    expect(await ids({ limit: 3, before: newestFirst[2]! })).toEqual(newestFirst.slice(3, 6));
    expect(await ids({ limit: 3, before: newestFirst[6]! })).toEqual([]);
    const even = newestFirst.filter((_, place) => place % 2 === 0);
    expect(await ids({ collection: "even" })).toEqual(even);
    expect(await ids({ collection: "even", limit: 2, before: even[0]! })).toEqual(even.slice(1, 3));
    expect(await ids({ status: "failed" })).toEqual([changed.document_id]);
    expect(await ids({ status: "failed", collection: "odd" })).toEqual([]);
    expect(await ids({ status: "completed" })).toEqual([]);
  });

  check(
    "documents that came inside another are listed by it: newest first, in pages, none removed",
    async (h) => {
      const parent = await upload(h);
      const other = await upload(h, { parent_document_id: parent.document_id, collection: "other" });
      const inside: DocumentRecord[] = [];
      for (let count = 0; count < 5; count += 1) {
        inside.push(await upload(h, { parent_document_id: parent.document_id }));
      }
      const grandchild = await upload(h, { parent_document_id: inside[0]!.document_id });
      await upload(h);
      await upload(h, { tenant_id: "t2", parent_document_id: parent.document_id });
      const ids = async (query: Partial<DocumentQuery>) =>
        (await h.documents.listDocuments({ tenant_id: "t1", limit: 100, ...query })).map(
          (record) => record.document_id,
        );
      const newestFirst = inside.map((record) => record.document_id).reverse();
      const parent_document_id = parent.document_id;
      expect(await ids({ parent_document_id })).toEqual([...newestFirst, other.document_id]);
      expect(await ids({ parent_document_id, limit: 2 })).toEqual(newestFirst.slice(0, 2));
      expect(await ids({ parent_document_id, limit: 2, before: newestFirst[1]! })).toEqual(
        newestFirst.slice(2, 4),
      );
      expect(await ids({ parent_document_id, collection: "other" })).toEqual([other.document_id]);
      expect(await ids({ parent_document_id: inside[0]!.document_id })).toEqual([grandchild.document_id]);
      expect(await ids({ parent_document_id: grandchild.document_id })).toEqual([]);
      expect(await h.documents.getDocument("t1", grandchild.document_id)).toEqual(grandchild);

      await change(h, inside[1]!, { parent_document_id: null });
      newestFirst.splice(newestFirst.indexOf(inside[1]!.document_id), 1);
      expect(await ids({ parent_document_id })).toEqual([...newestFirst, other.document_id]);

      const [gone] = inside;
      const { document_id, revision } = gone!;
      await h.documents.commit([
        { tenant_id: "t1", remove_document: { document_id, expect_revision: revision } },
      ]);
      expect(await ids({ parent_document_id })).toEqual([...newestFirst.slice(0, -1), other.document_id]);
      // The parent may go first: what came out of it is found by it still.
      expect(await ids({ parent_document_id: document_id })).toEqual([grandchild.document_id]);
    },
  );

  check(
    "documents are listed by a filter on metadata and on what they say of themselves, in pages",
    async (h) => {
      const about = (language: string, page_count: number) => ({ ...aboutNothing, language, page_count });
      const old = await upload(h, { about: about("en-GB", 3), metadata: { kind: "report" } });
      await upload(h, { about: about("de", 300) });
      const other = await upload(h, { about: about("en", 30), metadata: { page_count: 1_000 } });
      await upload(h, { tenant_id: "t2", about: about("en", 3), metadata: { kind: "report" } });
      const ids = async (query: Partial<DocumentQuery>) =>
        (await h.documents.listDocuments({ tenant_id: "t1", limit: 100, ...query })).map(
          ({ document_id }) => document_id,
        );
      expect(await ids({ filter: { language: "en" } })).toEqual([other.document_id, old.document_id]);
      expect(await ids({ filter: { language: "en" }, limit: 1, before: other.document_id })).toEqual([
        old.document_id,
      ]);
      expect(await ids({ filter: { page_count: { lt: 200 } } })).toEqual([old.document_id]);
      expect(await ids({ filter: { kind: "report" }, status: "pending" })).toEqual([old.document_id]);
      expect(await ids({ filter: { kind: "report" }, status: "failed" })).toEqual([]);
      expect(await ids({ filter: {} })).toHaveLength(3);
    },
  );

  check("a document is found by its bytes, in its own tenant and collection", async (h) => {
    const record = await upload(h);
    expect(await h.documents.findByContent("t1", "default", record.sha256)).toEqual(record);
    expect(await h.documents.findByContent("t1", "other", record.sha256)).toBeUndefined();
    expect(await h.documents.findByContent("t2", "default", record.sha256)).toBeUndefined();
    expect(await h.documents.findByContent("t1", "default", "0".repeat(64))).toBeUndefined();
  });

  check("another tenant sees nothing, whatever it asks by", async (h) => {
    const record = await publish(h, [{ text: "quartz" }]);
    const { document_id } = record;
    const answer = { key: "k", fingerprint: "f", status: 202, body: 1, created_at: record.created_at };
    const next = { ...record, revision: record.revision + 1 };
    await h.documents.commit([
      {
        tenant_id: "t1",
        document: { record: next, expect_revision: record.revision },
        checkpoint: { stage: "extracting", data: { a: 1 } },
        answer,
      },
    ]);
    const ask = async (tenant: string) => [
      await h.documents.getDocument(tenant, document_id),
      ...(await h.documents.listDocuments({ tenant_id: tenant, limit: 10 })),
      ...(await h.documents.listVersions(tenant, document_id)),
      ...(await h.documents.listCheckpoints(tenant, document_id, 1)),
      ...(await h.documents.listChunks(tenant, document_id, 1, 0, 10)),
      ...(await h.documents.locateChunks(
        tenant,
        newChunks(record, ["quartz"]).map((chunk) => chunk.chunk_id),
      )),
      ...(await h.documents.readEvents({ after: 0, limit: 10, tenant_id: tenant })),
      await h.documents.findAnswer(tenant, "k"),
    ];
    expect((await ask("t1")).filter((found) => found !== undefined)).toHaveLength(8);
    expect((await ask("t2")).filter((found) => found !== undefined)).toEqual([]);
  });

  check("versions are listed ascending, each as it was written", async (h) => {
    const record = await upload(h);
    const second = newVersion({ ...record, version: 2 }, { sha256: "f".repeat(64), filename: "two.txt" });
    await h.documents.commit([{ tenant_id: "t1", version: second }]);
    const versions = await h.documents.listVersions("t1", record.document_id);
    expect(versions).toEqual([newVersion(record), second]);
    expect(await h.documents.listVersions("t1", "doc_never")).toEqual([]);
  });
}

function chunksAndVectors(check: StorageTest): void {
  check("chunks keep every field and come in order, from an ordinal, up to a limit", async (h) => {
    const record = await upload(h);
    const { document_id } = record;
    const chunks = newChunks(record, ["one", "zwei 😀", "three", "four"]);
    await h.documents.commit([{ tenant_id: "t1", chunks: [chunks[2]!, chunks[0]!] }]);
    await h.documents.commit([{ tenant_id: "t1", chunks: [chunks[3]!, chunks[1]!] }]);
    const stored = chunks.map((chunk) => ({ ...chunk, vector: null, embedder_id: null }));
    expect(await h.documents.listChunks("t1", document_id, 1, 0, 10)).toEqual(stored);
    expect(await h.documents.listChunks("t1", document_id, 1, 1, 2)).toEqual(stored.slice(1, 3));
    expect(await h.documents.listChunks("t1", document_id, 2, 0, 10)).toEqual([]);
  });

  check("a chunk written again is replaced, not doubled", async (h) => {
    const record = await upload(h);
    const chunks = newChunks(record, ["one", "two"]);
    await h.documents.commit([{ tenant_id: "t1", chunks }]);
    await h.documents.commit([{ tenant_id: "t1", chunks: [{ ...chunks[1]!, text: "deux" }] }]);
    const stored = await h.documents.listChunks("t1", record.document_id, 1, 0, 10);
    expect(stored.map((chunk) => chunk.text)).toEqual(["one", "deux"]);
  });

  check("vectors come back exactly as they were written", async (h) => {
    const record = await upload(h);
    const { document_id } = record;
    await h.documents.commit([{ tenant_id: "t1", chunks: newChunks(record, ["one", "two"]) }]);
    const values = [0.1, -0.3, 1e-30, Number.MAX_SAFE_INTEGER, 0, -0, 1 / 3, 5];
    // A view into a larger buffer, as batches of vectors often are.
    const vector = new Float32Array([9, ...values, 9]).subarray(1, 9);
    const embeddings = { document_id, version: 1, embedder_id: "e@1", vectors: [{ ordinal: 1, vector }] };
    await h.documents.commit([{ tenant_id: "t1", embeddings }]);
    const [first, second] = await h.documents.listChunks("t1", document_id, 1, 0, 10);
    expect(first?.vector).toBeNull();
    expect(second?.vector).toBeInstanceOf(Float32Array);
    expect([...second!.vector!]).toEqual([...new Float32Array(values)]);
  });

  check(
    "firstUnembedded is the first ordinal without a vector of that embedder, and null when all have",
    async (h) => {
      const record = await upload(h);
      const { document_id } = record;
      const first = (embedder_id: string) => h.documents.firstUnembedded("t1", document_id, 1, embedder_id);
      const embed = (ordinals: number[]) =>
        h.documents.commit([
          {
            tenant_id: "t1",
            embeddings: {
              document_id,
              version: 1,
              embedder_id: "e@1",
              vectors: ordinals.map((ordinal) => ({ ordinal, vector: unit(ordinal + 1) })),
            },
          },
        ]);
      await h.documents.commit([
        { tenant_id: "t1", chunks: newChunks(record, ["one", "two", "three", "four"]) },
      ]);
      expect(await first("e@1")).toBe(0);
      await embed([0, 1, 3]);
      expect(await first("e@1")).toBe(2);
      expect(await first("e@2")).toBe(0);
      await embed([2]);
      expect(await first("e@1")).toBeNull();
      expect(await first("e@2")).toBe(0);
    },
  );

  check("locateChunks gives the chunks that exist, each with its document", async (h) => {
    const a = await publish(h, [{ text: "one" }, { text: "two" }]);
    const b = await publish(h, [{ text: "three" }]);
    const [a0, a1] = newChunks(a, ["one", "two"]);
    const [b0] = newChunks(b, ["three"]);
    const ids = [b0!.chunk_id, "chk_never", a1!.chunk_id, a0!.chunk_id];
    const located = await h.documents.locateChunks("t1", ids);
    const byId = new Map(located.map((one) => [one.chunk.chunk_id, one]));
    expect(located).toHaveLength(3);
    expect(byId.get(a0!.chunk_id)).toEqual({ chunk: a0, document: a });
    expect(byId.get(a1!.chunk_id)).toEqual({ chunk: a1, document: a });
    expect(byId.get(b0!.chunk_id)).toEqual({ chunk: b0, document: b });
    expect(await h.documents.locateChunks("t1", [])).toEqual([]);
  });

  check("locateChunks reads chunk and document at one instant, while versions change", async (h) => {
    let record = await publish(h, [{ text: "version 1" }]);
    const { document_id } = record;
    const ids = [1, 2, 3, 4, 5].map((version) => newChunks(record, ["x"], version)[0]!.chunk_id);
    let running = true;
    const reads = (async () => {
      let count = 0;
      while (running || count === 0) {
        for (const { chunk, document } of await h.documents.locateChunks("t1", ids)) {
          expect(chunk.version).toBe(document.searchable_version);
        }
        count += 1;
        await new Promise((resolve) => setImmediate(resolve));
      }
    })();
    for (let version = 2; version <= 5; version += 1) {
      // Chunks of the new version and the flip in one transaction, so that no instant shows anything else.
      const next = { ...record, version, searchable_version: version, revision: record.revision + 1 };
      await h.documents.commit([
        {
          tenant_id: "t1",
          document: { record: next, expect_revision: record.revision },
          chunks: newChunks(next, [`version ${version}`]),
          discard: { document_id, versions: [version - 1] },
        },
      ]);
      record = next;
    }
    running = false;
    await reads;
  });
}

async function withCheckpoint(h: StorageHarness, record: DocumentRecord, checkpoint: Checkpoint) {
  const next = { ...record, revision: record.revision + 1 };
  const document = { record: next, expect_revision: record.revision };
  await h.documents.commit([{ tenant_id: record.tenant_id, document, checkpoint }]);
  return next;
}

function theRest(check: StorageTest): void {
  check("checkpoints come in the order of the stages, one for each, of the version asked for", async (h) => {
    let record = await upload(h);
    const { document_id } = record;
    const chunking: Checkpoint = { stage: "chunking", data: { count: 3, nested: { list: [1, null, "x"] } } };
    const extracting: Checkpoint = { stage: "extracting", data: { part_0_key: "t1/text" } };
    record = await withCheckpoint(h, record, chunking);
    record = await withCheckpoint(h, record, { stage: "extracting", data: { part_0_key: "t1/old" } });
    record = await withCheckpoint(h, record, extracting);
    expect(await h.documents.listCheckpoints("t1", document_id, 1)).toEqual([extracting, chunking]);
    record = await withCheckpoint(h, { ...record, version: 2 }, { stage: "extracting", data: { v: 2 } });
    expect(await h.documents.listCheckpoints("t1", document_id, 1)).toEqual([extracting, chunking]);
    expect(await h.documents.listCheckpoints("t1", document_id, 2)).toEqual([
      { stage: "extracting", data: { v: 2 } },
    ]);
  });

  check("an idempotent answer comes back as it was given", async (h) => {
    const answer = {
      key: 'order 66 "é"',
      fingerprint: "abc",
      status: 202,
      body: { document_id: "doc_1", list: [1, null], text: "é" },
      created_at: new Date(h.system.now()).toISOString(),
    };
    expect(await h.documents.findAnswer("t1", answer.key)).toBeUndefined();
    await h.documents.commit([{ tenant_id: "t1", answer }]);
    expect(await h.documents.findAnswer("t1", answer.key)).toEqual(answer);
  });

  check(
    "referencedBlobs names what a version or a checkpoint names, until the document is erased",
    async (h) => {
      const record = await upload(h);
      const { document_id } = record;
      const original = `t1/${document_id}-1`;
      const { revision } = await withCheckpoint(h, record, {
        stage: "extracting",
        data: { part_0_key: "t1/text" },
      });
      const keys = [original, "t1/text", "t1/nobody", "t1/tex"];
      const named = new Set([original, "t1/text"]);
      expect(await h.documents.referencedBlobs(keys)).toEqual(named);
      expect(await h.documents.referencedBlobs(["t1/nobody"])).toEqual(new Set());
      expect(await h.documents.referencedBlobs([])).toEqual(new Set());
      const remove_document = { document_id, expect_revision: revision };
      await h.documents.commit([{ tenant_id: "t1", remove_document }]);
      expect(await h.documents.referencedBlobs(keys)).toEqual(named);
      await h.documents.commit([{ tenant_id: "t1", erase_document: document_id }]);
      expect(await h.documents.referencedBlobs(keys)).toEqual(new Set());
    },
  );

  check("referencedBlobs answers for a thousand keys at once", async (h) => {
    const { document_id } = await upload(h);
    const keys = Array.from({ length: 1_000 }, (_, place) => `t1/none-${place}`);
    keys.push(`t1/${document_id}-1`);
    expect(await h.documents.referencedBlobs(keys)).toEqual(new Set([`t1/${document_id}-1`]));
  });

  check("a discarded version's checkpoints name no blob any more; its original does", async (h) => {
    const record = await upload(h);
    const { document_id } = record;
    const next = await withCheckpoint(h, record, { stage: "extracting", data: { part_0_key: "t1/text" } });
    await stageVersion(h, next, [{ text: "quartz" }]);
    await h.documents.commit([{ tenant_id: "t1", discard: { document_id, versions: [1] } }]);
    const original = `t1/${document_id}-1`;
    expect(await h.documents.referencedBlobs([original, "t1/text"])).toEqual(new Set([original]));
  });
}

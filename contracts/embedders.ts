/** The contract of an EmbedderRegister, and of what a VectorIndex and a DocumentStore do by it. */
import { expect } from "vitest";
import type { Chunk } from "../src/chunk.ts";
import type { DocumentRecord } from "../src/document.ts";
import type { VectorIndex } from "../src/ports/vector-index.ts";
import { contractEmbedder, newDocument, unit, uploadCommit } from "./samples.ts";
import {
  claimOne,
  expectConflict,
  flip,
  publish,
  type StorageHarness,
  type StorageTest,
  stageVersion,
  upload,
} from "./storage.ts";

const first = contractEmbedder.embedder_id;
const next = { ...contractEmbedder, embedder_id: "contract@2" };
const t1 = { tenant_id: "t1" };
const began_at = "2026-01-01T00:00:00.000Z";
const idle = { target: null, began_at: null, listed_to: null };

/** Gives a searchable version vectors of the next embedder, as a reindex does. */
async function addNext(h: StorageHarness, record: DocumentRecord, vector = unit(2)): Promise<VectorIndex> {
  const { tenant_id, document_id, collection, version } = record;
  const index = await h.index.under(next);
  const stored = await h.documents.listChunks(tenant_id, document_id, version, 0, 100);
  const chunks = stored.map(({ vector: _, embedder_id: __, ...chunk }): Chunk => chunk);
  await index.add(chunks.map((chunk) => ({ chunk, tenant_id, collection, vector })));
  return index;
}

const mark = (h: StorageHarness, { tenant_id, document_id, version }: DocumentRecord, embedder_id: string) =>
  h.documents.commit([{ tenant_id, indexed: { document_id, version, embedder_id } }]);

async function lacking(h: StorageHarness, embedder_id = next.embedder_id): Promise<string[]> {
  const found = await h.documents.embedders.lacking(embedder_id, "", 100);
  return found.map(({ document_id }) => document_id);
}

async function removeAll(h: StorageHarness): Promise<void> {
  while (await h.documents.embedders.removeRetired(3)) {
    // One transaction after another.
  }
}

const ids = async (index: VectorIndex) => [
  ...new Set((await index.nearest(t1, unit(1), 100)).map((hit) => hit.document_id).sort()),
];

export function embedders(check: StorageTest): void {
  check("nothing is in force before the first version is indexed; its embedder serves then", async (h) => {
    const { embedders: register } = h.documents;
    expect(await register.read()).toEqual({ ...idle, serving: null, retired: [] });
    const record = await upload(h);
    await stageVersion(h, record, [{ text: "quartz" }]);
    expect((await register.read()).serving).toBeNull();
    await flip(h, record);
    expect(await register.read()).toEqual({ ...idle, serving: first, retired: [] });
    await mark(h, record, next.embedder_id);
    expect((await register.read()).serving).toBe(first);
  });

  check("a commit decided on other embedders than those in force is refused", async (h) => {
    const record = newDocument(h.system);
    const commit = { ...uploadCommit(h.system, record), embedders: { serving: null, target: "x" } };
    await expectConflict(h.documents.commit([commit]), "embedders");
    expect(await h.documents.getDocument("t1", record.document_id)).toBeUndefined();
    await h.documents.commit([{ ...commit, embedders: { serving: null, target: null } }]);
    const searchable = await publish(h, [{ text: "quartz" }]);
    await h.documents.embedders.begin(next.embedder_id, began_at);
    const settled = (serving: string | null, target: string | null) =>
      h.documents.commit([{ tenant_id: searchable.tenant_id, embedders: { serving, target } }]);
    await expectConflict(settled(first, null), "embedders");
    await expectConflict(settled(null, next.embedder_id), "embedders");
    await settled(first, next.embedder_id);
  });

  check("only the searchable version of a living document counts as indexed", async (h) => {
    const waiting = await upload(h);
    await stageVersion(h, waiting, [{ text: "quartz" }]);
    const record = await publish(h, [{ text: "quartz" }]);
    const removed = await publish(h, [{ text: "quartz" }]);
    await h.documents.commit([
      {
        tenant_id: "t1",
        remove_document: { document_id: removed.document_id, expect_revision: removed.revision },
      },
    ]);
    for (const each of [waiting, { ...record, version: 2 }, removed]) await mark(h, each, next.embedder_id);
    await h.documents.commit([
      { tenant_id: "t2", indexed: { ...record, version: 1, embedder_id: next.embedder_id } },
    ]);
    expect(await lacking(h)).toEqual([record.document_id]);
    expect(await h.documents.embedders.count(next.embedder_id)).toEqual({ documents: 1, lacking: 1 });
    await mark(h, record, next.embedder_id);
    expect(await lacking(h)).toEqual([]);
    // A newer version has to be indexed anew.
    await stageVersion(h, record, [{ text: "quartz anew" }], 2);
    await flip(h, record, 2);
    expect(await lacking(h)).toEqual([record.document_id]);
    expect(await lacking(h, first)).toEqual([]);
  });

  check("documents that lack vectors are listed in pages, over all tenants", async (h) => {
    const records: DocumentRecord[] = [];
    for (const tenant_id of ["t1", "t2", "t1"]) {
      records.push(await publish(h, [{ text: "quartz" }], { tenant_id }));
    }
    const page = (from: string, limit: number) =>
      h.documents.embedders.lacking(next.embedder_id, from, limit);
    const all = records.map(({ tenant_id, document_id }) => ({ tenant_id, document_id }));
    expect(await page("", 2)).toEqual(all.slice(0, 2));
    expect(await page(records[1]!.document_id, 2)).toEqual(all.slice(1));
  });

  check("one target at a time; beginning with the same again lists from the start", async (h) => {
    const { embedders: register } = h.documents;
    const record = await publish(h, [{ text: "quartz" }]);
    await register.begin(next.embedder_id, began_at);
    const begun = { serving: first, target: next.embedder_id, began_at, retired: [] };
    await expectConflict(register.begin("third@1", began_at), "embedders");
    await register.listed("third@1", record.document_id);
    expect(await register.read()).toEqual({ ...begun, listed_to: null });
    await register.listed(next.embedder_id, record.document_id);
    expect(await register.read()).toEqual({ ...begun, listed_to: record.document_id });
    await register.begin(next.embedder_id, "2026-02-02T00:00:00.000Z");
    expect(await register.read()).toEqual({ ...begun, listed_to: null });
    expect(await register.cancel("third@1")).toBe(false);
    expect(await register.finish("third@1")).toBe(false);
  });

  check("vectors that are added change nothing until the flip, and then all of it", async (h) => {
    const { embedders: register } = h.documents;
    const a = await publish(h, [{ text: "quartz a" }]);
    const b = await publish(h, [{ text: "quartz b" }, { text: "no direction", vector: new Float32Array(8) }]);
    const both = [a.document_id, b.document_id];
    await register.begin(next.embedder_id, began_at);
    const under = await addNext(h, a);
    await addNext(h, a);
    await mark(h, a, next.embedder_id);
    expect(await register.finish(next.embedder_id)).toBe(false);
    expect(await ids(h.index)).toEqual(both);
    expect(await h.index.matching(t1, "quartz", 9)).toHaveLength(2);
    await expect(ids(under)).rejects.toMatchObject({ code: "embedder_mismatch" });
    await addNext(h, b);
    await mark(h, b, next.embedder_id);
    expect(await register.finish(next.embedder_id)).toBe(true);
    expect(await register.read()).toEqual({ ...idle, serving: next.embedder_id, retired: [first] });
    const hits = await under.nearest(t1, unit(2), 9);
    expect(hits.map(({ document_id }) => document_id).sort()).toEqual([...both, b.document_id].sort());
    for (const { score } of hits) expect(score).toBeCloseTo(1, 3);
    await expect(ids(h.index)).rejects.toMatchObject({ code: "embedder_mismatch" });
    expect(await h.index.matching(t1, "quartz", 9)).toHaveLength(2);
    await removeAll(h);
    expect((await register.read()).retired).toEqual([]);
    expect(await under.nearest(t1, unit(2), 9)).toHaveLength(3);
    expect(await register.count(first)).toEqual({ documents: 2, lacking: 2 });
    // And back again, from nothing.
    await register.begin(first, began_at);
    expect(await register.finish(first)).toBe(false);
  });

  check("vectors are added to searchable versions only", async (h) => {
    const record = await publish(h, [{ text: "quartz" }]);
    await stageVersion(h, record, [{ text: "quartz anew" }], 2);
    const staged = { ...record, version: 2 };
    await addNext(h, staged);
    await flip(h, record, 2);
    // It was left out, so there is nothing to find once the embedder serves.
    await h.documents.embedders.begin(next.embedder_id, began_at);
    await mark(h, staged, next.embedder_id);
    expect(await h.documents.embedders.finish(next.embedder_id)).toBe(true);
    expect(await ids(await h.index.under(next))).toEqual([]);
  });

  check("vectors are added under a lease that holds only", async (h) => {
    const record = await publish(h, [{ text: "quartz" }]);
    const claimed = await claimOne(h);
    const chunks = await h.documents.listChunks("t1", record.document_id, 1, 0, 9);
    const entries = chunks.map((chunk) => ({ chunk, tenant_id: "t1", collection: "c", vector: unit(2) }));
    const under = await h.index.under(next);
    await under.add(entries, claimed);
    await h.queue.complete(claimed);
    await expectConflict(under.add(entries, claimed), "lease_lost");
  });

  check("cancelling leaves what serves, and the target's vectors go", async (h) => {
    const { embedders: register } = h.documents;
    const record = await publish(h, [{ text: "quartz" }]);
    await register.begin(next.embedder_id, began_at);
    await addNext(h, record);
    await mark(h, record, next.embedder_id);
    expect(await register.cancel(next.embedder_id)).toBe(true);
    expect(await register.read()).toEqual({ ...idle, serving: first, retired: [next.embedder_id] });
    expect(await register.cancel(next.embedder_id)).toBe(false);
    await removeAll(h);
    expect(await ids(h.index)).toEqual([record.document_id]);
    // Complete it was once: that must not count any more.
    expect(await lacking(h)).toEqual([record.document_id]);
    await register.begin(next.embedder_id, began_at);
    expect(await register.finish(next.embedder_id)).toBe(false);
  });

  check("what is published while the flip is tried is either before it or refused", async (h) => {
    const { embedders: register } = h.documents;
    await register.begin(next.embedder_id, began_at);
    const records: DocumentRecord[] = [];
    for (let count = 0; count < 8; count += 1) {
      const record = await upload(h);
      await stageVersion(h, record, [{ text: "quartz" }]);
      records.push(record);
    }
    const publishing = records.map(({ tenant_id, ...record }) =>
      h.documents.commit([
        {
          tenant_id,
          document: {
            record: { ...record, tenant_id, searchable_version: 1, revision: 2 },
            expect_revision: 1,
          },
          embedders: { serving: null, target: next.embedder_id },
          indexed: { document_id: record.document_id, version: 1, embedder_id: "other@1" },
        },
      ]),
    );
    const [flipped, ...outcomes] = await Promise.allSettled([
      register.finish(next.embedder_id),
      ...publishing,
    ]);
    const published = outcomes.some(({ status }) => status === "fulfilled");
    expect(flipped).toEqual({ status: "fulfilled", value: !published });
  });

  check("a chunk tells which embedder made its vector", async (h) => {
    const record = await upload(h);
    await stageVersion(h, record, [{ text: "quartz" }]);
    const { document_id } = record;
    const read = async () => (await h.documents.listChunks("t1", document_id, 1, 0, 9))[0];
    expect(await read()).toMatchObject({ embedder_id: first, vector: unit(1) });
    const vectors = [
      { ordinal: 0, vector: unit(2) },
      { ordinal: 7, vector: unit(2) },
    ];
    await h.documents.commit([
      { tenant_id: "t1", embeddings: { document_id, version: 1, embedder_id: "contract@2", vectors } },
    ]);
    expect(await read()).toMatchObject({ embedder_id: "contract@2", vector: unit(2) });
  });
}

/** Which settings a document's chunks are made under: those of its collection when its chunk stage began. */
import { describe, expect, test } from "vitest";
import type { ChunkSettings } from "../../src/collection.ts";
import { SluiceError } from "../../src/errors.ts";
import type { DocumentStore } from "../../src/ports/document-store.ts";
import { openRig, paragraphs, type Rig, tenant_id } from "../support/rig.ts";

const set = (rig: Rig, collection: string, chunking: ChunkSettings, tenant = tenant_id) =>
  rig.documents.collections.put(tenant, {
    collection,
    settings: { chunking },
    updated_at: new Date(rig.system.now()).toISOString(),
  });

async function chunksOf(rig: Rig, document_id: string, tenant = tenant_id) {
  const { version } = await rig.get(document_id, tenant);
  const chunks = await rig.documents.listChunks(tenant, document_id, version, 0, 10_000);
  return chunks.map(({ text }) => text);
}

/** The rig's server puts each of these into a chunk of its own. */
const PARAGRAPHS = 12;
const separate = paragraphs(PARAGRAPHS).split("\n\n");
const wide = { max_tokens: 4_000, overlap_tokens: 0 };

describe.each(["sqlite", "memory"] as const)("a collection's settings, in %s", (storage) => {
  test("hold for the documents ingested from then on, of this collection and tenant alone", async () => {
    const rig = await openRig({ storage });
    await set(rig, "wide", wide);
    await set(rig, "default", wide, "t2");
    const inWide = await rig.searchable(paragraphs(PARAGRAPHS), { collection: "wide" });
    const inDefault = await rig.searchable(paragraphs(PARAGRAPHS));
    expect(await chunksOf(rig, inWide)).toEqual([separate.join("\n\n")]);
    expect(await chunksOf(rig, inDefault)).toEqual(separate);

    // What is there stays as it is until it is ingested again.
    await set(rig, "default", wide);
    expect(await chunksOf(rig, inDefault)).toEqual(separate);
    await rig.commands.reingest(tenant_id, inDefault, rig.system.newId("req"));
    await rig.worker().start();
    expect((await rig.settled(inDefault)).chunks_created).toBe(1);
    expect(await chunksOf(rig, inDefault)).toEqual([separate.join("\n\n")]);
    await rig.documents.collections.remove(tenant_id, "default");
    const { document_id } = await rig.upload(`${paragraphs(PARAGRAPHS)}.`);
    expect((await rig.settled(document_id)).chunks_created).toBe(PARAGRAPHS);
  });

  test("changed before the chunks are stored, and the attempt fails: nothing of the earlier ones survives", async () => {
    const rig = await openRig({ storage });
    const text = paragraphs(600);
    const { document_id } = await rig.upload(text);
    let batches = 0;
    const documents: DocumentStore = {
      ...rig.documents,
      async commit(commits) {
        if (commits.some(({ chunks }) => chunks) && ++batches === 2) {
          await set(rig, "default", wide);
          throw new SluiceError("storage_unavailable", "the disk went away");
        }
        return rig.documents.commit(commits);
      },
    };
    await rig.worker({ documents }).start();
    const { chunks_created, searchable_version } = await rig.settled(document_id);
    expect(searchable_version).toBe(1);
    expect(batches).toBe(3);
    expect(chunks_created).toBeGreaterThan(1);
    expect(chunks_created).toBeLessThan(100);
    const chunks = await chunksOf(rig, document_id);
    expect(chunks).toHaveLength(chunks_created);
    expect(chunks.join("\n\n")).toBe(text);
    expect(await rig.found("quartz")).toHaveLength(chunks_created);
    if (storage === "sqlite")
      expect(rig.rows()).toMatchObject({ chunks: chunks_created, embeddings: chunks_created });
  });

  test("changed after the chunks were stored: the stage's checkpoint decides", async () => {
    const rig = await openRig({ storage });
    const { document_id } = await rig.upload(paragraphs(PARAGRAPHS));
    let failed = false;
    const embedder = {
      ...rig.embedder,
      async embed(...given: Parameters<typeof rig.embedder.embed>) {
        if (!failed) {
          failed = true;
          await set(rig, "default", wide);
          throw new SluiceError("embedder_unavailable", "the service went away");
        }
        return rig.embedder.embed(...given);
      },
    };
    await rig.worker({ embedder }).start();
    expect((await rig.settled(document_id)).chunks_created).toBe(PARAGRAPHS);
    expect(failed).toBe(true);
    expect(await chunksOf(rig, document_id)).toEqual(separate);
  });
});

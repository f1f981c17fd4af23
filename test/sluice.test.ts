import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { createInProcessExtractor } from "../src/adapters/extract/in-process.ts";
import { createMemoryBlobStore } from "../src/adapters/memory/blob-store.ts";
import { createMemoryPublisher } from "../src/adapters/memory/event-publisher.ts";
import { createMemoryStorage } from "../src/adapters/memory/storage.ts";
import { createSystem } from "../src/adapters/node/system.ts";
import type { SluiceEvent } from "../src/events.ts";
import { createCommands } from "../src/intake/commands.ts";
import { createSluice, type SluiceOptions } from "../src/sluice.ts";
import { expectLegal } from "./journey.ts";
import { createTestEmbedder } from "./support/embedder.ts";
import { bytesOf, gate, paragraphs } from "./support/rig.ts";

/** Settings that make several chunks of a few paragraphs. */
const settings = {
  SLUICE_CHUNK_TOKENS: "24",
  SLUICE_CHUNK_OVERLAP_TOKENS: "0",
  SLUICE_SHUTDOWN_SECONDS: "0",
};

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "sluice-library-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Adapters of one's own, all in memory. */
function ownAdapters() {
  const system = createSystem();
  const embedder = createTestEmbedder();
  const publisher = createMemoryPublisher();
  const storage = createMemoryStorage({ system, embedder_id: embedder.embedder_id });
  const adapters = {
    system,
    embedder,
    ...storage,
    extractor: createInProcessExtractor(),
    blobs: createMemoryBlobStore(),
    publishers: [publisher],
  };
  return { adapters, embedder, publisher, commands: createCommands({ ...adapters, max_attempts: 5 }) };
}

/** Over adapters of one's own, with nothing on disk. Closed when the test ends, if it was not before. */
async function openOwn(options: SluiceOptions = {}) {
  const own = ownAdapters();
  const sluice = await createSluice({
    data_dir: join(tmpdir(), "sluice-that-never-is"),
    settings,
    adapters: own.adapters,
    ...options,
  });
  let closing: Promise<void> | undefined;
  const close = () => {
    closing ??= sluice.close();
    return closing;
  };
  onTestFinished(close);
  return { ...own, sluice: { ...sluice, close } };
}

describe("with one's own adapters", () => {
  test("upload, follow, search, ingest again, remove: all of it, and nothing on disk", async () => {
    const { sluice, adapters, publisher } = await openOwn();
    const listening = new AbortController();
    const heard: SluiceEvent[] = [];
    const gone = gate();
    const following = (async () => {
      for await (const event of sluice.follow({ after: 0 }, listening.signal)) {
        heard.push(event);
        if (event.event_type === "rag.document.deleted") gone.open();
      }
    })();

    const accepted = await sluice.upload(Buffer.from(paragraphs(6)), { filename: "stones.txt" });
    expect(accepted).toMatchObject({ status: "pending", version: 1, duplicate: false });
    const { document_id } = accepted;
    const document = await sluice.waitUntilSearchable(document_id);
    expect(document).toMatchObject({ status: "completed", filename: "stones.txt", chunks_created: 6 });
    expect(await sluice.getDocument(document_id)).toEqual(document);
    const { hits } = await sluice.search({ query: "quartz charlie", mode: "keyword" });
    expect(hits).toHaveLength(6);
    expect(hits[0]).toMatchObject({ document_id, filename: "stones.txt", version: 1 });

    expect(await sluice.reingest(document_id)).toMatchObject({ document_id, version: 2 });
    expect(await sluice.waitUntilSearchable(document_id)).toMatchObject({ searchable_version: 2 });
    await sluice.remove(document_id);
    expect(await sluice.getDocument(document_id)).toBeUndefined();
    expect((await sluice.search({ query: "quartz" })).hits).toEqual([]);

    await gone.opened;
    listening.abort();
    await following;
    expect(expectLegal(heard)).toBe("deleted");
    expect(heard).toEqual(await adapters.documents.readEvents({ after: 0, limit: 1_000 }));
    await sluice.close();
    // The relay works beside it, under the same guarantee as in the service; given adapters stay their owner's.
    expect(publisher.events).toEqual(heard.slice(0, publisher.events.length));
    expect(publisher.events.length).toBeGreaterThan(0);
    expect(await adapters.documents.lastSequence()).toBe(heard.at(-1)?.sequence);
    expect(existsSync(join(tmpdir(), "sluice-that-never-is"))).toBe(false);
  });

  test("takes a file, bytes or a stream, and knows the file by its name", async () => {
    const { sluice } = await openOwn({ worker: false });
    const path = join(newFolder(), "notes.md");
    writeFileSync(path, "# Notes\n\nSome words.");
    const sources = [path, Buffer.from("bytes"), bytesOf("a stream")];
    const documents = [];
    for (const source of sources) {
      const { document_id } = await sluice.upload(source, { collection: "mixed", metadata: { lang: "en" } });
      documents.push(await sluice.getDocument(document_id));
    }
    expect(documents.map((document) => [document?.filename, document?.media_type])).toEqual([
      ["notes.md", "text/markdown"],
      ["document", "text/plain"],
      ["document", "text/plain"],
    ]);
    for (const document of documents) {
      expect(document).toMatchObject({ collection: "mixed", metadata: { lang: "en" }, status: "pending" });
    }
  });

  test("what is not accepted leaves nothing behind", async () => {
    const { sluice, adapters } = await openOwn();
    const upload = sluice.upload(Buffer.from("GIF89a\0\0"), { filename: "picture.gif" });
    await expect(upload).rejects.toMatchObject({ name: "SluiceError", code: "unsupported_media_type" });
    await expect(sluice.upload(join(tmpdir(), "sluice-no-such-file"))).rejects.toMatchObject({
      code: "ENOENT",
    });
    for await (const { key } of adapters.blobs.list("")) expect(key).toBeUndefined();
    expect(await adapters.documents.lastSequence()).toBe(0);
  });

  test("a collection is set, and its documents are cut so from then on", async () => {
    const { sluice } = await openOwn();
    await expect(sluice.getCollection("wide")).rejects.toMatchObject({ code: "not_found" });
    const set = await sluice.setCollection("wide", { chunking: { max_tokens: 4_000 } });
    expect(set.effective_chunking).toMatchObject({ max_tokens: 4_000, overlap_tokens: 0 });
    const chunksIn = async (collection: string) => {
      const { document_id } = await sluice.upload(Buffer.from(paragraphs(6)), { collection });
      return (await sluice.waitUntilSearchable(document_id)).chunks_created;
    };
    expect([await chunksIn("wide"), await chunksIn("default")]).toEqual([1, 6]);
    expect(await sluice.getCollection("wide")).toEqual({ ...set, documents: 1 });
    for (const [name, chunking, said] of [
      ["wide", { max_tokens: 3 }, "chunking.max_tokens"],
      ["wide", { overlap_tokens: 2_000 }, "chunking.overlap_tokens"],
      ["no name", {}, "collection: letters"],
    ] as const)
      await expect(sluice.setCollection(name, { chunking })).rejects.toMatchObject({
        code: "invalid_request",
        message: expect.stringContaining(said),
      });
  });

  test("tenants that share adapters do not meet", async () => {
    const { sluice: red, adapters } = await openOwn({ tenant_id: "red" });
    const blue = await createSluice({ tenant_id: "blue", worker: false, settings, adapters });
    const { document_id } = await red.upload(Buffer.from("The secret is vermilion."));
    await red.waitUntilSearchable(document_id);
    expect(await blue.getDocument(document_id)).toBeUndefined();
    expect((await blue.search({ query: "vermilion" })).hits).toEqual([]);
    await expect(blue.remove(document_id)).rejects.toMatchObject({ code: "not_found" });
    await expect(blue.waitUntilSearchable(document_id)).rejects.toMatchObject({ code: "not_found" });
    await blue.close();
  });

  test("storage that shares transactions is given whole or not at all", async () => {
    const { documents, queue } = ownAdapters().adapters;
    await expect(createSluice({ data_dir: newFolder(), adapters: { documents, queue } })).rejects.toThrow(
      /give all four or none/,
    );
  });
});

describe("waitUntilSearchable", () => {
  test("rejects with the document's own error when it failed", async () => {
    const { sluice, embedder } = await openOwn({ settings: { ...settings, SLUICE_MAX_ATTEMPTS: "1" } });
    embedder.before = () => {
      throw new Error("the model broke");
    };
    const { document_id } = await sluice.upload(Buffer.from("some words"));
    await expect(sluice.waitUntilSearchable(document_id)).rejects.toMatchObject({
      name: "SluiceError",
      code: "internal",
      message: "the model broke",
    });
  });

  test("rejects when it was cancelled, deleted meanwhile, or never was", async () => {
    const { sluice, commands } = await openOwn({ worker: false });
    const first = await sluice.upload(Buffer.from("first"));
    const waiting = sluice.waitUntilSearchable(first.document_id);
    await commands.cancel("default", first.job_id, "req_1");
    await expect(waiting).rejects.toMatchObject({ code: "already_ended" });
    const second = await sluice.upload(Buffer.from("second"));
    const alsoWaiting = sluice.waitUntilSearchable(second.document_id);
    await sluice.remove(second.document_id);
    await expect(alsoWaiting).rejects.toMatchObject({ code: "not_found" });
    await expect(sluice.waitUntilSearchable("doc_none")).rejects.toMatchObject({ code: "not_found" });
  });

  test("ends with the signal's reason, or when Sluice is closed", async () => {
    const { sluice } = await openOwn({ worker: false });
    const { document_id } = await sluice.upload(Buffer.from("some words"));
    const stop = new AbortController();
    const impatient = sluice.waitUntilSearchable(document_id, stop.signal);
    stop.abort(new Error("no longer needed"));
    await expect(impatient).rejects.toThrow("no longer needed");
    const waiting = sluice.waitUntilSearchable(document_id);
    const [outcome] = await Promise.allSettled([waiting, sluice.close()]);
    expect(outcome).toMatchObject({ status: "rejected", reason: { code: "shutting_down" } });
  });
});

describe("in a folder", () => {
  test("what was accepted and not finished goes on at the next start, from its checkpoint", async () => {
    const data_dir = newFolder();
    const embedder = createTestEmbedder();
    const stuck = gate();
    embedder.before = (answered) => {
      if (answered < 4) return;
      stuck.open();
      return new Promise(() => {});
    };
    const extractor = createInProcessExtractor();
    const first = await createSluice({ data_dir, settings, adapters: { embedder, extractor } });
    const { document_id } = await first.upload(Buffer.from(paragraphs(10)));
    await stuck.opened;
    await first.close();
    expect(existsSync(join(data_dir, "sluice.db"))).toBe(true);

    const again = createTestEmbedder();
    const second = await createSluice({ data_dir, settings, adapters: { embedder: again, extractor } });
    expect(await second.waitUntilSearchable(document_id)).toMatchObject({ chunks_created: 10 });
    expect(again.texts).toHaveLength(6);
    const { hits } = await second.search({ query: "quartz", top_k: 20 });
    expect(hits).toHaveLength(10);
    await second.close();
  });

  test("with its own adapters it needs nothing but the folder", async () => {
    const sluice = await createSluice({ data_dir: newFolder(), settings });
    const { document_id } = await sluice.upload(Buffer.from(paragraphs(3)));
    await sluice.waitUntilSearchable(document_id);
    const { hits, embedder_id } = await sluice.search({ query: "which paragraph tells of quartz" });
    expect(hits).toHaveLength(3);
    expect(embedder_id).not.toBeNull();
    await sluice.close();
  });

  test("a wrong setting is told by its name, before anything is opened", async () => {
    const data_dir = join(newFolder(), "not-made");
    const wrong = createSluice({ data_dir, settings: { SLUICE_CHUNK_TOKENS: "many", SLUICE_NONSENSE: "1" } });
    await expect(wrong).rejects.toThrow(/SLUICE_NONSENSE[\s\S]*SLUICE_CHUNK_TOKENS/);
    expect(existsSync(data_dir)).toBe(false);
  });
});

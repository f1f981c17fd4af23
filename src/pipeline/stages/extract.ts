/** extract: original bytes → text and blocks. Both go to the blob store before the checkpoint names them. */
import { createHash } from "node:crypto";
import { createWriteStream } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import type { Block, DocumentFacts, ExtractedText } from "../../chunk.ts";
import { SluiceError } from "../../errors.ts";
import type { BlobStore } from "../../ports/blob-store.ts";
import { collectChildren } from "../children.ts";
import { openPageCache } from "../page-cache.ts";
import type { Stage, StageContext } from "../stage.ts";

export interface ExtractCheckpoint extends Record<string, unknown> {
  text_key: string;
  blocks_key: string;
  page_count: number | null;
  title: string | null;
  facts: DocumentFacts;
  /** Documents that this version holds; absent where it holds none. */
  children?: string[];
}

export const extract: Stage<undefined, ExtractedText> = {
  name: "extracting",

  async run(_input, context) {
    const { source, system, blobs, extractor, signal } = context;
    const inside = collectChildren(context);
    const pages = await openPageCache(context);
    const extracted = await withLocalFile(context, (path) =>
      extractor.extract(
        { path, media_type: source.media_type, filename: source.filename },
        context.progress,
        signal,
        pages,
        inside.take,
      ),
    ).catch(async (error: unknown) => {
      if (!signal.aborted) await pages.flush();
      throw error;
    });
    await pages.settle();
    const { text, blocks, page_count, title, facts = {} } = extracted;
    // Fresh keys: a worker that lost its lease can only write beside its successor, never over it.
    const text_key = `${source.tenant_id}/${system.newId("blob")}`;
    const blocks_key = `${source.tenant_id}/${system.newId("blob")}`;
    await Promise.all([
      blobs.put(text_key, pieces(text), { signal }),
      blobs.put(blocks_key, pieces(JSON.stringify(blocks)), { signal }),
    ]);
    // Before the checkpoint that names them: whoever dies in between makes them again, which changes nothing.
    const made = await inside.settle();
    const children = made.children.length > 0 ? { children: made.children } : {};
    const checkpoint: ExtractCheckpoint = { text_key, blocks_key, page_count, title, facts, ...children };
    const counts = {
      characters: text.length,
      blocks: blocks.length,
      pages: page_count ?? 0,
      ...made.counts,
    };
    return { output: extracted, checkpoint, counts };
  },

  async restore(checkpoint, { blobs }) {
    const { text_key, blocks_key, page_count, title, facts } = checkpoint as ExtractCheckpoint;
    const [text, blocks] = await Promise.all([readText(blobs, text_key), readText(blobs, blocks_key)]);
    return { text, blocks: JSON.parse(blocks) as Block[], page_count, title, facts };
  },
};

/** The original as a local file: where the blob store has it, or in a copy that is removed afterwards. */
async function withLocalFile<T>({ source, blobs, signal }: StageContext, use: (path: string) => Promise<T>) {
  const bytes = await blobs.get(source.blob_key);
  // What a disk has changed would be read as something else, or as damaged by its author.
  const hash = createHash("sha256");
  const verify = () => {
    if (hash.digest("hex") === source.sha256) return;
    throw new SluiceError(
      "blob_corrupted",
      `The stored bytes of ${source.filename} are not the ones that were uploaded (SHA-256 ${source.sha256}).`,
    );
  };
  if (blobs.localPath) {
    for await (const chunk of bytes) {
      signal.throwIfAborted();
      hash.update(chunk);
    }
    verify();
    return use(blobs.localPath(source.blob_key));
  }
  const folder = await mkdtemp(join(tmpdir(), "sluice-"));
  try {
    const path = join(folder, "original");
    await pipeline(
      bytes,
      async function* (chunks: AsyncIterable<Buffer>) {
        for await (const chunk of chunks) {
          hash.update(chunk);
          yield chunk;
        }
      },
      createWriteStream(path),
      { signal },
    );
    verify();
    return await use(path);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function* pieces(text: string): AsyncGenerator<Uint8Array> {
  const size = 1 << 20;
  for (let start = 0; start < text.length; ) {
    let end = Math.min(text.length, start + size);
    // Never between the two halves of a surrogate pair: each would be encoded as a replacement character.
    const last = text.charCodeAt(end - 1);
    if (end < text.length && last >= 0xd800 && last <= 0xdbff) end -= 1;
    yield Buffer.from(text.slice(start, end), "utf8");
    start = end;
  }
}

async function readText(blobs: BlobStore, key: string): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of await blobs.get(key)) parts.push(part as Buffer);
  return Buffer.concat(parts).toString("utf8");
}

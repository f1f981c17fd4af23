/**
 * extract: original bytes → text and blocks, in parts. A long document's parts are stored while it is still being read;
 * each is in the blob store before a checkpoint names it. An attempt that fails leaves no write under way behind it.
 */
import { createHash } from "node:crypto";
import { createWriteStream } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import type { DocumentFacts, ExtractedFacts, ExtractedPart } from "../../chunk.ts";
import { encodePart, namesOfParts, partsIn, readPart, type StoredPart } from "../../document-text.ts";
import { SluiceError } from "../../errors.ts";
import { collectChildren } from "../children.ts";
import { openPageCache } from "../page-cache.ts";
import { openPartial, type PartialCheckpoint } from "../partial.ts";
import type { Stage, StageContext } from "../stage.ts";

/** A document as the next stage reads it. */
export interface ExtractedDocument extends ExtractedFacts {
  /** UTF-16 code units of its text. */
  length: number;
  /** Its text and blocks in order, one part after another. */
  parts(): AsyncIterable<ExtractedPart>;
}

export interface ExtractCheckpoint extends Record<string, unknown> {
  page_count: number | null;
  title: string | null;
  facts: DocumentFacts;
  /** Documents that this version holds; absent where it holds none. */
  children?: string[];
}

export const extract: Stage<undefined, ExtractedDocument> = {
  name: "extracting",

  async run(_input, context) {
    const { source, extractor, signal } = context;
    const inside = collectChildren(context);
    const partial = openPartial(context);
    const pages = await openPageCache(context, partial);
    const store = createPartStore(context, partial);
    const rest = await withLocalFile(context, (path) =>
      extractor.extract(
        { path, media_type: source.media_type, filename: source.filename },
        context.progress,
        signal,
        { pages, file: inside.take, part: store.add },
      ),
    ).catch(async (error: unknown) => {
      if (!signal.aborted) await pages.flush().finally(() => store.settle());
      throw error;
    });
    await pages.settle();
    const { page_count, title, facts = {} } = rest;
    const last = { text: rest.text, blocks: rest.blocks };
    const parts = await store.end(last);
    // Before the checkpoint that names them: whoever dies in between makes them again, which changes nothing.
    const made = await inside.settle();
    const children = made.children.length > 0 ? { children: made.children } : {};
    const checkpoint: ExtractCheckpoint = { ...namesOfParts(parts), page_count, title, facts, ...children };
    const length = parts.at(-1)?.char_end ?? 0;
    const counts = {
      characters: length,
      blocks: store.blocks(),
      pages: page_count ?? 0,
      ...made.counts,
    };
    const output: ExtractedDocument = {
      page_count,
      title,
      facts,
      length,
      // What is short is still here.
      parts: parts.length === 1 && last.text !== "" ? () => only(last) : () => readParts(context, parts),
    };
    return { output, checkpoint, counts };
  },

  async restore(checkpoint, context) {
    const { page_count, title, facts } = checkpoint as ExtractCheckpoint;
    const parts = partsIn(checkpoint);
    const length = parts.at(-1)?.char_end ?? 0;
    return { page_count, title, facts, length, parts: () => readParts(context, parts) };
  },
};

async function* only(part: ExtractedPart): AsyncGenerator<ExtractedPart> {
  yield part;
}

async function* readParts(
  { blobs, signal }: StageContext,
  parts: readonly StoredPart[],
): AsyncGenerator<ExtractedPart> {
  for (const part of parts) {
    signal.throwIfAborted();
    yield await readPart((key) => blobs.get(key), part);
  }
}

/**
 * Stores parts as they come. One that an earlier attempt stored with the same bytes is not stored again; the first that
 * differs (another release reads otherwise) ends what can be taken over.
 */
function createPartStore({ source, system, blobs, signal }: StageContext, partial: PartialCheckpoint) {
  const known = partsIn(partial.kept);
  const parts: StoredPart[] = [];
  let blocks = 0;
  let adding: Promise<void> = Promise.resolve();

  async function keep(part: ExtractedPart): Promise<void> {
    await store(part);
    if (parts.length > known.length) await partial.keep(namesOfParts(parts));
  }

  async function store(part: ExtractedPart): Promise<void> {
    signal.throwIfAborted();
    blocks += part.blocks.length;
    const bytes = encodePart(part);
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    const char_start = parts.at(-1)?.char_end ?? 0;
    const char_end = char_start + part.text.length;
    const same = known[parts.length];
    if (same?.sha256 === sha256) {
      // Where it stands is told anew: what was kept may be of two releases.
      parts.push({ ...same, char_start, char_end });
      return;
    }
    known.length = Math.min(known.length, parts.length);
    // A fresh key: a worker that lost its lease can only write beside its successor, never over it.
    const key = `${source.tenant_id}/${system.newId("blob")}`;
    await blobs.put(key, pieces(bytes), { signal });
    parts.push({ key, char_start, char_end, sha256 });
  }

  return {
    add(part: ExtractedPart): Promise<void> {
      adding = keep(part);
      return adding;
    },
    /** Resolves when no part is being stored: its child may have died meanwhile. @throws what storing it failed with */
    settle: () => adding,
    /** Stores what is left, and names all of them. */
    async end(rest: ExtractedPart): Promise<StoredPart[]> {
      if (rest.text !== "" || parts.length === 0) await store(rest);
      return parts;
    },
    blocks: () => blocks,
  };
}

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

async function* pieces(bytes: Buffer): AsyncGenerator<Uint8Array> {
  const size = 1 << 20;
  for (let start = 0; start < bytes.length; start += size) yield bytes.subarray(start, start + size);
}

/**
 * Pages that took long to read, kept in blobs that a partial checkpoint names: the next attempt goes on after them. The
 * stage's own checkpoint takes that one's place, and the sweeper the blobs that nothing names any more.
 */
import { json } from "node:stream/consumers";
import type { BlobStore } from "../ports/blob-store.ts";
import type { PageCache } from "../ports/extractor.ts";
import type { PartialCheckpoint } from "./partial.ts";
import type { StageContext } from "./stage.ts";

export interface StoredPageCache extends PageCache {
  /** Resolves when nothing is being written. @throws what writing failed with */
  settle(): Promise<void>;
  /** Writes what still waits to be. */
  flush(): Promise<void>;
}

/** So many pages, or pages of so much time, go into one blob. */
const BATCH_PAGES = 16;
const BATCH_MS = 10_000;

type Entry = [page: number, content: string];

export async function openPageCache(
  context: StageContext,
  partial: PartialCheckpoint,
): Promise<StoredPageCache> {
  const { source, system, blobs } = context;
  const keys = Object.entries(partial.kept)
    .filter(([name]) => /^pages_\d+_key$/.test(name))
    .map(([, key]) => String(key));
  const kept = new Map((await Promise.all(keys.map((key) => readEntries(blobs, key)))).flat());
  let batch: Entry[] = [];
  let writtenAt = system.monotonic();
  let writing: Promise<void> = Promise.resolve();
  let failed: { error: unknown } | undefined;

  async function write(entries: Entry[]): Promise<void> {
    const key = `${source.tenant_id}/${system.newId("blob")}`;
    await blobs.put(key, bytesOf(JSON.stringify(entries)), { signal: context.signal });
    keys.push(key);
    await partial.keep(Object.fromEntries(keys.map((name, index) => [`pages_${index}_key`, name])));
  }

  function writeBatch(): void {
    const entries = batch;
    batch = [];
    writtenAt = system.monotonic();
    writing = writing
      .then(() => write(entries))
      .catch((error: unknown) => {
        failed ??= { error };
      });
  }

  async function settle(): Promise<void> {
    await writing;
    if (failed !== undefined) throw failed.error;
  }

  return {
    kept,
    settle,
    async flush() {
      if (batch.length > 0) writeBatch();
      await settle();
    },
    keep(page, content) {
      // Whoever can't write any more should not go on reading either.
      if (failed !== undefined) throw failed.error;
      batch.push([page, content]);
      if (batch.length >= BATCH_PAGES || system.monotonic() - writtenAt >= BATCH_MS) writeBatch();
    },
  };
}

async function* bytesOf(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text, "utf8");
}

async function readEntries(blobs: BlobStore, key: string): Promise<Entry[]> {
  return (await json(await blobs.get(key))) as Entry[];
}

/** What outlives every simulated process: the database, the blobs, and the services that the adapters call. */

import { createHash } from "node:crypto";
import type { Readable } from "node:stream";
import { bytesInput } from "../../src/adapters/extract/input.ts";
import { readPlainText } from "../../src/adapters/extract/plain.ts";
import { createMemoryResumablePuts } from "../../src/adapters/memory/resumable.ts";
import { createMemoryState, type MemoryState } from "../../src/adapters/memory/state.ts";
import { type ErrorCode, SluiceError } from "../../src/errors.ts";
import type { SluiceEvent } from "../../src/events.ts";
import type { BlobStore } from "../../src/ports/blob-store.ts";
import type { Embedder } from "../../src/ports/embedder.ts";
import type { EventPublisher } from "../../src/ports/event-publisher.ts";
import type { Extractor } from "../../src/ports/extractor.ts";
import { createTestEmbedder } from "../support/embedder.ts";
import type { Process, Scheduler } from "./scheduler.ts";
import { insideOf, kindOf } from "./texts.ts";

export const EMBEDDER_ID = "sim@1";
export const BATCH = 2;
/** Attempts at reading a flaky text that fail. */
const FLAKY_FAILURES = 2;

export interface Blob {
  bytes: Buffer;
  modified_at: number;
}

export interface Outside {
  state: MemoryState;
  blobs: Map<string, Blob>;
  /** Whether services fail now and then. */
  faulty: boolean;
  /** Of a call to the storage: how likely it fails while `faulty`. */
  unreliable: number;
  /** Every text that the embedding service was given, in order. */
  embedded: string[];
  /** Job id → how often it was claimed. */
  claims: Map<string, number>;
  /** Blob key → how often reading it was tried, of flaky ones. */
  readings: Map<string, number>;
  /** What arrived at the event publisher's receiver, in order. */
  published: SluiceEvent[];
}

export function createOutside(unreliable: number): Outside {
  return {
    state: createMemoryState(),
    blobs: new Map(),
    faulty: true,
    unreliable,
    embedded: [],
    claims: new Map(),
    readings: new Map(),
    published: [],
  };
}

export function simulatedBlobs(scheduler: Scheduler, { blobs }: Outside): BlobStore {
  return {
    async put(key, source, options) {
      if (blobs.has(key)) throw new Error(`${key} is written twice`);
      const parts: Uint8Array[] = [];
      for await (const part of source) {
        options?.signal?.throwIfAborted();
        parts.push(part);
      }
      const bytes = Buffer.concat(parts);
      blobs.set(key, { bytes, modified_at: scheduler.now() });
      return { size_bytes: bytes.length, sha256: createHash("sha256").update(bytes).digest("hex") };
    },
    async get(key) {
      const blob = blobs.get(key);
      if (!blob) throw new SluiceError("blob_missing", `there is no blob ${key}`);
      // Only iterated over. A real stream goes through ticks of its own, which would not be part of the step.
      return (async function* () {
        yield blob.bytes;
      })() as unknown as Readable;
    },
    async delete(key) {
      blobs.delete(key);
    },
    async *list(prefix) {
      for (const [key, { bytes, modified_at }] of [...blobs]) {
        if (key.startsWith(prefix)) yield { key, size_bytes: bytes.length, modified_at };
      }
    },
    localPath: (key) => key,
    // Uploads here come in one piece.
    resumable: createMemoryResumablePuts(blobs, () => {}),
    async check() {},
  };
}

/** Away now and then, slow sometimes, and once in a while it asks to be left alone. */
export function simulatedEmbedder(scheduler: Scheduler, process: Process, outside: Outside): Embedder {
  const inner = createTestEmbedder(EMBEDDER_ID, BATCH);
  const { random } = scheduler;
  return {
    embedder_id: EMBEDDER_ID,
    dimensions: inner.dimensions,
    batch_size: BATCH,
    async embed(texts, kind, signal) {
      signal?.throwIfAborted();
      if (texts.length > BATCH) throw new Error(`${texts.length} texts are more than a batch`);
      await scheduler.step(process, `embeds ${texts.length}`);
      if (outside.faulty && random.chance(0.05)) await process.system.sleep(random.below(12_000), signal);
      signal?.throwIfAborted();
      if (outside.faulty && random.chance(0.03)) {
        throw new SluiceError("embedder_unavailable", "the service is away for a moment");
      }
      if (outside.faulty && random.chance(0.02)) {
        throw new SluiceError("embedder_rate_limited", "slow down", {
          ...(random.chance(0.8) ? { retry_after_ms: 1 + random.below(5_000) } : {}),
        });
      }
      if (kind === "passage") outside.embedded.push(...texts);
      const vectors = await inner.embed(texts, kind);
      await scheduler.step(process, "embedded");
      signal?.throwIfAborted();
      return vectors;
    },
    async check() {},
  };
}

const passing: ErrorCode[] = ["extraction_timeout", "extraction_out_of_memory"];

/** Plain text, read for real; what kind of text it is says how reading it goes. */
export function simulatedExtractor(
  scheduler: Scheduler,
  process: Process,
  { blobs, readings }: Outside,
): Extractor {
  return {
    media_types: new Set(["text/plain"]),
    async extract({ path, filename }, progress, signal, { file, part } = {}) {
      for (let part = 1; part <= 3; part++) {
        await scheduler.step(process, `extracts ${part}`);
        signal.throwIfAborted();
        progress(part, 3);
      }
      const bytes = blobs.get(path)?.bytes;
      if (!bytes) throw new SluiceError("blob_missing", `there is no ${path}`);
      const kind = kindOf(bytes.toString());
      if (kind === "damaged") throw new SluiceError("malformed_document", `${filename} is damaged.`);
      if (kind === "poison") throw new SluiceError("extraction_crashed", `reading ${filename} crashed.`);
      if (kind === "flaky") {
        const tries = (readings.get(path) ?? 0) + 1;
        readings.set(path, tries);
        if (tries <= FLAKY_FAILURES) {
          throw new SluiceError(passing[tries % 2] as ErrorCode, `${filename} could not be read this time.`);
        }
      }
      for (const [place, { text }] of insideOf(bytes.toString()).entries()) {
        const content = Buffer.from(text);
        await file?.({
          filename: `${place}.txt`,
          media_type: null,
          size_bytes: content.length,
          content: async function* () {
            yield content;
          },
        });
      }
      const { blocks, ...extracted } = await readPlainText(bytesInput(bytes, filename));
      // Its first half as a part, as of a long text.
      const [last] = blocks.slice(Math.floor(blocks.length / 2) - 1);
      if (part === undefined || blocks.length < 2 || last === undefined) return { ...extracted, blocks };
      const { char_end } = last;
      await part({
        text: extracted.text.slice(0, char_end),
        blocks: blocks.filter((b) => b.char_end <= char_end),
      });
      await scheduler.step(process, "extracts the rest");
      return {
        ...extracted,
        text: extracted.text.slice(char_end),
        blocks: blocks.filter((block) => block.char_start >= char_end),
      };
    },
    async close() {},
  };
}

/** Slow; and it fails before, in the middle of and after what it was to do. */
export function simulatedPublisher(scheduler: Scheduler, process: Process, outside: Outside): EventPublisher {
  const { random } = scheduler;
  return {
    name: "bus",
    async publish(events) {
      await scheduler.step(process, `publishes ${events.length}`);
      if (outside.faulty && random.chance(0.1)) await process.system.sleep(random.below(3_000));
      if (outside.faulty && random.chance(0.1)) throw new Error("the broker is away");
      const breaks = outside.faulty && random.chance(0.1);
      const taken = breaks ? random.below(events.length + 1) : events.length;
      outside.published.push(...events.slice(0, taken));
      await scheduler.step(process, `published ${taken}${breaks ? ", and broke off" : ""}`);
      if (breaks) throw new Error("the broker broke off");
    },
    async close() {},
  };
}

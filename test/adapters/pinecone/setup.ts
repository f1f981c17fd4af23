/** A Pinecone server, documents and words in memory, and the index over them, for one test. */
import { onTestFinished } from "vitest";
import { contractEmbedder, manualClock, type StorageHarness } from "../../../contracts/index.ts";
import { unit } from "../../../contracts/samples.ts";
import type { Passage } from "../../../contracts/storage.ts";
import { createMemoryState } from "../../../src/adapters/memory/state.ts";
import { createMemoryStorage } from "../../../src/adapters/memory/storage.ts";
import {
  createPineconeIndex,
  type PineconeIndexOptions,
} from "../../../src/adapters/pinecone/vector-index.ts";
import type { System } from "../../../src/ports/system.ts";
import {
  type PineconeServer,
  type PineconeServerOptions,
  startPineconeServer,
} from "../../services/pinecone-server.ts";

export const TIMEOUT_MS = 20_000;

export interface Bench extends StorageHarness {
  server: PineconeServer;
  /** Waits asked for, but for the limit of a request; none of them is waited. */
  waits: number[];
  /** Another index over the same documents. */
  withOptions(options: Partial<PineconeIndexOptions>): Bench;
  /** Paths of the requests since the last call. */
  asked(): string[];
}

export async function openBench(
  options: Partial<PineconeIndexOptions> = {},
  serverOptions: Partial<PineconeServerOptions> = {},
): Promise<Bench> {
  const clock = manualClock();
  const waits: number[] = [];
  const system: System = {
    ...clock.system,
    sleep(ms, signal) {
      if (ms === TIMEOUT_MS) return clock.system.sleep(ms, signal);
      waits.push(ms);
      return clock.system.sleep(0, signal);
    },
  };
  const embedder = options.embedder ?? contractEmbedder;
  const server = await startPineconeServer({ dimension: embedder.dimensions, ...serverOptions });
  onTestFinished(() => server.stop());
  const state = createMemoryState();
  const { index: words, ...storage } = createMemoryStorage({ system, state, ...embedder });
  const connect = (more: Partial<PineconeIndexOptions>): Bench => {
    const index = createPineconeIndex({
      index_host: server.url,
      api_key: "test-key",
      embedder,
      documents: storage.documents,
      words,
      timeout_ms: TIMEOUT_MS,
      system,
      ...options,
      ...more,
    });
    let told = server.requests.length;
    return {
      ...storage,
      index,
      system,
      advance: clock.advance,
      server,
      waits,
      withOptions: connect,
      asked() {
        const news = server.requests.slice(told).map(({ path }) => path);
        told = server.requests.length;
        return news;
      },
      close: () => index.close(),
    };
  };
  const bench = connect({});
  onTestFinished(() => bench.close());
  return bench;
}

/** Chunks to stage, all with one word and one vector. */
export function passages(count: number, vector = unit(1)): Passage[] {
  return Array.from({ length: count }, (_, place) => ({ text: `quartz ${place}`, vector }));
}

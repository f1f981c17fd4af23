import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll } from "vitest";
import {
  contractEmbedder,
  describeVectorIndex,
  type ManualClock,
  manualClock,
  type StorageHarness,
} from "../../../contracts/index.ts";
import { createMemoryState, type MemoryState } from "../../../src/adapters/memory/state.ts";
import { createMemoryStorage } from "../../../src/adapters/memory/storage.ts";
import { createPineconeIndex } from "../../../src/adapters/pinecone/vector-index.ts";
import { openSqliteStorage } from "../../../src/adapters/sqlite/storage.ts";
import { type PineconeServer, startPineconeServer } from "../../services/pinecone-server.ts";

const root = mkdtempSync(join(tmpdir(), "sluice-pinecone-"));
let prompt: PineconeServer;
/** Writes show late, and pages are short. */
let slow: PineconeServer;
let storages = 0;

beforeAll(async () => {
  const { dimensions: dimension } = contractEmbedder;
  prompt = await startPineconeServer({ dimension });
  slow = await startPineconeServer({ dimension, visible_after_ms: 15, page: 2 });
});
afterAll(async () => {
  await Promise.all([prompt.stop(), slow.stop()]);
  rmSync(root, { recursive: true, force: true });
});

type Embedder = { embedder_id: string; dimensions: number };

async function overSqlite(
  folder: string,
  clock: ManualClock,
  embedder: Embedder = contractEmbedder,
): Promise<StorageHarness> {
  const { index: words, ...storage } = await openSqliteStorage({ folder, system: clock.system, embedder });
  const { documents } = storage;
  const index = createPineconeIndex({
    index_host: prompt.url,
    api_key: "test-key",
    namespace_prefix: `${folder}/`,
    embedder,
    documents,
    words,
    system: clock.system,
  });
  const close = async () => {
    await index.close();
    await storage.close();
  };
  return {
    ...storage,
    index,
    close,
    system: clock.system,
    advance: clock.advance,
    reopen: async () => {
      await close();
      return overSqlite(folder, clock, embedder);
    },
    second: () => overSqlite(folder, clock),
    withEmbedder: (other) => overSqlite(folder, clock, other),
  };
}

function overMemory(
  state: MemoryState,
  clock: ManualClock,
  namespace_prefix: string,
  embedder: Embedder = contractEmbedder,
): StorageHarness {
  const { index: words, ...storage } = createMemoryStorage({ system: clock.system, state, ...embedder });
  const { documents } = storage;
  const index = createPineconeIndex({
    index_host: slow.url,
    api_key: "test-key",
    namespace_prefix,
    embedder,
    documents,
    words,
    system: clock.system,
  });
  return {
    ...storage,
    ...clock,
    index,
    second: async () => overMemory(state, clock, namespace_prefix),
    withEmbedder: async (other) => overMemory(state, clock, namespace_prefix, other),
    close: async () => {
      await index.close();
      await documents.close();
    },
  };
}

describeVectorIndex("pinecone beside SQLite", () =>
  overSqlite(mkdtempSync(join(root, "data-")), manualClock()),
);
describeVectorIndex(
  "pinecone beside memory, where writes show late",
  async () => {
    storages += 1;
    return overMemory(createMemoryState(), manualClock(), `storage-${storages}-`);
  },
  { durable: "memory ends with its process; shown beside SQLite" },
);

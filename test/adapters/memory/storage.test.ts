import {
  contractEmbedder,
  describeApiKeyStore,
  describeDocumentStore,
  describeJobQueue,
  describeJobQueueModel,
  describeVectorIndex,
  manualClock,
  type StorageGaps,
  type StorageHarness,
} from "../../../contracts/index.ts";
import { createMemoryState, type MemoryState } from "../../../src/adapters/memory/state.ts";
import { createMemoryStorage } from "../../../src/adapters/memory/storage.ts";
import { queueModelOptions } from "../../contracts/queue-model-options.ts";

const gaps: StorageGaps = { durable: "memory ends with its process" };

async function open(): Promise<StorageHarness> {
  const clock = manualClock();
  const connect = (state: MemoryState, embedder_id: string): StorageHarness => {
    const storage = createMemoryStorage({ system: clock.system, embedder_id, state });
    return {
      ...clock,
      ...storage,
      second: async () => connect(state, embedder_id),
      withEmbedder: async (embedder) => connect(state, embedder.embedder_id),
      close: async () => {
        await storage.index.close();
        await storage.documents.close();
      },
    };
  };
  return connect(createMemoryState(), contractEmbedder.embedder_id);
}

describeDocumentStore("memory", open, gaps);
describeJobQueue("memory", open, gaps);
describeJobQueueModel("memory", open, queueModelOptions());
describeVectorIndex("memory", open, gaps);
describeApiKeyStore("memory", open, gaps);

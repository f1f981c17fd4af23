import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import {
  contractEmbedder,
  describeApiKeyStore,
  describeDocumentStore,
  describeJobQueue,
  describeJobQueueModel,
  describeVectorIndex,
  type ManualClock,
  manualClock,
  type StorageHarness,
} from "../../../contracts/index.ts";
import { openSqliteStorage } from "../../../src/adapters/sqlite/storage.ts";
import { queueModelOptions } from "../../contracts/queue-model-options.ts";

const root = mkdtempSync(join(tmpdir(), "sluice-sqlite-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

async function connect(
  folder: string,
  clock: ManualClock,
  embedder: { embedder_id: string; dimensions: number } = contractEmbedder,
): Promise<StorageHarness> {
  const storage = await openSqliteStorage({ folder, system: clock.system, embedder });
  return {
    ...storage,
    system: clock.system,
    advance: clock.advance,
    reopen: async () => {
      await storage.close();
      return connect(folder, clock, embedder);
    },
    second: () => connect(folder, clock, embedder),
    withEmbedder: (other) => connect(folder, clock, other),
  };
}

const open = () => connect(mkdtempSync(join(root, "data-")), manualClock());

describeDocumentStore("sqlite", open);
describeJobQueue("sqlite", open);
describeJobQueueModel("sqlite", open, queueModelOptions());
describeVectorIndex("sqlite", open);
describeApiKeyStore("sqlite", open);

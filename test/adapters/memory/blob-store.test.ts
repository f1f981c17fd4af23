import { describeBlobStore } from "../../../contracts/index.ts";
import { createMemoryBlobStore } from "../../../src/adapters/memory/blob-store.ts";

describeBlobStore("memory", async () => ({ store: createMemoryBlobStore(), close: async () => {} }), {
  durable: "memory ends with its process",
  local_path: "memory has no files",
});

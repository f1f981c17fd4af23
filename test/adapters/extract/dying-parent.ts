/** A worker that is killed while its child is busy, for process-extractor.test.ts. */
import { fileURLToPath } from "node:url";
import { createProcessExtractor } from "../../../src/adapters/extract/process-extractor.ts";

const extractor = createProcessExtractor({
  timeout_ms: 60_000,
  memory_mb: 128,
  size: 1,
  child_module: fileURLToPath(new URL("./deaf-child.ts", import.meta.url)),
});

void extractor.extract(
  { path: "/nowhere", media_type: "text/plain", filename: "hang.txt" },
  (pid) => process.send?.({ pid }),
  new AbortController().signal,
);

/** A worker whose children explode: tells what that took of its own memory. For process-extractor.test.ts. */
import { fileURLToPath } from "node:url";
import { createProcessExtractor } from "../../../src/adapters/extract/process-extractor.ts";

const extractor = createProcessExtractor({
  timeout_ms: 60_000,
  memory_mb: 256,
  size: 1,
  child_module: fileURLToPath(new URL("./hostile-child.ts", import.meta.url)),
});
const read = (order: string) =>
  extractor
    .extract(
      { path: "/nowhere", media_type: "text/plain", filename: `${order}.txt` },
      () => {},
      new AbortController().signal,
    )
    .then(
      () => "read",
      (error: { code: string }) => error.code,
    );

await read("fine");
const before = process.resourceUsage().maxRSS;
const ends = [await read("buffers"), await read("heap"), await read("fine")];
const grown_mb = (process.resourceUsage().maxRSS - before) / 1024;
await extractor.close();
process.send?.({ ends, grown_mb });

/** Entry of the extraction child, started by process-extractor.ts. */
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { serveExtraction } from "./child-server.ts";
import { readDocument } from "./in-process.ts";

const folder = process.argv[2]!;
// A document can keep this thread busy for good, and then it does not hear that the parent has died.
const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
const watchdog = new Worker(new URL(`./watchdog.${extension}`, import.meta.url), {
  resourceLimits: { maxOldGenerationSizeMb: 16, codeRangeSizeMb: 16 },
  workerData: folder,
});
// Nothing is read before somebody watches: a thread can't start beside one that never yields.
await once(watchdog, "message");
watchdog.unref();

serveExtraction(readDocument, folder);

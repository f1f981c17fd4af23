/**
 * Sluice inside one's own process: upload a file, watch its journey, search.
 *
 *   npm run example                       (from a clone)
 *   npm run example -- path/to/file.pdf
 *
 * In a project of your own, import from "sluice".
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createSluice } from "../src/index.ts";

const [file = new URL("../README.md", import.meta.url).pathname] = process.argv.slice(2);
const data_dir = await mkdtemp(join(tmpdir(), "sluice-example-"));
const sluice = await createSluice({ data_dir });

// Start to listen before anything happens, or pass `after` to replay what already has.
const stop = new AbortController();
const watching = (async () => {
  for await (const event of sluice.follow({ after: 0 }, stop.signal)) {
    console.log(`${String(event.sequence).padStart(3)}  ${event.event_type}`);
  }
})();

// Resolves once the document is on disk and queued: milliseconds, whatever its size costs later.
const started = performance.now();
const { document_id, status } = await sluice.upload(file, {
  collection: "examples",
  metadata: { lang: "en" },
});
console.log(`${document_id} is ${status} after ${(performance.now() - started).toFixed(0)} ms`);

const document = await sluice.waitUntilSearchable(document_id);
console.log(`${document.filename}: ${document.chunks_created} chunks`);

const { hits } = await sluice.search({ query: "upload a file", top_k: 3 });
for (const hit of hits) {
  console.log(
    `\n${hit.score.toFixed(4)}  ${hit.filename}  ${hit.heading_path.join(" › ")}  [${hit.char_start}–${hit.char_end}]`,
  );
  console.log(hit.text.slice(0, 160).replaceAll(/\s+/g, " "));
}

stop.abort();
await watching;
await sluice.close();
await rm(data_dir, { recursive: true });

/**
 * A running Sluice from another program: upload the files of a folder, watch them, search.
 *
 *   npm start                                             (in one terminal)
 *   npm run example:client                                (in another)
 *   npm run example:client -- path/to/folder "a question"
 *
 * SLUICE_URL and SLUICE_API_KEY say where and as whom. In a project of your own, import from "sluice/client".
 */
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { ApiError, createClient } from "../src/client/index.ts";

const [path = new URL("../docs", import.meta.url).pathname, query = "how is a document cut into chunks"] =
  process.argv.slice(2);
const sluice = createClient({
  url: process.env.SLUICE_URL ?? "http://127.0.0.1:7300",
  key: process.env.SLUICE_API_KEY,
});

try {
  const files = await filesOf(path);
  console.log(`${files.length} files go to ${sluice.url}`);
  for (const file of files) {
    const started = performance.now();
    const accepted = await sluice.upload(file, {
      collection: "examples",
      onTrouble: ({ error }) => console.log(`${file}: ${error.message} Trying again.`),
    });
    const took = `${(performance.now() - started).toFixed(0)} ms`;
    console.log(`\n${file}: ${accepted.document_id} after ${took}${accepted.duplicate ? ", was there" : ""}`);

    // `after: 0`, because by now something has happened already.
    const stop = new AbortController();
    const { correlation_id } = accepted;
    const journey = sluice.follow({ correlation_id, after: 0, signal: stop.signal });
    const watching = (async () => {
      for await (const event of journey)
        console.log(`  ${event.timestamp.slice(11, 23)}  ${event.event_type}`);
    })();
    await sluice.waitUntilSearchable(accepted.document_id).then(
      ({ chunks_created }) => console.log(`  ${chunks_created} chunks can be searched`),
      (error: ApiError) => console.log(`  ${error.code}: ${error.message}`),
    );
    stop.abort();
    await watching;
  }

  const { hits } = await sluice.search({ query, collection: "examples", top_k: 3 });
  console.log(`\n${query}?`);
  for (const { score, filename, heading_path, text } of hits) {
    console.log(`\n${score.toFixed(4)}  ${[filename, ...heading_path].join(" › ")}`);
    console.log(text.slice(0, 160).replaceAll(/\s+/g, " "));
  }
} catch (error) {
  if (!(error instanceof ApiError)) throw error;
  console.error(`${error.code}: ${error.message}`);
  process.exitCode = 1;
}

async function filesOf(path: string): Promise<string[]> {
  if ((await stat(path)).isFile()) return [path];
  const entries = await readdir(path, { withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map(({ name }) => join(path, name));
}

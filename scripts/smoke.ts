/** Starts a given `sluice` in an empty folder, uploads, searches and stops it: proof that this form of it works. */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

const [main] = process.argv.slice(2);
if (!main) throw new Error("usage: node scripts/smoke.ts path/to/main.js");
const port = await freePort();
const url = `http://127.0.0.1:${port}`;
const data_dir = mkdtempSync(join(tmpdir(), "sluice-smoke-"));
const env = {
  ...process.env,
  SLUICE_DATA_DIR: data_dir,
  SLUICE_PORT: String(port),
  SLUICE_LOG_LEVEL: "warn",
};
const child = spawn(process.execPath, [resolve(main), "--json", "start"], {
  env,
  stdio: ["ignore", "pipe", "inherit"],
});
const ended = new Promise<number | null>((done) => child.once("exit", done));
await Promise.race([
  new Promise((done) => child.stdout.once("data", done)),
  ended.then((code) => Promise.reject(new Error(`sluice ended with ${code} before it was ready`))),
]);
try {
  const page = await fetch(url);
  if (!(await page.text()).includes("<div id=")) throw new Error("the page is not served");
  const answer = await fetch(`${url}/v1/documents?filename=smoke.md`, {
    method: "POST",
    body: "# Smoke\n\nWhere there is smoke there is fire.",
  });
  if (answer.status !== 202) throw new Error(`upload answered ${answer.status}: ${await answer.text()}`);
  const { document_id } = (await answer.json()) as { document_id: string };
  const stream = await fetch(`${url}/v1/events/stream?document_id=${document_id}&after=0`, {
    headers: { accept: "text/event-stream" },
  });
  let seen = "";
  for await (const part of stream.body!.pipeThrough(new TextDecoderStream())) {
    seen += part;
    if (seen.includes("rag.ingestion.failed")) throw new Error(`ingestion failed:\n${seen}`);
    if (seen.includes("rag.ingestion.completed")) break;
  }
  const found = await fetch(`${url}/v1/search`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ query: "smoke and fire" }),
  });
  const { hits } = (await found.json()) as { hits: { document_id: string }[] };
  if (hits[0]?.document_id !== document_id)
    throw new Error(`the search did not find it: ${JSON.stringify(hits)}`);
  console.log(`smoke: ${main} starts, takes a document in, follows it and finds it`);
} finally {
  child.kill("SIGTERM");
  const code = await ended;
  rmSync(data_dir, { recursive: true, force: true });
  if (code !== 0) process.exitCode = 1;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const address = server.address() as { port: number };
  await new Promise((done) => server.close(done));
  return address.port;
}

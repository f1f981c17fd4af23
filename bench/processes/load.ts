/** Clients in a process of their own, so that their work is not the server's. */
import { createAgent, post } from "../client.ts";
import { createTexts } from "../texts.ts";
import { serve } from "./serve.ts";

export interface UploadLoad {
  /** Where to post to, without a query. */
  url: string;
  clients: number;
  /** Uploads altogether. */
  requests: number;
  /** Bytes of each file; every file is another one. */
  size: number;
  form: "raw" | "multipart";
  /** Milliseconds that each client rests between an answer and its next upload. Default 0. */
  pause_ms?: number;
}

export interface SearchLoad {
  url: string;
  clients: number;
  /** Milliseconds that it goes on for. */
  duration_ms: number;
  pause_ms: number;
}

export interface LoadResult {
  /** Of each request, in milliseconds. */
  latencies: number[];
  /** From the first request to the last answer. */
  elapsed_ms: number;
}

const BOUNDARY = "sluice-benchmark-boundary";
const texts = createTexts(1);
const templates = new Map<string, { body: Buffer; mark: number }>();
let serial = 0;

/** A body whose file can be made unique by writing at `mark`. */
function template(size: number, form: "raw" | "multipart") {
  const key = `${form} ${size}`;
  let found = templates.get(key);
  if (!found) {
    const file = texts.plain(size).slice(0, size);
    const before = `--${BOUNDARY}\r\ncontent-disposition: form-data; name="file"; filename="bench.txt"\r\ncontent-type: text/plain\r\n\r\n`;
    found =
      form === "raw"
        ? { body: Buffer.from(file), mark: 0 }
        : { body: Buffer.from(`${before}${file}\r\n--${BOUNDARY}--\r\n`), mark: before.length };
    templates.set(key, found);
  }
  return found;
}

async function upload(load: UploadLoad): Promise<LoadResult> {
  const { body, mark } = template(load.size, load.form);
  const type = load.form === "raw" ? "text/plain" : `multipart/form-data; boundary=${BOUNDARY}`;
  let left = load.requests;
  return closedLoop(load.clients, async (agent, latencies) => {
    const own = Buffer.from(body);
    while (left-- > 0) {
      own.write(`${process.pid} ${String(++serial).padStart(12, "0")} `, mark, "latin1");
      const { ms, status, text } = await post(agent, load.url, { "content-type": type }, own);
      // A duplicate would be answered without a commit, which is not what is measured.
      if (status !== 202 || text.includes('"duplicate":true')) throw new Error(`answered ${status}: ${text}`);
      latencies.push(ms);
      if (load.pause_ms) await rest(load.pause_ms);
    }
  });
}

async function search(load: SearchLoad): Promise<LoadResult> {
  const end = performance.now() + load.duration_ms;
  return closedLoop(load.clients, async (agent, latencies) => {
    while (performance.now() < end) {
      const query = texts.paragraph(8).slice(0, 60);
      const body = Buffer.from(JSON.stringify({ query, top_k: 10 }));
      const { ms } = await post(agent, `${load.url}/v1/search`, { "content-type": "application/json" }, body);
      latencies.push(ms);
      await rest(load.pause_ms);
    }
  });
}

/** Each client sends its next request after the answer to its last one. */
async function closedLoop(
  clients: number,
  client: (agent: ReturnType<typeof createAgent>, latencies: number[]) => Promise<void>,
): Promise<LoadResult> {
  const agent = createAgent(clients);
  const latencies: number[] = [];
  const started = performance.now();
  await Promise.all(Array.from({ length: clients }, () => client(agent, latencies)));
  const elapsed_ms = performance.now() - started;
  agent.destroy();
  return { latencies, elapsed_ms };
}

function rest(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

const methods = { upload, search };
export type LoadMethods = typeof methods;
serve(methods);

/** How long an uploader waits: Sluice against the least that an upload can cost, and against the article's handler. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { basename, extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Accepted } from "../src/intake/upload.ts";
import type { Context, Row, Table } from "./benchmark.ts";
import { createAgent, followSse, post } from "./client.ts";
import { startHelper } from "./helper.ts";
import type { FloorMethods } from "./processes/floor-server.ts";
import type { LoadMethods, LoadResult } from "./processes/load.ts";
import type { SynchronousMethods } from "./processes/synchronous-server.ts";
import { startServer } from "./server.ts";
import { median, perSecond, quantile, rounded } from "./statistics.ts";
import { createTexts } from "./texts.ts";

export async function ack(context: Context): Promise<Table[]> {
  return [await againstTheFloor(context), await againstTheSynchronousHandler(context)];
}

const CLIENTS = [1, 8, 32];
const SIZES = [
  { label: "1 MB", bytes: 1_000_000, requests: [60, 160, 240] },
  { label: "16 KB", bytes: 16_000, requests: [300, 1_200, 2_000] },
];

async function againstTheFloor({ quick, folder, say }: Context): Promise<Table> {
  const rounds = quick ? 3 : 5;
  await using floor = await startHelper<FloorMethods>("floor-server", { folder: folder("floor") });
  // Nobody works on the jobs: intake alone is measured.
  await using server = await startServer(folder("ack"), { SLUICE_WORKERS: "0" });
  await using load = await startHelper<LoadMethods>("load");
  const floor_url = await floor.call("url");
  const sluice_url = `${server.url}/v1/documents`;
  const targets = [
    { target: "floor", url: floor_url, form: "raw" },
    { target: "Sluice, raw body", url: sluice_url, form: "raw" },
    { target: "Sluice, multipart", url: sluice_url, form: "multipart" },
  ] as const;

  for (const { url, form } of targets) {
    for (const { bytes } of SIZES) {
      // Until V8 has compiled what is hot, and the processor's clock and the file system have settled.
      const warm = { url, form, size: bytes, clients: 8 };
      await load.call("upload", { ...warm, requests: (quick ? 50 : 200) * (bytes < 100_000 ? 3 : 1) });
    }
  }
  const rows: Row[] = [];
  for (const { label, bytes, requests } of SIZES) {
    for (const [place, clients] of CLIENTS.entries()) {
      say(`  ${label}, ${clients} ${clients === 1 ? "client" : "clients"}`);
      const count = Math.ceil((requests[place] as number) * (quick ? 0.2 : 1));
      const results = targets.map((): LoadResult[] => []);
      for (let round = 0; round < rounds; round++) {
        for (let turn = 0; turn < targets.length; turn++) {
          // Another one goes first each round: whoever follows a heavy neighbour pays for its write-back.
          const index = (turn + round) % targets.length;
          const { url, form } = targets[index] as (typeof targets)[number];
          results[index]?.push(
            await load.call("upload", { url, form, size: bytes, clients, requests: count }),
          );
        }
      }
      const rates = results.map((all) =>
        all.map((each) => perSecond(each.latencies.length, each.elapsed_ms)),
      );
      for (const [index, { target }] of targets.entries()) {
        const latencies = (results[index] as LoadResult[]).flatMap((each) => each.latencies);
        const ratios = (rates[index] as number[]).map((rate, round) => rate / (rates[0]?.[round] as number));
        rows.push({
          size: label,
          clients,
          target,
          uploads: latencies.length,
          p50_ms: quantile(latencies, 0.5),
          p95_ms: quantile(latencies, 0.95),
          p99_ms: quantile(latencies, 0.99),
          uploads_per_s: median(rates[index] as number[]),
          of_the_floor: rounded(median(ratios)),
          lowest: rounded(Math.min(...ratios)),
          highest: rounded(Math.max(...ratios)),
        });
      }
    }
  }
  return {
    title: "ack: POST /v1/documents until the 202 has been read, no workers",
    rows,
    notes: [
      "The floor: node:http, the same bytes to a file, fsync, one durable SQLite commit of one row; its body is always raw.",
      `of_the_floor: throughput over the floor's, median of ${rounds} interleaved rounds, with the lowest and highest.`,
    ],
  };
}

async function againstTheSynchronousHandler({ quick, folder, corpus, say }: Context): Promise<Table> {
  const rounds = quick ? 3 : 7;
  await using article = await startHelper<SynchronousMethods>("synchronous-server", {
    folder: folder("article"),
  });
  await using server = await startServer(folder("searchable"), { SLUICE_WORKERS: "" });
  const article_url = await article.call("url");
  const completed = new Map<string, (failure?: string) => void>();
  const early = new Set<string>();
  const stream = await followSse(server.url, ({ event_type, document_id, data }) => {
    if (event_type !== "rag.ingestion.completed" && event_type !== "rag.ingestion.failed") return;
    const failure = event_type === "rag.ingestion.failed" ? data.error.message : undefined;
    const waiter = completed.get(document_id);
    if (waiter) waiter(failure);
    else early.add(document_id);
  });
  const agent = createAgent(8);
  let serial = 0;

  async function toSluice(file: string, bytes: Buffer) {
    const started = performance.now();
    // The same bytes again would be the same document: each goes into a collection of its own.
    const query = `filename=${encodeURIComponent(basename(file))}&collection=c${++serial}`;
    const { ms, text } = await post(agent, `${server.url}/v1/documents?${query}`, typeOf(file), bytes);
    const { document_id } = JSON.parse(text) as Accepted;
    await new Promise<void>((resolve, reject) => {
      if (early.has(document_id)) return resolve();
      completed.set(document_id, (failure) =>
        failure === undefined ? resolve() : reject(new Error(failure)),
      );
    });
    return { ack_ms: ms, searchable_ms: performance.now() - started };
  }
  const toArticle = async (file: string, bytes: Buffer) => {
    const query = `filename=${encodeURIComponent(basename(file))}`;
    return (await post(agent, `${article_url}?${query}`, typeOf(file), bytes)).ms;
  };

  const rows: Row[] = [];
  for (const file of documents(folder("documents"), corpus)) {
    const bytes = readFileSync(file);
    // Until every worker and every extraction child has read one of this kind, and the article's handler as many.
    for (let round = 0; round < 2; round++) {
      for (const send of [toSluice, toArticle]) {
        await Promise.all(Array.from({ length: 8 }, () => send(file, bytes)));
      }
    }
    for (const users of [1, 8]) {
      say(`  ${basename(file)}, ${users} at once`);
      const waits: number[] = [];
      const acks: number[] = [];
      const searchables: number[] = [];
      for (let round = 0; round < (users === 1 ? rounds : Math.ceil(rounds / 3)); round++) {
        waits.push(...(await Promise.all(Array.from({ length: users }, () => toArticle(file, bytes)))));
        for (const each of await Promise.all(Array.from({ length: users }, () => toSluice(file, bytes)))) {
          acks.push(each.ack_ms);
          searchables.push(each.searchable_ms);
        }
      }
      rows.push({
        document: `${basename(file)}, ${Math.ceil(bytes.length / 1_000)} KB`,
        users,
        article_waits_ms: median(waits),
        sluice_waits_ms: median(acks),
        times_sooner: rounded(median(waits) / median(acks)),
        searchable_after_ms: median(searchables),
        of_the_article: rounded(median(searchables) / median(waits)),
      });
    }
  }
  stream.close();
  agent.destroy();
  return {
    title: "ack: the article's synchronous handler beside Sluice",
    rows,
    notes: [
      "Both run the same stages. The article's user waits for all of them; Sluice's for the acknowledgement.",
      "searchable_after: from the first byte sent to the event rag.ingestion.completed received. Medians.",
    ],
  };
}

const types: Readonly<Record<string, string>> = {
  ".pdf": "application/pdf",
  ".md": "text/markdown",
  ".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
};

function typeOf(file: string) {
  return { "content-type": types[extname(file)] ?? "application/octet-stream" };
}

/** One tiny, one generated, and a real one where there is a corpus. */
function documents(folder: string, corpus: string | undefined): string[] {
  const generated = join(folder, "handbook.md");
  writeFileSync(generated, createTexts(2).markdown(300_000));
  const real =
    corpus === undefined
      ? []
      : ["layout-parser-paper-fast.pdf", "reliance.pdf"].map((name) => join(corpus, name));
  return [
    fileURLToPath(new URL("../test/fixtures/sample.pdf", import.meta.url)),
    generated,
    ...real.filter((path) => existsSync(path)).slice(0, 1),
  ];
}

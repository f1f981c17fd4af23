/** Documents waiting in the queue, and 1, 2 and 4 worker processes on one database that make them searchable. */
import { createSystem } from "../../src/adapters/node/system.ts";
import { composeIntake, openAdapters } from "../../src/compose.ts";
import { parseConfig } from "../../src/config/config.ts";
import { terminalEventTypes } from "../../src/events.ts";
import type { Log } from "../../src/ports/log.ts";
import type { Context, Row, Table } from "../benchmark.ts";
import { type Helper, startHelper } from "../helper.ts";
import { median, perSecond, rounded } from "../statistics.ts";
import { createTexts } from "../texts.ts";
import type { IngesterMethods } from "./processes/ingester.ts";
import { inTurns } from "./rounds.ts";
import type { Server } from "./server.ts";

const WORKERS = [1, 2, 4];
const SIZE = 5_000;
const UPLOADERS = 8;
/** Documents for each worker process before what is measured. */
const WARM_UP = 8;
const silent: Log = { debug() {}, info() {}, warn() {}, error() {} };
const system = createSystem();

export async function ingestion({ url, admin }: Server, context: Context): Promise<Table[]> {
  const { quick, folder, say } = context;
  const documents = quick ? 60 : 400;
  const rounds = quick ? 1 : 3;
  const settings = {
    SLUICE_DATA_DIR: folder("ingestion"),
    SLUICE_STORAGE: "postgres",
    SLUICE_POSTGRES_URL: url,
    // Of its own: no job of the other benchmarks is in it.
    SLUICE_POSTGRES_SCHEMA: "ingestion",
  };
  const config = parseConfig(settings);
  const adapters = await openAdapters(config);
  const intake = composeIntake(config, adapters, silent);
  const texts = createTexts(7);
  const runs = new Map(WORKERS.map((count) => [count, [] as Run[]]));

  async function upload(count: number): Promise<number> {
    const started = performance.now();
    await inTurns(count, UPLOADERS, async () => {
      const upload = await intake.beginUpload("default", system.newId("req"));
      try {
        const text = texts.plain(SIZE).slice(0, SIZE);
        const bytes = Buffer.from(`${system.newId("doc")}\n\n${text}`);
        await upload.add(chunksOf(bytes), { filename: "bench.txt", declared_media_type: "text/plain" });
        await upload.accept({ collection: "bench", metadata: {} });
      } finally {
        await upload.end();
      }
    });
    return performance.now() - started;
  }

  /** Resolves when so many documents have ended. */
  async function allEnded(count: number, after: number): Promise<{ chunks: number }> {
    const reading = new AbortController();
    let ended = 0;
    let chunks = 0;
    for await (const events of intake.follower.follow({ tenant_id: "default" }, after, reading.signal)) {
      for (const event of events) {
        if (event.event_type === "rag.ingestion.failed") throw new Error(JSON.stringify(event.data));
        if (event.event_type === "rag.ingestion.completed") chunks += event.data.chunks_created;
        if (terminalEventTypes.has(event.event_type)) ended++;
      }
      if (ended >= count) break;
    }
    reading.abort();
    return { chunks };
  }

  async function run(workers: number, count: number): Promise<Run> {
    await using started = new AsyncDisposableStack();
    const helpers: Helper<IngesterMethods>[] = [];
    for (let index = 0; index < workers; index++) {
      const helper = await startHelper<IngesterMethods>("../postgres/processes/ingester", { settings });
      helpers.push(started.use(helper));
    }
    const work = async (number: number) => {
      const before = await adapters.documents.lastSequence();
      const upload_ms = await upload(number);
      await admin.query("ANALYZE ingestion.jobs, ingestion.documents");
      const begun = performance.now();
      const ended = allEnded(number, before);
      await Promise.all(helpers.map((helper) => helper.call("start")));
      const { chunks } = await ended;
      const elapsed_ms = performance.now() - begun;
      await Promise.all(helpers.map((helper) => helper.call("pause")));
      return { elapsed_ms, upload_ms, chunks };
    };
    // So that every worker has its extraction children and its code warm.
    await work(workers * WARM_UP);
    await admin.query("CHECKPOINT");
    const result = await work(count);
    for (const helper of helpers) {
      const problem = await helper.call("end");
      if (problem) throw new Error(problem);
    }
    return result;
  }

  try {
    for (let round = 1; round <= rounds; round++) {
      say(`  round ${round} of ${rounds}`);
      for (let turn = 0; turn < WORKERS.length; turn++) {
        const workers = WORKERS[(turn + round) % WORKERS.length] as number;
        runs.get(workers)?.push(await run(workers, documents));
      }
    }
  } finally {
    await intake.close();
    await adapters.close();
  }
  const single = runs.get(1) as Run[];
  const rows = WORKERS.map((workers): Row => {
    const own = runs.get(workers) as Run[];
    const rates = own.map(({ elapsed_ms }) => perSecond(documents, elapsed_ms));
    return {
      worker_processes: workers,
      documents_per_s: median(rates),
      lowest: Math.min(...rates),
      highest: Math.max(...rates),
      chunks_per_s: median(own.map(({ chunks, elapsed_ms }) => perSecond(chunks, elapsed_ms))),
      ratio: rounded(
        median(own.map(({ elapsed_ms }, round) => (single[round] as Run).elapsed_ms / elapsed_ms)),
      ),
      uploads_per_s: median(own.map(({ upload_ms }) => perSecond(documents, upload_ms))),
    };
  });
  return [
    {
      title: `postgres: ${documents} documents of ${SIZE / 1_000} kB from the queue to searchable, documents per second`,
      rows,
      notes: [
        `Each worker process runs ${config.worker_concurrency} jobs at a time, as by default. Static embedder, pgvector, blobs in a folder. Database, workers and their extraction children share the machine's cores.`,
        "From the moment that idle worker processes begin to claim to the last document's event. ratio: of one worker process.",
        `uploads: before the workers start, ${UPLOADERS} at a time through the intake, without HTTP.`,
      ],
    },
  ];
}

interface Run {
  elapsed_ms: number;
  upload_ms: number;
  chunks: number;
}

async function* chunksOf(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

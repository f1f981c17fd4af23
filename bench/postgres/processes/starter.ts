/** An idle worker in a process of its own, that says when each job started. */
import { createSystem } from "../../../src/adapters/node/system.ts";
import { composeWorker, openAdapters } from "../../../src/compose.ts";
import { parseConfig } from "../../../src/config/config.ts";
import type { Log } from "../../../src/ports/log.ts";
import { given, serve } from "../../processes/serve.ts";
import { sharedClock } from "../../statistics.ts";
import { runGraphile } from "../queues/graphile-worker.ts";
import { startPgBoss } from "../queues/pg-boss.ts";
import { NOTHING } from "../queues/queue.ts";

export type Waking =
  | { product: "sluice" }
  | { product: "graphile-worker" }
  /** `notify`: told of new jobs; else it looks every so many seconds, by default 2. */
  | { product: "pg-boss"; notify: boolean; polling_s?: number };

const { url, folder, waking } = given<{ url: string; folder: string; waking: Waking }>();

/** Of each job, by what its enqueuer calls it: when it started, on the shared clock. */
const starts = new Map<string, number>();
const startedWith = (payload: unknown) => starts.set((payload as { ping: string }).ping, sharedClock());
let stop: () => Promise<unknown> = async () => {};

async function start(): Promise<void> {
  if (waking.product === "sluice") return startSluice();
  if (waking.product === "graphile-worker") {
    const runner = await runGraphile(url, startedWith);
    stop = () => runner.stop();
    return;
  }
  const { notify, polling_s } = waking;
  const boss = await startPgBoss(url, notify);
  // So large that no job waits for another one's end.
  const options = {
    batchSize: 500,
    ...(polling_s === undefined ? {} : { pollingIntervalSeconds: polling_s }),
  };
  await boss.work(NOTHING, options, async (jobs) => {
    for (const { data } of jobs) startedWith(data);
  });
  stop = () => boss.stop({ graceful: false });
}

/** Sluice's own worker, as configured by default; what it logs tells when each job started. */
async function startSluice(): Promise<void> {
  const config = parseConfig({
    SLUICE_DATA_DIR: folder,
    SLUICE_STORAGE: "postgres",
    SLUICE_POSTGRES_URL: url,
  });
  const log: Log = {
    debug() {},
    info(fields, message) {
      if (message.endsWith("started")) starts.set((fields as { job_id: string }).job_id, sharedClock());
    },
    warn() {},
    error(fields, message) {
      throw new Error(`${message}: ${JSON.stringify(fields)}`);
    },
  };
  const adapters = await openAdapters(config);
  const worker = composeWorker(config, adapters, log, createSystem().newId("wrk"));
  await worker.start();
  stop = async () => {
    await worker.stop(1_000);
    await adapters.close();
  };
}

const methods = {
  start,
  started: async (): Promise<[ping: string, at_ms: number][]> => [...starts],
  stop: async () => void (await stop()),
};
export type StarterMethods = typeof methods;
serve(methods);

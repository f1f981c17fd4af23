import { setImmediate as nextTurn } from "node:timers/promises";
import { type GraphileRun, loadGraphileWorker, peerVersion } from "../peers.ts";
import type { Server } from "../server.ts";
import { type Drain, NOTHING, POOL, type QueueUnderTest } from "./queue.ts";

/** What its own performance tests use. */
const CONCURRENCY = 24;
const LOCAL_QUEUE = 500;

/** Settings of its batching: jobs taken 500 at a time and ended together. Off by default. */
const batched: GraphileRun["preset"] = {
  worker: {
    localQueue: { size: LOCAL_QUEUE, refetchDelay: { durationMs: 10 } },
    completeJobBatchDelay: 0,
    failJobBatchDelay: 0,
  },
};

/** @param started called as each job starts */
export async function runGraphile(
  url: string,
  started: (payload: unknown) => void,
  options: Partial<GraphileRun> = {},
) {
  const { run, Logger } = await loadGraphileWorker();
  return run({
    connectionString: url,
    concurrency: CONCURRENCY,
    maxPoolSize: POOL,
    noHandleSignals: true,
    logger: new Logger(() => () => {}),
    taskList: { [NOTHING]: async (payload) => started(payload) },
    ...options,
  });
}

export async function openGraphileUtils(url: string) {
  const { makeWorkerUtils, Logger } = await loadGraphileWorker();
  const utils = await makeWorkerUtils({
    connectionString: url,
    maxPoolSize: POOL,
    logger: new Logger(() => () => {}),
  });
  await utils.migrate();
  return utils;
}

export async function openGraphileWorker({ url, admin }: Server): Promise<QueueUnderTest> {
  const utils = await openGraphileUtils(url);
  async function left(): Promise<number> {
    const { rows } = await admin.query("SELECT count(*)::int AS jobs FROM graphile_worker._private_jobs");
    return rows[0].jobs;
  }
  const working = (how: string, options: Partial<GraphileRun>): Drain => ({
    how,
    async run(count, loops) {
      let done = 0;
      let end = () => {};
      const all = new Promise<void>((resolve) => {
        end = resolve;
      });
      const started = () => {
        done += 1;
        if (done === count) end();
      };
      const runners = await Promise.all(
        Array.from({ length: loops }, () => runGraphile(url, started, options)),
      );
      await all;
      // It goes on before a completion is there, and its stop does not wait for the last ones either.
      const patience = performance.now() + 5_000;
      while ((await left()) > 0 && performance.now() < patience) await nextTurn();
      return () => Promise.all(runners.map((runner) => runner.stop()));
    },
  });
  return {
    name: `graphile-worker ${peerVersion("graphile-worker")}`,
    enqueue: () => utils.addJob(NOTHING, {}),
    enqueueBatch: (count) =>
      utils.addJobs(Array.from({ length: count }, () => ({ identifier: NOTHING, payload: {} }))),
    drains: [
      working(`concurrency ${CONCURRENCY}`, {}),
      working(`concurrency ${CONCURRENCY}, local queue of ${LOCAL_QUEUE}, completions together`, {
        preset: batched,
      }),
    ],
    tables: ["graphile_worker._private_jobs"],
    clear: () => admin.query("TRUNCATE graphile_worker._private_jobs"),
    left,
    close: () => utils.release(),
  };
}

import { createHashingEmbedder } from "../../../src/adapters/hashing/embedder.ts";
import { createSystem } from "../../../src/adapters/node/system.ts";
import { openPostgresStorage } from "../../../src/adapters/postgres/storage.ts";
import { type NewJob, REMOVE_ENTRIES } from "../../../src/job.ts";
import type { JobQueue } from "../../../src/ports/job-queue.ts";
import type { Log } from "../../../src/ports/log.ts";
import { createWorker, type WorkerDependencies } from "../../../src/worker/worker.ts";
import { drain } from "../../drain.ts";
import type { Server } from "../server.ts";
import { nothingToStop, POOL, type QueueUnderTest } from "./queue.ts";

const system = createSystem();
const LEASE_MS = 30_000;
/** The most that SLUICE_WORKER_CONCURRENCY takes. */
const CONCURRENCY = 64;
const silent: Log = { debug() {}, info() {}, warn() {}, error() {} };

/** A job of Sluice's own that finds nothing to do: it removes the entries of no version. */
export function newJob(): NewJob {
  return {
    job_id: system.newId("job"),
    tenant_id: "default",
    job_type: REMOVE_ENTRIES,
    payload: { document_id: system.newId("doc"), versions: [] },
    correlation_id: system.newId("cor"),
  };
}

export const openStorage = (url: string) =>
  openPostgresStorage({ url, system, embedder: createHashingEmbedder(), pool_size: POOL });

export async function openSluice({ url, admin }: Server): Promise<QueueUnderTest> {
  const storage = await openStorage(url);
  const { queue } = storage;
  const byHand = (claims: number) => ({
    how: `claim ${claims}, complete ${claims}`,
    async run(_count: number, loops: number) {
      await drain(queue, "wrk_bench", claims, loops);
      return nothingToStop;
    },
  });
  return {
    name: "Sluice",
    enqueue: () => queue.enqueue([newJob()]),
    enqueueBatch: (count) => queue.enqueue(Array.from({ length: count }, newJob)),
    drains: [
      {
        how: `createWorker, ${CONCURRENCY} jobs at a time`,
        run: (count, loops) => work(queue, count, loops),
      },
      byHand(50),
      byHand(500),
    ],
    tables: ["sluice.jobs"],
    clear: () => admin.query("TRUNCATE sluice.jobs, sluice.turns"),
    async left() {
      const { by_state } = await queue.stats();
      return by_state.queued + by_state.retrying + by_state.running;
    },
    close: storage.close,
  };
}

/** Sluice's own workers, until so many jobs are completed. */
async function work(queue: JobQueue, count: number, workers: number) {
  let completed = 0;
  let end = () => {};
  const all = new Promise<void>((resolve) => {
    end = resolve;
  });
  const counting: JobQueue = {
    ...queue,
    async complete(lease) {
      await queue.complete(lease);
      completed += 1;
      if (completed === count) end();
    },
  };
  // Such a job needs the queue alone.
  const parts = { queue: counting, system, log: silent } as unknown as WorkerDependencies;
  const started = Array.from({ length: workers }, () =>
    createWorker(parts, {
      worker_id: system.newId("wrk"),
      pid: process.pid,
      host: "bench",
      started_at: new Date(system.now()).toISOString(),
      concurrency: CONCURRENCY,
      lease_ms: LEASE_MS,
    }),
  );
  for (const worker of started) await worker.start();
  await all;
  return () => Promise.all(started.map((worker) => worker.stop(1_000)));
}

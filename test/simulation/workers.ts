/** One simulated worker process: claims jobs, and sweeps blobs, as `sluice worker` does. */
import { sweepBlobs } from "../../src/worker/sweep.ts";
import { createWorker, type Worker } from "../../src/worker/worker.ts";
import type { Installation } from "./installation.ts";
import { openPorts } from "./ports.ts";
import type { Process } from "./scheduler.ts";
import { chunking } from "./texts.ts";

export interface WorkerProcess {
  process: Process;
  worker_id: string;
  worker: Worker;
}

const SWEEP_MS = 6 * 3_600_000;

export function startWorker({ scheduler, outside, settings, log, plant }: Installation): WorkerProcess {
  const { random } = scheduler;
  const process = scheduler.spawn("worker", random.below(1_000));
  const { system } = process;
  const ports = openPorts(scheduler, process, outside, plant);
  const worker_id = system.newId("wrk");
  const { lease_ms, retry, max_running_per_tenant } = settings;
  const worker = createWorker(
    { ...ports, system, chunking, typeOf: async () => "text/plain", retry, log },
    {
      worker_id,
      pid: 1,
      host: "simulated",
      started_at: new Date(system.now()).toISOString(),
      concurrency: 1 + random.below(2),
      lease_ms,
      ...(max_running_per_tenant === undefined ? {} : { max_running_per_tenant }),
    },
  );
  void (async () => {
    await worker.start();
    for (;;) {
      await sweepBlobs({ ...ports, system }, new AbortController().signal).catch(() => {});
      await system.sleep(SWEEP_MS * (0.5 + system.random()));
    }
  })();
  return { process, worker_id, worker };
}

/** The processes of one simulated installation, the readers that follow it, and what goes wrong with them. */
import { recoverWorker } from "../../src/worker/worker.ts";
import { type Api, startApi } from "./api.ts";
import { createInstallation } from "./installation.ts";
import { openPorts, type Plant } from "./ports.ts";
import type { Process, Scheduler } from "./scheduler.ts";
import { standing } from "./standing.ts";
import { createSubscribers } from "./subscribers.ts";
import { startWorker, type WorkerProcess } from "./workers.ts";

export type World = ReturnType<typeof createWorld>;

/** Every blob that nothing names is old enough to be swept after it. */
const LONG_SLEEP_MS = 7 * 3_600_000;

export function createWorld(scheduler: Scheduler, plant?: Plant) {
  const { random } = scheduler;
  const installation = createInstallation(scheduler, plant);
  const { outside, settings, log } = installation;
  const recovery = { retry: settings.retry, log };
  const apis: Api[] = Array.from({ length: random.chance(0.3) ? 2 : 1 }, () => startApi(installation));
  const anApi = () => random.pick(apis);
  const subscribers = createSubscribers(scheduler, outside, anApi);
  const workers: (WorkerProcess & { leaving: boolean })[] = [];
  let supervisor: Process;
  let dark = false;

  function bootWorker(place: number): void {
    workers[place] = { ...startWorker(installation), leaving: false };
  }

  function bootSupervisor(): void {
    supervisor = scheduler.spawn("supervisor");
  }

  /** As the supervisor does when it sees a child end: what that held is released at once. */
  async function release(worker_id: string): Promise<void> {
    const { system } = supervisor;
    const ports = openPorts(scheduler, supervisor, outside, plant);
    // Where it can't, leases run out.
    await recoverWorker({ ...ports, ...recovery, system }, worker_id).catch(() => {});
  }

  async function killWorker(place: number, noticed: boolean): Promise<void> {
    const { process, worker_id } = workers[place] as WorkerProcess;
    scheduler.kill(process);
    if (noticed) await release(worker_id);
    else await supervisor.system.sleep(random.below(20_000));
    bootWorker(place);
  }

  /** SIGTERM: it may end what it runs, or hands it back. */
  async function stopWorker(place: number): Promise<void> {
    const leaving = workers[place] as (typeof workers)[number];
    leaving.leaving = true;
    const stopped = leaving.worker.stop(random.below(3_000)).catch(() => {});
    await Promise.race([stopped, leaving.process.died]);
    // Killed while it was leaving: whoever killed it starts the next one.
    if (leaving.process.dead) return;
    scheduler.kill(leaving.process);
    await release(leaving.worker_id);
    bootWorker(place);
  }

  function killApi(place: number): void {
    scheduler.kill((apis[place] as Api).process);
    apis[place] = startApi(installation);
    subscribers.reconnect();
  }

  /** Everything dies at once. The next start looks for workers that an earlier one left, as `sluice start` does. */
  async function cutPower(): Promise<void> {
    dark = true;
    for (const { process } of [...workers, ...apis]) scheduler.kill(process);
    scheduler.kill(supervisor);
    bootSupervisor();
    await supervisor.system.sleep(random.below(5_000));
    const { queue } = openPorts(scheduler, supervisor, outside, plant);
    const left = await queue.workers().catch(() => []);
    for (const { worker_id } of left) await release(worker_id);
    for (let place = 0; place < workers.length; place++) bootWorker(place);
    for (let place = 0; place < apis.length; place++) apis[place] = startApi(installation);
    subscribers.reconnect();
    dark = false;
  }

  bootSupervisor();
  const count = 1 + random.below(3);
  for (let place = 0; place < count; place++) bootWorker(place);

  const faults: { weight: number; happen: () => void }[] = [];
  const fault = (weight: number, happen: () => void) => void faults.push({ weight, happen });
  const someWorker = (then: (place: number, worker: (typeof workers)[number]) => unknown) => {
    const place = random.below(workers.length);
    const worker = workers[place] as (typeof workers)[number];
    if (!worker.process.dead) void then(place, worker);
  };
  /** Now, or at one of the moments when it matters most. */
  const soon = (process: Process, then: () => unknown) => {
    const at = random.pick([
      undefined,
      "documents.commit",
      "settle:",
      "succeeded",
      "vectors",
      "queue.claim answers",
    ]);
    if (at === undefined) then();
    else scheduler.ambush(process, at, () => process.dead || then());
  };
  fault(10, () =>
    someWorker((place, { process }) => soon(process, () => killWorker(place, random.chance(0.7)))),
  );
  fault(4, () => someWorker((place, { leaving }) => leaving || stopWorker(place)));
  fault(4, () => {
    const place = random.below(apis.length);
    const { process } = apis[place] as Api;
    soon(process, () => killApi(place));
  });
  // Longer than its lease: it goes on as one whose job is somebody else's.
  fault(7, () =>
    someWorker((_, { process }) =>
      soon(process, () => scheduler.freeze(process, settings.lease_ms + random.below(20_000))),
    ),
  );
  fault(1, () => scheduler.freeze(anApi().process, random.below(20_000)));
  fault(2, () => subscribers.breakOff());
  fault(1, () => void cutPower());
  fault(1, () => scheduler.moveClocks(random.pick([-3_600_000, -60_000, 60_000, 3_600_000])));
  fault(1, () => scheduler.suspend(standing.sweepOnWaking ? 60_000 : random.pick([60_000, LONG_SLEEP_MS])));
  const weights = faults.reduce((sum, { weight }) => sum + weight, 0);

  return {
    outside,
    settings,
    published: outside.published,
    subscribers,
    logged: installation.logged,
    api: anApi,
    /** Everybody is gone; what is left is what lies in the database and the blob store. */
    end(): void {
      for (const { process } of [...workers, ...apis]) scheduler.kill(process);
      scheduler.kill(supervisor);
    },
    /** One thing goes wrong; unless nothing runs that it could happen to. */
    fault(): void {
      if (dark) return;
      let rest = random.below(weights);
      for (const { weight, happen } of faults) {
        rest -= weight;
        if (rest < 0) {
          happen();
          break;
        }
      }
    },
  };
}

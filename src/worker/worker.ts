/**
 * A worker: claims jobs, runs them under leases, and settles what fails. It also looks after the jobs of workers that
 * fell silent.
 *
 * The lease decides who may write. When it is lost (cancelled, expired, taken over), the job's signal fires and
 * whatever it still tries to write is refused by the store.
 */
import { SluiceError } from "../errors.ts";
import {
  type ClaimedJob,
  DELETE_DOCUMENT,
  INGEST_DOCUMENT,
  REEMBED_DOCUMENT,
  REMOVE_ENTRIES,
} from "../job.ts";
import { erase, removeEntries } from "../pipeline/erase.ts";
import { type FailureDependencies, isCondemned, settleFailure, workerLost } from "../pipeline/failure.ts";
import { type IngestDependencies, ingest } from "../pipeline/ingest.ts";
import { reembed } from "../pipeline/reembed.ts";
import { ConflictError } from "../ports/document-store.ts";
import type { WorkerPresence } from "../ports/job-queue.ts";
import type { Log } from "../ports/log.ts";

export interface WorkerDependencies extends IngestDependencies, FailureDependencies {
  log: Log;
}

export interface WorkerOptions extends WorkerPresence {
  /** Jobs run at a time. */
  concurrency: number;
  lease_ms: number;
  /** Of all workers together. Default: no limit. */
  max_running_per_tenant?: number;
}

export interface Worker {
  /** Resolves when the worker is known to the queue and claims jobs. */
  start(): Promise<void>;
  /**
   * Claims no more; waits up to `deadline_ms` for the running jobs, then stops them and hands them back to be run
   * at once by others, from their checkpoints. Resolves when nothing runs.
   */
  stop(deadline_ms: number): Promise<void>;
}

interface Running {
  claimed: ClaimedJob;
  controller: AbortController;
  ended: Promise<void>;
}

/** Often enough to be seen alive, whatever the lease. */
const PRESENCE_MS = 2_000;
const RECOVERED_AT_ONCE = 50;
/** A clock that jumps must not keep a worker asleep for long. */
const MAX_SLEEP_MS = 60_000;

/** Why a job's signal fired. */
const leaseLost = new ConflictError("lease_lost");
const handedBack = new SluiceError(
  "shutting_down",
  "The worker that ran this job was stopped; it goes on elsewhere.",
);

export function createWorker(dependencies: WorkerDependencies, options: WorkerOptions): Worker {
  const { queue, system, log } = dependencies;
  const { worker_id, concurrency, lease_ms, max_running_per_tenant } = options;
  /** By lease token: a job taken away may come back while its earlier run is still unwinding. */
  const running = new Map<string, Running>();
  const stopping = new AbortController();
  const claiming = {
    signal: stopping.signal,
    ...(max_running_per_tenant === undefined ? {} : { max_running_per_tenant }),
  };
  const stopped = new AbortController();
  let unwatch: (() => void) | undefined;
  let alarm = new AbortController();

  /** Runs a task again and again as long as it was asked for meanwhile, never twice at a time. */
  function coalesced(name: string, task: () => Promise<void>) {
    let active: Promise<void> | undefined;
    let again = false;
    return function run(): Promise<void> {
      again = true;
      active ??= (async () => {
        try {
          while (again) {
            again = false;
            await task();
          }
        } catch (error) {
          // The next signal or beat tries again: a queue that is away for a while must not end the worker.
          log.error({ err: error, worker_id }, `${name} failed; trying again`);
        } finally {
          active = undefined;
        }
      })();
      return active;
    };
  }

  const fill = coalesced("claiming jobs", async () => {
    while (!stopping.signal.aborted && running.size < concurrency) {
      const claimed = await queue.claim(worker_id, concurrency - running.size, lease_ms, claiming);
      for (const each of claimed) begin(each);
      if (claimed.length === 0) break;
    }
    if (stopping.signal.aborted || running.size >= concurrency) return;
    const next = await queue.nextReadyAt();
    if (next !== null && !stopping.signal.aborted) wakeAt(next);
  });

  /** Claims again when the next delayed job is due; a later call takes the place of an earlier one. */
  function wakeAt(time: number): void {
    alarm.abort();
    alarm = new AbortController();
    const { signal } = alarm;
    const delay = Math.min(Math.max(1, time - system.now()), MAX_SLEEP_MS);
    void system.sleep(delay, signal).then(() => {
      if (!signal.aborted) void fill();
    });
  }

  /** The leases to ask after: of runs that are not known to have lost theirs. */
  function held(): ClaimedJob[] {
    const alive = [...running.values()].filter(({ controller }) => controller.signal.reason !== leaseLost);
    return alive.map(({ claimed }) => claimed);
  }

  /** @param leases that were asked after: what was claimed since has a lease of its own */
  function stopLost(leases: ClaimedJob[], lost: string[]): void {
    for (const { job_id, lease_token } of leases) {
      if (lost.includes(job_id)) running.get(lease_token)?.controller.abort(leaseLost);
    }
  }

  const dropLost = coalesced("checking leases", async () => {
    if (running.size === 0) return;
    const leases = held();
    stopLost(leases, await queue.lost(leases));
  });

  const heartbeat = coalesced("the heartbeat", async () => {
    const leases = held();
    stopLost(leases, await queue.heartbeat(options, leases, lease_ms));
    for (const claimed of await queue.expired(RECOVERED_AT_ONCE)) {
      // A lease of this very worker that ran out while it was held up: still ours, and just renewed.
      if (!running.has(claimed.lease_token)) await recoverJob(dependencies, claimed);
    }
  });

  async function keepBeating(): Promise<void> {
    while (!stopped.signal.aborted) {
      await system.sleep(Math.min(PRESENCE_MS, lease_ms / 3), stopped.signal);
      if (stopped.signal.aborted) return;
      await heartbeat();
      // A claim that failed has nobody else to ask for it again.
      void fill();
    }
  }

  function begin(claimed: ClaimedJob): void {
    // The queue gave it out anew, so whatever run of it is still here has lost its lease.
    stopLost(held(), [claimed.job_id]);
    const controller = new AbortController();
    const ended = run(claimed, controller.signal)
      .then(() => release(claimed))
      .finally(() => {
        running.delete(claimed.lease_token);
        void fill();
      });
    running.set(claimed.lease_token, { claimed, controller, ended });
  }

  async function release(claimed: ClaimedJob): Promise<void> {
    try {
      await queue.release?.(claimed);
    } catch (error) {
      // Then the message comes again, and finds its job settled.
      log.warn({ err: error, job_id: claimed.job_id }, "the job's message was not let go of");
    }
  }

  async function run(claimed: ClaimedJob, signal: AbortSignal): Promise<void> {
    const { job } = claimed;
    const about = {
      job_id: job.job_id,
      tenant_id: job.tenant_id,
      document_id: job.payload.document_id,
      correlation_id: job.correlation_id,
      attempt: job.attempts,
    };
    log.info(about, `${job.job_type} started`);
    const started = system.monotonic();
    try {
      await handle(claimed, signal);
      log.info({ ...about, duration_ms: Math.round(system.monotonic() - started) }, `${job.job_type} done`);
    } catch (error) {
      const cause = signal.aborted ? signal.reason : error;
      if (cause instanceof ConflictError && !isCondemned(cause)) {
        log.info({ ...about, reason: cause.reason }, `${job.job_type} stopped: no longer ours`);
        return;
      }
      try {
        const outcome = await settleFailure(dependencies, claimed, cause);
        const line = outcome.state === "dead" ? "failed for good" : "failed; will be retried";
        log.warn({ ...about, ...outcome, err: cause }, `${job.job_type} ${line}`);
      } catch (unsettled) {
        // Cancelled meanwhile, or the store is away: then the lease runs out and the attempt counts as lost.
        log.warn(
          { ...about, err: unsettled, failure: cause },
          `${job.job_type} failed and could not be settled`,
        );
      }
    }
  }

  function handle(claimed: ClaimedJob, signal: AbortSignal): Promise<void> {
    switch (claimed.job.job_type) {
      case INGEST_DOCUMENT:
        return ingest(dependencies, claimed, worker_id, signal);
      case DELETE_DOCUMENT:
        return erase(dependencies, claimed);
      case REEMBED_DOCUMENT:
        return reembed(dependencies, claimed, signal);
      case REMOVE_ENTRIES:
        return removeEntries(dependencies, claimed);
      default:
        throw new SluiceError("internal", `No worker knows jobs of type ${claimed.job.job_type}.`, {
          retryable: false,
        });
    }
  }

  return {
    async start() {
      await heartbeat();
      unwatch = queue.watchJobs(() => {
        void dropLost();
        void fill();
      });
      void keepBeating();
      // Not waited for: a queue may wait for jobs to come, and is asked again and again meanwhile.
      void fill();
      log.info({ worker_id, concurrency }, "worker ready");
    },

    async stop(deadline_ms) {
      stopping.abort();
      unwatch?.();
      alarm.abort();
      // A claim under way may still bring jobs; then it is over, and no other comes.
      const all = async () => {
        await fill();
        await Promise.all([...running.values()].map(({ ended }) => ended));
      };
      const deadline = new AbortController();
      await Promise.race([all(), system.sleep(deadline_ms, deadline.signal)]);
      deadline.abort();
      await fill();
      for (const { controller } of running.values()) controller.abort(handedBack);
      await all();
      stopped.abort();
      await heartbeat();
      await queue.removeWorker(worker_id);
    },
  };
}

/** Settles a job whose worker is gone, as the failed attempt that it was. */
export async function recoverJob(
  dependencies: FailureDependencies & { log: Log },
  claimed: ClaimedJob,
): Promise<void> {
  const { job_id, tenant_id, correlation_id, attempts, leased_by } = claimed.job;
  const about = { job_id, tenant_id, correlation_id, attempt: attempts, worker_id: leased_by };
  try {
    const outcome = await settleFailure(dependencies, claimed, workerLost(claimed));
    dependencies.log.warn({ ...about, ...outcome }, "recovered the job of a lost worker");
  } catch (error) {
    // Somebody else was faster, and that is as good.
    if (!(error instanceof ConflictError)) throw error;
  }
}

/** Settles every job that a dead worker held, and forgets the worker. */
export async function recoverWorker(
  dependencies: FailureDependencies & { log: Log },
  worker_id: string,
): Promise<number> {
  const held = await dependencies.queue.heldBy(worker_id);
  for (const claimed of held) await recoverJob(dependencies, claimed);
  await dependencies.queue.removeWorker(worker_id);
  return held.length;
}

/**
 * A JobQueue whose jobs live in the database and are brought to workers by SQS. The database is the truth of a job
 * (state, attempts, lease, dead letter); a message only says which job to look at, so one that comes twice, late or
 * never does no harm.
 *
 * What SQS can't give: turns between tenants and priorities. A standard queue on AWS shares its receivers fairly
 * between tenants as far as fair queues do; `max_running_per_tenant` holds everywhere.
 */
import type { ClaimedJob, Lease } from "../../job.ts";
import type { JobDispatch } from "../../ports/job-dispatch.ts";
import type { ClaimOptions, JobQueue } from "../../ports/job-queue.ts";
import type { Log } from "../../ports/log.ts";
import type { System } from "../../ports/system.ts";
import { type AwsConnectionOptions, describeAwsError } from "./connection.ts";
import { createDeadLetters } from "./sqs-dead-letters.ts";
import { createDispatcher } from "./sqs-dispatcher.ts";
import { BATCH, createMessages, createSqsClient, type JobMessage } from "./sqs-messages.ts";

export interface SqsQueueOptions extends AwsConnectionOptions {
  queue_url: string;
  /** Where the queue's redrive policy puts messages that were received too often. Default: nobody looks there. */
  dead_letter_queue_url?: string;
  /** How long one receive waits for messages, 0 to 20. Default 5. */
  wait_seconds?: number;
  /** Longer delays wait in the database. Default 900, all that SQS allows; 0 for a FIFO queue. */
  max_delay_seconds?: number;
  /** After which a job that still waits is thought lost by SQS, and sent again. Default 6 hours. */
  again_ms?: number;
  /** The database's own queue and its half of the dispatch. */
  inner: JobQueue;
  dispatch: JobDispatch;
  system: System;
  log: Log;
}

export interface SqsQueue extends JobQueue {
  /** Sends what is due now, for tests that drive it by hand. */
  dispatchDue(): Promise<void>;
  /** From now on this process tells SQS of jobs. */
  start(): void;
  close(): Promise<void>;
}

const AGAIN_MS = 6 * 3_600_000;
/** A job that its message found not to be run yet: its tenant has enough running, or clocks differ. */
const DEFERRED_MS = 3_000;
const LONGEST_DELAY_SECONDS = 900;
const LONGEST_VISIBILITY_SECONDS = 43_200;
/** Of messages whose jobs could not be asked for. */
const BACK_SECONDS = 5;

export function createSqsQueue(options: SqsQueueOptions): SqsQueue {
  const { inner, dispatch, system, log, queue_url, wait_seconds = 5 } = options;
  const client = createSqsClient(options, wait_seconds);
  const messages = createMessages(client, queue_url);
  const fifo = queue_url.endsWith(".fifo");
  const dispatcher = createDispatcher({
    client,
    queue_url,
    dispatch,
    watchJobs: inner.watchJobs,
    system,
    log,
    fifo,
    // Services that only speak SQS's protocol refuse a group in a standard queue.
    fair: options.endpoint === undefined,
    max_delay_ms: (options.max_delay_seconds ?? (fifo ? 0 : LONGEST_DELAY_SECONDS)) * 1_000,
    again_ms: options.again_ms ?? AGAIN_MS,
  });
  const deadLetters = createDeadLetters({ ...options, client });
  /** Messages of running jobs, by lease token. `until`: when they would be given to somebody else. */
  const held = new Map<string, { receipt: string; until: number }>();
  const background = new Set<Promise<void>>();

  /** Runs what nobody waits for: if it fails, the message comes again, and its job is found settled. */
  function aside(what: string, work: Promise<void>): void {
    const done = work
      .catch((error) => log.warn({ reason: describeAwsError(error) }, `SQS: ${what} failed; it comes again`))
      .finally(() => background.delete(done));
    background.add(done);
  }

  /**
   * @returns undefined when the signal fired first: what arrives then is put back at once
   */
  async function receive(
    limit: number,
    wait: number,
    lease_ms: number,
    signal: AbortSignal | undefined,
  ): Promise<JobMessage[] | undefined> {
    if (signal?.aborted) return undefined;
    const receiving = messages.receive(limit, wait, visibilityOf(lease_ms));
    if (!signal) return receiving;
    const fired = new AbortController();
    const aborted = new Promise<undefined>((resolve) => {
      signal.addEventListener("abort", () => resolve(undefined), { once: true, signal: fired.signal });
    });
    const received = await Promise.race([receiving, aborted]);
    fired.abort();
    if (!received) {
      aside(
        "putting back a message",
        receiving.then((late) => messages.hide(late.map(toReceipt), 0)),
      );
    }
    return received;
  }

  /** Claims the jobs of some messages, and lets go of the messages whose jobs are not to be run. */
  async function claimAll(
    received: JobMessage[],
    worker_id: string,
    lease_ms: number,
    claiming: ClaimOptions,
  ): Promise<ClaimedJob[]> {
    const ours = new Map<string, string>();
    const useless: string[] = [];
    for (const { job_id, receipt } of received) {
      // Somebody else's is left to the redrive policy.
      if (job_id === undefined) log.warn({ queue_url }, "SQS: a message that names no job; it is left alone");
      else if (ours.has(job_id)) useless.push(receipt);
      else ours.set(job_id, receipt);
    }
    if (ours.size === 0) return [];
    const now = system.now();
    const putBack = () => aside("putting back a message", messages.hide([...ours.values()], BACK_SECONDS));
    const { max_running_per_tenant } = claiming;
    const most = max_running_per_tenant === undefined ? {} : { max_running_per_tenant };
    let claimed: ClaimedJob[];
    try {
      ({ claimed } = await dispatch.claimJobs(worker_id, [...ours.keys()], lease_ms, most));
    } catch (error) {
      putBack();
      throw error;
    }
    for (const { job_id, lease_token } of claimed) {
      held.set(lease_token, { receipt: ours.get(job_id)!, until: now + visibilityOf(lease_ms) * 1_000 });
      ours.delete(job_id);
    }
    try {
      // Those that wait for something come again soon; of all others this changes nothing.
      if (ours.size > 0) {
        await dispatch.markDispatched([...ours.keys()], DEFERRED_MS);
        dispatcher.ring();
      }
    } catch (error) {
      log.warn({ err: error }, "SQS: messages go back, for their jobs could not be marked");
      putBack();
      ours.clear();
    }
    useless.push(...ours.values());
    if (useless.length > 0) aside("deleting a message", messages.remove(useless));
    return claimed;
  }

  return {
    ...inner,

    async claim(worker_id, limit, lease_ms, claiming = {}) {
      const claimed: ClaimedJob[] = [];
      while (claimed.length < limit) {
        // Only who has nothing to run waits.
        const wait = claimed.length === 0 ? wait_seconds : 0;
        const room = Math.min(BATCH, limit - claimed.length);
        const received = await receive(room, wait, lease_ms, claiming.signal);
        if (!received || received.length === 0) break;
        claimed.push(...(await claimAll(received, worker_id, lease_ms, claiming)));
      }
      return claimed;
    },

    async heartbeat(worker, leases, lease_ms) {
      const lost = await inner.heartbeat(worker, leases, lease_ms);
      const now = system.now();
      const gone = new Set(lost);
      const soon = leases
        .filter(({ job_id }) => !gone.has(job_id))
        .map(({ lease_token }) => held.get(lease_token))
        .filter((message) => message !== undefined)
        .filter(({ until }) => until - now < lease_ms / 2);
      for (const message of soon) message.until = now + visibilityOf(lease_ms) * 1_000;
      // Not waited for: leases are renewed in the database, also while SQS is away.
      if (soon.length > 0) {
        aside("keeping a message hidden", messages.hide(soon.map(toReceipt), visibilityOf(lease_ms)));
      }
      return lost;
    },

    async expired(limit) {
      const found = await inner.expired(limit);
      if (found.length >= limit) return found;
      return [...found, ...(await deadLetters.take(limit - found.length))];
    },

    async release({ lease_token }: Lease) {
      const message = held.get(lease_token);
      if (!message) return;
      held.delete(lease_token);
      aside("deleting a message", messages.remove([message.receipt]));
    },

    // SQS says when there is something; the claim itself waits for it.
    nextReadyAt: async () => system.now(),

    dispatchDue: dispatcher.dispatchDue,
    start: dispatcher.start,

    async close() {
      await dispatcher.close();
      await deadLetters.close();
      await Promise.all(background);
      client.destroy();
    },
  };
}

const toReceipt = ({ receipt }: { receipt: string }) => receipt;

/** As long as the lease: then the message comes again when the job may be run by another. */
function visibilityOf(lease_ms: number): number {
  return Math.min(Math.max(1, Math.ceil(lease_ms / 1_000)), LONGEST_VISIBILITY_SECONDS);
}

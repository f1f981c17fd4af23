/**
 * Tells SQS of jobs that are ready, or will be soon. The jobs table is the outbox: whatever dies between a commit and
 * the message, the job is still marked as not sent, and any process sends it.
 */
import { randomUUID } from "node:crypto";
import { SendMessageBatchCommand, type SQSClient } from "@aws-sdk/client-sqs";
import type { Dispatch, JobDispatch } from "../../ports/job-dispatch.ts";
import type { Log } from "../../ports/log.ts";
import type { System } from "../../ports/system.ts";
import { describeAwsError } from "./connection.ts";
import { BATCH, encodeMessage } from "./sqs-messages.ts";

export interface DispatcherOptions {
  client: SQSClient;
  queue_url: string;
  dispatch: JobDispatch;
  watchJobs(listener: () => void): () => void;
  system: System;
  log: Log;
  /** A queue whose name ends in .fifo: it keeps order within a group, and takes no delay of a single message. */
  fifo: boolean;
  /** Whether a standard queue is to share its receivers fairly between groups, here tenants. */
  fair: boolean;
  /** Longer delays wait in the database. */
  max_delay_ms: number;
  /** After which a job that still waits is sent again. */
  again_ms: number;
}

/** Sent by one process at a time; it has so long before another takes it for dead, and perhaps sends it twice. */
const SENDING_MS = 15_000;
const TAKEN_AT_ONCE = 10 * BATCH;
/** How soon a message that was refused is sent again, and at most how late after many refusals. */
const RETRY_MS = 1_000;
const RETRY_CAP_MS = 30_000;
/** Nobody may have told of a job, or the clock may have jumped. */
const LOOK_MS = 15_000;

export interface Dispatcher {
  /** Sends until nothing is due; with `start` there is no need to. @throws what SQS or the database throws */
  dispatchDue(): Promise<void>;
  start(): void;
  /** Something may be due sooner than it was thought. */
  ring(): void;
  /** What is under way is finished. */
  close(): Promise<void>;
}

export function createDispatcher(options: DispatcherOptions): Dispatcher {
  const { client, dispatch, system, log, max_delay_ms, again_ms } = options;
  const stopping = new AbortController();
  let failures = 0;
  let loop: Promise<void> | undefined;
  let bell = new AbortController();
  let unwatch: (() => void) | undefined;

  /** @returns how many were taken */
  async function dispatchSome(): Promise<number> {
    const taken = await dispatch.takeUndispatched(TAKEN_AT_ONCE, max_delay_ms, SENDING_MS);
    if (taken.length === 0) return 0;
    const batches: Dispatch[][] = [];
    for (let from = 0; from < taken.length; from += BATCH) batches.push(taken.slice(from, from + BATCH));
    const results = await Promise.allSettled(batches.map(send));
    const failed: string[] = [];
    let reason: unknown;
    for (const [place, result] of results.entries()) {
      const refused = result.status === "fulfilled" ? result.value.refused : batches[place]!.map(toId);
      failed.push(...refused);
      if (result.status === "rejected") reason ??= result.reason;
      else if (result.value.reason) reason ??= result.value.reason;
    }
    const missing = new Set(failed);
    const sent = taken.map(toId).filter((job_id) => !missing.has(job_id));
    if (sent.length > 0) await dispatch.markDispatched(sent, again_ms);
    if (failed.length > 0) {
      await dispatch.markDispatched(failed, RETRY_MS);
      throw reason;
    }
    return taken.length;
  }

  async function send(jobs: Dispatch[]): Promise<{ refused: string[]; reason?: Error }> {
    const now = system.now();
    const { Failed = [] } = await client.send(
      new SendMessageBatchCommand({
        QueueUrl: options.queue_url,
        Entries: jobs.map((job, place) => ({
          Id: String(place),
          MessageBody: encodeMessage(job.job_id, job.tenant_id),
          ...placeOf(job, now),
        })),
      }),
    );
    const [first] = Failed;
    return {
      refused: Failed.map(({ Id }) => jobs[Number(Id)]!.job_id),
      ...(first ? { reason: new Error(`${first.Code}: ${first.Message}`) } : {}),
    };
  }

  function placeOf({ run_at, tenant_id }: Dispatch, now: number) {
    // A group of its own for each: the database keeps in order what has to be, and none waits for another's message.
    // And no other's deduplication: a job that is to run again must not be taken for the message of its first run.
    if (options.fifo) return { MessageGroupId: randomUUID(), MessageDeduplicationId: randomUUID() };
    return {
      DelaySeconds: Math.ceil(Math.max(0, Math.min(run_at - now, max_delay_ms)) / 1_000),
      ...(options.fair ? { MessageGroupId: tenant_id } : {}),
    };
  }

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      const rung = bell.signal;
      try {
        if ((await dispatchSome()) > 0) {
          recovered();
          continue;
        }
        const next = await dispatch.nextDispatchAt(max_delay_ms);
        const wait = next === null ? LOOK_MS : Math.min(Math.max(10, next - system.now()), LOOK_MS);
        await system.sleep(wait, rung);
      } catch (error) {
        failures += 1;
        const line = "jobs can't be told to SQS; they are kept, and it is tried again";
        if (failures === 1) log.error({ err: error, reason: describeAwsError(error) }, line);
        await system.sleep(Math.min(RETRY_MS * 2 ** (failures - 1), RETRY_CAP_MS), stopping.signal);
      }
      if (bell.signal.aborted && !stopping.signal.aborted) bell = new AbortController();
    }
  }

  const ring = () => bell.abort();

  function recovered(): void {
    if (failures > 0) log.info({ failures }, "SQS takes jobs again");
    failures = 0;
  }

  return {
    async dispatchDue() {
      while ((await dispatchSome()) > 0);
    },
    start() {
      unwatch = options.watchJobs(ring);
      loop ??= run();
    },
    ring,
    async close() {
      stopping.abort();
      bell.abort();
      unwatch?.();
      await loop;
    },
  };
}

const toId = ({ job_id }: { job_id: string }) => job_id;

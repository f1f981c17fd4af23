/**
 * Messages that SQS gave up on: received as often as the redrive policy allows, and never deleted. Their jobs still
 * wait in the database, and are handed out as attempts that were lost, so that they are retried or end as dead letters
 * where all the others are.
 */
import type { SQSClient } from "@aws-sdk/client-sqs";
import type { ClaimedJob } from "../../job.ts";
import type { JobDispatch } from "../../ports/job-dispatch.ts";
import type { Log } from "../../ports/log.ts";
import type { System } from "../../ports/system.ts";
import { describeAwsError } from "./connection.ts";
import { createMessages, type JobMessage } from "./sqs-messages.ts";

const LOOK_MS = 30_000;
/** Long enough to settle what was found; then it is looked at again. */
const HIDDEN_SECONDS = 60;
const LEASE_MS = 60_000;
/** In whose name the jobs are claimed: nobody's who could be alive. */
const NOBODY = "wrk_sqs_dead_letters";

export function createDeadLetters(parts: {
  client: SQSClient;
  dead_letter_queue_url?: string;
  dispatch: JobDispatch;
  system: System;
  log: Log;
}): { take(limit: number): Promise<ClaimedJob[]>; close(): Promise<void> } {
  const { dead_letter_queue_url: url, client, dispatch, system, log } = parts;
  if (!url) return { take: async () => [], close: async () => {} };
  const messages = createMessages(client, url);
  let found: JobMessage[] = [];
  let looking: Promise<void> | undefined;
  let looked = Number.NEGATIVE_INFINITY;
  let warned = false;

  async function look(): Promise<void> {
    try {
      const received = await messages.receive(10, 0, HIDDEN_SECONDS);
      const ours = received.filter(({ job_id }) => job_id !== undefined);
      found.push(...ours);
      if (ours.length < received.length && !warned) {
        log.warn({ dead_letter_queue_url: url }, "SQS: dead letters that name no job; they are left alone");
        warned = true;
      }
    } catch (error) {
      log.warn({ reason: describeAwsError(error) }, "SQS: the dead-letter queue can't be read");
    } finally {
      looking = undefined;
    }
  }

  return {
    /** Never waits for SQS: what a look brings, a later call hands out. */
    async take(limit) {
      if (!looking && system.monotonic() - looked >= LOOK_MS) {
        looked = system.monotonic();
        looking = look();
      }
      if (found.length === 0) return [];
      const letters = found.slice(0, limit);
      const ids = letters.flatMap(({ job_id }) => job_id ?? []);
      const { claimed } = await dispatch.claimJobs(NOBODY, ids, LEASE_MS);
      found = found.slice(letters.length);
      // Claimed or not to be run: nothing depends on them any more. Not waited for, and if it fails they come again.
      messages
        .remove(letters.map(({ receipt }) => receipt))
        .catch((error) =>
          log.warn({ reason: describeAwsError(error) }, "SQS: a dead letter stays; it comes again"),
        );
      return claimed;
    },
    close: async () => looking,
  };
}

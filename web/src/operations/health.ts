/** Is anything wrong, and what is to be done about it? Pure. */
import type { Operations } from "../../../src/client/index.ts";
import { errorTable } from "../../../src/errors.ts";
import { spanWords } from "../ui/times.ts";
import { plural } from "../words.ts";

export interface Finding {
  about: "workers" | "waiting" | "dead" | "failing";
  level: "good" | "warn" | "bad";
  /** What is so. */
  words: string;
  /** What to do; none where nothing is to be done. */
  advice?: string;
}

/** Not heard of for this long, a worker counts as gone: several of its heartbeats. */
export const SILENT_MS = 15_000;
const WAITING_WARN_MS = 60_000;
const WAITING_BAD_MS = 10 * 60_000;
/** Of these many last minutes it is told whether ingestions fail now. */
const NOW_MINUTES = 5;

export function isSilent(last_seen_at: string, now: number): boolean {
  return now - Date.parse(last_seen_at) > SILENT_MS;
}

/** Jobs that wait for a worker, whether for the first time or again. */
export function waitingOf({ by_state }: Operations["queue"]): number {
  return by_state.queued + by_state.retrying;
}

/** The worst comes first; there is always one of each kind. */
export function findingsOf(operations: Operations): Finding[] {
  const order = { bad: 0, warn: 1, good: 2 };
  return [workers(operations), waiting(operations), failing(operations), dead(operations)].sort(
    (a, b) => order[a.level] - order[b.level],
  );
}

/** All of it in one line. */
export function verdictOf(findings: readonly Finding[]): { level: Finding["level"]; words: string } {
  const level = findings[0]?.level ?? "good";
  const words = {
    good: "All is well",
    warn: "Works, with something to look at",
    bad: "Something needs you",
  }[level];
  return { level, words };
}

function workers({ at, workers, queue }: Operations): Finding {
  const now = Date.parse(at);
  const silent = workers.filter((worker) => isSilent(worker.last_seen_at, now));
  const alive = workers.length - silent.length;
  if (alive === 0) {
    const wait = waitingOf(queue);
    return {
      about: "workers",
      level: "bad",
      words: `No worker is running${wait > 0 ? `, and ${plural(wait, "job")} wait${wait === 1 ? "s" : ""}` : ""}`,
      advice: "Start one: `sluice start` runs some beside the server, `sluice worker` runs one alone.",
    };
  }
  if (silent.length > 0) {
    const names = silent.map(({ host, pid }) => `${host} (${pid})`).join(", ");
    return {
      about: "workers",
      level: "warn",
      words: `${plural(silent.length, "worker")} not heard of: ${names}`,
      advice:
        "It ended without a word, or can't reach the database. What it held is taken over by the others when its lease ends.",
    };
  }
  return { about: "workers", level: "good", words: `${plural(alive, "worker")} alive` };
}

function waiting({ queue, workers }: Operations): Finding {
  const age = queue.oldest_ready_ms;
  const wait = waitingOf(queue);
  if (age === null || age < WAITING_WARN_MS) {
    const words = wait === 0 ? "Nothing waits" : `${wait.toLocaleString("en")} waiting`;
    return {
      about: "waiting",
      level: "good",
      words: age === null || wait === 0 ? words : `${words}, the oldest for ${spanWords(age)}`,
    };
  }
  const busy = workers.some(({ holds, holds_of_others }) => holds.length + holds_of_others > 0);
  return {
    about: "waiting",
    level: age < WAITING_BAD_MS ? "warn" : "bad",
    words: `The oldest waiting job is ready for ${spanWords(age)}`,
    advice: busy
      ? "The workers are at work and there is more than they can do: more of them (SLUICE_WORKERS, or `sluice worker` on another machine) drain the queue faster."
      : "No worker takes it: look at the workers below, and at their log.",
  };
}

function dead({ dead }: Operations): Finding {
  const total = dead.reduce((sum, { jobs }) => sum + jobs, 0);
  const most = dead[0];
  if (most === undefined) return { about: "dead", level: "good", words: "No dead letters" };
  const again = errorTable[most.code]?.retryable ?? false;
  return {
    about: "dead",
    level: "warn",
    words: `${plural(total, "dead letter")}, ${most.jobs === total ? "all" : `${most.jobs.toLocaleString("en")} of them`} by ${most.code}`,
    advice: again
      ? `When the cause is gone, redrive them below. ${fixOf(most.code)}`
      : `${fixOf(most.code)} A redrive alone will hardly help.`,
  };
}

function failing({ activity, queue }: Operations): Finding {
  const last = activity.minutes.slice(-NOW_MINUTES);
  const sum = (field: "failed" | "retried" | "completed") =>
    last.reduce((total, minute) => total + minute[field], 0);
  const failed = sum("failed");
  const retried = sum("retried");
  const completed = sum("completed");
  const { retrying } = queue.by_state;
  if (failed + retried === 0) {
    const words = retrying > 0 ? `${plural(retrying, "job")} to be tried again` : "Nothing fails now";
    return { about: "failing", level: "good", words };
  }
  const words = [
    failed > 0 ? `${plural(failed, "ingestion")} failed` : "",
    retried > 0 ? `${plural(retried, "attempt")} failed and ${retried === 1 ? "is" : "are"} made again` : "",
    `${completed.toLocaleString("en")} completed in the last ${NOW_MINUTES} minutes`,
  ]
    .filter(Boolean)
    .join(", ");
  // One bad file among good ones is the file's trouble; nearly all of them failing is the service's.
  if (failed + retried > completed) {
    return {
      about: "failing",
      level: "bad",
      words,
      advice:
        "More fails than succeeds, so it is hardly the files: check the embedder, the index and the disk (`sluice doctor`).",
    };
  }
  return { about: "failing", level: failed > 0 ? "warn" : "good", words };
}

/** What the table of errors says that one can do; a newer server may know codes that this page doesn't. */
export function fixOf(code: string): string {
  return (errorTable as Record<string, { fix: string }>)[code]?.fix ?? "";
}

export function titleOf(code: string): string {
  return (errorTable as Record<string, { title: string }>)[code]?.title ?? code;
}

/** Jobs that do nothing: how fast they go in, and how fast they go through. */
import type { Row, Table } from "../benchmark.ts";
import { POOL, type QueueUnderTest } from "./queues/queue.ts";
import { openQueues, peersNote } from "./queues.ts";
import { inRounds, inTurns, type Task } from "./rounds.ts";
import type { Server } from "./server.ts";

interface Options {
  quick: boolean;
  say(text: string): void;
}

const FILL = 500;
const BATCH = 100;
const ENQUEUED_SINGLY = 3_000;
const ENQUEUED_IN_BATCHES = 8_000;
const DRAINED = 25_000;

export async function queueThroughput(server: Server, { quick, say }: Options): Promise<Table[]> {
  const queues = await openQueues(server);
  try {
    say("  enqueue");
    const enqueued = await inRounds(enqueueTasks(queues, quick ? 300 : 2_000), quick ? 1 : 3, say);
    say("  drain");
    const jobs = quick ? 2_000 : 20_000;
    const drained = await inRounds(drainTasks(server, queues, jobs), quick ? 1 : 3, say);
    return [
      {
        title: "postgres: enqueue, jobs per second",
        rows: enqueued,
        notes: [
          `Each call answered before the caller's next; a batch is one call with ${BATCH} jobs. Pools of ${POOL} connections. ratio: of Sluice at the same.`,
          ...peersNote(),
        ],
      },
      {
        title: `postgres: ${jobs.toLocaleString("en-US")} jobs that do nothing, from start to all completed, jobs per second`,
        rows: drained,
        notes: [
          "All loops of a line in one process. ratio: of Sluice's claim 500, complete 500 with as many loops. Tables emptied, filled and analyzed before each.",
          "Sluice's claims are not waited for on the disk (synchronous_commit off for that one transaction: a claim undone is a job queued again); completions are.",
          "createWorker runs a job type that has nothing to do; the other lines of Sluice are queue.claim and queue.complete in a loop, as its worker calls them.",
          "graphile-worker removes what it completed, the others keep it.",
          ...beating(drained),
        ],
      },
    ];
  } finally {
    for (const queue of queues) await queue.close();
  }
}

function enqueueTasks(queues: QueueUnderTest[], calls: number): Task[] {
  const tasks = (what: string, aim: number | undefined, run: (queue: QueueUnderTest) => Promise<number>) =>
    queues.map(
      (queue, index): Task => ({
        task: `${queue.name}, ${what}`,
        beside: `Sluice, ${what}`,
        prepare: queue.clear,
        run: () => run(queue),
        ...(index === 0 && aim !== undefined ? { aim } : {}),
      }),
    );
  const inBatches = async (queue: QueueUnderTest, callers: number) =>
    BATCH * (await inTurns(calls / BATCH + callers, callers, () => queue.enqueueBatch(BATCH)));
  return [
    ...tasks("one by one, 1 caller", undefined, (queue) => inTurns(calls / 2, 1, queue.enqueue)),
    ...tasks("one by one, 32 callers", ENQUEUED_SINGLY, (queue) => inTurns(calls, 32, queue.enqueue)),
    ...tasks(`batches of ${BATCH}, 1 caller`, ENQUEUED_IN_BATCHES, (queue) => inBatches(queue, 1)),
    ...tasks(`batches of ${BATCH}, 4 callers`, ENQUEUED_IN_BATCHES, (queue) => inBatches(queue, 4)),
  ];
}

function drainTasks({ admin }: Server, queues: QueueUnderTest[], jobs: number): Task[] {
  return [1, 4].flatMap((loops) => {
    const suffix = `${loops} ${loops === 1 ? "loop" : "loops"}`;
    return queues.flatMap((queue) =>
      queue.drains.map(({ how, run }): Task => {
        let stop: (() => Promise<unknown>) | undefined;
        return {
          task: `${queue.name}, ${how}, ${suffix}`,
          beside: `Sluice, claim 500, complete 500, ${suffix}`,
          ...(how.startsWith("claim 500") ? { aim: DRAINED } : {}),
          async prepare() {
            await queue.clear();
            for (let filled = 0; filled < jobs; filled += FILL) await queue.enqueueBatch(FILL);
            await admin.query(`ANALYZE ${queue.tables.join(", ")}`);
            await admin.query("CHECKPOINT");
          },
          async run() {
            stop = await run(jobs, loops);
            return jobs;
          },
          async after() {
            await stop?.();
            const left = await queue.left();
            if (left > 0) throw new Error(`${queue.name}, ${how}: ${left} jobs were left`);
          },
        };
      }),
    );
  });
}

/** Whether Sluice is ahead of the best of the others. */
function beating(rows: Row[]): string[] {
  const best = (own: boolean) =>
    Math.max(
      ...rows
        .filter(({ task }) => String(task).startsWith("Sluice") === own)
        .map(({ per_s }) => Number(per_s)),
    );
  if (!rows.some(({ task }) => !String(task).startsWith("Sluice"))) return [];
  const ratio = best(true) / best(false);
  return [
    `Sluice's best line is ${ratio.toFixed(2)} of the best of the others. Aim: beyond 1. ${ratio > 1 ? "Met" : "Missed"}.`,
  ];
}

/** The job queue alone: how fast jobs go in, how fast they go through, and how soon an idle worker starts one. */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import { createHashingEmbedder } from "../src/adapters/hashing/embedder.ts";
import { createSystem } from "../src/adapters/node/system.ts";
import { openSqliteStorage } from "../src/adapters/sqlite/storage.ts";
import { advance } from "../src/document.ts";
import { DELETE_DOCUMENT, INGEST_DOCUMENT, type NewJob } from "../src/job.ts";
import type { Commit } from "../src/ports/document-store.ts";
import type { JobQueue } from "../src/ports/job-queue.ts";
import type { Context, Row, Table } from "./benchmark.ts";
import { drain } from "./drain.ts";
import { startHelper } from "./helper.ts";
import type { JobWorkerMethods } from "./processes/job-worker.ts";
import { median, perSecond, quantile, rounded, sharedClock } from "./statistics.ts";

const CLAIMS = 50;
const system = createSystem();

export async function queue(context: Context): Promise<Table[]> {
  return [await throughput(context), await idleLatency(context)];
}

/** A job that finds nothing to do: the document that it is to erase never was. */
function newJob(): NewJob {
  return {
    job_id: system.newId("job"),
    tenant_id: "default",
    job_type: DELETE_DOCUMENT,
    payload: { document_id: system.newId("doc") },
    correlation_id: system.newId("cor"),
  };
}

const newJobs = (count: number) => Array.from({ length: count }, newJob);

/** What the transaction of an upload holds: a document, its version, its job and its event. */
function newUpload(): Commit {
  const job = { ...newJob(), job_type: INGEST_DOCUMENT };
  const { tenant_id, job_id, correlation_id } = job;
  const document_id = String(job.payload.document_id);
  const file = {
    version: 1,
    filename: "bench.txt",
    media_type: "text/plain",
    size_bytes: 1_000,
    sha256: createHash("sha256").update(document_id).digest("hex"),
  };
  const { document, event } = advance(
    { tenant_id, document_id, collection: "bench", metadata: {} },
    "rag.document.uploaded",
    { job_id, ...file },
    { ...system, correlation_id, causation_id: system.newId("req") },
  );
  return {
    tenant_id,
    document: { record: document, expect_revision: null },
    version: {
      tenant_id,
      document_id,
      ...file,
      blob_key: `${tenant_id}/${system.newId("blob")}`,
      created_at: document.updated_at,
    },
    events: [event],
    enqueue: [{ ...job, payload: { document_id, version: 1 }, unique_key: `ingest:${document_id}` }],
  };
}

async function throughput({ quick, folder, say }: Context): Promise<Table> {
  const rounds = quick ? 2 : 5;
  const jobs = quick ? 4_000 : 10_000;
  const path = folder("queue");
  const storage = await openSqliteStorage({ folder: path, system, embedder: createHashingEmbedder() });
  await using first = await startHelper<JobWorkerMethods>("job-worker", { folder: path });
  await using second = await startHelper<JobWorkerMethods>("job-worker", { folder: path });
  const floor = createFloor(folder("queue-floor"));
  const { documents, queue } = storage;
  const here = "bench-worker";
  const fill = () => enqueueAll(queue, jobs, 1, 500);

  const tasks: {
    task: string;
    floor: string | null;
    prepare?: () => Promise<void>;
    run: () => Promise<number>;
  }[] = [
    { task: "floor: enqueue one by one", floor: null, run: async () => floor.enqueue(jobs / 10, 1) },
    {
      task: "enqueue, 1 caller, one by one",
      floor: "floor: enqueue one by one",
      run: () => enqueueAll(queue, jobs / 10, 1, 1),
    },
    {
      task: "enqueue, 32 callers, one by one",
      floor: "floor: enqueue one by one",
      run: () => enqueueAll(queue, jobs / 2, 32, 1),
    },
    {
      task: "document + job + event, 1 caller",
      floor: "floor: enqueue one by one",
      run: () => inTurns(jobs / 10, 1, 1, () => documents.commit([newUpload()])),
    },
    {
      task: "document + job + event, 32 callers",
      floor: "floor: enqueue one by one",
      run: () => inTurns(jobs / 2, 32, 1, () => documents.commit([newUpload()])),
    },
    {
      task: "floor: claim 50, complete 50",
      floor: null,
      prepare: async () => void floor.enqueue(jobs, 500),
      run: async () => floor.drain(),
    },
    {
      task: "claim 50, complete 50, 1 loop",
      floor: "floor: claim 50, complete 50",
      prepare: async () => void (await fill()),
      run: () => drain(queue, here, CLAIMS, 1),
    },
    {
      task: "claim 50, complete 50, 4 loops",
      floor: "floor: claim 50, complete 50",
      prepare: async () => void (await fill()),
      run: () => drain(queue, here, CLAIMS, 4),
    },
    {
      task: "claim 50, complete 50, 2 processes",
      floor: "floor: claim 50, complete 50",
      prepare: async () => void (await fill()),
      run: async () => {
        const done = await Promise.all([first.call("run", CLAIMS, 2), second.call("run", CLAIMS, 2)]);
        return done[0] + done[1];
      },
    },
  ];
  const rates = new Map<string, number[]>(tasks.map(({ task }) => [task, []]));
  for (let round = 0; round <= rounds; round++) {
    say(round === 0 ? "  warming up" : `  round ${round}`);
    for (const { task, prepare, run } of tasks) {
      await prepare?.();
      const started = performance.now();
      const done = await run();
      if (round > 0) rates.get(task)?.push(perSecond(done, performance.now() - started));
      if (!task.includes("claim")) await drain(queue, here, CLAIMS, 1);
    }
  }
  await storage.close();
  floor.close();
  const rows = tasks.map(({ task, floor: against }): Row => {
    const own = rates.get(task) as number[];
    const ratios = own.map((rate, round) => rate / (rates.get(against ?? task)?.[round] as number));
    return {
      task,
      jobs_per_s: median(own),
      lowest_per_s: Math.min(...own),
      highest_per_s: Math.max(...own),
      of_the_floor: rounded(median(ratios)),
    };
  });
  return {
    title: "queue: jobs that do nothing, SQLite, synchronous=FULL",
    rows,
    notes: [
      "Enqueue and document + job + event: of one bare row, one by one. document + job + event is what an upload commits.",
      "Claim and complete: of a bare table with one index, one process, one transaction for each claim and each completion of 50.",
      `Medians of ${rounds} interleaved rounds of ${jobs} jobs; finished jobs of earlier rounds stay in the table.`,
    ],
  };
}

/** @returns how many it enqueued */
function enqueueAll(queue: JobQueue, count: number, callers: number, batch: number): Promise<number> {
  return inTurns(count, callers, batch, (size) => queue.enqueue(newJobs(size)));
}

/** Calls `work` for `count` things altogether, `callers` at a time, `batch` in each call. @returns the count */
async function inTurns(
  count: number,
  callers: number,
  batch: number,
  work: (size: number) => Promise<unknown>,
): Promise<number> {
  let left = count;
  await Promise.all(
    Array.from({ length: callers }, async () => {
      while (left > 0) {
        const size = Math.min(batch, left);
        left -= size;
        await work(size);
      }
    }),
  );
  return count;
}

/** The same work on a bare table: what SQLite itself costs for durable claims and completions. */
function createFloor(folder: string) {
  const db = new DatabaseSync(join(folder, "floor.db"));
  db.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
  db.exec(
    "CREATE TABLE jobs (job_id TEXT PRIMARY KEY, payload TEXT NOT NULL, state TEXT NOT NULL) WITHOUT ROWID",
  );
  db.exec("CREATE INDEX ready ON jobs (job_id) WHERE state = 'queued'");
  const insert = db.prepare("INSERT INTO jobs (job_id, payload, state) VALUES (?, ?, 'queued')");
  const find = db.prepare("SELECT job_id, payload FROM jobs WHERE state = 'queued' ORDER BY job_id LIMIT ?");
  const take = db.prepare("UPDATE jobs SET state = 'running' WHERE job_id = ?");
  const end = db.prepare("UPDATE jobs SET state = 'succeeded' WHERE job_id = ? AND state = 'running'");
  const transaction = <T>(work: () => T): T => {
    db.exec("BEGIN IMMEDIATE");
    const result = work();
    db.exec("COMMIT");
    return result;
  };
  return {
    enqueue(count: number, batch: number): number {
      for (let done = 0; done < count; done += batch) {
        transaction(() => {
          for (const { job_id, payload } of newJobs(batch)) insert.run(job_id, JSON.stringify(payload));
        });
      }
      return count;
    },
    drain(): number {
      let done = 0;
      for (;;) {
        const claimed = transaction(() => {
          const rows = find.all(CLAIMS);
          for (const { job_id } of rows) take.run(job_id as string);
          return rows;
        });
        if (claimed.length === 0) return done;
        transaction(() => {
          for (const { job_id } of claimed) end.run(job_id as string);
        });
        done += claimed.length;
      }
    },
    close: () => db.close(),
  };
}

async function idleLatency({ quick, folder, say }: Context): Promise<Table> {
  const count = quick ? 80 : 300;
  const path = folder("idle");
  const storage = await openSqliteStorage({ folder: path, system, embedder: createHashingEmbedder() });
  await using worker = await startHelper<JobWorkerMethods>("job-worker", { folder: path });
  await worker.call("start", 1);
  say(`  ${count} jobs, one at a time, to an idle worker`);
  const enqueued: { job_id: string; asked_ms: number; committed_ms: number }[] = [];
  for (let index = 0; index < count + 20; index++) {
    // A random wait, so that no poll keeps in step with it.
    await sleep(30 + Math.random() * 20);
    const job = newJob();
    const asked_ms = sharedClock();
    await storage.queue.enqueue([job]);
    const committed_ms = sharedClock();
    if (index >= 20) enqueued.push({ job_id: job.job_id, asked_ms, committed_ms });
  }
  await sleep(200);
  const starts = new Map(await worker.call("started"));
  await storage.close();
  const since = (from: "asked_ms" | "committed_ms") =>
    enqueued.map((job) => {
      const start = starts.get(job.job_id);
      if (start === undefined) throw new Error(`${job.job_id} did not start`);
      return start - job[from];
    });
  const row = (what: string, times: number[]): Row => ({
    from: what,
    jobs: times.length,
    p50_ms: quantile(times, 0.5),
    p99_ms: quantile(times, 0.99),
    worst_ms: quantile(times, 1),
  });
  return {
    title: "queue: enqueue in one process → start in an idle worker of another",
    rows: [row("enqueue called", since("asked_ms")), row("enqueue acknowledged", since("committed_ms"))],
    notes: ["Sluice's own worker; it has started when it says so, after its claim was committed."],
  };
}

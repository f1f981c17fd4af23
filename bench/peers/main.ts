/**
 * Sluice's queue beside others: jobs that do nothing, in one process each, at equal durability (an fsync before every
 * answer). `npm install --prefix bench/peers` once, then `node bench/peers/main.ts`. PostgreSQL and Redis are started
 * here, in a temporary folder, from the machine's own packages (`apt-get install postgresql redis-server`).
 */
import { execFileSync, spawn } from "node:child_process";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
} from "node:fs";
import { createServer } from "node:net";
import { availableParallelism, cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { createHashingEmbedder } from "../../src/adapters/hashing/embedder.ts";
import { createSystem } from "../../src/adapters/node/system.ts";
import { openSqliteStorage } from "../../src/adapters/sqlite/storage.ts";
import { renderTable } from "../report.ts";
import { median } from "../statistics.ts";

/** One queue, opened and empty. */
interface Contestant {
  name: string;
  enqueue(count: number): Promise<void>;
  /** Begins to work; `started` is called for each job. */
  work(started: () => void): Promise<void>;
  close(): Promise<void>;
}

const JOBS = Number(process.argv[2] ?? 5_000);
const PINGS = 100;
const folder = mkdtempSync(join(tmpdir(), "sluice-peers-"));
chmodSync(folder, 0o755);
const endings: (() => void)[] = [];
const versionOf = (name: string) =>
  JSON.parse(readFileSync(new URL(`node_modules/${name}/package.json`, import.meta.url), "utf8"))
    .version as string;

async function sluice(): Promise<Contestant> {
  const system = createSystem();
  const data = join(folder, "sluice");
  const storage = await openSqliteStorage({ folder: data, system, embedder: createHashingEmbedder() });
  const { queue } = storage;
  const closing = new AbortController();
  return {
    name: "Sluice, SQLite (synchronous=FULL), claims of 50",
    async enqueue(count) {
      const job = () => ({
        job_id: system.newId("job"),
        tenant_id: "t1",
        job_type: "nothing",
        payload: {},
        correlation_id: "c",
      });
      await inTurns(count, 32, () => queue.enqueue([job()]));
    },
    async work(started) {
      let active = false;
      let again = false;
      const drain = async () => {
        again = true;
        if (active) return;
        active = true;
        while (again && !closing.signal.aborted) {
          again = false;
          for (;;) {
            const claimed = await queue.claim("wrk_bench", 50, 30_000);
            if (claimed.length === 0) break;
            for (const _ of claimed) started();
            await Promise.all(claimed.map((lease) => queue.complete(lease)));
          }
        }
        active = false;
      };
      const drainUntilClosed = () => {
        drain().catch((error: unknown) => {
          if (!closing.signal.aborted) throw error;
        });
      };
      queue.watchJobs(drainUntilClosed);
      drainUntilClosed();
    },
    async close() {
      closing.abort();
      await storage.close();
    },
  };
}

async function pgBoss(url: string): Promise<Contestant> {
  const { PgBoss } = await import("pg-boss");
  const boss = new PgBoss(url);
  boss.on("error", () => {});
  await boss.start();
  await boss.createQueue("nothing");
  return {
    name: `pg-boss ${versionOf("pg-boss")}, batches of 500, polls every 0.5 s`,
    enqueue: (count) => inTurns(count, 32, () => boss.send("nothing", {})),
    async work(started) {
      await boss.work("nothing", { batchSize: 500, pollingIntervalSeconds: 0.5 }, async (jobs: unknown[]) => {
        for (const _ of jobs) started();
      });
    },
    close: () => boss.stop({ graceful: false }),
  };
}

async function graphileWorker(url: string): Promise<Contestant> {
  const { run, makeWorkerUtils, Logger } = await import("graphile-worker");
  const logger = new Logger(() => () => {});
  const utils = await makeWorkerUtils({ connectionString: url, logger });
  await utils.migrate();
  let runner: { stop(): Promise<void> } | undefined;
  return {
    name: `graphile-worker ${versionOf("graphile-worker")}, concurrency 24`,
    enqueue: (count) => inTurns(count, 32, () => utils.addJob("nothing", {})),
    async work(started) {
      const nothing = async () => started();
      const options = {
        connectionString: url,
        concurrency: 24,
        maxPoolSize: 26,
        taskList: { nothing },
        logger,
      };
      runner = await run({ ...options, noHandleSignals: true });
    },
    async close() {
      await runner?.stop();
      await utils.release();
    },
  };
}

async function bullMq(port: number): Promise<Contestant> {
  const { Queue, Worker } = await import("bullmq");
  const connection = { host: "127.0.0.1", port, maxRetriesPerRequest: null };
  const queue = new Queue("nothing", { connection });
  let worker: { close(): Promise<void> } | undefined;
  return {
    name: `BullMQ ${versionOf("bullmq")}, concurrency 50, Redis appendfsync always`,
    enqueue: (count) => inTurns(count, 32, () => queue.add("nothing", {}, { removeOnComplete: true })),
    async work(started) {
      worker = new Worker("nothing", async () => started(), { connection, concurrency: 50 });
    },
    async close() {
      await worker?.close();
      await queue.close();
    },
  };
}

async function inTurns(count: number, callers: number, call: () => Promise<unknown>): Promise<void> {
  let left = count;
  await Promise.all(
    Array.from({ length: callers }, async () => {
      while (left-- > 0) await call();
    }),
  );
}

async function measure({ name, enqueue, work, close }: Contestant) {
  let wanted = Number.POSITIVE_INFINITY;
  let seen = 0;
  let reached = () => {};
  const until = (count: number) =>
    new Promise<void>((resolve) => {
      wanted = count;
      reached = resolve;
      if (seen >= wanted) resolve();
    });
  await enqueue(200);
  const enqueuing = performance.now();
  await enqueue(JOBS);
  const enqueue_s = (performance.now() - enqueuing) / 1_000;
  const working = performance.now();
  await work(() => {
    seen += 1;
    if (seen === wanted) reached();
  });
  await until(JOBS + 200);
  const work_s = (performance.now() - working) / 1_000;
  const latencies: number[] = [];
  for (let ping = 0; ping < PINGS; ping++) {
    await new Promise((resolve) => setTimeout(resolve, 20 + (ping % 7)));
    const next = until(seen + 1);
    const asked = performance.now();
    await enqueue(1);
    await next;
    latencies.push(performance.now() - asked);
  }
  await close();
  latencies.sort((a, b) => a - b);
  return {
    queue: name,
    enqueued_per_s: JOBS / enqueue_s,
    worked_per_s: JOBS / work_s,
    start_p50_ms: median(latencies),
    start_p99_ms: latencies[Math.floor(latencies.length * 0.99)] as number,
  };
}

async function startPostgres(): Promise<string> {
  const [version] = existsSync("/usr/lib/postgresql")
    ? readdirSync("/usr/lib/postgresql").sort().reverse()
    : [];
  if (!version) throw new Error("PostgreSQL is not installed");
  const bin = `/usr/lib/postgresql/${version}/bin`;
  const data = join(folder, "postgres");
  mkdirSync(data);
  const uid = Number(execFileSync("id", ["-u", "postgres"]));
  chownSync(data, uid, uid);
  const port = await freePort();
  // It refuses to run as root.
  const as = (command: string, ...args: string[]) =>
    execFileSync("runuser", ["-u", "postgres", "--", join(bin, command), ...args], {
      stdio: "pipe",
      cwd: data,
    });
  as("initdb", "-D", data, "-U", "postgres", "-A", "trust");
  as(
    "pg_ctl",
    "-D",
    data,
    "-w",
    "-l",
    join(data, "log"),
    "-o",
    `-p ${port} -k ${data} -h 127.0.0.1`,
    "start",
  );
  endings.push(() => as("pg_ctl", "-D", data, "-m", "immediate", "stop"));
  return `postgres://postgres@127.0.0.1:${port}/postgres`;
}

async function startRedis(): Promise<number> {
  const port = await freePort();
  const data = join(folder, "redis");
  mkdirSync(data);
  const options = [
    "--port",
    String(port),
    "--dir",
    data,
    "--appendonly",
    "yes",
    "--appendfsync",
    "always",
    "--save",
    "",
  ];
  const redis = spawn("redis-server", options, { stdio: ["ignore", "pipe", "inherit"] });
  endings.push(() => redis.kill());
  await new Promise<void>((resolve, reject) => {
    redis.once("error", reject);
    redis.stdout.on("data", (text) => String(text).includes("Ready to accept") && resolve());
  });
  return port;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

const contestants: [string, () => Promise<Contestant>][] = [
  ["Sluice", sluice],
  ["pg-boss", async () => pgBoss(await startPostgresOnce())],
  ["graphile-worker", async () => graphileWorker(await startPostgresOnce())],
  ["BullMQ", async () => bullMq(await startRedis())],
];
let postgres: Promise<string> | undefined;
function startPostgresOnce(): Promise<string> {
  postgres ??= startPostgres();
  return postgres;
}

const rows = [];
const notes = [
  `${JOBS} jobs; enqueued by 32 callers one by one; then worked off; then ${PINGS} single ones to an idle worker.`,
];
try {
  for (const [name, open] of contestants) {
    process.stderr.write(`${name} …\n`);
    try {
      rows.push(await measure(await open()));
    } catch (error) {
      notes.push(`${name} could not be measured: ${error instanceof Error ? error.message : error}`);
    }
  }
} finally {
  for (const end of endings) end();
  rmSync(folder, { recursive: true, force: true });
}
process.stdout.write(`${cpus()[0]?.model}, ${availableParallelism()} cores, Node ${process.version}\n\n`);
process.stdout.write(`${renderTable({ title: "queues beside each other", rows, notes })}\n`);
process.exit(rows.length === contestants.length ? 0 : 1);

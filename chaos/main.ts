/**
 * `npm run chaos -- --minutes 3 --seed 1`: real processes under load, killed at random; then the books are balanced.
 * The seed decides what is done; when exactly it meets which line of code is the machine's doing, and never the same.
 */
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import type { SluiceEvent } from "../src/events.ts";
import { createRandom } from "../test/simulation/random.ts";
import { balanceByApi } from "./api.ts";
import { balance, judgePublished } from "./balance.ts";
import { openSqliteBooks } from "./books-sqlite.ts";
import { startServices } from "./cloud.ts";
import { type Fault, type OnNews, torment } from "./faults.ts";
import { type Books, collectMaterial, followSse, followWebSocket, maxUploadBytes, useApi } from "./load.ts";
import { createInstallation } from "./processes.ts";

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "3" },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    /** Forty seconds. */
    quick: { type: "boolean", default: false },
    corpus: { type: "string" },
    /** On PostgreSQL, S3, SQS and Kafka, which fail as well; without it, on a folder. */
    cloud: { type: "boolean", default: false },
  },
});
const seconds = values.quick ? 40 : Number(values.minutes) * 60;
const seed = Number(values.seed);
const CLIENTS = 4;
/** How long everything may take to come to rest when nothing goes wrong any more. */
const REST_MS = 240_000;
/** Beyond the time under fire, for everything else. */
const LONGEST_MS = REST_MS + 180_000;

const neighbour = fileURLToPath(new URL("../../shared/corpus", import.meta.url));
const corpus = values.corpus ?? (existsSync(neighbour) ? neighbour : undefined);
const folder = mkdtempSync(join(tmpdir(), "sluice-chaos-"));
const data_dir = join(folder, "data");
const say = (text: string) => process.stderr.write(`${new Date().toISOString().slice(11, 23)} ${text}\n`);
say(`seed ${seed}, ${seconds} s, in ${data_dir}, files of ${corpus ?? "our own making"}`);
say("the seed decides what is done; when it meets which line of code, the machine decides");

const services = values.cloud
  ? await startServices({ kafka_away_ms: values.quick ? 10_000 : 60_000 })
  : undefined;
const installation = await createInstallation(data_dir, {
  ...services?.env,
  SLUICE_WORKERS: "3",
  SLUICE_LEASE_SECONDS: "4",
  // Many kills are many attempts; what is looked for is loss, not patience.
  SLUICE_MAX_ATTEMPTS: "30",
  SLUICE_RETRY_CAP_MS: "2000",
  SLUICE_MAX_UPLOAD_BYTES: String(maxUploadBytes),
  SLUICE_EXTRACT_TIMEOUT_SECONDS: "20",
  SLUICE_LOG_LEVEL: "error",
});
// However this script ends, nothing that it started outlives it.
process.once("exit", () => installation.killAll());
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.once(signal, () => {
    installation.killAll();
    rmSync(folder, { recursive: true, force: true });
    void (services?.stop() ?? Promise.resolve()).finally(() => process.exit(130));
  });
}
setTimeout(
  () => {
    say(`took longer than it may: something hangs; the data are kept in ${data_dir}`);
    process.exit(1);
  },
  seconds * 1_000 + LONGEST_MS,
).unref();

const books: Books = {
  acknowledged: new Map(),
  uploaded: new Map(),
  removed: new Set(),
  deleted: new Set(),
  cancelled: new Set(),
  answers: new Map(),
  repeated: 0,
  wrong: [],
};
let failed: unknown;
try {
  await installation.start();
  const listening = new AbortController();
  const followers: SluiceEvent[][] = [[], []];
  const news = createNews();
  const following = [
    followSse(installation.url, listening.signal, followers[0] as SluiceEvent[], news.heard),
    followWebSocket(installation.url, listening.signal, followers[1] as SluiceEvent[]),
  ];
  const until = Date.now() + seconds * 1_000;
  const random = createRandom(seed);
  const clients = Array.from({ length: CLIENTS }, (_, number) => {
    const own = createRandom(seed * 100 + number);
    return useApi(installation.url, collectMaterial(corpus, own), own, until, books);
  });
  const [faults] = await Promise.all([
    torment(installation, random, until, news.on, say, services?.faults),
    ...clients,
  ]);
  say("no more faults; waiting for rest");

  const ledger = (await services?.openBooks()) ?? openSqliteBooks(data_dir);
  const calm = Date.now();
  const lastSequence = () => followers.map((events) => events.at(-1)?.sequence ?? 0);
  while ((await ledger.unended()) > 0 && Date.now() - calm < REST_MS) await pause(200);
  const rest_ms = Date.now() - calm;
  // Both followers hear of the last event.
  for (let quiet = 0, before = ""; quiet < 5; ) {
    await pause(200);
    const now = lastSequence().join(" ");
    quiet = now === before ? quiet + 1 : 0;
    before = now;
  }
  const stored = await ledger.read();
  await ledger.close();
  const { wrong, by_status } = balance(books, followers, stored);
  if (services) {
    const published = await services.published(stored.log.at(-1)?.sequence ?? 0, REST_MS);
    wrong.push(...judgePublished(stored.log, published));
    say(`Kafka has ${published.length} messages for ${stored.log.length} events`);
  }
  wrong.push(...(await balanceByApi(installation.url, books)));
  listening.abort();
  await Promise.all(following);
  await installation.pids();
  const code = await installation.stop();
  if (code !== 0) wrong.push(`the last stop ended with ${code}`);
  // Children notice the end of their parent, and end a moment later.
  for (let round = 0; round < 25 && installation.left().length > 0; round++) await pause(200);
  const orphans = installation.left();
  if (orphans.length > 0) wrong.push(`processes are left: ${orphans.join(", ")}`);

  const table: [string, string][] = [
    ["acknowledged", String(books.acknowledged.size)],
    ...Object.entries(by_status).map(([status, count]): [string, string] => [`  ${status}`, String(count)]),
    ["events", String(stored.log.length)],
    ["chunks", String(stored.chunks.reduce((sum, { chunks }) => sum + chunks, 0))],
    ["answers", [...books.answers].map(([status, count]) => `${count} × ${status}`).join(", ")],
    ["repeated", String(books.repeated)],
    ["faults", [...faults.counts].map(([fault, count]) => `${count} × ${fault}`).join(", ")],
    ...rows("ready", faults.until_ready),
    ...rows("its jobs released", faults.until_released),
    ...rows("its jobs run again", faults.until_again),
    ["came to rest in", `${(rest_ms / 1_000).toFixed(1)} s`],
  ];
  const width = Math.max(...table.map(([name]) => name.length));
  process.stdout.write(`${table.map(([name, value]) => `${name.padEnd(width)}  ${value}`).join("\n")}\n`);
  if (wrong.length > 0) throw new Error(`the books do not balance:\n  ${wrong.slice(0, 30).join("\n  ")}`);
  process.stdout.write("The books balance.\n");
} catch (error) {
  failed = error;
}
if (failed !== undefined) {
  await installation.stop().catch(() => undefined);
  await services?.stop();
  process.stderr.write(
    `${failed instanceof Error ? failed.stack : failed}\nThe data are kept in ${data_dir}; seed ${seed}.\n`,
  );
  process.exit(1);
}
await services?.stop();
rmSync(folder, { recursive: true, force: true });
process.exit(0);

/** Tells whoever asked when something happened to one of his jobs. */
function createNews() {
  const ends: readonly string[] = [
    "rag.ingestion.completed",
    "rag.ingestion.failed",
    "rag.ingestion.cancelled",
    "rag.document.deleted",
  ];
  let waiting: {
    jobs: Set<string>;
    since: number;
    types: readonly string[];
    call: (time: number) => void;
  }[] = [];
  const on: OnNews = (job_ids, since, types, call) => {
    waiting.push({ jobs: new Set(job_ids), since, types, call });
  };
  return {
    on,
    heard({ event_type, timestamp, data }: SluiceEvent) {
      const time = Date.parse(timestamp);
      const met = waiting.filter(
        ({ jobs, since, types }) => types.includes(event_type) && jobs.has(data.job_id) && time > since,
      );
      // A job that ended is not waited for: what happens to it later has another cause.
      if (ends.includes(event_type)) for (const { jobs } of waiting) jobs.delete(data.job_id);
      waiting = waiting.filter((one) => !met.includes(one) && one.jobs.size > 0);
      for (const { call } of met) call(time);
    },
  };
}

function rows(what: string, times: Map<Fault, number[]>): [string, string][] {
  return [...times].map(([fault, each]) => [`${fault} → ${what}`, spread(each)]);
}

function spread(times: number[]): string {
  if (times.length === 0) return "none";
  const sorted = times.toSorted((a, b) => a - b);
  const middle = sorted[sorted.length >> 1] as number;
  return `${sorted[0]} / ${middle} / ${sorted.at(-1)} ms (lowest, median, highest of ${times.length})`;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

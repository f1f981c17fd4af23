/** One job to an idle worker of another process: how soon its handler starts. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Context, Row, Table } from "../benchmark.ts";
import { startHelper } from "../helper.ts";
import { quantile, rounded, sharedClock } from "../statistics.ts";
import { peerVersion } from "./peers.ts";
import type { StarterMethods, Waking } from "./processes/starter.ts";
import { openGraphileUtils } from "./queues/graphile-worker.ts";
import { startPgBoss } from "./queues/pg-boss.ts";
import { NOTHING } from "./queues/queue.ts";
import { newJob, openStorage } from "./queues/sluice.ts";
import { peersNote } from "./queues.ts";
import { verdict } from "./rounds.ts";
import type { Server } from "./server.ts";

interface Enqueuer {
  /** @returns what the starter calls that job */
  enqueue(ping: string): Promise<string>;
  close(): Promise<unknown>;
}

interface Line {
  name: string;
  waking: Waking;
  open(url: string): Promise<Enqueuer>;
}

const WARM_UP = 20;
/** Beyond pg-boss's default of two seconds between two looks. */
const PATIENCE_MS = 5_000;
const AIM = { p50_ms: 3, p99_ms: 5 };

export async function idleStart({ url, admin }: Server, context: Context): Promise<Table[]> {
  const { quick, folder, say } = context;
  const count = quick ? 60 : 300;
  const rows: Row[] = [];
  for (const { name, waking, open } of lines(quick)) {
    say(`  ${name}`);
    const enqueuer = await open(url);
    try {
      await using worker = await startHelper<StarterMethods>("../postgres/processes/starter", {
        url,
        folder: folder("idle"),
        waking,
      });
      await worker.call("start");
      const { called, acknowledged } = await ping(enqueuer, count, worker);
      await worker.call("stop");
      const [p50_ms, p99_ms] = [quantile(called, 0.5), quantile(called, 0.99)];
      rows.push({
        worker: name,
        jobs: count,
        p50_ms,
        p99_ms,
        worst_ms: quantile(called, 1),
        acknowledged_p50_ms: quantile(acknowledged, 0.5),
        ratio: rounded(p50_ms / Number(rows[0]?.p50_ms ?? p50_ms)),
        verdict: waking.product === "sluice" ? verdict(p50_ms <= AIM.p50_ms && p99_ms <= AIM.p99_ms) : "",
      });
    } finally {
      await enqueuer.close();
    }
    await admin.query("CHECKPOINT");
  }
  return [
    {
      title: "postgres: enqueue in one process → handler starts in an idle worker of another",
      rows,
      notes: [
        `From the call of enqueue; acknowledged: how long that call itself took. One job every 30 to 50 ms. Aim for Sluice: p50 ${AIM.p50_ms} ms, p99 ${AIM.p99_ms} ms. ratio: of Sluice's p50.`,
        "Sluice: its worker with default settings, told by NOTIFY after the commit. graphile-worker: told by NOTIFY of its trigger.",
        "pg-boss polls: every 2 s by default, 0.5 s at least; NOTIFY is an option of its queue, off by default.",
        ...peersNote(),
      ],
    },
  ];
}

function lines(quick: boolean): Line[] {
  const all: Line[] = [{ name: "Sluice", waking: { product: "sluice" }, open: openSluice }];
  const boss = peerVersion("pg-boss");
  if (boss) {
    const line = (how: string, waking: Waking): Line => ({
      name: `pg-boss ${boss}, ${how}`,
      waking,
      open: (url) => openPgBoss(url, waking.product === "pg-boss" && waking.notify),
    });
    all.push(line("NOTIFY switched on", { product: "pg-boss", notify: true }));
    all.push(line("polls every 0.5 s", { product: "pg-boss", notify: false, polling_s: 0.5 }));
    if (!quick) all.push(line("default, polls every 2 s", { product: "pg-boss", notify: false }));
  }
  const graphile = peerVersion("graphile-worker");
  if (graphile) {
    all.push({
      name: `graphile-worker ${graphile}`,
      waking: { product: "graphile-worker" },
      open: openGraphile,
    });
  }
  return all;
}

/** @throws Error when a job did not start */
async function ping(
  { enqueue }: Enqueuer,
  count: number,
  worker: Pick<Awaited<ReturnType<typeof startHelper<StarterMethods>>>, "call">,
) {
  const pings: { name: string; asked_ms: number; acknowledged_ms: number }[] = [];
  for (let index = 0; index < count + WARM_UP; index++) {
    // A random wait, so that no poll keeps in step with it.
    await sleep(30 + Math.random() * 20);
    const asked_ms = sharedClock();
    const name = await enqueue(`ping-${index}`);
    if (index >= WARM_UP) pings.push({ name, asked_ms, acknowledged_ms: sharedClock() });
  }
  const patience = performance.now() + PATIENCE_MS;
  let starts = new Map(await worker.call("started"));
  while (pings.some(({ name }) => !starts.has(name))) {
    if (performance.now() > patience) throw new Error("a job did not start");
    await sleep(100);
    starts = new Map(await worker.call("started"));
  }
  return {
    called: pings.map(({ name, asked_ms }) => (starts.get(name) as number) - asked_ms),
    acknowledged: pings.map(({ asked_ms, acknowledged_ms }) => acknowledged_ms - asked_ms),
  };
}

async function openSluice(url: string): Promise<Enqueuer> {
  const { queue, close } = await openStorage(url);
  return {
    async enqueue() {
      const job = newJob();
      await queue.enqueue([job]);
      return job.job_id;
    },
    close,
  };
}

async function openPgBoss(url: string, notify: boolean): Promise<Enqueuer> {
  const boss = await startPgBoss(url, notify);
  await boss.createQueue(NOTHING);
  await boss.updateQueue(NOTHING, { notify });
  return {
    async enqueue(ping) {
      await boss.send(NOTHING, { ping });
      return ping;
    },
    close: () => boss.stop({ graceful: false }),
  };
}

async function openGraphile(url: string): Promise<Enqueuer> {
  const utils = await openGraphileUtils(url);
  return {
    async enqueue(ping) {
      await utils.addJob(NOTHING, { ping });
      return ping;
    },
    close: () => utils.release(),
  };
}

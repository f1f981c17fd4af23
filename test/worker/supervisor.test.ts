import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import type { Log } from "../../src/ports/log.ts";
import { createSupervisor, type ProcessSpec } from "../../src/worker/supervisor.ts";
import { type Clock, createClock } from "../support/clock.ts";
import { gate } from "../support/rig.ts";

interface Child {
  pid: number;
  name: string;
  exec_argv: string[];
  /** Resolves when the process is gone. */
  gone: Promise<void>;
}

/** Real processes under a supervisor whose clock is ours. They tell of themselves over a socket. */
async function open() {
  const folder = mkdtempSync(join(tmpdir(), "sluice-supervisor-"));
  const path = join(folder, "socket");
  const sockets = new Set<Socket>();
  const arrived: Child[] = [];
  const waiting: ((child: Child) => void)[] = [];
  const server = createServer((socket) => {
    sockets.add(socket);
    const gone = gate();
    socket.once("close", () => gone.open());
    socket.on("error", () => {});
    socket.once("data", (data) => {
      const child: Child = { ...JSON.parse(String(data)), gone: gone.opened };
      const next = waiting.shift();
      if (next) next(child);
      else arrived.push(child);
    });
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  const clock: Clock = createClock();
  const lines: { fields: Record<string, unknown>; message: string }[] = [];
  const log: Log = {
    debug() {},
    info() {},
    warn() {},
    error: (fields, message) => lines.push({ fields: fields as Record<string, unknown>, message }),
  };
  const ended: { args: string[]; pid: number | undefined }[] = [];

  /** A process that behaves in the given manners, one for each start; the last one stays. */
  function spec(name: string, manners: string[], more: Partial<ProcessSpec> = {}): ProcessSpec {
    let starts = 0;
    return {
      name,
      module: new URL("../support/child.ts", import.meta.url),
      args: () => [manners[Math.min(starts++, manners.length - 1)] as string, path, `${name}-${starts}`],
      ended: async (args, pid) => {
        ended.push({ args, pid });
      },
      ...more,
    };
  }

  return {
    clock,
    lines,
    ended,
    spec,
    arrival: () =>
      new Promise<Child>((resolve) => {
        const child = arrived.shift();
        if (child) resolve(child);
        else waiting.push(resolve);
      }),
    arrived,
    supervise(specs: ProcessSpec[]) {
      const supervisor = createSupervisor(specs, { system: clock.system, log, stderr: "inherit" });
      onTestFinished(async () => {
        await supervisor.stop(0);
        for (const socket of sockets) socket.destroy();
        await new Promise((resolve) => server.close(resolve));
        rmSync(folder, { recursive: true, force: true });
      });
      return supervisor;
    },
  };
}

test("starts every process and waits until each is ready; stops them, and tells of each", async () => {
  const { spec, supervise, arrival, ended, lines } = await open();
  const supervisor = supervise([
    spec("api", ["stay"], { node_args: ["--max-semi-space-size=2"] }),
    spec("worker", ["stay"]),
  ]);
  await supervisor.start();
  const children = [await arrival(), await arrival()];
  expect(children.map((child) => child.exec_argv.length).sort()).toEqual([0, 1]);
  await supervisor.stop(1e9);
  for (const child of children) await child.gone;
  expect(ended.map(({ pid }) => pid).sort()).toEqual(children.map(({ pid }) => pid).sort());
  expect(ended.map(({ args }) => args[2]).sort()).toEqual(["api-1", "worker-1"]);
  expect(lines).toEqual([]);
});

test("one that is killed is started again at once, as a new one, after it was told of; others run on", async () => {
  const { spec, supervise, arrival, arrived, lines } = await open();
  const order: string[] = [];
  const worker = spec("worker", ["stay"]);
  const supervisor = supervise([
    spec("api", ["stay"]),
    {
      ...worker,
      args() {
        const args = worker.args();
        order.push(`start ${args[2]}`);
        return args;
      },
      ended: async ([, , name], pid) => {
        order.push(`end ${name} ${pid}`);
      },
    },
  ]);
  await supervisor.start();
  const killed = [await arrival(), await arrival()].find(({ name }) => name === "worker-1")!;
  process.kill(killed.pid, "SIGKILL");
  const next = await arrival();
  expect(next.name).toBe("worker-2");
  expect(order).toEqual(["start worker-1", `end worker-1 ${killed.pid}`, "start worker-2"]);
  expect(arrived).toEqual([]);
  expect(lines).toMatchObject([
    { fields: { process: "worker", pid: killed.pid, how: "SIGKILL", pause_ms: 0 } },
  ]);
});

test("one that can't live is started again and again, each time later, up to ten seconds", async () => {
  const { clock, spec, supervise, arrival, lines } = await open();
  const pauses = [400, 800, 1_600, 3_200, 6_400, 10_000, 10_000];
  const supervisor = supervise([spec("worker", [...Array(pauses.length + 1).fill("die"), "stay"])]);
  let asleep = clock.nextSleep(pauses[0]!);
  await expect(supervisor.start()).rejects.toThrow("worker ended before it was ready (exit code 3)");
  for (const [place, pause] of pauses.entries()) {
    await asleep;
    clock.advance(pause - 1);
    asleep = clock.nextSleep(pauses[place + 1] ?? 0);
    clock.advance(1);
  }
  expect((await arrival()).name).toBe(`worker-${pauses.length + 2}`);
  expect(lines.map(({ fields }) => fields.pause_ms)).toEqual([0, ...pauses]);
  expect(new Set(lines.map(({ fields }) => fields.how))).toEqual(new Set(["exit code 3"]));
});

test("one that lived for a while before it died is started again at once, whatever happened earlier", async () => {
  const { clock, spec, supervise, arrival, lines } = await open();
  const supervisor = supervise([spec("worker", ["stay"])]);
  await supervisor.start();
  process.kill((await arrival()).pid, "SIGKILL");
  const asleep = clock.nextSleep(400);
  process.kill((await arrival()).pid, "SIGKILL");
  await asleep;
  clock.advance(400);
  const third = await arrival();
  clock.advance(10_000);
  process.kill(third.pid, "SIGKILL");
  expect((await arrival()).name).toBe("worker-4");
  expect(lines.map(({ fields }) => fields.pause_ms)).toEqual([0, 400, 0]);
});

test("what can't be released is logged, and the process is started again all the same", async () => {
  const { spec, supervise, arrival, lines } = await open();
  const err = new Error("the database is away");
  const supervisor = supervise([spec("worker", ["stay"], { ended: () => Promise.reject(err) })]);
  await supervisor.start();
  process.kill((await arrival()).pid, "SIGKILL");
  expect((await arrival()).name).toBe("worker-2");
  expect(lines[0]).toMatchObject({ fields: { err, process: "worker" } });
});

test("stop asks all of them, and kills what has not ended in time", async () => {
  const { clock, spec, supervise, arrival, ended } = await open();
  const supervisor = supervise([spec("api", ["stay"]), spec("worker", ["deaf"])]);
  await supervisor.start();
  const children = new Map([await arrival(), await arrival()].map((child) => [child.name, child]));
  const patience = clock.nextSleep(5_000);
  const stopping = supervisor.stop(5_000);
  await patience;
  await children.get("api-1")?.gone;
  // Asked, and deaf to it.
  process.kill(children.get("worker-1")!.pid, 0);
  clock.advance(5_000);
  await stopping;
  await children.get("worker-1")?.gone;
  expect(ended.map(({ args }) => args[2]).sort()).toEqual(["api-1", "worker-1"]);
  expect(() => process.kill(children.get("worker-1")!.pid, 0)).toThrow("ESRCH");
});

test("stop waits until the last of them has been told of, and starts none that was about to come", async () => {
  const { clock, spec, supervise, arrival, arrived, ended } = await open();
  const releasing = gate();
  const supervisor = supervise([
    spec("worker", ["stay"]),
    spec("slow", ["stay"], {
      ended: async (args, pid) => {
        await releasing.opened;
        ended.push({ args, pid });
      },
    }),
  ]);
  await supervisor.start();
  const first = [await arrival(), await arrival()].find(({ name }) => name === "worker-1")!;
  process.kill(first.pid, "SIGKILL");
  const asleep = clock.nextSleep(400);
  process.kill((await arrival()).pid, "SIGKILL");
  await asleep;
  let stopped = false;
  const stopping = supervisor.stop(1e9).then(() => {
    stopped = true;
  });
  expect(ended.map(({ args }) => args[2])).toEqual(["worker-1", "worker-2"]);
  expect(stopped).toBe(false);
  releasing.open();
  await stopping;
  expect(ended.map(({ args }) => args[2])).toEqual(["worker-1", "worker-2", "slow-1"]);
  expect(arrived).toEqual([]);
});

/** The processes of one simulated installation: an API that comes back when it is killed, workers, a supervisor. */
import { createMemoryState } from "../../src/adapters/memory/state.ts";
import type { SluiceEvent } from "../../src/events.ts";
import { createCommands } from "../../src/intake/commands.ts";
import { relay } from "../../src/intake/relay.ts";
import { createUploads } from "../../src/intake/upload.ts";
import type { EventPublisher } from "../../src/ports/event-publisher.ts";
import type { Log } from "../../src/ports/log.ts";
import { createFollower } from "../../src/progress/follow.ts";
import { createSearch } from "../../src/search/search.ts";
import { createWorker, recoverWorker } from "../../src/worker/worker.ts";
import { type Outside, openPorts, type Plant } from "./ports.ts";
import type { Process, Scheduler } from "./scheduler.ts";
import { chunking } from "./texts.ts";

export const MAX_ATTEMPTS = 4;
const LEASE_MS = 9_000;
const retry = { base_ms: 100, cap_ms: 2_000 };

/** Reads the log through the API, whichever process that is, and goes on where it was. */
export interface Subscriber {
  tenant_id: string;
  received: SluiceEvent[];
  /** Breaks the connection off; it is made again at once. */
  breakOff: () => void;
}

export type Api = ReturnType<typeof startApi>;
export type World = ReturnType<typeof createWorld>;

function startApi(
  scheduler: Scheduler,
  outside: Outside,
  publisher: EventPublisher,
  log: Log,
  plant?: Plant,
) {
  const process = scheduler.spawn("api", scheduler.random.below(1_000));
  const ports = openPorts(scheduler, process, outside, plant);
  const { system } = process;
  const follower = createFollower(ports.documents);
  void relay({ ...ports, follower, system, log }, publisher, new AbortController().signal);
  const parts = { ...ports, system, max_attempts: MAX_ATTEMPTS };
  return {
    process,
    follower,
    beginUpload: createUploads({
      ...parts,
      accepts: (media_type) => media_type === "text/plain",
      max_upload_bytes: 100_000,
    }),
    commands: createCommands(parts),
    search: createSearch(ports),
  };
}

export function createWorld(scheduler: Scheduler, plant?: Plant) {
  const { random } = scheduler;
  const outside: Outside = {
    state: createMemoryState(),
    blobs: new Map(),
    faulty: true,
    embedded: [],
    claims: new Map(),
    limited_until: 0,
  };
  const published: SluiceEvent[] = [];
  const logged: string[] = [];
  const log: Log = {
    debug() {},
    info() {},
    warn: (fields, message) => void logged.push(`warn ${message} ${describe(fields)}`),
    error: (fields, message) => void logged.push(`error ${message} ${describe(fields)}`),
  };
  const publisher: EventPublisher = {
    name: "bus",
    async publish(events) {
      if (outside.faulty && random.chance(0.1)) throw new Error("the broker is away");
      published.push(...events);
      // Taken, but the answer was lost.
      if (outside.faulty && random.chance(0.1)) throw new Error("the broker did not answer");
    },
    async close() {},
  };

  const subscribers: Subscriber[] = [];
  let api: Api;
  function bootApi(): void {
    api = startApi(scheduler, outside, publisher, log, plant);
    for (const subscriber of subscribers) listen(subscriber);
  }

  function listen(subscriber: Subscriber): void {
    const { follower, process } = api;
    const connection = new AbortController();
    let open = true;
    subscriber.breakOff = () => {
      if (process.dead) return;
      open = false;
      connection.abort();
      listen(subscriber);
    };
    void (async () => {
      const after = subscriber.received.at(-1)?.sequence ?? 0;
      const { tenant_id } = subscriber;
      for await (const events of follower.follow({ tenant_id }, after, connection.signal)) {
        for (const event of events) {
          // Each event travels by itself, and the connection may break between two.
          await scheduler.step(process, "sends an event");
          if (!open) return;
          subscriber.received.push(event);
        }
      }
    })();
  }

  const supervisor = scheduler.spawn("supervisor");
  const supervising = openPorts(scheduler, supervisor, outside, plant);
  const workers: { process: Process; worker_id: string }[] = [];
  let born = 0;

  function bootWorker(place: number): void {
    const process = scheduler.spawn(`worker-${++born}`, random.below(1_000));
    const { system } = process;
    const ports = openPorts(scheduler, process, outside, plant);
    const worker_id = system.newId("wrk");
    const worker = createWorker(
      { ...ports, system, chunking, retry, log },
      {
        worker_id,
        pid: born,
        host: "simulated",
        started_at: new Date(system.now()).toISOString(),
        concurrency: 1 + random.below(2),
        lease_ms: LEASE_MS,
      },
    );
    workers[place] = { process, worker_id };
    void worker.start();
  }

  async function replaceWorker(place: number, noticed: boolean): Promise<void> {
    const { process, worker_id } = workers[place] as (typeof workers)[number];
    scheduler.kill(process);
    if (noticed) {
      // The supervisor sees its child end. When it can't release the jobs, their leases run out.
      const recovery = { ...supervising, system: supervisor.system, retry, log };
      await recoverWorker(recovery, worker_id).catch(() => {});
    } else {
      await supervisor.system.sleep(random.below(20_000));
    }
    bootWorker(place);
  }

  const count = 1 + random.below(3);
  for (let place = 0; place < count; place++) bootWorker(place);
  bootApi();

  return {
    outside,
    published,
    subscribers,
    logged,
    api: () => api,
    subscribe(tenant_id: string): void {
      const subscriber: Subscriber = { tenant_id, received: [], breakOff: () => {} };
      subscribers.push(subscriber);
      listen(subscriber);
    },
    /** Everybody is gone; what is left is what lies in the database and the blob store. */
    end(): void {
      for (const { process } of workers) scheduler.kill(process);
      scheduler.kill(api.process);
      scheduler.kill(supervisor);
    },
    /** One thing goes wrong. */
    fault(): void {
      const kind = random.below(10);
      const place = random.below(workers.length);
      const { process } = workers[place] as (typeof workers)[number];
      if (kind < 5) {
        if (!process.dead) void replaceWorker(place, random.chance(0.7));
      } else if (kind < 7) {
        scheduler.kill(api.process);
        bootApi();
      } else if (kind < 8) {
        // Longer than its lease: it wakes up as one whose job is somebody else's.
        if (!process.dead) scheduler.freeze(process, LEASE_MS + random.below(20_000));
      } else if (kind < 9) {
        if (subscribers.length > 0) random.pick(subscribers).breakOff();
      } else if (random.chance(0.2)) {
        scheduler.setClockBack(3_600_000);
      }
    },
  };
}

function describe(fields: object): string {
  const { err, failure, ...rest } = fields as Record<string, unknown>;
  return `${JSON.stringify(rest)} ${err ?? ""} ${failure ?? ""}`;
}

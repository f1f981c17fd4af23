/** A worker in a process of its own: Sluice's, on jobs that do nothing, or a bare loop over the queue's port. */
import { hostname } from "node:os";
import { createHashingEmbedder } from "../../src/adapters/hashing/embedder.ts";
import { createSystem } from "../../src/adapters/node/system.ts";
import { openSqliteStorage } from "../../src/adapters/sqlite/storage.ts";
import { composeWorker, openAdapters } from "../../src/compose.ts";
import { parseConfig } from "../../src/config/config.ts";
import type { Log } from "../../src/ports/log.ts";
import { drain } from "../drain.ts";
import { sharedClock } from "../statistics.ts";
import { given, serve } from "./serve.ts";

const { folder } = given<{ folder: string }>();
const system = createSystem();

/** Job id → when it started, on the shared clock. */
const starts = new Map<string, number>();

/** Starts Sluice's own worker; what it logs tells when each job started. */
async function start(concurrency: number): Promise<void> {
  const config = parseConfig({
    SLUICE_DATA_DIR: folder,
    SLUICE_WORKER_CONCURRENCY: String(concurrency),
  });
  const log: Log = {
    debug() {},
    info(fields, message) {
      if (message.endsWith("started")) starts.set((fields as { job_id: string }).job_id, sharedClock());
    },
    warn() {},
    error(fields, message) {
      throw new Error(`${message}: ${JSON.stringify(fields)}`);
    },
  };
  await composeWorker(config, await openAdapters(config), log, system.newId("wrk")).start();
}

async function started(): Promise<[job_id: string, at_ms: number][]> {
  return [...starts];
}

/** @returns how many jobs it did before none was left */
async function run(claims: number, loops: number): Promise<number> {
  const storage = await openSqliteStorage({ folder, system, embedder: createHashingEmbedder() });
  const done = await drain(storage.queue, `${hostname()}-${process.pid}`, claims, loops);
  await storage.close();
  return done;
}

const methods = { start, started, run };
export type JobWorkerMethods = typeof methods;
serve(methods);

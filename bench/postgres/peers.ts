/**
 * Other queues for PostgreSQL. They are no dependency of Sluice: bench/peers/package.json names them, and
 * `npm install --prefix bench/peers` installs them there. Only what is used of them is described here.
 */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

interface PollingOptions {
  batchSize?: number;
  pollingIntervalSeconds?: number;
}

export interface PgBoss {
  on(event: "error" | "warning", listener: (problem: unknown) => void): void;
  start(): Promise<unknown>;
  stop(options: { graceful: boolean }): Promise<void>;
  createQueue(name: string): Promise<void>;
  updateQueue(name: string, options: { notify: boolean }): Promise<void>;
  send(name: string, data: object): Promise<string | null>;
  insert(name: string, jobs: { data: object }[]): Promise<unknown>;
  fetch(name: string, options: { batchSize: number }): Promise<{ id: string }[]>;
  complete(name: string, ids: string[]): Promise<unknown>;
  work(
    name: string,
    options: PollingOptions,
    handler: (jobs: { data: unknown }[]) => Promise<void>,
  ): Promise<string>;
  deleteAllJobs(name: string): Promise<unknown>;
}
interface PgBossModule {
  PgBoss: new (options: { connectionString: string; max?: number; useListenNotify?: boolean }) => PgBoss;
}

export interface GraphileUtils {
  migrate(): Promise<void>;
  addJob(task: string, payload: object): Promise<unknown>;
  addJobs(jobs: { identifier: string; payload: object }[]): Promise<unknown>;
  release(): Promise<void>;
}
export interface GraphileRunner {
  stop(): Promise<void>;
}
interface GraphileOptions {
  connectionString: string;
  maxPoolSize?: number;
  logger: unknown;
}
export interface GraphileRun extends GraphileOptions {
  concurrency: number;
  noHandleSignals: boolean;
  taskList: Record<string, (payload: unknown) => Promise<void>>;
  preset?: {
    worker: {
      localQueue: { size: number; refetchDelay: { durationMs: number } };
      completeJobBatchDelay: number;
      failJobBatchDelay: number;
    };
  };
}
export interface GraphileWorker {
  run(options: GraphileRun): Promise<GraphileRunner>;
  makeWorkerUtils(options: GraphileOptions): Promise<GraphileUtils>;
  Logger: new (factory: () => (level: string, message: string) => void) => unknown;
}

const resolve = createRequire(new URL("../peers/package.json", import.meta.url)).resolve;

/** @returns undefined when it is not installed */
export function peerVersion(name: "pg-boss" | "graphile-worker"): string | undefined {
  const manifest = new URL(`../peers/node_modules/${name}/package.json`, import.meta.url);
  try {
    return (JSON.parse(readFileSync(manifest, "utf8")) as { version: string }).version;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

export const loadPgBoss = () => load<PgBossModule>("pg-boss");
export const loadGraphileWorker = () => load<GraphileWorker>("graphile-worker");

async function load<Module>(name: string): Promise<Module> {
  return (await import(pathToFileURL(resolve(name)).href)) as Module;
}

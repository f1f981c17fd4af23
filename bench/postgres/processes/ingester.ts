/** One of Sluice's worker processes, over a configuration. */
import { createSystem } from "../../../src/adapters/node/system.ts";
import { composeWorker, openAdapters } from "../../../src/compose.ts";
import { parseConfig } from "../../../src/config/config.ts";
import type { Log } from "../../../src/ports/log.ts";
import type { Worker } from "../../../src/worker/worker.ts";
import { given, serve } from "../../processes/serve.ts";

const { settings } = given<{ settings: Record<string, string> }>();
const config = parseConfig(settings);
let problem: string | undefined;
const note = (fields: object, message: string) => {
  problem ??= `${message}: ${JSON.stringify(fields)}`;
};
const log: Log = { debug() {}, info() {}, warn: note, error: note };
const adapters = await openAdapters(config, {}, log);
let worker: Worker | undefined;

async function pause(): Promise<void> {
  await worker?.stop(5_000);
  worker = undefined;
}

const methods = {
  async start(): Promise<void> {
    worker = composeWorker(config, adapters, log, createSystem().newId("wrk"));
    await worker.start();
  },
  pause,
  /** @returns the first thing that went wrong, if any did */
  async end(): Promise<string | null> {
    await pause();
    await adapters.close();
    return problem ?? null;
  },
};
export type IngesterMethods = typeof methods;
serve(methods);

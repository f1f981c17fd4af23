/** `sluice worker`: one worker process against the data folder. As many as wanted may run. */
import { constants, setPriority } from "node:os";
import { composeUploadSweep, composeWorker, openAdapters } from "../compose.ts";
import { loadConfig } from "../config/config.ts";
import { sweepBlobs } from "../worker/sweep.ts";
import { createLogger } from "./logger.ts";
import { onShutdown, sayReady } from "./shutdown.ts";

const SWEEP_MS = 6 * 3_600_000;

/** @param given id of the worker; made up when absent */
export async function worker(given?: string): Promise<void> {
  const config = loadConfig();
  const log = createLogger(config.log_level, "worker");
  const adapters = await openAdapters(config, {}, log);
  const { system } = adapters;
  // Where the API shares the machine, an upload or a search goes first. On Linux this means this thread and what it
  // starts from now on (extraction children): not the thread that writes, which must never hold the lock and wait.
  setPriority(constants.priority.PRIORITY_BELOW_NORMAL);
  const running = composeWorker(config, adapters, log, given ?? system.newId("wrk"));
  const uploads = composeUploadSweep(config, adapters);
  const stopping = new AbortController();
  onShutdown(
    async () => {
      log.info({}, "stopping");
      stopping.abort();
      await running.stop(config.shutdown_ms);
      await adapters.close();
    },
    (error) => log.error({ err: error }, "stopping failed"),
  );
  await running.start();
  sayReady();
  while (!stopping.signal.aborted) {
    try {
      const removed = await sweepBlobs({ ...adapters, uploads }, stopping.signal);
      if (removed > 0) log.info({ removed }, "removed blobs that nothing named, and expired uploads");
    } catch (error) {
      log.warn({ err: error }, "sweeping failed; trying again later");
    }
    await system.sleep(SWEEP_MS * (0.5 + system.random()), stopping.signal);
  }
}

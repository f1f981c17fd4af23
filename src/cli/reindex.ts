/** `sluice reindex`: straight in the storage, also beside a running server, whose workers do the work. */
import { existsSync } from "node:fs";
import { composeReindex, type OpenAdapters, openAdapters } from "../compose.ts";
import { type Config, loadConfig } from "../config/config.ts";
import type { Reindex, ReindexStatus } from "../reindex/reindex.ts";
import { CommandError, counted, type OutputOptions, print, printJson } from "./output.ts";

export interface ReindexOptions extends OutputOptions {
  status?: boolean;
  cancel?: boolean;
  detach?: boolean;
}

const LOOK_MS = 500;
/** A worker that was not heard of for this long counts as gone. */
const WORKER_SEEN_MS = 10_000;

/** Ends when the reindex has; sets exit code 1 when it was given up, or waits for dead jobs. */
export async function reindex({ status, cancel, detach, json }: ReindexOptions): Promise<void> {
  const config = loadConfig();
  await withReindex(config, async (work, adapters) => {
    if (status || cancel) {
      const now = cancel ? await work.cancel() : await work.status();
      if (json) printJson(now);
      else print(describe(now));
      return;
    }
    const begun = await work.begin();
    if (json) printJson(begun);
    else print(describe(begun));
    if (begun.state !== "running" || detach) return;
    await warnWithoutWorkers(adapters);
    await follow(work, begun, adapters, json);
  });
}

async function follow(work: Reindex, begun: ReindexStatus, { system }: OpenAdapters, json: boolean) {
  let told = begun;
  for (;;) {
    await system.sleep(LOOK_MS);
    const now = await work.status();
    if (now.state !== "running" || now.target !== begun.target) {
      if (json) printJson(now);
      else print(describe(now));
      if (now.serving !== begun.target) process.exitCode = 1;
      return;
    }
    const stuck = now.failed > 0 && now.failed >= now.documents - now.done;
    if (now.done !== told.done || stuck) {
      if (json) printJson(now);
      else print(describe(now));
      told = now;
    }
    if (stuck) {
      process.exitCode = 1;
      return;
    }
  }
}

async function warnWithoutWorkers({ queue, system }: OpenAdapters): Promise<void> {
  const since = system.now() - WORKER_SEEN_MS;
  const living = (await queue.workers()).some(({ last_seen_at }) => Date.parse(last_seen_at) >= since);
  if (living) return;
  process.stderr.write(
    "No worker runs, and workers do the work: `sluice start`, or `sluice worker`. Ctrl-C ends the watching only.\n",
  );
}

function describe({ state, configured, serving, target, documents, done, failed }: ReindexStatus): string {
  switch (state) {
    case "current":
      return `The index is of ${serving ?? configured}: ${counted(documents, "document")}, none without its vectors.`;
    case "due":
      return serving === configured
        ? `The index is of ${serving}; ${counted(documents - done, "document")} of ${documents} lack its vectors. \`sluice reindex\` makes them.`
        : `The index is of ${serving}, the settings name ${configured}: searches go by ${serving} until \`sluice reindex\` is done.`;
    case "running": {
      const dead =
        failed === 0
          ? ""
          : `; ${counted(failed, "job")} failed for good and hold it up: \`sluice jobs list --state dead\` says why; \`sluice reindex\` tries again, \`--cancel\` gives up`;
      return `Reindex under ${target}: ${done} of ${counted(documents, "document")}; searches go by ${serving} until then${dead}.`;
    }
  }
}

/** @throws CommandError when there is no data folder: opening would make one */
async function withReindex(
  config: Config,
  use: (work: Reindex, adapters: OpenAdapters) => Promise<void>,
): Promise<void> {
  if (config.storage.kind === "sqlite" && !existsSync(config.data_dir)) {
    throw new CommandError(
      "no_data_folder",
      `There is no data folder ${config.data_dir}. SLUICE_DATA_DIR names it.`,
    );
  }
  const adapters = await openAdapters(config);
  try {
    await use(composeReindex(adapters), adapters);
  } finally {
    await adapters.close();
  }
}

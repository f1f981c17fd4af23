/** `sluice backup FOLDER`: a consistent copy of the data folder, also beside a running server. */
import { existsSync } from "node:fs";
import { isAbsolute, relative, resolve } from "node:path";
import { composeMaintenance, type Maintenance, type OpenAdapters, openAdapters } from "../compose.ts";
import { type Config, loadConfig } from "../config/config.ts";
import { BackupRefused } from "../maintenance/backup.ts";
import { CommandError, counted, formatDuration, type OutputOptions, print, printJson } from "./output.ts";

export interface BackupCommandOptions extends OutputOptions {
  /** False copies every file. */
  link: boolean;
}

/** Sets exit code 1 when files were missing: the copy is as whole as the original. */
export async function backup(folder: string, { link, json }: BackupCommandOptions): Promise<void> {
  const started = performance.now();
  const config = loadConfig();
  const inside = relative(config.data_dir, resolve(folder));
  if (!inside.startsWith("..") && !isAbsolute(inside)) {
    throw new CommandError("backup_refused", `${folder} is in the data folder; name a place outside it.`);
  }
  await withMaintenance(config, async (maintenance) => {
    try {
      const result = await maintenance.backUp(folder, { link });
      const duration_ms = Math.round(performance.now() - started);
      if (result.missing.length > 0) process.exitCode = 1;
      if (json) {
        printJson({ ...result, duration_ms });
        return;
      }
      const { blobs, linked } = result;
      const how = linked === 0 ? "copied" : linked === blobs ? "hard links" : `${linked} of them hard links`;
      print(`${result.folder}: the database and ${counted(blobs, "file")} (${how})`);
      print(`in ${formatDuration(duration_ms)}. To run it: SLUICE_DATA_DIR=${result.folder} sluice start`);
      if (result.missing.length > 0) {
        process.stderr.write(
          `The data folder lacks ${counted(result.missing.length, "file")} that documents name: \`sluice verify\` tells which.\n`,
        );
      }
    } catch (error) {
      if (error instanceof BackupRefused) throw new CommandError("backup_refused", error.message);
      throw error;
    }
  });
}

/**
 * Opens the data folder for an errand.
 * @throws CommandError when there is none, or its storage has tools of its own
 */
export async function withMaintenance(
  config: Config,
  use: (maintenance: Maintenance, adapters: OpenAdapters) => Promise<void>,
): Promise<void> {
  if (config.storage.kind !== "sqlite") {
    throw new CommandError(
      "not_embedded",
      "PostgreSQL is backed up and checked with its own tools (pg_dump, pg_basebackup), the bucket with its.",
    );
  }
  // Opening would make one, and find it in perfect order.
  if (!existsSync(config.data_dir)) {
    throw new CommandError(
      "no_data_folder",
      `There is no data folder ${config.data_dir}. SLUICE_DATA_DIR names it.`,
    );
  }
  const adapters = await openAdapters(config);
  try {
    const maintenance = composeMaintenance(config, adapters);
    if (!maintenance) {
      throw new CommandError("not_embedded", "This storage is backed up and checked with its own tools.");
    }
    await use(maintenance, adapters);
  } finally {
    await adapters.close();
  }
}

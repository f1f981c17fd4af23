/** What the figures were measured on. */
import { closeSync, fsyncSync, openSync, rmSync, statfsSync, writeSync } from "node:fs";
import { availableParallelism, cpus, loadavg, platform, release, totalmem } from "node:os";
import { join } from "node:path";
import { median, rounded } from "./statistics.ts";

export interface Machine {
  cpu: string;
  cores: number;
  memory_gib: number;
  system: string;
  node: string;
  sqlite: string;
  filesystem: string;
  /** Median milliseconds to write 4 KiB to a file there and fsync it. */
  fsync_ms: number;
  /** Processes that wanted a core in the minute before; near 0 on a quiet machine. */
  load_before: number;
}

/** From statfs(2); the file systems that data folders usually lie on. */
const filesystems: Readonly<Record<number, string>> = {
  61267: "ext4",
  1481003842: "xfs",
  2435016766: "btrfs",
  16914836: "tmpfs (nothing reaches a disk)",
  2035054128: "overlayfs",
  801189825: "zfs",
  26985: "nfs",
};

export function describeMachine(folder: string): Machine {
  const { type } = statfsSync(folder);
  return {
    cpu: cpus()[0]?.model ?? "unknown",
    cores: availableParallelism(),
    memory_gib: rounded(totalmem() / 2 ** 30),
    system: `${platform()} ${release()}`,
    node: process.version,
    sqlite: process.versions.sqlite ?? "unknown",
    filesystem: filesystems[type] ?? `type 0x${type.toString(16)}`,
    fsync_ms: rounded(fsyncCost(folder)),
    load_before: rounded(loadavg()[0] ?? 0),
  };
}

function fsyncCost(folder: string): number {
  const path = join(folder, "fsync-probe");
  const file = openSync(path, "w");
  const bytes = Buffer.alloc(4_096, "x");
  const times: number[] = [];
  for (let round = 0; round < 50; round++) {
    const started = performance.now();
    writeSync(file, bytes);
    fsyncSync(file);
    times.push(performance.now() - started);
  }
  closeSync(file);
  rmSync(path);
  return median(times);
}

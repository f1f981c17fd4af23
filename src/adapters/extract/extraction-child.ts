/** Starts the processes that read documents, looks at what they take, and clears away what they leave. */
import { type ChildProcess, fork } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync } from "node:fs";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { confined } from "./confine.ts";

export interface ExtractionChild {
  process: ChildProcess;
  /** The only place that it may write to: files inside a document come that way. */
  folder: string;
}

/**
 * @param module the child's entry
 * @param memory_mb of V8's heap, in MiB
 */
export function startChild(module: string, memory_mb: number): ExtractionChild {
  // The real path: permissions know no links.
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "sluice-inside-")));
  const [execPath, ...execArgv] = confined(
    process.execPath,
    [
      `--max-old-space-size=${Math.floor(memory_mb)}`,
      // What is young is garbage soon: more room for it makes nothing faster, and V8 would take 100 MiB.
      "--max-semi-space-size=16",
      // May read files, write into its folder and start threads; may not write anywhere else, start programs or load
      // native code.
      "--permission",
      "--allow-fs-read=*",
      `--allow-fs-write=${folder}`,
      "--allow-worker",
      "--disable-warning=SecurityWarning",
      // In each of its threads too, which `--import` does not reach.
      `--require=${fileURLToPath(besideThis("no-network"))}`,
    ],
    { resident_bytes: residentLimit(memory_mb) },
  );
  const child = fork(module, [folder], {
    // None of the parent's secrets.
    env: {},
    execPath,
    execArgv,
    serialization: "advanced",
    stdio: ["ignore", "ignore", "pipe", "ipc"],
  });
  return { process: child, folder };
}

/** All of a child's memory, in bytes: libraries hold as much outside V8's heap as in it. */
export function residentLimit(memory_mb: number): number {
  return Math.max(2 * memory_mb, 256) * 1024 * 1024;
}

export function defaultChild(): string {
  return fileURLToPath(besideThis("child"));
}

function besideThis(name: string): URL {
  return new URL(`./${name}.${import.meta.url.endsWith(".ts") ? "ts" : "js"}`, import.meta.url);
}

/** Its end may be known before its `close` event comes. */
export function isRunning({ process: child }: ExtractionChild): boolean {
  return child.connected && child.exitCode === null && child.signalCode === null;
}

/** An idle child keeps no process from ending; it ends by itself when the channel closes. */
export function setReferenced({ process: child }: ExtractionChild, referenced: boolean): void {
  const stderr = child.stderr as Socket | null;
  for (const handle of [child, child.channel, stderr]) {
    if (referenced) handle?.ref();
    else handle?.unref();
  }
}

/** Resident memory of a process, where the system tells (Linux, proc(5)). */
export function residentBytes(pid: number | undefined): number | undefined {
  if (pid === undefined || process.platform !== "linux") return undefined;
  try {
    const kibibytes = /^VmRSS:\s*(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "latin1"))?.[1];
    return kibibytes === undefined ? undefined : Number(kibibytes) * 1024;
  } catch {
    return undefined; // It has ended: its `close` event tells the rest.
  }
}

/** @returns whether it could: a child that has done something to its folder is not worth keeping */
export function emptyFolder({ folder }: ExtractionChild): boolean {
  try {
    for (const name of readdirSync(folder)) rmSync(join(folder, name), { recursive: true, force: true });
    return true;
  } catch {
    return false;
  }
}

/** Again when its process has ended: one that was killed may write for a moment more. */
export function removeFolder({ folder }: ExtractionChild): void {
  rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
}

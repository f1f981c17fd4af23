/** Runs a program of somebody else with all that it starts: within a time, within a memory, and gone afterwards. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { constants, readFileSync } from "node:fs";
import { access } from "node:fs/promises";
import { confined } from "./confine.ts";
import { residentBytes } from "./extraction-child.ts";

const LOOK_EVERY_MS = 100;

export interface TreeOptions {
  /** Where it may leave what it wants: its home and its folder for temporary files. */
  folder: string;
  timeout_ms: number;
  /** The most that its processes may hold together. Looked at where the system tells (Linux). */
  resident_bytes: number;
}

/**
 * Resolves when it has ended, by itself or killed.
 * @returns what it was killed for
 * @throws Error when it can't be started; the signal's reason when it fires
 */
export async function runTree(
  program: string,
  args: readonly string[],
  { folder, timeout_ms, resident_bytes }: TreeOptions,
  signal: AbortSignal,
): Promise<"timeout" | "memory" | undefined> {
  // What limits it would start, whether it is there or not.
  await access(program, constants.X_OK);
  signal.throwIfAborted();
  const [command, ...all] = confined(program, args, { resident_bytes, together: true });
  // Nothing of this process's environment but where programs are.
  const env = { PATH: "/usr/local/bin:/usr/bin:/bin", HOME: folder, TMPDIR: folder };
  const child = spawn(command, all, { cwd: folder, detached: true, stdio: "ignore", env });
  let reason: "timeout" | "memory" | undefined;
  const kill = (why?: "timeout" | "memory") => {
    if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    reason ??= why;
    process.kill(-child.pid, "SIGKILL");
  };
  const onAbort = () => kill();
  const timeout = setTimeout(() => kill("timeout"), timeout_ms);
  const look = setInterval(() => {
    if (treeBytes(child.pid) > resident_bytes) kill("memory");
  }, LOOK_EVERY_MS);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    await once(child, "close");
  } finally {
    clearTimeout(timeout);
    clearInterval(look);
    signal.removeEventListener("abort", onAbort);
  }
  signal.throwIfAborted();
  return reason;
}

/** Resident memory of a process and all below it; what they share counts for each. */
export function treeBytes(pid: number | undefined): number {
  let sum = 0;
  const waiting = [pid];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    sum += residentBytes(next) ?? 0;
    for (const below of childrenOf(next)) waiting.push(below);
  }
  return sum;
}

function childrenOf(pid: number): number[] {
  try {
    // Only what the first thread has started: programs that start others do it there.
    return readFileSync(`/proc/${pid}/task/${pid}/children`, "latin1").split(" ").filter(Boolean).map(Number);
  } catch {
    return []; // It has ended, or this system has no such file.
  }
}

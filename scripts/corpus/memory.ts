/** How much memory the processes that read documents take, where the system tells (Linux, proc(5)). */
import { readFileSync } from "node:fs";

/** @returns bytes resident in all processes below this one, itself left out; null where the system does not tell */
export function residentBelow(pid: number): number | null {
  if (process.platform !== "linux") return null;
  let sum = 0;
  const waiting = childrenOf(pid);
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const status = read(`/proc/${next}/status`);
    sum += 1024 * Number(/^VmRSS:\s*(\d+) kB/m.exec(status)?.[1] ?? 0);
    waiting.push(...childrenOf(next));
  }
  return sum;
}

function childrenOf(pid: number): number[] {
  return read(`/proc/${pid}/task/${pid}/children`).split(" ").filter(Boolean).map(Number);
}

function read(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return ""; // The process has ended.
  }
}

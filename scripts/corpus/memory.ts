/** How much memory the processes that read documents take, where the system tells (Linux, proc(5)). */
import { residentBytes } from "../../src/adapters/extract/extraction-child.ts";
import { treeBytes } from "../../src/adapters/extract/process-tree.ts";

/** @returns bytes resident in all processes below this one, itself left out; null where the system does not tell */
export function residentBelow(pid: number): number | null {
  return process.platform === "linux" ? treeBytes(pid) - (residentBytes(pid) ?? 0) : null;
}

/** A thread of the extraction child that ends the process when its parent has gone. Started by child.ts. */

import { rmSync } from "node:fs";
import { parentPort, workerData } from "node:worker_threads";

const CHECK_EVERY_MS = 1_000;
const parent = process.ppid;

// On POSIX an orphan gets another parent. On Windows it keeps the number; there the closed channel must do.
setInterval(() => {
  if (process.ppid === parent) return;
  rmSync(workerData as string, { recursive: true, force: true });
  process.kill(process.pid, "SIGKILL");
}, CHECK_EVERY_MS);

parentPort?.postMessage("watching");

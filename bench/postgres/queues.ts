/** The queues that are measured beside each other: Sluice's, and whichever peers are installed. */
import { peerVersion } from "./peers.ts";
import { openGraphileWorker } from "./queues/graphile-worker.ts";
import { openPgBoss } from "./queues/pg-boss.ts";
import type { QueueUnderTest } from "./queues/queue.ts";
import { openSluice } from "./queues/sluice.ts";
import type { Server } from "./server.ts";

export async function openQueues(server: Server): Promise<QueueUnderTest[]> {
  const queues = [await openSluice(server)];
  if (peerVersion("pg-boss")) queues.push(await openPgBoss(server));
  if (peerVersion("graphile-worker")) queues.push(await openGraphileWorker(server));
  return queues;
}

/** Says so where a peer is missing. */
export function peersNote(): string[] {
  const missing = (["pg-boss", "graphile-worker"] as const).filter((name) => !peerVersion(name));
  if (missing.length === 0) return [];
  return [`Not installed, so not measured: ${missing.join(", ")} (npm install --prefix bench/peers).`];
}

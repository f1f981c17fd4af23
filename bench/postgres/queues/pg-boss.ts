import { loadPgBoss, type PgBoss, peerVersion } from "../peers.ts";
import type { Server } from "../server.ts";
import { NOTHING, nothingToStop, POOL, type QueueUnderTest } from "./queue.ts";

const BATCH = 500;

/** @param notify whether workers are told of new jobs; it is off by default */
export async function startPgBoss(url: string, notify = false): Promise<PgBoss> {
  const { PgBoss } = await loadPgBoss();
  const boss = new PgBoss({ connectionString: url, max: POOL, useListenNotify: notify });
  boss.on("error", (error) => {
    throw error;
  });
  await boss.start();
  return boss;
}

export async function openPgBoss({ url, admin }: Server): Promise<QueueUnderTest> {
  const boss = await startPgBoss(url);
  await boss.createQueue(NOTHING);
  return {
    name: `pg-boss ${peerVersion("pg-boss")}`,
    enqueue: () => boss.send(NOTHING, {}),
    enqueueBatch: (count) =>
      boss.insert(
        NOTHING,
        Array.from({ length: count }, () => ({ data: {} })),
      ),
    drains: [
      {
        how: `fetch ${BATCH}, complete ${BATCH}`,
        async run(_count, loops) {
          await Promise.all(
            Array.from({ length: loops }, async () => {
              for (;;) {
                const jobs = await boss.fetch(NOTHING, { batchSize: BATCH });
                if (jobs.length === 0) return;
                await boss.complete(
                  NOTHING,
                  jobs.map(({ id }) => id),
                );
              }
            }),
          );
          return nothingToStop;
        },
      },
    ],
    tables: ["pgboss.job"],
    clear: () => boss.deleteAllJobs(NOTHING),
    async left() {
      const { rows } = await admin.query(
        "SELECT count(*)::int AS jobs FROM pgboss.job WHERE state < 'completed'",
      );
      return rows[0].jobs as number;
    },
    close: () => boss.stop({ graceful: false }),
  };
}

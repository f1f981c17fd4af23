/** All of Sluice on PostgreSQL, on one server. */
import type { Context, Table } from "../benchmark.ts";
import { uploadCommits } from "./commits.ts";
import { idleStart } from "./idle-start.ts";
import { ingestion } from "./ingestion.ts";
import type { Server } from "./server.ts";
import { startServer } from "./server.ts";
import { queueThroughput } from "./throughput.ts";

type Part = (server: Server, context: Context) => Promise<Table[]>;

export const parts: Readonly<Record<string, Part>> = {
  queue: queueThroughput,
  idle: idleStart,
  commit: uploadCommits,
  ingestion,
};

/** The benchmark as bench/main.ts takes it. */
export const postgres = (context: Context): Promise<Table[]> => measure(context, []);

/** @param names parts of it; none: all */
export async function measure(context: Context, names: string[]): Promise<Table[]> {
  const server = await startServer();
  const tables: Table[] = [];
  try {
    for (const [name, run] of Object.entries(parts)) {
      if (names.length > 0 && !names.includes(name)) continue;
      context.say(`postgres ${name} …`);
      tables.push(...(await run(server, context)));
    }
  } finally {
    await server.stop();
  }
  return tables.map((table, index) =>
    index === 0 ? { ...table, notes: [server.told, ...(table.notes ?? [])] } : table,
  );
}

/** Everything that lives in one PostgreSQL database, opened together. */
import type { ApiKeyStore } from "../../ports/api-key-store.ts";
import type { DocumentStore } from "../../ports/document-store.ts";
import type { JobDispatch } from "../../ports/job-dispatch.ts";
import type { JobQueue } from "../../ports/job-queue.ts";
import type { System } from "../../ports/system.ts";
import type { VectorIndex } from "../../ports/vector-index.ts";
import { createPostgresApiKeys } from "./api-keys.ts";
import { createClock } from "./clock.ts";
import { createConnection, type PostgresOptions } from "./connection.ts";
import { createPostgresDocuments } from "./documents.ts";
import { createDoorbell } from "./doorbell.ts";
import { migrate } from "./migrate.ts";
import { createPostgresDispatch, createPostgresQueue } from "./queue.ts";
import { createPostgresIndex } from "./vector-index.ts";

export interface PostgresStorageOptions extends PostgresOptions {
  system: System;
  embedder: { embedder_id: string; dimensions: number };
  /** Whether vectors are kept here, with pgvector. Default true; false: words only, for an index that has the vectors. */
  vectors?: boolean;
  /** Whether a broker is told of jobs (`dispatch`). Default false: the jobs themselves are the queue. */
  broker?: boolean;
  /** How often to look for events that nobody told of. Default 500. */
  poll_ms?: number;
  /** Whether `system.now` also counts in the database, instead of its own clock. Default false; for tests. */
  own_clock?: boolean;
}

export interface PostgresStorage {
  documents: DocumentStore;
  queue: JobQueue;
  index: VectorIndex;
  keys: ApiKeyStore;
  dispatch: JobDispatch;
  close(): Promise<void>;
}

/** @throws SluiceError storage_unavailable when the server can't be reached or used */
export async function openPostgresStorage(options: PostgresStorageOptions): Promise<PostgresStorage> {
  const { system, embedder, log } = options;
  const connection = createConnection(options);
  let embedder_row: number | undefined;
  try {
    embedder_row = await migrate(connection, (options.vectors ?? true) ? embedder : undefined);
  } catch (error) {
    await connection.close();
    throw error;
  }
  const doorbell = createDoorbell(connection, system, options.poll_ms ?? 500, log);
  const clock = createClock(system, options.own_clock ?? false);
  const parts = { connection, doorbell, clock, dispatch: options.broker ?? false };
  let closing: Promise<void> | undefined;
  const close = () => {
    closing ??= (async () => {
      await doorbell.close();
      await connection.close();
    })();
    return closing;
  };
  return {
    documents: createPostgresDocuments(parts, close),
    queue: createPostgresQueue(parts),
    index: createPostgresIndex(connection, embedder.embedder_id, embedder_row),
    keys: createPostgresApiKeys(connection),
    dispatch: createPostgresDispatch(parts),
    close,
  };
}

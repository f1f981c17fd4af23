/** Everything that lives in the one SQLite file, opened together. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { ApiKeyStore } from "../../ports/api-key-store.ts";
import type { DocumentStore } from "../../ports/document-store.ts";
import type { JobQueue } from "../../ports/job-queue.ts";
import type { Log } from "../../ports/log.ts";
import type { StorageMaintenance } from "../../ports/storage-maintenance.ts";
import type { System } from "../../ports/system.ts";
import type { VectorIndex } from "../../ports/vector-index.ts";
import { createSqliteApiKeys } from "./api-keys.ts";
import { createSqliteDocuments } from "./documents.ts";
import { createDoorbell } from "./doorbell.ts";
import { createSqliteMaintenance } from "./maintenance.ts";
import { createSqliteQueue } from "./queue.ts";
import { openDatabase } from "./schema.ts";
import { createSearchThreads } from "./search-threads.ts";
import { createSqliteIndex } from "./vector-index.ts";
import type { Effects } from "./write-commit.ts";
import { startWriter } from "./writer.ts";

export interface SqliteStorageOptions {
  /** Created when it is not there. The database is `sluice.db` in it. */
  folder: string;
  system: System;
  embedder: { embedder_id: string; dimensions: number };
  /** Hears what an upgrade of a large database is at. Default nobody. */
  log?: Log;
  /** Threads that searches run on, and lists that have to look through a tenant's documents. Default 2. */
  search_threads?: number;
}

export interface SqliteStorage {
  documents: DocumentStore;
  queue: JobQueue;
  index: VectorIndex;
  keys: ApiKeyStore;
  maintenance: StorageMaintenance;
  close(): Promise<void>;
}

export const DATABASE_FILE = "sluice.db";

/** @throws SluiceError storage_unavailable when the folder or the file can't be used */
export async function openSqliteStorage(options: SqliteStorageOptions): Promise<SqliteStorage> {
  const { folder, system } = options;
  mkdirSync(folder, { recursive: true });
  const path = join(folder, DATABASE_FILE);
  // The writer makes the schema; only then is there something to read.
  let ring: ((bell: "events" | "jobs") => void) | undefined;
  const rang = (effects: Effects) => {
    if (effects.events) ring?.("events");
    if (effects.jobs) ring?.("jobs");
  };
  const writer = await startWriter({ path, folder }, rang, (message) => options.log?.info({ path }, message));
  const db = openDatabase(path, { readOnly: true });
  const doorbell = createDoorbell(folder, db);
  ring = doorbell.rung;
  const threads = createSearchThreads(path, options.search_threads ?? 2);
  let closing: Promise<void> | undefined;
  const close = () => {
    closing ??= (async () => {
      doorbell.close();
      await threads.close();
      await writer.close();
      db.close();
    })();
    return closing;
  };
  return {
    documents: createSqliteDocuments(db, writer, doorbell, threads, system, close),
    queue: createSqliteQueue(db, writer, doorbell, system),
    index: createSqliteIndex(writer, threads, options.embedder),
    keys: createSqliteApiKeys(db, writer),
    maintenance: createSqliteMaintenance(path, db, writer),
    close,
  };
}

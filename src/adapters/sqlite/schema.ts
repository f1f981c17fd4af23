/**
 * The one SQLite file: opening it, bringing its schema up to date, and asking it.
 *
 * Durability: WAL with synchronous=FULL, so a commit has been fsynced when it returns. Readers never wait for the
 * writer nor it for them; writers of several processes take turns on the write lock with BEGIN IMMEDIATE.
 */
import {
  DatabaseSync,
  type SQLInputValue,
  type SQLOutputValue,
  type StatementResultingChanges,
} from "node:sqlite";
import { SluiceError } from "../../errors.ts";
import { separateWords } from "../keywords.ts";
import { translateError } from "./errors.ts";
import { migrations } from "./migrations.ts";
import { tenantWord } from "./rows.ts";

const UPGRADE_WAIT_MS = 3_600_000;

export interface OpenOptions {
  /** Default false. A reader cannot create the file or its schema. */
  readOnly?: boolean;
}

/**
 * Opens a connection. The schema must be there: `migrate` makes it.
 *
 * @throws SluiceError `storage_unavailable`
 */
export function openDatabase(path: string, options: OpenOptions = {}): DatabaseSync {
  return translated(() => {
    const db = new DatabaseSync(path, {
      readOnly: options.readOnly ?? false,
      allowExtension: !options.readOnly,
      timeout: 5_000,
    });
    if (!options.readOnly) {
      // Only a migration allows it again, for itself.
      db.enableLoadExtension(false);
      db.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 2000;");
    }
    db.exec("PRAGMA cache_size = -16000; PRAGMA temp_store = MEMORY; PRAGMA mmap_size = 268435456;");
    return db;
  });
}

/**
 * Brings the schema up to date; several processes may start at once.
 *
 * @throws SluiceError storage_unavailable when the file was written by a newer Sluice
 */
export function migrate(db: DatabaseSync, tell: (message: string) => void = () => {}): void {
  // What migrations ask for beside SQLite's own functions.
  db.function("separate_words", { deterministic: true }, (text) => separateWords(String(text ?? "")));
  db.function("tenant_word", { deterministic: true }, (tenant_id) => tenantWord(String(tenant_id ?? "")));
  const version = () => db.prepare("PRAGMA user_version").get()?.user_version as number;
  const before = version();
  if (before > 0 && before < migrations.length) {
    tell(`The database has schema ${before}: it is taken to ${migrations.length}, a large one in minutes.`);
    // Of several processes that start, one does it, and the others wait as long as it takes.
    db.exec(`PRAGMA busy_timeout = ${UPGRADE_WAIT_MS}`);
  }
  db.exec("BEGIN IMMEDIATE");
  try {
    const user_version = version();
    if (user_version > migrations.length) {
      throw new SluiceError(
        "storage_unavailable",
        `The database has schema ${user_version}; this Sluice knows up to ${migrations.length}. Start the newer Sluice that wrote it.`,
        { retryable: false },
      );
    }
    for (const migration of migrations.slice(user_version)) {
      if (typeof migration === "string") db.exec(migration);
      else migration(db, statements(db), tell);
    }
    db.exec(`PRAGMA user_version = ${migrations.length}`);
    db.exec("COMMIT");
  } catch (error) {
    if (db.isTransaction) db.exec("ROLLBACK");
    throw error;
  }
}

type Row = Record<string, SQLOutputValue>;

export interface Statement {
  get(...values: SQLInputValue[]): Row | undefined;
  all(...values: SQLInputValue[]): Row[];
  run(...values: SQLInputValue[]): StatementResultingChanges;
  iterate(...values: SQLInputValue[]): Iterable<Row>;
}
/** @throws SluiceError `storage_unavailable` where the file can't be read or written */
export type Sql = (text: string) => Statement;

/** Prepares each statement once per connection. */
export function statements(db: DatabaseSync): Sql {
  const prepared = new Map<string, Statement>();
  return function sql(text) {
    let statement = prepared.get(text);
    if (!statement) {
      statement = prepare(db, text);
      prepared.set(text, statement);
    }
    return statement;
  };
}

function prepare(db: DatabaseSync, text: string): Statement {
  const statement = translated(() => db.prepare(text));
  return {
    get: (...values) => translated(() => statement.get(...values)),
    all: (...values) => translated(() => statement.all(...values)),
    run: (...values) => translated(() => statement.run(...values)),
    iterate: (...values) => statement.iterate(...values),
  };
}

function translated<T>(use: () => T): T {
  try {
    return use();
  } catch (error) {
    throw translateError(error);
  }
}

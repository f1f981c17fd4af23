/**
 * The inbox: how a service that takes events at least once has each one's effect exactly once. Effect and key are
 * written in one transaction of the service's own database; an event whose key is there has had its effect.
 */
import type { DatabaseSync } from "node:sqlite";

/** @typeParam Tx what an effect is given to write with */
export interface Inbox<Tx> {
  /**
   * MUST run the effect and remember the key in one transaction, or, when the key is remembered, do nothing. MUST
   * leave neither when the effect throws, and throw what it threw.
   *
   * @returns whether the effect ran now
   */
  run(key: string, effect: (tx: Tx) => void | Promise<void>): Promise<boolean>;
}

export interface SqliteInbox extends Inbox<DatabaseSync> {
  /**
   * Forgets keys older than this many milliseconds, and says how many. Keep them longer than the topic keeps its
   * events: a key that is forgotten while its event can still be read lets the effect happen again.
   */
  forget(older_than_ms: number): number;
}

/**
 * An inbox in a SQLite database, for effects on that same database.
 *
 * @param options.database a connection that nothing else holds a transaction on; its table `inbox` is made here
 * @param options.consumer tells services apart that share the database. Default "default"
 */
export function createSqliteInbox(options: {
  database: DatabaseSync;
  consumer?: string;
  now?: () => number;
}): SqliteInbox {
  const { database, consumer = "default", now = Date.now } = options;
  database.exec(`
    CREATE TABLE IF NOT EXISTS inbox (
      consumer TEXT NOT NULL,
      key TEXT NOT NULL,
      taken_at INTEGER NOT NULL, -- milliseconds since 1970
      PRIMARY KEY (consumer, key)
    ) STRICT, WITHOUT ROWID
  `);
  const remember = database.prepare("INSERT OR IGNORE INTO inbox (consumer, key, taken_at) VALUES (?, ?, ?)");
  const forget = database.prepare("DELETE FROM inbox WHERE consumer = ? AND taken_at < ?");
  return {
    async run(key, effect) {
      database.exec("BEGIN IMMEDIATE");
      try {
        const isNew = Number(remember.run(consumer, key, now()).changes) === 1;
        if (isNew) {
          const result = effect(database);
          if (result instanceof Promise) {
            // It would go on after the transaction, which can't vouch for it; how it ends no longer matters.
            result.catch(() => {});
            throw new TypeError("an effect on SQLite must not be asynchronous");
          }
        }
        database.exec("COMMIT");
        return isNew;
      } catch (error) {
        // Some errors (a full disk) have rolled back already.
        if (database.isTransaction) database.exec("ROLLBACK");
        throw error;
      }
    },
    forget: (older_than_ms) => Number(forget.run(consumer, now() - older_than_ms).changes),
  };
}

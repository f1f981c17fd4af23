/**
 * A second service, in its own process and with its own database: keeps a list of the documents that can be searched,
 * made of Sluice's events in Kafka. Each event counts exactly once, however often it is delivered and whenever this
 * process is killed. README.md says how to run it.
 */
import { DatabaseSync } from "node:sqlite";
import { parseArgs } from "node:util";
import { consumeEvents } from "../../src/adapters/kafka/consumer.ts";
import { createSqliteInbox } from "../../src/adapters/kafka/inbox.ts";

const { values } = parseArgs({
  options: {
    brokers: { type: "string", default: "127.0.0.1:9092" },
    topic: { type: "string", default: "sluice.events" },
    group: { type: "string", default: "searchable-list" },
    database: { type: "string", default: "searchable.db" },
  },
});

const database = new DatabaseSync(values.database);
database.exec(`
  PRAGMA journal_mode = WAL; -- others may read the list while it grows
  PRAGMA synchronous = FULL; -- an offset is committed for what is on disk
  CREATE TABLE IF NOT EXISTS searchable (
    document_id TEXT NOT NULL,
    version INTEGER NOT NULL,
    collection TEXT NOT NULL,
    chunks INTEGER NOT NULL,
    since TEXT NOT NULL
  ) STRICT
`);
const insert = database.prepare("INSERT INTO searchable VALUES (?, ?, ?, ?, ?)");

const stopping = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => stopping.abort());

await consumeEvents({
  brokers: values.brokers.split(","),
  topics: values.topic.split(","),
  group: values.group,
  inbox: createSqliteInbox({ database }),
  types: ["rag.ingestion.completed"],
  // Runs inside the inbox's transaction, on the same database: the row and the mark "seen" are written together.
  handle({ document_id, collection, timestamp, data }) {
    insert.run(document_id, data.version, collection, data.chunks_created, timestamp);
    console.log(`${document_id} version ${data.version} can be searched: ${data.chunks_created} chunks`);
  },
  // A real service keeps such a message for a person to look at.
  onPoison({ topic, partition, offset, error }) {
    console.error(`passed over: ${topic}, partition ${partition}, offset ${offset}:`, error);
  },
  log: { warn: (fields, message) => console.warn(message, fields) },
  signal: stopping.signal,
});
database.close();

/**
 * The one writer of a process, on a thread of its own, so that neither an fsync nor the wait for the write lock
 * stands in the way of requests. Whatever was asked while a transaction was being written goes into the next one
 * together (group commit): each request keeps its own savepoint, so that one refused takes no other with it.
 */
import { closeSync, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from "node:worker_threads";
import { SluiceError } from "../../errors.ts";
import { ConflictError } from "../../ports/document-store.ts";
import { doorbells } from "./doorbell.ts";
import { translateError } from "./errors.ts";
import { migrate, openDatabase, statements } from "./schema.ts";
import { noticeClock } from "./write-clock.ts";
import { applyCommit, type Effects } from "./write-commit.ts";
import { applyEmbedderChange } from "./write-embedders.ts";
import { addVectors, dropStrayVectors, removeIndexed, stageEntries } from "./write-index.ts";
import { applyJobChange, claimJobs, heartbeat, removeWorker, requireLease } from "./write-jobs.ts";
import { applyWebhookWrite } from "./write-webhooks.ts";
import { monotonicMs, type WriteAnswer, type WriteRequest, type WriterData } from "./writer.ts";

/** Requests that share one transaction at most, and milliseconds after which no more join it. */
const BATCH_LIMIT = 256;
const BATCH_MS = 20;
/** How long to wait for the write lock, which another process holds for milliseconds, before giving up. */
const LOCK_WAIT_MS = 10_000;
const LOCK_POLL_MS = 0.5;
/** A request older than this says nothing of the clock: it waited for the lock, or its process was stopped. */
const CLOCK_FRESH_MS = 1_000;

const { path, folder } = workerData as WriterData;
const port = parentPort as MessagePort;

const db = openMigrated();
// From here on the lock is waited for below, at a shorter interval than SQLite's own.
db.exec("PRAGMA busy_timeout = 0");
const sql = statements(db);
const savepoint = db.prepare("SAVEPOINT request");
const release = db.prepare("RELEASE request");
const bells = { events: openBell(doorbells.events), jobs: openBell(doorbells.jobs) };

port.on("message", runBatch);
port.postMessage({ ready: true });

function openMigrated(): DatabaseSync {
  try {
    const database = openDatabase(path);
    database.exec("PRAGMA busy_timeout = 10000");
    migrate(database, (notice) => port.postMessage({ notice }));
    return database;
  } catch (error) {
    // Thrown, it would lose what it is, and might overtake the message. Messages are handed over before the exit is told.
    port.postMessage({ unusable: describe(translateError(error)) });
    process.exit(1);
  }
}

/** One transaction for this request and whatever waits behind it. */
function runBatch(first: WriteRequest): void {
  const answers: WriteAnswer[] = [];
  const effects: Effects = { events: false, jobs: false };
  let request: WriteRequest | undefined = first;
  let closing = false;
  try {
    begin(db);
    const started = performance.now();
    if ("now" in first && first.now !== undefined && monotonicMs() - first.asked_at < CLOCK_FRESH_MS) {
      noticeClock(sql, first.now);
    }
    do {
      if (request.op === "close") closing = true;
      else answers.push(runOne(request, effects));
      if (answers.length >= BATCH_LIMIT || performance.now() - started > BATCH_MS) {
        request = undefined;
        break;
      }
      request = receiveMessageOnPort(port)?.message as WriteRequest | undefined;
    } while (request);
    db.exec("COMMIT");
  } catch (error) {
    if (db.isTransaction) db.exec("ROLLBACK");
    const failure = describe(translateError(error));
    const ids = new Set(answers.map((answer) => answer.id));
    if (request && request.op !== "close") ids.add(request.id);
    for (const id of ids) port.postMessage({ id, ...failure });
    if (closing) close();
    return;
  }
  // Only now is it true: tell those who asked, and ring for everybody else.
  for (const answer of answers) port.postMessage({ ...answer, effects });
  if (effects.events) ring(bells.events);
  if (effects.jobs) ring(bells.jobs);
  if (closing) close();
}

function runOne(request: WriteRequest, effects: Effects): WriteAnswer {
  savepoint.run();
  const own: Effects = { events: false, jobs: false };
  try {
    const result = execute(request, own);
    release.run();
    effects.events ||= own.events;
    effects.jobs ||= own.jobs;
    return { id: request.id, result };
  } catch (error) {
    // A full or broken disk may have ended the whole transaction: then nothing of the batch can be kept.
    if (!db.isTransaction) throw error;
    db.exec("ROLLBACK TO request; RELEASE request");
    return { id: request.id, ...describe(translateError(error)) };
  }
}

function execute(request: WriteRequest, effects: Effects): unknown {
  switch (request.op) {
    case "commit": {
      let sequence = 0;
      for (const commit of request.commits) {
        sequence = applyCommit(sql, commit, request.now, effects) || sequence;
      }
      return sequence;
    }
    case "jobs":
      effects.jobs = true;
      return applyJobChange(sql, request.change, request.now);
    case "claim":
      return claimJobs(
        sql,
        request.worker_id,
        request.limit,
        request.lease_ms,
        request.max_running_per_tenant,
        request.now,
      );
    case "heartbeat":
      return heartbeat(sql, request.worker, request.leases, request.lease_ms, request.now);
    case "remove_worker":
      return removeWorker(sql, request.worker_id);
    case "stage":
      if (request.lease) requireLease(sql, request.lease);
      return stageEntries(sql, request.embedder_id, request.dimensions, request.entries);
    case "add":
      if (request.lease) requireLease(sql, request.lease);
      return addVectors(sql, request.embedder_id, request.dimensions, request.entries);
    case "embedders":
      return applyEmbedderChange(sql, request.change);
    case "webhooks":
      return applyWebhookWrite(sql, request.change);
    case "remove_indexed":
      return removeIndexed(sql, request.tenant_id, request.document_id, request.version);
    case "drop_stray_vectors":
      return dropStrayVectors(sql, request.tables, request.chunk_rows);
    case "run":
      return Number(sql(request.sql).run(...request.values).changes);
    case "close":
      return undefined;
  }
}

function begin(database: DatabaseSync): void {
  const deadline = performance.now() + LOCK_WAIT_MS;
  for (;;) {
    try {
      database.exec("BEGIN IMMEDIATE");
      return;
    } catch (error) {
      const busy = ((error as { errcode?: number }).errcode ?? 0) & 0xff;
      if (busy !== 5 || performance.now() > deadline) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, LOCK_POLL_MS);
    }
  }
}

function openBell(name: string): number {
  const bell = join(folder, name);
  closeSync(openSync(bell, "a"));
  return openSync(bell, "r+");
}

function ring(bell: number): void {
  // Watchers are woken by the change, not by the content: always the same byte.
  writeSync(bell, ".", 0);
}

function describe(error: unknown): Omit<WriteAnswer, "id"> {
  if (error instanceof ConflictError) return { conflict: error.reason };
  if (error instanceof SluiceError) {
    const { code, message, retryable, retry_after_ms } = error;
    return { failure: { code, message, retryable, retry_after_ms } };
  }
  const { message, stack } = error instanceof Error ? error : new Error(String(error));
  return { defect: { message, stack } };
}

function close(): void {
  closeSync(bells.events);
  closeSync(bells.jobs);
  db.close();
  port.postMessage({ closed: true });
  port.close();
}

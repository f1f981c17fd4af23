/**
 * Checks everything that is stored against everything else, document by document and in bounded memory, also while
 * others work: what they change meanwhile is looked at again before it is told.
 */
import { isTerminal } from "../document.ts";
import { DELETE_DOCUMENT, endedStates, INGEST_DOCUMENT, type Job } from "../job.ts";
import type { Finding, FindingCode } from "./finding.ts";
import { type InspectOptions, inspectDocument } from "./inspect.ts";
import { type RepairDependencies, repair } from "./repair.ts";

export interface VerifyOptions extends InspectOptions {
  /** Repair what can be. Default false. */
  repair?: boolean;
  /** Called with the number of documents looked at so far. */
  progress?: (documents: number) => void;
}

/** A finding, and whether it was repaired, or a job queued that repairs it. */
export interface VerifyFinding extends Finding {
  repaired: boolean;
}

const BATCH = 200;
/** Repairs of one document that may be refused, because it moved on. */
const MAX_TRIES = 5;
/** As the worker's sweeper has it (worker/sweep.ts): a younger blob may be about to be named. */
const MIN_AGE_MS = 6 * 3_600_000;

/** What was wrong so far with what the documents are, and not mended: rows may belong to something after all. */
const doubtful: ReadonlySet<FindingCode> = new Set(["log_damaged", "record_differs", "document_lost"]);

/** @throws SluiceError storage_unavailable when it can't look */
export async function* verify(
  dependencies: RepairDependencies,
  options: VerifyOptions = {},
): AsyncGenerator<VerifyFinding, void, void> {
  const { maintenance } = dependencies;
  const damage = await maintenance.check();
  for (const line of damage) {
    const message = `${line}. Stop Sluice and restore a backup.`;
    yield { code: "database_damaged", severity: "error", message, repairable: false, repaired: false };
  }
  // Whatever is written into a damaged file may damage more.
  const mayRepair = options.repair === true && damage.length === 0;
  let inDoubt = false;
  try {
    for await (const finding of verifyDocuments(dependencies, { ...options, repair: mayRepair })) {
      inDoubt ||= doubtful.has(finding.code) && !finding.repaired;
      yield finding;
    }
    yield* verifyJobs(dependencies, { ...options, repair: mayRepair });
    yield* verifyRows(dependencies, { ...options, repair: mayRepair && !inDoubt });
    yield* verifyBlobs(dependencies, { ...options, repair: mayRepair && !inDoubt });
  } catch (error) {
    if (damage.length === 0) throw error;
    const told = error instanceof Error ? error.message : String(error);
    const message = `the damage keeps the rest from being looked at (${told})`;
    yield { code: "unchecked", severity: "error", message, repairable: false, repaired: false };
  }
}

/** Repairs a finding where that is asked for and can be. */
async function settle(
  dependencies: RepairDependencies,
  options: VerifyOptions,
  finding: Finding,
): Promise<VerifyFinding> {
  const repaired = options.repair === true && finding.repairable && (await repair(dependencies, finding));
  return { ...finding, repaired };
}

async function* verifyDocuments(
  dependencies: RepairDependencies,
  options: VerifyOptions,
): AsyncGenerator<VerifyFinding, void, void> {
  let documents = 0;
  for (let after = ""; ; ) {
    const page = await dependencies.maintenance.listDocuments(after, BATCH);
    for (const { document_id } of page) {
      yield* verifyDocument(dependencies, document_id, options);
      options.progress?.(++documents);
    }
    const last = page.at(-1);
    if (!last) return;
    after = last.document_id;
  }
}

async function* verifyDocument(
  dependencies: RepairDependencies,
  document_id: string,
  options: VerifyOptions,
): AsyncGenerator<VerifyFinding, void, void> {
  const settled = new Set<FindingCode>();
  for (let tries = 1; ; ) {
    const found = (await inspectDocument(dependencies, document_id, options)).filter(
      ({ code }) => !settled.has(code),
    );
    const next = options.repair ? found.find(({ repairable }) => repairable) : undefined;
    if (!next) {
      for (const finding of found) yield { ...finding, repaired: false };
      return;
    }
    // One at a time: what one repair leaves may look otherwise to the next.
    const finding = await settle(dependencies, options, next);
    if (!finding.repaired && tries++ < MAX_TRIES) continue;
    settled.add(next.code);
    yield finding;
  }
}

async function* verifyJobs(
  dependencies: RepairDependencies,
  options: VerifyOptions,
): AsyncGenerator<VerifyFinding, void, void> {
  for (let after = ""; ; ) {
    const page = await dependencies.maintenance.listUnendedJobs(after, BATCH);
    for (const job of page) {
      const finding = await judgeJob(dependencies, job);
      if (finding) yield await settle(dependencies, options, finding);
    }
    const last = page.at(-1);
    if (!last) return;
    after = last.job_id;
  }
}

/** The document is read first, then the job again: one that has ended meanwhile owes nobody anything. */
async function judgeJob({ maintenance, queue }: RepairDependencies, job: Job): Promise<Finding | undefined> {
  const { job_id, job_type, tenant_id } = job;
  const document_id = String(job.payload.document_id);
  const held = await maintenance.getDocument(document_id);
  const record = held?.removed ? null : held?.record;
  let message: string | undefined;
  if (job_type === INGEST_DOCUMENT) {
    if (!record) message = "it ingests a document that is not there";
    else if (record.job_id !== job_id) message = `it is not the latest of its document; ${record.job_id} is`;
    else if (isTerminal(record.status)) message = `its document is ${record.status} already`;
  } else if (job_type === DELETE_DOCUMENT && record) {
    message = "it erases a document that nobody deleted";
  }
  if (message === undefined) return undefined;
  const now = await queue.get(job_id);
  if (!now || endedStates.has(now.state)) return undefined;
  const severity = job_type === DELETE_DOCUMENT ? "error" : "warning";
  return { code: "stray_job", severity, tenant_id, document_id, job_id, message, repairable: true };
}

async function* verifyRows(
  dependencies: RepairDependencies,
  options: VerifyOptions,
): AsyncGenerator<VerifyFinding, void, void> {
  const kinds = await dependencies.maintenance.findStrayRows();
  let repaired: boolean | undefined;
  for (const message of kinds) {
    const finding: Finding = { code: "stray_rows", severity: "warning", message, repairable: true };
    // All kinds go at once.
    repaired ??= (await settle(dependencies, options, finding)).repaired;
    yield { ...finding, repaired };
  }
}

async function* verifyBlobs(
  dependencies: RepairDependencies,
  options: VerifyOptions,
): AsyncGenerator<VerifyFinding, void, void> {
  const { blobs, documents, maintenance, system } = dependencies;
  const names = await maintenance.blobNames();
  try {
    let batch = new Map<string, number>();
    const judge = async function* () {
      const keys = [...batch.keys()];
      const named = await names.named(keys);
      const unnamed = keys.filter((key) => !named.has(key));
      const since = unnamed.length === 0 ? new Set() : await documents.referencedBlobs(unnamed);
      for (const blob_key of unnamed) {
        if (since.has(blob_key)) continue;
        const message = `${blob_key} (${batch.get(blob_key)} bytes) belongs to nothing`;
        yield await settle(dependencies, options, {
          code: "stray_blob",
          severity: "warning",
          blob_key,
          message,
          repairable: true,
        });
      }
      batch = new Map();
    };
    for await (const { key, size_bytes, modified_at } of blobs.list("")) {
      if (system.now() - modified_at < MIN_AGE_MS) continue;
      batch.set(key, size_bytes);
      if (batch.size === BATCH) yield* judge();
    }
    yield* judge();
  } finally {
    await names.close();
  }
}

/**
 * Checks everything that is stored against everything else, document by document and in bounded memory, also while
 * others work: what they change meanwhile is looked at again before it is told.
 */
import { SluiceError } from "../errors.ts";
import { isAwaited } from "../intake/upload-record.ts";
import type { Finding, FindingCode } from "./finding.ts";
import { describe, type InspectOptions, inspectDocument } from "./inspect.ts";
import { inspectJob } from "./inspect-job.ts";
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
const doubtful: ReadonlySet<FindingCode> = new Set([
  "unreadable",
  "log_damaged",
  "record_differs",
  "document_lost",
]);

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
    for (const look of [verifyDocuments, verifyJobs]) {
      for await (const finding of look(dependencies, { ...options, repair: mayRepair })) {
        inDoubt ||= doubtful.has(finding.code) && !finding.repaired;
        yield finding;
      }
    }
    yield* verifyRows(dependencies, { ...options, repair: mayRepair && !inDoubt });
    yield* verifyBlobs(dependencies, { ...options, repair: mayRepair && !inDoubt });
  } catch (error) {
    if (damage.length === 0 && !inDoubt) throw error;
    const message = `the damage keeps the rest from being looked at (${describe(error)})`;
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
    const page = await dependencies.maintenance.listDocumentIds(after, BATCH);
    for (const document_id of page) {
      yield* verifyDocument(dependencies, document_id, options);
      options.progress?.(++documents);
    }
    const last = page.at(-1);
    if (last === undefined) return;
    after = last;
  }
}

async function* verifyDocument(
  dependencies: RepairDependencies,
  document_id: string,
  options: VerifyOptions,
): AsyncGenerator<VerifyFinding, void, void> {
  const settled = new Set<FindingCode>();
  for (let tries = 1; ; ) {
    const all = await unlessUnreadable({ document_id }, () =>
      inspectDocument(dependencies, document_id, options),
    );
    const found = [all].flat().filter(({ code }) => !settled.has(code));
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
    const page = await dependencies.maintenance.listUnendedJobIds(after, BATCH);
    for (const job_id of page) {
      const finding = await unlessUnreadable({ job_id }, () => inspectJob(dependencies, job_id));
      if (finding) yield await settle(dependencies, options, finding);
    }
    const last = page.at(-1);
    if (last === undefined) return;
    after = last;
  }
}

/** One damaged row must not keep the others from being looked at. */
async function unlessUnreadable<T>(
  about: Pick<Finding, "document_id" | "job_id">,
  look: () => Promise<T>,
): Promise<T | Finding> {
  try {
    return await look();
  } catch (error) {
    if (error instanceof SluiceError) throw error;
    const message = `it can't be read: ${describe(error)}. Restore a backup.`;
    return { code: "unreadable", severity: "error", ...about, message, repairable: false };
  }
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
        if (since.has(blob_key) || (await isAwaited(blobs, blob_key))) continue;
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
      // The record of a resumable upload: the sweeper knows when it has expired.
      if (/\/upl_[^/]*$/.test(key)) continue;
      batch.set(key, size_bytes);
      if (batch.size === BATCH) yield* judge();
    }
    yield* judge();
  } finally {
    await names.close();
  }
}

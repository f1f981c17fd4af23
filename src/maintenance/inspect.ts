/** Looks at one document: its blobs, its events, its job and its index against each other. */
import { createHash } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import type { Chunk } from "../chunk.ts";
import { type DocumentRecord, evolve, isTerminal, type JourneyState, legalAfter } from "../document.ts";
import { createTextReader, wholeText } from "../document-text.ts";
import { SluiceError } from "../errors.ts";
import { anyEventSchema } from "../events.ts";
import { endedStates } from "../job.ts";
import type { BlobStore } from "../ports/blob-store.ts";
import { blobsOf, type DocumentStore } from "../ports/document-store.ts";
import type { Embedder } from "../ports/embedder.ts";
import type { JobQueue } from "../ports/job-queue.ts";
import type { HeldDocument, StorageMaintenance } from "../ports/storage-maintenance.ts";
import type { System } from "../ports/system.ts";
import type { Finding, FindingCode } from "./finding.ts";

export interface InspectDependencies {
  system: System;
  documents: DocumentStore;
  queue: JobQueue;
  blobs: BlobStore;
  maintenance: StorageMaintenance;
  /** Whose vectors there should be. */
  embedder: Pick<Embedder, "embedder_id">;
}

export interface InspectOptions {
  /** Trust the bytes of a file that is there with its full length. Default false: their SHA-256 is checked. */
  fast?: boolean;
}

const EVENTS = 500;
const CHUNKS = 256;
/** Looks at a document that keeps changing before it is believed to be in good hands. */
const MAX_ROUNDS = 20;
const PAUSE_MS = 20;

/**
 * What is wrong with a document, as it was at an instant when nothing of it changed, and as it still was a moment
 * later.
 */
export async function inspectDocument(
  dependencies: InspectDependencies,
  document_id: string,
  options: InspectOptions,
): Promise<Finding[]> {
  const { maintenance, system } = dependencies;
  let earlier: Finding[] | undefined;
  for (let round = 1; round <= MAX_ROUNDS; round++) {
    const before = await maintenance.getDocument(document_id);
    if (!before) return [];
    const found = await look(dependencies, before, options);
    if (found.length === 0) return [];
    const after = await maintenance.getDocument(document_id);
    const still = after?.record?.revision === before.record?.revision && after?.removed === before.removed;
    if (still && isDeepStrictEqual(earlier, found)) return found;
    earlier = still ? found : undefined;
    await system.sleep(round * PAUSE_MS);
  }
  // Somebody works on it all the time; what is wrong when they are done, the next verification tells.
  return [];
}

async function look(
  dependencies: InspectDependencies,
  held: HeldDocument,
  options: InspectOptions,
): Promise<Finding[]> {
  const { maintenance } = dependencies;
  const { tenant_id, document_id, record, removed } = held;
  const findings: Finding[] = [];
  const found = (
    code: FindingCode,
    repairable: boolean,
    message: string,
    severity: Finding["severity"] = "error",
  ) => findings.push({ code, severity, tenant_id, document_id, message, repairable });

  const log = await replay(dependencies.documents, held);
  if (log.illegal !== undefined) {
    found(
      "log_damaged",
      false,
      `${log.illegal}. Restore a backup, or delete the document and upload it again.`,
    );
  }
  if (record === null) {
    if (log.illegal === undefined && log.state !== "deleted") {
      found(
        "document_lost",
        false,
        `its events say that it is ${log.state}, and the document is gone. Restore a backup, or upload it again.`,
      );
    }
    return findings;
  }
  if (removed) {
    const deleted = log.illegal === undefined && log.state === "deleted";
    if (log.illegal === undefined && !deleted) {
      found("log_damaged", false, "it is deleted, and no event says so. Restore a backup.");
    }
    if (!(await maintenance.isBeingErased(document_id))) {
      // On the word of a damaged row, nobody's bytes are erased.
      found("removal_stuck", deleted, "it is deleted, and no job erases its bytes");
    }
    return findings;
  }
  if (log.illegal === undefined && !isDeepStrictEqual(log.record, record)) {
    if (log.state === "deleted" || log.record?.revision !== record.revision) {
      found(
        "log_damaged",
        false,
        `it changed ${record.revision} times, and its events tell of ${log.record?.revision ?? 0} changes, the last to ${log.state}. Restore a backup, or delete the document and upload it again.`,
      );
    } else {
      const fields = Object.keys(record) as (keyof DocumentRecord)[];
      const differing = fields.filter((field) => !isDeepStrictEqual(record[field], log.record?.[field]));
      found("record_differs", true, `its events say otherwise of ${differing.join(", ")}`);
    }
  }
  if (!isTerminal(record.status)) {
    const job = await dependencies.queue.get(record.job_id, tenant_id);
    if (!job || endedStates.has(job.state)) {
      const state = job ? `is ${job.state}` : "is gone";
      found("document_stuck", true, `it is ${record.status}, and its job ${record.job_id} ${state}`);
    }
  }
  await lookAtBytes(dependencies, record, options, found);
  return findings;
}

type Report = (
  code: FindingCode,
  repairable: boolean,
  message: string,
  severity?: Finding["severity"],
) => void;

/** Originals, what was made of them, and the index. */
async function lookAtBytes(
  { documents, blobs, maintenance, embedder }: InspectDependencies,
  record: DocumentRecord,
  { fast = false }: InspectOptions,
  found: Report,
): Promise<void> {
  const { tenant_id, document_id, version: current, searchable_version: searchable } = record;
  const versions = await documents.listVersions(tenant_id, document_id);
  /** Versions share blobs: each is read once. */
  const judged = new Map<string, string | undefined>();
  let ingestible = false;
  for (const { version, blob_key, size_bytes, sha256 } of versions) {
    if (!judged.has(blob_key))
      judged.set(blob_key, await judgeBlob(blobs, blob_key, size_bytes, fast ? null : sha256));
    const trouble = judged.get(blob_key);
    if (version === current) ingestible = trouble === undefined;
    if (trouble === undefined) continue;
    const needed = version === current || version === searchable;
    found(
      trouble === MISSING ? "original_missing" : "original_damaged",
      false,
      `the original of version ${version} (${blob_key}) ${trouble}. Restore that file from a backup, or upload it again as a new version.`,
      needed ? "error" : "warning",
    );
  }
  for (const version of new Set([current, searchable])) {
    if (version !== null && !versions.some((known) => known.version === version)) {
      found(
        "original_missing",
        false,
        `nothing tells where the original of version ${version} is. Restore a backup.`,
      );
    }
  }

  if (current !== searchable) {
    const missing = await missingBlobs(documents, blobs, record, current);
    if (missing.length > 0) {
      found(
        "checkpoint_damaged",
        true,
        `version ${current} can't go on from where it is: ${missing.join(", ")} is gone`,
      );
    }
  }
  if (searchable === null) return;
  const troubles = (await missingBlobs(documents, blobs, record, searchable)).map((key) => `${key} is gone`);
  const counts = await maintenance.countVersion(document_id, searchable, embedder.embedder_id);
  const expected = record.chunks_created;
  if (counts.chunks !== expected || counts.end !== expected) {
    troubles.push(`${counts.chunks} of ${expected} chunks are there, the last is number ${counts.end}`);
  }
  if (counts.unembedded > 0) troubles.push(`${counts.unembedded} chunks have no vector`);
  if (counts.without_keywords > 0) troubles.push(`${counts.without_keywords} chunks are not found by words`);
  if (counts.without_neighbours > 0)
    troubles.push(`${counts.without_neighbours} chunks are not found by meaning`);
  if (!fast && troubles.length === 0) {
    const trouble = await compareTexts(documents, blobs, record, searchable);
    if (trouble !== undefined) troubles.push(trouble);
  }
  if (counts.of_other_embedders > 0) {
    // Not for a repair to do: a reindex does it for all.
    found(
      "other_embedder",
      false,
      `${counts.of_other_embedders} chunks of version ${searchable} have no vector of the embedder that searches go by. \`sluice reindex\` makes them.`,
    );
  }
  if (troubles.length === 0) return;
  const repairable = record.status === "completed" && ingestible;
  const advice = !isTerminal(record.status)
    ? ". The ingestion under way takes its place; verify again when it has ended."
    : `. Upload the file again as a new version.`;
  found(
    "version_damaged",
    repairable,
    `the searchable version ${searchable}: ${troubles.join("; ")}${repairable ? "" : advice}`,
  );
}

/** Keys of blobs that a version's checkpoints name, and that are not there. */
async function missingBlobs(
  documents: DocumentStore,
  blobs: BlobStore,
  { tenant_id, document_id }: DocumentRecord,
  version: number,
): Promise<string[]> {
  const missing: string[] = [];
  for (const key of blobsOf(await documents.listCheckpoints(tenant_id, document_id, version))) {
    if ((await judgeBlob(blobs, key, null, null)) !== undefined) missing.push(key);
  }
  return missing;
}

/** Whether each chunk stands in the document's text where it says. */
async function compareTexts(
  documents: DocumentStore,
  blobs: BlobStore,
  { tenant_id, document_id }: DocumentRecord,
  version: number,
): Promise<string | undefined> {
  const parts = wholeText(await documents.listCheckpoints(tenant_id, document_id, version));
  if (parts === undefined) return "nothing tells where its text is";
  const text = createTextReader((key) => blobs.get(key), parts);
  let wrong = 0;
  for (let from = 0; ; ) {
    let chunks: Chunk[];
    try {
      chunks = await documents.listChunks(tenant_id, document_id, version, from, CHUNKS);
    } catch (error) {
      if (error instanceof SluiceError) throw error;
      return `chunks from ${from} on can't be read: ${describe(error)}`;
    }
    try {
      for (const chunk of chunks) {
        if (chunk.text !== (await text.slice(chunk.char_start, chunk.char_end))) wrong += 1;
      }
    } catch (error) {
      // It was there a moment ago: a newer version took its place.
      if (error instanceof SluiceError && error.code === "blob_missing") return undefined;
      return `its text can't be read: ${describe(error)}`;
    }
    const last = chunks.at(-1);
    if (!last) return wrong === 0 ? undefined : `${wrong} chunks are not what its text says there`;
    from = last.ordinal + 1;
  }
}

const MISSING = "is gone";

/**
 * @param size_bytes null: whatever it is
 * @param sha256 null: not looked at
 * @returns what is wrong with it
 */
async function judgeBlob(
  blobs: BlobStore,
  key: string,
  size_bytes: number | null,
  sha256: string | null,
): Promise<string | undefined> {
  // Where the hash is not wanted, the last byte is there and none after it.
  const start = sha256 === null ? Math.max(0, (size_bytes ?? 0) - 1) : 0;
  const range = sha256 !== null ? {} : { start, end: size_bytes === null ? 0 : size_bytes + 1 };
  let bytes: AsyncIterable<Uint8Array>;
  try {
    bytes = await blobs.get(key, range);
  } catch (error) {
    if (error instanceof SluiceError && error.code === "blob_missing") return MISSING;
    return `can't be read: ${describe(error)}`;
  }
  const hash = createHash("sha256");
  let end = start;
  try {
    for await (const chunk of bytes) {
      end += chunk.byteLength;
      hash.update(chunk);
    }
  } catch (error) {
    return `can't be read: ${describe(error)}`;
  }
  if (size_bytes !== null && end !== size_bytes) return `is not ${size_bytes} bytes long any more`;
  if (sha256 !== null && hash.digest("hex") !== sha256) return "holds other bytes than were uploaded";
  return undefined;
}

export function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

export interface Replayed {
  state: JourneyState;
  /** As the events make it; undefined without any. */
  record: DocumentRecord | undefined;
  /** The first thing that can't have been. */
  illegal: string | undefined;
}

/** The document as its events make it; its metadata, of which they don't tell, as stored. */
export async function replay(documents: DocumentStore, held: HeldDocument): Promise<Replayed> {
  const { document_id, tenant_id } = held;
  const metadata = held.record?.metadata ?? {};
  let state: JourneyState = "none";
  let record: DocumentRecord | undefined;
  for (let after = 0; ; ) {
    const events = await documents.readEvents({ after, limit: EVENTS, document_id });
    for (const event of events) {
      const next = legalAfter(state, event.event_type);
      const { collection } = event;
      if (next === undefined || event.tenant_id !== tenant_id) {
        const why = next === undefined ? `can't follow on ${state}` : `is of the tenant ${event.tenant_id}`;
        return { state, record, illegal: `the event ${event.sequence}, ${event.event_type}, ${why}` };
      }
      const form = anyEventSchema.safeParse(event);
      if (!form.success) {
        const where = form.error.issues[0]?.path.join(".");
        return {
          state,
          record,
          illegal: `the event ${event.sequence}, ${event.event_type}, has a wrong ${where}`,
        };
      }
      state = next;
      record = evolve(record ?? { tenant_id, document_id, collection, metadata }, event);
      const expected = `${document_id}:${record.revision}`;
      if (event.idempotency_key !== expected) {
        return {
          state,
          record,
          illegal: `the event ${event.sequence} is called ${event.idempotency_key}, and should be ${expected}`,
        };
      }
    }
    const last = events.at(-1);
    if (!last) return { state, record, illegal: undefined };
    after = last.sequence;
  }
}

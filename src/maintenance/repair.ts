/**
 * Repairs what a verification found, by the same commands and commits as everything else: each is one transaction
 * that is refused when the document moved on, so a repair may be killed, repeated, and run beside the workers.
 */
import { advance, type DocumentRecord, discardUnfinished, isTerminal } from "../document.ts";
import { type Commands, createCommands } from "../intake/commands.ts";
import { DELETE_DOCUMENT, INGEST_DOCUMENT, type NewJob } from "../job.ts";
import { type Commit, ConflictError } from "../ports/document-store.ts";
import type { HeldDocument } from "../ports/storage-maintenance.ts";
import type { Finding } from "./finding.ts";
import { type InspectDependencies, replay } from "./inspect.ts";
import { inspectJob } from "./inspect-job.ts";

export interface RepairDependencies extends InspectDependencies {
  /** Of the jobs that repairs queue. */
  max_attempts: number;
}

/** As for a deletion that somebody asked for: it must come to an end. */
const ERASE_ATTEMPTS = 100;

/**
 * Repairs one finding, or queues the job that does.
 *
 * @returns false when it is not there any more, or not repairable
 */
export async function repair(dependencies: RepairDependencies, finding: Finding): Promise<boolean> {
  try {
    return await attempt(dependencies, finding);
  } catch (error) {
    // What was found has changed meanwhile.
    if (error instanceof ConflictError) return false;
    throw error;
  }
}

async function attempt(dependencies: RepairDependencies, finding: Finding): Promise<boolean> {
  const { documents, blobs, maintenance } = dependencies;
  if (finding.code === "stray_rows") return (await maintenance.dropStrayRows()) > 0;
  if (finding.code === "stray_job") return cancelStray(dependencies, String(finding.job_id));
  if (finding.code === "stray_blob") {
    const key = String(finding.blob_key);
    if ((await documents.condemnBlobs([key])).length === 0) return false;
    await blobs.delete(key);
    return true;
  }
  const held = await maintenance.getDocument(String(finding.document_id));
  if (!held?.record) return false;
  if (finding.code === "removal_stuck") return eraseAgain(dependencies, held, held.record);
  if (held.removed) return false;
  switch (finding.code) {
    case "record_differs":
      return rewriteRecord(dependencies, held, held.record);
    case "document_stuck":
      return startOver(dependencies, held.record);
    case "checkpoint_damaged":
      return forgetUnfinished(dependencies, held.record);
    case "version_damaged":
      return ingestAgain(dependencies, held.record);
    default:
      return false;
  }
}

/** Only as long as its document is what it was when the job was judged: a retry may need the job this very moment. */
async function cancelStray(dependencies: RepairDependencies, job_id: string): Promise<boolean> {
  const { documents, maintenance } = dependencies;
  const finding = await inspectJob(dependencies, job_id);
  if (finding?.tenant_id === undefined || finding.document_id === undefined) return false;
  const { tenant_id } = finding;
  const held = await maintenance.getDocument(finding.document_id);
  const commit: Commit = { tenant_id, cancel_job: job_id };
  if (held?.record && !held.removed && held.tenant_id === tenant_id) {
    commit.document = { record: held.record, expect_revision: held.record.revision };
    // Judged before it was read: once more, now that the revision is known.
    if (!(await inspectJob(dependencies, job_id))) return false;
  }
  await documents.commit([commit]);
  return true;
}

async function eraseAgain(
  { documents, system }: RepairDependencies,
  { removed }: HeldDocument,
  { tenant_id, document_id, correlation_id }: DocumentRecord,
): Promise<boolean> {
  if (!removed) return false;
  const job: NewJob = {
    job_id: system.newId("job"),
    tenant_id,
    job_type: DELETE_DOCUMENT,
    payload: { document_id },
    correlation_id,
    max_attempts: ERASE_ATTEMPTS,
    // Two repairs at once queue one job.
    unique_key: `erase:${document_id}`,
  };
  await documents.commit([{ tenant_id, enqueue: [job] }]);
  return true;
}

/** The events are what happened; the record is what was made of them. */
async function rewriteRecord(
  { documents }: RepairDependencies,
  held: HeldDocument,
  stored: DocumentRecord,
): Promise<boolean> {
  const { record, illegal } = await replay(documents, held);
  if (illegal !== undefined || record?.revision !== stored.revision) return false;
  await documents.commit([
    { tenant_id: stored.tenant_id, document: { record, expect_revision: stored.revision } },
  ]);
  return true;
}

/** The ingestion that nobody works on ends, and another begins: legal whatever became of its job. */
async function startOver(
  { documents, system, max_attempts }: RepairDependencies,
  current: DocumentRecord,
): Promise<boolean> {
  if (isTerminal(current.status)) return false;
  const { tenant_id, document_id, version } = current;
  const source = (await documents.listVersions(tenant_id, document_id)).at(-1);
  if (!source) return false;
  const correlation_id = system.newId("cor");
  const job_id = system.newId("job");
  const context = { ...system, correlation_id, causation_id: null };
  const ended = advance(
    current,
    "rag.ingestion.cancelled",
    { job_id: current.job_id, version, reason: "superseded" },
    context,
  );
  const next = version + 1;
  const begun = advance(
    ended.document,
    "rag.ingestion.requested",
    { job_id, version: next, reason: "reingest" },
    context,
  );
  const commit: Commit = {
    tenant_id,
    document: { record: begun.document, expect_revision: current.revision },
    version: { ...source, version: next, created_at: begun.document.updated_at },
    ...discardUnfinished(current),
    events: [ended.event, begun.event],
    enqueue: [
      {
        job_id,
        tenant_id,
        job_type: INGEST_DOCUMENT,
        payload: { document_id, version: next },
        correlation_id,
        max_attempts,
        // Refused when the document has a job after all.
        unique_key: `ingest:${document_id}`,
      },
    ],
  };
  await documents.commit([commit]);
  return true;
}

/** The next attempt begins anew, from the original. */
async function forgetUnfinished(
  { documents }: RepairDependencies,
  current: DocumentRecord,
): Promise<boolean> {
  if (current.version === current.searchable_version) return false;
  await documents.commit([
    {
      tenant_id: current.tenant_id,
      document: { record: current, expect_revision: current.revision },
      ...discardUnfinished(current),
    },
  ]);
  return true;
}

/** From the original, as a new version; searches see what is left of the old one until then. */
async function ingestAgain(dependencies: RepairDependencies, current: DocumentRecord): Promise<boolean> {
  const { documents, system } = dependencies;
  const { tenant_id, document_id, version, revision } = current;
  if (current.status !== "completed" || version !== current.searchable_version) return false;
  const commands: Commands = createCommands(dependencies);
  // Vectors that the version has may be what is damaged: under no embedder's name, none is kept (pipeline/reuse.ts).
  const checkpoint = { stage: "embedding" as const, data: { embedder_id: null } };
  await documents.commit([
    { tenant_id, document: { record: current, expect_revision: revision }, checkpoint },
  ]);
  await commands.reingest(tenant_id, document_id, system.newId("req"));
  return true;
}

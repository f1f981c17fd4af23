/** Looks at one job that has not ended: whether its document waits for it. */
import { isTerminal } from "../document.ts";
import { DELETE_DOCUMENT, endedStates, INGEST_DOCUMENT, type Job } from "../job.ts";
import type { HeldDocument } from "../ports/storage-maintenance.ts";
import type { Finding } from "./finding.ts";
import type { InspectDependencies } from "./inspect.ts";

/** A document that keeps changing has somebody who works on it. */
const MAX_ROUNDS = 5;

/** @returns undefined also for jobs of types that Sluice does not run */
export async function inspectJob(
  { maintenance, queue }: InspectDependencies,
  job_id: string,
): Promise<Finding | undefined> {
  for (let round = 1; round <= MAX_ROUNDS; round++) {
    const listed = await queue.get(job_id);
    if (!listed || endedStates.has(listed.state)) return undefined;
    if (listed.job_type !== INGEST_DOCUMENT && listed.job_type !== DELETE_DOCUMENT) return undefined;
    const document_id = String(listed.payload.document_id);
    const before = await maintenance.getDocument(document_id);
    const message = whyStray(listed, before);
    if (message === undefined) return undefined;
    const now = await queue.get(job_id);
    if (!now || endedStates.has(now.state)) return undefined;
    // Job and document change together: only while the document stood still, the two were seen at one instant.
    const after = await maintenance.getDocument(document_id);
    if (after?.record?.revision !== before?.record?.revision || after?.removed !== before?.removed) continue;
    const { tenant_id } = listed;
    const severity = listed.job_type === DELETE_DOCUMENT ? "error" : "warning";
    return { code: "stray_job", severity, tenant_id, document_id, job_id, message, repairable: true };
  }
  return undefined;
}

function whyStray({ job_id, job_type }: Job, held: HeldDocument | undefined): string | undefined {
  const record = held?.removed ? null : held?.record;
  if (job_type === DELETE_DOCUMENT) return record ? "it erases a document that nobody deleted" : undefined;
  if (!record) return "it ingests a document that is not there";
  if (record.job_id !== job_id) return `it is not the latest of its document; ${record.job_id} is`;
  return isTerminal(record.status) ? `its document is ${record.status} already` : undefined;
}

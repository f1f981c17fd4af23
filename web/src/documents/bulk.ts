/** One command over many documents: a few at a time, each refusal told, to be stopped at any moment. */
import type { DocumentPage, DocumentQuery } from "../../../src/client/index.ts";
import type { Document } from "../../../src/document.ts";
import { isActive } from "../row.ts";

export type Action = "reingest" | "cancel" | "delete";

export interface BulkClient {
  listDocuments(query: DocumentQuery, options: { signal: AbortSignal }): Promise<DocumentPage>;
  reingestDocument(document_id: string, options: { signal: AbortSignal }): Promise<unknown>;
  cancelJob(job_id: string, options: { signal: AbortSignal }): Promise<unknown>;
  deleteDocument(document_id: string, options: { signal: AbortSignal }): Promise<unknown>;
}

export interface Refusal {
  document_id: string;
  filename: string;
  message: string;
}

export interface BulkProgress {
  done: number;
  total: number;
  /** Left as they were, because the command is nothing for them. */
  passed: number;
  refusals: readonly Refusal[];
}

const AT_ONCE = 4;

/** Every document that a query has, whether it was scrolled to or not. */
export async function allThatMatch(
  client: Pick<BulkClient, "listDocuments">,
  query: DocumentQuery,
  signal: AbortSignal,
): Promise<Document[]> {
  const documents: Document[] = [];
  let cursor: string | null = null;
  do {
    const page: DocumentPage = await client.listDocuments({ ...query, limit: 200, cursor }, { signal });
    documents.push(...page.documents);
    cursor = page.next_cursor;
  } while (cursor !== null);
  return documents;
}

/** Whether the command is anything for a document as it stands. */
export function appliesTo(action: Action, document: Document): boolean {
  return action === "cancel" ? isActive(document) : true;
}

/** Resolves when all are done, or as soon as the signal fires. Never rejects: what fails is among the refusals. */
export async function runBulk(
  client: BulkClient,
  action: Action,
  documents: readonly Document[],
  onProgress: (progress: BulkProgress) => void,
  signal: AbortSignal,
): Promise<void> {
  const queue = documents.filter((document) => appliesTo(action, document));
  const passed = documents.length - queue.length;
  const total = queue.length;
  const refusals: Refusal[] = [];
  let next = 0;
  let done = 0;
  onProgress({ done, total, passed, refusals });

  async function work(): Promise<void> {
    while (next < queue.length && !signal.aborted) {
      const { document_id, job_id, filename } = queue[next++]!;
      try {
        if (action === "reingest") await client.reingestDocument(document_id, { signal });
        else if (action === "cancel") await client.cancelJob(job_id, { signal });
        else await client.deleteDocument(document_id, { signal });
      } catch (error) {
        if (signal.aborted) return;
        // It went with the document that it came inside, or by somebody else's hand.
        const gone = action === "delete" && (error as { code?: string }).code === "not_found";
        if (!gone) refusals.push({ document_id, filename, message: (error as Error).message });
      }
      onProgress({ done: ++done, total, passed, refusals: [...refusals] });
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work));
}

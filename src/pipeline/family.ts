/** Documents that came inside another: who they are, and how they go when it goes. */
import type { DocumentRecord, DocumentVersion } from "../document.ts";
import { placeInList } from "../document-list.ts";
import type { Lease } from "../job.ts";
import { removal } from "../new-version.ts";
import { type Commit, ConflictError, type DocumentStore } from "../ports/document-store.ts";
import type { System } from "../ports/system.ts";

const PAGE = 200;
/** Each lost round means that the child moved on by itself. */
const MAX_ROUNDS = 20;

/** The living documents that came inside this one itself, newest first. */
export async function childrenOf(
  documents: DocumentStore,
  tenant_id: string,
  parent_document_id: string,
): Promise<DocumentRecord[]> {
  const found: DocumentRecord[] = [];
  for (;;) {
    const last = found.at(-1);
    const page = await documents.listDocuments({
      tenant_id,
      parent_document_id,
      limit: PAGE,
      ...(last === undefined ? {} : { before: placeInList(last) }),
    });
    found.push(...page);
    if (page.length < PAGE) return found;
  }
}

/** Removes every child of a document that was removed itself, in the name of the job that erases it. */
export async function removeChildren(
  { documents, system }: { documents: DocumentStore; system: System },
  tenant_id: string,
  document_id: string,
  lease: Lease,
): Promise<void> {
  for (let round = 1; ; round++) {
    const children = await childrenOf(documents, tenant_id, document_id);
    if (children.length === 0) return;
    for (const child of children) {
      const { commit } = removal(child, { causation_id: lease.job_id, system });
      try {
        await documents.commit([{ tenant_id, lease }, commit]);
      } catch (error) {
        const moved = error instanceof ConflictError && error.reason !== "lease_lost";
        if (!moved || round === MAX_ROUNDS) throw error;
      }
    }
  }
}

/** What removes the children that earlier versions of a document made, and that this one does not hold any more. */
export async function removeStrays(
  { documents, system }: { documents: DocumentStore; system: System },
  { job_id }: Lease,
  { tenant_id, document_id, version }: DocumentVersion,
): Promise<Commit[]> {
  const checkpoints = await documents.listCheckpoints(tenant_id, document_id, version);
  const extracted = checkpoints.find(({ stage }) => stage === "extracting");
  const kept = new Set((extracted?.data.children ?? []) as string[]);
  const children = await childrenOf(documents, tenant_id, document_id);
  return children
    .filter((child) => !kept.has(child.document_id))
    .map((child) => removal(child, { causation_id: job_id, system }).commit);
}

/** A document by its name, which its id stands in for until it is known. */
import { documentPath, Link } from "../router.tsx";
import { nameOf } from "./names.ts";

export function DocumentLink({ document_id }: { document_id: string | null }) {
  if (document_id === null) return <span class="hint">no document</span>;
  const name = nameOf(document_id);
  if (name === null) {
    return (
      <span class="hint cut" title={document_id}>
        {document_id}, not here any more
      </span>
    );
  }
  return (
    <Link href={documentPath(document_id)} class="cut" title={name ?? document_id}>
      {name ?? document_id}
    </Link>
  );
}

const jobWords: Record<string, string> = {
  ingest_document: "Ingestion",
  delete_document: "Deletion",
  remove_entries: "Removal of entries",
  reembed_document: "Embedding anew",
};

/** What a job does, in words; its own name where this page doesn't know it. */
export const jobWord = (job_type: string) => jobWords[job_type] ?? job_type;

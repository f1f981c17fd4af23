/** What goes with a file. */
import type { Metadata } from "../document.ts";

export interface UploadFields {
  /** Default: `default`. */
  collection?: string | undefined;
  /** Searches can filter by it. */
  metadata?: Metadata | undefined;
  /** The file is a new version of this document. */
  document_id?: string | undefined;
  /** When the collection has the same bytes already. Default `existing`: that document is answered. */
  on_duplicate?: "existing" | "new_version" | undefined;
  /** -100 to 100; higher runs first, within the tenant. Default 0. */
  priority?: number | undefined;
}

export function fieldsOf(given: UploadFields): UploadFields {
  const { collection, metadata, document_id, on_duplicate, priority } = given;
  return { collection, metadata, document_id, on_duplicate, priority };
}

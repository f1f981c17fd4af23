/** What a verification finds. */

export type FindingCode =
  /** The storage's own files are damaged. */
  | "database_damaged"
  /** What is stored of the document, or of the job, can't be read. */
  | "unreadable"
  /** The damage kept the rest from being looked at. */
  | "unchecked"
  /** The bytes that were uploaded are not there. */
  | "original_missing"
  /** They are not the bytes that were uploaded. */
  | "original_damaged"
  /** The document's events are not a legal journey, or some are missing. */
  | "log_damaged"
  /** The stored document is not what its events say. */
  | "record_differs"
  /** The document is gone, and no event says that anybody deleted it. */
  | "document_lost"
  /** It is not ended, and no job works for it. */
  | "document_stuck"
  /** It is deleted, and no job erases it. */
  | "removal_stuck"
  /** Searches don't find all of the searchable version as it is, or its text is gone. */
  | "version_damaged"
  /** Its vectors are not of the embedder that is configured. */
  | "other_embedder"
  /** What an unfinished version has made so far is gone: its job can't go on from there. */
  | "checkpoint_damaged"
  /** The job works for no document, or for one that moved on. */
  | "stray_job"
  /** Rows that belong to nothing. */
  | "stray_rows"
  /** A blob that nothing names. */
  | "stray_blob";

export interface Finding {
  code: FindingCode;
  /** `warning`: nobody misses anything because of it. */
  severity: "error" | "warning";
  tenant_id?: string;
  document_id?: string;
  job_id?: string;
  blob_key?: string;
  /** What it is; where it can't be repaired, also what to do. */
  message: string;
  repairable: boolean;
}

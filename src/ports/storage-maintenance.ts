import type { DocumentRecord } from "../document.ts";

/** A document as the storage holds it, whoever owns it. */
export interface HeldDocument {
  tenant_id: string;
  document_id: string;
  /** Null when it was erased, and only its events tell of it. */
  record: DocumentRecord | null;
  /** Deleted, and waiting to be erased. */
  removed: boolean;
}

/** How much of one version there is. */
export interface VersionCounts {
  chunks: number;
  /** Greatest ordinal plus one; 0 without chunks. */
  end: number;
  /** Chunks that have no vector. */
  unembedded: number;
  /** Chunks that have a vector, and none of the embedder that serves (or else of the configured one). */
  of_other_embedders: number;
  /** Chunks that a search by words can't find. */
  without_keywords: number;
  /** Chunks whose vector a search can't find, or finds as another one. Vectors of nothing but zeros are in no index. */
  without_neighbours: number;
}

/** The blobs that a storage named at one instant. */
export interface BlobNames {
  /** Keys that living documents name, ascending, greater than `after`. */
  living(after: string, limit: number): Promise<string[]>;
  /** Of these keys, those that anything names: a living document, or only one that waits to be erased. */
  named(keys: string[]): Promise<Map<string, "living" | "removed">>;
  close(): Promise<void>;
}

/** What an operator does with a storage as a whole, beside everything that goes on in it. */
export interface StorageMaintenance {
  /**
   * Copies everything that the storage holds into a folder, in place of an earlier copy there; a storage opened on
   * that folder holds the same.
   * MUST be a state that the storage was in at one instant during the call, MUST be durable when it resolves, and
   * MUST NOT keep others from reading or writing meanwhile.
   * @returns the blobs that the copy names; close it before the copy is used
   * @throws SluiceError `storage_unavailable`
   */
  copyTo(folder: string): Promise<BlobNames>;
  /** The blobs that are named now. */
  blobNames(): Promise<BlobNames>;
  /**
   * What is wrong with the storage's own files, a sentence each. MUST NOT report what others are just changing. May
   * take long, and may hold up its thread.
   */
  check(): Promise<string[]>;
  /** Rows that belong to nothing, a sentence for each kind. As `check` otherwise. */
  findStrayRows(): Promise<string[]>;
  /** Drops them, a few at a time. MUST be safe while others write, and to be killed. @returns how many there were */
  dropStrayRows(): Promise<number>;
  /** Ids of documents of every tenant, removed and erased ones too, ascending, greater than `after`. */
  listDocumentIds(after: string, limit: number): Promise<string[]>;
  /** @throws Error when what is stored of it can't be read */
  getDocument(document_id: string): Promise<HeldDocument | undefined>;
  /** Ids of jobs of every tenant that have not ended, ascending, greater than `after`. */
  listUnendedJobIds(after: string, limit: number): Promise<string[]>;
  /** Whether a job that erases this document has not ended. */
  isBeingErased(document_id: string): Promise<boolean>;
  /** All of it MUST be read from one snapshot. */
  countVersion(document_id: string, version: number, embedder_id: string): Promise<VersionCounts>;
}

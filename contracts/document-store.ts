/** The contract of a DocumentStore: every MUST of src/ports/document-store.ts. */
import { describeCollections } from "./collection-store.ts";
import { describeBlobs } from "./document-blobs.ts";
import { describeCommits } from "./document-commits.ts";
import { describeDocumentReads } from "./document-reads.ts";
import { describeEventLog } from "./event-log.ts";
import { type OpenStorage, type StorageGaps, storageSuite } from "./storage.ts";
import { describeWebhooks } from "./webhook-store.ts";

/** Registers the suite; call it inside a test file. */
export function describeDocumentStore(name: string, open: OpenStorage, gaps: StorageGaps = {}): void {
  storageSuite(
    `DocumentStore: ${name}`,
    open,
    gaps,
    describeCommits,
    describeEventLog,
    describeDocumentReads,
    describeBlobs,
    describeCollections,
    describeWebhooks,
  );
}

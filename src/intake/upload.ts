/**
 * Uploads: bytes to the blob store, then one transaction with document, job and event. Nothing else happens before
 * the answer.
 *
 * If the process dies before the transaction, the blob is an orphan that the sweeper removes, and the client got no
 * answer. If it dies after, everything that the answer promises is on disk.
 */
import { createHash } from "node:crypto";
import type { DocumentRecord, DocumentStatus, Metadata } from "../document.ts";
import { SluiceError } from "../errors.ts";
import { newVersion, type StagedFile } from "../new-version.ts";
import type { BlobStore } from "../ports/blob-store.ts";
import {
  type Commit,
  ConflictError,
  type DocumentStore,
  type IdempotentAnswer,
} from "../ports/document-store.ts";
import type { System } from "../ports/system.ts";
import { headOf, lookAtStored } from "./direct-upload.ts";
import { detectMediaType, HEAD_BYTES } from "./media-type.ts";

/** What an upload answers for each document. */
export interface Accepted {
  document_id: string;
  job_id: string;
  status: DocumentStatus;
  correlation_id: string;
  version: number;
  /** The same bytes were there before: this is the document that has them. */
  duplicate: boolean;
}

export interface UploadOptions {
  collection: string;
  metadata: Metadata;
  /** The bytes are a new version of this document. */
  document_id?: string;
  /** What happens when the collection has the same bytes already. Default `existing`: that document is answered. */
  on_duplicate?: "existing" | "new_version";
  /** Higher runs first, within the tenant. Default 0. */
  priority?: number;
}

export interface UploadAnswer {
  accepted: Accepted[];
  /** Given before, under the same Idempotency-Key. */
  replayed: boolean;
}

export interface UploadFile {
  filename: string;
  /** What the client says that it is; believed last. */
  declared_media_type?: string;
}

/** One upload request: files in, then accepted all together or not at all. */
export interface Upload {
  /**
   * Streams one file to the blob store.
   * @throws SluiceError payload_too_large, unsupported_media_type, storage_unavailable
   */
  add(source: AsyncIterable<Uint8Array>, file: UploadFile): Promise<void>;
  /**
   * Takes a file that its client has put into the blob store itself (direct-upload.ts).
   * @throws SluiceError upload_incomplete, payload_too_large, unsupported_media_type, direct_upload_unavailable
   */
  addStored(upload_id: string, file: UploadFile): Promise<void>;
  /**
   * Takes a resumable put whose bytes are all here, and makes a blob of it. The blob stays, whatever becomes of the upload.
   * @throws SluiceError unsupported_media_type, storage_unavailable
   */
  addFinished(blob_key: string, file: UploadFile): Promise<void>;
  /**
   * The transaction. When it resolves, everything is durable.
   * @throws SluiceError not_found (document_id), invalid_request (several files for one document_id),
   *   duplicate_content, idempotency_key_reused, storage_unavailable, conflict
   */
  accept(options: UploadOptions): Promise<UploadAnswer>;
  /** Ends the upload, whichever way it went: removes what was not accepted, frees the Idempotency-Key. */
  end(): Promise<void>;
}

export interface UploadDependencies {
  system: System;
  blobs: BlobStore;
  documents: DocumentStore;
  /** Lets an upload in or refuses it (admission.ts). Default: everybody is let in. */
  admit?: (tenant_id: string, size_bytes?: number) => Promise<() => void>;
  /** Whether documents of this media type can be read. */
  accepts: (media_type: string) => boolean;
  max_upload_bytes: number;
  max_attempts: number;
}

export interface BeginOptions {
  idempotency_key?: string | undefined;
  size_bytes?: number;
  admitted?: boolean;
}

export type BeginUpload = ReturnType<typeof createUploads>;

/** Rounds of read, decide, commit before an upload gives up; each lost round means that somebody else won one. */
const MAX_ROUNDS = 20;

export function createUploads(dependencies: UploadDependencies) {
  const { system, blobs, documents } = dependencies;
  // Keys of requests now running in this process. Two processes racing on one key meet in the transaction instead.
  const runningKeys = new Set<string>();

  /**
   * Lets an upload in before a byte of it is read.
   *
   * @param request_id names the command in the events that it causes
   * @param size_bytes of the whole body, where it is known
   * @param admitted it was let in before, by whoever took its bytes
   * @throws SluiceError overloaded, queue_full, storage_full, idempotency_key_in_use
   */
  return async function beginUpload(
    tenant_id: string,
    request_id: string,
    { idempotency_key, size_bytes, admitted = false }: BeginOptions = {},
  ): Promise<Upload> {
    const leave = (admitted ? undefined : await dependencies.admit?.(tenant_id, size_bytes)) ?? (() => {});
    const running = `${tenant_id}\n${idempotency_key}`;
    if (idempotency_key !== undefined) {
      if (runningKeys.has(running)) {
        leave();
        throw new SluiceError(
          "idempotency_key_in_use",
          `A request with the Idempotency-Key ${JSON.stringify(idempotency_key)} is still running.`,
          { retry_after_ms: 1_000 },
        );
      }
      runningKeys.add(running);
    }
    const staged: StagedFile[] = [];
    const kept = new Set<string>();
    /** In a commit that failed, of which nobody knows whether it is written all the same, or will be. */
    const doubtful = new Set<string>();

    async function add(source: AsyncIterable<Uint8Array>, file: UploadFile): Promise<void> {
      const blob_key = `${tenant_id}/${system.newId("blob")}`;
      const head = createHead();
      const stored = await blobs.put(blob_key, head.watch(limited(source, file.filename)));
      const entry = { ...stored, blob_key, filename: file.filename, media_type: "" };
      staged.push(entry);
      entry.media_type = await typeOf(head.bytes(), file);
    }

    async function addStored(upload_id: string, file: UploadFile): Promise<void> {
      const blob_key = `${tenant_id}/${upload_id}`;
      const stored = await lookAtStored(blobs, blob_key, dependencies.max_upload_bytes);
      const { head, ...found } = stored;
      staged.push({ ...found, blob_key, filename: file.filename, media_type: await typeOf(head, file) });
      // A client that lost the answer asks again for what it needs not send again; the sweeper knows what nobody names.
      kept.add(blob_key);
    }

    async function addFinished(blob_key: string, file: UploadFile): Promise<void> {
      kept.add(blob_key);
      const stored = await blobs.resumable.finish(blob_key);
      const media_type = await typeOf(await headOf(blobs, blob_key, stored.size_bytes), file);
      staged.push({ ...stored, blob_key, filename: file.filename, media_type });
    }

    const typeOf = (head: Buffer, file: UploadFile) => readableType(dependencies.accepts, head, file);

    async function* limited(source: AsyncIterable<Uint8Array>, filename: string) {
      let size = 0;
      for await (const bytes of source) {
        size += bytes.byteLength;
        if (size > dependencies.max_upload_bytes) {
          throw new SluiceError(
            "payload_too_large",
            `${filename} is larger than the ${dependencies.max_upload_bytes} bytes that this server accepts.`,
          );
        }
        yield bytes;
      }
    }

    async function accept(options: UploadOptions): Promise<UploadAnswer> {
      if (options.document_id !== undefined && staged.length > 1) {
        throw new SluiceError("invalid_request", "document_id: takes one file, the new version");
      }
      const fingerprint = fingerprintOf(staged, options);
      for (let round = 0; round < MAX_ROUNDS; round++) {
        if (idempotency_key !== undefined) {
          const earlier = await documents.findAnswer(tenant_id, idempotency_key);
          if (earlier) return replay(earlier, fingerprint, idempotency_key);
        }
        const { commits, accepted, used } = await decide(options);
        if (idempotency_key !== undefined) {
          commits.push({
            tenant_id,
            answer: {
              key: idempotency_key,
              fingerprint,
              status: 202,
              body: accepted,
              created_at: new Date(system.now()).toISOString(),
            },
          });
        }
        try {
          if (commits.length > 0) await documents.commit(commits);
        } catch (error) {
          if (error instanceof ConflictError) {
            if (error.reason === "blob_condemned") throw goneError(used);
            // Somebody else changed what was read: read again and decide anew.
            continue;
          }
          const refused = error instanceof SluiceError && error.code === "storage_full";
          for (const blob_key of refused ? [] : used) doubtful.add(blob_key);
          throw error;
        }
        for (const blob_key of used) kept.add(blob_key);
        return { accepted, replayed: false };
      }
      throw new SluiceError("conflict", "The upload kept meeting other changes of the same document.");
    }

    /** The machine slept for hours between the bytes and the transaction, or nobody confirmed them for as long. */
    function goneError(used: string[]): SluiceError {
      const names = staged.filter(({ blob_key }) => used.includes(blob_key)).map(({ filename }) => filename);
      const told = `The bytes of ${names.join(", ")} came hours ago and were removed, for no document had them`;
      return used.some((blob_key) => kept.has(blob_key))
        ? new SluiceError("upload_incomplete", `${told}. Ask for a new direct upload and send them again.`)
        : new SluiceError("storage_unavailable", `${told}. Send them again.`, { retry_after_ms: 1_000 });
    }

    async function decide(options: UploadOptions) {
      const commits: Commit[] = [];
      const accepted: Accepted[] = [];
      const used: string[] = [];
      const sameRequest = new Map<string, Accepted>();
      for (const file of staged) {
        const twin = sameRequest.get(file.sha256);
        if (twin) {
          accepted.push({ ...twin, duplicate: true });
          continue;
        }
        const existing = await findTarget(file, options);
        const sameBytes = existing?.sha256 === file.sha256;
        const answerable =
          existing &&
          sameBytes &&
          options.on_duplicate !== "new_version" &&
          // It would go with the document that it came inside: uploaded by itself, it is to stay.
          existing.parent_document_id === null &&
          existing.status !== "failed" &&
          existing.status !== "cancelled";
        let answer: Accepted;
        if (answerable) {
          answer = answerFor(existing, true);
        } else {
          const { max_attempts } = dependencies;
          const context = { tenant_id, causation_id: request_id, system, max_attempts };
          const { commit, document } = newVersion(file, existing, options, context);
          commits.push(commit);
          used.push(file.blob_key);
          answer = answerFor(document, sameBytes);
        }
        accepted.push(answer);
        sameRequest.set(file.sha256, answer);
      }
      return { commits, accepted, used };
    }

    async function findTarget(file: StagedFile, options: UploadOptions): Promise<DocumentRecord | undefined> {
      if (options.document_id === undefined) {
        return documents.findByContent(tenant_id, options.collection, file.sha256);
      }
      const existing = await documents.getDocument(tenant_id, options.document_id);
      if (!existing) throw new SluiceError("not_found", `There is no document ${options.document_id}.`);
      const twin = await documents.findByContent(tenant_id, existing.collection, file.sha256);
      if (twin && twin.document_id !== existing.document_id) {
        throw new SluiceError(
          "duplicate_content",
          `${file.filename} has the same bytes as ${twin.filename} (${twin.document_id}) in ${existing.collection}.`,
        );
      }
      return existing;
    }

    async function end(): Promise<void> {
      leave();
      if (idempotency_key !== undefined) runningKeys.delete(running);
      // An answer that was lost is no refusal, and the transaction may still be on its way: those stay, for the sweeper.
      const left = staged.map((file) => file.blob_key).filter((key) => !kept.has(key) && !doubtful.has(key));
      await Promise.all(left.map((key) => blobs.delete(key)));
    }

    return { add, addStored, addFinished, accept, end };
  };
}

/**
 * @param head the first bytes of the file
 * @throws SluiceError unsupported_media_type
 */
export async function readableType(
  accepts: (media_type: string) => boolean,
  head: Buffer,
  file: UploadFile,
): Promise<string> {
  const media_type = await detectMediaType(head, file.filename, file.declared_media_type);
  if (accepts(media_type)) return media_type;
  throw new SluiceError(
    "unsupported_media_type",
    `${file.filename} is ${media_type}, which can't be read. Convert it to PDF, DOCX, HTML or plain text; docs/formats.md lists what is read.`,
  );
}

function replay(earlier: IdempotentAnswer, fingerprint: string, key: string): UploadAnswer {
  if (earlier.fingerprint !== fingerprint) {
    throw new SluiceError(
      "idempotency_key_reused",
      `The Idempotency-Key ${JSON.stringify(key)} came before with other files or fields.`,
    );
  }
  return { accepted: earlier.body as Accepted[], replayed: true };
}

function answerFor(document: DocumentRecord, duplicate: boolean): Accepted {
  return {
    document_id: document.document_id,
    job_id: document.job_id,
    status: document.status,
    correlation_id: document.correlation_id,
    version: document.version,
    duplicate,
  };
}

/** Hash of everything that makes an upload what it is, whatever the order of metadata fields. */
function fingerprintOf(files: StagedFile[], options: UploadOptions): string {
  const metadata = Object.entries(options.metadata).sort(([a], [b]) => (a < b ? -1 : 1));
  const essence = [
    options.collection,
    options.document_id ?? null,
    options.on_duplicate ?? "existing",
    options.priority ?? 0,
    metadata,
    files.map((file) => [file.filename, file.sha256]),
  ];
  return createHash("sha256").update(JSON.stringify(essence)).digest("hex");
}

/** Keeps a copy of a stream's first bytes while it passes. */
function createHead() {
  const parts: Uint8Array[] = [];
  let size = 0;
  return {
    async *watch(source: AsyncIterable<Uint8Array>) {
      for await (const bytes of source) {
        if (size < HEAD_BYTES) {
          const part = bytes.slice(0, HEAD_BYTES - size);
          parts.push(part);
          size += part.byteLength;
        }
        yield bytes;
      }
    },
    bytes: () => Buffer.concat(parts),
  };
}

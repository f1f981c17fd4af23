/**
 * Files inside a document become documents of their own. Extraction hands them over one by one and they go to the blob
 * store; one commit then makes a document of each that is new, and a new version of each that changed. Doing it again
 * changes nothing: a child is known by its bytes, or by its place in its parent.
 */
import { createHash } from "node:crypto";
import { type DocumentRecord, type Metadata, metadataSchema } from "../document.ts";
import { SluiceError } from "../errors.ts";
import { newVersion, type StagedFile } from "../new-version.ts";
import { type Commit, ConflictError } from "../ports/document-store.ts";
import type { ExtractedFile } from "../ports/extractor.ts";
import { childrenOf } from "./family.ts";
import type { StageContext } from "./stage.ts";

export const childLimits = {
  /** Documents inside each other: an archive on a mail in an archive is three. */
  nesting: 5,
  /** Documents that may come out of one upload, however they nest. */
  descendants: 10_000,
} as const;

/** Media types whose documents are known to hold files. */
const holding = new Set([
  "application/zip",
  "message/rfc822",
  "application/mbox",
  "application/vnd.ms-outlook",
  // Some other one, until it is read whole.
  "application/x-cfb",
]);
const holdsFiles = ({ media_type }: StagedFile) => holding.has(media_type);

/** Enough of a file to tell its type. */
const HEAD_BYTES = 64 * 1024;
const MAX_ROUNDS = 20;

interface FoundFile extends StagedFile {
  /** Where it was inside, and the how manyth of that name. */
  place: string;
  path: string;
}

export interface Children {
  /** For the extractor, which calls it with every file. @throws SluiceError limit_exceeded */
  take(file: ExtractedFile): Promise<void>;
  /** Makes documents of what was taken. @returns the ids of those that this version holds, and figures */
  settle(): Promise<{ children: string[]; counts: Record<string, number> }>;
}

export function collectChildren(context: StageContext): Children {
  const { source, system, blobs, documents, job, signal } = context;
  const { tenant_id, filename } = source;
  const room = Number(job.payload.descendants ?? childLimits.descendants);
  const files: FoundFile[] = [];
  const places = new Map<string, number>();
  let unreadable = 0;

  async function take(file: ExtractedFile): Promise<void> {
    signal.throwIfAborted();
    const path = cleanPath(file.filename);
    const base = path.slice(path.lastIndexOf("/") + 1);
    const media_type = await context.typeOf(await headOf(file), base, file.media_type ?? undefined);
    if (media_type === undefined || file.size_bytes === 0) {
      unreadable += 1;
      return;
    }
    if (files.length === 0) await refuseTooDeep(context);
    if (files.length >= room) {
      throw new SluiceError(
        "limit_exceeded",
        `${filename} holds more files than may come out of one upload (${childLimits.descendants} in all). Unpack it and upload what is inside.`,
      );
    }
    const count = (places.get(path) ?? 0) + 1;
    places.set(path, count);
    const blob_key = `${tenant_id}/${system.newId("blob")}`;
    const stored = await blobs.put(blob_key, file.content(), { signal });
    files.push({ ...stored, blob_key, filename: base, media_type, path, place: `${count} ${path}` });
  }

  async function settle(): ReturnType<Children["settle"]> {
    if (files.length === 0)
      return { children: [], counts: unreadable > 0 ? { files_unreadable: unreadable } : {} };
    for (let round = 1; ; round++) {
      const { commits, children, known } = await decide(context, files, room);
      try {
        if (commits.length > 0) await documents.commit([{ tenant_id, lease: context.lease }, ...commits]);
      } catch (error) {
        // Somebody else changed a child, or uploaded the same bytes, since they were looked for.
        const moved =
          error instanceof ConflictError &&
          error.reason !== "lease_lost" &&
          error.reason !== "blob_condemned";
        if (!moved || round === MAX_ROUNDS) throw error;
        continue;
      }
      const used = new Set(commits.map(({ version }) => version?.blob_key));
      const unused = files.filter(({ blob_key }) => !used.has(blob_key));
      // Nobody names them. Dying here leaves them to the sweeper.
      await Promise.all(unused.map(({ blob_key }) => blobs.delete(blob_key)));
      const counts = { children: children.length, files_known: known, files_unreadable: unreadable };
      return { children, counts };
    }
  }

  return { take, settle };
}

async function refuseTooDeep({ documents, document, source }: StageContext): Promise<void> {
  let depth = 1;
  for (let above = document.parent_document_id; above !== null; depth++) {
    if (depth >= childLimits.nesting) {
      throw new SluiceError(
        "limit_exceeded",
        `${source.filename} lies ${depth} documents deep inside others, and holds files itself; ${childLimits.nesting} levels are read. Unpack it and upload what is inside.`,
      );
    }
    above = (await documents.getDocument(source.tenant_id, above))?.parent_document_id ?? null;
  }
}

/** What must happen so that each file is a document: those here already stay as they are. */
async function decide(context: StageContext, files: FoundFile[], room: number) {
  const { documents, document, job, source, collection, system } = context;
  const { tenant_id, document_id } = source;
  const own = new Map(
    (await childrenOf(documents, tenant_id, document_id)).map((each) => [each.document_id, each]),
  );
  const versionContext = {
    tenant_id,
    system,
    causation_id: job.job_id,
    correlation_id: job.correlation_id,
    max_attempts: job.max_attempts,
  };
  // Shared out, so that archives of archives can't multiply beyond the limit: half of what is left among those that
  // may hold files, and half among those that should hold none.
  const holders = files.filter(holdsFiles).length;
  const half = (room - files.length) / 2;
  const shareOf = (file: FoundFile) =>
    Math.floor(half / (holdsFiles(file) ? holders : files.length - holders));
  const optionsFor = (file: FoundFile, child_id: string) => ({
    child: { document_id: child_id, parent_document_id: document_id },
    collection,
    metadata: metadataOf(document, file),
    priority: job.priority,
    descendants: shareOf(file),
  });
  const commits: Commit[] = [];
  const children = new Set<string>();
  const seen = new Set<string>();
  const rest: FoundFile[] = [];
  let known = 0;

  // Bytes first, then places: a file that was only renamed, or swapped with another, is no new document.
  for (const file of files) {
    if (seen.has(file.sha256)) {
      known += 1;
      continue;
    }
    seen.add(file.sha256);
    const twin = await documents.findByContent(tenant_id, collection, file.sha256);
    if (twin === undefined) {
      rest.push(file);
    } else if (own.has(twin.document_id)) {
      children.add(twin.document_id);
      const ended = twin.status === "failed" || twin.status === "cancelled";
      // A new version of the parent is a new chance; another attempt at the same one is not.
      if (ended && twin.updated_at < source.created_at) {
        commits.push(newVersion(file, twin, optionsFor(file, twin.document_id), versionContext).commit);
      }
    } else {
      known += 1;
    }
  }
  for (const file of rest) {
    const child = await childAt(context, file.place, own, children);
    children.add(child.document_id);
    const options = optionsFor(file, child.document_id);
    commits.push(newVersion(file, child.existing, options, versionContext).commit);
  }
  return { commits, children: [...children], known };
}

/**
 * The document that belongs at a place: the one there now, else the first id whose log is empty. An id that somebody
 * deleted is not given out again: its log has ended.
 */
async function childAt(
  { documents, source }: StageContext,
  place: string,
  own: ReadonlyMap<string, DocumentRecord>,
  taken: ReadonlySet<string>,
): Promise<{ document_id: string; existing: DocumentRecord | undefined }> {
  const { tenant_id } = source;
  for (let life = 1; ; life++) {
    const document_id = childId(source.document_id, place, life);
    if (taken.has(document_id)) continue;
    const existing = own.get(document_id);
    if (existing) return { document_id, existing };
    const log = await documents.readEvents({ tenant_id, document_id, after: 0, limit: 1 });
    if (log.length === 0) return { document_id, existing };
  }
}

/** Derived, so that the same file in the same document has the same id; it sorts with its parent, by time. */
export function childId(parent_document_id: string, place: string, life: number): string {
  const hash = createHash("sha256").update(`${parent_document_id}\n${life}\n${place}`).digest("hex");
  // A UUIDv8 (RFC 9562, 5.8) with the time of the parent's UUIDv7 in front.
  const time = parent_document_id.slice("doc_".length, "doc_".length + 12);
  return `doc_${time}8${hash.slice(0, 19)}`;
}

/** The parent's, and where the file lay in it, unless its name says that already. */
function metadataOf({ metadata }: DocumentRecord, { path, filename }: FoundFile): Metadata {
  if (path === filename) return metadata;
  const told = { ...metadata, path_in_parent: path };
  return metadataSchema.safeParse(told).success ? told : metadata;
}

const MAX_NAME = 255;

/** Without a root, steps up, empty steps and control characters; no name longer than file systems take. */
function cleanPath(name: string): string {
  const steps = name
    .toWellFormed()
    .replace(/\p{Cc}/gu, "")
    .split(/[\\/]/)
    .map((step) => step.trim())
    .filter((step) => step !== "" && step !== "." && step !== ".." && !/^[A-Za-z]:$/.test(step))
    .map((step) => step.slice(-MAX_NAME).toWellFormed());
  return steps.length === 0 ? "attachment" : steps.join("/");
}

async function headOf(file: ExtractedFile): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of file.content()) {
    parts.push(part);
    size += part.byteLength;
    if (size >= HEAD_BYTES) break;
  }
  return Buffer.concat(parts).subarray(0, HEAD_BYTES);
}

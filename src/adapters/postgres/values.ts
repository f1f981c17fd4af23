/** Values on their way into the database and out of it. */
import { aboutNothing } from "../../about.ts";
import type { Chunk } from "../../chunk.ts";
import type { DocumentRecord } from "../../document.ts";
import { chunkId } from "../../ids.ts";
import type { ClaimedJob, Job } from "../../job.ts";

/**
 * PostgreSQL's text holds neither NUL nor half of a surrogate pair: each becomes U+FFFD, so that lengths, and with them
 * the offsets of chunks, stay as they were.
 */
const unstorable = /\\\\|\\u0000|\\u[dD][89a-fA-F][0-9a-fA-F]{2}/g;

/** JSON that PostgreSQL can take. */
export function toJson(value: unknown): string {
  // JSON.stringify writes just these as escapes. An escaped backslash before one makes it plain text, so it is read over.
  return JSON.stringify(value).replace(unstorable, (found) => (found === "\\\\" ? found : "\\ufffd"));
}

/** The same for a value that goes in as text. */
export function toText(value: string): string {
  return value.replaceAll("\0", "\ufffd").toWellFormed();
}

export type Row = Record<string, unknown>;

export function toDocument({ removed: _, ...record }: Row): DocumentRecord {
  return { ...record, about: record.about ?? aboutNothing } as unknown as DocumentRecord;
}

export function toChunk({ tenant_id: _, ...row }: Row): Chunk {
  const { document_id, version, ordinal } = row as unknown as Chunk;
  return { chunk_id: chunkId(document_id, version, ordinal), ...row } as unknown as Chunk;
}

export interface JobRow extends Omit<Job, "run_at" | "created_at" | "updated_at" | "finished_at"> {
  run_at: number;
  created_at: number;
  updated_at: number;
  finished_at: number | null;
  lease_token: string;
  lease_until: number;
  dispatch_at: number | null;
}

export function toJob(row: JobRow): Job {
  const { lease_token: _, lease_until: __, dispatch_at: ___, ...rest } = row;
  return {
    ...rest,
    run_at: iso(row.run_at),
    created_at: iso(row.created_at),
    updated_at: iso(row.updated_at),
    finished_at: row.finished_at === null ? null : iso(row.finished_at),
  };
}

export function toClaimed(row: JobRow): ClaimedJob {
  const { job_id, lease_token, lease_until } = row;
  return { job_id, lease_token, lease_until, job: toJob(row) };
}

export function iso(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}

export function toBase64(vector: Float32Array): string {
  return Buffer.from(vector.buffer, vector.byteOffset, vector.byteLength).toString("base64");
}

export function toVector(bytes: Uint8Array): Float32Array {
  // A copy: the bytes need not begin at a multiple of four.
  const copy = bytes.slice();
  return new Float32Array(copy.buffer, copy.byteOffset, copy.byteLength / 4);
}

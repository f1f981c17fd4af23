/** Rows of the database and the values that they stand for. */
import { aboutNothing } from "../../about.ts";
import type { Chunk } from "../../chunk.ts";
import type { DocumentRecord } from "../../document.ts";
import type { SluiceEvent } from "../../events.ts";
import { chunkId } from "../../ids.ts";
import type { Job } from "../../job.ts";

export type Row = Record<string, string | number | bigint | null | Uint8Array>;

export function toDocument(row: Row): DocumentRecord {
  const { progress_done, progress_total, removed: _, error, metadata, about, ...rest } = row;
  return {
    ...rest,
    progress: { done: progress_done, total: progress_total },
    error: error === null ? null : JSON.parse(error as string),
    metadata: JSON.parse(metadata as string),
    about: about === null ? aboutNothing : JSON.parse(about as string),
  } as unknown as DocumentRecord;
}

export function toEvent(row: Row): SluiceEvent {
  return { ...row, data: JSON.parse(row.data as string) } as unknown as SluiceEvent;
}

export function toChunk(row: Row): Chunk {
  const document_id = row.document_id as string;
  const version = row.version as number;
  const ordinal = row.ordinal as number;
  return {
    chunk_id: chunkId(document_id, version, ordinal),
    document_id,
    version,
    ordinal,
    text: row.text as string,
    page: row.page as number | null,
    sheet: row.sheet as string | null,
    row_start: row.row_start as number | null,
    row_end: row.row_end as number | null,
    char_start: row.char_start as number,
    char_end: row.char_end as number,
    heading_path: JSON.parse(row.heading_path as string),
    section_start: row.section_start as number | null,
    header: row.header as string | null,
    token_count: row.token_count as number,
  };
}

export function toJob(row: Row): Job {
  return {
    job_id: row.job_id as string,
    tenant_id: row.tenant_id as string,
    job_type: row.job_type as string,
    payload: JSON.parse(row.payload as string),
    state: row.state as Job["state"],
    priority: row.priority as number,
    attempts: row.attempts as number,
    max_attempts: row.max_attempts as number,
    run_at: iso(row.run_at as number),
    unique_key: row.unique_key as string | null,
    correlation_id: row.correlation_id as string,
    leased_by: row.leased_by as string | null,
    error: row.error === null ? null : JSON.parse(row.error as string),
    created_at: iso(row.created_at as number),
    updated_at: iso(row.updated_at as number),
    finished_at: row.finished_at === null ? null : iso(row.finished_at as number),
  };
}

export function iso(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}

/** A vector as SQLite stores it: little-endian 32-bit floats. */
export function toBytes(vector: Float32Array): Uint8Array {
  return new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength);
}

export function toVector(bytes: Uint8Array): Float32Array {
  // A copy: the bytes need not begin at a multiple of four.
  const copy = bytes.slice();
  return new Float32Array(copy.buffer, 0, copy.byteLength / 4);
}

/** Conditions whose value was given, joined by AND, and those values in order. */
export function conditions(given: Record<string, string | number | undefined>) {
  const present = Object.entries(given).filter(([, value]) => value !== undefined);
  return {
    where: present.length === 0 ? "1" : present.map(([condition]) => condition).join(" AND "),
    values: present.map(([, value]) => value as string | number),
  };
}

/** The tenant as one word that no stemming changes. */
export function tenantWord(tenant_id: string): string {
  return `t${Buffer.from(tenant_id).toString("hex")}x`;
}

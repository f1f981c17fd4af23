/** What a stage is, and what it is given. */
import type { About } from "../about.ts";
import type { DocumentRecord, DocumentVersion } from "../document.ts";
import type { Stage as StageName } from "../events.ts";
import type { Job, Lease } from "../job.ts";
import type { BlobStore } from "../ports/blob-store.ts";
import type { Commit, DocumentStore } from "../ports/document-store.ts";
import type { Extractor } from "../ports/extractor.ts";
import type { System } from "../ports/system.ts";
import type { EmbedderParts } from "../reindex/in-force.ts";
import type { ChunkOptions } from "./chunker.ts";

/** The adapters and settings that stages work with. */
export interface StageTools extends EmbedderParts {
  system: System;
  blobs: BlobStore;
  documents: DocumentStore;
  extractor: Extractor;
  chunking: ChunkOptions;
  /** What a file is; undefined where it can't be read. */
  typeOf: (head: Uint8Array, filename: string, declared?: string) => Promise<string | undefined>;
}

export interface StageContext extends StageTools {
  /** The version being ingested: its original and where that lies. */
  source: DocumentVersion;
  collection: string;
  /** As the attempt found it. */
  document: DocumentRecord;
  /** What this version says of itself, known once it is extracted. */
  about: About;
  job: Job;
  /** Of that job, in whose name it runs. */
  lease: Lease;
  /** Fires when the work must stop: cancelled, lease lost, shutting down. */
  signal: AbortSignal;
  /** What an earlier attempt kept of this stage. */
  kept: Record<string, unknown> | undefined;
  /** Stores how far the stage has come, for the next attempt's `kept`. Names that end in `_key` are blobs. */
  keep(data: Record<string, unknown>): Promise<void>;
  /** Says how far the stage is. Cheap: written to the log at most ten times a second. */
  progress(done: number, total: number | null): void;
  /** Writes in the job's name: refused with `lease_lost` once the job is somebody else's. */
  commit(change: Omit<Commit, "tenant_id" | "lease" | "document" | "settle">): Promise<void>;
}

export interface StageResult<Out> {
  output: Out;
  /** Enough for `restore` to make the same output again. */
  checkpoint: Record<string, unknown>;
  /** Figures for the event `rag.ingestion.stage_completed`. */
  counts: Record<string, number>;
}

/** One step of the pipeline. It may be run again after dying anywhere inside: what it writes must bear that. */
export interface Stage<In, Out> {
  name: StageName;
  run(input: In, context: StageContext): Promise<StageResult<Out>>;
  /** The output of a run that ended before, from its checkpoint. */
  restore(checkpoint: Record<string, unknown>, context: StageContext): Promise<Out>;
}

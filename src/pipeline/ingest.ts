/**
 * The pipeline: its stages in one list, and the runner that takes a document through them. A stage whose checkpoint
 * is stored is not run again (G4); the last transaction publishes everything at once (G13).
 */
import { aboutNothing, aboutOf } from "../about.ts";
import { isTerminal } from "../document.ts";
import { wholeText } from "../document-text.ts";
import type { Stage as StageName } from "../events.ts";
import { type ClaimedJob, type NewJob, REMOVE_ENTRIES, reembedJob } from "../job.ts";
import { blobsOf, ConflictError, type ConflictReason } from "../ports/document-store.ts";
import type { JobQueue } from "../ports/job-queue.ts";
import { embedderForDocuments, type InForce } from "../reindex/in-force.ts";
import { removeStrays } from "./family.ts";
import { createJournal } from "./journal.ts";
import type { Stage, StageContext, StageTools } from "./stage.ts";
import { type Chunked, chunk } from "./stages/chunk.ts";
import { embed } from "./stages/embed.ts";
import { type ExtractCheckpoint, extract } from "./stages/extract.ts";
import { indexChunks } from "./stages/index-chunks.ts";

/** Each stage's output is the next one's input. */
export const pipeline = [extract, chunk, embed, indexChunks] as const;

export interface IngestDependencies extends StageTools {
  queue: JobQueue;
}

/**
 * Runs one attempt of an ingestion to its end: when it resolves, the version is searchable and the job has
 * succeeded, or there was nothing left to do.
 *
 * @throws whatever stopped it; nothing is settled then (see failure.ts)
 */
export async function ingest(
  dependencies: IngestDependencies,
  claimed: ClaimedJob,
  worker_id: string,
  signal: AbortSignal,
): Promise<void> {
  const { system, documents, queue, blobs, index } = dependencies;
  const { job } = claimed;
  const { tenant_id, job_id } = job;
  const { document_id, version } = job.payload as { document_id: string; version: number };
  const current = await documents.getDocument(tenant_id, document_id);
  if (!current || current.job_id !== job_id || isTerminal(current.status)) {
    // Deleted, superseded, or finished by a run whose settling was lost: the effect is there (G3).
    await queue.complete(claimed);
    return;
  }
  const versions = await documents.listVersions(tenant_id, document_id);
  const source = versions.find((candidate) => candidate.version === version);
  if (!source) throw new Error(`${document_id} has no version ${version}`);

  const started_at = system.monotonic();
  const journal = createJournal(dependencies, claimed, current);
  await journal.record([
    {
      event_type: "rag.ingestion.started",
      data: { job_id, version, attempt: job.attempts, worker_id },
    },
  ]);
  const checkpoints = await documents.listCheckpoints(tenant_id, document_id, version);
  const done = new Map(checkpoints.map(({ stage, data }) => [stage, data]));
  // An earlier release stored texts otherwise: then it is read again.
  if (wholeText(checkpoints) === undefined && !isPartial(done.get("extracting"))) done.delete("extracting");

  let under = await embedderForDocuments(dependencies);
  const contextUnder = ({ embedder, index }: InForce): StageContext => ({
    ...dependencies,
    embedder,
    index,
    source,
    collection: current.collection,
    document: current,
    about,
    job,
    lease: claimed,
    signal,
    kept,
    keep: (data) => journal.keep(stage_name, { ...data, partial: true }),
    progress: (reached, total) => journal.progress(stage_name, reached, total),
    commit: (change) => journal.commit(change),
  });
  let stage_name: StageName = pipeline[0].name;
  let kept: Record<string, unknown> | undefined;
  let about = aboutNothing;
  let output: unknown;
  for (const stage of pipeline as readonly Stage<unknown, unknown>[]) {
    signal.throwIfAborted();
    stage_name = stage.name;
    const checkpoint = done.get(stage.name);
    kept = isPartial(checkpoint) ? checkpoint : undefined;
    if (checkpoint && !kept) {
      if (stage.name === "extracting") about = aboutOf(checkpoint as ExtractCheckpoint);
      output = await stage.restore(checkpoint, contextUnder(under));
      continue;
    }
    const stage_started = system.monotonic();
    const result = await stage.run(output, contextUnder(under));
    output = result.output;
    if (stage.name === "extracting") about = aboutOf(result.checkpoint as ExtractCheckpoint);
    const completed = {
      event_type: "rag.ingestion.stage_completed" as const,
      data: {
        job_id,
        version,
        stage: stage.name,
        duration_ms: round(system.monotonic() - stage_started),
        counts: result.counts,
      },
    };
    if (stage.name !== "indexing") {
      await journal.record([completed], { checkpoint: { stage: stage.name, data: result.checkpoint } });
      continue;
    }
    signal.throwIfAborted();
    const chunked = output as Chunked;
    const older = versions.map((entry) => entry.version).filter((number) => number < version);
    // Those before them were removed when the searchable one was published.
    const replaced = older.filter((number) => number >= (current.searchable_version ?? 0));
    const entryRemoval = (removed: number[]): NewJob => ({
      job_id: system.newId("job"),
      tenant_id,
      job_type: REMOVE_ENTRIES,
      payload: { document_id, versions: removed },
      correlation_id: job.correlation_id,
      max_attempts: job.max_attempts,
    });
    const checkpointsOf = (number: number) => documents.listCheckpoints(tenant_id, document_id, number);
    const unused = blobsOf((await Promise.all(older.map(checkpointsOf))).flat());
    const publish = async ({ registered: { serving, target }, embedder: { embedder_id } }: InForce) =>
      journal.record(
        [
          completed,
          {
            event_type: "rag.ingestion.completed",
            data: {
              job_id,
              version,
              chunks_created: chunked.chunks_created,
              processing_time_ms: await processingTime(dependencies, claimed, started_at),
              about,
            },
          },
        ],
        {
          settle: { state: "succeeded" },
          embedders: { serving, target },
          indexed: { document_id, version, embedder_id },
          discard: { document_id, versions: older },
          enqueue: [
            ...(index.separate && replaced.length > 0 ? [entryRemoval(replaced)] : []),
            // A reindex under way finds it searchable from now on, and may have gone past its document.
            ...(target === null || target === embedder_id
              ? []
              : [reembedJob(system.newId("job"), current, target, job.max_attempts)]),
          ],
        },
        older.length > 0 ? () => removeStrays(dependencies, claimed, source) : undefined,
      );
    while (!(await publishedUnless("embedders", publish(under)))) {
      // A reindex began or ended meanwhile: what it is found by has to be decided, and maybe made, again.
      const before = under.embedder.embedder_id;
      under = await embedderForDocuments(dependencies);
      if (under.embedder.embedder_id === before) continue;
      await embed.run(chunked, contextUnder(under));
      await indexChunks.run(chunked, contextUnder(under));
    }
    // After the commit nobody names them. Dying here leaves them to the sweeper.
    await Promise.all(unused.map((key) => blobs.delete(key)));
  }
}

/** Whether it was written: false when it was refused for this one reason. */
async function publishedUnless(reason: ConflictReason, writing: Promise<void>): Promise<boolean> {
  try {
    await writing;
    return true;
  } catch (error) {
    if (error instanceof ConflictError && error.reason === reason) return false;
    throw error;
  }
}

/** Whether a checkpoint was kept before its stage had ended. */
function isPartial(checkpoint: Record<string, unknown> | undefined): boolean {
  return checkpoint?.partial === true;
}

/** Milliseconds since the job first started, earlier attempts and the waits between them included. */
async function processingTime(
  { documents, system }: IngestDependencies,
  { job }: ClaimedJob,
  started_at: number,
): Promise<number> {
  const thisAttempt = system.monotonic() - started_at;
  if (job.attempts === 1) return round(thisAttempt);
  const { tenant_id, correlation_id } = job;
  let after = 0;
  for (;;) {
    const events = await documents.readEvents({ tenant_id, correlation_id, after, limit: 500 });
    const first = events.find(
      (event) => event.event_type === "rag.ingestion.started" && event.data.job_id === job.job_id,
    );
    if (first) return Math.max(round(thisAttempt), system.now() - Date.parse(first.timestamp));
    const last = events.at(-1);
    if (!last) return round(thisAttempt);
    after = last.sequence;
  }
}

function round(milliseconds: number): number {
  return Math.round(milliseconds * 10) / 10;
}

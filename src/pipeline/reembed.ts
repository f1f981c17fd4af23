/**
 * One document's part of a reindex: its chunks, which are stored, get vectors of the target beside those that are
 * searched. Every batch of vectors is stored, so that a run cut short goes on where it ended. The document itself
 * doesn't change: it writes no event.
 */
import type { DocumentRecord } from "../document.ts";
import { SluiceError } from "../errors.ts";
import type { ClaimedJob } from "../job.ts";
import { ConflictError } from "../ports/document-store.ts";
import { openUnder } from "../reindex/in-force.ts";
import type { IngestDependencies } from "./ingest.ts";
import type { StageContext } from "./stage.ts";
import { restoreChunked } from "./stages/chunk.ts";
import { embed } from "./stages/embed.ts";

/** Entries written in one transaction. */
const BATCH = 128;

export async function reembed(
  dependencies: IngestDependencies,
  claimed: ClaimedJob,
  signal: AbortSignal,
): Promise<void> {
  const { documents, queue } = dependencies;
  const { tenant_id, payload } = claimed.job;
  const { document_id, embedder_id } = payload as { document_id: string; embedder_id: string };
  for (;;) {
    const { serving, target } = await documents.embedders.read();
    const document = await documents.getDocument(tenant_id, document_id);
    const version = document?.searchable_version ?? null;
    // The reindex has ended, or there is nothing to find of the document.
    if (target !== embedder_id || !document || version === null) return queue.complete(claimed);
    try {
      await addVectors(dependencies, claimed, signal, document, version, embedder_id);
      await documents.commit([
        {
          tenant_id,
          lease: claimed,
          embedders: { serving, target },
          indexed: { document_id, version, embedder_id },
          settle: { state: "succeeded" },
        },
      ]);
      return;
    } catch (error) {
      signal.throwIfAborted();
      const ended = error instanceof ConflictError && error.reason === "embedders";
      const now = (await documents.getDocument(tenant_id, document_id))?.searchable_version ?? null;
      // Published anew or deleted meanwhile: that is why. A later version has a job of its own; this one looks again.
      if (!ended && now === version) throw error;
    }
  }
}

async function addVectors(
  dependencies: IngestDependencies,
  claimed: ClaimedJob,
  signal: AbortSignal,
  document: DocumentRecord,
  version: number,
  embedder_id: string,
): Promise<void> {
  const { documents } = dependencies;
  const { tenant_id, document_id, collection, chunks_created } = document;
  const source = (await documents.listVersions(tenant_id, document_id)).find(
    (each) => each.version === version,
  );
  if (!source) throw new Error(`${document_id} has no version ${version}`);
  const under = await openUnder(dependencies, embedder_id);
  if (!under) {
    throw new SluiceError(
      "embedder_mismatch",
      `The reindex wants the embedder ${embedder_id}, which this worker's settings don't give. Start it with those that the reindex was begun with.`,
      { retryable: true },
    );
  }
  const context: StageContext = {
    ...dependencies,
    ...under,
    source,
    collection,
    document,
    about: document.about,
    job: claimed.job,
    lease: claimed,
    signal,
    // The vectors themselves say how far it is.
    kept: undefined,
    keep: async () => {},
    progress: () => {},
    commit: async (change) => {
      await documents.commit([{ ...change, tenant_id, lease: claimed }]);
    },
  };
  const checkpoints = await documents.listCheckpoints(tenant_id, document_id, version);
  const chunked = checkpoints.find(({ stage }) => stage === "chunking");
  await embed.run(chunked ? restoreChunked(chunked.data) : { chunks_created }, context);
  for (let next = 0; next < chunks_created; ) {
    signal.throwIfAborted();
    const batch = await documents.listChunks(tenant_id, document_id, version, next, BATCH);
    const last = batch.at(-1);
    if (!last) throw new Error(`${document_id} version ${version} lost its chunks from ${next} on`);
    const entries = batch.map(({ vector, embedder_id: made_by, ...chunk }) => {
      if (!vector || made_by !== embedder_id)
        throw new Error(`${chunk.chunk_id} has no vector of ${embedder_id}`);
      return { chunk, tenant_id, collection, vector };
    });
    await under.index.add(entries, claimed);
    next = last.ordinal + 1;
  }
}

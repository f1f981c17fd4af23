/** The ports as a simulated process sees them: every call waits for the scheduler twice, and may fail on the way. */
import { createMemoryStorage } from "../../src/adapters/memory/storage.ts";
import { SluiceError } from "../../src/errors.ts";
import type { BlobStore } from "../../src/ports/blob-store.ts";
import type { Commit, DocumentStore } from "../../src/ports/document-store.ts";
import type { Embedder } from "../../src/ports/embedder.ts";
import type { EventPublisher } from "../../src/ports/event-publisher.ts";
import type { Extractor } from "../../src/ports/extractor.ts";
import type { JobQueue } from "../../src/ports/job-queue.ts";
import type { VectorIndex } from "../../src/ports/vector-index.ts";
import {
  EMBEDDER_ID,
  type Outside,
  simulatedBlobs,
  simulatedEmbedder,
  simulatedExtractor,
  simulatedPublisher,
} from "./outside.ts";
import type { Process, Scheduler } from "./scheduler.ts";
import { standing } from "./standing.ts";

export interface ProcessPorts {
  documents: DocumentStore;
  queue: JobQueue;
  index: VectorIndex;
  blobs: BlobStore;
  embedder: Embedder;
  extractor: Extractor;
  publisher: EventPublisher;
}

/** Puts something wrong between a process and its ports: see planted.ts. */
export type Plant = (
  ports: Pick<ProcessPorts, "documents" | "queue" | "index">,
  process: Process,
  scheduler: Scheduler,
) => Partial<ProcessPorts>;

export function openPorts(
  scheduler: Scheduler,
  process: Process,
  outside: Outside,
  plant?: Plant,
): ProcessPorts {
  const { system } = process;
  const storage = createMemoryStorage({ system, embedder_id: EMBEDDER_ID, state: outside.state });
  const claim: JobQueue["claim"] = async (...given) => {
    const claimed = await storage.queue.claim(...given);
    for (const { job_id } of claimed) outside.claims.set(job_id, (outside.claims.get(job_id) ?? 0) + 1);
    return claimed;
  };
  const raw = { ...storage, queue: { ...storage.queue, claim } };
  const planted = plant ? { ...raw, ...plant(raw, process, scheduler) } : raw;
  const through = <T extends object>(name: string, port: T, losesAnswers = false): T =>
    scheduled({ scheduler, process, outside }, name, port, losesAnswers);
  return {
    documents: through("documents", planted.documents, true),
    queue: through("queue", planted.queue, true),
    index: through("index", planted.index, true),
    // A put that rejects has left nothing, so its answer can't be lost.
    blobs: through("blobs", simulatedBlobs(scheduler, outside)),
    // These two fail in ways of their own.
    embedder: simulatedEmbedder(scheduler, process, outside),
    extractor: simulatedExtractor(scheduler, process, outside),
    publisher: simulatedPublisher(scheduler, process, outside),
  };
}

interface Place {
  scheduler: Scheduler;
  process: Process;
  outside: Outside;
}

function scheduled<T extends object>(place: Place, name: string, port: T, losesAnswers: boolean): T {
  const wrapped = Object.entries(port).map(([method, value]) => {
    if (typeof value !== "function" || method === "localPath") return [method, value];
    const label = `${name}.${method}`;
    if (method === "list" && name === "blobs") return [method, scheduledList(place, value)];
    if (method === "watchJobs" || method === "watchEvents")
      return [method, scheduledBell(place, label, value)];
    return [method, scheduledCall(place, label, value, losesAnswers)];
  });
  return Object.fromEntries(wrapped) as T;
}

function scheduledCall(
  { scheduler, process, outside }: Place,
  label: string,
  call: (...given: unknown[]) => Promise<unknown>,
  losesAnswers: boolean,
) {
  const { random } = scheduler;
  return async (...given: unknown[]) => {
    await scheduler.step(process, `${label}${about(label, given)}`);
    const fails = outside.faulty && random.chance(outside.unreliable);
    // Whether it worked or not, the answer has a way to go; and what is not answered may have happened.
    const happens = !fails || (losesAnswers && random.chance(0.5) && !mustBeHeard(label, given));
    const answer: { result?: unknown; error?: unknown } = happens
      ? await call(...given).then(
          (result) => ({ result }),
          (error: unknown) => ({ error }),
        )
      : {};
    if (fails) {
      const how = happens ? "the answer was lost" : "it could not be reached";
      answer.error = new SluiceError("storage_unavailable", `${label}: ${how}`);
    }
    const failed = "error" in answer;
    await scheduler.step(process, `${label} answers${failed ? ` ${String(answer.error)}` : ""}`);
    if (failed) throw answer.error;
    return answer.result;
  };
}

/** Calls whose answers are not lost, for now. */
function mustBeHeard(label: string, given: unknown[]): boolean {
  return (
    standing.uploadRemovesWhatItCommitted &&
    label === "documents.commit" &&
    (given[0] as Commit[]).some(({ version }) => version)
  );
}

/** The news comes after a while, sometimes twice, and not to the dead. */
function scheduledBell(
  { scheduler, process }: Place,
  label: string,
  watch: (listener: () => void) => unknown,
) {
  return (listener: () => void) =>
    watch(() => {
      const times = scheduler.random.chance(0.05) ? 2 : 1;
      for (let time = 0; time < times; time++) void scheduler.step(process, `${label} rings`).then(listener);
    });
}

function scheduledList({ scheduler, process }: Place, list: BlobStore["list"]): BlobStore["list"] {
  return async function* (prefix) {
    for await (const blob of list(prefix)) {
      if (scheduler.random.chance(0.1)) await scheduler.step(process, "blobs.list goes on");
      yield blob;
    }
  };
}

/** What a call is about, as far as it helps whoever reads the trace. */
function about(label: string, given: unknown[]): string {
  if (label !== "documents.commit") return "";
  const told = (given[0] as Commit[]).map(
    ({ document, events, checkpoint, chunks, embeddings, settle, discard }) =>
      [
        document?.record.document_id.slice(-6),
        ...(events ?? []).map(({ event_type }) => event_type.replace(/^rag\.(ingestion|document)\./, "")),
        checkpoint && `checkpoint:${checkpoint.stage}`,
        chunks && `${chunks.length} chunks`,
        embeddings && `${embeddings.vectors.length} vectors`,
        settle && `settle:${settle.state}`,
        discard && `discard:${discard.versions.join(",")}`,
      ]
        .filter((each) => each !== undefined)
        .join(" "),
  );
  return ` [${told.join("; ")}]`;
}

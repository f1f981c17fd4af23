/** Commands on stored documents and their jobs. Each reads, decides and commits; when it lost a race, it reads again. */
import { advance, type DocumentRecord, discardUnfinished, isTerminal } from "../document.ts";
import { type ErrorCode, SluiceError } from "../errors.ts";
import { endedStates, INGEST_DOCUMENT, type Job, REEMBED_DOCUMENT } from "../job.ts";
import { removal } from "../new-version.ts";
import { type Commit, ConflictError, type DocumentStore } from "../ports/document-store.ts";
import type { JobQueue } from "../ports/job-queue.ts";
import type { System } from "../ports/system.ts";
import type { Accepted } from "./upload.ts";

export interface CommandDependencies {
  system: System;
  documents: DocumentStore;
  queue: JobQueue;
  max_attempts: number;
}

export interface Commands {
  /**
   * Ingests the stored bytes again as a new version; the old one stays searchable meanwhile. While an ingestion of
   * the document is under way, that one is answered instead.
   * @throws SluiceError not_found
   */
  reingest(tenant_id: string, document_id: string, request_id: string): Promise<Accepted>;
  /**
   * The document is gone for readers and searches at once, and what came out of it with it; a job erases its bytes. An
   * ingestion under way stops.
   * @throws SluiceError not_found
   */
  remove(
    tenant_id: string,
    document_id: string,
    request_id: string,
  ): Promise<{ document_id: string; job_id: string; correlation_id: string }>;
  /** @throws SluiceError not_found; already_ended */
  cancel(tenant_id: string, job_id: string, request_id: string): Promise<Job>;
  /**
   * Runs a dead or cancelled job again under its id, from its last checkpoint.
   * @throws SluiceError not_found; not_dead; superseded
   */
  retry(tenant_id: string, job_id: string, request_id: string): Promise<Job>;
  /** Runs the dead letters of a tenant again, newest first, as `retry` does; those superseded are passed over. */
  retryDead(tenant_id: string, query: RetryDeadQuery, request_id: string): Promise<RetriedDead>;
}

export interface RetryDeadQuery {
  /** Only jobs that died of this error. */
  error_code?: ErrorCode;
  /** Dead letters looked at. */
  limit: number;
  /** Goes on behind this job. */
  before?: string;
}

export interface RetriedDead {
  retried: number;
  /** Superseded by a newer ingestion, or gone from the list meanwhile. */
  skipped: number;
  /** The job looked at last, when there may be more; else null. */
  last: string | null;
}

/** Retried at a time: they share transactions. */
const TOGETHER = 32;
const passedOver: ReadonlySet<ErrorCode> = new Set(["superseded", "not_dead", "not_found"]);

const MAX_ROUNDS = 20;
const ROUNDS_WITH_FAMILY = 5;
/** Documents that go together with the one that they came out of; those beyond are left to the job that erases it. */
const GO_TOGETHER = 256;

export function createCommands(dependencies: CommandDependencies): Commands {
  const { system, documents, queue } = dependencies;

  async function mustGet(tenant_id: string, document_id: string): Promise<DocumentRecord> {
    const document = await documents.getDocument(tenant_id, document_id);
    if (!document) throw new SluiceError("not_found", `There is no document ${document_id}.`);
    return document;
  }

  async function mustGetJob(tenant_id: string, job_id: string): Promise<Job> {
    const job = await queue.get(job_id, tenant_id);
    if (!job) throw new SluiceError("not_found", `There is no job ${job_id}.`);
    return job;
  }

  /** Repeats `decide` until its commit meets the state that it was decided on. */
  async function settle<T>(
    decide: (round: number) => Promise<{ commit?: Commit; commits?: Commit[]; result: T }>,
  ): Promise<T> {
    for (let round = 0; round < MAX_ROUNDS; round++) {
      const { commit, commits = commit ? [commit] : [], result } = await decide(round);
      if (commits.length === 0) return result;
      try {
        await documents.commit(commits);
        return result;
      } catch (error) {
        if (!(error instanceof ConflictError)) throw error;
      }
    }
    throw new SluiceError("conflict", "The document kept changing; repeat the request.");
  }

  /** Documents that came out of this one, and out of those, the nearest first. */
  async function descendantsOf(tenant_id: string, document_id: string): Promise<DocumentRecord[]> {
    const found: DocumentRecord[] = [];
    const parents = [document_id];
    for (let parent = parents.shift(); parent !== undefined; parent = parents.shift()) {
      const limit = GO_TOGETHER - found.length;
      if (limit === 0) break;
      const children = await documents.listDocuments({ tenant_id, parent_document_id: parent, limit });
      found.push(...children);
      parents.push(...children.map((child) => child.document_id));
    }
    return found;
  }

  function retry(tenant_id: string, job_id: string, request_id: string): Promise<Job> {
    return settle(async () => {
      const job = await mustGetJob(tenant_id, job_id);
      if (job.state !== "dead" && job.state !== "cancelled") {
        throw new SluiceError(
          "not_dead",
          `Job ${job_id} is ${job.state}; only a dead or cancelled one can be retried.`,
        );
      }
      const retried = { ...job, state: "queued" as const, finished_at: null, error: null };
      if (job.job_type !== INGEST_DOCUMENT) {
        return { commit: { tenant_id, redrive_job: job_id }, result: retried };
      }
      const current = await documents.getDocument(tenant_id, String(job.payload.document_id));
      if (!current || current.job_id !== job_id) {
        throw new SluiceError(
          "superseded",
          `Job ${job_id} is not the latest of its document${current ? `; ${current.job_id} is` : ", which was deleted"}.`,
        );
      }
      if (!isTerminal(current.status)) {
        // Somebody else retried it between the two reads: refused as well.
        return { commit: { tenant_id, redrive_job: job_id }, result: retried };
      }
      const { document, event } = advance(
        current,
        "rag.ingestion.requested",
        { job_id, version: current.version, reason: "retry" },
        { ...system, correlation_id: current.correlation_id, causation_id: request_id },
      );
      const commit: Commit = {
        tenant_id,
        document: { record: document, expect_revision: current.revision },
        events: [event],
        redrive_job: job_id,
      };
      return { commit, result: retried };
    });
  }

  return {
    reingest: (tenant_id, document_id, request_id) =>
      settle<Accepted>(async () => {
        const current = await mustGet(tenant_id, document_id);
        if (!isTerminal(current.status)) return { result: toAccepted(current, true) };
        const correlation_id = system.newId("cor");
        const job_id = system.newId("job");
        const version = current.version + 1;
        const source = (await documents.listVersions(tenant_id, document_id)).at(-1);
        // Removed and erased since it was read.
        if (!source) throw new SluiceError("not_found", `There is no document ${document_id}.`);
        const { document, event } = advance(
          current,
          "rag.ingestion.requested",
          { job_id, version, reason: "reingest" },
          { ...system, correlation_id, causation_id: request_id },
        );
        const commit: Commit = {
          tenant_id,
          document: { record: document, expect_revision: current.revision },
          version: { ...source, version, created_at: document.updated_at },
          ...discardUnfinished(current),
          events: [event],
          enqueue: [
            {
              job_id,
              tenant_id,
              job_type: INGEST_DOCUMENT,
              payload: { document_id, version },
              correlation_id,
              max_attempts: dependencies.max_attempts,
              unique_key: `ingest:${document_id}`,
            },
          ],
        };
        return { commit, result: toAccepted(document, false) };
      }),

    remove: (tenant_id, document_id, request_id) =>
      settle(async (round) => {
        const current = await mustGet(tenant_id, document_id);
        const context = { causation_id: request_id, system };
        const { commit, job_id } = removal(current, context);
        // Documents at work move on all the time. When they keep this one from going, the job takes them away.
        const inside = round < ROUNDS_WITH_FAMILY ? await descendantsOf(tenant_id, document_id) : [];
        return {
          commits: [commit, ...inside.map((child) => removal(child, context).commit)],
          result: { document_id, job_id, correlation_id: current.correlation_id },
        };
      }),

    cancel: (tenant_id, job_id, request_id) =>
      settle(async () => {
        const job = await mustGetJob(tenant_id, job_id);
        if (endedStates.has(job.state) || job.job_type !== INGEST_DOCUMENT) {
          throw new SluiceError("already_ended", whyNotCancelled(job));
        }
        const document_id = String(job.payload.document_id);
        const current = await documents.getDocument(tenant_id, document_id);
        if (!current || current.job_id !== job_id || isTerminal(current.status)) {
          // The job ended between the two reads: the commit is refused, and the next round sees it.
          return {
            commit: { tenant_id, cancel_job: job_id },
            result: { ...job, state: "cancelled" as const },
          };
        }
        const { document, event } = advance(
          current,
          "rag.ingestion.cancelled",
          { job_id, version: current.version, reason: "requested" },
          { ...system, correlation_id: current.correlation_id, causation_id: request_id },
        );
        const commit: Commit = {
          tenant_id,
          document: { record: document, expect_revision: current.revision },
          events: [event],
          cancel_job: job_id,
          discard: { document_id, versions: [current.version] },
        };
        return { commit, result: { ...job, state: "cancelled" as const, leased_by: null } };
      }),

    retry,

    async retryDead(tenant_id, { error_code, limit, before }, request_id) {
      const dead = await queue.list({
        tenant_id,
        state: "dead",
        limit,
        ...(error_code === undefined ? {} : { error_code }),
        ...(before === undefined ? {} : { before }),
      });
      let skipped = 0;
      for (let from = 0; from < dead.length; from += TOGETHER) {
        const together = dead.slice(from, from + TOGETHER);
        await Promise.all(
          together.map(({ job_id }) =>
            retry(tenant_id, job_id, request_id).catch((error: unknown) => {
              if (!(error instanceof SluiceError && passedOver.has(error.code))) throw error;
              skipped += 1;
            }),
          ),
        );
      }
      const last = dead.length === limit ? (dead.at(-1)?.job_id ?? null) : null;
      return { retried: dead.length - skipped, skipped, last };
    },
  };
}

function whyNotCancelled({ job_id, job_type, state }: Job): string {
  if (endedStates.has(state)) return `Job ${job_id} has ended: it is ${state}.`;
  if (job_type === REEMBED_DOCUMENT) {
    return `Job ${job_id} is a part of a reindex: \`sluice reindex --cancel\` gives all of it up.`;
  }
  return `Job ${job_id} erases a deleted document and can't be cancelled.`;
}

function toAccepted(document: DocumentRecord, duplicate: boolean): Accepted {
  return {
    document_id: document.document_id,
    job_id: document.job_id,
    status: document.status,
    correlation_id: document.correlation_id,
    version: document.version,
    duplicate,
  };
}

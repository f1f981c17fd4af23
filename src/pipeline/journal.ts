/**
 * Writes of one attempt: every change of the document goes through here, one after another, each with its event and
 * under the lease. Whoever lost the lease can write nothing.
 */
import { advance, type DocumentRecord } from "../document.ts";
import { type EventData, type EventType, type Stage, stages } from "../events.ts";
import type { Lease } from "../job.ts";
import { type Commit, ConflictError, type DocumentStore } from "../ports/document-store.ts";
import type { System } from "../ports/system.ts";

type Change = Omit<Commit, "tenant_id" | "lease" | "document" | "events">;

export interface Journal {
  /** The document as last written. */
  document(): DocumentRecord;
  /**
   * One or more events and what belongs to them, in one transaction.
   * @param beside what happens to other documents in it; asked for anew where one of those has moved on meanwhile
   */
  record(events: EventDraft[], change?: Change, beside?: () => Promise<Commit[]>): Promise<void>;
  /** A change of something else than the document itself. */
  commit(change: Change): Promise<void>;
  /** A stage's checkpoint before its end. */
  keep(stage: Stage, data: Record<string, unknown>): Promise<void>;
  /** Tells of progress, at most every `PROGRESS_MS`; a failure to write it shows in the next write. */
  progress(stage: Stage, done: number, total: number | null): void;
}

export type EventDraft = { [T in EventType]: { event_type: T; data: EventData<T> } }[EventType];

/** Ten a second for one document, and never more than one under way. */
const PROGRESS_MS = 100;
const MAX_ROUNDS = 20;

export function createJournal(
  { system, documents }: { system: System; documents: DocumentStore },
  lease: Lease,
  current: DocumentRecord,
): Journal {
  let document = current;
  let last: Promise<unknown> = Promise.resolve();
  let failed: { error: unknown } | undefined;
  let progressAt = Number.NEGATIVE_INFINITY;
  let progressing = false;
  const { tenant_id, correlation_id } = current;
  const context = { ...system, correlation_id, causation_id: lease.job_id };

  /** One write after another: each builds on the document that the one before left. */
  function inTurn<T>(write: () => Promise<T>): Promise<T> {
    const turn = last.then(() => {
      if (failed) throw failed.error;
      return write();
    });
    last = turn.catch(() => undefined);
    return turn;
  }

  async function write(drafts: EventDraft[], change: Change = {}, beside: Commit[] = []): Promise<void> {
    let next = document;
    const events = drafts.map(({ event_type, data }) => {
      const step = advance(next, event_type, data, context);
      next = step.document;
      return step.event;
    });
    await documents.commit([
      {
        ...change,
        tenant_id,
        lease,
        document: { record: next, expect_revision: document.revision },
        events,
      },
      ...beside,
    ]);
    document = next;
  }

  function record(drafts: EventDraft[], change?: Change, beside?: () => Promise<Commit[]>): Promise<void> {
    return inTurn(async () => {
      if (!beside) return write(drafts, change);
      for (let round = 1; ; round++) {
        try {
          return await write(drafts, change, await beside());
        } catch (error) {
          // This document is ours alone while the lease holds, which is looked at first.
          const moved = error instanceof ConflictError && !["lease_lost", "embedders"].includes(error.reason);
          if (!moved || round === MAX_ROUNDS) throw error;
        }
      }
    });
  }

  /** Whether the document is past it: told twice, out of order, or of a stage that has ended meanwhile. */
  function isPast(stage: Stage, done: number): boolean {
    const [told, now] = [
      stages.indexOf(stage),
      document.stage === null ? -1 : stages.indexOf(document.stage),
    ];
    return told < now || (told === now && done < document.progress.done);
  }

  return {
    document: () => document,
    record,
    commit: (change) =>
      inTurn(async () => {
        await documents.commit([{ ...change, tenant_id, lease }]);
      }),
    keep: (stage, data) =>
      inTurn(() => {
        const { job_id, version } = document;
        const { done, total } = document.stage === stage ? document.progress : { done: 0, total: null };
        return write(
          [{ event_type: "rag.ingestion.progressed", data: { job_id, version, stage, done, total } }],
          { checkpoint: { stage, data } },
        );
      }),
    progress(stage, done, total) {
      const now = system.monotonic();
      if (progressing || now - progressAt < PROGRESS_MS) return;
      progressAt = now;
      progressing = true;
      const { job_id, version } = document;
      inTurn(async () => {
        if (isPast(stage, done)) return;
        await write([
          { event_type: "rag.ingestion.progressed", data: { job_id, version, stage, done, total } },
        ]);
      }).then(
        () => {
          progressing = false;
        },
        (error: unknown) => {
          failed ??= { error };
        },
      );
    },
  };
}

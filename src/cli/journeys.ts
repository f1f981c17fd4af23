/** Follows documents to their ends over one stream of events, however many there are. */
import { setTimeout as sleep } from "node:timers/promises";
import { type DocumentStatus, isTerminal } from "../document.ts";
import { type ErrorInfo, SluiceError } from "../errors.ts";
import type { SluiceEvent, Stage } from "../events.ts";
import type { AcceptedAnswer } from "../server/schemas.ts";
import type { Client } from "./client.ts";
import { CommandError, type ReportedError } from "./output.ts";

/** How a document's journey ended. */
export interface JourneyEnd {
  status: DocumentStatus;
  chunks_created: number;
  /** Documents that came out of it; where they stand is told of each by itself. */
  children: number;
  error: ErrorInfo | ReportedError | null;
}

/** What a document does now. `waiting`: for a worker, or for its next attempt. */
export interface JourneyProgress {
  stage: Stage | "waiting";
  done: number;
  total: number | null;
}

interface Traveller {
  document_id: string;
  job_id: string;
  children: number;
  progress: (progress: JourneyProgress) => void;
  end: (end: JourneyEnd) => void;
  fail: (error: unknown) => void;
}

export interface Journeys {
  /** Runs an upload: what happens to its document before its answer has come is kept for `follow`. */
  during<T>(upload: () => Promise<T>): Promise<T>;
  /** Resolves when that journey has ended; rejects when the server was lost for good. Call it inside `during`. */
  follow(accepted: AcceptedAnswer, progress: (progress: JourneyProgress) => void): Promise<JourneyEnd>;
  close(): void;
}

/** How long a server that was there may be away before waiting for it makes no sense, in milliseconds. */
const AWAY_MS = 60_000;
const PAUSE_MS = 500;
const CHECKS_AT_A_TIME = 4;

/**
 * When this resolves, the stream is open: whatever is uploaded from now on is seen.
 * @throws SluiceError, CommandError when it can't be opened
 */
export async function followJourneys(client: Client, collection: string): Promise<Journeys> {
  const closing = new AbortController();
  const travellers = new Map<string, Traveller[]>();
  // The latest event of each job, or deleted document, that nobody follows yet. Kept only while uploads run.
  const early = new Map<string, SluiceEvent>();
  // Replaced by a newer version that may be of an upload here whose answer has not come yet.
  let replaced: Traveller[] = [];
  let uploads = 0;
  let lost: { error: unknown } | undefined;

  function take(event: SluiceEvent): void {
    const affected =
      event.event_type === "rag.document.deleted"
        ? [...travellers.values()].flat().filter(({ document_id }) => document_id === event.document_id)
        : (travellers.get(event.data.job_id) ?? []);
    if (affected.length === 0 && uploads > 0) early.set(subjectOf(event), event);
    for (const traveller of affected) apply(traveller, event);
  }

  function apply(traveller: Traveller, event: SluiceEvent): void {
    switch (event.event_type) {
      case "rag.ingestion.started":
        traveller.progress({ stage: "extracting", done: 0, total: null });
        break;
      case "rag.ingestion.progressed":
        traveller.progress(event.data);
        break;
      case "rag.ingestion.stage_completed":
        traveller.children = event.data.counts.children ?? traveller.children;
        break;
      case "rag.ingestion.retry_scheduled":
        traveller.progress({ stage: "waiting", done: 0, total: null });
        break;
      case "rag.ingestion.completed":
        end(traveller, "completed", null, event.data.chunks_created);
        break;
      case "rag.ingestion.failed":
        end(traveller, "failed", event.data.error);
        break;
      case "rag.ingestion.cancelled":
        if (event.data.reason === "superseded") supersede(traveller);
        else end(traveller, "cancelled", cancelled("requested"));
        break;
      case "rag.document.deleted":
        end(traveller, "cancelled", cancelled("deleted"));
        break;
    }
  }

  /** The same bytes twice in one run: whoever was replaced by a sibling here ends as the sibling does. */
  function supersede(traveller: Traveller): void {
    leave(traveller);
    const sibling = [...travellers.values()]
      .flat()
      .find((other) => other.document_id === traveller.document_id);
    if (sibling) join({ ...traveller, job_id: sibling.job_id });
    else if (uploads > 0) replaced.push(traveller);
    else end(traveller, "cancelled", cancelled("superseded"));
  }

  function join(traveller: Traveller): void {
    travellers.set(traveller.job_id, [...(travellers.get(traveller.job_id) ?? []), traveller]);
  }

  function leave(traveller: Traveller): void {
    const others = (travellers.get(traveller.job_id) ?? []).filter((other) => other !== traveller);
    if (others.length > 0) travellers.set(traveller.job_id, others);
    else travellers.delete(traveller.job_id);
  }

  function end(
    traveller: Traveller,
    status: DocumentStatus,
    error: JourneyEnd["error"],
    chunks_created = 0,
  ): void {
    leave(traveller);
    traveller.end({ status, chunks_created, children: traveller.children, error });
  }

  /** Asks for every document whose end may have passed while nobody listened. */
  async function checkAll(): Promise<void> {
    const waiting = [...travellers.values()].flat();
    await Promise.all(
      Array.from({ length: CHECKS_AT_A_TIME }, async () => {
        for (let traveller = waiting.pop(); traveller; traveller = waiting.pop()) await check(traveller);
      }),
    );
  }

  async function check(traveller: Traveller): Promise<void> {
    try {
      const document = await client.getDocument(traveller.document_id);
      if (document.job_id !== traveller.job_id) supersede(traveller);
      else if (isTerminal(document.status)) {
        end(traveller, document.status, document.error, document.chunks_created);
      }
    } catch (error) {
      if (!(error instanceof SluiceError) || error.code !== "not_found") throw error;
      end(traveller, "cancelled", cancelled("deleted"));
    }
  }

  let after: string | undefined;

  async function connect() {
    const connection = new AbortController();
    const signal = AbortSignal.any([closing.signal, connection.signal]);
    return {
      events: await client.openEvents({ collection, after }, signal),
      drop: () => connection.abort(),
    };
  }

  async function listen(first: Awaited<ReturnType<typeof connect>>): Promise<void> {
    let connection = first;
    let awaySince: number | undefined;
    for (let again = false; ; again = true) {
      try {
        if (again) {
          connection = await connect();
          // Where no event named a place in the log to resume at, some may have been missed.
          await checkAll();
        }
        awaySince = undefined;
        for await (const { sequence, event } of connection.events) {
          after = sequence ?? after;
          take(event);
        }
      } catch (error) {
        if (closing.signal.aborted) return;
        const passing = (error instanceof SluiceError || error instanceof CommandError) && error.retryable;
        awaySince ??= performance.now();
        if (!passing || performance.now() - awaySince > AWAY_MS) throw error;
      } finally {
        connection.drop();
      }
      if (closing.signal.aborted) return;
      await sleep(PAUSE_MS);
    }
  }

  function giveUp(error: unknown): void {
    lost = { error };
    for (const traveller of [...travellers.values(), replaced].flat()) traveller.fail(error);
    travellers.clear();
    replaced = [];
  }

  listen(await connect()).catch(giveUp);

  return {
    async during(upload) {
      uploads++;
      try {
        return await upload();
      } finally {
        uploads--;
        if (uploads === 0) {
          early.clear();
          for (const traveller of replaced) end(traveller, "cancelled", cancelled("superseded"));
          replaced = [];
        }
      }
    },
    follow({ document_id, job_id }, progress) {
      return new Promise((resolve, reject) => {
        if (lost) return reject(lost.error);
        const traveller: Traveller = {
          document_id,
          job_id,
          children: 0,
          progress,
          end: resolve,
          fail: reject,
        };
        join(traveller);
        for (const sibling of replaced.filter((other) => other.document_id === document_id)) {
          join({ ...sibling, job_id });
        }
        replaced = replaced.filter((other) => other.document_id !== document_id);
        progress({ stage: "waiting", done: 0, total: null });
        const missed = early.get(document_id) ?? early.get(job_id);
        if (missed) for (const each of [...(travellers.get(job_id) ?? [])]) apply(each, missed);
      });
    },
    close: () => closing.abort(),
  };
}

function subjectOf(event: SluiceEvent): string {
  return event.event_type === "rag.document.deleted" ? event.document_id : event.data.job_id;
}

const cancellations = {
  requested: "The ingestion was cancelled.",
  superseded: "A newer version of the document took its place.",
  deleted: "The document was deleted.",
};

function cancelled(reason: keyof typeof cancellations): ReportedError {
  return { code: "cancelled", message: cancellations[reason], retryable: false };
}

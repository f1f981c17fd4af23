/** What the events tell of every document: where it came from and how it ended. */
import type { SluiceEvent } from "../../src/events.ts";

export interface Journey {
  document_id: string;
  filename: string;
  parent_document_id: string | undefined;
  job_id: string;
  status: "pending" | "completed" | "failed" | "cancelled";
  /** Of the last attempt that failed. */
  error: { code: string; message: string } | undefined;
  attempts: number;
  pages: number | undefined;
  chunks: number | undefined;
  /** Files inside of which no document was made. */
  files_unreadable: number;
  files_known: number;
  /** From the first attempt's start to the end. */
  seconds: number | undefined;
  started_at: number | undefined;
  /** Bytes: the most that was seen while it was read. */
  peak_bytes: number | undefined;
  /** What came out of it. */
  children: Journey[];
}

export interface Journeys {
  get(document_id: string): Journey | undefined;
  see(event: SluiceEvent): void;
  /** Resolves when this job of a document has ended. */
  ended(document_id: string, job_id: string): Promise<Journey>;
  /** Resolves when no document is left that has not. */
  settled(): Promise<void>;
}

export interface Listener {
  /** A worker begins to read a document; */
  begins(journey: Journey, worker_id: string): void;
  /** it has, or has given up, or what was read has ended otherwise. */
  ends(journey: Journey): void;
}

/** Whether it and all that came out of it have ended. */
export function isOver(journey: Journey): boolean {
  return journey.status !== "pending" && journey.children.every(isOver);
}

export function followJourneys(reading: Listener): Journeys {
  const all = new Map<string, Journey>();
  const waiting = new Map<string, (journey: Journey) => void>();
  const endedJobs = new Set<string>();
  let open = 0;
  let onSettled: (() => void) | undefined;

  function begin(journey: Journey): void {
    open++;
    const old = all.get(journey.document_id);
    const siblings = all.get(old?.parent_document_id ?? "")?.children;
    if (siblings !== undefined && old !== undefined) siblings.splice(siblings.indexOf(old), 1);
    all.set(journey.document_id, journey);
    all.get(journey.parent_document_id ?? "")?.children.push(journey);
  }

  function end(journey: Journey, status: Journey["status"], timestamp: string): void {
    if (journey.status !== "pending") return;
    journey.status = status;
    if (journey.started_at !== undefined)
      journey.seconds = (Date.parse(timestamp) - journey.started_at) / 1_000;
    reading.ends(journey);
    endedJobs.add(journey.job_id);
    waiting.get(journey.job_id)?.(journey);
    waiting.delete(journey.job_id);
    open--;
    if (open === 0) onSettled?.();
  }

  function see(event: SluiceEvent): void {
    const { document_id, event_type, data, timestamp } = event;
    const journey = all.get(document_id);
    if (event_type === "rag.document.uploaded") {
      // The same bytes once more, by themselves: what it was as a part of something else has ended.
      if (journey?.status === "pending") end(journey, "cancelled", timestamp);
      begin({
        document_id,
        filename: data.filename,
        parent_document_id: data.parent_document_id,
        job_id: data.job_id,
        status: "pending",
        error: undefined,
        attempts: 0,
        pages: undefined,
        chunks: undefined,
        files_unreadable: 0,
        files_known: 0,
        seconds: undefined,
        started_at: undefined,
        peak_bytes: undefined,
        children: journey?.children ?? [],
      });
      return;
    }
    if (journey === undefined || !("job_id" in data) || data.job_id !== journey.job_id) return;
    switch (event_type) {
      case "rag.ingestion.started":
        journey.started_at ??= Date.parse(timestamp);
        journey.attempts = data.attempt;
        reading.begins(journey, data.worker_id);
        break;
      case "rag.ingestion.stage_completed": {
        if (data.stage !== "extracting") break;
        const { pages = 0, files_unreadable = 0, files_known = 0 } = data.counts;
        Object.assign(journey, { pages, files_unreadable, files_known });
        reading.ends(journey);
        break;
      }
      case "rag.ingestion.retry_scheduled":
        journey.error = data.error;
        reading.ends(journey);
        break;
      case "rag.ingestion.completed":
        journey.error = undefined;
        journey.chunks = data.chunks_created;
        end(journey, "completed", timestamp);
        break;
      case "rag.ingestion.failed":
        journey.error = data.error;
        end(journey, "failed", timestamp);
        break;
      case "rag.ingestion.cancelled":
        end(journey, "cancelled", timestamp);
        break;
    }
  }

  return {
    get: (document_id) => all.get(document_id),
    see,
    ended(document_id, job_id) {
      const journey = all.get(document_id);
      if (journey !== undefined && endedJobs.has(job_id)) return Promise.resolve(journey);
      return new Promise((resolve) => {
        const other = waiting.get(job_id);
        waiting.set(job_id, (ended) => {
          other?.(ended);
          resolve(ended);
        });
      });
    },
    settled: () => (open === 0 ? Promise.resolve() : new Promise((resolve) => (onSettled = resolve))),
  };
}

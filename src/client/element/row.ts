/** One file of the element: what is known of it, and how events change that. Pure. */
import type { About } from "../../about.ts";
import type { SluiceEvent, Stage } from "../../events.ts";
import type { Accepted } from "../documents.ts";

export const stages: readonly Stage[] = ["extracting", "chunking", "embedding", "indexing"];

/** What went wrong with a file, wherever it did. */
export interface Failure {
  code: string;
  message: string;
  retryable: boolean;
}

export type RowState =
  | { step: "waiting" }
  | { step: "sending"; sent: number; trouble: string | null }
  /** Accepted; `stage` is null until a worker has taken it, and between two tries. */
  | { step: "ingesting"; stage: Stage | null; done: number; total: number | null; trouble: string | null }
  | { step: "searchable"; chunks_created: number; about: About | null }
  | { step: "failed"; error: Failure }
  | { step: "cancelled" };

export interface Row {
  filename: string;
  size_bytes: number;
  state: RowState;
  accepted: Accepted | null;
  /** Of the last event that is in `state`. */
  sequence: number;
}

export function newRow(filename: string, size_bytes: number): Row {
  return { filename, size_bytes, state: { step: "waiting" }, accepted: null, sequence: 0 };
}

/** Whether something will still happen to it by itself. */
export function isActive({ state: { step } }: Row): boolean {
  return step === "waiting" || step === "sending" || step === "ingesting";
}

/** Begins to be followed, or is again after a retry. */
export const begun = { step: "ingesting", stage: null, done: 0, total: null, trouble: null } as const;

/** The row after one more event of its document; older ones change nothing. */
export function applyEvent(row: Row, event: SluiceEvent): Row {
  if (event.sequence <= row.sequence) return row;
  return { ...row, sequence: event.sequence, state: stateAfter(row.state, event) };
}

function stateAfter(state: RowState, event: SluiceEvent): RowState {
  switch (event.event_type) {
    case "rag.document.uploaded":
    case "rag.ingestion.requested":
      return begun;
    case "rag.ingestion.started":
      return { ...begun, stage: "extracting" };
    case "rag.ingestion.progressed": {
      const { stage, done, total } = event.data;
      return { ...begun, stage, done, total };
    }
    case "rag.ingestion.stage_completed": {
      const { stage } = event.data;
      const next = stages[stages.indexOf(stage) + 1];
      // The last stage stays full until the document is completed.
      return next ? { ...begun, stage: next } : { ...begun, stage, done: 1, total: 1 };
    }
    case "rag.ingestion.completed": {
      const { chunks_created, about = null } = event.data;
      return { step: "searchable", chunks_created, about };
    }
    case "rag.ingestion.retry_scheduled":
      return { ...begun, trouble: event.data.error.message };
    case "rag.ingestion.failed":
      return { step: "failed", error: event.data.error };
    case "rag.ingestion.cancelled":
      return { step: "cancelled" };
    case "rag.document.deleted":
      return {
        step: "failed",
        error: { code: "not_found", message: "The document was deleted.", retryable: false },
      };
    default:
      return state; // An event of a newer server.
  }
}

/** How full each chamber is, 0 to 1: the sending, then the four stages; `null` where that is not known. */
export function fillsOf({ state }: Row): (number | null)[] {
  switch (state.step) {
    case "sending":
      return [state.sent, 0, 0, 0, 0];
    case "ingesting": {
      const { stage, done, total } = state;
      const reached = stage === null ? 0 : stages.indexOf(stage);
      return [
        1,
        ...stages.map((_, index) => {
          if (index !== reached || stage === null) return index < reached ? 1 : 0;
          return total === null || total === 0 ? null : Math.min(1, done / total);
        }),
      ];
    }
    case "searchable":
      return [1, 1, 1, 1, 1];
    default:
      return [0, 0, 0, 0, 0];
  }
}

/** Small signs of what something is and where it stands. */
import type { DocumentStatus } from "../../../src/document.ts";
import type { Stage } from "../../../src/events.ts";
import { kindOf } from "../words.ts";

export const stageWords: Record<Stage, string> = {
  extracting: "Reading",
  chunking: "Cutting",
  embedding: "Embedding",
  indexing: "Indexing",
};

export const statusWords: Record<DocumentStatus, string> = {
  pending: "Queued",
  processing: "Working",
  completed: "Ready",
  failed: "Failed",
  cancelled: "Cancelled",
};

/** @param kind one of the statuses, or `neutral` */
export function Pill({ kind, text }: { kind: string; text: string }) {
  return <span class={`pill ${kind}`}>{text}</span>;
}

/** A short name of a kind of file. For the eye: the file's name says it too. */
export function Kind({ media_type, filename }: { media_type: string; filename: string }) {
  return (
    <span class="kind" aria-hidden="true">
      {kindOf(media_type, filename)}
    </span>
  );
}

export function ErrorNote({ children }: { children: preact.ComponentChildren }) {
  return (
    <p class="error" role="alert">
      {children}
    </p>
  );
}

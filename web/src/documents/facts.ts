/** What a row tells of its document, in words. Pure. */

import type { Row } from "../row.ts";
import { stageWords } from "../ui/status.tsx";
import { aboutWords, formatDuration, plural } from "../words.ts";

export function statusText({ document, retry_at }: Row): string {
  switch (document.status) {
    case "pending":
      return retry_at === null && document.error === null ? "Queued" : "Trying again";
    case "processing":
      return document.stage === null ? "Starting" : stageWords[document.stage];
    case "completed":
      return "Ready";
    case "failed":
      return "Failed";
    case "cancelled":
      return "Cancelled";
  }
}

/** The status, or that it is being tried again: what a pill is coloured by. */
export function statusKind(row: Row): string {
  return statusText(row) === "Trying again" ? "retrying" : row.document.status;
}

/** What was found in it: pages, passages, language. */
export function foundWords({ document }: Row): string[] {
  if (document.searchable_version === null) return [];
  const { about, media_type, chunks_created } = document;
  const [, ...rest] = [
    "",
    ...aboutWords({ ...about, title: null, author: null, authored_at: null }, media_type),
  ];
  return [...rest.reverse(), plural(chunks_created, "passage")];
}

/** How far the running stage is, in what it counts. */
export function progressWords({ document, retry_at }: Row): string {
  const { status, progress, stage } = document;
  if (status === "processing" && progress.total !== null && progress.total > 1) {
    const unit = stage === "extracting" ? "" : " passages";
    return `${progress.done.toLocaleString("en")} of ${progress.total.toLocaleString("en")}${unit}`;
  }
  if (status === "pending" && retry_at !== null) {
    return `next attempt at ${new Date(retry_at).toLocaleTimeString("en-GB")}`;
  }
  return "";
}

export function tookWords({ processing_time_ms }: Row): string {
  return processing_time_ms === null ? "" : `ready in ${formatDuration(processing_time_ms)}`;
}

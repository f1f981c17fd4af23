/** What the element says. */
import type { Stage } from "../../events.ts";
import type { Failure, Row } from "./row.ts";

const stageWords: Record<Stage, string> = {
  extracting: "Reading",
  chunking: "Cutting into passages",
  embedding: "Embedding",
  indexing: "Indexing",
};

export function statusOf({ state, accepted }: Row): string {
  switch (state.step) {
    case "waiting":
      return "Waiting";
    case "sending":
      return state.trouble === null ? `Sending, ${Math.floor(state.sent * 100)} %` : "Trying again";
    case "ingesting":
      if (state.trouble !== null) return "Trying again";
      if (state.stage === null) return "Queued";
      return state.total
        ? `${stageWords[state.stage]}, ${state.done} of ${state.total}`
        : stageWords[state.stage];
    case "searchable":
      return accepted?.duplicate ? "Was there already" : "Ready to search";
    case "failed":
      return "Failed";
    case "cancelled":
      return "Cancelled";
  }
}

/** More words on the status, or nothing. */
export function detailOf({ state }: Row): string {
  switch (state.step) {
    case "sending":
    case "ingesting":
      return state.trouble ?? "";
    case "searchable": {
      const { about, chunks_created } = state;
      const by = [about?.title, about?.author].filter(Boolean).join(" — ");
      const pages = about?.page_count ? plural(about.page_count, "page") : "";
      return [plural(chunks_created, "passage"), by, pages].filter(Boolean).join(" · ");
    }
    case "failed":
      return [state.error.message, adviceOf(state.error)].filter(Boolean).join(" ");
    default:
      return "";
  }
}

/** What the person in front of the page can do; the server's own words name what happened. */
function adviceOf({ code, retryable }: Failure): string {
  const known: Record<string, string> = {
    unreachable: "Check the connection, then try again.",
    unauthorized: "Ask whoever runs this page: its key is not accepted.",
    forbidden: "Ask whoever runs this page: its key may not do this.",
    payload_too_large: "Split the file or make it smaller.",
    unsupported_media_type: "Save it as PDF, DOCX, HTML or plain text and choose that copy.",
    not_accepted: "Choose a file of another kind.",
    encrypted_document: "Remove its password and choose it again.",
    empty_document: "Choose a file with text in it.",
    malformed_document: "Open it with the program that made it, save it again and choose that copy.",
    limit_exceeded: "Split the file.",
    source_unreadable: "Choose it again.",
  };
  return known[code] ?? (retryable ? "Try again later." : "");
}

export function plural(count: number, word: string): string {
  return `${count.toLocaleString("en")} ${word}${count === 1 ? "" : "s"}`;
}

export function formatBytes(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1_000;
    unit++;
  }
  return `${unit === 0 || value >= 9.95 ? Math.round(value) : value.toFixed(1)}\u00a0${units[unit]}`;
}

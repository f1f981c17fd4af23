/** What the log says of each version's bytes. The log outlives the document. */
import type { SluiceEvent } from "../../src/events.ts";

/**
 * @param log of one document
 * @returns version → SHA-256
 */
export function contentsOf(log: readonly SluiceEvent[]): Map<number, string> {
  const contents = new Map<number, string>();
  let latest = "";
  for (const event of log) {
    if (event.event_type === "rag.document.uploaded") latest = event.data.sha256;
    else if (event.event_type !== "rag.ingestion.requested") continue;
    contents.set(event.data.version, latest);
  }
  return contents;
}

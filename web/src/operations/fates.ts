/** What became of dead letters that were told to run again. Pure. */
import type { SluiceEvent } from "../../../src/events.ts";

export type Fate = "under_way" | "searchable" | "died_again" | "cancelled";

/** By job id. */
export type Fates = ReadonlyMap<string, Fate>;

/** What events make of what is known; the same map when nothing changed. */
export function followFates(known: Fates, events: readonly SluiceEvent[]): Fates {
  const next = new Map(known);
  let changed = false;
  const set = (job_id: string, fate: Fate) => {
    changed ||= next.get(job_id) !== fate;
    next.set(job_id, fate);
  };
  for (const event of events) {
    if (event.event_type === "rag.ingestion.requested" && event.data.reason === "retry") {
      set(event.data.job_id, "under_way");
    } else if (event.event_type === "rag.ingestion.completed" && next.has(event.data.job_id)) {
      set(event.data.job_id, "searchable");
    } else if (event.event_type === "rag.ingestion.failed" && next.has(event.data.job_id)) {
      set(event.data.job_id, "died_again");
    } else if (event.event_type === "rag.ingestion.cancelled" && next.has(event.data.job_id)) {
      set(event.data.job_id, "cancelled");
    }
  }
  return changed ? next : known;
}

/** How many of each, in words; "" of none. */
export function fateWords(known: Fates): string {
  const count = (wanted: Fate) => [...known.values()].filter((fate) => fate === wanted).length;
  const parts = [
    [count("under_way"), "under way"],
    [count("searchable"), "searchable now"],
    [count("died_again"), "died again"],
    [count("cancelled"), "cancelled"],
  ] as const;
  const told = parts.filter(([number]) => number > 0).map(([number, words]) => `${number} ${words}`);
  return told.length === 0 ? "" : `Redriven: ${told.join(", ")}.`;
}

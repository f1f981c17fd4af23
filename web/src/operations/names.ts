/** Names of the documents that jobs are about: a job knows its document by its id only. */
import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { Job } from "../../../src/client/index.ts";
import { ApiError, generation, sluice } from "../session.ts";

/** Null: there is no such document (any more). */
const names = signal<ReadonlyMap<string, string | null>>(new Map());
const asked = new Set<string>();
let of = -1;
/** A page of a list is asked for at once; more than this many requests at a time help nobody. */
const AT_ONCE = 6;
const waiting: string[] = [];
let running = 0;

export function documentIdOf(job: Pick<Job, "payload">): string | null {
  const { document_id } = job.payload;
  return typeof document_id === "string" ? document_id : null;
}

/** @returns undefined while it is not known; null where there is no such document */
export function nameOf(document_id: string | null): string | null | undefined {
  return document_id === null ? null : names.value.get(document_id);
}

/** Asks for the names that are not known yet. */
export function useNames(document_ids: readonly (string | null)[]): void {
  useEffect(() => {
    if (of !== generation.peek()) {
      of = generation.peek();
      names.value = new Map();
      asked.clear();
      waiting.length = 0;
    }
    for (const document_id of document_ids) {
      if (document_id === null || asked.has(document_id)) continue;
      asked.add(document_id);
      waiting.push(document_id);
    }
    while (running < AT_ONCE && waiting.length > 0) void work();
  }, [document_ids.join()]);
}

async function work(): Promise<void> {
  running++;
  const begun = of;
  for (let document_id = waiting.shift(); document_id !== undefined; document_id = waiting.shift()) {
    let name: string | null = null;
    try {
      name = (await sluice().getDocument(document_id)).filename;
    } catch (error) {
      if (begun !== of) break;
      // Not told for good: another look at the list asks again.
      if (!(error instanceof ApiError) || error.status !== 404) {
        asked.delete(document_id);
        continue;
      }
    }
    if (begun !== of) break;
    names.value = new Map(names.peek()).set(document_id, name);
  }
  running--;
}

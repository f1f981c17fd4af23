/** One reading of the log for all that counts in a process. */
import { setImmediate } from "node:timers/promises";
import type { SluiceEvent } from "../events.ts";
import type { DocumentStore } from "../ports/document-store.ts";
import type { Log } from "../ports/log.ts";
import type { System } from "../ports/system.ts";
import type { Follower } from "./follow.ts";

/** Events read from before the start. */
const HISTORY = 20_000;
/** Pause after the log could not be read. */
const AGAIN_MS = 1_000;

export interface WatchParts {
  documents: Pick<DocumentStore, "lastSequence">;
  follower: Follower;
  system: System;
  log: Log;
}

/**
 * Every event to `observe`, each once, from some before the start on, until the signal fires. Goes on where it was when
 * the storage was away meanwhile.
 *
 * @param observe `is_new`: it came after the start
 */
export async function watchLog(
  { documents, follower, system, log }: WatchParts,
  signal: AbortSignal,
  observe: (event: SluiceEvent, is_new: boolean) => void,
): Promise<void> {
  let start: number | undefined;
  let position = 0;
  while (!signal.aborted) {
    try {
      if (start === undefined) {
        start = await documents.lastSequence();
        position = Math.max(0, start - HISTORY);
      }
      for await (const batch of follower.follow({}, position, signal)) {
        for (const event of batch) {
          observe(event, event.sequence > start);
          position = event.sequence;
        }
        // History comes without pauses: requests go in between.
        if (position < start) await setImmediate();
      }
      return;
    } catch (err) {
      if (signal.aborted) return;
      log.warn({ err }, "the log can't be read for metrics and activity; trying again");
      await system.sleep(AGAIN_MS, signal);
    }
  }
}

/**
 * One writer for each resumable upload, over all processes: a lead (`DocumentStore.lead`) that is renewed while it is
 * held, and lapses when its process dies.
 *
 * Who comes later is in the right: a client that connects again can't know that its old connection is still thought to
 * be alive here, or at another node. So the newcomer asks the holder to leave: in the same process directly, elsewhere by
 * leading a second task beside, which the holder finds taken when it renews.
 */
import { SluiceError } from "../errors.ts";
import type { DocumentStore } from "../ports/document-store.ts";
import type { System } from "../ports/system.ts";

/** After a crash, the upload waits for as long. */
const LEAD_MS = 6_000;
const RENEW_MS = 1_500;
const ASK_AGAIN_MS = 100;
/** Longest wait for a holder that has been asked to leave: more than a lead of one that died takes to lapse. */
const WAIT_MS = 15_000;

export type Release = () => Promise<void>;

export interface UploadLocks {
  /**
   * Waits for the upload, asking whoever has it to leave.
   * @param leave called when this holder is to stop writing and give it back, more than once perhaps
   * @throws SluiceError upload_in_use; the signal's reason
   */
  take(name: string, leave: () => void, signal?: AbortSignal): Promise<Release>;
  /** Takes it if nobody has it, and disturbs nobody. */
  tryTake(name: string): Promise<Release | undefined>;
  /** Asks every holder of this process to leave. */
  leaveAll(): void;
}

interface Held {
  leave(): void;
  ended: Promise<void>;
}

export function createUploadLocks({
  system,
  documents,
}: {
  system: System;
  documents: Pick<DocumentStore, "lead">;
}): UploadLocks {
  const held = new Map<string, Held>();

  /** @returns whether it has looked for others waiting */
  async function renew(name: string, holder: string, leave: () => void, done: AbortSignal): Promise<boolean> {
    let looked = false;
    let until = system.monotonic() + LEAD_MS;
    for (;;) {
      await system.sleep(RENEW_MS, done);
      if (done.aborted) return looked;
      const now = system.monotonic();
      looked = true;
      try {
        if (!(await documents.lead(taskOf(name), holder, LEAD_MS))) leave();
        else if (!(await documents.lead(waitingFor(name), holder, 1))) leave();
        until = now + LEAD_MS;
      } catch {
        // The store is away: it is ours until the lead has lapsed, and what was written meanwhile stays good.
        if (system.monotonic() >= until) leave();
      }
    }
  }

  /** @param wait_ms for a holder in another process */
  async function acquire(
    name: string,
    leave: () => void,
    wait_ms: number,
    signal?: AbortSignal,
  ): Promise<Release | undefined> {
    const holder = system.newId("lease");
    const ending = Promise.withResolvers<void>();
    held.set(name, { leave, ended: ending.promise });
    const free = () => {
      held.delete(name);
      ending.resolve();
    };
    const give = async (task: string) => {
      // Not given back it lapses by itself.
      await documents.lead(task, holder, 0).catch(() => false);
    };
    let asked = false;
    try {
      const deadline = system.monotonic() + wait_ms;
      while (!(await documents.lead(taskOf(name), holder, LEAD_MS))) {
        signal?.throwIfAborted();
        if (system.monotonic() >= deadline) {
          if (asked) await give(waitingFor(name));
          free();
          return undefined;
        }
        asked = true;
        await documents.lead(waitingFor(name), holder, LEAD_MS);
        await system.sleep(ASK_AGAIN_MS, signal);
      }
    } catch (error) {
      await give(taskOf(name));
      if (asked) await give(waitingFor(name));
      free();
      throw error;
    }
    if (asked) await give(waitingFor(name));
    const done = new AbortController();
    const renewing = renew(name, holder, leave, done.signal);
    return async () => {
      done.abort();
      if (await renewing) await give(waitingFor(name));
      await give(taskOf(name));
      free();
    };
  }

  return {
    async take(name, leave, signal) {
      for (let before = held.get(name); before; before = held.get(name)) {
        before.leave();
        await before.ended;
        signal?.throwIfAborted();
      }
      const release = await acquire(name, leave, WAIT_MS, signal);
      if (release) return release;
      throw new SluiceError(
        "upload_in_use",
        "Another request writes to this upload, and did not end in time.",
        {
          retry_after_ms: 2_000,
        },
      );
    },

    async tryTake(name) {
      return held.has(name) ? undefined : acquire(name, () => {}, 0);
    },

    leaveAll() {
      for (const { leave } of held.values()) leave();
    },
  };
}

function taskOf(name: string): string {
  return `upload:${name}`;
}

function waitingFor(name: string): string {
  return `upload:${name}:next`;
}

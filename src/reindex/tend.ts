/**
 * Keeps a reindex going: gives every document that lacks vectors of the target its job, a few hundred at a time, makes
 * the target serve when none lacks any, and removes what is retired. One process does so at a time; when it dies, another
 * goes on from what is stored.
 */
import { reembedJob } from "../job.ts";
import type { Commit, DocumentStore } from "../ports/document-store.ts";
import type { RegisteredEmbedders } from "../ports/embedder-register.ts";
import type { Log } from "../ports/log.ts";
import type { System } from "../ports/system.ts";

export interface TenderParts {
  documents: Pick<DocumentStore, "commit" | "embedders" | "lead">;
  system: System;
  log: Log;
  max_attempts: number;
}

const IDLE_MS = 2_000;
const BUSY_MS = 200;
const LEAD_MS = 15_000;
/** Jobs that wait at most: uploads are counted, and refused, by how many jobs wait. */
const WINDOW = 500;
/** Rows removed in one transaction, and pauses in between: nobody waits for the write lock. */
const REMOVED_AT_ONCE = 200;
const REMOVE_PAUSE_MS = 10;

/** @param holder names this process */
export function createTender(parts: TenderParts, holder: string) {
  const { documents, system, log, max_attempts } = parts;
  const { embedders } = documents;
  const stopping = new AbortController();
  /** Documents below it lack nothing, or have their jobs: looked through once, not again and again. */
  let low = "";

  async function list(target: string, { listed_to }: RegisteredEmbedders): Promise<boolean> {
    if (listed_to === null) low = "";
    const lacking = await embedders.lacking(target, low, WINDOW);
    low = lacking[0]?.document_id ?? low;
    const unlisted = lacking.filter(({ document_id }) => listed_to === null || document_id > listed_to);
    const last = unlisted.at(-1);
    if (!last) return lacking.length > 0;
    const commits = [...Map.groupBy(unlisted, ({ tenant_id }) => tenant_id)].map(
      ([tenant_id, own]): Commit => ({
        tenant_id,
        enqueue: own.map((each) => reembedJob(system.newId("job"), each, target, max_attempts)),
      }),
    );
    // Dying in between gives some documents two jobs; the later one finds nothing to do.
    await documents.commit(commits);
    await embedders.listed(target, last.document_id);
    return true;
  }

  async function tend(registered: RegisteredEmbedders): Promise<void> {
    const { target, retired, serving } = registered;
    if (target !== null && !(await list(target, registered))) {
      // Those below `low` as well: one may have been published anew. Then the next look begins with it.
      const [lacking] = await embedders.lacking(target, "", 1);
      if (lacking) low = lacking.document_id;
      else if (await embedders.finish(target)) {
        log.info(
          { embedder_id: target, retired: serving },
          "reindex complete: searches go by its vectors now",
        );
      }
    }
    for (let round = 0; retired.length > 0 && round < 100 && !stopping.signal.aborted; round++) {
      if (!(await embedders.removeRetired(REMOVED_AT_ONCE))) break;
      await system.sleep(REMOVE_PAUSE_MS, stopping.signal);
    }
  }

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      let pause = IDLE_MS;
      try {
        const registered = await embedders.read();
        const busy = registered.target !== null || registered.retired.length > 0;
        if (busy && (await documents.lead("reindex", holder, LEAD_MS))) {
          await tend(registered);
          pause = BUSY_MS;
        }
      } catch (error) {
        log.warn({ err: error }, "tending the reindex failed; trying again");
      }
      await system.sleep(pause, stopping.signal);
    }
    await documents.lead("reindex", holder, 0).catch(() => false);
  }

  let running: Promise<void> | undefined;
  return {
    start(): void {
      running ??= run();
    },
    async stop(): Promise<void> {
      stopping.abort();
      await running;
    },
  };
}

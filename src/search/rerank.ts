/** The last step of a search: a reranker puts the best hits in order, when it can and in time. */
import { passageOf } from "../chunk.ts";
import type { Log } from "../ports/log.ts";
import type { Reranker } from "../ports/reranker.ts";

/** What a reranker reads of a hit. */
interface Passage {
  text: string;
  header: string | null;
  heading_path: string[];
  score: number;
}

/**
 * @returns a function that answers the hits in the reranker's order, with its scores; undefined where it failed or took
 *   longer than `timeout_ms`, which is logged: a search without it is worse, a search without an answer is useless
 */
export function createReordering(reranker: Reranker, timeout_ms: number, log?: Pick<Log, "warn">) {
  return async function reorder<Hit extends Passage>(
    tenant_id: string,
    query: string,
    hits: Hit[],
    signal?: AbortSignal,
  ): Promise<Hit[] | undefined> {
    if (hits.length === 0) return undefined;
    const limit = AbortSignal.timeout(timeout_ms);
    const either = signal ? AbortSignal.any([signal, limit]) : limit;
    try {
      const passages = hits.map((hit) => [hit.heading_path.join(" › "), passageOf(hit)].join("\n").trim());
      const scores = await unlessAborted(reranker.rerank(query, passages, either), either);
      if (scores.length !== hits.length || !scores.every(Number.isFinite)) {
        throw new Error(`${scores.length} scores for ${hits.length} passages, or one that is no number`);
      }
      return hits
        .map((hit, place) => ({ ...hit, score: scores[place] as number }))
        .sort((a, b) => b.score - a.score);
    } catch (error) {
      signal?.throwIfAborted();
      const reason = limit.aborted ? `no answer within ${timeout_ms} ms` : String(error);
      const { reranker_id } = reranker;
      log?.warn({ tenant_id, reranker_id, reason }, "The hits of a search are not reranked.");
      return undefined;
    }
  };
}

/** What the promise gives, or the signal's reason as soon as it fires, whether the promise minds the signal or not. */
function unlessAborted<T>(waited: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = () => reject(signal.reason);
    if (signal.aborted) stop();
    signal.addEventListener("abort", stop, { once: true });
    waited.then(resolve, reject).finally(() => signal.removeEventListener("abort", stop));
  });
}

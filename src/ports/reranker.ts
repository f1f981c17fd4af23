/**
 * Reads query and passage together and says how well the one answers the other: slower than comparing vectors, and
 * better. It is given the few passages that a search has found already, to put them in order.
 */
export interface Reranker {
  /** Names the model, for logs and checks. */
  readonly reranker_id: string;
  /**
   * One finite score for each passage, in the order of the passages; higher is better. Scores of different queries
   * need not compare. MUST take passages of any length, cutting them where its model ends, and any number of them.
   * A passage's score MUST NOT depend on the passages beside it. MUST stop when the signal fires, with the signal's
   * reason: the search that waits for it has a limit, and answers in its own order when that is over.
   * @throws SluiceError reranker_unavailable or reranker_rejected; the search then answers in its own order
   */
  rerank(query: string, passages: string[], signal?: AbortSignal): Promise<number[]>;
  /** Proves that it works now. @throws SluiceError as `rerank` does. */
  check(): Promise<void>;
  close(): Promise<void>;
}

/** Turns text into vectors. */
export interface Embedder {
  /** Names model and version; vectors of different ids are never compared. */
  readonly embedder_id: string;
  readonly dimensions: number;
  /** The most texts that one call should carry. */
  readonly batch_size: number;
  /**
   * One vector for each text, in order, each of `dimensions` and of length 1 (or all zero for text with nothing
   * in it). MUST stop when the signal fires, with the signal's reason.
   * @throws SluiceError embedder_unavailable, embedder_rate_limited (with retry_after_ms), embedder_rejected or, of a
   *   model in this process, model_missing
   */
  embed(texts: string[], kind: "passage" | "query", signal?: AbortSignal): Promise<Float32Array[]>;
  /**
   * How many tokens of the model a text has, for whoever cuts texts to a length that suits it. MUST be cheap (megabytes a
   * second) and give the same text the same count in every process. Left out where the model's tokenizer is out of reach.
   */
  count_tokens?(text: string): number;
  /** Proves that it works now. @throws SluiceError as `embed` does. */
  check(): Promise<void>;
  /** Lets go of threads and models; nothing is embedded afterwards. Left out where there is nothing to let go of. */
  close?(): Promise<void>;
}

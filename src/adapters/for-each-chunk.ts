/** Reads the source of an upload. */

/**
 * Calls `take` with each chunk, and waits for what it returns. Rejects with the signal's reason as soon as it fires,
 * also while the source gives nothing, and with the source's own error unchanged.
 */
export async function forEachChunk(
  source: AsyncIterable<Uint8Array>,
  signal: AbortSignal | undefined,
  take: (chunk: Uint8Array) => Promise<void> | undefined,
): Promise<void> {
  const chunks = source[Symbol.asyncIterator]();
  // A promise of its own for each step: racing them all against one would keep every chunk in memory.
  let fail: (reason: unknown) => void = () => {};
  const stop = () => fail(signal?.reason);
  signal?.addEventListener("abort", stop, { once: true });
  try {
    for (;;) {
      signal?.throwIfAborted();
      const next = await new Promise<IteratorResult<Uint8Array>>((resolve, reject) => {
        fail = reject;
        chunks.next().then(resolve, reject);
      });
      if (next.done) return;
      const taken = take(next.value);
      if (taken) await taken;
    }
  } catch (error) {
    // Not awaited: a source that waits for something that never comes would never answer. What it says when it is
    // let go of concerns nobody any more.
    chunks.return?.()?.catch(() => {});
    throw error;
  } finally {
    signal?.removeEventListener("abort", stop);
  }
}

/** An Embedder that counts, waits and fails as a test wants it to. */
import type { Embedder } from "../../src/ports/embedder.ts";

export interface TestEmbedder extends Embedder {
  /** Every text that it was given as a passage, in order, over all calls. */
  readonly texts: string[];
  /** Called before each batch of passages, with the number of texts answered before; may wait or throw. */
  before: (answered: number, signal: AbortSignal | undefined) => Promise<void> | void;
}

const DIMENSIONS = 16;

/** The same text gets the same vector, another text mostly another. */
export function createTestEmbedder(embedder_id = "test@1", batch_size = 4): TestEmbedder {
  const texts: string[] = [];
  let answered = 0;
  const embedder: TestEmbedder = {
    embedder_id,
    dimensions: DIMENSIONS,
    batch_size,
    texts,
    before: () => {},
    async embed(given, kind, signal) {
      signal?.throwIfAborted();
      if (kind === "passage") {
        texts.push(...given);
        await unlessAborted(embedder.before(answered, signal), signal);
        answered += given.length;
      }
      return given.map(vectorOf);
    },
    check: async () => {},
  };
  return embedder;
}

/** What the promise gives, or the signal's reason as soon as it fires: a wait that cancels as the ports ask. */
export function unlessAborted<T>(waited: Promise<T> | T, signal: AbortSignal | undefined): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    if (signal?.aborted) reject(signal.reason);
    signal?.addEventListener("abort", () => reject(signal.reason), { once: true });
    Promise.resolve(waited).then(resolve, reject);
  });
}

function vectorOf(text: string): Float32Array {
  const vector = new Float32Array(DIMENSIONS);
  for (let place = 0; place < text.length; place++) vector[text.charCodeAt(place) % DIMENSIONS]! += 1;
  const length = Math.hypot(...vector) || 1;
  return vector.map((value) => value / length);
}

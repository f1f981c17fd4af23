import { setImmediate as nextTurn } from "node:timers/promises";
import type { Embedder } from "../../ports/embedder.ts";
import { classify, fold, GAP, LETTER, LONE, stem, stopWords } from "./words.ts";

export interface HashingEmbedderOptions {
  /** Length of the vectors, 8 to 8,192. Default 384. Fewer means more words that share a place. */
  dimensions?: number;
}

// A word counts fully; what surrounds it or is part of it only helps where the word itself differs.
const WORD_WEIGHT = 1;
const STOP_WORD_WEIGHT = 0.1;
const BIGRAM_WEIGHT = 0.3;
const NGRAM_WEIGHT = 0.12;

// The kinds of features begin their hashes apart, so that a word and an n-gram of the same letters differ.
const WORD_SEED = 0x811c9dc5;
const BIGRAM_SEED = 0x2f0b4a27;
const NGRAM_SEED = 0x5bd1e995;

/** Longer runs of letters (encoded data, mostly) are taken as several words. */
const LONGEST_WORD = 64;
const OPENING = 60;
const CLOSING = 62;
/** Milliseconds of work after which other work of the process gets its turn. */
const TURN_MS = 10;

/**
 * An embedder without a model: signed feature hashing (Weinberger et al., "Feature Hashing for Large Scale
 * Multitask Learning", 2009). Every word (folded, stemmed), pair of neighbouring words and run of 3 to 5 letters
 * inside a word is hashed to one of `dimensions` places with a sign; a feature that occurs n times weighs 1 + ln n.
 *
 * What it is: a fast, stable measure of how many words, spellings and word forms two texts share.
 * What it is not: a language model. It knows no meaning: "car" and "automobile" are strangers to it, and in a long
 * text a single shared word is hardly above the noise of colliding hashes. Together with the keyword half
 * of a hybrid search it is useful, alone it is weak.
 *
 * The same text gives the same vector on every machine. Passages and queries are treated alike.
 *
 * @throws RangeError for dimensions out of range
 */
export function createHashingEmbedder({ dimensions = 384 }: HashingEmbedderOptions = {}): Embedder {
  if (!Number.isInteger(dimensions) || dimensions < 8 || dimensions > 8192) {
    throw new RangeError(`dimensions must be a whole number from 8 to 8192, not ${dimensions}`);
  }
  const toVector = createHasher(dimensions);

  async function embed(
    texts: string[],
    _kind: "passage" | "query",
    signal?: AbortSignal,
  ): Promise<Float32Array[]> {
    signal?.throwIfAborted();
    const vectors: Float32Array[] = [];
    let turnBegan = performance.now();
    for (const text of texts) {
      if (performance.now() - turnBegan > TURN_MS) {
        await nextTurn();
        signal?.throwIfAborted();
        turnBegan = performance.now();
      }
      vectors.push(toVector(text));
    }
    return vectors;
  }

  return {
    embedder_id: `feature-hashing-v1-${dimensions}`,
    dimensions,
    batch_size: 64,
    embed,
    async check() {
      await embed(["check"], "query");
    },
  };
}

/** Makes the function from text to vector, which keeps its working memory from call to call. */
function createHasher(dimensions: number): (text: string) => Float32Array {
  const features = createCounter();
  const stopHashes = new Set<number>();
  /** The word being read, between the marks of its ends, as in "<word>". */
  const word = new Uint16Array(LONGEST_WORD + 2);
  word[0] = OPENING;
  for (const stopWord of stopWords) {
    for (let i = 0; i < stopWord.length; i++) word[i + 1] = stopWord.charCodeAt(i);
    stopHashes.add(hashWord(word, stopWord.length));
  }
  /** Character classes seen so far, by UTF-16 code unit; 0 is not yet looked up. */
  const classes = new Uint8Array(0x1_0000);
  let previous = 0;
  let hasPrevious = false;

  function endWord(length: number): void {
    const written = hashWord(word, length);
    if (stopHashes.has(written)) {
      features.add(written, STOP_WORD_WEIGHT);
      return;
    }
    if (length >= 3) {
      word[length + 1] = CLOSING;
      const end = length + 2;
      for (let from = 0; from <= end - 3; from++) {
        let hash = NGRAM_SEED;
        for (let size = 1; size <= 5 && from + size <= end; size++) {
          hash = Math.imul(hash ^ (word[from + size - 1] as number), 0x01000193);
          if (size >= 3) features.add(finish(hash), NGRAM_WEIGHT);
        }
      }
    }
    const stemmed = hashWord(word, stem(word, 1, length));
    features.add(stemmed, WORD_WEIGHT);
    if (hasPrevious) {
      const pair = Math.imul(Math.imul(BIGRAM_SEED ^ previous, 0x01000193) ^ stemmed, 0x01000193);
      features.add(finish(pair), BIGRAM_WEIGHT);
    }
    previous = stemmed;
    hasPrevious = true;
  }

  return (text) => {
    const folded = fold(text);
    hasPrevious = false;
    let length = 0;
    for (let i = 0; i < folded.length; i++) {
      const unit = folded.charCodeAt(i);
      let kind = classes[unit] as number;
      let units = 1;
      if (unit >= 0xd800 && unit < 0xdc00) {
        // Half of a character beyond the first plane: its class depends on both halves.
        const codePoint = folded.codePointAt(i) as number;
        units = codePoint > 0xffff ? 2 : 1;
        kind = classify(codePoint);
      } else if (kind === 0) {
        kind = classify(unit);
        classes[unit] = kind;
      }
      if (length > 0 && (kind !== LETTER || length + units > LONGEST_WORD)) {
        endWord(length);
        length = 0;
      }
      if (kind !== GAP) {
        for (let half = 0; half < units; half++) word[++length] = folded.charCodeAt(i + half);
        if (kind === LONE) {
          endWord(length);
          length = 0;
        }
      }
      i += units - 1;
    }
    if (length > 0) endWord(length);
    return features.drain(dimensions);
  };
}

/** FNV-1a over UTF-16 code units instead of bytes. */
function hashWord(word: Uint16Array, length: number): number {
  let hash = WORD_SEED;
  for (let i = 1; i <= length; i++) hash = Math.imul(hash ^ (word[i] as number), 0x01000193);
  return finish(hash);
}

/** The finalizer of MurmurHash3 (32 bit): FNV alone leaves the upper bits, which choose the place, too regular. */
function finish(hash: number): number {
  let h = hash ^ (hash >>> 16);
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  return h ^ (h >>> 16);
}

/** Counts features by their hash, in an open-addressing table that is reused from text to text. */
function createCounter() {
  let size = 8192;
  let hashes = new Int32Array(size);
  let counts = new Uint32Array(size);
  let weights = new Float64Array(size);
  /** Slots in use, in the order of first use: sums in this order, so that results repeat to the last bit. */
  let used = new Uint32Array(size / 2);
  let usedCount = 0;

  function slotOf(hash: number): number {
    let slot = hash & (size - 1);
    while (counts[slot] !== 0 && hashes[slot] !== hash) slot = (slot + 1) & (size - 1);
    return slot;
  }

  function add(hash: number, weight: number): void {
    if (usedCount === used.length) grow();
    const slot = slotOf(hash);
    if (counts[slot] === 0) {
      hashes[slot] = hash;
      weights[slot] = weight;
      used[usedCount++] = slot;
    }
    (counts[slot] as number)++;
  }

  function grow(): void {
    const old = { hashes, counts, weights, used };
    size *= 2;
    hashes = new Int32Array(size);
    counts = new Uint32Array(size);
    weights = new Float64Array(size);
    used = new Uint32Array(size / 2);
    for (let i = 0; i < usedCount; i++) {
      const from = old.used[i] as number;
      const to = slotOf(old.hashes[from] as number);
      hashes[to] = old.hashes[from] as number;
      counts[to] = old.counts[from] as number;
      weights[to] = old.weights[from] as number;
      used[i] = to;
    }
  }

  /** The vector of length 1 of what was counted (all zero when nothing was); empties the table. */
  function drain(dimensions: number): Float32Array {
    const sums = new Float64Array(dimensions);
    for (let i = 0; i < usedCount; i++) {
      const slot = used[i] as number;
      const hash = hashes[slot] as number;
      const count = counts[slot] as number;
      const weight = (weights[slot] as number) * (count === 1 ? 1 : 1 + Math.log(count));
      // The place comes from the upper bits, the sign from the lowest.
      const place = Math.floor(((hash >>> 0) * dimensions) / 0x1_0000_0000);
      sums[place] = (sums[place] as number) + ((hash & 1) === 0 ? weight : -weight);
      counts[slot] = 0;
    }
    usedCount = 0;
    let square = 0;
    for (const value of sums) square += value * value;
    const vector = new Float32Array(dimensions);
    if (square === 0) return vector;
    const scale = 1 / Math.sqrt(square);
    for (let i = 0; i < dimensions; i++) vector[i] = (sums[i] as number) * scale;
    return vector;
  }

  return { add, drain };
}

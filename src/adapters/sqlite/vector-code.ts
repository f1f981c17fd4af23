/**
 * How vectors are kept for searching: each as half-precision floats, which decide, and as a code of one bit a
 * dimension, which tells in a 32nd of the bytes what is worth looking at. Pure; docs/decisions/0008 has the measurements.
 *
 * Codes and vectors lie in databases: to make them another way takes a migration.
 */

/** Thrice, so that with two overlapping parts every place reaches every other. */
const ROUNDS = 3;

export interface Query {
  /** Of length 1. */
  vector: Float32Array;
  code: Int32Array;
  /** For each byte of a code and each value of it, what it adds to the estimated similarity. */
  estimates: Float32Array;
}

/** 32-bit words of a code. */
export function codeWords(dimensions: number): number {
  return Math.ceil(dimensions / 32);
}

export function isZero(vector: Float32Array): boolean {
  return !vector.some((value) => value !== 0);
}

// Loops, not functions for each value: these run for every chunk that is indexed.

function normalised(vector: Float32Array): Float32Array {
  // Scaled first: the squares of very long or very short vectors leave the range of numbers.
  let largest = 0;
  for (let place = 0; place < vector.length; place++) {
    largest = Math.max(largest, Math.abs(vector[place] as number));
  }
  let squares = 0;
  for (let place = 0; place < vector.length; place++) squares += ((vector[place] as number) / largest) ** 2;
  const length = Math.sqrt(squares);
  const unit = new Float32Array(vector.length);
  for (let place = 0; place < vector.length; place++) {
    unit[place] = (vector[place] as number) / largest / length;
  }
  return unit;
}

/** The vector as it is stored: of length 1, in little-endian half-precision floats. */
export function toHalves(vector: Float32Array): Uint8Array {
  const unit = normalised(vector);
  const halves = new Float16Array(unit.length);
  for (let place = 0; place < unit.length; place++) halves[place] = unit[place] as number;
  return new Uint8Array(halves.buffer);
}

/** The cosine of a stored vector with one of length 1. */
export function similarity(halves: Uint8Array, unit: Float32Array): number {
  const stored =
    halves.byteOffset % 2 === 0
      ? new Float16Array(halves.buffer, halves.byteOffset, unit.length)
      : new Float16Array(halves.slice().buffer);
  let sum = 0;
  for (let place = 0; place < unit.length; place++)
    sum += (stored[place] as number) * (unit[place] as number);
  return sum;
}

/** The signs of the rotated vector, one bit each, lowest first. */
export function toCode(vector: Float32Array): Uint8Array {
  return signs(rotated(vector));
}

function signs(vector: Float32Array): Uint8Array {
  const code = new Uint8Array(codeWords(vector.length) * 4);
  for (let place = 0; place < vector.length; place++) {
    if ((vector[place] as number) > 0) code[place >> 3] = (code[place >> 3] as number) | (1 << (place & 7));
  }
  return code;
}

export function toQuery(vector: Float32Array): Query {
  const unit = normalised(vector);
  const turned = rotated(unit);
  const code = signs(turned);
  const estimates = new Float32Array(code.length * 256);
  for (let at = 0; at < estimates.length; at++) {
    let sum = 0;
    for (let bit = 0; bit < 8; bit++) {
      const value = turned[(at >> 8) * 8 + bit] ?? 0;
      sum += (at >> bit) & 1 ? value : -value;
    }
    estimates[at] = sum;
  }
  return { vector: unit, code: new Int32Array(code.buffer), estimates };
}

/**
 * The vector, turned: every dimension of the result holds something of every dimension of the vector, angles stay
 * what they were. Without it, signs tell next to nothing of vectors whose weight lies in few dimensions.
 *
 * A fast Walsh–Hadamard transform after flipping signs by a fixed pattern; where the length is no power of two, of the
 * first and the last part in turns.
 */
function rotated(vector: Float32Array): Float32Array {
  const turned = vector.slice();
  const length = turned.length;
  const part = 2 ** Math.floor(Math.log2(length));
  const scale = 1 / Math.sqrt(part);
  let random = 1;
  for (let round = 0; round < ROUNDS; round++) {
    for (let place = 0; place < length; place++) {
      // A linear congruential generator (Numerical Recipes); its highest bit decides.
      random = (Math.imul(random, 1_664_525) + 1_013_904_223) | 0;
      if (random < 0) turned[place] = -(turned[place] as number);
    }
    transform(turned.subarray(round % 2 === 0 ? 0 : length - part).subarray(0, part), scale);
  }
  return turned;
}

function transform(values: Float32Array, scale: number): void {
  for (let half = 1; half < values.length; half *= 2) {
    for (let start = 0; start < values.length; start += 2 * half) {
      for (let place = start; place < start + half; place++) {
        const one = values[place] as number;
        const other = values[place + half] as number;
        values[place] = one + other;
        values[place + half] = one - other;
      }
    }
  }
  for (let place = 0; place < values.length; place++) values[place] = (values[place] as number) * scale;
}

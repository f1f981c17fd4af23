/** What the tables of a DOC file have in common. */

/** The last of the entries, sorted by `start`, that begins at or before a place. */
export function findLast<T>(
  entries: readonly T[],
  place: number,
  start: (entry: T) => number,
): T | undefined {
  let low = 0;
  let high = entries.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (start(entries[middle]!) <= place) low = middle + 1;
    else high = middle;
  }
  return entries[low - 1];
}

/** Properties with their first number (2.2.5). What is longer is skipped over. */
export function* sprmsIn(bytes: Buffer): Generator<{ code: number; value: number }> {
  for (let at = 0; at + 3 <= bytes.length; ) {
    const code = bytes.readUInt16LE(at);
    at += 2;
    const kind = code >> 13;
    let size = [1, 1, 2, 4, 2, 2, 0, 3][kind]!;
    if (kind === 6) {
      // The definition of a table has a longer length than all others.
      size = code === 0xd608 && at + 2 <= bytes.length ? bytes.readUInt16LE(at) + 1 : bytes[at]! + 1;
    }
    if (at + size > bytes.length) return;
    const value =
      size === 1 ? bytes[at]! : size === 2 ? bytes.readUInt16LE(at) : size === 4 ? bytes.readUInt32LE(at) : 0;
    yield { code, value };
    at += size;
  }
}

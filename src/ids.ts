/**
 * Typed, time-ordered identifiers: a prefix that says what the id names, then a UUIDv7 (RFC 9562, section 5.7)
 * without its dashes. Ids of one kind sort by the millisecond in which they were made.
 */

export type IdKind = "doc" | "job" | "evt" | "cor" | "blob" | "lease" | "key" | "wrk" | "req" | "whk" | "dlv";
export type Id<K extends IdKind = IdKind> = `${K}_${string}`;

/** Makes ids from a clock (Unix milliseconds) and a source of random bytes, both given, so that a run can be repeated. */
export function createIdFactory(now: () => number, randomBytes: (size: number) => Uint8Array) {
  return function newId<K extends IdKind>(kind: K): Id<K> {
    const bytes = new Uint8Array(16);
    bytes.set(randomBytes(10), 6);
    const time = Math.max(0, Math.floor(now()));
    const high = Math.floor(time / 0x1_0000_0000);
    bytes[0] = (high >>> 8) & 0xff;
    bytes[1] = high & 0xff;
    const low = time >>> 0;
    bytes[2] = (low >>> 24) & 0xff;
    bytes[3] = (low >>> 16) & 0xff;
    bytes[4] = (low >>> 8) & 0xff;
    bytes[5] = low & 0xff;
    bytes[6] = 0x70 | ((bytes[6] as number) & 0x0f);
    bytes[8] = 0x80 | ((bytes[8] as number) & 0x3f);
    let hex = "";
    for (const byte of bytes) hex += byte.toString(16).padStart(2, "0");
    return `${kind}_${hex}`;
  };
}

export type NewId = ReturnType<typeof createIdFactory>;

/** True for a string of the form that `createIdFactory` makes with this kind. */
export function isId<K extends IdKind>(kind: K, value: string): value is Id<K> {
  return value.startsWith(`${kind}_`) && /^[0-9a-f]{32}$/.test(value.slice(kind.length + 1));
}

/** A chunk's id is derived, so that writing the same chunk twice is one chunk: document, version, place in it. */
export function chunkId(document_id: string, version: number, ordinal: number): string {
  return `chk_${document_id.slice("doc_".length)}_${version}_${ordinal}`;
}

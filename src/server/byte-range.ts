/** The headers of a file download: ranges and conditions (RFC 9110), names (RFC 6266). */

/** From `start` to `end`, exclusive. */
export interface Range {
  start: number;
  end: number;
}

/**
 * What a Range header asks of `size` bytes (RFC 9110, section 14). Several ranges, other units and what can't be read
 * count as none asked for, as the RFC allows.
 */
export function rangeOf(header: string | undefined, size: number): Range | undefined | "unsatisfiable" {
  const [, first, last] = /^\s*bytes\s*=\s*(\d*)\s*-\s*(\d*)\s*$/i.exec(header ?? "") ?? [];
  if (first === undefined || last === undefined || (first === "" && last === "")) return undefined;
  if (first === "") {
    const length = Math.min(Number(last), size);
    return length === 0 ? "unsatisfiable" : { start: size - length, end: size };
  }
  const start = Number(first);
  if (last !== "" && Number(last) < start) return undefined;
  if (start >= size) return "unsatisfiable";
  return { start, end: last === "" ? size : Math.min(Number(last) + 1, size) };
}

/** Whether an If-None-Match header names this ETag. */
export function isFresh(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false;
  return header
    .split(",")
    .map((item) => item.trim().replace(/^W\//, ""))
    .some((item) => item === "*" || item === etag);
}

/** `attachment`, with the name in ASCII for old clients and in UTF-8 (RFC 8187) where it has more. */
export function contentDisposition(filename: string): string {
  const ascii = filename.replace(/[^\x20-\x7e]/g, "_").replace(/["\\]/g, "\\$&");
  if (ascii === filename && !filename.includes("%")) return `attachment; filename="${ascii}"`;
  const encoded = encodeURIComponent(filename.toWellFormed()).replace(
    /['()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return `attachment; filename="${ascii}"; filename*=UTF-8''${encoded}`;
}

/** Reads what Pinecone, or something on the way to it, says went wrong. Pure. */

/** `message` of Pinecone's errors (also inside `error`), else the beginning of the body. */
export function readMessage(text: string): string {
  let said: unknown;
  try {
    const body = JSON.parse(text) as { message?: unknown; error?: { message?: unknown } } | null;
    said = body?.message ?? body?.error?.message ?? text;
  } catch {
    // Not JSON: a refused key is answered in plain text. That is all there is to tell.
    said = text;
  }
  return String(said).replaceAll(/\s+/g, " ").trim().slice(0, 500);
}

/**
 * The wait that a `Retry-After` header asks for (RFC 9110, section 10.2.3), in milliseconds, never negative.
 *
 * @param now Unix milliseconds, for headers that give a date
 * @returns undefined when there is no header, or none that can be understood
 */
export function retryAfterMs(header: string | null, now: number): number | undefined {
  if (header === null) return undefined;
  if (/^\s*\d+(\.\d+)?\s*$/.test(header)) return Number(header) * 1000;
  const date = Date.parse(header);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}

/** fetch says only "fetch failed" and puts the reason into `cause`. */
export function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? error.cause.message || error.message : error.message;
}

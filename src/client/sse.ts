/** Reads server-sent events (HTML Living Standard, section 9.2.6, "Interpreting an event stream"). */

export interface ServerSentEvent {
  /** The last `id` that the stream has named, with this event or before. */
  id: string | undefined;
  /** `message` where the stream named none. */
  event: string;
  data: string;
}

/**
 * Events as they come; one that the stream's end cuts off is dropped.
 *
 * @param onBytes called for every piece that arrives, comments included: the connection is alive
 */
export async function* parseEventStream(
  source: AsyncIterable<Uint8Array>,
  onBytes: () => void = () => {},
): AsyncGenerator<ServerSentEvent, void, void> {
  let id: string | undefined;
  let event = "";
  let data: string[] = [];
  for await (const line of lines(source, onBytes)) {
    if (line === "") {
      if (data.length > 0) yield { id, event: event || "message", data: data.join("\n") };
      event = "";
      data = [];
      continue;
    }
    const colon = line.indexOf(":");
    const field = colon === -1 ? line : line.slice(0, colon);
    const value = colon === -1 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "data") data.push(value);
    else if (field === "event") event = value;
    else if (field === "id" && !value.includes("\0")) id = value;
  }
}

/** Lines that end in CR LF, LF or CR; an unfinished last one is dropped. */
async function* lines(source: AsyncIterable<Uint8Array>, onBytes: () => void) {
  // It also takes a byte order mark away, as the standard wants.
  const decoder = new TextDecoder();
  let rest = "";
  for await (const bytes of source) {
    onBytes();
    rest += decoder.decode(bytes, { stream: true });
    let start = 0;
    for (const match of rest.matchAll(/\r\n|\n|\r/g)) {
      // The LF of this CR may come with the next piece.
      if (match[0] === "\r" && match.index + 1 === rest.length) break;
      yield rest.slice(start, match.index);
      start = match.index + match[0].length;
    }
    rest = rest.slice(start);
  }
}

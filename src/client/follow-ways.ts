/**
 * The ways that events come: WebSocket, server-sent events, and asking again and again. Each yields what it gets,
 * ascending from a position, and ends or throws when it is broken; `follow` joins them.
 */
import type { SluiceEvent } from "../events.ts";
import { refusalOf, unreachable } from "./api-error.ts";
import type { EventPage } from "./documents.ts";
import type { Http, Query } from "./http.ts";
import { pause } from "./pause.ts";
import { parseEventStream } from "./sse.ts";

/** Times in milliseconds. */
export interface Pace {
  /** A way that has not opened after this long is taken for barred. */
  opening: number;
  /** The server says something every 15 s: a stream without a word for this long is dead, or has to be looked after. */
  silence: number;
  /** An event that the log has and the stream has not brought after this long will not come. */
  late: number;
  poll: number;
  /** A way that did not open is left out this long at first, then twice as long, and so on. */
  barred: number;
}

export const pace: Pace = { opening: 10_000, silence: 45_000, late: 5_000, poll: 5_000, barred: 60_000 };

/** Characters of events that may wait for a slow reader before the WebSocket is closed, to be reopened later. */
const MAX_WAITING = 1024 * 1024;
const POLL_PAGE = 500;
const ASK_TIMEOUT_MS = 30_000;

/** `full`: closed by this side, because the reader was slow. Nothing is broken. */
export type Ending = "ended" | "full";

export interface Attempt {
  http: Http;
  /** Of the stream. */
  filter: Query;
  /** Sequence of the last event that the reader has. */
  after: number;
  signal: AbortSignal;
  pace: Pace;
  /** The way works. */
  onOpen: () => void;
}

export type Events = AsyncGenerator<SluiceEvent, Ending, void>;

export async function* overSocket({ http, filter, after, signal, pace, onOpen }: Attempt): Events {
  const { tenant_id } = http;
  const query = { ...filter, after, access_token: http.key() || undefined, tenant_id };
  const socket = new WebSocket(http.address("/v1/events/stream", query).replace(/^http/, "ws"));
  const waiting: { event: SluiceEvent; size: number }[] = [];
  let characters = 0;
  let received = after;
  let ending: Ending | undefined;
  let wake = () => {};
  const end = (how: Ending) => {
    ending ??= how;
    wake();
  };
  const stop = new AbortController();
  const onAbort = () => end("ended");
  signal.addEventListener("abort", onAbort);
  let silence = setTimeout(() => end("ended"), pace.opening);

  /** Browsers tell nothing of pings, so a silent socket may be a dead one: the log knows whether it missed something. */
  const check = async () => {
    const within = AbortSignal.any([stop.signal, AbortSignal.timeout(ASK_TIMEOUT_MS)]);
    const page = await http.json<EventPage>("GET", "/v1/events", {
      query: { ...filter, after: received, limit: 1 },
      signal: within,
    });
    const missed = page.events[0]?.sequence ?? 0;
    if (missed > received) await pause(pace.late, within);
    if (missed > received) throw unreachable(http.url, new Error("the WebSocket is silent"));
  };
  const listen = () => {
    clearTimeout(silence);
    silence = setTimeout(() => check().then(listen, () => end("ended")), pace.silence);
  };

  socket.onopen = () => {
    listen();
    onOpen();
  };
  socket.onmessage = ({ data }: { data: string }) => {
    if (ending !== undefined) return;
    const event = JSON.parse(data) as SluiceEvent;
    waiting.push({ event, size: data.length });
    received = event.sequence;
    characters += data.length;
    if (characters > MAX_WAITING) {
      socket.close();
      return end("full");
    }
    listen();
    wake();
  };
  socket.onclose = onAbort;
  socket.onerror = onAbort;
  try {
    for (;;) {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
        characters -= next.size;
        yield next.event;
      }
      if (signal.aborted || ending !== undefined) return ending ?? "ended";
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  } finally {
    ending ??= "ended";
    signal.removeEventListener("abort", onAbort);
    stop.abort();
    clearTimeout(silence);
    socket.close();
  }
}

export async function* overSse({ http, filter, after, signal, pace, onOpen }: Attempt): Events {
  const cut = new AbortController();
  const give = () => cut.abort(unreachable(http.url, new Error("the event stream is silent")));
  const opening = setTimeout(give, pace.opening);
  try {
    const response = await http.request("GET", "/v1/events/stream", {
      query: { ...filter, after },
      headers: { accept: "text/event-stream" },
      signal: AbortSignal.any([signal, cut.signal]),
    });
    if (!response.headers.get("content-type")?.startsWith("text/event-stream") || response.body === null) {
      throw refusalOf(http.url, response.status, "", null);
    }
    let opened = false;
    // The server writes at once: where only the head comes, something in between holds the stream back.
    const onBytes = () => {
      clearTimeout(opening);
      if (!opened) onOpen();
      opened = true;
    };
    for await (const { data } of parseEventStream(piecesOf(response.body, pace.silence, give), onBytes)) {
      yield JSON.parse(data) as SluiceEvent;
    }
    return "ended";
  } finally {
    clearTimeout(opening);
    cut.abort();
  }
}

/** What a stream brings, read no faster than it is wanted. @param onSilence called when nothing comes for long */
async function* piecesOf(stream: ReadableStream<Uint8Array>, silence_ms: number, onSilence: () => void) {
  const reader = stream.getReader();
  for (;;) {
    const silence = setTimeout(onSilence, silence_ms);
    try {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    } finally {
      clearTimeout(silence);
    }
  }
}

/** @param until when it should end, so that a better way is tried */
export async function* overPolling(attempt: Attempt, until: () => number): Events {
  const { http, filter, signal, pace, onOpen } = attempt;
  let { after } = attempt;
  for (;;) {
    const page = await http.json<EventPage>("GET", "/v1/events", {
      query: { ...filter, after, limit: POLL_PAGE },
      signal: AbortSignal.any([signal, AbortSignal.timeout(ASK_TIMEOUT_MS)]),
    });
    onOpen();
    yield* page.events;
    after = page.next_after;
    if (page.events.length === POLL_PAGE) continue;
    if (performance.now() >= until()) return "ended";
    await pause(pace.poll, signal);
  }
}

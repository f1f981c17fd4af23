/** The live event stream: WebSocket first, server-sent events where that fails, resumed by sequence after a break. */
import type { EventType, SluiceEvent } from "../../src/events.ts";
import { apiKey } from "./api.ts";

export type Connection = "connecting" | "live" | "offline";

export interface StreamListener {
  /** New events, ascending, each exactly once. */
  onEvents: (events: SluiceEvent[]) => void;
  onConnection: (connection: Connection) => void;
  /** Live, but from now on only: what happened before has to be loaded. Resumed connections don't call this. */
  onFresh: () => void;
  /** An attempt to connect failed; another follows. */
  onTrouble: () => void;
}

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 15_000;
/** Events that come within this time are handed on together, so that a burst costs one drawing. */
const GATHER_MS = 30;

// Named one by one, because importing the list from src/events.ts would bring its schemas along.
const eventTypes: Record<EventType, true> = {
  "rag.document.uploaded": true,
  "rag.ingestion.requested": true,
  "rag.ingestion.started": true,
  "rag.ingestion.progressed": true,
  "rag.ingestion.stage_completed": true,
  "rag.ingestion.completed": true,
  "rag.ingestion.retry_scheduled": true,
  "rag.ingestion.failed": true,
  "rag.ingestion.cancelled": true,
  "rag.document.deleted": true,
};

/** Follows until the returned function is called. */
export function followEvents(listener: StreamListener): () => void {
  let position: number | undefined;
  let failures = 0;
  let useSse = false;
  let stopped = false;
  let gathered: SluiceEvent[] = [];
  let gathering: ReturnType<typeof setTimeout> | undefined;
  let pause: ReturnType<typeof setTimeout> | undefined;
  let close: () => void = () => {};

  function address(): string {
    const query = new URLSearchParams();
    if (position !== undefined) query.set("after", String(position));
    const key = apiKey();
    if (key !== null) query.set("access_token", key);
    return `/v1/events/stream?${query}`;
  }

  function receive(text: string): void {
    const event = JSON.parse(text) as SluiceEvent;
    if (position !== undefined && event.sequence <= position) return;
    position = event.sequence;
    gathered.push(event);
    gathering ??= setTimeout(flush, GATHER_MS);
  }

  function flush(): void {
    gathering = undefined;
    const events = gathered;
    gathered = [];
    if (!stopped && events.length > 0) listener.onEvents(events);
  }

  function opened(): void {
    failures = 0;
    listener.onConnection("live");
    if (position === undefined) listener.onFresh();
  }

  function connect(): void {
    clearTimeout(pause);
    pause = undefined;
    close();
    let wasOpen = false;
    let ended = false;
    const onOpen = () => {
      if (ended) return;
      wasOpen = true;
      opened();
    };
    const onEnd = () => {
      if (ended) return;
      ended = true;
      close();
      lost(wasOpen);
    };
    const shut = useSse
      ? connectSse(address(), onOpen, receive, onEnd)
      : connectSocket(address(), onOpen, receive, onEnd);
    close = () => {
      ended = true;
      shut();
    };
  }

  function lost(wasOpen: boolean): void {
    if (stopped) return;
    // A way that never opened may be barred by something in between: the other one gets its turn.
    if (!wasOpen) useSse = !useSse;
    failures++;
    // The first fallback is immediate and silent; after that the reader should know.
    if (failures > 1 || wasOpen) listener.onConnection("offline");
    if (failures > 1) listener.onTrouble();
    const longest = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (failures - 1));
    const wait = failures === 1 && !wasOpen ? 0 : longest * (0.5 + Math.random() / 2);
    pause = setTimeout(connect, wait);
  }

  function online(): void {
    if (pause !== undefined) connect();
  }

  function offline(): void {
    listener.onConnection("offline");
    close();
    pause ??= setTimeout(connect, LONGEST_PAUSE_MS);
  }

  listener.onConnection("connecting");
  window.addEventListener("online", online);
  window.addEventListener("offline", offline);
  connect();
  return () => {
    stopped = true;
    clearTimeout(pause);
    clearTimeout(gathering);
    window.removeEventListener("online", online);
    window.removeEventListener("offline", offline);
    close();
  };
}

type Connect = (
  address: string,
  onOpen: () => void,
  onText: (text: string) => void,
  onEnd: () => void,
) => () => void;

const connectSocket: Connect = (address, onOpen, onText, onEnd) => {
  const socket = new WebSocket(new URL(address, location.href.replace(/^http/, "ws")));
  socket.onopen = onOpen;
  socket.onmessage = (message) => onText(message.data);
  socket.onclose = onEnd;
  return () => {
    socket.onmessage = null;
    socket.close();
  };
};

const connectSse: Connect = (address, onOpen, onText, onEnd) => {
  const source = new EventSource(address);
  const onMessage = (message: MessageEvent<string>) => onText(message.data);
  source.onopen = onOpen;
  // Its own way to reconnect knows no growing pauses, so this one closes it and starts anew.
  source.onerror = onEnd;
  for (const type of ["message", ...Object.keys(eventTypes)]) source.addEventListener(type, onMessage);
  return () => source.close();
};

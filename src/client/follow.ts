/**
 * Following the event log through whatever stands between: one position, and the best way that works from there on.
 * Whichever way an event comes, it counts only when it lies after the position; so a change of ways loses and repeats
 * nothing.
 */
import type { SluiceEvent } from "../events.ts";
import { ApiError } from "./api-error.ts";
import { onNetwork } from "./browser.ts";
import type { EventPage } from "./documents.ts";
import {
  type Attempt,
  type Ending,
  type Events,
  overPolling,
  overSocket,
  overSse,
  type Pace,
  pace as usual,
} from "./follow-ways.ts";
import type { Http, Query } from "./http.ts";
import { growingPause, pauseForNetwork } from "./pause.ts";

/**
 * `live`: over a stream; `polling`: by asking every few seconds, because no stream opens; `offline`: nothing answers,
 * and tries go on.
 */
export type Connection = "connecting" | "live" | "polling" | "offline";

export interface FollowOptions {
  /** Only events of this document. */
  document_id?: string | undefined;
  /** Only of what one upload caused. */
  correlation_id?: string | undefined;
  collection?: string | undefined;
  /** Sequence of the last event that the reader has; 0 for all. Default: the log's end when the reading begins. */
  after?: number | undefined;
  /** Ends it. */
  signal: AbortSignal;
  /** Called at each change. */
  onConnection?: ((connection: Connection) => void) | undefined;
}

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 15_000;
/** A connection that lived this long was a good one. */
const GOOD_MS = 5_000;
const LONGEST_BARRED_MS = 10 * 60_000;

interface Way {
  connection: Connection;
  open: (attempt: Attempt) => Events;
  barred: number;
  barredUntil: number;
}

/**
 * Events as they come, each once, ascending. A connection that breaks is made anew; one that does not open gives way
 * to the next: WebSocket, server-sent events, polling. What a slow reader does not take stays on the server.
 *
 * @throws ApiError when the server refuses the key or the question: 400, 401, 403
 */
export async function* follow(
  http: Http,
  options: FollowOptions,
  pace: Pace = usual,
): AsyncGenerator<SluiceEvent, void, void> {
  const { signal, document_id, correlation_id, collection } = options;
  const filter: Query = { document_id, correlation_id, collection };
  let position = options.after;
  let state: Connection | undefined;
  let failures = 0;

  const socket = way("live", overSocket);
  const sse = way("live", overSse);
  const polling = way("polling", (attempt) =>
    overPolling(attempt, () => Math.min(socket.barredUntil, sse.barredUntil)),
  );

  function tell(connection: Connection): void {
    if (state === connection) return;
    state = connection;
    options.onConnection?.(connection);
  }

  /** A way did not open, or broke: what to do before the next. @throws ApiError that no repeat helps against */
  async function fail(chosen: Way, opened: boolean, error: unknown): Promise<void> {
    if (error instanceof ApiError && isFinal(error)) throw error;
    if (!opened && chosen !== polling) {
      bar(chosen, pace.barred);
      return; // The next way gets its turn at once.
    }
    if (!opened) {
      // Nothing answers at all, so nothing is known of the other ways.
      for (const each of [socket, sse]) Object.assign(each, { barred: 0, barredUntil: 0 });
      tell("offline");
    } else tell("connecting");
    const asked = error instanceof ApiError ? Math.min(error.retry_after_ms ?? 0, LONGEST_PAUSE_MS) : 0;
    const wait = Math.max(asked, growingPause(failures++, FIRST_PAUSE_MS, LONGEST_PAUSE_MS));
    await pauseForNetwork(wait, LONGEST_PAUSE_MS, signal);
  }

  tell("connecting");
  while (!signal.aborted) {
    const now = performance.now();
    const chosen = [socket, sse].find(({ barredUntil }) => barredUntil <= now) ?? polling;
    const attempt = new AbortController();
    const forget = onNetwork("offline", () => {
      tell("offline");
      attempt.abort(new Error("the machine went off line"));
    });
    let opened = false;
    let trouble: unknown;
    let ending: Ending = "ended";
    let events: Events | undefined;
    try {
      const either = AbortSignal.any([signal, attempt.signal]);
      position ??= await endOfLog(http, either);
      const onOpen = () => {
        if (attempt.signal.aborted) return;
        opened = true;
        chosen.barred = 0;
        tell(chosen.connection);
      };
      events = chosen.open({ http, filter, after: position, signal: either, pace, onOpen });
      for (;;) {
        const next = await events.next();
        if (next.done) {
          ending = next.value;
          break;
        }
        if (next.value.sequence <= position) continue;
        position = next.value.sequence;
        failures = 0;
        yield next.value;
      }
    } catch (error) {
      trouble = error;
    } finally {
      forget();
      // Also when the reader leaves the loop.
      await events?.return("ended");
    }
    if (signal.aborted) return;
    if (opened && performance.now() - now > GOOD_MS) failures = 0;
    if (ending === "full" || (chosen === polling && opened && trouble === undefined)) continue;
    try {
      await fail(position === undefined ? polling : chosen, opened, trouble);
    } catch (error) {
      if (signal.aborted) return;
      throw error;
    }
  }
}

/** The sequence of the newest event there is. */
export async function endOfLog(http: Http, signal?: AbortSignal): Promise<number> {
  const query = { after: "latest" };
  return (await http.json<EventPage>("GET", "/v1/events", { query, signal })).next_after;
}

function way(connection: Connection, open: Way["open"]): Way {
  return { connection, open, barred: 0, barredUntil: 0 };
}

function bar(chosen: Way, first: number): void {
  chosen.barredUntil = performance.now() + Math.min(LONGEST_BARRED_MS, first * 2 ** chosen.barred++);
}

function isFinal({ status, code }: ApiError): boolean {
  // A proxy's own refusal of one way says nothing of the others.
  return (status === 400 || status === 401 || status === 403) && code !== "not_sluice";
}

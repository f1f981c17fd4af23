/**
 * Events to one subscriber, over SSE or WebSocket, from one and the same loop. A subscriber that reads slowly slows
 * only its own reading of the log: nothing is queued for it beyond a bounded buffer.
 */
import type { ServerResponse } from "node:http";
import type { WebSocket } from "ws";
import type { SluiceEvent } from "../events.ts";
import type { Follower, FollowFilter } from "../progress/follow.ts";

/** Short enough for proxies that cut silent connections after 30 s. */
const HEARTBEAT_MS = 15_000;
/** Bytes that may wait for a slow WebSocket. */
const MAX_BUFFERED = 1024 * 1024;
/** Events go out in pieces of about this size, so that a slow reader is noticed in the midst of a batch. */
const WRITE_CHARACTERS = 32 * 1024;
/** What a browser waits before it reconnects, in milliseconds. */
const RECONNECT_MS = 1_000;
/** How often a stream's key is looked at again. */
const ALLOWED_MS = 2_000;
/** How long a client may take to answer a WebSocket's close. */
const CLOSE_GRACE_MS = 1_000;

export interface EventStreams {
  /**
   * Sends events to a response until the client goes, the server stops or `stillAllowed` says no, which is asked every
   * two seconds. The head is written here.
   */
  toResponse(
    response: ServerResponse,
    filter: FollowFilter,
    after: number,
    stillAllowed: () => Promise<boolean>,
    headers: Record<string, string>,
  ): void;
  toSocket(
    socket: WebSocket,
    filter: FollowFilter,
    after: number,
    stillAllowed: () => Promise<boolean>,
  ): void;
  /** Ends every stream in good order. */
  close(): void;
}

export function createEventStreams(follower: Follower, onError: (error: unknown) => void): EventStreams {
  const stopping = new AbortController();
  const sharedJson = createJsonCache();

  async function run(
    filter: FollowFilter,
    after: number,
    signal: AbortSignal,
    send: (batch: SluiceEvent[]) => Promise<void>,
  ): Promise<void> {
    for await (const batch of follower.follow(filter, after, signal)) {
      await send(batch);
      if (signal.aborted) return;
    }
  }

  return {
    toResponse(response, filter, after, stillAllowed, headers) {
      const gone = new AbortController();
      response.once("close", () => gone.abort());
      response.on("error", () => gone.abort());
      const allowed = watchAllowed(stillAllowed);
      const signal = AbortSignal.any([gone.signal, stopping.signal, allowed.signal]);
      response.writeHead(200, {
        ...headers,
        "content-type": "text/event-stream; charset=utf-8",
        // No other request will follow: when the stream ends, so does the connection.
        connection: "close",
        // Proxies such as nginx would otherwise hold events back until a buffer is full.
        "x-accel-buffering": "no",
      });
      response.write(`retry: ${RECONNECT_MS}\n\n`);
      const heartbeat = setInterval(() => {
        if (!response.writableNeedDrain) response.write(": still here\n\n");
      }, HEARTBEAT_MS);
      const send = async (batch: SluiceEvent[]) => {
        let text = "";
        for (const [i, event] of batch.entries()) {
          text += `id: ${event.sequence}\nevent: ${event.event_type}\ndata: ${sharedJson(event)}\n\n`;
          if (text.length < WRITE_CHARACTERS && i < batch.length - 1) continue;
          if (!response.write(text)) await once(signal, (done) => response.once("drain", done));
          if (signal.aborted) return;
          text = "";
        }
      };
      run(filter, after, signal, send)
        .catch(onError)
        .finally(() => {
          clearInterval(heartbeat);
          allowed.stop();
          response.end();
        });
    },

    toSocket(socket, filter, after, stillAllowed) {
      const gone = new AbortController();
      socket.once("close", () => gone.abort());
      const allowed = watchAllowed(stillAllowed);
      const signal = AbortSignal.any([gone.signal, stopping.signal, allowed.signal]);
      let answered = true;
      socket.on("pong", () => {
        answered = true;
      });
      const heartbeat = setInterval(() => {
        // A peer that vanished without a word never closes by itself.
        if (!answered && socket.bufferedAmount === 0) return socket.terminate();
        answered = false;
        socket.ping();
      }, HEARTBEAT_MS);
      const send = async (batch: SluiceEvent[]) => {
        for (const event of batch) {
          if (socket.bufferedAmount < MAX_BUFFERED) socket.send(sharedJson(event));
          else await once(signal, (done) => socket.send(sharedJson(event), done));
          if (signal.aborted) return;
        }
      };
      let failed = false;
      run(filter, after, signal, send)
        .catch((error: unknown) => {
          failed = true;
          onError(error);
        })
        .finally(() => {
          clearInterval(heartbeat);
          allowed.stop();
          if (failed) socket.close(1011, "something unforeseen went wrong");
          else if (allowed.signal.aborted) socket.close(1008, "the API key was revoked or has expired");
          else socket.close(1001, "the server is stopping");
          const cut = setTimeout(() => socket.terminate(), CLOSE_GRACE_MS);
          socket.once("close", () => clearTimeout(cut));
          if (socket.readyState === socket.CLOSED) clearTimeout(cut);
        });
    },

    close: () => stopping.abort(),
  };
}

/** Fires when `ask` says no. */
function watchAllowed(ask: () => Promise<boolean>): { signal: AbortSignal; stop(): void } {
  const over = new AbortController();
  const timer = setInterval(async () => {
    if (!(await ask())) over.abort();
  }, ALLOWED_MS);
  return { signal: over.signal, stop: () => clearInterval(timer) };
}

/** Resolves when `subscribe` calls back or the signal fires. */
function once(signal: AbortSignal, subscribe: (done: () => void) => void): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const done = () => {
      signal.removeEventListener("abort", done);
      resolve();
    };
    signal.addEventListener("abort", done);
    subscribe(done);
  });
}

/** An event's JSON, made once for all subscribers that share the event object. */
function createJsonCache(): (event: SluiceEvent) => string {
  const cache = new WeakMap<SluiceEvent, string>();
  return (event) => {
    let json = cache.get(event);
    if (json === undefined) {
      json = JSON.stringify(event);
      cache.set(event, json);
    }
    return json;
  };
}

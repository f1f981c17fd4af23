/** Subscribers of the stream of events, over SSE and WebSocket. */
import { WebSocket } from "ws";
import type { SluiceEvent } from "../../src/events.ts";
import type { TestServer } from "./harness.ts";

interface Frame {
  id: string;
  event: string;
  data: string;
}

/** A subscriber over SSE that reads frames by hand, as they are on the wire. */
export async function openSse(server: TestServer, query: string, headers: Record<string, string> = {}) {
  const controller = new AbortController();
  const response = await fetch(`${server.url}/v1/events/stream?${query}`, {
    headers: { accept: "text/event-stream", ...headers },
    signal: controller.signal,
  });
  const frames: Frame[] = [];
  const seen = { retry: "", ended: false, failed: false };
  const read = async () => {
    let text = "";
    const decoder = new TextDecoder();
    for await (const bytes of response.body ?? []) {
      text += decoder.decode(bytes as Uint8Array, { stream: true });
      const blocks = text.split("\n\n");
      text = blocks.pop() as string;
      for (const block of blocks) {
        const fields = Object.fromEntries(
          block
            .split("\n")
            .map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 2)]),
        );
        if (fields.retry) seen.retry = fields.retry;
        if (fields.data) frames.push(fields as unknown as Frame);
      }
    }
  };
  const ended = read().then(
    () => {
      seen.ended = true;
    },
    () => {
      seen.failed = true;
    },
  );
  return {
    response,
    frames,
    seen,
    ended,
    events: () => frames.map(({ data }) => JSON.parse(data) as SluiceEvent),
    close: () => controller.abort(),
  };
}

export async function openSocket(server: TestServer, query: string, options: Record<string, unknown> = {}) {
  const socket = new WebSocket(`${server.url.replace("http", "ws")}/v1/events/stream?${query}`, options);
  const messages: string[] = [];
  const seen: { close: number | undefined } = { close: undefined };
  socket.on("message", (data) => messages.push(String(data)));
  socket.on("close", (code) => {
    seen.close = code;
  });
  await new Promise((resolve, reject) => {
    socket.once("open", resolve);
    socket.once("error", reject);
  });
  return {
    socket,
    messages,
    seen,
    events: () => messages.map((message) => JSON.parse(message) as SluiceEvent),
    close: () => socket.close(),
  };
}

export const transports = { sse: openSse, websocket: openSocket };
export const both = ["sse", "websocket"] as const;

/** From an event written by one process to the same event received by a client of the API process. */
import type { SluiceEvent } from "../src/events.ts";
import type { Context, Row, Table } from "./benchmark.ts";
import { followSse } from "./client.ts";
import { startHelper } from "./helper.ts";
import type { EventWriterMethods } from "./processes/event-writer.ts";
import { startServer } from "./server.ts";
import { quantile, sharedClock } from "./statistics.ts";

const PAUSE_MS = 30;

export async function eventLatency({ quick, folder, say }: Context): Promise<Table[]> {
  const count = quick ? 80 : 400;
  await using server = await startServer(folder("events"), { SLUICE_WORKERS: "" });
  await using writer = await startHelper<EventWriterMethods>("event-writer", { folder: server.data_dir });
  const received = { WebSocket: new Map<string, number>(), SSE: new Map<string, number>() };
  const take = (times: Map<string, number>) => (event: SluiceEvent) =>
    times.set(event.event_id, sharedClock());
  const closeSocket = await followSocket(server.url, take(received.WebSocket));
  const stream = await followSse(server.url, take(received.SSE));

  say(`  ${count} events`);
  await writer.call("write", 20, PAUSE_MS);
  const written = await writer.call("write", count, PAUSE_MS);
  const last = written.at(-1)?.event_id as string;
  const deadline = performance.now() + 5_000;
  while (performance.now() < deadline && Object.values(received).some((times) => !times.has(last))) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  closeSocket();
  stream.close();

  for (const [client, times] of Object.entries(received)) {
    const lost = written.filter(({ event_id }) => !times.has(event_id)).length;
    if (lost > 0) throw new Error(`${client} did not receive ${lost} of ${written.length} events within 5 s`);
  }
  const rows = Object.entries(received).map(([client, times]): Row => {
    const since = (from: "asked_ms" | "committed_ms") =>
      written.map((event) => (times.get(event.event_id) as number) - event[from]);
    return {
      client,
      events: written.length,
      p50_ms: quantile(since("committed_ms"), 0.5),
      p99_ms: quantile(since("committed_ms"), 0.99),
      worst_ms: quantile(since("committed_ms"), 1),
      with_commit_p50_ms: quantile(since("asked_ms"), 0.5),
      with_commit_p99_ms: quantile(since("asked_ms"), 0.99),
      with_commit_worst_ms: quantile(since("asked_ms"), 1),
    };
  });
  return [
    {
      title: "event-latency: event written by another process → received by a client of the API, idle system",
      rows,
      notes: [
        "From the commit's acknowledgement in the writing process; below 0 when the event was faster than that.",
        "with_commit: from the moment that the commit was asked for, its fsync included.",
      ],
    },
  ];
}

function followSocket(url: string, onEvent: (event: SluiceEvent) => void): Promise<() => void> {
  const socket = new WebSocket(`${url.replace("http", "ws")}/v1/events/stream`);
  return new Promise((resolve, reject) => {
    socket.addEventListener("open", () => resolve(() => socket.close()));
    socket.addEventListener("error", () => reject(new Error("the WebSocket did not open")));
    socket.addEventListener("message", ({ data }) => onEvent(JSON.parse(data as string) as SluiceEvent));
  });
}

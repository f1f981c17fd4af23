import { request as httpRequest, type IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import type { SluiceEvent } from "../../../src/events.ts";
import { sequences, startServer, type TestServer, until } from "../harness.ts";

interface Frame {
  id: string;
  event: string;
  data: string;
}

/** A subscriber over SSE that reads frames by hand, as they are on the wire. */
async function openSse(server: TestServer, query: string, headers: Record<string, string> = {}) {
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

async function openSocket(server: TestServer, query: string, options: Record<string, unknown> = {}) {
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

const transports = { sse: openSse, websocket: openSocket };
const both = ["sse", "websocket"] as const;

describe("GET /v1/events", () => {
  test("reads the log by filter and by pages", async () => {
    const server = await startServer();
    const a = await server.upload("a", "filename=a.txt&collection=one");
    const b = await server.upload("b", "filename=b.txt&collection=two");
    await server.start(a.document_id);
    const read = async (query: string) =>
      (await server.request(`/v1/events?${query}`)).json<{ events: SluiceEvent[]; next_after: number }>();
    expect(sequences((await read("")).events)).toEqual([1, 2, 3]);
    expect(sequences((await read(`document_id=${a.document_id}`)).events)).toEqual([1, 3]);
    expect(sequences((await read(`correlation_id=${b.correlation_id}`)).events)).toEqual([2]);
    expect(sequences((await read("collection=one")).events)).toEqual([1, 3]);
    expect((await read("limit=2")).next_after).toBe(2);
    expect(sequences((await read("after=2")).events)).toEqual([3]);
    expect(await read("after=3")).toEqual({ events: [], next_after: 3 });
    expect(await read("after=latest")).toEqual({ events: [], next_after: 3 });
    for (const query of ["after=-1", "limit=0", "limit=1001", "colour=red"]) {
      expect((await server.request(`/v1/events?${query}`)).status).toBe(400);
    }
  });
});

describe("GET /v1/events/stream", () => {
  test.each(both)(
    "%s: history first, then live, without gap or duplicate while others write",
    async (transport) => {
      const server = await startServer();
      const total = 300;
      let written = 0;
      const write = async () => {
        while (written < total) {
          written++;
          await server.upload(`document ${written}`);
        }
      };
      // Readers come at every point of the writing: before, in the midst, near its end.
      const readers = [await transports[transport](server, "after=0")];
      const writing = Promise.all([write(), write(), write()]);
      for (const at of [50, 150, 250, 299]) {
        await until(() => written >= at);
        readers.push(await transports[transport](server, "after=0"));
      }
      await writing;
      readers.push(await transports[transport](server, "after=0"));
      const all = Array.from({ length: total }, (_, i) => i + 1);
      for (const reader of readers) {
        await until(() => reader.events().length >= total);
        expect(sequences(reader.events())).toEqual(all);
        reader.close();
      }
    },
  );

  test("both carry identical payloads, the ones of the log", async () => {
    const server = await startServer();
    const sse = await openSse(server, "after=0");
    const socket = await openSocket(server, "after=0");
    const { document_id } = await server.upload("Grüße");
    await server.complete(document_id, "Grüße\nzwei");
    await until(() => sse.frames.length === 4 && socket.messages.length === 4);
    expect(socket.messages).toEqual(sse.frames.map(({ data }) => data));
    const log = (await server.request("/v1/events")).json<{ events: SluiceEvent[] }>().events;
    expect(sse.events()).toEqual(log);
    for (const [i, event] of log.entries()) {
      expect(sse.frames[i]).toMatchObject({ id: String(event.sequence), event: event.event_type });
    }
    expect(sse.seen.retry).toBe("1000");
    expect(Object.fromEntries(sse.response.headers)).toMatchObject({
      "content-type": "text/event-stream; charset=utf-8",
      "cache-control": "no-store",
      "x-request-id": expect.stringMatching(/^req_/),
    });
    sse.close();
    socket.close();
  });

  test.each(both)("%s: begins now unless told otherwise", async (transport) => {
    const server = await startServer();
    await server.upload("before");
    const reader = await transports[transport](server, "");
    await server.upload("after");
    await until(() => reader.events().length > 0);
    expect(sequences(reader.events())).toEqual([2]);
    reader.close();
  });

  test.each(both)("%s: filters by document, correlation id and collection", async (transport) => {
    const server = await startServer();
    const a = await server.upload("a", "filename=a.txt&collection=one");
    const queries = [`document_id=${a.document_id}`, `correlation_id=${a.correlation_id}`, "collection=one"];
    const readers = [];
    for (const query of queries) readers.push(await transports[transport](server, `after=0&${query}`));
    await server.upload("b", "filename=b.txt&collection=two");
    await server.start(a.document_id);
    for (const reader of readers) {
      await until(() => reader.events().length === 2);
      expect(sequences(reader.events())).toEqual([1, 3]);
      reader.close();
    }
  });

  test.each(both)("%s: Last-Event-ID resumes, and counts for more than after", async (transport) => {
    const server = await startServer();
    for (const text of ["a", "b", "c"]) await server.upload(text);
    const headers = { "last-event-id": "2" };
    const reader =
      transport === "sse"
        ? await openSse(server, "after=0", headers)
        : await openSocket(server, "after=0", { headers });
    await until(() => reader.events().length > 0);
    await server.upload("d");
    await until(() => reader.events().length > 1);
    expect(sequences(reader.events())).toEqual([3, 4]);
    reader.close();
    const wrong = await server.request("/v1/events/stream", { headers: { "last-event-id": "x" } });
    expect(wrong.status).toBe(400);
  });

  test("refuses what is no stream", async () => {
    const server = await startServer();
    const asked = await server.request("/v1/events/stream", { headers: { accept: "application/json" } });
    expect(asked.problem().detail).toContain("text/event-stream");
    expect((await server.request("/v1/events/stream?after=x")).status).toBe(400);
    await expect(openSocket(server, "after=x")).rejects.toThrow("400");
  });

  test.each(both)("%s: a reader that does not read holds back only itself", async (transport) => {
    const server = await startServer();
    const sockets: Socket[] = [];
    server.app.server.on("connection", (socket: Socket) => sockets.push(socket));
    let received = "";
    let resume: () => void;
    if (transport === "sse") {
      const response = await new Promise<IncomingMessage>((resolve) => {
        httpRequest(`${server.url}/v1/events/stream?after=0`, resolve).end();
      });
      response.on("data", (part: Buffer) => {
        received += part.toString("latin1");
      });
      response.pause();
      resume = () => response.resume();
    } else {
      const { socket } = await openSocket(server, "after=0");
      socket.on("message", (data) => {
        received += String(data);
      });
      socket.pause();
      resume = () => socket.resume();
    }
    // Some 20 MB, far more than the system's own socket buffers take.
    const { document_id } = await server.upload("x");
    const error = { code: "internal", message: "x".repeat(20_000), retryable: true } as const;
    for (let i = 0; i < 1_000; i++) {
      const run_at = new Date().toISOString();
      await server.start(document_id);
      await server.move(document_id, "rag.ingestion.retry_scheduled", { attempt: 1, error, run_at });
    }
    const quick = await openSse(server, "after=0");
    await until(() => quick.frames.length === 2_001);
    quick.close();
    const held = Math.max(...sockets.map(({ writableLength }) => writableLength));
    expect(held).toBeLessThan(2 * 1024 * 1024);
    resume();
    await until(() => received.split('"sequence":').length === 2_002);
  });

  test.each(both)("%s: a stopping server ends its streams in good order", async (transport) => {
    const server = await startServer();
    await server.upload("a");
    const reader = await transports[transport](server, "after=0");
    await until(() => reader.events().length === 1);
    await server.app.close();
    if ("ended" in reader) {
      await reader.ended;
      expect(reader.seen.failed).toBe(false);
    } else {
      await until(() => reader.seen.close !== undefined);
      expect(reader.seen.close).toBe(1001);
    }
  });

  test("a WebSocket of another origin is refused, one of the same is not", async () => {
    const server = await startServer();
    await expect(openSocket(server, "", { origin: "http://evil.example" })).rejects.toThrow("403");
    await expect(openSocket(server, "", { origin: "null" })).rejects.toThrow("403");
    const same = await openSocket(server, "", { origin: server.url });
    same.close();
  });

  test("a browser's key may come as access_token, on the stream alone", async () => {
    const lines: Record<string, unknown>[] = [];
    const server = await startServer({ onLog: (line) => lines.push(line) });
    const { authorization } = await server.addKey("t1");
    const token = authorization.slice("Bearer ".length);
    await expect(openSocket(server, "")).rejects.toThrow("401");
    await expect(openSocket(server, "access_token=wrong")).rejects.toThrow("401");
    expect((await server.request("/v1/events/stream")).status).toBe(401);
    expect((await server.request(`/v1/events?access_token=${token}`)).status).toBe(401);
    const answer = await server.request("/v1/documents?filename=a.txt", {
      method: "POST",
      headers: { authorization },
      body: "x",
    });
    expect(answer.status).toBe(202);
    for (const reader of [
      await openSocket(server, `after=0&access_token=${token}`),
      await openSse(server, `after=0&access_token=${token}`),
      await openSocket(server, "after=0", { headers: { authorization } }),
    ]) {
      await until(() => reader.events().length === 1);
      reader.close();
    }
    expect(JSON.stringify(lines)).not.toContain(token);
  });
});

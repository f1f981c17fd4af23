import { describe, expect, onTestFinished, test } from "vitest";
import { type FollowOptions, follow } from "../../src/client/follow.ts";
import { pace } from "../../src/client/follow-ways.ts";
import { createHttp } from "../../src/client/http.ts";
import { ApiError, type Connection, createClient, type SluiceEvent } from "../../src/client/index.ts";
import { freePort, startSluice } from "../e2e/processes.ts";
import { startServer } from "../server/harness.ts";
import { openGate } from "./gate.ts";

/** Fast enough for tests, in the same proportions. */
const quick = { opening: 500, silence: 600, late: 200, poll: 100, barred: 1_000 };

interface Followed {
  events: SluiceEvent[];
  connections: Connection[];
  stop: () => Promise<void>;
  /** Resolves when the reading ends, with what it threw. */
  ended: Promise<unknown>;
}

/** Reads along until the test ends. @param each is waited for before the next event is asked for */
function read(
  url: string,
  options: Omit<FollowOptions, "signal"> & { key?: string } = {},
  times = pace,
  each: (event: SluiceEvent) => unknown = () => {},
): Followed {
  const stopping = new AbortController();
  const events: SluiceEvent[] = [];
  const connections: Connection[] = [];
  const { key, ...filter } = options;
  const run = async () => {
    const stream = follow(
      createHttp({ url, key }),
      { ...filter, signal: stopping.signal, onConnection: (connection) => connections.push(connection) },
      times,
    );
    for await (const event of stream) {
      events.push(event);
      await each(event);
    }
  };
  const ended = run().then(
    () => undefined,
    (error: unknown) => error,
  );
  const stop = async () => {
    stopping.abort();
    await ended;
  };
  onTestFinished(stop);
  return { events, connections, stop, ended };
}

const sequencesOf = (events: readonly SluiceEvent[]) => events.map(({ sequence }) => sequence);
const text = (words: string) => new TextEncoder().encode(words);

describe("follow", () => {
  test("goes on where it was when the API is killed and started again: nothing lost, nothing twice", async () => {
    const port = String(await freePort());
    const api = await startSluice({ command: "api", env: { SLUICE_PORT: port } });
    const { data_dir } = api;
    const worker = await startSluice({ command: "worker", data_dir, env: { SLUICE_PORT: port } });
    onTestFinished(async () => void (await worker.stop()));
    const sluice = createClient({ url: api.url });
    const all = read(api.url, { after: 0 });
    const fromNow = read(api.url);
    await expect.poll(() => [all.connections.at(-1), fromNow.connections.at(-1)]).toEqual(["live", "live"]);
    const before = await sluice.upload(text("of the time before"), { filename: "before.txt" });
    await expect.poll(() => all.events.length).toBeGreaterThan(0);

    await api.kill();
    await expect.poll(() => all.connections.at(-1)).toBe("offline");
    const again = await startSluice({ command: "api", data_dir, env: { SLUICE_PORT: port } });
    onTestFinished(async () => void (await again.stop()));
    const after = await sluice.upload(text("of the time after"), { filename: "after.txt" });
    await Promise.all([before, after].map(({ document_id }) => sluice.waitUntilSearchable(document_id)));

    const log = (await sluice.listEvents({ limit: 1_000 })).events;
    expect(
      log.map(({ event_type }) => event_type).filter((type) => type.endsWith("completed")).length,
    ).toBeGreaterThan(2);
    for (const { events } of [all, fromNow]) {
      await expect.poll(() => sequencesOf(events)).toEqual(sequencesOf(log));
    }
    expect(all.connections).toEqual(expect.arrayContaining(["connecting", "live", "offline"]));
    expect(all.connections.at(-1)).toBe("live");
  });

  test("what happens between the end of one connection and the next is not lost, also before the first event", async () => {
    const server = await startServer();
    const gate = await openGate(server.url);
    const { events, connections } = read(gate.url, {}, quick);
    await expect.poll(() => connections.at(-1)).toBe("live");
    gate.treat = () => "refuse";
    gate.cut();
    await expect.poll(() => connections.at(-1)).toBe("offline");
    const { document_id } = await server.upload("while nobody listened");
    gate.treat = () => "pass";
    await expect.poll(() => events.map((event) => event.document_id)).toEqual([document_id]);
  });

  test("a barred WebSocket gives way to server-sent events, those to polling, and polling to them again", async () => {
    const server = await startServer();
    const gate = await openGate(server.url);
    gate.treat = ({ kind }) => (kind === "socket" ? "refuse" : "pass");
    const { events, connections } = read(gate.url, {}, quick);
    await expect.poll(() => connections).toEqual(["connecting", "live"]);
    await server.upload("over server-sent events");
    await expect.poll(() => events.length).toBe(1);
    expect(gate.seen.map(({ kind }) => kind)).toEqual(["other", "socket", "sse"]);

    // What the proxy does now is worse than to refuse: it answers, and holds everything back.
    gate.treat = ({ kind }) => (kind === "socket" ? "refuse" : kind === "sse" ? "hold" : "pass");
    gate.cut();
    await expect.poll(() => connections.at(-1)).toBe("polling");
    await server.upload("over polling");
    await expect.poll(() => events.length).toBe(2);

    gate.treat = () => "pass";
    await expect.poll(() => connections.at(-1)).toBe("live");
    await server.upload("over a stream again");
    await expect.poll(() => events.length).toBe(3);
    expect(new Set(sequencesOf(events)).size).toBe(3);
  });

  test("a stream that fell silent is found out and opened anew", async () => {
    for (const barred of ["none", "socket"]) {
      const server = await startServer();
      const gate = await openGate(server.url);
      gate.treat = ({ kind }) => (kind === barred ? "refuse" : "pass");
      const { events, connections } = read(gate.url, {}, quick);
      await expect.poll(() => connections.at(-1)).toBe("live");
      gate.silent = true;
      await server.upload("swallowed on its way");
      const opened = gate.seen.length;
      // From the next connection on, bytes come through again.
      gate.treat = (seen) => {
        if (seen.kind !== "other") gate.silent = false;
        return seen.kind === barred ? "refuse" : "pass";
      };
      gate.seen.length = opened;
      await expect.poll(() => events.length).toBe(1);
    }
  });

  test("a socket that is only quiet stays open", async () => {
    const server = await startServer();
    const gate = await openGate(server.url);
    const { connections } = read(gate.url, {}, quick);
    await expect
      .poll(() => gate.seen.filter(({ path }) => path.includes("limit=1")).length)
      .toBeGreaterThan(2);
    expect(gate.seen.filter(({ kind }) => kind === "socket")).toHaveLength(1);
    expect(connections).toEqual(["connecting", "live"]);
  });

  test("what a slow reader doesn't take stays on the server, over either stream", async () => {
    const server = await startServer();
    const count = 4_000;
    const { document_id } = await server.upload("progress and progress");
    await server.start(document_id);
    for (let done = 0; done < count; done++) {
      await server.move(document_id, "rag.ingestion.progressed", { stage: "extracting", done, total: count });
    }
    for (const barred of ["none", "socket"]) {
      const gate = await openGate(server.url);
      gate.treat = ({ kind }) => (kind === barred ? "refuse" : "pass");
      let release = () => {};
      const held = new Promise<void>((resolve) => {
        release = resolve;
      });
      const { events } = read(gate.url, { after: 0 }, pace, () => held);
      await expect.poll(() => events.length).toBe(1);
      if (barred === "none") {
        // More waited than may: the socket was closed, and is opened again where the reader is when it reads on.
        await expect.poll(() => server.app.websocketServer.clients.size).toBe(0);
      }
      release();
      await expect.poll(() => events.length).toBe(count + 2);
      expect(sequencesOf(events)).toEqual(sequencesOf(events).toSorted((a, b) => a - b));
      if (barred === "none")
        expect(gate.seen.filter(({ kind }) => kind === "socket").length).toBeGreaterThan(1);
    }
  });

  test("filters by document, upload and collection", async () => {
    const server = await startServer();
    const first = await server.upload("one", "filename=a.txt&collection=left");
    const second = await server.upload("two", "filename=b.txt&collection=right");
    const { correlation_id, document_id } = second;
    const followed = [
      { document_id },
      { correlation_id },
      { collection: "right" },
      { collection: "left" },
    ].map((filter) => read(server.url, { ...filter, after: 0 }).events);
    const wanted = [document_id, document_id, document_id, first.document_id];
    await expect
      .poll(() => followed.map((events) => events.map((event) => event.document_id)))
      .toEqual(wanted.map((id) => [id]));
  });

  test("an unknown key ends it with the server's refusal; a good one is used by every way", async () => {
    const server = await startServer();
    const { authorization } = await server.addKey("acme");
    const wrong = await read(server.url, { key: "sk_wrong" }).ended;
    expect(wrong).toBeInstanceOf(ApiError);
    expect(wrong).toMatchObject({ status: 401, code: "unauthorized", retryable: false });
    for (const barred of [[], ["socket"], ["socket", "sse"]]) {
      const gate = await openGate(server.url);
      gate.treat = ({ kind }) => (barred.includes(kind) ? "refuse" : "pass");
      const { connections } = read(gate.url, { key: authorization.slice(7) }, quick);
      await expect.poll(() => connections.at(-1)).toBe(barred.length === 2 ? "polling" : "live");
    }
  });

  test("ends when its signal fires, whatever it was about to do", async () => {
    const nobody = `http://127.0.0.1:${await freePort()}`;
    const server = await startServer();
    const offline = read(nobody, {}, quick);
    const live = read(server.url);
    await expect
      .poll(() => [offline.connections.at(-1), live.connections.at(-1)])
      .toEqual(["offline", "live"]);
    await Promise.all([offline.stop(), live.stop()]);
    expect(await Promise.all([offline.ended, live.ended])).toEqual([undefined, undefined]);
    await expect.poll(() => server.app.websocketServer.clients.size).toBe(0);
  });
});

/** Stands before a server as proxies do: lets through, refuses, holds back, loses answers, falls silent. */
import { createServer, type IncomingMessage, request } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { onTestFinished } from "vitest";

/**
 * `refuse`: answers 502; `busy`: answers 429 and `Retry-After: 1`; `hold`: the answer's head comes and nothing after
 * it; `lose`: the server does it, and its answer is lost; `cut`: the connection is cut after `cut_after` bytes.
 */
export type Treatment = "pass" | "refuse" | "busy" | "hold" | "lose" | "cut";

export interface Seen {
  kind: "socket" | "sse" | "other";
  method: string;
  path: string;
  body_bytes: number;
}

export interface Gate {
  url: string;
  seen: Seen[];
  /** What is done from now on. */
  treat: (seen: Seen, incoming: IncomingMessage) => Treatment;
  cut_after: number;
  /** While true, nothing goes to clients over connections that are open; they stay open. */
  silent: boolean;
  /** Cuts all that is open. */
  cut(): void;
}

export async function openGate(target: string): Promise<Gate> {
  const sockets = new Set<Duplex>();
  const gate: Gate = {
    url: "",
    seen: [],
    treat: () => "pass",
    cut_after: 0,
    silent: false,
    cut: () => {
      for (const socket of sockets) socket.destroy();
    },
  };
  const see = (kind: Seen["kind"], { method = "", url: path = "" }: IncomingMessage) => {
    const seen: Seen = { kind, method, path, body_bytes: 0 };
    gate.seen.push(seen);
    return seen;
  };
  const server = createServer((incoming, outgoing) => {
    const sse = incoming.headers.accept?.includes("event-stream");
    const seen = see(sse ? "sse" : "other", incoming);
    const treatment = gate.treat(seen, incoming);
    if (treatment === "refuse" || treatment === "busy") {
      incoming.resume();
      const [status, headers] = treatment === "busy" ? [429, { "retry-after": "1" }] : [502, {}];
      outgoing.writeHead(status as number, headers as Record<string, string>).end("<h1>not now</h1>");
      return;
    }
    const { host, ...headers } = incoming.headers;
    const onward = request(`${target}${incoming.url}`, { method: incoming.method, headers }, (answer) => {
      if (treatment === "lose") {
        answer.resume().once("end", () => incoming.socket.destroy());
        return;
      }
      outgoing.writeHead(answer.statusCode ?? 500, answer.headers);
      if (treatment === "hold") return outgoing.flushHeaders();
      answer.on("data", (bytes) => gate.silent || outgoing.write(bytes));
      answer.on("end", () => outgoing.end());
      answer.on("error", () => outgoing.destroy());
    });
    onward.on("error", () => outgoing.destroy());
    outgoing.on("close", () => onward.destroy());
    incoming.on("data", (bytes: Buffer) => {
      seen.body_bytes += bytes.length;
      if (treatment === "cut" && seen.body_bytes >= gate.cut_after) {
        // What the server has of it by then it keeps.
        onward.write(bytes, () => setImmediate(() => incoming.socket.destroy()));
      } else onward.write(bytes);
    });
    incoming.on("end", () => onward.end());
    incoming.on("error", () => onward.destroy());
  });
  server.on("upgrade", (incoming, socket: Duplex) => {
    const seen = see("socket", incoming);
    socket.on("error", () => {});
    if (gate.treat(seen, incoming) !== "pass") {
      socket.end("HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
      return;
    }
    const onward = request(`${target}${incoming.url}`, { headers: incoming.headers });
    onward.on("error", () => socket.destroy());
    onward.on("response", (answer) => {
      socket.end(`HTTP/1.1 ${answer.statusCode} no\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`);
      answer.resume();
    });
    onward.on("upgrade", (answer, far, first) => {
      // Frames that came along with the answer.
      if (first.length > 0) far.unshift(first);
      const head = answer.rawHeaders.reduce((text, part, i) => text + part + (i % 2 ? "\r\n" : ": "), "");
      socket.write(`HTTP/1.1 101 Switching Protocols\r\n${head}\r\n`);
      far.on("data", (bytes) => {
        if (gate.silent) return;
        // A reader that doesn't read holds the server up, through this as without it.
        if (!socket.write(bytes)) {
          far.pause();
          socket.once("drain", () => far.resume());
        }
      });
      socket.on("data", (bytes) => far.write(bytes));
      far.on("close", () => socket.destroy());
      far.on("error", () => socket.destroy());
      socket.on("close", () => far.destroy());
    });
    onward.end();
  });
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  gate.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  onTestFinished(
    () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        gate.cut();
      }),
  );
  return gate;
}

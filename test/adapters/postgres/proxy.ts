/** A TCP proxy that breaks a connection at a chosen moment, or everything. */
import { connect, createServer, type Socket } from "node:net";

/** `lost`: cut before the server gets the request. `unanswered`: it gets it, and its answer is cut. `silent`: neither
 * side hears anything any more, and nobody is told. */
export type Fault = "lost" | "unanswered" | "silent";

export interface FaultyProxy {
  url: string;
  /** Breaks the next request that holds this text, once. The promise is that it has happened. */
  breakNext(text: string, fault: Fault): Promise<void>;
  /** Refuses new connections from here on; with false, takes them again. */
  refuse(refusing: boolean): void;
  close(): Promise<void>;
}

/** @param target where to pass on to, as a URL; `url` is the same through the proxy */
export async function startProxy(target: string): Promise<FaultyProxy> {
  const to = new URL(target);
  const sockets = new Set<Socket>();
  let armed: { text: string; fault: Fault; done: () => void } | undefined;
  let refusing = false;

  const server = createServer((inner) => {
    if (refusing) {
      inner.destroy();
      return;
    }
    const outer = connect(Number(to.port), to.hostname);
    let broken: Fault | undefined;
    const cut = () => {
      inner.destroy();
      outer.destroy();
    };
    for (const socket of [inner, outer]) {
      sockets.add(socket);
      socket.on("close", () => {
        sockets.delete(socket);
        if (broken !== "silent") cut();
      });
      // The other end is told by the close that follows.
      socket.on("error", () => {});
    }
    inner.on("data", (data) => {
      if (armed && data.includes(armed.text)) {
        broken = armed.fault;
        armed.done();
        armed = undefined;
        if (broken === "lost") cut();
      }
      if (broken === undefined || broken === "unanswered") outer.write(data);
    });
    outer.on("data", (data) => {
      if (broken === undefined) inner.write(data);
      else if (broken === "unanswered") cut();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const through = new URL(target);
  through.port = String((server.address() as { port: number }).port);
  return {
    url: through.href,
    breakNext: (text, fault) =>
      new Promise((done) => {
        armed = { text, fault, done };
      }),
    refuse: (yes) => {
      refusing = yes;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

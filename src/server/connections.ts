import type { IncomingMessage, Server } from "node:http";
import type { Socket } from "node:net";

/**
 * Keeps account of connections on which no request has begun yet. Browsers and HTTP clients open such in advance;
 * Node counts them as busy, and a server that closes would wait for them in vain.
 *
 * @returns a function that cuts them, and from then on every new one
 */
export function trackUnusedConnections(server: Server): () => void {
  const unused = new Set<Socket>();
  let closing = false;
  const used = ({ socket }: IncomingMessage) => unused.delete(socket);
  server.on("request", used);
  server.on("upgrade", used);
  server.on("connection", (socket) => {
    if (closing) return socket.destroy();
    unused.add(socket);
    socket.once("close", () => unused.delete(socket));
  });
  return () => {
    closing = true;
    for (const socket of unused) socket.destroy();
  };
}

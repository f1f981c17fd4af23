import { createServer, type IncomingMessage, request, type Server } from "node:http";
import type { AddressInfo } from "node:net";

export type Treatment = "pass" | "lose the answer" | "busy";

/**
 * Stands before a server and treats requests as told.
 * @param treat gets the number of this method's request, from 1
 */
export async function forward(
  target: string,
  treat: (incoming: IncomingMessage, count: number) => Treatment,
): Promise<{ url: string; close: () => Promise<void> }> {
  const counts = new Map<string, number>();
  const proxy: Server = createServer((incoming, outgoing) => {
    const method = incoming.method ?? "";
    const count = (counts.get(method) ?? 0) + 1;
    counts.set(method, count);
    const treatment = treat(incoming, count);
    if (treatment === "busy") {
      incoming.resume();
      outgoing.writeHead(429, { "retry-after": "1", "content-type": "text/plain" }).end("later");
      return;
    }
    const { host: _host, ...headers } = incoming.headers;
    const onward = request(`${target}${incoming.url}`, { method, headers }, (answer) => {
      if (treatment === "lose the answer") {
        answer.resume().once("end", () => incoming.socket.destroy());
        return;
      }
      outgoing.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.pipe(outgoing);
    });
    onward.on("error", () => outgoing.destroy());
    outgoing.on("close", () => onward.destroy());
    incoming.pipe(onward);
  });
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        proxy.close(() => resolve());
        proxy.closeAllConnections();
      }),
  };
}

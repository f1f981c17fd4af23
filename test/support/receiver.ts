/** A receiver of webhooks: a real HTTP server that keeps what it gets, and answers as a test wants. */
import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { onTestFinished } from "vitest";
import type { CloudEvent } from "../../src/cloudevents.ts";

export interface Received {
  path: string;
  headers: IncomingHttpHeaders & Record<"webhook-id" | "webhook-timestamp" | "webhook-signature", string>;
  body: string;
  /** The body, parsed. */
  event: CloudEvent;
}

/** @param answer default 204 to everything */
export async function startReceiver(
  answer: (received: Received, response: ServerResponse, all: Received[]) => void = (_, response) =>
    response.writeHead(204).end(),
) {
  const received: Received[] = [];
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const part of request) body += part;
    const one = { path: request.url, headers: request.headers, body, event: JSON.parse(body) } as Received;
    received.push(one);
    answer(one, response, received);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  onTestFinished(close);
  return {
    url: `http://127.0.0.1:${port}/hook`,
    port,
    /** In the order of their coming. */
    received,
    /** `sequence` of everything received of a document, repetitions included. */
    sequences: (document_id: string) =>
      received
        .filter(({ event }) => event.subject === document_id)
        .map(({ event }) => Number(event.sequence)),
    close,
  };
}

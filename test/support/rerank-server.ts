/** A real HTTP server that speaks the rerank APIs: a passage scores by the words that it shares with the query. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { onTestFinished } from "vitest";

export interface Received {
  path: string;
  headers: IncomingMessage["headers"];
  body: { query: string; model?: string; documents?: string[]; top_n?: number; texts?: string[] };
}

/** @param answer in place of the server's own; closed with the test */
export async function startRerankServer(
  answer: (response: ServerResponse, received: Received) => unknown = answerWell,
): Promise<{ url: string; received: Received[]; close(): Promise<void> }> {
  const received: Received[] = [];
  const server = createServer(async (request, response) => {
    let text = "";
    for await (const part of request.setEncoding("utf8")) text += part;
    const one = {
      path: `${request.method} ${request.url}`,
      headers: request.headers,
      body: JSON.parse(text),
    };
    received.push(one);
    answer(response, one);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const close = () => {
    server.closeAllConnections();
    return new Promise<void>((resolve) => server.close(() => resolve()));
  };
  onTestFinished(close);
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`, received, close };
}

export function answerWell(response: ServerResponse, { body }: Received): void {
  const words = wordsOf(body.query);
  const scored = (body.documents ?? body.texts ?? []).map((text, index) => ({
    index,
    score: [...wordsOf(text)].filter((word) => words.has(word)).length / words.size,
  }));
  // Best first, as the services answer.
  scored.sort((a, b) => b.score - a.score);
  const results = scored.map(({ index, score }) => ({ index, relevance_score: score }));
  response.setHeader("content-type", "application/json");
  response.end(JSON.stringify(body.texts ? scored : { results }));
}

function wordsOf(text: string): Set<string> {
  return new Set(text.toLowerCase().match(/\p{L}+/gu) ?? []);
}

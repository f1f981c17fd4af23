/** A local server that speaks the OpenAI embeddings API, and stops where a test wants it to. */
import { createServer, type ServerResponse } from "node:http";

export const DIMENSIONS = 16;

export interface EmbeddingServer {
  /** Settings that make Sluice use it. */
  env: Record<string, string>;
  /** Every text that it was asked to embed, in order, over all requests. */
  texts: string[];
  /** From now on requests wait. */
  hold(): void;
  /** Answers those that wait, and those to come at once. */
  release(): void;
  /** Lets requests pass until this many more texts have been answered; then they wait. */
  holdAfter(texts: number): void;
  /** From now on every request is answered with this status; null: as it should be. */
  refuse(status: number | null): void;
  /** Resolves when a request waits. */
  held(): Promise<void>;
  close(): Promise<void>;
}

export async function startEmbeddingServer(batch = 8): Promise<EmbeddingServer> {
  const texts: string[] = [];
  let waiting: (() => void)[] = [];
  let limit = Number.POSITIVE_INFINITY;
  let answered = 0;
  let onWait: (() => void)[] = [];
  let refusal: number | null = null;

  const server = createServer(async (request, response) => {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part);
    const { input } = JSON.parse(Buffer.concat(parts).toString()) as { input: string[] };
    texts.push(...input);
    if (answered + input.length > limit) {
      await new Promise<void>((resolve) => {
        waiting.push(resolve);
        for (const listener of onWait) listener();
      });
    }
    if (refusal !== null) {
      response.statusCode = refusal;
      response.end(JSON.stringify({ error: { message: "not today" } }));
      return;
    }
    answered += input.length;
    answer(response, input);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };

  function release(): void {
    limit = Number.POSITIVE_INFINITY;
    const released = waiting;
    waiting = [];
    for (const resolve of released) resolve();
  }

  return {
    env: {
      SLUICE_EMBEDDER: "openai",
      SLUICE_EMBEDDER_URL: `http://127.0.0.1:${port}/v1`,
      SLUICE_EMBEDDER_MODEL: "test",
      SLUICE_EMBEDDER_DIMENSIONS: String(DIMENSIONS),
      SLUICE_EMBEDDER_BATCH: String(batch),
      SLUICE_EMBEDDER_TIMEOUT_SECONDS: "60",
    },
    texts,
    hold() {
      limit = 0;
    },
    held() {
      return new Promise((resolve) => {
        const look = () => {
          if (waiting.length === 0) return;
          onWait = onWait.filter((listener) => listener !== look);
          resolve();
        };
        onWait.push(look);
        look();
      });
    },
    refuse(status) {
      refusal = status;
    },
    release,
    holdAfter(count) {
      limit = answered + count;
    },
    async close() {
      release();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** The same text gets the same vector, other texts mostly another. */
function answer(response: ServerResponse, input: string[]): void {
  const data = input.map((text, index) => {
    const embedding = new Array<number>(DIMENSIONS).fill(0.01);
    for (let i = 0; i < text.length; i++) embedding[text.charCodeAt(i) % DIMENSIONS]! += 1;
    return { object: "embedding", index, embedding };
  });
  response.setHeader("content-type", "application/json");
  response.end(JSON.stringify({ object: "list", data, model: "test" }));
}

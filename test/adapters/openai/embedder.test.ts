import { getEventListeners } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { describeEmbedder } from "../../../contracts/embedder.ts";
import { createHashingEmbedder } from "../../../src/adapters/hashing/embedder.ts";
import { createSystem } from "../../../src/adapters/node/system.ts";
import { createOpenAiEmbedder, type OpenAiEmbedderOptions } from "../../../src/adapters/openai/embedder.ts";
import { SluiceError } from "../../../src/errors.ts";
import type { System } from "../../../src/ports/system.ts";

interface Received {
  path: string;
  headers: IncomingMessage["headers"];
  body: { model: string; input: string[]; encoding_format: string; dimensions?: number };
}
type Answer = (response: ServerResponse, received: Received) => unknown;

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** A real HTTP server that gives these answers one after another, the last one for ever. */
async function startService(...answers: Answer[]): Promise<{ url: string; received: Received[] }> {
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
    const answer = answers[Math.min(received.length, answers.length) - 1] as Answer;
    answer(response, one);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  cleanups.push(() => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`, received };
}

const TIMEOUT_MS = 123_456;

/** Waits between tries take no time and are noted; requests run out of time when `expire` is called. */
function testSystem(): { system: System; waits: number[]; expire: () => void } {
  const waits: number[] = [];
  let expire = () => {};
  const system: System = {
    ...createSystem(),
    random: () => 0.5,
    sleep: (ms, signal) =>
      new Promise((resolve) => {
        if (ms === TIMEOUT_MS) {
          expire = resolve;
          signal?.addEventListener("abort", () => resolve(), { once: true });
        } else {
          waits.push(ms);
          setImmediate(resolve);
        }
      }),
  };
  return { system, waits, expire: () => expire() };
}

function embedderFor(url: string, system: System, options: Partial<OpenAiEmbedderOptions> = {}) {
  return createOpenAiEmbedder({ url, model: "m", dimensions: 2, timeout_ms: TIMEOUT_MS, system, ...options });
}

/** The vector that the service makes of a text: [its length, 1]. */
const vectorsOf = (input: string[]) =>
  input.map((text, index) => ({ object: "embedding", index, embedding: [text.length, 1] }));
const unit = (text: string) =>
  Float32Array.of(text.length / Math.hypot(text.length, 1), 1 / Math.hypot(text.length, 1));

function json(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(body));
}
const happy: Answer = (response, { body }) => json(response, 200, { data: vectorsOf(body.input) });
const shuffled: Answer = (response, { body }) =>
  json(response, 200, { data: vectorsOf(body.input).toReversed() });
const status =
  (code: number, body: unknown, headers: Record<string, string> = {}): Answer =>
  (response) =>
    json(response, code, body, headers);
const hang: Answer = () => {};

async function failureOf(promise: Promise<unknown>): Promise<SluiceError> {
  const error = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(SluiceError);
  return error as SluiceError;
}

describeEmbedder("OpenAI-compatible HTTP", async () => {
  const inside = createHashingEmbedder({ dimensions: 128 });
  const service = await startService(async (response, { body }) => {
    // Not of length 1, so that the suite sees that the adapter brings them there.
    const vectors = await inside.embed(body.input, "passage");
    const data = vectors.map((vector, index) => ({
      index,
      embedding: [...vector].map((value) => value * 7),
    }));
    json(response, 200, { data });
  });
  return { embedder: embedderFor(service.url, testSystem().system, { dimensions: 128 }) };
});

describe("a service that works", () => {
  test("gets model, texts and key, and its vectors come back with length 1", async () => {
    const service = await startService(happy);
    const embedder = embedderFor(`${service.url}/`, testSystem().system, { api_key: "sk-secret" });
    expect(await embedder.embed(["one", "three"], "passage")).toEqual([unit("one"), unit("three")]);
    expect(embedder).toMatchObject({ embedder_id: "openai:m:2", dimensions: 2, batch_size: 64 });
    expect(service.received).toHaveLength(1);
    expect(service.received[0]).toMatchObject({
      path: "POST /v1/embeddings",
      headers: { authorization: "Bearer sk-secret", "content-type": "application/json" },
    });
    expect(service.received[0]?.body).toEqual({
      model: "m",
      input: ["one", "three"],
      encoding_format: "float",
    });
    await expect(embedder.check()).resolves.toBeUndefined();
  });

  test("with other prefixes it is another embedder", () => {
    const { system } = testSystem();
    const idWith = (prefixes: object) => embedderFor("http://localhost:1", system, prefixes).embedder_id;
    const ids = [
      idWith({}),
      idWith({ query_prefix: "query: " }),
      idWith({ passage_prefix: "query: " }),
      idWith({ query_prefix: "query: ", passage_prefix: "passage: " }),
    ];
    expect(new Set(ids).size).toBe(4);
    expect(idWith({ query_prefix: "query: " })).toBe(ids[1]);
  });

  test("may answer in any order", async () => {
    const service = await startService(shuffled);
    const texts = ["a", "bb", "ccc"];
    expect(await embedderFor(service.url, testSystem().system).embed(texts, "query")).toEqual(
      texts.map(unit),
    );
  });

  test("gets no more than batch_size texts at once, and none without content", async () => {
    const service = await startService(happy);
    const embedder = embedderFor(service.url, testSystem().system, { batch_size: 2 });
    const vectors = await embedder.embed(["a", "", "bb", " \n", "ccc"], "passage");
    expect(vectors).toEqual([unit("a"), new Float32Array(2), unit("bb"), new Float32Array(2), unit("ccc")]);
    expect(service.received.map(({ body }) => body.input)).toEqual([["a", "bb"], ["ccc"]]);
    expect(await embedder.embed([], "passage")).toEqual([]);
    expect(service.received).toHaveLength(2);
  });

  test("gets prefixes, and dimensions only where asked to", async () => {
    const service = await startService(happy);
    const options = { query_prefix: "query: ", passage_prefix: "passage: ", request_dimensions: true };
    const embedder = embedderFor(`${service.url}?api-version=1`, testSystem().system, options);
    await embedder.embed(["x"], "query");
    await embedder.embed(["x"], "passage");
    expect(service.received.map(({ body }) => body.input)).toEqual([["query: x"], ["passage: x"]]);
    expect(service.received[0]?.body.dimensions).toBe(2);
    expect(service.received[0]?.path).toBe("POST /v1/embeddings?api-version=1");
    expect(service.received[0]?.headers.authorization).toBeUndefined();
  });
});

test("base64 is asked for where wanted, and comes to the same vectors", async () => {
  const service = await startService((response, { body }) => {
    const data = vectorsOf(body.input).map((item) => ({
      ...item,
      embedding: Buffer.from(Float32Array.from(item.embedding).buffer).toString("base64"),
    }));
    json(response, 200, { data });
  });
  const embedder = embedderFor(service.url, testSystem().system, { encoding: "base64" });
  expect(await embedder.embed(["one", "three"], "passage")).toEqual([unit("one"), unit("three")]);
  expect(service.received[0]?.body.encoding_format).toBe("base64");
  expect(embedder.embedder_id).toBe("openai:m:2");
});

describe("trouble that passes", () => {
  test("429: waits as long as Retry-After says", async () => {
    const busy = { error: { message: "slow down" } };
    const date = new Date(Date.now() + 4_000).toUTCString();
    const service = await startService(
      status(429, busy, { "retry-after": "2" }),
      status(429, busy, { "retry-after": date }),
      happy,
    );
    const { system, waits } = testSystem();
    expect(await embedderFor(service.url, system).embed(["a"], "passage")).toEqual([unit("a")]);
    expect(waits).toHaveLength(2);
    expect(waits[0]).toBe(2_000);
    expect(waits[1]).toBeGreaterThan(0);
    expect(waits[1]).toBeLessThanOrEqual(4_000);
  });

  test.each([408, 409, 425, 500, 502, 503, 529])(
    "%d: tries again after a growing wait with jitter",
    async (code) => {
      const service = await startService(status(code, {}), status(code, {}), happy);
      const { system, waits } = testSystem();
      expect(await embedderFor(service.url, system).embed(["a"], "passage")).toEqual([unit("a")]);
      expect(waits).toEqual([125, 250]);
    },
  );

  test("an answer cut off, a broken connection and a hang are tried again", async () => {
    const { system, waits, expire } = testSystem();
    const service = await startService(
      (response) =>
        response.writeHead(200, { "content-type": "application/json" }).end('{"data": [{"index": 0, "emb'),
      (response) => response.socket?.destroy(),
      () => expire(),
      happy,
    );
    expect(await embedderFor(service.url, system).embed(["a"], "passage")).toEqual([unit("a")]);
    expect(waits).toHaveLength(3);
  });
});

describe("trouble that stays", () => {
  test("429 beyond all tries is embedder_rate_limited, with a time", async () => {
    const service = await startService(status(429, { error: { message: "slow down" } }));
    const { system } = testSystem();
    const error = await failureOf(
      embedderFor(service.url, system, { max_retries: 1 }).embed(["a"], "passage"),
    );
    expect(error).toMatchObject({ code: "embedder_rate_limited", retryable: true, retry_after_ms: 5_000 });
    expect(error.message).toContain("answered 429: slow down (tried 2 times)");
    expect(service.received).toHaveLength(2);
  });

  test("a Retry-After of more than 5 s is left to the job's retry", async () => {
    const service = await startService(
      status(429, {}, { "retry-after": "60" }),
      status(503, { error: "loading the model" }, { "retry-after": "30" }),
    );
    const { system, waits } = testSystem();
    const embedder = embedderFor(service.url, system);
    const limited = await failureOf(embedder.embed(["a"], "passage"));
    expect(limited).toMatchObject({ code: "embedder_rate_limited", retry_after_ms: 60_000 });
    const loading = await failureOf(embedder.embed(["a"], "passage"));
    expect(loading).toMatchObject({ code: "embedder_unavailable", retry_after_ms: 30_000 });
    expect(loading.message).toContain("loading the model");
    expect(waits).toEqual([]);
    expect(service.received).toHaveLength(2);
  });

  test("500s are embedder_unavailable after max_retries", async () => {
    const service = await startService(status(500, { error: { message: "out of memory" } }));
    const { system, waits } = testSystem();
    const error = await failureOf(embedderFor(service.url, system).check());
    expect(error).toMatchObject({ code: "embedder_unavailable", retryable: true, retry_after_ms: undefined });
    expect(error.message).toContain("answered 500: out of memory (tried 4 times)");
    expect(waits).toEqual([125, 250, 500]);
  });

  test("a hang is embedder_unavailable after the timeout", async () => {
    const { system, expire } = testSystem();
    const service = await startService(() => expire());
    const error = await failureOf(embedderFor(service.url, system, { max_retries: 0 }).embed(["a"], "query"));
    expect(error.code).toBe("embedder_unavailable");
    expect(error.message).toMatch(/\/v1\/embeddings did not answer within 123456 ms$/);
  });

  test("a body that never ends counts against the timeout too", async () => {
    const { system, expire } = testSystem();
    const service = await startService((response) => {
      response.writeHead(200, { "content-type": "application/json" });
      response.write('{"data": [', () => expire());
    });
    const error = await failureOf(embedderFor(service.url, system, { max_retries: 0 }).embed(["a"], "query"));
    expect(error.message).toContain("did not answer within");
  });

  test("nobody there is embedder_unavailable and says why", async () => {
    const service = await startService(happy);
    await cleanups.pop()?.();
    const { system } = testSystem();
    const error = await failureOf(embedderFor(service.url, system).embed(["a"], "passage"));
    expect(error.code).toBe("embedder_unavailable");
    expect(error.message).toContain("ECONNREFUSED");
  });

  test("a wrong count of vectors is embedder_unavailable", async () => {
    const service = await startService(status(200, { data: [{ index: 0, embedding: [1, 2] }] }));
    const { system } = testSystem();
    const error = await failureOf(embedderFor(service.url, system).embed(["a", "b"], "passage"));
    expect(error.code).toBe("embedder_unavailable");
    expect(error.message).toContain("sent 1 vectors for 2 texts");
  });
});

describe("refusals", () => {
  test.each([400, 401, 403, 404, 413, 422, 307])(
    "%d is embedder_rejected at once, in the service's words and without the key",
    async (code) => {
      const said = { error: { message: "no good: key sk-secret, model m" } };
      const service = await startService(status(code, said, { location: "/elsewhere" }));
      const { system, waits } = testSystem();
      const embedder = embedderFor(`${service.url}?token=t0p`, system, { api_key: "sk-secret" });
      const error = await failureOf(embedder.embed(["a"], "passage"));
      expect(error).toMatchObject({ code: "embedder_rejected", retryable: false });
      expect(error.message).toBe(
        `The embedding service at ${service.url}/embeddings answered ${code}: no good: key [api key], model m`,
      );
      expect(service.received).toHaveLength(1);
      expect(waits).toEqual([]);
    },
  );

  test("vectors of another length: the message names both", async () => {
    const service = await startService(status(200, { data: [{ index: 0, embedding: [1, 2, 3] }] }));
    const error = await failureOf(embedderFor(service.url, testSystem().system).embed(["a"], "passage"));
    expect(error.code).toBe("embedder_rejected");
    expect(error.message).toContain("makes vectors of 3 dimensions with model m, but 2 are configured");
  });
});

describe("abort", () => {
  const reason = new Error("cancelled by the test");

  test("ends a request in flight, and the service sees its connection close", async () => {
    const abort = new AbortController();
    const closed = Promise.withResolvers<void>();
    const service = await startService((response) => {
      response.on("close", () => closed.resolve());
      abort.abort(reason);
    });
    const embedding = embedderFor(service.url, testSystem().system).embed(["a"], "passage", abort.signal);
    await expect(embedding).rejects.toBe(reason);
    await closed.promise;
    expect(service.received).toHaveLength(1);
  });

  test("ends a wait between tries", async () => {
    const abort = new AbortController();
    const service = await startService(status(500, {}));
    const { system } = testSystem();
    const waiting: System = {
      ...system,
      sleep: (ms, signal) => {
        if (ms === TIMEOUT_MS) return system.sleep(ms, signal);
        return new Promise((resolve) => {
          signal?.addEventListener("abort", () => resolve(), { once: true });
          abort.abort(reason);
        });
      },
    };
    await expect(embedderFor(service.url, waiting).embed(["a"], "passage", abort.signal)).rejects.toBe(
      reason,
    );
    expect(service.received).toHaveLength(1);
  });

  test("leaves nothing behind on a signal that outlives the call", async () => {
    const service = await startService(status(500, {}), happy);
    const { signal } = new AbortController();
    await embedderFor(service.url, testSystem().system).embed(["a"], "passage", signal);
    expect(getEventListeners(signal, "abort")).toEqual([]);
  });

  test("before the call sends nothing", async () => {
    const service = await startService(hang);
    const embedding = embedderFor(service.url, testSystem().system).embed(
      ["a"],
      "query",
      AbortSignal.abort(reason),
    );
    await expect(embedding).rejects.toBe(reason);
    expect(service.received).toHaveLength(0);
  });
});

test.each([
  [{ url: "nowhere" }, "http or https"],
  [{ url: "ftp://host/v1" }, "http or https"],
  [{ url: "http://user:pw@host/v1" }, "use api_key"],
  [{ model: "" }, "model"],
  [{ dimensions: 0 }, "dimensions"],
  [{ batch_size: 1.5 }, "batch_size"],
  [{ max_retries: -1 }, "max_retries"],
])("options that make no sense are refused: %o", (options, problem) => {
  expect(() => embedderFor("http://host/v1", createSystem(), options)).toThrow(problem);
});

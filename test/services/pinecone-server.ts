/**
 * The part of Pinecone's data plane that the adapter uses, on a local port, written from the published reference (OpenAPI
 * of API version 2025-10, and the pages on limits, metadata filters and data freshness). It is not Pinecone: it shows
 * that the adapter keeps to what is published, not how the service behaves beyond that. Similarity is exact.
 */
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface PineconeServerOptions {
  dimension: number;
  /** Told with the statistics. Default cosine, the only one that is computed. */
  metric?: string;
  /** Default "test-key". */
  api_key?: string;
  /** Milliseconds until a write shows in queries and listings; Infinity until `catchUp`. Default 0. */
  visible_after_ms?: number;
  /** Ids on a page of a listing, where fewer are to be had than the 100 of the reference. */
  page?: number;
  /** Default a free one. */
  port?: number;
}

export interface SeenRequest {
  method: string;
  path: string;
  headers: IncomingMessage["headers"];
  /** Parameters of a GET. */
  params: Record<string, string>;
  body: Record<string, unknown>;
  bytes: number;
}

export interface NextFailure {
  /** Default 503. 0 breaks the connection. */
  status?: number;
  retry_after?: string;
  /** Only requests to this path. Default any. */
  path?: string;
  /** How many. Default 1. */
  times?: number;
  /** Fails after the request took effect, as an answer that got lost. */
  applied?: boolean;
  /** Requests to let through before. Default 0. */
  after?: number;
}

export interface StoredRecord {
  id: string;
  values: number[];
  metadata: Record<string, unknown>;
}

export interface PineconeServer {
  url: string;
  /** Every request so far, in the order of arrival. */
  requests: SeenRequest[];
  failNext(failure?: NextFailure): void;
  /** From now on, writes take so long to show. */
  showAfter(ms: number): void;
  /** Shows every write made so far. */
  catchUp(): void;
  /** What was written into a namespace, whether it shows or not. */
  records(namespace: string): StoredRecord[];
  namespaces(): string[];
  stop(): Promise<void>;
}

type PlannedFailure = NextFailure & { status: number; times: number; applied: boolean; after: number };

interface Namespace {
  written: Map<string, StoredRecord>;
  shown: Map<string, StoredRecord>;
  /** Writes that don't show yet. */
  waiting: { lsn: number; at: number; apply: (records: Map<string, StoredRecord>) => void }[];
  lsn: number;
  shownLsn: number;
}

type Json = Record<string, unknown>;

/** An error of the reference: a status, and gRPC's code for it. */
class Refused extends Error {
  readonly status: number;
  readonly code: number;
  constructor(message: string, status = 400, code = 3) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

const MAX_UPSERT_BYTES = 2 * 1024 * 1024;
const MAX_METADATA_BYTES = 40 * 1024;

export async function startPineconeServer(options: PineconeServerOptions): Promise<PineconeServer> {
  const { dimension, metric = "cosine", api_key = "test-key", page = 100 } = options;
  let visible_after_ms = options.visible_after_ms ?? 0;
  const namespaces = new Map<string, Namespace>();
  const requests: SeenRequest[] = [];
  let failures: PlannedFailure[] = [];

  const nameOf = (given: unknown) => (given === undefined || given === "__default__" ? "" : String(given));

  function show(namespace: Namespace, until: number): void {
    while (namespace.waiting[0] !== undefined && namespace.waiting[0].at <= until) {
      const { lsn, apply } = namespace.waiting.shift()!;
      apply(namespace.shown);
      namespace.shownLsn = lsn;
    }
  }

  /** A namespace as queries see it now. */
  function seen(given: unknown): Namespace | undefined {
    const namespace = namespaces.get(nameOf(given));
    if (namespace) show(namespace, performance.now());
    return namespace;
  }

  function write(namespace: Namespace, apply: (records: Map<string, StoredRecord>) => void): Json {
    apply(namespace.written);
    namespace.lsn += 1;
    namespace.waiting.push({ lsn: namespace.lsn, at: performance.now() + visible_after_ms, apply });
    return { "x-pinecone-request-lsn": String(namespace.lsn) };
  }

  const routes: Record<string, (asked: SeenRequest) => { body: Json; headers?: Json }> = {
    "POST /vectors/upsert": ({ body, bytes }) => {
      if (bytes > MAX_UPSERT_BYTES) {
        throw new Refused(`Request size ${bytes} bytes exceeds the maximum supported size of 2MB`);
      }
      const vectors = body.vectors;
      if (!Array.isArray(vectors) || vectors.length === 0) throw new Refused("No vectors provided");
      if (vectors.length > 1_000) throw new Refused(`Batch size ${vectors.length} exceeds 1000`);
      const records = vectors.map((vector) => parseRecord(vector as Json, dimension));
      const name = nameOf(body.namespace);
      let namespace = namespaces.get(name);
      if (namespace === undefined) {
        namespace = { written: new Map(), shown: new Map(), waiting: [], lsn: 0, shownLsn: 0 };
        namespaces.set(name, namespace);
      }
      const headers = write(namespace, (all) => {
        for (const record of records) all.set(record.id, record);
      });
      return { body: { upsertedCount: records.length }, headers };
    },

    "POST /query": ({ body }) => {
      const { topK, vector, filter, includeMetadata = false, includeValues = false } = body as Json;
      if (!Number.isInteger(topK) || Number(topK) < 1 || Number(topK) > 10_000) {
        throw new Refused(`topK must be between 1 and 10000, not ${String(topK)}`);
      }
      const asked = parseValues(vector, dimension);
      const namespace = seen(body.namespace);
      const matches = [...(namespace?.shown.values() ?? [])]
        .filter(({ metadata }) => filter === undefined || fits(metadata, filter))
        .map((record) => ({ record, score: Math.fround(cosine(record.values, asked)) }))
        .sort((a, b) => b.score - a.score)
        .slice(0, Number(topK))
        .map(({ record, score }) => ({
          id: record.id,
          score,
          ...(includeValues ? { values: record.values } : {}),
          ...(includeMetadata ? { metadata: record.metadata } : {}),
        }));
      const answer = { matches, namespace: nameOf(body.namespace), usage: { readUnits: 1 } };
      return { body: answer, headers: { "x-pinecone-max-indexed-lsn": String(namespace?.shownLsn ?? 0) } };
    },

    "GET /vectors/list": ({ params }) => {
      const limit = Number(params.limit ?? 100);
      if (!Number.isInteger(limit) || limit < 1 || limit > 100) throw new Refused("limit must be 1 to 100");
      const after = params.paginationToken && Buffer.from(params.paginationToken, "base64").toString();
      const ids = [...(seen(params.namespace)?.shown.keys() ?? [])]
        .filter((id) => id.startsWith(params.prefix ?? "") && (!after || id > after))
        .sort();
      const given = ids.slice(0, Math.min(limit, page));
      const next = ids.length > given.length ? Buffer.from(given.at(-1)!).toString("base64") : undefined;
      return {
        body: {
          vectors: given.map((id) => ({ id })),
          ...(next === undefined ? {} : { pagination: { next } }),
          namespace: nameOf(params.namespace),
          usage: { readUnits: 1 },
        },
      };
    },

    "POST /vectors/delete": ({ body }) => {
      const { ids, deleteAll, filter } = body as Json;
      if (filter !== undefined || deleteAll !== undefined) {
        throw new Refused("This server deletes by ids only");
      }
      if (!Array.isArray(ids) || ids.length < 1 || ids.length > 1_000) {
        throw new Refused("A delete takes 1 to 1000 ids");
      }
      const namespace = namespaces.get(nameOf(body.namespace));
      if (namespace === undefined) throw new Refused("Namespace not found", 404, 5);
      const headers = write(namespace, (all) => {
        for (const id of ids) all.delete(String(id));
      });
      return { body: {}, headers };
    },

    "POST /describe_index_stats": ({ body }) => {
      if (body.filter !== undefined) throw new Refused("Serverless indexes can't filter their statistics");
      const counts = [...namespaces.keys()].map((name) => [name, seen(name)!.shown.size] as const);
      return {
        body: {
          namespaces: Object.fromEntries(counts.map(([name, vectorCount]) => [name, { vectorCount }])),
          dimension,
          metric,
          vectorType: "dense",
          indexFullness: 0,
          totalVectorCount: counts.reduce((sum, [, count]) => sum + count, 0),
        },
      };
    },
  };

  function takeFailure(path: string): PlannedFailure | undefined {
    const next = failures.find((failure) => failure.path === undefined || failure.path === path);
    if (next === undefined) return undefined;
    if (next.after > 0) {
      next.after -= 1;
      return undefined;
    }
    next.times -= 1;
    failures = failures.filter(({ times }) => times > 0);
    return next;
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const bytes = Buffer.concat(chunks);
    const url = new URL(request.url ?? "/", "http://localhost");
    const method = request.method ?? "GET";
    const failure = takeFailure(url.pathname);
    const fail = () => {
      if (failure?.status === 0) return void request.socket.destroy();
      const { status = 503 } = failure ?? {};
      const headers = failure?.retry_after === undefined ? {} : { "retry-after": failure.retry_after };
      reply(
        response,
        status,
        { code: status === 429 ? 8 : 14, message: "as asked for", details: [] },
        headers,
      );
    };
    if (failure && !failure.applied) return fail();
    if (request.headers["api-key"] !== api_key) {
      response.writeHead(401, { "content-type": "text/plain" }).end("Unauthorized");
      return;
    }
    try {
      if (!/^\d{4}-\d{2}$/.test(String(request.headers["x-pinecone-api-version"]))) {
        throw new Refused("The header X-Pinecone-Api-Version is required");
      }
      const route = routes[`${method} ${url.pathname}`];
      if (route === undefined) throw new Refused(`No ${method} ${url.pathname} here`, 404, 5);
      const asked: SeenRequest = {
        method,
        path: url.pathname,
        headers: request.headers,
        params: Object.fromEntries(url.searchParams),
        body: bytes.length === 0 ? {} : parseBody(bytes),
        bytes: bytes.length,
      };
      requests.push(asked);
      const { body, headers = {} } = route(asked);
      if (failure) fail();
      else reply(response, 200, body, headers);
    } catch (error) {
      const { status, code } = error instanceof Refused ? error : { status: 500, code: 13 };
      reply(response, status, { code, message: (error as Error).message, details: [] }, {});
    }
  }

  const server = createServer((request, response) => {
    // A client that gives up in the middle of its request breaks the reading of it: nobody is left to be answered.
    answer(request, response).catch(() => request.socket.destroy());
  });
  server.listen(options.port ?? 0, "127.0.0.1");
  await once(server, "listening");

  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    failNext(failure = {}) {
      failures.push({ status: 503, times: 1, applied: false, after: 0, ...failure });
    },
    showAfter(ms) {
      visible_after_ms = ms;
    },
    catchUp() {
      for (const namespace of namespaces.values()) show(namespace, Number.POSITIVE_INFINITY);
    },
    records: (namespace) => [...(namespaces.get(namespace)?.written.values() ?? [])],
    namespaces: () => [...namespaces.keys()],
    async stop() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

function reply(response: ServerResponse, status: number, body: Json, headers: Json): void {
  response.writeHead(status, { "content-type": "application/json", ...(headers as Record<string, string>) });
  response.end(JSON.stringify(body));
}

function parseBody(bytes: Buffer): Json {
  try {
    return JSON.parse(bytes.toString()) as Json;
  } catch {
    throw new Refused("The body is not JSON");
  }
}

function parseValues(values: unknown, dimension: number): number[] {
  if (!Array.isArray(values) || !values.every((value) => typeof value === "number")) {
    throw new Refused("A vector is a list of numbers");
  }
  if (values.length !== dimension) {
    throw new Refused(
      `Vector dimension ${values.length} does not match the dimension of the index ${dimension}`,
    );
  }
  return values.map(Math.fround);
}

function parseRecord({ id, values, metadata = {} }: Json, dimension: number): StoredRecord {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: ids are ASCII without NUL
  if (typeof id !== "string" || !/^[\x01-\x7f]{1,512}$/.test(id)) throw new Refused("Vector ID is not valid");
  const numbers = parseValues(values, dimension);
  if (numbers.every((value) => value === 0)) {
    throw new Refused("Dense vectors must contain at least one non-zero value");
  }
  if (Buffer.byteLength(JSON.stringify(metadata)) > MAX_METADATA_BYTES) {
    throw new Refused(`Metadata size exceeds the limit of ${MAX_METADATA_BYTES} bytes per vector`);
  }
  for (const [name, value] of Object.entries(metadata as Json)) {
    const strings = Array.isArray(value) && value.every((item) => typeof item === "string");
    if (name.startsWith("$") || (!strings && !["string", "number", "boolean"].includes(typeof value))) {
      throw new Refused(
        `Metadata value must be a string, number, boolean or list of strings, got ${JSON.stringify(value)} for field ${name}`,
      );
    }
  }
  return { id, values: numbers, metadata: metadata as Json };
}

function cosine(a: readonly number[], b: readonly number[]): number {
  let [dot, lengthA, lengthB] = [0, 0, 0];
  for (const [place, x] of a.entries()) {
    const y = b[place]!;
    dot += x * y;
    lengthA += x * x;
    lengthB += y * y;
  }
  const lengths = Math.sqrt(lengthA * lengthB);
  return lengths === 0 ? 0 : dot / lengths;
}

/** The filter language of the reference: a field's conditions, or `$and` and `$or` over filters. */
function fits(metadata: Json, filter: unknown): boolean {
  if (typeof filter !== "object" || filter === null || Array.isArray(filter)) {
    throw new Refused("A filter is an object");
  }
  return Object.entries(filter).every(([name, wanted]) => {
    if (name === "$and" || name === "$or") {
      if (!Array.isArray(wanted) || wanted.length === 0) throw new Refused(`${name} takes a list of filters`);
      const results = wanted.map((one) => fits(metadata, one));
      return name === "$and" ? results.every(Boolean) : results.some(Boolean);
    }
    if (name.startsWith("$")) throw new Refused(`${name} is not a valid operator here`);
    const conditions = typeof wanted === "object" && wanted !== null ? wanted : { $eq: wanted };
    const values = [metadata[name]].flat().filter((value) => value !== undefined);
    return Object.entries(conditions).every(([operator, operand]) => test(values, operator, operand));
  });
}

/** A list of strings fits when one of its items does. */
function test(values: unknown[], operator: string, operand: unknown): boolean {
  const scalar = (types: string[]) => {
    if (!types.includes(typeof operand)) throw new Refused(`${operator} takes ${types.join(" or ")}`);
  };
  const list = () => {
    const good =
      Array.isArray(operand) && operand.every((item) => ["string", "number"].includes(typeof item));
    if (!good || operand.length > 10_000) throw new Refused(`${operator} takes a list of strings or numbers`);
    return operand as unknown[];
  };
  const ordered = (compare: (a: number, b: number) => boolean) => {
    scalar(["number"]);
    return values.some((value) => typeof value === "number" && compare(value, operand as number));
  };
  switch (operator) {
    case "$eq":
      scalar(["string", "number", "boolean"]);
      return values.includes(operand);
    case "$ne":
      scalar(["string", "number", "boolean"]);
      return !values.includes(operand);
    case "$in":
      return list().some((item) => values.includes(item));
    case "$nin":
      return !list().some((item) => values.includes(item));
    case "$exists":
      scalar(["boolean"]);
      return values.length > 0 === operand;
    case "$gt":
      return ordered((a, b) => a > b);
    case "$gte":
      return ordered((a, b) => a >= b);
    case "$lt":
      return ordered((a, b) => a < b);
    case "$lte":
      return ordered((a, b) => a <= b);
    default:
      throw new Refused(`${operator} is not a valid operator`);
  }
}

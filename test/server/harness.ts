/** A server over memory adapters, on a free port; every answer is held against the OpenAPI document. */

import { createHash } from "node:crypto";
import type { AddressInfo } from "node:net";
import { pino } from "pino";
import { expect, onTestFinished } from "vitest";
import { z } from "zod";
import { createMemoryBlobStore } from "../../src/adapters/memory/blob-store.ts";
import { createMemoryStorage } from "../../src/adapters/memory/storage.ts";
import { createSystem } from "../../src/adapters/node/system.ts";
import type { PublisherConfig } from "../../src/config/config.ts";
import { advance, type DocumentRecord } from "../../src/document.ts";
import { namesOfParts } from "../../src/document-text.ts";
import type { ErrorInfo } from "../../src/errors.ts";
import type { EventData, EventType, SluiceEvent } from "../../src/events.ts";
import { createCollections } from "../../src/intake/collections.ts";
import { createCommands } from "../../src/intake/commands.ts";
import { createDirectUploads } from "../../src/intake/direct-upload.ts";
import { createUploads } from "../../src/intake/upload.ts";
import type { Lease } from "../../src/job.ts";
import type { ApiKey } from "../../src/ports/api-key-store.ts";
import type { BlobStore } from "../../src/ports/blob-store.ts";
import type { Commit } from "../../src/ports/document-store.ts";
import { createFollower } from "../../src/progress/follow.ts";
import { createReindex } from "../../src/reindex/reindex.ts";
import { createSearch } from "../../src/search/search.ts";
import { buildApp } from "../../src/server/app.ts";
import type { AcceptedAnswer, Problem } from "../../src/server/schemas.ts";

const readable = new Set(["text/plain", "text/markdown", "text/html", "application/json"]);

export interface ServerOptions {
  max_upload_bytes?: number;
  publishers?: PublisherConfig[];
  allowed_origins?: string[];
  blobs?: BlobStore;
  page_dir?: string;
  /** Log lines, as parsed objects. */
  onLog?: (line: Record<string, unknown>) => void;
}

export type TestServer = Awaited<ReturnType<typeof startServer>>;

/** Ends by itself with the test. */
export async function startServer(options: ServerOptions = {}) {
  const system = createSystem();
  const embedder_id = "test@1";
  const storage = createMemoryStorage({ system, embedder_id });
  const { documents, queue, index, keys } = storage;
  const blobs = options.blobs ?? createMemoryBlobStore();
  const follower = createFollower(documents);
  const max_upload_bytes = options.max_upload_bytes ?? 1024 * 1024;
  const embedder = {
    embedder_id,
    dimensions: 2,
    batch_size: 16,
    embed: async (texts: string[]) => texts.map(() => Float32Array.of(1, 0)),
    check: async () => {},
  };
  const log = pino(
    { level: "debug" },
    { write: (line: string) => options.onLog?.(JSON.parse(line) as Record<string, unknown>) },
  );
  const app = await buildApp({
    config: {
      max_upload_bytes,
      publishers: options.publishers ?? [],
      allowed_origins: options.allowed_origins ?? [],
      extract: { timeout_ms: 1, memory_mb: 1, soffice: undefined, ocr_languages: ["eng"] },
    },
    extractor: { media_types: readable },
    embedder,
    system,
    log,
    documents,
    queue,
    blobs,
    keys,
    offerDirectUpload: createDirectUploads({ system, blobs, max_upload_bytes }),
    beginUpload: createUploads({
      system,
      blobs,
      documents,
      accepts: (type) => readable.has(type),
      max_upload_bytes,
      max_attempts: 3,
    }),
    collections: createCollections({
      system,
      documents,
      chunking: { max_tokens: 256, overlap_tokens: 32 },
    }),
    commands: createCommands({ system, documents, queue, max_attempts: 3 }),
    follower,
    search: createSearch({ documents, index, embedder }),
    reindex: createReindex({ documents, queue, index, embedder, system }),
    page_dir: options.page_dir,
  });
  await app.listen({ host: "127.0.0.1", port: 0 });
  const { port } = app.server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}`;
  onTestFinished(async () => {
    await app.close();
    follower.close();
    await documents.close();
  });
  const conform = createConformance(app.swagger() as unknown as OpenApi);

  /** fetch, with the answer held against its schema. */
  async function request(path: string, init: RequestInit = {}): Promise<Answer> {
    const response = await fetch(url + path, init);
    const answer: Answer = {
      status: response.status,
      headers: response.headers,
      text: await response.text(),
      json<T>() {
        return JSON.parse(answer.text) as T;
      },
      problem() {
        expect(answer.headers.get("content-type")).toBe("application/problem+json; charset=utf-8");
        return answer.json<Problem>();
      },
    };
    conform(init.method ?? "GET", path, answer);
    return answer;
  }

  async function upload(text: string, query = "filename=a.txt", headers: Record<string, string> = {}) {
    const answer = await request(`/v1/documents?${query}`, {
      method: "POST",
      headers: { "content-type": "text/plain", ...headers },
      body: text,
    });
    expect(answer.status, answer.text).toBe(202);
    return answer.json<AcceptedAnswer>();
  }

  /** Commits one event of a document's journey, as a worker would. */
  async function move<T extends EventType>(
    document_id: string,
    event_type: T,
    data: Omit<EventData<T>, "job_id" | "version">,
    more: Partial<Commit> = {},
    tenant_id = "default",
  ): Promise<DocumentRecord> {
    const current = await documents.getDocument(tenant_id, document_id);
    if (!current) throw new Error(`no ${document_id}`);
    const { job_id, version, correlation_id } = current;
    const { document, event } = advance(current, event_type, { job_id, version, ...data } as EventData<T>, {
      ...system,
      correlation_id,
      causation_id: null,
    });
    const { revision } = current;
    await documents.commit([
      { tenant_id, document: { record: document, expect_revision: revision }, events: [event], ...more },
    ]);
    return document;
  }

  const start = (document_id: string, tenant_id = "default") =>
    move(document_id, "rag.ingestion.started", { attempt: 1, worker_id: "wrk_1" }, {}, tenant_id);

  /** A document that was ingested: its text kept, one chunk per line, searchable. */
  async function complete(document_id: string, text: string, tenant_id = "default"): Promise<DocumentRecord> {
    const processing = await start(document_id, tenant_id);
    const { version } = processing;
    const key = `${tenant_id}/${system.newId("blob")}`;
    const { sha256 } = await blobs.put(key, bytes(`[]\n${text}`));
    const data = namesOfParts([{ key, char_start: 0, char_end: text.length, sha256 }]);
    await move(
      document_id,
      "rag.ingestion.stage_completed",
      { stage: "extracting", duration_ms: 5, counts: { characters: text.length } },
      { checkpoint: { stage: "extracting", data } },
      tenant_id,
    );
    let offset = 0;
    const chunks = text.split("\n").map((line, ordinal) => {
      const char_start = offset;
      offset += line.length + 1;
      return {
        chunk_id: `chk_${document_id.slice(4)}_${version}_${ordinal}`,
        document_id,
        version,
        ordinal,
        text: line,
        page: null,
        sheet: null,
        row_start: null,
        row_end: null,
        char_start,
        char_end: char_start + line.length,
        heading_path: ["Top"],
        section_start: 0,
        header: null,
        token_count: 3,
      };
    });
    const vector = Float32Array.of(1, 0);
    await documents.commit([
      {
        tenant_id,
        chunks,
        embeddings: {
          document_id,
          version,
          embedder_id,
          vectors: chunks.map(({ ordinal }) => ({ ordinal, vector })),
        },
      },
    ]);
    const { collection } = processing;
    await index.stage(chunks.map((chunk) => ({ chunk, tenant_id, collection, vector })));
    const lease = await leaseOf(processing.job_id);
    return move(
      document_id,
      "rag.ingestion.completed",
      { chunks_created: chunks.length, processing_time_ms: 12 },
      { lease, settle: { state: "succeeded" } },
      tenant_id,
    );
  }

  /** A document whose job is a dead letter. */
  async function kill(document_id: string, error: ErrorInfo): Promise<DocumentRecord> {
    const document = await documents.getDocument("default", document_id);
    if (!document) throw new Error(`no ${document_id}`);
    return move(
      document_id,
      "rag.ingestion.failed",
      { attempt: 1, error },
      { lease: await leaseOf(document.job_id), settle: { state: "dead", error } },
    );
  }

  const leases = new Map<string, Lease>();
  async function leaseOf(job_id: string): Promise<Lease> {
    for (const { job_id, lease_token } of await queue.claim("wrk_1", 100, 60_000)) {
      leases.set(job_id, { job_id, lease_token });
    }
    const lease = leases.get(job_id);
    if (!lease) throw new Error(`${job_id} could not be claimed`);
    return lease;
  }

  async function addKey(tenant_id: string, more: Partial<ApiKey> = {}): Promise<{ authorization: string }> {
    const key = `sk_${system.newId("key")}`;
    await keys.add({
      key_id: system.newId("key"),
      tenant_id,
      name: tenant_id,
      hash: createHash("sha256").update(key).digest("hex"),
      operator: false,
      created_at: new Date().toISOString(),
      expires_at: null,
      ...more,
    });
    return { authorization: `Bearer ${key}` };
  }

  async function blobCount(): Promise<number> {
    let count = 0;
    for await (const _blob of blobs.list("")) count++;
    return count;
  }

  return {
    app,
    url,
    port,
    system,
    documents,
    queue,
    blobs,
    keys,
    request,
    upload,
    move,
    start,
    complete,
    kill,
    addKey,
    blobCount,
  };
}

export interface Answer {
  status: number;
  headers: Headers;
  text: string;
  json<T>(): T;
  /** The body as a problem, its media type checked. */
  problem(): Problem;
}

export function json(value: unknown): RequestInit {
  return { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(value) };
}

async function* bytes(text: string) {
  yield Buffer.from(text);
}

/** Waits for a condition that another party brings about. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  await expect.poll(condition, { interval: 5, timeout: 10_000 }).toBe(true);
}

export function sequences(events: SluiceEvent[]): number[] {
  return events.map(({ sequence }) => sequence);
}

interface OpenApi {
  paths: Record<
    string,
    Record<string, { responses: Record<string, { content?: Record<string, { schema: object }> }> }>
  >;
  components: { schemas: Record<string, object> };
}

/** Fails where an answer's status, media type or body is not what the OpenAPI document says of its route. */
function createConformance(document: OpenApi) {
  const text = JSON.stringify(document).replaceAll("#/components/schemas/", "#/$defs/");
  const { paths, components } = JSON.parse(text) as OpenApi;
  const routes = Object.entries(paths).map(([path, operations]) => ({
    pattern: new RegExp(`^${path.replace(/\{\w+\}/g, "[^/]+")}$`),
    literal: !path.includes("{"),
    operations,
  }));
  return (method: string, url: string, answer: Answer): void => {
    const path = url.split("?")[0] as string;
    const fitting = routes.filter(({ pattern }) => pattern.test(path));
    const route = fitting.find(({ literal }) => literal) ?? fitting[0];
    const operation = route?.operations[method.toLowerCase()];
    if (!operation) return;
    const response = operation.responses[String(answer.status)];
    expect(response, `${method} ${path} answers ${answer.status}, which is not documented`).toBeDefined();
    if (!response?.content) {
      expect(answer.text).toBe("");
      return;
    }
    const type = answer.headers.get("content-type")?.split(";")[0] ?? "";
    const schema = response.content[type]?.schema ?? response.content["*/*"]?.schema;
    expect(schema, `${method} ${path} answers ${type}, which is not documented`).toBeDefined();
    if (!type.endsWith("json") || !schema || path.endsWith("/file")) return;
    const parsed = z
      .fromJSONSchema({ ...schema, $defs: components.schemas } as Parameters<typeof z.fromJSONSchema>[0])
      .safeParse(JSON.parse(answer.text));
    expect(parsed.error, `${method} ${path} ${answer.status}`).toBeUndefined();
  };
}

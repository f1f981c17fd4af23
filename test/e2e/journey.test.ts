/** The main promise, through real processes and real HTTP. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import type { Document } from "../../src/document.ts";
import { anyEventSchema, type SluiceEvent } from "../../src/events.ts";
import type { Job } from "../../src/job.ts";
import { expectLegal } from "../journey.ts";
import { type Client, createClient } from "./client.ts";
import { type Running, root, startSluice } from "./processes.ts";

let sluice: Running;
let client: Client;
beforeAll(async () => {
  sluice = await startSluice({ env: { SLUICE_CHUNK_TOKENS: "64", SLUICE_CHUNK_OVERLAP_TOKENS: "8" } });
  client = createClient(sluice.url);
});
afterAll(async () => {
  expect(await sluice.stop()).toBe(0);
});

const story = (subject: string) =>
  `# The ${subject}\n\nA ${subject} lives by the river.\n\n## Habits\n\nEvery morning the ${subject} counts its pebbles. ${"It counts them twice. ".repeat(40)}\n\n## Food\n\nThe ${subject} eats dandelion and clover.\n`;

describe("a document's journey", () => {
  test("is answered at once, followed live, and ends in a hit that cites its place", async () => {
    const answer = await client.upload("otter.md", story("otter"), { metadata: '{"shelf": 3}' });
    expect(answer.status).toBe(202);
    const { document_id, job_id, correlation_id } = answer.body;
    expect(answer.body).toMatchObject({ status: "pending", duplicate: false, version: 1 });
    expect(answer.headers.get("location")).toBe(answer.body.status_url);

    const document = await client.ended(document_id, job_id);
    expect(document).toMatchObject({
      status: "completed",
      stage: null,
      error: null,
      media_type: "text/markdown",
    });
    expect(document.chunks_created).toBeGreaterThan(3);

    const events = await client.journey(document_id);
    expect(expectLegal(events)).toBe("completed");
    for (const event of events) {
      expect(anyEventSchema.parse(event)).toEqual(event);
      expect(event.correlation_id).toBe(correlation_id);
    }
    const stages = events.flatMap((event) =>
      event.event_type === "rag.ingestion.stage_completed" ? [event.data.stage] : [],
    );
    expect(stages).toEqual(["extracting", "chunking", "embedding", "indexing"]);

    const { hits } = await client.search({ query: "otter dandelion", filter: { shelf: 3 } });
    const hit = hits.find((candidate) => candidate.text.includes("dandelion"));
    expect(hit).toMatchObject({ document_id, filename: "otter.md", heading_path: ["The otter", "Food"] });
    const text = (await client.call<string>("GET", `/v1/documents/${document_id}/text`)).body;
    expect(text.slice(hit?.char_start, hit?.char_end)).toBe(hit?.text);
    const file = (await client.call<string>("GET", `/v1/documents/${document_id}/file`)).body;
    expect(file).toBe(story("otter"));
  });

  test.each([
    ["sample.pdf", "application/pdf"],
    ["sample.docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"],
    ["sample.html", "text/html"],
    ["sample.txt", "text/plain"],
  ])("reads %s", async (name, media_type) => {
    const { body } = await client.upload(name, readFileSync(join(root, "test/fixtures", name)));
    const document = await client.ended(body.document_id, body.job_id);
    expect(document).toMatchObject({ status: "completed", media_type });
    const { chunks } = (
      await client.call<{ chunks: { text: string; page: number | null }[] }>(
        "GET",
        `/v1/documents/${body.document_id}/chunks`,
      )
    ).body;
    expect(chunks).toHaveLength(document.chunks_created);
    if (name.endsWith(".pdf")) expect(chunks.every((chunk) => (chunk.page ?? 0) >= 1)).toBe(true);
  });

  test("takes a raw body, and gives the same answer again for the same bytes", async () => {
    const send = (query: string) =>
      fetch(`${sluice.url}/v1/documents?${query}`, { method: "POST", body: story("heron") });
    const first = await send("filename=heron.md&collection=birds");
    expect(first.status).toBe(202);
    const body = (await first.json()) as { document_id: string; job_id: string };
    await client.ended(body.document_id, body.job_id);
    const again = await send("filename=other.md&collection=birds");
    expect(again.status).toBe(200);
    expect(await again.json()).toMatchObject({
      document_id: body.document_id,
      duplicate: true,
      status: "completed",
    });
    const elsewhere = (await (await send("filename=heron.md&collection=fish")).json()) as {
      document_id: string;
    };
    expect(elsewhere.document_id).not.toBe(body.document_id);
  });

  test("fails with a reason that its reader can act on, and blocks nothing", async () => {
    const broken = Buffer.concat([Buffer.from("%PDF-1.7\n"), Buffer.alloc(2_000, 7)]);
    const { body } = await client.upload("broken.pdf", broken);
    const document = await client.ended(body.document_id, body.job_id);
    expect(document).toMatchObject({
      status: "failed",
      error: { code: "malformed_document", retryable: false },
      chunks_created: 0,
    });
    expect(document.error?.message).toContain("broken.pdf");
    const dead = (await client.call<{ jobs: Job[] }>("GET", "/v1/jobs?state=dead")).body.jobs;
    expect(dead.map((job) => job.job_id)).toContain(body.job_id);
    const retried = await client.call<Job>("POST", `/v1/jobs/${body.job_id}/retry`);
    expect(retried).toMatchObject({ status: 202, body: { job_id: body.job_id } });
    await client.waitFor(
      body.document_id,
      (() => {
        let failures = 0;
        return (event: SluiceEvent) => event.event_type === "rag.ingestion.failed" && ++failures === 2;
      })(),
    );
    expectLegal(await client.journey(body.document_id));
  });

  test("ingests again under a new version, and is deleted down to its events", async () => {
    const { body } = await client.upload("newt.md", story("newt"));
    const { document_id } = body;
    await client.ended(document_id, body.job_id);
    const again = await client.call<{ job_id: string; version: number }>(
      "POST",
      `/v1/documents/${document_id}/reingest`,
    );
    expect(again).toMatchObject({ status: 202, body: { version: 2 } });
    const second = await client.ended(document_id, again.body.job_id);
    expect(second).toMatchObject({ version: 2, searchable_version: 2, status: "completed" });
    const { hits } = await client.search({ query: "newt dandelion", top_k: 50 });
    const own = hits.filter((hit) => hit.document_id === document_id);
    expect(own).toHaveLength(second.chunks_created);
    expect(new Set(own.map((hit) => hit.chunk_id)).size).toBe(own.length);

    const gone = await client.call<{ job_id: string }>("DELETE", `/v1/documents/${document_id}`);
    expect(gone.status).toBe(202);
    expect((await client.call("GET", `/v1/documents/${document_id}`)).status).toBe(404);
    expect(
      (await client.search({ query: "newt", top_k: 50 })).hits.some((hit) => hit.document_id === document_id),
    ).toBe(false);
    expect(expectLegal(await client.journey(document_id))).toBe("deleted");
  });
});

describe("following", () => {
  /** Reads a WebSocket until a document's ingestion has completed. */
  function watch(query: string, document_id: Promise<string>): Promise<SluiceEvent[]> {
    return new Promise((resolve, reject) => {
      const events: SluiceEvent[] = [];
      const socket = new WebSocket(`${sluice.url.replace("http", "ws")}/v1/events/stream?${query}`);
      socket.on("error", reject);
      socket.on("message", async (data) => {
        const event = JSON.parse(String(data)) as SluiceEvent;
        events.push(event);
        if (event.event_type === "rag.ingestion.completed" && event.document_id === (await document_id)) {
          socket.close();
          resolve(events);
        }
      });
    });
  }

  test("WebSocket and SSE tell the same, live or replayed, from any position", async () => {
    let tell: (document_id: string) => void = () => undefined;
    const document_id = new Promise<string>((resolve) => {
      tell = resolve;
    });
    const live = watch("collection=following&after=0", document_id);
    const { body } = await client.upload("mole.md", story("mole"), { collection: "following" });
    tell(body.document_id);
    const seen = await live;
    expect(seen).toEqual(await client.journey(body.document_id));
    expect(await watch("collection=following&after=0", document_id)).toEqual(seen);

    const position = seen[2] as SluiceEvent;
    const rest: SluiceEvent[] = [];
    for await (const event of client.events(`document_id=${body.document_id}&after=${position.sequence}`)) {
      rest.push(event);
      if (event.event_type === "rag.ingestion.completed") break;
    }
    expect(rest).toEqual(seen.slice(3));
  });
});

describe("the process", () => {
  test("says who it is, whether it is ready, and what it can do", async () => {
    const { body } = await client.call<{ pids: { api: number; workers: number[] } }>("GET", "/healthz");
    expect(body.pids.workers).toHaveLength(2);
    for (const pid of [body.pids.api, ...body.pids.workers]) expect(process.kill(pid, 0)).toBe(true);
    expect((await client.call("GET", "/readyz")).status).toBe(200);
    const { paths } = (await client.call<{ paths: object }>("GET", "/openapi.json")).body;
    expect(Object.keys(paths)).toContain("/v1/documents");
    expect((await client.call<string>("GET", "/metrics")).body).toMatch(
      /sluice_jobs\{state="succeeded"\} [1-9]/,
    );
  });

  test("lists documents page by page", async () => {
    const seen: string[] = [];
    let cursor = "";
    do {
      const { body } = await client.call<{ documents: Document[]; next_cursor: string | null }>(
        "GET",
        `/v1/documents?limit=3${cursor && `&cursor=${cursor}`}`,
      );
      seen.push(...body.documents.map((document) => document.document_id));
      cursor = body.next_cursor ?? "";
    } while (cursor);
    expect(seen.length).toBeGreaterThan(5);
    expect(seen).toEqual([...new Set(seen)].sort().reverse());
  });
});

/** The books once more, by what the public API tells: whoever has no access to the database must see the same. */
import { createHash } from "node:crypto";
import { type Document, type JourneyState, legalAfter } from "../src/document.ts";
import type { SluiceEvent } from "../src/events.ts";
import type { Job } from "../src/job.ts";
import type { Books } from "./load.ts";

/** Documents whose bytes are fetched and hashed; of the others the server's word is taken. */
const FETCHED = 60;

/** The beginnings of the paragraphs of a text that was made here (load.ts); none of any other. */
const madeOf = (text: string) => text.match(/^Paragraph \d+ of text \d+ tells /gm) ?? [];

/** @returns what is wrong, each line beginning with what it is wrong with */
export async function balanceByApi(url: string, books: Books): Promise<string[]> {
  const wrong: string[] = [];

  async function get(path: string): Promise<Response> {
    return fetch(url + path, { signal: AbortSignal.timeout(30_000) });
  }

  async function pages<T>(path: string, field: string): Promise<T[]> {
    const all: T[] = [];
    for (let cursor: string | null = null; ; ) {
      const mark = path.includes("?") ? "&" : "?";
      const response = await get(`${path}${mark}limit=100${cursor ? `&cursor=${cursor}` : ""}`);
      const page = (await response.json()) as Record<string, T[]> & { next_cursor: string | null };
      if (!response.ok) throw new Error(`${path} answered ${response.status}: ${JSON.stringify(page)}`);
      all.push(...(page[field] as T[]));
      cursor = page.next_cursor;
      if (cursor === null) return all;
    }
  }

  async function judge(document: Document, fetched: boolean): Promise<void> {
    const { document_id, status, version, searchable_version, chunks_created, job_id, sha256 } = document;
    const say = (what: string) => wrong.push(`${document_id} (${document.filename}, ${status}): ${what}`);
    if (searchable_version !== null) {
      const chunks = await pages<{ ordinal: number; version: number; text: string }>(
        `/v1/documents/${document_id}/chunks`,
        "chunks",
      );
      const misplaced = chunks.findIndex(
        ({ ordinal, version }, place) => ordinal !== place || version !== searchable_version,
      );
      if (chunks.length !== chunks_created)
        say(`${chunks.length} chunks are shown, ${chunks_created} were made`);
      if (misplaced >= 0) say(`chunk ${misplaced} is shown as ${JSON.stringify(chunks[misplaced])}`);
      if (fetched && searchable_version === version) {
        const shown = chunks.map(({ text }) => text).join("\n");
        const lost = madeOf(await (await get(`/v1/documents/${document_id}/file`)).text()).find(
          (paragraph) => !shown.includes(paragraph),
        );
        if (lost !== undefined) say(`no chunk has "${lost}", and the file has`);
      }
    }
    const uploaded = books.uploaded.get(job_id);
    if (uploaded !== undefined && uploaded !== sha256) say("it has other bytes than were uploaded");
    if (fetched) {
      const bytes = await (await get(`/v1/documents/${document_id}/file`)).bytes();
      if (createHash("sha256").update(bytes).digest("hex") !== sha256)
        say("other bytes come back than went in");
    }
    const { events } = (await (await get(`/v1/documents/${document_id}/events?limit=1000`)).json()) as {
      events: SluiceEvent[];
    };
    let state: JourneyState = "none";
    for (const { event_type, sequence } of events) {
      const next: JourneyState | undefined = legalAfter(state, event_type);
      if (next === undefined) return void say(`${event_type} (${sequence}) is not legal while ${state}`);
      state = next;
    }
    if (events.length < 1_000 && state !== status) say(`its events end in ${state}`);
  }

  const documents = await pages<Document>("/v1/documents", "documents");
  const living = new Map(documents.map((document) => [document.document_id, document]));
  if (living.size !== documents.length) wrong.push("the list of documents shows some twice");
  for (const document_id of books.acknowledged.keys()) {
    if (!living.has(document_id) && !books.removed.has(document_id)) {
      wrong.push(`${document_id}: acknowledged, and not in the list of documents`);
    }
  }
  for (const [place, document] of documents.entries()) await judge(document, place < FETCHED);
  for (const state of ["queued", "running", "retrying"]) {
    for (const job of await pages<Job>(`/v1/jobs?state=${state}`, "jobs")) {
      wrong.push(`${job.job_id}: is shown as ${state} when all is quiet`);
    }
  }
  const dead = new Set((await pages<Job>("/v1/jobs?state=dead", "jobs")).map(({ job_id }) => job_id));
  for (const { document_id, status, job_id } of documents) {
    if ((status === "failed") !== dead.has(job_id)) {
      wrong.push(`${document_id}: is ${status}, and ${dead.has(job_id) ? "" : "not "}among the dead letters`);
    }
  }
  const search = await fetch(`${url}/v1/search`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ query: "quartz things", top_k: 100 }),
  });
  const { hits } = (await search.json()) as { hits: { document_id: string; chunk_id: string }[] };
  const chunks = new Set(hits.map(({ chunk_id }) => chunk_id));
  if (chunks.size !== hits.length) wrong.push("a search finds a chunk twice");
  for (const { document_id } of hits) {
    if ((living.get(document_id)?.searchable_version ?? null) === null) {
      wrong.push(`${document_id}: a search finds it, and it has nothing to be found`);
    }
  }
  return wrong;
}

/** A few words of HTTP for end-to-end tests. */
import type { Document } from "../../src/document.ts";
import type { SluiceEvent } from "../../src/events.ts";
import type { Accepted } from "../../src/intake/upload.ts";
import type { SearchAnswer } from "../../src/search/search.ts";

export interface Answer<T> {
  status: number;
  headers: Headers;
  body: T;
}

export function createClient(url: string, key?: string) {
  const authorization: Record<string, string> = key ? { authorization: `Bearer ${key}` } : {};

  async function call<T>(method: string, path: string, body?: unknown): Promise<Answer<T>> {
    const response = await fetch(url + path, {
      method,
      headers: { ...authorization, ...(body === undefined ? {} : { "content-type": "application/json" }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    const json = response.headers.get("content-type")?.includes("json");
    return {
      status: response.status,
      headers: response.headers,
      body: (json ? JSON.parse(text) : text) as T,
    };
  }

  /** Events of the stream until `until` says that it has seen enough. */
  async function* events(query: string, signal?: AbortSignal): AsyncGenerator<SluiceEvent> {
    const controller = new AbortController();
    const response = await fetch(`${url}/v1/events/stream?${query}`, {
      headers: { ...authorization, accept: "text/event-stream" },
      signal: signal ? AbortSignal.any([signal, controller.signal]) : controller.signal,
    });
    if (!response.ok || !response.body)
      throw new Error(`stream answered ${response.status}: ${await response.text()}`);
    let rest = "";
    try {
      for await (const part of response.body.pipeThrough(new TextDecoderStream())) {
        const blocks = (rest + part).split("\n\n");
        rest = blocks.pop() as string;
        for (const block of blocks) {
          const data = block.split("\n").find((line) => line.startsWith("data: "));
          if (data) yield JSON.parse(data.slice(6));
        }
      }
    } finally {
      controller.abort();
    }
  }

  /** Waits for an event; the history counts. */
  async function waitFor(document_id: string, wanted: (event: SluiceEvent) => boolean): Promise<SluiceEvent> {
    for await (const event of events(`document_id=${document_id}&after=0`)) if (wanted(event)) return event;
    throw new Error("the stream ended");
  }

  return {
    call,
    events,
    waitFor,
    upload(filename: string, content: string | Uint8Array, fields: Record<string, string> = {}) {
      const form = new FormData();
      for (const [name, value] of Object.entries(fields)) form.set(name, value);
      form.set("file", new Blob([content as string | Uint8Array<ArrayBuffer>]), filename);
      return fetch(`${url}/v1/documents`, { method: "POST", body: form, headers: authorization }).then(
        async (response) => ({
          status: response.status,
          headers: response.headers,
          body: (await response.json()) as Accepted & {
            status_url: string;
            events_url: string;
            code?: string;
          },
        }),
      );
    },
    /** Waits for the end of a document's current ingestion and returns the document. */
    async ended(document_id: string, job_id: string): Promise<Document> {
      const ends = ["rag.ingestion.completed", "rag.ingestion.failed", "rag.ingestion.cancelled"];
      await waitFor(
        document_id,
        (event) => ends.includes(event.event_type) && (event.data as { job_id: string }).job_id === job_id,
      );
      return (await call<Document>("GET", `/v1/documents/${document_id}`)).body;
    },
    async journey(document_id: string): Promise<SluiceEvent[]> {
      return (await call<{ events: SluiceEvent[] }>("GET", `/v1/documents/${document_id}/events?limit=1000`))
        .body.events;
    },
    async search(request: Record<string, unknown>): Promise<SearchAnswer> {
      return (await call<SearchAnswer>("POST", "/v1/search", request)).body;
    },
  };
}
export type Client = ReturnType<typeof createClient>;

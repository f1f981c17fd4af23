/** Clients that use the API as people's programs do: they repeat what got no answer, under an Idempotency-Key. */
import { createHash, randomUUID } from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import type { SluiceEvent } from "../src/events.ts";
import type { Accepted } from "../src/intake/upload.ts";
import type { Random } from "../test/simulation/random.ts";

export interface Books {
  /** Document id → ids of the jobs that an answer named for it. */
  acknowledged: Map<string, Set<string>>;
  /** Job id → SHA-256 of the bytes that its upload carried. */
  uploaded: Map<string, string>;
  /** Documents whose deletion was asked for. */
  removed: Set<string>;
  /** Of those, the ones for which the answer said so. */
  deleted: Set<string>;
  /** Jobs for which an answer said that they are cancelled. */
  cancelled: Set<string>;
  /** Answers by status. */
  answers: Map<number, number>;
  /** Requests sent again because no answer came, or one that asked for it. */
  repeated: number;
  /** Answers that no client should ever get. */
  wrong: string[];
}

export interface Material {
  name: string;
  bytes: Buffer;
}

const TOO_LARGE = 3_000_000;
export const maxUploadBytes = TOO_LARGE - 1;

/** Real files where there are some, and made ones: many small, a few long, some that can't be read. */
export function collectMaterial(corpus: string | undefined, random: Random): () => Material {
  const real: Material[] = [];
  for (const name of corpus === undefined ? [] : readdirSync(corpus)) {
    const path = join(corpus as string, name);
    if (!/\.(pdf|docx|html?|md|txt|csv|json|xml)$/i.test(name) || statSync(path).size > 600_000) continue;
    real.push({ name, bytes: readFileSync(path) });
  }
  let made = 0;
  return () => {
    const choice = random.below(20);
    made += 1;
    if (choice < 6 && real.length > 0) return random.pick(real);
    if (choice === 6) return { name: "damaged.pdf", bytes: Buffer.from(`%PDF-1.7\n${random.next()} no pdf`) };
    if (choice === 7) return { name: "empty.txt", bytes: Buffer.from(" \n".repeat(1 + random.below(50))) };
    if (choice === 8) return { name: "large.txt", bytes: Buffer.alloc(TOO_LARGE, "words ") };
    const long = random.chance(0.1) ? 10_000 : 600 + random.below(600);
    const paragraphs = choice < 11 ? long : 1 + random.below(30);
    // Some texts come again: the same bytes, from another client or a second time.
    const number = random.chance(0.2) ? random.below(20) : 1_000 + made;
    const text = Array.from(
      { length: random.chance(0.2) ? 5 : paragraphs },
      (_, place) =>
        `Paragraph ${place} of text ${number} tells of quartz and of ${number * 7 + place} other things.`,
    ).join("\n\n");
    return { name: `text-${number}.md`, bytes: Buffer.from(`# Text ${number}\n\n${text}\n`) };
  };
}

export async function useApi(
  url: string,
  next: () => Material,
  random: Random,
  until: number,
  books: Books,
): Promise<void> {
  /** Repeats until an answer comes that is one, and comes whole. */
  async function request(path: string, init: RequestInit): Promise<{ status: number; body: string }> {
    for (; ; books.repeated += 1) {
      const answer = await once(path, init);
      if (answer !== undefined && !isForLater(answer)) return answer;
      await new Promise((resolve) => setTimeout(resolve, 100 + random.below(300)));
    }
  }

  async function once(path: string, init: RequestInit) {
    try {
      const response = await fetch(url + path, { ...init, signal: AbortSignal.timeout(30_000) });
      const answer = { status: response.status, body: await response.text() };
      books.answers.set(answer.status, (books.answers.get(answer.status) ?? 0) + 1);
      if (answer.status === 500) books.wrong.push(`${path}: ${answer.body}`);
      return answer;
    } catch {
      // No answer, or half of one: the server was killed under it.
      return undefined;
    }
  }

  async function upload(query: string, { bytes, name }: Material): Promise<void> {
    const response = await request(`/v1/documents?filename=${encodeURIComponent(name)}${query}`, {
      method: "POST",
      body: bytes as Uint8Array<ArrayBuffer>,
      headers: { "content-type": "application/octet-stream", "idempotency-key": `"${randomUUID()}"` },
    });
    if (response.status !== 202 && response.status !== 200) return;
    const { document_id, job_id } = JSON.parse(response.body) as Accepted;
    const jobs = books.acknowledged.get(document_id) ?? new Set();
    books.acknowledged.set(document_id, jobs.add(job_id));
    books.uploaded.set(job_id, createHash("sha256").update(bytes).digest("hex"));
  }

  while (Date.now() < until) {
    await new Promise((resolve) => setTimeout(resolve, random.below(120)));
    const known = [...books.acknowledged.keys()].slice(-40);
    const document_id = known.length === 0 ? "" : random.pick(known);
    const [job_id = ""] = [...(books.acknowledged.get(document_id) ?? [])].slice(-1);
    const choice = random.below(30);
    const post = (path: string, body?: object) =>
      request(path, {
        method: "POST",
        ...(body ? { body: JSON.stringify(body), headers: { "content-type": "application/json" } } : {}),
      });
    if (known.length === 0 || choice < 20)
      await upload(random.chance(0.1) ? "&on_duplicate=new_version" : "", next());
    else if (choice < 22) await upload(`&document_id=${document_id}`, next());
    else if (choice < 23) await post(`/v1/documents/${document_id}/reingest`);
    else if (choice < 25) {
      const { status } = await post(`/v1/jobs/${job_id}/cancel`);
      if (status === 200) books.cancelled.add(job_id);
    } else if (choice < 26) await post("/v1/jobs/retry", {});
    else if (choice < 27) {
      books.removed.add(document_id);
      const { status } = await request(`/v1/documents/${document_id}`, { method: "DELETE" });
      // 404 where the first try went through and its answer was lost.
      if (status === 202 || status === 404) books.deleted.add(document_id);
    } else await post("/v1/search", { query: "quartz things", top_k: 20 });
  }
}

/** Whether the server asks to come again with the same. */
function isForLater({ status, body }: { status: number; body: string }): boolean {
  if (status === 429 || status === 503) return true;
  return status === 409 && ["idempotency_key_in_use", "conflict"].includes(JSON.parse(body).code);
}

/** Reads the log until the signal fires; goes on where it was whenever the connection breaks. */
export async function followSse(
  url: string,
  signal: AbortSignal,
  received: SluiceEvent[],
  heard: (event: SluiceEvent) => void,
): Promise<void> {
  while (!signal.aborted) {
    try {
      const last = received.at(-1)?.sequence ?? 0;
      const response = await fetch(`${url}/v1/events/stream?after=0`, {
        headers: { accept: "text/event-stream", ...(last > 0 ? { "last-event-id": String(last) } : {}) },
        signal,
      });
      let rest = "";
      for await (const part of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
        const blocks = (rest + part).split("\n\n");
        rest = blocks.pop() as string;
        for (const block of blocks) {
          const data = block.split("\n").find((line) => line.startsWith("data: "));
          if (!data) continue;
          const event = JSON.parse(data.slice(6)) as SluiceEvent;
          received.push(event);
          heard(event);
        }
      }
    } catch {
      // Cut off: by the server's death, or by the end of the run.
    }
    if (!signal.aborted) await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** The same over WebSocket. */
export async function followWebSocket(
  url: string,
  signal: AbortSignal,
  received: SluiceEvent[],
): Promise<void> {
  while (!signal.aborted) {
    const last = received.at(-1)?.sequence ?? 0;
    const socket = new WebSocket(`${url.replace("http", "ws")}/v1/events/stream?after=${last}`);
    await new Promise<void>((resolve) => {
      socket.addEventListener("message", ({ data }) => {
        const event = JSON.parse(String(data)) as SluiceEvent;
        if (event.event_id) received.push(event);
      });
      socket.addEventListener("close", () => resolve());
      socket.addEventListener("error", () => resolve());
      signal.addEventListener("abort", () => socket.close(), { once: true });
      if (signal.aborted) socket.close();
    });
    if (!signal.aborted) await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

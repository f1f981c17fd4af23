/** HTTP as the benchmarks speak it: kept-alive connections, whole bodies, and the time that each answer took. */
import { Agent, get, type OutgoingHttpHeaders, request } from "node:http";
import type { SluiceEvent } from "../src/events.ts";

export interface Answer {
  status: number;
  text: string;
  /** Milliseconds from the call to the last byte of the answer. */
  ms: number;
}

export function createAgent(clients: number): Agent {
  return new Agent({ keepAlive: true, maxSockets: clients, maxFreeSockets: clients });
}

/** @throws Error for any answer but 2xx: a benchmark that measures refusals measures nothing */
export function post(agent: Agent, url: string, headers: OutgoingHttpHeaders, body: Buffer): Promise<Answer> {
  const started = performance.now();
  return new Promise((resolve, reject) => {
    const call = request(
      url,
      { method: "POST", agent, headers: { ...headers, "content-length": body.length } },
      (response) => {
        let text = "";
        response.setEncoding("utf8");
        response.on("data", (part: string) => {
          text += part;
        });
        response.on("error", reject);
        response.on("end", () => {
          const status = response.statusCode ?? 0;
          if (status >= 300) return reject(new Error(`${url} answered ${status}: ${text}`));
          resolve({ status, text, ms: performance.now() - started });
        });
      },
    );
    call.on("error", reject);
    call.end(body);
  });
}

/** Follows the events of a server over SSE; resolves when the stream is open. */
export function followSse(url: string, onEvent: (event: SluiceEvent) => void): Promise<{ close(): void }> {
  return new Promise((resolve, reject) => {
    const call = get(`${url}/v1/events/stream`, { headers: { accept: "text/event-stream" } }, (response) => {
      if (response.statusCode !== 200) return reject(new Error(`the stream answered ${response.statusCode}`));
      let rest = "";
      let open = false;
      response.setEncoding("utf8");
      response.on("data", (part: string) => {
        // The first bytes say how long to wait before a reconnect: the stream is open.
        if (!open) resolve({ close: () => call.destroy() });
        open = true;
        const messages = (rest + part).split("\n\n");
        rest = messages.pop() ?? "";
        for (const message of messages) {
          const data = /^data: (.*)$/m.exec(message)?.[1];
          if (data !== undefined) onEvent(JSON.parse(data) as SluiceEvent);
        }
      });
      response.on("error", () => {});
    });
    call.on("error", reject);
  });
}

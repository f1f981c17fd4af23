/** Uploads one file as it lies on the disk, without ever holding it. */
import { createReadStream } from "node:fs";
import { type Agent, type IncomingMessage, request } from "node:http";
import { setTimeout as wait } from "node:timers/promises";
import type { Found } from "./walk.ts";

export type Uploaded =
  | { document_id: string; job_id: string }
  /** The service's own word for why it did not take the file. */
  | { refused: string; message: string };

/** A service that has no room says when to come again. After so many times it is believed. */
const MOST_TRIES = 100;

/** @throws Error when the file can't be read to its end, or the service can't be reached */
export async function upload(url: string, agent: Agent, file: Found): Promise<Uploaded> {
  for (let tries = 1; ; tries++) {
    const { status, retry_after, body } = await post(url, agent, file);
    if (status < 300) return JSON.parse(body) as { document_id: string; job_id: string };
    if ((status === 429 || status === 503) && tries < MOST_TRIES) {
      await wait(1_000 * Math.max(1, retry_after));
      continue;
    }
    const { code = `http_${status}`, message = body } = parsed(body);
    return { refused: code, message };
  }
}

function parsed(body: string): { code?: string; message?: string } {
  try {
    return JSON.parse(body) as { code?: string; message?: string };
  } catch {
    return {}; // Not the service's own answer: then it is shown as it came.
  }
}

function post(
  url: string,
  agent: Agent,
  { path, size_bytes }: Found,
): Promise<{ status: number; retry_after: number; body: string }> {
  const name = path.subarray(path.lastIndexOf("/") + 1).toString("utf8");
  return new Promise((resolve, reject) => {
    const call = request(
      `${url}/v1/documents?filename=${encodeURIComponent(name.slice(-1_000).toWellFormed())}`,
      {
        method: "POST",
        agent,
        // What is refused for its size is refused before it is sent.
        headers: { "content-length": size_bytes, ...(size_bytes > 0 ? { expect: "100-continue" } : {}) },
      },
    );
    const send = () => {
      // The service was told so many bytes; what a file has grown by since is left out.
      const bytes = createReadStream(path, { end: size_bytes - 1 });
      let sent = 0;
      bytes.on("data", (part) => {
        sent += part.length;
      });
      bytes.on("error", (error) => call.destroy(error));
      bytes.on("end", () => {
        if (sent < size_bytes) call.destroy(new Error("it became shorter while it was read"));
      });
      bytes.pipe(call);
    };
    call.on("continue", send);
    call.on("error", reject);
    call.on("response", (response: IncomingMessage) => {
      let body = "";
      response.setEncoding("utf8").on("data", (part: string) => {
        body += part;
      });
      response.on("error", reject);
      response.on("end", () => {
        if (!call.writableEnded) call.destroy();
        const retry_after = Number(response.headers["retry-after"] ?? 1);
        resolve({ status: response.statusCode ?? 0, retry_after, body });
      });
    });
    if (size_bytes === 0) call.end();
    else call.flushHeaders();
  });
}

/** Raw tus requests, for tests: nothing is done for them that a test might want to leave out. */
import { once } from "node:events";
import { type ClientRequest, type IncomingHttpHeaders, request } from "node:http";

export interface TusAnswer {
  status: number;
  headers: IncomingHttpHeaders;
  text: string;
}

export const encodeMetadata = (fields: Record<string, string | null>) =>
  Object.entries(fields)
    .map(([key, value]) => (value === null ? key : `${key} ${Buffer.from(value).toString("base64")}`))
    .join(",");

export function createTusClient(url: string, more: Record<string, string> = {}) {
  /** The request, not ended, and its answer. */
  function open(method: string, path: string, headers: Record<string, string> = {}) {
    const outgoing: ClientRequest = request(url + path, {
      method,
      headers: { "tus-resumable": "1.0.0", ...more, ...headers },
      agent: false,
    });
    const answer = (async (): Promise<TusAnswer> => {
      const [response] = await once(outgoing, "response");
      let text = "";
      for await (const part of response) text += part;
      return { status: response.statusCode, headers: response.headers, text };
    })();
    answer.catch(() => {});
    return { outgoing, answer };
  }

  async function send(
    method: string,
    path: string,
    headers: Record<string, string> = {},
    body?: string | Uint8Array,
  ): Promise<TusAnswer> {
    const { outgoing, answer } = open(method, path, headers);
    outgoing.end(body);
    return answer;
  }

  const offsetHeaders = (offset: number) => ({
    "content-type": "application/offset+octet-stream",
    "upload-offset": String(offset),
  });

  return {
    open,
    send,
    offsetHeaders,
    /** @returns the upload's path */
    async create(size: number, fields: Record<string, string | null> = {}): Promise<string> {
      const answer = await send("POST", "/v1/uploads", {
        "upload-length": String(size),
        ...(Object.keys(fields).length > 0 ? { "upload-metadata": encodeMetadata(fields) } : {}),
      });
      if (answer.status !== 201) throw new Error(`creation answered ${answer.status}: ${answer.text}`);
      return answer.headers.location as string;
    },
    patch: (path: string, offset: number, body: string | Uint8Array) =>
      send("PATCH", path, { ...offsetHeaders(offset), "content-length": String(body.length) }, body),
    head: (path: string) => send("HEAD", path),
  };
}

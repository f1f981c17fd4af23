/**
 * What `/v1/uploads` says on the wire, for tests that need it to die, forget or refuse at a given moment. Its state
 * outlives its socket, as a server's disk does.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { onTestFinished } from "vitest";

export interface StoredUpload {
  upload_id: string;
  metadata: Record<string, string>;
  bytes: Buffer[];
  offset: number;
  size_bytes: number;
  completed: boolean;
}

export interface TusServer {
  url: string;
  uploads: Map<string, StoredUpload>;
  /** Bytes of all PATCH requests. */
  received: number;
  /** `METHOD status`, of every answer. */
  answers: string[];
  /** Called as bytes come; throws away the connection where it says true, what came is kept. */
  breaks: (upload: StoredUpload) => boolean;
  /** Status of every answer while it is set. */
  refuses: { status: number; problem?: object; headers?: Record<string, string> } | undefined;
  kill(): Promise<void>;
  restart(): Promise<void>;
}

export async function startTusServer(): Promise<TusServer> {
  let server: Server;
  let port = 0;
  const tus: TusServer = {
    url: "",
    uploads: new Map(),
    received: 0,
    answers: [],
    breaks: () => false,
    refuses: undefined,
    kill: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
    async restart() {
      server = createServer((request, response) => void answer(request, response));
      await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
      port = (server.address() as AddressInfo).port;
      tus.url = `http://127.0.0.1:${port}`;
    },
  };

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = "", url = "", headers } = request;
    const end = (status: number, more: Record<string, string> = {}, body?: object) => {
      tus.answers.push(`${method} ${status}`);
      const json = body === undefined ? {} : { "content-type": "application/json" };
      response.writeHead(status, { "tus-resumable": "1.0.0", ...json, ...more });
      response.end(body === undefined ? undefined : JSON.stringify(body));
    };
    const problem = (status: number, code: string) =>
      end(status, {}, { code, status, detail: code, retryable: status === 423 || status >= 500 });
    if (tus.refuses) {
      request.resume();
      return end(tus.refuses.status, tus.refuses.headers, tus.refuses.problem);
    }
    if (headers["tus-resumable"] !== "1.0.0") return problem(412, "tus_version_unsupported");
    if (method === "POST" && url === "/v1/uploads") {
      const upload_id = `upl_${tus.uploads.size + 1}`;
      const pairs = (headers["upload-metadata"] as string).split(",").map((pair) => pair.split(" "));
      const metadata = pairs.map(([name, value = ""]) => [name, Buffer.from(value, "base64").toString()]);
      tus.uploads.set(upload_id, {
        upload_id,
        metadata: Object.fromEntries(metadata),
        bytes: [],
        offset: 0,
        size_bytes: Number(headers["upload-length"]),
        completed: false,
      });
      const location = `http://inside.example/v1/uploads/${upload_id}`;
      return end(201, { location, "upload-expires": new Date(Date.now() + 3_600_000).toUTCString() });
    }
    const upload = tus.uploads.get(/^\/v1\/uploads\/(upl_\d+)$/.exec(url)?.[1] ?? "");
    if (!upload) return problem(404, "not_found");
    if (method === "GET") {
      upload.completed = upload.offset === upload.size_bytes;
      const { upload_id, offset, size_bytes, completed } = upload;
      const accepted = completed ? acceptedOf(upload) : null;
      const at = new Date().toISOString();
      return end(
        200,
        {},
        {
          upload_id,
          filename: upload.metadata.filename,
          size_bytes,
          offset,
          created_at: at,
          expires_at: at,
          accepted,
        },
      );
    }
    if (Number(headers["upload-offset"]) !== upload.offset) {
      request.resume();
      return problem(409, "upload_offset_mismatch");
    }
    try {
      for await (const piece of request) {
        upload.bytes.push(piece);
        upload.offset += piece.length;
        tus.received += piece.length;
        if (tus.breaks(upload)) return void request.socket.destroy();
      }
    } catch {
      return; // The client broke off; what came is there.
    }
    if (upload.offset < upload.size_bytes) return end(204, { "upload-offset": String(upload.offset) });
    upload.completed = true;
    const { document_id, job_id, correlation_id, status, version, duplicate } = acceptedOf(upload);
    end(204, {
      "upload-offset": String(upload.offset),
      "sluice-document-id": document_id,
      "sluice-job-id": job_id,
      "sluice-correlation-id": correlation_id,
      "sluice-status": status,
      "sluice-version": String(version),
      "sluice-duplicate": String(duplicate),
    });
  }

  await tus.restart();
  onTestFinished(() => tus.kill());
  return tus;
}

export function acceptedOf({ upload_id }: StoredUpload) {
  const document_id = upload_id.replace("upl", "doc");
  return {
    document_id,
    job_id: "job_1",
    status: "pending",
    correlation_id: "cor_1",
    version: 1,
    duplicate: false,
    status_url: `/v1/documents/${document_id}`,
    events_url: `/v1/documents/${document_id}/events`,
  };
}

/**
 * The tus protocol (1.0.0, tus.io/protocols/resumable-upload) over `ResumableUploads`. @tus/server checks a request's headers
 * and says what it is answered; what an upload is, and who may write, is decided below it. A server is made for each
 * request: a store of that library knows neither tenant nor request.
 */
import type { IncomingMessage } from "node:http";
import { DataStore, type Locker, Server, Upload } from "@tus/server";
import { type ErrorCode, SluiceError } from "../errors.ts";
import { lockName, type NewUpload, type ResumableUploads } from "../intake/resumable-upload.ts";
import type { UploadLocks } from "../intake/upload-locks.ts";
import type { UploadState } from "../intake/upload-record.ts";
import type { System } from "../ports/system.ts";

export const TUS_VERSION = "1.0.0";
export const UPLOADS_PATH = "/v1/uploads";
const EXTENSIONS = ["creation", "creation-with-upload", "expiration", "termination"];
/** Body bytes that wait in memory between the socket and the store. */
const WAITING_BYTES = 256 * 1024;
/** The library's answers carry more than is wanted: it would open every route to pages of any origin. */
const HEADERS = /^(location|upload-|tus-|connection$)/;

export interface TusParts {
  system: System;
  uploads: ResumableUploads;
  locks: UploadLocks;
  max_upload_bytes: number;
}

export interface TusRequest {
  tenant_id: string;
  request_id: string;
  method: string;
  /** Path, and nothing behind it. */
  path: string;
  raw: IncomingMessage;
  /** What the client wants to upload, from Upload-Metadata. @throws SluiceError invalid_request */
  understand(fields: Record<string, string | null>): Pick<NewUpload, "file" | "options">;
  /** Called before the first byte of the body is read: nothing stands against the request but the body itself. */
  onRead(): void;
  stopping(): boolean;
}

export interface TusAnswer {
  status: number;
  headers: Record<string, string>;
  /** The upload, where the request was about one that still is. */
  state: UploadState | undefined;
}

/** @throws SluiceError whatever the request is refused with */
export async function answerTus(parts: TusParts, request: TusRequest): Promise<TusAnswer> {
  const { system, uploads, locks, max_upload_bytes } = parts;
  const { tenant_id, request_id, method, raw } = request;
  let state: UploadState | undefined;
  let refusal: { error: unknown } | undefined;
  let asked_to_leave = false;

  const locker: Locker = {
    newLock(id) {
      let release: (() => Promise<void>) | undefined;
      return {
        async lock(signal, requestRelease) {
          const leave = () => {
            asked_to_leave = true;
            void requestRelease();
          };
          release = await locks.take(lockName(tenant_id, id), leave, signal);
        },
        async unlock() {
          await release?.();
        },
      };
    },
  };

  const datastore = Object.assign(new DataStore(), {
    extensions: EXTENSIONS,
    async create(upload: Upload) {
      const fields = upload.metadata ?? {};
      const wanted = { size_bytes: upload.size ?? 0, ...request.understand(fields), fields };
      const created = await uploads.create(tenant_id, upload.id, wanted);
      // An empty file has all its bytes already.
      state = await uploads.complete(created, tenant_id, request_id);
      return upload;
    },
    async getUpload(id: string) {
      // Whoever asks for an upload whose bytes are all here, and that a process died over, completes it.
      state = await uploads.complete(await uploads.look(tenant_id, id), tenant_id, request_id);
      const { record, offset } = state;
      const metadata = Object.keys(record.fields).length > 0 ? record.fields : undefined;
      return new Upload({ id, size: record.size_bytes, offset, ...(metadata ? { metadata } : {}) });
    },
    async write(source: AsyncIterable<Uint8Array>) {
      if (!state) throw new Error("an upload is looked at before it is written");
      const size_bytes = Number(raw.headers["content-length"] ?? 0);
      state = await uploads.write(state, tenant_id, source, { request_id, size_bytes });
      return state.offset;
    },
    async remove(id: string) {
      await uploads.remove(tenant_id, id);
    },
  });

  const server = new Server({
    path: UPLOADS_PATH,
    datastore,
    locker,
    maxSize: max_upload_bytes,
    relativeLocation: true,
    namingFunction: () => system.newId("upl"),
    // Who is asked to leave leaves; the library takes 0 for its default of 3 s.
    lockDrainTimeout: 1,
    onResponseError: (_request, error) => {
      refusal = { error };
      return undefined;
    },
  });
  const body = method === "POST" || method === "PATCH" ? streamOf(raw, request.onRead) : undefined;
  try {
    const answer = await server.handleWeb(toWebRequest(request, body?.stream));
    if (refusal) throw understandRefusal(refusal.error);
    if (answer.status >= 400) {
      throw understandRefusal({ status_code: answer.status, body: await answer.text() });
    }
    const headers = [...answer.headers].filter(([name]) => HEADERS.test(name));
    return { status: answer.status, headers: Object.fromEntries(headers), state };
  } finally {
    body?.letGo();
  }

  function understandRefusal(error: unknown): unknown {
    if (error instanceof SluiceError) return error;
    if (asked_to_leave) {
      const [code, why] = request.stopping()
        ? (["shutting_down", "The server is stopping"] as const)
        : (["upload_in_use", "A newer request for this upload took over"] as const);
      return new SluiceError(code, `${why}; ask where the upload stands and go on from there.`);
    }
    if (raw.errored) return new SluiceError("invalid_request", "The body ended early; what arrived is kept.");
    const { status_code = 500, body: told = "" } = error as { status_code?: number; body?: string };
    const code =
      codes[status_code] ?? (status_code < 500 || status_code === 501 ? "invalid_request" : undefined);
    return code ? new SluiceError(code, `${told.trim().replace(/\.$/, "")}.`) : error;
  }
}

/** What the library answers by itself. Others of its refusals are about the request's form. */
const codes: Readonly<Record<number, ErrorCode>> = {
  404: "not_found",
  409: "upload_offset_mismatch",
  410: "upload_expired",
  412: "tus_version_unsupported",
  413: "payload_too_large",
};

function toWebRequest({ method, path, raw }: TusRequest, body: ReadableStream | undefined): Request {
  const headers = new Headers();
  for (const [name, value] of Object.entries(raw.headers)) {
    if (value !== undefined) headers.set(name, Array.isArray(value) ? value.join(", ") : value);
  }
  // The library only looks at the path.
  return new Request(`http://localhost${path}`, {
    method,
    headers,
    ...(body ? { body, duplex: "half" } : {}),
  } as RequestInit);
}

/** The body as the web has it. Unlike Node's own conversion, giving it up does not cut the connection. */
function streamOf(raw: IncomingMessage, onRead: () => void) {
  let begun = false;
  let letGo = () => {};
  const stream = new ReadableStream<Uint8Array>(
    {
      start(controller) {
        const onData = (bytes: Uint8Array) => {
          controller.enqueue(bytes);
          if ((controller.desiredSize ?? 0) <= 0) raw.pause();
        };
        const onEnd = () => {
          letGo();
          controller.close();
        };
        const onError = (error: Error) => {
          letGo();
          controller.error(error);
        };
        letGo = () => {
          raw.off("data", onData).off("end", onEnd).off("error", onError);
          // Nobody is left to hear of it.
          raw.on("error", () => {});
        };
        raw.on("data", onData).on("end", onEnd).on("error", onError);
        raw.pause();
      },
      pull() {
        if (!begun) onRead();
        begun = true;
        raw.resume();
      },
      cancel: () => letGo(),
    },
    { highWaterMark: WAITING_BYTES, size: (bytes) => bytes.byteLength },
  );
  return { stream, letGo: () => letGo() };
}

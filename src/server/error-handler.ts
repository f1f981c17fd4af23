/** Every error answer: problem details (RFC 9457) with a code of the error table. */
import { STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import type { FastifyError, FastifyReply, FastifyRequest } from "fastify";
import { hasZodFastifySchemaValidationErrors } from "fastify-type-provider-zod";
import { errorTable, SluiceError } from "../errors.ts";
import type { App } from "./dependencies.ts";
import type { FieldError, Problem } from "./schemas.ts";

const PROBLEM_TYPE = "application/problem+json; charset=utf-8";

/** How long a refused client may go on sending before its connection is cut, in milliseconds. */
const LINGER_MS = 2_000;

export function registerErrorHandler(app: App): void {
  app.setErrorHandler((error: FastifyError, request, reply) => {
    sendError(error, request, reply);
  });
  app.setNotFoundHandler((request, reply) => {
    sendError(
      new SluiceError("not_found", `There is nothing at ${request.method} ${pathOf(request.url)}.`),
      request,
      reply,
    );
  });
}

/** Answers with the problem that an error is; logs what nobody foresaw, with its stack, and leaks nothing of it. */
export function sendError(error: unknown, request: FastifyRequest, reply: FastifyReply): void {
  const { known, errors } = understand(error, request);
  if (known.code === "internal" && !request.raw.destroyed) {
    request.log.error({ err: error, request_id: request.id, path: pathOf(request.url) }, "unforeseen error");
  } else if (errorTable[known.code].status >= 500) {
    request.log.warn({ err: known, code: known.code, path: pathOf(request.url) }, known.message);
  }
  const problem = toProblem(known, pathOf(request.url), request.id, errors);
  reply.code(problem.status).header("content-type", PROBLEM_TYPE).header("cache-control", "no-store");
  const retryAfter = retryAfterSeconds(known, problem.status);
  if (retryAfter !== undefined) reply.header("retry-after", String(retryAfter));
  if (problem.status === 401) reply.header("www-authenticate", 'Bearer realm="sluice"');
  linger(request);
  reply.send(problem);
}

export function toProblem(
  error: SluiceError,
  instance: string,
  request_id: string,
  errors?: FieldError[],
): Problem {
  const { status, title } = errorTable[error.code];
  return {
    type: `/docs/errors#${error.code}`,
    title,
    status,
    detail: error.message,
    instance,
    code: error.code,
    retryable: error.retryable,
    request_id,
    ...(errors === undefined ? {} : { errors }),
  };
}

/** Answers a request that was no HTTP, on its bare socket. */
export function refuseMalformed(error: Error & { code?: string }, socket: Socket, request_id: string): void {
  if (error.code === "ECONNRESET" || socket.destroyed || !socket.writable) {
    socket.destroy();
    return;
  }
  const problem = toProblem(
    new SluiceError("invalid_request", "The request is not well-formed HTTP."),
    "",
    request_id,
  );
  const body = JSON.stringify(problem);
  socket.end(
    `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status]}\r\ncontent-type: ${PROBLEM_TYPE}\r\n` +
      `content-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
  );
}

function understand(error: unknown, request: FastifyRequest): { known: SluiceError; errors?: FieldError[] } {
  if (error instanceof SluiceError) return { known: error };
  if (hasZodFastifySchemaValidationErrors(error)) {
    const place = String((error as { validationContext?: string }).validationContext ?? "body");
    const errors = error.validation.flatMap((issue) => fieldErrors(issue, place));
    const shown = errors.map(({ field, message }) => (field === "" ? message : `${field}: ${message}`));
    return { known: new SluiceError("invalid_request", shown.join("; ")), errors };
  }
  const { code, message } = error as FastifyError;
  const status = (error as FastifyError).statusCode;
  if (code === "FST_ERR_CTP_BODY_TOO_LARGE") {
    return { known: new SluiceError("payload_too_large", "The request's body is too large.") };
  }
  if (code === "FST_ERR_CTP_INVALID_MEDIA_TYPE") {
    const type = request.headers["content-type"];
    return {
      known: new SluiceError(
        "invalid_request",
        `The content type ${type} does not fit here: send application/json.`,
      ),
    };
  }
  if (code?.startsWith("FST_") && status !== undefined && status < 500) {
    return { known: new SluiceError("invalid_request", `${message}.`) };
  }
  return {
    known: new SluiceError(
      "internal",
      `Something unforeseen went wrong; the server's log tells more under ${request.id}.`,
      { cause: error },
    ),
  };
}

function fieldErrors(
  issue: { instancePath?: string; message?: string; keyword?: string; params?: Record<string, unknown> },
  place: string,
): FieldError[] {
  const path = (issue.instancePath ?? "").split("/").filter(Boolean).join(".");
  // An unknown field is reported at its parent: name the field itself.
  const unknown = issue.params?.keys;
  if (issue.keyword === "unrecognized_keys" && Array.isArray(unknown)) {
    return unknown.map((key) => ({
      in: place,
      field: [path, String(key)].filter(Boolean).join("."),
      message: "is not a field here",
    }));
  }
  return [{ in: place, field: path, message: issue.message ?? "is not valid" }];
}

/** The same errors for fields that a handler checked itself. */
export function invalidFields(issues: readonly ZodIssueLike[], place: string): SluiceError {
  const shown = issues.flatMap((issue) =>
    fieldErrors(
      {
        instancePath: `/${issue.path.map(String).join("/")}`,
        message: issue.message,
        keyword: issue.code ?? "",
        params: { keys: issue.keys },
      },
      place,
    ),
  );
  return new SluiceError(
    "invalid_request",
    shown.map(({ field, message }) => (field === "" ? message : `${field}: ${message}`)).join("; "),
  );
}

interface ZodIssueLike {
  path: PropertyKey[];
  message: string;
  code?: string;
  keys?: string[];
}

function retryAfterSeconds(error: SluiceError, status: number): number | undefined {
  if (error.retry_after_ms !== undefined) return Math.max(1, Math.ceil(error.retry_after_ms / 1_000));
  return status === 429 || status === 503 ? 1 : undefined;
}

/**
 * Lets a client that is still sending read its refusal: a connection closed at once would be reset under it, and
 * one never closed would let it send for ever.
 */
export function linger(request: FastifyRequest): void {
  const { raw } = request;
  if (raw.destroyed) return;
  raw.unpipe();
  raw.resume();
  if (raw.complete) return;
  const timer = setTimeout(() => raw.socket.destroy(), LINGER_MS);
  timer.unref();
  raw.once("close", () => {
    clearTimeout(timer);
    // Answered while the body was still coming, the connection did not count as idle when the server closed those.
    if (!request.server.server.listening) raw.socket.destroySoon();
  });
}

/** A request's path without its query, which may carry a key. */
export function pathOf(url: string): string {
  const end = url.indexOf("?");
  return end === -1 ? url : url.slice(0, end);
}

/** What an upload answers, whichever way its bytes came. */
import type { FastifyReply, FastifyRequest } from "fastify";
import { isTerminal } from "../document.ts";
import type { Accepted, UploadOptions } from "../intake/upload.ts";
import type { AcceptedAnswer, UploadFields } from "./schemas.ts";

/** Sets status and headers. @returns the answer for the first, or only, file */
export function answerUpload(
  accepted: Accepted[],
  replayed: boolean,
  request: FastifyRequest,
  reply: FastifyReply,
): AcceptedAnswer {
  const first = withUrls(accepted[0] as Accepted);
  request.subject = first;
  if (replayed) reply.header("idempotency-replayed", "true");
  if (accepted.length === 1) reply.header("location", first.status_url);
  const ended = accepted.every(({ duplicate, status }) => duplicate && isTerminal(status));
  reply.code(ended ? 200 : 202);
  return first;
}

export function withUrls(accepted: Accepted): AcceptedAnswer {
  const status_url = `/v1/documents/${accepted.document_id}`;
  return { ...accepted, status_url, events_url: `${status_url}/events` };
}

/** @param fields as they came; what is absent gets its default */
export function toOptions(
  fields: {
    [Name in keyof UploadFields]?: UploadFields[Name] | undefined;
  },
): UploadOptions {
  const { collection, metadata, document_id, on_duplicate, priority } = fields;
  return {
    collection: collection ?? "default",
    metadata: metadata ?? {},
    ...(document_id === undefined ? {} : { document_id }),
    ...(on_duplicate === undefined ? {} : { on_duplicate }),
    ...(priority === undefined ? {} : { priority }),
  };
}

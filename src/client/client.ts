/** A client of a Sluice server, for browsers and Node: one method for every route, and what it takes to live with them. */
import { collectionMethods } from "./collections.ts";
import { documentMethods } from "./documents.ts";
import { type FollowOptions, follow } from "./follow.ts";
import { type ClientOptions, createHttp } from "./http.ts";
import { jobMethods } from "./jobs.ts";
import { operationMethods } from "./operations.ts";
import { searchMethods } from "./search.ts";
import { sessionMethods } from "./session.ts";
import { uploadMethods } from "./upload.ts";
import { webhookMethods } from "./webhooks.ts";

export type SluiceClient = ReturnType<typeof createClient>;

/**
 * Sessions, keys, operations, webhooks, summaries of documents and uploads in pieces have their methods already; their
 * routes come with a later version of the server, and until then they end in `not_found`.
 *
 * Every method throws ApiError for what the server refuses and when no answer comes, or its signal's reason.
 */
export function createClient(options: ClientOptions = {}) {
  const http = createHttp(options);
  return {
    /** Of the server. */
    url: http.url,
    ...uploadMethods(http),
    /**
     * Events as they come, each once, ascending, until the signal fires. Reading begins with the first `next()`; to
     * see all that an upload caused, give its `correlation_id` and `after: 0`.
     *
     * @throws ApiError when the server refuses the key or the question
     */
    follow: (filter: FollowOptions) => follow(http, filter),
    ...searchMethods(http),
    ...documentMethods(http),
    ...jobMethods(http),
    ...collectionMethods(http),
    ...sessionMethods(http),
    ...operationMethods(http),
    ...webhookMethods(http),
  };
}

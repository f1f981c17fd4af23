/** The event log, by page and as a stream. */
import type { FastifyRequest } from "fastify";
import { z } from "zod";
import { collectionSchema } from "../../document.ts";
import { SluiceError } from "../../errors.ts";
import type { FollowFilter } from "../../progress/follow.ts";
import type { Authenticator } from "../auth.ts";
import type { App, AppDependencies } from "../dependencies.ts";
import type { EventStreams } from "../event-stream.ts";
import { afterSchema, body, problems, publicEventSchema } from "../schemas.ts";

const tags = ["events"];

const filterShape = {
  document_id: z.string().optional(),
  correlation_id: z.string().optional(),
  collection: collectionSchema.optional(),
};

const streamQuerySchema = z.strictObject({
  ...filterShape,
  after: afterSchema.optional(),
  access_token: z.string().optional().describe("the API key, for browsers that can't send headers here"),
  tenant_id: z.string().optional().describe("as the header Sluice-Tenant, for browsers likewise"),
});
type StreamQuery = z.infer<typeof streamQuerySchema>;

export function eventRoutes(
  app: App,
  { documents }: AppDependencies,
  streams: EventStreams,
  authenticator: Authenticator,
): void {
  app.get(
    "/v1/events",
    {
      schema: {
        tags,
        summary: "Read the event log",
        querystring: z.strictObject({
          ...filterShape,
          after: z
            .union([z.literal("latest"), afterSchema])
            .default(0)
            .describe(
              "sequence of the last event that the reader has; default 0: all; `latest`: none of those there are, " +
                "only where the log ends, as `next_after`",
            ),
          limit: z.coerce.number().int().min(1).max(1_000).default(500),
        }),
        response: {
          200: z.object({
            events: z.array(publicEventSchema),
            next_after: z.int().describe("read on with this as `after`"),
          }),
          ...problems(),
        },
      },
    },
    async (request) => {
      const { after, limit } = request.query;
      if (after === "latest") return { events: [], next_after: await documents.lastSequence() };
      const filter = filterOf(request.tenant_id, request.query);
      const events = await documents.readEvents({ ...filter, after, limit });
      return { events, next_after: events.at(-1)?.sequence ?? after };
    },
  );

  /** Where the stream begins; settled before the client hears that it is open, so that it misses nothing after. */
  const starts = new WeakMap<FastifyRequest, number>();

  app.route({
    method: "GET",
    url: "/v1/events/stream",
    exposeHeadRoute: false,
    config: { endless: true, token_in_query: true },
    schema: {
      tags,
      summary: "Follow events: history first, then live",
      description:
        "Server-sent events, or a WebSocket when the request asks for the upgrade; the payloads are identical: one " +
        "event as JSON per message. In SSE, `id` is the event's sequence and `event` its type. The stream begins " +
        "after `Last-Event-ID`, else after `after`, else now; `after=0` replays everything. There is no gap and no " +
        "duplicate between history and live. Browsers, which can't send headers here, may give the API key as " +
        "`access_token`, and as operators the tenant as `tenant_id`. A stream that the server ends (it stops, or " +
        "something failed) is resumed by the same rule. It also ends within seconds when its key does; a WebSocket is " +
        "then closed with 1008.",
      querystring: streamQuerySchema,
      headers: z.looseObject({
        "last-event-id": z.string().optional().describe("sequence of the last event that the reader has"),
      }),
      response: {
        200: body("text/event-stream", "Events, without end."),
        ...problems(),
      },
    },
    preHandler: async (request) => {
      starts.set(request, startOf(request) ?? (await documents.lastSequence()));
    },
    handler: (request, reply) => {
      const { accept } = request.headers;
      if (accept !== undefined && !/text\/event-stream|text\/\*|\*\/\*/i.test(accept)) {
        throw new SluiceError(
          "invalid_request",
          "Accept: this is a stream of text/event-stream, or a WebSocket after an upgrade",
        );
      }
      const headers = reply.getHeaders() as Record<string, string>;
      reply.hijack();
      streams.toResponse(
        reply.raw,
        filterOf(request.tenant_id, request.query as StreamQuery),
        starts.get(request) as number,
        () => authenticator.stillActs(request),
        headers,
      );
    },
    wsHandler: (socket, request) => {
      streams.toSocket(
        socket,
        filterOf(request.tenant_id, request.query as StreamQuery),
        starts.get(request) as number,
        () => authenticator.stillActs(request),
      );
    },
  });
}

function startOf(request: FastifyRequest): number | undefined {
  const last = request.headers["last-event-id"];
  // A browser repeats the first URL, `after` included, when it reconnects: what it has seen since counts for more.
  if (typeof last === "string" && last !== "") {
    const after = afterSchema.safeParse(last);
    if (!after.success) throw new SluiceError("invalid_request", "Last-Event-ID: is not a sequence");
    return after.data;
  }
  return (request.query as StreamQuery).after;
}

function filterOf(
  tenant_id: string,
  query: Pick<StreamQuery, "document_id" | "correlation_id" | "collection">,
): FollowFilter {
  const { document_id, correlation_id, collection } = query;
  return {
    tenant_id,
    ...(document_id === undefined ? {} : { document_id }),
    ...(correlation_id === undefined ? {} : { correlation_id }),
    ...(collection === undefined ? {} : { collection }),
  };
}

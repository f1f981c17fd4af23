/** /asyncapi.json: the channels on which events travel, made from the schemas of the events (AsyncAPI 3.0). */
import { z } from "zod";
import { eventDataSchemas, eventSchema, eventTypes } from "../events.ts";

type Json = Record<string, unknown>;

/** @param version of Sluice */
export function describeChannels(version: string): Json {
  const messages = Object.fromEntries(
    eventTypes.map((type) => [
      type,
      {
        name: type,
        title: type,
        summary: eventDataSchemas[type].description,
        contentType: "application/json",
        correlationId: { location: "$message.payload#/correlation_id" },
        payload: withoutDialect(z.toJSONSchema(eventSchema(type), { target: "draft-7" })),
      },
    ]),
  );
  return {
    asyncapi: "3.0.0",
    info: {
      title: "Sluice",
      version,
      license: { name: "Apache-2.0" },
      description:
        "Everything that happens to a document is an event in one log. Readers resume after the `sequence` of the " +
        "last event that they have; `idempotency_key` is the same however often an event is delivered.",
    },
    defaultContentType: "application/json",
    channels: {
      events: {
        address: "/v1/events/stream",
        title: "The event log, live",
        description:
          "As WebSocket (one event a message) and, with `Accept: text/event-stream`, as server-sent events whose `id` " +
          "is the sequence: history after `after` or `Last-Event-ID` first, then live, no gap and no duplicate between.",
        messages: refs("#/components/messages"),
        bindings: {
          ws: {
            method: "GET",
            query: {
              type: "object",
              properties: {
                after: { type: "integer", minimum: 0, description: "only events with a greater sequence" },
                document_id: { type: "string" },
                correlation_id: { type: "string" },
                collection: { type: "string" },
              },
            },
          },
        },
      },
    },
    operations: {
      sendEvents: {
        action: "send",
        channel: { $ref: "#/channels/events" },
        summary: "Sluice tells its subscribers what happened",
        security: [{ $ref: "#/components/securitySchemes/bearer" }],
        messages: Object.values(refs("#/channels/events/messages")),
      },
    },
    components: {
      messages,
      securitySchemes: {
        bearer: {
          type: "http",
          scheme: "bearer",
          description: "An API key; none where the server has none. Browsers may send it as ?access_token=.",
        },
      },
    },
  };
}

function refs(place: string): Record<string, { $ref: string }> {
  return Object.fromEntries(eventTypes.map((type) => [type, { $ref: `${place}/${type}` }]));
}

/** A payload's schema is one inside another document, which says the dialect. */
function withoutDialect({ $schema: _, ...schema }: Json): Json {
  return schema;
}

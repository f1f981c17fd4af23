/** /asyncapi.json: the channels on which events travel, made from the schemas of the events (AsyncAPI 3.0). */
import { z } from "zod";
import { binaryHeadersSchema, cloudEventSchema } from "../cloudevents.ts";
import type { PublisherConfig } from "../config/config.ts";
import { type EventType, eventDataSchemas, eventSchema, eventTypes } from "../events.ts";

type Json = Record<string, unknown>;

/** The part of a publisher's configuration that its readers must know. */
export type PublishedChannel =
  | Pick<Extract<PublisherConfig, { kind: "kafka" }>, "kind" | "topic" | "mode">
  | Pick<Extract<PublisherConfig, { kind: "sqs" }>, "kind" | "queue_url">
  | Pick<Extract<PublisherConfig, { kind: "sns" }>, "kind" | "topic_arn">;

/** A channel, and the form that events have on it. */
interface Channel {
  name: string;
  form: Form;
  types: EventType[];
  description: Json;
  summary: string;
  security?: Json[];
}

/** An event as it is; a CloudEvent in one piece; a CloudEvent with its attributes in Kafka's headers. */
type Form = "event" | "cloudevent" | "kafka";

/**
 * @param version of Sluice
 * @param publishers where events go besides the API's own stream
 */
export function describeChannels(version: string, publishers: readonly PublishedChannel[]): Json {
  const channels = [stream, ...publishers.flatMap(channelsOf)];
  const forms = new Set(channels.map(({ form }) => form));
  const messages = [...forms].flatMap((form) =>
    eventTypes.map((type) => [messageName(form, type), describeMessage(form, type)]),
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
    channels: Object.fromEntries(
      channels.map(({ name, form, types, description }) => [
        name,
        { ...description, messages: refs("#/components/messages", form, types) },
      ]),
    ),
    operations: Object.fromEntries(
      channels.map(({ name, form, types, summary, security }) => [
        `send_${name}`,
        {
          action: "send",
          channel: { $ref: `#/channels/${name}` },
          summary,
          ...(security ? { security } : {}),
          messages: Object.values(refs(`#/channels/${name}/messages`, form, types)),
        },
      ]),
    ),
    components: {
      messages: Object.fromEntries(messages),
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

const stream: Channel = {
  name: "events",
  form: "event",
  types: eventTypes,
  summary: "Sluice tells its subscribers what happened",
  security: [{ $ref: "#/components/securitySchemes/bearer" }],
  description: {
    address: "/v1/events/stream",
    title: "The event log, live",
    description:
      "As WebSocket (one event a message) and, with `Accept: text/event-stream`, as server-sent events whose `id` " +
      "is the sequence: history after `after` or `Last-Event-ID` first, then live, no gap and no duplicate between.",
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
};

function channelsOf(publisher: PublishedChannel): Channel[] {
  const { kind } = publisher;
  if (kind === "kafka") {
    const { topic, mode } = publisher;
    const form = mode === "binary" ? "kafka" : "cloudevent";
    if (typeof topic === "string") return [kafkaTopic("kafka", topic, form, eventTypes)];
    return [
      kafkaTopic("kafka_document", topic.document, form, ofFamily("rag.document.")),
      kafkaTopic("kafka_ingestion", topic.ingestion, form, ofFamily("rag.ingestion.")),
    ];
  }
  const address = kind === "sqs" ? publisher.queue_url : publisher.topic_arn;
  // The address itself may name an account, which is nobody's business who merely reads this.
  const name = address.split(/[/:]/).at(-1) as string;
  const fifo = name.endsWith(".fifo");
  const order = fifo
    ? "Events of one document come in order; repetitions within five minutes are dropped."
    : "In any order: `sequence` tells which was first.";
  return [
    {
      name: kind,
      form: "cloudevent",
      types: eventTypes,
      summary: kind === "sqs" ? "Sluice puts every event into a queue" : "Sluice publishes every event",
      description: {
        address: name,
        title: kind === "sqs" ? "An SQS queue" : "An SNS topic",
        description: `CloudEvents as JSON, at least once. Message attributes: type, tenantid, collection. ${order}`,
      },
    },
  ];
}

function kafkaTopic(name: string, topic: string, form: Form, types: EventType[]): Channel {
  return {
    name,
    form,
    types,
    summary: "Sluice publishes every event, at least once",
    description: {
      address: topic,
      title: "A Kafka topic",
      description:
        "CloudEvents. The key is the document_id, so that events of one document are in one partition, in order.",
      bindings: { kafka: { topic } },
    },
  };
}

const ofFamily = (prefix: string) => eventTypes.filter((type) => type.startsWith(prefix));

function describeMessage(form: Form, type: EventType): Json {
  const correlation = { event: "payload#/correlation_id", cloudevent: "payload#/correlationid" };
  const message = {
    name: type,
    title: type,
    summary: eventDataSchemas[type].description,
    correlationId: {
      location: `$message.${form === "kafka" ? "header#/ce_correlationid" : correlation[form]}`,
    },
  };
  switch (form) {
    case "event":
      return { ...message, contentType: "application/json", payload: jsonSchema(eventSchema(type)) };
    case "cloudevent":
      return {
        ...message,
        contentType: "application/cloudevents+json",
        payload: jsonSchema(cloudEventSchema(type)),
      };
    case "kafka":
      return {
        ...message,
        contentType: "application/json",
        headers: jsonSchema(binaryHeadersSchema(type, "kafka")),
        payload: jsonSchema(eventDataSchemas[type]),
        bindings: { kafka: { key: { type: "string", description: "the document_id" } } },
      };
  }
}

function messageName(form: Form, type: EventType): string {
  return form === "event" ? type : `${form}.${type}`;
}

function refs(place: string, form: Form, types: EventType[]): Record<string, { $ref: string }> {
  return Object.fromEntries(
    types.map((type) => [messageName(form, type), { $ref: `${place}/${messageName(form, type)}` }]),
  );
}

/** A payload's schema is one inside another document, which says the dialect. */
function jsonSchema(schema: z.ZodType): Json {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { target: "draft-7" });
  return rest;
}

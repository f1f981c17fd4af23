import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { Ajv } from "ajv";
import addFormats from "ajv-formats";
import { expect, test } from "vitest";
import { encodeBinary, toCloudEvent } from "../../src/cloudevents.ts";
import { eventTypes, type SluiceEvent } from "../../src/events.ts";
import { startServer } from "./harness.ts";

type Json = Record<string, unknown>;
const { resolve } = createRequire(import.meta.url);

// The specification's schema brings the meta schema of JSON Schema along.
const ajv = new Ajv({ strict: false, allErrors: true, meta: false, validateSchema: false });
addFormats.default(ajv);
const specification = JSON.parse(
  readFileSync(resolve("@asyncapi/specs/schemas/3.0.0.json"), "utf8"),
) as object;

interface Described extends Json {
  channels: Record<string, { address: string; messages: Record<string, { $ref: string }> }>;
  components: { messages: Record<string, { headers?: object; payload: object }> };
}

function expectValid(document: object): void {
  ajv.validate(specification, document);
  expect(ajv.errors ?? []).toEqual([]);
}

test("/asyncapi.json is a valid AsyncAPI 3.0 document, and its payloads are what comes", async () => {
  const server = await startServer();
  const answer = await server.request("/asyncapi.json");
  expect(answer.status).toBe(200);
  const document = answer.json<Described>();
  expectValid(document);
  expect(ajv.validate(specification, { ...document, channels: { events: { messages: [] } } })).toBe(false);

  const { messages } = document.components;
  expect(Object.keys(messages).sort()).toEqual([...eventTypes].sort());
  const { document_id } = await server.upload("x");
  await server.start(document_id);
  const { events } = (await server.request(`/v1/documents/${document_id}/events`)).json<{
    events: { event_type: string }[];
  }>();
  expect(events.length).toBeGreaterThan(1);
  for (const event of events) {
    expect(ajv.validate(messages[event.event_type]!.payload, event), event.event_type).toBe(true);
  }
});

test("every channel that events are published to is described, with the form that they have there", async () => {
  const server = await startServer({
    publishers: [
      {
        kind: "kafka",
        topic: { document: "documents", ingestion: "ingestion" },
        mode: "binary",
        brokers: ["127.0.0.1:9092"],
        compression: "none",
        client_id: "sluice",
        tls: false,
      },
      {
        kind: "sqs",
        queue_url: "https://sqs.eu-west-1.amazonaws.com/123456789012/told.fifo",
        region: "eu-west-1",
      },
      { kind: "sns", topic_arn: "arn:aws:sns:eu-west-1:123456789012:told", region: "eu-west-1" },
    ],
  });
  const answer = await server.request("/asyncapi.json");
  const document = answer.json<Described>();
  expectValid(document);
  const { channels, components } = document;
  expect(Object.entries(channels).map(([name, { address }]) => [name, address])).toEqual([
    ["events", "/v1/events/stream"],
    ["kafka_document", "documents"],
    ["kafka_ingestion", "ingestion"],
    ["sqs", "told.fifo"],
    ["sns", "told"],
  ]);
  expect(answer.text).not.toContain("123456789012");

  const { document_id } = await server.upload("x");
  await server.start(document_id);
  const { events } = (await server.request(`/v1/documents/${document_id}/events`)).json<{
    events: SluiceEvent[];
  }>();
  const messageOf = (channel: string, name: string) => {
    expect(channels[channel]?.messages[name]?.$ref).toBe(`#/components/messages/${name}`);
    return components.messages[name]!;
  };
  for (const event of events) {
    const { event_type } = event;
    const family = event_type.startsWith("rag.document.") ? "kafka_document" : "kafka_ingestion";
    const cloudEvent = toCloudEvent(event);
    const { headers, body } = encodeBinary(cloudEvent, "kafka");
    const binary = messageOf(family, `kafka.${event_type}`);
    expect(ajv.validate(binary.headers as object, headers), event_type).toBe(true);
    expect(ajv.validate(binary.payload, JSON.parse(body)), event_type).toBe(true);
    expect(ajv.validate(messageOf("sns", `cloudevent.${event_type}`).payload, cloudEvent)).toBe(true);
    expect(ajv.validate(messageOf("sqs", `cloudevent.${event_type}`).payload, event)).toBe(false);
  }
});

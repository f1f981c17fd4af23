import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { Ajv } from "ajv";
import addFormats from "ajv-formats";
import { expect, test } from "vitest";
import { eventTypes } from "../../src/events.ts";
import { startServer } from "./harness.ts";

type Json = Record<string, unknown>;
const { resolve } = createRequire(import.meta.url);

test("/asyncapi.json is a valid AsyncAPI 3.0 document, and its payloads are what comes", async () => {
  const server = await startServer();
  const answer = await server.request("/asyncapi.json");
  expect(answer.status).toBe(200);
  const document = answer.json<Json & { components: { messages: Record<string, { payload: object }> } }>();

  // The specification's schema brings the meta schema of JSON Schema along.
  const ajv = new Ajv({ strict: false, allErrors: true, meta: false, validateSchema: false });
  addFormats.default(ajv);
  const schema = JSON.parse(readFileSync(resolve("@asyncapi/specs/schemas/3.0.0.json"), "utf8")) as object;
  const valid = ajv.validate(schema, document);
  expect(ajv.errors ?? []).toEqual([]);
  expect(valid).toBe(true);
  expect(ajv.validate(schema, { ...document, channels: { events: { messages: [] } } })).toBe(false);

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

import { describe, expect, test } from "vitest";
import { z } from "zod";
import { documentStatuses, journey } from "../src/document.ts";
import {
  anyEventSchema,
  eventDataSchemas,
  eventSchema,
  eventTypes,
  type SluiceEvent,
  terminalEventTypes,
} from "../src/events.ts";

const envelope = {
  event_id: "evt_1",
  correlation_id: "cor_1",
  causation_id: null,
  tenant_id: "t1",
  idempotency_key: "doc_1:1",
  timestamp: "2026-01-01T00:00:00.000Z",
  sequence: 1,
  document_id: "doc_1",
  collection: "default",
};
const deleted = {
  ...envelope,
  event_type: "rag.document.deleted",
  data: { job_id: "job_1", version: 1 },
} satisfies SluiceEvent;

describe("events", () => {
  test("are the blueprint's list, each with a meaning", () => {
    expect([...eventTypes].sort()).toEqual([
      "rag.document.deleted",
      "rag.document.uploaded",
      "rag.ingestion.cancelled",
      "rag.ingestion.completed",
      "rag.ingestion.failed",
      "rag.ingestion.progressed",
      "rag.ingestion.requested",
      "rag.ingestion.retry_scheduled",
      "rag.ingestion.stage_completed",
      "rag.ingestion.started",
    ]);
    for (const type of eventTypes) expect(eventDataSchemas[type].description, type).toMatch(/\w+.*\.$/);
  });

  test("all have a place in the journey", () => {
    const placed = new Set(Object.values(journey).flatMap((next) => Object.keys(next)));
    expect([...placed].sort()).toEqual([...eventTypes].sort());
  });

  test("that end a job lead to a state that ends, and no others do", () => {
    const ending = new Set(["completed", "failed", "cancelled", "deleted"]);
    for (const state of documentStatuses) {
      for (const [type, to] of Object.entries(journey[state])) {
        expect(terminalEventTypes.has(type as SluiceEvent["event_type"]), type).toBe(ending.has(to));
      }
    }
  });

  test("parse by their type, as a whole and one by one", () => {
    expect(anyEventSchema.parse(deleted)).toEqual(deleted);
    expect(eventSchema("rag.document.deleted").parse(deleted)).toEqual(deleted);
    expect(eventSchema("rag.document.uploaded").safeParse(deleted).success).toBe(false);
  });

  test.each(Object.keys(envelope))("need %s in the envelope", (field) => {
    const { [field as keyof typeof envelope]: _, ...rest } = deleted;
    expect(anyEventSchema.safeParse(rest).success).toBe(false);
  });

  test.each([
    ["a sequence of 0", { sequence: 0 }],
    ["another type's name", { event_type: "rag.document.moved" }],
    ["a local time", { timestamp: "2026-01-01 00:00" }],
    ["data of another type", { data: { job_id: "job_1" } }],
  ])("are refused with %s", (_, change) => {
    expect(anyEventSchema.safeParse({ ...deleted, ...change }).success).toBe(false);
  });

  test("can be described as JSON schema, for the documents made of them", () => {
    for (const type of eventTypes) {
      const schema = z.toJSONSchema(eventSchema(type)) as { required: string[] };
      expect(schema.required).toEqual(
        expect.arrayContaining([...Object.keys(envelope), "event_type", "data"]),
      );
    }
  });
});

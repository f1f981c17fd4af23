import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { newDocument, uploadedEvent } from "../contracts/samples.ts";
import { manualClock } from "../contracts/system.ts";
import {
  decodeEvent,
  encodeBinary,
  encodeStructured,
  fromCloudEvent,
  InvalidCloudEventError,
  peekType,
  STRUCTURED_CONTENT_TYPE,
  toCloudEvent,
} from "../src/cloudevents.ts";
import { eventTypes, type SluiceEvent } from "../src/events.ts";

const { system } = manualClock();
const sample = (overrides: Partial<SluiceEvent> = {}): SluiceEvent =>
  ({ ...uploadedEvent(system, newDocument(system)), sequence: 42, ...overrides }) as SluiceEvent;

describe("a CloudEvent", () => {
  test("has the event's id, type, document and time, and the envelope in extension attributes", () => {
    const event = sample({ causation_id: "evt_before" });
    expect(toCloudEvent(event)).toEqual({
      specversion: "1.0",
      id: event.event_id,
      source: "/sluice",
      type: "rag.document.uploaded",
      subject: event.document_id,
      time: event.timestamp,
      datacontenttype: "application/json",
      correlationid: event.correlation_id,
      causationid: "evt_before",
      tenantid: "t1",
      idempotencykey: event.idempotency_key,
      sequence: "0000000000000042",
      collection: "default",
      data: event.data,
    });
  });

  test("names its attributes as the specification allows: lower-case letters and digits, 20 at most", () => {
    for (const name of Object.keys(toCloudEvent(sample({ causation_id: "evt_1" })))) {
      expect(name).toMatch(/^[a-z0-9]{1,20}$/);
    }
  });

  test("has no causationid where nothing caused the event, and a source of one's choice", () => {
    const cloud = toCloudEvent(sample({ causation_id: null }), { source: "https://docs.example.com/eu" });
    expect(cloud).not.toHaveProperty("causationid");
    expect(cloud.source).toBe("https://docs.example.com/eu");
  });

  test("sorts by its sequence as text as the log does by number", () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), fc.maxSafeNat(), (a, b) => {
        const [left, right] = [a, b].map((sequence) => toCloudEvent(sample({ sequence })).sequence);
        expect(Math.sign(Number(left! > right!) - Number(left! < right!))).toBe(Math.sign(a - b));
      }),
    );
  });
});

describe("there and back", () => {
  const text = fc.string({ unit: "grapheme", minLength: 1 });
  const events = fc
    .record({
      sequence: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
      causation_id: fc.option(text),
      tenant_id: text,
      collection: text,
      idempotency_key: text,
    })
    .map((overrides) => sample(overrides as Partial<SluiceEvent>));

  for (const binding of ["kafka", "http"] as const) {
    test(`an event survives ${binding}, in binary and in structured mode`, () => {
      fc.assert(
        fc.property(events, (event) => {
          const cloud = toCloudEvent(event);
          expect(decodeEvent(encodeBinary(cloud, binding), binding)).toEqual(event);
          expect(decodeEvent(encodeStructured(cloud), binding)).toEqual(event);
        }),
      );
    });
  }

  test("HTTP headers hold printable ASCII only, and are read whatever their case", () => {
    fc.assert(
      fc.property(events, (event) => {
        const { headers, body } = encodeBinary(toCloudEvent(event), "http");
        for (const value of Object.values(headers)) expect(value).toMatch(/^[!-~]*$/);
        const shouted = Object.fromEntries(
          Object.entries(headers).map(([name, value]) => [name.toUpperCase(), value]),
        );
        expect(decodeEvent({ headers: shouted, body }, "http")).toEqual(event);
      }),
    );
    const { headers } = encodeBinary(toCloudEvent(sample({ collection: 'Übung "1" 50%' })), "http");
    expect(headers["ce-collection"]).toBe("%C3%9Cbung%20%221%22%2050%25");
  });

  test("Kafka headers hold the text as it is", () => {
    const event = sample({ collection: "Übung 50%" });
    const { headers, body } = encodeBinary(toCloudEvent(event), "kafka");
    expect(headers).toMatchObject({
      "content-type": "application/json",
      ce_specversion: "1.0",
      ce_id: event.event_id,
      ce_type: event.event_type,
      ce_collection: "Übung 50%",
    });
    expect(headers).not.toHaveProperty("ce_datacontenttype");
    expect(JSON.parse(body)).toEqual(event.data);
  });

  test("structured mode has everything in the body", () => {
    const event = sample();
    const { headers, body } = encodeStructured(toCloudEvent(event));
    expect(headers).toEqual({ "content-type": STRUCTURED_CONTENT_TYPE });
    expect(JSON.parse(body)).toEqual(toCloudEvent(event));
  });

  test("attributes and fields that a newer Sluice added are passed over", () => {
    const event = sample();
    const cloud = toCloudEvent(event);
    expect(fromCloudEvent({ ...cloud, added: "x", data: { ...event.data, added: 1 } })).toEqual(event);
  });
});

describe("what is no event of Sluice is refused, with the reason", () => {
  const cloud = toCloudEvent(sample());
  test.each<[string, unknown, RegExp]>([
    ["a list", [], /JSON object/],
    ["another version", { ...cloud, specversion: "0.3" }, /specversion is "0.3"/],
    ["an unknown type", { ...cloud, type: "rag.document.painted" }, /rag\.document\.painted/],
    ["no subject", { ...cloud, subject: undefined }, /document_id/],
    ["a sequence that is no number", { ...cloud, sequence: "one" }, /sequence/],
    ["data of another type of event", { ...cloud, data: { chunks: 1 } }, /data\.job_id/],
  ])("%s", (_, value, reason) => {
    expect(() => fromCloudEvent(value)).toThrow(InvalidCloudEventError);
    expect(() => fromCloudEvent(value)).toThrow(reason);
  });

  test.each<[string, Record<string, string>, string, RegExp]>([
    ["a message without attributes", {}, "{}", /no CloudEvent/],
    ["a body that is not JSON", { "content-type": STRUCTURED_CONTENT_TYPE }, "{", /not JSON/],
    ["a batch", { "content-type": "application/cloudevents-batch+json" }, "[]", /one event each/],
    ["Avro data", { "ce-specversion": "1.0", "content-type": "application/avro" }, "", /application\/avro/],
    ["a broken escape", { "ce-specversion": "1.0", "ce-id": "%E0" }, "{}", /percent-encoded/],
  ])("%s", (_, headers, body, reason) => {
    expect(() => decodeEvent({ headers, body }, "http")).toThrow(InvalidCloudEventError);
    expect(() => decodeEvent({ headers, body }, "http")).toThrow(reason);
  });
});

test("the type can be read alone, in every mode", () => {
  const cloud = toCloudEvent(sample());
  for (const binding of ["kafka", "http"] as const) {
    expect(peekType(encodeBinary(cloud, binding), binding)).toBe("rag.document.uploaded");
    expect(peekType(encodeStructured(cloud), binding)).toBe("rag.document.uploaded");
    expect(peekType({ headers: {}, body: "no JSON" }, binding)).toBeUndefined();
  }
  expect(eventTypes).toContain(cloud.type);
});

/**
 * Sluice's events in the form of CloudEvents 1.0 (https://cloudevents.io), which they take whenever they leave the
 * process: to Kafka, SQS, SNS or a webhook. Functions only: what goes over the wire is sent elsewhere.
 *
 * `id` is the event_id, `subject` the document_id, `data` the event's data, and the rest of the envelope travels as
 * extension attributes, whose names may hold no underscore. Nothing is lost on the way there and back.
 */
import { z } from "zod";
import { anyEventSchema, type EventType, eventDataSchemas, eventTypes, type SluiceEvent } from "./events.ts";

const attributes = {
  specversion: z.literal("1.0"),
  id: z.string().describe("the event_id"),
  source: z.string().describe("a URI reference: which installation speaks; unique together with id"),
  type: z.enum(eventTypes).describe("the event_type"),
  subject: z.string().describe("the document_id"),
  time: z.iso.datetime().describe("the timestamp"),
  datacontenttype: z.literal("application/json"),
  correlationid: z.string().describe("ties together everything that one upload caused"),
  causationid: z.string().optional().describe("absent when nothing is known to have caused the event"),
  tenantid: z.string(),
  idempotencykey: z
    .string()
    .describe("the same in every delivery of this fact; what a receiver tells repetitions by"),
  sequence: z
    .string()
    .regex(/^\d{16}$/)
    .describe("place in the log, with leading zeros, so that the order of texts is the order of numbers"),
  collection: z.string(),
};
const attributesSchema = z.object(attributes);

/** One event as a CloudEvent. Every attribute is a string, as all transports want it. */
export type CloudEvent = z.infer<typeof attributesSchema> & { data: unknown };

/** Schema of the CloudEvents that events of one type become. */
export function cloudEventSchema(type: EventType) {
  return z.object({ ...attributes, type: z.literal(type), data: eventDataSchemas[type] });
}

/** Schema of the headers in binary mode. */
export function binaryHeadersSchema(type: EventType, binding: CloudEventBinding) {
  const { datacontenttype, ...named } = { ...attributes, type: z.literal(type) };
  const headers = Object.entries(named).map(([name, schema]) => [`${prefixes[binding]}${name}`, schema]);
  return z.object({ "content-type": datacontenttype, ...Object.fromEntries(headers) });
}

/** What a transport carries: headers and a body, both text. */
export interface EncodedEvent {
  headers: Record<string, string>;
  body: string;
}

/** How a transport writes attributes into headers: `ce_id` as it is (Kafka), or `ce-id` percent-encoded (HTTP). */
export type CloudEventBinding = "kafka" | "http";

/** What arrived is no CloudEvent of Sluice; `message` says why. Another delivery of it won't be either. */
export class InvalidCloudEventError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "InvalidCloudEventError";
  }
}

export const STRUCTURED_CONTENT_TYPE = "application/cloudevents+json; charset=utf-8";
const DEFAULT_SOURCE = "/sluice";
/** As many as Number.MAX_SAFE_INTEGER has. */
const SEQUENCE_DIGITS = 16;
const prefixes = { kafka: "ce_", http: "ce-" } as const satisfies Record<CloudEventBinding, string>;

/** @param options.source default "/sluice"; give each installation its own where several feed one topic */
export function toCloudEvent(event: SluiceEvent, options: { source?: string } = {}): CloudEvent {
  return {
    specversion: "1.0",
    id: event.event_id,
    source: options.source ?? DEFAULT_SOURCE,
    type: event.event_type,
    subject: event.document_id,
    time: event.timestamp,
    datacontenttype: "application/json",
    correlationid: event.correlation_id,
    ...(event.causation_id === null ? {} : { causationid: event.causation_id }),
    tenantid: event.tenant_id,
    idempotencykey: event.idempotency_key,
    sequence: String(event.sequence).padStart(SEQUENCE_DIGITS, "0"),
    collection: event.collection,
    data: event.data,
  };
}

/**
 * The event that a CloudEvent was made of. Attributes and fields of data that this version doesn't know are left out,
 * so that a newer Sluice may add some.
 *
 * @throws InvalidCloudEventError when it isn't one, or of a type that this version doesn't know
 */
export function fromCloudEvent(value: unknown): SluiceEvent {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new InvalidCloudEventError("a CloudEvent is a JSON object");
  }
  const cloud = value as Record<string, unknown>;
  if (cloud.specversion !== "1.0") {
    throw new InvalidCloudEventError(`specversion is ${JSON.stringify(cloud.specversion)}, not "1.0"`);
  }
  const { sequence } = cloud;
  const parsed = anyEventSchema.safeParse({
    event_id: cloud.id,
    event_type: cloud.type,
    correlation_id: cloud.correlationid,
    causation_id: cloud.causationid ?? null,
    tenant_id: cloud.tenantid,
    idempotency_key: cloud.idempotencykey,
    timestamp: cloud.time,
    sequence: typeof sequence === "string" && /^\d+$/.test(sequence) ? Number(sequence) : sequence,
    document_id: cloud.subject,
    collection: cloud.collection,
    data: cloud.data,
  });
  if (parsed.success) return parsed.data as SluiceEvent;
  const problems = parsed.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`);
  throw new InvalidCloudEventError(
    `CloudEvent ${JSON.stringify(cloud.id)} of type ${JSON.stringify(cloud.type)} is no event of Sluice: ${problems.join("; ")}`,
    { cause: parsed.error },
  );
}

/** Binary mode: attributes as headers, the event's data alone as the body. */
export function encodeBinary(event: CloudEvent, binding: CloudEventBinding): EncodedEvent {
  const { data, datacontenttype, ...attributes } = event;
  const headers: Record<string, string> = { "content-type": datacontenttype };
  for (const [name, value] of Object.entries(attributes)) {
    headers[`${prefixes[binding]}${name}`] = binding === "http" ? percentEncode(value) : value;
  }
  return { headers, body: JSON.stringify(data) };
}

/** Structured mode: one JSON object with everything in it, the same for every transport. */
export function encodeStructured(event: CloudEvent): EncodedEvent {
  return { headers: { "content-type": STRUCTURED_CONTENT_TYPE }, body: JSON.stringify(event) };
}

/**
 * Reads either mode, told apart by the content type.
 *
 * @param headers names in any case
 * @throws InvalidCloudEventError when it isn't a CloudEvent of Sluice
 */
export function decodeEvent({ headers, body }: EncodedEvent, binding: CloudEventBinding): SluiceEvent {
  const names = new Map(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
  const contentType = names.get("content-type")?.toLowerCase() ?? "";
  if (contentType.startsWith("application/cloudevents+json")) return fromCloudEvent(parseJson(body));
  if (contentType.startsWith("application/cloudevents")) {
    throw new InvalidCloudEventError(
      `the content type ${contentType} can't be read, only JSON, one event each`,
    );
  }
  const prefix = prefixes[binding];
  const cloud: Record<string, unknown> = {};
  for (const [name, value] of names) {
    if (!name.startsWith(prefix)) continue;
    cloud[name.slice(prefix.length)] = binding === "http" ? percentDecode(value) : value;
  }
  if (cloud.specversion === undefined) {
    throw new InvalidCloudEventError(
      `there is no CloudEvent: neither ${prefix}… headers nor a structured one`,
    );
  }
  if (contentType !== "" && !/^application\/json\s*(;|$)/.test(contentType)) {
    throw new InvalidCloudEventError(`the content type of the data is ${contentType}, not application/json`);
  }
  return fromCloudEvent({ ...cloud, data: parseJson(body) });
}

/**
 * The type of the event in a message, without reading the rest; undefined where there is none. A receiver can pass
 * over types that it doesn't care for, or doesn't know yet.
 */
export function peekType({ headers, body }: EncodedEvent, binding: CloudEventBinding): string | undefined {
  const wanted = `${prefixes[binding]}type`;
  const found = Object.entries(headers).find(([name]) => name.toLowerCase() === wanted);
  if (found) return found[1];
  try {
    const { type } = JSON.parse(body) as { type?: unknown };
    return typeof type === "string" ? type : undefined;
  } catch {
    // Whoever reads the event itself is told what is wrong with it.
    return undefined;
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new InvalidCloudEventError("the body is not JSON", { cause });
  }
}

/** As the HTTP binding wants it: space, quote, percent sign and whatever isn't printable ASCII. */
function percentEncode(text: string): string {
  const encoder = new TextEncoder();
  return Array.from(text.toWellFormed(), (character) => {
    if (/^[!#$&-~]$/.test(character)) return character;
    return Array.from(
      encoder.encode(character),
      (byte) => `%${byte.toString(16).toUpperCase().padStart(2, "0")}`,
    ).join("");
  }).join("");
}

function percentDecode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch (cause) {
    throw new InvalidCloudEventError(
      `the header value ${JSON.stringify(text)} is not percent-encoded UTF-8`,
      {
        cause,
      },
    );
  }
}

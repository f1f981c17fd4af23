/** How events go to SQS and SNS: in batches, as CloudEvents, and never ahead of an earlier one of their document. */
import { encodeStructured, toCloudEvent } from "../../cloudevents.ts";
import { SluiceError } from "../../errors.ts";
import type { SluiceEvent } from "../../events.ts";
import { describeAwsError, fixFor } from "./connection.ts";

export interface EventEntry {
  Id: string;
  /** The CloudEvent in its JSON form. */
  body: string;
  /** What subscribers filter by without reading the body. */
  attributes: Record<string, { DataType: "String"; StringValue: string }>;
  event: SluiceEvent;
}

/** What both services take in one request, and SNS in all its messages together. */
const BATCH = 10;
const BATCH_BYTES = 240 * 1024;
const PARALLEL = 4;
/** Of one publish, tries included. Less than the relay leads for. */
export const PUBLISH_MS = 7_000;

/**
 * Sends events in rounds: each holds at most one event of a document, and begins when the one before was taken whole.
 * A batch may be taken in part, so two events of one document in one batch could change places.
 *
 * @param send resolves with why entries were refused, by their Id; none when all were taken
 * @throws SluiceError `internal`, naming the target
 */
export async function publishInRounds(
  events: SluiceEvent[],
  { source, target, needs }: { source?: string | undefined; target: string; needs: string },
  send: (entries: EventEntry[], signal: AbortSignal) => Promise<Map<string, string>>,
): Promise<void> {
  const signal = AbortSignal.timeout(PUBLISH_MS);
  const refusals: string[] = [];
  try {
    for (const round of roundsOf(events)) {
      const batches = batchesOf(round.map((event) => toEntry(event, source)));
      for (let from = 0; from < batches.length; from += PARALLEL) {
        const sent = batches.slice(from, from + PARALLEL).map(async (batch) => {
          const refused = await send(batch, signal);
          for (const { Id, event } of batch) {
            const reason = refused.get(Id);
            if (reason !== undefined) refusals.push(`${event.event_id} of ${event.document_id}: ${reason}`);
          }
        });
        const failed = (await Promise.allSettled(sent)).find((result) => result.status === "rejected");
        if (failed) throw failed.reason;
      }
      if (refusals.length > 0) throw new Error(refusals.slice(0, 3).join("; "));
    }
  } catch (cause) {
    const reason = signal.aborted ? `no answer within ${PUBLISH_MS} ms` : describeAwsError(cause);
    const fix = fixFor(cause, needs);
    throw new SluiceError("internal", `${target} did not take events: ${reason}${fix ? ` ${fix}` : ""}`, {
      cause,
    });
  }
}

function roundsOf(events: SluiceEvent[]): SluiceEvent[][] {
  const rounds: SluiceEvent[][] = [];
  const seen = new Map<string, number>();
  for (const event of events) {
    const round = seen.get(event.document_id) ?? 0;
    seen.set(event.document_id, round + 1);
    rounds[round] ??= [];
    rounds[round].push(event);
  }
  return rounds;
}

function toEntry(event: SluiceEvent, source: string | undefined): EventEntry {
  const cloudEvent = toCloudEvent(event, source === undefined ? {} : { source });
  const attribute = (StringValue: string) => ({ DataType: "String" as const, StringValue });
  return {
    Id: "",
    body: encodeStructured(cloudEvent).body,
    attributes: {
      type: attribute(cloudEvent.type),
      tenantid: attribute(cloudEvent.tenantid),
      collection: attribute(cloudEvent.collection),
    },
    event,
  };
}

function batchesOf(entries: EventEntry[]): EventEntry[][] {
  const batches: EventEntry[][] = [];
  let batch: EventEntry[] = [];
  let bytes = 0;
  for (const entry of entries) {
    const size = Buffer.byteLength(entry.body) + 256;
    if (batch.length === BATCH || (batch.length > 0 && bytes + size > BATCH_BYTES)) {
      batches.push(batch);
      batch = [];
      bytes = 0;
    }
    batch.push({ ...entry, Id: String(batch.length) });
    bytes += size;
  }
  if (batch.length > 0) batches.push(batch);
  return batches;
}

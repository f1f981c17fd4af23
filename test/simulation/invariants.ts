/** What must be true when everything is over, whatever happened on the way. */
import {
  type DocumentRecord,
  evolve,
  isTerminal,
  type JourneyState,
  legalAfter,
} from "../../src/document.ts";
import type { ErrorCode } from "../../src/errors.ts";
import type { SluiceEvent } from "../../src/events.ts";
import type { Told } from "./clients.ts";
import { effortViolations } from "./effort.ts";
import { indexViolations } from "./index-check.ts";
import { due } from "./subscribers.ts";
import { insideOf, type Kind } from "./texts.ts";
import type { World } from "./world.ts";

/** Why an ingestion may fail for good here: what the text is like, and what befell every attempt. */
const bad_luck: ErrorCode[] = ["worker_lost", "embedder_unavailable", "storage_unavailable"];
const excuses: Readonly<Record<Kind, ReadonlySet<ErrorCode>>> = {
  good: new Set(bad_luck),
  flaky: new Set<ErrorCode>([...bad_luck, "extraction_timeout", "extraction_out_of_memory"]),
  damaged: new Set<ErrorCode>([...bad_luck, "malformed_document"]),
  poison: new Set<ErrorCode>([...bad_luck, "extraction_crashed"]),
};

/** @returns what is wrong; empty when all is well */
export async function violations(world: World, told: Told): Promise<string[]> {
  const { state } = world.outside;
  const wrong = [...told.wrong];
  for (const { job } of state.openJobs.values()) wrong.push(`G2: ${job.job_id} is still ${job.state}`);

  const logs = Map.groupBy(state.events, (event) => event.document_id);
  for (const { document_id } of told.acknowledged) {
    if (!state.documents.has(document_id) && !told.removed.has(document_id))
      wrong.push(`G1: ${document_id} was acknowledged and is lost`);
  }
  const living = new Map<string, string>();
  for (const [document_id, { record, removed }] of state.documents) {
    const events = logs.get(document_id);
    if (!events) wrong.push(`G5: ${document_id} is a document without events`);
    if (removed) {
      wrong.push(`G2: ${document_id} was deleted and never erased`);
      continue;
    }
    const content = `${record.tenant_id} ${record.collection} ${record.sha256}`;
    const twin = living.get(content);
    if (twin !== undefined) wrong.push(`G3: ${document_id} and ${twin} have the same bytes`);
    living.set(content, document_id);
    wrong.push(...judgeDocument(told, record), ...judgeChild(world, told, record));
    wrong.push(...(await indexViolations(world, told, record, events ?? [])));
  }
  for (const [document_id, events] of logs) {
    const stored = state.documents.get(document_id)?.record;
    wrong.push(...judgeLog(document_id, events, stored, told, world.settings.max_attempts));
    if (stored) continue;
    if (events.at(-1)?.event_type !== "rag.document.deleted")
      wrong.push(`G5: ${document_id} has events and is no document`);
    if (state.rows.has(document_id) || state.versions.has(document_id))
      wrong.push(`G8: rows of ${document_id} are left, which was deleted`);
  }

  for (const subscriber of world.subscribers.all) {
    const got = subscriber.received.map(({ sequence }) => sequence).join(" ");
    const wanted = due(state.events, subscriber).map(({ sequence }) => sequence);
    if (got !== wanted.join(" ")) {
      const who = `${subscriber.filter.document_id ?? subscriber.filter.tenant_id}`;
      wrong.push(`G5: a subscriber of ${who} got ${got}, of ${wanted.join(" ")}`);
    }
  }
  wrong.push(...judgePublished(world), ...judgeBlobs(world));
  return [...wrong, ...(await effortViolations(world, told, logs))];
}

/** The state machine ran as written, and what is stored is what the events make. */
function judgeLog(
  document_id: string,
  events: SluiceEvent[],
  stored: DocumentRecord | undefined,
  told: Told,
  max_attempts: number,
): string[] {
  let status: JourneyState = "none";
  let record: DocumentRecord | undefined;
  let starts = 0;
  const wrong: string[] = [];
  for (const event of events) {
    const next = legalAfter(status, event.event_type);
    if (next === undefined) return [`G5: ${event.event_type} of ${document_id} is not legal while ${status}`];
    status = next;
    const { tenant_id, collection } = event;
    record = evolve(record ?? { tenant_id, document_id, collection, metadata: {} }, event);
    if (event.event_type === "rag.document.uploaded" || event.event_type === "rag.ingestion.requested")
      starts = 0;
    if (event.event_type === "rag.ingestion.started") starts += 1;
    if (starts > max_attempts) wrong.push(`G11: attempt ${starts} of ${document_id}, of ${max_attempts}`);
    if (event.event_type === "rag.ingestion.retry_scheduled") {
      const { code } = event.data.error;
      // The embedder asked for it, or the worker was stopped: the attempt was given back.
      if (code === "embedder_rate_limited" || code === "shutting_down") starts -= 1;
    }
    if (event.event_type === "rag.ingestion.failed") {
      const source = told.sources.get(record.sha256);
      const { error } = event.data;
      if (!source || !excuses[source.kind].has(error.code))
        wrong.push(`G7: ${document_id} (${source?.kind}) failed: ${JSON.stringify(error)}`);
    }
  }
  if (stored && JSON.stringify(sorted(record)) !== JSON.stringify(sorted(stored))) {
    wrong.push(
      `G5: the events of ${document_id} make ${JSON.stringify(record)}, stored is ${JSON.stringify(stored)}`,
    );
  }
  return wrong;
}

const sorted = (record: object | undefined) =>
  Object.entries(record ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));

function judgeDocument(told: Told, record: DocumentRecord): string[] {
  const { document_id, status, version, searchable_version } = record;
  const source = told.sources.get(record.sha256);
  if (!source) return [`G1: ${document_id} has bytes that nobody uploaded`];
  const wrong: string[] = [];
  if (!isTerminal(status)) wrong.push(`G2: ${document_id} is still ${status}`);
  if (status === "cancelled" && !told.interrupted.has(document_id))
    wrong.push(`G8: ${document_id} is cancelled, and nobody asked for it`);
  const readable = source.kind === "good" || source.kind === "flaky";
  if (status === "completed" && (searchable_version !== version || !readable)) {
    wrong.push(
      `G3: ${document_id} (${source.kind}) is completed at ${version}, searchable is ${searchable_version}`,
    );
  }
  return wrong;
}

/** What came inside a document goes with it, and with the version that held it. */
function judgeChild({ outside }: World, told: Told, record: DocumentRecord): string[] {
  const { document_id, parent_document_id } = record;
  if (parent_document_id === null) return [];
  const row = outside.state.documents.get(parent_document_id);
  if (!row || row.removed)
    return [`G8: ${document_id} is there, and ${parent_document_id}, which held it, is not`];
  const parent = row.record;
  if (parent.tenant_id !== record.tenant_id)
    return [`G9: ${document_id} came out of another tenant's document`];
  const held = insideOf(told.sources.get(parent.sha256)?.text ?? "");
  const holds = held.some(({ sha256 }) => sha256 === record.sha256);
  // Somebody may have sent other bytes for it since.
  if (parent.status !== "completed" || holds || told.interrupted.has(document_id)) return [];
  return [
    `G13: ${document_id} is there, and version ${parent.version} of ${parent_document_id} does not hold it`,
  ];
}

/** Whoever listens outside got everything, of each document in order, and can tell what came twice. */
function judgePublished({ outside, published }: World): string[] {
  const wrong: string[] = [];
  const keys = new Map<string, string>();
  const last = new Map<string, number>();
  for (const event of published) {
    const { idempotency_key, document_id, sequence } = event;
    const known = keys.get(idempotency_key);
    const content = JSON.stringify(event);
    if (known !== undefined && known !== content)
      wrong.push(`G6: ${idempotency_key} came with another event`);
    if (known === undefined) {
      if (sequence < (last.get(document_id) ?? 0))
        wrong.push(`G6: events of ${document_id} came out of order`);
      last.set(document_id, sequence);
    }
    keys.set(idempotency_key, content);
  }
  for (const { idempotency_key, sequence } of outside.state.events) {
    if (!keys.has(idempotency_key)) wrong.push(`G6: event ${sequence} was not published`);
  }
  return wrong;
}

/** After the sweep: what is named is there, and what is there is named. */
function judgeBlobs({ outside }: World): string[] {
  const { state, blobs } = outside;
  const named = new Map<string, string>();
  for (const [document_id, versions] of state.versions) {
    for (const { blob_key, version } of versions.values())
      named.set(blob_key, `version ${version} of ${document_id}`);
  }
  for (const [document_id, versions] of state.rows) {
    for (const [version, { checkpoints }] of versions) {
      for (const { stage, data } of checkpoints.values()) {
        for (const [name, key] of Object.entries(data))
          if (name.endsWith("_key"))
            named.set(key as string, `${stage} of version ${version} of ${document_id}`);
      }
    }
  }
  const wrong: string[] = [];
  for (const [key, by] of named)
    if (!blobs.has(key)) wrong.push(`G1: the blob ${key} is not there; ${by} names it`);
  for (const key of blobs.keys()) if (!named.has(key)) wrong.push(`G8: the blob ${key} is named by nobody`);
  return wrong;
}

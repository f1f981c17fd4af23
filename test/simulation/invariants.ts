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
import { BATCH } from "./ports.ts";
import { chunksOf, type Kind } from "./texts.ts";
import { MAX_ATTEMPTS, type World } from "./world.ts";

/** Why an ingestion may fail for good here: what the text says of itself, and what befell every attempt. */
const excuses: Readonly<Record<Kind, ReadonlySet<ErrorCode>>> = {
  good: new Set<ErrorCode>(["worker_lost", "embedder_unavailable"]),
  damaged: new Set<ErrorCode>(["malformed_document", "worker_lost"]),
  poison: new Set<ErrorCode>(["extraction_crashed", "worker_lost"]),
};

/** @returns what is wrong; empty when all is well */
export async function violations(world: World, told: Told): Promise<string[]> {
  const { state, blobs } = world.outside;
  const wrong = [...told.wrong];
  for (const { job } of state.openJobs.values()) wrong.push(`G2: ${job.job_id} is still ${job.state}`);

  for (const { document_id } of told.acknowledged) {
    const gone = told.removed.has(document_id);
    if (!state.documents.has(document_id) && !gone)
      wrong.push(`G1: ${document_id} was acknowledged and is lost`);
  }

  const logs = Map.groupBy(state.events, (event) => event.document_id);
  for (const [document_id, events] of logs) {
    const stored = state.documents.get(document_id);
    if (!stored && events.at(-1)?.event_type !== "rag.document.deleted") {
      wrong.push(`G5: ${document_id} has events and is no document`);
    }
    wrong.push(...judgeLog(document_id, events, stored?.record));
    if (stored?.removed) wrong.push(`G2: ${document_id} was deleted and never erased`);
    if (!stored && state.rows.has(document_id)) {
      const left = [...(state.rows.get(document_id)?.values() ?? [])];
      if (left.some((rows) => rows.chunks.size + rows.entries.size + rows.checkpoints.size > 0)) {
        wrong.push(`G8: rows of ${document_id} are left, which was deleted`);
      }
    }
  }

  for (const [document_id, { record, removed }] of state.documents) {
    if (!logs.has(document_id)) wrong.push(`G5: ${document_id} is a document without events`);
    if (!removed) wrong.push(...(await judgeDocument(world, told, record)));
  }

  for (const [job_id, { job }] of [...state.endedJobs]) {
    if (job.attempts > job.max_attempts)
      wrong.push(`${job_id} had ${job.attempts} of ${MAX_ATTEMPTS} attempts`);
  }

  for (const subscriber of world.subscribers) {
    const own = state.events.filter(({ tenant_id }) => tenant_id === subscriber.tenant_id);
    const got = subscriber.received.map(({ sequence }) => sequence).join(" ");
    if (got !== own.map(({ sequence }) => sequence).join(" ")) {
      wrong.push(
        `G5: a subscriber of ${subscriber.tenant_id} got ${got}, of ${own.map((e) => e.sequence).join(" ")}`,
      );
    }
  }
  wrong.push(...judgePublished(world));

  const named = new Set<string>();
  for (const versions of state.versions.values())
    for (const { blob_key } of versions.values()) named.add(blob_key);
  for (const versions of state.rows.values()) {
    for (const { checkpoints } of versions.values()) {
      for (const { data } of checkpoints.values()) {
        for (const [name, key] of Object.entries(data)) if (name.endsWith("_key")) named.add(key as string);
      }
    }
  }
  for (const key of named) if (!blobs.has(key)) wrong.push(`G1: the blob ${key} is named and not there`);
  for (const key of blobs.keys()) if (!named.has(key)) wrong.push(`the blob ${key} is named by nobody`);
  return wrong;
}

function judgeLog(document_id: string, events: SluiceEvent[], stored: DocumentRecord | undefined): string[] {
  let status: JourneyState = "none";
  let record: DocumentRecord | undefined;
  for (const event of events) {
    const next = legalAfter(status, event.event_type);
    if (next === undefined) return [`G5: ${event.event_type} of ${document_id} is not legal while ${status}`];
    status = next;
    const { tenant_id, collection } = event;
    record = evolve(record ?? { tenant_id, document_id, collection, metadata: {} }, event);
  }
  if (stored && JSON.stringify(sorted(record)) !== JSON.stringify(sorted(stored))) {
    return [
      `G5: the events of ${document_id} make ${JSON.stringify(record)}, stored is ${JSON.stringify(stored)}`,
    ];
  }
  return [];
}

const sorted = (record: object | undefined) =>
  Object.entries(record ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));

async function judgeDocument(world: World, told: Told, record: DocumentRecord): Promise<string[]> {
  const { state } = world.outside;
  const { document_id, status, error, version, searchable_version } = record;
  const wrong: string[] = [];
  const versions = state.versions.get(document_id);
  const source = told.texts.get(record.sha256);
  if (!versions || !source) return [`${document_id} has no version that somebody uploaded`];
  if (!isTerminal(status)) wrong.push(`G2: ${document_id} is still ${status}`);
  if (status === "cancelled" && !told.interrupted.has(document_id)) {
    wrong.push(`${document_id} is cancelled, and nobody asked for it`);
  }
  if (status === "failed" && (!error || !excuses[source.kind].has(error.code))) {
    wrong.push(`G7: ${document_id} (${source.kind}) failed: ${JSON.stringify(error)}`);
  }
  if (status === "completed" && (searchable_version !== version || source.kind !== "good")) {
    wrong.push(
      `G3: ${document_id} (${source.kind}) is completed at ${version}, searchable is ${searchable_version}`,
    );
  }
  for (const [number, rows] of state.rows.get(document_id) ?? []) {
    if (number === searchable_version) continue;
    // A dead letter keeps what it made, to go on from there; anything else leaves nothing.
    const redrivable = status === "failed" && number === version;
    if (rows.chunks.size + rows.entries.size > 0 && !redrivable) {
      wrong.push(`G3: ${rows.chunks.size} chunks of version ${number} of ${document_id} are left`);
    }
  }
  if (searchable_version !== null) {
    const text = told.texts.get(versions.get(searchable_version)?.sha256 ?? "")?.text ?? "";
    const expected = await chunksOf(text);
    const rows = state.rows.get(document_id)?.get(searchable_version);
    const entries = [...(rows?.entries.values() ?? [])].sort(
      (a, b) => a.entry.chunk.ordinal - b.entry.chunk.ordinal,
    );
    const texts = entries.map(({ entry }) => entry.chunk.text);
    if (texts.join("\n") !== expected.join("\n") || record.chunks_created !== expected.length) {
      wrong.push(`G3: the index holds ${texts.length} of ${expected.length} chunks of ${document_id}`);
    }
  }
  return [...wrong, ...(await judgeEffort(world, told, record))];
}

/** G4: beyond once for each chunk, an attempt may repeat the one batch that it did not live to store. */
async function judgeEffort(world: World, told: Told, record: DocumentRecord): Promise<string[]> {
  const { embedded, claims, state } = world.outside;
  const { document_id, version, job_id } = record;
  const source = told.texts.get(record.sha256);
  // Cancelled work is discarded and made again; and a text that two documents have is counted twice.
  if (source?.kind !== "good" || version > 1 || told.interrupted.has(document_id)) return [];
  const twins = [...logsOf(world, record.sha256)];
  if (twins.length > 1) return [];
  const chunks = new Set(await chunksOf(source.text));
  const spent = embedded.filter((text) => chunks.has(text)).length;
  const allowed = chunks.size + BATCH * ((claims.get(job_id) ?? 1) - 1);
  if (spent <= allowed) return [];
  const attempts = `${claims.get(job_id)} attempts, ${state.endedJobs.get(job_id)?.job.attempts} counted`;
  return [`G4: ${spent} texts embedded for ${chunks.size} chunks of ${document_id} in ${attempts}`];
}

/** Documents that ever had these bytes. */
function logsOf(world: World, sha256: string): Set<string> {
  const found = new Set<string>();
  for (const event of world.outside.state.events) {
    if (event.event_type === "rag.document.uploaded" && event.data.sha256 === sha256)
      found.add(event.document_id);
  }
  return found;
}

function judgePublished({ published, outside }: World): string[] {
  const wrong: string[] = [];
  const keys = new Map<string, string>();
  const last = new Map<string, number>();
  for (const { idempotency_key, event_id, document_id, sequence } of published) {
    const known = keys.get(idempotency_key);
    if (known !== undefined && known !== event_id)
      wrong.push(`G6: ${idempotency_key} came with another event`);
    if (known === undefined) {
      if (sequence < (last.get(document_id) ?? 0))
        wrong.push(`G6: events of ${document_id} came out of order`);
      last.set(document_id, sequence);
    }
    keys.set(idempotency_key, event_id);
  }
  for (const { idempotency_key, sequence } of outside.state.events) {
    if (!keys.has(idempotency_key)) wrong.push(`G6: event ${sequence} was not published`);
  }
  return wrong;
}

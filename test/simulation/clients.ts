/** What users do, in no particular order: upload, upload again, change, cancel, delete, retry, search, follow. */
import { isTerminal } from "../../src/document.ts";
import { SluiceError } from "../../src/errors.ts";
import type { Accepted, UploadOptions } from "../../src/intake/upload.ts";
import type { Api } from "./api.ts";
import type { Process, Scheduler } from "./scheduler.ts";
import { searchAndJudge } from "./searches.ts";
import { insideOf, kinds, makeSource, type Source } from "./texts.ts";
import type { World } from "./world.ts";

export interface Acknowledged {
  tenant_id: string;
  document_id: string;
  job_id: string;
}

/** What the clients were told, and what they asked for. */
export interface Told {
  acknowledged: Acknowledged[];
  /** Documents that somebody asked to delete, whether an answer came or not. */
  removed: Set<string>;
  /** Documents whose ingestion somebody asked to cancel or replaced. */
  interrupted: Set<string>;
  /** By SHA-256. */
  sources: Map<string, Source>;
  /** Idempotency-Key → what was answered under it. */
  answers: Map<string, string>;
  /** What clients were answered that they must not be. */
  wrong: string[];
  active: number;
}

export const LOST = Symbol("the connection was lost");
/** Answers that settle the matter. */
const REFUSALS = new Set(["not_found", "already_ended", "not_dead", "superseded", "duplicate_content"]);
/** Answers after which one comes again. */
const LATER = new Set(["idempotency_key_in_use", "storage_unavailable", "queue_full", "overloaded"]);
const UPLOAD_TRIES = 20;

export type Answer<T> = T | SluiceError | typeof LOST;
/** One request: its answer, its refusal, or nothing because the server died. */
export type Request = <T>(what: string, send: (api: Api) => Promise<T>) => Promise<Answer<T>>;

interface Client {
  scheduler: Scheduler;
  world: World;
  told: Told;
  tenant_id: string;
  process: Process;
  request: Request;
}

export function startClients(scheduler: Scheduler, world: World, tenants: string[], actions: number): Told {
  const told: Told = {
    acknowledged: [],
    removed: new Set(),
    interrupted: new Set(),
    sources: new Map(),
    answers: new Map(),
    wrong: [],
    active: 0,
  };
  for (const tenant_id of tenants) {
    for (let number = 1; number <= 2; number++) {
      const process = scheduler.spawn(`client of ${tenant_id}`);
      const request = createRequest(scheduler, world, process);
      told.active += 1;
      void act({ scheduler, world, told, tenant_id, process, request }, actions)
        .catch((error: unknown) => {
          told.wrong.push(`a client of ${tenant_id} was answered ${describe(error)}`);
        })
        .finally(() => {
          told.active -= 1;
        });
    }
  }
  return told;
}

function createRequest(scheduler: Scheduler, world: World, client: Process): Request {
  return async (what, send) => {
    await scheduler.step(client, what);
    const api = world.api();
    return Promise.race([
      send(api).catch((error: unknown) => {
        if (error instanceof SluiceError && (REFUSALS.has(error.code) || LATER.has(error.code))) return error;
        throw error;
      }),
      api.process.died.then((): typeof LOST => LOST),
    ]);
  };
}

async function act(client: Client, actions: number): Promise<void> {
  const { scheduler, told, tenant_id, process } = client;
  const { random } = scheduler;
  for (let count = 0; count < actions; count++) {
    if (random.chance(0.5)) await process.system.sleep(random.below(3_000));
    const mine = told.acknowledged.filter((each) => each.tenant_id === tenant_id);
    // Mostly what is under way: there is more to get wrong.
    const moving = mine.filter(({ document_id }) => isMoving(client.world, document_id));
    const some =
      mine.length === 0 ? undefined : random.pick(moving.length > 0 && random.chance(0.6) ? moving : mine);
    const choice = some === undefined ? 0 : random.below(24);
    if (choice < 8 || !some) await uploadNew(client);
    else {
      const target = random.chance(0.2) ? childOf(client, some) : some;
      if (choice < 10) await uploadVersion(client, target);
      else await command(client, target, choice);
    }
  }
}

/** A document that came inside this one, where there is any; else itself. */
function childOf({ scheduler, world }: Client, some: Acknowledged): Acknowledged {
  const children = [...world.outside.state.documents.values()].filter(
    ({ record, removed }) => !removed && record.parent_document_id === some.document_id,
  );
  if (children.length === 0) return some;
  const { tenant_id, document_id, job_id } = scheduler.random.pick(children).record;
  return { tenant_id, document_id, job_id };
}

function isMoving({ outside }: World, document_id: string): boolean {
  const record = outside.state.documents.get(document_id)?.record;
  return record !== undefined && !isTerminal(record.status);
}

async function uploadNew(client: Client): Promise<void> {
  const { random } = client.scheduler;
  // Few names: the same bytes come from two clients now and then, and twice in one request.
  const some = () => {
    // Also what lies inside others.
    if (random.chance(0.1)) return makeSource("good", `x inside ${random.below(5)}`);
    const kind = random.chance(0.75) ? "good" : random.pick(kinds);
    return makeSource(kind, `${client.tenant_id} ${random.below(6)}`);
  };
  const sources = random.chance(0.1) ? [some(), some()] : [some()];
  await upload(client, sources, {
    collection: random.chance(0.9) ? "default" : "other",
    ...(random.chance(0.2) ? { on_duplicate: "new_version" as const } : {}),
    priority: random.below(3),
  });
}

/** An edition of what the document holds, or something else altogether. */
async function uploadVersion(client: Client, { document_id }: Acknowledged): Promise<void> {
  const { scheduler, world, told, tenant_id } = client;
  const { random } = scheduler;
  told.interrupted.add(document_id);
  const sha256 = world.outside.state.documents.get(document_id)?.record.sha256;
  const now = sha256 === undefined ? undefined : told.sources.get(sha256);
  const [, name, kind] = /^(.*) (\w+)$/.exec(now?.name ?? "") ?? [];
  const source =
    name !== undefined && random.chance(0.7)
      ? makeSource(kind as Source["kind"], name, 1 + random.below(6))
      : makeSource("good", `${tenant_id} version ${random.below(1_000)}`);
  await upload(client, [source], { document_id });
}

async function upload(client: Client, sources: Source[], given: Partial<UploadOptions>): Promise<void> {
  const { scheduler, told, tenant_id, process, request } = client;
  const { random } = scheduler;
  for (const source of sources.flatMap((each) => [each, ...insideOf(each.text)])) {
    told.sources.set(source.sha256, source);
  }
  const idempotency_key = random.chance(0.5) ? process.system.newId("req") : undefined;
  const send = () =>
    request(`uploads ${sources.map(({ name }) => name).join(" and ")}`, async (api) => {
      const attempt = await api.beginUpload(tenant_id, process.system.newId("req"), { idempotency_key });
      try {
        for (const { text } of sources) {
          await attempt.add(pieces(scheduler, api.process, text), { filename: "a.txt" });
        }
        return (await attempt.accept({ collection: "default", metadata: {}, ...given })).accepted;
      } finally {
        // As the server does: what could not be removed is the sweeper's.
        await attempt.end().catch(() => {});
      }
    });
  // With a key, the impatient send twice at once.
  const times = idempotency_key !== undefined && random.chance(0.15) ? 2 : 1;
  for (let turn = 0; turn < UPLOAD_TRIES; turn++) {
    const answers = await Promise.all(Array.from({ length: times }, send));
    for (const answer of answers) {
      if (Array.isArray(answer)) noteAccepted(client, answer, idempotency_key);
    }
    if (answers.some((answer) => Array.isArray(answer))) return;
    if (answers.some((answer) => answer instanceof SluiceError && REFUSALS.has(answer.code))) return;
    // Nobody knows whether it was taken. With a key, or without, one sends it again.
    await process.system.sleep(50 + random.below(500));
  }
}

function noteAccepted({ told, tenant_id }: Client, accepted: Accepted[], key: string | undefined): void {
  for (const { document_id, job_id, version } of accepted) {
    told.acknowledged.push({ tenant_id, document_id, job_id });
    if (version > 1) told.interrupted.add(document_id);
  }
  if (key === undefined) return;
  const said = JSON.stringify(accepted);
  const before = told.answers.get(key);
  if (before !== undefined && before !== said)
    told.wrong.push(`G3: under one key was answered ${before} and ${said}`);
  told.answers.set(key, said);
}

async function command(client: Client, some: Acknowledged, choice: number): Promise<void> {
  const { scheduler, world, told, tenant_id, process, request } = client;
  const { document_id } = some;
  const job_id = world.outside.state.documents.get(document_id)?.record.job_id ?? some.job_id;
  const id = () => process.system.newId("req");
  const short = document_id.slice(-6);
  if (choice < 12) {
    told.interrupted.add(document_id);
    await request(`re-ingests ${short}`, (api) => api.commands.reingest(tenant_id, document_id, id()));
  } else if (choice < 13) {
    told.removed.add(document_id);
    await request(`removes ${short}`, (api) => api.commands.remove(tenant_id, document_id, id()));
  } else if (choice < 15) {
    told.interrupted.add(document_id);
    await request(`cancels ${short}`, (api) => api.commands.cancel(tenant_id, job_id, id()));
  } else if (choice < 16) {
    await request(`retries ${short}`, (api) => api.commands.retry(tenant_id, job_id, id()));
  } else if (choice < 17) {
    await request("retries all", (api) => api.commands.retryDead(tenant_id, { limit: 10 }, id()));
  } else if (choice < 18) {
    const from = scheduler.random.chance(0.5) ? 0 : world.outside.state.events.length;
    world.subscribers.subscribe({ tenant_id, document_id }, from);
  } else if (choice < 19) {
    await trespass(client);
  } else {
    await searchAndJudge(client);
  }
}

/** What is another tenant's is not there (G9). */
async function trespass({ scheduler, told, tenant_id, process, request }: Client): Promise<void> {
  const theirs = told.acknowledged.filter((each) => each.tenant_id !== tenant_id);
  if (theirs.length === 0) return;
  const { document_id, job_id } = scheduler.random.pick(theirs);
  const id = process.system.newId("req");
  const answer = await request<unknown>("asks for what is not theirs", ({ commands }) =>
    scheduler.random.pick([
      () => commands.reingest(tenant_id, document_id, id),
      () => commands.remove(tenant_id, document_id, id),
      () => commands.cancel(tenant_id, job_id, id),
      () => commands.retry(tenant_id, job_id, id),
    ])(),
  );
  if (answer === LOST || (answer instanceof SluiceError && LATER.has(answer.code))) return;
  if (answer instanceof SluiceError && answer.code === "not_found") return;
  told.wrong.push(
    `G9: ${tenant_id} asked for ${document_id}, another's, and was answered ${describe(answer)}`,
  );
}

async function* pieces(scheduler: Scheduler, process: Process, text: string): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(text);
  const half = bytes.length >> 1;
  yield bytes.subarray(0, half);
  await scheduler.step(process, "receives the rest");
  yield bytes.subarray(half);
}

function describe(answer: unknown): string {
  return answer instanceof Error ? (answer.stack ?? answer.message) : JSON.stringify(answer);
}

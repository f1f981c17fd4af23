/** What users do, in no particular order: upload, upload again, change, cancel, delete, retry, search. */
import { createHash } from "node:crypto";
import { SluiceError } from "../../src/errors.ts";
import type { Accepted, UploadOptions } from "../../src/intake/upload.ts";
import type { Process, Scheduler } from "./scheduler.ts";
import { chunksOf, type Kind, makeText } from "./texts.ts";
import type { Api, World } from "./world.ts";

/** What the clients were told, and what they asked for. */
export interface Told {
  acknowledged: { tenant_id: string; document_id: string; job_id: string }[];
  /** Documents that somebody asked to delete, whether an answer came or not. */
  removed: Set<string>;
  /** Documents whose ingestion somebody asked to cancel or replaced. */
  interrupted: Set<string>;
  /** SHA-256 → the text. */
  texts: Map<string, { text: string; kind: Kind }>;
  /** What searches showed that they must not. */
  wrong: string[];
  active: number;
}

const LOST = Symbol("the connection was lost");
const REFUSALS = new Set([
  "not_found",
  "already_ended",
  "not_dead",
  "superseded",
  "conflict",
  "duplicate_content",
  "idempotency_key_in_use",
]);

export function startClients(scheduler: Scheduler, world: World, tenants: string[], actions: number): Told {
  const told: Told = {
    acknowledged: [],
    removed: new Set(),
    interrupted: new Set(),
    texts: new Map(),
    wrong: [],
    active: 0,
  };
  for (const tenant_id of tenants) {
    for (let number = 1; number <= 2; number++) {
      const client = scheduler.spawn(`client-${tenant_id}-${number}`);
      told.active += 1;
      void act(scheduler, world, client, tenant_id, actions, told).finally(() => {
        told.active -= 1;
      });
    }
  }
  return told;
}

async function act(
  scheduler: Scheduler,
  world: World,
  client: Process,
  tenant_id: string,
  actions: number,
  told: Told,
): Promise<void> {
  const { random } = scheduler;
  const mine = () => told.acknowledged.filter((each) => each.tenant_id === tenant_id);

  /** One request: its answer, its refusal, or nothing because the server died. */
  async function request<T>(
    what: string,
    send: (api: Api) => Promise<T>,
  ): Promise<T | SluiceError | typeof LOST> {
    await scheduler.step(client, what);
    const api = world.api();
    return Promise.race([
      send(api).catch((error: unknown) => {
        if (error instanceof SluiceError && REFUSALS.has(error.code)) return error;
        throw error;
      }),
      api.process.died.then((): typeof LOST => LOST),
    ]);
  }

  async function upload(kind: Kind, text: string, given: Partial<UploadOptions>): Promise<void> {
    told.texts.set(createHash("sha256").update(text).digest("hex"), { text, kind });
    const idempotency_key = random.chance(0.5) ? client.system.newId("req") : undefined;
    for (let turn = 0; turn < 10; turn++) {
      const answer = await request("uploads", async (api) => {
        const attempt = await api.beginUpload(tenant_id, client.system.newId("req"), { idempotency_key });
        try {
          await attempt.add(pieces(scheduler, api.process, text), { filename: "a.txt" });
          return (await attempt.accept({ collection: "default", metadata: {}, ...given }))
            .accepted[0] as Accepted;
        } finally {
          await attempt.end();
        }
      });
      if (answer === LOST || (answer instanceof SluiceError && answer.code === "idempotency_key_in_use")) {
        // Nobody knows whether it was taken. With a key, or without, one sends it again.
        await client.system.sleep(50 + random.below(500));
        continue;
      }
      if (!(answer instanceof SluiceError)) {
        const { document_id, job_id } = answer;
        told.acknowledged.push({ tenant_id, document_id, job_id });
        if (answer.version > 1) told.interrupted.add(document_id);
      }
      return;
    }
  }

  for (let count = 0; count < actions; count++) {
    if (random.chance(0.5)) await client.system.sleep(random.below(3_000));
    const known = mine();
    const choice = known.length === 0 ? 0 : random.below(20);
    const some = known.length > 0 ? random.pick(known) : undefined;
    if (choice < 7 || !some) {
      const kind = random.chance(0.85) ? "good" : random.pick(["damaged", "poison"] as const);
      // Few names: the same bytes come from two clients now and then.
      const name = `${tenant_id} ${random.below(6)}`;
      await upload(kind, makeText(kind, name), {
        ...(random.chance(0.2) ? { on_duplicate: "new_version" as const } : {}),
        priority: random.below(3),
      });
    } else if (choice < 9) {
      told.interrupted.add(some.document_id);
      const name = `${tenant_id} version ${random.below(1_000)}`;
      await upload("good", makeText("good", name), { document_id: some.document_id });
    } else if (choice < 11) {
      await request("reingests", (api) =>
        api.commands.reingest(tenant_id, some.document_id, client.system.newId("req")),
      );
      told.interrupted.add(some.document_id);
    } else if (choice < 12) {
      told.removed.add(some.document_id);
      await request("removes", (api) =>
        api.commands.remove(tenant_id, some.document_id, client.system.newId("req")),
      );
    } else if (choice < 14) {
      const { job_id } = world.outside.state.documents.get(some.document_id)?.record ?? some;
      told.interrupted.add(some.document_id);
      await request("cancels", (api) => api.commands.cancel(tenant_id, job_id, client.system.newId("req")));
    } else if (choice < 16) {
      await request("retries", (api) =>
        api.commands.retryDead(tenant_id, { limit: 10 }, client.system.newId("req")),
      );
    } else {
      const answer = await request("searches", (api) =>
        api.search.search(tenant_id, { query: "quartz", mode: "keyword", top_k: 100 }),
      );
      if (answer !== LOST && !(answer instanceof SluiceError))
        await judge(world, told, tenant_id, answer.hits);
    }
  }
}

/** A search sees of every document one version, whole, and of its own tenant's only (G9, G13). */
async function judge(
  world: World,
  told: Told,
  tenant_id: string,
  hits: { document_id: string; version: number; text: string }[],
): Promise<void> {
  for (const document_id of new Set(hits.map((hit) => hit.document_id))) {
    const own = hits.filter((hit) => hit.document_id === document_id);
    const versions = new Set(own.map((hit) => hit.version));
    if (versions.size > 1) told.wrong.push(`a search shows two versions of ${document_id}`);
    const version = world.outside.state.versions.get(document_id)?.get(own[0]?.version ?? 0);
    if (!version) continue;
    if (version.tenant_id !== tenant_id) told.wrong.push(`a search of ${tenant_id} shows ${document_id}`);
    const expected = await chunksOf(told.texts.get(version.sha256)?.text ?? "");
    const texts = own.map((hit) => hit.text).sort();
    if (texts.join("\n") !== [...expected].sort().join("\n")) {
      told.wrong.push(`a search shows ${own.length} of ${expected.length} chunks of ${document_id}`);
    }
  }
}

async function* pieces(scheduler: Scheduler, process: Process, text: string): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(text);
  const half = bytes.length >> 1;
  yield bytes.subarray(0, half);
  await scheduler.step(process, "receives the rest");
  yield bytes.subarray(half);
}

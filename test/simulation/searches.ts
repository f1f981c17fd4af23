/** Searches while everything is on the move, and what is wrong with their answers (G9, G13). */
import { SluiceError } from "../../src/errors.ts";
import type { SearchHit } from "../../src/search/search.ts";
import { LOST, type Request, type Told } from "./clients.ts";
import { contentsOf } from "./contents.ts";
import type { Scheduler } from "./scheduler.ts";
import { chunksOf } from "./texts.ts";
import type { World } from "./world.ts";

/** More chunks than a tenant ever has here: every search finds all of them. */
const TOP_K = 100;

export async function searchAndJudge(client: {
  scheduler: Scheduler;
  world: World;
  told: Told;
  tenant_id: string;
  request: Request;
}): Promise<void> {
  const { scheduler, world, told, tenant_id, request } = client;
  const mode = scheduler.random.pick(["keyword", "hybrid", "vector"] as const);
  const before = visible(world, tenant_id);
  const began = world.outside.state.events.length;
  const answer = await request(`searches by ${mode}`, (api) =>
    api.search.search(tenant_id, { query: "quartz", mode, top_k: TOP_K }).catch((error: unknown) => {
      // The embedder may fail a search as it may fail a job.
      if (error instanceof SluiceError && error.code.startsWith("embedder_")) return undefined;
      throw error;
    }),
  );
  if (answer === LOST || answer === undefined || answer instanceof SluiceError) return;
  const after = visible(world, tenant_id);
  const { hits } = answer;
  told.wrong.push(...(await judgeHits(world, told, tenant_id, hits, began)));
  // Searchable when it began and when it ended, in this version or that: it was so all the time.
  for (const document_id of before) {
    if (hits.length < TOP_K && after.has(document_id) && !hits.some((hit) => hit.document_id === document_id))
      told.wrong.push(`G13: a search by ${mode} does not show ${document_id}, which is searchable`);
  }
}

function visible({ outside }: World, tenant_id: string): Set<string> {
  const found = new Set<string>();
  for (const [document_id, { record, removed }] of outside.state.documents) {
    if (!removed && record.tenant_id === tenant_id && record.searchable_version !== null)
      found.add(document_id);
  }
  return found;
}

async function judgeHits(
  world: World,
  told: Told,
  tenant_id: string,
  hits: SearchHit[],
  began: number,
): Promise<string[]> {
  const wrong: string[] = [];
  for (const [document_id, own] of Map.groupBy(hits, (hit) => hit.document_id)) {
    const { events } = world.outside.state;
    const log = events.filter((event) => event.document_id === document_id);
    const gone = log.find(({ event_type }) => event_type === "rag.document.deleted");
    if (log[0]?.tenant_id !== tenant_id) wrong.push(`G9: a search of ${tenant_id} shows ${document_id}`);
    if (gone && gone.sequence <= began)
      wrong.push(`G3: a search shows ${document_id}, deleted before it began`);
    const versions = new Set(own.map((hit) => hit.version));
    if (versions.size > 1) wrong.push(`G13: a search shows two versions of ${document_id}`);
    const sha256 = contentsOf(log).get(own[0]?.version ?? 0);
    const source = told.sources.get(sha256 ?? "");
    const expected = source === undefined ? [] : await chunksOf(source.text);
    const texts = own.map((hit) => hit.text);
    if (hits.length < TOP_K && texts.sort().join("\n") !== [...expected].sort().join("\n"))
      wrong.push(`G13: a search shows ${own.length} of ${expected.length} chunks of ${document_id}`);
  }
  return wrong;
}

/** G4: what was done is not done again. */
import type { SluiceEvent } from "../../src/events.ts";
import type { Told } from "./clients.ts";
import { contentsOf } from "./contents.ts";
import { BATCH } from "./outside.ts";
import { chunksOf } from "./texts.ts";
import type { World } from "./world.ts";

type Logs = Map<string, SluiceEvent[]>;

/**
 * For the texts of one name together, since its editions share chunks: each job embeds each of its chunks once, anew
 * after each cancel, which discards them; and each attempt may repeat the one batch that it did not live to store.
 */
export async function effortViolations(world: World, told: Told, logs: Logs): Promise<string[]> {
  const { embedded, claims } = world.outside;
  const names = new Map<string, string>();
  for (const { name, text } of told.sources.values())
    for (const chunk of await chunksOf(text)) names.set(chunk, name);
  const spent = new Map<string, number>();
  for (const text of embedded) {
    const name = names.get(text) ?? "nobody's text";
    spent.set(name, (spent.get(name) ?? 0) + 1);
  }

  const allowed = new Map<string, number>();
  const wrong: string[] = [];
  for (const [document_id, log] of logs) {
    const contents = contentsOf(log);
    for (const [job_id, cancels] of jobsOf(log)) {
      const source = told.sources.get(contents.get(cancels.version) ?? "");
      if (!source) continue;
      const begun = claims.get(job_id) ?? 0;
      if (begun === 0) continue;
      const { length } = await chunksOf(source.text);
      const most = length * (1 + cancels.count) + BATCH * (begun - 1);
      allowed.set(source.name, (allowed.get(source.name) ?? 0) + most);
    }
    wrong.push(...(await judgeReuse(document_id, log, contents, told)));
  }
  for (const [name, count] of spent) {
    const most = allowed.get(name) ?? 0;
    if (count > most) wrong.push(`G4: ${count} chunks of ${name} were embedded, and ${most} are explained`);
  }
  return wrong;
}

/** Job id → the version that it ingests and how often it was cancelled. */
function jobsOf(log: SluiceEvent[]): Map<string, { version: number; count: number }> {
  const jobs = new Map<string, { version: number; count: number }>();
  for (const event of log) {
    if (event.event_type === "rag.document.deleted") continue;
    const { job_id, version } = event.data;
    const job = jobs.get(job_id) ?? { version, count: 0 };
    if (event.event_type === "rag.ingestion.cancelled") job.count += 1;
    jobs.set(job_id, job);
  }
  return jobs;
}

/** A chunk whose text stands in the searchable version is not embedded again. */
async function judgeReuse(
  document_id: string,
  log: SluiceEvent[],
  contents: Map<number, string>,
  told: Told,
): Promise<string[]> {
  const wrong: string[] = [];
  const textsOf = (version: number) => {
    const source = told.sources.get(contents.get(version) ?? "");
    return source === undefined ? [] : chunksOf(source.text);
  };
  let searchable: number | undefined;
  for (const event of log) {
    if (event.event_type === "rag.ingestion.completed") searchable = event.data.version;
    if (event.event_type !== "rag.ingestion.stage_completed" || event.data.stage !== "embedding") continue;
    const known = new Set(searchable === undefined ? [] : await textsOf(searchable));
    const fresh = (await textsOf(event.data.version)).filter((text) => !known.has(text)).length;
    const { embedded = 0 } = event.data.counts;
    if (embedded > fresh)
      wrong.push(`G4: ${embedded} chunks of ${document_id} were embedded, of ${fresh} that are new`);
  }
  return wrong;
}

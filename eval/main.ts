/** `npm run eval`: how well searches find, on public test collections. See README.md beside this file. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { openReranker } from "../src/adapters/registry.ts";
import { loadConfig } from "../src/config/config.ts";
import type { SearchMode } from "../src/search/search.ts";
import { readCollections } from "./collection.ts";
import { keepVectors, openNamedEmbedder } from "./embedders.ts";
import { difference, evaluate, type Scores } from "./evaluate.ts";
import { openLibrary } from "./library.ts";
import { type Interval, interval } from "./metrics.ts";

const usage = `npm run eval -- --collections FOLDER [options]
  --collections FOLDER  a test collection, or a folder of them
  --only NAME           one of them only; may be repeated
  --embedder NAME       hashing, another value of SLUICE_EMBEDDER, or static:FOLDER; may be repeated; default hashing
  --vectors FOLDER      keep vectors there, and take them from there
  --rerank              with the reranker that SLUICE_RERANKER… name
  --json FILE           write every query's figures there
Documents are cut as SLUICE_CHUNK_… say.`;

function options() {
  try {
    const { values } = parseArgs({
      options: {
        collections: { type: "string" },
        only: { type: "string", multiple: true, default: [] },
        embedder: { type: "string", multiple: true, default: ["hashing"] },
        vectors: { type: "string" },
        rerank: { type: "boolean", default: false },
        json: { type: "string" },
      },
    });
    if (values.collections !== undefined) return { ...values, collections: values.collections };
  } catch (error) {
    console.error((error as Error).message);
  }
  console.error(usage);
  process.exit(2);
}

const { collections: folder, only, embedder: names, vectors, rerank, json } = options();
const collections = await readCollections(folder, only);
const { reranker: chosen, chunk: chunking } = loadConfig();
if (rerank && chosen.kind === "none") throw new Error("--rerank needs SLUICE_RERANKER");
const reranker = rerank && chosen.kind !== "none" ? await openReranker(chosen) : undefined;
const all: object[] = [];

for (const collection of collections) {
  const { name, documents, queries } = collection;
  console.log(`\n${name}: ${documents.length} documents, ${queries.length} judged queries`);
  console.log(row("embedder", "mode", "nDCG@10", "MAP@100", "recall@100", ""));
  for (const embedderName of names) {
    const opened = await openNamedEmbedder(embedderName);
    const embedder = vectors === undefined ? opened : await keepVectors(opened, vectors);
    const data_dir = await mkdtemp(join(tmpdir(), "sluice-eval-"));
    try {
      await using library = await openLibrary(collection, embedder, data_dir, { reranker, chunking });
      const scores = await evaluate(collection, library);
      for (const [mode, own] of Object.entries(scores) as [SearchMode, Scores][]) {
        console.log(
          row(
            embedder.embedder_id,
            mode,
            shown(interval(own.ndcg_10)),
            shown(interval(own.map_100)),
            shown(interval(own.recall_100)),
            mode === "hybrid" ? gains(scores, own) : "",
          ),
        );
      }
      all.push({ collection: name, embedder_id: embedder.embedder_id, reranked: rerank, scores });
    } finally {
      await rm(data_dir, { recursive: true, force: true });
    }
  }
}
await reranker?.close();
if (json !== undefined) await writeFile(json, JSON.stringify(all, null, 1));

/** What hybrid has more than each half, at the top. */
function gains(scores: Partial<Record<SearchMode, Scores>>, { ndcg_10 }: Scores): string {
  return (["keyword", "vector"] as const)
    .map((half) => {
      const { mean, low, high } = difference(ndcg_10, scores[half]?.ndcg_10 ?? []);
      return `${signed(mean)} [${signed(low)} ${signed(high)}] over ${half}`;
    })
    .join(", ");
}

function row(...cells: string[]): string {
  const widths = [26, 8, 21, 21, 21];
  return cells
    .map((cell, place) => cell.slice(0, place === 0 ? 25 : undefined).padEnd(widths[place] ?? 0))
    .join(" ")
    .trimEnd();
}

function shown({ mean, low, high }: Interval): string {
  return `${mean.toFixed(3)} [${low.toFixed(3)} ${high.toFixed(3)}]`;
}

function signed(value: number): string {
  return `${value < 0 ? "" : "+"}${value.toFixed(3)}`;
}

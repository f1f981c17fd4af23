/** How long a search takes, by how much there is to search, and how many of the nearest it finds. */
import { statSync } from "node:fs";
import { join } from "node:path";
import { createHashingEmbedder } from "../src/adapters/hashing/embedder.ts";
import { createSystem } from "../src/adapters/node/system.ts";
import { DATABASE_FILE, openSqliteStorage, type SqliteStorage } from "../src/adapters/sqlite/storage.ts";
import type { Embedder } from "../src/ports/embedder.ts";
import { createSearch, type SearchRequest } from "../src/search/search.ts";
import type { Context, Row, Table } from "./benchmark.ts";
import { type Library, openLibrary, TENANT } from "./search-library.ts";
import { median, quantile, rounded } from "./statistics.ts";

/** Searches that are not counted come first. */
const WARM_UP = 20;
const LIMIT = 10;

const kinds: Record<string, Partial<SearchRequest>> = {
  hybrid: { mode: "hybrid" },
  vector: { mode: "vector" },
  keyword: { mode: "keyword" },
  "vector, filter that 1 % fit": { mode: "vector", filter: { shelf: 7 } },
  "hybrid, filter that 30 % fit": { mode: "hybrid", filter: { shelf: { lt: 30 } } },
};

export async function searchLatency({ quick, folder, say }: Context): Promise<Table[]> {
  const sizes = quick ? [2_000, 10_000] : [10_000, 100_000, 1_000_000];
  const searches = quick ? 20 : 60;
  const embedder = createHashingEmbedder();
  const place = folder("search");
  const path = join(place, DATABASE_FILE);
  const library = openLibrary(path, embedder);
  const growth: Row[] = [];
  const latency: Row[] = [];
  try {
    for (const size of sizes) {
      say(`  ${size} chunks`);
      const { chunks, embed_ms, write_ms } = await library.growTo(size);
      growth.push({
        chunks: size,
        embed_ms_per_1000: rounded((embed_ms / chunks) * 1_000),
        write_and_index_ms_per_1000: rounded((write_ms / chunks) * 1_000),
        database_mb: rounded(statSync(path).size / 1e6),
        recall_at_10: null,
        exact_ms: null,
      });
      const storage = await openSqliteStorage({ folder: place, system: createSystem(), embedder });
      try {
        const { recall, exact_ms } = await recallOf(library, storage, embedder, quick ? 10 : 40);
        say(`    found ${rounded(recall)} of the nearest`);
        Object.assign(growth.at(-1) as Row, { recall_at_10: rounded(recall), exact_ms: rounded(exact_ms) });
        for (const [kind, request] of Object.entries(kinds)) {
          const row = await timed(library, storage, embedder, request, searches);
          latency.push({ chunks: size, search: kind, ...row });
          say(`    ${kind}: p50 ${row.p50_ms} ms, processor ${row.processor_ms} ms`);
        }
      } finally {
        await storage.close();
      }
      for (const row of latency.filter(({ chunks, search }) => chunks === size && search === "vector")) {
        row.of_exact = rounded((row.p50_ms as number) / ((growth.at(-1) as Row).exact_ms as number));
      }
    }
  } finally {
    library.close();
  }
  return [
    {
      title: `search: milliseconds that a search of one process takes, one after the other, top ${LIMIT}`,
      rows: latency,
      notes: [
        `${searches} searches of 6 words after ${WARM_UP}, through createSearch and two search threads; ${embedder.embedder_id}.`,
        "processor_ms: of all threads together, the median: what a busy machine doesn't distort.",
        "of_exact: the median against comparing with every vector, which is read once for all queries, in the same process.",
      ],
    },
    {
      title: "search: what it takes to get there, and what is found",
      rows: growth,
      notes: [
        "Documents of 20 chunks, 64 topics, one thread, a transaction for 2,000 chunks, no fsync.",
        "recall_at_10: how many of the ten nearest by exact comparison are among the ten hits.",
      ],
    },
  ];
}

async function timed(
  library: Library,
  { documents, index }: SqliteStorage,
  embedder: Embedder,
  request: Partial<SearchRequest>,
  searches: number,
): Promise<Row> {
  const { search } = createSearch({ documents, index, embedder });
  const wall: number[] = [];
  const processor: number[] = [];
  // Both threads compile what they run often before it counts.
  for (let number = -WARM_UP; number < searches; number++) {
    const query = library.question(6);
    const used = process.cpuUsage();
    const began = performance.now();
    const { hits } = await search(TENANT, { query, top_k: LIMIT, ...request });
    const took = performance.now() - began;
    const { user, system } = process.cpuUsage(used);
    if (hits.length === 0) throw new Error(`${JSON.stringify({ query, ...request })} found nothing`);
    if (number < 0) continue;
    wall.push(took);
    processor.push((user + system) / 1_000);
  }
  return {
    p50_ms: rounded(median(wall)),
    p99_ms: rounded(quantile(wall, 0.99)),
    processor_ms: rounded(median(processor)),
    of_exact: null,
  };
}

async function recallOf(library: Library, { index }: SqliteStorage, embedder: Embedder, count: number) {
  const queries = await embedder.embed(
    Array.from({ length: count }, (_, number) => library.question(number % 2 === 0 ? 6 : 14)),
    "query",
  );
  const { best, ms_per_query } = library.exact(queries, LIMIT);
  let found = 0;
  for (const [number, query] of queries.entries()) {
    // As deep as a search asks for.
    const hits = (await index.nearest({ tenant_id: TENANT }, query, 50)).slice(0, LIMIT);
    // Half-precision floats may tell two apart that are equal, or the other way round.
    const least = ((best[number] as Float32Array)[LIMIT - 1] as number) - 0.0005;
    found += hits.filter(({ score }) => score >= least).length;
  }
  return { recall: found / (count * LIMIT), exact_ms: ms_per_query };
}

/** 1,000 chunks, which the article's pipeline takes 40 seconds for, through Sluice's own. */
import { stages } from "../src/events.ts";
import { createSluice } from "../src/sluice.ts";
import type { Context, Row, Table } from "./benchmark.ts";
import { median, rounded } from "./statistics.ts";
import { createTexts } from "./texts.ts";

const CHUNKS = 1_000;
const TOKENS = 200;
const ARTICLE_SECONDS = 40;

type Stage = (typeof stages)[number];

interface Run {
  chunks: number;
  tokens: number;
  total_ms: number;
  stage_ms: Record<Stage, number>;
}

export async function thousandChunks({ quick, folder, say }: Context): Promise<Table[]> {
  const rounds = quick ? 3 : 9;
  const texts = createTexts(4);
  const sluice = await createSluice({ data_dir: folder("thousand-chunks") });
  const runs: Run[] = [];
  try {
    for (let round = 0; round <= rounds; round++) {
      say(round === 0 ? "  first" : `  round ${round}`);
      // Each paragraph fills a chunk nearly, so that none is joined with the next.
      const text = Array.from({ length: CHUNKS }, () => texts.paragraph(TOKENS - 8)).join("\n\n");
      const stop = new AbortController();
      const events = sluice.follow({}, stop.signal);
      const first = events.next();
      const { document_id } = await sluice.upload(Buffer.from(text), { filename: `round-${round}.txt` });
      const run: Run = {
        chunks: 0,
        tokens: 0,
        total_ms: 0,
        stage_ms: { extracting: 0, chunking: 0, embedding: 0, indexing: 0 },
      };
      for (let next = await first; !next.done; next = await events.next()) {
        const event = next.value;
        if (event.document_id !== document_id) continue;
        if (event.event_type === "rag.ingestion.stage_completed") {
          const { stage, duration_ms, counts } = event.data;
          run.stage_ms[stage] = duration_ms;
          run.tokens += counts.tokens ?? 0;
        }
        if (event.event_type === "rag.ingestion.failed") throw new Error(event.data.error.message);
        if (event.event_type === "rag.ingestion.completed") {
          run.chunks = event.data.chunks_created;
          run.total_ms = event.data.processing_time_ms;
          break;
        }
      }
      stop.abort();
      runs.push(run);
    }
  } finally {
    await sluice.close();
  }

  const perThousand = (run: Run, milliseconds: number) => ((milliseconds / run.chunks) * CHUNKS) / 1_000;
  const row = (which: string, some: Run[]): Row => {
    const stage = (name: Stage) => median(some.map((run) => perThousand(run, run.stage_ms[name])));
    const embedAndIndex = median(
      some.map((run) => perThousand(run, run.stage_ms.embedding + run.stage_ms.indexing)),
    );
    return {
      run: which,
      ...Object.fromEntries(stages.map((name) => [`${name}_s`, stage(name)])),
      embed_and_index_s: embedAndIndex,
      all_stages_s: median(some.map((run) => perThousand(run, run.total_ms))),
      of_the_article: rounded(embedAndIndex / ARTICLE_SECONDS),
    };
  };
  const [cold, ...warm] = runs as [Run, ...Run[]];
  const slowness = (run: Run) => perThousand(run, run.total_ms);
  return [
    {
      title: `thousand-chunks: seconds for ${CHUNKS} chunks, default embedder, one document in one process`,
      rows: [
        row("first, cold", [cold]),
        row(`median of ${rounds}`, warm),
        row("slowest of them", [
          warm.reduce((one, other) => (slowness(one) > slowness(other) ? one : other)),
        ]),
      ],
      notes: [
        `Documents of ${cold.chunks} chunks of ${Math.round(cold.tokens / cold.chunks)} tokens, brought to ${CHUNKS}. ` +
          `The article: ${ARTICLE_SECONDS} s.`,
        "Times are those of the events; all_stages is processing_time_ms, with every commit between the stages.",
      ],
    },
  ];
}

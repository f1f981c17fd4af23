/** How many chunks a second each embedder takes: the same texts, one core, in turns. */
import { existsSync, globSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createInProcessExtractor } from "../src/adapters/extract/in-process.ts";
import { createHashingEmbedder } from "../src/adapters/hashing/embedder.ts";
import { createStaticEmbedder } from "../src/adapters/static/embedder.ts";
import { createTransformersEmbedder } from "../src/adapters/transformers/embedder.ts";
import { chunkText } from "../src/pipeline/chunker.ts";
import type { Embedder } from "../src/ports/embedder.ts";
import type { Context, Row, Table } from "./benchmark.ts";
import { median, perSecond, rounded } from "./statistics.ts";

const TOKENS = 200;
/** A round goes over the texts until so much time is over; what is slow takes longer for one time. */
const ROUND_MS = 500;

interface Candidate {
  name: string;
  embedder: Embedder;
}

export async function embedders({ quick, teacher, transformers, say }: Context): Promise<Table[]> {
  const texts = await realTexts(quick ? 24 : 96);
  const rounds = quick ? 2 : 7;
  const candidates = await open(teacher, transformers);
  const rates = new Map(candidates.map(({ name }) => [name, { wall: [] as number[], core: [] as number[] }]));
  try {
    for (let round = 0; round <= rounds; round++) {
      say(round === 0 ? "  warm-up" : `  round ${round}`);
      for (let place = 0; place < candidates.length; place++) {
        const { name, embedder } = candidates[(place + round) % candidates.length] as Candidate;
        const rate = await measure(embedder, texts);
        if (round === 0) continue;
        rates.get(name)?.wall.push(rate.wall);
        rates.get(name)?.core.push(rate.core);
      }
    }
  } finally {
    for (const { embedder } of candidates) await embedder.close?.();
  }
  const slowest = candidates.at(-1)?.name as string;
  const ratios = (name: string) =>
    (rates.get(name)?.core ?? []).map((rate, round) => rate / (rates.get(slowest)?.core[round] as number));
  const rows = candidates.map(({ name, embedder }): Row => {
    const { wall, core } = rates.get(name) as { wall: number[]; core: number[] };
    return {
      embedder: name,
      dimensions: embedder.dimensions,
      chunks_per_s: rounded(median(wall)),
      chunks_per_core_s: rounded(median(core)),
      of_the_last: rounded(median(ratios(name))),
      lowest: rounded(Math.min(...ratios(name))),
      highest: rounded(Math.max(...ratios(name))),
    };
  });
  const tokens = texts.reduce((sum, { token_count }) => sum + token_count, 0);
  return [
    {
      title: "embedders: chunks a second on one core, the same texts",
      rows,
      notes: [
        `${texts.length} chunks of ${Math.round(tokens / texts.length)} tokens out of this project's own pages.`,
        "chunks_per_core_s: by processor time of the whole process, which other processes don't change.",
        ...(teacher === undefined
          ? [
              "Without transformers.js: --teacher names the folder of a model, --transformers where the package is installed.",
            ]
          : []),
      ],
    },
  ];
}

/** The one that the others are compared with comes last. */
async function open(teacher: string | undefined, transformers: string | undefined): Promise<Candidate[]> {
  const embedders: Embedder[] = [createHashingEmbedder(), await createStaticEmbedder()];
  if (teacher !== undefined) {
    const options = {
      model: teacher,
      ...(transformers === undefined ? {} : { package_folder: transformers }),
    };
    for (const dtype of ["q8", "fp32"] as const) {
      if (dtype === "q8" && !existsSync(join(teacher, "onnx/model_quantized.onnx"))) continue;
      embedders.push(await createTransformersEmbedder({ ...options, dtype }));
    }
  }
  return embedders.map((embedder) => ({ name: embedder.embedder_id, embedder }));
}

async function measure(embedder: Embedder, texts: { text: string }[]) {
  const before = process.cpuUsage();
  const started = performance.now();
  let chunks = 0;
  do {
    for (let from = 0; from < texts.length; from += embedder.batch_size) {
      const batch = texts.slice(from, from + embedder.batch_size).map(({ text }) => text);
      chunks += (await embedder.embed(batch, "passage")).length;
    }
  } while (performance.now() - started < ROUND_MS);
  const wall_ms = performance.now() - started;
  const { user, system } = process.cpuUsage(before);
  return { wall: perSecond(chunks, wall_ms), core: perSecond(chunks, (user + system) / 1_000) };
}

/** Full chunks of this project's Markdown: what every checkout has, and people wrote. */
async function realTexts(count: number): Promise<{ text: string; token_count: number }[]> {
  const root = fileURLToPath(new URL("..", import.meta.url));
  const extractor = createInProcessExtractor();
  const forever = new AbortController().signal;
  const texts = [];
  for (const filename of globSync(["*.md", "docs/**/*.md", "bench/**/*.md"], { cwd: root }).sort()) {
    if (filename.includes("node_modules")) continue;
    const source = { path: `${root}/${filename}`, media_type: "text/markdown", filename };
    const extracted = await extractor.extract(source, () => {}, forever);
    const chunks = chunkText(extracted, { max_tokens: TOKENS, overlap_tokens: 0 });
    texts.push(...chunks.filter(({ token_count }) => token_count > 0.8 * TOKENS));
  }
  if (texts.length < count) throw new Error(`only ${texts.length} chunks in the project's pages`);
  return texts.slice(0, count);
}

/** The shipped embedder alone: how many chunks one core embeds in a second, and what the very first text waits for. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createStaticEmbedder } from "../src/adapters/static/embedder.ts";
import { createEncoder } from "../src/adapters/static/encode.ts";
import { readStaticModel, shippedModelFolder } from "../src/adapters/static/model.ts";
import { createTokenizer } from "../src/adapters/wordpiece.ts";
import type { Context, Row, Table } from "./benchmark.ts";
import { perSecond } from "./statistics.ts";

const TOKENS = 200;

export async function staticEmbedder({ quick, say }: Context): Promise<Table[]> {
  say("cutting this repository's English pages into chunks");
  const model = await readStaticModel(shippedModelFolder());
  const chunks = cutPages(model.vocabulary);
  const wanted = quick ? 2_000 : 20_000;
  const texts = Array.from({ length: wanted }, (_, place) => chunks[place % chunks.length] as string);

  say(`embedding ${wanted} of them`);
  const encode = createEncoder(model);
  const into = new Float32Array(model.dimensions);
  for (const text of texts.slice(0, 1_000)) encode(text, into);
  const before = process.threadCpuUsage();
  for (const text of texts) {
    into.fill(0);
    encode(text, into);
  }
  const { user, system } = process.threadCpuUsage(before);

  const embedder = await createStaticEmbedder();
  const began = performance.now();
  await embedder.embed(["the first text"], "query");
  const first = performance.now() - began;
  const since = performance.now();
  for (let place = 0; place < texts.length; place += embedder.batch_size) {
    await embedder.embed(texts.slice(place, place + embedder.batch_size), "passage");
  }
  const rows: Row[] = [
    {
      embedder: embedder.embedder_id,
      chunk_tokens: TOKENS,
      chunks_per_cpu_second: perSecond(texts.length, (user + system) / 1_000),
      chunks_per_second_by_thread: perSecond(texts.length, performance.now() - since),
      first_text_ms: first,
    },
  ];
  return [
    {
      title: "Static embedder",
      rows,
      notes: [
        "By thread: batch after batch, as a job has it, with the way there and back; others may have had the core.",
        "The first text waits for the thread to start and to read the model.",
      ],
    },
  ];
}

/** Pieces of the documentation, of 200 tokens each. */
function cutPages(vocabulary: string[]): string[] {
  const docs = fileURLToPath(new URL("../docs", import.meta.url));
  const pages = readdirSync(docs, { recursive: true, encoding: "utf8" }).filter((path) =>
    path.endsWith(".md"),
  );
  const tokenizer = createTokenizer(vocabulary);
  const chunks: string[] = [];
  let words: string[] = [];
  let tokens = 0;
  for (const page of pages.sort()) {
    for (const word of readFileSync(join(docs, page), "utf8").split(/\s+/)) {
      words.push(word);
      tokenizer.encode(word, () => {
        tokens += 1;
      });
      if (tokens < TOKENS) continue;
      chunks.push(words.join(" "));
      words = [];
      tokens = 0;
    }
  }
  return chunks;
}

/** A folder of files through `sluice start`, against the bare loop over the same files. */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { mediaTypes } from "../src/adapters/extract/registry.ts";
import { type SluiceEvent, type Stage, stages, terminalEventTypes } from "../src/events.ts";
import { detectMediaType } from "../src/intake/media-type.ts";
import type { Accepted } from "../src/intake/upload.ts";
import type { BareFile } from "./bare.ts";
import type { Context, Row, Table } from "./benchmark.ts";
import { createAgent, followSse, post } from "./client.ts";
import { startHelper } from "./helper.ts";
import type { BareLoopMethods, LoopResult } from "./processes/bare-loop.ts";
import { startServer } from "./server.ts";
import { median, perSecond, rounded } from "./statistics.ts";
import { createTexts } from "./texts.ts";

interface Folder {
  files: (BareFile & { bytes: Buffer })[];
  /** What they are, for the reader of the figures. */
  what: string;
}

interface Run extends LoopResult {
  /** From the first upload to the last acknowledgement; null where there is none. */
  acked_ms: number | null;
  retried: number;
}

/** Uploads under way at a time. */
const UPLOADERS = 4;

export async function pipelineThroughput(context: Context): Promise<Table[]> {
  const { quick, folder, say } = context;
  const rounds = quick ? 1 : 3;
  const { files, what } = await findFiles(context);
  await using bare = await startHelper<BareLoopMethods>("bare-loop", { folder: folder("bare") });
  await using single = await startServer(folder("one-worker"), {
    SLUICE_WORKERS: "1",
    SLUICE_WORKER_CONCURRENCY: "1",
  });
  await using standard = await startServer(folder("default-workers"), { SLUICE_WORKERS: "" });
  const paths = files.map(({ path, filename }) => ({ path, filename }));
  const targets = [
    {
      target: "bare loop, one process",
      run: async (round: string): Promise<Run> => ({
        ...(await bare.call("run", paths, round)),
        acked_ms: null,
        retried: 0,
      }),
    },
    {
      target: "Sluice, one worker, one job at a time",
      run: (round: string) => throughSluice(single.url, files, round),
    },
    { target: "Sluice, defaults", run: (round: string) => throughSluice(standard.url, files, round) },
  ];
  const results = targets.map((): Run[] => []);
  let reference: Run | undefined;
  for (let round = 0; round <= rounds; round++) {
    say(round === 0 ? "  warming up" : `  round ${round}`);
    for (let turn = 0; turn < targets.length; turn++) {
      // Another one goes first each round.
      const index = (turn + round) % targets.length;
      const { target, run } = targets[index] as (typeof targets)[number];
      const result = await run(`round-${round}`);
      reference ??= result;
      requireSame(target, result, reference);
      if (round > 0) results[index]?.push(result);
    }
  }

  const bareRuns = results[0] as Run[];
  const rows: Row[] = [];
  const stageRows: Row[] = [];
  for (const [index, { target }] of targets.entries()) {
    const runs = results[index] as Run[];
    const [first] = runs as [Run];
    const ratios = runs.map((run, round) => (bareRuns[round] as Run).elapsed_ms / run.elapsed_ms);
    const elapsed_ms = median(runs.map((run) => run.elapsed_ms));
    const acked = runs.flatMap(({ acked_ms }) => (acked_ms === null ? [] : [acked_ms]));
    rows.push({
      target,
      seconds: elapsed_ms / 1_000,
      documents_per_s: perSecond(files.length, elapsed_ms),
      chunks_per_s: perSecond(first.chunks, elapsed_ms),
      of_the_bare_loop: rounded(median(ratios)),
      lowest: rounded(Math.min(...ratios)),
      highest: rounded(Math.max(...ratios)),
      all_acknowledged_s: acked.length === 0 ? null : median(acked) / 1_000,
    });
    const perChunk = (stage: Stage) => median(runs.map(({ stage_ms }) => stage_ms[stage])) / first.chunks;
    stageRows.push({
      target,
      ...Object.fromEntries(stages.map((stage) => [`${stage}_ms`, perChunk(stage)])),
      together_ms: stages.reduce((total, stage) => total + perChunk(stage), 0),
    });
  }
  const [{ failed, chunks }] = bareRuns as [Run];
  const retried = results.flat().reduce((total, run) => total + run.retried, 0);
  return [
    {
      title: "pipeline: a folder of files, until every document has ended",
      rows,
      notes: [
        `${what}: ${files.length} documents, ${chunks} chunks; ${failed} can't be read, by either.`,
        `Sluice's time includes the uploads (${UPLOADERS} at a time). Ratios: medians of ${rounds} interleaved rounds after one to warm up.`,
        ...(retried > 0 ? [`${retried} attempts were retried; the waits before them are in the time.`] : []),
      ],
    },
    {
      title: "pipeline: where the time goes, milliseconds per chunk",
      rows: stageRows,
      notes: [
        "Sluice's from its own events (rag.ingestion.stage_completed); stages of several workers overlap in time.",
      ],
    },
  ];
}

/** @throws Error when one target did other work than another: then their times can't be compared */
function requireSame(target: string, { chunks, failed }: Run, expected: Run): void {
  if (chunks === expected.chunks && failed === expected.failed) return;
  throw new Error(
    `${target}: ${chunks} chunks and ${failed} failures, not ${expected.chunks} and ${expected.failed}`,
  );
}

async function throughSluice(url: string, files: Folder["files"], round: string): Promise<Run> {
  const stage_ms = { extracting: 0, chunking: 0, embedding: 0, indexing: 0 };
  const ended = new Set<string>();
  let chunks = 0;
  let failed = 0;
  let retried = 0;
  let finish: (() => void) | undefined;
  const all = new Promise<void>((resolve) => {
    finish = resolve;
  });
  const stream = await followSse(url, (event: SluiceEvent) => {
    if (event.event_type === "rag.ingestion.stage_completed")
      stage_ms[event.data.stage] += event.data.duration_ms;
    if (event.event_type === "rag.ingestion.completed") chunks += event.data.chunks_created;
    if (event.event_type === "rag.ingestion.failed") failed++;
    if (event.event_type === "rag.ingestion.retry_scheduled") retried++;
    if (terminalEventTypes.has(event.event_type)) ended.add(event.document_id);
    if (ended.size === files.length) finish?.();
  });
  const agent = createAgent(UPLOADERS);
  const started = performance.now();
  const waiting = files.entries();
  const seen = new Set<string>();
  await Promise.all(
    Array.from({ length: UPLOADERS }, async () => {
      for (const [index, { filename, bytes }] of waiting) {
        // Every copy of a file in a collection of its own: the same bytes in one would be the same document.
        const query = `collection=${round}-${index}&filename=${encodeURIComponent(filename)}`;
        const type = { "content-type": "application/octet-stream" };
        const { text } = await post(agent, `${url}/v1/documents?${query}`, type, bytes);
        seen.add((JSON.parse(text) as Accepted).document_id);
      }
    }),
  );
  const acked_ms = performance.now() - started;
  if (seen.size !== files.length) throw new Error("uploads shared a document");
  await all;
  const elapsed_ms = performance.now() - started;
  stream.close();
  agent.destroy();
  return { elapsed_ms, acked_ms, chunks, failed, retried, stage_ms };
}

async function findFiles({ quick, folder, corpus, corpus_given }: Context): Promise<Folder> {
  const from = corpus_given && corpus !== undefined ? corpus : undefined;
  if (from !== undefined) return { files: await supported(from), what: from };
  const fixtures = await supported(fileURLToPath(new URL("../test/fixtures", import.meta.url)));
  const copies = quick ? 3 : 8;
  const generated = generate(folder("files"), quick ? 30 : 90);
  // In the order of a shuffled pack, so that no kind of file comes all at once.
  const files = [...Array.from({ length: copies }, () => fixtures).flat(), ...generated];
  const stride = 7;
  const mixed = Array.from({ length: stride }, (_, offset) =>
    files.filter((_, index) => index % stride === offset),
  ).flat();
  return { files: mixed, what: `${generated.length} generated texts and ${copies} copies of test/fixtures` };
}

/** The files of a folder that Sluice says it reads. */
async function supported(folder: string): Promise<Folder["files"]> {
  const files: Folder["files"] = [];
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(folder, entry.name);
    const bytes = readFileSync(path);
    const media_type = await detectMediaType(bytes.subarray(0, 64 * 1024), entry.name, undefined);
    if (mediaTypes.has(media_type)) files.push({ path, filename: basename(path), bytes });
  }
  return files;
}

/** Mostly small, some middling, a few large: 4, 30 and 150 KB. */
function generate(folder: string, count: number): Folder["files"] {
  const texts = createTexts(3);
  const kinds = [
    { extension: "md", make: texts.markdown },
    { extension: "html", make: texts.html },
    { extension: "txt", make: texts.plain },
  ];
  return Array.from({ length: count }, (_, index) => {
    const { extension, make } = kinds[index % kinds.length] as (typeof kinds)[number];
    const size = index % 6 === 5 ? 150_000 : index % 2 === 0 ? 4_000 : 30_000;
    const filename = `text-${index}.${extension}`;
    const path = join(folder, filename);
    const bytes = Buffer.from(make(size));
    writeFileSync(path, bytes);
    return { path, filename, bytes };
  });
}

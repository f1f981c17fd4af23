/** The bare loop: file after file through the stages, in one process. */
import type { Stage } from "../../src/events.ts";
import { type BareFile, openBare } from "../bare.ts";
import { given, serve } from "./serve.ts";

export interface LoopResult {
  elapsed_ms: number;
  chunks: number;
  /** Files that can't be read: empty, encrypted, broken. */
  failed: number;
  stage_ms: Record<Stage, number>;
}

const { folder } = given<{ folder: string }>();
const bare = await openBare(folder);

async function run(files: BareFile[], collection: string): Promise<LoopResult> {
  const stage_ms = { extracting: 0, chunking: 0, embedding: 0, indexing: 0 };
  let chunks = 0;
  let failed = 0;
  const started = performance.now();
  for (const file of files) {
    try {
      const result = await bare.ingest(file, collection);
      chunks += result.chunks;
      for (const stage of Object.keys(stage_ms) as Stage[]) stage_ms[stage] += result.stage_ms[stage];
    } catch (error) {
      if (!(error instanceof Error && error.name === "SluiceError")) throw error;
      failed++;
    }
  }
  return { elapsed_ms: performance.now() - started, chunks, failed, stage_ms };
}

const methods = { run };
export type BareLoopMethods = typeof methods;
serve(methods);

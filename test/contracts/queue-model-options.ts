/** How long to look for a history that breaks a queue: QUEUE_MODEL_RUNS histories from QUEUE_MODEL_SEED on. */
import type { QueueModelOptions } from "../../contracts/index.ts";

export function queueModelOptions(): QueueModelOptions {
  const { QUEUE_MODEL_RUNS, QUEUE_MODEL_SEED } = process.env;
  return {
    ...(QUEUE_MODEL_RUNS === undefined ? {} : { runs: Number(QUEUE_MODEL_RUNS) }),
    ...(QUEUE_MODEL_SEED === undefined ? {} : { seed: Number(QUEUE_MODEL_SEED) }),
  };
}

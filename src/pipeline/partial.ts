/** What a stage keeps before its end, for the next attempt: several hands write into one partial checkpoint. */
import type { StageContext } from "./stage.ts";

export interface PartialCheckpoint {
  /** What an earlier attempt kept. */
  readonly kept: Readonly<Record<string, unknown>>;
  /** Adds entries, or replaces those of the same names. Names that end in `_key` are blobs. */
  keep(entries: Record<string, unknown>): Promise<void>;
}

export function openPartial(context: StageContext): PartialCheckpoint {
  const kept = context.kept ?? {};
  let held = { ...kept };
  return {
    kept,
    async keep(entries) {
      held = { ...held, ...entries };
      await context.keep(held);
    },
  };
}

/** The core under a scheduler that picks what happens next, and kills, freezes and forgets as the seed says. */
import { describe, expect, test } from "vitest";
import { planted } from "./planted.ts";
import { type Outcome, simulate } from "./simulate.ts";

/** `.ci/run` tries thousands more. */
const SEEDS = 250;

test(`${SEEDS} seeds: whatever happens, nothing is lost, stuck or twice`, { timeout: 180_000 }, async () => {
  const sums = { documents: 0, faults: 0 };
  for (let seed = 1; seed <= SEEDS; seed++) {
    const { wrong, documents, faults } = await simulate(seed);
    expect(wrong, `npm run simulate -- --seed ${seed} --trace`).toEqual([]);
    sums.documents += documents;
    sums.faults += faults;
  }
  // It is not by nothing happening.
  expect(sums.documents).toBeGreaterThan(4 * SEEDS);
  expect(sums.faults).toBeGreaterThan(3 * SEEDS);
});

test("a seed makes the same run again, step by step, however much of it is kept", async () => {
  for (const seed of [3, 14, 159, 2_653]) {
    const [first, second] = [await simulate(seed), await simulate(seed, undefined, 1_000_000)];
    expect(second.fingerprint).toBe(first.fingerprint);
    expect(second.trace.slice(-first.trace.length)).toEqual(first.trace);
    expect(second.trace.length).toBeGreaterThanOrEqual(second.steps);
  }
  expect((await simulate(3)).fingerprint).not.toBe((await simulate(4)).fingerprint);
});

describe("a known bug is found", () => {
  const signs: Record<string, RegExp> = {
    "ack before commit": /^G1: .* was acknowledged and is lost/,
    "lease not checked at publish": /^G[35]: /,
    "event outside the transaction": /^G5: /,
    "cursor by commit order": /^G[56]: .*(subscriber|not published)/,
    "checkpoint before the write": /^G7: .*lost its chunks/,
    "sweep without a mark": /^G1: the blob .* is not there/,
  };
  test.each(Object.keys(planted))("%s", { timeout: 120_000 }, async (name) => {
    let found: Outcome | undefined;
    for (let seed = 1; seed <= 1_000 && !found; seed++) {
      const outcome = await simulate(seed, planted[name]);
      if (outcome.wrong.some((each) => signs[name]!.test(each))) found = outcome;
    }
    expect(found?.wrong).toBeDefined();
  });
});

/** Capability gaps, declared as data: what an adapter lacks, and why. */
import { expect, test } from "vitest";

/** Capability → why this adapter lacks it. What is not named here is promised, and tested. */
export type Gaps<C extends string> = Partial<Record<C, string>>;

/** Registers a test; where the adapter lacks what it needs, a note under the same name that says why instead. */
export function testUnlessGap<C extends string>(
  gaps: Gaps<C>,
  needs: C | undefined,
  name: string,
  run: () => Promise<void>,
  timeout_ms?: number,
): void {
  const reason = needs === undefined ? undefined : gaps[needs];
  if (reason === undefined) {
    test(name, run, timeout_ms);
  } else {
    test(`NOT SHOWN, lacks "${needs}" (${reason}): ${name}`, () => {
      expect(reason, "a gap needs a reason").toMatch(/\w/);
    });
  }
}

/** The client in a page: what a bundler makes of it, and what that weighs. */
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { bundle } from "../../scripts/client-size.ts";
import { root } from "../e2e/processes.ts";

describe("in a page", () => {
  test.each([
    ["client", 10_000],
    ["client/element", 16_000],
  ])("%s needs nothing but itself, and weighs less than %i bytes", async (name, most) => {
    const files = await bundle(join(root, "src", name, "index.ts"));
    console.log(
      files.map(({ name, bytes, gzipped }) => `${name}: ${bytes} bytes, gzipped ${gzipped}`).join("\n"),
    );
    const loaded = files.filter(({ lazy }) => !lazy);
    expect(loaded.reduce((sum, { gzipped }) => sum + gzipped, 0)).toBeLessThan(most);
    for (const { code } of loaded) expect(code).not.toMatch(/from\s*"(?!\.)|node:|\bprocess\.|\bBuffer\b/);
    // What reads files in Node is never loaded by a page, and small enough to lie beside it.
    expect(files.filter(({ lazy }) => lazy).map(({ bytes }) => bytes < 2_000)).toEqual([true]);
  });
});

import { defineConfig } from "vitest/config";

/** Tests of the page in a real browser; Chromium must be there (see CONTRIBUTING.md). */
export default defineConfig({
  test: {
    include: ["test/**/*.browser.test.ts"],
    // What comes on a quiet machine at once may take its time on a busy one.
    expect: { poll: { timeout: 15_000 } },
    testTimeout: 60_000,
    hookTimeout: 60_000,
    maxWorkers: 1,
  },
});

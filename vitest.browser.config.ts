import { defineConfig } from "vitest/config";

/** Tests of the page in a real browser; Chromium must be there (see CONTRIBUTING.md). */
export default defineConfig({
  test: { include: ["test/**/*.browser.test.ts"], testTimeout: 60_000, hookTimeout: 60_000, maxWorkers: 1 },
});

import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    exclude: ["test/**/*.browser.test.ts", "test/**/*.faults.test.ts", "test/**/*.services.test.ts"],
    // What comes on a quiet machine at once may take its time on a busy one.
    expect: { poll: { timeout: 15_000 } },
    testTimeout: 30_000,
    hookTimeout: 30_000,
    // Real processes and real disks: more at once than cores only makes them wait for each other.
    maxWorkers: 2,
  },
});

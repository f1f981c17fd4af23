import { defineConfig } from "vitest/config";

/** What needs a service that is no npm package: PostgreSQL (Debian), Kafka (Maven Central). Each test starts its own. */
export default defineConfig({
  test: {
    include: ["test/**/*.services.test.ts"],
    // What comes on a quiet machine at once may take its time on a busy one.
    expect: { poll: { timeout: 15_000 } },
    testTimeout: 120_000,
    hookTimeout: 300_000,
    maxWorkers: 1,
  },
});

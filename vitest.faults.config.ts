import { defineConfig } from "vitest/config";

/** Tests that break disks: they mount file systems, for which they must be root on Linux. */
export default defineConfig({
  test: { include: ["test/**/*.faults.test.ts"], testTimeout: 90_000, hookTimeout: 60_000, maxWorkers: 1 },
});

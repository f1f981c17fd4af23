import { defineConfig } from "vitest/config";

/** What takes long or breaks disks: backups under load, full, locked and rotten disks. Mounts a tmpfs, so root on Linux. */
export default defineConfig({
  test: {
    include: ["test/**/*.faults.test.ts"],
    // What comes on a quiet machine at once may take its time on a busy one.
    expect: { poll: { timeout: 15_000 } },
    testTimeout: 120_000,
    hookTimeout: 60_000,
    maxWorkers: 1,
  },
});

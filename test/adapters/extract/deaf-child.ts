/** The real child's entry, on a thread that never listens again. For process-extractor.test.ts. */
import "../../../src/adapters/extract/child.ts";

process.send?.({ type: "progress", done: process.pid, total: null }, undefined, undefined, () => {
  for (;;);
});

/** The real child's entry and then a thread that never listens again, for process-extractor.test.ts. */
import "../../../src/adapters/extract/child.ts";

process.send?.({ type: "progress", done: process.pid, total: null }, undefined, undefined, () => {
  // Long enough for the watchdog's thread to be up: it starts on its own thread, but from this one.
  setTimeout(() => {
    for (;;);
  }, 500);
});

/** Pages that took long to read survive the attempt that read them. */
import { expect, test } from "vitest";
import { SluiceError } from "../../src/errors.ts";
import type { Extractor } from "../../src/ports/extractor.ts";
import { createClock } from "../support/clock.ts";
import { openRig, tenant_id } from "../support/rig.ts";

const PAGES = 40;

/** Reads pages until it fails at one of them, each attempt at another. */
function createScanner(failures: number[]): Extractor & { read: number[][] } {
  const read: number[][] = [];
  return {
    read,
    media_types: new Set(["text/plain"]),
    async extract(_source, progress, _signal, { pages: cache } = {}) {
      const mine: number[] = [];
      read.push(mine);
      const texts: string[] = [];
      const failure = failures.shift();
      for (let page = 1; page <= PAGES; page++) {
        const kept = cache?.kept.get(page);
        if (kept === undefined) {
          if (page === failure) {
            throw new SluiceError("extraction_timeout", "Reading scan.txt took longer than allowed.");
          }
          mine.push(page);
          cache?.keep(page, `page ${page}`);
        }
        texts.push(kept ?? `page ${page}`);
        progress(page, PAGES);
      }
      const text = texts.join("\n\n");
      const block = {
        kind: "paragraph" as const,
        level: null,
        page: null,
        char_start: 0,
        char_end: text.length,
      };
      return { text, blocks: [block], page_count: null, title: null };
    },
    async close() {},
  };
}

test.each(["sqlite", "memory"] as const)(
  "the next attempt reads only what is left, in %s",
  async (storage) => {
    const clock = createClock();
    const extractor = createScanner([19, 35]);
    const rig = await openRig({ storage, system: clock.system, extractor, retry: { base_ms: 0, cap_ms: 0 } });
    const { document_id } = await rig.upload("a scan");
    await rig.worker().start();
    expect(await rig.settled(document_id)).toMatchObject({ status: "completed" });
    const from = (first: number, last: number) =>
      Array.from({ length: last - first + 1 }, (_, i) => first + i);
    expect(extractor.read).toEqual([from(1, 18), from(19, 34), from(35, PAGES)]);
    await rig.expectReplays(document_id);
    // The stage's own checkpoint has taken the place of the pages'.
    const [checkpoint] = await rig.documents.listCheckpoints(tenant_id, document_id, 1);
    expect(Object.keys(checkpoint!.data).sort()).toEqual([
      "facts",
      "page_count",
      "part_0_end",
      "part_0_key",
      "part_0_sha256",
      "title",
    ]);
  },
);

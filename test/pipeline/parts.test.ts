/** A long document's parts are stored and named while it is read, and survive the attempt that read them. */
import { describe, expect, test } from "vitest";
import type { ExtractedPart } from "../../src/chunk.ts";
import { partsIn, readPart } from "../../src/document-text.ts";
import { SluiceError } from "../../src/errors.ts";
import type { Extractor } from "../../src/ports/extractor.ts";
import { createClock } from "../support/clock.ts";
import { openRig, PATIENCE_MS, type Rig, tenant_id } from "../support/rig.ts";

const PARTS = 5;
const PASSAGES = 4;

/** Paragraphs of one word each; the release that reads them shows in every one. */
function partOf(number: number, start: number, release: string): ExtractedPart {
  const words = Array.from(
    { length: PASSAGES },
    (_, n) => `${release} quartz of part ${number}, passage ${n}`,
  );
  const blocks: ExtractedPart["blocks"] = [];
  let text = number === 1 ? "" : "\n\n";
  for (const [index, passage] of words.entries()) {
    if (index > 0) text += "\n\n";
    const char_start = start + text.length;
    text += passage;
    blocks.push({ kind: "paragraph", level: null, page: number, char_start, char_end: start + text.length });
  }
  return { text, blocks };
}

/** Hands over one part after another; fails before the parts that it is told, one an attempt. */
function createLongReader(failures: number[], releases: string[] = []): Extractor {
  return {
    media_types: new Set(["text/plain"]),
    async extract(_source, progress, _signal, { part } = {}) {
      const failure = failures.shift();
      const release = releases.shift() ?? "first";
      let start = 0;
      for (let number = 1; number < PARTS; number++) {
        if (number === failure) {
          throw new SluiceError("extraction_crashed", "The process that read long.txt died.");
        }
        const next = partOf(number, start, number < 3 ? "first" : release);
        start += next.text.length;
        await part?.(next);
        progress(number, PARTS);
      }
      return { ...partOf(PARTS, start, release), page_count: PARTS, title: null };
    },
    async close() {},
  };
}

async function read(rig: Rig, document_id: string) {
  const [checkpoint] = await rig.documents.listCheckpoints(tenant_id, document_id, 1);
  const parts = partsIn(checkpoint?.data);
  const open = (key: string) => rig.blobs.get(key);
  const texts = await Promise.all(parts.map(async (part) => (await readPart(open, part)).text));
  return { parts, text: texts.join(""), isPartial: checkpoint?.data.partial === true };
}

describe.each(["sqlite", "memory"] as const)("in %s", (storage) => {
  const clock = createClock();
  const open = (extractor: Extractor) =>
    openRig({ storage, system: clock.system, extractor, retry: { base_ms: 60_000, cap_ms: 60_000 } });

  test("parts come to be chunks of one text, and nothing but them stays", async () => {
    const rig = await open(createLongReader([]));
    const { document_id } = await rig.upload("long");
    await rig.worker().start();
    expect(await rig.settled(document_id)).toMatchObject({ status: "completed" });
    const { parts, text } = await read(rig, document_id);
    expect(parts).toHaveLength(PARTS);
    const chunks = await rig.documents.listChunks(tenant_id, document_id, 1, 0, 1_000);
    expect(chunks.length).toBeGreaterThan(PARTS);
    for (const chunk of chunks) expect(text.slice(chunk.char_start, chunk.char_end)).toBe(chunk.text);
    expect(chunks.at(-1)?.text).toContain(`part ${PARTS}, passage ${PASSAGES - 1}`);
    // The original, and the parts.
    expect(await rig.blobKeys()).toHaveLength(1 + PARTS);
    const [, , ...told] = (await rig.expectReplays(document_id)).map((event) => event.event_type);
    expect(told.filter((type) => type === "rag.ingestion.progressed").length).toBeGreaterThanOrEqual(
      PARTS - 1,
    );
  });

  test("what was read before an attempt failed is named meanwhile, and not stored again", async () => {
    const rig = await open(createLongReader([4]));
    const { document_id } = await rig.upload("long");
    const worker = rig.worker();
    await worker.start();
    await rig.until(async () => (await rig.get(document_id)).error !== null);
    await worker.stop(PATIENCE_MS);
    const before = await read(rig, document_id);
    expect(before.isPartial).toBe(true);
    expect(before.parts).toHaveLength(3);
    clock.advance(60_000);
    await rig.worker().start();
    expect(await rig.settled(document_id)).toMatchObject({ status: "completed" });
    const after = await read(rig, document_id);
    expect(after.isPartial).toBe(false);
    expect(after.parts.slice(0, 3)).toEqual(before.parts);
    expect(await rig.blobKeys()).toHaveLength(1 + PARTS);
  });

  test("what reads otherwise the next time takes the place of what was kept", async () => {
    const rig = await open(createLongReader([4], ["first", "second"]));
    const { document_id } = await rig.upload("long");
    const worker = rig.worker();
    await worker.start();
    await rig.until(async () => (await rig.get(document_id)).error !== null);
    await worker.stop(PATIENCE_MS);
    const before = await read(rig, document_id);
    clock.advance(60_000);
    await rig.worker().start();
    expect(await rig.settled(document_id)).toMatchObject({ status: "completed" });
    const after = await read(rig, document_id);
    expect(after.parts.slice(0, 2)).toEqual(before.parts.slice(0, 2));
    expect(after.text).toContain("second quartz of part 3");
    expect(after.text).not.toContain("first quartz of part 3");
    expect(after.text).toHaveLength(after.parts.at(-1)!.char_end);
  });
});

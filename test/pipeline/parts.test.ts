/** A long document's parts are stored and named while it is read, and survive the attempt that read them. */
import { describe, expect, test } from "vitest";
import type { ExtractedPart } from "../../src/chunk.ts";
import { partsIn, readPart } from "../../src/document-text.ts";
import { SluiceError } from "../../src/errors.ts";
import type { ExtractionSinks, Extractor } from "../../src/ports/extractor.ts";
import { sweepBlobs } from "../../src/worker/sweep.ts";
import { createClock } from "../support/clock.ts";
import { gate, openRig, PATIENCE_MS, paragraphs, type Rig, tenant_id } from "../support/rig.ts";

const PARTS = 5;
const PASSAGES = 4;
const { signal } = new AbortController();

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

/** One page of plain text, read as it is told. */
function createReader(read: (sinks: ExtractionSinks) => Promise<ExtractedPart>): Extractor {
  return {
    media_types: new Set(["text/plain"]),
    extract: async (_source, _progress, _signal, sinks = {}) => ({
      ...(await read(sinks)),
      page_count: null,
      title: null,
    }),
    async close() {},
  };
}

/** What an attempt that failed has left, once the worker that made it has stopped. */
async function failed(rig: Rig, document_id: string, { blobs = rig.blobs, version = 1 } = {}) {
  const worker = rig.worker({ blobs });
  await worker.start();
  await rig.until(async () => (await rig.get(document_id)).error !== null);
  await worker.stop(PATIENCE_MS);
  return read(rig, document_id, version);
}

async function read(rig: Rig, document_id: string, version = 1) {
  const [checkpoint] = await rig.documents.listCheckpoints(tenant_id, document_id, version);
  const parts = partsIn(checkpoint?.data);
  const open = (key: string) => rig.blobs.get(key);
  const texts = await Promise.all(parts.map(async (part) => (await readPart(open, part)).text));
  return {
    parts,
    text: texts.join(""),
    isPartial: checkpoint?.data.partial === true,
    names: Object.keys(checkpoint?.data ?? {}),
  };
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
    const before = await failed(rig, document_id);
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
    const before = await failed(rig, document_id);
    clock.advance(60_000);
    await rig.worker().start();
    expect(await rig.settled(document_id)).toMatchObject({ status: "completed" });
    const after = await read(rig, document_id);
    expect(after.parts.slice(0, 2)).toEqual(before.parts.slice(0, 2));
    expect(after.text).toContain("second quartz of part 3");
    expect(after.text).not.toContain("first quartz of part 3");
    expect(after.text).toHaveLength(after.parts.at(-1)!.char_end);
  });

  test("a text that ends with a part is there as a whole", async () => {
    const whole = partOf(1, 0, "first");
    const rig = await open(
      createReader(async ({ part }) => {
        await part?.(whole);
        return { text: "", blocks: [] };
      }),
    );
    const { document_id } = await rig.upload("long");
    await rig.worker().start();
    expect(await rig.settled(document_id)).toMatchObject({ status: "completed", error: null });
    expect(await read(rig, document_id)).toMatchObject({ text: whole.text, parts: [{}] });
    const chunks = await rig.documents.listChunks(tenant_id, document_id, 1, 0, 1_000);
    expect(chunks.at(-1)?.text).toContain(`part 1, passage ${PASSAGES - 1}`);
  });

  test("a long file that ends in blank lines is there as a whole", async () => {
    const rig = await openRig({ storage, chunking: { max_tokens: 4_000, overlap_tokens: 0 } });
    const text = paragraphs(3_000);
    const { document_id } = await rig.upload(`${text}\n\n`);
    await rig.worker().start();
    expect(await rig.settled(document_id)).toMatchObject({ status: "completed", error: null });
    expect((await read(rig, document_id)).text).toBe(text);
  });

  test("a part that is being stored when its reader dies is named before the attempt ends", async () => {
    const storing = gate();
    const rig = await open(
      createReader(async ({ part }) => {
        const stored = part?.(partOf(1, 0, "first"));
        // The reader is gone; storing goes on, and somebody else waits for it.
        stored?.catch(() => {});
        setImmediate(storing.open);
        throw new SluiceError("extraction_crashed", "The process that read long.txt died.");
      }),
    );
    const { document_id } = await rig.upload("long");
    const blobs: typeof rig.blobs = {
      ...rig.blobs,
      async put(...args) {
        await storing.opened;
        return rig.blobs.put(...args);
      },
    };
    const { parts, isPartial } = await failed(rig, document_id, { blobs });
    expect(isPartial).toBe(true);
    expect(parts).toHaveLength(1);
  });

  test("parts and hard pages, written at the same time, are named together", async () => {
    const rig = await open(
      createReader(async ({ part, pages }) => {
        let start = 0;
        for (let number = 1; number < PARTS; number++) {
          // As many as go into one blob, whose writing nobody waits for.
          for (let page = 1; page <= 16; page++) pages?.keep(16 * number + page, "hard to read");
          const next = partOf(number, start, "first");
          start += next.text.length;
          await part?.(next);
        }
        throw new SluiceError("extraction_crashed", "The process that read long.txt died.");
      }),
    );
    const { document_id } = await rig.upload("long");
    const { parts, names } = await failed(rig, document_id);
    expect(parts).toHaveLength(PARTS - 1);
    expect(names.filter((name) => /^pages_\d+_key$/.test(name))).toHaveLength(PARTS - 1);
    expect(await rig.blobKeys()).toHaveLength(1 + 2 * (PARTS - 1));
  });

  test("the sweeper leaves what is kept, however old, and takes what was replaced", async () => {
    const rig = await open(createLongReader([4], ["first", "second"]));
    const { document_id } = await rig.upload("long");
    const before = await failed(rig, document_id);
    clock.advance(7 * 3_600_000);
    expect(await sweepBlobs(rig, signal)).toBe(0);
    await rig.worker().start();
    expect(await rig.settled(document_id)).toMatchObject({ status: "completed" });
    // The third part is another now.
    expect(await rig.blobKeys()).toHaveLength(1 + PARTS + 1);
    clock.advance(7 * 3_600_000);
    expect(await sweepBlobs(rig, signal)).toBe(1);
    expect(await rig.blobKeys()).not.toContain(before.parts[2]!.key);
    expect((await read(rig, document_id)).text).toContain("second quartz of part 3");
  });

  test("what a cancelled attempt had stored is swept; a retry begins anew", async () => {
    const rig = await open(createLongReader([4]));
    const { document_id, job_id } = await rig.upload("long");
    await failed(rig, document_id);
    await rig.commands.cancel(tenant_id, job_id, "req_1");
    expect((await read(rig, document_id)).parts).toEqual([]);
    clock.advance(7 * 3_600_000);
    expect(await sweepBlobs(rig, signal)).toBe(3);
    await rig.commands.retry(tenant_id, job_id, "req_2");
    await rig.worker().start();
    expect(await rig.settled(document_id)).toMatchObject({ status: "completed" });
    expect(await rig.blobKeys()).toHaveLength(1 + PARTS);
  });

  test("a text that an earlier release stored is read again", async () => {
    const rig = await open(createLongReader([]));
    const { document_id } = await rig.upload("long");
    const record = await rig.get(document_id);
    const data = { text_key: `${tenant_id}/text`, blocks_key: `${tenant_id}/blocks`, page_count: null };
    await rig.documents.commit([
      {
        tenant_id,
        document: { record, expect_revision: record.revision },
        checkpoint: { stage: "extracting", data },
      },
    ]);
    await rig.worker().start();
    expect(await rig.settled(document_id)).toMatchObject({ status: "completed" });
    expect((await read(rig, document_id)).parts).toHaveLength(PARTS);
  });

  test("a new version ends what the one before had kept, and a deletion takes the parts along", async () => {
    const rig = await open(createLongReader([4, 4]));
    const { document_id } = await rig.upload("long");
    const first = await failed(rig, document_id);
    await rig.upload("longer", { document_id });
    expect((await read(rig, document_id)).parts).toEqual([]);
    expect((await failed(rig, document_id, { version: 2 })).parts).toHaveLength(3);
    const { job_id } = await rig.commands.remove(tenant_id, document_id, "req_1");
    await rig.worker().start();
    await rig.until(async () => (await rig.job(job_id)).state === "succeeded");
    // Those of the first attempt are the sweeper's.
    expect(await rig.blobKeys()).toEqual(first.parts.map(({ key }) => key).sort());
  });
});

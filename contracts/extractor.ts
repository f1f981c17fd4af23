/** The contract of an Extractor: what src/ports/extractor.ts promises of any file, good or bad. */
import { describe, expect, test } from "vitest";
import type { ExtractedPart, ExtractedText } from "../src/chunk.ts";
import { SluiceError } from "../src/errors.ts";
import type { ExtractionSource, Extractor } from "../src/ports/extractor.ts";

export interface ExtractorHarness {
  extractor: Extractor;
  /** Files that it can read, at least one, each with words that must come out. */
  readable: { source: ExtractionSource; words: string[] }[];
  /** Of those, the ones that are long enough to come in parts. Default: none. */
  long?: { source: ExtractionSource }[];
  /** Files with others inside, each with the names of those, in order, and what they hold. Default: none. */
  holding?: { source: ExtractionSource; files: [filename: string, content: string][] }[];
  /** Files that it can't read, each with the code of the error that must come of it. */
  unreadable: { source: ExtractionSource; code: SluiceError["code"] }[];
  close(): Promise<void>;
}

function expectWellFormed(extracted: ExtractedText): void {
  let end = 0;
  for (const block of extracted.blocks) {
    expect(block.char_start).toBeGreaterThanOrEqual(end);
    expect(block.char_end).toBeGreaterThan(block.char_start);
    end = block.char_end;
    if (block.kind === "heading") expect(block.level).toBeGreaterThan(0);
    else expect(block.level).toBeNull();
    if (extracted.page_count === null) expect(block.page).toBeNull();
    else expect(block.page).toBeLessThanOrEqual(extracted.page_count);
  }
  expect(end).toBeLessThanOrEqual(extracted.text.length);
}

/** Registers the suite; call it inside a test file. */
export function describeExtractor(name: string, open: () => Promise<ExtractorHarness>): void {
  const check = (title: string, run: (h: ExtractorHarness) => Promise<void>) =>
    test(title, async () => {
      const h = await open();
      try {
        await run(h);
      } finally {
        await h.close();
      }
    }, 60_000);
  const never = new AbortController().signal;

  describe(`Extractor: ${name}`, () => {
    check("text and blocks come out, in reading order, within the text, not overlapping", async (h) => {
      expect(h.readable.length).toBeGreaterThan(0);
      for (const { source, words } of h.readable) {
        expect(h.extractor.media_types.has(source.media_type), source.media_type).toBe(true);
        const extracted = await h.extractor.extract(source, () => {}, never);
        for (const word of words) expect(extracted.text).toContain(word);
        expectWellFormed(extracted);
      }
    });

    check("progress never goes back, and never beyond its total", async (h) => {
      for (const { source } of h.readable) {
        let last = 0;
        await h.extractor.extract(
          source,
          (done, total) => {
            expect(done).toBeGreaterThanOrEqual(last);
            if (total !== null) expect(done).toBeLessThanOrEqual(total);
            last = done;
          },
          never,
        );
      }
    });

    check(
      "a file that can't be read ends in its coded error, and the next file is read all the same",
      async (h) => {
        for (const { source, code } of h.unreadable) {
          const outcome = await h.extractor.extract(source, () => {}, never).catch((error: unknown) => error);
          expect(outcome, source.filename).toBeInstanceOf(SluiceError);
          expect((outcome as SluiceError).code, source.filename).toBe(code);
        }
        const { source, words } = h.readable[0]!;
        expect((await h.extractor.extract(source, () => {}, never)).text).toContain(words[0] ?? "");
      },
    );

    check("parts come one after another; with the rest they are the whole text", async (h) => {
      for (const { source } of h.readable) {
        const whole = await h.extractor.extract(source, () => {}, never);
        const parts: ExtractedPart[] = [];
        let busy = false;
        const rest = await h.extractor.extract(source, () => {}, never, {
          part: async (part) => {
            expect(busy).toBe(false);
            busy = true;
            await new Promise((resolve) => setImmediate(resolve));
            parts.push(part);
            busy = false;
          },
        });
        let length = 0;
        for (const { text, blocks } of [...parts, rest]) {
          for (const { char_start } of blocks) expect(char_start).toBeGreaterThanOrEqual(length);
          length += text.length;
          for (const { char_end } of blocks) expect(char_end).toBeLessThanOrEqual(length);
        }
        const joined = [...parts, rest].map(({ text }) => text).join("");
        const blocks = [...parts, rest].flatMap((part) => part.blocks);
        expect({ ...rest, text: joined, blocks }).toEqual(whole);
      }
    });

    check("who takes a part and fails, fails the document, with that error", async (h) => {
      const refusal = new Error("no room");
      for (const { source } of h.long ?? []) {
        const attempt = h.extractor.extract(source, () => {}, never, {
          part: async () => {
            throw refusal;
          },
        });
        await expect(attempt).rejects.toBe(refusal);
      }
    });

    check("files inside are handed over one after another, in order, and whole", async (h) => {
      for (const { source, files } of h.holding ?? []) {
        const taken: [string, string][] = [];
        let busy = false;
        let ended = false;
        const extracted = await h.extractor.extract(source, () => {}, never, {
          file: async ({ filename, size_bytes, content }) => {
            expect(busy || ended).toBe(false);
            busy = true;
            const read = async () => {
              const parts: Uint8Array[] = [];
              for await (const part of content()) parts.push(part);
              return Buffer.concat(parts);
            };
            const bytes = await read();
            expect(bytes.length).toBe(size_bytes);
            expect((await read()).equals(bytes), "from the beginning at every call").toBe(true);
            taken.push([filename, bytes.toString()]);
            busy = false;
          },
        });
        ended = true;
        expect(taken).toEqual(files);
        expectWellFormed(extracted);
        // Whoever takes none of them gets the same text.
        const alone = await h.extractor.extract(source, () => {}, never);
        expect(alone).toEqual(extracted);
      }
    });

    check("who takes a file and fails, fails the document, with that error", async (h) => {
      const refusal = new Error("no room");
      for (const { source } of h.holding ?? []) {
        const attempt = h.extractor.extract(source, () => {}, never, {
          file: async () => {
            throw refusal;
          },
        });
        await expect(attempt).rejects.toBe(refusal);
      }
    });

    check("a media type that it does not read is refused", async (h) => {
      const source = { ...h.readable[0]!.source, media_type: "application/x-unheard-of" };
      await expect(h.extractor.extract(source, () => {}, never)).rejects.toMatchObject({
        code: "unsupported_media_type",
      });
    });

    check("it stops when the signal fires, with the signal's reason", async (h) => {
      const reason = new Error("cancelled");
      const { source } = h.readable[0]!;
      await expect(h.extractor.extract(source, () => {}, AbortSignal.abort(reason))).rejects.toBe(reason);
    });
  });
}

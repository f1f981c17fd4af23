/** Reads the pages of one document by OCR, several at once, and none that an earlier attempt has read. */
import type { PageCache } from "../../ports/extractor.ts";
import { ocrFor } from "./ocr.ts";
import type { OcrImage, OcrResult } from "./ocr-thread.ts";

export interface OcrPages {
  /**
   * Resolves when there is room for the next page; `use` is called when this one has been read, `fail` where it can't
   * be. One of them is, in any case.
   *
   * @param picture makes the page's picture, when its turn has come
   */
  read(
    page: number,
    picture: () => OcrImage,
    use: (result: OcrResult) => void,
    fail: (error: unknown) => void,
  ): Promise<void>;
  /** Resolves when one more of the pages that are being read has been. */
  next(): Promise<void>;
  /** Resolves when none is being read, whatever became of them. */
  idle(): Promise<void>;
  /** Resolves when all have been read. */
  finish(): Promise<void>;
}

/** What pages were kept in this form begins with it. */
const FORM = "1";

export function createOcrPages(languages: readonly string[], cache: PageCache | undefined): OcrPages {
  const ocr = ocrFor(languages);
  const reading = new Set<Promise<void>>();
  // What `use` or `fail` threw, as when the reading was given up: told to whoever waits next.
  let broken: { error: unknown } | undefined;
  return {
    async read(page, picture, use, fail) {
      const kept = cache?.kept.get(page);
      if (kept?.startsWith(FORM)) {
        use(JSON.parse(kept.slice(FORM.length)) as OcrResult);
        return;
      }
      // Pictures of pages are large: no more of them than are being read, and one.
      while (reading.size > ocr.threads) await Promise.race(reading);
      if (broken !== undefined) throw broken.error;
      const read = ocr
        .recognize(picture())
        .then((result) => {
          cache?.keep(page, FORM + JSON.stringify(result));
          use(result);
        })
        .catch(fail)
        .catch((error: unknown) => {
          broken ??= { error };
        })
        .finally(() => reading.delete(read));
      reading.add(read);
    },
    async next() {
      if (broken === undefined) await Promise.race(reading);
      if (broken !== undefined) throw broken.error;
    },
    async idle() {
      await Promise.all(reading);
    },
    async finish() {
      await Promise.all(reading);
      if (broken !== undefined) throw broken.error;
    },
  };
}

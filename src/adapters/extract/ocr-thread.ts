/** A thread that reads letters out of pictures with Tesseract (WebAssembly). Started by ocr.ts. */

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { parentPort, workerData } from "node:worker_threads";
import { gunzipSync } from "node:zlib";
import { type Bitmap, fromGreyPng, scaled, toPgm, turned, withoutRules } from "./bitmap.ts";

/** A picture, or a file with one. */
export type OcrImage = Bitmap | { file: Uint8Array; orientation: number };

export interface OcrWord {
  text: string;
  /** From 0 to 100. */
  confidence: number;
  x: number;
  right: number;
}

export interface OcrLine {
  words: OcrWord[];
  /** Baseline and height of its letters, in pixels. */
  y: number;
  height: number;
  /** Higher than it is wide, although it has several letters: it stands on its side. */
  tall: boolean;
}

/** The lines in reading order, in pixels of the upright picture of this size. */
export interface OcrResult {
  width: number;
  height: number;
  confidence: number;
  lines: OcrLine[];
}

/** `ready` once, then an answer to each picture. */
export type OcrAnswer = { result: OcrResult } | { unreadable: string } | { ready: true };

export interface OcrThreadData {
  /** Paths of language data by language. */
  languages: { language: string; path: string }[];
}

interface Box {
  x0: number;
  y0: number;
  x1: number;
  y1: number;
}

/** The part of Tesseract's JSON that is used. */
interface Page {
  blocks: {
    paragraphs: {
      lines: {
        bbox: Box;
        baseline: Box;
        rowAttributes: { rowHeight: number };
        words: { text: string; confidence: number; bbox: Box }[];
      }[];
    }[];
  }[];
}

interface Tesseract {
  FS: {
    writeFile(path: string, data: Uint8Array): void;
    readFile(path: string): Uint8Array;
    unlink(path: string): void;
  };
  TessBaseAPI: new () => {
    Init(path: null, languages: string, engine: number, config: null): number;
    SetVariable(name: string, value: string): boolean;
    SetImageFile(orientation: number, angle: number): number;
    WriteImage(kind: number, path: string): void;
    Recognize(monitor: null): number;
    MeanTextConf(): number;
    GetJSONText(): string;
    Clear(): void;
  };
}

const LSTM = 1;
const GREY = 1;
/** Fully automatic, without finding the orientation: that needs data of another kind. */
const AUTOMATIC = "3";
/** Letters of ten points want some 200 pixels an inch; pictures of screens have half of that. */
const WANTED_PIXELS = 4_000_000;
const MOST_SCALE = 3;
/** Below this it may lie on its side, and is tried the other ways. */
const DOUBTFUL = 60;
/** So many times as much has to be read another way. */
const BETTER = 1.5;
/** How paper is told from ink: by one threshold for the page, or one for each place. */
const OTSU = "0";
const SAUVOLA = "2";
/** The size at which ways are compared. */
const TRIAL_PIXELS = 1_200_000;

const { languages } = workerData as OcrThreadData;
const create = createRequire(import.meta.url)("tesseract.js-core/tesseract-core-relaxedsimd-lstm.js") as (
  options: object,
) => Promise<Tesseract>;
const tesseract = await create({ TesseractProgress() {}, print() {}, printErr() {} });
for (const { language, path } of languages) {
  tesseract.FS.writeFile(`${language}.traineddata`, gunzipSync(readFileSync(path)));
}
const api = new tesseract.TessBaseAPI();
if (api.Init(null, languages.map(({ language }) => language).join("+"), LSTM, null) !== 0) {
  throw new Error("Tesseract does not start with its language data");
}
api.SetVariable("tessedit_pageseg_mode", AUTOMATIC);

const port = parentPort!;
port.on("message", (image: OcrImage) => port.postMessage(answer(image)));
port.postMessage({ ready: true } satisfies OcrAnswer);

function answer(image: OcrImage): OcrAnswer {
  const bitmap = "file" in image ? decode(image.file, image.orientation) : image;
  if (bitmap === undefined) return { unreadable: "its pixels can't be decoded" };
  const result = readPage(bitmap);
  // Tesseract reads some of what lies on its side, and leaves it there.
  const isLying = lettersOf(result.lines.filter(({ tall }) => tall)) > lettersOf(result.lines) / 2;
  if (result.confidence >= DOUBTFUL && !isLying) return { result };
  const small = scaled(bitmap, Math.min(1, Math.sqrt(TRIAL_PIXELS / bitmap.grey.length)));
  const [upright, ...others] = [0, 1, 2, 3].map((turns) => certainty(recognize(turned(small, turns), OTSU)));
  const best = Math.max(...others);
  return { result: best < upright! * BETTER ? result : readPage(turned(bitmap, others.indexOf(best) + 1)) };
}

/** Pages with ruled lines are also read without them, and with a threshold of each place's own; the better one counts. */
function readPage(bitmap: Bitmap): OcrResult {
  const result = recognize(bitmap, OTSU);
  const bare = withoutRules(bitmap);
  if (bare === undefined) return result;
  const other = recognize(bare, SAUVOLA);
  return certainty(other) > certainty(result) ? other : result;
}

function lettersOf(lines: readonly OcrLine[]): number {
  return lines.reduce((sum, { words }) => sum + words.reduce((all, { text }) => all + text.length, 0), 0);
}

/** How much was read, weighed by how surely. */
function certainty({ lines }: OcrResult): number {
  return lines
    .filter(({ tall }) => !tall)
    .flatMap(({ words }) => words)
    .filter(({ confidence, text }) => confidence >= 50 && /[\p{L}\p{N}]/u.test(text))
    .reduce((sum, { text, confidence }) => sum + text.length * (confidence - 40), 0);
}

/** Leptonica, which Tesseract brings, reads PNG, JPEG, WebP, TIFF, GIF and BMP. */
function decode(file: Uint8Array, orientation: number): Bitmap | undefined {
  tesseract.FS.writeFile("/input", file);
  if (api.SetImageFile(orientation, 0) !== 0) return undefined;
  // It knows no other name for the file.
  api.WriteImage(GREY, "/image.png");
  const bitmap = fromGreyPng(tesseract.FS.readFile("/image.png"));
  tesseract.FS.unlink("/image.png");
  const factor = Math.min(MOST_SCALE, Math.sqrt(WANTED_PIXELS / bitmap.grey.length));
  return factor > 1.2 ? scaled(bitmap, factor) : bitmap;
}

function recognize(bitmap: Bitmap, threshold: string): OcrResult {
  api.SetVariable("thresholding_method", threshold);
  tesseract.FS.writeFile("/input", toPgm(bitmap));
  const { width, height } = bitmap;
  if (api.SetImageFile(1, 0) !== 0) return { width, height, confidence: 0, lines: [] };
  api.Recognize(null);
  const { blocks } = JSON.parse(api.GetJSONText()) as Page;
  const confidence = api.MeanTextConf();
  api.Clear();
  const lines = blocks.flatMap(({ paragraphs }) =>
    paragraphs.flatMap(({ lines }) =>
      lines.map(({ bbox, baseline, rowAttributes, words }) => ({
        words: words.map(({ text, confidence, bbox: { x0, x1 } }) => ({
          text,
          confidence: Math.round(confidence),
          x: x0,
          right: x1,
        })),
        y: (baseline.y0 + baseline.y1) / 2,
        tall:
          words.reduce((sum, { text }) => sum + text.length, 0) > 1 &&
          bbox.y1 - bbox.y0 > 1.5 * (bbox.x1 - bbox.x0),
        // Rows of a single letter have no height of their own.
        height: rowAttributes.rowHeight > 0 ? rowAttributes.rowHeight : bbox.y1 - bbox.y0,
      })),
    ),
  );
  return { width, height, confidence, lines };
}

/**
 * Reads damaged copies of real files as the service would: `node scripts/fuzz.ts FOLDER [--runs N] [--seed N] [--keep DIR]`.
 * Exits with 1 when one of them ended in anything but text or an error of the document's own.
 */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { parseArgs } from "node:util";
import { createProcessExtractor } from "../src/adapters/extract/process-extractor.ts";
import { canRead } from "../src/adapters/extract/registry.ts";
import { SluiceError } from "../src/errors.ts";
import { detectMediaType, HEAD_BYTES } from "../src/intake/media-type.ts";
import { mutated } from "../test/adapters/extract/mutate.ts";
import { createRandom } from "../test/simulation/random.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    runs: { type: "string", default: "1000" },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    keep: { type: "string" },
    only: { type: "string", default: "" },
  },
});
const [folder] = positionals;
if (folder === undefined)
  throw new Error("usage: node scripts/fuzz.ts FOLDER [--runs N] [--seed N] [--keep DIR] [--only TEXT]");
const LARGEST = 4 * 1024 * 1024;
const TIMEOUT_MS = 30_000;
const settings = { timeout_ms: TIMEOUT_MS, memory_mb: 512, size: 1 };
// Letters in pictures take seconds each, so they are read where nothing else is.
const plain = createProcessExtractor({ ...settings, ocr_languages: [] });
const pictures = createProcessExtractor(settings);
const files = readdirSync(folder, { recursive: true, encoding: "utf8" })
  .map((name) => join(folder, name))
  .filter((path) => statSync(path).isFile() && statSync(path).size < LARGEST && path.includes(values.only))
  .sort();
const seed = Number(values.seed);
const work = mkdtempSync(join(tmpdir(), "sluice-fuzz-"));
const ends: Record<string, number> = {};
let bad = 0;
let slowest = 0;
console.log(`seed ${seed}, ${files.length} files, ${values.runs} runs`);
for (let run = 0; run < Number(values.runs); run++) {
  const random = createRandom(seed * 1_000_003 + run);
  const path = files[run % files.length]!;
  const picture = /\.(png|jpe?g|tiff?|webp)$/i.test(path);
  // One in ten of those.
  if (picture && !random.chance(0.1)) continue;
  const bytes = mutated(readFileSync(path), random);
  const filename = basename(path);
  const copy = join(work, "copy");
  writeFileSync(copy, bytes);
  const media_type = await detectMediaType(bytes.subarray(0, HEAD_BYTES), filename);
  const begun = performance.now();
  let end: string;
  let message = "";
  if (!canRead(media_type)) {
    end = "refused";
  } else {
    try {
      const source = { path: copy, media_type, filename };
      const take = async () => {};
      const { text, blocks } = await (picture ? pictures : plain).extract(
        source,
        () => {},
        new AbortController().signal,
        { file: take },
      );
      const wrong = blocks.find(
        ({ char_start, char_end }) => char_end <= char_start || char_end > text.length,
      );
      end = wrong === undefined ? "read" : "WRONG OFFSETS";
    } catch (error) {
      end = error instanceof SluiceError ? error.code : "NO TYPE";
      message =
        error instanceof Error ? `${error.message} ${(error.cause as Error)?.message ?? ""}` : String(error);
    }
  }
  const took = performance.now() - begun;
  slowest = Math.max(slowest, took);
  ends[end] = (ends[end] ?? 0) + 1;
  // Too much memory or time may be a file's own fault; whether it is, somebody has to look.
  if (!/^(WRONG OFFSETS|NO TYPE|extraction_.*)$/.test(end) && took < 10_000) continue;
  bad++;
  console.log(
    `run ${run}: ${filename} (${media_type}): ${end} after ${Math.round(took)} ms: ${message.slice(0, 600)}`,
  );
  if (values.keep !== undefined) {
    mkdirSync(values.keep, { recursive: true });
    writeFileSync(join(values.keep, `${seed}-${run}-${filename}`), bytes);
  }
}
await Promise.all([plain.close(), pictures.close()]);
rmSync(work, { recursive: true, force: true });
console.log(`${JSON.stringify(ends)}, slowest ${Math.round(slowest)} ms`);
process.exitCode = bad > 0 ? 1 : 0;

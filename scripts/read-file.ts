/** Prints what the readers make of files: `node scripts/read-file.ts FILE… [--limit N]`. For looking at, not for machines. */
import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import { parseArgs } from "node:util";
import { readDocument } from "../src/adapters/extract/in-process.ts";
import { headOf } from "../src/adapters/extract/input.ts";
import { SluiceError } from "../src/errors.ts";
import { detectMediaType, HEAD_BYTES } from "../src/intake/media-type.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    limit: { type: "string", default: "60", short: "n", description: "blocks to show" },
    text: { type: "boolean", default: false, description: "the whole text instead" },
  },
});

for (const path of positionals) {
  const filename = basename(path);
  const media_type = await detectMediaType(await headOf(path, HEAD_BYTES), filename);
  const begun = performance.now();
  try {
    const { text, blocks, page_count, title, facts, attachments } = await readDocument(
      { path, media_type, filename },
      () => {},
    );
    const took = Math.round(performance.now() - begun);
    console.log(`\n=== ${filename}: ${media_type}, ${(await readFile(path)).length} bytes, ${took} ms`);
    console.log(
      `    ${blocks.length} blocks, ${text.length} characters, pages ${page_count}, title ${JSON.stringify(title)}, ${JSON.stringify(facts)}`,
    );
    for (const { filename: name, media_type: type, bytes } of attachments ?? []) {
      console.log(`    attachment ${name}, ${type}, ${bytes.length} bytes`);
    }
    if (values.text) console.log(text);
    else {
      for (const block of blocks.slice(0, Number(values.limit))) {
        const place = [
          block.page === null ? "" : `p${block.page}`,
          block.sheet === undefined ? "" : `"${block.sheet}"`,
          block.row === undefined ? "" : `row ${block.row}`,
        ].join(" ");
        const words = text.slice(block.char_start, block.char_end);
        console.log(
          `${block.kind}${block.level ?? ""} ${place}: ${words.slice(0, 700).replaceAll("\n", "\n    ")}`,
        );
      }
    }
  } catch (error) {
    if (!(error instanceof SluiceError)) throw error;
    console.log(`\n=== ${filename}: ${media_type}: ${error.code}: ${error.message}`);
  }
}

/** Damaged files of every format: text or a typed error, whatever the damage. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { containedType } from "../../../src/adapters/extract/container.ts";
import { bytesInput } from "../../../src/adapters/extract/input.ts";
import { createProcessExtractor } from "../../../src/adapters/extract/process-extractor.ts";
import { canRead, readerOf } from "../../../src/adapters/extract/registry.ts";
import { openZip } from "../../../src/adapters/extract/zip.ts";
import { SluiceError } from "../../../src/errors.ts";
import { detectMediaType } from "../../../src/intake/media-type.ts";
import { makeCompound } from "../../fixtures/samples.ts";
import { makeZip } from "../../fixtures/zip.ts";
import { createRandom } from "../../simulation/random.ts";
import { mutated } from "./mutate.ts";
import { fixturePath } from "./reading.ts";

const samples = "docx pptx xlsx odt ods odp epub doc xls ppt html md".split(" ").map((extension) => {
  const name = `sample.${extension}`;
  return { name, bytes: readFileSync(fixturePath(name)) };
});
const mail = Buffer.from(
  "From: a@example.org\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/html\r\n\r\n<p>x\r\n--b--\r\n",
);
const texts = [
  {
    name: "a.rtf",
    bytes: Buffer.from(
      '{\\rtf1\\ansi{\\fonttbl{\\f0\\fcharset0 A;}}\\pard\\intbl x\\cell y\\cell\\row {\\field{\\*\\fldinst HYPERLINK "x"}{\\fldrslt y}}\\u9731?\\par}',
    ),
  },
  { name: "a.eml", bytes: mail },
  { name: "a.json", bytes: Buffer.from('{"a": [{"b": 1, "c": "x"}, {"b": 2}], "d": "e"}') },
  {
    name: "a.xml",
    bytes: Buffer.from(
      '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "c">]><a><title>x</title><p>y &b; <b>z</b></p></a>',
    ),
  },
  { name: "a.csv", bytes: Buffer.from('a;b;c\n1;"2\n3";4\n') },
  {
    name: "a.rst",
    bytes: Buffer.from("A\n=\n\n- b\n\n  .. note:: c\n\n==== ===\nd    e\n==== ===\nf    g\n==== ===\n"),
  },
  {
    name: "a.org",
    bytes: Buffer.from("* A :b:\n| c | d |\n#+BEGIN_SRC\ne\n#+END_SRC\n- f\n  - g\n[fn:1] h\n"),
  },
];

interface Damage {
  at: number;
  value: number;
  length: number;
}

function damaged(bytes: Buffer, damages: Damage[]): Buffer {
  const copy = Buffer.from(bytes);
  for (const { at, value, length } of damages) {
    const place = Math.floor(at * copy.length);
    copy.fill(value, place, Math.min(copy.length, place + length));
  }
  return copy;
}

/** Damage to the parts of a package, which is then put together anew: else its sums would give it away. */
function damagedInside(name: string, bytes: Buffer, damages: Damage[]): Buffer {
  const zip = openZip(bytes, name);
  return makeZip(
    zip.names.map((part) => ({
      name: part,
      content: damaged(Buffer.from(zip.read(part)!), damages),
      deflate: true,
    })),
  );
}

const damage = fc.record({
  at: fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
  value: fc.integer({ min: 0, max: 255 }),
  length: fc.integer({ min: 1, max: 6 }),
});

test("no damage makes an error without a type", async () => {
  const file = fc.constantFrom(...samples, ...texts);
  const cut = fc.option(fc.double({ min: 0, max: 1, noNaN: true }), { freq: 4, nil: 1 });
  await fc.assert(
    fc.asyncProperty(
      file,
      fc.array(damage, { minLength: 1, maxLength: 8 }),
      fc.boolean(),
      cut,
      async ({ name, bytes }, damages, inside, end) => {
        const isPackage = bytes.subarray(0, 2).toString() === "PK";
        const whole = isPackage && inside ? damagedInside(name, bytes, damages) : damaged(bytes, damages);
        const given = whole.subarray(0, Math.ceil(whole.length * end));
        try {
          const declared = await detectMediaType(given, name);
          const read = await readerOf(containedType(given, name) ?? declared, name);
          const { text, blocks } = await read(bytesInput(given, name));
          for (const { char_start, char_end } of blocks) {
            expect(char_end).toBeGreaterThan(char_start);
            expect(char_end).toBeLessThanOrEqual(text.length);
          }
        } catch (error) {
          if (!(error instanceof SluiceError)) throw error;
        }
      },
    ),
    { numRuns: 600 },
  );
}, 60_000);

test("nor does it cost a child: damaged files of every format, one after another through the process", async () => {
  const extractor = createProcessExtractor({
    timeout_ms: 30_000,
    memory_mb: 256,
    size: 1,
    ocr_languages: [],
  });
  const folder = mkdtempSync(join(tmpdir(), "sluice-fuzz-"));
  const path = join(folder, "copy");
  const holders = [
    { name: "a.pdf", bytes: readFileSync(fixturePath("sample.pdf")) },
    { name: "columns.pdf", bytes: readFileSync(fixturePath("columns.pdf")) },
    { name: "a.zip", bytes: makeZip(samples.slice(0, 3).map(({ name, bytes }) => [name, bytes])) },
    { name: "a.mbox", bytes: Buffer.from(`From a@b Fri Mar  1 08:00:00 2024\nSubject: c\n\n${mail}`) },
    { name: "a.mht", bytes: Buffer.from(`${mail}`.replace("mixed", "related")) },
    { name: "a.msg", bytes: makeCompound({ "__properties_version1.0": Buffer.alloc(64, 1) }) },
    { name: "a.png", bytes: Buffer.from("89504e470d0a1a0a0000000d49484452", "hex") },
  ];
  try {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...samples, ...texts, ...holders),
        fc.integer(),
        async ({ name, bytes }, seed) => {
          const given = mutated(bytes, createRandom(seed));
          writeFileSync(path, given);
          const media_type = await detectMediaType(given, name);
          if (!canRead(media_type)) return;
          const source = { path, media_type, filename: name };
          const end = await extractor
            .extract(source, () => {}, new AbortController().signal, { file: async () => {} })
            .then(
              () => "read",
              (error: SluiceError) => error.code,
            );
          expect(end).toMatch(
            /^(read|malformed_document|empty_document|encrypted_document|limit_exceeded|unsupported_media_type)$/,
          );
        },
      ),
      { numRuns: 400 },
    );
  } finally {
    await extractor.close();
    rmSync(folder, { recursive: true });
  }
}, 120_000);

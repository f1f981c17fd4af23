/** Damaged files of every format: text or a typed error, whatever the damage. */

import { readFileSync } from "node:fs";
import fc from "fast-check";
import { expect, test } from "vitest";
import { containedType } from "../../../src/adapters/extract/container.ts";
import { bytesInput } from "../../../src/adapters/extract/input.ts";
import { readerOf } from "../../../src/adapters/extract/registry.ts";
import { openZip } from "../../../src/adapters/extract/zip.ts";
import { SluiceError } from "../../../src/errors.ts";
import { detectMediaType } from "../../../src/intake/media-type.ts";
import { makeZip } from "../../fixtures/zip.ts";
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

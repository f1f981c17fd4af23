import fc from "fast-check";
import { expect, test } from "vitest";
import { csvRecords, RecordError } from "../../../src/adapters/extract/sheets/csv-records.ts";

async function* pieces(...parts: string[]) {
  yield* parts;
}

async function recordsOf(parts: string[], options: Partial<{ quotes: boolean; longest: number }> = {}) {
  const records: string[][] = [];
  const format = { delimiter: ",", quotes: true, longest: 100, ...options };
  for await (const some of csvRecords(pieces(...parts), format)) records.push(...some);
  return records;
}

test.each([
  ["no line end at the end", "a,b\n1,2", ["a", "b"], ["1", "2"]],
  ["empty fields and lines", "a,,\n\n,", ["a", "", ""], [""], ["", ""]],
  ["quotes around signs and line ends", '"a,b","c\nd"\ne', ["a,b", "c\nd"], ["e"]],
  ["quotes in quotes", '"say ""a""",""""\n""', ['say "a"', '"'], [""]],
  ["quotes as letters", '5" pipe,"a" b,c"d\n', ['5" pipe', '"a" b', 'c"d']],
])("%s", async (_, text, ...expected) => {
  expect(await recordsOf([text])).toEqual(expected);
});

test("what is written comes back, wherever the text is cut", async () => {
  const cell = fc.string({ unit: fc.constantFrom("a", '"', ",", "\n", " "), maxLength: 6 });
  const table = fc.array(fc.array(cell, { minLength: 1, maxLength: 4 }), { maxLength: 5 });
  await fc.assert(
    fc.asyncProperty(table, fc.integer({ min: 1, max: 7 }), async (rows, length) => {
      const quoted = (one: string) => `"${one.replaceAll('"', '""')}"`;
      const text = rows.map((row) => `${row.map(quoted).join(",")}\n`).join("");
      expect(await recordsOf(text.match(new RegExp(`[^]{1,${length}}`, "g")) ?? [])).toEqual(rows);
    }),
  );
});

test("records that never end", async () => {
  const long = ["a\nb,", "x".repeat(60), "y".repeat(60), "\n"];
  await expect(recordsOf(long)).rejects.toThrow(expect.objectContaining({ reason: "too_long", record: 2 }));
  await expect(recordsOf(['a\n"b,', "c\n"])).rejects.toThrow(RecordError);
  expect(await recordsOf(['a\n"b,', "c\n"], { quotes: false })).toEqual([["a"], ['"b', "c"]]);
});

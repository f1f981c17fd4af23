import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type About, aboutNothing } from "../src/about.ts";
import type { Metadata } from "../src/document.ts";
import { isLanguageWithin, matchesFilter, type SearchFilter, searchFilterSchema } from "../src/filter.ts";

const withMetadata = (metadata: Metadata) => ({ metadata, about: aboutNothing });

const metadata = { lang: "de", year: 2024, open: true, tags: ["a", "b", 3], nothing: null, "a.b": "x" };

describe("matchesFilter", () => {
  test.each([
    [{}, true],
    [{ lang: "de" }, true],
    [{ lang: "en" }, false],
    [{ year: 2024 }, true],
    [{ year: "2024" }, false],
    [{ open: true }, true],
    [{ open: false }, false],
    [{ missing: "x" }, false],
    [{ nothing: "x" }, false],
    [{ "a.b": "x" }, true],
    [{ tags: "b" }, true],
    [{ tags: 3 }, true],
    [{ tags: "3" }, false],
    [{ lang: { in: ["en", "de"] } }, true],
    [{ lang: { in: ["en"] } }, false],
    [{ tags: { in: ["z", 3] } }, true],
    [{ year: { gt: 2023 } }, true],
    [{ year: { gt: 2024 } }, false],
    [{ year: { gte: 2024, lte: 2024 } }, true],
    [{ year: { gte: 2024, lt: 2024 } }, false],
    [{ year: { gt: "2023" } }, false],
    [{ lang: { gte: "d", lt: "e" } }, true],
    [{ open: { gte: 0 } }, false],
    [{ missing: {} }, false],
    [{ lang: {} }, true],
    [{ lang: "de", year: { lt: 2024 } }, false],
    [{ lang: "de", year: { lt: 2025 } }, true],
  ] satisfies [SearchFilter, boolean][])("%j → %s", (filter, fits) => {
    expect(searchFilterSchema.parse(filter)).toEqual(filter);
    expect(matchesFilter(withMetadata(metadata), filter)).toBe(fits);
  });

  test("a name of every object's own is a field like any other", () => {
    expect(matchesFilter(withMetadata({}), { constructor: "x" })).toBe(false);
    expect(matchesFilter(withMetadata({}), { toString: {} })).toBe(false);
  });

  test("more conditions never find more", () => {
    const scalar = fc.oneof(fc.integer({ min: 0, max: 3 }), fc.constantFrom("a", "b"), fc.boolean());
    const field = fc.constantFrom("x", "y", "z");
    const bound = fc.integer({ min: 0, max: 3 });
    const condition = fc.oneof(
      scalar,
      fc.record({ in: fc.array(scalar, { minLength: 1, maxLength: 3 }) }),
      fc.record({ gte: bound, lt: bound }, { requiredKeys: [] }),
    );
    fc.assert(
      fc.property(
        fc.dictionary(field, fc.oneof(scalar, fc.array(scalar, { maxLength: 3 })), { noNullPrototype: true }),
        fc.dictionary(field, condition, { noNullPrototype: true }),
        (values, filter) => {
          const document = withMetadata(values);
          const parts = Object.entries(filter).map(([key, value]) =>
            matchesFilter(document, { [key]: value }),
          );
          expect(matchesFilter(document, filter)).toBe(parts.every(Boolean));
        },
      ),
    );
  });
});

describe("what a document says of itself", () => {
  const about: About = {
    title: "On Quartz",
    author: "Ann Lee",
    authored_at: "2019-03",
    modified_at: null,
    language: "en-GB",
    page_count: 12,
  };

  test.each([
    [{ title: "On Quartz" }, true],
    [{ title: "on quartz" }, false],
    [{ author: { in: ["Bo", "Ann Lee"] } }, true],
    [{ authored_at: { gte: "2019", lt: "2020" } }, true],
    [{ authored_at: { gte: "2019-04" } }, false],
    [{ modified_at: {} }, false],
    [{ page_count: { gt: 10 } }, true],
    [{ page_count: "12" }, false],
    [{ language: "en" }, true],
    [{ language: "EN-gb" }, true],
    [{ language: "en-US" }, false],
    [{ language: { in: ["de", "en"] } }, true],
    [{ language: "e" }, false],
  ] satisfies [SearchFilter, boolean][])("%j → %s", (filter, fits) => {
    expect(matchesFilter({ metadata: { other: 1 }, about }, filter)).toBe(fits);
  });

  test("stands back behind the user's metadata of the same name, null too", () => {
    const metadata = { title: "Mine", language: ["fr"], author: null };
    expect(matchesFilter({ metadata, about }, { title: "Mine" })).toBe(true);
    expect(matchesFilter({ metadata, about }, { title: "On Quartz" })).toBe(false);
    expect(matchesFilter({ metadata, about }, { language: "en" })).toBe(false);
    expect(matchesFilter({ metadata, about }, { language: "FR" })).toBe(false);
    expect(matchesFilter({ metadata, about }, { author: "Ann Lee" })).toBe(false);
  });
});

test.each([
  ["zh-Hant-TW", "zh", true],
  ["zh-Hant-TW", "zh-hant", true],
  ["zh-Hant-TW", "zh-TW", false],
  ["en", "en-GB", false],
  ["eng", "en", false],
])("%s is within %s: %s", (tag, range, within) => {
  expect(isLanguageWithin(tag, range)).toBe(within);
});

test.each([
  ["a condition of two kinds", { year: { in: [1], gt: 2 } }],
  ["an unknown bound", { year: { above: 2 } }],
  ["an empty choice", { year: { in: [] } }],
  ["a choice of 101", { year: { in: new Array(101).fill(1) } }],
  ["nothing", { year: null }],
  ["a field that metadata can't have", { "a b": 1 }],
  ["17 fields", Object.fromEntries(Array.from({ length: 17 }, (_, n) => [`f${n}`, n]))],
])("a filter of %s is refused", (_, filter) => {
  expect(searchFilterSchema.safeParse(filter).success).toBe(false);
});

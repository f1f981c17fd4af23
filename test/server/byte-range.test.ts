import { expect, test } from "vitest";
import { contentDisposition, isFresh, rangeOf } from "../../src/server/byte-range.ts";

test.each([
  [undefined, 10, undefined],
  ["bytes=0-0", 10, { start: 0, end: 1 }],
  ["bytes=-20", 10, { start: 0, end: 10 }],
  ["bytes=-0", 10, "unsatisfiable"],
  ["bytes=-5", 0, "unsatisfiable"],
  ["bytes=0-", 0, "unsatisfiable"],
  ["bytes=5-4", 10, undefined],
  ["bytes=-", 10, undefined],
  ["items=0-1", 10, undefined],
  ["bytes=a-b", 10, undefined],
])("%j of %d bytes is %j", (header, size, range) => {
  expect(rangeOf(header, size)).toEqual(range);
});

test("an ETag is found in a list, weak or strong, and in *", () => {
  expect(isFresh('"a", W/"b"', '"b"')).toBe(true);
  expect(isFresh("*", '"b"')).toBe(true);
  expect(isFresh('"a"', '"b"')).toBe(false);
  expect(isFresh(undefined, '"b"')).toBe(false);
});

test("a name stays within its quotes", () => {
  expect(contentDisposition("plain.txt")).toBe('attachment; filename="plain.txt"');
  expect(contentDisposition('a"b\\c')).toBe(
    'attachment; filename="a\\"b\\\\c"; filename*=UTF-8\'\'a%22b%5Cc',
  );
  expect(contentDisposition("naïve (1)'*.txt")).toBe(
    "attachment; filename=\"na_ve (1)'*.txt\"; filename*=UTF-8''na%C3%AFve%20%281%29%27%2A.txt",
  );
  expect(contentDisposition("\ud800.txt")).toContain("filename*=UTF-8''%EF%BF%BD.txt");
});

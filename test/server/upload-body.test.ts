import { describe, expect, test } from "vitest";
import { cleanFilename, filenameOf, idempotencyKeyOf } from "../../src/server/upload-body.ts";

describe("cleanFilename", () => {
  test.each([
    [undefined, "document"],
    ["", "document"],
    ["..", "document"],
    ["../../etc/passwd", "passwd"],
    ["C:\\docs\\a.txt", "a.txt"],
    ["a\u0000\r\nb.txt", "ab.txt"],
    ["folder/", "document"],
    [`${"x".repeat(300)}.txt`, `${"x".repeat(251)}.txt`],
  ])("%j becomes %j", (name, clean) => {
    expect(cleanFilename(name)).toBe(clean);
  });
});

describe("filenameOf", () => {
  test.each([
    [undefined, undefined],
    ["attachment", undefined],
    ["attachment; filename=a.txt", "a.txt"],
    ['attachment; filename="a \\"b\\".txt"', 'a "b".txt'],
    ["attachment; filename=\"x\"; filename*=utf-8'de'%C3%BC.txt", "ü.txt"],
    // UTF-8 bytes as Node shows headers, and true Latin-1.
    ['attachment; filename="Ã¼.txt"', "ü.txt"],
    ['attachment; filename="ü.txt"', "ü.txt"],
  ])("%j names %j", (header, name) => {
    expect(filenameOf(header)).toBe(name);
  });

  test("refuses a name that is not well encoded", () => {
    expect(() => filenameOf("attachment; filename*=UTF-8''%ff")).toThrow("Content-Disposition");
  });
});

test.each([
  [undefined, undefined],
  ["abc", "abc"],
  ['"abc"', "abc"],
  ['"a\\"b\\\\c"', 'a"b\\c'],
  ["k".repeat(255), "k".repeat(255)],
])("the Idempotency-Key %j is %j", (header, key) => {
  expect(idempotencyKeyOf(header)).toBe(key);
});

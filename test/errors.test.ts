import { expect, test } from "vitest";
import { type ErrorCode, errorTable, SluiceError, toErrorInfo } from "../src/errors.ts";
import { errorInfoSchema } from "../src/events.ts";

const codes = Object.keys(errorTable) as ErrorCode[];

test.each(codes)("%s says what happened and what to do, under a status of an error", (code) => {
  const { status, title, fix } = errorTable[code];
  expect(code).toMatch(/^[a-z][a-z_]+$/);
  expect(status).toBeGreaterThanOrEqual(400);
  expect(status).toBeLessThan(600);
  expect(title).toMatch(/^[A-Z].*[^.]$/);
  expect(fix).toMatch(/^[A-Z].*\.$/);
});

test("no two codes tell the same", () => {
  expect(new Set(codes.map((code) => errorTable[code].title)).size).toBe(codes.length);
});

test("an error takes what the table says, unless this occurrence knows better", () => {
  const cause = new Error("socket closed");
  const error = new SluiceError("embedder_unavailable", "The service hung up.", {
    cause,
    retry_after_ms: 250,
  });
  expect(error).toMatchObject({ retryable: true, retry_after_ms: 250, cause, name: "SluiceError" });
  expect(error).toBeInstanceOf(Error);
  expect(new SluiceError("embedder_unavailable", "Gone.", { retryable: false }).retryable).toBe(false);
  expect(new SluiceError("empty_document", "Nothing.").retryable).toBe(false);
  expect("cause" in new SluiceError("empty_document", "Nothing.")).toBe(false);
});

test.each([
  [
    new SluiceError("empty_document", "a.txt is empty.", { retryable: true }),
    { code: "empty_document", message: "a.txt is empty.", retryable: true },
  ],
  [
    new TypeError("x is not a function"),
    { code: "internal", message: "x is not a function", retryable: true },
  ],
  ["just text", { code: "internal", message: "just text", retryable: true }],
  [undefined, { code: "internal", message: "undefined", retryable: true }],
] as const)("whatever was thrown can be told (%#)", (thrown, told) => {
  expect(toErrorInfo(thrown)).toEqual(told);
  expect(errorInfoSchema.parse(toErrorInfo(thrown))).toEqual(told);
});

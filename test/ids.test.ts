import fc from "fast-check";
import { expect, test } from "vitest";
import { chunkId, createIdFactory, isId } from "../src/ids.ts";

const ones = (size: number) => new Uint8Array(size).fill(0xff);
const zeros = (size: number) => new Uint8Array(size);

test("an id is a UUIDv7 (RFC 9562, 5.7) without dashes, behind its kind", () => {
  // The example of RFC 9562, appendix A.6: 2022-02-22T19:22:22.000Z.
  expect(createIdFactory(() => 0x017f22e279b0, zeros)("doc")).toBe("doc_017f22e279b070008000000000000000");
  expect(createIdFactory(() => 0x017f22e279b0, ones)("job")).toBe("job_017f22e279b07fffbfffffffffffffff");
});

test("the time comes back out of any id, and later ids sort after earlier ones", () => {
  const time = fc.integer({ min: 0, max: 2 ** 48 - 1 });
  const random = fc.uint8Array({ minLength: 10, maxLength: 10 });
  fc.assert(
    fc.property(time, time, random, random, (a, b, left, right) => {
      const first = createIdFactory(
        () => a,
        () => left,
      )("evt");
      const second = createIdFactory(
        () => b,
        () => right,
      )("evt");
      expect(Number.parseInt(first.slice(4, 16), 16)).toBe(a);
      expect(isId("evt", first)).toBe(true);
      if (a !== b) expect(first < second).toBe(a < b);
    }),
  );
});

test("a clock before 1970, or between two milliseconds, still makes an id", () => {
  expect(isId("doc", createIdFactory(() => -5, zeros)("doc"))).toBe(true);
  expect(createIdFactory(() => 1.9, zeros)("doc")).toBe(createIdFactory(() => 1, zeros)("doc"));
});

test.each([
  "doc_",
  "doc",
  "",
  "job_017f22e279b070008000000000000000",
  "doc_017F22E279B070008000000000000000",
  "doc_017f22e279b07000800000000000000",
  "doc_017f22e279b0700080000000000000000",
  "doc_017f22e279b070008000000000000000\n",
  "xdoc_017f22e279b070008000000000000000",
])("%j is no id of a document", (value) => {
  expect(isId("doc", value)).toBe(false);
});

test("a chunk's id is the same for the same place, and different for any other", () => {
  const document_id = "doc_017f22e279b070008000000000000000";
  expect(chunkId(document_id, 2, 7)).toBe("chk_017f22e279b070008000000000000000_2_7");
  const ids = [1, 2, 11].flatMap((version) =>
    [1, 2, 11].map((place) => chunkId(document_id, version, place)),
  );
  expect(new Set(ids).size).toBe(9);
});

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseEventStream, type ServerSentEvent } from "../../src/client/sse.ts";

async function parse(pieces: Uint8Array[]): Promise<ServerSentEvent[]> {
  const found: ServerSentEvent[] = [];
  for await (const event of parseEventStream(ReadableStream.from(pieces))) found.push(event);
  return found;
}

const encode = (text: string) => new TextEncoder().encode(text);

describe("parseEventStream", () => {
  test("reads fields, joins data lines, keeps the id and skips comments and events without data", async () => {
    const text = [
      "\ufeffretry: 1000",
      "",
      "id: 7",
      "event: rag.document.uploaded",
      'data: {"a":',
      "data:1}",
      "",
      ": still here",
      "",
      "data:  two spaces, one of them data",
      "",
      "id: 8",
      "",
      "id",
      "data",
      "",
      "data: cut off",
    ].join("\n");
    expect(await parse([encode(text)])).toEqual([
      { id: "7", event: "rag.document.uploaded", data: '{"a":\n1}' },
      { id: "7", event: "message", data: " two spaces, one of them data" },
      { id: "", event: "message", data: "" },
    ]);
  });

  test("gives the same events however the bytes are cut and whichever line ends they have", async () => {
    const bytes = (end: string) =>
      encode(["id: 1", "data: größer", "", "event: x", "data: a", "data: b", "", ""].join(end));
    const expected = [
      { id: "1", event: "message", data: "größer" },
      { id: "1", event: "x", data: "a\nb" },
    ];
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom("\n", "\r\n"),
        fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 60 }),
        async (end, sizes) => {
          const whole = bytes(end);
          const pieces: Uint8Array[] = [];
          let at = 0;
          for (const size of sizes) {
            pieces.push(whole.slice(at, at + size));
            at += size;
          }
          pieces.push(whole.slice(at));
          expect(await parse(pieces)).toEqual(expected);
        },
      ),
      { numRuns: 100 },
    );
  });

  test("takes a lone CR as the end of a line", async () => {
    expect(await parse([encode("data: a\r\rdata: b\r"), encode("\r ")])).toEqual([
      { id: undefined, event: "message", data: "a" },
      { id: undefined, event: "message", data: "b" },
    ]);
  });
});

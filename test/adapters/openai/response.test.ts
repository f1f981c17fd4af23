import { describe, expect, test } from "vitest";
import { parseVectors, readServiceMessage, retryAfterMs } from "../../../src/adapters/openai/response.ts";

describe("parseVectors", () => {
  const answer = (...data: unknown[]) => JSON.stringify({ data });

  test("orders by index and brings vectors to length 1; zero stays zero", () => {
    const text = answer({ index: 1, embedding: [0, 0] }, { index: 0, embedding: [3, 4] });
    expect(parseVectors(text, 2)).toEqual([Float32Array.of(0.6, 0.8), Float32Array.of(0, 0)]);
  });

  test("takes the items' order where indexes are left out", () => {
    expect(parseVectors(answer({ embedding: [2, 0] }, { embedding: [0, 2] }), 2)).toEqual([
      Float32Array.of(1, 0),
      Float32Array.of(0, 1),
    ]);
  });

  test("takes base64, of 32-bit floats, little-endian, beside numbers", () => {
    const base64 = Buffer.from(Float32Array.of(3, 4).buffer).toString("base64");
    expect(base64).toBe("AABAQAAAgEA=");
    const text = answer({ embedding: base64 }, { embedding: [0, 2] });
    expect(parseVectors(text, 2)).toEqual([Float32Array.of(0.6, 0.8), Float32Array.of(0, 1)]);
  });

  test.each([
    ["cut off", '{"data": [{"ind', "not JSON"],
    ["another shape", '{"vectors": []}', "without a list"],
    ["null", "null", "without a list"],
    ["too few", answer({ index: 0, embedding: [1] }), "1 vectors for 2 texts"],
    [
      "an index twice",
      answer({ index: 0, embedding: [1] }, { index: 0, embedding: [1] }),
      "unexpected index 0",
    ],
    [
      "an index beyond",
      answer({ index: 0, embedding: [1] }, { index: 2, embedding: [1] }),
      "unexpected index 2",
    ],
    ["text", answer({ embedding: "3, 4" }, { embedding: [1] }), "list of numbers for text 0"],
    [
      "base64 of three bytes",
      answer({ index: 0, embedding: "AAAA" }, { index: 1, embedding: [1] }),
      "list of numbers for text 0",
    ],
    ["null among numbers", answer({ embedding: [1] }, { embedding: [null] }), "list of numbers for text 1"],
    ["null item", answer(null, { embedding: [1] }), "list of numbers for text 0"],
  ])("says what is wrong: %s", (_name, text, problem) => {
    expect(parseVectors(text, 2)).toContain(problem);
  });
});

describe("readServiceMessage", () => {
  test.each([
    ["OpenAI", '{"error": {"message": "Rate limit reached", "type": "requests"}}', "Rate limit reached"],
    ["Ollama", '{"error": "model not found"}', "model not found"],
    ["vLLM, before", '{"object": "error", "message": "too long"}', "too long"],
    ["FastAPI", '{"detail": [{"loc": ["body"]}]}', '[{"loc":["body"]}]'],
    ["a proxy", "<h1>Bad\n  Gateway</h1>", "<h1>Bad Gateway</h1>"],
    ["unknown JSON", '{"oops": 1}', '{"oops": 1}'],
    ["nothing", "", ""],
  ])("%s", (_name, body, message) => {
    expect(readServiceMessage(body)).toBe(message);
  });

  test("is cut at 500 characters", () => {
    expect(readServiceMessage("x".repeat(2_000))).toHaveLength(500);
  });
});

describe("retryAfterMs", () => {
  const now = Date.UTC(2026, 0, 1, 12, 0, 0);
  test.each([
    [null, undefined],
    ["2", 2_000],
    ["0", 0],
    ["0.5", 500],
    ["Thu, 01 Jan 2026 12:00:03 GMT", 3_000],
    ["Thu, 01 Jan 2026 11:00:00 GMT", 0],
    ["soon", undefined],
  ])("%s", (header, wait) => {
    expect(retryAfterMs(header, now)).toBe(wait);
  });
});

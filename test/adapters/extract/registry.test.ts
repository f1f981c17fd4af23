import { expect, test } from "vitest";
import { createInProcessExtractor } from "../../../src/adapters/extract/in-process.ts";
import { canRead, mediaTypes } from "../../../src/adapters/extract/registry.ts";
import { detectMediaType } from "../../../src/intake/media-type.ts";
import { fixturePath } from "./reading.ts";

const samples = "txt md html pdf docx pptx xlsx xls doc ppt odt ods odp epub".split(" ");
test.each(samples.map((extension) => `sample.${extension}`))("%s is told and read", async (filename) => {
  const path = fixturePath(filename);
  const { readFile } = await import("node:fs/promises");
  const media_type = await detectMediaType(await readFile(path), filename);
  expect(mediaTypes.has(media_type)).toBe(true);
  const extractor = createInProcessExtractor();
  const steps: number[] = [];
  const extracted = await extractor.extract(
    { path, media_type, filename },
    (done) => steps.push(done),
    new AbortController().signal,
  );
  expect(extracted.blocks.length).toBeGreaterThan(1);
  expect(steps.length).toBeGreaterThan(0);
});

test("everything that is text can be read, whatever its name", () => {
  for (const type of [
    "text/plain; charset=utf-8",
    "TEXT/HTML",
    "text/x-python",
    "application/json",
    "application/xml",
  ]) {
    expect(canRead(type)).toBe(true);
  }
  for (const type of ["video/mp4", "application/octet-stream", "constructor", ""]) {
    expect(canRead(type)).toBe(false);
  }
});

test("what can't be read is refused by name", async () => {
  const source = { path: "/nowhere", media_type: "video/mp4", filename: "film.mp4" };
  const attempt = createInProcessExtractor().extract(source, () => {}, new AbortController().signal);
  await expect(attempt).rejects.toMatchObject({
    code: "unsupported_media_type",
    message: expect.stringMatching(/^film\.mp4 is video\/mp4/),
  });
});

test("in this process, a signal ends the reading at the next page", async () => {
  const stop = new AbortController();
  const source = { path: fixturePath("sample.pdf"), media_type: "application/pdf", filename: "sample.pdf" };
  const reason = new Error("enough");
  const attempt = createInProcessExtractor().extract(source, () => stop.abort(reason), stop.signal);
  await expect(attempt).rejects.toBe(reason);
});

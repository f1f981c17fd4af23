import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { createInProcessExtractor } from "../../../src/adapters/extract/in-process.ts";
import { limits } from "../../../src/adapters/extract/limits.ts";
import { createProcessExtractor } from "../../../src/adapters/extract/process-extractor.ts";
import { detectMediaType } from "../../../src/intake/media-type.ts";
import type { Extractor } from "../../../src/ports/extractor.ts";
import { makeZip } from "../../fixtures/zip.ts";

const endings: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of endings.splice(0)) await end();
});

async function unpack(zip: Buffer, extractor: Extractor = createInProcessExtractor(), filename = "box.zip") {
  const folder = await mkdtemp(join(tmpdir(), "sluice-archive-"));
  endings.push(() => rm(folder, { recursive: true, force: true }));
  const path = join(folder, "original");
  await writeFile(path, zip);
  const media_type = await detectMediaType(zip.subarray(0, 65_536), filename);
  const files: Record<string, string> = {};
  const extracted = await extractor.extract(
    { path, media_type, filename },
    () => {},
    new AbortController().signal,
    {
      file: async ({ filename: name, content }) => {
        const parts: Uint8Array[] = [];
        for await (const part of content()) parts.push(part);
        files[name] = Buffer.concat(parts).toString();
      },
    },
  );
  return { media_type, files, text: extracted.text, blocks: extracted.blocks };
}

const ENCRYPTED = 1;

describe("an archive", () => {
  test("is told as one, lists what is inside, and hands on each file that is one", async () => {
    const zip = makeZip([
      { name: "docs/", content: "" },
      { name: "docs/long.txt", content: "long ".repeat(1_000), deflate: true },
      ["README", "read me"],
      ["readme", "another of that name, on systems that know small letters from capitals"],
      ["__MACOSX/docs/._long.txt", "a resource fork"],
      ["docs/.DS_Store", "of the Finder"],
      [".git/config", "hidden"],
      { name: "secret.txt", content: "??", flags: ENCRYPTED },
    ]);
    const { media_type, files, text, blocks } = await unpack(zip);
    expect(media_type).toBe("application/zip");
    expect(files).toEqual({
      "docs/long.txt": "long ".repeat(1_000),
      README: "read me",
      readme: "another of that name, on systems that know small letters from capitals",
    });
    expect(text).toBe(
      [
        "box.zip",
        "Archive of 4 files:",
        "- README (7 bytes)",
        "- docs/long.txt (5000 bytes)",
        `- readme (${files.readme!.length} bytes)`,
        "- secret.txt (opens only with a password, not read)",
      ].join("\n\n"),
    );
    expect(blocks.map(({ kind }) => kind)).toEqual(["heading", "paragraph", ...Array(4).fill("list_item")]);
  });

  test("gives the same through the child process", async () => {
    const extractor = createProcessExtractor({ timeout_ms: 60_000, memory_mb: 128, size: 1 });
    endings.push(() => extractor.close());
    const zip = makeZip([
      ["a.txt", "first"],
      { name: "b/c.txt", content: "second ".repeat(100_000), deflate: true },
    ]);
    expect(await unpack(zip, extractor)).toEqual(await unpack(zip));
  });

  test("loses no other file over a damaged one, nor over one that is packed in an unknown way", async () => {
    const zip = makeZip([
      ["first.txt", "before the damage"],
      ["second.txt", "damaged words"],
      { name: "third.txt", content: "deflated ".repeat(500), deflate: true },
      ["fourth.txt", "in a way of its own"],
      ["last.txt", "after the damage"],
    ]);
    const at = (words: string) => zip.indexOf(words);
    zip[at("damaged words")]! ^= 1;
    zip.fill(0xff, at("third.txt") + 9, at("third.txt") + 20);
    // The method, in the directory: 14 is LZMA.
    zip.writeUInt16LE(14, zip.lastIndexOf("fourth.txt") - 36);
    const { files, text } = await unpack(zip);
    expect(files).toEqual({
      "first.txt": "before the damage",
      "second.txt": "",
      "third.txt": "",
      "fourth.txt": "",
      "last.txt": "after the damage",
    });
    expect(text).toContain("- first.txt (17 bytes)");
    for (const name of ["second", "third", "fourth"]) {
      expect(text).toContain(`- ${name}.txt (can't be unpacked, not read)`);
    }
  });

  test("in an archive is a file like any other, whatever lies in it", async () => {
    const document = makeZip([
      ["[Content_Types].xml", "<Types/>"],
      ["word/document.xml", "<w:document/>"],
    ]);
    const { media_type, files } = await unpack(makeZip([["letter.docx", document]]));
    expect(media_type).toBe("application/zip");
    expect(Object.keys(files)).toEqual(["letter.docx"]);
  });
});

describe("an archive that can't be read", () => {
  const damaged = (zip: Buffer, words: string) => {
    zip[zip.indexOf(words)]! ^= 1;
    return zip;
  };
  const many = (count: number) =>
    makeZip(Array.from({ length: count }, (_, place): [string, string] => [`${place}.txt`, `${place}`]));
  test.each([
    ["without files", makeZip([{ name: "empty/", content: "" }]), "empty_document"],
    ["with clutter alone", makeZip([["__MACOSX/._a", "x"]]), "empty_document"],
    [
      "all behind a password",
      makeZip([{ name: "a.txt", content: "x", flags: ENCRYPTED }]),
      "encrypted_document",
    ],
    ["with too many files", many(limits.files + 1), "limit_exceeded"],
    [
      "that says that it is a bomb",
      makeZip([{ name: "a", content: "x", claimed: limits.filesBytes + 1 }]),
      "limit_exceeded",
    ],
    [
      "that is a bomb and does not say so",
      makeZip([{ name: "a", content: Buffer.alloc(64 * 1024 * 1024), deflate: true, claimed: 10 }]),
      "limit_exceeded",
    ],
    ["of nothing but damage", damaged(makeZip([["a.txt", "some text"]]), "some text"), "malformed_document"],
    ["cut off", makeZip([["a.txt", "some text"]]).subarray(0, 60), "malformed_document"],
  ])("%s", async (_what, zip, code) => {
    await expect(unpack(zip)).rejects.toMatchObject({
      code,
      retryable: false,
      message: expect.stringMatching(/^box\.zip/),
    });
  });

  test("just inside the limit is read", async () => {
    expect(Object.keys((await unpack(many(limits.files))).files)).toHaveLength(limits.files);
  });
});

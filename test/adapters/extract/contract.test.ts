import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describeExtractor } from "../../../contracts/extractor.ts";
import { createInProcessExtractor } from "../../../src/adapters/extract/in-process.ts";
import { createProcessExtractor } from "../../../src/adapters/extract/process-extractor.ts";
import type { Extractor } from "../../../src/ports/extractor.ts";
import { makeZip } from "../../fixtures/zip.ts";
import { makeMail } from "../../support/mail.ts";
import { fixturePath } from "./reading.ts";

async function open(extractor: Extractor) {
  const folder = await mkdtemp(join(tmpdir(), "sluice-contract-"));
  const write = async (filename: string, media_type: string, bytes: Uint8Array) => {
    const path = join(folder, filename);
    await writeFile(path, bytes);
    return { path, media_type, filename };
  };
  const fixture = (filename: string, media_type: string) => ({
    path: fixturePath(filename),
    media_type,
    filename,
  });
  const long = "many words ".repeat(200_000);
  const mail = makeMail("Two", "Both are here.", [
    { filename: "one.txt", content: "first" },
    { filename: "two.txt", content: "second" },
  ]);
  const logbook = {
    source: await write(
      "logbook.txt",
      "text/plain",
      Buffer.from(
        Array.from({ length: 20_000 }, (_, day) => `On day ${day} nothing was written.\n\n`).join(""),
      ),
    ),
    words: ["day 0 ", "day 19999 "],
  };
  const zip = makeZip([["a/b.txt", "stored"], { name: "c.txt", content: long, deflate: true }]);
  return {
    extractor,
    readable: [
      { source: fixture("sample.pdf", "application/pdf"), words: [] },
      { source: fixture("sample.md", "text/markdown"), words: [] },
      { source: await write("notes.txt", "text/plain", Buffer.from("Of quartz.")), words: ["quartz"] },
      logbook,
    ].reverse(),
    long: [logbook],
    holding: [
      {
        source: await write("mail.eml", "message/rfc822", mail),
        files: [
          ["one.txt", "first"],
          ["two.txt", "second"],
        ] as [string, string][],
      },
      {
        source: await write("box.zip", "application/zip", zip),
        files: [
          ["a/b.txt", "stored"],
          ["c.txt", long],
        ] as [string, string][],
      },
    ],
    unreadable: [
      { source: fixture("blank.pdf", "application/pdf"), code: "empty_document" as const },
      { source: fixture("encrypted.pdf", "application/pdf"), code: "encrypted_document" as const },
      {
        source: await write("cut.zip", "application/zip", zip.subarray(0, 100)),
        code: "malformed_document" as const,
      },
    ],
    async close() {
      await extractor.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

describeExtractor("in this process", () => open(createInProcessExtractor()));
describeExtractor("in child processes", () =>
  open(createProcessExtractor({ timeout_ms: 60_000, memory_mb: 256, size: 1 })),
);

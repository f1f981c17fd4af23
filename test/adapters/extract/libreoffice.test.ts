/** LibreOffice itself is not needed: a script in its place does what it would, or fails as it might. */
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { createInProcessExtractor } from "../../../src/adapters/extract/in-process.ts";
import { withLibreOffice } from "../../../src/adapters/extract/libreoffice.ts";
import { makeCompound } from "../../fixtures/samples.ts";
import { fixturePath } from "./reading.ts";

const folder = mkdtempSync(join(tmpdir(), "sluice-fake-office-"));
afterAll(() => rmSync(folder, { recursive: true }));
const never = new AbortController().signal;
let count = 0;

/** @param does shell commands; $format, $out and $file are what it was asked for */
function open(does: string, timeout_ms = 20_000) {
  const soffice = join(folder, `soffice-${count++}`);
  const script = `#!/bin/sh\nwhile [ $# -gt 1 ]; do case "$1" in --convert-to) format=$2;; --outdir) out=$2;; esac; shift; done\nfile=$1\n${does}\n`;
  writeFileSync(soffice, script);
  chmodSync(soffice, 0o755);
  return withLibreOffice(createInProcessExtractor(), { soffice, timeout_ms });
}

function source(name: string, media_type: string, bytes: Uint8Array) {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return { path, media_type, filename: name };
}

const letter = () =>
  source("letter.wpd", "application/vnd.wordperfect", Buffer.from("\xffWPC words", "latin1"));
const copies = `mkdir -p "$out" && cp "${fixturePath("sample.docx")}" "$out/letter.$format"`;

test("a format that only it knows, by way of a copy that is removed", async () => {
  const extractor = open(`${copies} && echo "$out" > "${join(folder, "where")}"`);
  expect(extractor.media_types.has("application/vnd.wordperfect")).toBe(true);
  const { title } = await extractor.extract(letter(), () => {}, never);
  expect(title).toBe("Tide Tables");
  const out = readFileSync(join(folder, "where"), "utf8").trim();
  expect(existsSync(out)).toBe(false);
});

test("a version too old for the readers here; what they can read never gets there", async () => {
  const old = Buffer.alloc(5_000);
  old.writeUInt16LE(0xa5dc, 0);
  const document = source("letter.doc", "application/msword", makeCompound({ WordDocument: old }));
  expect((await open(copies).extract(document, () => {}, never)).title).toBe("Tide Tables");
  await expect(createInProcessExtractor().extract(document, () => {}, never)).rejects.toMatchObject({
    code: "unsupported_media_type",
  });
  const known = { path: fixturePath("sample.doc"), media_type: "application/msword", filename: "sample.doc" };
  expect((await open("exit 1").extract(known, () => {}, never)).text).toContain("diary");
});

test("it makes nothing, takes too long, is not there", async () => {
  await expect(open("exit 0").extract(letter(), () => {}, never)).rejects.toMatchObject({
    code: "malformed_document",
  });
  await expect(open("sleep 60", 200).extract(letter(), () => {}, never)).rejects.toMatchObject({
    code: "extraction_timeout",
  });
  const gone = withLibreOffice(createInProcessExtractor(), {
    soffice: join(folder, "gone"),
    timeout_ms: 1_000,
  });
  await expect(gone.extract(letter(), () => {}, never)).rejects.toMatchObject({ code: "extraction_crashed" });
});

test("the signal kills it and all that it has started", async () => {
  const stop = new AbortController();
  const pidFile = join(folder, "pid");
  const attempt = open(`sleep 60 & echo $! > "${pidFile}"; wait`).extract(letter(), () => {}, stop.signal);
  const outcome = attempt.catch((error: unknown) => error);
  await expect
    .poll(() => existsSync(pidFile) && readFileSync(pidFile, "utf8").trim(), { timeout: 10_000 })
    .toMatch(/^\d+$/);
  const pid = Number(readFileSync(pidFile, "utf8"));
  const reason = new Error("cancelled");
  stop.abort(reason);
  expect(await outcome).toBe(reason);
  // A zombie until somebody collects it, but it runs no more.
  const isRunning = () =>
    existsSync(`/proc/${pid}/stat`) && !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  await expect.poll(isRunning, { timeout: 10_000 }).toBe(false);
  expect(readdirSync(tmpdir()).filter((name) => name.startsWith("sluice-office-"))).toEqual([]);
});

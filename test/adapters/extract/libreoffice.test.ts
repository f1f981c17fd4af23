/** LibreOffice itself is not needed: a script in its place does what it would, or fails as it might. */
import { fork, spawnSync } from "node:child_process";
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
import { fileURLToPath } from "node:url";
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
  return withLibreOffice(createInProcessExtractor(), { soffice, timeout_ms, memory_mb: 64 });
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
    memory_mb: 64,
  });
  await expect(gone.extract(letter(), () => {}, never)).rejects.toMatchObject({ code: "extraction_crashed" });
});

/** Processes of this machine whose command line has this in it; one that has ended has none. */
function running(words: string): string[] {
  return readdirSync("/proc").filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/cmdline`, "latin1").includes(words);
    } catch {
      return false; // It has just ended.
    }
  });
}
/** A program that nobody else runs. */
const mark = () => `7${process.pid}${count}.5`;

test("the signal kills it and all that it has started", async () => {
  const stop = new AbortController();
  const time = mark();
  const told = join(folder, "home");
  const attempt = open(`echo $HOME > "${told}"; sleep ${time} & wait`).extract(
    letter(),
    () => {},
    stop.signal,
  );
  const outcome = attempt.catch((error: unknown) => error);
  await expect.poll(() => running(`sleep\0${time}`), { timeout: 10_000 }).toHaveLength(1);
  const reason = new Error("cancelled");
  stop.abort(reason);
  expect(await outcome).toBe(reason);
  await expect.poll(() => running(`sleep\0${time}`), { timeout: 10_000 }).toEqual([]);
  expect(existsSync(readFileSync(told, "utf8").trim())).toBe(false);
});

test("what it has left behind in a session of its own goes with it, and when its worker is killed", async () => {
  const together = [
    "unshare",
    "--net",
    "--pid",
    "--fork",
    "--kill-child=KILL",
    "setpriv",
    "--pdeathsig",
    "KILL",
  ];
  const [tool = "", ...args] = together;
  // Only where namespaces are permitted: elsewhere a program that leaves its group is nobody's.
  const times = [mark(), `${mark()}5`];
  if (spawnSync(tool, [...args, "true"]).status !== 0) return;
  await open(`setsid sleep ${times[0]} & ${copies}`).extract(letter(), () => {}, never);
  expect(running(`sleep\0${times[0]}`)).toEqual([]);

  const soffice = join(folder, `soffice-${count++}`);
  writeFileSync(soffice, `#!/bin/sh\nsetsid sleep ${times[1]} & wait\n`, { mode: 0o755 });
  const worker = fork(
    fileURLToPath(new URL("./converting-parent.ts", import.meta.url)),
    [soffice, letter().path],
    {
      env: { ...process.env, TMPDIR: folder },
    },
  );
  await expect.poll(() => running(`sleep\0${times[1]}`), { timeout: 10_000 }).toHaveLength(1);
  worker.kill("SIGKILL");
  await expect.poll(() => running(`sleep\0${times[1]}`), { timeout: 10_000 }).toEqual([]);
});

test("more memory than is allowed, in whichever of its processes; the next document is converted", async () => {
  const eater = join(folder, "eater.mjs");
  writeFileSync(eater, "const kept = []; setInterval(() => kept.push(Buffer.alloc(16 * 1024 ** 2, 1)), 1);");
  const hungry = open(`"${process.execPath}" "${eater}" & wait`);
  await expect(hungry.extract(letter(), () => {}, never)).rejects.toMatchObject({
    code: "extraction_out_of_memory",
    message: expect.stringMatching(/more than 768 MiB to convert letter\.wpd/),
  });
  await expect.poll(() => running(eater), { timeout: 10_000 }).toEqual([]);
  expect((await open(copies).extract(letter(), () => {}, never)).title).toBe("Tide Tables");
}, 30_000);

test("it gets neither this process's environment nor, where the system allows that, its network", async () => {
  const told = join(folder, "told");
  await open(`env > "${told}"; cat /proc/net/dev > "${told}.net"; ${copies}`).extract(
    letter(),
    () => {},
    never,
  );
  const env = readFileSync(told, "utf8");
  expect(
    [...env.matchAll(/^(\w+)=/gm)]
      .map(([, name]) => name)
      .filter((name) => name !== "_")
      .sort(),
  ).toEqual(expect.arrayContaining(["HOME", "PATH", "PWD", "TMPDIR"]));
  expect(env).toMatch(/^HOME=.*sluice-office-/m);
  expect(env).toMatch(/^TMPDIR=.*sluice-office-/m);
  const allowed = [["--net"], ["--user", "--map-current-user", "--net"]].some(
    (way) => spawnSync("unshare", [...way, "true"]).status === 0,
  );
  const networks = [...readFileSync(`${told}.net`, "utf8").matchAll(/^ *(\S+):/gm)].map(([, name]) => name);
  if (allowed) expect(networks.filter((name) => name !== "lo")).toEqual([]);
  expect(existsSync(/^HOME=(.*)$/m.exec(env)![1]!)).toBe(false);
});

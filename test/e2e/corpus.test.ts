/** `npm run corpus` on folders as other people have them. */
import { spawn, spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Outcome } from "../../scripts/corpus/ingest.ts";
import type { Totals } from "../../scripts/corpus/report.ts";
import { fixturePath } from "../adapters/extract/reading.ts";
import { makeZip } from "../fixtures/zip.ts";
import { startEmbeddingServer } from "./embedding-server.ts";
import { cleanEnv, root } from "./processes.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sluice-corpus-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function start(args: string[], env: Record<string, string> = {}) {
  const child = spawn(process.execPath, [join(root, "scripts/corpus/main.ts"), ...args], {
    env: cleanEnv({ SLUICE_SHUTDOWN_SECONDS: "0", ...env }),
    stdio: ["ignore", "pipe", "pipe"],
  });
  let [output, errors] = ["", ""];
  child.stdout.on("data", (part) => {
    output += part;
  });
  child.stderr.on("data", (part) => {
    errors += part;
  });
  const ended = new Promise<{ code: number | null; output: string; errors: string }>((resolve) =>
    child.once("close", (code) => resolve({ code, output, errors })),
  );
  return { pid: child.pid as number, ended };
}

type Report = Totals & { losses: string[]; outcomes: Outcome[] };

async function run(args: string[], env?: Record<string, string>) {
  const { code, output, errors } = await start(["--json", ...args], env).ended;
  expect(errors).toBe("");
  return { code, report: JSON.parse(output) as Report };
}

test("every file is told of, whatever it is and is called; what fails as it should is no failure of the run", async () => {
  const put = (name: string | Buffer, content: string | Uint8Array) =>
    writeFileSync(
      typeof name === "string" ? join(folder, name) : Buffer.concat([Buffer.from(`${folder}/`), name]),
      content,
    );
  mkdirSync(join(folder, "deep/er"), { recursive: true });
  put("deep/er/notes.md", "# Notes\n\nThe ferry leaves at nine.");
  put("two\nlines \u202e.txt", "A name of two lines.");
  put(Buffer.from([0x66, 0xff, 0xfe, 0x2e, 0x74, 0x78, 0x74]), "A name that is no text.");
  put("empty.txt", "");
  put("large.txt", "x".repeat(70_000));
  put("broken.pdf", "%PDF-1.7\nnothing more");
  put("film.mp4", Buffer.from("\0\0\0\x20ftypisom\0\0\x02\0isomiso2avc1mp41", "latin1"));
  put("report.docx", readFileSync(fixturePath("sample.docx")));
  put("report copy.docx", readFileSync(fixturePath("sample.docx")));
  put(
    "box.zip",
    makeZip([
      ["inside.txt", "Found in a box."],
      ["tune.mp3", "ID3\x03\0\0\0\0\0\0\xff\xfb"],
    ]),
  );
  symlinkSync(folder, join(folder, "round"));
  symlinkSync("/no/where", join(folder, "dangling"));
  spawnSync("mkfifo", [join(folder, "pipe")]);
  const server = createServer().listen(join(folder, "socket"));
  put("private.txt", "Nobody reads this.");
  chmodSync(join(folder, "private.txt"), 0);
  try {
    const { code, report } = await run([folder, "--concurrency", "2"], { SLUICE_MAX_UPLOAD_BYTES: "60000" });
    const told = Object.fromEntries(
      report.outcomes.map(({ file, status, code: why }) => [
        file,
        why === null ? status : `${status}: ${why}`,
      ]),
    );
    const copies = [told["report.docx"], told["report copy.docx"]].sort();
    // Who may read everything may read this, too.
    const mayRead = process.getuid?.() === 0;
    expect(told).toEqual({
      "deep/er/notes.md": "completed",
      "two\\nlines \\u202e.txt": "completed",
      "f\\xff\\xfe.txt": "completed",
      "empty.txt": "failed: empty_document",
      "large.txt": "refused: payload_too_large",
      "broken.pdf": "failed: malformed_document",
      "film.mp4": "refused: unsupported_media_type",
      "report.docx": expect.anything(),
      "report copy.docx": expect.anything(),
      "box.zip": "completed",
      round: "skipped: a link",
      dangling: "skipped: a link",
      pipe: "skipped: a pipe",
      socket: "skipped: a socket",
      "private.txt": mayRead ? "completed" : "skipped: not readable",
    });
    expect(copies[0]).toBe("completed");
    expect(copies[1]).toMatch(/^known: report/);
    const box = report.outcomes.find(({ file }) => file === "box.zip");
    expect(box).toMatchObject({
      files_unreadable: 1,
      children: [{ file: "inside.txt", status: "completed", chunks: 1 }],
    });
    const document = report.outcomes.find(
      ({ file, status }) => file.startsWith("report") && status === "completed",
    );
    expect(document).toMatchObject({ attempts: 1, chunks: expect.any(Number), seconds: expect.any(Number) });
    if (process.platform === "linux") expect(document?.peak_mb).toBeGreaterThan(20);
    expect(report).toMatchObject({
      files: 15,
      losses: [],
      errors: { empty_document: 1, unsupported_media_type: 1 },
    });
    expect(code).toBe(0);
  } finally {
    server.close();
  }
}, 60_000);

test("as a table, with children under their parent", async () => {
  writeFileSync(join(folder, "box.zip"), makeZip([["inside.txt", "Found in a box."]]));
  const { code, output } = await start([folder]).ended;
  expect(output).toMatch(
    /^status .* file\ncompleted .* box\.zip\ncompleted .* {4}inside\.txt\n\n1 files, 2 documents/,
  );
  expect(code).toBe(0);
}, 60_000);

test("a worker that is lost is told of, although the document gets to its end", async () => {
  const embedding = await startEmbeddingServer();
  try {
    embedding.hold();
    writeFileSync(join(folder, "a.txt"), "Some words.");
    const { pid, ended } = start([folder, "--json", "--concurrency", "1"], embedding.env);
    await embedding.held();
    process.kill(descendants(pid).find(({ command }) => / worker --id /.test(command))!.pid, "SIGKILL");
    embedding.release();
    const { code, output } = await ended;
    const { outcomes, losses } = JSON.parse(output) as Report;
    expect(outcomes).toMatchObject([{ status: "completed", attempts: 2 }]);
    expect(losses).toEqual([expect.stringMatching(/was lost \(process \d+\)/)]);
    expect(code).toBe(1);
  } finally {
    await embedding.close();
  }
}, 60_000);

test("what comes to no end is given up, and the run has failed", async () => {
  const embedding = await startEmbeddingServer();
  try {
    embedding.hold();
    writeFileSync(join(folder, "a.txt"), "Some words.");
    const { code, report } = await run([folder, "--patience", "3"], embedding.env);
    expect(report).toMatchObject({
      outcomes: [{ file: "a.txt", status: "open" }],
      losses: ["nothing happened for 3 s"],
    });
    expect(code).toBe(1);
  } finally {
    embedding.release();
    await embedding.close();
  }
}, 60_000);

test("no folder, a folder that is not there, a folder of nothing", async () => {
  expect((await start([]).ended).code).toBe(2);
  expect(await start([join(folder, "none")]).ended).toMatchObject({
    code: 2,
    errors: expect.stringContaining("ENOENT"),
  });
  const { code, report } = await run([folder]);
  expect(report).toMatchObject({ files: 0, documents: 0, outcomes: [] });
  expect(code).toBe(0);
}, 60_000);

function descendants(pid: number): { pid: number; command: string }[] {
  const { stdout } = spawnSync("ps", ["-o", "pid=,args=", "--ppid", String(pid)], { encoding: "utf8" });
  return stdout
    .split("\n")
    .filter((line) => line.trim() !== "")
    .flatMap((line) => {
      const [, number, command = ""] = /^\s*(\d+) (.*)$/.exec(line) ?? [];
      return [{ pid: Number(number), command }, ...descendants(Number(number))];
    });
}

import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { findFiles } from "../../src/cli/files.ts";

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "sluice-files-"));
  for (const path of [
    "b.md",
    "a.txt",
    "sub/c.md",
    "sub/deep/d.md",
    ".hidden/e.md",
    ".env",
    "node_modules/x/f.md",
  ]) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), path);
  }
  mkdirSync(join(folder, "empty"));
  symlinkSync("..", join(folder, "sub/loop"));
  symlinkSync("../a.txt", join(folder, "sub/link.txt"));
  symlinkSync("nowhere", join(folder, "sub/dangling"));
  execFileSync("mkfifo", [join(folder, "pipe")]);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Paths under the folder, or the code of what is wrong with them. */
async function find(...paths: string[]): Promise<string[]> {
  const found = await findFiles(paths.map((path) => join(folder, path)));
  return found.map((file) => {
    const path = relative(folder, file.path);
    return "error" in file ? `${path}: ${file.error.code}` : path;
  });
}

describe("findFiles", () => {
  test("walks a folder in order, without hidden entries, node_modules, loops and pipes", async () => {
    expect(await find(".")).toEqual(["a.txt", "b.md", "sub/c.md", "sub/deep/d.md", "sub/link.txt"]);
  });

  test("expands globs by the same rules, each file once", async () => {
    expect(await find("**/*.md")).toEqual(["b.md", "sub/c.md", "sub/deep/d.md"]);
    expect(await find("sub/*", "sub/c.md")).toEqual(["sub/c.md", "sub/deep/d.md", "sub/link.txt"]);
  });

  test("takes what is named outright", async () => {
    expect(await find(".env", ".hidden", ".hidden/*", "sub/loop")).toEqual([
      ".env",
      ".hidden/e.md",
      "sub/loop/a.txt",
      "sub/loop/b.md",
      "sub/loop/sub/c.md",
      "sub/loop/sub/deep/d.md",
      "sub/loop/sub/link.txt",
    ]);
  });

  test("reports what gives no file, and goes on", async () => {
    expect(await find("gone.md", "*.pdf", "empty", "pipe", "sub/dangling", "a.txt")).toEqual([
      "gone.md: no_such_file",
      "*.pdf: no_such_file",
      "empty: no_such_file",
      "pipe: unreadable_file",
      "sub/dangling: no_such_file",
      "a.txt",
    ]);
  });
});

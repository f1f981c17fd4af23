/** Everything below a folder, whatever it is called and whatever it is. */
import { accessSync, constants, type Dirent, lstatSync, readdirSync } from "node:fs";
import { resolve } from "node:path";

export interface Found {
  /** Bytes: a name need not be text. */
  path: Buffer;
  /** Below the folder, on one line and in UTF-8. */
  shown: string;
  size_bytes: number;
  /** Why it can't be uploaded; undefined where it can. */
  skipped?: string;
}

const SLASH = Buffer.from("/");

/** Folders before what lies in them, names in the order of their bytes. Links are told of and not followed. */
export function* walk(folder: string): Generator<Found> {
  const start: Buffer = Buffer.from(resolve(folder));
  // A stack rather than calls: some trees are deeper than those may be.
  const waiting: Buffer[] = [start];
  const shownOf = (path: Buffer) => showName(path.subarray(start.length + 1));
  for (let below = waiting.pop(); below !== undefined; below = waiting.pop()) {
    let entries: Dirent<Buffer>[];
    try {
      entries = readdirSync(below, { withFileTypes: true, encoding: "buffer" });
    } catch (error) {
      if (below === start) throw error;
      yield { path: below, shown: `${shownOf(below)}/`, size_bytes: 0, skipped: reasonOf(error) };
      continue;
    }
    entries.sort((one, other) => Buffer.compare(one.name, other.name));
    const folders: Buffer[] = [];
    for (const entry of entries) {
      const path = Buffer.concat([below, SLASH, entry.name]);
      if (entry.isDirectory()) folders.push(path);
      else yield look(path, shownOf(path));
    }
    waiting.push(...folders.reverse());
  }
}

function look(path: Buffer, shown: string): Found {
  try {
    const about = lstatSync(path);
    const found = { path, shown, size_bytes: about.size };
    if (about.isSymbolicLink()) return { ...found, skipped: "a link" };
    if (about.isFIFO()) return { ...found, skipped: "a pipe" };
    if (about.isSocket()) return { ...found, skipped: "a socket" };
    if (!about.isFile()) return { ...found, skipped: "no file" };
    accessSync(path, constants.R_OK);
    return found;
  } catch (error) {
    return { path, shown, size_bytes: 0, skipped: reasonOf(error) };
  }
}

function reasonOf(error: unknown): string {
  const { code } = error as NodeJS.ErrnoException;
  if (code === "EACCES" || code === "EPERM") return "not readable";
  return code === "ENOENT" ? "gone meanwhile" : String(code ?? error);
}

/** A name on one line: what is no printable text is written as its bytes. */
export function showName(name: Buffer): string {
  const text = name.toString("utf8");
  if (Buffer.from(text, "utf8").equals(name)) {
    return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\\]/gu, (each) =>
      each === "\n" ? "\\n" : `\\u${each.codePointAt(0)!.toString(16).padStart(4, "0")}`,
    );
  }
  return name.toString("latin1").replace(/[^\x20-\x7e]|\\/g, (each) => {
    return `\\x${each.charCodeAt(0).toString(16).padStart(2, "0")}`;
  });
}

/** PATH arguments → files. */
import { glob, lstat, opendir, stat } from "node:fs/promises";
import { join, normalize, resolve, sep } from "node:path";
import { CommandError } from "./output.ts";

/** A file to ingest, or why a path gives none. */
export type FoundFile = { path: string } | { path: string; error: CommandError };

/**
 * Files, folders (all the way down) and globs, each file once, in order of arguments and names. In folders and globs,
 * hidden entries, node_modules and symbolic links to folders are passed over; what is named outright is taken as it is.
 */
export async function findFiles(paths: string[]): Promise<FoundFile[]> {
  const found = new Map<string, FoundFile>();
  for (const path of paths) {
    for await (const file of expand(path)) {
      const key = resolve(file.path);
      if (!found.has(key)) found.set(key, file);
    }
  }
  return [...found.values()];
}

async function* expand(path: string): AsyncGenerator<FoundFile, void, void> {
  if (await exists(path)) {
    yield* fromPath(path);
    return;
  }
  if (!/[*?[\]{}]/.test(path)) {
    yield { path, error: noSuchFile(path) };
    return;
  }
  const matches: string[] = [];
  for await (const match of glob(path)) {
    if (passedOver(match, path)) continue;
    if ((await lstat(match)).isSymbolicLink() && !(await isFile(match))) continue;
    matches.push(match);
  }
  let any = false;
  for (const match of matches.sort()) {
    for await (const file of fromPath(match, true)) {
      any = true;
      yield file;
    }
  }
  if (!any) yield { path, error: new CommandError("no_such_file", `No file matches ${path}.`) };
}

/** @param quiet an empty folder is no trouble: other matches may hold files */
async function* fromPath(path: string, quiet = false): AsyncGenerator<FoundFile, void, void> {
  try {
    const stats = await stat(path);
    if (!stats.isDirectory()) {
      // To open a pipe would be to wait for whoever writes to it.
      yield stats.isFile() ? { path } : { path, error: notAFile(path) };
      return;
    }
  } catch (error) {
    yield { path, error: unreadable(path, error) };
    return;
  }
  let any = false;
  for await (const file of walk(path)) {
    any = true;
    yield file;
  }
  if (!any && !quiet) yield { path, error: new CommandError("no_such_file", `${path} holds no files.`) };
}

async function* walk(folder: string): AsyncGenerator<FoundFile, void, void> {
  const entries: { name: string; kind: "folder" | "file" }[] = [];
  try {
    for await (const entry of await opendir(folder)) {
      if (entry.name.startsWith(".") || entry.name === "node_modules") continue;
      if (entry.isDirectory()) entries.push({ name: entry.name, kind: "folder" });
      else if (entry.isFile()) entries.push({ name: entry.name, kind: "file" });
      // Links to folders may lead in circles; sockets and pipes never end.
      else if (entry.isSymbolicLink() && (await isFile(join(folder, entry.name)))) {
        entries.push({ name: entry.name, kind: "file" });
      }
    }
  } catch (error) {
    yield { path: folder, error: unreadable(folder, error) };
    return;
  }
  entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const { name, kind } of entries) {
    const path = join(folder, name);
    if (kind === "folder") yield* walk(path);
    else yield { path };
  }
}

/** Whether a match leads through something hidden, or node_modules, that the pattern does not name. */
function passedOver(match: string, pattern: string): boolean {
  const named = new Set(normalize(pattern).split(sep));
  return normalize(match)
    .split(sep)
    .some(
      (part) =>
        ((part.startsWith(".") && part !== "." && part !== "..") || part === "node_modules") &&
        !named.has(part),
    );
}

async function exists(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  );
}

async function isFile(path: string): Promise<boolean> {
  return stat(path).then(
    (stats) => stats.isFile(),
    () => false,
  );
}

function noSuchFile(path: string): CommandError {
  return new CommandError("no_such_file", `There is no file or folder ${path}.`);
}

function notAFile(path: string): CommandError {
  return new CommandError("unreadable_file", `${path} is not a regular file.`);
}

/** A file system error about a path, as commands report it. */
export function unreadable(path: string, error: unknown): CommandError {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === "ENOENT") return noSuchFile(path);
  const why = code === "EACCES" || code === "EPERM" ? "permission denied" : (code ?? message);
  return new CommandError("unreadable_file", `${path} can't be read (${why}).`, { cause: error });
}

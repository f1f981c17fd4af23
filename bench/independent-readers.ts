/** Programs by others that read the same files, to compare with: poppler's `pdftotext` and LibreOffice. */
import { type SpawnSyncReturns, spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, symlinkSync } from "node:fs";
import { extname, join } from "node:path";
import { pathToFileURL } from "node:url";

export interface IndependentReader {
  name: string;
  /** Undefined where it is not installed. */
  version: string | undefined;
  /**
   * Reads the files, one after another.
   * @param folder empty, for what it writes
   * @returns the text of each, undefined of those that it can't read; and how long it took, its start included
   */
  read(paths: readonly string[], folder: string): { texts: (string | undefined)[]; seconds: number };
}

const LONGEST_MS = 600_000;

function call(program: string, args: readonly string[]): SpawnSyncReturns<string> {
  return spawnSync(program, args, { encoding: "utf8", maxBuffer: 2 ** 30, timeout: LONGEST_MS });
}

function versionOf(program: string, flag: string): string | undefined {
  const { error, stdout, stderr } = call(program, [flag]);
  return error ? undefined : /\d+(\.\d+)+/.exec(stdout + stderr)?.[0];
}

export const pdftotext: IndependentReader = {
  name: "pdftotext",
  get version() {
    return versionOf("pdftotext", "-v");
  },
  read(paths) {
    const started = performance.now();
    const texts = paths.map((path) => {
      const { status, stdout } = call("pdftotext", ["-enc", "UTF-8", path, "-"]);
      return status === 0 ? stdout : undefined;
    });
    return { texts, seconds: (performance.now() - started) / 1_000 };
  },
};

/** All files in one run of it: its start alone takes longer than most files. */
function libreOffice(format: string, extension: string, then?: (path: string) => string): IndependentReader {
  return {
    name: "LibreOffice",
    get version() {
      return versionOf("soffice", "--version");
    },
    read(paths, folder) {
      const [given, out] = [join(folder, "in"), join(folder, "out")];
      mkdirSync(given);
      // Its copies are named after the originals, whose names may differ in the extension alone.
      const links = paths.map((path, place) => join(given, `${place}${extname(path)}`));
      for (const [place, path] of paths.entries()) symlinkSync(path, links[place] as string);
      const profile = `-env:UserInstallation=${pathToFileURL(join(folder, "profile")).href}`;
      const started = performance.now();
      call("soffice", [
        "--headless",
        "--norestore",
        profile,
        "--convert-to",
        format,
        "--outdir",
        out,
        ...links,
      ]);
      const seconds = (performance.now() - started) / 1_000;
      const made = readdirSync(out, { encoding: "utf8" });
      const texts = links.map((_, place) => {
        // Of a workbook there is one for each sheet: NUMBER-SHEET.csv.
        const own = made.filter((name) => new RegExp(`^${place}(-.*)?\\.${extension}$`).test(name)).sort();
        if (own.length === 0) return undefined;
        return own.map((name) => then?.(join(out, name)) ?? readFileSync(join(out, name), "utf8")).join("\n");
      });
      return { texts, seconds };
    },
  };
}

export const libreOfficeText = libreOffice("txt:Text (encoded):UTF8", "txt");
/** Comma, quotes, UTF-8, from the first row, as shown, every sheet (-1). */
export const libreOfficeSheets = libreOffice(
  "csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,true,false,false,false,-1",
  "csv",
);
/** It has no way to text from slides. */
export const libreOfficeSlides = libreOffice(
  "pdf",
  "pdf",
  (path) => call("pdftotext", ["-enc", "UTF-8", path, "-"]).stdout,
);

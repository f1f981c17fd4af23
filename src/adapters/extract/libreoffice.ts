/**
 * Formats that no reader here knows, by way of LibreOffice where it is installed: it saves a copy in a format that one
 * does. LibreOffice runs with a profile of its own, under the limits of the readers here, and is killed with all that it
 * started.
 */
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { SluiceError } from "../../errors.ts";
import type { ExtractionSource, Extractor } from "../../ports/extractor.ts";
import { residentLimit } from "./extraction-child.ts";
import { runTree } from "./process-tree.ts";
import { createSlots } from "./slots.ts";

const DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document";
const XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";
const PPTX = "application/vnd.openxmlformats-officedocument.presentationml.presentation";

interface Target {
  extension: string;
  media_type: string;
}

const docx: Target = { extension: "docx", media_type: DOCX };
const xlsx: Target = { extension: "xlsx", media_type: XLSX };
const pptx: Target = { extension: "pptx", media_type: PPTX };
const pdf: Target = { extension: "pdf", media_type: "application/pdf" };

/** What LibreOffice reads and nothing else here does. */
const convertible: Readonly<Record<string, Target>> = {
  "application/vnd.wordperfect": docx,
  "application/vnd.ms-works": docx,
  "application/vnd.sun.xml.writer": docx,
  "application/vnd.sun.xml.calc": xlsx,
  "application/vnd.sun.xml.impress": pptx,
  "application/vnd.lotus-1-2-3": xlsx,
  "application/vnd.oasis.opendocument.graphics": pdf,
  "application/vnd.visio": pdf,
  "application/x-mspublisher": pdf,
};
/** Read here, but not from programs as old as Word 95. */
const oldVersions: Readonly<Record<string, Target>> = {
  "application/msword": docx,
  "application/vnd.ms-excel": xlsx,
  "application/vnd.ms-powerpoint": pptx,
  "application/x-cfb": docx,
};

export interface LibreOfficeOptions {
  /** The path of `soffice`. */
  soffice: string;
  /** The longest that one document may take. */
  timeout_ms: number;
  /** As of the readers here: all of LibreOffice's memory may be twice that, at least 768 MiB. In MiB. */
  memory_mb: number;
}

/** It takes some 250 MiB before it has read anything. */
const LEAST_BYTES = 768 * 1024 * 1024;

/** The extractor, and in front of it LibreOffice for what it can't read by itself. */
export function withLibreOffice(inner: Extractor, options: LibreOfficeOptions): Extractor {
  // One at a time: each takes a core and some hundred megabytes.
  const slots = createSlots(1);
  return {
    media_types: new Set([...inner.media_types, ...Object.keys(convertible)]),
    async extract(source, progress, signal, sinks) {
      const target = convertible[source.media_type];
      if (target !== undefined) return converted(source, target);
      try {
        return await inner.extract(source, progress, signal, sinks);
      } catch (error) {
        const other = oldVersions[source.media_type];
        const isOld = error instanceof SluiceError && error.code === "unsupported_media_type";
        if (other === undefined || !isOld) throw error;
        return converted(source, other);
      }

      async function converted(original: ExtractionSource, { extension, media_type }: Target) {
        const release = await slots.take(signal);
        const folder = await mkdtemp(join(tmpdir(), "sluice-office-"));
        try {
          const path = await convert(original, extension, folder, options, signal);
          return await inner.extract(
            { path, media_type, filename: original.filename },
            progress,
            signal,
            sinks,
          );
        } finally {
          await rm(folder, { recursive: true, force: true });
          release();
        }
      }
    },
    close: () => inner.close(),
  };
}

/** @returns the path of the copy */
async function convert(
  { path, filename }: ExtractionSource,
  extension: string,
  folder: string,
  { soffice, timeout_ms, memory_mb }: LibreOfficeOptions,
  signal: AbortSignal,
): Promise<string> {
  const out = join(folder, "out");
  const profile = pathToFileURL(join(folder, "profile")).href;
  const resident_bytes = Math.max(residentLimit(memory_mb), LEAST_BYTES);
  const reason = await runTree(
    soffice,
    [
      "--headless",
      "--norestore",
      `-env:UserInstallation=${profile}`,
      "--convert-to",
      extension,
      "--outdir",
      out,
      path,
    ],
    { folder, timeout_ms, resident_bytes },
    signal,
  ).catch((error: unknown) => {
    if (signal.aborted) throw error;
    throw new SluiceError(
      "extraction_crashed",
      `LibreOffice, which ${filename} needs, could not be started at ${soffice}. Check SLUICE_SOFFICE.`,
      { cause: error },
    );
  });
  if (reason === "timeout") {
    throw new SluiceError(
      "extraction_timeout",
      `LibreOffice took longer than ${timeout_ms / 1000} s to convert ${filename}. Split it, or raise SLUICE_EXTRACT_TIMEOUT_SECONDS.`,
    );
  }
  if (reason === "memory") {
    throw new SluiceError(
      "extraction_out_of_memory",
      `LibreOffice took more than ${resident_bytes / 1024 ** 2} MiB to convert ${filename}. Split it, or raise SLUICE_EXTRACT_MEMORY_MB.`,
    );
  }
  const [copy] = await readdir(out).catch(() => []);
  if (copy === undefined) {
    throw new SluiceError(
      "malformed_document",
      `LibreOffice could not open ${filename}. Open it with the program that made it, save it in a newer format and upload that.`,
    );
  }
  return join(out, copy);
}

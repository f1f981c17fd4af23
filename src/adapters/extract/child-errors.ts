/** How a document's reading ends when its child does, in words for the user. */
import { SluiceError } from "../../errors.ts";

export function deathError(
  filename: string,
  memory_mb: number,
  stderr: string,
  code: number | null,
  signal: NodeJS.Signals | null,
): SluiceError {
  const cause = new Error(stderr.trim() || "nothing on stderr");
  if (code === 134 || signal === "SIGABRT" || /out of memory|heap limit|allocation failed/i.test(stderr)) {
    return outOfMemory(filename, memory_mb, cause);
  }
  return crashed(filename, `died (${signal ?? `exit code ${code}`})`, cause);
}

export function outOfMemory(filename: string, memory_mb: number, cause?: unknown): SluiceError {
  return new SluiceError(
    "extraction_out_of_memory",
    `Reading ${filename} took more memory than the ${memory_mb} MiB allowed. Split it, or raise SLUICE_EXTRACT_MEMORY_MB.`,
    { cause },
  );
}

export function tookTooLong(filename: string, timeout_ms: number): SluiceError {
  return new SluiceError(
    "extraction_timeout",
    `Reading ${filename} took longer than ${timeout_ms / 1000} s. Split it, or raise SLUICE_EXTRACT_TIMEOUT_SECONDS; a small file that takes so long is damaged: save it again with the program that made it.`,
  );
}

export function crashed(filename: string, what: string, cause: unknown): SluiceError {
  return new SluiceError(
    "extraction_crashed",
    `The process that read ${filename} ${what}. If it happens at every attempt, report it with the file.`,
    { cause },
  );
}

export function closedError(filename: string): SluiceError {
  return new SluiceError("shutting_down", `This process is stopping and no longer reads ${filename}.`);
}

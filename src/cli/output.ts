/** How commands speak: answers on standard output, troubles on standard error. */
import { styleText } from "node:util";
import { type ErrorInfo, errorTable, SluiceError } from "../errors.ts";

/** Options that every command takes. */
export interface OutputOptions {
  /** One JSON value per line instead of text. */
  json: boolean;
}

/** A trouble of the command line itself, which has no code in the error table. The message says what to do. */
export class CommandError extends Error {
  readonly code: string;
  /** Whether the same command may succeed later. */
  readonly retryable: boolean;
  readonly retry_after_ms: number | undefined;

  constructor(
    code: string,
    message: string,
    options: { retryable?: boolean; retry_after_ms?: number | undefined; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "CommandError";
    this.code = code;
    this.retryable = options.retryable ?? false;
    this.retry_after_ms = options.retry_after_ms;
  }
}

/** The command was called in a wrong way: exit code 2. */
export class UsageError extends CommandError {
  constructor(message: string) {
    super("usage", message);
    this.name = "UsageError";
  }
}

/** An error as commands report it: `code` is one of the error table or of a CommandError. */
export type ReportedError = Omit<ErrorInfo, "code"> & { code: string };

export function toReportedError(error: unknown): ReportedError {
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof SluiceError || error instanceof CommandError) {
    return { code: error.code, message, retryable: error.retryable };
  }
  const code = error instanceof Error && error.name === "ConfigError" ? "invalid_configuration" : "internal";
  return { code, message, retryable: false };
}

/** Says what went wrong and sets the exit code: 2 for a wrong call, else 1. */
export function reportError(error: unknown, json: boolean): void {
  process.exitCode = error instanceof UsageError ? 2 : 1;
  const info = toReportedError(error);
  if (json) {
    process.stderr.write(`${JSON.stringify({ error: info })}\n`);
    return;
  }
  const fix = error instanceof SluiceError ? ` ${errorTable[error.code].fix} (${error.code})` : "";
  process.stderr.write(`sluice: ${printable(info.message, "\n")}${fix}\n`);
}

export function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}

export function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** Style on a terminal that shows it, the bare text everywhere else (a pipe, NO_COLOR). */
export function styled(format: Parameters<typeof styleText>[0], text: string): string {
  return styleText(format, text, { stream: process.stdout });
}

/**
 * Text of a stranger (a filename, a document) without what could steer the terminal: control and bidirectional
 * characters become spaces.
 *
 * @param keep control characters that may stay
 */
export function printable(text: string, keep = ""): string {
  return text.replace(/[\p{Cc}\u202a-\u202e\u2066-\u2069]/gu, (character) =>
    keep.includes(character) ? character : " ",
  );
}

/** Columns under headings, two spaces apart; the last one as long as it is. */
export function table(headings: string[], rows: string[][]): string {
  const cells = rows.map((row) => row.map((cell) => printable(cell)));
  const widths = headings.map((heading, column) =>
    Math.max(heading.length, ...cells.map((row) => (row[column] ?? "").length)),
  );
  const line = (row: string[]) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  ");
  return [styled("bold", line(headings).trimEnd()), ...cells.map((row) => line(row).trimEnd())].join("\n");
}

/** "1 file", "2 files". */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

export function formatBytes(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}

/** "850 ms", "3.2 s", "4 min", "5 h", "6 d". */
export function formatDuration(milliseconds: number): string {
  const seconds = milliseconds / 1_000;
  if (seconds < 1) return `${Math.round(milliseconds)} ms`;
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  if (seconds < 3_600) return `${Math.round(seconds / 60)} min`;
  if (seconds < 86_400) return `${Math.round(seconds / 3_600)} h`;
  return `${Math.round(seconds / 86_400)} d`;
}

/**
 * The JSON of an option.
 * @throws UsageError naming the option
 */
export function parseJsonOption(option: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new UsageError(`${option}: ${text} is not JSON. Quote it for the shell, such as '{"year": 2024}'.`);
  }
}

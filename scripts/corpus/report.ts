/** What became of a folder, for people. */
import type { Ingested, Outcome } from "./ingest.ts";
import { showName } from "./walk.ts";

export const header = line("status", "error", "pages", "chunks", "seconds", "peak MB", "file");

/** A file and, under it, what came out of it. */
export function render(outcome: Outcome, depth = 0): string {
  const { status, code, pages, chunks, seconds, peak_mb, file, attempts, files_unreadable } = outcome;
  const error = status === "known" || code === null ? "" : code;
  const about = [
    status === "known" ? `the same bytes as ${code}` : "",
    attempts > 1 ? `${attempts} attempts` : "",
    files_unreadable > 0 ? `${files_unreadable} inside not read` : "",
  ].filter(Boolean);
  const name = depth === 0 ? file : showName(Buffer.from(file));
  return [
    line(
      status,
      error,
      String(pages ?? ""),
      String(chunks ?? ""),
      seconds === null ? "" : seconds.toFixed(2),
      String(peak_mb ?? ""),
      `${"  ".repeat(depth)}${name}${about.length > 0 ? ` (${about.join(", ")})` : ""}`,
    ),
    ...outcome.children.map((child) => render(child, depth + 1)),
  ].join("\n");
}

function line(...[status, error, pages, chunks, seconds, peak, file]: string[]): string {
  return [
    status?.padEnd(9),
    error?.padEnd(24),
    pages?.padStart(5),
    chunks?.padStart(6),
    seconds?.padStart(8),
    peak?.padStart(7),
    file,
  ].join("  ");
}

export interface Totals {
  files: number;
  /** Documents, those inside others too. */
  documents: number;
  bytes: number;
  pages: number;
  chunks: number;
  /** How many ended so. */
  statuses: Record<string, number>;
  /** How many ended in such an error. */
  errors: Record<string, number>;
  peak_mb: number | null;
  service_peak_mb: number | null;
  seconds: number;
}

export function totalsOf({ outcomes, seconds, service_peak_mb }: Ingested): Totals {
  const all = outcomes.flatMap(family);
  const sum = (of: (outcome: Outcome) => number | null) =>
    all.reduce((total, each) => total + (of(each) ?? 0), 0);
  const peaks = all.map(({ peak_mb }) => peak_mb).filter((peak) => peak !== null);
  const ended = all.filter(({ status }) => /^(completed|failed|cancelled)$/.test(status));
  return {
    files: outcomes.length,
    documents: ended.length,
    bytes: outcomes.reduce((total, each) => total + (each.size_bytes ?? 0), 0),
    pages: sum(({ pages }) => pages),
    chunks: sum(({ chunks }) => chunks),
    statuses: count(all.map(({ status }) => status)),
    errors: count(
      all.filter(({ status }) => status === "failed" || status === "refused").map(({ code }) => code ?? ""),
    ),
    peak_mb: peaks.length === 0 ? null : peaks.reduce((most, each) => Math.max(most, each)),
    service_peak_mb,
    seconds,
  };
}

export function family(outcome: Outcome): Outcome[] {
  return [outcome, ...outcome.children.flatMap(family)];
}

function count(values: string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const value of values.sort()) counts[value] = (counts[value] ?? 0) + 1;
  return counts;
}

export function renderTotals(totals: Totals): string {
  const { files, documents, bytes, pages, chunks, statuses, errors, peak_mb, service_peak_mb, seconds } =
    totals;
  const list = (counts: Record<string, number>) =>
    Object.entries(counts)
      .map(([name, number]) => `${number} ${name}`)
      .join(", ") || "none";
  return [
    `${files} files, ${documents} documents, ${(bytes / 1e6).toFixed(1)} MB, ${pages} pages, ${chunks} chunks in ${seconds.toFixed(1)} s`,
    `ended:  ${list(statuses)}`,
    `errors: ${list(errors)}`,
    ...(peak_mb === null
      ? []
      : [`memory: ${peak_mb} MB of one file's readers, ${service_peak_mb} MB of all processes together`]),
  ].join("\n");
}

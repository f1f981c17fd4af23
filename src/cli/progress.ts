/** What `sluice ingest` shows while it runs: bars on a terminal, a line for each file in a pipe, JSON on request. */
import type { DocumentStatus } from "../document.ts";
import type { JourneyProgress } from "./journeys.ts";
import {
  counted,
  formatBytes,
  formatDuration,
  print,
  printable,
  printJson,
  type ReportedError,
  styled,
} from "./output.ts";

/** One file, when it has ended; a line of `--json`. */
export interface FileResult {
  path: string;
  /** Null, as is `job_id`, when the file was not accepted. */
  document_id: string | null;
  job_id: string | null;
  status: DocumentStatus;
  chunks_created: number;
  /** Documents that came out of it, such as what hangs on a mail; followed by nobody here. */
  children: number;
  error: ReportedError | null;
  /** The collection had these bytes before. */
  duplicate: boolean;
}

/** Bytes while it uploads; then what its journey tells. */
export type FileProgress = JourneyProgress | { stage: "uploading"; done: number; total: number };

export interface IngestReporter {
  progress(path: string, progress: FileProgress): void;
  ended(result: FileResult): void;
  /** After the last file. @param waited whether journeys were followed to their ends */
  summary(results: FileResult[], duration_ms: number, waited: boolean): void;
  /** Leaves the terminal as it was. */
  close(): void;
}

/** Whether a file ended as its sender wants it. */
export function isFine({ status, error }: FileResult): boolean {
  return error === null && status !== "failed" && status !== "cancelled";
}

export async function createReporter(json: boolean, files: number): Promise<IngestReporter> {
  if (json) return jsonReporter();
  if (process.stdout.isTTY && process.stderr.isTTY) return barReporter(files);
  return lineReporter();
}

function jsonReporter(): IngestReporter {
  return { progress() {}, ended: printJson, summary() {}, close() {} };
}

function lineReporter(): IngestReporter {
  return {
    progress() {},
    ended: (result) => print(describeResult(result)),
    summary: (results, duration_ms, waited) => print(describeSummary(results, duration_ms, waited)),
    close() {},
  };
}

/** Lines for files beside the total; more than these are only counted. */
const MAX_LINES = 8;
const BAR_WIDTH = 24;

/**
 * A bar for the total, and one for each file that moves right now. The lines stay where they are and files take turns
 * on them, so that a thousand files neither scroll nor jump.
 */
async function barReporter(files: number): Promise<IngestReporter> {
  const { default: progress } = await import("cli-progress");
  const bars = new progress.MultiBar({
    format: (_options, { maxWidth }, { text }: { text: string }) => cutTo(maxWidth, text),
    stream: process.stderr,
    hideCursor: true,
    clearOnComplete: true,
    forceRedraw: true,
    // Bars are cut to fit; a failure above them is shown whole.
    linewrap: true,
    gracefulExit: false,
    fps: 10,
  });
  const describeTotal = (done: number) => `${bar(done / files)}  ${done} of ${counted(files, "file")}`;
  const total = bars.create(files, 0, { text: describeTotal(0) });
  const lines: { bar: ReturnType<typeof bars.create>; path: string | undefined }[] = [];
  const most = Math.max(1, Math.min(MAX_LINES, (process.stderr.rows ?? 24) - 3));
  let done = 0;
  let closed = false;

  function lineOf(path: string) {
    const taken = lines.find((line) => line.path === path);
    if (taken) return taken;
    let free = lines.find((line) => line.path === undefined);
    if (!free && lines.length < most) {
      free = { bar: bars.create(1, 0, { text: "" }), path: undefined };
      lines.push(free);
    }
    if (free) free.path = path;
    return free;
  }

  function release(path: string): void {
    const line = lines.find((candidate) => candidate.path === path);
    if (!line) return;
    line.path = undefined;
    line.bar.update(0, { text: "" });
  }

  function close(): void {
    if (closed) return;
    closed = true;
    // What was logged since the last redraw would be lost.
    bars.update();
    bars.stop();
  }

  return {
    progress(path, state) {
      // Thousands may wait for a worker: nothing moves there.
      if (state.stage === "waiting") release(path);
      else lineOf(path)?.bar.update(0, { text: describeProgress(path, state) });
    },
    ended(result) {
      release(result.path);
      total.update(++done, { text: describeTotal(done) });
      if (!isFine(result)) bars.log(`${describeResult(result)}\n`);
    },
    summary(results, duration_ms, waited) {
      close();
      print(describeSummary(results, duration_ms, waited));
    },
    close,
  };
}

function bar(fraction: number): string {
  const full = Math.round(Math.max(0, Math.min(1, fraction)) * BAR_WIDTH);
  return "█".repeat(full) + "░".repeat(BAR_WIDTH - full);
}

function describeProgress(path: string, { stage, done, total }: FileProgress): string {
  let amount = total === null ? "" : `${done}/${total}`;
  if (stage === "uploading") amount = formatBytes(total);
  return `${bar(total ? done / total : 0)}  ${stage.padEnd(10)} ${printable(path)}  ${amount}`;
}

/** Cut to the terminal's width: a line that wraps would spoil the redraw. */
function cutTo(width: number, text: string): string {
  return text.length < width ? text : `${text.slice(0, Math.max(0, width - 2))}…`;
}

function describeResult(result: FileResult): string {
  const { path, document_id, status, chunks_created, children, error, duplicate } = result;
  const name = printable(path);
  if (!isFine(result)) {
    const why = error ? `: ${printable(error.message)} (${error.code})` : "";
    return `${styled("red", status.padEnd(9))}  ${name}${why}`;
  }
  const details = [
    ...(status === "completed" ? [counted(chunks_created, "chunk")] : []),
    ...(children > 0 ? [`${counted(children, "document")} inside`] : []),
    ...(duplicate ? ["was there before"] : []),
    ...(document_id === null ? [] : [document_id]),
  ];
  return `${styled(status === "completed" ? "green" : "yellow", status.padEnd(9))}  ${name}  ${details.join(", ")}`;
}

function describeSummary(results: FileResult[], duration_ms: number, waited: boolean): string {
  const failed = results.filter((result) => !isFine(result)).length;
  const completed = results.filter(({ status }) => status === "completed").length;
  const duplicates = results.filter(({ duplicate }) => duplicate).length;
  const chunks = results.reduce((sum, { chunks_created }) => sum + chunks_created, 0);
  const parts = [
    waited ? `${completed} completed` : `${results.length - failed} accepted`,
    `${failed} failed`,
    counted(duplicates, "duplicate"),
    ...(waited ? [counted(chunks, "chunk")] : []),
    formatDuration(duration_ms),
  ];
  const line = `${counted(results.length, "file")}: ${parts.join(", ")}`;
  return styled(failed > 0 ? ["bold", "red"] : "bold", line);
}

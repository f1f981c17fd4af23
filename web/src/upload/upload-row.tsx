/** One file on its way: answered at once, then what becomes of it, live. */
import { useComputed, useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { foundWords, progressWords, statusKind, statusText, tookWords } from "../documents/facts.ts";
import { documentPath, Link } from "../router.tsx";
import { isActive, type Row } from "../row.ts";
import { sluice } from "../session.ts";
import { Icon } from "../ui/icons.tsx";
import { StageBar } from "../ui/stage-bar.tsx";
import { Kind, Pill } from "../ui/status.tsx";
import { formatBytes, formatDuration } from "../words.ts";
import type { Upload, UploadView } from "./upload-queue.ts";
import { canRetry, queue, retry } from "./uploads.ts";

export function UploadRow({ upload }: { upload: Upload }) {
  const { id, filename, size_bytes, collection } = upload;
  const view = upload.view.value;
  const row = upload.row.value;
  const again = useComputed(() => canRetry(upload)).value;
  const refusal = useSignal<string | null>(null);
  const act = (command: () => Promise<unknown>) => {
    refusal.value = null;
    command().catch((error: Error) => {
      refusal.value = error.message;
    });
  };
  const underWay = view.state === "waiting" || view.state === "sending" || view.state === "held";
  const active = row !== undefined && isActive(row.document);
  const error = refusal.value ?? view.error?.message ?? row?.document.error?.message ?? null;
  const warning = view.state === "held" || active;
  const pointless = !again && view.error === null && row?.document.status === "failed";
  return (
    <div class={`upload-row ${view.state}`}>
      <div class="upload-line">
        <Kind media_type={row?.document.media_type ?? ""} filename={filename} />
        {view.answer && row ? (
          <Link class="upload-name" href={documentPath(view.answer.document_id)} title={filename}>
            {filename}
          </Link>
        ) : (
          <span class="upload-name" title={filename}>
            {filename}
          </span>
        )}
        <Pill kind={pillKind(view, row)} text={pillText(view, row)} />
      </div>
      <div class="upload-what">
        {error !== null ? (
          <p class={warning ? "warning" : "error"} role={warning ? undefined : "alert"} title={error}>
            {error} {(pointless || (view.state === "refused" && !again)) && whyPointless(view)}
          </p>
        ) : row ? (
          <StageBar row={row} labels="times" />
        ) : (
          <SentBar filename={filename} size_bytes={size_bytes} view={view} />
        )}
      </div>
      <div class="upload-foot">
        <p class="upload-facts">{factsOf(view, row, size_bytes, collection).join(" · ")}</p>
        <div class="upload-actions">
          {underWay && <RowButton name={filename} text="Stop" icon="stop" onClick={() => queue.stop(id)} />}
          {active && (
            <RowButton
              name={filename}
              text="Cancel"
              icon="stop"
              onClick={() => act(() => sluice().cancelJob(row.document.job_id))}
            />
          )}
          {again && (
            <RowButton
              name={filename}
              text={view.state === "stopped" ? "Go on" : "Try again"}
              icon="retry"
              onClick={() => act(() => retry(upload))}
            />
          )}
          {!underWay && !active && (
            <RowButton name={filename} text="Dismiss" icon="close" onClick={() => queue.dismiss(id)} />
          )}
        </div>
      </div>
    </div>
  );
}

function whyPointless({ state }: UploadView): string {
  return state === "refused"
    ? "Sending it again would end the same way."
    : "Trying again would end the same way.";
}

interface RowButtonProps {
  /** Which file it acts on: told to screen readers, where the row alone does not say it. */
  name: string;
  text: string;
  icon: "stop" | "retry" | "close";
  onClick: () => void;
}

function RowButton({ name, text, icon, onClick }: RowButtonProps): ComponentChildren {
  return (
    <button class="small" type="button" onClick={onClick}>
      <Icon name={icon} />
      {text}
      <span class="unseen"> {name}</span>
    </button>
  );
}

function pillText({ state, sent, error }: UploadView, row: Row | undefined): string {
  switch (state) {
    case "waiting":
      return "Waiting";
    case "sending":
      return sent > 0 ? "Sending" : "Starting";
    case "held":
      return error?.code === "unreachable" ? "Waiting for the server" : "Server is full";
    case "refused":
      return "Not accepted";
    case "stopped":
      return "Stopped";
    case "answered":
      return row ? statusText(row) : "Accepted";
  }
}

function pillKind({ state }: UploadView, row: Row | undefined): string {
  if (state === "refused") return "failed";
  if (state === "held") return "retrying";
  if (state === "sending") return "processing";
  return row && state === "answered" ? statusKind(row) : "pending";
}

function SentBar({
  filename,
  size_bytes,
  view,
}: Pick<Upload, "filename" | "size_bytes"> & { view: UploadView }) {
  const percent = size_bytes === 0 ? 100 : Math.min(100, Math.round((view.sent / size_bytes) * 100));
  return (
    <div
      class="upload-sent"
      role="progressbar"
      aria-label={`Sending ${filename}`}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={percent}
    >
      <span style={{ width: `${percent}%` }} />
    </div>
  );
}

/** Files of which one wants to know how much is there. */
const LARGE_BYTES = 8 * 1024 * 1024;

function factsOf(view: UploadView, row: Row | undefined, size_bytes: number, collection: string): string[] {
  const { state, sent, bytes_per_second, resumed_at, answer } = view;
  const facts: string[] = [];
  if (state !== "answered" && size_bytes >= LARGE_BYTES && sent > 0) {
    facts.push(`${formatBytes(sent)} of ${formatBytes(size_bytes)}`);
    if (state === "sending" && bytes_per_second) {
      facts.push(`${formatBytes(Math.round(bytes_per_second))}/s`);
      facts.push(`${formatDuration(((size_bytes - sent) / bytes_per_second) * 1_000)} left`);
    }
  } else facts.push(formatBytes(size_bytes));
  if (resumed_at !== null) facts.push(`went on from ${formatBytes(resumed_at)}`);
  if (answer) {
    const before = answer.duplicate ? "already here, " : "";
    facts.push(`${before}answered in ${formatDuration(answer.milliseconds)}`);
  }
  if (row) {
    const progress = progressWords(row);
    if (progress !== "") facts.push(progress);
    if (row.document.status === "completed") {
      facts.push(...foundWords(row));
      const took = tookWords(row);
      if (took !== "") facts.push(took);
    }
  }
  if (collection !== "default") facts.push(`in ${collection}`);
  return facts;
}

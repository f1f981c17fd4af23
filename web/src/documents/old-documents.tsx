/** The list: files on their way in, then documents, each with where it stands and what can be done about it. */
import { useMemo, useRef, useState } from "preact/hooks";
import { cancelJob, deleteDocument, reingestDocument, retryJob } from "./api.ts";
import { StageBar, stageWords } from "./stage-bar.tsx";
import {
  type Action,
  type Answer,
  isActive,
  type Row,
  type State,
  sortedRows,
  type Upload,
} from "./state.ts";
import type { Uploader } from "./uploader.ts";
import { aboutWords, formatBytes, formatDuration, kindOf, plural } from "./words.ts";

interface DocumentsProps {
  state: State;
  dispatch: (action: Action) => void;
  uploader: Uploader;
  error: string | null;
  onMore: () => void;
}

export function Documents({ state, dispatch, uploader, error, onMore }: DocumentsProps) {
  const title = useRef<HTMLHeadingElement>(null);
  const rows = useMemo(() => sortedRows(state.rows), [state.rows]);
  if (rows.length === 0 && state.uploads.length === 0 && error === null) return null;
  const failed = rows.filter((row) => row.document.status === "failed").length;
  const active = rows.filter((row) => isActive(row.document)).length + state.uploads.length;
  const summary = [active > 0 ? `${active} in progress` : "", failed > 0 ? `${failed} failed` : ""];
  return (
    <section class="documents" aria-labelledby="documents-title">
      <div class="heading">
        <h2 id="documents-title" ref={title} tabIndex={-1}>
          Documents
        </h2>
        <p class="hint">{summary.filter(Boolean).join(", ")}</p>
      </div>
      {error !== null && (
        <p class="error" role="alert">
          {error}
        </p>
      )}
      <ul class="rows">
        {state.uploads.map((upload) => (
          <UploadRow key={`upload-${upload.id}`} upload={upload} uploader={uploader} />
        ))}
        {rows.map((row) => (
          <DocumentRow
            key={row.document.document_id}
            row={row}
            parent={state.rows.get(row.document.parent_document_id ?? "")?.document.filename}
            answer={state.answers.get(row.document.document_id)}
            onGone={() => {
              dispatch({ type: "document_gone", document_id: row.document.document_id });
              dispatch({ type: "announced", announcement: `${row.document.filename} was deleted.` });
              // The focused button is gone with its row.
              title.current?.focus();
            }}
          />
        ))}
      </ul>
      {state.next_cursor !== null && (
        <button class="more" type="button" disabled={state.loading > 0} onClick={onMore}>
          Show more
        </button>
      )}
    </section>
  );
}

const uploadWords: Record<Upload["state"], string> = {
  waiting: "Waiting",
  sending: "Sending",
  refused: "Not accepted",
};

function UploadRow({ upload, uploader }: { upload: Upload; uploader: Uploader }) {
  const { id, filename, size_bytes, state, sent, error } = upload;
  const percent = Math.round(sent * 100);
  const status = state === "sending" && percent === 100 ? "Storing" : uploadWords[state];
  return (
    <li class="row">
      <div class="line">
        <Kind media_type="" filename={filename} />
        <span class="name" title={filename}>
          {filename}
        </span>
        <Pill kind={state === "refused" ? "failed" : "pending"} text={status} />
      </div>
      {state === "sending" && (
        <div
          class="sending"
          role="progressbar"
          aria-label={`Sending ${filename}`}
          aria-valuemin={0}
          aria-valuemax={100}
          aria-valuenow={percent}
        >
          <span style={{ width: `${percent}%` }} />
        </div>
      )}
      {error !== null && <p class="error">{error}</p>}
      <div class="foot">
        <p class="facts">{formatBytes(size_bytes)}</p>
        {state === "refused" && (
          <div class="actions">
            <RowButton name={filename} text="Try again" onClick={() => uploader.repeat(id)} />
            <RowButton name={filename} text="Dismiss" onClick={() => uploader.dismiss(id)} />
          </div>
        )}
      </div>
    </li>
  );
}

interface DocumentRowProps {
  row: Row;
  /** Name of the document that it came inside, where that is in the list. */
  parent: string | undefined;
  answer: Answer | undefined;
  onGone: () => void;
}

function DocumentRow({ row, parent, answer, onGone }: DocumentRowProps) {
  const { document } = row;
  const { document_id, filename, status, error } = document;
  const about = aboutWords(document.about, document.media_type).join(" · ");
  const [busy, setBusy] = useState(false);
  const [refusal, setRefusal] = useState<string | null>(null);
  const [sure, setSure] = useState(false);

  async function act(command: () => Promise<void>): Promise<void> {
    setBusy(true);
    setRefusal(null);
    try {
      await command();
    } catch (problem) {
      setRefusal((problem as Error).message);
    }
    setBusy(false);
  }
  const button = (text: string, command: () => Promise<void>) => (
    <RowButton name={filename} text={text} disabled={busy} onClick={() => void act(command)} />
  );

  return (
    <li id={document_id} class={`row ${status} ${parent === undefined ? "" : "inside"}`}>
      <div class="line">
        <Kind media_type={document.media_type} filename={filename} />
        <span class="name" title={filename}>
          {filename}
        </span>
        {parent !== undefined && (
          <a class="parent" href={`#${document.parent_document_id}`}>
            in {parent}
          </a>
        )}
        <Pill kind={status} text={statusWords(row)} />
      </div>
      {about !== "" && (
        <p class="about" title={about}>
          {about}
        </p>
      )}
      <StageBar row={row} />
      {error !== null && <p class={status === "failed" ? "error" : "warning"}>{error.message}</p>}
      {refusal !== null && (
        <p class="error" role="alert">
          {refusal}
        </p>
      )}
      <div class="foot">
        <p class="facts">{factsOf(row, answer).join(" · ")}</p>
        {sure ? (
          <div class="actions">
            <RowButton
              name={filename}
              text="Delete for good"
              danger
              focused
              disabled={busy}
              onClick={() => void act(() => deleteDocument(document_id).then(onGone))}
            />
            <RowButton name={filename} text="Keep" onClick={() => setSure(false)} />
          </div>
        ) : (
          <div class="actions">
            {isActive(document) && button("Cancel", () => cancelJob(document.job_id))}
            {(status === "failed" || status === "cancelled") &&
              button("Retry", () => retryJob(document.job_id))}
            {status === "completed" && button("Ingest again", () => reingestDocument(document_id))}
            <RowButton name={filename} text="Delete" disabled={busy} onClick={() => setSure(true)} />
          </div>
        )}
      </div>
    </li>
  );
}

interface RowButtonProps {
  /** Which document it acts on: told to screen readers, where the row alone does not say it. */
  name: string;
  text: string;
  onClick: () => void;
  disabled?: boolean;
  danger?: boolean;
  /** Takes the focus when it appears, in place of the button that it replaced. */
  focused?: boolean;
}

function RowButton({
  name,
  text,
  onClick,
  disabled = false,
  danger = false,
  focused = false,
}: RowButtonProps) {
  return (
    <button
      ref={focused ? focusOnce : null}
      class={`small ${danger ? "danger" : ""}`}
      type="button"
      disabled={disabled}
      onClick={onClick}
    >
      {text}
      <span class="unseen"> {name}</span>
    </button>
  );
}

function focusOnce(element: HTMLElement | null): void {
  element?.focus();
}

function Kind({ media_type, filename }: { media_type: string; filename: string }) {
  return (
    <span class="kind" aria-hidden="true">
      {kindOf(media_type, filename)}
    </span>
  );
}

function Pill({ kind, text }: { kind: string; text: string }) {
  return <span class={`pill ${kind}`}>{text}</span>;
}

function statusWords({ document, retry_at }: Row): string {
  switch (document.status) {
    case "pending":
      return retry_at === null && document.error === null ? "Queued" : "Trying again";
    case "processing":
      return document.stage === null ? "Starting" : stageWords[document.stage];
    case "completed":
      return "Ready";
    case "failed":
      return "Failed";
    case "cancelled":
      return "Cancelled";
  }
}

function factsOf({ document, retry_at, processing_time_ms }: Row, answer: Answer | undefined): string[] {
  const { status, progress, stage, version } = document;
  const facts: string[] = [];
  if (status === "processing" && progress.total !== null && progress.total > 1) {
    const unit = stage === "extracting" ? "" : " passages";
    facts.push(`${progress.done.toLocaleString("en")} of ${progress.total.toLocaleString("en")}${unit}`);
  }
  if (status === "pending" && retry_at !== null) {
    facts.push(`next attempt at ${new Date(retry_at).toLocaleTimeString()}`);
  }
  if (document.searchable_version !== null && document.searchable_version !== version) {
    facts.push(`version ${document.searchable_version} can be searched meanwhile`);
  }
  if (status === "completed") {
    const took = processing_time_ms === null ? "" : ` in ${formatDuration(processing_time_ms)}`;
    facts.push(`${plural(document.chunks_created, "passage")}${took}`);
  }
  facts.push(formatBytes(document.size_bytes));
  if (version > 1) facts.push(`version ${version}`);
  if (answer)
    facts.push(
      `${answer.duplicate ? "already here, " : ""}answered in ${formatDuration(answer.milliseconds)}`,
    );
  return facts;
}

/** One document in a list: what it is, where it stands, what was found in it. */
import { documentPath, Link } from "../router.tsx";
import { isActive, type Row } from "../row.ts";
import { StageBar } from "../ui/stage-bar.tsx";
import { Kind, Pill } from "../ui/status.tsx";
import { When } from "../ui/when.tsx";
import { formatBytes, plural } from "../words.ts";
import { foundWords, progressWords, statusKind, statusText } from "./facts.ts";
import { rows } from "./rows.ts";

interface DocumentRowProps {
  document_id: string;
  selected: boolean;
  /** Whether the keyboard is here: it alone can be reached by Tab. */
  active: boolean;
  /** @param range up to here, from the one selected before */
  onSelect: (range: boolean) => void;
  onFocus: () => void;
}

export function DocumentRow({ document_id, selected, active, onSelect, onFocus }: DocumentRowProps) {
  // Kept by the list; this only reads it.
  const row = rows.read(document_id);
  if (!row) return <div class="documents-row" aria-busy="true" />;
  const { document } = row;
  const { filename, media_type, collection, size_bytes, chunks_created, created_at } = document;
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: the checkbox in it does the same for the keyboard
    // biome-ignore lint/a11y/useKeyWithClickEvents: the same
    <div
      class={`documents-row ${document.status} ${selected ? "selected" : ""}`}
      onClick={(event) => {
        if ((event.target as HTMLElement).closest("a, input")) return;
        onSelect(event.shiftKey);
      }}
      onMouseDown={(event) => {
        // Or the text of all rows between is marked.
        if (event.shiftKey) event.preventDefault();
      }}
      onFocusIn={onFocus}
    >
      <input
        type="checkbox"
        aria-label={`Select ${filename}`}
        checked={selected}
        tabIndex={active ? 0 : -1}
        onClick={(event) => onSelect(event.shiftKey)}
      />
      <Kind media_type={media_type} filename={filename} />
      <div class="documents-name">
        <Link href={documentPath(document_id)} title={filename} tabIndex={active ? 0 : -1}>
          {filename}
        </Link>
        <p title={document.error?.message}>{subtitle(row)}</p>
      </div>
      <span class="documents-collection cut" title={collection}>
        {collection}
      </span>
      <div class="documents-status">
        <Pill kind={statusKind(row)} text={statusText(row)} />
        {isActive(document) && <StageBar row={row} labels="none" />}
      </div>
      <span class="documents-passages number">
        {document.searchable_version === null ? "" : plural(chunks_created, "passage")}
      </span>
      <span class="documents-size number">{formatBytes(size_bytes)}</span>
      <span class="documents-when number">
        <When at={created_at} />
      </span>
    </div>
  );
}

/** Under the name: what went wrong, how far it is, or what the document says of itself. */
function subtitle(row: Row) {
  const { document } = row;
  const inside =
    document.parent_document_id === null ? null : <Inside parent={document.parent_document_id} />;
  const progress = progressWords(row);
  const words =
    document.error !== null
      ? document.error.message
      : progress !== ""
        ? progress
        : [document.about.title, ...foundWords(row).slice(0, -1)].filter(Boolean).join(" · ");
  return (
    <>
      {inside}
      <span class={document.error === null ? "" : document.status === "failed" ? "bad" : "unsure"}>
        {words}
      </span>
    </>
  );
}

/** What it came inside: by name where that is known here. */
function Inside({ parent }: { parent: string }) {
  const name = rows.read(parent)?.document.filename;
  return (
    <>
      <span class="documents-inside">↳ in {name ?? "another document"}</span>
      {" · "}
    </>
  );
}

/** The same in short, with its stages. */
export function RecentRow({ document_id }: { document_id: string }) {
  const row = rows.read(document_id);
  if (!row) return null;
  const { document } = row;
  const { filename, media_type, error } = document;
  return (
    <li class="documents-recent">
      <Kind media_type={media_type} filename={filename} />
      <div class="documents-name">
        <Link href={documentPath(document_id)} title={filename}>
          {filename}
        </Link>
        {isActive(document) ? (
          <StageBar row={row} labels="none" />
        ) : (
          <p title={error?.message}>
            {error === null ? foundWords(row).join(" · ") : <span class="bad">{error.message}</span>}
          </p>
        )}
      </div>
      <Pill kind={statusKind(row)} text={statusText(row)} />
      <When at={document.created_at} />
    </li>
  );
}

/** What is about to be done to how many documents, then how far it is, then what was refused. */
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { Document } from "../../../src/document.ts";
import { documentPath, Link } from "../router.tsx";
import { sluice } from "../session.ts";
import { announce } from "../ui/announce.tsx";
import { Dialog } from "../ui/dialog.tsx";
import { ErrorNote } from "../ui/status.tsx";
import { plural } from "../words.ts";
import { type Action, appliesTo, type BulkProgress, runBulk } from "./bulk.ts";

interface BulkDialogProps {
  action: Action;
  /** Resolves to the documents that are meant. */
  collect: (signal: AbortSignal) => Promise<Document[]>;
  onClose: () => void;
  /** All that could be done is done. */
  onDone: () => void;
}

const words: Record<
  Action,
  { verb: string; done: string; what: string; danger?: true; passed: string; keep: string }
> = {
  reingest: {
    verb: "Ingest again",
    done: "on the way again",
    what: "The stored bytes are read, cut, embedded and indexed anew. What can be searched now stays until the new version takes its place.",
    passed: "",
    keep: "Leave as they are",
  },
  cancel: {
    verb: "Cancel",
    done: "cancelled",
    what: "Their ingestion stops. A version that can be searched already stays; what was begun can be tried again later.",
    passed: "has ended already and stays as it is",
    keep: "Let it go on",
  },
  delete: {
    verb: "Delete",
    done: "deleted",
    what: "They are gone for searches and readers at once, and so is everything that came inside them. This can't be undone.",
    danger: true,
    passed: "",
    keep: "Keep",
  },
};

export function BulkDialog({ action, collect, onClose, onDone }: BulkDialogProps) {
  const documents = useSignal<Document[] | undefined>(undefined);
  const trouble = useSignal<string | null>(null);
  const progress = useSignal<BulkProgress | undefined>(undefined);
  const ended = useSignal(false);
  const run = useSignal<AbortController | undefined>(undefined);
  const { verb, done, what, danger, passed, keep } = words[action];

  useEffect(() => {
    const abort = new AbortController();
    collect(abort.signal).then(
      (found) => {
        documents.value = found;
      },
      (error: Error) => {
        if (!abort.signal.aborted) trouble.value = error.message;
      },
    );
    return () => {
      abort.abort();
      run.peek()?.abort();
    };
  }, []);

  async function start(): Promise<void> {
    const abort = new AbortController();
    run.value = abort;
    await runBulk(
      sluice(),
      action,
      documents.peek()!,
      (next) => {
        progress.value = next;
      },
      abort.signal,
    );
    ended.value = true;
    const { done: count, refusals } = progress.peek()!;
    announce(`${plural(count - refusals.length, "document")} ${done}.`);
    onDone();
    if (refusals.length === 0 && !abort.signal.aborted) onClose();
  }

  const count = documents.value?.filter((document) => appliesTo(action, document)).length;
  const others = (documents.value?.length ?? 0) - (count ?? 0);
  const now = progress.value;
  const title = count === undefined ? `${verb} …` : `${verb}: ${plural(count, "document")}`;
  return (
    <Dialog title={title} onClose={onClose} persistent={run.value !== undefined && !ended.value}>
      <div class="stack">
        {trouble.value !== null && <ErrorNote>{trouble.value}</ErrorNote>}
        {now === undefined ? (
          <>
            {count === undefined && trouble.value === null && (
              <p class="hint">Looking which documents are meant …</p>
            )}
            {count !== undefined && (
              <>
                <p>{count === 0 ? `None of them is under way.` : what}</p>
                {others > 0 && (
                  <p class="hint">
                    {others === 1 ? "One" : others.toLocaleString("en")}{" "}
                    {others === 1 ? passed : plain(passed)}.
                  </p>
                )}
              </>
            )}
            <div class="actions">
              {count !== undefined && count > 0 && (
                <button
                  class={danger ? "danger" : "primary"}
                  type="button"
                  ref={focusOnce}
                  onClick={() => void start()}
                >
                  {verb} {plural(count, "document")}
                </button>
              )}
              <button type="button" onClick={onClose}>
                {keep}
              </button>
            </div>
          </>
        ) : (
          <>
            <progress max={now.total} value={now.done} aria-label={verb} />
            <p>
              {(now.done - now.refusals.length).toLocaleString("en")} of {now.total.toLocaleString("en")}{" "}
              {done}
              {now.refusals.length > 0 && `, ${now.refusals.length.toLocaleString("en")} refused`}
            </p>
            {now.refusals.length > 0 && (
              <ul class="documents-refusals">
                {now.refusals.map(({ document_id, filename, message }) => (
                  <li key={document_id}>
                    <Link href={documentPath(document_id)}>{filename}</Link>
                    <p class="error">{message}</p>
                  </li>
                ))}
              </ul>
            )}
            <div class="actions">
              {ended.value ? (
                <button type="button" onClick={onClose}>
                  Close
                </button>
              ) : (
                <button type="button" onClick={() => run.peek()?.abort()}>
                  Stop here
                </button>
              )}
            </div>
          </>
        )}
      </div>
    </Dialog>
  );
}

const plain = (words: string) =>
  words.replace(/^has /, "have ").replace("stays as it is", "stay as they are");

const seen = new WeakSet<HTMLElement>();

function focusOnce(element: HTMLElement | null): void {
  if (!element || seen.has(element)) return;
  seen.add(element);
  element.focus();
}

/** The page: what it knows, the live stream that keeps it true, and where everything stands. */
import { useCallback, useEffect, useMemo, useReducer, useRef, useState } from "preact/hooks";
import { ApiError, getDocument, listDocuments, onKeyNeeded, type SearchHit } from "./api.ts";
import { Documents } from "./documents.tsx";
import { KeyDialog } from "./key-dialog.tsx";
import { Passage } from "./passage.tsx";
import { sampleName } from "./sample.ts";
import { SearchPanel } from "./search.tsx";
import { initialState, reduce } from "./state.ts";
import { type Connection, followEvents } from "./stream.ts";
import { DropZone } from "./upload.tsx";
import { createUploader } from "./uploader.ts";

export function App() {
  const [keyNeeded, setKeyNeeded] = useState(false);
  // A new key may belong to another tenant: everything begins anew.
  const [session, setSession] = useState(0);
  useEffect(() => onKeyNeeded(() => setKeyNeeded(true)), []);
  return (
    <>
      <Session key={session} />
      {keyNeeded && (
        <KeyDialog
          onKey={() => {
            setKeyNeeded(false);
            setSession(session + 1);
          }}
        />
      )}
    </>
  );
}

function Session() {
  const [state, dispatch] = useReducer(reduce, initialState);
  const [connection, setConnection] = useState<Connection>("connecting");
  const [listError, setListError] = useState<string | null>(null);
  const [hit, setHit] = useState<{ hit: SearchHit; query: string } | null>(null);
  const live = useRef(false);

  const load = useCallback(async (cursor: string | null) => {
    dispatch({ type: "list_requested" });
    try {
      const page = await listDocuments(cursor);
      dispatch({ type: "list_came", ...page, fresh: cursor === null });
      setListError(null);
    } catch (error) {
      dispatch({ type: "list_failed" });
      // Without a key, the dialog that asks for it says all.
      if (!(error instanceof ApiError && error.status === 401)) setListError((error as Error).message);
    }
  }, []);

  useEffect(() => {
    void load(null);
    return followEvents({
      onEvents: (events) => dispatch({ type: "events_came", events }),
      onConnection: (next) => {
        live.current = next === "live";
        setConnection(next);
      },
      onFresh: () => void load(null),
      // Without the stream the list still tells, if late; and it is the one to find out that a key is missing.
      onTrouble: () => void load(null),
    });
  }, [load]);

  const uploader = useMemo(
    () =>
      createUploader(dispatch, ({ document_id, duplicate }) => {
        // Live, the event brings the document. A duplicate has none, and may be on a page not loaded yet.
        if (live.current && !duplicate) return;
        getDocument(document_id).then(
          (document) => dispatch({ type: "document_came", document }),
          (error: Error) => setListError(error.message),
        );
      }),
    [],
  );

  const empty = state.loaded && state.rows.size === 0 && state.uploads.length === 0;
  const searchable = [...state.rows.values()].filter((row) => row.document.searchable_version !== null);

  return (
    <>
      <header class="top">
        <div class="brand">
          <Mark />
          <h1>Sluice</h1>
        </div>
        <Status connection={connection} />
      </header>
      <main class={empty ? "empty" : ""}>
        <DropZone uploader={uploader} welcome={empty} />
        <SearchPanel
          searchable={searchable.length > 0}
          sampled={searchable.some((row) => row.document.filename === sampleName)}
          onOpen={(chosen, query) => setHit({ hit: chosen, query })}
        />
        <Documents
          state={state}
          dispatch={dispatch}
          uploader={uploader}
          error={listError}
          onMore={() => void load(state.next_cursor)}
        />
      </main>
      <p class="unseen" aria-live="polite" role="status">
        {state.announcement}
      </p>
      {hit && <Passage {...hit} onClose={() => setHit(null)} />}
    </>
  );
}

const connectionWords: Record<Connection, string> = {
  connecting: "Connecting …",
  live: "Live",
  offline: "Offline, trying again …",
};

function Status({ connection }: { connection: Connection }) {
  return (
    <p class={`connection ${connection}`} role="status">
      <span class="dot" aria-hidden="true" />
      {connectionWords[connection]}
    </p>
  );
}

function Mark() {
  return (
    <svg class="mark" viewBox="0 0 32 32" aria-hidden="true">
      <rect width="32" height="32" rx="8" />
      <path class="gate" d="M7 8v16M25 8v16M12 8v7h8V8" />
      <path class="water" d="M11 23c1.7-2 3.3-2 5 0s3.3 2 5 0" />
    </svg>
  );
}

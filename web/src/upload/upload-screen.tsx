/** Where documents come in. */
import { useComputed } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import { createDocumentList } from "../documents/document-list.ts";
import { RecentRow } from "../documents/document-row.tsx";
import { queryOf } from "../documents/query.ts";
import { rows } from "../documents/rows.ts";
import { connection, onEvents } from "../live.ts";
import { Link } from "../router.tsx";
import { session, sluice } from "../session.ts";
import { Icon } from "../ui/icons.tsx";
import { Screen } from "../ui/screen.tsx";
import { ErrorNote } from "../ui/status.tsx";
import { formatBytes } from "../words.ts";
import { CollectionChoice, PickButtons } from "./pick.tsx";
import { sampleName, sampleQuestion } from "./sample.ts";
import { UnfinishedList } from "./unfinished-list.tsx";
import { UploadList } from "./upload-list.tsx";
import { outcomeOf } from "./upload-queue.ts";
import { uploads } from "./uploads.ts";
import { Welcome } from "./welcome.tsx";
import "./upload.css";

/** Documents shown while nothing was uploaded here. */
const RECENT = 8;

export function UploadScreen() {
  const list = useMemo(
    () =>
      createDocumentList({
        client: sluice(),
        query: queryOf(new URLSearchParams()),
        rows,
        onEvents,
        atTop: () => true,
        page: RECENT,
      }),
    [],
  );
  useEffect(() => list.dispose, [list]);
  const any = useComputed(() => uploads.value.length > 0).value;
  const total = list.counts.value?.total;
  const empty = total === 0 && !any && list.ids.value.length === 0;
  return (
    <Screen title="Upload" actions={!empty && <CollectionChoice />}>
      {connection.value === "offline" && (
        <p class="warning" role="status">
          The server can't be reached. What is under way waits, and goes on by itself.
        </p>
      )}
      {list.error.value && total === undefined && <ErrorNote>{list.error.value.message}</ErrorNote>}
      <UnfinishedList />
      {empty ? <Welcome /> : <Drop />}
      <SampleReady />
      {any && <UploadList />}
      {!any && list.ids.value.length > 0 && (
        <section class="upload-recent" aria-labelledby="recent-title">
          <div class="upload-list-head">
            <h2 id="recent-title">Came in last</h2>
            <Link href="/documents">All {total?.toLocaleString("en")} documents</Link>
          </div>
          <ul class="panel">
            {list.ids.value.slice(0, RECENT).map((document_id) => (
              <RecentRow key={document_id} document_id={document_id} />
            ))}
          </ul>
        </section>
      )}
    </Screen>
  );
}

function Drop() {
  const most = session.value?.max_upload_bytes;
  return (
    <section class="upload-drop" aria-labelledby="drop-title">
      <Icon name="upload" />
      <div>
        <h2 id="drop-title">Drop files or folders anywhere</h2>
        <p class="hint">
          PDF, Office, mail, archives, scans, pictures, text
          {most !== undefined && <>, up to {formatBytes(most)} each</>}. Ctrl V pastes.
        </p>
      </div>
      <div class="actions">
        <PickButtons />
      </div>
    </section>
  );
}

/** What to do with the sample, once it can be found. */
function SampleReady() {
  const ready = useComputed(() =>
    uploads.value.some(
      ({ filename, view, row }) => filename === sampleName && outcomeOf(view.value, row.value) === "ready",
    ),
  ).value;
  if (!ready) return null;
  return (
    <p class="notice upload-question">
      The sample can be searched now. Ask it:{" "}
      <Link href={`/search?q=${encodeURIComponent(sampleQuestion)}`}>{sampleQuestion}</Link>
    </p>
  );
}

/** Uploads that were broken off: the page can't read the file again by itself, so its owner has to choose it. */
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { ApiError, session, sluice } from "../session.ts";
import { announce } from "../ui/announce.tsx";
import { ErrorNote, Kind } from "../ui/status.tsx";
import { formatBytes } from "../words.ts";
import { takeFiles } from "./intake.tsx";
import { forgetUnfinished, listUnfinished, onUnfinished, type Unfinished } from "./unfinished.ts";
import { collection } from "./uploads.ts";

interface Standing extends Unfinished {
  /** Bytes that the server has. */
  offset: number;
}

export function UnfinishedList() {
  const found = useSignal<Standing[]>([]);
  useEffect(() => {
    const abort = new AbortController();
    const look = async () => {
      const tenant_id = session.peek()?.tenant_id;
      if (tenant_id === undefined) return;
      const standing = await Promise.all(
        (await listUnfinished(tenant_id)).map((each) => standingOf(each, abort.signal)),
      );
      if (!abort.signal.aborted) found.value = standing.filter((each) => each !== undefined);
    };
    const again = () => void look().catch(() => undefined);
    again();
    const forget = onUnfinished(again);
    return () => {
      abort.abort();
      forget();
    };
  }, []);
  if (found.value.length === 0) return null;
  return (
    <section class="upload-unfinished panel" aria-labelledby="unfinished-title">
      <h2 id="unfinished-title">Broken off</h2>
      <ul>
        {found.value.map((each) => (
          <UnfinishedRow key={each.name} unfinished={each} />
        ))}
      </ul>
    </section>
  );
}

/** @returns undefined where there is nothing to go on with, which is then forgotten */
async function standingOf(unfinished: Unfinished, signal: AbortSignal): Promise<Standing | undefined> {
  try {
    const { offset, accepted } = await sluice().getUpload(unfinished.upload_id, { signal });
    if (accepted === null) return { ...unfinished, offset };
  } catch (error) {
    const gone = error instanceof ApiError && (error.status === 404 || error.status === 410);
    if (!gone) throw error;
  }
  forgetUnfinished(unfinished);
  return undefined;
}

function UnfinishedRow({ unfinished }: { unfinished: Standing }) {
  const { filename, size_bytes, offset, upload_id } = unfinished;
  const input = useRef<HTMLInputElement>(null);
  const trouble = useSignal<string | null>(null);
  return (
    <li>
      <Kind media_type="" filename={filename} />
      <p>
        Choose <b>{filename}</b> again to go on from {formatBytes(offset)} of {formatBytes(size_bytes)}.
      </p>
      <div class="actions">
        <button type="button" class="small" onClick={() => input.current?.click()}>
          Choose it again<span class="unseen">: {filename}</span>
        </button>
        <button
          type="button"
          class="small"
          onClick={async () => {
            try {
              await sluice().deleteUpload(upload_id);
            } catch (error) {
              const gone = error instanceof ApiError && (error.status === 404 || error.status === 410);
              if (!gone) {
                trouble.value = (error as Error).message;
                return;
              }
            }
            forgetUnfinished(unfinished);
            announce(`The broken off upload of ${filename} was discarded.`);
          }}
        >
          Discard<span class="unseen"> {filename}</span>
        </button>
      </div>
      <input
        ref={input}
        type="file"
        hidden
        aria-label={`${filename}, again`}
        onChange={(event) => {
          const [file] = Array.from(event.currentTarget.files ?? []);
          event.currentTarget.value = "";
          if (!file) return;
          if (file.name !== filename || file.size !== size_bytes) {
            trouble.value = `That is another file: ${filename} has ${size_bytes.toLocaleString("en")} bytes.`;
            return;
          }
          trouble.value = null;
          // It goes on only where it was going to.
          const before = collection.peek();
          collection.value = unfinished.collection;
          takeFiles([file]);
          collection.value = before;
        }}
      />
      {trouble.value !== null && <ErrorNote>{trouble.value}</ErrorNote>}
    </li>
  );
}

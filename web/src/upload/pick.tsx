/** Choosing files, a folder or a text, and the collection that they go into. */
import { useSignal } from "@preact/signals";
import { useRef } from "preact/hooks";
import { sluice } from "../session.ts";
import { Dialog } from "../ui/dialog.tsx";
import { useLoad } from "../ui/load.ts";
import { textFile, visibleFiles } from "./files.ts";
import { takeFiles } from "./intake.tsx";
import { collection } from "./uploads.ts";

export function PickButtons() {
  const files = useRef<HTMLInputElement>(null);
  const folder = useRef<HTMLInputElement>(null);
  const pasting = useSignal(false);
  return (
    <>
      <button class="primary" type="button" onClick={() => files.current?.click()}>
        Choose files
      </button>
      <button type="button" onClick={() => folder.current?.click()}>
        Choose a folder
      </button>
      <button
        type="button"
        onClick={() => {
          pasting.value = true;
        }}
      >
        Paste text
      </button>
      <input
        ref={files}
        type="file"
        multiple
        hidden
        aria-label="Files to upload"
        onChange={(event) => taken(event.currentTarget)}
      />
      <input
        ref={folder}
        type="file"
        {...{ webkitdirectory: true }}
        hidden
        aria-label="Folder to upload"
        onChange={(event) => taken(event.currentTarget)}
      />
      {pasting.value && (
        <PasteDialog
          onClose={() => {
            pasting.value = false;
          }}
        />
      )}
    </>
  );
}

function taken(input: HTMLInputElement): void {
  takeFiles(visibleFiles(input.files ?? []));
  // So that the same file can be picked again.
  input.value = "";
}

function PasteDialog({ onClose }: { onClose: () => void }) {
  const text = useRef<HTMLTextAreaElement>(null);
  return (
    <Dialog title="Paste a text" onClose={onClose}>
      <form
        class="stack"
        onSubmit={(event) => {
          event.preventDefault();
          takeFiles([textFile(text.current!.value, new Date())]);
          onClose();
        }}
      >
        <label for="pasted">It becomes a document of its own</label>
        <textarea ref={text} id="pasted" rows={8} required autofocus />
        <button class="primary" type="submit">
          Upload
        </button>
      </form>
    </Dialog>
  );
}

const NEW = "\u0000new";
const pattern = "[A-Za-z0-9][A-Za-z0-9._\\-]{0,99}";

export function CollectionChoice() {
  const known = useLoad((signal) => sluice().listCollections({ limit: 200 }, { signal }), []);
  const naming = useSignal(false);
  const names = new Set(["default", ...(known.value?.collections ?? []).map((each) => each.collection)]);
  names.add(collection.value);
  if (naming.value) {
    return (
      <form
        class="upload-into"
        onSubmit={(event) => {
          event.preventDefault();
          collection.value = new FormData(event.currentTarget).get("collection") as string;
          naming.value = false;
        }}
      >
        <label for="new-collection">New collection</label>
        <input
          id="new-collection"
          name="collection"
          type="text"
          ref={focusOnce}
          required
          pattern={pattern}
          title="Letters, digits, . _ -, at most 100, first a letter or digit"
          onKeyDown={(event) => {
            if (event.key === "Escape") naming.value = false;
          }}
        />
        <button type="submit">Use it</button>
      </form>
    );
  }
  return (
    <div class="upload-into">
      <label for="collection">Into collection</label>
      <select
        id="collection"
        value={collection.value}
        onChange={(event) => {
          const { value } = event.currentTarget;
          if (value === NEW) naming.value = true;
          else collection.value = value;
        }}
      >
        {[...names].sort().map((name) => (
          <option key={name} value={name}>
            {name}
          </option>
        ))}
        <option value={NEW}>New collection …</option>
      </select>
    </div>
  );
}

const seen = new WeakSet<HTMLElement>();

function focusOnce(element: HTMLElement | null): void {
  if (!element || seen.has(element)) return;
  seen.add(element);
  element.focus();
}

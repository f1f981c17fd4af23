/** Where files come in: dropped anywhere on the page, picked, or pasted. */
import { useEffect, useRef, useState } from "preact/hooks";
import { sampleFile } from "./sample.ts";
import type { Uploader } from "./uploader.ts";

export function DropZone({ uploader, welcome }: { uploader: Uploader; welcome: boolean }) {
  const input = useRef<HTMLInputElement>(null);
  const over = useDropAndPaste(uploader);
  return (
    <section class={`drop ${over ? "over" : ""}`} aria-labelledby="drop-title">
      {welcome ? (
        <>
          <h2 id="drop-title" class="headline">
            Put a document in, search it a moment later
          </h2>
          <p>
            Drop files anywhere on this page. Each is accepted at once; then you can watch it being read, cut
            into passages, embedded and indexed. When it is done, search answers with the exact passage.
          </p>
        </>
      ) : (
        <h2 id="drop-title">Drop files anywhere</h2>
      )}
      <div class="actions">
        <button class="primary" type="button" onClick={() => input.current?.click()}>
          Choose files
        </button>
        {welcome && (
          <button type="button" onClick={() => uploader.add([sampleFile()])}>
            Try a sample document
          </button>
        )}
      </div>
      <p class="hint">PDF, Office, mail, scans, pictures, text. Or paste.</p>
      <input
        ref={input}
        type="file"
        multiple
        hidden
        aria-label="Files to upload"
        onChange={(event) => {
          const { files } = event.currentTarget;
          if (files) uploader.add(files);
          // So that the same file can be picked again.
          event.currentTarget.value = "";
        }}
      />
    </section>
  );
}

/** @returns whether files are being dragged over the page */
function useDropAndPaste(uploader: Uploader): boolean {
  const [over, setOver] = useState(false);
  useEffect(() => {
    // Entering a child leaves its parent, so enters and leaves are counted.
    let depth = 0;
    const holdsFiles = (event: DragEvent) => event.dataTransfer?.types.includes("Files") ?? false;
    const enter = (event: DragEvent) => {
      if (!holdsFiles(event)) return;
      depth++;
      setOver(true);
    };
    const leave = (event: DragEvent) => {
      if (!holdsFiles(event)) return;
      depth = Math.max(0, depth - 1);
      if (depth === 0) setOver(false);
    };
    const hover = (event: DragEvent) => {
      if (holdsFiles(event)) event.preventDefault();
    };
    const drop = (event: DragEvent) => {
      if (!event.dataTransfer || !holdsFiles(event)) return;
      event.preventDefault();
      depth = 0;
      setOver(false);
      void filesOf(event.dataTransfer).then(uploader.add);
    };
    const paste = (event: ClipboardEvent) => {
      if (event.target instanceof HTMLInputElement || !event.clipboardData) return;
      const { files } = event.clipboardData;
      const text = event.clipboardData.getData("text/plain");
      if (files.length > 0) uploader.add(files);
      else if (text.trim() !== "") {
        const name = `pasted ${new Date().toISOString().slice(0, 19).replaceAll(":", "-")}.txt`;
        uploader.add([new File([text], name, { type: "text/plain" })]);
      }
    };
    window.addEventListener("dragenter", enter);
    window.addEventListener("dragleave", leave);
    window.addEventListener("dragover", hover);
    window.addEventListener("drop", drop);
    window.addEventListener("paste", paste);
    return () => {
      window.removeEventListener("dragenter", enter);
      window.removeEventListener("dragleave", leave);
      window.removeEventListener("dragover", hover);
      window.removeEventListener("drop", drop);
      window.removeEventListener("paste", paste);
    };
  }, [uploader]);
  return over;
}

/** The dropped files, those inside dropped folders too. */
async function filesOf(transfer: DataTransfer): Promise<File[]> {
  // Both have to be taken before anything is awaited: afterwards the transfer is empty.
  const files = Array.from(transfer.files);
  const entries = Array.from(transfer.items, (item) => item.webkitGetAsEntry()).filter(
    (entry) => entry !== null,
  );
  if (!entries.some((entry) => entry.isDirectory)) return files;
  return (await Promise.all(entries.map(filesIn))).flat();
}

async function filesIn(entry: FileSystemEntry): Promise<File[]> {
  if (entry.isFile) {
    const file = await new Promise<File>((resolve, reject) =>
      (entry as FileSystemFileEntry).file(resolve, reject),
    );
    // Hidden files, such as .DS_Store, are the system's, not the user's.
    return entry.name.startsWith(".") ? [] : [file];
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  const found: File[] = [];
  for (;;) {
    // A folder is handed out in batches; an empty one is its end.
    const batch = await new Promise<FileSystemEntry[]>((resolve, reject) =>
      reader.readEntries(resolve, reject),
    );
    if (batch.length === 0) return found;
    found.push(...(await Promise.all(batch.map(filesIn))).flat());
  }
}

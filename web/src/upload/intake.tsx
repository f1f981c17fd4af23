/** Where files come in, on whatever screen one is: dropped, or pasted. */
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { place } from "../router.tsx";
import { Icon } from "../ui/icons.tsx";
import { toast } from "../ui/toasts.tsx";
import { plural } from "../words.ts";
import { filesOf, holdsFiles, textFile } from "./files.ts";
import { collection, uploadFiles } from "./uploads.ts";

const onUploadScreen = () => place.peek().path === "/";

/** Takes files in, and says so where the screen itself does not show it. */
export function takeFiles(files: readonly File[]): void {
  const count = uploadFiles(files);
  if (count > 0 && !onUploadScreen()) {
    toast(`${plural(count, "file")} on the way in.`, { href: "/", text: "Show" });
  }
}

export function DropOverlay() {
  const over = useSignal(false);
  useEffect(() => {
    // Entering a child leaves its parent, so enters and leaves are counted.
    let depth = 0;
    const enter = ({ dataTransfer }: DragEvent) => {
      if (holdsFiles(dataTransfer)) over.value = ++depth > 0;
    };
    const leave = ({ dataTransfer }: DragEvent) => {
      if (!holdsFiles(dataTransfer)) return;
      depth = Math.max(0, depth - 1);
      over.value = depth > 0;
    };
    const hover = (event: DragEvent) => {
      if (holdsFiles(event.dataTransfer)) event.preventDefault();
    };
    const drop = (event: DragEvent) => {
      if (!event.dataTransfer || !holdsFiles(event.dataTransfer)) return;
      event.preventDefault();
      depth = 0;
      over.value = false;
      void filesOf(event.dataTransfer).then(takeFiles);
    };
    const paste = ({ target, clipboardData }: ClipboardEvent) => {
      if (!clipboardData || (target instanceof HTMLElement && target.matches("input, textarea"))) return;
      const files = Array.from(clipboardData.files);
      const text = clipboardData.getData("text/plain");
      if (files.length > 0) takeFiles(files);
      // Elsewhere nobody expects a text to become a document.
      else if (onUploadScreen() && text.trim() !== "") takeFiles([textFile(text, new Date())]);
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
  }, []);
  if (!over.value) return null;
  return (
    <div class="upload-overlay" aria-hidden="true">
      <p>
        <Icon name="upload" />
        <span>
          Drop to upload into <b>{collection}</b>
        </span>
      </p>
    </div>
  );
}

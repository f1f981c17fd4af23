/** A modal dialog: the browser's own, so focus, Escape and the rest of the page behave. */
import type { ComponentChildren } from "preact";
import { useEffect, useId, useRef } from "preact/hooks";
import { Icon } from "./icons.tsx";

interface DialogProps {
  title: string;
  onClose: () => void;
  /** `side`: a sheet at the right edge, the whole screen on a phone. Default `middle`. */
  kind?: "middle" | "side";
  /** May be left only by what stands in it. */
  persistent?: boolean;
  children: ComponentChildren;
}

export function Dialog({ title, onClose, kind = "middle", persistent = false, children }: DialogProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    const element = dialog.current!;
    element.showModal();
    return () => element.close();
  }, []);
  return (
    <dialog
      ref={dialog}
      class={`dialog ${kind}`}
      aria-labelledby={id}
      closedby={persistent ? "none" : "any"}
      onCancel={(event) => {
        if (persistent) event.preventDefault();
      }}
      onClose={onClose}
    >
      <header>
        <h2 id={id}>{title}</h2>
        {!persistent && (
          <button class="quiet" type="button" aria-label="Close" onClick={() => dialog.current?.close()}>
            <Icon name="close" />
          </button>
        )}
      </header>
      <div class="content">{children}</div>
    </dialog>
  );
}

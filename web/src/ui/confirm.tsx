/** Asks before something that concerns much, or can't be taken back; and says so when it did not work. */
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { Dialog } from "./dialog.tsx";
import { ErrorNote } from "./status.tsx";

interface ConfirmProps {
  title: string;
  /** On the button: what is done, as a verb. */
  action: string;
  danger?: boolean;
  /** The dialog stays open while it runs, and when it fails. */
  run: () => Promise<unknown>;
  onClose: () => void;
  children: ComponentChildren;
}

export function Confirm({ title, action, danger = false, run, onClose, children }: ConfirmProps) {
  const [busy, setBusy] = useState(false);
  const [trouble, setTrouble] = useState<string | null>(null);
  async function go(): Promise<void> {
    setBusy(true);
    setTrouble(null);
    try {
      await run();
      onClose();
    } catch (error) {
      setTrouble((error as Error).message);
      setBusy(false);
    }
  }
  return (
    <Dialog title={title} onClose={onClose}>
      <div class="stack">
        {children}
        {trouble !== null && <ErrorNote>{trouble}</ErrorNote>}
        <div class="actions">
          <button class={danger ? "danger" : "primary"} type="button" disabled={busy} onClick={go}>
            {action}
          </button>
          <button type="button" onClick={onClose}>
            Keep as it is
          </button>
        </div>
      </div>
    </Dialog>
  );
}

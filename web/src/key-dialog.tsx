import { useEffect, useRef } from "preact/hooks";
import { apiKey, keepApiKey } from "./api.ts";

/** Asks for the API key after the server refused a request without one, or with a wrong one. */
export function KeyDialog({ onKey }: { onKey: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const input = useRef<HTMLInputElement>(null);
  const refused = apiKey() !== null;
  useEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog
      ref={dialog}
      class="key"
      aria-labelledby="key-title"
      // Nothing on the page works without a key, so there is nothing to go back to.
      onCancel={(event) => event.preventDefault()}
    >
      <form
        onSubmit={(event) => {
          event.preventDefault();
          const key = input.current?.value.trim();
          if (!key) return;
          keepApiKey(key);
          onKey();
        }}
      >
        <h2 id="key-title">This server asks for an API key</h2>
        {refused && (
          <p class="error" role="alert">
            The key given before was not accepted.
          </p>
        )}
        <label for="key">API key</label>
        <input ref={input} id="key" type="password" autocomplete="off" spellcheck={false} required />
        <p class="hint">
          <code>sluice keys create</code> makes one. It stays in this tab until you close it.
        </p>
        <button class="primary" type="submit">
          Continue
        </button>
      </form>
    </dialog>
  );
}

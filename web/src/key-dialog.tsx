/** Asks for the API key after the server refused a request without one, or with a wrong one. */
import { useRef } from "preact/hooks";
import { apiKey, useKey } from "./session.ts";
import { Dialog } from "./ui/dialog.tsx";
import { ErrorNote } from "./ui/status.tsx";

export function KeyDialog() {
  const input = useRef<HTMLInputElement>(null);
  return (
    // Nothing on the page works without a key, so there is nothing to go back to.
    <Dialog title="This server asks for an API key" persistent onClose={() => {}}>
      <form
        class="stack"
        onSubmit={(event) => {
          event.preventDefault();
          const key = input.current?.value.trim();
          if (key) useKey(key);
        }}
      >
        {apiKey() !== undefined && <ErrorNote>The key given before was not accepted.</ErrorNote>}
        <label for="key">API key</label>
        <input ref={input} id="key" type="password" autocomplete="off" spellcheck={false} required />
        <p class="hint">
          <code>sluice keys create</code> makes one. It stays in this tab until you close it.
        </p>
        <button class="primary" type="submit">
          Continue
        </button>
      </form>
    </Dialog>
  );
}

/** What the keyboard can do anywhere on the page. */
import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { navigate } from "./router.tsx";
import { Dialog } from "./ui/dialog.tsx";

const shown = signal(false);
/** Within this time of a `g`, the next letter names a screen. */
const SECOND_KEY_MS = 1_500;

const screens: Record<string, { path: string; name: string }> = {
  u: { path: "/", name: "Upload" },
  d: { path: "/documents", name: "Documents" },
  s: { path: "/search", name: "Search" },
  o: { path: "/operations", name: "Operations" },
  t: { path: "/settings", name: "Settings" },
};

/** What documents-screen.tsx takes. */
const listKeys = [
  { keys: ["j", "k"], does: "Next and previous document" },
  { keys: ["x"], does: "Select it, or not; with Shift all up to it" },
  { keys: ["a", "Esc"], does: "Select all that match, or none" },
  { keys: ["Enter"], does: "Open it" },
  { keys: ["Delete"], does: "Delete those selected, after a question" },
];

/** Whether a key press is meant for what has the focus. */
export function isTyping({ target }: KeyboardEvent): boolean {
  return (
    target instanceof HTMLElement &&
    (target.isContentEditable || target.matches("input:not([type=checkbox]), textarea, select"))
  );
}

export function useShortcuts(): void {
  useEffect(() => {
    let prefixed = Number.NEGATIVE_INFINITY;
    function pressed(event: KeyboardEvent): void {
      if (event.defaultPrevented || event.metaKey || event.ctrlKey || event.altKey || isTyping(event)) return;
      // A dialog has the page to itself.
      if (document.querySelector("dialog[open]")) return;
      const screen = event.timeStamp - prefixed < SECOND_KEY_MS ? screens[event.key] : undefined;
      prefixed = event.key === "g" ? event.timeStamp : Number.NEGATIVE_INFINITY;
      if (screen) navigate(screen.path);
      else if (event.key === "/") focusSearch();
      else if (event.key === "?") shown.value = true;
      else return;
      event.preventDefault();
    }
    window.addEventListener("keydown", pressed);
    return () => window.removeEventListener("keydown", pressed);
  }, []);
}

/** The search field of the screen, else the search screen's own. */
function focusSearch(): void {
  const field = document.querySelector<HTMLInputElement>("main input[type=search]");
  if (field) field.focus();
  else navigate("/search");
}

export function showShortcuts(): void {
  shown.value = true;
}

export function Shortcuts() {
  if (!shown.value) return null;
  return (
    <Dialog
      title="Keyboard"
      onClose={() => {
        shown.value = false;
      }}
    >
      <dl class="keys">
        <dt>
          <kbd>/</kbd>
        </dt>
        <dd>Search field</dd>
        {Object.entries(screens).map(([key, { name }]) => (
          <>
            <dt>
              <kbd>g</kbd> <kbd>{key}</kbd>
            </dt>
            <dd>{name}</dd>
          </>
        ))}
        <dt>
          <kbd>?</kbd>
        </dt>
        <dd>This list</dd>
        {listKeys.map(({ keys, does }) => (
          <>
            <dt>
              {keys.map((key) => (
                <>
                  <kbd>{key}</kbd>{" "}
                </>
              ))}
            </dt>
            <dd>{does}</dd>
          </>
        ))}
      </dl>
    </Dialog>
  );
}

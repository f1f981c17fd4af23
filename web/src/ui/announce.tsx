/** What is said aloud: changes that a reader of the screen sees and a listener would miss. */
import { signal } from "@preact/signals";

const announcement = signal("");

/** The last one wins; progress is never worth it. */
export function announce(text: string): void {
  announcement.value = text;
}

export function Announcer() {
  return (
    <p class="unseen" aria-live="polite" role="status">
      {announcement}
    </p>
  );
}

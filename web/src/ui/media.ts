/** Whether the window is as narrow as a phone's: the same width at which the styles change. */
import { signal } from "@preact/signals";

const query = window.matchMedia("(max-width: 820px)");

export const narrow = signal(query.matches);

query.addEventListener("change", () => {
  narrow.value = query.matches;
});

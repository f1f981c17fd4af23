/** A key that was just made: it is shown once, also where it has become this tab's own and all else began anew. */
import { signal } from "@preact/signals";
import type { NewKey } from "../../../src/client/index.ts";

/** `own`: this tab goes by it from now on. */
export const madeKey = signal<(NewKey & { own: boolean }) | null>(null);

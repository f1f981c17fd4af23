/** The page's one store of rows, moved by its one stream. */
import { onEvents } from "../live.ts";
import { generation } from "../session.ts";
import { createRowStore } from "./row-store.ts";

export const rows = createRowStore();

onEvents((events) => rows.apply(events));

let current = generation.peek();
generation.subscribe((next) => {
  // Whoever comes next may be somebody else.
  if (next !== current) rows.forget();
  current = next;
});

/** The list that a screen shows: made anew for another query, and there again when one comes back from a document. */
import { useSignal } from "@preact/signals";
import { useEffect, useLayoutEffect, useMemo } from "preact/hooks";
import { onEvents } from "../live.ts";
import { generation, sluice } from "../session.ts";
import { createDocumentList, type DocumentList } from "./document-list.ts";
import type { ListQuery } from "./query.ts";
import { rows } from "./rows.ts";

/** The list that was shown last, and how far it was scrolled. */
let left: { list: DocumentList; generation: number; scrolled: number } | undefined;
let shownAtTop = false;

/** Until this far down, a row that comes in at the top is seen to come. */
const TOP_PX = 160;

const keyOf = (query: ListQuery) => JSON.stringify(query);

interface Listed {
  list: DocumentList;
  /** The list is of an earlier query: the one asked for is still to come. */
  stale: boolean;
}

export function useDocumentList(query: ListQuery): Listed {
  const key = keyOf(query);
  const wanted = useMemo(() => {
    if (left?.generation === generation.peek() && keyOf(left.list.query) === key) return left.list;
    return createDocumentList({
      client: sluice(),
      query,
      rows,
      onEvents,
      atTop: () => shownAtTop && window.scrollY < TOP_PX,
    });
  }, [key]);
  const shown = useSignal(wanted);
  const ready = wanted.error.value !== undefined || wanted.total.value === 0 || wanted.ids.value.length > 0;

  useLayoutEffect(() => {
    shownAtTop = true;
    const back = left?.list === wanted ? left.scrolled : 0;
    if (left && left.list !== wanted) left.list.dispose();
    left = { list: wanted, generation: generation.peek(), scrolled: back };
    return () => {
      if (left?.list === wanted) left.scrolled = window.scrollY;
    };
  }, [wanted]);

  useEffect(() => {
    // Only now is the page as long again as it was.
    if (left && left.scrolled > 0) window.scrollTo(0, left.scrolled);
    return () => {
      shownAtTop = false;
    };
  }, []);

  useEffect(() => {
    if (ready) shown.value = wanted;
  }, [ready, wanted]);

  return { list: shown.value, stale: shown.value !== wanted };
}

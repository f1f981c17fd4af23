/** Which documents are selected: some by name, or all that match. Pure. */

export interface Selection {
  /** All that match the list's query, loaded or not, less `ids`; else `ids` alone. */
  all: boolean;
  ids: ReadonlySet<string>;
  /** Where a range begins that is selected next. */
  anchor: string | undefined;
}

export const nothing: Selection = { all: false, ids: new Set(), anchor: undefined };
export const everything: Selection = { all: true, ids: new Set(), anchor: undefined };

export function isSelected({ all, ids }: Selection, id: string): boolean {
  return all !== ids.has(id);
}

/** @param total how many match the query */
export function countOf({ all, ids }: Selection, total: number): number {
  return all ? Math.max(0, total - ids.size) : ids.size;
}

export function toggle(selection: Selection, id: string): Selection {
  const ids = new Set(selection.ids);
  if (!ids.delete(id)) ids.add(id);
  return { ...selection, ids, anchor: id };
}

/** Makes everything from the anchor to `id` what the anchor is; without an anchor, `id` alone is toggled. */
export function extend(selection: Selection, id: string, order: readonly string[]): Selection {
  const from = selection.anchor === undefined ? -1 : order.indexOf(selection.anchor);
  const to = order.indexOf(id);
  if (from < 0 || to < 0) return toggle(selection, id);
  const selected = isSelected(selection, order[from]!);
  const ids = new Set(selection.ids);
  for (const each of order.slice(Math.min(from, to), Math.max(from, to) + 1)) {
    if (selected === selection.all) ids.delete(each);
    else ids.add(each);
  }
  return { ...selection, ids };
}

/** Without documents that are gone. */
export function without(selection: Selection, gone: readonly string[]): Selection {
  if (!gone.some((id) => selection.ids.has(id))) return selection;
  const ids = new Set(selection.ids);
  for (const id of gone) ids.delete(id);
  return { ...selection, ids };
}

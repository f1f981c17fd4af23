/** Where in its document a chunk stands, in words. Pure. */
import type { Chunk } from "../chunk.ts";

/** Such as `page 3` or `sheet Prices, rows 12–40`; undefined where the format has neither pages nor rows. */
export function placeOf({
  page,
  sheet,
  row_start,
  row_end,
}: Pick<Chunk, "page" | "sheet" | "row_start" | "row_end">): string | undefined {
  const place: string[] = [];
  if (sheet !== null) place.push(`sheet ${sheet}`);
  else if (page !== null) place.push(`page ${page}`);
  if (row_start !== null) {
    place.push(
      row_end === null || row_end === row_start ? `row ${row_start}` : `rows ${row_start}–${row_end}`,
    );
  }
  return place.length === 0 ? undefined : place.join(", ");
}

/** Grids of cells as Markdown tables. */
import type { BlockPlace, TextBuilder } from "./text-builder.ts";

/** One line of a table. */
export function tableRow(cells: readonly string[]): string {
  return `| ${cells.map(cellText).join(" | ")} |`;
}

/** The line below the header row. */
export function tableRule(width: number): string {
  return `| ${Array.from({ length: width }, () => "---").join(" | ")} |`;
}

/** The first row is the header. Rows may differ in length. */
export function markdownTable(grid: readonly string[][]): string {
  const width = widthOf(grid);
  const [head = [], ...body] = grid.map((row) => [...row, ...Array(width - row.length).fill("")]);
  return [tableRow(head), tableRule(width), ...body.map(tableRow)].join("\n");
}

/** A cell on one line, its bars escaped. */
function cellText(text: string): string {
  // Most cells of most tables need nothing, and tables may have millions.
  if (!/[|\s]/.test(text)) return text;
  return text.replace(/\s+/g, " ").trim().replaceAll("|", "\\|");
}

/**
 * Appends a table of a text document. Empty rows and columns go; leading rows of one cell are its title; what is left
 * with a single row or column is no table but paragraphs.
 */
export function addGrid(builder: TextBuilder, grid: readonly string[][], place: BlockPlace = {}): void {
  const rows = grid.filter((row) => row.some((cell) => cell.trim() !== ""));
  const width = widthOf(rows);
  const columns = Array.from({ length: width }, (_, index) => index).filter((index) =>
    rows.some((row) => (row[index] ?? "").trim() !== ""),
  );
  const dense = rows.map((row) => columns.map((index) => row[index] ?? ""));
  while (dense.length > 2 && columns.length > 1 && isTitle(dense[0]!)) {
    builder.add("paragraph", dense.shift()!.join(" "), place);
  }
  if (dense.length > 1 && columns.length > 1) builder.add("table", markdownTable(dense), place);
  else for (const row of dense) builder.add("paragraph", row.filter((cell) => cell !== "").join("\t"), place);
}

function widthOf(grid: readonly string[][]): number {
  return grid.reduce((widest, row) => Math.max(widest, row.length), 0);
}

function isTitle(row: readonly string[]): boolean {
  return row[0]!.trim() !== "" && row.slice(1).every((cell) => cell.trim() === "");
}

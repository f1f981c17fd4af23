/** HTML tables as Markdown tables. Tables that only lay a page out are left to the caller. */
import type { DefaultTreeAdapterTypes as Tree } from "parse5";
import type { Block } from "../../chunk.ts";
import { attribute, isSkipped } from "./html-nodes.ts";
import { markdownTable } from "./table.ts";

type Node = Tree.ChildNode;
type Element = Tree.Element;

/** HTML allows spans of a thousand columns; nobody reads them, and each costs a cell in every row. */
const MOST_SPAN = 64;
/** Characters that still look like one line. */
const LINE = 200;

/**
 * The table's caption and itself, or undefined where it holds blocks of its own (tables, headings, lists): such a
 * table is the frame of a page. A table of a single row or column comes back as paragraphs.
 */
export function readTable(table: Element): { kind: Block["kind"]; text: string }[] | undefined {
  const rows: Element[] = [];
  const captions: string[] = [];
  const open: Node[] = [...table.childNodes].reverse();
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    if (!("tagName" in node)) continue;
    if (isSkipped(node)) continue;
    if (/^(table|h[1-6]|ul|ol|pre|blockquote)$/.test(node.tagName)) return undefined;
    if (node.tagName === "tr") rows.push(node);
    if (node.tagName === "caption") captions.push(inlineText(node));
    for (let index = node.childNodes.length - 1; index >= 0; index--) open.push(node.childNodes[index]!);
  }
  // A single cell with more than a line in it frames a text, which may have paragraphs of its own.
  const cells = gridOf(rows).flat();
  const filled = cells.filter((cell) => cell !== "");
  if (filled.length === 1 && filled[0]!.length > LINE && captions.length === 0) return undefined;
  const grid = compact(mergeSigns(gridOf(rows)));
  const blocks: { kind: Block["kind"]; text: string }[] = captions.map((text) => ({
    kind: "paragraph",
    text,
  }));
  const width = Math.max(0, ...grid.map((row) => row.length));
  if (grid.length === 1 || width === 1) {
    for (const row of grid) {
      const text = row.filter((cell) => cell !== "").join(" ");
      blocks.push({ kind: /^[•◦●▪–-]\s/.test(text) ? "list_item" : "paragraph", text });
    }
  } else if (grid.length > 0) {
    blocks.push({ kind: "table", text: markdownTable(grid) });
  }
  return blocks;
}

/** Cells in their columns; a cell that spans several leaves the others empty. */
function gridOf(rows: Element[]): string[][] {
  const grid: string[][] = [];
  // Per column, how many rows more the cell from above takes.
  const taken: number[] = [];
  for (const row of rows) {
    const cells: string[] = [];
    const skip = () => {
      while ((taken[cells.length] ?? 0) > 0) {
        taken[cells.length]!--;
        cells.push("");
      }
    };
    for (const cell of row.childNodes) {
      if (!("tagName" in cell) || (cell.tagName !== "td" && cell.tagName !== "th")) continue;
      if (isSkipped(cell)) continue;
      skip();
      const rowspan = spanOf(cell, "rowspan");
      const colspan = spanOf(cell, "colspan");
      for (let index = 0; index < colspan; index++) {
        if (rowspan > 1) taken[cells.length] = rowspan - 1;
        cells.push(index === 0 ? inlineText(cell) : "");
      }
    }
    skip();
    grid.push(cells);
  }
  return grid;
}

function spanOf(cell: Element, name: string): number {
  const value = Number.parseInt(attribute(cell, name) ?? "1", 10);
  return value >= 1 ? Math.min(value, MOST_SPAN) : 1;
}

/** Accounts set currency and percent signs in columns of their own: back to their numbers with them. */
function mergeSigns(grid: string[][]): string[][] {
  return grid.map((row) => {
    const cells = [...row];
    for (let index = 0; index < cells.length; index++) {
      if (/^[$€£¥]$|^\($/.test(cells[index]!)) {
        const number = cells.findIndex((cell, place) => place > index && cell !== "");
        if (number === -1 || !/^[\d(—–.-]/.test(cells[number]!)) continue;
        cells[number] = cells[index]! + cells[number];
        cells[index] = "";
      } else if (/^(%|\)|\)%)$/.test(cells[index]!)) {
        const number = cells.findLastIndex((cell, place) => place < index && cell !== "");
        if (number === -1) continue;
        cells[number] = cells[number]! + cells[index]!;
        cells[index] = "";
      }
    }
    return cells;
  });
}

/**
 * Without rows and columns that are empty throughout. A column that only the head uses, and only where its right
 * neighbour is empty, is one with that neighbour: accounts head the column of the currency signs.
 */
function compact(grid: string[][]): string[][] {
  const rows = grid.filter((row) => row.some((cell) => cell !== ""));
  const used = new Set<number>();
  for (const row of rows) for (const [index, cell] of row.entries()) if (cell !== "") used.add(index);
  const columns = [...used].sort((a, b) => a - b);
  const dense = rows.map((row) => columns.map((column) => row[column] ?? ""));
  for (let column = columns.length - 2; column > 0; column--) {
    const isHeadOnly = dense.every(
      (row, index) => row[column] === "" || (index < 2 && row[column + 1] === ""),
    );
    if (!isHeadOnly || dense.length < 3) continue;
    for (const row of dense) row.splice(column, 2, row[column]! + row[column + 1]!);
  }
  return dense;
}

/** All text inside, on one line. */
function inlineText(element: Element): string {
  const parts: string[] = [];
  const open: Node[] = [element];
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    if (node.nodeName === "#text") parts.push((node as Tree.TextNode).value);
    if (!("tagName" in node)) continue;
    if (node !== element && isSkipped(node)) continue;
    // Words in neighbouring blocks are words apart; words in neighbouring spans may be one.
    if (/^(p|div|br|li|td|th)$/.test(node.tagName)) parts.push(" ");
    for (let index = node.childNodes.length - 1; index >= 0; index--) open.push(node.childNodes[index]!);
  }
  return parts
    .join("")
    .replace(/[\s\u00a0]+/g, " ")
    .trim();
}

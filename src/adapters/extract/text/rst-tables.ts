/** The ways reStructuredText has to draw a table. */
import { addGrid } from "../table.ts";
import type { TextBuilder } from "../text-builder.ts";
import { rstInline } from "./rst-inline.ts";

const gridRule = /^\+(?:[-=]+\+)+$/;
const simpleRule = /^=+(?: +=+)+$/;

export function isTableStart(lines: string[], at: number): boolean {
  return gridRule.test(lines[at] ?? "") || simpleRule.test(lines[at] ?? "");
}

export function tableEnd(lines: string[], at: number): number {
  let end = at;
  if (gridRule.test(lines[at]!)) {
    while (end < lines.length && /^[+|]/.test(lines[end]!)) end++;
    return end;
  }
  // A simple table ends with a rule before a blank line; the one below the header may look the same.
  for (end = at + 1; end < lines.length; end++) {
    if (simpleRule.test(lines[end]!) && (lines[end + 1] ?? "") === "") {
      const more = lines.slice(end + 1).findIndex((line) => simpleRule.test(line));
      const isHeadRule = !lines.slice(at + 1, end).some((line) => simpleRule.test(line)) && more === 0;
      if (!isHeadRule) return end + 1;
    }
  }
  return end;
}

export function addRstTable(builder: TextBuilder, lines: string[], kind?: "list" | "csv"): void {
  const grid =
    kind === "list"
      ? listRows(lines)
      : kind === "csv"
        ? csvRows(lines)
        : gridRule.test(lines[0]!)
          ? gridRows(lines)
          : simpleRows(lines);
  addGrid(
    builder,
    grid.map((row) => row.map(rstInline)),
  );
}

/** Columns by the corners of the rules; a cell may go over several lines. */
function gridRows(lines: string[]): string[][] {
  const corners = [...lines[0]!].flatMap((letter, index) => (letter === "+" ? [index] : []));
  const rows: string[][] = [];
  let row: string[] | undefined;
  for (const line of lines) {
    if (/^\+[-=+]+\+$/.test(line)) {
      if (row !== undefined) rows.push(row);
      row = undefined;
      continue;
    }
    row ??= corners.slice(1).map(() => "");
    let from = 0;
    for (let index = 1; index < corners.length; index++) {
      const ends = line[corners[index]!];
      if (ends !== "|" && ends !== "+" && index < corners.length - 1) continue; // Spans columns.
      const part = line.slice(corners[from]! + 1, corners[index]).trim();
      if (!/^[-=]+$/.test(part)) row[from] = `${row[from]} ${part}`.trim();
      from = index;
    }
  }
  return rows;
}

/** Columns by the runs of the rule; a line without words in the first goes on with the row above. */
function simpleRows(lines: string[]): string[][] {
  const starts = [...lines[0]!.matchAll(/=+/g)].map(({ index }) => index);
  const rows: string[][] = [];
  for (const line of lines) {
    if (line === "" || /^[=-]+(?: +[=-]+)*$/.test(line)) continue;
    const cells = starts.map((start, index) => line.slice(start, starts[index + 1]).trim());
    const above = rows.at(-1);
    if (cells[0] === "" && above !== undefined) {
      for (const [index, cell] of cells.entries()) above[index] = `${above[index]} ${cell}`.trim();
    } else rows.push(cells);
  }
  return rows;
}

/** A list of lists. */
function listRows(lines: string[]): string[][] {
  const rows: string[][] = [];
  for (const line of lines) {
    const first = /^\s*\* +- ?(.*)$/.exec(line);
    const next = /^\s+- ?(.*)$/.exec(line);
    if (first !== null) rows.push([first[1]!]);
    else if (next !== null && rows.length > 0) rows.at(-1)!.push(next[1]!);
    else if (line.trim() !== "" && rows.length > 0) {
      const row = rows.at(-1)!;
      row[row.length - 1] += ` ${line.trim()}`;
    }
  }
  return rows;
}

function csvRows(lines: string[]): string[][] {
  return lines
    .filter((line) => line.trim() !== "")
    .map((line) =>
      [...line.matchAll(/\s*(?:"((?:[^"]|"")*)"|([^,]*))(?:,|$)/g)]
        .filter(({ index }) => index < line.length)
        .map(([, quoted, bare]) => quoted?.replaceAll('""', '"') ?? bare!.trim()),
    );
}

/** Figures for people. */
import type { Row, Table } from "./benchmark.ts";
import type { Machine } from "./machine.ts";
import { rounded } from "./statistics.ts";

export function renderMachine(machine: Machine): string {
  const { cpu, cores, memory_gib, system, node, sqlite, filesystem, fsync_ms, load_before } = machine;
  return [
    `${cpu}, ${cores} ${cores === 1 ? "core" : "cores"}, ${memory_gib} GiB, ${system}`,
    `Node ${node}, SQLite ${sqlite}, ${filesystem}, 4 KiB write + fsync ${fsync_ms} ms, load before ${load_before}`,
  ].join("\n");
}

export function renderTable({ title, rows, notes = [] }: Table): string {
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const cells = rows.map((row) => columns.map((column) => show(row[column])));
  const widths = columns.map((column, place) =>
    Math.max(column.length, ...cells.map((line) => (line[place] as string).length)),
  );
  const isText = columns.map((column) => rows.some((row) => typeof row[column] === "string"));
  const line = (texts: string[]) =>
    texts
      .map((text, place) => {
        const width = widths[place] as number;
        return isText[place] ? text.padEnd(width) : text.padStart(width);
      })
      .join("  ")
      .trimEnd();
  const body = [line(columns), line(widths.map((width) => "-".repeat(width))), ...cells.map(line)];
  return [title, ...body.map((text) => `  ${text}`), ...notes.map((note) => `  ${note}`)].join("\n");
}

function show(value: Row[string] | undefined): string {
  if (value === undefined || value === null) return "";
  if (typeof value === "string") return value;
  const short = rounded(value);
  return Math.abs(short) >= 10_000 ? short.toLocaleString("en-US") : String(short);
}

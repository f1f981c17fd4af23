/** Jupyter notebooks (nbformat 4): their words as Markdown has them, their code, and what it printed. */
import { scanMarkdown } from "../markdown.ts";
import type { TextBuilder } from "../text-builder.ts";

interface Cell {
  cell_type?: unknown;
  source?: unknown;
  outputs?: unknown;
}

export function isNotebook(value: unknown): value is { cells: Cell[] } {
  return (
    typeof value === "object" &&
    value !== null &&
    "nbformat" in value &&
    "cells" in value &&
    Array.isArray(value.cells)
  );
}

/** @returns the first heading */
export function addNotebook(builder: TextBuilder, { cells }: { cells: Cell[] }): string | null {
  let title: string | null = null;
  for (const cell of cells) {
    const source = joined(cell.source);
    if (cell.cell_type === "code") {
      builder.add("code", source);
      for (const output of Array.isArray(cell.outputs) ? cell.outputs : []) addOutput(builder, output);
    } else if (cell.cell_type === "markdown") {
      const found = scanMarkdown(source);
      title ??= found.title;
      for (const { kind, level, char_start, char_end } of found.blocks) {
        const text = source.slice(char_start, char_end);
        const place = level === null ? {} : { level };
        builder.add(kind, kind === "heading" ? text.replace(/^\s*#{1,6}\s+/, "") : text, place);
      }
    } else builder.add("paragraph", source);
  }
  return title;
}

function addOutput(builder: TextBuilder, output: unknown): void {
  if (typeof output !== "object" || output === null) return;
  const { text, data } = output as { text?: unknown; data?: Record<string, unknown> };
  builder.add("code", joined(text) || joined(data?.["text/plain"]));
}

/** Text comes whole, or as lines. */
function joined(text: unknown): string {
  if (typeof text === "string") return text;
  return Array.isArray(text) ? text.filter((line) => typeof line === "string").join("") : "";
}

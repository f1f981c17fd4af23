/** Paragraphs, list items and tables of an RTF file, as its control words end them. */
import { addGrid } from "../table.ts";
import type { TextBuilder } from "../text-builder.ts";

export interface Paragraphs {
  /** Text of the paragraph at hand, in pieces. */
  main: string[];
  control(word: string, value: number | undefined): void;
  /** Takes in a part of a style's name. */
  style(number: number, name: string): void;
  useStyle(number: number): void;
  /** The mark or number of a list item, as the program drew it. */
  label(text: string): void;
  note(text: string): void;
  title(): string | null;
  end(): void;
}

export function createParagraphs(builder: TextBuilder): Paragraphs {
  const main: string[] = [];
  const styles = new Map<number, string>();
  let notes: string[] = [];
  let label: string | undefined;
  let style = 0;
  let outline: number | undefined;
  let level = 0;
  let inTable = false;
  let cell: string[] = [];
  let row: string[] = [];
  let rows: string[][] = [];
  let title: string | null = null;

  const take = () => {
    const text = main.splice(0).join("");
    const mark = label;
    label = undefined;
    return { text, mark };
  };
  const flushTable = () => {
    if (cell.length > 0 || row.length > 0) endRow();
    if (rows.length > 0) addGrid(builder, rows);
    rows = [];
  };
  const endCell = () => {
    const { text } = take();
    row.push([...cell, text].filter((part) => part.trim() !== "").join(" "));
    cell = [];
  };
  const endRow = () => {
    if (cell.length > 0 || main.length > 0) endCell();
    if (row.length > 0) rows.push(row);
    row = [];
  };
  const flushNotes = () => {
    for (const note of notes) builder.add("footnote", note);
    notes = [];
  };
  const endParagraph = () => {
    const { text, mark } = take();
    if (inTable) {
      cell.push(mark === undefined ? text : `${markOf(mark)} ${text}`);
      return;
    }
    flushTable();
    const heading = outline ?? headingLevel(styles.get(style));
    const words = text.trim();
    if (heading !== undefined && words !== "" && words.length <= 1_000) {
      const numbered = mark !== undefined && /[\p{L}\p{N}]/u.test(mark) ? `${mark.trim()} ${words}` : words;
      if (heading === 1) title ??= words;
      builder.add("heading", numbered, { level: heading });
    } else if (mark !== undefined && words !== "") {
      builder.add("list_item", `${"  ".repeat(level)}${markOf(mark)} ${words}`);
    } else builder.add("paragraph", text);
    flushNotes();
  };

  return {
    main,
    style(number, name) {
      const text = ((styles.get(number) ?? "") + name).replace(/;.*/, "");
      styles.set(number, text.trim());
    },
    useStyle(number) {
      style = number;
    },
    label(text) {
      label = text;
    },
    note: (text) => notes.push(text),
    title: () => title,
    control(word, value) {
      switch (word) {
        case "pard":
          style = 0;
          outline = undefined;
          level = 0;
          inTable = false;
          break;
        case "par":
        case "sect":
        case "page":
          endParagraph();
          break;
        case "outlinelevel":
          outline = value !== undefined && value < 9 ? value + 1 : undefined;
          break;
        case "ilvl":
          level = Math.min(8, value ?? 0);
          break;
        case "intbl":
          inTable = true;
          break;
        case "trowd":
          // The row's shape comes before its cells, and often once more after them.
          if (!inTable) flushTableless();
          break;
        case "cell":
          endCell();
          break;
        case "nestcell":
          cell.push(main.splice(0).join(""));
          break;
        case "row":
          endRow();
          break;
      }
    },
    end() {
      if (!inTable || main.join("").trim() !== "") endParagraph();
      flushTable();
      flushNotes();
    },
  };

  /** A paragraph that no `\par` has ended stands before a table. */
  function flushTableless(): void {
    if (main.join("").trim() !== "") endParagraph();
  }
}

function headingLevel(name: string | undefined): number | undefined {
  const level = /^heading ([1-9])$/i.exec(name ?? "")?.[1];
  if (level !== undefined) return Number(level);
  return /^title$/i.test(name ?? "") ? 1 : undefined;
}

/** Bullets of whatever font are one mark. */
function markOf(label: string): string {
  const mark = label.trim();
  return /[\p{L}\p{N}]/u.test(mark) && mark.length <= 12 && mark !== "o" ? mark : "-";
}

/** The text of a Word paragraph, and what hangs on it: notes, comments, boxes, drawings. */
import { linkText } from "../links.ts";
import { attributeOf, isElement, pathOf, textOf, type XmlElement } from "../xml.ts";
import { drawingsIn } from "./drawing.ts";
import { isOn, type Relation } from "./package.ts";

export interface ParagraphText {
  text: string;
  /** The page on which its first letter stands, as Word last laid it out. */
  page: number;
  notes: { type: "footnote" | "endnote" | "comment"; id: string }[];
  /** Contents of text boxes that are anchored here. */
  boxes: XmlElement[];
  /** Ids of charts and diagrams. */
  drawings: string[];
}

/** What goes on from one paragraph to the next. */
export interface TextState {
  relations: ReadonlyMap<string, Relation>;
  fields: Field[];
  page: number;
}

interface Field {
  instruction: string;
  /** Where its result begins in the paragraph; undefined before. */
  from: number | undefined;
}

/** What is not, or no longer, part of the text. */
const skipped = new Set(
  "pPr rPr del moveFrom delText delInstrText Fallback sdtPr rt tblPr trPr tcPr rubyPr footnoteRef endnoteRef annotationRef".split(
    " ",
  ),
);

export function paragraphText(paragraph: XmlElement, state: TextState): ParagraphText {
  const found: ParagraphText = { text: "", page: state.page, notes: [], boxes: [], drawings: [] };
  const parts: string[] = [];
  for (const field of state.fields) if (field.from !== undefined) field.from = 0;

  const write = (text: string) => {
    if (text === "" || state.fields.some(({ from }) => from === undefined)) return;
    if (text.trim() !== "" && parts.every((part) => part.trim() === "")) found.page = state.page;
    parts.push(text);
  };
  const link = (from: number, address: string | undefined) => {
    const words = parts.splice(from).join("");
    if (words !== "") parts.push(linkText(words, address));
  };
  const field = (mark: XmlElement) => {
    const type = attributeOf(mark, "fldCharType");
    if (type === "begin") state.fields.push({ instruction: "", from: undefined });
    else if (type === "separate") {
      const open = state.fields.at(-1);
      if (open !== undefined) open.from = parts.length;
    } else if (type === "end") {
      const ended = state.fields.pop();
      if (ended?.from !== undefined) link(ended.from, addressOf(ended.instruction));
    }
  };
  const visit = (parent: XmlElement) => {
    for (const node of parent.children) {
      if (!isElement(node) || skipped.has(node.name)) continue;
      switch (node.name) {
        case "t":
          write(textOf(node));
          break;
        case "r":
          if (!isOn(pathOf(node, "rPr", "vanish"))) visit(node);
          break;
        case "instrText": {
          const open = state.fields.at(-1);
          if (open !== undefined) open.instruction += textOf(node);
          break;
        }
        case "fldChar":
          field(node);
          break;
        case "fldSimple": {
          const from = parts.length;
          visit(node);
          link(from, addressOf(attributeOf(node, "instr") ?? ""));
          break;
        }
        case "hyperlink": {
          const relation = state.relations.get(attributeOf(node, "r:id") ?? "");
          const from = parts.length;
          visit(node);
          link(from, relation?.external ? relation.target : undefined);
          break;
        }
        case "tab":
        case "ptab":
          write("\t");
          break;
        case "br":
        case "cr":
          write("\n");
          break;
        case "noBreakHyphen":
          write("-");
          break;
        case "sym":
          write(symbol(attributeOf(node, "char")));
          break;
        case "lastRenderedPageBreak":
          state.page++;
          break;
        case "footnoteReference":
        case "endnoteReference":
        case "commentReference": {
          const type = node.name.slice(0, -"Reference".length) as "footnote" | "endnote" | "comment";
          const id = attributeOf(node, "id") ?? "";
          found.notes.push({ type, id });
          if (type !== "comment") write(`[^${type === "endnote" ? "e" : ""}${id}]`);
          break;
        }
        case "drawing":
        case "pict":
        case "object":
          found.boxes.push(...boxesIn(node));
          found.drawings.push(...drawingsIn(node));
          break;
        default:
          visit(node);
      }
    }
  };
  visit(paragraph);
  for (const open of state.fields) if (open.from !== undefined) open.from = 0;
  found.text = parts.join("").trimEnd();
  return found;
}

function addressOf(instruction: string): string | undefined {
  return /^\s*HYPERLINK\s+"([^"]+)"/i.exec(instruction)?.[1];
}

/** A character of a symbol font: what it looks like is not known, but that it marks something is. */
function symbol(code: string | undefined): string {
  const point = Number.parseInt(code ?? "", 16);
  if (Number.isNaN(point) || point > 0x10ffff) return "";
  return point >= 0xf000 && point <= 0xf0ff ? "•" : String.fromCodePoint(point);
}

/** Of two forms of the same drawing, the newer comes first and the other is left out. */
export function boxesIn(drawing: XmlElement): XmlElement[] {
  const boxes: XmlElement[] = [];
  const visit = (parent: XmlElement) => {
    for (const node of parent.children) {
      if (!isElement(node) || node.name === "Fallback") continue;
      if (node.name === "txbxContent") boxes.push(node);
      else visit(node);
    }
  };
  visit(drawing);
  return boxes;
}

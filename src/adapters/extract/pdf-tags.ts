/** A tagged PDF's own account of a page: what is a heading, a list, a table, and in which order to read it. */
import type { Block } from "../../chunk.ts";
import { type Pdfium, readString } from "./pdfium.ts";

/** An element, its text by the numbers that runs carry (`Run.mark`) and its children, in reading order. */
export interface Tag {
  type: string;
  content: (Tag | number)[];
  /** What a picture shows. */
  alternative: string;
}

/** Deeper than any document needs; trees may be made to be endless. */
const DEPTH = 40;
const ELEMENTS = 20_000;

/** The page's elements, and the language that they name; empty where the document is not tagged. */
export function readTags(pdfium: Pdfium, page: number): { tags: Tag[]; language: string } {
  const tree = pdfium._FPDF_StructTree_GetForPage(page);
  if (tree === 0) return { tags: [], language: "" };
  try {
    let left = ELEMENTS;
    let language = "";
    const read = (element: number, depth: number): Tag => {
      left--;
      language ||= readString(pdfium, (at, bytes) => pdfium._FPDF_StructElement_GetLang(element, at, bytes));
      const content: Tag["content"] = [];
      const children = depth < DEPTH ? pdfium._FPDF_StructElement_CountChildren(element) : 0;
      for (let index = 0; index < children && left > 0; index++) {
        const child = pdfium._FPDF_StructElement_GetChildAtIndex(element, index);
        if (child !== 0) content.push(read(child, depth + 1));
        else {
          const mark = pdfium._FPDF_StructElement_GetChildMarkedContentID(element, index);
          if (mark >= 0) content.push(mark);
        }
      }
      return {
        type: readString(pdfium, (at, bytes) => pdfium._FPDF_StructElement_GetType(element, at, bytes)),
        content,
        alternative: readString(pdfium, (at, bytes) =>
          pdfium._FPDF_StructElement_GetAltText(element, at, bytes),
        ),
      };
    };
    const count = pdfium._FPDF_StructTree_CountChildren(tree);
    const tags = Array.from({ length: Math.min(Math.max(0, count), ELEMENTS) }, (_, index) => {
      const element = pdfium._FPDF_StructTree_GetChildAtIndex(tree, index);
      return element === 0 ? undefined : read(element, 0);
    }).filter((tag) => tag !== undefined);
    return { tags, language };
  } finally {
    pdfium._FPDF_StructTree_Close(tree);
  }
}

/** A block as the tags have it. */
export interface TaggedPart {
  kind: Block["kind"];
  level: number | null;
  marks: number[];
  /** Of a table: the marks of its cells. */
  rows?: number[][][];
  alternative?: string;
}

/** The blocks of a page's tags, in reading order. */
export function partsOf(tags: readonly Tag[]): TaggedPart[] {
  const parts: TaggedPart[] = [];
  for (const tag of tags) addParts(tag, parts, "paragraph");
  return parts.filter(
    ({ marks, rows, alternative }) => marks.length > 0 || rows !== undefined || alternative,
  );
}

const kinds: Record<string, Block["kind"]> = {
  LI: "list_item",
  TOCI: "paragraph",
  Code: "code",
  BlockQuote: "quote",
  Note: "footnote",
  FENote: "footnote",
};

/** Elements that are but words within a block. */
const inline =
  /^(Span|Link|Quote|Reference|BibEntry|Annot|Ruby|RB|RT|RP|Warichu|WT|WP|Em|Strong|Sub|Lbl|Form|Formula|Figure)$/;

function addParts(tag: Tag, parts: TaggedPart[], kind: Block["kind"]): void {
  if (tag.type === "Artifact") return;
  if (tag.type === "Table") {
    parts.push({ kind: "table", level: null, marks: [], rows: rowsOf(tag) });
    return;
  }
  const level = tag.type === "H" || tag.type === "Title" ? 1 : Number(/^H([1-6])$/.exec(tag.type)?.[1] ?? 0);
  if (level > 0) {
    parts.push({ kind: "heading", level, marks: marksOf(tag) });
    return;
  }
  const own = kinds[tag.type] ?? kind;
  // An item's label, its text and what else it holds are one block, up to a list inside of it.
  let open: TaggedPart | undefined;
  for (const child of tag.content) {
    const isInline = typeof child === "number" || inline.test(child.type) || isPlainBody(tag, child);
    if (!isInline) {
      open = undefined;
      addParts(child, parts, own === "paragraph" ? "paragraph" : own);
      continue;
    }
    if (open === undefined) {
      open = { kind: own, level: null, marks: [] };
      parts.push(open);
    }
    if (typeof child === "number") open.marks.push(child);
    else {
      open.marks.push(...marksOf(child));
      if (child.type === "Figure" && child.alternative !== "") {
        parts.push({ kind: "paragraph", level: null, marks: [], alternative: child.alternative });
      }
    }
  }
  if (tag.type === "Figure" && tag.alternative !== "") {
    parts.push({ kind: "paragraph", level: null, marks: [], alternative: tag.alternative });
  }
}

/** The body of a list item, as far as it is nothing but text. */
function isPlainBody(parent: Tag, child: Tag): boolean {
  if (parent.type === "LI" && (child.type === "LBody" || child.type === "P")) return isPlain(child);
  return parent.type === "LBody" && child.type === "P" && isPlain(child);
}

function isPlain(tag: Tag): boolean {
  return tag.content.every(
    (child) =>
      typeof child === "number" ||
      inline.test(child.type) ||
      (/^(P|LBody)$/.test(child.type) && isPlain(child)),
  );
}

function rowsOf(table: Tag): number[][][] {
  const rows: number[][][] = [];
  for (const child of table.content) {
    if (typeof child === "number") continue;
    if (child.type === "TR") {
      rows.push(child.content.filter((cell) => typeof cell !== "number").map(marksOf));
    } else if (/^(THead|TBody|TFoot|Table|Sect|Div|NonStruct)$/.test(child.type)) {
      rows.push(...rowsOf(child));
    }
  }
  return rows;
}

function marksOf(tag: Tag): number[] {
  if (tag.type === "Artifact") return [];
  return tag.content.flatMap((child) => (typeof child === "number" ? [child] : marksOf(child)));
}

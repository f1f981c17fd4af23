/** What charts and diagrams (SmartArt) say: series as a table, boxes as a list. */

import { addGrid } from "../table.ts";
import type { BlockPlace, TextBuilder } from "../text-builder.ts";
import {
  attributeOf,
  childOf,
  childrenOf,
  descendantsOf,
  isElement,
  pathOf,
  textOf,
  type XmlElement,
} from "../xml.ts";
import type { OfficePackage } from "./package.ts";

/** Rows of a chart's table; what has more is a cloud of points. */
const MOST_POINTS = 200;

/** Ids of the charts and diagrams that a drawing shows. */
export function drawingsIn(drawing: XmlElement): string[] {
  return descendantsOf(drawing, "graphicData").flatMap((data) => {
    const id = attributeOf(childOf(data, "chart"), "r:id") ?? attributeOf(childOf(data, "relIds"), "r:dm");
    return id === undefined ? [] : [id];
  });
}

/** Appends the text of the part that a drawing refers to. */
export async function addDrawing(
  office: OfficePackage,
  part: string,
  builder: TextBuilder,
  place: BlockPlace = {},
): Promise<void> {
  const root = await office.part(part);
  if (root?.name === "chartSpace") addChart(root, builder, place);
  else if (root?.name === "dataModel") {
    for (const point of descendantsOf(root, "pt")) {
      const text = runsOf(childOf(point, "t")).trim();
      if (text !== "") builder.add("list_item", `- ${text.replace(/\s*\n\s*/g, " ")}`, place);
    }
  }
}

function addChart(root: XmlElement, builder: TextBuilder, place: BlockPlace): void {
  const chart = childOf(root, "chart");
  const title = runsOf(pathOf(chart, "title", "tx")).trim();
  if (title !== "") builder.add("paragraph", title, place);
  const series = descendantsOf(childOf(chart, "plotArea"), "ser");
  const rows = new Map<string, string[]>();
  const names: string[] = [];
  for (const [index, one] of series.entries()) {
    names.push(pointsOf(childOf(one, "tx")).get("0") ?? "");
    const categories = pointsOf(childOf(one, "cat") ?? childOf(one, "xVal"));
    const values = pointsOf(childOf(one, "val") ?? childOf(one, "yVal"));
    for (const [at, value] of values) {
      const label = categories.get(at) ?? String(Number(at) + 1);
      const row = rows.get(`${at}:${label}`) ?? [label];
      row[index + 1] = value;
      rows.set(`${at}:${label}`, row);
    }
  }
  if (rows.size === 0 || rows.size > MOST_POINTS) return;
  const axis = descendantsOf(childOf(chart, "plotArea"), "catAx")[0];
  const head = [runsOf(pathOf(axis, "title", "tx")).trim(), ...names];
  addGrid(builder, [head, ...[...rows.values()].map((row) => Array.from(row, (cell) => cell ?? ""))], place);
}

/** The values that the chart keeps of its sheet, by index. */
function pointsOf(data: XmlElement | undefined): Map<string, string> {
  const points = new Map<string, string>();
  for (const point of descendantsOf(data, "pt")) {
    const value = textOf(childOf(point, "v")).trim();
    points.set(
      attributeOf(point, "idx") ?? "",
      Number.isNaN(Number(value)) ? value : String(Number(Number(value).toPrecision(12))),
    );
  }
  return points;
}

/** The words of DrawingML text, a line for each paragraph. */
export function runsOf(parent: XmlElement | undefined): string {
  return descendantsOf(parent, "p")
    .map((paragraph) => drawnText(paragraph))
    .join("\n");
}

/** The words of one DrawingML paragraph. */
export function drawnText(paragraph: XmlElement, link?: (words: string, run: XmlElement) => string): string {
  return paragraph.children
    .filter((node) => isElement(node))
    .map((node) => {
      if (node.name === "br") return "\n";
      if (node.name === "r" || node.name === "fld") {
        const words = childrenOf(node, "t").map(textOf).join("");
        return link === undefined ? words : link(words, node);
      }
      return descendantsOf(node, "t").map(textOf).join("");
    })
    .join("");
}

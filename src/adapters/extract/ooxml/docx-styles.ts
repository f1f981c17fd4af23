/** What a Word paragraph's styles and numbering make of it. */
import { formatted } from "../list-numbers.ts";
import { attributeOf, childOf, childrenOf, pathOf, type XmlElement } from "../xml.ts";

export interface ParagraphStyle {
  /** In English and lower case whatever Word's language, where it is a built-in one. */
  name: string;
  /** Heading level from 1, as the style or those it is based on say. */
  heading: number | undefined;
  numbering: { list: string; level: number } | undefined;
}

export type Styles = ReadonlyMap<string, ParagraphStyle>;

export function readStyles(root: XmlElement | undefined): Styles {
  const elements = new Map<string, XmlElement>();
  for (const style of childrenOf(root, "style")) {
    const id = attributeOf(style, "styleId");
    if (id !== undefined) elements.set(id, style);
  }
  const styles = new Map<string, ParagraphStyle>();
  for (const id of elements.keys()) {
    const chain: XmlElement[] = [];
    for (let next: string | undefined = id; next !== undefined; ) {
      const style = elements.get(next);
      if (style === undefined || chain.includes(style)) break;
      chain.push(style);
      next = attributeOf(childOf(style, "basedOn"), "val");
    }
    const names = chain.map((style) => (attributeOf(childOf(style, "name"), "val") ?? "").toLowerCase());
    const outline = chain.map((style) => outlineLevel(childOf(style, "pPr"))).find((level) => level !== null);
    const named = names.map(headingOf).find((level) => level !== undefined);
    styles.set(id, {
      name: names[0] ?? "",
      heading: outline ?? named,
      numbering: numberingIn(chain),
    });
  }
  return styles;
}

function headingOf(name: string): number | undefined {
  const level = /^heading ([1-9])$/.exec(name)?.[1];
  if (level !== undefined) return Number(level);
  return name === "title" ? 1 : undefined;
}

/** From 1; undefined for body text; null where nothing is said. */
export function outlineLevel(properties: XmlElement | undefined): number | undefined | null {
  const value = attributeOf(childOf(properties, "outlineLvl"), "val");
  if (value === undefined) return null;
  const level = Number(value);
  return level >= 0 && level < 9 ? level + 1 : undefined;
}

function numberingIn(chain: XmlElement[]): ParagraphStyle["numbering"] {
  let level: number | undefined;
  for (const style of chain) {
    const numbering = pathOf(style, "pPr", "numPr");
    if (numbering === undefined) continue;
    level ??= numberOf(attributeOf(childOf(numbering, "ilvl"), "val"));
    const list = attributeOf(childOf(numbering, "numId"), "val");
    if (list !== undefined) return list === "0" ? undefined : { list, level: level ?? 0 };
  }
  return undefined;
}

function numberOf(text: string | undefined): number | undefined {
  const number = Number.parseInt(text ?? "", 10);
  return Number.isNaN(number) ? undefined : number;
}

interface Level {
  format: string;
  pattern: string;
  start: number;
}

export interface Numbering {
  /** The label of the next paragraph of a list at a level, counted on: `-` for bullets, `2.1` or `(a)` for numbers, empty for none. */
  label(list: string, level: number): string;
}

export function readNumbering(root: XmlElement | undefined): Numbering {
  const abstracts = new Map<string, Map<number, Level>>();
  for (const element of childrenOf(root, "abstractNum")) {
    abstracts.set(attributeOf(element, "abstractNumId") ?? "", levelsOf(element, "lvl"));
  }
  const lists = new Map<
    string,
    { abstract: string; levels: Map<number, Level>; restarts: Map<number, number> }
  >();
  for (const element of childrenOf(root, "num")) {
    const abstract = attributeOf(childOf(element, "abstractNumId"), "val") ?? "";
    const levels = new Map(abstracts.get(abstract));
    const restarts = new Map<number, number>();
    for (const override of childrenOf(element, "lvlOverride")) {
      const at = Number(attributeOf(override, "ilvl") ?? 0);
      for (const [index, level] of levelsOf(override, "lvl")) levels.set(index, level);
      const start = numberOf(attributeOf(childOf(override, "startOverride"), "val"));
      if (start !== undefined) restarts.set(at, start);
    }
    lists.set(attributeOf(element, "numId") ?? "", { abstract, levels, restarts });
  }
  // Lists of one definition count together, unless one of them says where it starts.
  const counts = new Map<string, number[]>();
  return {
    label(id, at) {
      const list = lists.get(id);
      const level = list?.levels.get(at);
      if (list === undefined || level === undefined || level.format === "bullet") return "-";
      const numbers = counts.get(list.abstract) ?? [];
      counts.set(list.abstract, numbers);
      const restart = list.restarts.get(at);
      list.restarts.delete(at);
      numbers.length = Math.min(numbers.length, at + 1);
      for (let index = 0; index < at; index++) numbers[index] ??= list.levels.get(index)?.start ?? 1;
      numbers[at] = restart ?? (numbers[at] === undefined ? level.start : numbers[at] + 1);
      if (level.format === "none") return "";
      return level.pattern.replace(/%(\d)/g, (_, digit) => {
        const index = Number(digit) - 1;
        return formatted(numbers[index] ?? 1, list.levels.get(index)?.format ?? "decimal");
      });
    },
  };
}

function levelsOf(parent: XmlElement, name: string): Map<number, Level> {
  return new Map(
    childrenOf(parent, name).map((element) => [
      Number(attributeOf(element, "ilvl") ?? 0),
      {
        format: attributeOf(childOf(element, "numFmt"), "val") ?? "decimal",
        pattern: attributeOf(childOf(element, "lvlText"), "val") ?? "",
        start: numberOf(attributeOf(childOf(element, "start"), "val")) ?? 1,
      },
    ]),
  );
}

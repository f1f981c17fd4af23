/**
 * The format of the SMART system, in which the classic collections (ADI, CACM, Medline …) are handed down: `.I 1` begins
 * an item, `.T`, `.W` and other letters begin its fields.
 */
import type { Relevance } from "../collection.ts";

interface Item {
  id: string;
  /** By letter: T title, W words, A authors, K keywords … White space is made single blanks. */
  fields: Record<string, string>;
}

export function parseSmart(text: string): Item[] {
  const items: Item[] = [];
  let field: string | undefined;
  for (const line of text.split(/\r?\n/)) {
    const begins = /^\.I\s+(\S+)\s*$/.exec(line);
    if (begins) {
      items.push({ id: normalId(begins[1] as string), fields: {} });
      field = undefined;
      continue;
    }
    const letter = /^\.([A-Z])\s*$/.exec(line)?.[1];
    const item = items.at(-1);
    if (letter !== undefined) {
      field = letter;
    } else if (item && field !== undefined) {
      item.fields[field] = `${item.fields[field] ?? ""} ${line}`.replaceAll(/\s+/g, " ").trim();
    }
  }
  return items;
}

/**
 * A line is `query document …`, or as TREC has it `query 0 document grade`. Whoever stands in a file of the first kind
 * was found relevant; the numbers after that mean nothing in most of them.
 *
 * @param queries the ids of the queries in their order: in some collections judgements number them by place instead
 */
export function parseSmartJudgements(text: string, queries: readonly string[]): Relevance {
  const rows = text
    .split(/\r?\n/)
    .map((line) => line.trim().split(/\s+/))
    .filter((row) => row.length >= 2);
  const trec = rows.every((row) => row.length === 4 && row[1] === "0");
  const ids = new Set(queries);
  const named = new Set(rows.map(([query]) => normalId(query as string)));
  const byPlace = ![...named].every((id) => ids.has(id));
  const relevance: Relevance = new Map();
  for (const row of rows) {
    const [query, document, grade] = trec ? [row[0], row[2], Number(row[3])] : [row[0], row[1], 1];
    const number = normalId(query as string);
    const id = byPlace ? queries[Number(number) - 1] : number;
    if (id === undefined) throw new Error(`there is no query ${number}`);
    const grades = relevance.get(id) ?? new Map<string, number>();
    relevance.set(id, grades.set(normalId(document as string), grade));
  }
  return relevance;
}

/** "01" and "1" are the same query. */
function normalId(id: string): string {
  return /^\d+$/.test(id) ? String(Number(id)) : id;
}

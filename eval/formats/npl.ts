/** The format of the NPL collection: a number on a line of its own, then text or numbers, then a line with a slash. */
import type { Relevance } from "../collection.ts";

export function parseNpl(text: string): { id: string; text: string }[] {
  return text.split(/^\s*\/\s*$/m).flatMap((item) => {
    const [, id, body] = /^\s*(\d+)\s*\n(.*)$/s.exec(item) ?? [];
    if (id === undefined || body === undefined) return [];
    // Its queries are all capitals, as its time had them.
    return [{ id, text: body.replaceAll(/\s+/g, " ").trim().toLowerCase() }];
  });
}

export function parseNplJudgements(text: string): Relevance {
  return new Map(
    parseNpl(text).map(({ id, text: numbers }) => [
      id,
      new Map(numbers.split(" ").map((document) => [document, 1])),
    ]),
  );
}

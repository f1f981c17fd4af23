/** The layout of the BEIR benchmark: corpus.jsonl, queries.jsonl, qrels/test.tsv. */
import type { Relevance, TestDocument, TestQuery } from "../collection.ts";

export function parseBeirDocuments(text: string): TestDocument[] {
  return linesOf(text).map((line) => {
    const { _id, title = "", text: body } = JSON.parse(line) as { _id: string; title?: string; text: string };
    return { id: String(_id), title, paragraphs: body.split(/\n{2,}/) };
  });
}

export function parseBeirQueries(text: string): TestQuery[] {
  return linesOf(text).map((line) => {
    const { _id, text: asked } = JSON.parse(line) as { _id: string; text: string };
    return { id: String(_id), text: asked };
  });
}

export function parseBeirJudgements(text: string): Relevance {
  const relevance: Relevance = new Map();
  // The first line names the columns.
  for (const line of linesOf(text).slice(1)) {
    const [query, document, grade] = line.split("\t") as [string, string, string];
    const grades = relevance.get(query) ?? new Map<string, number>();
    relevance.set(query, grades.set(document, Number(grade)));
  }
  return relevance;
}

function linesOf(text: string): string[] {
  return text.split(/\r?\n/).filter((line) => line.trim() !== "");
}

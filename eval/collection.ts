/** A test collection: documents, queries, and which documents people found relevant to which query. */
import { readdir, readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { parseBeirDocuments, parseBeirJudgements, parseBeirQueries } from "./formats/beir.ts";
import { parseNpl, parseNplJudgements } from "./formats/npl.ts";
import { parseSmart, parseSmartJudgements } from "./formats/smart.ts";

export interface TestDocument {
  id: string;
  /** Empty where there is none. */
  title: string;
  paragraphs: string[];
}

export interface TestQuery {
  id: string;
  text: string;
}

/** Query → document → grade. */
export type Relevance = Map<string, Map<string, number>>;

export interface Collection {
  name: string;
  documents: TestDocument[];
  /** Those alone that somebody judged. */
  queries: TestQuery[];
  relevance: Relevance;
}

interface Files {
  documents: string;
  queries: string;
  judgements: string;
}

interface Format {
  name: string;
  files: { [Kind in keyof Files]: RegExp };
  read(files: Files): Pick<Collection, "documents" | "queries" | "relevance">;
}

const formats: Format[] = [
  {
    name: "BEIR",
    files: {
      documents: /^corpus\.jsonl$/,
      queries: /^queries\.jsonl$/,
      judgements: /^(qrels\/)?test\.tsv$/,
    },
    read: ({ documents, queries, judgements }) => ({
      documents: parseBeirDocuments(documents),
      queries: parseBeirQueries(queries),
      relevance: parseBeirJudgements(judgements),
    }),
  },
  {
    name: "SMART",
    files: {
      documents: /\.all(\.1400)?$/i,
      queries: /(\.qry|query\.text)$/i,
      judgements: /(\.rel|qrels\.text|cranqrel)$/i,
    },
    read: ({ documents, queries, judgements }) => {
      const asked = parseSmart(queries);
      return {
        documents: parseSmart(documents).map(({ id, fields }) => ({
          id,
          title: fields.T ?? "",
          paragraphs: [fields.W, fields.A, fields.K].filter((text) => text !== undefined),
        })),
        queries: asked.map(({ id, fields }) => ({ id, text: fields.W ?? "" })),
        relevance: parseSmartJudgements(
          judgements,
          asked.map(({ id }) => id),
        ),
      };
    },
  },
  {
    name: "NPL",
    files: { documents: /^doc-text$/, queries: /^query-text$/, judgements: /^rlv-ass$/ },
    read: ({ documents, queries, judgements }) => ({
      documents: parseNpl(documents).map(({ id, text }) => ({ id, title: "", paragraphs: [text] })),
      queries: parseNpl(queries),
      relevance: parseNplJudgements(judgements),
    }),
  },
];

/**
 * Reads the collection in a folder, in whichever format it is.
 *
 * @throws Error when there is none, or when its parts don't fit together
 */
export async function readCollection(folder: string): Promise<Collection> {
  const names = (await readdir(folder, { recursive: true })).map((name) => name.replaceAll("\\", "/")).sort();
  for (const format of formats) {
    const find = (kind: keyof Files) => names.find((name) => format.files[kind].test(name));
    const [documents, queries, judgements] = [find("documents"), find("queries"), find("judgements")];
    if (!documents || !queries || !judgements) continue;
    const read = (name: string) => readFile(join(folder, name), "utf8");
    const found = format.read({
      documents: await read(documents),
      queries: await read(queries),
      judgements: await read(judgements),
    });
    return check({ name: basename(folder), ...found });
  }
  throw new Error(`${folder} holds no test collection in a known format (eval/README.md says which are)`);
}

/** The folder's collections: itself, or those in it, by name. */
export async function readCollections(folder: string, only: readonly string[]): Promise<Collection[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  const folders = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  const isOne = entries.some((entry) => entry.isFile() && !/^readme/i.test(entry.name));
  if (isOne) return [await readCollection(folder)];
  const unknown = only.filter((name) => !folders.includes(name));
  if (unknown.length > 0) throw new Error(`${folder} holds no ${unknown.join(", ")}`);
  const wanted = folders.filter((name) => only.length === 0 || only.includes(name)).sort();
  if (wanted.length === 0) throw new Error(`${folder} holds no collections`);
  return Promise.all(wanted.map((name) => readCollection(join(folder, name))));
}

function check({ name, documents, queries, relevance }: Collection): Collection {
  const ids = new Set(documents.map(({ id }) => id));
  const judged = queries.filter(({ id }) =>
    [...(relevance.get(id)?.values() ?? [])].some((grade) => grade > 0),
  );
  if (documents.length === 0 || judged.length === 0) {
    throw new Error(`${name} has ${documents.length} documents and ${judged.length} judged queries`);
  }
  const foreign = [...relevance.values()]
    .flatMap((grades) => [...grades.keys()])
    .filter((id) => !ids.has(id));
  if (foreign.length > 0) {
    throw new Error(
      `${name}: documents were judged that it does not hold (${foreign.slice(0, 3).join(", ")})`,
    );
  }
  return { name, documents, queries: judged, relevance };
}

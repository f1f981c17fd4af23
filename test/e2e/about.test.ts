/** What documents say of themselves, from the upload to the filter, through real processes and real HTTP. */
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Document } from "../../src/document.ts";
import { makeDocx } from "../fixtures/ooxml.ts";
import { type Line, makePdf } from "../fixtures/pdf.ts";
import { paragraph } from "../fixtures/samples.ts";
import { type Client, createClient } from "./client.ts";
import { type Running, startSluice } from "./processes.ts";

const german = [
  "Die Schleuse wird jeden Morgen um sechs geöffnet. Wer sie durchfahren will, meldet sich beim Wärter und wartet.",
  "Im Winter bleibt sie geschlossen, weil das Eis die Tore beschädigen würde, und niemand darf auf die Mauer steigen.",
];
const english = [
  "The lock opens at six every morning. Whoever wants to pass tells the keeper and waits until the water is up.",
  "In winter it stays closed, because the ice would damage the gates, and nobody may climb onto the wall.",
];
const properties =
  "/Author (A. Keeper) /CreationDate (D:20190305142233+01'00') /ModDate (D:20210101) /Lang (en-GB)";
const pages = english.map((text): Line[] =>
  text.split(". ").map((line, place) => ["F1", 11, 72, 700 - 14 * place, line]),
);

let sluice: Running;
let client: Client;
const ids: Record<string, string> = {};
beforeAll(async () => {
  sluice = await startSluice();
  client = createClient(sluice.url);
  const files: [string, string | Uint8Array, string?][] = [
    ["weirs.docx", makeDocx(german.map((text) => paragraph(text)).join(""), {}, "Wehre am Fluss")],
    ["locks.pdf", makePdf("Locks of the river", pages, { properties })],
    ["notes.txt", `${english.join(" ")}\n`],
    [
      "own.pdf",
      makePdf("Locks, again", pages, { properties }),
      '{"author":"Me","authored_at":1999,"language":"la"}',
    ],
  ];
  for (const [name, content, metadata] of files) {
    const { body } = await client.upload(name, content, metadata === undefined ? {} : { metadata });
    ids[name] = body.document_id;
    await client.ended(body.document_id, body.job_id);
  }
});
afterAll(async () => {
  expect(await sluice.stop()).toBe(0);
});

const get = async (name: string) => (await client.call<Document>("GET", `/v1/documents/${ids[name]}`)).body;
const nameOf = (document_id: string) => Object.keys(ids).find((name) => ids[name] === document_id);

/** What a filter finds: in a search both ways, and in the list. All must be the same. */
async function found(filter: object): Promise<string[]> {
  const searched = async (mode: string) => {
    const { hits } = await client.search({ query: "Schleuse Mauer lock wall", mode, filter, top_k: 100 });
    return [...new Set(hits.map((hit) => nameOf(hit.document_id)))].sort();
  };
  const query = new URLSearchParams({ filter: JSON.stringify(filter) });
  const { documents } = (await client.call<{ documents: Document[] }>("GET", `/v1/documents?${query}`)).body;
  const listed = documents.map(({ document_id }) => nameOf(document_id)).sort();
  expect(await searched("keyword"), JSON.stringify(filter)).toEqual(listed);
  expect(await searched("vector"), JSON.stringify(filter)).toEqual(listed);
  return listed as string[];
}

test("the document, its event, the list and the hits tell what it says of itself", async () => {
  const docx = {
    title: "Wehre am Fluss",
    author: "Ada Lock",
    authored_at: "2024-03-01T08:00:00Z",
    modified_at: "2024-03-02T09:30:00Z",
    language: "de",
    page_count: null,
  };
  const pdf = {
    title: "Locks of the river",
    author: "A. Keeper",
    authored_at: "2019-03-05T13:22:33Z",
    modified_at: "2021-01-01",
    language: "en",
    page_count: 2,
  };
  expect((await get("weirs.docx")).about).toEqual(docx);
  expect((await get("locks.pdf")).about).toEqual(pdf);
  expect((await get("notes.txt")).about).toEqual({
    title: null,
    author: null,
    authored_at: null,
    modified_at: null,
    language: "en",
    page_count: null,
  });
  const events = await client.journey(ids["locks.pdf"]!);
  expect(events.at(-1)).toMatchObject({ event_type: "rag.ingestion.completed", data: { about: pdf } });
  const { hits } = await client.search({ query: "Eis Tore", top_k: 1 });
  expect(hits[0]).toMatchObject({ filename: "weirs.docx", about: docx });
});

test.each<[object, string[]]>([
  [{ author: "A. Keeper" }, ["locks.pdf"]],
  [{ author: "Me" }, ["own.pdf"]],
  [{ title: { in: ["Wehre am Fluss", "Locks, again"] } }, ["own.pdf", "weirs.docx"]],
  [{ language: "en" }, ["locks.pdf", "notes.txt"]],
  [{ language: "DE" }, ["weirs.docx"]],
  [{ language: "la" }, ["own.pdf"]],
  [{ authored_at: { gte: "2019", lt: "2020" } }, ["locks.pdf"]],
  [{ authored_at: { gte: "2019-03-05T13:22:33Z" } }, ["locks.pdf", "weirs.docx"]],
  [{ authored_at: { lt: 2000 } }, ["own.pdf"]],
  [{ modified_at: { gte: "2021", lt: "2022" }, page_count: { gte: 2 } }, ["locks.pdf", "own.pdf"]],
  [{ page_count: { gt: 2 } }, []],
])("the filter %j finds %j", async (filter, names) => {
  expect(await found(filter)).toEqual(names);
});

test("words of the title and the author are found", async () => {
  const { hits } = await client.search({ query: "Fluss", mode: "keyword" });
  expect(hits.map((hit) => nameOf(hit.document_id))).toEqual(["weirs.docx"]);
  const keeper = await client.search({ query: "Ada", mode: "keyword" });
  expect(keeper.hits.map((hit) => nameOf(hit.document_id))).toEqual(["weirs.docx"]);
});

test("a filter that is none is refused, and says why", async () => {
  for (const filter of ["{", '{"a b": 1}', "[]"]) {
    const { status, body } = await client.call<{ code: string; detail: string }>(
      "GET",
      `/v1/documents?${new URLSearchParams({ filter })}`,
    );
    expect({ status, code: body.code }, filter).toEqual({ status: 400, code: "invalid_request" });
    expect(body.detail, filter).toContain("filter");
  }
});

test("a new version replaces all of it", async () => {
  const first = await client.upload("report.pdf", makePdf("First report", pages, { properties }));
  const { document_id } = first.body;
  const { title } = (await client.ended(document_id, first.body.job_id)).about;
  expect(title).toBe("First report");
  const second = await client.upload("report.txt", "Nur ein Satz.", { document_id });
  const { about } = await client.ended(document_id, second.body.job_id);
  expect(Object.values(about)).toEqual([null, null, null, null, null, null]);

  // Its first bytes again, as a third.
  const again = await client.call<{ job_id: string }>("POST", `/v1/documents/${ids["locks.pdf"]}/reingest`);
  const reingested = await client.ended(ids["locks.pdf"]!, again.body.job_id);
  expect(reingested).toMatchObject({ version: 2, about: { title: "Locks of the river", page_count: 2 } });
  expect(await found({ title: "Locks of the river" })).toEqual(["locks.pdf"]);
});

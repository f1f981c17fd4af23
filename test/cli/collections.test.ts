/** `sluice collections` as processes, against a real server. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { CollectionView } from "../../src/collection.ts";
import type { Document } from "../../src/document.ts";
import { createClient } from "../e2e/client.ts";
import { type Running, startSluice } from "../e2e/processes.ts";
import { type CommandResult, run } from "./run.ts";

let folder: string;
let server: Running;
let client: ReturnType<typeof createClient>;
const sluice = (...args: string[]): Promise<CommandResult> => run(server.env, ["collections", ...args]);

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "sluice-collections-"));
  server = await startSluice({ env: { SLUICE_WORKERS: "1" } });
  client = createClient(server.url);
});
afterAll(async () => {
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function documentsOf(collection: string): Promise<Document[]> {
  const path = `/v1/documents?collection=${collection}`;
  return (await client.call<{ documents: Document[] }>("GET", path)).body.documents;
}

const text = Array.from(
  { length: 30 },
  (_, at) => `Paragraph ${at} tells of a sluice, and of boats that wait.`,
);

test("set changes what it names, show and list tell, and reingest applies it to what is there", async () => {
  mkdirSync(join(folder, "papers"));
  for (const name of ["a", "b"])
    writeFileSync(join(folder, "papers", `${name}.txt`), `${name}\n\n${text.join("\n\n")}`);
  const ingested = await run(server.env, ["ingest", join(folder, "papers"), "-c", "papers"]);
  expect(ingested.code, ingested.stderr).toBe(0);
  const before = await documentsOf("papers");
  expect(before.map(({ version }) => version)).toEqual([1, 1]);
  const chunksBefore = before[0]!.chunks_created;

  const set = await sluice("set", "papers", "--max-tokens", "24", "--overlap-tokens", "0");
  expect([set.code, set.stderr]).toEqual([
    0,
    "It holds for documents ingested from now on. `sluice collections reingest papers` applies it to the 2 already there.\n",
  ]);
  expect(set.stdout).toBe(
    [
      "collection  papers",
      "documents   2",
      "strategy    structure (the server's)",
      "max tokens  24",
      "overlap     0",
      "header      off (the server's)",
      "",
    ].join("\n"),
  );
  // Of the two, one is taken back and one stays.
  const more = await sluice("set", "papers", "--overlap-tokens", "default", "--json");
  expect(more.json<CollectionView>()).toEqual([
    expect.objectContaining({
      collection: "papers",
      documents: 2,
      chunking: { strategy: null, max_tokens: 24, overlap_tokens: null, contextual_header: null },
    }),
  ]);
  expect((await sluice("show", "papers", "--json")).json()).toEqual(more.json());
  expect((await documentsOf("papers")).map(({ version }) => version)).toEqual([1, 1]);

  const again = await sluice("reingest", "papers", "--json");
  expect(again.json()).toEqual([{ collection: "papers", queued: 2, under_way: 0, gone: 0 }]);
  await expect
    .poll(async () => (await documentsOf("papers")).map(({ searchable_version }) => searchable_version), {
      timeout: 30_000,
    })
    .toEqual([2, 2]);
  for (const { chunks_created } of await documentsOf("papers")) {
    expect(chunks_created).toBeGreaterThan(chunksBefore);
  }
});

test("list shows those with settings and those with documents; reset takes settings back", async () => {
  const one = join(folder, "one.txt");
  writeFileSync(one, "One document.");
  expect((await run(server.env, ["ingest", one, "-c", "held"])).code).toBe(0);
  await sluice("set", "later", "--strategy", "page", "--contextual-header", "on");
  const listed = await sluice();
  expect(listed.code).toBe(0);
  const lines = listed.stdout.split("\n").map((line) => line.split(/\s{2,}/));
  expect(lines[0]).toEqual(["COLLECTION", "DOCUMENTS", "STRATEGY", "MAX TOKENS", "OVERLAP", "HEADER"]);
  expect(lines.find(([name]) => name === "held")).toEqual(["held", "1", "structure", "256", "32", "off"]);
  expect(lines.find(([name]) => name === "later")).toEqual(["later", "0", "page*", "256", "32", "on*"]);
  expect(listed.stderr).toContain("* set for the collection");
  const names = (await sluice("list", "--json")).json<CollectionView>().map(({ collection }) => collection);
  expect(names).toEqual([...names].sort());
  expect(names).toEqual(expect.arrayContaining(["held", "later"]));

  expect((await sluice("reset", "later")).stdout).toContain("later is as the server is set");
  const gone = await sluice("show", "later");
  expect(gone.code).toBe(1);
  expect(gone.stderr).toContain("There is no collection later");
});

test("a wrong call says what is right, with exit code 2; what the server refuses, with 1", async () => {
  for (const [args, said] of [
    [["set", "x"], "What is to be set?"],
    [["set", "x", "--strategy", "semantic"], "structure, fixed, sentence, page or default, not semantic"],
    [["set", "x", "--max-tokens", "many"], "--max-tokens: it is a whole number or default"],
    [["set", "x", "--contextual-header", "yes"], "on, off or default"],
    [["set"], "missing required argument"],
  ] as const) {
    const { code, stderr } = await sluice(...args);
    expect([code, stderr], args.join(" ")).toEqual([2, expect.stringContaining(said)]);
  }
  for (const [args, said] of [
    [["set", "x", "--max-tokens", "8193"], "max_tokens"],
    [["set", "x", "--max-tokens", "100", "--overlap-tokens", "60"], "more than half"],
    [["set", "no name", "--max-tokens", "100"], "collection"],
    [["reingest", "nothing"], "There is no collection nothing"],
    [["reset", "nothing"], "has no settings of its own"],
  ] as const) {
    const { code, stderr } = await sluice(...args);
    expect([code, stderr], args.join(" ")).toEqual([1, expect.stringContaining(said)]);
  }
  expect((await sluice("list", "--json")).stdout).not.toContain('"x"');
});

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, onTestFinished, test } from "vitest";
import { aboutNothing } from "../../../src/about.ts";
import { queryWordsOf, separateWords, wordsOf } from "../../../src/adapters/keywords.ts";
import { createSystem } from "../../../src/adapters/node/system.ts";
import { migrations } from "../../../src/adapters/sqlite/migrations.ts";
import { openDatabase } from "../../../src/adapters/sqlite/schema.ts";
import { DATABASE_FILE, openSqliteStorage } from "../../../src/adapters/sqlite/storage.ts";
import { openRig, tenant_id } from "../../support/rig.ts";

test("words of a query: each once, without stop words, unless there is nothing else", () => {
  expect(queryWordsOf("What is the price of Steel, and of steel?")).toEqual(["price", "steel"]);
  expect(queryWordsOf("To be or not to be")).toEqual(["to", "be", "or", "not"]);
  expect(queryWordsOf("don't")).toEqual(["don"]);
  expect(queryWordsOf("… ?!")).toEqual([]);
  expect(queryWordsOf(Array.from({ length: 100 }, (_, n) => `w${n}`).join(" "))).toHaveLength(64);
});

test("words of scripts without spaces: characters and pairs of a text, pairs of a query", () => {
  expect(wordsOf("水門は a")).toEqual(["水", "門", "は", "水門", "門は", "a"]);
  expect(queryWordsOf("水門は")).toEqual(["水門", "門は"]);
  expect(queryWordsOf("水")).toEqual(["水"]);
  expect(queryWordsOf("東京tower 2")).toEqual(["東京", "tower", "2"]);
  expect(separateWords("plain text\nas it is")).toBe("plain text\nas it is");
});

/** A database as the release before stemming left it: one document, its chunk and its entry. */
async function openOld() {
  const folder = await mkdtemp(join(tmpdir(), "sluice-old-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const db = openDatabase(join(folder, DATABASE_FILE));
  for (const sql of migrations.slice(0, 3)) db.exec(sql as string);
  db.exec(`
    INSERT INTO documents VALUES ('doc_1', 't1', 'c', 'Annual-Report.pdf', 'text/plain', 1, '00', 'completed', NULL, 1,
      1, NULL, 1, 1, 1, '{}', '2026-01-01', '2026-01-01', 'cor_1', 'job_1', 1, 0);
    INSERT INTO chunks VALUES (7, 'doc_1', 1, 0, 'Pilots guided ships. 水門は', NULL, 0, 20, '["Harbours","Channels"]', 5, 1),
      (8, 'doc_1', 1, 1, 'not indexed: ships', NULL, 0, 20, '[]', 5, 0);
    INSERT INTO chunks_fts (rowid, text, headings) VALUES (7, 'Pilots guided ships. 水門は', 'Harbours Channels');
    PRAGMA user_version = 3;`);
  db.close();
  return folder;
}

test("an index of before is made anew from its chunks when it is opened", async () => {
  const folder = await openOld();
  const embedder = { embedder_id: "test@1", dimensions: 8 };
  const storage = await openSqliteStorage({ folder, system: createSystem(), embedder });
  onTestFinished(storage.close);
  for (const words of ["ship", "guiding", "harbour", "channel", "report", "水門"]) {
    expect(await storage.index.matching({ tenant_id: "t1" }, words, 10), words).toMatchObject([
      { document_id: "doc_1", version: 1 },
    ]);
  }
  expect(await storage.index.matching({ tenant_id: "t2" }, "ship", 10)).toEqual([]);
  // Nobody knows what such a document says of itself, until it is read again.
  expect((await storage.documents.getDocument("t1", "doc_1"))?.about).toEqual(aboutNothing);
  expect(await storage.documents.listDocuments({ tenant_id: "t1", filter: { title: {} }, limit: 9 })).toEqual(
    [],
  );
});

test("in a large index the costliest words are left out where there are others, and rare ones still found", async () => {
  const rig = await openRig();
  const document_id = await rig.searchable("quartz is common and seldom basalt");
  const db = new DatabaseSync(join(rig.folder as string, DATABASE_FILE));
  // Entries of nobody, as many as make a search look at what its words cost.
  db.exec(`INSERT INTO chunks_fts (rowid, text, headings, filename, tenant)
    WITH RECURSIVE n (i) AS (SELECT 100 UNION ALL SELECT i + 1 FROM n WHERE i < 60100)
    SELECT i, 'quartz common', '', '', '' FROM n`);
  db.close();
  for (const words of ["quartz", "quartz common", "seldom quartz basalt common"]) {
    expect(await rig.index.matching({ tenant_id }, words, 5), words).toMatchObject([{ document_id }]);
  }
  expect(await rig.index.matching({ tenant_id }, "unheard unseen quartz", 5)).toEqual([]);
});

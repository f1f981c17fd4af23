/** What the vector index finds of what a comparison with every vector would find, and vectors of an earlier version. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { gunzipSync } from "node:zlib";
import { afterAll, afterEach, expect, test } from "vitest";
import { contractEmbedder, manualClock, type StorageHarness } from "../../../contracts/index.ts";
import { unit } from "../../../contracts/samples.ts";
import { flip, publish } from "../../../contracts/storage.ts";
import { createHashingEmbedder } from "../../../src/adapters/hashing/embedder.ts";
import { DATABASE_FILE, openSqliteStorage } from "../../../src/adapters/sqlite/storage.ts";
import { BLOCK_ENTRIES } from "../../../src/adapters/sqlite/vector-tables.ts";
import type { DocumentRecord } from "../../../src/document.ts";
import type { IndexScope } from "../../../src/ports/vector-index.ts";

const root = mkdtempSync(join(tmpdir(), "sluice-nearest-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const opened: StorageHarness[] = [];
afterEach(async () => {
  for (const storage of opened.splice(0)) await storage.close();
});

async function openIn(
  folder: string,
  embedder: { embedder_id: string; dimensions: number },
): Promise<StorageHarness> {
  const clock = manualClock();
  const storage = await openSqliteStorage({ folder, system: clock.system, embedder, search_threads: 1 });
  opened.push(storage as unknown as StorageHarness);
  return { ...storage, system: clock.system, advance: clock.advance };
}

const DOCUMENTS = 50;
const PASSAGES = 100;
const LIMIT = 10;
const tenant_id = "t1";
const embedder = createHashingEmbedder({ dimensions: 256 });

/** Words of one of some topics and words of all, drawn by a fixed seed. */
function createWriter(seed: number) {
  let state = seed;
  const random = (below: number) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  const word = (number: number) =>
    `${"bcdfgklmnprstvz"[number % 15]}${"aeiou"[number % 5]}${number.toString(36)}`;
  return (topic: number, words: number) =>
    Array.from({ length: words }, () =>
      word(random(2) === 0 ? 10_000 + topic * 100 + random(100) : random(900)),
    ).join(" ");
}

interface Stored {
  chunk_id: string;
  vector: Float32Array;
  shelf: number;
  collection: string;
}

async function openLibrary() {
  const folder = mkdtempSync(join(root, "data-"));
  const h = await openIn(folder, embedder);
  const write = createWriter(1);
  const stored: Stored[] = [];
  const records = [];
  for (let shelf = 0; shelf < DOCUMENTS; shelf++) {
    const texts = Array.from({ length: PASSAGES }, (_, place) => write((shelf + place) % 23, 50));
    const vectors = await embedder.embed(texts, "passage");
    const collection = shelf % 2 === 0 ? "even" : "odd";
    const passages = texts.map((text, place) => ({ text, vector: vectors[place] as Float32Array }));
    const record = await publish(h, passages, { collection, metadata: { shelf } });
    records.push(record);
    for (const [ordinal, vector] of vectors.entries()) {
      const chunk_id = `chk_${record.document_id.slice(4)}_1_${ordinal}`;
      stored.push({ chunk_id, vector, shelf, collection });
    }
  }
  const ask = createWriter(2);
  const queries = await embedder.embed(
    Array.from({ length: 20 }, (_, number) => ask(number % 23, number % 2 === 0 ? 6 : 30)),
    "query",
  );

  /** For each query, the similarity of everything stored. */
  const cosines = queries.map(
    (query) =>
      new Map(
        stored.map(({ chunk_id, vector }) => {
          let sum = 0;
          for (let at = 0; at < vector.length; at++) sum += (vector[at] as number) * (query[at] as number);
          return [chunk_id, sum];
        }),
      ),
  );

  /** Of the ten nearest that fit, the share found. */
  async function recall(scope: Omit<IndexScope, "tenant_id">, fits: (one: Stored) => boolean, limit: number) {
    let found = 0;
    const fitting = stored.filter(fits);
    for (const [number, query] of queries.entries()) {
      const cosine = cosines[number] as Map<string, number>;
      const best = fitting.map(({ chunk_id }) => cosine.get(chunk_id) as number).sort((a, b) => b - a);
      const hits = await h.index.nearest({ tenant_id, ...scope }, query, limit);
      expect(hits).toHaveLength(limit);
      for (const { chunk_id, score } of hits) expect(score).toBeCloseTo(cosine.get(chunk_id) as number, 3);
      const allowed = new Set(fitting.map(({ chunk_id }) => chunk_id));
      expect(hits.filter(({ chunk_id }) => !allowed.has(chunk_id))).toEqual([]);
      // Stored at half the precision: two that are as near may change places.
      const least = (best[LIMIT - 1] as number) - 0.0005;
      found += hits.slice(0, LIMIT).filter(({ score }) => score >= least).length;
    }
    return found / (queries.length * LIMIT);
  }
  return { h, folder, records, stored, recall };
}

test("of the ten nearest by exact comparison, at least 95 % are found", { timeout: 120_000 }, async () => {
  const { h, folder, records, stored, recall } = await openLibrary();
  expect(await recall({}, () => true, LIMIT)).toBeGreaterThanOrEqual(0.95);
  expect(await recall({}, () => true, 50)).toBeGreaterThanOrEqual(0.95);
  expect(
    await recall({ collection: "odd" }, ({ collection }) => collection === "odd", 50),
  ).toBeGreaterThanOrEqual(0.95);
  // Nearly everything fits, some of it, and a fiftieth, all of which is compared.
  for (const [least, most, expected] of [
    [2, 50, 0.95],
    [10, 16, 0.95],
    [7, 8, 1],
  ] as const) {
    const fits = ({ shelf }: Stored) => shelf >= least && shelf < most;
    expect(await recall({ filter: { shelf: { gte: least, lt: most } } }, fits, 50)).toBeGreaterThanOrEqual(
      expected,
    );
  }

  // What is taken out leaves room, which what comes fills.
  const last = records.filter((_, place) => place % 5 !== 0);
  for (const { document_id } of last) await h.index.remove(tenant_id, document_id, 1);
  const left = stored.filter(({ shelf }) => shelf % 5 === 0);
  stored.splice(0, stored.length, ...left);
  expect(await recall({}, () => true, LIMIT)).toBeGreaterThanOrEqual(0.95);
  const write = createWriter(3);
  const text = write(1, 50);
  const [vector] = await embedder.embed([text], "passage");
  const again = Array.from({ length: 600 }, () => ({ text, vector: vector as Float32Array }));
  await publish(h, again, { collection: "even" });
  const db = new DatabaseSync(join(folder, DATABASE_FILE), { readOnly: true });
  const blocks = db.prepare("SELECT count(*) AS blocks, sum(entries) AS entries FROM codes_1").get();
  db.close();
  expect(blocks?.entries).toBe(left.length + 600);
  expect(blocks?.blocks).toBeLessThanOrEqual(2 * Math.ceil((DOCUMENTS * PASSAGES) / 2 / BLOCK_ENTRIES));
});

/** Made by the version before, which searched with sqlite-vec: two tenants, a staged version, a vector all zero. */
const earlier = new URL("./schema-3.db.gz", import.meta.url);

test("vectors of a database of schema 3 are taken over, and what was staged can still be published", async () => {
  const folder = mkdtempSync(join(root, "earlier-"));
  writeFileSync(join(folder, DATABASE_FILE), gunzipSync(readFileSync(earlier)));
  // Two processes start at once: one takes it over, the other waits.
  const [h] = await Promise.all([openIn(folder, contractEmbedder), openIn(folder, contractEmbedder)]);
  const places = async (tenant: string) =>
    (await h.index.nearest({ tenant_id: tenant }, unit(1), 10)).map(({ chunk_id, score }) => [
      Number(chunk_id.split("_").at(-1)),
      Math.round(score * 1_000) / 1_000,
    ]);
  expect(await places("t1")).toEqual([
    [3, 1],
    [1, 0.97],
    [0, 0],
    [2, -1],
  ]);
  expect(await places("t2")).toEqual([[0, 1]]);
  const staged = await h.documents.listDocuments({ tenant_id: "t1", statuses: ["pending"], limit: 2 });
  expect(staged).toHaveLength(1);
  await flip(h, staged[0] as DocumentRecord);
  expect((await places("t1")).filter(([, score]) => score === 1)).toEqual([
    [3, 1],
    [0, 1],
  ]);
});

/** The contract of a VectorIndex: every MUST of src/ports/vector-index.ts. */
import fc from "fast-check";
import { expect } from "vitest";
import { type About, aboutNothing } from "../src/about.ts";
import type { Metadata } from "../src/document.ts";
import { type Filterable, matchesFilter, type SearchFilter } from "../src/filter.ts";
import type { IndexHit } from "../src/ports/vector-index.ts";
import { embedders } from "./embedders.ts";
import { contractEmbedder, unit } from "./samples.ts";
import {
  change,
  flip,
  type OpenStorage,
  publish,
  type StorageGaps,
  type StorageHarness,
  type StorageTest,
  stageVersion,
  storageSuite,
  upload,
} from "./storage.ts";

/** Registers the suite; call it inside a test file. */
export function describeVectorIndex(name: string, open: OpenStorage, gaps: StorageGaps = {}): void {
  storageSuite(`VectorIndex: ${name}`, open, gaps, visibility, ranking, words, scopes, filters, embedders);
}

const t1 = { tenant_id: "t1" };

/** What both ways of searching find, as "document/version". Every text of a test holds the word asked for. */
async function found(h: StorageHarness, word = "quartz"): Promise<string[]> {
  const name = (hit: IndexHit) => `${hit.document_id}/${hit.version}`;
  const near = (await h.index.nearest(t1, unit(1), 100)).map(name).sort();
  const matching = (await h.index.matching(t1, word, 100)).map(name).sort();
  expect(matching).toEqual(near);
  return near;
}

function visibility(check: StorageTest): void {
  check("an empty index finds nothing", async (h) => {
    expect(await found(h)).toEqual([]);
  });

  check("what is staged is not found until its version is the searchable one", async (h) => {
    const record = await upload(h);
    await stageVersion(h, record, [{ text: "quartz" }, { text: "quartz too" }]);
    expect(await found(h)).toEqual([]);
    const processing = await change(h, record, { status: "processing" });
    expect(await found(h)).toEqual([]);
    await flip(h, processing);
    expect(await found(h)).toEqual([`${record.document_id}/1`, `${record.document_id}/1`]);
  });

  check("the old version is found until the flip, the new one alone after it", async (h) => {
    const { document_id, ...rest } = await publish(h, [{ text: "quartz one" }, { text: "quartz two" }]);
    const record = { document_id, ...rest };
    await stageVersion(h, record, [{ text: "quartz three" }], 2);
    expect(await found(h)).toEqual([`${document_id}/1`, `${document_id}/1`]);
    const flipped = await flip(h, record, 2);
    expect(await found(h)).toEqual([`${document_id}/2`]);
    await h.documents.commit([{ tenant_id: "t1", discard: { document_id, versions: [1] } }]);
    expect(await found(h)).toEqual([`${document_id}/2`]);
    await change(h, flipped, { searchable_version: null });
    expect(await found(h)).toEqual([]);
  });

  check("flipping and discarding the old version in one commit leaves exactly the new one", async (h) => {
    const record = await publish(h, [{ text: "quartz one" }, { text: "quartz two" }]);
    const { document_id, tenant_id } = record;
    await stageVersion(h, record, [{ text: "quartz three" }, { text: "quartz four" }], 2);
    const next = { ...record, version: 2, searchable_version: 2, revision: record.revision + 1 };
    await h.documents.commit([
      {
        tenant_id,
        document: { record: next, expect_revision: record.revision },
        discard: { document_id, versions: [1] },
      },
    ]);
    expect(await found(h)).toEqual([`${document_id}/2`, `${document_id}/2`]);
  });

  check("a refused flip changes nothing that is found", async (h) => {
    const record = await upload(h);
    await stageVersion(h, record, [{ text: "quartz" }]);
    await change(h, record, { filename: "other" });
    await expect(flip(h, record)).rejects.toThrow();
    expect(await found(h)).toEqual([]);
  });

  check("staging the same entries again doubles nothing", async (h) => {
    const record = await upload(h);
    const passages = [{ text: "quartz one" }, { text: "quartz two" }];
    await stageVersion(h, record, passages);
    await stageVersion(h, record, passages);
    await flip(h, record);
    expect(await found(h)).toHaveLength(2);
  });

  check("an entry staged again with other text and vector is the later one", async (h) => {
    const record = await upload(h);
    await stageVersion(h, record, [{ text: "basalt", vector: unit(0, 1) }]);
    await stageVersion(h, record, [{ text: "quartz", vector: unit(1) }]);
    await flip(h, record);
    expect(await h.index.matching(t1, "basalt", 5)).toEqual([]);
    expect(await h.index.matching(t1, "quartz", 5)).toHaveLength(1);
    expect((await h.index.nearest(t1, unit(1), 5))[0]?.score).toBeCloseTo(1, 3);
  });

  check.needing("durable", "what was staged or published is there after opening again", async (h, more) => {
    const published = await publish(h, [{ text: "quartz" }]);
    const staged = await upload(h);
    await stageVersion(h, staged, [{ text: "quartz" }]);
    const again = await more.reopen();
    expect(await found(again)).toEqual([`${published.document_id}/1`]);
    await flip(again, staged);
    expect(await found(again)).toHaveLength(2);
  });

  check.needing("shared", "another process finds what was published, as soon as it is", async (h, more) => {
    const other = await more.second();
    expect(await found(other)).toEqual([]);
    const record = await publish(h, [{ text: "quartz" }]);
    expect(await found(other)).toEqual([`${record.document_id}/1`]);
  });

  check("remove drops the entries of one version and no other", async (h) => {
    const keep = await publish(h, [{ text: "quartz" }]);
    const record = await publish(h, [{ text: "quartz" }]);
    await stageVersion(h, record, [{ text: "quartz" }], 2);
    await h.index.remove("t1", record.document_id, 1);
    expect(await found(h)).toEqual([`${keep.document_id}/1`]);
    await flip(h, record, 2);
    expect(await found(h)).toEqual([`${keep.document_id}/1`, `${record.document_id}/2`].sort());
  });

  check("remove succeeds when there is nothing, and reaches no other tenant", async (h) => {
    const record = await publish(h, [{ text: "quartz" }]);
    await h.index.remove("t1", "doc_never", 1);
    await h.index.remove("t1", record.document_id, 9);
    await h.index.remove("t2", record.document_id, 1);
    expect(await found(h)).toHaveLength(1);
  });

  check("a search sees one version whole while versions change, never half of each", async (h) => {
    let record = await publish(h, [{ text: "quartz a" }, { text: "quartz b" }, { text: "quartz c" }]);
    let running = true;
    const searches = (async () => {
      let count = 0;
      while (running || count === 0) {
        for (const hits of [
          await h.index.nearest(t1, unit(1), 10),
          await h.index.matching(t1, "quartz", 10),
        ]) {
          expect(hits).toHaveLength(3);
          expect(new Set(hits.map((hit) => hit.version)).size).toBe(1);
        }
        count += 1;
        await new Promise((resolve) => setImmediate(resolve));
      }
    })();
    for (let version = 2; version <= 8; version += 1) {
      const texts = ["a", "b", "c"].map((letter) => ({ text: `quartz ${letter}${version}` }));
      await stageVersion(h, record, texts, version);
      const next = { ...record, version, searchable_version: version, revision: record.revision + 1 };
      await h.documents.commit([
        {
          tenant_id: "t1",
          document: { record: next, expect_revision: record.revision },
          discard: { document_id: record.document_id, versions: [version - 1] },
        },
      ]);
      record = next;
    }
    running = false;
    await searches;
  });
}

function ranking(check: StorageTest): void {
  check("it names its embedder", async (h) => {
    expect(h.index.embedder_id).toBe(contractEmbedder.embedder_id);
  });

  check("nearest gives the most similar first, scored by cosine similarity, up to the limit", async (h) => {
    const record = await publish(h, [
      { text: "far", vector: unit(0, 1) },
      { text: "near", vector: unit(4, 1) },
      { text: "opposite", vector: unit(-1) },
      { text: "same", vector: unit(1) },
      { text: "half", vector: unit(1, 1) },
    ]);
    const hits = await h.index.nearest(t1, unit(1), 10);
    expect(hits.map((hit) => Number(hit.chunk_id.split("_").at(-1)))).toEqual([3, 1, 4, 0, 2]);
    const expected = [1, 4 / Math.sqrt(17), Math.SQRT1_2, 0, -1];
    for (const [place, hit] of hits.entries()) expect(hit.score).toBeCloseTo(expected[place]!, 3);
    expect(hits[0]).toMatchObject({ document_id: record.document_id, version: 1 });
    expect(await h.index.nearest(t1, unit(1), 2)).toEqual(hits.slice(0, 2));
  });

  check("a limit is filled from what is visible, however much that is not lies nearer", async (h) => {
    const record = await publish(h, [{ text: "visible", vector: unit(0, 1) }]);
    const staged = await upload(h);
    await stageVersion(
      h,
      staged,
      Array.from({ length: 60 }, () => ({ text: "hidden", vector: unit(1) })),
    );
    await publish(
      h,
      Array.from({ length: 60 }, () => ({ text: "foreign", vector: unit(1) })),
      { tenant_id: "t2" },
    );
    const hits = await h.index.nearest(t1, unit(1), 3);
    expect(hits.map((hit) => hit.document_id)).toEqual([record.document_id]);
  });

  check("a limit is filled from what fits the filter, however much that doesn't lies nearer", async (h) => {
    await publish(
      h,
      Array.from({ length: 60 }, () => ({ text: "quartz quartz", vector: unit(1) })),
      {
        metadata: { lang: "en" },
      },
    );
    const record = await publish(h, [{ text: "quartz and more", vector: unit(0, 1) }], {
      metadata: { lang: "de" },
    });
    const scope = { ...t1, filter: { lang: "de" } };
    for (const hits of [
      await h.index.nearest(scope, unit(1), 3),
      await h.index.matching(scope, "quartz", 3),
    ]) {
      expect(hits.map((hit) => hit.document_id)).toEqual([record.document_id]);
    }
  });

  check("an all-zero vector, stored or asked for, disturbs nothing", async (h) => {
    await publish(h, [
      { text: "nothing in it", vector: new Float32Array(contractEmbedder.dimensions) },
      { text: "same", vector: unit(1) },
    ]);
    const hits = await h.index.nearest(t1, unit(1), 10);
    expect(hits[0]?.chunk_id).toMatch(/_1$/);
    const asked = await h.index.nearest(t1, new Float32Array(contractEmbedder.dimensions), 10);
    for (const hit of [...hits, ...asked]) expect(hit.score).not.toBeNaN();
  });

  check.needing(
    "embedder_change",
    "a search over vectors of another embedder is refused, and finds again under the first",
    async (h, more) => {
      const record = await publish(h, [{ text: "quartz" }]);
      const other = await more.withEmbedder({
        embedder_id: "contract@2",
        dimensions: contractEmbedder.dimensions,
      });
      await expect(other.index.nearest(t1, unit(1), 1)).rejects.toMatchObject({
        name: "SluiceError",
        code: "embedder_mismatch",
      });
      expect(await found(h)).toEqual([`${record.document_id}/1`]);
    },
  );
}

function words(check: StorageTest): void {
  const texts = [
    "The harbour pilot guides ships through the narrow channel.",
    "Barrel staves are bent over steam; foo is a placeholder.",
    "Zürich lies on a lake; its harbour is small, its lake harbour smaller.",
    "Nothing to see here.",
  ];
  const matching = async (h: StorageHarness, query: string) =>
    (await h.index.matching(t1, query, 10)).map((hit) => Number(hit.chunk_id.split("_").at(-1)));
  const shelf = (h: StorageHarness) =>
    publish(
      h,
      texts.map((text) => ({ text })),
    );

  check("matching finds entries by a word in them, whatever its case", async (h) => {
    await shelf(h);
    expect(await matching(h, "pilot")).toEqual([0]);
    expect(await matching(h, "PILOT")).toEqual([0]);
    expect(await matching(h, "steam")).toEqual([1]);
    expect(await matching(h, "zürich")).toEqual([2]);
    expect((await matching(h, "harbour")).sort()).toEqual([0, 2]);
    expect(await matching(h, "unheard")).toEqual([]);
  });

  check("the entry that matches better comes first, with the higher score", async (h) => {
    await shelf(h);
    expect((await matching(h, "lake harbour"))[0]).toBe(2);
    const hits = await h.index.matching(t1, "lake harbour", 10);
    const scores = hits.map((hit) => hit.score);
    expect(scores).toEqual([...scores].sort((a, b) => b - a));
    expect(await h.index.matching(t1, "lake harbour", 1)).toEqual(hits.slice(0, 1));
  });

  check("a question finds entries that share only some of its words", async (h) => {
    await shelf(h);
    expect((await matching(h, "who guides ships at night?"))[0]).toBe(0);
  });

  check("English words match their inflections, both ways", async (h) => {
    await publish(h, [
      { text: "Pilots guided two ships." },
      { text: "A ship is guiding; harbours shipped." },
    ]);
    for (const query of ["ship", "ships", "guide", "guides", "guiding", "pilot guided"]) {
      expect((await matching(h, query))[0], query).toBeDefined();
    }
    expect((await matching(h, "ship")).sort()).toEqual([0, 1]);
    expect(await matching(h, "harbour")).toEqual([1]);
    expect(await matching(h, "shipwright")).toEqual([]);
  });

  check(
    "stop words do not count beside other words, and are found where there is nothing else",
    async (h) => {
      await publish(h, [
        { text: "To be or not to be" },
        { text: "quartz" },
        { text: "What is it that they do?" },
      ]);
      expect(await matching(h, "what is the quartz of this?")).toEqual([1]);
      expect(await matching(h, "What is THE unheard?")).toEqual([]);
      expect((await matching(h, "to be or not to be"))[0]).toBe(0);
    },
  );

  check("words of every language match themselves, whatever their case", async (h) => {
    const foreign = [
      "Die Schleusen wurden über Nacht geöffnet",
      "Les écluses étaient fermées à l'été",
      "Шлюзы открываются весной",
      "Οι θυρίδες ανοίγουν την άνοιξη",
      "la esclusa será reparada mañana",
      "Slussen öppnades påföljande dag",
      "نفتح البوابة في الربيع",
      "השערים נפתחים באביב",
      "द्वार वसंत में खुलते हैं",
      "Śluza otworzyła się znów wiosną",
      // Without the letters whose capitals Turkish shares with others.
      "Kapaklar ilkbaharda tekrar devrede",
    ];
    await publish(
      h,
      foreign.map((text) => ({ text })),
    );
    for (const [place, text] of foreign.entries()) {
      for (const word of text.match(/[\p{L}\p{M}]{3,}/gu) ?? []) {
        for (const query of [word, word.toUpperCase(), word.toLowerCase()]) {
          expect(await matching(h, query), query).toContain(place);
        }
      }
    }
  });

  check("a word is found inside a run of a script that leaves no spaces", async (h) => {
    await publish(h, [
      { text: "運河の水門は夜に開く。" },
      { text: "港口的引水員引導船隻。" },
      { text: "東京tower is a tower" },
      { text: "ประตูน้ำเปิดในฤดูใบไม้ผลิ" },
    ]);
    expect(await matching(h, "水門")).toEqual([0]);
    expect((await matching(h, "水門は開く"))[0]).toBe(0);
    expect(await matching(h, "引水員")).toEqual([1]);
    expect((await matching(h, "東京"))[0]).toBe(2);
    expect((await matching(h, "tower"))[0]).toBe(2);
    expect((await matching(h, "ประตูน้ำ"))[0]).toBe(3);
    // Not two characters that stand apart there.
    expect(await matching(h, "水開")).toEqual([]);
  });

  check("the headings above an entry and the file name are searched, and say what is in them", async (h) => {
    await publish(h, [{ text: "quartz" }, { text: "basalt" }], { filename: "2024_Annual-Report.v2.pdf" });
    // The first chunk stands under "Part I", "Chapter 0".
    expect(await matching(h, "chapter 1")).toEqual([1, 0]);
    expect((await matching(h, "annual reports")).sort()).toEqual([0, 1]);
    expect((await matching(h, "annual basalt"))[0]).toBe(1);
  });

  check("the header of a table is searched with the rows below it", async (h) => {
    // The first chunk with one is the third.
    await publish(h, [{ text: "quartz" }, { text: "basalt" }, { text: "gneiss" }]);
    expect(await matching(h, "zymurgy")).toEqual([2]);
  });

  check("a document's title and author are searched", async (h) => {
    await publish(h, [{ text: "quartz" }, { text: "basalt" }], {
      about: { ...aboutNothing, title: "Annual report on 東京水道", author: "Ann O'Neill" },
    });
    expect((await matching(h, "reports")).sort()).toEqual([0, 1]);
    expect((await matching(h, "水道")).sort()).toEqual([0, 1]);
    expect((await matching(h, "o'neill")).sort()).toEqual([0, 1]);
    expect((await matching(h, "annual basalt"))[0]).toBe(1);
  });

  check("signs that mean something to a query language are plain text here", async (h) => {
    await shelf(h);
    for (const query of [
      '"foo AND (bar*',
      "foo)",
      "-foo",
      "+foo",
      "^foo",
      "foo*",
      "{text}: foo",
      "text:foo",
      "NEAR(foo",
      "foo 😀",
      'foo"',
      "foo'; DROP TABLE chunks; --",
      "foo\u0000bar",
      "foo & ! | <-> bar",
    ]) {
      expect(await matching(h, query), query).toContain(1);
    }
    // A star is no prefix search: "barrel" is another word than "bar".
    expect(await matching(h, "bar*")).toEqual([]);
  });

  check("a query without any word finds nothing and throws nothing", async (h) => {
    await shelf(h);
    for (const query of ["", "   ", '"', "***", "()", "😀", "\u0000", "\ud800", "- -", "AND OR NOT"]) {
      expect(Array.isArray(await matching(h, query)), JSON.stringify(query)).toBe(true);
    }
    expect(await matching(h, "")).toEqual([]);
    expect(await matching(h, "***")).toEqual([]);
  });

  check("a very long query is answered", async (h) => {
    await shelf(h);
    const long = Array.from({ length: 3_000 }, (_, place) => `word${place}`).join(" ");
    expect(await matching(h, `pilot ${long}`)).toEqual([0]);
  });

  check("no query text throws", async (h) => {
    await shelf(h);
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: anySign, maxLength: 40 }), async (query) => {
        expect(Array.isArray(await h.index.matching(t1, query, 3))).toBe(true);
      }),
      { numRuns: 100, seed: 1 },
    );
  });
}

function scopes(check: StorageTest): void {
  const both = async (h: StorageHarness, scope: Parameters<typeof h.index.nearest>[0]) => {
    const near = (await h.index.nearest(scope, unit(1), 10)).map((hit) => hit.document_id).sort();
    const matching = (await h.index.matching(scope, "quartz", 10)).map((hit) => hit.document_id).sort();
    expect(matching).toEqual(near);
    return near;
  };

  check("a search stays inside its tenant", async (h) => {
    const mine = await publish(h, [{ text: "quartz" }]);
    const theirs = await publish(h, [{ text: "quartz" }], { tenant_id: "t2" });
    expect(await both(h, { tenant_id: "t1" })).toEqual([mine.document_id]);
    expect(await both(h, { tenant_id: "t2" })).toEqual([theirs.document_id]);
    expect(await both(h, { tenant_id: "t" })).toEqual([]);
    expect(await both(h, { tenant_id: "t2", collection: "default", filter: {} })).toEqual([
      theirs.document_id,
    ]);
  });

  check("a search stays inside its collection, where one is named", async (h) => {
    const a = await publish(h, [{ text: "quartz" }], { collection: "a" });
    const b = await publish(h, [{ text: "quartz" }], { collection: "b" });
    expect(await both(h, { ...t1, collection: "a" })).toEqual([a.document_id]);
    expect(await both(h, { ...t1, collection: "b" })).toEqual([b.document_id]);
    expect(await both(h, { ...t1, collection: "c" })).toEqual([]);
    expect(await both(h, t1)).toEqual([a.document_id, b.document_id].sort());
  });
}

// Any UTF-16 code unit, halves of pairs included, and often one that query languages use.
const anySign = fc.oneof(
  fc.constantFrom(...'"*^()-+:{}~|&!<> \u0000', "AND", "NOT", "foo"),
  fc.nat(0xffff).map((code) => String.fromCharCode(code)),
);

// Values that are easily taken for each other, or ordered otherwise, outside JavaScript.
const strings = fc.constantFrom(
  "",
  "a",
  "b",
  "B",
  "ab",
  "1",
  "10",
  "9",
  "true",
  "null",
  "é",
  "😀",
  "\uffee",
  "it's \"%_",
);
const numbers = fc.constantFrom(-1, 0, 1, 1.5, 2, 9, 10, 1e21, 0.1);
const scalars = fc.oneof(strings, numbers, fc.boolean());
const fields = fc.constantFrom("a", "b", "x.y", "_z-1", "title", "language", "page_count");
const metadata: fc.Arbitrary<Metadata> = fc.dictionary(
  fields,
  fc.oneof(scalars, fc.constant(null), fc.array(scalars, { maxLength: 3 })),
  { maxKeys: 4 },
);
const languages = fc.constantFrom("en", "en-GB", "EN-gb", "e", "en-", "zh-Hant-TW", "zh-hant");
const about: fc.Arbitrary<About> = fc.record({
  title: fc.option(strings),
  author: fc.constant(null),
  authored_at: fc.constant(null),
  modified_at: fc.constant(null),
  language: fc.option(languages),
  page_count: fc.option(fc.constantFrom(0, 1, 2, 9, 10)),
});
const bound = fc.oneof(strings, numbers);
const conditions = fc.oneof(
  scalars,
  languages,
  fc.record({ in: fc.array(fc.oneof(scalars, languages), { minLength: 1, maxLength: 4 }) }),
  fc.record({ gt: bound, gte: bound, lt: bound, lte: bound }, { requiredKeys: [] }),
);
const searchFilters: fc.Arbitrary<SearchFilter> = fc.dictionary(fields, conditions, { maxKeys: 2 });

function filters(check: StorageTest): void {
  const setUp = async (h: StorageHarness, all: Filterable[]) => {
    const byId = new Map<string, Filterable>();
    for (const one of all) {
      byId.set((await publish(h, [{ text: "quartz" }], { ...one })).document_id, one);
    }
    return async (filter: SearchFilter) => {
      const expected = [...byId].filter(([, one]) => matchesFilter(one, filter)).map(([id]) => id);
      const scope = { ...t1, filter };
      const near = await h.index.nearest(scope, unit(1), 100);
      const matching = await h.index.matching(scope, "quartz", 100);
      const told = `${JSON.stringify(filter)} over ${JSON.stringify([...byId.values()])}`;
      expect(near.map((hit) => hit.document_id).sort(), told).toEqual(expected.sort());
      expect(matching.map((hit) => hit.document_id).sort(), told).toEqual(expected.sort());
    };
  };

  check("a filter means what matchesFilter says: the cases that are easily got wrong", async (h) => {
    const metadata: Metadata[] = [
      {},
      { a: null },
      { a: 1 },
      { a: "1" },
      { a: true },
      { a: "true" },
      { a: 0 },
      { a: false },
      { a: "" },
      { a: [] },
      { a: [1, "x"] },
      { a: ["x", true] },
      { a: 10 },
      { a: "10" },
      { a: "9" },
      { "x.y": 1 },
    ];
    const same = await setUp(
      h,
      metadata.map((one) => ({ metadata: one, about: aboutNothing })),
    );
    const tricky: SearchFilter[] = [
      {},
      { a: 1 },
      { a: "1" },
      { a: true },
      { a: "" },
      { a: "x" },
      { a: { in: [1, "true", false] } },
      { a: { gt: 0 } },
      { a: { gte: "1", lt: "9" } },
      { a: { gt: 0, lt: "z" } },
      { a: {} },
      { "x.y": 1 },
      { a: 1, "x.y": 1 },
      { missing: 1 },
    ];
    for (const filter of tricky) await same(filter);
  });

  check("a filter means what matchesFilter says: any metadata, anything said, any filter", async (h) => {
    const filterable = fc.record({ metadata, about });
    const [all] = fc.sample(fc.array(filterable, { minLength: 30, maxLength: 30 }), { numRuns: 1, seed: 7 });
    const same = await setUp(h, all!);
    await fc.assert(fc.asyncProperty(searchFilters, same), { numRuns: 150, seed: 11 });
  });

  check("a filter finds what a document says of itself, unless its metadata say otherwise", async (h) => {
    const said: About = {
      title: "Minerals",
      author: "Ann Lee",
      authored_at: "2019-03",
      modified_at: "2021-05-06T07:08:09.000Z",
      language: "en-GB",
      page_count: 12,
    };
    const same = await setUp(h, [
      { metadata: {}, about: said },
      { metadata: {}, about: aboutNothing },
      { metadata: {}, about: { ...said, language: "eng", authored_at: "2020", page_count: 9 } },
      { metadata: { title: "Mine", language: "EN-GB", page_count: "12" }, about: said },
      { metadata: { title: null, language: ["de", "en"], authored_at: 2019 }, about: said },
    ]);
    const all: SearchFilter[] = [
      { title: "Minerals" },
      { title: "Mine" },
      { author: { in: ["Ann Lee", "Bo"] }, page_count: 12 },
      { authored_at: { gte: "2019", lt: "2020" } },
      { authored_at: { gte: "2020" } },
      { authored_at: 2019 },
      { modified_at: { gt: "2021-05-06", lte: "2021-05-07" } },
      { page_count: { gte: 10, lt: 20 } },
      { page_count: "12" },
      { language: "en" },
      { language: "en-gb" },
      { language: "EN" },
      { language: "e" },
      { language: "" },
      { language: { in: ["fr", "eng", 3] } },
      { language: { in: ["DE", "en-US"] } },
      { language: { gte: "en-A", lt: "en-Z" } },
      { language: {} },
      { language: 1 },
    ];
    for (const filter of all) await same(filter);
  });

  check("a filter goes by the document's metadata as they are now", async (h) => {
    const record = await publish(h, [{ text: "quartz" }], { metadata: { lang: "en" } });
    const german = { ...t1, filter: { lang: "de" } };
    expect(await h.index.nearest(german, unit(1), 5)).toEqual([]);
    await change(h, record, { metadata: { lang: "de" } });
    expect(await h.index.nearest(german, unit(1), 5)).toHaveLength(1);
    expect(await h.index.matching(german, "quartz", 5)).toHaveLength(1);
  });
}

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { newChunks, unit } from "../../../contracts/samples.ts";
import { change, claimOne, flip, publish, stageVersion, upload } from "../../../contracts/storage.ts";
import { aboutNothing } from "../../../src/about.ts";
import { dayOf } from "../../../src/adapters/pinecone/filter.ts";
import { matchesFilter, type SearchFilter } from "../../../src/filter.ts";
import type { IndexEntry } from "../../../src/ports/vector-index.ts";
import { openBench, passages } from "./setup.ts";

const t1 = { tenant_id: "t1" };

describe("records", () => {
  test("a version's ids begin with document and version; metadata say what Pinecone filters by", async () => {
    const h = await openBench({ namespace_prefix: "prod-" });
    const metadata = {
      lang: "en",
      year: 2024,
      draft: false,
      tags: ["a", "b"],
      none: null,
      codes: [1, 2],
      no: [],
    };
    const record = await publish(h, passages(2), { metadata, collection: "c1" });
    expect(h.server.namespaces()).toEqual(["prod-t1"]);
    const stored = h.server.records("prod-t1");
    expect(stored.map(({ id }) => id)).toEqual([0, 1].map((ordinal) => `${record.document_id}#1#${ordinal}`));
    expect(stored[0]?.metadata).toEqual({
      document_id: record.document_id,
      version: 1,
      collection: "c1",
      embedder_id: "contract@1",
      "m.lang": "en",
      "m.year": 2024,
      "m.draft": false,
      "m.tags": ["a", "b"],
      unheld: ["codes"],
    });
  });

  test("many chunks go in batches below 1,000 records, a few at a time", async () => {
    let [under_way, most] = [0, 0];
    const h = await openBench({
      fetch: async (...given) => {
        if (String(given[0]).endsWith("/upsert")) most = Math.max(most, ++under_way);
        try {
          return await fetch(...given);
        } finally {
          if (String(given[0]).endsWith("/upsert")) under_way -= 1;
        }
      },
    });
    await publish(h, passages(3_100));
    const upserts = h.server.requests.filter(({ path }) => path === "/vectors/upsert");
    const sizes = upserts.map(({ body }) => (body.vectors as unknown[]).length);
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(3_100);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(500);
    expect(most).toBeGreaterThan(1);
    expect(most).toBeLessThanOrEqual(4);
    expect(h.server.records("t1")).toHaveLength(3_100);
  });

  test("an embedder of other dimensions needs another index, and is told so", async () => {
    const h = await openBench();
    const large = { embedder_id: "large@1", dimensions: 3_072 };
    await expect(h.index.under(large)).rejects.toMatchObject({
      code: "embedder_mismatch",
      message: expect.stringContaining("SLUICE_PINECONE_HOST"),
    });
  });

  test("long vectors and metadata go in requests below 2 MB", async () => {
    const embedder = { embedder_id: "large@1", dimensions: 3_072 };
    const h = await openBench({ embedder });
    const vector = Float32Array.from({ length: 3_072 }, (_, place) => Math.sin(place + 1) / 40);
    const metadata = Object.fromEntries(
      Array.from({ length: 64 }, (_, n) => [`field_${n}`, "ü".repeat(900)]),
    );
    const record = await publish(h, passages(80, vector), { metadata });
    const upserts = h.server.requests.filter(({ path }) => path === "/vectors/upsert");
    expect(upserts.length).toBeGreaterThan(1);
    for (const { bytes } of upserts) expect(bytes).toBeLessThan(2_000_000);
    // What the server has is what was given, to the last bit.
    expect(Float32Array.from(h.server.records("t1")[0]!.values)).toEqual(vector);
    // Fields beyond Pinecone's room filter right all the same.
    for (const field of ["field_0", "field_63"]) {
      const hits = await h.index.nearest({ ...t1, filter: { [field]: "ü".repeat(900) } }, vector, 100);
      expect(new Set(hits.map((hit) => hit.document_id))).toEqual(new Set([record.document_id]));
      expect(hits).toHaveLength(80);
      expect(await h.index.nearest({ ...t1, filter: { [field]: "u" } }, vector, 10)).toEqual([]);
    }
  });

  test("a vector without direction is not sent, and takes the place of one that was", async () => {
    const h = await openBench();
    const record = await upload(h);
    await stageVersion(h, record, passages(2));
    await stageVersion(h, record, [{ text: "nothing", vector: new Float32Array(8) }, ...passages(1)]);
    await flip(h, record);
    expect((await h.index.nearest(t1, unit(1), 5)).map((hit) => hit.chunk_id)).toEqual([
      expect.stringMatching(/_1$/),
    ]);
    expect(await h.index.nearest(t1, new Float32Array(8), 5)).toEqual([]);
  });

  test("nothing is sent for a lost lease, a deleted document or vectors of another length", async () => {
    const h = await openBench();
    const record = await upload(h);
    const claimed = await claimOne(h);
    const [chunk] = newChunks(record, ["quartz"]);
    const entry: IndexEntry = { chunk: chunk!, tenant_id: "t1", collection: "default", vector: unit(1) };
    await expect(h.index.stage([{ ...entry, vector: new Float32Array(9) }])).rejects.toThrow(
      "9 dimensions, not 8",
    );
    await h.queue.complete(claimed);
    await expect(h.index.stage([entry], claimed)).rejects.toMatchObject({ reason: "lease_lost" });
    await h.documents.commit([
      {
        tenant_id: "t1",
        remove_document: { document_id: record.document_id, expect_revision: record.revision },
      },
    ]);
    await h.index.stage([entry]);
    expect(h.server.requests).toEqual([]);
  });
});

describe("versions", () => {
  test("no search ever sees two versions of a document, or a part of one", async () => {
    const h = await openBench({}, { visible_after_ms: 2 });
    const size = (version: number) => 2 + (version % 3);
    let records = [await publish(h, passages(size(1))), await publish(h, passages(size(1)))];
    let running = true;
    let seen = 0;
    const search = async () => {
      const versions = new Set<number>();
      while (running) {
        const hits = await h.index.nearest(t1, unit(1), 50);
        const documents = Map.groupBy(hits, (hit) => hit.document_id);
        expect(documents.size).toBe(2);
        for (const own of documents.values()) {
          expect(new Set(own.map((hit) => hit.version)).size).toBe(1);
          expect(own).toHaveLength(size(own[0]!.version));
          versions.add(own[0]!.version);
        }
        seen += 1;
      }
      return versions;
    };
    const searches = [search(), search(), search()];
    for (let version = 2; version <= 25; version += 1) {
      const before = seen;
      records = await Promise.all(
        records.map(async (record) => {
          await stageVersion(h, record, passages(size(version)), version);
          const next = { ...record, version, searchable_version: version, revision: record.revision + 1 };
          await h.documents.commit([
            {
              tenant_id: "t1",
              document: { record: next, expect_revision: record.revision },
              discard: { document_id: record.document_id, versions: [version - 1] },
            },
          ]);
          // As the job after publishing does, while others search.
          await h.index.remove("t1", record.document_id, version - 1);
          return next;
        }),
      );
      while (seen === before) await new Promise((resolve) => setImmediate(resolve));
    }
    running = false;
    const versions = await Promise.all(searches);
    for (const own of versions) expect(own.size).toBeGreaterThan(3);
    expect(h.server.records("t1")).toHaveLength(2 * size(25));
  });

  /** Calls `act` once, after the next query was answered and before the search knows. */
  const afterQuery = (act: () => Promise<unknown>): typeof fetch => {
    let done = false;
    return async (...given) => {
      const answer = await fetch(...given);
      if (String(given[0]).endsWith("/query") && !done) {
        done = true;
        await act();
      }
      return answer;
    };
  };

  test("a version published while the query runs is found whole: it takes the old one's place", async () => {
    const h = await openBench();
    const record = await publish(h, passages(3));
    // Long ago, so that nothing but the old version's entries tells.
    h.advance(60_000);
    const racing = h.withOptions({
      fetch: afterQuery(async () => {
        await stageVersion(h, record, passages(4), 2);
        await flip(h, record, 2);
      }),
    });
    const hits = await racing.index.nearest(t1, unit(1), 10);
    expect(hits.map((hit) => hit.version)).toEqual([2, 2, 2, 2]);
  });

  test("a document published while the query runs, of which it saw a part, is found whole", async () => {
    const h = await openBench();
    const record = await upload(h);
    await stageVersion(h, record, passages(2));
    const racing = h.withOptions({
      fetch: afterQuery(async () => {
        await stageVersion(h, record, passages(4));
        await flip(h, record);
      }),
    });
    expect(await racing.index.nearest(t1, unit(1), 10)).toHaveLength(4);
  });

  test("a version published between the looks at the documents is found whole", async () => {
    const h = await openBench();
    const record = await publish(h, passages(3));
    await publish(h, passages(3, unit(1, 1)));
    h.advance(60_000);
    await stageVersion(h, record, passages(4), 2);
    let looks = 0;
    const racing = h.withOptions({
      documents: {
        embedders: h.documents.embedders,
        getDocument: h.documents.getDocument,
        locateChunks: async (...given) => {
          const located = await h.documents.locateChunks(...given);
          looks += 1;
          if (looks === 1) await flip(h, record, 2);
          return located;
        },
      },
    });
    const hits = await racing.index.nearest(t1, unit(1), 3);
    expect(hits.map((hit) => [hit.document_id, hit.version])).toEqual(
      Array.from({ length: 3 }, () => [record.document_id, 2]),
    );
  });

  test("remove takes one version, not those whose number begins alike, in deletes of 1,000 ids", async () => {
    const h = await openBench({}, { page: 70 });
    const record = await upload(h);
    await stageVersion(h, record, passages(2_300), 1);
    await stageVersion(h, record, passages(2), 11);
    h.asked();
    await h.index.remove("t1", record.document_id, 1);
    const asked = h.asked();
    expect(asked.filter((path) => path === "/vectors/list")).toHaveLength(Math.ceil(2_300 / 70));
    expect(asked.filter((path) => path === "/vectors/delete")).toHaveLength(3);
    expect(h.server.records("t1").map(({ id }) => id)).toEqual([
      `${record.document_id}#11#0`,
      `${record.document_id}#11#1`,
    ]);
    await h.index.remove("t1", record.document_id, 1);
    expect(h.asked()).toEqual(["/vectors/list"]);
  });

  test("what an attempt under other chunk sizes left behind is not shown, and takes no place", async () => {
    const h = await openBench();
    const record = await upload(h);
    const leftover = newChunks(
      record,
      passages(150).map(({ text }) => text),
    ).slice(3);
    await h.index.stage(
      leftover.map((chunk) => ({ chunk, tenant_id: "t1", collection: "default", vector: unit(1) })),
    );
    await stageVersion(h, record, passages(3, unit(1, 1)));
    await flip(h, record);
    const hits = await h.index.nearest(t1, unit(1), 3);
    expect(hits.map((hit) => hit.chunk_id.split("_").at(-1))).toEqual(["0", "1", "2"]);
  });
});

describe("search", () => {
  test("a search over settled documents is one query, with a filter two", async () => {
    const h = await openBench();
    await publish(h, passages(3), { metadata: { lang: "en" } });
    h.advance(60_000);
    h.asked();
    expect(await h.index.nearest(t1, unit(1), 2)).toHaveLength(2);
    expect(h.asked()).toEqual(["/query"]);
    expect(await h.index.nearest({ ...t1, filter: { lang: "en" } }, unit(1), 2)).toHaveLength(2);
    expect(h.asked()).toEqual(["/query", "/query"]);
  });

  test("a filter reaches behind thousands of nearer chunks that don't fit", async () => {
    const h = await openBench();
    await publish(h, passages(6_000), { metadata: { lang: "en", year: 1999, codes: ["x"] } });
    const metadata = { lang: "de", year: 2024, codes: [7, "x"], long: "é" };
    const wanted = await publish(h, passages(1, unit(0, 1)), { metadata });
    const all: SearchFilter[] = [
      { lang: "de" },
      { lang: { in: ["de", "fr", 3, true] } },
      { year: { gt: 2000, lte: 2024 } },
      { codes: 7 },
      { codes: { in: [7, 8] } },
      { codes: { gt: 6 } },
      { lang: "de", codes: 7, year: { gte: 2024 } },
    ];
    for (const filter of all) {
      expect(matchesFilter({ metadata, about: aboutNothing }, filter)).toBe(true);
      const hits = await h.index.nearest({ ...t1, filter }, unit(1), 5);
      expect(
        hits.map((hit) => hit.document_id),
        JSON.stringify(filter),
      ).toEqual([wanted.document_id]);
    }
    // Strings in order are nothing that Pinecone knows: looked for among the nearest 10,000.
    const ranged = await h.index.nearest({ ...t1, filter: { long: { gte: "é" } } }, unit(1), 5);
    expect(ranged.map((hit) => hit.document_id)).toEqual([wanted.document_id]);
  });

  test("what a document says of itself is found behind thousands of nearer chunks, ranges of dates too", async () => {
    const h = await openBench();
    const about = { ...aboutNothing, authored_at: "1999", language: "en", page_count: 1 };
    await publish(h, passages(12_000), { about });
    const told = {
      title: "Locks",
      author: "Ada",
      authored_at: "2019-03-05T10:00:00Z",
      modified_at: "2021-05",
      language: "de-AT",
      page_count: 12,
    };
    const wanted = await publish(h, passages(1, unit(0, 1)), { about: told });
    const all: SearchFilter[] = [
      { title: "Locks" },
      { author: { in: ["Ada", "Bo"] } },
      { page_count: { gte: 10 } },
      { language: "DE" },
      { language: "de-at" },
      { authored_at: { gte: "2019", lt: "2020" } },
      { authored_at: { gt: "2019-03-05", lte: "2019-03-05T10:00:00Z" } },
      { modified_at: { gt: "2021", lt: "2021-05-02" } },
    ];
    for (const filter of all) {
      const hits = await h.index.nearest({ ...t1, filter }, unit(1), 5);
      expect(
        hits.map((hit) => hit.document_id),
        JSON.stringify(filter),
      ).toEqual([wanted.document_id]);
    }
  });

  test("days are in the order of the dates that they are of", () => {
    const dates = fc.oneof(
      fc.constantFrom(
        "2019",
        "2019-03",
        "2019-03-05",
        "2019-03-05T23:59:59Z",
        "2019-03-06",
        "2019-12",
        "2020",
      ),
      fc
        .date({ noInvalidDate: true, min: new Date(0), max: new Date(4e12) })
        .map((date) => date.toISOString()),
    );
    fc.assert(
      fc.property(dates, dates, (a, b) => {
        const [first, second] = a < b ? [a, b] : [b, a];
        expect(dayOf(first)).toBeLessThanOrEqual(dayOf(second)!);
      }),
    );
    for (const none of ["", "19", "2019X", "2019-3", "2019-03-05 10:00", "x2019"]) {
      expect(dayOf(none), none).toBeUndefined();
    }
  });

  test("dates of the user's own that are none are still found", async () => {
    const h = await openBench();
    const mine = await publish(h, passages(1), {
      metadata: { authored_at: "spring", modified_at: [2019, "2020"] },
    });
    const all: SearchFilter[] = [
      { authored_at: { gte: "2019" } },
      { modified_at: { gte: "2020" } },
      { modified_at: 2019 },
    ];
    for (const filter of all) {
      const hits = await h.index.nearest({ ...t1, filter }, unit(1), 5);
      expect(hits.map((hit) => hit.document_id)).toEqual([mine.document_id]);
    }
  });

  test("metadata that changed after staging are found under the new values, and not under the old", async () => {
    const h = await openBench();
    const record = await publish(h, passages(2), { metadata: { lang: "en" } });
    await publish(h, passages(300), { metadata: { lang: "en" } });
    await change(h, record, { metadata: { lang: "de" } });
    const german = await h.index.nearest({ ...t1, filter: { lang: "de" } }, unit(1), 5);
    expect(german.map((hit) => hit.document_id)).toEqual([record.document_id, record.document_id]);
    const english = await h.index.nearest({ ...t1, filter: { lang: "en" } }, unit(1), 400);
    expect(english).toHaveLength(300);
    expect(english.some((hit) => hit.document_id === record.document_id)).toBe(false);
  });

  test("every call names one namespace: the tenant's", async () => {
    const h = await openBench({ namespace_prefix: "p/" });
    const mine = await publish(h, passages(2), { tenant_id: "t1" });
    const theirs = await publish(h, passages(2), { tenant_id: "t11" });
    for (const [record, other] of [
      [mine, theirs],
      [theirs, mine],
    ] as const) {
      const { tenant_id } = record;
      const from = h.server.requests.length;
      const hits = await h.index.nearest({ tenant_id }, unit(1), 10);
      expect(new Set(hits.map((hit) => hit.document_id))).toEqual(new Set([record.document_id]));
      await h.index.remove(tenant_id, other.document_id, 1);
      for (const { body, params } of h.server.requests.slice(from)) {
        expect(body.namespace ?? params.namespace).toBe(`p/${tenant_id}`);
      }
      expect(await h.index.nearest({ tenant_id: other.tenant_id }, unit(1), 10)).toHaveLength(2);
    }
    expect(h.server.namespaces()).toEqual(["p/t1", "p/t11"]);
  });

  test("equal scores come in the order of documents, then of their chunks", async () => {
    const h = await openBench();
    const records = [await publish(h, passages(12)), await publish(h, passages(12))];
    const hits = await h.index.nearest(t1, unit(1), 20);
    const expected = records.flatMap(({ document_id }) =>
      Array.from({ length: 12 }, (_, n) => [document_id, n]),
    );
    expect(hits.map((hit) => [hit.document_id, Number(hit.chunk_id.split("_").at(-1))])).toEqual(
      expected.slice(0, 20),
    );
  });
});

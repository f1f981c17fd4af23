import { beforeEach, describe, expect, test } from "vitest";
import { aboutNothing } from "../../src/about.ts";
import { createHashingEmbedder } from "../../src/adapters/hashing/embedder.ts";
import type { DocumentRecord, Metadata } from "../../src/document.ts";
import { SluiceError } from "../../src/errors.ts";
import { matchesFilter } from "../../src/filter.ts";
import { chunkId } from "../../src/ids.ts";
import type { LocatedChunk } from "../../src/ports/document-store.ts";
import type { IndexHit, IndexScope } from "../../src/ports/vector-index.ts";
import { createSearch, searchAnswerSchema, searchRequestSchema } from "../../src/search/search.ts";

const embedder = createHashingEmbedder();

/** One version of one document, as published. */
interface Published {
  document: DocumentRecord;
  chunks: (LocatedChunk["chunk"] & { vector: Float32Array })[];
}

function documentOf(name: string, version: number, more: Partial<DocumentRecord>): DocumentRecord {
  const time = "2026-01-01T00:00:00.000Z";
  return {
    document_id: `doc_${name}`,
    tenant_id: "t1",
    collection: "default",
    filename: `${name}.txt`,
    media_type: "text/plain",
    size_bytes: 1,
    sha256: "00",
    parent_document_id: null,
    status: "completed",
    stage: null,
    progress: { done: 1, total: 1 },
    error: null,
    version,
    searchable_version: version,
    chunks_created: 1,
    metadata: {},
    about: aboutNothing,
    created_at: time,
    updated_at: time,
    correlation_id: "cor_1",
    job_id: "job_1",
    revision: 1,
    ...more,
  };
}

/**
 * What a store and an index hold, both seeing the same at any instant. Real ones are tested elsewhere; this one lets
 * a test publish at the worst moment: `between` runs after each named step of a search.
 */
function createLibrary() {
  const shelf = new Map<string, Published>();
  const calls: { step: "nearest" | "matching" | "locate"; scope?: IndexScope; limit?: number }[] = [];
  let between: (step: "nearest" | "matching" | "locate") => Promise<void> = async () => {};

  async function publish(name: string, version: number, texts: string[], more: Partial<DocumentRecord> = {}) {
    const document = documentOf(name, version, more);
    const vectors = await embedder.embed(texts, "passage");
    const chunks = texts.map((text, ordinal) => ({
      chunk_id: chunkId(document.document_id, version, ordinal),
      document_id: document.document_id,
      version,
      ordinal,
      text,
      page: ordinal + 1,
      sheet: "Minerals",
      row_start: ordinal + 2,
      row_end: ordinal + 4,
      char_start: ordinal * 100,
      char_end: ordinal * 100 + text.length,
      heading_path: ["Part", name],
      section_start: 0,
      header: "| Name |",
      token_count: 3,
      vector: vectors[ordinal] as Float32Array,
    }));
    shelf.set(name, { document, chunks });
  }

  function rank(
    scope: IndexScope,
    limit: number,
    scoreOf: (chunk: Published["chunks"][number]) => number,
  ): IndexHit[] {
    return [...shelf.values()]
      .filter(({ document }) => document.tenant_id === scope.tenant_id)
      .filter(({ document }) => scope.collection === undefined || document.collection === scope.collection)
      .filter(({ document }) => matchesFilter(document, scope.filter ?? {}))
      .flatMap(({ chunks }) => chunks)
      .map((chunk) => {
        const { chunk_id, document_id, version } = chunk;
        return { chunk_id, document_id, version, score: scoreOf(chunk) };
      })
      .filter(({ score }) => score > 0)
      .sort((a, b) => b.score - a.score)
      .slice(0, limit);
  }

  return {
    publish,
    remove: (name: string) => shelf.delete(name),
    calls,
    afterEachStep: (run: typeof between) => {
      between = run;
    },
    index: {
      embedder_id: embedder.embedder_id,
      under: missing,
      stage: missing,
      add: missing,
      remove: missing,
      close: missing,
      async nearest(scope: IndexScope, vector: Float32Array, limit: number) {
        calls.push({ step: "nearest", scope, limit });
        const hits = rank(scope, limit, (chunk) =>
          chunk.vector.reduce((sum, value, i) => sum + value * (vector[i] as number), 0),
        );
        await between("nearest");
        return hits;
      },
      async matching(scope: IndexScope, words: string, limit: number) {
        calls.push({ step: "matching", scope, limit });
        const wanted = words.toLowerCase().split(/\W+/);
        const hits = rank(
          scope,
          limit,
          (chunk) => wanted.filter((word) => chunk.text.toLowerCase().includes(word)).length,
        );
        await between("matching");
        return hits;
      },
    },
    documents: {
      // Nothing serves: then every embedder's vectors may be searched.
      embedders: {
        read: async () => ({ serving: null, target: null, began_at: null, listed_to: null, retired: [] }),
      },
      async locateChunks(tenant_id: string, chunk_ids: string[]): Promise<LocatedChunk[]> {
        calls.push({ step: "locate" });
        const found = [...shelf.values()]
          .filter(({ document }) => document.tenant_id === tenant_id)
          .flatMap(({ document, chunks }) => chunks.map((chunk) => ({ chunk, document })))
          .filter(({ chunk }) => chunk_ids.includes(chunk.chunk_id))
          // In any order: the search must not rely on it.
          .reverse();
        await between("locate");
        return found;
      },
      listChunks: missing,
    },
  };
}

/** What a search doesn't ask of an index. */
async function missing(): Promise<never> {
  throw new Error("a search only reads");
}

let library: ReturnType<typeof createLibrary>;
let search: ReturnType<typeof createSearch>["search"];
beforeEach(() => {
  library = createLibrary();
  search = createSearch({ ...library, embedder }).search;
});

async function failureOf(promise: Promise<unknown>): Promise<SluiceError> {
  const error = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(SluiceError);
  return error as SluiceError;
}

const stepsTaken = () => library.calls.map(({ step }) => step);

describe("an answer", () => {
  const metadata: Metadata = { year: 2026 };
  const about = { ...aboutNothing, title: "A report", author: "Ann Lee", authored_at: "2019" };

  test("holds everything needed to cite, in the documented form", async () => {
    await library.publish("report", 3, ["penguins keep warm", "invoices are due"], {
      metadata,
      about,
      media_type: "text/html",
    });
    const answer = await search("t1", { query: "  invoices  ", top_k: 1 });
    expect(searchAnswerSchema.parse(answer)).toEqual(answer);
    expect(answer).toEqual({
      mode: "hybrid",
      reranked: false,
      embedder_id: "feature-hashing-v1-384",
      hits: [
        {
          document_id: "doc_report",
          chunk_id: "chk_report_3_1",
          version: 3,
          text: "invoices are due",
          score: 1,
          match: {
            vector: { rank: 1, score: expect.closeTo(Math.SQRT1_2, 0) },
            keyword: { rank: 1, score: 1 },
          },
          header: "| Name |",
          page: 2,
          sheet: "Minerals",
          row_start: 3,
          row_end: 5,
          char_start: 100,
          char_end: 116,
          heading_path: ["Part", "report"],
          metadata,
          about,
          filename: "report.txt",
          collection: "default",
          media_type: "text/html",
          parent_document_id: null,
        },
      ],
    });
  });

  test.each([
    ["hybrid", ["nearest", "matching", "locate"], 100],
    ["vector", ["nearest", "locate"], 100],
    ["keyword", ["matching", "locate"], 100],
  ] as const)("in mode %s asks the index for what it needs", async (mode, steps, limit) => {
    await library.publish("a", 1, ["apples and pears"]);
    const answer = await search("t1", { query: "apples", mode });
    expect(stepsTaken()).toEqual(steps);
    expect(library.calls[0]?.limit).toBe(limit);
    expect(answer.mode).toBe(mode);
    expect(answer.embedder_id).toBe(mode === "keyword" ? null : embedder.embedder_id);
    expect(answer.hits.map(({ document_id }) => document_id)).toEqual(["doc_a"]);
  });

  test("has at most top_k hits, 10 by default, from candidates four times as deep", async () => {
    for (let i = 0; i < 30; i++) await library.publish(`d${i}`, 1, ["apples"]);
    expect((await search("t1", { query: "apples" })).hits).toHaveLength(10);
    expect((await search("t1", { query: "apples", top_k: 30 })).hits).toHaveLength(30);
    expect(library.calls.at(-2)?.limit).toBe(120);
  });

  test("breaks ties the same way whatever order the index answers in", async () => {
    const names = ["c", "a", "b"];
    for (const name of names) await library.publish(name, 1, ["apples"]);
    for (const mode of ["hybrid", "vector", "keyword"] as const) {
      const hits = (await search("t1", { query: "apples", mode })).hits;
      if (mode !== "hybrid")
        expect(hits.map(({ filename }) => filename)).toEqual(["a.txt", "b.txt", "c.txt"]);
      expect((await search("t1", { query: "apples", mode })).hits).toEqual(hits);
    }
  });

  test("says of each hit which half found it, where and how well, in every mode", async () => {
    await library.publish("a", 1, ["apples"]);
    await library.publish("b", 1, ["apples and pears"]);
    await library.publish("c", 1, ["appleses pearses"]);
    const query = "apples pears";
    const [hybrid, vector, keyword] = await Promise.all(
      (["hybrid", "vector", "keyword"] as const).map(async (mode) => {
        const { hits } = await search("t1", { query, mode });
        return Object.fromEntries(hits.map(({ document_id, match }) => [document_id, match]));
      }),
    );
    expect(Object.values(keyword!).map(({ keyword: place }) => place)).toEqual([
      { rank: 1, score: 2 },
      { rank: 2, score: 2 },
      { rank: 3, score: 1 },
    ]);
    expect(Object.values(keyword!).every((match) => match.vector === null)).toBe(true);
    const places = Object.values(vector!).map((match) => match.vector);
    expect(places.map((place) => place?.rank)).toEqual(places.map((_, at) => at + 1));
    expect(Object.values(vector!).every((match) => match.keyword === null)).toBe(true);
    for (const [document_id, match] of Object.entries(hybrid!)) {
      expect(match).toEqual({
        vector: vector![document_id]?.vector ?? null,
        keyword: keyword![document_id]?.keyword ?? null,
      });
    }
  });

  test("stays within tenant, collection and filter", async () => {
    await library.publish("mine", 1, ["apples"], { collection: "fruit", metadata });
    await library.publish("old", 1, ["apples"], { collection: "fruit", metadata: { year: 1999 } });
    await library.publish("elsewhere", 1, ["apples"], { metadata });
    await library.publish("theirs", 1, ["apples"], { tenant_id: "t2", collection: "fruit", metadata });
    const request = { query: "apples", collection: "fruit", filter: { year: { gte: 2000 } } };
    expect((await search("t1", request)).hits.map(({ filename }) => filename)).toEqual(["mine.txt"]);
    expect((await search("t3", { query: "apples" })).hits).toEqual([]);
  });

  test("is empty for a query without words, in every mode", async () => {
    await library.publish("a", 1, ["what?! ..."]);
    for (const mode of ["hybrid", "vector", "keyword"] as const) {
      expect((await search("t1", { query: "?! …", mode })).hits).toEqual([]);
    }
    expect(stepsTaken()).not.toContain("matching");
    expect(stepsTaken()).not.toContain("nearest");
  });
});

describe("a publish while the search runs (G13)", () => {
  const query = "apples";
  beforeEach(async () => {
    await library.publish("moving", 1, ["apples one", "apples two"]);
    await library.publish("still", 1, ["apples forever"]);
  });

  /** Publishes the next version after this step, `times` times. */
  function publishAfter(step: "nearest" | "matching" | "locate", times: number): void {
    let version = 1;
    library.afterEachStep(async (now) => {
      if (now !== step || version > times) return;
      version++;
      await library.publish("moving", version, [
        `apples of version ${version}`,
        `more apples of version ${version}`,
      ]);
    });
  }
  const versionsIn = (hits: { document_id: string; version: number }[]) =>
    [...new Set(hits.map((hit) => `${hit.document_id}@${hit.version}`))].sort();

  test.each(["hybrid", "vector", "keyword"] as const)(
    "between index and text, in mode %s: searches again and shows only the new version",
    async (mode) => {
      publishAfter(mode === "vector" ? "nearest" : "matching", 1);
      const { hits } = await search("t1", { query, mode });
      expect(versionsIn(hits)).toEqual(["doc_moving@2", "doc_still@1"]);
      expect(hits).toHaveLength(3);
      expect(stepsTaken().filter((step) => step === "locate")).toHaveLength(2);
    },
  );

  test("between the halves: no document competes with its own past", async () => {
    // The vector half sees version 1, the keyword half version 2.
    const { index } = library;
    const after = Promise.withResolvers<void>();
    let first = true;
    const racing = {
      ...index,
      async nearest(...args: Parameters<typeof index.nearest>) {
        const hits = await index.nearest(...args);
        if (first) await library.publish("moving", 2, ["apples of version 2"]);
        first = false;
        after.resolve();
        return hits;
      },
      async matching(...args: Parameters<typeof index.matching>) {
        await after.promise;
        return index.matching(...args);
      },
    };
    const { hits } = await createSearch({ ...library, index: racing, embedder }).search("t1", { query });
    expect(versionsIn(hits)).toEqual(["doc_moving@2", "doc_still@1"]);
    expect(stepsTaken().filter((step) => step === "nearest")).toHaveLength(2);
    expect(stepsTaken().filter((step) => step === "locate")).toHaveLength(1);
  });

  test("after the text was read changes nothing: the answer is of one instant", async () => {
    publishAfter("locate", 1);
    const { hits } = await search("t1", { query });
    expect(versionsIn(hits)).toEqual(["doc_moving@1", "doc_still@1"]);
  });

  test("at every look: gives up after three repeats and leaves the moving document out", async () => {
    publishAfter("matching", Number.POSITIVE_INFINITY);
    const { hits } = await search("t1", { query, mode: "keyword", top_k: 1 });
    expect(versionsIn(hits)).toEqual(["doc_still@1"]);
    expect(stepsTaken().filter((step) => step === "matching")).toHaveLength(4);
  });

  test("a document deleted meanwhile makes room for others", async () => {
    library.afterEachStep(async (step) => {
      if (step === "matching") library.remove("moving");
    });
    const { hits } = await search("t1", { query, mode: "keyword", top_k: 1 });
    expect(versionsIn(hits)).toEqual(["doc_still@1"]);
  });

  test("a version that is no longer searchable is not shown, though its chunks still lie there", async () => {
    const { documents } = library;
    const lagging = {
      ...documents,
      locateChunks: async (tenant_id: string, ids: string[]) =>
        (await documents.locateChunks(tenant_id, ids)).map(({ chunk, document }) => ({
          chunk,
          document: document.filename === "moving.txt" ? { ...document, searchable_version: 2 } : document,
        })),
    };
    const { hits } = await createSearch({ ...library, documents: lagging, embedder }).search("t1", { query });
    expect(versionsIn(hits)).toEqual(["doc_still@1"]);
  });
});

describe("requests", () => {
  test("get their defaults", () => {
    expect(searchRequestSchema.parse({ query: " x " })).toEqual({
      query: "x",
      top_k: 10,
      mode: "hybrid",
      rerank: true,
    });
  });

  test.each([
    [{ query: "" }, "query"],
    [{ query: "   " }, "query"],
    [{ query: "x".repeat(2_001) }, "query"],
    [{ query: "x", top_k: 0 }, "top_k"],
    [{ query: "x", top_k: 101 }, "top_k"],
    [{ query: "x", top_k: 1.5 }, "top_k"],
    [{ query: "x", mode: "magic" }, "mode"],
    [{ query: "x", collection: "../x" }, "collection"],
    [{ query: "x", filter: { year: { about: 1 } } }, "filter"],
    [{ query: "x", topk: 3 }, "topk"],
  ])("of another form are invalid_request and the message names the field: %#", async (request, field) => {
    const error = await failureOf(search("t1", request as { query: string }));
    expect(error.code).toBe("invalid_request");
    expect(error.message).toContain(field);
    expect(library.calls).toEqual([]);
  });
});

describe("errors", () => {
  test("of the embedder and of the index reach the caller; keyword mode needs no embedder", async () => {
    await library.publish("a", 1, ["apples"]);
    const down = new SluiceError("embedder_unavailable", "down");
    const without = createSearch({
      ...library,
      embedder: { ...embedder, embed: () => Promise.reject(down) },
    });
    await expect(without.search("t1", { query: "apples" })).rejects.toBe(down);
    expect((await without.search("t1", { query: "apples", mode: "keyword" })).hits).toHaveLength(1);

    const mismatch = new SluiceError("embedder_mismatch", "made by another");
    const index = { ...library.index, nearest: () => Promise.reject(mismatch) };
    await expect(
      createSearch({ ...library, index, embedder }).search("t1", { query: "apples" }),
    ).rejects.toBe(mismatch);
  });

  test("a signal that fires ends the search with its reason, before and between steps", async () => {
    await library.publish("a", 1, ["apples"]);
    const reason = new Error("client went away");
    await expect(search("t1", { query: "apples" }, AbortSignal.abort(reason))).rejects.toBe(reason);
    expect(library.calls).toEqual([]);
    const abort = new AbortController();
    library.afterEachStep(async () => abort.abort(reason));
    await expect(search("t1", { query: "apples" }, abort.signal)).rejects.toBe(reason);
    expect(stepsTaken()).not.toContain("locate");
  });
});

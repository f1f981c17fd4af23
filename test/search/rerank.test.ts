import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { createHttpReranker } from "../../src/adapters/http/reranker.ts";
import type { Reranker } from "../../src/ports/reranker.ts";
import { createSearch, searchAnswerSchema } from "../../src/search/search.ts";
import { createSluice } from "../../src/sluice.ts";
import { startRerankServer } from "../support/rerank-server.ts";
import { openRig, type Rig, tenant_id } from "../support/rig.ts";

const texts = [
  "Lime, lime, lime: the tree.",
  "The lime tree blossoms in June.",
  "A lime is a fruit of a citrus tree.",
];

/** Scores as the test says, and remembers what it was given. */
function createTestReranker(rerank: Reranker["rerank"]): Reranker & { given: string[][] } {
  const given: string[][] = [];
  return {
    reranker_id: "test",
    given,
    rerank(query, passages, signal) {
      given.push(passages);
      return rerank(query, passages, signal);
    },
    check: async () => {},
    close: async () => {},
  };
}

/** Lists of texts found, with a search over this reranker. */
async function openShelf(reranker?: Reranker, reranking = { candidates: 32, timeout_ms: 60_000 }) {
  const rig: Rig = await openRig({ storage: "memory", chunking: { max_tokens: 64, overlap_tokens: 0 } });
  for (const text of texts) await rig.searchable(text);
  const warnings: { fields: object; message: string }[] = [];
  const search = createSearch({
    ...rig.ports,
    embedder: rig.embedder,
    ...(reranker ? { reranker } : {}),
    reranking,
    log: { warn: (fields, message) => warnings.push({ fields, message }) },
  });
  return {
    warnings,
    async ask(more: { top_k?: number; rerank?: boolean } = {}, signal?: AbortSignal) {
      const answer = await search.search(tenant_id, { query: "lime", mode: "keyword", ...more }, signal);
      expect(searchAnswerSchema.parse(answer)).toEqual(answer);
      return { ...answer, texts: answer.hits.map(({ text }) => text) };
    },
  };
}

/** The longer, the better. */
const byLength = async (_: string, passages: string[]) => passages.map((passage) => passage.length);

describe("a search with a reranker", () => {
  test("answers in the reranker's order, with its scores, and says so", async () => {
    const { ask } = await openShelf(createTestReranker(byLength));
    const answer = await ask();
    expect(answer.reranked).toBe(true);
    expect(answer.texts).toEqual([texts[2], texts[1], texts[0]]);
    expect(answer.hits.map(({ score }) => score)).toEqual(answer.texts.map((text) => text.length));
    // What the halves said stays as it was.
    const found = (hits: typeof answer.hits) => Object.fromEntries(hits.map((hit) => [hit.text, hit.match]));
    expect(answer.hits.map(({ match }) => match.keyword?.rank)).not.toEqual([1, 2, 3]);
    expect(found(answer.hits)).toEqual(found((await ask({ rerank: false })).hits));
  });

  test("gives it more than is asked for, so that it can lift what stood lower", async () => {
    const reranker = createTestReranker(byLength);
    const { ask } = await openShelf(reranker);
    expect((await ask({ rerank: false, top_k: 1 })).texts).toEqual([texts[0]]);
    expect((await ask({ top_k: 1 })).texts).toEqual([texts[2]]);
    expect(reranker.given).toHaveLength(1);
    expect(reranker.given[0]).toHaveLength(3);
  });

  test("gives it no more candidates than set, unless more hits are asked for", async () => {
    const reranker = createTestReranker(byLength);
    const { ask } = await openShelf(reranker, { candidates: 2, timeout_ms: 60_000 });
    await ask({ top_k: 1 });
    await ask({ top_k: 3 });
    expect(reranker.given.map(({ length }) => length)).toEqual([2, 3]);
  });

  test("`rerank: false`, and no reranker at all, leave the order as it is", async () => {
    const reranker = createTestReranker(byLength);
    const without = await (await openShelf()).ask();
    const unwanted = await (await openShelf(reranker)).ask({ rerank: false });
    expect(without).toMatchObject({ reranked: false });
    expect(unwanted).toMatchObject({ reranked: false, texts: without.texts });
    expect(reranker.given).toEqual([]);
  });

  test.each<[string, Reranker["rerank"], string]>([
    ["throws", () => Promise.reject(new Error("out of order")), "out of order"],
    ["answers too few scores", async () => [1], "1 scores for 3 passages"],
    ["answers no number", async () => [1, Number.NaN, 2], "no number"],
  ])("a reranker that %s costs its order, not the answer, and is logged", async (_, rerank, reason) => {
    const { ask, warnings } = await openShelf(createTestReranker(rerank));
    const answer = await ask();
    expect(answer).toMatchObject({ reranked: false, texts: (await ask({ rerank: false })).texts });
    expect(warnings).toHaveLength(1);
    expect(warnings[0]?.fields).toMatchObject({ tenant_id, reranker_id: "test" });
    expect(JSON.stringify(warnings[0]?.fields)).toContain(reason);
  });

  test("one that never answers is waited for no longer than set, even if it minds no signal", async () => {
    let signal: AbortSignal | undefined;
    const deaf = createTestReranker((_, __, given) => {
      signal = given;
      return new Promise(() => {});
    });
    const { ask, warnings } = await openShelf(deaf, { candidates: 32, timeout_ms: 20 });
    expect(await ask()).toMatchObject({ reranked: false, hits: { length: 3 } });
    expect(signal?.aborted).toBe(true);
    expect(JSON.stringify(warnings)).toContain("no answer within 20 ms");
  });

  test("a search that is no longer wanted ends with its own reason", async () => {
    const stop = new AbortController();
    const reason = new Error("gone");
    const { ask, warnings } = await openShelf(
      createTestReranker(() => {
        stop.abort(reason);
        return new Promise(() => {});
      }),
    );
    await expect(ask({}, stop.signal)).rejects.toBe(reason);
    expect(warnings).toEqual([]);
  });

  test("nothing found is not reranked", async () => {
    const rig = await openRig({ storage: "memory" });
    const reranker = createTestReranker(byLength);
    const { search } = createSearch({ ...rig.ports, embedder: rig.embedder, reranker });
    expect(await search(tenant_id, { query: "lime" })).toMatchObject({ hits: [], reranked: false });
    expect(reranker.given).toEqual([]);
  });

  test("by configuration alone, in the service as in the library", async () => {
    const { url, received } = await startRerankServer();
    const folder = mkdtempSync(join(tmpdir(), "sluice-rerank-"));
    const sluice = await createSluice({
      data_dir: folder,
      settings: {
        SLUICE_RERANKER: "http",
        SLUICE_RERANKER_URL: url,
        SLUICE_RERANKER_MODEL: "m",
        SLUICE_RERANKER_TIMEOUT_MS: "60000",
      },
    });
    onTestFinished(async () => {
      await sluice.close();
      rmSync(folder, { recursive: true, force: true });
    });
    const { document_id } = await sluice.upload(Buffer.from(texts[1] as string), { filename: "tree.txt" });
    await sluice.waitUntilSearchable(document_id);
    const answer = await sluice.search({ query: "lime" });
    expect(answer).toMatchObject({ reranked: true, hits: [{ score: 1 }] });
    expect(received[0]?.body).toMatchObject({ model: "m", query: "lime", top_n: 1 });
  });

  test("over HTTP, headings are read with the text", async () => {
    const { url, received } = await startRerankServer();
    const rig = await openRig({ storage: "memory" });
    await rig.searchable("# Trees\n\nThe lime blossoms in June.", { filename: "trees.md" });
    const reranker = createHttpReranker({ kind: "tei", url });
    const { search } = createSearch({ ...rig.ports, embedder: rig.embedder, reranker });
    expect(await search(tenant_id, { query: "lime trees" })).toMatchObject({ reranked: true });
    expect(received[0]?.body.texts?.[0]).toMatch(/^Trees\n.*The lime blossoms in June\.$/s);
  });
});

/** The contract of a CollectionStore, beside the documents that its collections hold. */
import { expect } from "vitest";
import type { ListedCollection, StoredCollection } from "../src/ports/collection-store.ts";
import { change, type StorageTest, upload } from "./storage.ts";

const updated_at = "2026-01-01T00:00:00.000Z";
const settings = { chunking: { strategy: "page", max_tokens: 300, contextual_header: false } } as const;
const stored = (collection: string, more: Partial<StoredCollection> = {}): StoredCollection => ({
  collection,
  settings,
  updated_at,
  ...more,
});

export function describeCollections(check: StorageTest): void {
  check("settings are what was put last, and are gone when they were removed", async ({ documents }) => {
    const { collections } = documents;
    expect(await collections.read("t1", "reports")).toBeUndefined();
    await collections.put("t1", stored("reports"));
    expect(await collections.read("t1", "reports")).toEqual(stored("reports"));
    const next = stored("reports", {
      settings: { chunking: {} },
      updated_at: "2026-02-02T00:00:00.000Z",
    });
    await collections.put("t1", next);
    expect(await collections.read("t1", "reports")).toEqual(next);
    expect(await collections.remove("t1", "reports")).toBe(true);
    expect(await collections.remove("t1", "reports")).toBe(false);
    expect(await collections.read("t1", "reports")).toBeUndefined();
    expect(await collections.list("t1", "", 9)).toEqual([]);
  });

  check("what is read can be changed by nobody who has it", async ({ documents }) => {
    const { collections } = documents;
    const given = { collection: "c", settings: { chunking: { max_tokens: 300 } }, updated_at };
    await collections.put("t1", given);
    given.settings.chunking.max_tokens = 400;
    const read = await collections.read("t1", "c");
    (read as StoredCollection).settings.chunking.max_tokens = 500;
    expect(await collections.read("t1", "c")).toMatchObject({ settings: { chunking: { max_tokens: 300 } } });
  });

  check("those with settings and those with documents are listed by name, in pages", async (h) => {
    const { collections } = h.documents;
    for (const collection of ["m", "b", "m", "Z", "q"]) await upload(h, { collection });
    for (const collection of ["a", "m", "z"]) await collections.put("t1", stored(collection));
    const line = (collection: string, documents: number, own = false): ListedCollection => ({
      collection,
      documents,
      stored: own ? stored(collection) : undefined,
    });
    const all = [
      line("Z", 1),
      line("a", 0, true),
      line("b", 1),
      line("m", 2, true),
      line("q", 1),
      line("z", 0, true),
    ];
    expect(await collections.list("t1", "", 9)).toEqual(all);
    for (const limit of [1, 2, 4]) {
      const paged: ListedCollection[] = [];
      for (;;) {
        const page = await collections.list("t1", paged.at(-1)?.collection ?? "", limit);
        expect(page.length).toBeLessThanOrEqual(limit);
        if (page.length === 0) break;
        paged.push(...page);
      }
      expect(paged).toEqual(all);
    }
  });

  check("documents count while they live, and where they are now", async (h) => {
    const { collections } = h.documents;
    const moved = await upload(h, { collection: "c" });
    const removed = await upload(h, { collection: "c" });
    await upload(h, { collection: "d" });
    expect(await collections.countDocuments("t1", "c")).toBe(2);
    await change(h, moved, { collection: "d" });
    const { document_id, revision } = removed;
    const remove_document = { document_id, expect_revision: revision };
    await h.documents.commit([{ tenant_id: "t1", remove_document }]);
    expect(await collections.countDocuments("t1", "c")).toBe(0);
    expect(await collections.countDocuments("t1", "d")).toBe(2);
    expect(await collections.list("t1", "", 9)).toEqual([
      { collection: "d", documents: 2, stored: undefined },
    ]);
  });

  check("a tenant neither sees nor changes another's collections", async (h) => {
    const { collections } = h.documents;
    await collections.put("t1", stored("c"));
    await upload(h, { tenant_id: "t1", collection: "c" });
    expect(await collections.read("t2", "c")).toBeUndefined();
    expect(await collections.list("t2", "", 9)).toEqual([]);
    expect(await collections.countDocuments("t2", "c")).toBe(0);
    expect(await collections.remove("t2", "c")).toBe(false);
    const own = stored("c", { settings: { chunking: { strategy: "fixed" } } });
    await collections.put("t2", own);
    expect(await collections.read("t1", "c")).toEqual(stored("c"));
    expect(await collections.list("t2", "", 9)).toEqual([{ collection: "c", documents: 0, stored: own }]);
    // A tenant whose name begins another's.
    expect(await collections.list("t", "", 9)).toEqual([]);
    expect(await collections.remove("t2", "c")).toBe(true);
    expect(await collections.list("t1", "", 9)).toEqual([
      { collection: "c", documents: 1, stored: stored("c") },
    ]);
  });

  check.needing("shared", "another process reads what was put at once", async (h, { second }) => {
    const other = await second();
    await h.documents.collections.put("t1", stored("c"));
    expect(await other.documents.collections.read("t1", "c")).toEqual(stored("c"));
    await other.documents.collections.remove("t1", "c");
    expect(await h.documents.collections.read("t1", "c")).toBeUndefined();
  });

  check.needing("durable", "settings outlive their process", async (h, { reopen }) => {
    await h.documents.collections.put("t1", stored("c"));
    const again = await reopen();
    expect(await again.documents.collections.read("t1", "c")).toEqual(stored("c"));
  });
}

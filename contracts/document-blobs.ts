/** The part of the DocumentStore contract that is about blobs given up: what nothing names, nothing will ever name. */
import { expect } from "vitest";
import type { Commit } from "../src/ports/document-store.ts";
import { newDocument, newVersion, uploadCommit } from "./samples.ts";
import { expectConflict, type StorageHarness, type StorageTest, upload } from "./storage.ts";

/** An upload whose bytes lie under this key. */
function uploadOf(h: StorageHarness, blob_key: string): Commit {
  const record = newDocument(h.system);
  return { ...uploadCommit(h.system, record), version: newVersion(record, { blob_key }) };
}

export function describeBlobs(check: StorageTest): void {
  check("only blobs that nothing names are condemned; the others may be named again", async (h) => {
    const record = await upload(h);
    const { document_id } = record;
    const original = `t1/${document_id}-1`;
    const second = { ...record, revision: 2 };
    const named: Commit = {
      tenant_id: "t1",
      document: { record: second, expect_revision: 1 },
      checkpoint: { stage: "extracting", data: { text_key: "t1/text", parts: 1, other: "t1/beside" } },
    };
    await h.documents.commit([named]);
    expect(await h.documents.condemnBlobs([original, "t1/text", "t1/nobody"])).toEqual(["t1/nobody"]);
    expect(await h.documents.condemnBlobs([original, "t1/text"])).toEqual([]);
    expect(await h.documents.condemnBlobs([])).toEqual([]);
    // As an ingestion that goes on, and one from the original, do.
    const third = { ...record, version: 2, revision: 3 };
    const data = { text_key: "t1/text", more_key: "t1/more" };
    await h.documents.commit([
      { ...named, document: { record: { ...second, revision: 3 }, expect_revision: 2 } },
      {
        tenant_id: "t1",
        document: { record: { ...third, revision: 4 }, expect_revision: 3 },
        version: newVersion(third, { blob_key: original }),
        checkpoint: { stage: "extracting", data },
      },
    ]);
    const all = [original, "t1/text", "t1/more"];
    expect(await h.documents.referencedBlobs([...all, "t1/nobody"])).toEqual(new Set(all));
    expect(await h.documents.listVersions("t1", document_id)).toHaveLength(2);
  });

  check(
    "whoever names a condemned blob is refused, as a version or in a checkpoint, and for good",
    async (h) => {
      const record = await upload(h);
      expect(await h.documents.condemnBlobs(["t1/late"])).toEqual(["t1/late"]);
      const checkpointed = (data: Record<string, unknown>): Commit => ({
        tenant_id: "t1",
        document: { record: { ...record, revision: 2 }, expect_revision: 1 },
        checkpoint: { stage: "extracting", data },
      });
      for (const round of [1, 2]) {
        const wanted = { original: uploadOf(h, "t1/late"), text: checkpointed({ part_3_key: "t1/late" }) };
        for (const [what, commit] of Object.entries(wanted)) {
          await expectConflict(h.documents.commit([commit]), "blob_condemned");
          const events = await h.documents.readEvents({ after: 1, limit: 10 });
          expect(events, `${what}, ${round}`).toEqual([]);
        }
        // What came before it in the same transaction names it no less late.
        const twice = [uploadOf(h, "t1/fresh"), uploadOf(h, "t1/late")];
        await expectConflict(h.documents.commit(twice), "blob_condemned");
        expect(await h.documents.referencedBlobs(["t1/fresh", "t1/late"])).toEqual(new Set());
        // A sweep that died before it could remove the blob is repeated.
        expect(await h.documents.condemnBlobs(["t1/late"])).toEqual(["t1/late"]);
      }
      // Not a blob's name, though it looks like one.
      await h.documents.commit([checkpointed({ title: "t1/late", later_key: null, part_4_key: "t1/other" })]);
      await h.documents.commit([uploadOf(h, "t1/fresh")]);
    },
  );

  check("a blob that was named once may be condemned when nothing names it any more", async (h) => {
    const record = await upload(h);
    const checkpoint = (text_key: string, revision: number): Commit => ({
      tenant_id: "t1",
      document: { record: { ...record, revision }, expect_revision: revision - 1 },
      checkpoint: { stage: "extracting", data: { text_key } },
    });
    await h.documents.commit([checkpoint("t1/old", 2)]);
    expect(await h.documents.condemnBlobs(["t1/old"])).toEqual([]);
    await h.documents.commit([checkpoint("t1/new", 3)]);
    expect(await h.documents.condemnBlobs(["t1/old", "t1/new"])).toEqual(["t1/old"]);
    await expectConflict(h.documents.commit([checkpoint("t1/old", 4)]), "blob_condemned");
  });

  check.needing("shared", "commits and sweeps at once: each blob is named or condemned", async (h, more) => {
    const other = await more.second();
    const keys = Array.from({ length: 60 }, (_, place) => `t1/blob-${place}`);
    const named = keys.map((key) =>
      h.documents.commit([uploadOf(h, key)]).then(
        () => [key],
        (error: { reason?: string }) => {
          expect(error.reason).toBe("blob_condemned");
          return [];
        },
      ),
    );
    const condemned: Promise<string[]>[] = [];
    for (let start = 0; start < keys.length; start += 10) {
      condemned.push(other.documents.condemnBlobs(keys.slice(start, start + 10)));
    }
    const [kept, gone] = [(await Promise.all(named)).flat(), (await Promise.all(condemned)).flat()];
    expect([...kept, ...gone].sort()).toEqual([...keys].sort());
    expect(await h.documents.referencedBlobs(keys)).toEqual(new Set(kept));
  });
}

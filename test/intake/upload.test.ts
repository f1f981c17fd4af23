import { describe, expect, test } from "vitest";
import { SluiceError } from "../../src/errors.ts";
import type { Accepted } from "../../src/intake/upload.ts";
import type { DocumentStore } from "../../src/ports/document-store.ts";
import { bytesOf, openRig, type Rig, tenant_id } from "../support/rig.ts";

/** The outcome of a promise that must be refused with a SluiceError. */
async function refusal(promise: Promise<unknown>): Promise<SluiceError> {
  const error = await promise.then(
    () => "accepted",
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(SluiceError);
  return error as SluiceError;
}

const begin = (rig: Rig, key?: string) =>
  rig.uploadsOver({})(tenant_id, rig.system.newId("req"), { idempotency_key: key });
const plain = { collection: "default", metadata: {} };

/** Nothing lies in the blob store that no document names, and nothing is named that does not lie there. */
async function expectBlobsNamed(rig: Rig, ...document_ids: string[]): Promise<void> {
  const named = new Set<string>();
  for (const document_id of document_ids) {
    for (const version of await rig.documents.listVersions(tenant_id, document_id)) {
      named.add(version.blob_key);
    }
  }
  expect(await rig.blobKeys()).toEqual([...named].sort());
}

describe("a new document", () => {
  test("is there with its job, its event and its bytes when the answer is", async () => {
    const rig = await openRig();
    const accepted = await rig.upload("hello", { filename: "a.md", metadata: { lang: "en" }, priority: 3 });
    const { document_id, job_id, correlation_id } = accepted;
    expect(accepted).toMatchObject({ status: "pending", version: 1, duplicate: false });
    const document = await rig.get(document_id);
    expect(document).toMatchObject({
      filename: "a.md",
      media_type: "text/markdown",
      size_bytes: 5,
      sha256: "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824",
      status: "pending",
      metadata: { lang: "en" },
      searchable_version: null,
      job_id,
      correlation_id,
    });
    expect(await rig.job(job_id)).toMatchObject({
      state: "queued",
      priority: 3,
      max_attempts: 5,
      payload: { document_id, version: 1 },
      unique_key: `ingest:${document_id}`,
      correlation_id,
    });
    const [event, ...more] = await rig.expectReplays(document_id);
    expect(more).toEqual([]);
    expect(event).toMatchObject({ event_type: "rag.document.uploaded", correlation_id });
    expect(event?.causation_id).toMatch(/^req_/);
    await expectBlobsNamed(rig, document_id);
  });

  test("is durable: another connection, opened after, has all of it", async () => {
    const rig = await openRig();
    const { document_id, job_id } = await rig.upload("hello");
    const other = await rig.connect();
    expect(await other.documents.getDocument(tenant_id, document_id)).toEqual(await rig.get(document_id));
    expect((await other.queue.get(job_id))?.state).toBe("queued");
  });

  test("of a type that nobody reads is refused, and leaves nothing", async () => {
    const rig = await openRig({ storage: "memory" });
    const error = await refusal(
      rig.upload("GIF89a\u0001\u0000\u0001\u0000\u0000\u0000\u0000;", { filename: "a.gif" }),
    );
    expect(error).toMatchObject({ code: "unsupported_media_type" });
    expect(error.message).toContain("a.gif");
    expect(await rig.blobKeys()).toEqual([]);
    expect(await rig.documents.lastSequence()).toBe(0);
  });

  test("over the limit is refused, and leaves nothing; at the limit it is taken", async () => {
    const rig = await openRig({ storage: "memory", max_upload_bytes: 5 });
    expect(await refusal(rig.upload("123456"))).toMatchObject({ code: "payload_too_large" });
    expect(await rig.blobKeys()).toEqual([]);
    expect(await rig.upload("12345")).toMatchObject({ status: "pending" });
  });

  test("whose source breaks off hands the source's error on, and leaves no blob", async () => {
    const rig = await openRig();
    const broken = new Error("the client went away");
    async function* source() {
      yield Buffer.from("first half, ");
      throw broken;
    }
    const upload = await begin(rig);
    await expect(upload.add(source(), { filename: "a.txt" })).rejects.toBe(broken);
    await upload.end();
    expect(await rig.blobKeys()).toEqual([]);
    expect(await rig.documents.lastSequence()).toBe(0);
  });
});

describe("the same bytes again", () => {
  test("answer the document that has them, and change nothing", async () => {
    const rig = await openRig();
    const first = await rig.upload("same");
    const again = await rig.upload("same", { filename: "other-name.txt", metadata: { a: 1 } });
    expect(again).toEqual({ ...first, duplicate: true });
    expect(await rig.documents.lastSequence()).toBe(1);
    await expectBlobsNamed(rig, first.document_id);
  });

  test("in another collection, or of another tenant, are another document", async () => {
    const rig = await openRig();
    const first = await rig.upload("same");
    const second = await rig.upload("same", { collection: "other" });
    const third = await rig.upload("same", { tenant_id: "t2" });
    expect(new Set([first, second, third].map((accepted) => accepted.document_id)).size).toBe(3);
    expect([second.duplicate, third.duplicate]).toEqual([false, false]);
  });

  test("ten times at once are one document", async () => {
    const rig = await openRig();
    const answers = await Promise.all(Array.from({ length: 10 }, () => rig.upload("same")));
    expect(new Set(answers.map((answer) => `${answer.document_id} ${answer.job_id}`)).size).toBe(1);
    expect(answers.filter((answer) => !answer.duplicate)).toHaveLength(1);
    expect(await rig.queue.list({ limit: 20 })).toHaveLength(1);
    await expectBlobsNamed(rig, answers[0]!.document_id);
  });

  test("ten times at once through two connections are one document", async () => {
    const rig = await openRig();
    const other = rig.uploadsOver(await rig.connect());
    const viaOther = async (): Promise<Accepted> => {
      const upload = await other(tenant_id, "req_1");
      await upload.add(bytesOf("same"), { filename: "notes.txt" });
      const { accepted } = await upload.accept(plain);
      await upload.end();
      return accepted[0]!;
    };
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, turn) => (turn % 2 === 0 ? rig.upload("same") : viaOther())),
    );
    expect(new Set(answers.map((answer) => answer.document_id)).size).toBe(1);
    expect(await rig.queue.list({ limit: 20 })).toHaveLength(1);
    await expectBlobsNamed(rig, answers[0]!.document_id);
  });

  test.each(["failed", "cancelled"] as const)("of a %s document ingest it anew", async (status) => {
    const rig = await openRig({ storage: "memory" });
    const first = await rig.upload("same");
    if (status === "cancelled") await rig.commands.cancel(tenant_id, first.job_id, "req_1");
    else {
      const extract = async () => {
        throw new SluiceError("malformed_document", "broken");
      };
      const extractor = { ...rig.extractor, extract };
      const worker = rig.worker({ extractor });
      await worker.start();
      expect((await rig.settled(first.document_id)).status).toBe("failed");
      await worker.stop();
    }
    const again = await rig.upload("same");
    expect(again).toMatchObject({ document_id: first.document_id, version: 2, status: "pending" });
    expect(again.job_id).not.toBe(first.job_id);
    await rig.worker().start();
    expect(await rig.settled(first.document_id)).toMatchObject({ status: "completed", version: 2 });
    await rig.expectReplays(first.document_id);
  });

  test("with on_duplicate=new_version are a new version", async () => {
    const rig = await openRig({ storage: "memory" });
    const first = await rig.upload("same", { metadata: { a: 1, b: 1 } });
    await rig.worker().start();
    await rig.settled(first.document_id);
    const again = await rig.upload("same", { on_duplicate: "new_version", metadata: { b: 2 } });
    expect(again).toMatchObject({ document_id: first.document_id, version: 2, duplicate: true });
    expect(await rig.settled(first.document_id)).toMatchObject({
      status: "completed",
      searchable_version: 2,
      metadata: { a: 1, b: 2 },
    });
    await rig.expectReplays(first.document_id);
  });
});

describe("a new version of a named document", () => {
  test("takes the place of an ingestion that still waits", async () => {
    const rig = await openRig();
    const first = await rig.upload("one");
    const second = await rig.upload("two", { document_id: first.document_id });
    expect(second).toMatchObject({ document_id: first.document_id, version: 2, duplicate: false });
    expect((await rig.job(first.job_id)).state).toBe("cancelled");
    const events = await rig.expectReplays(first.document_id);
    expect(events.map((event) => event.event_type)).toEqual([
      "rag.document.uploaded",
      "rag.ingestion.cancelled",
      "rag.document.uploaded",
    ]);
    expect(events[1]?.data).toMatchObject({ reason: "superseded", version: 1, job_id: first.job_id });
    // What was caused by the first upload is told under its correlation, the rest under the second's.
    expect(events.map((event) => event.correlation_id)).toEqual([
      first.correlation_id,
      first.correlation_id,
      second.correlation_id,
    ]);
  });

  test("its own bytes again are answered as they are", async () => {
    const rig = await openRig({ storage: "memory" });
    const first = await rig.upload("one");
    expect(await rig.upload("one", { document_id: first.document_id })).toEqual({
      ...first,
      duplicate: true,
    });
  });

  test("the bytes of another document are refused", async () => {
    const rig = await openRig();
    const first = await rig.upload("one");
    const second = await rig.upload("two");
    const error = await refusal(rig.upload("two", { document_id: first.document_id }));
    expect(error.code).toBe("duplicate_content");
    expect(error.message).toContain(second.document_id);
    expect(await rig.documents.lastSequence()).toBe(2);
    await expectBlobsNamed(rig, first.document_id, second.document_id);
  });

  test("is refused for a document that is not there, or another tenant's", async () => {
    const rig = await openRig({ storage: "memory" });
    const { document_id } = await rig.upload("one");
    for (const input of [{ document_id: "doc_none" }, { document_id, tenant_id: "t2" }]) {
      expect(await refusal(rig.upload("two", input))).toMatchObject({ code: "not_found" });
    }
    await expectBlobsNamed(rig, document_id);
  });

  test("is one file", async () => {
    const rig = await openRig({ storage: "memory" });
    const { document_id } = await rig.upload("one");
    const upload = await begin(rig);
    for (const text of ["two", "three"]) await upload.add(bytesOf(text), { filename: "a.txt" });
    expect(await refusal(upload.accept({ ...plain, document_id }))).toMatchObject({
      code: "invalid_request",
    });
    await upload.end();
    await expectBlobsNamed(rig, document_id);
  });

  test("several at once become versions one after another; the last one's job is the one that is left", async () => {
    const rig = await openRig();
    const { document_id } = await rig.upload("zero");
    const answers = await Promise.all(
      ["one", "two", "three", "four"].map((text) => rig.upload(text, { document_id })),
    );
    expect(answers.map((answer) => answer.version).sort()).toEqual([2, 3, 4, 5]);
    const open = (await rig.queue.list({ limit: 20 })).filter((job) => job.state !== "cancelled");
    const last = answers.find((answer) => answer.version === 5);
    expect(open.map((job) => job.job_id)).toEqual([last?.job_id]);
    await rig.expectReplays(document_id);
  });
});

describe("an Idempotency-Key", () => {
  const keyed = { idempotency_key: "k1" };

  test("gives the first answer again, whatever became of the document", async () => {
    const rig = await openRig();
    const first = await rig.upload("one", keyed);
    await rig.commands.cancel(tenant_id, first.job_id, "req_1");
    expect(await rig.upload("one", keyed)).toEqual(first);
    expect(await rig.documents.lastSequence()).toBe(2);
    await expectBlobsNamed(rig, first.document_id);
  });

  test("says that it replayed", async () => {
    const rig = await openRig({ storage: "memory" });
    const replayed: boolean[] = [];
    for (let turn = 0; turn < 2; turn++) {
      const upload = await begin(rig, "k1");
      await upload.add(bytesOf("one"), { filename: "a.txt" });
      replayed.push((await upload.accept(plain)).replayed);
      await upload.end();
    }
    expect(replayed).toEqual([false, true]);
  });

  test("does not depend on the order of metadata fields", async () => {
    const rig = await openRig({ storage: "memory" });
    const first = await rig.upload("one", { ...keyed, metadata: { a: 1, b: 2 } });
    expect(await rig.upload("one", { ...keyed, metadata: { b: 2, a: 1 } })).toEqual(first);
  });

  test.each([
    ["other bytes", "two", {}],
    ["another name", "one", { filename: "b.txt" }],
    ["another collection", "one", { collection: "other" }],
    ["other metadata", "one", { metadata: { a: 1 } }],
    ["another priority", "one", { priority: 1 }],
    ["another way with duplicates", "one", { on_duplicate: "new_version" as const }],
  ])("with %s is refused", async (_, text, change) => {
    const rig = await openRig({ storage: "memory" });
    const { document_id } = await rig.upload("one", keyed);
    expect(await refusal(rig.upload(text, { ...keyed, ...change }))).toMatchObject({
      code: "idempotency_key_reused",
    });
    await expectBlobsNamed(rig, document_id);
  });

  test("is refused while its first request runs, and free again when that ends", async () => {
    const rig = await openRig({ storage: "memory" });
    const uploads = rig.uploadsOver({});
    const k1 = { idempotency_key: "k1" };
    const first = await uploads(tenant_id, "req_1", k1);
    await expect(uploads(tenant_id, "req_2", k1)).rejects.toMatchObject({
      code: "idempotency_key_in_use",
      retry_after_ms: 1_000,
    });
    await (await uploads("t2", "req_3", k1)).end();
    await first.end();
    await (await uploads(tenant_id, "req_4", k1)).end();
  });

  test("in two processes at once is taken by one; the other gives that one's answer", async () => {
    const rig = await openRig();
    const sides = [rig.uploadsOver({}), rig.uploadsOver(await rig.connect())];
    const answers = await Promise.all(
      sides.map(async (side, place) => {
        const upload = await side(tenant_id, `req_${place}`, { idempotency_key: "k1" });
        await upload.add(bytesOf("one"), { filename: "a.txt" });
        const answer = await upload.accept({ ...plain, on_duplicate: "new_version" });
        await upload.end();
        return answer;
      }),
    );
    expect(answers[0]!.accepted).toEqual(answers[1]!.accepted);
    expect(answers.map((answer) => answer.replayed).sort()).toEqual([false, true]);
    expect(await rig.documents.lastSequence()).toBe(1);
    await expectBlobsNamed(rig, answers[0]!.accepted[0]!.document_id);
  });
});

describe("several files", () => {
  test("are documents of their own, accepted together", async () => {
    const rig = await openRig();
    const upload = await begin(rig);
    for (const text of ["one", "two", "one"]) await upload.add(bytesOf(text), { filename: `${text}.txt` });
    const { accepted } = await upload.accept(plain);
    await upload.end();
    expect(accepted.map((answer) => answer.duplicate)).toEqual([false, false, true]);
    expect(accepted[2]).toMatchObject({ document_id: accepted[0]!.document_id });
    expect(await rig.documents.lastSequence()).toBe(2);
    await expectBlobsNamed(rig, ...accepted.map((answer) => answer.document_id));
  });

  test("are all refused with one of them", async () => {
    const rig = await openRig();
    const upload = await begin(rig);
    await upload.add(bytesOf("one"), { filename: "one.txt" });
    await refusal(
      upload.add(bytesOf("GIF89a\u0001\u0000\u0001\u0000\u0000\u0000\u0000;"), { filename: "two.gif" }),
    );
    await upload.end();
    expect(await rig.documents.lastSequence()).toBe(0);
    expect(await rig.blobKeys()).toEqual([]);
  });

  test("of which one lost a race are decided anew, all of them", async () => {
    const rig = await openRig();
    let raced = false;
    const documents: DocumentStore = {
      ...rig.documents,
      async commit(commits) {
        // Between this upload's decision and its commit, another client uploads the second file.
        if (!raced) {
          raced = true;
          await rig.upload("two");
        }
        return rig.documents.commit(commits);
      },
    };
    const upload = await rig.uploadsOver({ documents })(tenant_id, "req_1");
    for (const text of ["one", "two"]) await upload.add(bytesOf(text), { filename: `${text}.txt` });
    const { accepted } = await upload.accept(plain);
    await upload.end();
    expect(accepted.map((answer) => answer.duplicate)).toEqual([false, true]);
    expect(await rig.documents.lastSequence()).toBe(2);
    await expectBlobsNamed(rig, ...accepted.map((answer) => answer.document_id));
  });
});

describe("when the transaction can't be written", () => {
  test.each([
    ["storage_full", 0],
    // The transaction may come through yet: the sweeper decides, later.
    ["storage_unavailable", 1],
  ] as const)("%s: there is no document, and ending the upload leaves %i blobs", async (code, left) => {
    const rig = await openRig();
    const away = new SluiceError(code, "not now");
    const documents: DocumentStore = { ...rig.documents, commit: () => Promise.reject(away) };
    const upload = await rig.uploadsOver({ documents })(tenant_id, "req_1", { idempotency_key: "k1" });
    await upload.add(bytesOf("one"), { filename: "a.txt" });
    await expect(upload.accept(plain)).rejects.toBe(away);
    expect(await rig.blobKeys()).toHaveLength(1);
    await upload.end();
    expect(await rig.blobKeys()).toHaveLength(left);
    expect(await rig.documents.lastSequence()).toBe(0);
    expect(await rig.documents.findAnswer(tenant_id, "k1")).toBeUndefined();
  });

  test("an upload that loses every race gives up with an error that may be repeated", async () => {
    const rig = await openRig({ storage: "memory" });
    const { document_id } = await rig.upload("zero");
    let turn = 0;
    const documents: DocumentStore = {
      ...rig.documents,
      async commit(commits) {
        await rig.upload(`other ${turn++}`, { document_id });
        return rig.documents.commit(commits);
      },
    };
    const upload = await rig.uploadsOver({ documents })(tenant_id, "req_1");
    await upload.add(bytesOf("mine"), { filename: "a.txt" });
    const error = await refusal(upload.accept({ ...plain, document_id }));
    expect(error).toMatchObject({ code: "conflict", retryable: true });
    await upload.end();
    await expectBlobsNamed(rig, document_id);
  });
});

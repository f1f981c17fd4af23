/** The part of the DocumentStore contract that is about transactions: all or nothing, and every refusal. */
import { expect } from "vitest";
import type { Commit, ConflictReason } from "../src/ports/document-store.ts";
import { newChunks, newDocument, newError, newJob, newVersion, unit, uploadCommit } from "./samples.ts";
import {
  change,
  claimOne,
  expectConflict,
  publish,
  type StorageHarness,
  type StorageTest,
  stageVersion,
  upload,
} from "./storage.ts";

export function describeCommits(check: StorageTest): void {
  together(check);
  refusals(check);
  documentsAndContent(check);
  jobsInCommits(check);
  removal(check);
}

/** A commit that writes every kind of thing, so that a half-done one would show. */
function fullCommit(h: StorageHarness): Commit & { document_id: string; job_id: string; key: string } {
  const record = newDocument(h.system);
  const chunks = newChunks(record, ["one", "two"]);
  const key = `key of ${record.document_id}`;
  const created_at = record.created_at;
  return {
    ...uploadCommit(h.system, record),
    checkpoint: { stage: "extracting", data: { blob_key: "t1/text" } },
    chunks,
    embeddings: {
      document_id: record.document_id,
      version: 1,
      embedder_id: "e@1",
      vectors: [{ ordinal: 0, vector: unit(1, 2) }],
    },
    answer: { key, fingerprint: "f", status: 202, body: { ok: true }, created_at },
    document_id: record.document_id,
    job_id: record.job_id,
    key,
  };
}

async function whatIsThere(h: StorageHarness, full: ReturnType<typeof fullCommit>) {
  const { document_id, job_id, key } = full;
  const present = {
    document: (await h.documents.getDocument("t1", document_id)) !== undefined,
    version: (await h.documents.listVersions("t1", document_id)).length > 0,
    checkpoint: (await h.documents.listCheckpoints("t1", document_id, 1)).length > 0,
    chunks: (await h.documents.listChunks("t1", document_id, 1, 0, 10)).length > 0,
    events: (await h.documents.readEvents({ after: 0, limit: 100, document_id })).length > 0,
    job: (await h.queue.get(job_id)) !== undefined,
    answer: (await h.documents.findAnswer("t1", key)) !== undefined,
  };
  return Object.entries(present)
    .filter(([, there]) => there)
    .map(([kind]) => kind);
}

const everything = ["document", "version", "checkpoint", "chunks", "events", "job", "answer"];

function together(check: StorageTest): void {
  check("everything in a commit becomes true together", async (h) => {
    const full = fullCommit(h);
    expect(await whatIsThere(h, full)).toEqual([]);
    await h.documents.commit([full]);
    expect(await whatIsThere(h, full)).toEqual(everything);
    expect(await h.documents.getDocument("t1", full.document_id)).toEqual(full.document?.record);
    expect((await claimOne(h)).job_id).toBe(full.job_id);
  });

  check.needing("durable", "a commit is there after closing and opening again", async (h, more) => {
    const full = fullCommit(h);
    const sequence = await h.documents.commit([full]);
    const again = await more.reopen();
    expect(await whatIsThere(again, full)).toEqual(everything);
    expect(await again.documents.lastSequence()).toBe(sequence);
    expect(await again.documents.commit([uploadCommit(h.system, newDocument(h.system))])).toBeGreaterThan(
      sequence,
    );
  });

  check.needing("shared", "a commit is seen by another process as soon as it resolved", async (h, more) => {
    const other = await more.second();
    for (let count = 0; count < 5; count += 1) {
      const full = fullCommit(h);
      await h.documents.commit([full]);
      expect(await whatIsThere(other, full)).toEqual(everything);
    }
  });

  check("several commits are one transaction: when the last is refused, none of them happened", async (h) => {
    const existing = await upload(h);
    const first = fullCommit(h);
    const second = fullCommit(h);
    const refused = uploadCommit(h.system, newDocument(h.system, { sha256: existing.sha256 }));
    await expectConflict(h.documents.commit([first, second, refused]), "duplicate_content");
    expect(await whatIsThere(h, first)).toEqual([]);
    expect(await whatIsThere(h, second)).toEqual([]);
  });

  check("a refused transaction leaves a document and a job that it changed twice as they were", async (h) => {
    const record = await upload(h);
    const job = await h.queue.get(record.job_id);
    const step = (revision: number): Commit => ({
      tenant_id: "t1",
      document: { record: { ...record, revision, filename: `${revision}` }, expect_revision: revision - 1 },
    });
    const { job_id } = record;
    const commits: Commit[] = [
      { ...step(2), cancel_job: job_id },
      { ...step(3), redrive_job: job_id },
      { ...step(4), cancel_job: job_id },
      { tenant_id: "t1", cancel_job: job_id },
    ];
    await expectConflict(h.documents.commit(commits), "job_state");
    expect(await h.documents.getDocument("t1", record.document_id)).toEqual(record);
    expect(await h.queue.get(job_id)).toEqual(job);
    // A server may lift its locks a moment after it has said no.
    const claimed = async () => (await h.queue.claim("wrk_a", 1, 30_000))[0]?.job_id;
    await expect.poll(claimed).toBe(job_id);
    await h.documents.commit([step(2)]);
  });

  check("several commits apply in order: a later one builds on an earlier one", async (h) => {
    const record = newDocument(h.system);
    const next = { ...record, status: "processing" as const, revision: 2 };
    await h.documents.commit([
      uploadCommit(h.system, record),
      { tenant_id: "t1", document: { record: next, expect_revision: 1 } },
    ]);
    expect(await h.documents.getDocument("t1", record.document_id)).toEqual(next);
  });

  check("commits made at the same time all happen", async (h) => {
    const all = Array.from({ length: 40 }, () => newDocument(h.system));
    await Promise.all(all.map((record) => h.documents.commit([uploadCommit(h.system, record)])));
    for (const record of all) expect(await h.documents.getDocument("t1", record.document_id)).toEqual(record);
  });

  check("one refused commit among many at the same time takes no other with it", async (h) => {
    const existing = await upload(h);
    const all = Array.from({ length: 12 }, (_, place) =>
      newDocument(h.system, place % 3 === 0 ? { sha256: existing.sha256 } : {}),
    );
    const outcomes = await Promise.allSettled(
      all.map((record) => h.documents.commit([uploadCommit(h.system, record)])),
    );
    expect(outcomes.map((outcome) => outcome.status)).toEqual(
      all.map((_, place) => (place % 3 === 0 ? "rejected" : "fulfilled")),
    );
    for (const [place, record] of all.entries()) {
      const found = await h.documents.getDocument("t1", record.document_id);
      expect(found).toEqual(place % 3 === 0 ? undefined : record);
    }
  });

  check("of many who change the same revision at the same time, one succeeds", async (h) => {
    const record = await upload(h);
    const outcomes = await Promise.allSettled(
      Array.from({ length: 10 }, (_, place) => change(h, record, { filename: `by ${place}` })),
    );
    expect(outcomes.filter((outcome) => outcome.status === "fulfilled")).toHaveLength(1);
    expect((await h.documents.getDocument("t1", record.document_id))?.revision).toBe(2);
  });

  check("a commit of nothing writes nothing", async (h) => {
    expect(await h.documents.commit([])).toBe(0);
    expect(await h.documents.commit([{ tenant_id: "t1" }])).toBe(0);
    expect(await h.documents.lastSequence()).toBe(0);
  });
}

/** For each reason, the one thing that makes an otherwise good commit refused. */
const causes: Record<ConflictReason, (h: StorageHarness) => Promise<Partial<Commit>>> = {
  lease_lost: async (h) => {
    await h.queue.enqueue([newJob(h.system)]);
    const lease = await claimOne(h);
    await h.queue.fail(lease, newError());
    return { lease };
  },
  revision: async (h) => {
    const { document_id } = await upload(h);
    return { remove_document: { document_id, expect_revision: 7 } };
  },
  duplicate_content: async (h) => {
    const { sha256 } = await upload(h);
    return { document: { record: newDocument(h.system, { sha256 }), expect_revision: null } };
  },
  embedders: async () => ({ embedders: { serving: "another@1", target: null } }),
  unique_key: async (h) => {
    await h.queue.enqueue([newJob(h.system, { unique_key: "k" })]);
    return { enqueue: [newJob(h.system), newJob(h.system, { unique_key: "k" })] };
  },
  idempotency_key: async (h) => {
    const answer = {
      key: "taken",
      fingerprint: "f",
      status: 202,
      body: null,
      created_at: "2026-01-01T00:00:00.000Z",
    };
    await h.documents.commit([{ tenant_id: "t1", answer }]);
    return { answer: { ...answer, fingerprint: "g" } };
  },
  blob_condemned: async (h) => {
    const late = newDocument(h.system);
    const version = newVersion(late, { blob_key: "t1/late" });
    await h.documents.condemnBlobs([version.blob_key]);
    return { version };
  },
  job_state: async (h) => {
    await h.queue.enqueue([newJob(h.system)]);
    const lease = await claimOne(h);
    await h.queue.complete(lease);
    return { cancel_job: lease.job_id };
  },
};

function refusals(check: StorageTest): void {
  for (const [reason, cause] of Object.entries(causes) as [ConflictReason, (typeof causes)["revision"]][]) {
    check(`a commit refused with ${reason} writes nothing at all`, async (h) => {
      const bad = await cause(h);
      const full = fullCommit(h);
      const events = await h.documents.lastSequence();
      const queueBefore = await h.queue.stats();
      // In the same commit, and in a later commit of the same transaction.
      await expectConflict(h.documents.commit([{ ...full, ...bad }]), reason);
      await expectConflict(h.documents.commit([full, { tenant_id: "t1", ...bad }]), reason);
      expect(await whatIsThere(h, full)).toEqual([]);
      expect(await h.documents.lastSequence()).toBe(events);
      expect(await h.queue.stats()).toEqual(queueBefore);
      await h.documents.commit([full]);
      expect(await whatIsThere(h, full)).toEqual(everything);
    });
  }

  check("an idempotency key is taken within its tenant only", async (h) => {
    const answer = {
      key: "k",
      fingerprint: "f",
      status: 202,
      body: null,
      created_at: "2026-01-01T00:00:00.000Z",
    };
    await h.documents.commit([{ tenant_id: "t1", answer }]);
    await h.documents.commit([{ tenant_id: "t2", answer: { ...answer, status: 200 } }]);
    expect((await h.documents.findAnswer("t1", "k"))?.status).toBe(202);
    expect((await h.documents.findAnswer("t2", "k"))?.status).toBe(200);
  });
}

function documentsAndContent(check: StorageTest): void {
  check("a change is refused when the document has moved on", async (h) => {
    const record = await upload(h);
    const changed = await change(h, record, { filename: "second.txt" });
    await expectConflict(change(h, record, { filename: "third.txt" }), "revision");
    expect(await h.documents.getDocument("t1", record.document_id)).toEqual(changed);
  });

  check("a change is refused when the document never was, or is gone", async (h) => {
    await expectConflict(change(h, newDocument(h.system), {}), "revision");
    const record = await upload(h);
    const { document_id } = record;
    await h.documents.commit([{ tenant_id: "t1", remove_document: { document_id, expect_revision: 1 } }]);
    await expectConflict(change(h, record, {}), "revision");
    expect(await h.documents.getDocument("t1", document_id)).toBeUndefined();
  });

  check("a new document under an id that exists is refused", async (h) => {
    const record = await upload(h);
    const document = { record: { ...record, filename: "other.txt" }, expect_revision: null };
    await expectConflict(h.documents.commit([{ tenant_id: "t1", document }]), "revision");
    expect(await h.documents.getDocument("t1", record.document_id)).toEqual(record);
  });

  check("another tenant can neither change nor remove a document", async (h) => {
    const record = await upload(h);
    await expectConflict(change(h, { ...record, tenant_id: "t2" }, { filename: "mine.txt" }), "revision");
    const remove_document = { document_id: record.document_id, expect_revision: 1 };
    await expectConflict(h.documents.commit([{ tenant_id: "t2", remove_document }]), "revision");
    expect(await h.documents.getDocument("t1", record.document_id)).toEqual(record);
  });

  check("the same bytes again are refused in the same collection only", async (h) => {
    const { sha256 } = await upload(h);
    await expectConflict(upload(h, { sha256 }), "duplicate_content");
    const elsewhere = await upload(h, { sha256, collection: "other" });
    const foreign = await upload(h, { sha256, tenant_id: "t2" });
    expect(await h.documents.getDocument("t1", elsewhere.document_id)).toEqual(elsewhere);
    expect(await h.documents.getDocument("t2", foreign.document_id)).toEqual(foreign);
  });

  check("a document may not change into another's bytes, but keeps its own through changes", async (h) => {
    const first = await upload(h);
    const second = await upload(h);
    await expectConflict(change(h, second, { sha256: first.sha256, version: 2 }), "duplicate_content");
    const changed = await change(h, second, { version: 2 });
    expect(await h.documents.findByContent("t1", "default", second.sha256)).toEqual(changed);
  });

  check("bytes that a document left behind, by a change or a removal, may come again", async (h) => {
    const first = await upload(h);
    const moved = await change(h, first, { sha256: "0".repeat(64), version: 2 });
    const second = await upload(h, { sha256: first.sha256 });
    expect(await h.documents.findByContent("t1", "default", first.sha256)).toEqual(second);
    const remove_document = { document_id: moved.document_id, expect_revision: moved.revision };
    await h.documents.commit([{ tenant_id: "t1", remove_document }]);
    const third = await upload(h, { sha256: moved.sha256 });
    expect(await h.documents.findByContent("t1", "default", moved.sha256)).toEqual(third);
  });
}

function jobsInCommits(check: StorageTest): void {
  check("a commit under a good lease is written, and leaves the job running", async (h) => {
    await h.queue.enqueue([newJob(h.system)]);
    const lease = await claimOne(h);
    const full = fullCommit(h);
    await h.documents.commit([{ ...full, lease }]);
    expect(await whatIsThere(h, full)).toEqual(everything);
    expect(await h.queue.lost([lease])).toEqual([]);
  });

  check("cancel_job ends a job and takes its lease away", async (h) => {
    await h.queue.enqueue([newJob(h.system)]);
    const lease = await claimOne(h);
    await h.documents.commit([{ tenant_id: "t1", cancel_job: lease.job_id }]);
    expect((await h.queue.get(lease.job_id))?.state).toBe("cancelled");
    expect(await h.queue.lost([lease])).toEqual([lease.job_id]);
  });

  check("cancel_job frees the unique_key for a job queued by the same commit", async (h) => {
    const old = newJob(h.system, { unique_key: "k" });
    await h.queue.enqueue([old]);
    const next = newJob(h.system, { unique_key: "k" });
    await h.documents.commit([{ tenant_id: "t1", cancel_job: old.job_id, enqueue: [next] }]);
    expect((await claimOne(h)).job_id).toBe(next.job_id);
  });

  check("settle frees the unique_key for a job queued by the same commit", async (h) => {
    await h.queue.enqueue([newJob(h.system, { unique_key: "k" })]);
    const lease = await claimOne(h);
    const next = newJob(h.system, { unique_key: "k" });
    await h.documents.commit([{ tenant_id: "t1", lease, settle: { state: "succeeded" }, enqueue: [next] }]);
    expect((await claimOne(h)).job_id).toBe(next.job_id);
  });

  check("redrive_job puts a dead job back, attempts from zero", async (h) => {
    await h.queue.enqueue([newJob(h.system)]);
    const lease = await claimOne(h);
    await expectConflict(h.documents.commit([{ tenant_id: "t1", redrive_job: lease.job_id }]), "job_state");
    await h.queue.fail(lease, newError());
    await h.documents.commit([{ tenant_id: "t1", redrive_job: lease.job_id }]);
    expect(await h.queue.get(lease.job_id)).toMatchObject({ state: "queued", attempts: 0 });
    expect((await claimOne(h)).job_id).toBe(lease.job_id);
  });

  check("a commit can't cancel or redrive another tenant's job", async (h) => {
    const [a, b] = [newJob(h.system), newJob(h.system)];
    await h.queue.enqueue([a, b]);
    await h.queue.cancel(b.job_id);
    await expectConflict(h.documents.commit([{ tenant_id: "t2", cancel_job: a.job_id }]), "job_state");
    await expectConflict(h.documents.commit([{ tenant_id: "t2", redrive_job: b.job_id }]), "job_state");
    expect((await h.queue.get(a.job_id))?.state).toBe("queued");
    expect((await h.queue.get(b.job_id))?.state).toBe("cancelled");
  });
}

function removal(check: StorageTest): void {
  const remove = (h: StorageHarness, document_id: string, expect_revision: number) =>
    h.documents.commit([{ tenant_id: "t1", remove_document: { document_id, expect_revision } }]);

  check("a removed document is gone for readers and searches; its versions and events stay", async (h) => {
    const record = await publish(h, [{ text: "quartz" }]);
    const { document_id, sha256 } = record;
    const [hit] = await h.index.matching({ tenant_id: "t1" }, "quartz", 1);
    expect(await h.documents.locateChunks("t1", [hit!.chunk_id])).toHaveLength(1);
    await remove(h, document_id, record.revision);
    expect(await h.documents.getDocument("t1", document_id)).toBeUndefined();
    expect(await h.documents.findByContent("t1", "default", sha256)).toBeUndefined();
    expect(await h.documents.listDocuments({ tenant_id: "t1", limit: 10 })).toEqual([]);
    expect(await h.documents.locateChunks("t1", [hit!.chunk_id])).toEqual([]);
    expect(await h.index.matching({ tenant_id: "t1" }, "quartz", 1)).toEqual([]);
    expect(await h.index.nearest({ tenant_id: "t1" }, unit(1), 1)).toEqual([]);
    expect(await h.documents.listVersions("t1", document_id)).toHaveLength(1);
    expect(await h.documents.readEvents({ after: 0, limit: 10, document_id })).toHaveLength(1);
  });

  check("a document that moved on, or is gone already, can't be removed", async (h) => {
    const record = await publish(h, [{ text: "quartz" }]);
    await expectConflict(remove(h, record.document_id, record.revision - 1), "revision");
    expect(await h.documents.getDocument("t1", record.document_id)).toEqual(record);
    await remove(h, record.document_id, record.revision);
    await expectConflict(remove(h, record.document_id, record.revision), "revision");
    await expectConflict(remove(h, "doc_never", 1), "revision");
  });

  check("an erased document leaves its events and nothing else", async (h) => {
    const record = await publish(h, [{ text: "quartz" }]);
    const { document_id } = record;
    const checkpoint = { stage: "extracting" as const, data: { blob_key: "t1/text" } };
    const { revision } = await change(h, record, {});
    await h.documents.commit([
      {
        tenant_id: "t1",
        document: { record: { ...record, revision: revision + 1 }, expect_revision: revision },
        checkpoint,
      },
    ]);
    await remove(h, document_id, revision + 1);
    await h.documents.commit([{ tenant_id: "t1", erase_document: document_id }]);
    expect(await h.documents.listVersions("t1", document_id)).toEqual([]);
    expect(await h.documents.listCheckpoints("t1", document_id, 1)).toEqual([]);
    expect(await h.documents.listChunks("t1", document_id, 1, 0, 10)).toEqual([]);
    const blobs = [`t1/${document_id}-1`, "t1/text"];
    expect(await h.documents.referencedBlobs(blobs)).toEqual(new Set());
    expect(await h.index.matching({ tenant_id: "t1" }, "quartz", 1)).toEqual([]);
    expect(await h.documents.readEvents({ after: 0, limit: 10, document_id })).toHaveLength(1);
    await h.documents.commit([{ tenant_id: "t1", erase_document: document_id }]);
  });

  check("erasing is refused to another tenant: nothing of the document is lost", async (h) => {
    const record = await publish(h, [{ text: "quartz" }]);
    const { document_id } = record;
    await remove(h, document_id, record.revision);
    await h.documents.commit([{ tenant_id: "t2", erase_document: document_id }]).catch(() => {});
    expect(await h.documents.listVersions("t1", document_id)).toHaveLength(1);
    expect(await h.documents.listChunks("t1", document_id, 1, 0, 10)).toHaveLength(1);
  });

  check(
    "discard drops chunks, vectors and checkpoints of a version, and keeps the version itself",
    async (h) => {
      const record = await upload(h);
      const { document_id } = record;
      const next = { ...record, revision: 2 };
      await h.documents.commit([
        {
          tenant_id: "t1",
          document: { record: next, expect_revision: 1 },
          checkpoint: { stage: "extracting", data: {} },
        },
      ]);
      await stageVersion(h, next, [{ text: "quartz" }]);
      await stageVersion(h, next, [{ text: "basalt" }], 2);
      await h.documents.commit([{ tenant_id: "t1", discard: { document_id, versions: [1] } }]);
      expect(await h.documents.listChunks("t1", document_id, 1, 0, 10)).toEqual([]);
      expect(await h.documents.listCheckpoints("t1", document_id, 1)).toEqual([]);
      expect(await h.documents.listVersions("t1", document_id)).toHaveLength(1);
      expect(await h.documents.listChunks("t1", document_id, 2, 0, 10)).toHaveLength(1);
      await change(h, next, { searchable_version: 1 });
      expect(await h.index.matching({ tenant_id: "t1" }, "quartz", 5)).toEqual([]);
      expect(await h.index.nearest({ tenant_id: "t1" }, unit(1), 5)).toEqual([]);
    },
  );

  check("chunks of a version can be dropped from an ordinal on, with their vectors", async (h) => {
    const record = await upload(h);
    const { document_id } = record;
    const texts = ["a", "b", "c", "d"].map((text) => ({ text }));
    const embeddings = (version: number) => ({
      document_id,
      version,
      embedder_id: "contract@1",
      vectors: texts.map((_, ordinal) => ({ ordinal, vector: unit(1) })),
    });
    const chunksOf = (version: number) =>
      newChunks(
        record,
        texts.map(({ text }) => text),
        version,
      );
    for (const version of [1, 2]) {
      await h.documents.commit([
        { tenant_id: "t1", chunks: chunksOf(version) },
        { tenant_id: "t1", embeddings: embeddings(version) },
      ]);
    }
    const ordinals = async (version: number) =>
      (await h.documents.listChunks("t1", document_id, version, 0, 10)).map(({ ordinal }) => ordinal);
    const discard_chunks = { document_id, version: 1, from: 2 };
    await h.documents.commit([{ tenant_id: "t2", discard_chunks }]);
    expect(await ordinals(1)).toEqual([0, 1, 2, 3]);
    // Beside the chunks that are written with it.
    await h.documents.commit([{ tenant_id: "t1", chunks: chunksOf(1).slice(0, 1), discard_chunks }]);
    expect(await ordinals(1)).toEqual([0, 1]);
    expect(await ordinals(2)).toEqual([0, 1, 2, 3]);
    // A chunk that comes back has no vector of before.
    await h.documents.commit([{ tenant_id: "t1", chunks: chunksOf(1).slice(2, 3) }]);
    const [again] = await h.documents.listChunks("t1", document_id, 1, 2, 1);
    expect(again).toMatchObject({ text: "c", vector: null });
  });
}

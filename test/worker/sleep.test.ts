/** A machine may sleep for hours between bytes and the transaction that names them, and wake to a sweep that took them. */
import { describe, expect, test } from "vitest";
import type { ExtractedPart } from "../../src/chunk.ts";
import type { UploadFile } from "../../src/intake/upload.ts";
import type { Commit } from "../../src/ports/document-store.ts";
import type { Extractor } from "../../src/ports/extractor.ts";
import { sweepBlobs } from "../../src/worker/sweep.ts";
import { createClock } from "../support/clock.ts";
import { bytesOf, openRig, type RigOptions, tenant_id } from "../support/rig.ts";

const HOUR_MS = 3_600_000;
const storages = ["sqlite", "memory"] as const;
const file: UploadFile = { filename: "notes.txt" };
const options = { collection: "default", metadata: {} };

async function openSleepy(given: RigOptions) {
  const clock = createClock();
  const rig = await openRig({ ...given, system: clock.system });
  /** Somebody else was awake. @returns how many blobs their sweep removed */
  const sleep = () => {
    clock.advance(7 * HOUR_MS);
    return sweepBlobs(rig, new AbortController().signal);
  };
  return { rig, sleep };
}

describe.each(storages)("an upload, in %s", (storage) => {
  test("is refused, to be sent again, and leaves nothing", async () => {
    const { rig, sleep } = await openSleepy({ storage });
    const upload = await rig.uploadsOver({})(tenant_id, "req_1", { idempotency_key: "key" });
    await upload.add(bytesOf("written before the sleep"), file);
    expect(await sleep()).toBe(1);
    await expect(upload.accept(options)).rejects.toMatchObject({
      code: "storage_unavailable",
      retryable: true,
      message: expect.stringContaining("notes.txt"),
    });
    await upload.end();
    expect(await rig.documents.readEvents({ after: 0, limit: 10 })).toEqual([]);
    expect(await rig.blobKeys()).toEqual([]);

    const { document_id } = await rig.upload("written before the sleep", { idempotency_key: "key" });
    await rig.worker().start();
    expect((await rig.settled(document_id)).status).toBe("completed");
  });

  test("that was put directly has to be put again", async () => {
    const { rig, sleep } = await openSleepy({ storage });
    const upload_id = rig.system.newId("blob");
    const stored = await rig.blobs.put(`${tenant_id}/${upload_id}`, bytesOf("put by the client"));
    const direct = {
      stat: async () => ({ ...stored, modified_at: rig.system.now() }),
      presignPut: () => Promise.reject(new Error("nobody asks")),
    };
    const upload = await rig.uploadsOver({ blobs: { ...rig.blobs, direct } })(tenant_id, "req_1");
    await upload.addStored(upload_id, file);
    expect(await sleep()).toBe(1);
    await expect(upload.accept(options)).rejects.toMatchObject({ code: "upload_incomplete" });
    await upload.end();
    expect(await rig.documents.readEvents({ after: 0, limit: 10 })).toEqual([]);
  });

  test("that sleeps for as long after it was accepted keeps its bytes", async () => {
    const { rig, sleep } = await openSleepy({ storage });
    const { document_id } = await rig.upload("named in time");
    expect(await sleep()).toBe(0);
    // Its original is named again, by the next version.
    await rig.worker().start();
    await rig.settled(document_id);
    await rig.commands.reingest(tenant_id, document_id, "req_2");
    expect((await rig.settled(document_id)).status).toBe("completed");
  });
});

/** Hands over a page, a file and a part, and then the rest. */
const reader: Extractor = {
  media_types: new Set(["text/plain"]),
  async extract({ filename }, _progress, _signal, { pages, file, part } = {}) {
    const passage = (text: string, char_start: number): ExtractedPart => ({
      text,
      blocks: [{ kind: "paragraph", level: null, page: 1, char_start, char_end: char_start + text.length }],
    });
    if (filename !== "inside.txt") {
      const content = bytesOf("quartz inside");
      await file?.({
        filename: "inside.txt",
        media_type: "text/plain",
        size_bytes: 13,
        content: () => content,
      });
    }
    // As many as go into one blob.
    for (let page = 1; page <= 16; page++) if (!pages?.kept.has(page)) pages?.keep(page, "seen");
    const first = passage("a part of quartz. ", 0);
    await part?.(first);
    return { ...passage("and the rest", first.text.length), page_count: 1, title: null };
  },
  async close() {},
};

const named = (data: Record<string, unknown> | undefined, name: RegExp) =>
  Object.keys(data ?? {}).some((each) => name.test(each));
const moments: Record<string, (commit: Commit) => boolean> = {
  "a file inside": ({ version }) => version !== undefined,
  "the pages read so far": ({ checkpoint }) => named(checkpoint?.data, /^pages_/),
  "a part of the text": ({ checkpoint }) =>
    checkpoint?.data.partial === true && named(checkpoint.data, /^(?!pages_).*_key$/),
  "the whole text": ({ checkpoint }) =>
    checkpoint?.stage === "extracting" && checkpoint.data.partial !== true,
};

describe.each(storages)("an attempt, in %s", (storage) => {
  test.each(Object.keys(moments))("that slept before it named %s is made again", async (moment) => {
    const { rig, sleep } = await openSleepy({ storage, extractor: reader });
    const { document_id, job_id } = await rig.upload("holds a file");
    let removed: number | undefined;
    const documents: typeof rig.documents = {
      ...rig.documents,
      async commit(commits) {
        if (removed === undefined && commits.some((commit) => moments[moment]?.(commit)))
          removed = await sleep();
        return rig.documents.commit(commits);
      },
    };
    // Awake in time to keep its lease.
    await rig.worker({ documents }, { lease_ms: 100 * HOUR_MS }).start();
    expect((await rig.settled(document_id)).status).toBe("completed");
    expect(removed).toBeGreaterThan(0);
    expect((await rig.job(job_id)).attempts).toBe(2);
    const retried = (await rig.events(document_id)).find(
      ({ event_type }) => event_type === "rag.ingestion.retry_scheduled",
    );
    expect(retried?.data).toMatchObject({ error: { code: "storage_unavailable", retryable: true } });
    const [child] = await rig.documents.listDocuments({
      tenant_id,
      parent_document_id: document_id,
      limit: 10,
    });
    expect((await rig.settled(child!.document_id)).status).toBe("completed");
    // Whatever is named is there, now and after the next sweep.
    await sleep();
    const keys = new Set(await rig.blobKeys());
    for (const id of [document_id, child!.document_id]) {
      const versions = await rig.documents.listVersions(tenant_id, id);
      const checkpoints = await rig.documents.listCheckpoints(tenant_id, id, 1);
      const texts = checkpoints
        .flatMap(({ data }) => Object.entries(data))
        .filter(([name]) => name.endsWith("_key"))
        .map(([, key]) => key as string);
      expect(texts.length).toBeGreaterThan(0);
      for (const key of [...versions.map(({ blob_key }) => blob_key), ...texts]) expect(keys).toContain(key);
    }
  });
});

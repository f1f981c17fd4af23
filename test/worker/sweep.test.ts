import { describe, expect, test } from "vitest";
import { blobOfUpload } from "../../src/ids.ts";
import { createUploadLocks } from "../../src/intake/upload-locks.ts";
import { recordKey, writeRecord } from "../../src/intake/upload-record.ts";
import { createUploadSweep } from "../../src/intake/upload-sweep.ts";
import { sweepBlobs } from "../../src/worker/sweep.ts";
import { createClock } from "../support/clock.ts";
import { bytesOf, openRig, paragraphs, type RigOptions, tenant_id } from "../support/rig.ts";

const HOUR_MS = 3_600_000;
const { signal } = new AbortController();

async function openSweepable(options: RigOptions = {}) {
  const clock = createClock();
  const rig = await openRig({ ...options, system: clock.system });
  return { clock, rig, sweep: () => sweepBlobs(rig, signal) };
}

describe.each(["sqlite", "memory"] as const)("in %s", (storage) => {
  test("a blob that nothing names is removed after six hours, not before", async () => {
    const { clock, rig, sweep } = await openSweepable({ storage });
    await rig.blobs.put(`${tenant_id}/blob_00`, bytesOf("from an upload that died"));
    clock.advance(6 * HOUR_MS - 60_000);
    expect(await sweep()).toBe(0);
    expect(await rig.blobKeys()).toEqual([`${tenant_id}/blob_00`]);
    clock.advance(120_000);
    expect(await sweep()).toBe(1);
    expect(await rig.blobKeys()).toEqual([]);
    expect(await sweep()).toBe(0);
  });

  test("what a version or a checkpoint names stays, however old, and whatever the document's state", async () => {
    const { clock, rig, sweep } = await openSweepable({ storage });
    const completed = await rig.searchable(paragraphs(4));
    // Older originals belong to their versions.
    await rig.upload(paragraphs(5), { document_id: completed });
    const pending = await rig.upload("waiting");
    const cancelled = await rig.upload("cancelled");
    await rig.commands.cancel(tenant_id, cancelled.job_id, "req_1");
    // Removed, and its erasing yet to come: that needs the keys.
    const removed = await rig.searchable("removed");
    await rig.commands.remove(tenant_id, removed, "req_2");
    const before = await rig.blobKeys();
    clock.advance(1_000 * HOUR_MS);
    await rig.blobs.put("other/blob_11", bytesOf("an upload under way"));
    clock.advance(-1_000 * HOUR_MS);
    expect(await sweep()).toBe(0);
    clock.advance(1_000 * HOUR_MS);
    expect(await sweep()).toBe(1);
    expect(await rig.blobKeys()).toEqual(before);
    await rig.worker().start();
    for (const document_id of [completed, pending.document_id]) {
      expect((await rig.settled(document_id)).status).toBe("completed");
    }
  });
});

test("the text of an attempt that was cancelled goes, its original stays", async () => {
  const { clock, rig, sweep } = await openSweepable();
  const document_id = await rig.searchable(paragraphs(4));
  const { job_id } = await rig.get(document_id);
  await rig.documents.commit([{ tenant_id, discard: { document_id, versions: [1] } }]);
  expect((await rig.job(job_id)).state).toBe("succeeded");
  clock.advance(7 * HOUR_MS);
  expect(await sweep()).toBe(1);
  const [version] = await rig.documents.listVersions(tenant_id, document_id);
  expect(await rig.blobKeys()).toEqual([version!.blob_key]);
});

test("more than one batch of blobs: each is judged, the last ones too", async () => {
  const { clock, rig, sweep } = await openSweepable({ storage: "memory" });
  const named = await rig.upload("named");
  const puts = Array.from({ length: 1_203 }, (_, place) =>
    rig.blobs.put(`${tenant_id}/blob_${place}`, bytesOf("x")),
  );
  await Promise.all(puts);
  clock.advance(7 * HOUR_MS);
  const asked: number[] = [];
  const documents = {
    ...rig.documents,
    referencedBlobs(keys: string[]) {
      asked.push(keys.length);
      return rig.documents.referencedBlobs(keys);
    },
  };
  expect(await sweepBlobs({ ...rig, documents }, signal)).toBe(1_203);
  expect(asked).toEqual([500, 500, 204]);
  const [version] = await rig.documents.listVersions(tenant_id, named.document_id);
  expect(await rig.blobKeys()).toEqual([version!.blob_key]);
  expect(await sweep()).toBe(0);
});

test("a stop ends it before the next blob", async () => {
  const { clock, rig } = await openSweepable({ storage: "memory" });
  for (const key of ["t1/blob_a", "t1/blob_b", "t1/blob_c"]) await rig.blobs.put(key, bytesOf("x"));
  clock.advance(7 * HOUR_MS);
  const stopping = new AbortController();
  let seen = 0;
  const blobs = {
    ...rig.blobs,
    async *list(prefix: string) {
      for await (const blob of rig.blobs.list(prefix)) {
        if (++seen === 2) stopping.abort();
        yield blob;
      }
    },
  };
  expect(await sweepBlobs({ ...rig, blobs }, stopping.signal)).toBe(0);
  expect(seen).toBe(2);
  expect(await rig.blobKeys()).toHaveLength(3);
});

test("a blob that can't be removed ends the sweep with the reason; the next one goes on", async () => {
  const { clock, rig, sweep } = await openSweepable();
  for (const key of ["t1/blob_a", "t1/blob_b"]) await rig.blobs.put(key, bytesOf("x"));
  clock.advance(7 * HOUR_MS);
  const broken = { ...rig.blobs, delete: () => Promise.reject(new Error("read-only")) };
  await expect(sweepBlobs({ ...rig, blobs: broken }, signal)).rejects.toThrow("read-only");
  expect(await sweep()).toBe(2);
});

test("what is no blob of Sluice's stays: a bucket may hold other things", async () => {
  const { clock, rig, sweep } = await openSweepable({ storage: "memory" });
  await rig.blobs.put("photos/cat.jpg", bytesOf("somebody else's"));
  clock.advance(7 * HOUR_MS);
  expect(await sweep()).toBe(0);
  expect(await rig.blobKeys()).toEqual(["photos/cat.jpg"]);
});

describe.each(["sqlite", "memory"] as const)("resumable uploads in %s", (storage) => {
  const DAY_MS = 24 * HOUR_MS;

  async function openUploads() {
    const { clock, rig } = await openSweepable({ storage });
    const locks = createUploadLocks(rig);
    const uploads = createUploadSweep({ ...rig, upload_expiry_ms: DAY_MS }, locks);
    const upload_id = rig.system.newId("upl");
    const key = `${tenant_id}/${blobOfUpload(upload_id)}`;
    await writeRecord(rig.blobs, tenant_id, {
      upload_id,
      size_bytes: 10,
      file: { filename: "a.txt" },
      options: { collection: "default", metadata: {} },
      fields: {},
      created_at: new Date(rig.system.now()).toISOString(),
    });
    return { clock, rig, locks, upload_id, key, sweep: () => sweepBlobs({ ...rig, uploads }, signal) };
  }

  test("are removed a day after their last byte, not before, with all that came", async () => {
    const { clock, rig, key, sweep } = await openUploads();
    await rig.blobs.resumable.append(key, 0, bytesOf("half"));
    clock.advance(DAY_MS - 60_000);
    expect(await sweep()).toBe(0);
    expect((await rig.blobs.resumable.state(key))?.size_bytes).toBe(4);
    clock.advance(120_000);
    expect(await sweep()).toBe(1);
    expect(await rig.blobs.resumable.state(key)).toBeUndefined();
    expect(await rig.blobKeys()).toEqual([]);
  });

  test("stay while somebody writes to them", async () => {
    const { clock, rig, locks, upload_id, sweep } = await openUploads();
    clock.advance(DAY_MS + 60_000);
    const release = await locks.take(recordKey(tenant_id, upload_id), () => {});
    expect(await sweep()).toBe(0);
    await release();
    expect(await sweep()).toBe(1);
    expect(await rig.blobKeys()).toEqual([]);
  });

  test("with all their bytes and no document yet, keep them as long", async () => {
    const { clock, rig, key, sweep } = await openUploads();
    await rig.blobs.resumable.append(key, 0, bytesOf("ten bytes!"));
    await rig.blobs.resumable.finish(key);
    clock.advance(DAY_MS - 60_000);
    expect(await sweep()).toBe(0);
    expect((await rig.blobs.resumable.state(key))?.size_bytes).toBe(10);
    clock.advance(120_000);
    expect(await sweep()).toBeGreaterThan(0);
    await sweep();
    expect(await rig.blobKeys()).toEqual([]);
  });
});

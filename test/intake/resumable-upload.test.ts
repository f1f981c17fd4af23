/** Dying between the last byte and the answer, at every call of a port in between, and who completes the upload then. */
import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { blobOfUpload } from "../../src/ids.ts";
import { createResumableUploads } from "../../src/intake/resumable-upload.ts";
import type { BlobStore } from "../../src/ports/blob-store.ts";
import type { DocumentStore } from "../../src/ports/document-store.ts";
import { bytesOf, openRig, type Rig, tenant_id } from "../support/rig.ts";

const text = "the last byte is here, and then nothing ".repeat(1_000);
const sha256 = createHash("sha256").update(text).digest("hex");
const request = { request_id: "req_1", size_bytes: text.length };

interface Ports {
  blobs: BlobStore;
  documents: DocumentStore;
}

/** As another process has it, over ports of its own. */
function processOver(rig: Rig, ports: Ports) {
  return createResumableUploads({
    ...rig,
    ...ports,
    beginUpload: rig.uploadsOver(ports),
    accepts: (media_type) => media_type === "text/plain",
    max_upload_bytes: 1e6,
    upload_expiry_ms: 86_400_000,
  });
}

async function create(rig: Rig) {
  const upload = { size_bytes: text.length, file: { filename: "a.txt" }, fields: {} };
  const options = { collection: "default", metadata: {} };
  return processOver(rig, rig).create(tenant_id, rig.system.newId("upl"), { ...upload, options });
}

/** Calls that a process makes from the last byte on, in order, each with what it does before it dies: all of it or nothing. */
const steps = ["finish", "get", "findAnswer", "commit", "referencedBlobs"] as const;

function dying(rig: Rig, step: (typeof steps)[number], done: boolean, died: () => void): Ports {
  let armed = false;
  const mortal =
    <Given extends unknown[], T>(name: string, call: (...given: Given) => Promise<T>) =>
    async (...given: Given): Promise<T> => {
      if (name !== step || !armed) return call(...given);
      if (done) await call(...given);
      died();
      return new Promise<never>(() => {});
    };
  const { blobs, documents } = rig;
  return {
    blobs: {
      ...blobs,
      get: mortal("get", blobs.get),
      resumable: {
        ...blobs.resumable,
        async append(...given) {
          const size = await blobs.resumable.append(...given);
          armed = true;
          return size;
        },
        finish: mortal("finish", blobs.resumable.finish),
      },
    },
    documents: {
      ...documents,
      findAnswer: mortal("findAnswer", documents.findAnswer),
      commit: mortal("commit", documents.commit),
      referencedBlobs: mortal("referencedBlobs", documents.referencedBlobs),
    },
  };
}

test.each(steps.flatMap((step) => [[step, "before"] as const, [step, "after"] as const]))(
  "a process that dies in %s, %s it is done: the next one to ask completes it, once",
  async (step, when) => {
    const rig = await openRig();
    const state = await create(rig);
    const { upload_id } = state.record;
    await new Promise<void>((died) => {
      const doomed = processOver(rig, dying(rig, step, when === "after", died));
      void doomed.write(state, tenant_id, bytesOf(text), request);
    });

    const two = [processOver(rig, rig), processOver(rig, rig)];
    const looks = await Promise.all(two.map((each) => each.look(tenant_id, upload_id)));
    for (const look of looks) expect(look.offset).toBe(text.length);
    const [first, second] = await Promise.all(
      two.map((each, place) => each.complete(looks[place]!, tenant_id, `req_${place + 2}`)),
    );
    expect(first?.accepted).not.toBeNull();
    expect(second?.accepted).toEqual(first?.accepted);
    const documents = await rig.documents.listDocuments({ tenant_id, limit: 10 });
    expect(documents).toMatchObject([{ document_id: first?.accepted?.document_id, sha256 }]);
    expect(await rig.blobKeys()).toEqual([
      `${tenant_id}/${blobOfUpload(upload_id)}`,
      `${tenant_id}/${upload_id}`,
    ]);
  },
);

test("a failure that may pass keeps all bytes; what can't be taken leaves nothing", async () => {
  const rig = await openRig();
  const state = await create(rig);
  const { upload_id } = state.record;
  const down = {
    ...rig,
    documents: { ...rig.documents, commit: () => Promise.reject(new Error("the database is away")) },
  };
  await expect(processOver(rig, down).write(state, tenant_id, bytesOf(text), request)).rejects.toThrow(
    "away",
  );
  const uploads = processOver(rig, rig);
  const look = await uploads.look(tenant_id, upload_id);
  expect(look).toMatchObject({ offset: text.length, accepted: null });
  expect((await uploads.complete(look, tenant_id, "req_2")).accepted).not.toBeNull();

  // The document that the bytes were to be a version of goes before they are all here.
  const document_id = await rig.searchable("some document");
  const upload = { size_bytes: 3, file: { filename: "b.txt" }, fields: {} };
  const options = { collection: "default", metadata: {}, document_id };
  const version = await uploads.create(tenant_id, rig.system.newId("upl"), { ...upload, options });
  await rig.commands.remove(tenant_id, document_id, "req_3");
  const written = uploads.write(version, tenant_id, bytesOf("new"), { request_id: "req_4", size_bytes: 3 });
  await expect(written).rejects.toMatchObject({ code: "not_found" });
  await expect(uploads.look(tenant_id, version.record.upload_id)).rejects.toMatchObject({
    code: "not_found",
  });
});

import { describe, expect, test } from "vitest";
import type { DocumentRecord } from "../../src/document.ts";
import { childLimits } from "../../src/pipeline/children.ts";
import { ConflictError } from "../../src/ports/document-store.ts";
import { sweepBlobs } from "../../src/worker/sweep.ts";
import { recoverWorker } from "../../src/worker/worker.ts";
import { makeZip } from "../fixtures/zip.ts";
import { createClock } from "../support/clock.ts";
import { mortal } from "../support/deaths.ts";
import { createLife } from "../support/life.ts";
import { makeMail } from "../support/mail.ts";
import { openRig, PATIENCE_MS, type Rig, tenant_id } from "../support/rig.ts";

interface Sent {
  filename: string;
  tenant_id?: string;
  collection?: string;
  document_id?: string;
  priority?: number;
  metadata?: DocumentRecord["metadata"];
}

async function send(
  rig: Rig,
  bytes: Uint8Array,
  { filename, tenant_id: tenant = tenant_id, ...options }: Sent,
) {
  const upload = await rig.uploadsOver({})(tenant, rig.system.newId("req"));
  try {
    await upload.add(
      (async function* () {
        yield bytes;
      })(),
      { filename },
    );
    const { accepted } = await upload.accept({ collection: "default", metadata: {}, ...options });
    return accepted[0]!;
  } finally {
    await upload.end();
  }
}

/** Runs workers until no document of the tenant has anything left to do. */
async function workAll(rig: Rig, tenant = tenant_id): Promise<void> {
  const worker = rig.worker();
  await worker.start();
  await rig.until(async () => {
    const open = await Promise.all(
      (["queued", "running", "retrying"] as const).map((state) =>
        rig.queue.list({ tenant_id: tenant, state, limit: 1 }),
      ),
    );
    return open.flat().length === 0;
  });
  await worker.stop(PATIENCE_MS);
}

const all = (rig: Rig, tenant = tenant_id) =>
  rig.documents.listDocuments({ tenant_id: tenant, limit: 1_000 });

/** Everything there, as a tree of names. */
async function tree(rig: Rig, tenant = tenant_id): Promise<Record<string, string>> {
  const documents = await all(rig, tenant);
  const nameOf = (id: string | null): string => {
    const document = documents.find((each) => each.document_id === id);
    if (!document) return "";
    return `${nameOf(document.parent_document_id)}/${document.filename}`;
  };
  return Object.fromEntries(
    documents.map((each) => [nameOf(each.document_id), `${each.status} ${each.version}`]).sort(),
  );
}

const counts = async (rig: Rig, document_id: string) => {
  const told = (await rig.events(document_id)).flatMap((event) =>
    event.event_type === "rag.ingestion.stage_completed" && event.data.stage === "extracting"
      ? [event.data.counts]
      : [],
  );
  return told.at(-1);
};

const twoFiles = (second = "The second attachment tells of basalt.") =>
  makeMail("Two files", "Both are on this mail.", [
    { filename: "one.txt", media_type: "text/plain", content: "The first attachment tells of quartz." },
    { filename: "two.md", media_type: "application/octet-stream", content: `# Stones\n\n${second}` },
  ]);

describe.each(["sqlite", "memory"] as const)("files inside a document, in %s", (storage) => {
  test("each attachment becomes a document, tied to the mail, found by what it says", async () => {
    const rig = await openRig({ storage });
    const metadata = { project: "gate" };
    const mail = await send(rig, twoFiles(), { filename: "mail.eml", priority: 7, metadata });
    await workAll(rig);
    expect(await tree(rig)).toEqual({
      "/mail.eml": "completed 1",
      "/mail.eml/one.txt": "completed 1",
      "/mail.eml/two.md": "completed 1",
    });
    expect(await counts(rig, mail.document_id)).toMatchObject({
      children: 2,
      files_known: 0,
      files_unreadable: 0,
    });
    const inside = await rig.documents.listDocuments({
      tenant_id,
      parent_document_id: mail.document_id,
      limit: 10,
    });
    expect(inside).toHaveLength(2);
    for (const child of inside) {
      expect(child).toMatchObject({ collection: "default", correlation_id: mail.correlation_id, metadata });
      expect(await rig.job(child.job_id)).toMatchObject({ priority: 7, correlation_id: mail.correlation_id });
      const [uploaded] = await rig.expectReplays(child.document_id);
      expect(uploaded).toMatchObject({
        causation_id: mail.job_id,
        data: { parent_document_id: mail.document_id, job_id: child.job_id },
      });
    }
    expect((await rig.get(mail.document_id)).parent_document_id).toBeNull();
    const { hits } = await rig.search.search(tenant_id, { query: "basalt", mode: "keyword" });
    expect(hits).toMatchObject([{ filename: "two.md", parent_document_id: mail.document_id }]);
  });

  test("an archive on a mail: what is inside it comes too, under its path, and counts how often it lies there", async () => {
    const rig = await openRig({ storage });
    const zip = makeZip([
      ["deep/down/report.txt", "Granite, deep down."],
      ["other/report.txt", "Granite, elsewhere."],
      ["other/copy.txt", "Granite, elsewhere."],
      ["../../etc/passwd.txt", "No step leads out."],
      ["film.bin", Buffer.from([0, 1, 2, 3, 255, 254])],
      ["empty.txt", ""],
      ["damaged.txt", "Marble, cracked."],
    ]);
    zip[zip.indexOf("Marble")]! ^= 1;
    const mail = makeMail("Archive", "See the archive.", [{ filename: "all.zip", content: zip }]);
    const { document_id } = await send(rig, mail, { filename: "mail.eml" });
    await workAll(rig);
    expect((await all(rig)).map(({ status }) => status)).toEqual(Array(5).fill("completed"));
    const [archive] = await rig.documents.listDocuments({
      tenant_id,
      parent_document_id: document_id,
      limit: 2,
    });
    const entries = await rig.documents.listDocuments({
      tenant_id,
      parent_document_id: archive!.document_id,
      limit: 10,
    });
    expect(entries.map(({ metadata }) => metadata.path_in_parent).sort()).toEqual([
      "deep/down/report.txt",
      "etc/passwd.txt",
      "other/copy.txt",
    ]);
    expect(await counts(rig, archive!.document_id)).toMatchObject({
      children: 3,
      files_known: 1,
      files_unreadable: 3,
    });
    // What no document was made of is named all the same.
    expect(await rig.found("film")).toHaveLength(1);
  });

  test("bytes that the collection has already are no second document", async () => {
    const rig = await openRig({ storage });
    const known = await rig.searchable("The first attachment tells of quartz.");
    const { document_id } = await send(rig, twoFiles(), { filename: "mail.eml" });
    await workAll(rig);
    expect(await counts(rig, document_id)).toMatchObject({ children: 1, files_known: 1 });
    expect((await rig.get(known)).parent_document_id).toBeNull();
    expect(Object.keys(await tree(rig))).toEqual(["/mail.eml", "/mail.eml/two.md", "/notes.txt"]);
    // The bytes that were put beside are gone again.
    expect(await rig.blobKeys()).toHaveLength(3 * 2);
  });

  test("a child that somebody uploads by itself stays when its parent goes", async () => {
    const rig = await openRig({ storage });
    const { document_id } = await send(rig, twoFiles(), { filename: "mail.eml" });
    await workAll(rig);
    const text = "The first attachment tells of quartz.";
    const own = await rig.upload(text, { filename: "mine.txt" });
    expect(own).toMatchObject({ duplicate: true, version: 2, status: "pending" });
    await workAll(rig);
    expect(await rig.upload(text)).toMatchObject({ duplicate: true, version: 2, status: "completed" });
    await rig.commands.reingest(tenant_id, document_id, "req_1");
    await workAll(rig);
    expect(await tree(rig)).toEqual({
      "/mail.eml": "completed 2",
      "/mail.eml/two.md": "completed 1",
      "/mine.txt": "completed 2",
    });
    await rig.commands.remove(tenant_id, document_id, "req_2");
    await workAll(rig);
    expect(Object.keys(await tree(rig))).toEqual(["/mine.txt"]);
    await rig.expectReplays(own.document_id);
  });

  test("a new version of the parent: what is the same stays, what changed is a new version, what is gone goes", async () => {
    const rig = await openRig({ storage });
    const files = (entries: Record<string, string>) => makeZip(Object.entries(entries));
    const first = files({
      "same.txt": "It stays.",
      "old.txt": "It changes.",
      "gone.zip": "x",
      "name.txt": "Renamed.",
    });
    const { document_id } = await send(rig, first, { filename: "box.zip" });
    await workAll(rig);
    const before = await all(rig);
    expect(Object.keys(await tree(rig))).toHaveLength(5);
    const second = files({
      "same.txt": "It stays.",
      "old.txt": "It has changed.",
      "new/name.txt": "Renamed.",
      "more.txt": "New.",
    });
    await send(rig, second, { filename: "box.zip", document_id });
    await workAll(rig);
    expect(await tree(rig)).toEqual({
      "/box.zip": "completed 2",
      "/box.zip/same.txt": "completed 1",
      "/box.zip/old.txt": "completed 2",
      "/box.zip/name.txt": "completed 1",
      "/box.zip/more.txt": "completed 1",
    });
    const idOf = (documents: DocumentRecord[], name: string) =>
      documents.find(({ filename }) => filename === name)?.document_id;
    for (const name of ["same.txt", "old.txt", "name.txt"]) {
      expect(idOf(await all(rig), name)).toBe(idOf(before, name));
    }
    for (const each of await all(rig)) await rig.expectReplays(each.document_id);
    // What was gone and comes back is another document: the log of the first has ended.
    await send(rig, first, { filename: "box.zip", document_id });
    await workAll(rig);
    expect(idOf(await all(rig), "gone.zip")).not.toBe(idOf(before, "gone.zip"));
    expect(Object.keys(await tree(rig))).toHaveLength(5);
  });

  test("ingested again, nothing changes; a child that was deleted comes back", async () => {
    const rig = await openRig({ storage });
    const { document_id } = await send(rig, twoFiles(), { filename: "mail.eml" });
    await workAll(rig);
    const before = await all(rig);
    await rig.commands.reingest(tenant_id, document_id, "req_1");
    await workAll(rig);
    const ofChildren = (documents: DocumentRecord[]) => documents.filter((each) => each.parent_document_id);
    expect(ofChildren(await all(rig))).toEqual(ofChildren(before));
    const [child] = ofChildren(before);
    await rig.commands.remove(tenant_id, child!.document_id, "req_2");
    await workAll(rig);
    expect(ofChildren(await all(rig))).toHaveLength(1);
    await rig.commands.reingest(tenant_id, document_id, "req_3");
    await workAll(rig);
    const after = ofChildren(await all(rig));
    expect(after.map(({ filename }) => filename).sort()).toEqual(["one.txt", "two.md"]);
    expect(after.map((each) => each.document_id)).not.toContain(child!.document_id);
  });

  test("deleting takes children and grandchildren along, at once, and erases them", async () => {
    const rig = await openRig({ storage });
    const zip = makeZip([
      ["a.txt", "Quartz in a."],
      ["b.txt", "Quartz in b."],
    ]);
    const mail = makeMail("Quartz", "With an archive.", [{ filename: "all.zip", content: zip }]);
    const { document_id } = await send(rig, mail, { filename: "mail.eml" });
    const other = await rig.searchable("Basalt stays.");
    await workAll(rig);
    const documents = await all(rig);
    expect(documents).toHaveLength(5);
    await rig.commands.remove(tenant_id, document_id, "req_1");
    expect((await all(rig)).map((each) => each.document_id)).toEqual([other]);
    expect(await rig.found("quartz")).toEqual([]);
    await workAll(rig);
    expect(await rig.blobKeys()).toHaveLength(2);
    for (const each of documents.filter((document) => document.document_id !== other)) {
      expect((await rig.events(each.document_id)).at(-1)?.event_type).toBe("rag.document.deleted");
      expect(await rig.documents.listVersions(tenant_id, each.document_id)).toEqual([]);
    }
  });

  test("what came out after the parent went is found by the job that erases it", async () => {
    const rig = await openRig({ storage });
    const { document_id } = await send(rig, twoFiles(), { filename: "mail.eml" });
    await workAll(rig);
    // As a command does that could not take the children along.
    const blind = rig.commandsOver({
      documents: { ...rig.documents, listDocuments: async () => [] },
    });
    await blind.remove(tenant_id, document_id, "req_1");
    expect(await all(rig)).toHaveLength(2);
    await workAll(rig);
    expect(await all(rig)).toEqual([]);
    expect(await rig.blobKeys()).toEqual([]);
  });

  test("cancelling the parent leaves the children that it has made", async () => {
    const rig = await openRig({ storage });
    const mail = await send(rig, twoFiles(), { filename: "mail.eml" });
    let cancelled = false;
    const worker = rig.worker({
      documents: {
        ...rig.documents,
        async commit(commits) {
          const sequence = await rig.documents.commit(commits);
          if (!cancelled && commits.some(({ checkpoint }) => checkpoint?.stage === "extracting")) {
            cancelled = true;
            await rig.commands.cancel(tenant_id, mail.job_id, "req_1");
          }
          return sequence;
        },
      },
    });
    await worker.start();
    await rig.until(async () => (await all(rig)).filter(({ status }) => status === "completed").length === 2);
    await worker.stop(PATIENCE_MS);
    expect(await tree(rig)).toEqual({
      "/mail.eml": "cancelled 1",
      "/mail.eml/one.txt": "completed 1",
      "/mail.eml/two.md": "completed 1",
    });
    // Tried again, it finds them there.
    await rig.commands.retry(tenant_id, mail.job_id, "req_2");
    await workAll(rig);
    expect(Object.values(await tree(rig))).toEqual(Array(3).fill("completed 1"));
  });
});

test("whoever dies, wherever, while it takes files out: in the end there is what there would be", async () => {
  const clock = createClock();
  const rig = await openRig({ system: clock.system });
  async function dieAfter(last: number): Promise<string[]> {
    const tenant = `tenant-${last}`;
    await send(rig, twoFiles(), { filename: "mail.eml", tenant_id: tenant });
    const life = createLife(last);
    const doomed = rig.worker(mortal(rig, life));
    void doomed.startUnstopped();
    if (Number.isFinite(last)) await life.died;
    else await workAll(rig, tenant);
    if (!Number.isFinite(last)) await doomed.stop(PATIENCE_MS);
    await recoverWorker(rig.workerParts(), doomed.worker_id);
    await workAll(rig, tenant);
    expect(await tree(rig, tenant)).toEqual({
      "/mail.eml": "completed 1",
      "/mail.eml/one.txt": "completed 1",
      "/mail.eml/two.md": "completed 1",
    });
    for (const each of await all(rig, tenant)) await rig.expectReplays(each.document_id, tenant);
    return life.operations;
  }
  const operations = await dieAfter(Number.POSITIVE_INFINITY);
  expect(operations.filter((each) => each === "put").length).toBeGreaterThanOrEqual(4);
  const most = Math.min(operations.length, 30);
  for (let last = 0; last <= most; last++) await dieAfter(last);
  clock.advance(365 * 86_400_000);
  await sweepBlobs(rig.workerParts(), new AbortController().signal);
  expect(await rig.blobKeys()).toHaveLength((most + 2) * 3 * 2);
});

test("bytes uploaded elsewhere while they are taken out are no second document", async () => {
  const rig = await openRig();
  const mail = await send(rig, twoFiles(), { filename: "mail.eml" });
  let raced = false;
  const worker = rig.worker({
    documents: {
      ...rig.documents,
      async commit(commits) {
        if (!raced && commits.some(({ version }) => version)) {
          raced = true;
          await rig.upload("The first attachment tells of quartz.", { filename: "first.txt" });
          await expect(rig.documents.commit(commits)).rejects.toBeInstanceOf(ConflictError);
          throw new ConflictError("duplicate_content");
        }
        return rig.documents.commit(commits);
      },
    },
  });
  await worker.start();
  await rig.settled(mail.document_id);
  await worker.stop(PATIENCE_MS);
  await workAll(rig);
  expect(await tree(rig)).toEqual({
    "/first.txt": "completed 1",
    "/mail.eml": "completed 1",
    "/mail.eml/two.md": "completed 1",
  });
  expect(await rig.job(mail.job_id)).toMatchObject({ attempts: 1 });
});

describe("limits", () => {
  const nested = (levels: number): Buffer => {
    let inner = makeZip([["bottom.txt", "At the bottom."]]);
    for (let level = levels; level > 1; level--) inner = makeZip([[`level-${level}.zip`, inner]]);
    return inner;
  };

  test("archives in archives are read so deep, and no deeper", async () => {
    const rig = await openRig({ storage: "memory" });
    await send(rig, nested(childLimits.nesting), { filename: "fits.zip" });
    await workAll(rig);
    const fits = await all(rig);
    expect(fits).toHaveLength(childLimits.nesting + 1);
    expect(fits.every(({ status }) => status === "completed")).toBe(true);
    await send(rig, nested(childLimits.nesting + 1), { filename: "deep.zip", tenant_id: "t2" });
    await workAll(rig, "t2");
    const deep = await all(rig, "t2");
    expect(deep).toHaveLength(childLimits.nesting + 1);
    const failed = deep.filter(({ status }) => status === "failed");
    expect(failed).toMatchObject([
      { filename: "level-6.zip", error: { code: "limit_exceeded", retryable: false } },
    ]);
  });

  test("the same file many times is one document", async () => {
    const rig = await openRig({ storage: "memory" });
    const mail = makeMail("Inner", "Nothing more.");
    const zip = makeZip([
      ["a.eml", mail],
      ["b.eml", mail],
      ["c.eml", mail],
    ]);
    await send(rig, zip, { filename: "same.zip" });
    await workAll(rig);
    expect(await all(rig)).toHaveLength(2);
  });

  test("the documents of one upload are shared out among what it holds, so that they can't multiply", async () => {
    const rig = await openRig({ storage: "memory" });
    const inner = (name: string, count: number) =>
      makeZip(Array.from({ length: count }, (_, place) => [`${place}.txt`, `Text ${place} of ${name}`]));
    const texts = Array.from({ length: 40 }, (_, place): [string, string] => [
      `${place}.txt`,
      `Text ${place}`,
    ]);
    const small = Array.from({ length: 59 }, (_, place): [string, Buffer] => [
      `${place}.zip`,
      inner(`${place}`, 1),
    ]);
    const zip = makeZip([
      ...texts,
      ...small,
      ["fits.zip", inner("fits", 81)],
      ["more.zip", inner("more", 83)],
    ]);
    const { document_id } = await send(rig, zip, { filename: "outer.zip" });
    await workAll(rig);
    const named = async (name: string) => (await all(rig)).find(({ filename }) => filename === name);
    // Half of 10,000 less 101, among 61: 81 for each.
    expect(await named("fits.zip")).toMatchObject({ status: "completed", error: null });
    expect(await named("more.zip")).toMatchObject({
      parent_document_id: document_id,
      status: "failed",
      error: { code: "limit_exceeded" },
    });
    expect(await all(rig)).toHaveLength(1 + 40 + 61 + 59 + 81);
  });
});

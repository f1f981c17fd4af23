import { createHash, randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { createClient, type UploadInput, type UploadProgress } from "../../src/client/index.ts";
import { acceptedOf, type StoredUpload, startTusServer } from "./tus-server.ts";

const MIB = 1024 * 1024;
const SIZE = 40 * MIB;
const PIECE = 8 * MIB;
const content = randomBytes(SIZE);
const digest = (bytes: Buffer | Buffer[]) => {
  const hash = createHash("sha256");
  for (const piece of [bytes].flat()) hash.update(piece);
  return hash.digest("hex");
};

function bigFile(): string {
  const path = mkdtempSync(join(tmpdir(), "sluice-client-"));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  const file = join(path, "big.bin");
  writeFileSync(file, content);
  return file;
}

function createStore() {
  const kept = new Map<string, string>();
  return {
    kept,
    getItem: async (name: string) => kept.get(name) ?? null,
    setItem: async (name: string, value: string) => void kept.set(name, value),
    removeItem: async (name: string) => void kept.delete(name),
  };
}

describe("upload, in pieces", () => {
  test("40 MB from a disk through cut connections and a server that is killed: each piece once, but for what was under way", async () => {
    const tus = await startTusServer();
    const progress: UploadProgress[] = [];
    const broken = new Set<number>();
    tus.breaks = ({ offset }) => {
      const at = [5 * MIB, 21 * MIB].find((place) => offset >= place && !broken.has(place));
      if (at === undefined) return false;
      broken.add(at);
      if (at === 21 * MIB) void tus.kill();
      return true;
    };
    const accepted = await createClient({ url: tus.url }).upload(bigFile(), {
      collection: "large",
      metadata: { title: "große Datei" },
      priority: -1,
      onProgress: (told) => progress.push(told),
      // The second time there is nobody at all.
      onTrouble: () => void (broken.size === 2 && tus.restart().catch(() => {})),
    });
    const [upload] = tus.uploads.values() as Iterable<StoredUpload>;
    expect(accepted).toEqual(acceptedOf(upload as StoredUpload));
    expect(tus.uploads.size).toBe(1);
    expect(digest(upload?.bytes ?? [])).toBe(digest(content));
    expect(upload?.metadata).toEqual({
      filename: "big.bin",
      collection: "large",
      metadata: '{"title":"große Datei"}',
      priority: "-1",
    });
    expect(tus.received).toBe(SIZE);
    expect(progress.at(-1)).toEqual({ sent: SIZE, total: SIZE, resumed_at: null });
  });

  test("goes on where an earlier call stopped, when the same file is chosen again for the same place", async () => {
    const tus = await startTusServer();
    const store = createStore();
    const path = bigFile();
    const stop = new AbortController();
    const sluice = createClient({ url: tus.url });
    const first = sluice.upload(path, {
      store,
      signal: stop.signal,
      onProgress: ({ sent }) => sent >= 2 * PIECE && stop.abort(),
    });
    await expect(first).rejects.toThrow("aborted");
    expect(store.kept.size).toBe(1);

    const elsewhere: UploadProgress[] = [];
    const half = new AbortController();
    const other = { store, collection: "elsewhere", signal: half.signal };
    const onProgress = (told: UploadProgress) => {
      elsewhere.push(told);
      half.abort();
    };
    await expect(sluice.upload(path, { ...other, onProgress })).rejects.toThrow("aborted");
    expect(elsewhere[0]).toMatchObject({ sent: 0, resumed_at: null });

    const progress: UploadProgress[] = [];
    const received = tus.received;
    await sluice.upload(path, { store, onProgress: (told) => progress.push(told) });
    const resumed_at = progress[0]?.resumed_at as number;
    expect(resumed_at).toBeGreaterThanOrEqual(2 * PIECE);
    expect(progress[0]?.sent).toBe(resumed_at);
    expect(tus.received - received).toBe(SIZE - resumed_at);
    expect(digest(tus.uploads.get("upl_1")?.bytes ?? [])).toBe(digest(content));
    expect([...store.kept.keys()].filter((name) => !name.includes("elsewhere"))).toEqual([]);
  });

  test("a refusal on the way back to an upload does not lose it; one that is gone is begun anew", async () => {
    const tus = await startTusServer();
    const store = createStore();
    const path = bigFile();
    const sluice = createClient({ url: tus.url });
    const upTo = async (bytes: number, more: UploadInput = {}) => {
      const stop = new AbortController();
      const onProgress = ({ sent }: UploadProgress) => sent >= bytes && stop.abort();
      await expect(sluice.upload(path, { store, signal: stop.signal, onProgress, ...more })).rejects.toThrow(
        "aborted",
      );
    };
    await upTo(PIECE);
    tus.refuses = { status: 502, headers: { "retry-after": "1" } };
    const progress: UploadProgress[] = [];
    await sluice.upload(path, {
      store,
      onProgress: (told) => progress.push(told),
      onTrouble: () => {
        tus.refuses = undefined;
      },
    });
    expect(progress[0]?.resumed_at).toBeGreaterThanOrEqual(PIECE);

    await upTo(PIECE);
    tus.uploads.clear();
    progress.length = 0;
    await sluice.upload(path, { store, onProgress: (told) => progress.push(told) });
    expect(progress[0]).toEqual({ sent: 0, total: SIZE, resumed_at: null });
    expect(tus.uploads.size).toBe(1);
  });

  test("an answer to the last piece that is lost is asked for", async () => {
    const tus = await startTusServer();
    tus.breaks = ({ offset }) => offset === SIZE;
    const accepted = await createClient({ url: tus.url }).upload(new Blob([content]), {
      filename: "big.bin",
    });
    expect(accepted.document_id).toBe("doc_1");
    expect(tus.received).toBe(SIZE);
  });

  test("what is refused for good is told and forgotten", async () => {
    const tus = await startTusServer();
    const store = createStore();
    const path = bigFile();
    const refused = {
      status: 415,
      problem: { code: "unsupported_media_type", detail: "big.bin can't be read", retryable: false },
    };
    const upload = createClient({ url: tus.url }).upload(path, {
      store,
      onProgress: ({ sent }) => {
        if (sent === 4 * PIECE) tus.refuses = refused;
      },
    });
    await expect(upload).rejects.toMatchObject({ status: 415, message: "big.bin can't be read" });
    expect(store.kept.size).toBe(0);
  });

  test("small files go so only where it is asked for, and nothing never", async () => {
    const tus = await startTusServer();
    const sluice = createClient({ url: tus.url });
    await sluice.upload(new Uint8Array(100), { resumable: true });
    expect(tus.answers).toEqual(["POST 201", "PATCH 204"]);
    tus.refuses = { status: 404, problem: { code: "not_found", detail: "POST /v1/documents" } };
    await expect(sluice.upload(new Uint8Array(), { resumable: true })).rejects.toThrow("POST /v1/documents");
    await expect(sluice.upload(new Uint8Array(PIECE), { resumable: false })).rejects.toThrow("/v1/documents");
  });
});

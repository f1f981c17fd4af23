/** The contract of a BlobStore's resumable puts: every MUST of `ResumablePuts` in src/ports/blob-store.ts. */
import { createHash } from "node:crypto";
import { expect } from "vitest";
import type { BlobStore } from "../src/ports/blob-store.ts";

export type RegisterResumable = (
  needs: "durable" | undefined,
  title: string,
  run: (store: BlobStore, harness: { reopen?(): Promise<BlobStore> }) => Promise<void>,
) => void;

const KEY = "t1/blob_0a";
const MiB = 1024 * 1024;
const sha256 = (data: Uint8Array) => createHash("sha256").update(data).digest("hex");

/** Bytes that tell their place. */
function pattern(size: number): Buffer {
  const bytes = Buffer.alloc(size);
  for (let at = 0; at < size; at += 1) bytes[at] = (at * 31 + (at >> 10)) & 0xff;
  return bytes;
}

async function* pieces(bytes: Uint8Array, size = 100_000): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function* failingAfter(bytes: Uint8Array, error: Error): AsyncGenerator<Uint8Array> {
  yield* pieces(bytes);
  throw error;
}

async function read(store: BlobStore, key = KEY): Promise<Buffer> {
  return Buffer.concat(await (await store.get(key)).toArray());
}

async function sizeOf(store: BlobStore): Promise<number | undefined> {
  return (await store.resumable.state(KEY))?.size_bytes;
}

async function keysOf(store: BlobStore): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of store.list("")) keys.push(key);
  return keys;
}

async function expectNothing(store: BlobStore): Promise<void> {
  await expect(store.get(KEY)).rejects.toMatchObject({ code: "blob_missing" });
  expect(await keysOf(store)).toEqual([]);
}

export function describeResumablePuts(register: RegisterResumable): void {
  const check = (title: string, run: (store: BlobStore) => Promise<void>) =>
    register(undefined, `resumable: ${title}`, run);

  check("pieces become one blob, which is there only from finish on", async (store) => {
    const { resumable } = store;
    const bytes = pattern(1_234_567);
    expect(await resumable.state(KEY)).toBeUndefined();
    let at = 0;
    for (const end of [1, 700_000, 700_001, bytes.length]) {
      expect(await resumable.append(KEY, at, pieces(bytes.subarray(at, end)))).toBe(end);
      expect(await sizeOf(store)).toBe(end);
      await expectNothing(store);
      at = end;
    }
    expect(await resumable.finish(KEY)).toEqual({ size_bytes: bytes.length, sha256: sha256(bytes) });
    expect((await read(store)).equals(bytes)).toBe(true);
    expect(await keysOf(store)).toEqual([KEY]);
  });

  check("a piece of 20 MiB comes through whole, between two small ones", async (store) => {
    const { resumable } = store;
    const bytes = pattern(20 * MiB + 77);
    await resumable.append(KEY, 0, pieces(bytes.subarray(0, 10)));
    expect(await resumable.append(KEY, 10, pieces(bytes.subarray(10, -20), 65_536))).toBe(bytes.length - 20);
    await resumable.append(KEY, bytes.length - 20, pieces(bytes.subarray(-20)));
    expect(await resumable.finish(KEY)).toEqual({ size_bytes: bytes.length, sha256: sha256(bytes) });
    expect(sha256(await read(store))).toBe(sha256(bytes));
  });

  check("what arrived before the source failed stays, and its error comes through", async (store) => {
    const { resumable } = store;
    const bytes = pattern(9 * MiB);
    const error = new TypeError("the client went away");
    const first = bytes.subarray(0, 8 * MiB + 12_345);
    await expect(resumable.append(KEY, 0, failingAfter(first, error))).rejects.toBe(error);
    expect(await sizeOf(store)).toBe(first.length);
    await expectNothing(store);
    await resumable.append(KEY, first.length, pieces(bytes.subarray(first.length)));
    expect((await resumable.finish(KEY)).sha256).toBe(sha256(bytes));
  });

  check("what arrived before the signal fired stays, also when its source gives nothing", async (store) => {
    const abort = new AbortController();
    const reason = new Error("stopping");
    const silent = async function* () {
      yield pattern(300_001);
      setImmediate(() => abort.abort(reason));
      await new Promise(() => {});
    };
    const appending = store.resumable.append(KEY, 0, silent(), { signal: abort.signal });
    await expect(appending).rejects.toBe(reason);
    expect(await sizeOf(store)).toBe(300_001);
  });

  check("another offset than the size is refused, and takes nothing", async (store) => {
    const { resumable } = store;
    const refused = { name: "SluiceError", code: "upload_offset_mismatch" };
    await expect(resumable.append(KEY, 5, pieces(pattern(5)))).rejects.toMatchObject(refused);
    expect(await resumable.state(KEY)).toBeUndefined();
    await resumable.append(KEY, 0, pieces(pattern(10)));
    for (const offset of [0, 9, 11]) {
      await expect(resumable.append(KEY, offset, pieces(pattern(5)))).rejects.toMatchObject(refused);
    }
    expect(await sizeOf(store)).toBe(10);
    await resumable.finish(KEY);
    await expect(resumable.append(KEY, 0, pieces(pattern(5)))).rejects.toMatchObject(refused);
    expect(await read(store)).toEqual(pattern(10));
  });

  check("two writers with the same bytes do no harm, and the size never becomes less", async (store) => {
    const { resumable } = store;
    const bytes = pattern(3_000_000);
    let slowGoesOn = () => {};
    let slowHasBegun = () => {};
    const begun = new Promise<void>((resolve) => {
      slowHasBegun = resolve;
    });
    const held = new Promise<void>((resolve) => {
      slowGoesOn = resolve;
    });
    const slow = async function* () {
      yield bytes.subarray(0, 400_000);
      slowHasBegun();
      await held;
      yield bytes.subarray(400_000, 1_000_000);
    };
    const first = resumable.append(KEY, 0, slow());
    await begun;
    const from = (await sizeOf(store)) ?? 0;
    await resumable.append(KEY, from, pieces(bytes.subarray(from, 2_000_000)));
    expect(await sizeOf(store)).toBe(2_000_000);
    slowGoesOn();
    await first;
    expect(await sizeOf(store)).toBe(2_000_000);
    await resumable.append(KEY, 2_000_000, pieces(bytes.subarray(2_000_000)));
    expect(await resumable.finish(KEY)).toEqual({ size_bytes: bytes.length, sha256: sha256(bytes) });
    expect((await read(store)).equals(bytes)).toBe(true);
  });

  check("a source that reuses its buffer is stored as it was at each step", async (store) => {
    const buffer = Buffer.alloc(3);
    const source = async function* () {
      for (const text of ["abc", "def"]) {
        buffer.write(text);
        yield buffer;
      }
    };
    await store.resumable.append(KEY, 0, source());
    await store.resumable.finish(KEY);
    expect((await read(store)).toString()).toBe("abcdef");
  });

  check("head gives the first bytes, over several pieces", async (store) => {
    const { resumable } = store;
    expect(await resumable.head(KEY, 10)).toHaveLength(0);
    await resumable.append(KEY, 0, pieces(Buffer.from("abc")));
    await resumable.append(KEY, 3, pieces(Buffer.from("defgh")));
    expect((await resumable.head(KEY, 4)).toString()).toBe("abcd");
    expect((await resumable.head(KEY, 100)).toString()).toBe("abcdefgh");
  });

  check("finish gives the same again, also both at once, and of nothing an empty blob", async (store) => {
    const { resumable } = store;
    const bytes = pattern(500_000);
    await resumable.append(KEY, 0, pieces(bytes));
    const expected = { size_bytes: bytes.length, sha256: sha256(bytes) };
    expect(await Promise.all([resumable.finish(KEY), resumable.finish(KEY)])).toEqual([expected, expected]);
    expect(await resumable.finish(KEY)).toEqual(expected);
    expect(await sizeOf(store)).toBe(bytes.length);
    const nothing = { size_bytes: 0, sha256: sha256(Buffer.alloc(0)) };
    expect(await resumable.finish("t1/blob_0b")).toEqual(nothing);
    expect(await read(store, "t1/blob_0b")).toHaveLength(0);
  });

  check("discard removes what came, keeps a blob, and succeeds when there is nothing", async (store) => {
    const { resumable } = store;
    await resumable.discard(KEY);
    await resumable.append(KEY, 0, pieces(pattern(700_000)));
    await resumable.discard(KEY);
    expect(await resumable.state(KEY)).toBeUndefined();
    await resumable.append(KEY, 0, pieces(Buffer.from("again")));
    await resumable.finish(KEY);
    await resumable.discard(KEY);
    expect((await read(store)).toString()).toBe("again");
    await store.delete(KEY);
    expect(await resumable.state(KEY)).toBeUndefined();
  });

  check("one put's key may begin another's", async (store) => {
    await store.resumable.append("t1/blob_0a1", 0, pieces(Buffer.from("longer")));
    expect(await store.resumable.state(KEY)).toBeUndefined();
    await store.resumable.append(KEY, 0, pieces(Buffer.from("short")));
    await store.resumable.discard(KEY);
    expect((await store.resumable.state("t1/blob_0a1"))?.size_bytes).toBe(6);
  });

  register(
    "durable",
    "resumable: a put goes on after a restart, through another process",
    async (store, h) => {
      const bytes = pattern(1_000_000);
      const before = Date.now() - 5_000;
      await store.resumable.append(KEY, 0, pieces(bytes.subarray(0, 600_000)));
      const again = await h.reopen?.();
      if (!again) throw new Error('the harness can\'t show "durable", and no gap is declared for it');
      const state = await again.resumable.state(KEY);
      expect(state?.size_bytes).toBe(600_000);
      expect(state?.modified_at).toBeGreaterThan(before);
      await again.resumable.append(KEY, 600_000, pieces(bytes.subarray(600_000)));
      expect((await store.resumable.finish(KEY)).sha256).toBe(sha256(bytes));
      expect((await again.resumable.finish(KEY)).sha256).toBe(sha256(bytes));
    },
  );
}

/** The contract of a BlobStore: every MUST of src/ports/blob-store.ts. */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import type { Readable } from "node:stream";
import { describe, expect } from "vitest";
import type { BlobInfo, BlobStore } from "../src/ports/blob-store.ts";
import { type Gaps, testUnlessGap } from "./gaps.ts";
import { describeResumablePuts } from "./resumable-puts.ts";

export interface BlobHarness {
  store: BlobStore;
  /** Opens the same data again, as after a restart. Capability `durable`. */
  reopen?(): Promise<BlobStore>;
  close(): Promise<void>;
}

export type BlobGaps = Gaps<"durable" | "local_path" | "keys_within_keys">;

async function* chunks(...parts: (string | Uint8Array)[]): AsyncGenerator<Uint8Array> {
  for (const part of parts) yield typeof part === "string" ? Buffer.from(part) : part;
}

async function* pattern(size: number, chunkSize: number): AsyncGenerator<Uint8Array> {
  for (let sent = 0; sent < size; sent += chunkSize) {
    yield Buffer.alloc(Math.min(chunkSize, size - sent), (sent / chunkSize) % 251);
  }
}

async function* failing(error: Error, size = 300_000): AsyncGenerator<Uint8Array> {
  yield Buffer.alloc(size, 1);
  throw error;
}

async function bytesOf(stream: Readable): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of stream) parts.push(part as Buffer);
  return Buffer.concat(parts);
}

async function listed(store: BlobStore, prefix: string): Promise<BlobInfo[]> {
  const all: BlobInfo[] = [];
  for await (const info of store.list(prefix)) all.push(info);
  return all.sort((a, b) => (a.key < b.key ? -1 : 1));
}

const keysOf = async (store: BlobStore, prefix: string) =>
  (await listed(store, prefix)).map((info) => info.key);
const sha256 = (data: string | Uint8Array) => createHash("sha256").update(data).digest("hex");

/** Registers the suite; call it inside a test file. */
export function describeBlobStore(name: string, open: () => Promise<BlobHarness>, gaps: BlobGaps = {}): void {
  const register = (
    needs: keyof BlobGaps | undefined,
    title: string,
    run: (store: BlobStore, h: BlobHarness) => Promise<void>,
  ) =>
    testUnlessGap(
      gaps,
      needs,
      title,
      async () => {
        const h = await open();
        try {
          await run(h.store, h);
        } finally {
          await h.close();
        }
      },
      20_000,
    );
  const check = (title: string, run: (store: BlobStore) => Promise<void>) => register(undefined, title, run);
  const expectMissing = (store: BlobStore, key: string) =>
    expect(store.get(key)).rejects.toMatchObject({ name: "SluiceError", code: "blob_missing" });

  describe(`BlobStore: ${name}`, () => {
    check("put answers with size and SHA-256, and the bytes come back", async (store) => {
      const stored = await store.put("t1/blob_a", chunks("hello ", "world"));
      expect(stored).toEqual({ size_bytes: 11, sha256: sha256("hello world") });
      expect((await bytesOf(await store.get("t1/blob_a"))).toString()).toBe("hello world");
    });

    check("an empty blob is a blob", async (store) => {
      expect(await store.put("t1/empty", chunks())).toEqual({ size_bytes: 0, sha256: sha256("") });
      expect(await bytesOf(await store.get("t1/empty"))).toHaveLength(0);
      expect(await keysOf(store, "t1/")).toEqual(["t1/empty"]);
    });

    for (const chunkSize of [1_000, 65_536, 700_000, 6_000_000]) {
      check(`5 MB in chunks of ${chunkSize} bytes come back unchanged`, async (store) => {
        const size = 5_000_000;
        const hash = createHash("sha256");
        for await (const chunk of pattern(size, chunkSize)) hash.update(chunk);
        const expected = { size_bytes: size, sha256: hash.digest("hex") };
        expect(await store.put("t1/large", pattern(size, chunkSize))).toEqual(expected);
        const bytes = await bytesOf(await store.get("t1/large"));
        expect({ size_bytes: bytes.length, sha256: sha256(bytes) }).toEqual(expected);
      });
    }

    check("empty chunks in between change nothing", async (store) => {
      const source = chunks("", "ab", "", "", "cd", "");
      expect(await store.put("t1/a", source)).toEqual({ size_bytes: 4, sha256: sha256("abcd") });
    });

    check("many puts at the same time do not mix", async (store) => {
      const letters = [..."abcdefghijklmnop"];
      const made = letters.map((letter) => letter.repeat(200_000));
      const stored = await Promise.all(
        letters.map((letter, place) => {
          const text = made[place]!;
          return store.put(`t1/${letter}`, chunks(text.slice(0, 70_000), text.slice(70_000)));
        }),
      );
      expect(stored.map((one) => one.sha256)).toEqual(made.map((text) => sha256(text)));
      for (const [place, letter] of letters.entries()) {
        expect((await bytesOf(await store.get(`t1/${letter}`))).toString()).toBe(made[place]);
      }
    });

    register("durable", "a blob is there after a restart", async (store, h) => {
      await store.put("t1/a", chunks("kept"));
      const again = await h.reopen?.();
      if (!again) throw new Error('the harness can\'t show "durable", and no gap is declared for it');
      expect((await bytesOf(await again.get("t1/a"))).toString()).toBe("kept");
      expect(await keysOf(again, "")).toEqual(["t1/a"]);
    });

    check("a part is read by start and end, end exclusive, cut at the blob's own end", async (store) => {
      await store.put("t1/a", chunks("0123", "456789"));
      const part = async (start?: number, end?: number) =>
        (
          await bytesOf(
            await store.get("t1/a", {
              ...(start !== undefined && { start }),
              ...(end !== undefined && { end }),
            }),
          )
        ).toString();
      expect(await part()).toBe("0123456789");
      expect(await part(2, 5)).toBe("234");
      expect(await part(7)).toBe("789");
      expect(await part(undefined, 3)).toBe("012");
      expect(await part(0, 1)).toBe("0");
      expect(await part(8, 100)).toBe("89");
      expect(await part(10)).toBe("");
      expect(await part(4, 4)).toBe("");
    });

    check("a missing blob is refused before any byte, also for a part of it", async (store) => {
      await expectMissing(store, "t1/never");
      await expect(store.get("t1/never", { start: 1, end: 2 })).rejects.toMatchObject({
        code: "blob_missing",
      });
      await store.put("t1/a", chunks("x"));
      await expectMissing(store, "t2/a");
      await expectMissing(store, "t1");
      await expectMissing(store, "t1/a/b");
    });

    check(
      "an error of the source comes through unchanged, and nothing is left under the key",
      async (store) => {
        const error = new TypeError("the client went away");
        await expect(store.put("t1/a", failing(error))).rejects.toBe(error);
        await expectMissing(store, "t1/a");
        expect(await keysOf(store, "")).toEqual([]);
        expect((await store.put("t1/a", chunks("second try"))).size_bytes).toBe(10);
      },
    );

    check("an error of the source before its first byte comes through unchanged too", async (store) => {
      const error = new Error("nothing came");
      await expect(store.put("t1/a", failing(error, 0))).rejects.toBe(error);
      await expectMissing(store, "t1/a");
    });

    check("the signal ends a put, also while its source gives nothing, and leaves nothing", async (store) => {
      const abort = new AbortController();
      const silent = async function* () {
        yield Buffer.alloc(300_000);
        abort.abort(new Error("too slow"));
        await new Promise(() => {});
      };
      await expect(store.put("t1/a", silent(), { signal: abort.signal })).rejects.toThrow();
      await expectMissing(store, "t1/a");
      expect(await keysOf(store, "")).toEqual([]);
    });

    check("a signal that fired before ends a put at once", async (store) => {
      const signal = AbortSignal.abort(new Error("never mind"));
      await expect(store.put("t1/a", chunks("x"), { signal })).rejects.toThrow();
      await expectMissing(store, "t1/a");
    });

    check("a put lets go of its source when it fails", async (store) => {
      let released = false;
      const source = async function* () {
        try {
          for (;;) {
            yield Buffer.alloc(10_000);
            await new Promise((resolve) => setImmediate(resolve));
          }
        } finally {
          released = true;
        }
      };
      const abort = new AbortController();
      setTimeout(() => abort.abort(new Error("enough")), 20);
      await expect(store.put("t1/a", source(), { signal: abort.signal })).rejects.toThrow();
      await expect.poll(() => released).toBe(true);
    });

    check("a source that reuses its buffer is stored as it was at each step", async (store) => {
      const buffer = Buffer.alloc(3);
      const source = async function* () {
        for (const text of ["abc", "def", "ghi"]) {
          buffer.write(text);
          yield buffer;
        }
      };
      expect(await store.put("t1/a", source())).toEqual({ size_bytes: 9, sha256: sha256("abcdefghi") });
      expect((await bytesOf(await store.get("t1/a"))).toString()).toBe("abcdefghi");
    });

    check("delete removes one blob, and succeeds when there is none", async (store) => {
      await store.put("t1/a", chunks("a"));
      await store.put("t1/b", chunks("b"));
      await store.delete("t1/a");
      await expectMissing(store, "t1/a");
      expect(await keysOf(store, "")).toEqual(["t1/b"]);
      await store.delete("t1/a");
      await store.delete("t9/never");
      expect(await keysOf(store, "")).toEqual(["t1/b"]);
    });

    check(
      "list gives every blob with that beginning, its size and time, and no other tenant's",
      async (store) => {
        const before = Date.now() - 5_000;
        const keys = ["t1/a", "t1/ab", "t1/deep/er/c", "t10/a", "t2/a"];
        for (const key of keys) await store.put(key, chunks(key));
        const all = await listed(store, "");
        expect(all.map((info) => info.key)).toEqual(keys);
        for (const info of all) {
          expect(info.size_bytes).toBe(info.key.length);
          expect(info.modified_at).toBeGreaterThan(before);
          expect(info.modified_at).toBeLessThan(Date.now() + 5_000);
        }
        expect(await keysOf(store, "t1/")).toEqual(["t1/a", "t1/ab", "t1/deep/er/c"]);
        expect(await keysOf(store, "t1/a")).toEqual(["t1/a", "t1/ab"]);
        expect(await keysOf(store, "t1/deep/e")).toEqual(["t1/deep/er/c"]);
        expect(await keysOf(store, "t1/deep/er/c")).toEqual(["t1/deep/er/c"]);
        expect(await keysOf(store, "t1")).toEqual(["t1/a", "t1/ab", "t1/deep/er/c", "t10/a"]);
        expect(await keysOf(store, "t3/")).toEqual([]);
      },
    );

    register("keys_within_keys", "a key may be the beginning of another", async (store) => {
      for (const key of ["t1", "t1/ab", "t1/ab/ab", "t1/ab/ab/x-ab"]) await store.put(key, chunks(key));
      expect(await keysOf(store, "")).toEqual(["t1", "t1/ab", "t1/ab/ab", "t1/ab/ab/x-ab"]);
      expect((await bytesOf(await store.get("t1/ab"))).toString()).toBe("t1/ab");
    });

    const weird = [
      "",
      "/",
      "/etc/passwd",
      "..",
      "../a",
      "t1/../../a",
      "t1/..",
      "t1/./a",
      ".",
      "t1//a",
      "t1/a/",
      "t1\\a",
      "t1/a\u0000b",
      "t1/a b",
      "t1/ü",
      "C:\\a",
      "t1/a\n",
      "t1/%2e%2e/a",
    ];
    for (const key of weird) {
      check(`a key that is none is refused: ${JSON.stringify(key)}`, async (store) => {
        await expect(store.put(key, chunks("x"))).rejects.toBeInstanceOf(Error);
        await expect(store.get(key)).rejects.toBeInstanceOf(Error);
        await expect(store.delete(key)).rejects.toBeInstanceOf(Error);
        expect(await keysOf(store, "")).toEqual([]);
      });
    }

    check("a list by a beginning that no key can have gives nothing", async (store) => {
      await store.put("t1/a", chunks("x"));
      for (const prefix of ["..", "../", "/", "t1/../", "t1//", "\u0000"]) {
        expect(await keysOf(store, prefix), JSON.stringify(prefix)).toEqual([]);
      }
    });

    register(
      "local_path",
      "localPath leads to the bytes, and nowhere for a key that is none",
      async (store) => {
        await store.put("t1/a", chunks("here"));
        if (!store.localPath) throw new Error("no localPath, and no gap is declared for it");
        expect(await readFile(store.localPath("t1/a"), "utf8")).toBe("here");
        expect(() => store.localPath?.("../a")).toThrow();
      },
    );

    describeResumablePuts(register);

    check("check succeeds, again and again, and leaves nothing", async (store) => {
      await Promise.all([store.check(), store.check()]);
      await store.check();
      expect(await keysOf(store, "")).toEqual([]);
    });
  });
}

/** The contract of an ApiKeyStore (src/ports/api-key-store.ts). */
import { expect } from "vitest";
import type { ApiKey } from "../src/ports/api-key-store.ts";
import { sha256Of } from "./samples.ts";
import {
  type OpenStorage,
  type StorageGaps,
  type StorageHarness,
  type StorageTest,
  storageSuite,
} from "./storage.ts";

/** Registers the suite; call it inside a test file. */
export function describeApiKeyStore(name: string, open: OpenStorage, gaps: StorageGaps = {}): void {
  storageSuite(`ApiKeyStore: ${name}`, open, gaps, keys);
}

function newKey(h: StorageHarness, tenant_id = "t1", more: Partial<ApiKey> = {}): ApiKey {
  h.advance(1);
  const key_id = h.system.newId("key");
  return {
    key_id,
    tenant_id,
    name: "laptop é",
    hash: sha256Of(key_id),
    operator: false,
    created_at: new Date(h.system.now()).toISOString(),
    expires_at: null,
    ...more,
  };
}

function keys(check: StorageTest): void {
  check("without keys there is none, and after the first there is", async (h) => {
    expect(await h.keys.any()).toBe(false);
    expect(await h.keys.list()).toEqual([]);
    await h.keys.add(newKey(h));
    expect(await h.keys.any()).toBe(true);
  });

  check("a key is found by its hash, with its tenant", async (h) => {
    const [a, b] = [newKey(h), newKey(h, "t2")];
    await h.keys.add(a);
    await h.keys.add(b);
    expect(await h.keys.findByHash(a.hash)).toEqual(a);
    expect(await h.keys.findByHash(b.hash)).toEqual(b);
    expect(await h.keys.findByHash(sha256Of("other"))).toBeUndefined();
    expect(await h.keys.findByHash("")).toBeUndefined();
  });

  check("an operator's key and a key's end are kept", async (h) => {
    const expires_at = new Date(h.system.now() + 60_000).toISOString();
    const key = newKey(h, "t1", { operator: true, expires_at });
    await h.keys.add(key);
    expect(await h.keys.findByHash(key.hash)).toEqual(key);
    expect(await h.keys.list()).toEqual([key]);
  });

  check("an expired key is still a key there is, until it is removed", async (h) => {
    const at = (ms: number) => new Date(h.system.now() + ms).toISOString();
    const [gone, late, lasting] = [
      newKey(h, "t1", { expires_at: at(-2_000) }),
      newKey(h, "t1", { expires_at: at(60_000) }),
      newKey(h),
    ];
    const others = newKey(h, "t2", { expires_at: at(-2_000) });
    await h.keys.add(gone);
    expect(await h.keys.any()).toBe(true);
    expect(await h.keys.findByHash(gone.hash)).toEqual(gone);
    for (const key of [late, lasting, others]) await h.keys.add(key);
    await h.keys.removeExpired("t1", at(-1_000));
    expect(await h.keys.list("t1")).toEqual([late, lasting]);
    expect(await h.keys.list("t2")).toEqual([others]);
  });

  check("keys of one tenant are listed, and revoked only as its own when the tenant is said", async (h) => {
    const [mine, other] = [newKey(h), newKey(h, "t2")];
    await h.keys.add(mine);
    await h.keys.add(other);
    expect(await h.keys.list("t2")).toEqual([other]);
    expect(await h.keys.list("t3")).toEqual([]);
    expect(await h.keys.revoke(other.key_id, "t1")).toBe(false);
    expect(await h.keys.findByHash(other.hash)).toEqual(other);
    expect(await h.keys.revoke(other.key_id, "t2")).toBe(true);
    expect(await h.keys.list()).toEqual([mine]);
  });

  check("keys of all tenants are listed", async (h) => {
    const all = [newKey(h), newKey(h, "t2"), newKey(h)];
    for (const key of all) await h.keys.add(key);
    const byId = (a: ApiKey, b: ApiKey) => a.key_id.localeCompare(b.key_id);
    expect((await h.keys.list()).sort(byId)).toEqual(all.sort(byId));
  });

  check("a revoked key is found no more; revoking what is not there says so", async (h) => {
    const [a, b] = [newKey(h), newKey(h)];
    await h.keys.add(a);
    await h.keys.add(b);
    expect(await h.keys.revoke(a.key_id)).toBe(true);
    expect(await h.keys.findByHash(a.hash)).toBeUndefined();
    expect(await h.keys.list()).toEqual([b]);
    expect(await h.keys.revoke(a.key_id)).toBe(false);
    expect(await h.keys.revoke(b.key_id)).toBe(true);
    expect(await h.keys.any()).toBe(false);
  });

  check.needing("durable", "keys are there after closing and opening again", async (h, more) => {
    const key = newKey(h);
    await h.keys.add(key);
    expect(await (await more.reopen()).keys.findByHash(key.hash)).toEqual(key);
  });

  check.needing("shared", "a key made or revoked by another process counts at once", async (h, more) => {
    const other = await more.second();
    const key = newKey(h);
    expect(await other.keys.any()).toBe(false);
    await h.keys.add(key);
    expect(await other.keys.any()).toBe(true);
    expect(await other.keys.findByHash(key.hash)).toEqual(key);
    await h.keys.revoke(key.key_id);
    expect(await other.keys.findByHash(key.hash)).toBeUndefined();
  });
}

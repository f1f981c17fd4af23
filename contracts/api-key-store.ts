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

function newKey(h: StorageHarness, tenant_id = "t1"): ApiKey {
  h.advance(1);
  const key_id = h.system.newId("key");
  return {
    key_id,
    tenant_id,
    name: "laptop é",
    hash: sha256Of(key_id),
    created_at: new Date(h.system.now()).toISOString(),
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

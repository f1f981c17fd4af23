/** Making API keys. */
import { createHash, randomBytes } from "node:crypto";
import type { ApiKey, ApiKeyStore } from "../ports/api-key-store.ts";
import type { System } from "../ports/system.ts";

/** So long an expired key is still listed, so that one can see why it works no more. */
const LISTED_AFTER_END_MS = 24 * 3_600_000;

export interface NewApiKey {
  tenant_id: string;
  /** What the key is for. */
  name: string;
  operator: boolean;
  /** From now on. Null: it ends when it is revoked. */
  expires_in_ms: number | null;
}

export interface MadeApiKey {
  /** The key itself, known to nobody else from now on. */
  key: string;
  stored: ApiKey;
  /** Whether there was none before: from now on every request needs one. */
  first: boolean;
}

/** What the API and the command line say of the first key. */
export const FIRST_KEY_NOTE =
  "It is the first key: from now on every request needs one. What was uploaded without a key belongs to the tenant `default`.";

/** The SHA-256 by which a key is found. */
export function hashOfKey(key: string): string {
  return createHash("sha256").update(key).digest("hex");
}

/** Makes a key and stores its hash. Removes those of the tenant that expired more than a day ago. */
export async function makeApiKey(
  { keys, system }: { keys: ApiKeyStore; system: System },
  { expires_in_ms, ...rest }: NewApiKey,
): Promise<MadeApiKey> {
  const first = !(await keys.any());
  const now = system.now();
  const iso = (ms: number) => new Date(ms).toISOString();
  const key = `sluice_${randomBytes(32).toString("base64url")}`;
  const stored: ApiKey = {
    key_id: system.newId("key"),
    ...rest,
    hash: hashOfKey(key),
    created_at: iso(now),
    expires_at: expires_in_ms === null ? null : iso(now + expires_in_ms),
  };
  await keys.add(stored);
  // Keys for browsers are made by the thousand. After the new one, so that there is never none.
  await keys.removeExpired(rest.tenant_id, iso(now - LISTED_AFTER_END_MS));
  return { key, stored, first };
}

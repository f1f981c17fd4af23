/** A key that lets its bearer act for a tenant. The key itself is shown once, at its making, and never stored. */
export interface ApiKey {
  key_id: string;
  tenant_id: string;
  name: string;
  /** SHA-256 of the whole key, hexadecimal. Fit because keys are random, 256 bits. */
  hash: string;
  /** ISO 8601. */
  created_at: string;
}

export interface ApiKeyStore {
  add(key: ApiKey): Promise<void>;
  findByHash(hash: string): Promise<ApiKey | undefined>;
  list(): Promise<ApiKey[]>;
  /** @returns false when there was no such key */
  revoke(key_id: string): Promise<boolean>;
  /** Whether there is any key at all: without one, the server serves the tenant `default` on loopback only. */
  any(): Promise<boolean>;
}

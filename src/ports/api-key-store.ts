/**
 * A key that lets its bearer act for a tenant, an operator's for any. The key itself is shown once, at its making, and
 * never stored.
 */
export interface ApiKey {
  key_id: string;
  /** Whom the bearer acts for unless it says otherwise, which only an operator may. */
  tenant_id: string;
  name: string;
  /** SHA-256 of the whole key, hexadecimal. Fit because keys are random, 256 bits. */
  hash: string;
  operator: boolean;
  /** ISO 8601. */
  created_at: string;
  /** ISO 8601; from then on it is as a key that never was. Null: it ends when it is revoked. */
  expires_at: string | null;
}

/** The store keeps expired keys like others: whoever asks decides by `expires_at`. */
export interface ApiKeyStore {
  add(key: ApiKey): Promise<void>;
  findByHash(hash: string): Promise<ApiKey | undefined>;
  /** In the order of their making. Without a tenant: of all. */
  list(tenant_id?: string): Promise<ApiKey[]>;
  /**
   * @param tenant_id only if it is this tenant's
   * @returns false when there was no such key
   */
  revoke(key_id: string, tenant_id?: string): Promise<boolean>;
  /** Removes the tenant's keys that expired before this time, ISO 8601. */
  removeExpired(tenant_id: string, before: string): Promise<void>;
  /**
   * Whether there is any key at all: without one, the server serves anybody on loopback. MUST count expired ones too: a
   * server must not open up because its last key has ended.
   */
  any(): Promise<boolean>;
}

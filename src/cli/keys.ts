/** `sluice keys create | list | revoke`: straight in the data folder, also beside a running server. */
import { openAdapters } from "../compose.ts";
import { loadConfig } from "../config/config.ts";
import { tenantSchema } from "../document.ts";
import { SluiceError } from "../errors.ts";
import { FIRST_KEY_NOTE, makeApiKey } from "../intake/api-keys.ts";
import type { ApiKeyStore } from "../ports/api-key-store.ts";
import type { System } from "../ports/system.ts";
import { type OutputOptions, print, printJson, table, UsageError } from "./output.ts";

export interface CreateKeyOptions extends OutputOptions {
  tenant: string;
  name?: string;
  operator?: boolean;
  /** Milliseconds from now. */
  expires?: number;
}

export async function createKey({ tenant, name = "", operator = false, expires, json }: CreateKeyOptions) {
  const named = tenantSchema.safeParse(tenant);
  if (!named.success) {
    const why = named.error.issues.map(({ message }) => message).join("; ");
    throw new UsageError(`--tenant: ${JSON.stringify(tenant)} is not a name of a tenant: ${why}.`);
  }
  await withKeys(async (keys, system) => {
    const wanted = { tenant_id: tenant, name, operator, expires_in_ms: expires ?? null };
    const { key, stored, first } = await makeApiKey({ keys, system }, wanted);
    const { hash: _, ...made } = stored;
    if (json) {
      printJson({ ...made, key });
      return;
    }
    // The key alone on standard output: KEY=$(sluice keys create --tenant acme)
    print(key);
    const whose = operator ? `an operator's, of tenant ${tenant}` : `of tenant ${tenant}`;
    const until = made.expires_at === null ? "" : ` It ends at ${made.expires_at}.`;
    process.stderr.write(
      `Key ${made.key_id}, ${whose}.${until} It is shown only now; Sluice keeps nothing but its hash.\n`,
    );
    if (first) process.stderr.write(`${FIRST_KEY_NOTE}\n`);
  });
}

export async function listKeys({ json }: OutputOptions): Promise<void> {
  await withKeys(async (keys, system) => {
    const found = await keys.list();
    if (json) {
      for (const { hash: _, ...key } of found) printJson(key);
      return;
    }
    if (found.length === 0) {
      process.stderr.write("No keys: the server answers anybody on this machine, as tenant `default`.\n");
      return;
    }
    const now = system.now();
    const endOf = (expires_at: string | null) => {
      if (expires_at === null) return "";
      return Date.parse(expires_at) > now ? expires_at : `ended ${expires_at}`;
    };
    const rows = found.map(({ key_id, tenant_id, operator, created_at, expires_at, name }) => [
      key_id,
      tenant_id,
      operator ? "yes" : "",
      created_at,
      endOf(expires_at),
      name,
    ]);
    print(table(["KEY", "TENANT", "OPERATOR", "CREATED", "EXPIRES", "NAME"], rows));
  });
}

export async function revokeKey(key_id: string, { json }: OutputOptions): Promise<void> {
  await withKeys(async (keys) => {
    if (!(await keys.revoke(key_id))) {
      throw new SluiceError(
        "not_found",
        `There is no key ${key_id}; \`sluice keys list\` shows those there are.`,
      );
    }
    if (json) printJson({ key_id, revoked: true });
    else print(`${key_id} is revoked. A running server takes it for a second at most.`);
    if (!(await keys.any())) {
      process.stderr.write(
        "It was the last key: the server now answers anybody on this machine, as tenant `default`, and will not start on an address that others can reach.\n",
      );
    }
  });
}

async function withKeys(use: (keys: ApiKeyStore, system: System) => Promise<void>): Promise<void> {
  const adapters = await openAdapters(loadConfig());
  try {
    await use(adapters.keys, adapters.system);
  } finally {
    await adapters.close();
  }
}

/** `sluice keys create | list | revoke`: straight in the data folder, also beside a running server. */
import { createHash, randomBytes } from "node:crypto";
import { openAdapters } from "../compose.ts";
import { loadConfig } from "../config/config.ts";
import { SluiceError } from "../errors.ts";
import type { ApiKeyStore } from "../ports/api-key-store.ts";
import type { System } from "../ports/system.ts";
import { type OutputOptions, print, printJson, table, UsageError } from "./output.ts";

export interface CreateKeyOptions extends OutputOptions {
  tenant: string;
  name?: string;
}

export async function createKey({ tenant, name = "", json }: CreateKeyOptions): Promise<void> {
  // It begins the keys of the tenant's blobs, which are paths.
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/.test(tenant)) {
    throw new UsageError(
      `--tenant: ${JSON.stringify(tenant)} is not a name of a tenant: letters, digits, . _ -, at most 100, first a letter or digit.`,
    );
  }
  await withKeys(async (keys, system) => {
    const first = !(await keys.any());
    const key = `sluice_${randomBytes(32).toString("base64url")}`;
    const made = {
      key_id: system.newId("key"),
      tenant_id: tenant,
      name,
      created_at: new Date(system.now()).toISOString(),
    };
    await keys.add({ ...made, hash: createHash("sha256").update(key).digest("hex") });
    if (json) {
      printJson({ ...made, key });
      return;
    }
    // The key alone on standard output: KEY=$(sluice keys create --tenant acme)
    print(key);
    process.stderr.write(
      `Key ${made.key_id} of tenant ${tenant}. It is shown only now; Sluice keeps nothing but its hash.\n`,
    );
    if (first) {
      process.stderr.write(
        "It is the first key: from now on every request needs one. What was uploaded without a key belongs to the tenant `default`.\n",
      );
    }
  });
}

export async function listKeys({ json }: OutputOptions): Promise<void> {
  await withKeys(async (keys) => {
    const found = await keys.list();
    if (json) {
      for (const { key_id, tenant_id, name, created_at } of found) {
        printJson({ key_id, tenant_id, name, created_at });
      }
      return;
    }
    if (found.length === 0) {
      process.stderr.write("No keys: the server answers anybody on this machine, as tenant `default`.\n");
      return;
    }
    const rows = found.map(({ key_id, tenant_id, name, created_at }) => [
      key_id,
      tenant_id,
      created_at,
      name,
    ]);
    print(table(["KEY", "TENANT", "CREATED", "NAME"], rows));
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

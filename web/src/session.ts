/** Who this page speaks for: the key, the tenant acted for, and the client that both go into. */
import { signal } from "@preact/signals";
import { ApiError, createClient, type Session, type SluiceClient } from "../../src/client/index.ts";

export { ApiError };

const KEY = "sluice_api_key";
const TENANT = "sluice_tenant";

/** The server refused the key, or the lack of one. */
export const keyNeeded = signal(false);
/** What the server says of this session; undefined until it has. */
export const session = signal<Session | undefined>(undefined);
/** Counts changes of key or tenant: everything that was loaded before belongs to somebody else. */
export const generation = signal(0);

/** Kept until the tab is closed. */
export function apiKey(): string | undefined {
  return sessionStorage.getItem(KEY) ?? undefined;
}

export function useKey(key: string): void {
  sessionStorage.setItem(KEY, key);
  begin();
}

/** The tenant that an operator has chosen to act for. */
export function chosenTenant(): string | undefined {
  return sessionStorage.getItem(TENANT) ?? undefined;
}

/** @param tenant_id undefined: the key's own */
export function actFor(tenant_id: string | undefined): void {
  if (tenant_id === undefined) sessionStorage.removeItem(TENANT);
  else sessionStorage.setItem(TENANT, tenant_id);
  begin();
}

const watchedFetch: typeof fetch = async (input, init) => {
  const response = await fetch(input, init);
  if (response.status === 401) keyNeeded.value = true;
  return response;
};

function make(): SluiceClient {
  const tenant_id = chosenTenant();
  return createClient({
    key: apiKey,
    fetch: watchedFetch,
    ...(tenant_id === undefined ? {} : { tenant_id }),
  });
}

let current = make();

/** The client of this session: the same that others write their programs with. */
export const sluice = (): SluiceClient => current;

function begin(): void {
  current = make();
  keyNeeded.value = false;
  session.value = undefined;
  generation.value++;
}

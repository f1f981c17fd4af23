/** API keys over HTTP: those of the tenant that the request acts for. */
import { z } from "zod";
import { SluiceError } from "../../errors.ts";
import { FIRST_KEY_NOTE, makeApiKey } from "../../intake/api-keys.ts";
import type { ApiKey } from "../../ports/api-key-store.ts";
import { type Authenticator, type Caller, requireOperator } from "../auth.ts";
import type { App, AppDependencies } from "../dependencies.ts";
import { problems } from "../schemas.ts";

const tags = ["keys"];

const LONGEST_SECONDS = 10 * 365 * 86_400;

export const publicKeySchema = z
  .object({
    key_id: z.string(),
    tenant_id: z.string().describe("whom its bearer acts for"),
    name: z.string().describe("what it is for"),
    operator: z.boolean().describe("whether its bearer may act for every tenant, and do what concerns all"),
    created_at: z.iso.datetime(),
    expires_at: z.iso.datetime().nullable().describe("null: it ends when it is revoked"),
    current: z.boolean().describe("the key that this request came with"),
  })
  .meta({ id: "ApiKey" });
export type PublicKey = z.infer<typeof publicKeySchema>;

export const newKeySchema = z.strictObject({
  name: z.string().max(200).default("").describe("what it is for"),
  operator: z.boolean().default(false).describe("may be given by operators only"),
  expires_in_seconds: z
    .int()
    .min(1)
    .max(LONGEST_SECONDS)
    .optional()
    .describe("default: it ends when it is revoked; of a key made with one that expires: together with that"),
});

export const madeKeySchema = publicKeySchema
  .extend({
    key: z.string().describe("the key itself, shown only now"),
    note: z.string().optional().describe("with the first key: that from now on every request needs one"),
  })
  .meta({ id: "MadeApiKey" });

export function keyRoutes(app: App, { keys, system }: AppDependencies, authenticator: Authenticator): void {
  app.get(
    "/v1/keys",
    {
      schema: {
        tags,
        summary: "List the tenant's API keys, without what is secret",
        description: "Expired ones are listed for a day or more.",
        response: {
          200: z.object({ keys: z.array(publicKeySchema) }),
          ...problems("storage_unavailable"),
        },
      },
    },
    async ({ tenant_id, caller }) => {
      const found = await keys.list(tenant_id);
      return { keys: found.map((key) => toPublic(key, caller)) };
    },
  );

  app.post(
    "/v1/keys",
    {
      schema: {
        tags,
        summary: "Make an API key for the tenant",
        description:
          "The key is shown in this answer only; the server keeps its hash. For a browser, make one that expires " +
          "soon: such a key makes and revokes none, unless it is an operator's, and then none that outlives it. The " +
          "first key of a server closes it: from then on every request needs one.",
        body: newKeySchema,
        response: { 201: madeKeySchema, ...problems("storage_unavailable") },
      },
    },
    async (request, reply) => {
      const { name, operator, expires_in_seconds } = request.body;
      if (operator) requireOperator(request, "Without `operator` the key would be made.");
      requireLasting(request.caller);
      const expires_in_ms = lifetimeOf(request.caller, expires_in_seconds, system.now());
      const wanted = { tenant_id: request.tenant_id, name, operator, expires_in_ms };
      const { key, stored, first } = await makeApiKey({ keys, system }, wanted);
      authenticator.keysChanged();
      request.log.info(
        { key_id: stored.key_id, operator, by: request.caller?.key?.key_id },
        "made an API key",
      );
      reply.code(201);
      return { ...toPublic(stored, request.caller), key, ...(first ? { note: FIRST_KEY_NOTE } : {}) };
    },
  );

  app.delete(
    "/v1/keys/:key_id",
    {
      schema: {
        tags,
        summary: "Revoke an API key",
        description:
          "It is refused within a second, and streams of events that it opened end within some. The key of the request " +
          "itself is not revoked by it: so there is always one left.",
        params: z.object({ key_id: z.string() }),
        response: {
          204: z.null().describe("Done."),
          ...problems("not_found", "own_key", "storage_unavailable"),
        },
      },
    },
    async (request, reply) => {
      const { key_id } = request.params;
      const { caller } = request;
      if (key_id === caller?.key?.key_id) {
        throw new SluiceError("own_key", `The request came with the key ${key_id} itself.`);
      }
      requireLasting(caller);
      if (!(await keys.revoke(key_id, request.tenant_id))) {
        throw new SluiceError("not_found", `There is no key ${key_id}.`);
      }
      authenticator.keysChanged();
      request.log.info({ key_id, by: caller?.key?.key_id }, "revoked an API key");
      reply.code(204);
      return null;
    },
  );
}

function toPublic({ hash: _, ...key }: ApiKey, caller: Caller | undefined): PublicKey {
  return { ...key, current: key.key_id === caller?.key?.key_id };
}

/**
 * A key that was given away for a while must not be made into one for good, nor lock others out.
 * @throws SluiceError forbidden
 */
function requireLasting(caller: Caller | undefined): void {
  if (!caller?.key || caller.operator || caller.key.expires_at === null) return;
  throw new SluiceError(
    "forbidden",
    "A key that expires makes and revokes no keys, unless it is an operator's: use one without an end.",
  );
}

/** @throws SluiceError forbidden when the key would outlive the one that makes it */
function lifetimeOf(caller: Caller | undefined, seconds: number | undefined, now: number): number | null {
  const end = caller?.key?.expires_at ?? null;
  const wanted = seconds === undefined ? null : seconds * 1_000;
  if (end === null) return wanted;
  const left = Date.parse(end) - now;
  if (wanted !== null && wanted > left) {
    throw new SluiceError("forbidden", `A key made with one that expires can't outlive it (${end}).`);
  }
  return wanted ?? left;
}

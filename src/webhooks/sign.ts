/** Signatures of Standard Webhooks 1.0 (https://www.standardwebhooks.com, "Signature scheme"), symmetric. */
import { createHmac, randomBytes } from "node:crypto";

const SECRET_BYTES = 32;
const PREFIX = "whsec_";

export function newSecret(): string {
  return `${PREFIX}${randomBytes(SECRET_BYTES).toString("base64")}`;
}

/**
 * The headers that tell a receiver whose a request is, and that nobody changed it.
 *
 * @param id the same at every try: what a receiver tells repetitions by
 * @param at Unix milliseconds of this try
 * @param secrets each signs, so that a receiver who knows one of them is content
 */
export function signedHeaders(id: string, at: number, body: string, secrets: readonly string[]) {
  const timestamp = String(Math.floor(at / 1_000));
  const signatures = secrets.map((secret) => {
    const key = Buffer.from(secret.slice(PREFIX.length), "base64");
    return `v1,${createHmac("sha256", key).update(`${id}.${timestamp}.${body}`).digest("base64")}`;
  });
  return { "webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": signatures.join(" ") };
}

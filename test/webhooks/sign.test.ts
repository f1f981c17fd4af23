import { Webhook } from "standardwebhooks";
import { describe, expect, test } from "vitest";
import { headersOf } from "../../src/webhooks/message.ts";
import { newSecret, signedHeaders } from "../../src/webhooks/sign.ts";

describe("signatures", () => {
  test("a secret is whsec_ and 24 to 64 bytes of base64, another each time", () => {
    const secret = newSecret();
    expect(secret).toMatch(/^whsec_[A-Za-z0-9+/]+=*$/);
    const bytes = Buffer.from(secret.slice(6), "base64").length;
    expect(bytes).toBeGreaterThanOrEqual(24);
    expect(bytes).toBeLessThanOrEqual(64);
    expect(newSecret()).not.toBe(secret);
  });

  test("are what the library of Standard Webhooks makes of the same", () => {
    const secret = newSecret();
    const at = Date.UTC(2026, 0, 2, 3, 4, 5, 678);
    const body = '{"ä": "one.two"}';
    const headers = signedHeaders("evt_1", at, body, [secret]);
    expect(headers["webhook-timestamp"]).toBe(String(Math.floor(at / 1_000)));
    expect(headers["webhook-signature"]).toBe(new Webhook(secret).sign("evt_1", new Date(at), body));
  });

  test("are taken by whoever knows one of the secrets, and by nobody else", () => {
    const [first, second, third] = [newSecret(), newSecret(), newSecret()];
    const headers = signedHeaders("evt_1", Date.now(), "{}", [first, second]);
    expect(new Webhook(first).verify("{}", headers)).toEqual({});
    expect(new Webhook(second).verify("{}", headers)).toEqual({});
    expect(() => new Webhook(third).verify("{}", headers)).toThrow();
    expect(() => new Webhook(first).verify("{} ", headers)).toThrow();
    expect(() => new Webhook(first).verify("{}", { ...headers, "webhook-id": "evt_2" })).toThrow();
  });

  test("the secret before signs too until its time is up", () => {
    const until = Date.UTC(2026, 0, 1);
    const webhook = {
      secret: newSecret(),
      previous_secret: newSecret(),
      previous_secret_until: new Date(until).toISOString(),
    } as Parameters<typeof headersOf>[0];
    const count = (now: number) =>
      headersOf(webhook, "evt_1", "{}", now)["webhook-signature"].split(" ").length;
    expect(count(until - 1)).toBe(2);
    expect(count(until)).toBe(1);
  });
});

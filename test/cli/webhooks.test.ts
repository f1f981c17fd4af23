/** `sluice webhooks` as processes, against a real server. */
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Delivery, Webhook, WebhookView } from "../../src/webhook.ts";
import { createClient } from "../e2e/client.ts";
import { type Running, startSluice } from "../e2e/processes.ts";
import { startReceiver } from "../support/receiver.ts";
import { run } from "./run.ts";

let server: Running;
const sluice = (...args: string[]) => run(server.env, ["webhooks", ...args]);

beforeAll(async () => {
  const env = { SLUICE_WEBHOOK_ALLOW_PRIVATE: "true" };
  server = await startSluice({ command: "api", env });
});
afterAll(async () => {
  await server.stop();
});

test("a webhook from its making to its end", async () => {
  const receiver = await startReceiver();
  expect((await sluice()).stderr).toContain("sluice webhooks create");
  const events = ["--event", "rag.document.uploaded"];
  const created = await sluice("create", receiver.url, ...events, "--description", "mine");
  expect([created.code, created.stdout]).toEqual([0, expect.stringMatching(/^whsec_\S+\n$/)]);
  const [webhook] = (await sluice("list", "--json")).json<WebhookView>() as [WebhookView];
  const { webhook_id } = webhook;
  expect(webhook).toMatchObject({ event_types: ["rag.document.uploaded"], description: "mine" });
  expect(created.stderr).toContain(webhook_id);
  expect((await sluice("test", webhook_id)).stdout).toMatch(/^The receiver took it: 204, after/);

  await createClient(server.url).upload("a.txt", "A text.");
  await expect.poll(() => receiver.received.length, { timeout: 10_000 }).toBe(2);
  const listed = async () => (await sluice("deliveries", webhook_id, "--json")).json<Delivery>();
  await expect.poll(async () => (await listed())[0]?.state, { timeout: 10_000 }).toBe("succeeded");
  const [delivery] = (await listed()) as [Delivery];
  const shown = await sluice("deliveries", webhook_id);
  expect(shown.stdout).toContain(`${delivery.delivery_id}  succeeded  1         rag.document.uploaded`);
  expect((await sluice("replay", webhook_id, delivery.delivery_id)).stdout).toContain("once more");
  await expect.poll(() => receiver.received.length, { timeout: 10_000 }).toBe(3);
  expect((await sluice("replay", webhook_id, "--failed")).stdout).toBe(
    "0 failed deliveries will be made once more.\n",
  );

  expect((await sluice("rotate", webhook_id)).stdout).toMatch(/^whsec_/);
  expect((await sluice("disable", webhook_id, "--json")).json<Webhook>()).toMatchObject([{ enabled: false }]);
  expect((await sluice("list")).stdout).toContain("off");
  expect((await sluice("enable", webhook_id)).stdout).toContain("goes on where it stopped");
  await receiver.close();
  const failed = await sluice("test", webhook_id);
  expect([failed.code, failed.stderr]).toEqual([1, expect.stringContaining("could not be reached")]);
  expect((await sluice("remove", webhook_id)).stdout).toContain("removed");
  expect((await sluice("list", "--json")).json()).toEqual([]);
});

test("a wrong call says what is right, with exit code 2; what the server refuses, with 1", async () => {
  const unknown = await sluice("create", "https://example.com/", "--event", "rag.unknown");
  expect([unknown.code, unknown.stderr]).toEqual([2, expect.stringContaining("rag.document.uploaded")]);
  expect((await sluice("replay", "whk_1")).code).toBe(2);
  const refused = await sluice("create", "ftp://example.com/");
  expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining("https://")]);
  const gone = await sluice("remove", "whk_gone");
  expect([gone.code, gone.stderr]).toEqual([1, expect.stringContaining("There is no webhook whk_gone")]);
});

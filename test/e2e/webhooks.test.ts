/** Webhooks through the death of the process that delivers: another goes on, and every event still arrives, in order. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Webhook as Verifier } from "standardwebhooks";
import { expect, onTestFinished, test } from "vitest";
import type { SluiceEvent } from "../../src/events.ts";
import type { Webhook, WebhookView } from "../../src/webhook.ts";
import { type Received, startReceiver } from "../support/receiver.ts";
import { createClient } from "./client.ts";
import { type Running, startSluice } from "./processes.ts";

const DOCUMENTS = 12;

test("the process that delivers is killed in the middle of it: another goes on, nothing is missing, all is in order", async () => {
  const data_dir = mkdtempSync(join(tmpdir(), "sluice-webhooks-"));
  const running: Running[] = [];
  onTestFinished(async () => {
    for (const each of running) await each.stop();
    rmSync(data_dir, { recursive: true, force: true });
  });
  const start = async (command: string) => {
    const env = { SLUICE_WEBHOOK_ALLOW_PRIVATE: "true" };
    const started = await startSluice({ command, data_dir, env });
    running.push(started);
    return started;
  };
  const leader = await start("api");

  /** Killed while requests of several documents are unanswered: it can't know whether they were taken. */
  let died: Promise<void> | undefined;
  const unanswered: Received[] = [];
  const receiver = await startReceiver((one, response, all) => {
    if (died || all.length < 10) return void response.writeHead(204).end();
    unanswered.push(one);
    if (unanswered.length === 4) died = leader.kill();
  });

  const made = await createClient(leader.url).call<Webhook & { secret: string }>("POST", "/v1/webhooks", {
    url: receiver.url,
  });
  expect(made.status).toBe(201);
  const { webhook_id, secret } = made.body;
  // It leads before there is another: this one has sent something.
  expect((await createClient(leader.url).upload("first.txt", "First.")).status).toBe(202);
  await expect.poll(() => receiver.received.length, { timeout: 10_000 }).toBe(1);
  const standby = await start("api");
  await start("worker");
  const client = createClient(standby.url);
  const uploads = await Promise.all(
    Array.from({ length: DOCUMENTS }, (_, number) =>
      client.upload(`${number}.txt`, `Text number ${number}.`),
    ),
  );
  await expect.poll(() => died !== undefined, { timeout: 20_000 }).toBe(true);
  await died;
  running.shift();

  const webhook = async () => (await client.call<WebhookView>("GET", `/v1/webhooks/${webhook_id}`)).body;
  for (const { body } of uploads) await client.ended(body.document_id, body.job_id);
  await expect.poll(async () => (await webhook()).pending, { timeout: 30_000, interval: 100 }).toBe(0);
  expect(await webhook()).toMatchObject({ enabled: true, failed: 0 });

  for (const { body } of uploads) {
    const { document_id } = body;
    const wanted = (await client.journey(document_id)).filter(
      (event: SluiceEvent) => event.event_type !== "rag.ingestion.progressed",
    );
    const seen = new Set<string>();
    const firsts = receiver.received
      .filter(({ event }) => event.subject === document_id)
      .filter(({ event }) => !seen.has(event.id) && seen.add(event.id));
    expect(firsts.map(({ event }) => event.id)).toEqual(wanted.map(({ event_id }) => event_id));
  }
  for (const { body, headers } of receiver.received) new Verifier(secret).verify(body, headers);
  // What was under way came again, as it was.
  for (const one of unanswered) {
    const same = receiver.received.filter(({ event }) => event.id === one.event.id);
    expect(same.length).toBeGreaterThanOrEqual(2);
    expect(new Set(same.map(({ body }) => body)).size).toBe(1);
  }
}, 90_000);

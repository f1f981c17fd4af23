/** The contract of a WebhookStore, beside the log that its deliveries come from. */
import { expect } from "vitest";
import type { SluiceEvent } from "../src/events.ts";
import type { DeliveryOutcome, StoredWebhook } from "../src/ports/webhook-store.ts";
import type { Delivery } from "../src/webhook.ts";
import { type StorageHarness, type StorageTest, upload } from "./storage.ts";

const isoOf = (h: StorageHarness, later_ms = 0) => new Date(h.system.now() + later_ms).toISOString();

function newWebhook(h: StorageHarness, more: Partial<StoredWebhook> = {}): StoredWebhook {
  const now = isoOf(h);
  return {
    webhook_id: h.system.newId("whk"),
    tenant_id: "t1",
    url: "https://receiver.example/hook",
    description: "of the contract",
    event_types: null,
    collection: null,
    enabled: true,
    disabled_reason: null,
    created_at: now,
    updated_at: now,
    secret: "whsec_one",
    previous_secret: null,
    previous_secret_until: null,
    position: 0,
    failing_since: null,
    last_succeeded_at: null,
    last_failed_at: null,
    ...more,
  };
}

async function addWebhook(h: StorageHarness, more: Partial<StoredWebhook> = {}): Promise<StoredWebhook> {
  h.advance(1);
  const webhook = newWebhook(h, more);
  expect(await h.documents.webhooks.add(webhook, 100)).toBe(true);
  return webhook;
}

/** So many events of the log. Which documents they are of is the delivery's to say, and the store's to believe. */
async function events(h: StorageHarness, letters: string, tenant_id = "t1"): Promise<SluiceEvent[]> {
  for (const _letter of letters) await upload(h, { tenant_id });
  const log = await h.documents.readEvents({ after: 0, limit: 1_000, tenant_id });
  return log.slice(-letters.length);
}

function deliveriesOf(h: StorageHarness, log: SluiceEvent[], letters: string) {
  return log.map(({ event_id, event_type, sequence }, place) => ({
    delivery_id: h.system.newId("dlv"),
    event_id,
    event_type,
    document_id: `doc_${letters[place]}`,
    sequence,
    created_at: isoOf(h),
  }));
}

/** Puts a delivery for each letter, the letter being its document. */
async function enqueue(h: StorageHarness, webhook: StoredWebhook, letters: string) {
  const { tenant_id, webhook_id } = webhook;
  const known = await h.documents.webhooks.find(tenant_id, webhook_id);
  const log = await events(h, letters, tenant_id);
  const deliveries = deliveriesOf(h, log, letters);
  const position = log.at(-1)!.sequence;
  const after = known!.position;
  expect(await h.documents.webhooks.enqueue({ webhook_id, after, position, deliveries })).toBe(true);
  return deliveries;
}

async function all(h: StorageHarness, { tenant_id, webhook_id }: StoredWebhook): Promise<Delivery[]> {
  const found = await h.documents.webhooks.listDeliveries({ tenant_id, webhook_id, limit: 1_000 });
  return found.reverse();
}

/** Documents of what is due, in order. */
async function due(
  h: StorageHarness,
  { webhook_id }: StoredWebhook,
  limit = 100,
  besides: string[] = [],
): Promise<string> {
  const found = await h.documents.webhooks.due(webhook_id, isoOf(h), limit, besides);
  for (const { delivery, event } of found) {
    expect(event).toMatchObject({ event_id: delivery.event_id, sequence: delivery.sequence });
  }
  return found.map(({ delivery }) => delivery.document_id.slice(4)).join("");
}

/** What came of a try of what is due first of a document. */
async function settle(
  h: StorageHarness,
  { webhook_id }: StoredWebhook,
  letter: string,
  more: Partial<DeliveryOutcome> & { error?: string | null } = {},
): Promise<boolean> {
  const { error = null, ...rest } = more;
  const found = await h.documents.webhooks.due(webhook_id, isoOf(h), 100, []);
  const delivery = found.find((each) => each.delivery.document_id === `doc_${letter}`)?.delivery;
  if (!delivery) throw new Error(`nothing of ${letter} is due`);
  const { delivery_id, attempts } = delivery;
  const status = error === null ? 204 : 500;
  return h.documents.webhooks.settle({
    delivery_id,
    webhook_id,
    attempts,
    try: { at: isoOf(h), duration_ms: 12.5, status, error, response: "an \0 answer" },
    state: "succeeded",
    next_attempt_at: null,
    now: isoOf(h),
    ...rest,
  });
}

export function describeWebhooks(check: StorageTest): void {
  check("a webhook is what was added, with its secret only for its sender", async (h) => {
    const { webhooks } = h.documents;
    expect(await webhooks.any()).toBe(false);
    const event_types = ["rag.ingestion.completed" as const];
    const webhook = await addWebhook(h, { event_types, collection: "c", position: 7 });
    expect(await webhooks.any()).toBe(true);
    expect(await webhooks.find("t1", webhook.webhook_id)).toEqual(webhook);
    expect(await webhooks.enabled()).toEqual([webhook]);
    const [view] = await webhooks.list("t1");
    const { secret, previous_secret, previous_secret_until, position, failing_since, ...shown } = webhook;
    expect(view).toEqual({ ...shown, pending: 0, failed: 0 });
    const second = await addWebhook(h);
    expect((await webhooks.list("t1")).map(({ webhook_id }) => webhook_id)).toEqual([
      webhook.webhook_id,
      second.webhook_id,
    ]);
    expect(await webhooks.list("t1", second.webhook_id)).toHaveLength(1);
  });

  check("a tenant has no more webhooks than it may, also when several come at once", async (h) => {
    const { webhooks } = h.documents;
    const added = await Promise.all(Array.from({ length: 6 }, () => webhooks.add(newWebhook(h), 4)));
    expect(added.filter((yes) => yes)).toHaveLength(4);
    expect(await webhooks.list("t1")).toHaveLength(4);
    expect(await webhooks.add(newWebhook(h, { tenant_id: "t2" }), 4)).toBe(true);
  });

  check("a change leaves what it doesn't name", async (h) => {
    const { webhooks } = h.documents;
    const webhook = await addWebhook(h, { collection: "c", event_types: ["rag.ingestion.failed"] });
    const updated_at = isoOf(h, 5);
    const change = { url: "https://other.example/", collection: null, updated_at };
    expect(await webhooks.update("t1", webhook.webhook_id, change)).toBe(true);
    expect(await webhooks.find("t1", webhook.webhook_id)).toEqual({ ...webhook, ...change });
    const rotated = { secret: "whsec_two", previous_secret: "whsec_one", previous_secret_until: updated_at };
    await webhooks.update("t1", webhook.webhook_id, { ...rotated, updated_at });
    expect(await webhooks.find("t1", webhook.webhook_id)).toEqual({ ...webhook, ...change, ...rotated });
  });

  check(
    "deliveries and the position move together, once, and only of a webhook that takes them",
    async (h) => {
      const { webhooks } = h.documents;
      const webhook = await addWebhook(h);
      const { webhook_id } = webhook;
      const log = await events(h, "ab");
      const [first, second] = log as [SluiceEvent, SluiceEvent];
      const batch = {
        webhook_id,
        after: 0,
        position: second.sequence,
        deliveries: deliveriesOf(h, log, "ab"),
      };
      const outcomes = await Promise.all([
        webhooks.enqueue(batch),
        webhooks.enqueue({ ...batch, deliveries: deliveriesOf(h, log, "ab") }),
      ]);
      expect(outcomes.toSorted()).toEqual([false, true]);
      const found = await all(h, webhook);
      expect(found.map(({ sequence }) => sequence)).toEqual([first.sequence, second.sequence]);
      expect(found[0]).toMatchObject({
        webhook_id,
        event_id: first.event_id,
        state: "pending",
        attempts: 0,
        status: null,
        error: null,
        finished_at: null,
      });
      expect((await webhooks.find("t1", webhook_id))?.position).toBe(second.sequence);
      expect(await webhooks.list("t1")).toMatchObject([{ pending: 2, failed: 0 }]);
      expect(await webhooks.pending()).toBe(2);
      const next = { webhook_id, after: second.sequence, position: second.sequence + 5, deliveries: [] };
      expect(await webhooks.enqueue(next)).toBe(true);
      expect(await webhooks.enqueue(next)).toBe(false);
      await webhooks.update("t1", webhook_id, { enabled: false, updated_at: isoOf(h) });
      const later = { webhook_id, after: next.position, position: next.position + 1, deliveries: [] };
      expect(await webhooks.enqueue(later)).toBe(false);
      expect(await webhooks.enqueue({ ...later, webhook_id: "whk_gone" })).toBe(false);
      expect((await webhooks.find("t1", webhook_id))?.position).toBe(next.position);
    },
  );

  check(
    "of each document one is due, those due for longest first; its next one when it has ended",
    async (h) => {
      const webhook = await addWebhook(h);
      await enqueue(h, webhook, "aabac");
      expect(await due(h, webhook)).toBe("abc");
      expect(await due(h, webhook, 2)).toBe("ab");
      expect(await due(h, webhook, 1, ["doc_a", "doc_c"])).toBe("b");
      expect(await h.documents.webhooks.withDue(isoOf(h))).toEqual([webhook.webhook_id]);
      const next_attempt_at = isoOf(h, 5_000);
      const failed = { state: "pending" as const, error: "answered 500", next_attempt_at };
      expect(await settle(h, webhook, "a", failed)).toBe(true);
      // The failing one holds its document back, and nothing else.
      expect(await due(h, webhook)).toBe("bc");
      await settle(h, webhook, "b");
      await settle(h, webhook, "c");
      expect(await h.documents.webhooks.withDue(isoOf(h))).toEqual([]);
      const [first, second] = await all(h, webhook);
      expect(first).toMatchObject({ state: "pending", attempts: 1, next_attempt_at, status: 500 });
      expect(first).toMatchObject({ error: "answered 500", finished_at: null });
      expect(second).toMatchObject({ attempts: 0, next_attempt_at: null });
      h.advance(5_000);
      expect(await due(h, webhook)).toBe("a");
      await settle(h, webhook, "a", { state: "failed", error: "answered 500" });
      expect((await all(h, webhook))[1]).toMatchObject({ next_attempt_at: isoOf(h) });
      await settle(h, webhook, "a");
      await enqueue(h, webhook, "ad");
      expect(await due(h, webhook)).toBe("ad");
      await settle(h, webhook, "a");
      await settle(h, webhook, "a");
      expect((await all(h, webhook)).map(({ state }) => state).join(" ")).toBe(
        "failed succeeded succeeded succeeded succeeded succeeded pending",
      );
      expect(await h.documents.webhooks.list("t1")).toMatchObject([{ pending: 1, failed: 1 }]);
    },
  );

  check("what is added while the one before it ends is not forgotten", async (h) => {
    const webhook = await addWebhook(h);
    for (let round = 0; round < 8; round += 1) {
      if (round === 0) await enqueue(h, webhook, "a");
      await Promise.all([settle(h, webhook, "a"), enqueue(h, webhook, "a")]);
      expect(await due(h, webhook), `round ${round}`).toBe("a");
    }
  });

  check("an outcome counts once, and only for the attempt that it is of", async (h) => {
    const { webhooks } = h.documents;
    const webhook = await addWebhook(h);
    const [delivery] = await enqueue(h, webhook, "a");
    const { delivery_id } = delivery!;
    const next_attempt_at = isoOf(h);
    const again = { state: "pending" as const, error: "no", next_attempt_at };
    expect(await settle(h, webhook, "a", again)).toBe(true);
    expect(await settle(h, webhook, "a", { attempts: 0 })).toBe(false);
    expect(await settle(h, webhook, "a", { webhook_id: "whk_other" })).toBe(false);
    expect(await settle(h, webhook, "a")).toBe(true);
    const known = await webhooks.getDelivery("t1", webhook.webhook_id, delivery_id);
    expect(known?.tries.map(({ error }) => error)).toEqual(["no", null]);
    expect(known?.tries[1]).toMatchObject({ at: isoOf(h), duration_ms: 12.5, status: 204 });
    expect(known?.tries[1]?.response).toMatch(/^an . answer$/);
    expect(known?.event.event_id).toBe(known?.delivery.event_id);
    expect(known?.delivery).toMatchObject({ state: "succeeded", attempts: 2, finished_at: isoOf(h) });
  });

  check(
    "a webhook tells when it succeeded and failed last, and is disabled where that is asked",
    async (h) => {
      const { webhooks } = h.documents;
      const webhook = await addWebhook(h);
      const { webhook_id } = webhook;
      const now = () => webhooks.find("t1", webhook_id);
      const again = (): Partial<DeliveryOutcome> & { error: string } => ({
        state: "pending",
        error: "no",
        next_attempt_at: isoOf(h),
      });
      await enqueue(h, webhook, "abc");
      const failing_since = isoOf(h);
      await settle(h, webhook, "a", again());
      h.advance(1_000);
      await settle(h, webhook, "a", again());
      expect(await now()).toMatchObject({ failing_since, last_failed_at: isoOf(h), last_succeeded_at: null });
      await settle(h, webhook, "b");
      expect(await now()).toMatchObject({ failing_since: null, last_succeeded_at: isoOf(h) });
      const since = isoOf(h);
      await settle(h, webhook, "a", again());
      h.advance(1_000);
      const earlier = { reason: "too long", failing_since: isoOf(h, -1_001) };
      await settle(h, webhook, "a", { ...again(), disable: earlier });
      expect(await now()).toMatchObject({ enabled: true, failing_since: since });
      await settle(h, webhook, "a", { ...again(), disable: { reason: "too long", failing_since: since } });
      expect(await now()).toMatchObject({
        enabled: false,
        disabled_reason: "too long",
        updated_at: isoOf(h),
      });
      expect(await due(h, webhook)).toBe("");
      expect(await webhooks.withDue(isoOf(h))).toEqual([]);
      expect(await webhooks.enabled()).toEqual([]);
      h.advance(1_000);
      await webhooks.update("t1", webhook_id, { enabled: true, updated_at: isoOf(h) });
      expect(await now()).toMatchObject({ enabled: true, disabled_reason: null, failing_since: null });
      expect(await due(h, webhook)).toBe("ac");
      await settle(h, webhook, "a", { ...again(), disable: { reason: "410 Gone" } });
      expect(await now()).toMatchObject({ enabled: false, disabled_reason: "410 Gone" });
      expect((await all(h, webhook))[0]).toMatchObject({ state: "pending" });
    },
  );

  check("enabling makes due what waits first, however long it was to wait", async (h) => {
    const { webhooks } = h.documents;
    const webhook = await addWebhook(h);
    await enqueue(h, webhook, "aab");
    await settle(h, webhook, "a", { state: "pending", error: "no", next_attempt_at: isoOf(h, 3_600_000) });
    await webhooks.update("t1", webhook.webhook_id, { enabled: true, updated_at: isoOf(h) });
    expect(await due(h, webhook)).toBe("b");
    await webhooks.update("t1", webhook.webhook_id, { enabled: false, updated_at: isoOf(h) });
    await webhooks.update("t1", webhook.webhook_id, { enabled: true, updated_at: isoOf(h) });
    expect(await due(h, webhook)).toBe("ab");
  });

  check("a replay is due at once, its attempts from zero, in its place before later ones", async (h) => {
    const { webhooks } = h.documents;
    const webhook = await addWebhook(h);
    const { webhook_id } = webhook;
    const [first, second] = await enqueue(h, webhook, "aab");
    await settle(h, webhook, "a", { state: "failed", error: "no" });
    h.advance(1_000);
    expect(await webhooks.replay("t1", webhook_id, first!.delivery_id, isoOf(h))).toBe(true);
    const [replayed, held] = await all(h, webhook);
    expect(replayed).toMatchObject({ state: "pending", attempts: 0, next_attempt_at: isoOf(h) });
    expect(replayed).toMatchObject({ finished_at: null });
    expect(held).toMatchObject({ state: "pending", next_attempt_at: null });
    await settle(h, webhook, "a");
    // What succeeded can be replayed too; it is behind an earlier one that isn't due yet.
    await settle(h, webhook, "a");
    const later = isoOf(h, 9_000);
    await webhooks.replay("t1", webhook_id, first!.delivery_id, isoOf(h));
    await settle(h, webhook, "a", { state: "pending", error: "no", next_attempt_at: later });
    await webhooks.replay("t1", webhook_id, second!.delivery_id, isoOf(h));
    expect((await all(h, webhook)).map(({ next_attempt_at }) => next_attempt_at).slice(0, 2)).toEqual([
      later,
      null,
    ]);
    expect(await webhooks.replay("t1", webhook_id, "dlv_none", isoOf(h))).toBe(false);
  });

  check("an outcome that comes after a replay of an earlier one waits behind it", async (h) => {
    const { webhooks } = h.documents;
    const webhook = await addWebhook(h);
    const [first, second] = await enqueue(h, webhook, "aa");
    await settle(h, webhook, "a");
    await webhooks.replay("t1", webhook.webhook_id, first!.delivery_id, isoOf(h));
    const outcome = { delivery_id: second!.delivery_id, attempts: 0, error: "no" };
    const next_attempt_at = isoOf(h, 5);
    expect(await settle(h, webhook, "a", { ...outcome, state: "pending", next_attempt_at })).toBe(true);
    expect((await all(h, webhook)).map((each) => each.next_attempt_at !== null)).toEqual([true, false]);
  });

  check("all that failed are replayed, some at a time, in order", async (h) => {
    const { webhooks } = h.documents;
    const webhook = await addWebhook(h);
    await enqueue(h, webhook, "aabc");
    for (const letter of "aab") await settle(h, webhook, letter, { state: "failed", error: "no" });
    const replay = (limit: number) => webhooks.replayFailed("t1", webhook.webhook_id, isoOf(h), limit);
    expect(await replay(2)).toBe(2);
    expect((await all(h, webhook)).map(({ state }) => state)).toEqual([
      "pending",
      "pending",
      "failed",
      "pending",
    ]);
    expect(await due(h, webhook)).toBe("ac");
    expect(await replay(9)).toBe(1);
    expect(await replay(9)).toBe(0);
    expect((await due(h, webhook)).split("").sort().join("")).toBe("abc");
  });

  check("deliveries are listed newest first, by state, in pages", async (h) => {
    const { webhooks } = h.documents;
    const webhook = await addWebhook(h);
    await enqueue(h, webhook, "abcd");
    await settle(h, webhook, "b", { state: "failed", error: "no" });
    await settle(h, webhook, "c");
    const named = { tenant_id: "t1", webhook_id: webhook.webhook_id };
    const letters = async (more: object) =>
      (await webhooks.listDeliveries({ ...named, limit: 9, ...more }))
        .map(({ document_id }) => document_id.slice(4))
        .join("");
    expect(await letters({})).toBe("dcba");
    expect(await letters({ state: "pending" })).toBe("da");
    expect(await letters({ state: "failed" })).toBe("b");
    expect(await letters({ state: "succeeded" })).toBe("c");
    expect(await letters({ limit: 2 })).toBe("dc");
    const [, third] = await webhooks.listDeliveries({ ...named, limit: 2 });
    expect(await letters({ before: third!.sequence })).toBe("ba");
  });

  check("what ended long ago is dropped with its tries, so many at a time", async (h) => {
    const { webhooks } = h.documents;
    const webhook = await addWebhook(h);
    const [first] = await enqueue(h, webhook, "abcd");
    for (const letter of "ab") await settle(h, webhook, letter);
    h.advance(1_000);
    await settle(h, webhook, "c", { state: "failed", error: "no" });
    expect(await webhooks.prune(isoOf(h), 1)).toBe(1);
    expect(await webhooks.prune(isoOf(h), 9)).toBe(1);
    expect(await webhooks.prune(isoOf(h), 9)).toBe(0);
    expect((await all(h, webhook)).map(({ state }) => state)).toEqual(["failed", "pending"]);
    expect(await webhooks.getDelivery("t1", webhook.webhook_id, first!.delivery_id)).toBeUndefined();
  });

  check("with a webhook go its deliveries", async (h) => {
    const { webhooks } = h.documents;
    const webhook = await addWebhook(h);
    const other = await addWebhook(h);
    const [gone] = await enqueue(h, webhook, "aa");
    await enqueue(h, other, "b");
    await settle(h, webhook, "a", { state: "pending", error: "no", next_attempt_at: isoOf(h) });
    expect(await webhooks.remove("t1", webhook.webhook_id)).toBe(true);
    expect(await webhooks.remove("t1", webhook.webhook_id)).toBe(false);
    expect(await webhooks.find("t1", webhook.webhook_id)).toBeUndefined();
    expect(await webhooks.getDelivery("t1", webhook.webhook_id, gone!.delivery_id)).toBeUndefined();
    expect(await webhooks.pending()).toBe(1);
    expect(await webhooks.withDue(isoOf(h))).toEqual([other.webhook_id]);
  });

  check("a tenant neither sees nor changes another's webhooks and deliveries", async (h) => {
    const { webhooks } = h.documents;
    const webhook = await addWebhook(h);
    const { webhook_id } = webhook;
    const own = await addWebhook(h, { tenant_id: "t2" });
    const [delivery] = await enqueue(h, webhook, "a");
    const { delivery_id } = delivery!;
    await settle(h, webhook, "a", { state: "failed", error: "no" });
    const updated_at = isoOf(h);
    expect((await webhooks.list("t2")).map((each) => each.webhook_id)).toEqual([own.webhook_id]);
    expect(await webhooks.list("t2", webhook_id)).toEqual([]);
    expect(await webhooks.find("t2", webhook_id)).toBeUndefined();
    expect(await webhooks.update("t2", webhook_id, { url: "https://evil.example", updated_at })).toBe(false);
    expect(await webhooks.listDeliveries({ tenant_id: "t2", webhook_id, limit: 9 })).toEqual([]);
    expect(await webhooks.getDelivery("t2", webhook_id, delivery_id)).toBeUndefined();
    // Neither by another of one's own webhooks.
    expect(await webhooks.getDelivery("t2", own.webhook_id, delivery_id)).toBeUndefined();
    expect(await webhooks.replay("t2", own.webhook_id, delivery_id, updated_at)).toBe(false);
    expect(await webhooks.replay("t2", webhook_id, delivery_id, updated_at)).toBe(false);
    expect(await webhooks.replayFailed("t2", webhook_id, updated_at, 9)).toBe(0);
    expect(await webhooks.remove("t2", webhook_id)).toBe(false);
    expect(await webhooks.list("t1")).toMatchObject([{ url: webhook.url, failed: 1 }]);
  });

  check.needing("shared", "another process delivers what this one put", async (h, { second }) => {
    const other = await second();
    const webhook = await addWebhook(h);
    await enqueue(h, webhook, "ab");
    expect((await other.documents.webhooks.enabled()).map((each) => each.webhook_id)).toEqual([
      webhook.webhook_id,
    ]);
    expect(await due(other, webhook)).toBe("ab");
    await settle(other, webhook, "a");
    expect(await due(h, webhook)).toBe("b");
  });

  check.needing("durable", "webhooks, deliveries and tries outlive their process", async (h, { reopen }) => {
    const webhook = await addWebhook(h);
    const [delivery] = await enqueue(h, webhook, "a");
    await settle(h, webhook, "a", { state: "pending", error: "no", next_attempt_at: isoOf(h) });
    const known = await h.documents.webhooks.getDelivery("t1", webhook.webhook_id, delivery!.delivery_id);
    const again = await reopen();
    expect(
      await again.documents.webhooks.getDelivery("t1", webhook.webhook_id, delivery!.delivery_id),
    ).toEqual(known);
  });
}

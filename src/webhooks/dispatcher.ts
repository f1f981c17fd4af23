/**
 * Delivers events to webhooks, at least once and in order per document. Every API process has a dispatcher; the one that
 * leads delivers. The lead lapses by itself, so that a process that dies is followed by another, which goes on from what
 * is stored: each webhook's place in the log, and its pending deliveries. Where there is no webhook, all that happens is
 * one look each second.
 */
import type { DocumentStore } from "../ports/document-store.ts";
import type { Log } from "../ports/log.ts";
import type { System } from "../ports/system.ts";
import type { StoredWebhook } from "../ports/webhook-store.ts";
import type { Follower } from "../progress/follow.ts";
import { createLane, type DeliveryCounts, type Lane } from "./lane.ts";
import type { Sender } from "./request.ts";

export interface DispatcherDependencies {
  documents: DocumentStore;
  follower: Follower;
  system: System;
  log: Log;
  sender: Sender;
  event_source: string;
  /** How long finished deliveries are kept. */
  keep_ms: number;
}

const TASK = "webhooks";
const LEAD_MS = 10_000;
/** How long a dispatcher that doesn't lead waits before it asks again. */
const STANDBY_MS = 3_000;
/** How often webhooks, and what has become due, are looked for. */
const TICK_MS = 1_000;
const PRUNE_EVERY_MS = 60_000;
const PRUNE_BATCH = 500;
/** How long a stop waits for requests under way; what is cut off is repeated after the next start. */
const GRACE_MS = 2_000;

export interface Dispatcher {
  /** Since this process started. */
  readonly counts: Readonly<DeliveryCounts>;
  /** Delivers until the signal fires. */
  run(signal: AbortSignal): Promise<void>;
}

export function createDispatcher(dependencies: DispatcherDependencies): Dispatcher {
  const { documents, system, log, keep_ms } = dependencies;
  const store = documents.webhooks;
  const counts: DeliveryCounts = { succeeded: 0, retried: 0, failed: 0 };
  const holder = system.newId("wrk");
  /** By `system.monotonic`, and counted from before the question: never longer than the store thinks. */
  let leadsUntil = Number.NEGATIVE_INFINITY;
  let pruneAt = Number.NEGATIVE_INFINITY;
  const leads = () => system.monotonic() < leadsUntil;

  async function keepLead(): Promise<boolean> {
    const now = system.monotonic();
    if (now < leadsUntil - LEAD_MS / 2) return true;
    const has = await documents.lead(TASK, holder, LEAD_MS);
    leadsUntil = has ? now + LEAD_MS : Number.NEGATIVE_INFINITY;
    return has;
  }

  /** Looks once. @returns whether there is any webhook */
  async function tick(
    lanes: Map<string, Lane>,
    openLane: (webhook: StoredWebhook) => Lane,
  ): Promise<boolean> {
    const webhooks = await store.enabled();
    const enabled = new Set(webhooks.map(({ webhook_id }) => webhook_id));
    for (const [webhook_id, lane] of lanes) {
      if (enabled.has(webhook_id)) continue;
      lane.pause();
      if (lane.idle()) lanes.delete(webhook_id);
    }
    for (const webhook of webhooks) {
      const lane = lanes.get(webhook.webhook_id) ?? openLane(webhook);
      lanes.set(webhook.webhook_id, lane);
      lane.update(webhook);
    }
    for (const webhook_id of await store.withDue(iso(system.now()))) lanes.get(webhook_id)?.wake();
    await prune();
    return webhooks.length > 0 || (await store.any());
  }

  async function prune(): Promise<void> {
    const now = system.monotonic();
    if (now < pruneAt) return;
    const dropped = await store.prune(iso(system.now() - keep_ms), PRUNE_BATCH);
    // As long as there is more, some of it at every look.
    if (dropped < PRUNE_BATCH) pruneAt = now + PRUNE_EVERY_MS;
  }

  /** Delivers as long as this process leads and there is anything to do. */
  async function deliver(signal: AbortSignal): Promise<void> {
    const lanes = new Map<string, Lane>();
    const over = new AbortController();
    const cut = new AbortController();
    const ending = AbortSignal.any([signal, over.signal]);
    const openLane = (webhook: StoredWebhook) =>
      createLane({ ...dependencies, store, counts, leads, ending, cut: cut.signal }, webhook);
    try {
      while (!signal.aborted && (await keepLead())) {
        if (!(await tick(lanes, openLane))) return;
        await system.sleep(TICK_MS, signal);
      }
    } finally {
      over.abort();
      // Who lost the lead leaves off at once: another has begun.
      if (!leads()) cut.abort();
      const waited = new AbortController();
      void system.sleep(GRACE_MS, waited.signal).then(() => cut.abort());
      await Promise.all([...lanes.values()].map((lane) => lane.ended()));
      waited.abort();
    }
  }

  async function run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        if (!(await store.any())) await system.sleep(TICK_MS, signal);
        else if (await keepLead()) await deliver(signal);
        else await system.sleep(STANDBY_MS, signal);
      } catch (error) {
        log.warn({ err: error }, "webhooks can't be looked after; trying again");
        await system.sleep(STANDBY_MS, signal);
      }
    }
    try {
      if (leads()) await documents.lead(TASK, holder, 0);
    } catch (error) {
      log.warn({ err: error }, "the lead of webhooks was not given up; it lapses by itself");
    }
  }

  return { counts, run };
}

function iso(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}

/** Checks a document's events against the state machine that runs it. */
import { expect } from "vitest";
import { type JourneyState, legalAfter } from "../src/document.ts";
import type { SluiceEvent } from "../src/events.ts";

/** @returns the state after the last event */
export function expectLegal(events: SluiceEvent[]): JourneyState {
  let state: JourneyState = "none";
  let sequence = 0;
  for (const event of events) {
    const next = legalAfter(state, event.event_type);
    expect(next, `${event.event_type} (${event.sequence}) after ${state}`).toBeDefined();
    expect(event.sequence).toBeGreaterThan(sequence);
    state = next as JourneyState;
    sequence = event.sequence;
  }
  expect(new Set(events.map((event) => event.idempotency_key)).size).toBe(events.length);
  return state;
}

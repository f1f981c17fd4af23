import type { SluiceEvent } from "../events.ts";

/** Hands events to the world outside this process (a broker, a webhook). */
export interface EventPublisher {
  /** Names the durable cursor of this publisher; MUST stay the same over restarts. */
  readonly name: string;
  /**
   * MUST resolve only when the receiver has taken all of them, and MUST keep the order of events of one document.
   * May be called again with events that it has published: receivers know them by `idempotency_key`.
   */
  publish(events: SluiceEvent[]): Promise<void>;
  close(): Promise<void>;
}

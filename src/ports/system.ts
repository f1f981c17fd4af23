import type { NewId } from "../ids.ts";

/** Time, chance and waiting, given from outside so that a whole run can be simulated and repeated. */
export interface System {
  /** Unix milliseconds. MAY jump, also backwards: nothing but timestamps and leases depends on it. */
  now(): number;
  /** Milliseconds from some fixed point. MUST never go backwards: durations are measured with it. */
  monotonic(): number;
  /** Uniform in [0, 1). */
  random(): number;
  newId: NewId;
  /** MUST resolve after `ms` milliseconds, or at once when the signal fires (it does not reject). */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

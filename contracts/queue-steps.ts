/** The histories that the queue's model is tried with: what may happen, as data that fast-check draws and shortens. */
import fc from "fast-check";
import type { ErrorCode } from "../src/errors.ts";
import { type JobState, jobStates } from "../src/job.ts";

export const tenants = ["a", "b", "c"];
export const workers = ["w1", "w2", "w3"];
/** What attempts fail with. */
export const errorCodes: ErrorCode[] = ["worker_lost", "embedder_unavailable"];

export interface NewJobStep {
  tenant: string;
  priority: number;
  /** Seconds. */
  delay: number;
  key: string | null;
}

/** A lease held now, any that was ever given, or a job with the token of another. */
export interface StepLease {
  kind: "held" | "any" | "forged";
  nth: number;
}

/** One step. Jobs and leases are meant by number, counted round among those that there are by then. */
export type QueueStep =
  | { do: "enqueue"; jobs: NewJobStep[] }
  | { do: "claim"; worker: string; limit: number; lease_ms: number; at_most: number | null }
  | { do: "heartbeat"; worker: string; others: number[]; lease_ms: number }
  | {
      do: "settle";
      how: "complete" | "retry" | "give back" | "fail";
      lease: StepLease;
      in_ms: number;
      code: ErrorCode;
    }
  | { do: "cancel"; job: number }
  | { do: "redrive"; job: number }
  | { do: "recover expired"; limit: number }
  | { do: "remove worker"; worker: string; recover: boolean }
  | {
      do: "list";
      tenant: string | undefined;
      state: JobState | undefined;
      error_code: ErrorCode | undefined;
      page: number;
    }
  | { do: "wait"; ms: number };

const nth = fc.nat(40);
const worker = fc.constantFrom(...workers);
const lease_ms = fc.constantFrom(1_000, 5_000, 30_000);

const newJob: fc.Arbitrary<NewJobStep> = fc.record({
  tenant: fc.constantFrom(...tenants),
  priority: fc.constantFrom(0, 0, 0, 5, -1),
  delay: fc.constantFrom(0, 0, 0, 1, 10),
  key: fc.constantFrom(null, null, "k"),
});

/** How often each kind of step comes, in proportion, and what it may hold. */
const kinds: { weight: number; arbitrary: fc.Arbitrary<QueueStep> }[] = [
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant("enqueue"),
      jobs: fc.array(newJob, { minLength: 1, maxLength: 4 }),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant("claim"),
      worker,
      limit: fc.integer({ min: 1, max: 5 }),
      lease_ms,
      at_most: fc.constantFrom(null, null, 1, 2),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant("settle"),
      how: fc.constantFrom("complete", "retry", "give back", "fail"),
      lease: fc.record({ kind: fc.constantFrom("held", "held", "held", "any", "any", "forged"), nth }),
      in_ms: fc.constantFrom(0, 0, 500, 5_000, -1_000),
      code: fc.constantFrom(...errorCodes),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant("heartbeat"),
      worker,
      others: fc.array(nth, { maxLength: 2 }),
      lease_ms,
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("cancel"), job: nth }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("redrive"), job: nth }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant("recover expired"), limit: fc.integer({ min: 1, max: 3 }) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant("remove worker"), worker, recover: fc.boolean() }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant("list"),
      tenant: fc.constantFrom(...tenants, undefined),
      state: fc.option(fc.constantFrom(...jobStates), { freq: 1, nil: undefined }),
      error_code: fc.constantFrom(...errorCodes, undefined),
      page: fc.integer({ min: 1, max: 3 }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant("wait"), ms: fc.constantFrom(1, 1, 500, 1_001, 6_000, 31_000) }),
  },
];

/** Steps, each on the first or the second connection, where there are two. */
export function queueHistory(max_steps: number) {
  const step = fc.record({ step: fc.oneof(...kinds), connection: fc.nat(1) });
  return fc.array(step, { maxLength: max_steps, size: "max" });
}

/** What all processes of one simulated installation have in common. */
import type { Log } from "../../src/ports/log.ts";
import { createOutside, type Outside } from "./outside.ts";
import type { Plant } from "./ports.ts";
import type { Random } from "./random.ts";
import type { Scheduler } from "./scheduler.ts";

export interface Settings {
  max_attempts: number;
  lease_ms: number;
  /** Default: no limit. */
  max_queued_per_tenant: number | undefined;
  max_running_per_tenant: number | undefined;
  retry: { base_ms: number; cap_ms: number };
}

export interface Installation {
  scheduler: Scheduler;
  outside: Outside;
  settings: Settings;
  log: Log;
  /** Warnings and errors, as lines. */
  logged: string[];
  plant: Plant | undefined;
}

export function createInstallation(scheduler: Scheduler, plant: Plant | undefined): Installation {
  const { random } = scheduler;
  const logged: string[] = [];
  const note = (level: string) => (fields: object, message: string) =>
    void logged.push(`${String(scheduler.time()).padStart(8)} ${level} ${message} ${describe(fields)}`);
  return {
    scheduler,
    outside: createOutside(random.pick([0, 0, 0.002, 0.01])),
    settings: settingsOf(random),
    log: { debug() {}, info() {}, warn: note("warn"), error: note("error") },
    logged,
    plant,
  };
}

function settingsOf(random: Random): Settings {
  return {
    max_attempts: 4,
    lease_ms: 9_000,
    max_queued_per_tenant: random.chance(0.2) ? 2 + random.below(3) : undefined,
    max_running_per_tenant: random.chance(0.2) ? 1 + random.below(2) : undefined,
    retry: { base_ms: 100, cap_ms: 2_000 },
  };
}

function describe(fields: object): string {
  const { err, failure, ...rest } = fields as Record<string, unknown>;
  return `${JSON.stringify(rest)} ${err ?? ""} ${failure ?? ""}`;
}

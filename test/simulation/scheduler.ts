/**
 * Decides what happens next. Every call that a simulated process makes of a port stops here twice, before it takes
 * effect and before its answer is heard; the scheduler picks one of those that wait, by the seed. Time passes only
 * when it says so. What a killed process still waited for never comes.
 */
import { createIdFactory } from "../../src/ids.ts";
import type { System } from "../../src/ports/system.ts";
import type { Random } from "./random.ts";

export interface Process {
  readonly name: string;
  readonly system: System;
  readonly dead: boolean;
  /** Resolves when it is killed. */
  readonly died: Promise<void>;
}

interface Actor extends Process {
  dead: boolean;
  /** Virtual time until which nothing of it moves. */
  frozen_until: number;
  announce: () => void;
}

interface Waiting {
  process: Actor;
  label: string;
  resume: () => void;
}

interface Sleeper {
  process: Actor;
  at: number;
  /** Order of falling asleep: decides between those who wake at the same time. */
  order: number;
  wake: () => void;
}

export interface Scheduler {
  readonly random: Random;
  /** Virtual milliseconds since the start. */
  time(): number;
  /** Everybody's clock, in Unix milliseconds. */
  now(): number;
  spawn(name: string, skew_ms?: number): Process;
  kill(process: Process): void;
  freeze(process: Process, ms: number): void;
  /** Sets every clock back. Virtual time goes on. */
  setClockBack(ms: number): void;
  /** Waits until the scheduler picks it; for ever when the process dies before. */
  step(process: Process, label: string): Promise<void>;
  /** What was picked, in order: the same for the same seed. */
  readonly trace: string[];
  readonly steps: number;
  /**
   * Lets things happen until `done`, looked at after each step.
   * @param between called before each step: the place for faults
   * @throws Error when it is not done after so many steps, or when nothing waits any more
   */
  run(done: () => boolean, between: () => void, max_steps: number): Promise<void>;
}

const EPOCH = Date.UTC(2026, 0, 1);
/** The end of the trace is what one reads; all of it goes into its hash by way of the steps' effects. */
const TRACE_KEPT = 400;

export function createScheduler(random: Random): Scheduler {
  let time = 0;
  let offset = EPOCH;
  let order = 0;
  let steps = 0;
  let waiting: Waiting[] = [];
  let sleepers: Sleeper[] = [];
  const trace: string[] = [];

  function note(line: string): void {
    trace.push(`${String(time).padStart(8)} ${line}`);
    if (trace.length > 2 * TRACE_KEPT) trace.splice(0, TRACE_KEPT);
  }

  function sleep(process: Actor, ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (process.dead) return;
      if (signal?.aborted || ms <= 0) return resolve();
      const sleeper: Sleeper = {
        process,
        at: time + ms,
        order: ++order,
        wake() {
          signal?.removeEventListener("abort", sleeper.wake);
          sleepers = sleepers.filter((other) => other !== sleeper);
          resolve();
        },
      };
      signal?.addEventListener("abort", sleeper.wake, { once: true });
      sleepers.push(sleeper);
    });
  }

  function spawn(name: string, skew_ms = 0): Process {
    let announce = () => {};
    const died = new Promise<void>((resolve) => {
      announce = resolve;
    });
    const now = () => offset + time + skew_ms;
    const actor: Actor = {
      name,
      dead: false,
      frozen_until: 0,
      announce,
      died,
      system: {
        now,
        monotonic: () => time,
        random: random.next,
        newId: createIdFactory(now, random.bytes),
        sleep: (ms, signal) => sleep(actor, ms, signal),
      },
    };
    return actor;
  }

  /** The next to wake, of those whose process is not frozen beyond that. */
  function nextSleeper(): Sleeper | undefined {
    let first: Sleeper | undefined;
    for (const sleeper of sleepers) {
      const due = Math.max(sleeper.at, sleeper.process.frozen_until);
      const best = first && Math.max(first.at, first.process.frozen_until);
      if (first === undefined || due < best! || (due === best && sleeper.order < first.order))
        first = sleeper;
    }
    return first;
  }

  async function turn(): Promise<boolean> {
    const ready = waiting.filter(({ process }) => process.frozen_until <= time);
    const sleeper = nextSleeper();
    // Mostly somebody acts; now and then time passes although somebody could.
    const pass = sleeper !== undefined && (ready.length === 0 || random.chance(0.02));
    if (pass) {
      time = Math.max(time, sleeper.at, sleeper.process.frozen_until);
      note(`${sleeper.process.name} wakes`);
      sleeper.wake();
    } else if (ready.length > 0) {
      const chosen = random.pick(ready);
      waiting.splice(waiting.indexOf(chosen), 1);
      // Every call takes a moment.
      if (random.chance(0.3)) time += 1;
      note(`${chosen.process.name} ${chosen.label}`);
      chosen.resume();
    } else {
      const thaw = Math.min(...waiting.map(({ process }) => process.frozen_until));
      if (thaw === Number.POSITIVE_INFINITY) return false;
      time = thaw;
    }
    steps += 1;
    // Everything that follows from it happens before the next is picked: promises, and streams' next ticks.
    await new Promise((resolve) => setImmediate(resolve));
    return true;
  }

  return {
    random,
    time: () => time,
    now: () => offset + time,
    spawn,
    kill(process) {
      const actor = process as Actor;
      actor.dead = true;
      waiting = waiting.filter((each) => each.process !== actor);
      sleepers = sleepers.filter((each) => each.process !== actor);
      note(`${actor.name} is KILLED`);
      actor.announce();
    },
    freeze(process, ms) {
      (process as Actor).frozen_until = time + ms;
      note(`${process.name} is frozen for ${ms} ms`);
    },
    setClockBack(ms) {
      offset -= ms;
      note(`the clocks are set back by ${ms} ms`);
    },
    step: (process, label) =>
      new Promise((resolve) => {
        if (!process.dead) waiting.push({ process: process as Actor, label, resume: resolve });
      }),
    trace,
    get steps() {
      return steps;
    },
    async run(done, between, max_steps) {
      await new Promise((resolve) => setImmediate(resolve));
      while (!done()) {
        if (steps >= max_steps) throw new Error(`not over after ${steps} steps`);
        between();
        if (!(await turn())) throw new Error("nobody waits for anything, and it is not over");
      }
    },
  };
}

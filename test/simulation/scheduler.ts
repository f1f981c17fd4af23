/**
 * Decides what happens next. Every call that a simulated process makes of a port stops here twice, before it takes
 * effect and before its answer is heard; the scheduler picks one of those that wait, by the seed. Time passes only
 * when it says so. What a killed process still waited for never comes.
 */
import { createHash } from "node:crypto";
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
  /** What is to happen to it when it comes to a step with this in its label. */
  ambush: { at: string; spring: () => void } | undefined;
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
  /** @param name completed by a number of its own */
  spawn(name: string, skew_ms?: number): Process;
  kill(process: Process): void;
  freeze(process: Process, ms: number): void;
  /** Lets something happen to a process just when it comes to a step with this in its label. The last one counts. */
  ambush(process: Process, at: string, spring: () => void): void;
  /** Sets every clock, back where `ms` is negative. Virtual time goes on. */
  moveClocks(ms: number): void;
  /** Milliseconds by which the clocks were ever set back. */
  setBack(): number;
  /** The machine sleeps: time passes, and nothing else happens in it. */
  suspend(ms: number): void;
  /** Waits until the scheduler picks it; for ever when the process dies before. */
  step(process: Process, label: string): Promise<void>;
  /** The last of what was picked, in order. */
  readonly trace: string[];
  /** Hash of everything that was ever picked: the same for the same seed. */
  fingerprint(): string;
  readonly steps: number;
  /**
   * Lets things happen until `done`, looked at after each step.
   * @param between called before each step: the place for faults
   * @throws Error when it is not done after so many steps, or when nothing waits any more
   */
  run(done: () => boolean, between: () => void, max_steps: number): Promise<void>;
}

const EPOCH = Date.UTC(2026, 0, 1);
/** The most that passes while somebody could act. */
const SOON_MS = 4_000;
/** Now and then the event loop turns for real, so that whoever runs this (a test's time limit) gets a word in. */
const BREATHE_STEPS = 1_000;

/** @param kept lines of the trace that are kept at least. Default 400 */
export function createScheduler(random: Random, kept = 400): Scheduler {
  let time = 0;
  let offset = EPOCH;
  let setBack = 0;
  let order = 0;
  let steps = 0;
  let born = 0;
  let waiting: Waiting[] = [];
  let sleepers: Sleeper[] = [];
  const trace: string[] = [];
  const hash = createHash("sha256");

  function note(line: string): void {
    trace.push(`${String(Math.round(time)).padStart(8)} ${line}`);
    // The hash must not depend on how much is kept, so it is of whole lines.
    if (trace.length > 2 * kept) hash.update(`${trace.splice(0, kept).join("\n")}\n`);
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
      name: `${name} ${++born}`,
      dead: false,
      frozen_until: 0,
      announce,
      ambush: undefined,
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

  const thawOf = ({ process }: Waiting) => process.frozen_until;

  async function turn(): Promise<boolean> {
    const ready = waiting.filter(({ process }) => process.frozen_until <= time);
    const sleeper = nextSleeper();
    // Mostly somebody acts; now and then time passes although somebody could, and who was to wake may be late.
    const wakes = sleeper ? Math.max(sleeper.at, sleeper.process.frozen_until) : Number.POSITIVE_INFINITY;
    const chance = wakes <= time ? 1 / (ready.length + 1) : wakes - time < SOON_MS ? 0.02 : 0;
    if (ready.length > 0 && !random.chance(chance)) {
      const chosen = random.pick(ready);
      waiting.splice(waiting.indexOf(chosen), 1);
      // Every call takes a moment.
      if (random.chance(0.3)) time += 1;
      note(`${chosen.process.name} ${chosen.label}`);
      chosen.resume();
    } else {
      const thaws = ready.length > 0 ? Number.POSITIVE_INFINITY : Math.min(...waiting.map(thawOf));
      const next = Math.min(wakes, thaws);
      if (next === Number.POSITIVE_INFINITY) return false;
      time = Math.max(time, next);
      if (sleeper !== undefined && wakes === next) {
        note(`${sleeper.process.name} wakes`);
        sleeper.wake();
      }
    }
    steps += 1;
    await settled(steps % BREATHE_STEPS === 0);
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
    ambush(process, at, spring) {
      (process as Actor).ambush = { at, spring };
    },
    moveClocks(ms) {
      offset += ms;
      setBack += Math.max(0, -ms);
      note(`the clocks are set by ${ms} ms`);
    },
    setBack: () => setBack,
    suspend(ms) {
      time += ms;
      note(`the machine slept for ${ms} ms`);
    },
    step: (process, label) =>
      new Promise((resolve) => {
        const actor = process as Actor;
        if (actor.dead) return;
        waiting.push({ process: actor, label, resume: resolve });
        if (actor.ambush && label.includes(actor.ambush.at)) {
          const { spring } = actor.ambush;
          actor.ambush = undefined;
          spring();
        }
      }),
    trace,
    fingerprint: () =>
      hash
        .copy()
        .update(`${trace.join("\n")}\n`)
        .digest("hex"),
    get steps() {
      return steps;
    },
    async run(done, between, max_steps) {
      await settled(true);
      while (!done()) {
        if (steps >= max_steps) throw new Error(`not over after ${steps} steps`);
        between();
        if (!(await turn())) throw new Error("nobody waits for anything, and it is not over");
      }
    },
  };
}

/**
 * Everything that follows from a step happens before the next is picked. Node runs all promises before the next tick;
 * nothing here uses ticks, timers or I/O of its own.
 */
function settled(breathe: boolean): Promise<void> {
  return new Promise((resolve) => (breathe ? setImmediate(resolve) : process.nextTick(resolve)));
}

/** Ports of a process that can be killed: from one moment on nothing that it asked for is done, and no answer comes. */

const never = new Promise<never>(() => {});
/** Calls that answer at once, with no promise. */
const immediate = new Set(["watchJobs", "watchEvents", "localPath", "list"]);

export interface Life {
  /** The port as the process sees it. `counted` names the calls that count as operations. */
  wrap<T extends object>(port: T, counted: string[]): T;
  /** Names of the operations that took effect, in order. */
  readonly operations: string[];
  /** Resolves when it died. */
  readonly died: Promise<void>;
  kill(): void;
}

/** @param last dies when so many operations took effect, before it hears of the last; 0 dies at the first call after */
export function createLife(last = Number.POSITIVE_INFINITY): Life {
  const operations: string[] = [];
  let dead = false;
  let announce: () => void;
  const died = new Promise<void>((resolve) => {
    announce = resolve;
  });
  const kill = () => {
    dead = true;
    announce();
  };

  return {
    operations,
    died,
    kill,
    wrap<T extends object>(port: T, counted: string[]): T {
      return new Proxy(port, {
        get(target, name) {
          const value: unknown = Reflect.get(target, name);
          if (typeof value !== "function" || typeof name !== "string") return value;
          if (immediate.has(name)) return value.bind(target);
          return async (...given: unknown[]) => {
            const counts = counted.includes(name);
            if (counts && operations.length >= last) kill();
            if (dead) return never;
            const answer: unknown = await value.apply(target, given);
            if (dead) return never;
            if (!counts) return answer;
            operations.push(name);
            if (operations.length < last) return answer;
            kill();
            return never;
          };
        },
      });
    },
  };
}

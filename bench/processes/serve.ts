/** The inside of a helper process: answers calls from the benchmark that started it, and ends with it. */

// biome-ignore lint/suspicious/noExplicitAny: any method may be offered
export type Methods = Record<string, (...args: any[]) => Promise<unknown>>;

export interface Call {
  id: number;
  method: string;
  args: unknown[];
}
export type Reply = { id: number; result: unknown } | { id: number; error: string };

/** Says that it is ready, then answers. */
export function serve(methods: Methods): void {
  process.on("disconnect", () => process.exit(0));
  process.on("message", ({ id, method, args }: Call) => {
    const run = methods[method];
    if (!run) throw new Error(`there is no method ${method}`);
    run(...args).then(
      (result) => process.send?.({ id, result }),
      (error: unknown) => {
        process.send?.({
          id,
          error: error instanceof Error ? (error.stack ?? error.message) : String(error),
        });
      },
    );
  });
  process.send?.("ready");
}

/** What the benchmark gave this process to start with. */
export function given<T>(): T {
  return JSON.parse(process.argv[2] ?? "{}") as T;
}

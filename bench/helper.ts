/** Helper processes: what must not share a process with the thing measured runs in one of its own. */
import { fork } from "node:child_process";
import type { Call, Methods, Reply } from "./processes/serve.ts";

export interface Helper<M extends Methods> extends AsyncDisposable {
  call<K extends keyof M & string>(method: K, ...args: Parameters<M[K]>): ReturnType<M[K]>;
}

/** Starts `processes/NAME.ts`; resolves when it is ready. */
export async function startHelper<M extends Methods>(name: string, data: object = {}): Promise<Helper<M>> {
  const module = new URL(`./processes/${name}.ts`, import.meta.url);
  const child = fork(module, [JSON.stringify(data)], { stdio: ["ignore", "inherit", "inherit", "ipc"] });
  const waiting = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>();
  let lastId = 0;
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  let stopping = false;
  await new Promise<void>((resolve, reject) => {
    child.once("error", reject);
    child.on("exit", (code) => {
      const error = new Error(`the helper ${name} ended with ${code}`);
      reject(error);
      if (!stopping) for (const waiter of waiting.values()) waiter.reject(error);
    });
    child.on("message", (message: "ready" | Reply) => {
      if (message === "ready") return resolve();
      const waiter = waiting.get(message.id);
      waiting.delete(message.id);
      if ("error" in message) waiter?.reject(new Error(`${name}: ${message.error}`));
      else waiter?.resolve(message.result);
    });
  });
  return {
    call(method, ...args) {
      const id = ++lastId;
      const answer = new Promise((resolve, reject) => {
        waiting.set(id, { resolve, reject });
      });
      child.send({ id, method, args } satisfies Call);
      return answer as ReturnType<M[typeof method]>;
    },
    async [Symbol.asyncDispose]() {
      stopping = true;
      child.disconnect();
      await ended;
    },
  };
}

/** A real `sluice start` for a benchmark, that ends with the block that it is declared in. */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { cleanEnv, freePort, root, startSluice } from "../test/e2e/processes.ts";

export interface Server extends AsyncDisposable {
  url: string;
  data_dir: string;
  /** Of the supervisor, whose children the others are. */
  pid: number;
}

const running = new Set<() => Promise<unknown>>();

/** @param env settings; an empty value leaves the default */
export async function startServer(data_dir: string, env: Record<string, string>): Promise<Server> {
  const server = await startSluice({ data_dir, env: { SLUICE_SHUTDOWN_SECONDS: "0", ...env } });
  return { url: server.url, data_dir, pid: server.process.pid as number, ...stoppedBy(server.stop) };
}

/**
 * The same as `npm start` runs it: compiled. As fast as the source once it runs, but each process is smaller.
 *
 * @throws Error when it does not compile or does not start
 */
export async function startCompiled(data_dir: string, env: Record<string, string>): Promise<Server> {
  // The compiler alone: scripts/prepare.mjs would install, too, and a benchmark must leave node_modules as it is.
  // What it says goes where progress is told: standard output is for figures.
  const built = spawnSync(
    process.execPath,
    [join(root, "node_modules/typescript/bin/tsc"), "-p", join(root, "tsconfig.build.json")],
    { stdio: ["ignore", 2, 2] },
  );
  if (built.status !== 0) throw new Error("Sluice could not be compiled");
  const port = String(await freePort());
  const child = spawn(process.execPath, [join(root, "dist/src/cli/main.js"), "--json", "start"], {
    env: cleanEnv({
      SLUICE_DATA_DIR: data_dir,
      SLUICE_PORT: port,
      SLUICE_LOG_LEVEL: "error",
      SLUICE_SHUTDOWN_SECONDS: "0",
      ...env,
    }),
    stdio: ["ignore", "pipe", "inherit"],
  });
  // Rejects when there is nothing to run.
  await once(child, "spawn");
  const ended = once(child, "exit");
  const stop = async () => {
    child.kill("SIGTERM");
    await ended;
  };
  const stopping = stoppedBy(stop);
  // One line on standard output, when it is ready.
  const lines = createInterface({ input: child.stdout });
  const [line] = await Promise.race([once(lines, "line"), once(lines, "close")]);
  if (line === undefined) throw new Error("sluice start ended before it was ready");
  const { url } = JSON.parse(line as string) as { url: string };
  return { url, data_dir, pid: child.pid as number, ...stopping };
}

/** Stops every server that runs, for a run that is cut short. */
export async function stopServers(): Promise<void> {
  await Promise.all([...running].map((stop) => stop()));
}

function stoppedBy(stop: () => Promise<unknown>): AsyncDisposable {
  running.add(stop);
  return {
    async [Symbol.asyncDispose]() {
      running.delete(stop);
      await stop();
    },
  };
}

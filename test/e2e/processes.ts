/** Starts the real thing for tests: `sluice start` in a process of its own, on a free port and an empty folder. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("../..", import.meta.url));
const main = join(root, "src/cli/main.ts");

export interface Running {
  url: string;
  data_dir: string;
  /** Environment of the processes: give it to further ones. */
  env: NodeJS.ProcessEnv;
  process: ChildProcess;
  /** What the processes have logged so far. */
  log(): string;
  /** SIGTERM, then waits for the end. @returns the exit code */
  stop(): Promise<number | null>;
  /** SIGKILL to this process alone, then waits for its end. */
  kill(): Promise<void>;
}

export interface StartOptions {
  /** `start` (default), `api` or `worker`. */
  command?: string;
  env?: Record<string, string>;
  /** An existing folder, which stays; default a new one that `stop` removes. */
  data_dir?: string;
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** An environment without the settings of whoever runs the tests. */
export function cleanEnv(extra: Record<string, string>): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(([key]) => !key.startsWith("SLUICE_"));
  return { ...Object.fromEntries(inherited), ...extra };
}

/** Resolves when `/readyz` answers 200 (a worker alone: at once). Rejects with its log when it ends before. */
export async function startSluice(options: StartOptions = {}): Promise<Running> {
  const command = options.command ?? "start";
  const data_dir = options.data_dir ?? mkdtempSync(join(tmpdir(), "sluice-e2e-"));
  const port = options.env?.SLUICE_PORT ?? String(await freePort());
  const env = cleanEnv({ SLUICE_DATA_DIR: data_dir, SLUICE_PORT: port, SLUICE_WORKERS: "2", ...options.env });
  const url = `http://127.0.0.1:${port}`;
  const child = spawn(process.execPath, [main, "--json", command], {
    env,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  child.stdout?.on("data", (data) => {
    output += data;
  });
  child.stderr?.on("data", (data) => {
    output += data;
  });
  const ended = new Promise<number | null>((resolve) => child.once("exit", resolve));
  const died = ended.then((code) => {
    throw new Error(`sluice ${command} ended with ${code}:\n${output}`);
  });
  died.catch(() => undefined);

  // `start` says when it is ready, and only then anything on standard output; the others log it.
  const marker = { start: '"url"', api: '"listening"', worker: '"worker ready"' }[command] ?? '"url"';
  await Promise.race([
    new Promise<void>((resolve) => {
      const look = () => output.includes(marker) && resolve();
      child.stdout?.on("data", look);
      child.stderr?.on("data", look);
    }),
    died,
  ]);

  const cleanUp = () => {
    if (options.data_dir === undefined) rmSync(data_dir, { recursive: true, force: true });
  };
  return {
    url,
    data_dir,
    env,
    process: child,
    log: () => output,
    async stop() {
      child.kill("SIGTERM");
      const code = await ended;
      cleanUp();
      return code;
    },
    async kill() {
      child.kill("SIGKILL");
      await ended;
    },
  };
}

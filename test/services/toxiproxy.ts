/** A proxy that breaks connections as it is told to: Toxiproxy, built once with `go install`. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { freePort } from "../e2e/processes.ts";
import { goProgram } from "./go-program.ts";

const VERSION = "v2.12.0";
const MODULE = `github.com/Shopify/toxiproxy/v2/cmd/server@${VERSION}`;
const READY_MS = 10_000;

export interface ToxicProxy {
  port: number;
  /** Resets every connection, in the middle of whatever is under way, and those that come within `ms`. */
  cut(ms: number): Promise<void>;
  /**
   * Requests pass, and no answer comes back; after `ms` every connection is reset. What was asked meanwhile was done,
   * and nobody was told.
   */
  swallowAnswers(ms: number): Promise<void>;
  /** Closes every connection; new ones are taken again at once. */
  drop(): Promise<void>;
  stop(): Promise<void>;
}

/** @returns its program */
export function buildToxiproxy(): string {
  return goProgram(MODULE, "server");
}

/** @throws Error when it can't be built or doesn't start */
export async function startToxiproxy(upstream: string): Promise<ToxicProxy> {
  const program = buildToxiproxy();
  const [control, port] = [await freePort(), await freePort()];
  const child = spawn(program, ["-host", "127.0.0.1", "-port", String(control)], {
    env: { ...process.env, LOG_LEVEL: "error" },
    stdio: "ignore",
  });
  const api = `http://127.0.0.1:${control}/proxies`;

  async function call(method: string, path: string, body?: object): Promise<void> {
    const answer = await fetch(api + path, { method, ...(body ? { body: JSON.stringify(body) } : {}) });
    if (!answer.ok) throw new Error(`toxiproxy answered ${answer.status}: ${await answer.text()}`);
  }

  for (const until = Date.now() + READY_MS; ; ) {
    if (child.exitCode !== null) throw new Error(`toxiproxy ended with ${child.exitCode}`);
    const answer = await fetch(api).catch(() => undefined);
    if (answer?.ok) break;
    if (Date.now() > until) throw new Error("toxiproxy does not answer");
    await pause(20);
  }
  await call("POST", "", { name: "it", listen: `127.0.0.1:${port}`, upstream });

  return {
    port,
    async cut(ms) {
      await call("POST", "/it/toxics", { name: "cut", type: "reset_peer", attributes: { timeout: 0 } });
      await pause(ms);
      await call("DELETE", "/it/toxics/cut");
    },
    async swallowAnswers(ms) {
      await call("POST", "/it/toxics", {
        name: "swallow",
        type: "timeout",
        stream: "downstream",
        attributes: { timeout: 0 },
      });
      await pause(ms);
      // Disabling closes what is open; removing the toxic alone would hand on what was held back.
      await call("POST", "/it", { enabled: false });
      await call("DELETE", "/it/toxics/swallow");
      await call("POST", "/it", { enabled: true });
    },
    async drop() {
      await call("POST", "/it", { enabled: false });
      await call("POST", "/it", { enabled: true });
    },
    async stop() {
      const ended = once(child, "exit");
      child.kill("SIGKILL");
      await ended;
    },
  };
}

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

/** Everything that a reader must not be able to do, tried: what each came to. For hostile-child.ts. */
import { exec, fork, spawn } from "node:child_process";
import { createSocket } from "node:dgram";
import dns, { lookup } from "node:dns";
import { resolve4 } from "node:dns/promises";
import { symlink, writeFile } from "node:fs/promises";
import { get } from "node:http";
import { connect as http2 } from "node:http2";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect as tls } from "node:tls";

type Emitter = { once(event: string, listener: (value: unknown) => void): unknown };

/** How something that tells by events ends: its error's code, or that it worked. */
function outcome(start: () => Emitter, success: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const started = start();
    started.once("error", reject);
    started.once(success, () => resolve("worked"));
  });
}

/** @param port of a server on this machine that takes whatever comes */
export async function escapes(port: number, folder: string): Promise<Record<string, string>> {
  const url = `http://127.0.0.1:${port}/`;
  const nowhere = join(tmpdir(), `sluice-escaped-${port}`);
  const tries: Record<string, () => Promise<unknown>> = {
    tcp: () => outcome(() => connect(port, "127.0.0.1"), "connect"),
    "unix socket": () => outcome(() => connect("/run/docker.sock"), "connect"),
    http: () => outcome(() => get(url), "socket"),
    http2: () => outcome(() => http2(url), "connect"),
    tls: () => outcome(() => tls(port, "127.0.0.1"), "connect"),
    fetch: () => fetch(url),
    websocket: () => outcome(() => asEmitter(new WebSocket(`ws://127.0.0.1:${port}/`)), "open"),
    listen: () => outcome(() => createServer().listen(0, "127.0.0.1"), "listening"),
    udp: () => outcome(() => createSocket("udp4").bind(0), "listening"),
    "udp send": () =>
      new Promise((resolve, reject) => {
        createSocket("udp4").send("x", port, "127.0.0.1", (error) => (error ? reject(error) : resolve("")));
      }),
    lookup: () =>
      new Promise((resolve, reject) => lookup("localhost", (e, a) => (e ? reject(e) : resolve(a)))),
    resolve: () => resolve4("localhost"),
    resolver: () =>
      new Promise((resolve, reject) => {
        new dns.Resolver({ timeout: 100, tries: 1 }).resolve4("localhost", (e, a) =>
          e ? reject(e) : resolve(a),
        );
      }),
    spawn: () => outcome(() => spawn(process.execPath, ["--version"]), "exit"),
    shell: () => outcome(() => exec("true"), "exit"),
    fork: () => outcome(() => fork("/nowhere.js"), "exit"),
    addon: async () => process.dlopen({ exports: {} }, "/nowhere.node"),
    "write elsewhere": () => writeFile(nowhere, "x"),
    link: () => symlink("/etc", join(folder, "link")),
  };
  const outcomes: Record<string, string> = {};
  for (const [name, attempt] of Object.entries(tries)) {
    try {
      await attempt();
      outcomes[name] = "worked";
    } catch (error) {
      const { code, cause } = error as { code?: string; cause?: { code?: string } };
      outcomes[name] = String(code ?? cause?.code ?? error);
    }
  }
  return outcomes;
}

function asEmitter(socket: WebSocket): Emitter {
  return {
    once: (event, listener) =>
      socket.addEventListener(event, (told) => listener((told as { error?: unknown }).error ?? told), {
        once: true,
      }),
  };
}

/** What a reader of documents can't do, whoever has taken it over, and what it can't take. */
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, test } from "vitest";
import { createProcessExtractor } from "../../../src/adapters/extract/process-extractor.ts";

const extractor = createProcessExtractor({
  timeout_ms: 60_000,
  memory_mb: 128,
  size: 1,
  child_module: fileURLToPath(new URL("./hostile-child.ts", import.meta.url)),
});
afterAll(() => extractor.close());

/** Gives the hostile child its order. @returns what it tells */
async function order(name: string): Promise<unknown> {
  const source = { path: "/nowhere", media_type: "text/plain", filename: `${name}.txt` };
  return JSON.parse((await extractor.extract(source, () => {}, new AbortController().signal)).text);
}

/** Whether the tools that set limits work on this machine: containers may forbid them. */
const works = (command: string, ...args: string[]) => spawnSync(command, [...args, "true"]).status === 0;

test("a reader reaches no network, starts no program and writes nowhere else, in no thread of its process", async () => {
  let visitors = 0;
  const server = createServer((socket) => {
    visitors++;
    socket.destroy();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    const { port } = server.address() as { port: number };
    // The server is there for who may connect.
    await once(connect(port, "127.0.0.1"), "connect");
    const tried = (await order(`escape.${port}`)) as Record<"main" | "thread", Record<string, string>>;
    for (const { addon, websocket, ...others } of [tried.main, tried.thread]) {
      expect(addon).toBe("ERR_DLOPEN_DISABLED");
      expect(websocket).not.toBe("worked");
      const all = Object.keys(others);
      expect(all.length).toBeGreaterThan(15);
      expect(others).toEqual(Object.fromEntries(all.map((name) => [name, "ERR_ACCESS_DENIED"])));
    }
    expect(visitors).toBe(1);
    expect(existsSync(join(tmpdir(), `sluice-escaped-${port}`))).toBe(false);
  } finally {
    server.close();
  }
});

test("the system keeps limits of its own where it can", async () => {
  const { limits, networks } = (await order("limits")) as { limits: string; networks: string[] };
  if (works("prlimit", "--core=0")) {
    // Twice the heap, at least 256 MiB, a quarter more, and what V8 sets aside.
    expect(/^Max data size +(\d+)/m.exec(limits)?.[1]).toBe(String((256 * 1.25 + 768) * 1024 ** 2));
    expect(/^Max core file size +(\d+)/m.exec(limits)?.[1]).toBe("0");
    await expect(order("burst")).rejects.toMatchObject({
      code: "extraction_out_of_memory",
      message: expect.stringContaining("too large to be read in one piece"),
    });
  }
  if (works("unshare", "--net") || works("unshare", "--user", "--map-current-user", "--net")) {
    expect(networks.filter((name) => name !== "lo")).toEqual([]);
  }
});

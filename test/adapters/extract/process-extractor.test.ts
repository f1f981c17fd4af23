import { fork } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, test } from "vitest";
import { createInProcessExtractor } from "../../../src/adapters/extract/in-process.ts";
import {
  createProcessExtractor,
  type ProcessExtractorOptions,
} from "../../../src/adapters/extract/process-extractor.ts";
import type { Extractor } from "../../../src/ports/extractor.ts";
import { fixturePath } from "./reading.ts";

const hostile = fileURLToPath(new URL("./hostile-child.ts", import.meta.url));
const open: Extractor[] = [];

function create(options: Partial<ProcessExtractorOptions> = {}): Extractor {
  const extractor = createProcessExtractor({ timeout_ms: 20_000, memory_mb: 64, size: 1, ...options });
  open.push(extractor);
  return extractor;
}

afterEach(async () => {
  for (const extractor of open.splice(0)) await extractor.close();
});

const never = new AbortController().signal;
/** Gives the hostile child its order. */
const order = (
  extractor: Extractor,
  name: string,
  progress: (pid: number) => void = () => {},
  signal = never,
) =>
  extractor.extract(
    { path: "/nowhere", media_type: "text/plain", filename: `${name}.txt` },
    progress,
    signal,
  );

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

describe("the real child", () => {
  test("reads one document after another, as the readers in this process do", async () => {
    const extractor = create({ memory_mb: 256 });
    const inProcess = createInProcessExtractor();
    for (const [filename, media_type] of [
      ["sample.pdf", "application/pdf"],
      ["sample.docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"],
      // All are told by what they hold, whatever they are said to be.
      ["sample.pptx", "application/zip"],
      ["sample.xlsx", "application/zip"],
      ["sample.xls", "application/x-cfb"],
      ["sample.doc", "application/vnd.ms-excel"],
      ["sample.odt", "application/vnd.oasis.opendocument.text"],
      ["sample.md", "text/markdown"],
      ["sample.html", "text/html"],
      ["sample.txt", "text/plain"],
    ] as const) {
      const source = { path: fixturePath(filename), media_type, filename };
      const steps: [number, number | null][] = [];
      const extracted = await extractor.extract(source, (...step) => steps.push(step), never);
      expect(extracted).toEqual(await inProcess.extract(source, () => {}, never));
      expect(steps.length).toBeGreaterThan(0);
    }
    const blank = { path: fixturePath("blank.pdf"), media_type: "application/pdf", filename: "blank.pdf" };
    await expect(extractor.extract(blank, () => {}, never)).rejects.toMatchObject({
      code: "empty_document",
      retryable: false,
    });
  });

  test("dies with its parent, even while a document keeps it busy", async () => {
    const parent = fork(fileURLToPath(new URL("./dying-parent.ts", import.meta.url)), [], {
      stdio: ["ignore", "ignore", "inherit", "ipc"],
    });
    const [{ pid }] = (await once(parent, "message")) as [{ pid: number }];
    expect(isAlive(pid)).toBe(true);
    parent.kill("SIGKILL");
    await expect.poll(() => isAlive(pid), { timeout: 10_000, interval: 50 }).toBe(false);
  }, 20_000);
});

describe("a document that does harm ends typed, and the next one succeeds", () => {
  test.each([
    ["hang", "extraction_timeout", { timeout_ms: 1_500 }, "took longer than 1.5 s"],
    ["heap", "extraction_out_of_memory", {}, "more memory than the 64 MiB"],
    ["buffers", "extraction_out_of_memory", {}, "more memory than the 64 MiB"],
    ["exit", "extraction_crashed", {}, "exit code 3"],
    ["kill", "extraction_crashed", {}, "SIGSEGV"],
    ["throw", "extraction_crashed", {}, "a defect"],
    ["refuse", "malformed_document", {}, "is broken"],
  ])(
    "%s: %s",
    async (name, code, options, message) => {
      const extractor = create({ child_module: hostile, ...options });
      await expect(order(extractor, name)).rejects.toMatchObject({
        name: "SluiceError",
        code,
        message: expect.stringContaining(`${name}.txt`),
      });
      await expect(order(extractor, name)).rejects.toThrow(message);
      expect((await order(extractor, "fine")).page_count).toBe(1);
    },
    30_000,
  );

  test("the worker's own memory stays as it was while its children explode", async () => {
    const parent = fork(fileURLToPath(new URL("./steady-parent.ts", import.meta.url)), [], {
      stdio: ["ignore", "ignore", "inherit", "ipc"],
    });
    const [{ ends, grown_mb }] = (await once(parent, "message")) as [{ ends: string[]; grown_mb: number }];
    expect(ends).toEqual(["extraction_out_of_memory", "extraction_out_of_memory", "read"]);
    expect(grown_mb).toBeLessThan(50);
  }, 30_000);

  test("meanwhile others are read, and the next in its place as soon as it has ended", async () => {
    const extractor = create({ child_module: hostile, size: 2, timeout_ms: 3_000 });
    const order_of_ends: string[] = [];
    const note = (name: string) => () => void order_of_ends.push(name);
    const began = Promise.withResolvers<number>();
    const hangs = order(extractor, "hang", began.resolve).then(note("read"), note("ended"));
    const pid = await began.promise;
    // One place is left, and all of these go through it.
    await Promise.all(
      ["fine", "throw", "fine"].map((name) =>
        order(extractor, name)
          .catch(() => {})
          .then(note(name)),
      ),
    );
    expect(order_of_ends).toEqual(["fine", "throw", "fine"]);
    await hangs;
    expect(order_of_ends.at(-1)).toBe("ended");
    expect((await order(extractor, "fine")).text).not.toBe(String(pid));
  }, 30_000);

  test("a child that can't start", async () => {
    const extractor = create({ child_module: "/no/such/module.ts" });
    await expect(order(extractor, "fine")).rejects.toMatchObject({ code: "extraction_crashed" });
  });
});

describe("files inside a document", () => {
  const list = async (extractor: Extractor, name: string, each: (path: string) => void = () => {}) => {
    const taken: string[] = [];
    const source = { path: "/nowhere", media_type: "text/plain", filename: `${name}.txt` };
    const { text } = await extractor.extract(source, () => {}, never, {
      file: async ({ filename, media_type, size_bytes, content }) => {
        const parts: Buffer[] = [];
        for await (const part of content()) parts.push(Buffer.from(part));
        const bytes = Buffer.concat(parts);
        expect(bytes).toHaveLength(size_bytes);
        taken.push(`${filename} (${media_type}): ${bytes}`);
        each(bytes.toString().replace(/^\w+ of /, ""));
      },
    });
    return { taken, text };
  };

  test("come one after another, lie in the child's own folder while they are taken, and nowhere afterwards", async () => {
    const extractor = create({ child_module: hostile });
    const sizes: number[] = [];
    const { taken, text: folder } = await list(extractor, "files", (path) =>
      sizes.push(readdirSync(path).length),
    );
    expect(taken).toEqual([
      `one.txt (text/plain): one of ${folder}`,
      `two.txt (text/plain): two of ${folder}`,
    ]);
    expect(sizes).toEqual([2, 2]);
    expect(readdirSync(folder)).toEqual([]);
    // The next document finds a clean folder.
    expect((await list(extractor, "files")).taken).toEqual(taken);
    await extractor.close();
    expect(existsSync(folder)).toBe(false);
  });

  test("are left out, and not even written, where nobody takes them", async () => {
    const extractor = create({ child_module: hostile });
    const extracted = await order(extractor, "files");
    expect(extracted.attachments).toBeUndefined();
    expect(readdirSync(extracted.text)).toEqual([]);
  });

  test("a child that dies while it writes them takes its folder along", async () => {
    const extractor = create({ child_module: hostile });
    const { text: folder } = await list(extractor, "files");
    await expect(list(extractor, "die-after-files")).rejects.toMatchObject({ code: "extraction_crashed" });
    expect(existsSync(folder)).toBe(false);
  });

  test("a file that the child names and did not write is not read", async () => {
    const extractor = create({ child_module: hostile });
    await expect(list(extractor, "lie")).rejects.toMatchObject({ code: "extraction_crashed" });
    expect((await list(extractor, "files")).taken).toHaveLength(2);
  });

  test("who takes them and fails, fails the document; the child serves the next", async () => {
    const extractor = create({ child_module: hostile });
    const refusal = new Error("no room");
    await expect(
      list(extractor, "files", () => {
        throw refusal;
      }),
    ).rejects.toBe(refusal);
    expect((await list(extractor, "files")).taken).toHaveLength(2);
  });
});

test("a child that goes on before its part is taken fails its document alone", async () => {
  const extractor = create({ child_module: hostile });
  let taken = () => {};
  const part = () =>
    new Promise<void>((resolve) => {
      taken = resolve;
    });
  const source = { path: "/nowhere", media_type: "text/plain", filename: "hurry.txt" };
  await expect(extractor.extract(source, () => {}, never, { part })).rejects.toMatchObject({
    code: "extraction_crashed",
  });
  // Its part may be stored while the next document is read.
  taken();
  expect((await order(extractor, "ok")).page_count).toBe(1);
});

describe("signals", () => {
  test("fired while the child is deaf: the reason is thrown, the child is gone, the next document succeeds", async () => {
    const extractor = create({ child_module: hostile });
    const stop = new AbortController();
    const reason = new Error("cancelled by the tenant");
    let pid = 0;
    const attempt = order(
      extractor,
      "hang",
      (done) => {
        pid = done;
        stop.abort(reason);
      },
      stop.signal,
    );
    await expect(attempt).rejects.toBe(reason);
    await expect.poll(() => isAlive(pid)).toBe(false);
    expect((await order(extractor, "fine")).text).not.toBe(String(pid));
  });

  test("fired while waiting for a child: the place in the queue is given up", async () => {
    const extractor = create({ child_module: hostile });
    const first = new AbortController();
    const began = Promise.withResolvers<void>();
    const busy = order(extractor, "wait", () => began.resolve(), first.signal);
    await began.promise;
    const second = new AbortController();
    const waiting = order(extractor, "fine", undefined, second.signal);
    const third = order(extractor, "fine");
    second.abort(new Error("no longer"));
    await expect(waiting).rejects.toThrow("no longer");
    first.abort(new Error("enough"));
    await expect(busy).rejects.toThrow("enough");
    expect((await third).page_count).toBe(1);
  });

  test("fired before", async () => {
    await expect(
      order(create({ child_module: hostile }), "fine", undefined, AbortSignal.abort(new Error("early"))),
    ).rejects.toThrow("early");
  });
});

describe("the pool", () => {
  test("one warm child serves many documents, and is replaced after its share", async () => {
    const extractor = create({ child_module: hostile, max_documents_per_child: 2 });
    const pids: string[] = [];
    for (let index = 0; index < 4; index++) pids.push((await order(extractor, "fine")).text);
    expect(pids[1]).toBe(pids[0]);
    expect(pids[2]).not.toBe(pids[0]);
    expect(pids[3]).toBe(pids[2]);
  });

  test("as many children as its size, and no more", async () => {
    const extractor = create({ child_module: hostile, size: 2 });
    const stop = new AbortController();
    const pids = new Set<number>();
    const both = Promise.withResolvers<void>();
    const waits = [1, 2].map(() =>
      order(extractor, "wait", (pid) => pids.add(pid).size === 2 && both.resolve(), stop.signal),
    );
    await both.promise;
    let thirdBegan = false;
    const third = order(extractor, "fine", () => {
      thirdBegan = true;
    });
    expect(thirdBegan).toBe(false);
    stop.abort(new Error("enough"));
    for (const wait of waits) await expect(wait).rejects.toThrow("enough");
    expect((await third).page_count).toBe(1);
  });

  test("large results arrive whole", async () => {
    const extracted = await order(create({ child_module: hostile, memory_mb: 128 }), "large");
    expect(extracted.text).toBe("word ".repeat(400_000));
    expect(extracted.blocks).toHaveLength(9_000);
    expect(extracted.blocks[8_999]).toMatchObject({ char_start: 44_995, char_end: 44_999 });
    expect(extracted).toMatchObject({ page_count: 7, title: "Large" });
  });

  test("children get no environment", async () => {
    const names = Object.keys(JSON.parse((await order(create({ child_module: hostile }), "env")).text));
    expect(names.filter((name) => !name.startsWith("NODE_CHANNEL"))).toEqual([]);
  });

  test("close ends the children, and whatever still waits for them", async () => {
    const extractor = create({ child_module: hostile });
    const began = Promise.withResolvers<number>();
    const busy = order(extractor, "hang", began.resolve);
    const waiting = order(extractor, "fine");
    const ends = Promise.allSettled([busy, waiting]);
    const pid = await began.promise;
    await extractor.close();
    expect(isAlive(pid)).toBe(false);
    for (const end of await ends)
      expect(end).toMatchObject({ status: "rejected", reason: { code: "shutting_down" } });
    await expect(order(extractor, "fine")).rejects.toMatchObject({ code: "shutting_down" });
  });
});

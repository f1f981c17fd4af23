/** A child that does what the document's name says, for process-extractor.test.ts. */
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { Worker } from "node:worker_threads";
import { serveExtraction } from "../../../src/adapters/extract/child-server.ts";
import { SluiceError } from "../../../src/errors.ts";

const block = { kind: "paragraph", level: null, page: null } as const;

const folder = process.argv[2] as string;

function told(what: unknown) {
  const text = JSON.stringify(what);
  return {
    text,
    blocks: [{ ...block, char_start: 0, char_end: text.length }],
    page_count: null,
    title: null,
  };
}

serveExtraction(async ({ filename }, progress) => {
  // Tells the test that the child has begun, and which one it is.
  progress(process.pid, null);
  await new Promise((resolve) => setImmediate(resolve));
  const [order] = filename.split(".");
  const kept: unknown[] = [];
  switch (order) {
    case "hang":
      for (;;) kept.length = 0;
    case "wait":
      await new Promise(() => setInterval(() => {}, 1_000));
      break;
    case "heap":
      for (;;) kept.push(new Array(1_000).fill(kept.length));
    case "buffers":
      for (;;) {
        kept.push(Buffer.alloc(16 * 1024 * 1024, 1));
        await new Promise((resolve) => setImmediate(resolve));
      }
    case "exit":
      process.exit(3);
      break;
    case "kill":
      process.kill(process.pid, "SIGSEGV");
      break;
    case "throw":
      throw new Error("a defect");
    case "refuse":
      throw new SluiceError("malformed_document", `${filename} is broken`, { retryable: true });
    case "env":
      return told(process.env);
    case "limits":
      return told({
        limits: process.platform === "linux" ? readFileSync("/proc/self/limits", "utf8") : "",
        networks: Object.keys(networkInterfaces()),
      });
    case "escape": {
      const port = Number(filename.split(".")[1]);
      const { escapes } = await import("./escapes.ts");
      const thread = new Worker(
        `import(${JSON.stringify(new URL("./escapes.ts", import.meta.url).href)}).then(async ({ escapes }) =>
          require("node:worker_threads").parentPort.postMessage(await escapes(${port}, ${JSON.stringify(folder)})))`,
        { eval: true, resourceLimits: { codeRangeSizeMb: 16 } },
      );
      const [inThread] = await once(thread, "message");
      return told({ main: await escapes(port, folder), thread: inThread });
    }
    case "burst": {
      // At once, and before anybody can look.
      const burst = Buffer.allocUnsafeSlow(6 * 1024 ** 3);
      return told(burst.length);
    }
    case "files":
    case "die-after-files": {
      const attachments = ["one", "two"].map((name) => ({
        filename: `${name}.txt`,
        media_type: "text/plain",
        bytes: Buffer.from(`${name} of ${folder}`),
      }));
      const last = {
        filename: "last.txt",
        media_type: null,
        get bytes(): Uint8Array {
          process.kill(process.pid, "SIGKILL");
          return Buffer.alloc(0);
        },
      };
      return {
        text: folder,
        blocks: [{ ...block, char_start: 0, char_end: 1 }],
        page_count: null,
        title: null,
        attachments: order === "files" ? attachments : [...attachments, last],
      };
    }
    case "lie": {
      const [path, number] = [`${folder}/0`, 0];
      const { symlinkSync } = await import("node:fs");
      try {
        symlinkSync("/etc/hostname", path);
      } catch {
        // Permissions forbid it: then there is no file of that number.
      }
      process.send?.({ type: "file", filename: "mine.txt", media_type: null, number });
      break;
    }
    case "hurry": {
      // Ends without waiting for its part to be taken.
      process.send?.({ type: "text", text: "a part" });
      process.send?.({ type: "part" });
      break;
    }
    case "large": {
      const text = "word ".repeat(400_000);
      const blocks = Array.from({ length: 9_000 }, (_, index) => ({
        ...block,
        char_start: 5 * index,
        char_end: 5 * index + 4,
      }));
      return { text, blocks, page_count: 7, title: "Large" };
    }
  }
  return {
    text: String(process.pid),
    blocks: [{ ...block, char_start: 0, char_end: 1 }],
    page_count: 1,
    title: null,
  };
}, folder);

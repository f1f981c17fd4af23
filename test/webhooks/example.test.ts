/** The receiver in examples/ does what its page says. */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { newSecret, signedHeaders } from "../../src/webhooks/sign.ts";
import { cleanEnv, root } from "../e2e/processes.ts";

test("the example takes what is signed, once, and refuses everything else", async () => {
  const secret = newSecret();
  const child = spawn(process.execPath, [join(root, "examples/webhook-receiver.ts"), "--port", "0"], {
    env: cleanEnv({ WEBHOOK_SECRET: secret }),
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = new Promise((resolve) => child.once("exit", resolve));
  onTestFinished(async () => {
    child.kill();
    await ended;
  });
  let output = "";
  child.stdout.on("data", (text) => {
    output += text;
  });
  await expect.poll(() => output, { timeout: 10_000 }).toMatch(/receiving at http\S+\n/);
  const url = /http\S+/.exec(output)?.[0] as string;
  const body = JSON.stringify({
    id: "evt_1",
    type: "rag.document.uploaded",
    subject: "doc_1",
    sequence: "0007",
  });
  const send = async (headers: Record<string, string>, text = body) =>
    (await fetch(url, { method: "POST", body: text, headers })).status;
  const headers = signedHeaders("evt_1", Date.now(), body, [newSecret(), secret]);
  expect(await send(headers)).toBe(204);
  expect(await send(headers)).toBe(204);
  expect(await send({})).toBe(401);
  expect(await send(headers, `${body} `)).toBe(401);
  expect(await send(signedHeaders("evt_1", Date.now(), body, [newSecret()]))).toBe(401);
  expect(await send(signedHeaders("evt_1", Date.now() - 301_000, body, [secret]))).toBe(401);
  await expect
    .poll(() => output, { timeout: 10_000 })
    .toContain("rag.document.uploaded doc_1 7\nagain rag.document.uploaded doc_1 7\n");
});

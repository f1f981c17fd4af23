/** The examples run as they say they do. The element's page is tried in a browser: element.browser.test.ts. */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { cleanEnv, root, startSluice } from "../e2e/processes.ts";

async function runExample(env: Record<string, string>, args: string[]) {
  const child = spawn(process.execPath, [join(root, "examples/client.ts"), ...args], {
    env: cleanEnv(env),
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (bytes) => (output += bytes));
  const code = await new Promise((resolve) => child.once("close", resolve));
  return { code, output };
}

test("examples/client.ts uploads a folder, follows each file and searches", async () => {
  const folder = mkdtempSync(join(tmpdir(), "sluice-example-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, "gates.md"), "# Gates\n\nA lock has two gates.");
  writeFileSync(join(folder, "unknown.pdf"), "%PDF-1.7 and nothing more");
  const sluice = await startSluice();
  onTestFinished(async () => void (await sluice.stop()));
  const { code, output } = await runExample({ SLUICE_URL: sluice.url }, [folder, "how many gates"]);
  expect(output).toContain("rag.document.uploaded");
  expect(output).toContain("1 chunks can be searched");
  expect(output).toContain("malformed_document: ");
  expect(output).toMatch(/how many gates\?\n\n\d\.\d{4} {2}gates\.md › Gates\n/);
  expect(code).toBe(0);
});

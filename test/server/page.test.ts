import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { startServer } from "./harness.ts";

test("without a built page, / says how to build it", async () => {
  const server = await startServer();
  const answer = await server.request("/");
  expect(answer.status).toBe(200);
  expect(answer.headers.get("content-type")).toBe("text/plain; charset=utf-8");
  expect(answer.text).toContain("npm run build");
});

test("the built page is served with its defences; what is not in it is a 404", async () => {
  const page_dir = await mkdtemp(join(tmpdir(), "sluice-page-"));
  onTestFinished(() => rm(page_dir, { recursive: true }));
  await mkdir(join(page_dir, "assets"));
  await writeFile(join(page_dir, "index.html"), "<!doctype html><title>Sluice</title>");
  await writeFile(join(page_dir, "assets", "app-1a2b.js"), "export {};");
  const server = await startServer({ page_dir });
  const page = await server.request("/");
  expect(page.status).toBe(200);
  expect(page.text).toContain("<title>Sluice</title>");
  expect(Object.fromEntries(page.headers)).toMatchObject({
    "content-type": "text/html; charset=utf-8",
    "cache-control": "no-cache",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "content-security-policy": expect.stringContaining("default-src 'self'"),
  });
  const script = await server.request("/assets/app-1a2b.js");
  expect(script.headers.get("content-type")).toContain("javascript");
  expect(script.headers.get("cache-control")).toContain("immutable");
  for (const path of ["/other.html", "/assets/../../etc/passwd", "/..%2f..%2fetc%2fpasswd"]) {
    expect((await server.request(path)).status, path).toBe(404);
  }
});

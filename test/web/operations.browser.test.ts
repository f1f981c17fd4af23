/** The operations screen in a real Chromium, over the real processes. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Job } from "../../src/job.ts";
import { type Client, createClient } from "../e2e/client.ts";
import { type EmbeddingServer, startEmbeddingServer } from "../e2e/embedding-server.ts";
import { type Running, startSluice } from "../e2e/processes.ts";
import { buildPage, expectAccessible, expectFits, launchBrowser, openPage } from "../support/browser.ts";

let browser: Browser;
let embedder: EmbeddingServer;
let sluice: Running;
let client: Client;
let endings: (() => unknown)[] = [];

beforeAll(async () => {
  await buildPage();
  browser = await launchBrowser();
  embedder = await startEmbeddingServer();
});

beforeEach(async () => {
  sluice = await startSluice({ env: embedder.env });
  client = createClient(sluice.url);
});

afterAll(async () => {
  await browser?.close();
  await embedder?.close();
});

afterEach(async () => {
  embedder.refuse(null);
  embedder.release();
  for (const end of endings.reverse()) await end();
  endings = [];
  await sluice.stop();
});

async function dead(of: Client): Promise<Job[]> {
  return (await of.call<{ jobs: Job[] }>("GET", "/v1/jobs?state=dead")).body.jobs;
}

async function open(path = "/operations", options: Parameters<typeof openPage>[2] = {}) {
  const watched = await openPage(browser, sluice.url + path, { ...options });
  endings.push(() => watched.page.context().close());
  endings.push(() => console.log(watched.complaints));
  return watched;
}

const section = (page: Page, name: string) => page.getByRole("region", { name, exact: true });

/** A document whose job is dead. */
async function deadDocument(name: string, content: string): Promise<{ document_id: string; job_id: string }> {
  const { body } = await client.upload(name, content);
  const { status } = await client.ended(body.document_id, body.job_id!);
  expect(status).toBe("failed");
  return { document_id: body.document_id, job_id: body.job_id! };
}

const damaged = "%PDF-1.7\nthis is not what a PDF looks like";

describe("in one glance", () => {
  test("a service that is well says so, in words, charts and tables; narrow and wide, light and dark", async () => {
    const { page, complaints, foreign } = await open();
    await page.getByRole("heading", { name: "All is well" }).waitFor();
    await page.getByText("2 workers alive", { exact: true }).waitFor();
    await expectAccessible(page);
    await page.emulateMedia({ colorScheme: "dark" });
    await expectAccessible(page);
    await page.setViewportSize({ width: 390, height: 844 });
    await expectFits(page);
    await expectAccessible(page);
    expect(complaints).toEqual([]);
    expect(foreign).toEqual([]);
  });

  test("a chart tells its values by keyboard, and as a table", async () => {
    const { body } = await client.upload("lock.md", "# Lock\n\nThe keeper opens the paddles.");
    await client.ended(body.document_id, body.job_id!);
    const { page } = await open();
    const chart = page.getByRole("slider", { name: /Documents a minute/ });
    await expect
      .poll(() => chart.getAttribute("aria-valuetext"))
      .toMatch(/completed [1-9]\d*, failed \d+, uploaded [1-9]/);
    const latest = await chart.getAttribute("aria-valuetext");
    await chart.focus();
    await page.keyboard.press("Home");
    const first = await chart.getAttribute("aria-valuetext");
    expect(first).toMatch(/^\d\d:\d\d: completed 0, failed 0, uploaded 0$/);
    expect(first).not.toBe(latest);
    const figure = page.getByRole("figure", { name: "Documents a minute" });
    await figure.getByText("As a table").click();
    expect(await figure.getByRole("row").count()).toBe(61);
    expect(await figure.getByRole("row").nth(1).textContent()).toMatch(/[1-9]/);
    // The time of each stage is a table to begin with.
    const stages = page.getByRole("figure", { name: "Time by stage" });
    expect(await stages.getByRole("row", { name: /^Embedding/ }).textContent()).toMatch(/\d+(\.\d)?\sm?s/);
    await expectAccessible(page);
  });

  test("it asks again by itself while somebody looks, and not while nobody does", async () => {
    const { page, requests } = await open("/operations", { before: (fresh) => fresh.clock.install() });
    await page.getByRole("heading", { name: "All is well" }).waitFor();
    const asked = () => requests.filter((each) => each === "GET /v1/operations").length;
    const hide = (hidden: boolean) =>
      page.evaluate(`Object.defineProperty(document, "hidden", { configurable: true, value: ${hidden} });
        document.dispatchEvent(new Event("visibilitychange"))`);
    const before = asked();
    await page.clock.runFor(2_500);
    await expect.poll(asked).toBeGreaterThan(before);
    await hide(true);
    // The round that may be under way ends; no other begins.
    await page.clock.runFor(60_000);
    const hidden = asked();
    await page.clock.runFor(60_000);
    expect(asked()).toBe(hidden);
    await hide(false);
    await expect.poll(asked).toBeGreaterThan(hidden);
  });

  test("without workers it says what to do", async () => {
    const api = await startSluice({ command: "api" });
    endings.push(() => api.stop());
    const watched = await openPage(browser, `${api.url}/operations`);
    endings.push(() => watched.page.context().close());
    await watched.page.getByRole("heading", { name: "Something needs you" }).waitFor();
    await createClient(api.url).upload("waits.md", "# Waits");
    await watched.page.getByText("No worker is running, and 1 job waits").waitFor();
    await watched.page.getByText("sluice worker").first().waitFor();
    await expectAccessible(watched.page);
  });
});

describe("work under way", () => {
  test("a worker is seen with the document that it holds, which is cancelled from the queue", async () => {
    embedder.hold();
    const { page } = await open();
    const { body } = await client.upload("held.md", "# Held\n\nUntil the gate opens.");
    await embedder.held();
    const worker = section(page, "Workers").getByRole("listitem").filter({ hasText: "held.md" }).first();
    await worker.getByText(/Ingestion, attempt 1, for/).waitFor();
    expect(await worker.textContent()).toMatch(/process \d+.*since .*seen/);
    expect(await worker.getByRole("link", { name: "held.md" }).getAttribute("href")).toBe(
      `/documents/${body.document_id}`,
    );
    const queue = section(page, "In the queue");
    await queue.getByRole("radio", { name: "Running 1" }).waitFor();
    await queue.getByRole("link", { name: "held.md" }).waitFor();
    await expectAccessible(page);
    await queue.getByRole("button", { name: "Cancel held.md" }).click();
    await queue.getByText("Nothing runs.").waitFor();
    expect((await client.ended(body.document_id, body.job_id!)).status).toBe("cancelled");
  });

  test("jobs that are tried again, and those that wait, each have their list", async () => {
    embedder.refuse(503);
    const { page } = await open("/operations?queue=retrying");
    await client.upload("later.md", "# Later\n\nThe service is away.");
    const queue = section(page, "In the queue");
    await queue.getByText("embedder_unavailable").waitFor();
    await queue.getByText(/attempt \d of \d/).waitFor();
    expect(await queue.getByRole("radio", { name: /To be tried again/ }).isChecked()).toBe(true);
    embedder.refuse(null);
    await queue.getByText("Nothing has to be tried again.").waitFor();
  });
});

describe("dead letters", () => {
  test("one is told with its reason, opened to its timeline, and redriven; that it died again is said", async () => {
    const { page } = await open();
    await deadDocument("damaged.pdf", damaged);
    const letters = section(page, "Dead letters");
    await letters.getByRole("link", { name: "damaged.pdf" }).waitFor();
    await letters.getByText("malformed_document", { exact: true }).last().waitFor();
    await letters.getByRole("button", { name: "What happened to damaged.pdf" }).click();
    await letters.getByText(/^Uploaded, \d+\sB, version 1$/).waitFor();
    await letters.getByText(/^Attempt 1 began on/).waitFor();
    await letters.getByText("Failed for good (malformed_document)").waitFor();
    await expectAccessible(page);
    await letters.getByRole("button", { name: "Redrive damaged.pdf" }).click();
    await letters.getByText("Redriven: 1 died again.").waitFor();
    await letters.getByText("died again", { exact: true }).waitFor();
    // The timeline goes on under the eyes of whoever opened it.
    await letters.getByText("Redriven", { exact: true }).waitFor();
    expect(await letters.getByText("Failed for good (malformed_document)").count()).toBe(2);
    await page.setViewportSize({ width: 390, height: 844 });
    await expectFits(page);
  });

  test("all of one reason are redriven when it is gone, leave the list, and become searchable", async () => {
    embedder.refuse(400);
    const names = ["weir.md", "gate.md", "pond.md"];
    const documents = [];
    for (const name of names) {
      documents.push(await deadDocument(name, `# ${name}\n\nThe keeper of the ${name.slice(0, 4)} sleeps.`));
    }
    const broken = await deadDocument("damaged.pdf", damaged);
    const { page } = await open();
    const letters = section(page, "Dead letters");
    await letters.getByText("4 failed for good").waitFor();
    await page.getByText(/4 dead letters, 3 of them by embedder_rejected/).waitFor();
    await letters.getByRole("radio", { name: "embedder_rejected 3" }).check();
    await letters.getByRole("link", { name: "damaged.pdf" }).waitFor({ state: "detached" });
    expect(new URL(page.url()).search).toBe("?code=embedder_rejected");
    expect(await letters.getByRole("link").allTextContents()).toEqual([...names].reverse());

    embedder.refuse(null);
    await letters.getByRole("button", { name: "Redrive all of embedder_rejected" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByText(/All that died of embedder_rejected will be queued again: 3 jobs/).waitFor();
    await expectAccessible(page);
    await dialog.getByRole("button", { name: "Redrive 3" }).click();
    await dialog.getByText("3 of 3 queued again.").waitFor();
    await dialog.getByRole("button", { name: "Done" }).click();
    await letters.getByText("Redriven: 3 searchable now.").waitFor();
    await letters.getByText("Nothing is dead of embedder_rejected.").waitFor();
    await letters.getByRole("radio", { name: "All 1" }).check();
    await letters.getByRole("link", { name: "damaged.pdf" }).waitFor();

    const { hits } = await client.search({ query: "keeper sleeps", mode: "keyword" });
    expect(hits.map(({ document_id }) => document_id).sort()).toEqual(
      documents.map(({ document_id }) => document_id).sort(),
    );
    expect((await dead(client)).map(({ job_id }) => job_id)).toEqual([broken.job_id]);
  });

  test("of chosen ones those are skipped, by name, whose document has moved on", async () => {
    embedder.refuse(400);
    const { document_id } = await deadDocument("moved.md", "# Moved\n\nOn and on.");
    const again = await client.call<{ job_id: string }>("POST", `/v1/documents/${document_id}/reingest`);
    await client.ended(document_id, again.body.job_id);
    const { page } = await open();
    const letters = section(page, "Dead letters");
    const boxes = letters.getByRole("checkbox", { name: "Select moved.md" });
    await expect.poll(() => boxes.count()).toBe(2);
    embedder.refuse(null);
    await letters.getByRole("checkbox", { name: "All 2 shown" }).check();
    await letters.getByRole("button", { name: "Redrive 2 selected" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByRole("button", { name: "Redrive 2" }).click();
    await dialog.getByText("1 of 2 queued again, 1 skipped.").waitFor();
    await dialog.getByRole("listitem").filter({ hasText: "moved.md" }).waitFor();
    await dialog.getByRole("button", { name: "Done" }).click();
    expect((await client.ended(document_id, again.body.job_id)).status).toBe("completed");
    await expect.poll(() => boxes.count()).toBe(1);
  });

  test("a long list is read on, and all of it redriven", async () => {
    embedder.refuse(400);
    const count = 55;
    for (let n = 0; n < count; n++) await client.upload(`page ${n}.md`, `# Page ${n}\n\nLine ${n}.`);
    await expect.poll(async () => (await dead(client)).length, { timeout: 40_000 }).toBe(50);
    const { page } = await open();
    const letters = section(page, "Dead letters");
    await letters.getByText(`${count} failed for good`).waitFor();
    await letters.getByRole("button", { name: "Show more" }).click();
    await letters.getByText(`All ${count} shown`).waitFor();
    embedder.refuse(null);
    await letters.getByRole("button", { name: `Redrive all ${count}` }).click();
    await page
      .getByRole("dialog")
      .getByRole("button", { name: `Redrive ${count}` })
      .click();
    await page.getByRole("dialog").getByText(`${count} of ${count} queued again.`).waitFor();
    await page.getByRole("dialog").getByRole("button", { name: "Done" }).click();
    await letters.getByText(`Redriven: ${count} searchable now.`).waitFor();
    await letters.getByText(/What fails for good is kept here/).waitFor();
  });
});

test("an operator sees every tenant's load, and acts for one of them", async () => {
  const form = new FormData();
  form.set("file", new Blob(["# Acme\n\nOf another tenant."]), "acme.md");
  const answer = await fetch(`${sluice.url}/v1/documents`, {
    method: "POST",
    body: form,
    headers: { "sluice-tenant": "acme" },
  });
  expect(answer.status).toBe(202);
  const { page } = await open();
  await page.getByRole("radio", { name: "All tenants" }).check();
  expect(new URL(page.url()).search).toBe("?all=true");
  const row = page.getByRole("row").filter({ hasText: "acme" });
  await expect.poll(() => row.getByRole("cell").allTextContents()).toContain("1");
  await expectAccessible(page);
  await page.setViewportSize({ width: 390, height: 844 });
  await expectFits(page);
  await page.setViewportSize({ width: 1280, height: 800 });
  await row.getByRole("button", { name: "Act for acme" }).click();
  await page.getByRole("button", { name: "Back to mine" }).waitFor();
  await page.getByText("Tenant acme", { exact: true }).first().waitFor();
  expect(await page.getByRole("figure", { name: "Documents a minute" }).textContent()).toContain(
    "1 in, 1 completed",
  );
  await page.getByRole("button", { name: "Back to mine" }).click();
  await page.getByRole("button", { name: "Back to mine" }).waitFor({ state: "detached" });
});

test("a reindex that is due is begun, followed and over", async () => {
  const data_dir = mkdtempSync(join(tmpdir(), "sluice-reindex-"));
  endings.push(() => rmSync(data_dir, { recursive: true, force: true }));
  const before = await startSluice({ data_dir });
  const old = createClient(before.url);
  const { body } = await old.upload("old.md", "# Old\n\nOf the embedder before.");
  await old.ended(body.document_id, body.job_id!);
  await before.stop();

  const after = await startSluice({ data_dir, env: embedder.env });
  endings.push(() => after.stop());
  const watched = await openPage(browser, `${after.url}/operations`);
  endings.push(() => watched.page.context().close());
  const reindex = section(watched.page, "Reindex");
  await reindex.getByText(/the index is of/).waitFor();
  // Beginning it asks the embedder for one vector, to see whether it works.
  embedder.holdAfter(1);
  await reindex.getByRole("button", { name: "Begin a reindex" }).click();
  await watched.page.getByRole("dialog").getByRole("button", { name: "Begin", exact: true }).click();
  await reindex.getByText("0 of 1 document").waitFor();
  await expectAccessible(watched.page);
  embedder.release();
  await reindex.waitFor({ state: "detached" });
});

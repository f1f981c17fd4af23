/** The page in a real Chromium, against the real processes. */
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { AxeBuilder } from "@axe-core/playwright";
import { type Browser, chromium, type Page } from "playwright-core";
import { build } from "vite";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { startEmbeddingServer } from "./embedding-server.ts";
import { cleanEnv, freePort, type Running, root, startSluice } from "./processes.ts";

const executablePath = process.env.SLUICE_TEST_CHROMIUM ?? "/usr/bin/chromium";
const flags = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** The cited passage is far from both ends, so that it has to be scrolled to. */
const lock = [
  "# How a lock works",
  ...Array.from(
    { length: 120 },
    (_, n) => `On day ${n} the gates were painted, oiled and inspected from end to end.`,
  ),
  "The lock keeper opens the paddles and the chamber fills.",
  "## Saving water",
  "Side ponds keep half of the water of every passage for the next one.",
  "## Winter",
  ...Array.from(
    { length: 120 },
    (_, n) => `In week ${n} of the frost nothing moved, and the keeper mended his ropes.`,
  ),
].join("\n\n");

let browser: Browser;
let sluice: Running;
let endings: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  if (!existsSync(executablePath)) {
    throw new Error(
      `The browser tests need Chromium, and there is none at ${executablePath}. ` +
        "Install it (apt-get install chromium) or set SLUICE_TEST_CHROMIUM to where it is.",
    );
  }
  await build({ configFile: join(root, "web/vite.config.ts"), logLevel: "error" });
  browser = await chromium.launch({ executablePath, args: flags });
  sluice = await startSluice();
});

afterAll(async () => {
  await browser?.close();
  await sluice?.stop();
});

afterEach(async () => {
  for (const end of endings) await end();
  endings = [];
});

/** What happened in a page besides what it shows. */
interface Watched {
  page: Page;
  /** Method and path of every request so far, in order. */
  requests: string[];
  /** Addresses outside the server. */
  foreign: string[];
  /** Uncaught errors, and what the browser itself complained of. */
  complaints: string[];
}

async function openPage(url: string, before?: (page: Page) => Promise<unknown>): Promise<Watched> {
  const context = await browser.newContext();
  endings.push(() => context.close());
  const page = await context.newPage();
  const watched: Watched = { page, requests: [], foreign: [], complaints: [] };
  const note = (method: string, address: string) => {
    const { host, pathname, protocol } = new URL(address);
    if (host === new URL(url).host) watched.requests.push(`${method} ${pathname}`);
    else if (protocol !== "data:" && protocol !== "blob:") watched.foreign.push(address);
  };
  page.on("request", (request) => note(request.method(), request.url()));
  page.on("websocket", (socket) => note("WEBSOCKET", socket.url()));
  page.on("pageerror", (error) => watched.complaints.push(String(error)));
  // A policy that was broken is told here only.
  page.on("console", (message) => {
    if (/content security policy/i.test(message.text())) watched.complaints.push(message.text());
  });
  await before?.(page);
  await page.goto(url);
  await page.getByText("Live", { exact: true }).waitFor();
  return watched;
}

/** Drops a text file on the page, as a hand with a mouse does. */
async function drop(page: Page, name: string, text: string): Promise<void> {
  const dataTransfer = await page.evaluateHandle(
    ([filename, content]) => {
      // In the browser, whose types the tests do without.
      const { DataTransfer, File } = globalThis as unknown as {
        DataTransfer: new () => { items: { add(file: unknown): void } };
        File: new (parts: string[], name: string) => unknown;
      };
      const transfer = new DataTransfer();
      transfer.items.add(new File([content], filename));
      return transfer;
    },
    [name, text] as const,
  );
  for (const type of ["dragenter", "dragover", "drop"]) {
    await page.dispatchEvent("body", type, { dataTransfer });
  }
}

function rowOf(page: Page, name: string) {
  return page.getByRole("listitem").filter({ has: page.getByText(name, { exact: true }) });
}

async function expectAccessible(page: Page): Promise<void> {
  const { violations } = await new AxeBuilder({ page }).analyze();
  expect(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`)).toEqual([]);
}

describe("the page", () => {
  test("a dropped file is followed live to its end, found, and shown where it is cited", async () => {
    const { page, requests, foreign, complaints } = await openPage(sluice.url);
    await page.getByRole("heading", { name: /put a document in/i }).waitFor();
    await expectAccessible(page);

    const before = requests.length;
    await drop(page, "lock.md", lock);
    const row = rowOf(page, "lock.md");
    await row.getByText("Ready", { exact: true }).waitFor();
    expect(await row.textContent()).toMatch(/\d passages?.*answered in \d+\sms/);
    expect(await row.locator(".about").textContent()).toBe("How a lock works · English");
    // The upload and nothing else: what happened then came over the stream.
    expect(requests.slice(before)).toEqual(["POST /v1/documents"]);

    await page.getByRole("searchbox").fill("side ponds");
    await page.getByRole("button", { name: "Search" }).click();
    const hit = page.locator(".hit").filter({ hasText: "Side ponds keep half" }).first();
    await hit.waitFor();
    // Its title stands among the headings.
    expect(await hit.locator(".about").count()).toBe(0);
    expect(await hit.locator("mark").allTextContents()).toContain("ponds");
    expect(await hit.textContent()).toContain("How a lock works › Saving water");
    await expectAccessible(page);

    await hit.click();
    const cited = page.getByRole("dialog").locator("mark.cited");
    await cited.waitFor();
    expect(await cited.textContent()).toContain("Side ponds keep half of the water");
    // Marked is the passage alone; its surroundings are there too.
    expect(await cited.textContent()).not.toContain("The lock keeper opens");
    expect(await page.getByRole("dialog").textContent()).toContain("The lock keeper opens");
    await expect.poll(() => page.evaluate(citedInView)).toBe(true);
    await expectAccessible(page);
    const earlier = page.getByRole("button", { name: "Show earlier text" });
    await earlier.scrollIntoViewIfNeeded();
    const place = (await cited.boundingBox())?.y as number;
    await earlier.click();
    await page.getByRole("dialog").getByText("On day 0 the gates").waitFor();
    // What is being read stays where it was, but for the height of the button.
    expect(Math.abs(((await cited.boundingBox())?.y as number) - place)).toBeLessThan(80);
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });

    expect(foreign).toEqual([]);
    expect(complaints).toEqual([]);
  });

  test("the stages of a long document move while it is ingested", async () => {
    // It gives one text after another, and only when it is let: the page has all the time that it needs to be told.
    const embedding = await startEmbeddingServer(1);
    endings.push(() => embedding.close());
    embedding.holdAfter(0);
    const slow = await startSluice({ env: embedding.env });
    endings.push(() => slow.stop());
    const { page } = await openPage(slow.url);
    // Every value that the progress bars of the page take, in order.
    await page.evaluate(recordProgress);
    const paragraph = "The keeper wrote down every boat that passed, its cargo and the level of the water. ";
    const sections = Array.from({ length: 600 }, (_, n) => `## Day ${n}\n\n${paragraph.repeat(20)}`);
    await drop(page, "logbook.md", sections.join("\n\n"));
    const seen = () => page.evaluate("window.progressSeen") as Promise<string[]>;
    const values = async () => new Set((await seen()).filter((text) => text.startsWith("Embedding"))).size;
    for (let given = 0; given < sections.length && (await values()) < 3; given++) {
      await embedding.held();
      embedding.release();
      embedding.holdAfter(1);
    }
    embedding.release();
    await rowOf(page, "logbook.md").getByText("Ready", { exact: true }).waitFor();
    expect(await values(), (await seen()).join(" | ")).toBeGreaterThanOrEqual(3);
    expect((await seen()).at(-1)).toBe("completed");
  });

  test("a file that can't be read, and one that turns out damaged, say so and can be dealt with", async () => {
    const { page } = await openPage(sluice.url);
    await drop(page, "setup.exe", `MZ${"\0\u0001\u0002\u0003".repeat(300)}`);
    const refused = rowOf(page, "setup.exe");
    await refused.getByText("Not accepted").waitFor();
    expect(await refused.textContent()).toMatch(/setup\.exe is .*can't be read\. Convert it to/);
    await refused.getByRole("button", { name: "Dismiss" }).click();
    await refused.waitFor({ state: "detached" });

    await drop(page, "damaged.pdf", "%PDF-1.7\nnothing of what has to follow");
    const failed = rowOf(page, "damaged.pdf");
    await failed.getByText("Failed", { exact: true }).waitFor();
    expect(await failed.locator(".error").textContent()).toContain("damaged.pdf is no readable PDF");
    await expectAccessible(page);
    await failed.getByRole("button", { name: "Delete" }).click();
    await failed.getByRole("button", { name: "Delete for good" }).click();
    await failed.waitFor({ state: "detached" });
  });

  test("what a document says is shown, never run", async () => {
    const { page, complaints } = await openPage(sluice.url);
    const attack = `<img src=x onerror="document.title='taken'"><script>document.title='taken'</script>`;
    await drop(page, "attack <b>.txt", `The zymurgist wrote ${attack} here.`);
    await rowOf(page, "attack <b>.txt").getByText("Ready", { exact: true }).waitFor();
    await page.getByRole("searchbox").fill("zymurgist");
    await page.getByRole("button", { name: "Search" }).click();
    await page.locator(".hit").filter({ hasText: attack }).click();
    await page.getByRole("dialog").locator("mark.cited").filter({ hasText: attack }).waitFor();
    expect(await page.title()).toBe("Sluice");
    expect(await page.locator("main img, main script, dialog img, dialog script").count()).toBe(0);
    expect(complaints).toEqual([]);
  });

  test("where no WebSocket gets through, server-sent events bring the same", async () => {
    const barred = (page: Page) => page.addInitScript(barWebSocket);
    const { page, requests } = await openPage(sluice.url, barred);
    expect(requests).toContain("GET /v1/events/stream");
    await drop(page, "by-sse.txt", "A text that came while no WebSocket did.");
    await rowOf(page, "by-sse.txt").getByText("Ready", { exact: true }).waitFor();
  });

  test("after a restart of the server it goes on where it was, and has what it missed", async () => {
    const env = { SLUICE_PORT: String(await freePort()) };
    const first = await startSluice({ env });
    endings.push(() => first.stop());
    const { page } = await openPage(first.url);
    await drop(page, "before.txt", "A text from before the restart.");
    await rowOf(page, "before.txt").getByText("Ready", { exact: true }).waitFor();
    await page.evaluate("window.sameAsBefore = true");
    await first.kill();
    await page.getByText(/^Offline/).waitFor();

    const second = await startSluice({ env, data_dir: first.data_dir });
    endings.unshift(() => second.stop());
    const form = new FormData();
    form.append("file", new File(["A text that came meanwhile."], "meanwhile.txt"));
    expect((await fetch(`${second.url}/v1/documents`, { method: "POST", body: form })).status).toBe(202);
    await rowOf(page, "meanwhile.txt").getByText("Ready", { exact: true }).waitFor();
    await page.getByText("Live", { exact: true }).waitFor();
    expect(await page.getByRole("listitem").filter({ hasText: "before.txt" }).count()).toBe(1);
    expect(await page.evaluate("window.sameAsBefore")).toBe(true);
  });

  test("a server with keys asks for one, and takes a good one", async () => {
    const guarded = await startSluice();
    endings.push(() => guarded.stop());
    const main = join(root, "src/cli/main.ts");
    const made = execFileSync(process.execPath, [main, "--json", "keys", "create", "--tenant", "reader"], {
      env: cleanEnv({ SLUICE_DATA_DIR: guarded.data_dir }),
      encoding: "utf8",
    });
    const { key } = JSON.parse(made) as { key: string };
    // The server looks for keys once a second.
    await expect
      .poll(async () => (await fetch(`${guarded.url}/v1/documents`)).status, { timeout: 10_000 })
      .toBe(401);

    const page = await (await browser.newContext()).newPage();
    endings.unshift(() => page.context().close());
    await page.goto(guarded.url);
    const field = page.getByRole("textbox", { name: "API key" });
    await field.fill("wrong");
    await page.keyboard.press("Enter");
    await page.getByText("was not accepted").waitFor();
    await expectAccessible(page);
    await field.fill(key);
    await page.keyboard.press("Enter");
    await page.getByText("Live", { exact: true }).waitFor();
    await page.getByRole("button", { name: "Try a sample document" }).click();
    await page.getByText("Ready", { exact: true }).waitFor();
  });

  test.each([
    ["light", 1440],
    ["dark", 1440],
    ["light", 390],
    ["dark", 390],
  ] as const)("is accessible and fits: %s, %i pixels wide", async (colorScheme, width) => {
    const { page } = await openPage(sluice.url, async (fresh) => {
      await fresh.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      await fresh.setViewportSize({ width, height: 844 });
    });
    const name = `${"a name much longer than any narrow screen can show ".repeat(3)}${width} ${colorScheme}.txt`;
    await drop(page, name, `Text for ${name}`);
    await rowOf(page, name).getByText("Ready", { exact: true }).waitFor();
    await drop(page, "broken.exe", `MZ${"\0\u0001".repeat(300)}`);
    await rowOf(page, "broken.exe").getByText("Not accepted").waitFor();
    await expectAccessible(page);
    expect(await page.evaluate("document.documentElement.scrollWidth")).toBe(width);
  });
});

// Run in the browser: the tests themselves are checked without its types.

const citedInView = `(() => {
  const { top, bottom } = document.querySelector("mark.cited").getBoundingClientRect();
  return top >= 0 && bottom <= innerHeight;
})()`;

const recordProgress = `{
  window.progressSeen = [];
  const note = () => {
    const text = document.querySelector(".row [role=progressbar]")?.getAttribute("aria-valuetext");
    if (text && text !== window.progressSeen.at(-1)) window.progressSeen.push(text);
  };
  new MutationObserver(note).observe(document.body, { subtree: true, childList: true, attributes: true });
}`;

const barWebSocket = `window.WebSocket = class {
  constructor() { queueMicrotask(() => this.onclose?.()); }
  close() {}
}`;

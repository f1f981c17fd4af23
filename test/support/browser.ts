/** A real Chromium for the tests of the page: started once a file, with what they all do in it. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { AxeBuilder } from "@axe-core/playwright";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import { build } from "vite";
import { expect } from "vitest";
import { root } from "../e2e/processes.ts";

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

/** @throws Error that says what to do, where there is no Chromium: these tests are never skipped */
export async function launchBrowser(): Promise<Browser> {
  if (!existsSync(executablePath)) {
    throw new Error(
      `The browser tests need Chromium, and there is none at ${executablePath}. ` +
        "Install it (apt-get install chromium) or set SLUICE_TEST_CHROMIUM to where it is.",
    );
  }
  return chromium.launch({ executablePath, args: flags });
}

/** Builds the page that the processes serve. */
export async function buildPage(): Promise<void> {
  await build({ configFile: join(root, "web/vite.config.ts"), logLevel: "error" });
}

/** What happened in a page besides what it shows. */
export interface Watched {
  page: Page;
  /** Method and path of every request so far, in order. */
  requests: string[];
  /** Addresses outside the server. */
  foreign: string[];
  /** Uncaught errors, and what the browser itself complained of. */
  complaints: string[];
}

interface OpenOptions extends BrowserContextOptions {
  /** Done before the page is loaded. */
  before?: (page: Page) => Promise<unknown>;
  /** Default true: waits until the stream is live. */
  live?: boolean;
}

/** Opens an address of the page in a context of its own; close it by `watched.page.context().close()`. */
export async function openPage(
  browser: Browser,
  url: string,
  { before, live = true, ...options }: OpenOptions = {},
): Promise<Watched> {
  const context = await browser.newContext(options);
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
  if (live) await page.getByText("Live", { exact: true }).waitFor({ state: "attached" });
  return watched;
}

/** Drops text files on the page, as a hand with a mouse does. */
export async function drop(page: Page, ...files: (readonly [name: string, text: string])[]): Promise<void> {
  const dataTransfer = await page.evaluateHandle((given) => {
    // In the browser, whose types the tests do without.
    const { DataTransfer, File } = globalThis as unknown as {
      DataTransfer: new () => { items: { add(file: unknown): void } };
      File: new (parts: string[], name: string) => unknown;
    };
    const transfer = new DataTransfer();
    for (const [name, text] of given) transfer.items.add(new File([text], name));
    return transfer;
  }, files);
  for (const type of ["dragenter", "dragover", "drop"]) {
    await page.dispatchEvent("body", type, { dataTransfer });
  }
}

/** No violation that axe-core knows of. */
export async function expectAccessible(page: Page): Promise<void> {
  const { violations } = await new AxeBuilder({ page }).analyze();
  expect(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`)).toEqual([]);
}

/** Nothing reaches over the edge of a narrow window. */
export async function expectFits(page: Page): Promise<void> {
  expect(await page.evaluate("document.documentElement.scrollWidth <= innerWidth")).toBe(true);
}

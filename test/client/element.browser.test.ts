/** `<sluice-upload>` in a real Chromium, on the example's page: a strict policy, and no key in the browser. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AxeBuilder } from "@axe-core/playwright";
import { type Browser, chromium, type Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { run } from "../cli/run.ts";
import { cleanEnv, type Running, root, startSluice } from "../e2e/processes.ts";
import { type StoredUpload, startTusServer } from "./tus-server.ts";

const executablePath = process.env.SLUICE_TEST_CHROMIUM ?? "/usr/bin/chromium";
const flags = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"];

let browser: Browser;
let sluice: Running;
const examples: ChildProcess[] = [];
let address: string;
let endings: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  execFileSync(join(root, "node_modules/.bin/tsc"), ["-p", "tsconfig.build.element.json"], { cwd: root });
  browser = await chromium.launch({ executablePath, args: flags });
  sluice = await startSluice();
  // With keys from now on: whoever has none is refused, and the page has none.
  const [created] = (await run(sluice.env, ["--json", "keys", "create", "--tenant", "default"])).json<{
    key: string;
  }>();
  const key = created?.key as string;
  address = await startExample({ SLUICE_URL: sluice.url, SLUICE_API_KEY: key });
});

afterAll(async () => {
  await browser?.close();
  for (const example of examples) example.kill();
  await sluice?.stop();
});

afterEach(async () => {
  for (const end of endings) await end();
  endings = [];
});

/** @returns its address */
function startExample(env: Record<string, string>): Promise<string> {
  const example = spawn(process.execPath, [join(root, "examples/upload-element/server.ts")], {
    env: cleanEnv({ ...env, PORT: "0" }),
    stdio: ["ignore", "pipe", "inherit"],
  });
  examples.push(example);
  return new Promise((resolve) =>
    example.stdout?.once("data", (line) => resolve(/http:\S+/.exec(String(line))?.[0] as string)),
  );
}

interface Watched {
  page: Page;
  requests: string[];
  foreign: string[];
  complaints: string[];
}

async function openPage(scheme: "light" | "dark" = "light", at = address): Promise<Watched> {
  const context = await browser.newContext({ colorScheme: scheme });
  endings.push(() => context.close());
  const page = await context.newPage();
  const watched: Watched = { page, requests: [], foreign: [], complaints: [] };
  const note = (method: string, url: string) => {
    const { host, pathname } = new URL(url);
    if (host === new URL(at).host) watched.requests.push(`${method} ${pathname}`);
    else watched.foreign.push(url);
  };
  page.on("request", (request) => note(request.method(), request.url()));
  page.on("websocket", (socket) => note("WEBSOCKET", socket.url()));
  page.on("pageerror", (error) => watched.complaints.push(String(error)));
  page.on("console", (message) => {
    if (/policy|trusted/i.test(message.text())) watched.complaints.push(message.text());
  });
  await page.goto(at);
  await page.getByRole("button", { name: "Choose files" }).waitFor();
  return watched;
}

/** Files as a hand drops or pastes them. */
async function hand(
  page: Page,
  type: "drop" | "paste",
  files: [name: string, text: string, type?: string][],
) {
  await page.evaluate(
    ([how, given]) => {
      // In the browser, whose types the tests do without.
      const world = globalThis as unknown as Record<string, new (...args: unknown[]) => never> & {
        document: {
          querySelector(selector: string): { shadowRoot: { querySelector(selector: string): never } };
        };
      };
      const transfer = new (
        world.DataTransfer as never as new () => { items: { add(file: unknown): void } }
      )();
      for (const [name, text, media_type = "text/plain"] of given) {
        transfer.items.add(
          new (world.File as new (...args: unknown[]) => unknown)([text], name, { type: media_type }),
        );
      }
      const element = world.document.querySelector("sluice-upload");
      const zone = element.shadowRoot.querySelector(".zone") as { dispatchEvent(event: unknown): void };
      const more = { bubbles: true, composed: true, cancelable: true };
      const event =
        how === "drop"
          ? new (world.DragEvent as never as new (...args: unknown[]) => unknown)("drop", {
              ...more,
              dataTransfer: transfer,
            })
          : new (world.ClipboardEvent as never as new (...args: unknown[]) => unknown)("paste", {
              ...more,
              clipboardData: transfer,
            });
      zone.dispatchEvent(event);
    },
    [type, files] as const,
  );
}

const rowOf = (page: Page, name: string) =>
  page.getByRole("listitem").filter({ has: page.getByText(name, { exact: true }) });

async function expectAccessible(page: Page): Promise<void> {
  const { violations } = await new AxeBuilder({ page })
    .withTags(["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa", "best-practice"])
    .analyze();
  expect(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`)).toEqual([]);
}

describe("<sluice-upload>", () => {
  test("files dropped, chosen and pasted are followed until they are found; the page hears of each", async () => {
    const { page, requests, foreign, complaints } = await openPage();
    await expectAccessible(page);
    await hand(page, "drop", [
      ["dropped.md", "# Gates\n\nA lock has two gates."],
      ["second.txt", "Water levels."],
    ]);
    await page.locator("input[type=file]").setInputFiles({
      name: "chosen.txt",
      mimeType: "text/plain",
      buffer: Buffer.from("Side ponds save water."),
    });
    await hand(page, "paste", [["pasted.txt", "Paddles are raised first."]]);
    for (const name of ["dropped.md", "second.txt", "chosen.txt", "pasted.txt"]) {
      await rowOf(page, name).getByText("Ready to search").waitFor();
      expect(await rowOf(page, name).textContent()).toMatch(/1 passage/);
    }
    const bar = rowOf(page, "dropped.md").getByRole("progressbar");
    expect(await bar.getAttribute("aria-valuenow")).toBe("100");
    expect(await rowOf(page, "dropped.md").textContent()).toContain("Gates");
    const heard = await page.locator("#heard li").allTextContents();
    for (const type of ["sluice-accepted", "sluice-searchable"]) {
      expect(heard.filter((line) => line.startsWith(type))).toHaveLength(4);
    }
    expect(requests.filter((each) => each.startsWith("POST"))).toEqual(Array(4).fill("POST /v1/documents"));
    // One connection for all of them, and none once there is nothing to wait for.
    expect(requests.filter((each) => each.startsWith("WEBSOCKET")).length).toBeLessThanOrEqual(4);
    await expectAccessible(page);
    expect(foreign).toEqual([]);
    expect(complaints).toEqual([]);

    await hand(page, "drop", [["the same again.md", "# Gates\n\nA lock has two gates."]]);
    await rowOf(page, "the same again.md").getByText("Was there already").waitFor();
  });

  test("what can't be read says why and what to do, and goes when it is removed; all by keyboard", async () => {
    const { page } = await openPage("dark");
    await hand(page, "drop", [
      ["broken.pdf", "%PDF-1.7\nthis is no pdf", "application/pdf"],
      ["unknown.bin", "\u0000\u0001\u0002\u0003", "application/octet-stream"],
    ]);
    await rowOf(page, "broken.pdf").getByText("Failed").waitFor();
    expect(await rowOf(page, "broken.pdf").textContent()).toMatch(/save it again and choose that copy/);
    await rowOf(page, "unknown.bin").getByText("Failed").waitFor();
    expect(await rowOf(page, "unknown.bin").textContent()).toMatch(
      /Save it as PDF, DOCX, HTML or plain text/,
    );
    const heard = await page.locator("#heard li").allTextContents();
    expect(heard.filter((line) => line.startsWith("sluice-failed"))).toHaveLength(2);
    await expectAccessible(page);

    await page.getByRole("button", { name: "Choose files" }).focus();
    // The same bytes would fail the same way, so there is nothing to try again.
    expect(await page.getByRole("button", { name: /^Try/ }).count()).toBe(0);
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    const rows = page.getByRole("list", { name: "Files" }).getByRole("listitem");
    await expect.poll(() => rows.count()).toBe(1);
    expect(await rows.textContent()).toContain("unknown.bin");
    // The focus is not lost with the row.
    const focused = () =>
      page.evaluate(() => {
        const { document } = globalThis as unknown as {
          document: { activeElement: { shadowRoot: { activeElement: { textContent: string } } } };
        };
        return document.activeElement.shadowRoot.activeElement.textContent;
      });
    expect(await focused()).toBe("Choose files");
  });

  test("a large file goes on where it was after the page was loaded anew", async () => {
    const tus = await startTusServer();
    const folder = mkdtempSync(join(tmpdir(), "sluice-element-"));
    endings.push(async () => rmSync(folder, { recursive: true }));
    const size = 40 * 1024 * 1024;
    writeFileSync(join(folder, "large.bin"), randomBytes(size));
    const { page } = await openPage("light", await startExample({ SLUICE_URL: tus.url }));
    const choose = () => page.locator("input[type=file]").setInputFiles(join(folder, "large.bin"));
    // The line is cut in the midst of a piece, and then there is nobody: what came by then is there.
    tus.breaks = ({ offset }) => {
      if (offset < 20 * 1024 * 1024) return false;
      tus.refuses = { status: 503 };
      return true;
    };
    await choose();
    await rowOf(page, "large.bin").getByText("Trying again").waitFor();
    const { offset } = tus.uploads.get("upl_1") as StoredUpload;
    await page.reload();
    tus.breaks = () => false;
    tus.refuses = undefined;
    await choose();
    await page.getByText("sluice-accepted: doc_1").waitFor();
    expect(offset).toBeGreaterThan(0);
    expect(tus.uploads.size).toBe(1);
    // Nothing that had arrived went again.
    expect(tus.received).toBe(size);
    expect(
      await page.evaluate(() => (globalThis as unknown as { localStorage: unknown[] }).localStorage.length),
    ).toBe(0);
  });

  test("accept and multiple hold for dropped files too", async () => {
    const { page } = await openPage();
    await page.locator("sluice-upload").evaluate((element) => {
      const it = element as unknown as {
        setAttribute(name: string, value: string): void;
        removeAttribute(name: string): void;
      };
      it.setAttribute("accept", ".md, image/*");
      it.removeAttribute("multiple");
    });
    await page.getByRole("button", { name: "Choose a file" }).waitFor();
    await hand(page, "drop", [
      ["plain.txt", "text"],
      ["never.txt", "looked at"],
    ]);
    await rowOf(page, "plain.txt").getByText("Failed").waitFor();
    expect(await page.locator("#heard li").allTextContents()).toEqual([
      "sluice-failed: plain.txt plain.txt is not of a kind that is taken here.",
    ]);
    expect(await rowOf(page, "never.txt").count()).toBe(0);
  });
});

/** `sluice mcp` as a language model's host uses it: by the official client, against the real processes. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { run } from "../cli/run.ts";
import { freePort, type Running, root, startSluice } from "../e2e/processes.ts";

const main = join(root, "src/cli/main.ts");
let sluice: Running;
let endings: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  sluice = await startSluice();
});
afterAll(() => sluice?.stop());
afterEach(async () => {
  for (const end of endings.toReversed()) await end();
  endings = [];
});

async function overStdio(env: NodeJS.ProcessEnv = sluice.env): Promise<Client> {
  const client = new Client({ name: "test", version: "1" });
  const given = Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined);
  await client.connect(
    new StdioClientTransport({
      command: process.execPath,
      args: [main, "mcp"],
      env: Object.fromEntries(given),
    }),
  );
  endings.push(() => client.close());
  return client;
}

/** Starts `sluice mcp --port`. @returns its address */
async function startHttp(env: NodeJS.ProcessEnv): Promise<string> {
  const port = await freePort();
  const child = spawn(process.execPath, [main, "mcp", "--port", String(port)], {
    env,
    stdio: ["ignore", "ignore", "pipe"],
  });
  endings.push(async () => {
    if (child.exitCode !== null) return;
    const ended = once(child, "exit");
    child.kill();
    await ended;
  });
  await once(child.stderr, "data");
  return `http://127.0.0.1:${port}/mcp`;
}

async function overHttp(address: string, key?: string): Promise<Client> {
  const client = new Client({ name: "test", version: "1" });
  const headers: Record<string, string> = key === undefined ? {} : { authorization: `Bearer ${key}` };
  await client.connect(new StreamableHTTPClientTransport(new URL(address), { requestInit: { headers } }));
  endings.push(() => client.close());
  return client;
}

function textOf(result: { content?: unknown }): string {
  return (result.content as { text: string }[]).map(({ text }) => text).join("\n");
}

describe("sluice mcp", () => {
  test("on standard input and output: adds a document, finds it, reads around the passage", async () => {
    const client = await overStdio();
    expect((await client.listTools()).tools.map(({ name }) => name).sort()).toEqual([
      "add_document",
      "fetch_passage",
      "get_document",
      "list_documents",
      "search",
    ]);
    const text = "# Tides\n\nSpring tides follow the new moon.\n\n## Neaps\n\nNeap tides are the weakest.";
    const added = await client.callTool({ name: "add_document", arguments: { filename: "tides.md", text } });
    expect(added.isError ?? false).toBe(false);
    const { document_id, document } = added.structuredContent as {
      document_id: string;
      document: { status: string };
    };
    expect(document.status).toBe("completed");

    const found = await client.callTool({ name: "search", arguments: { query: "weakest tides", top_k: 1 } });
    const { hits } = found.structuredContent as { hits: { document_id: string; char_start: number }[] };
    expect(hits[0]?.document_id).toBe(document_id);
    expect(textOf(found)).toContain("tides.md · Tides");

    const passage = await client.callTool({
      name: "fetch_passage",
      arguments: { document_id, char_start: text.indexOf("Neap tides"), char_end: text.length, around: 0 },
    });
    expect((passage.structuredContent as { text: string }).text).toBe("Neap tides are the weakest.");

    const listed = await client.callTool({ name: "list_documents", arguments: {} });
    expect(textOf(listed)).toContain(`tides.md (${document_id}): completed`);
    const resource = await client.readResource({ uri: `sluice://documents/${document_id}` });
    expect(resource.contents[0]).toMatchObject({ text });
  });

  test("a file as base64, and one that can't be read: the model is told why", async () => {
    const client = await overStdio();
    const base64 = Buffer.from("Kelp grows in cold water.").toString("base64");
    const added = await client.callTool({
      name: "add_document",
      arguments: { filename: "kelp.txt", base64 },
    });
    expect(textOf(added)).toContain("kelp.txt");
    expect(textOf(added)).toContain("completed");
    const damaged = await client.callTool({
      name: "add_document",
      arguments: { filename: "damaged.pdf", text: "%PDF-1.7\nnothing of what has to follow" },
    });
    expect(damaged.isError).toBe(true);
    expect(textOf(damaged)).toContain("damaged.pdf is no readable PDF");
    const missing = await client.callTool({
      name: "get_document",
      arguments: { document_id: "doc_00000000000000000000000000000000" },
    });
    expect(missing.isError).toBe(true);
    expect(textOf(missing)).toContain("There is no document");
  });

  test("over HTTP each request has its own key, and sees that key's tenant alone", async () => {
    const guarded = await startSluice();
    endings.push(() => guarded.stop());
    const keyOf = async (tenant: string) => {
      const made = await run(guarded.env, ["--json", "keys", "create", "--tenant", tenant]);
      return made.json<{ key: string }>()[0]?.key as string;
    };
    const [one, two] = [await keyOf("one"), await keyOf("two")];
    // The server looks for keys once a second.
    await expect.poll(async () => (await fetch(`${guarded.url}/v1/documents`)).status).toBe(401);

    const address = await startHttp(guarded.env);
    const first = await overHttp(address, one);
    const text = "The harbour master keeps the keys.";
    const added = await first.callTool({
      name: "add_document",
      arguments: { filename: "harbour.txt", text },
    });
    expect(textOf(added)).toContain("completed");
    expect(textOf(await first.callTool({ name: "list_documents", arguments: {} }))).toContain("harbour.txt");

    const second = await overHttp(address, two);
    expect(textOf(await second.callTool({ name: "list_documents", arguments: {} }))).toBe("No documents.");
    const { document_id } = added.structuredContent as { document_id: string };
    const foreign = await second.callTool({ name: "fetch_passage", arguments: { document_id } });
    expect(foreign.isError).toBe(true);

    const none = await overHttp(address);
    const refused = await none.callTool({ name: "search", arguments: { query: "harbour" } });
    expect(refused.isError).toBe(true);
    expect(textOf(refused)).toContain("API key");
  });

  test("a web page of another origin gets nothing, by whatever name it calls this machine", async () => {
    const address = await startHttp(sluice.env);
    const init = { method: "POST", body: "{}", headers: { "content-type": "application/json" } };
    const foreign = { ...init.headers, origin: "https://evil.example" };
    expect((await fetch(address, { ...init, headers: foreign })).status).toBe(403);
  });
});

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { ApiError, createClient, type Trouble, type UploadProgress } from "../../src/client/index.ts";
import { startServer } from "../server/harness.ts";
import { openGate } from "./gate.ts";

const text = (words: string) => new TextEncoder().encode(words);

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), "sluice-client-"));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

describe("upload, by one request", () => {
  test("bytes, blobs, files and paths, with what goes with them", async () => {
    const server = await startServer();
    const sluice = createClient({ url: `${server.url}/` });
    const path = join(folder(), "from disk – ä.txt");
    writeFileSync(path, "from the disk");
    const metadata = { author: "Ä", year: 1999 };
    const accepted = [
      await sluice.upload(text("bytes"), {
        filename: "bytes.txt",
        collection: "here",
        metadata,
        priority: 3,
      }),
      await sluice.upload(new Blob(["a blob"], { type: "text/plain" }), { filename: "blob.txt" }),
      await sluice.upload(new File(["a file"], "file.txt")),
      await sluice.upload(path),
    ];
    const documents = await Promise.all(accepted.map(({ document_id }) => sluice.getDocument(document_id)));
    expect(documents.map(({ filename, collection }) => [filename, collection])).toEqual([
      ["bytes.txt", "here"],
      ["blob.txt", "default"],
      ["file.txt", "default"],
      ["from disk – ä.txt", "default"],
    ]);
    expect(documents[0]?.metadata).toEqual(metadata);
    const first = accepted[0]?.document_id as string;
    const again = await sluice.upload(text("other bytes"), { filename: "bytes.txt", document_id: first });
    expect(again).toMatchObject({ document_id: first, version: 2 });
  });

  test("a large file gets in too where the server takes no pieces", async () => {
    const server = await startServer({ max_upload_bytes: 16 * 1024 * 1024 });
    const sluice = createClient({ url: server.url });
    const large = text(`${"A line of a long log.\n".repeat(400_000)}`);
    expect(large.byteLength).toBeGreaterThan(8 * 1024 * 1024);
    const accepted = await sluice.upload(large, { filename: "long.log" });
    expect(await sluice.getDocument(accepted.document_id)).toMatchObject({ size_bytes: large.byteLength });
    // Where there is no such document, neither way takes the file.
    const refused = sluice.upload(large, { filename: "long.log", document_id: "doc_none" });
    await expect(refused).rejects.toMatchObject({ code: "not_found", status: 404 });
  });

  test("lost answers, a busy server and a proxy without one make one document", async () => {
    const server = await startServer();
    const gate = await openGate(server.url);
    const treatments = ["busy", "refuse", "lose", "lose"] as const;
    gate.treat = () => treatments[gate.seen.length - 1] ?? "pass";
    const troubles: Trouble[] = [];
    const progress: UploadProgress[] = [];
    const accepted = await createClient({ url: gate.url }).upload(text("once"), {
      filename: "once.txt",
      onTrouble: (trouble) => troubles.push(trouble),
      onProgress: (told) => progress.push(told),
    });
    expect(gate.seen).toHaveLength(5);
    expect(troubles.map(({ error }) => error.status)).toEqual([429, 502, 0, 0]);
    expect(troubles[0]?.retry_in_ms).toBeGreaterThanOrEqual(1_000);
    expect(progress.at(-1)).toEqual({ sent: 4, total: 4, resumed_at: null });
    const { documents } = await createClient({ url: server.url }).listDocuments();
    expect(documents.map(({ document_id }) => document_id)).toEqual([accepted.document_id]);
  });

  test("what is refused for good is told at once, with what the server said", async () => {
    const server = await startServer({ max_upload_bytes: 100 });
    const sluice = createClient({ url: server.url });
    const onTrouble = () => expect.unreachable();
    await expect(sluice.upload(text("x".repeat(101)), { onTrouble })).rejects.toMatchObject({
      name: "ApiError",
      status: 413,
      code: "payload_too_large",
      retryable: false,
      message: expect.stringContaining("100"),
      request_id: expect.stringMatching(/./),
    });
    await expect(sluice.upload(text("x"), { priority: 1_000, onTrouble })).rejects.toMatchObject({
      code: "invalid_request",
      errors: [{ in: "querystring", field: "priority" }],
    });
    await expect(sluice.upload(join(folder(), "nothing.txt"))).rejects.toThrow("ENOENT");
  });

  test("a file that changed since it was chosen is no endless try", async () => {
    const server = await startServer();
    const gate = await openGate(server.url);
    const path = join(folder(), "changing.txt");
    writeFileSync(path, "as it was");
    gate.treat = () => {
      writeFileSync(path, "and as it is now");
      return "refuse";
    };
    await expect(createClient({ url: gate.url }).upload(path)).rejects.toMatchObject({
      code: "source_unreadable",
      retryable: false,
    });
  });

  test("the signal ends an upload, also between two tries", async () => {
    const server = await startServer();
    const gate = await openGate(server.url);
    gate.treat = () => "refuse";
    const stop = new AbortController();
    const reason = new Error("no more");
    const upload = createClient({ url: gate.url }).upload(text("a"), {
      signal: stop.signal,
      onTrouble: () => stop.abort(reason),
    });
    await expect(upload).rejects.toBe(reason);
    expect(gate.seen).toHaveLength(1);
  });
});

describe("requests", () => {
  test("speak with the key of the moment, for the tenant asked for, by the fetch given", async () => {
    const server = await startServer();
    const { authorization } = await server.addKey("acme");
    let key: string | undefined;
    const asked: (string | null)[] = [];
    const sluice = createClient({
      url: server.url,
      key: () => key,
      tenant_id: "acme",
      fetch: (input, init) => {
        asked.push(new Headers(init?.headers).get("sluice-tenant"));
        return fetch(input, init);
      },
    });
    await expect(sluice.listDocuments()).rejects.toMatchObject({ status: 401, code: "unauthorized" });
    key = authorization.slice("Bearer ".length);
    const { document_id } = await sluice.upload(text("of acme"));
    expect((await sluice.getDocument(document_id)).tenant_id).toBe("acme");
    expect(asked).toEqual(["acme", "acme", "acme"]);
  });

  test("say so when nobody answers, or somebody else does", async () => {
    const server = await startServer();
    const gate = await openGate(server.url);
    gate.treat = () => "refuse";
    await expect(createClient({ url: gate.url }).listJobs()).rejects.toMatchObject({
      code: "not_sluice",
      status: 502,
      retryable: true,
    });
    const { url } = gate;
    await expect(createClient({ url: url.replace(/\d+$/, "1") }).listJobs()).rejects.toSatisfy(
      (error) => error instanceof ApiError && error.code === "unreachable" && error.status === 0,
    );
    expect(() => createClient()).toThrow(TypeError);
  });
});

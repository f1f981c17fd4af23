import { describe, expect, test } from "vitest";
import { ApiError, createClient } from "../../src/client/index.ts";
import { startServer } from "../server/harness.ts";

describe("waitUntilSearchable", () => {
  test("answers with the document when it can be found, also when it could before", async () => {
    const server = await startServer();
    const sluice = createClient({ url: server.url });
    const { document_id } = await server.upload("locks and gates");
    const waiting = sluice.waitUntilSearchable(document_id);
    await expect.poll(() => server.app.websocketServer.clients.size).toBe(1);
    await server.complete(document_id, "locks and gates");
    expect(await waiting).toMatchObject({ document_id, status: "completed", searchable_version: 1 });
    expect(await sluice.waitUntilSearchable(document_id)).toMatchObject({ status: "completed" });
    const { hits } = await sluice.search({ query: "gates" });
    expect(hits.map((hit) => hit.document_id)).toEqual([document_id]);
    await expect.poll(() => server.app.websocketServer.clients.size).toBe(0);
  });

  test("throws the document's own error when it fails", async () => {
    const server = await startServer();
    const { document_id } = await server.upload("broken");
    const waiting = createClient({ url: server.url }).waitUntilSearchable(document_id);
    const outcome = waiting.catch((error: unknown) => error);
    await server.start(document_id);
    const error = { code: "malformed_document", message: "a.txt is damaged", retryable: false } as const;
    await server.kill(document_id, error);
    expect(await outcome).toBeInstanceOf(ApiError);
    expect(await outcome).toMatchObject(error);
  });

  test("throws when it is cancelled, deleted, unknown, or the signal fires", async () => {
    const server = await startServer();
    const sluice = createClient({ url: server.url });
    const [cancelled, deleted, left] = await Promise.all(["a", "b", "c"].map((text) => server.upload(text)));
    const codeOf = (document_id: string) =>
      sluice.waitUntilSearchable(document_id).catch(({ code }: ApiError) => code);
    const codes = [cancelled, deleted].map((accepted) => codeOf(accepted?.document_id as string));
    await expect.poll(() => server.app.websocketServer.clients.size).toBe(2);
    await sluice.cancelJob(cancelled?.job_id as string);
    await sluice.deleteDocument(deleted?.document_id as string);
    expect(await Promise.all(codes)).toEqual(["already_ended", "not_found"]);
    expect(await codeOf("doc_none")).toBe("not_found");

    const stop = new AbortController();
    const waiting = sluice.waitUntilSearchable(left?.document_id as string, { signal: stop.signal });
    await expect.poll(() => server.app.websocketServer.clients.size).toBe(1);
    const reason = new Error("enough");
    stop.abort(reason);
    await expect(waiting).rejects.toBe(reason);
  });
});

import { expect, test } from "vitest";
import type { ReindexStatus } from "../../../src/reindex/reindex.ts";
import { startServer } from "../harness.ts";

const path = "/v1/reindex";

test("tells which embedder the index is of, begins a reindex and gives it up", async () => {
  const server = await startServer();
  const status = async (method: string) => {
    const answer = await server.request(path, { method });
    expect(answer.status).toBe(method === "POST" ? 202 : 200);
    return answer.json<ReindexStatus>();
  };
  const none = { target: null, began_at: null, documents: 0, done: 0, failed: 0 };
  const empty = { ...none, state: "current", configured: "test@1", serving: null };
  expect(await status("GET")).toEqual(empty);
  // Nothing to do.
  expect(await status("POST")).toEqual(empty);

  const { document_id } = await server.upload("quartz");
  await server.complete(document_id, "quartz");
  const version = { document_id, version: 1, embedder_id: "older@1" };
  await server.documents.commit([{ tenant_id: "default", indexed: version }]);
  const due = { ...none, state: "due", configured: "test@1", serving: "older@1", documents: 1 };
  expect(await status("GET")).toEqual(due);
  const begun = await status("POST");
  expect(begun).toMatchObject({ state: "running", target: "test@1", documents: 1, done: 0 });
  expect(await status("POST")).toEqual(begun);
  expect(await status("DELETE")).toEqual(due);
  expect(await status("DELETE")).toEqual(due);
});

test("is for operators: another key speaks for one tenant", async () => {
  const server = await startServer();
  const key = await server.addKey("acme");
  for (const method of ["GET", "POST", "DELETE"]) {
    expect((await server.request(path, { method })).status).toBe(401);
    const refused = await server.request(path, { method, headers: key });
    expect(refused.status).toBe(403);
    expect(refused.problem()).toMatchObject({
      code: "forbidden",
      detail: expect.stringContaining("sluice reindex"),
    });
  }
  const operator = await server.addKey("acme", { operator: true });
  for (const method of ["GET", "POST", "DELETE"]) {
    expect((await server.request(path, { method, headers: operator })).status).toBe(
      method === "POST" ? 202 : 200,
    );
  }
});

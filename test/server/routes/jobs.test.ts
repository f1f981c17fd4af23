import { describe, expect, test } from "vitest";
import type { Job } from "../../../src/job.ts";
import { startServer } from "../harness.ts";

const malformed = { code: "malformed_document", message: "page 3 is damaged", retryable: false } as const;

describe("/v1/jobs", () => {
  test("lists by pages, newest first, and the dead ones by state", async () => {
    const server = await startServer();
    const ids: string[] = [];
    for (let i = 0; i < 3; i++) ids.unshift((await server.upload(`n${i}`)).job_id);
    const page = async (query: string) => {
      const { jobs, next_cursor } = (await server.request(`/v1/jobs?${query}`)).json<{
        jobs: Job[];
        next_cursor: string | null;
      }>();
      return { ids: jobs.map(({ job_id }) => job_id), next_cursor };
    };
    const first = await page("limit=2");
    expect(first.ids).toEqual(ids.slice(0, 2));
    expect(await page(`limit=2&cursor=${first.next_cursor}`)).toEqual({
      ids: ids.slice(2),
      next_cursor: null,
    });
    const job = (await server.request(`/v1/jobs/${ids[1]}`)).json<Job>();
    await server.start(String(job.payload.document_id));
    await server.kill(String(job.payload.document_id), malformed);
    expect((await page("state=dead")).ids).toEqual([ids[1]]);
    const dead = (await server.request(`/v1/jobs/${ids[1]}`)).json<Job>();
    expect(dead).toMatchObject({ state: "dead", error: malformed, attempts: 1 });
    expect((await server.request("/v1/jobs?state=lost")).status).toBe(400);
    expect((await server.request("/v1/jobs?cursor=***")).status).toBe(400);
  });

  test("cancel ends a job once", async () => {
    const server = await startServer();
    const { job_id, document_id } = await server.upload("x");
    const cancel = () => server.request(`/v1/jobs/${job_id}/cancel`, { method: "POST" });
    const answer = await cancel();
    expect(answer.status).toBe(200);
    expect(answer.json<Job>().state).toBe("cancelled");
    expect((await server.documents.getDocument("default", document_id))?.status).toBe("cancelled");
    const again = await cancel();
    expect(again.status).toBe(409);
    expect(again.problem()).toMatchObject({ code: "already_ended", retryable: false });
  });

  test("retry runs a dead job again under its id", async () => {
    const server = await startServer();
    const { job_id, document_id } = await server.upload("x");
    const retry = () => server.request(`/v1/jobs/${job_id}/retry`, { method: "POST" });
    expect((await retry()).problem().code).toBe("not_dead");
    await server.start(document_id);
    await server.kill(document_id, malformed);
    const answer = await retry();
    expect(answer.status).toBe(202);
    expect(answer.json<Job>()).toMatchObject({ job_id, state: "queued", error: null });
    expect((await server.documents.getDocument("default", document_id))?.status).toBe("pending");
  });

  test("dead letters are listed and retried by their error, or all of them", async () => {
    const server = await startServer();
    const ids: string[] = [];
    for (const text of ["a", "b", "c"]) {
      const { job_id, document_id } = await server.upload(text);
      await server.start(document_id);
      await server.kill(document_id, text === "a" ? { ...malformed, code: "empty_document" } : malformed);
      ids.push(job_id);
    }
    const list = async (query: string) =>
      (await server.request(`/v1/jobs?${query}`)).json<{ jobs: Job[] }>().jobs.map(({ job_id }) => job_id);
    expect(await list("state=dead&error_code=empty_document")).toEqual([ids[0]]);
    expect((await server.request("/v1/jobs?error_code=nonsense")).status).toBe(400);
    const retry = (body: object) =>
      server.request("/v1/jobs/retry", {
        method: "POST",
        body: JSON.stringify(body),
        headers: { "content-type": "application/json" },
      });
    const some = await retry({ error_code: "malformed_document", limit: 1 });
    expect(some.status).toBe(202);
    const { next_cursor, ...counts } = some.json<{ next_cursor: string }>();
    expect(counts).toEqual({ retried: 1, skipped: 0 });
    const rest = await retry({ error_code: "malformed_document", cursor: next_cursor });
    expect(rest.json()).toEqual({ retried: 1, skipped: 0, next_cursor: null });
    expect(await list("state=dead")).toEqual([ids[0]]);
    expect((await retry({})).json()).toEqual({ retried: 1, skipped: 0, next_cursor: null });
    expect(await list("state=dead")).toEqual([]);
  });

  test("a dead job that is not its document's latest can't be retried", async () => {
    const server = await startServer();
    const { job_id, document_id } = await server.upload("x");
    await server.start(document_id);
    await server.kill(document_id, malformed);
    await server.request(`/v1/documents/${document_id}/reingest`, { method: "POST" });
    const answer = await server.request(`/v1/jobs/${job_id}/retry`, { method: "POST" });
    expect(answer.status).toBe(409);
    expect(answer.problem().code).toBe("superseded");
  });

  test("of no job: 404", async () => {
    const server = await startServer();
    expect((await server.request("/v1/jobs/job_none")).status).toBe(404);
    expect((await server.request("/v1/jobs/job_none/cancel", { method: "POST" })).status).toBe(404);
    expect((await server.request("/v1/jobs/job_none/retry", { method: "POST" })).status).toBe(404);
  });
});

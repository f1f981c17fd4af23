/** Backpressure and fairness, through the front door of real processes. */
import { request as send } from "node:http";
import { expect, test } from "vitest";
import type { Job } from "../../src/job.ts";
import { createClient } from "./client.ts";
import { startEmbeddingServer } from "./embedding-server.ts";
import { type StartOptions, startSluice } from "./processes.ts";

async function withSluice(options: StartOptions, use: (url: string) => Promise<void>): Promise<void> {
  const running = await startSluice(options);
  try {
    await use(running.url);
  } finally {
    await running.stop();
  }
}

/** Announces a large body, and waits to be asked for it before sending any. */
function announce(
  url: string,
): Promise<{ status: number; asked: boolean; retry_after: string | undefined; body: string }> {
  return new Promise((resolve, reject) => {
    let asked = false;
    const request = send(`${url}/v1/documents?filename=a.txt`, {
      method: "POST",
      headers: { expect: "100-continue", "content-length": 100_000_000, "content-type": "text/plain" },
    });
    request.on("continue", () => {
      asked = true;
    });
    request.on("error", reject);
    request.on("response", (response) => {
      let body = "";
      response.setEncoding("utf8").on("data", (part) => {
        body += part;
      });
      response.on("end", () => {
        request.destroy();
        const { "retry-after": retry_after } = response.headers;
        resolve({ status: response.statusCode as number, asked, retry_after, body });
      });
    });
    request.flushHeaders();
  });
}

test("beyond a tenant's share of the queue, uploads are refused before their bodies, and taken again later", async () => {
  const env = { SLUICE_MAX_QUEUED_PER_TENANT: "2" };
  await withSluice({ command: "api", env }, async (url) => {
    const client = createClient(url);
    const accepted: string[] = [];
    for (let count = 0; accepted.length < 2; count++) {
      const { status, body } = await client.upload(`${count}.txt`, `text ${count}`);
      expect(status).toBe(202);
      accepted.push(body.job_id);
    }
    await expect.poll(async () => (await client.upload("more.txt", "more")).status).toBe(429);
    const refused = await announce(url);
    expect(refused).toMatchObject({ status: 429, asked: false, retry_after: "5" });
    expect(JSON.parse(refused.body)).toMatchObject({ code: "queue_full", retryable: true });
    // Reading goes on, and nothing of the refused ones is there.
    expect((await client.call<{ jobs: Job[] }>("GET", "/v1/jobs")).body.jobs.length).toBeLessThanOrEqual(3);
    await client.call("POST", `/v1/jobs/${accepted[0]}/cancel`);
    await client.call("POST", `/v1/jobs/${accepted[1]}/cancel`);
    await expect.poll(async () => (await client.upload("late.txt", "late")).status).toBe(202);
  });
});

test("with too little disk left, uploads are refused with 503", async () => {
  await withSluice({ command: "api", env: { SLUICE_MIN_FREE_BYTES: String(2 ** 50) } }, async (url) => {
    const refused = await announce(url);
    expect(refused).toMatchObject({ status: 503, asked: false, retry_after: "10" });
    expect(JSON.parse(refused.body)).toMatchObject({ code: "storage_full" });
  });
});

test("a tenant with a long queue runs no more than its share; another's document starts at once", async () => {
  const embedding = await startEmbeddingServer(8);
  try {
    const env = { ...embedding.env, SLUICE_MAX_RUNNING_PER_TENANT: "1", SLUICE_WORKERS: "2" };
    await withSluice({ env }, async (url) => {
      const client = createClient(url);
      const uploads = await Promise.all(
        Array.from({ length: 10 }, (_, count) => client.upload(`${count}.txt`, `Text number ${count}.`)),
      );
      let most = 0;
      for (const { body } of uploads) {
        const running = await client.call<{ jobs: Job[] }>("GET", "/v1/jobs?state=running");
        most = Math.max(most, running.body.jobs.length);
        expect(await client.ended(body.document_id, body.job_id)).toMatchObject({ status: "completed" });
      }
      expect(most).toBeLessThanOrEqual(1);
    });
  } finally {
    await embedding.close();
  }
});

import { describe, expect, test } from "vitest";
import { unit } from "../../../contracts/samples.ts";
import { flip, publish, stageVersion, upload } from "../../../contracts/storage.ts";
import { openBench, passages } from "./setup.ts";

const t1 = { tenant_id: "t1" };

describe("what fails in between", () => {
  test("a version whose upserts partly failed shows nothing, and is completed by the retry", async () => {
    const h = await openBench({ max_retries: 0 });
    const record = await upload(h);
    h.server.failNext({ path: "/vectors/upsert", after: 2, times: 2 });
    await expect(stageVersion(h, record, passages(2_000))).rejects.toMatchObject({
      code: "index_unavailable",
      retryable: true,
    });
    const stored = h.server.records("t1").length;
    expect(stored).toBeGreaterThan(0);
    expect(stored).toBeLessThan(2_000);
    expect(await h.index.nearest(t1, unit(1), 10)).toEqual([]);
    await stageVersion(h, record, passages(2_000));
    await flip(h, record);
    const hits = await h.index.nearest(t1, unit(1), 3_000);
    expect(new Set(hits.map((hit) => hit.chunk_id)).size).toBe(2_000);
    expect(hits).toHaveLength(2_000);
  });

  test("an upsert whose answer got lost is repeated, and doubles nothing", async () => {
    const h = await openBench();
    h.server.failNext({ path: "/vectors/upsert", status: 0, applied: true });
    await publish(h, passages(3));
    expect(h.server.requests.filter(({ path }) => path === "/vectors/upsert")).toHaveLength(2);
    expect(await h.index.nearest(t1, unit(1), 10)).toHaveLength(3);
  });

  test("429 with a short Retry-After is waited for, inside the call", async () => {
    const h = await openBench();
    h.server.failNext({ path: "/vectors/upsert", status: 429, retry_after: "2", times: 2 });
    await publish(h, passages(1));
    expect(h.waits.slice(0, 2)).toEqual([2_000, 2_000]);
    expect(await h.index.nearest(t1, unit(1), 10)).toHaveLength(1);
  });

  test("429 with a long Retry-After goes to the job's retry at once, with that time", async () => {
    const h = await openBench();
    const record = await upload(h);
    h.server.failNext({ path: "/vectors/upsert", status: 429, retry_after: "60" });
    await expect(stageVersion(h, record, passages(1))).rejects.toMatchObject({
      name: "SluiceError",
      code: "index_rate_limited",
      retryable: true,
      retry_after_ms: 60_000,
    });
    expect(h.waits).toEqual([]);
    expect(h.server.requests).toEqual([]);
  });

  test("429 without a time: a few tries, then the error names one", async () => {
    const h = await openBench({ max_retries: 2 });
    h.server.failNext({ status: 429, times: 100 });
    const failed = expect(h.index.nearest(t1, unit(1), 1)).rejects;
    await failed.toMatchObject({ code: "index_rate_limited", retry_after_ms: 5_000 });
    await expect(h.index.nearest(t1, unit(1), 1)).rejects.toThrow(/429.*tried 3 times/);
    expect(h.waits).toHaveLength(4);
  });

  test("what Pinecone refuses is not tried again, and no message tells the key", async () => {
    const h = await openBench();
    const other = h.withOptions({ api_key: "secret-key-1" });
    const error = await other.index.nearest(t1, unit(1), 1).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "index_rejected", retryable: false });
    expect(String(error)).toContain("answered 401: Unauthorized");
    expect(String(error)).not.toContain("secret-key-1");
    expect(h.waits).toEqual([]);
  });

  test("a service that answers nothing is given up after the time that was set", async () => {
    const h = await openBench();
    let called = 0;
    const silent = h.withOptions({
      timeout_ms: 30,
      max_retries: 1,
      fetch: (_, init) => {
        called += 1;
        return new Promise((_, reject) => {
          init?.signal?.addEventListener("abort", () => reject(init.signal?.reason), { once: true });
        });
      },
    });
    await expect(silent.index.nearest(t1, unit(1), 1)).rejects.toThrow("did not answer within 30 ms");
    expect(called).toBe(2);
  });

  test("close ends what is under way, and what comes after", async () => {
    const h = await openBench();
    let started = () => {};
    const begun = new Promise<void>((resolve) => {
      started = resolve;
    });
    const stuck = h.withOptions({
      fetch: (_, init) => {
        started();
        return new Promise((_, reject) => {
          init?.signal?.addEventListener("abort", () => reject(init.signal?.reason), { once: true });
        });
      },
    });
    const search = expect(stuck.index.nearest(t1, unit(1), 1)).rejects.toThrow("was closed");
    await begun;
    await stuck.close();
    await search;
    await expect(stuck.index.nearest(t1, unit(1), 1)).rejects.toThrow("was closed");
  });
});

describe("eventual consistency", () => {
  test("stage resolves when queries see what it wrote", async () => {
    const h = await openBench({}, { visible_after_ms: Number.POSITIVE_INFINITY });
    const record = await upload(h);
    let staged = false;
    const looks = () => h.server.requests.filter(({ path }) => path === "/query").length;
    const staging = stageVersion(h, record, passages(3)).then(() => {
      staged = true;
    });
    while (looks() < 5) await new Promise((resolve) => setImmediate(resolve));
    expect(staged).toBe(false);
    h.server.catchUp();
    await staging;
    await flip(h, record);
    expect(await h.index.nearest(t1, unit(1), 10)).toHaveLength(3);
  });

  test("when that takes too long, the words are found first, and the vectors as soon as they show", async () => {
    const h = await openBench({ visible_wait_ms: 0 });
    const record = await publish(h, passages(3));
    h.server.showAfter(Number.POSITIVE_INFINITY);
    await stageVersion(h, record, passages(2), 2);
    await flip(h, record, 2);
    // Never the old version, which is all that Pinecone shows.
    expect(await h.index.nearest(t1, unit(1), 10)).toEqual([]);
    expect(await h.index.matching(t1, "quartz", 10)).toHaveLength(2);
    h.server.catchUp();
    const hits = await h.index.nearest(t1, unit(1), 10);
    expect(hits.map((hit) => hit.version)).toEqual([2, 2]);
  });

  test("where Pinecone numbers no writes, nothing is waited for", async () => {
    const h = await openBench({
      fetch: async (...given) => {
        const answer = await fetch(...given);
        return new Response(await answer.text(), { status: answer.status });
      },
    });
    const record = await upload(h);
    h.asked();
    await stageVersion(h, record, passages(1));
    expect(h.asked()).toEqual(["/vectors/upsert"]);
  });
});

import { describe, expect, test } from "vitest";
import { createAdmission } from "../../src/intake/admission.ts";
import type { BlobStore } from "../../src/ports/blob-store.ts";
import { createClock } from "../support/clock.ts";
import { openRig, tenant_id } from "../support/rig.ts";

const roomy = {
  max_queued_per_tenant: 1_000,
  max_queued: 1_000,
  max_concurrent_uploads: 1_000,
  min_free_bytes: 0,
};

async function openAdmission(limits: Partial<typeof roomy>, freeBytes?: BlobStore["freeBytes"]) {
  const clock = createClock();
  const rig = await openRig({ storage: "memory", system: clock.system });
  const blobs = freeBytes === undefined ? rig.blobs : { ...rig.blobs, freeBytes };
  const parts = { system: clock.system, queue: rig.queue, blobs };
  return { rig, clock, admit: createAdmission(parts, { ...roomy, ...limits }) };
}

describe("an upload is refused before its body", () => {
  test("while its tenant has as many documents waiting as it may; others are let in", async () => {
    const { rig, clock, admit } = await openAdmission({ max_queued_per_tenant: 2 });
    for (const text of ["one", "two"]) {
      (await admit(tenant_id))();
      await rig.upload(text);
      clock.advance(1_000);
    }
    await expect(admit(tenant_id)).rejects.toMatchObject({
      code: "queue_full",
      retryable: true,
      retry_after_ms: 5_000,
    });
    (await admit("another"))();
    await rig.queue.claim("wrk_a", 1, 30_000);
    clock.advance(1_000);
    (await admit(tenant_id))();
  });

  test("while all tenants together have as many waiting as may be", async () => {
    const { rig, clock, admit } = await openAdmission({ max_queued: 1 });
    await rig.upload("one", { tenant_id: "t2" });
    await expect(admit(tenant_id)).rejects.toMatchObject({ code: "overloaded", retry_after_ms: 5_000 });
    await rig.queue.claim("wrk_a", 1, 30_000);
    clock.advance(1_000);
    (await admit(tenant_id))();
  });

  test("while as many are being received as may be; one that ends makes room at once", async () => {
    const { admit } = await openAdmission({ max_concurrent_uploads: 2 });
    const [first] = await Promise.all([admit(tenant_id), admit("t2")]);
    await expect(admit("t3")).rejects.toMatchObject({ code: "overloaded", retry_after_ms: 1_000 });
    first();
    (await admit("t3"))();
    (await admit("t3"))();
  });

  test("while it would leave less of the disk free than must stay free", async () => {
    let free = 1_000;
    const { clock, admit } = await openAdmission({ min_free_bytes: 500 }, async () => free);
    (await admit(tenant_id, 500))();
    await expect(admit(tenant_id, 501)).rejects.toMatchObject({ code: "storage_full", retryable: true });
    free = 400;
    clock.advance(1_000);
    await expect(admit(tenant_id)).rejects.toMatchObject({ code: "storage_full" });
    free = 1_000;
    clock.advance(1_000);
    (await admit(tenant_id))();
  });
});

test("one that was refused takes no place", async () => {
  const { rig, clock, admit } = await openAdmission({ max_concurrent_uploads: 1, max_queued: 1 });
  await rig.upload("one");
  for (let turn = 0; turn < 3; turn++)
    await expect(admit(tenant_id)).rejects.toMatchObject({ code: "overloaded" });
  await rig.queue.claim("wrk_a", 1, 30_000);
  clock.advance(1_000);
  (await admit(tenant_id))();
});

test("a burst asks the queue and the disk once", async () => {
  let asked = 0;
  const { admit } = await openAdmission({}, async () => {
    asked += 1;
    return Number.POSITIVE_INFINITY;
  });
  for (const leave of await Promise.all(Array.from({ length: 100 }, () => admit(tenant_id)))) leave();
  expect(asked).toBe(1);
});

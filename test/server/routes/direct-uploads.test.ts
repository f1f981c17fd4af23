import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { createMemoryBlobStore } from "../../../src/adapters/memory/blob-store.ts";
import type { BlobStore } from "../../../src/ports/blob-store.ts";
import type { AcceptedAnswer } from "../../../src/server/schemas.ts";
import { startServer, type TestServer } from "../harness.ts";

const sha256Of = (text: string) => createHash("sha256").update(text).digest("hex");

interface Offer {
  upload_id: string;
  url: string;
  confirm_url: string;
  expires_at: string;
}

/** A store in memory to which clients could send bytes; the S3 adapter's tests have a real one. */
function directStore({ knows_hashes = true } = {}) {
  const memory = createMemoryBlobStore();
  const asked = new Map<string, { size_bytes: number; sha256?: string }>();
  const stored = new Map<string, { size_bytes: number; sha256: string }>();
  const blobs: BlobStore = {
    ...memory,
    direct: {
      async presignPut(key, { size_bytes, sha256 }) {
        asked.set(key, { size_bytes, ...(sha256 === undefined ? {} : { sha256 }) });
        return { method: "PUT", url: `https://bucket.example/${key}`, headers: { "x-signed": "yes" } };
      },
      async stat(key) {
        const found = stored.get(key);
        if (!found) return undefined;
        return {
          modified_at: 1,
          size_bytes: found.size_bytes,
          ...(knows_hashes ? { sha256: found.sha256 } : {}),
        };
      },
    },
  };
  return {
    blobs,
    asked,
    async put(upload_id: string, text: string) {
      const key = `default/${upload_id}`;
      stored.set(
        key,
        await memory.put(
          key,
          (async function* () {
            yield Buffer.from(text);
          })(),
        ),
      );
    },
  };
}

const post = (server: TestServer, path: string, body: object, headers: Record<string, string> = {}) =>
  server.request(path, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  });

async function offered(server: TestServer, text: string, given: object = {}): Promise<Offer> {
  const answer = await post(server, "/v1/direct-uploads", { size_bytes: Buffer.byteLength(text), ...given });
  expect(answer.status, answer.text).toBe(201);
  return answer.json<Offer>();
}

describe("/v1/direct-uploads", () => {
  test.each([true, false])(
    "what was put and confirmed is a document like any other (the store hashes: %s)",
    async (knows_hashes) => {
      const store = directStore({ knows_hashes });
      const server = await startServer({ blobs: store.blobs });
      const text = "# Directly\n\nPast the server.";
      const offer = await offered(server, text, { sha256: sha256Of(text) });
      expect(store.asked.get(`default/${offer.upload_id}`)).toEqual({
        size_bytes: 28,
        sha256: sha256Of(text),
      });
      expect(Date.parse(offer.expires_at)).toBeGreaterThan(Date.now() + 3_500_000);
      expect((await server.request("/v1/documents")).json<{ documents: unknown[] }>().documents).toEqual([]);
      await store.put(offer.upload_id, text);
      const confirm = () =>
        post(server, offer.confirm_url, {
          filename: "dir/direct.md",
          metadata: { shelf: 3 },
          collection: "far",
        });
      const answer = await confirm();
      expect(answer.status, answer.text).toBe(202);
      const accepted = answer.json<AcceptedAnswer>();
      expect(accepted).toMatchObject({ status: "pending", version: 1, duplicate: false });
      expect(answer.headers.get("location")).toBe(accepted.status_url);
      expect(await server.documents.getDocument("default", accepted.document_id)).toMatchObject({
        filename: "direct.md",
        media_type: "text/markdown",
        size_bytes: 28,
        sha256: sha256Of(text),
        collection: "far",
        metadata: { shelf: 3 },
      });
      const again = await confirm();
      expect(again.json()).toEqual(accepted);
      expect(again.headers.get("idempotency-replayed")).toBe("true");
      const elsewhere = await post(server, offer.confirm_url, { filename: "direct.md", collection: "other" });
      expect(elsewhere.problem()).toMatchObject({ status: 422, code: "idempotency_key_reused" });
      expect((await server.request(`${accepted.status_url}/file`)).text).toBe(text);
    },
  );

  test("confirmed before the bytes are there, or by another tenant, it is incomplete", async () => {
    const store = directStore();
    const server = await startServer({ blobs: store.blobs });
    const [owner, other] = [await server.addKey("default"), await server.addKey("other")];
    const offer = (await post(server, "/v1/direct-uploads", { size_bytes: 4 }, owner)).json<Offer>();
    const early = await post(server, offer.confirm_url, {}, owner);
    expect(early.problem()).toMatchObject({ status: 409, code: "upload_incomplete", retryable: true });
    await store.put(offer.upload_id, "text");
    const stranger = await post(server, offer.confirm_url, {}, other);
    expect(stranger.problem().code).toBe("upload_incomplete");
    expect((await post(server, offer.confirm_url, {}, owner)).status).toBe(202);
    const invented = await post(server, "/v1/direct-uploads/..%2Fother%2Fblob/confirm", {}, owner);
    expect(invented.problem().code).toBe("upload_incomplete");
  });

  test("bytes that the collection has already are answered with the document that has them", async () => {
    const store = directStore();
    const server = await startServer({ blobs: store.blobs });
    const { document_id } = await server.upload("the same");
    const offer = await offered(server, "the same");
    await store.put(offer.upload_id, "the same");
    const answer = await post(server, offer.confirm_url, { filename: "b.txt" });
    expect(answer.json<AcceptedAnswer>()).toMatchObject({ document_id, duplicate: true });
  });

  test("what is refused keeps its bytes until the sweeper comes: it can be confirmed otherwise", async () => {
    const store = directStore();
    const server = await startServer({ blobs: store.blobs });
    const offer = await offered(server, "PK\u0003\u0004 no zip, no text \u0000");
    await store.put(offer.upload_id, "PK\u0003\u0004 no zip, no text \u0000");
    const refused = await post(server, offer.confirm_url, { filename: "a.bin" });
    expect(refused.problem().code).toBe("unsupported_media_type");
    await expect(store.blobs.get(`default/${offer.upload_id}`)).resolves.toBeDefined();
  });

  test("too large is refused when asked for, and again when more came", async () => {
    const store = directStore();
    const server = await startServer({ blobs: store.blobs, max_upload_bytes: 10 });
    const large = await post(server, "/v1/direct-uploads", { size_bytes: 11 });
    expect(large.problem()).toMatchObject({ status: 413, code: "payload_too_large" });
    const offer = await offered(server, "small");
    await store.put(offer.upload_id, "larger than it said");
    expect((await post(server, offer.confirm_url, {})).problem().code).toBe("payload_too_large");
    expect((await post(server, "/v1/direct-uploads", { size_bytes: 1, sha256: "abc" })).status).toBe(400);
  });

  test("a server with a folder says that it has none", async () => {
    const server = await startServer();
    const answer = await post(server, "/v1/direct-uploads", { size_bytes: 1 });
    expect(answer.problem()).toMatchObject({ status: 501, code: "direct_upload_unavailable" });
  });
});

/** The S3 blob store over a real server of that protocol (Versity S3 Gateway), which checks signatures, checksums and part sizes. */
import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import { HeadObjectCommand, ListMultipartUploadsCommand, S3Client } from "@aws-sdk/client-s3";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { describeBlobStore } from "../../../contracts/index.ts";
import { createS3BlobStore } from "../../../src/adapters/aws/s3-blob-store.ts";
import { checkS3 } from "../../../src/adapters/aws/s3-check.ts";
import type { ServiceCheck } from "../../../src/ports/service-check.ts";
import { type S3Server, startS3 } from "../../services/s3.ts";
import { startToxiproxy } from "../../services/toxiproxy.ts";

const MiB = 1024 * 1024;
let s3: S3Server;
let bucket: string;
let opened = 0;

beforeAll(async () => {
  s3 = await startS3();
  bucket = await s3.bucket("sluice");
});
afterAll(() => s3.stop());

function optionsOf() {
  opened += 1;
  const { endpoint, region, credentials } = s3;
  return { endpoint, region, credentials, bucket, prefix: `run-${opened}/`, force_path_style: true };
}

async function* bytesOf(size: number, piece = 100_000): AsyncGenerator<Uint8Array> {
  for (let sent = 0; sent < size; sent += piece) {
    yield Buffer.alloc(Math.min(piece, size - sent), (sent / piece) % 251);
  }
}

async function sha256Of(source: AsyncIterable<Uint8Array>): Promise<string> {
  const hash = createHash("sha256");
  for await (const bytes of source) hash.update(bytes);
  return hash.digest("hex");
}

describeBlobStore(
  "S3 (Versity S3 Gateway)",
  async () => {
    const options = optionsOf();
    const store = createS3BlobStore(options);
    return { store, reopen: async () => createS3BlobStore(options), close: () => store.close() };
  },
  { local_path: "objects lie in a bucket", keys_within_keys: "this server keeps objects as files" },
);

describe("large files", () => {
  test("go in parts whose checksums the server checked, and come back", async () => {
    const options = optionsOf();
    const store = createS3BlobStore({ ...options, part_bytes: 5 * MiB });
    const size = 23 * MiB + 17;
    const stored = await store.put("t1/blob_a", bytesOf(size));
    expect(stored).toEqual({ size_bytes: size, sha256: await sha256Of(bytesOf(size)) });
    expect(await sha256Of(await store.get("t1/blob_a"))).toBe(stored.sha256);
    const client = new S3Client({ ...options, forcePathStyle: true });
    const Key = `${options.prefix}t1/blob_a`;
    const head = { Bucket: bucket, Key, PartNumber: 1, ChecksumMode: "ENABLED" as const };
    const { PartsCount, ContentLength } = await client.send(new HeadObjectCommand(head));
    expect({ PartsCount, ContentLength }).toEqual({ PartsCount: 5, ContentLength: 5 * MiB });
    const whole = await client.send(new HeadObjectCommand({ Bucket: bucket, Key, ChecksumMode: "ENABLED" }));
    expect(whole.ChecksumCRC32).toBeDefined();
    client.destroy();
    await store.close();
  });

  test("exactly one part, and exactly two, are whole", async () => {
    const store = createS3BlobStore({ ...optionsOf(), part_bytes: 5 * MiB });
    for (const size of [5 * MiB - 1, 5 * MiB, 5 * MiB + 1, 10 * MiB]) {
      const stored = await store.put(`t1/blob_${size}`, bytesOf(size));
      expect(stored.size_bytes).toBe(size);
      expect(await sha256Of(await store.get(`t1/blob_${size}`))).toBe(stored.sha256);
    }
    await store.close();
  });

  test("a source that fails in its third part leaves no object and no parts", async () => {
    const options = optionsOf();
    const store = createS3BlobStore({ ...options, part_bytes: 5 * MiB });
    const error = new TypeError("the client went away");
    async function* broken() {
      yield* bytesOf(12 * MiB);
      throw error;
    }
    await expect(store.put("t1/blob_a", broken())).rejects.toBe(error);
    await expect(store.get("t1/blob_a")).rejects.toMatchObject({ code: "blob_missing" });
    const client = new S3Client({ ...options, forcePathStyle: true });
    // MinIO lists the unfinished uploads of one key only.
    const { Uploads = [] } = await client.send(
      new ListMultipartUploadsCommand({ Bucket: bucket, Prefix: `${options.prefix}t1/blob_a` }),
    );
    expect(Uploads).toEqual([]);
    client.destroy();
    await store.close();
  });

  test("memory stays flat: 400 MB go through in a few parts' worth", async () => {
    const store = createS3BlobStore(optionsOf());
    const size = 400 * MiB;
    globalThis.gc?.();
    const before = process.memoryUsage().rss;
    let peak = before;
    const watching = setInterval(() => {
      peak = Math.max(peak, process.memoryUsage().rss);
    }, 20);
    const stored = await store.put("t1/blob_a", bytesOf(size, 256 * 1024));
    clearInterval(watching);
    expect(stored.size_bytes).toBe(size);
    expect((peak - before) / MiB).toBeLessThan(250);
    await store.delete("t1/blob_a");
    await store.close();
  });
});

describe("a server in trouble", () => {
  test("a body whose connection breaks is read on from where it broke", async () => {
    const proxy = await startToxiproxy(new URL(s3.endpoint).host);
    const options = { ...optionsOf(), endpoint: `http://127.0.0.1:${proxy.port}` };
    const store = createS3BlobStore(options);
    const { sha256 } = await store.put("t1/blob_a", bytesOf(40 * MiB));
    const hash = createHash("sha256");
    let read = 0;
    let cuts = 0;
    for await (const bytes of await store.get("t1/blob_a")) {
      hash.update(bytes);
      read += bytes.length;
      if (read > (cuts + 1) * 10 * MiB) {
        cuts += 1;
        await proxy.drop();
      }
    }
    expect(cuts).toBe(3);
    expect(hash.digest("hex")).toBe(sha256);
    await store.close();
    await proxy.stop();
  });

  test("is waited for over a restart, and what was acknowledged is there", async () => {
    const store = createS3BlobStore(optionsOf());
    await store.put("t1/blob_a", bytesOf(1_000));
    const restarted = s3.restart();
    const put = store.put("t1/blob_b", bytesOf(1_000)).then(
      () => "stored",
      (error) => error.code,
    );
    await restarted;
    // Whether the client's own attempts lasted until it was back: either way it is known.
    if ((await put) === "stored") expect(await sha256Of(await store.get("t1/blob_b"))).toBeDefined();
    else expect(await put).toBe("storage_unavailable");
    expect(await sha256Of(await store.get("t1/blob_a"))).toBe(await sha256Of(bytesOf(1_000)));
    await store.close();
  });

  test("none at all: storage_unavailable, with the bucket's name", async () => {
    const store = createS3BlobStore({ ...optionsOf(), endpoint: "http://127.0.0.1:9" });
    const refused = {
      code: "storage_unavailable",
      message: expect.stringMatching(/bucket sluice .*ECONNREFUSED/),
    };
    await expect(store.put("t1/blob_a", bytesOf(3))).rejects.toMatchObject(refused);
    await expect(store.get("t1/blob_a")).rejects.toMatchObject(refused);
    await expect(store.check()).rejects.toMatchObject(refused);
    await store.close();
  });

  test("a bucket that isn't there, and a wrong key, are told with what to do", async () => {
    const gone = createS3BlobStore({ ...optionsOf(), bucket: "no-such" });
    await expect(gone.put("t1/blob_a", bytesOf(3))).rejects.toThrow(/NoSuchBucket.*SLUICE_S3_BUCKET/);
    const credentials = { accessKeyId: "sluice", secretAccessKey: "wrong-secret" };
    const stranger = createS3BlobStore({ ...optionsOf(), credentials });
    await expect(stranger.put("t1/blob_a", bytesOf(3))).rejects.toThrow(/SignatureDoesNotMatch.*credentials/);
    await gone.close();
    await stranger.close();
  });
});

describe("direct uploads", () => {
  async function send(
    { url, method, headers }: { url: string; method: string; headers: object },
    body: Buffer,
  ) {
    // fetch sets the length itself, from the body.
    const { "content-length": _length, ...rest } = headers as Record<string, string>;
    const answer = await fetch(url, { method, headers: rest, body: new Uint8Array(body) });
    return answer.status;
  }

  test("the very bytes are taken, any others are not", async () => {
    const store = createS3BlobStore(optionsOf());
    const body = Buffer.from("straight into the bucket");
    const sha256 = createHash("sha256").update(body).digest("hex");
    const ask = () =>
      store.direct!.presignPut("t1/blob_a", { size_bytes: body.length, sha256, expires_seconds: 60 });
    expect(await store.direct!.stat("t1/blob_a")).toBeUndefined();
    expect(await send(await ask(), Buffer.from("Straight into the bucket"))).toBe(400);
    expect(await send(await ask(), Buffer.concat([body, body]))).toBe(403);
    const without = await ask();
    delete without.headers["x-amz-checksum-sha256"];
    expect([400, 403]).toContain(await send(without, body));
    expect(await store.direct!.stat("t1/blob_a")).toBeUndefined();
    expect(await send(await ask(), body)).toBe(200);
    expect(await store.direct!.stat("t1/blob_a")).toMatchObject({ size_bytes: body.length, sha256 });
    expect(Buffer.concat(await (await store.get("t1/blob_a")).toArray())).toEqual(body);
    await store.close();
  });

  test("without a hash: the size is held to, and stat gives none", async () => {
    const store = createS3BlobStore(optionsOf());
    const request = await store.direct!.presignPut("t1/blob_a", { size_bytes: 5, expires_seconds: 60 });
    expect(await send(request, Buffer.from("123456"))).toBe(403);
    expect(await send(request, Buffer.from("12345"))).toBe(200);
    const found = await store.direct!.stat("t1/blob_a");
    expect(found).toEqual({ size_bytes: 5, modified_at: expect.any(Number) });
    await store.close();
  });

  test("past its time a request is refused; more than S3 takes in one is not offered", async () => {
    const store = createS3BlobStore(optionsOf());
    const request = await store.direct!.presignPut("t1/blob_a", { size_bytes: 5, expires_seconds: 1 });
    await expect
      .poll(() => send(request, Buffer.from("12345")), { timeout: 10_000, interval: 500 })
      .toBe(403);
    const size_bytes = 6 * 1024 ** 3;
    await expect(
      store.direct!.presignPut("t1/blob_a", { size_bytes, expires_seconds: 60 }),
    ).rejects.toMatchObject({ code: "payload_too_large" });
    await store.close();
  });
});

test("doctor: what is right is said, what is wrong comes with its fix", async () => {
  const all: ServiceCheck[] = [];
  for await (const check of checkS3(optionsOf())) all.push(check);
  expect(all.map(({ ok, message }) => [ok, message])).toEqual([
    [true, expect.stringContaining("bucket sluice is there")],
    [true, "this process may put, read and delete"],
    [true, "this process may list"],
    [true, "this process may find unfinished uploads"],
  ]);
  const missing = await checkS3({ ...optionsOf(), bucket: "no-such" }).next();
  expect(missing.value).toMatchObject({ ok: false, fix: expect.stringContaining("SLUICE_S3_BUCKET") });
  const away = await checkS3({ ...optionsOf(), endpoint: "http://127.0.0.1:9" }).next();
  expect(away.value).toMatchObject({ ok: false, fix: expect.stringContaining("endpoint") });
});

test("unfinished uploads of dead processes are given up, young ones and other people's are not", async () => {
  // Neither the emulator nor MinIO lists them by prefix: this answers as the API reference of S3 says.
  const ago = (hours: number) => new Date(Date.now() - hours * 3_600_000).toISOString();
  const uploads = [
    ["p/t1/blob_old", "u1", ago(7)],
    ["p/t1/blob_young", "u2", ago(1)],
    ["p/not a key", "u3", ago(99)],
    ["p/t2/blob_gone", "u4", ago(8)],
  ];
  const aborted: string[] = [];
  const server = createServer((request: IncomingMessage, response) => {
    const url = new URL(request.url ?? "/", "http://localhost");
    if (request.method === "DELETE") {
      const id = url.searchParams.get("uploadId") ?? "";
      aborted.push(`${url.pathname} ${id}`);
      if (id === "u4") {
        response.writeHead(404, { "content-type": "application/xml" });
        response.end("<Error><Code>NoSuchUpload</Code><Message>gone</Message></Error>");
      } else response.writeHead(204).end();
      return;
    }
    const second = url.searchParams.get("key-marker") !== null;
    const page = second ? uploads.slice(2) : uploads.slice(0, 2);
    response.writeHead(200, { "content-type": "application/xml" });
    response.end(
      `<ListMultipartUploadsResult><Bucket>sluice</Bucket><IsTruncated>${!second}</IsTruncated>${
        second
          ? ""
          : "<NextKeyMarker>p/t1/blob_young</NextKeyMarker><NextUploadIdMarker>u2</NextUploadIdMarker>"
      }${page
        .map(
          ([Key, UploadId, Initiated]) =>
            `<Upload><Key>${Key}</Key><UploadId>${UploadId}</UploadId><Initiated>${Initiated}</Initiated></Upload>`,
        )
        .join("")}</ListMultipartUploadsResult>`,
    );
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const store = createS3BlobStore({ ...optionsOf(), endpoint, prefix: "p/" });
  expect(await store.removeUnfinished?.(6 * 3_600_000)).toBe(1);
  expect(aborted).toEqual(["/sluice/p/t1/blob_old u1", "/sluice/p/t2/blob_gone u4"]);
  await store.close();
  server.close();
  server.closeAllConnections();
});

test("a signal ends a put whose server answers nobody", async () => {
  const store = createS3BlobStore(optionsOf());
  await store.put("t1/blob_a", Readable.from([Buffer.from("warm")]));
  s3.pause();
  try {
    const reason = new Error("too slow");
    const put = store.put("t1/blob_b", bytesOf(20 * MiB), { signal: AbortSignal.timeout(300) });
    await expect(put).rejects.toMatchObject({ name: "TimeoutError" });
    await expect(store.put("t1/blob_c", bytesOf(5), { signal: AbortSignal.abort(reason) })).rejects.toBe(
      reason,
    );
  } finally {
    s3.resume();
  }
  await store.close();
});

/** Resumable uploads over real processes that are killed: on a folder, and on S3 with two nodes behind no sticky balancer. */
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createTusClient } from "../server/tus-client.ts";
import { type AwsServer, startAws } from "../services/aws.ts";
import { createClient } from "./client.ts";
import { type Running, startSluice } from "./processes.ts";

const MiB = 1024 * 1024;
const SIZE = 40 * MiB + 321;
/** Lines that tell their place. */
const bytes = Buffer.alloc(SIZE);
for (let at = 0, line = 0; at < SIZE; line += 1) {
  at += bytes.write(`line ${line} of a file that arrives in spite of everything\n`, at, "latin1");
}
const sha256 = createHash("sha256").update(bytes).digest("hex");

let data_dir: string;
let running: Running[];
let aws: AwsServer | undefined;
beforeEach(() => {
  data_dir = mkdtempSync(join(tmpdir(), "sluice-uploads-"));
  running = [];
});
afterEach(async () => {
  for (const each of running) await each.stop();
  await aws?.stop();
  aws = undefined;
  rmSync(data_dir, { recursive: true, force: true });
});

/** An API process alone: nobody ingests. */
async function startNode(env: Record<string, string> = {}): Promise<Running> {
  const node = await startSluice({ command: "api", data_dir, env });
  running.push(node);
  return node;
}

async function offsetAt(node: Running, path: string): Promise<number> {
  const { body } = await createClient(node.url).call<{ offset: number }>("GET", path);
  return body.offset;
}

/** Sends from an offset on, and kills the node as soon as it has stored `enough` bytes; the request never ends. */
async function killWhileSending(node: Running, path: string, offset: number, enough: number): Promise<void> {
  const client = createTusClient(node.url);
  const patch = client.open("PATCH", path, {
    ...client.offsetHeaders(offset),
    "content-length": String(SIZE - offset),
  });
  patch.outgoing.on("error", () => {});
  // All but the last byte: it can't complete.
  patch.outgoing.write(bytes.subarray(offset, -1));
  await expect.poll(() => offsetAt(node, path), { interval: 10 }).toBeGreaterThanOrEqual(enough);
  await node.kill();
  patch.outgoing.destroy();
}

async function resume(node: Running, path: string): Promise<{ offset: number; document_id: string }> {
  const client = createTusClient(node.url);
  const head = await client.head(path);
  expect(head.status, head.text).toBe(200);
  const offset = Number(head.headers["upload-offset"]);
  const last = await client.patch(path, offset, bytes.subarray(offset));
  expect(last.status, last.text).toBe(204);
  return { offset, document_id: last.headers["sluice-document-id"] as string };
}

async function expectWhole(node: Running, document_id: string): Promise<void> {
  const client = createClient(node.url);
  const { body } = await client.call<Record<string, unknown>>("GET", `/v1/documents/${document_id}`);
  expect(body).toMatchObject({ size_bytes: SIZE, sha256, filename: "long.txt" });
  const file = await fetch(`${node.url}/v1/documents/${document_id}/file`);
  const hash = createHash("sha256");
  for await (const part of file.body!) hash.update(part);
  expect(hash.digest("hex")).toBe(sha256);
  const list = await client.call<{ documents: unknown[] }>("GET", "/v1/documents");
  expect(list.body.documents).toHaveLength(1);
}

test("the API is killed twice in the middle of a PATCH: the upload goes on where it was", {
  timeout: 90_000,
}, async () => {
  let node = await startNode();
  const path = await createTusClient(node.url).create(SIZE, { filename: "long.txt" });
  await killWhileSending(node, path, 0, 5 * MiB);
  node = await startNode();
  const between = await offsetAt(node, path);
  expect(between).toBeGreaterThanOrEqual(5 * MiB);
  await killWhileSending(node, path, between, between + 5 * MiB);
  node = await startNode();
  const { offset, document_id } = await resume(node, path);
  expect(offset).toBeGreaterThanOrEqual(between + 5 * MiB);
  await expectWhole(node, document_id);
});

test("on S3 with two nodes: one is killed while it receives, the other takes what comes next", {
  timeout: 90_000,
}, async () => {
  aws = await startAws();
  const env = {
    ...aws.env,
    SLUICE_BLOBS: "s3",
    SLUICE_S3_BUCKET: aws.bucket,
    SLUICE_S3_ENDPOINT: aws.endpoint,
    SLUICE_S3_PATH_STYLE: "true",
  };
  const [one, two] = [await startNode(env), await startNode(env)];
  const path = await createTusClient(one.url).create(SIZE, { filename: "long.txt" });
  const client = createTusClient(two.url);
  // In turns, without asking again.
  expect((await createTusClient(one.url).patch(path, 0, bytes.subarray(0, 1_000))).status).toBe(204);
  expect((await client.patch(path, 1_000, bytes.subarray(1_000, 2_000))).status).toBe(204);
  await killWhileSending(one, path, 2_000, 8 * MiB + 2_000);
  const { offset, document_id } = await resume(two, path);
  expect(offset).toBeGreaterThanOrEqual(8 * MiB + 2_000);
  await expectWhole(two, document_id);
});

/** The whole journey on the cloud profile: PostgreSQL, S3 (Versity S3 Gateway), SQS (emulated), Kafka; and with Pinecone (a stand-in). */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createHashingEmbedder } from "../../src/adapters/hashing/embedder.ts";
import { eventOf, makeTopic, readTopics } from "../adapters/kafka/topics.ts";
import { expectLegal } from "../journey.ts";
import { startAws } from "../services/aws.ts";
import { type KafkaBroker, startKafka } from "../services/kafka.ts";
import { startPineconeServer } from "../services/pinecone-server.ts";
import { startPostgres } from "../services/postgres.ts";
import { startS3 } from "../services/s3.ts";
import { type Client, createClient } from "./client.ts";
import { cleanEnv, freePort, type Running, root, startSluice } from "./processes.ts";

const started: { stop(): Promise<unknown> }[] = [];
const folder = mkdtempSync(join(tmpdir(), "sluice-cloud-"));
let env: Record<string, string>;
let kafka: KafkaBroker;

async function start<T extends { stop(): Promise<unknown> }>(starting: Promise<T>): Promise<T> {
  const service = await starting;
  started.push(service);
  return service;
}

async function startNode(command: "api" | "worker", settings: Record<string, string>): Promise<Running> {
  const port = String(await freePort());
  return start(startSluice({ command, data_dir: folder, env: { ...settings, SLUICE_PORT: port } }));
}

beforeAll(async () => {
  const postgres = await start(startPostgres({}, { vectors: true }));
  const s3 = await start(startS3());
  const aws = await start(startAws());
  kafka = await start(startKafka());
  await makeTopic(kafka.brokers, { topic: "sluice.events", partitions: 3 });
  env = {
    ...aws.env,
    AWS_ACCESS_KEY_ID: s3.credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: s3.credentials.secretAccessKey,
    SLUICE_S3_BUCKET: await s3.bucket("files"),
    SLUICE_S3_ENDPOINT: s3.endpoint,
    SLUICE_S3_PREFIX: "sluice/",
    SLUICE_PROFILE: "cloud",
    SLUICE_POSTGRES_URL: postgres.role_url,
    SLUICE_KAFKA_BROKERS: kafka.brokers.join(","),
    SLUICE_SQS_WAIT_SECONDS: "1",
  };
});
afterAll(async () => {
  for (const each of started.reverse()) await each.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** @returns its exit status and what it printed */
function doctor(settings: Record<string, string>): Promise<{ code: number; stdout: string }> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [join(root, "src/cli/main.ts"), "doctor"],
      { env: cleanEnv({ ...settings, SLUICE_DATA_DIR: folder }) },
      (error, stdout, stderr) => resolve({ code: Number(error?.code ?? 0), stdout: stdout + stderr }),
    );
  });
}

const text = (subject: string) => `# ${subject}\n\n${`All about the ${subject}. `.repeat(200)}`;

async function untilSearchable(client: Client, name: string, content: string) {
  const { body } = await client.upload(name, content);
  const document = await client.ended(body.document_id, body.job_id);
  expect(document).toMatchObject({ status: "completed", filename: name });
  return body;
}

describe("PostgreSQL, S3, SQS and Kafka", () => {
  let api: Running;
  let client: Client;
  beforeAll(async () => {
    api = await startNode("api", env);
    await startNode("worker", env);
    client = createClient(api.url);
  });

  test("upload, ingestion, events, search, new version, deletion", async () => {
    const { document_id } = await untilSearchable(client, "heron.md", text("heron"));
    const journey = await client.journey(document_id);
    expect(expectLegal(journey)).toBe("completed");
    expect((await client.search({ query: "heron" })).hits[0]?.document_id).toBe(document_id);
    await expect
      .poll(
        async () => {
          const events = (await readTopics(kafka.brokers, ["sluice.events"])).map(eventOf);
          return events.filter((event) => event.document_id === document_id);
        },
        { timeout: 20_000 },
      )
      .toEqual(journey);
  });

  test("a file put straight into the bucket goes the same way", async () => {
    const content = Buffer.from(text("kingfisher"));
    const post = async (path: string, body: object) => {
      const answer = await fetch(api.url + path, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(body),
      });
      // biome-ignore lint/suspicious/noExplicitAny: three answers of different forms, each expected below.
      return { status: answer.status, body: (await answer.json()) as any };
    };
    const sha256 = createHash("sha256").update(content).digest("hex");
    const offer = await post("/v1/direct-uploads", { size_bytes: content.length, sha256 });
    expect(offer.status, JSON.stringify(offer.body)).toBe(201);
    const { upload_id, url, method, headers } = offer.body;
    const early = await post(`/v1/direct-uploads/${upload_id}/confirm`, { filename: "kingfisher.md" });
    expect([early.status, early.body.code]).toEqual([409, "upload_incomplete"]);
    const { "content-length": _length, ...rest } = headers;
    const put = await fetch(url, { method, headers: rest, body: new Uint8Array(content) });
    expect(put.status).toBe(200);
    const confirmed = await post(`/v1/direct-uploads/${upload_id}/confirm`, { filename: "kingfisher.md" });
    expect([confirmed.status, confirmed.body.status]).toEqual([202, "pending"]);
    const { document_id, job_id } = confirmed.body;
    expect(await client.ended(document_id, job_id)).toMatchObject({ status: "completed" });
    expect((await client.search({ query: "kingfisher" })).hits[0]?.document_id).toBe(document_id);
  });

  test("doctor finds every service as it must be", async () => {
    const { code, stdout } = await doctor(env);
    expect(stdout).toMatch(/postgres/);
    expect(stdout).toMatch(/bucket files is there/);
    expect(stdout).toMatch(/sluice-jobs is there: standard/);
    expect(stdout).toMatch(/1 broker/);
    expect(code, stdout).toBe(0);
  });

  test("doctor says what to do about what is missing", async () => {
    const { code, stdout } = await doctor({
      ...env,
      SLUICE_S3_BUCKET: "none",
      SLUICE_SQS_QUEUE_URL: `${env.SLUICE_SQS_QUEUE_URL}-none`,
      SLUICE_KAFKA_TOPIC: "none",
    });
    expect(stdout).toMatch(/no bucket none[\s\S]*SLUICE_S3_BUCKET/);
    expect(stdout).toMatch(/QueueDoesNotExist[\s\S]*SLUICE_SQS_QUEUE_URL/);
    expect(stdout).toMatch(/none/);
    expect(code).not.toBe(0);
  });
});

test("the same with vectors in Pinecone", async () => {
  const pinecone = await start(startPineconeServer({ dimension: createHashingEmbedder().dimensions }));
  const settings = {
    ...env,
    SLUICE_POSTGRES_SCHEMA: "with_pinecone",
    // The other installation's workers would take what lies in the queue that they share for nobody's.
    SLUICE_QUEUE: "database",
    SLUICE_EMBEDDER: "hashing",
    SLUICE_INDEX: "pinecone",
    SLUICE_PINECONE_HOST: pinecone.url,
    SLUICE_PINECONE_API_KEY: "test-key",
  };
  const api = await startNode("api", settings);
  await startNode("worker", settings);
  const client = createClient(api.url);
  const { document_id } = await untilSearchable(client, "bittern.md", text("bittern"));
  expect((await client.search({ query: "bittern" })).hits[0]?.document_id).toBe(document_id);
});

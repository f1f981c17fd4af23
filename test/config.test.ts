import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { describe, expect, test } from "vitest";
import { chunkStrategies } from "../src/chunk.ts";
import { ConfigError, describeSettings, isLoopback, loadConfig, parseConfig } from "../src/config/config.ts";

const settings = describeSettings();

/** A value that each kind of setting refuses; null where every text is a value. */
const wrong: Record<string, string | null> = {
  SLUICE_HOST: null,
  SLUICE_DATA_DIR: null,
  SLUICE_EMBEDDER: "magic",
  SLUICE_EMBEDDER_URL: "not a url",
  SLUICE_EMBEDDER_MODEL: null,
  SLUICE_EMBEDDER_API_KEY: null,
  SLUICE_EMBEDDER_QUERY_PREFIX: null,
  SLUICE_EMBEDDER_PASSAGE_PREFIX: null,
  SLUICE_TRANSFORMERS_DIR: null,
  SLUICE_RERANKER: "magic",
  SLUICE_RERANKER_URL: "not a url",
  SLUICE_RERANKER_MODEL: null,
  SLUICE_RERANKER_API_KEY: null,
  SLUICE_LOG_LEVEL: "loud",
  SLUICE_CONFIG: null,
  SLUICE_POSTGRES_URL: null,
  SLUICE_POSTGRES_SCHEMA: "My Schema",
  SLUICE_AWS_REGION: null,
  SLUICE_S3_BUCKET: null,
  SLUICE_S3_PREFIX: null,
  SLUICE_S3_KMS_KEY_ID: null,
  SLUICE_SQS_QUEUE_URL: null,
  SLUICE_SQS_DEAD_LETTER_QUEUE_URL: null,
  SLUICE_SQS_EVENTS_QUEUE_URL: null,
  SLUICE_SNS_TOPIC_ARN: null,
  SLUICE_KAFKA_BROKERS: null,
  SLUICE_KAFKA_TOPIC: null,
  SLUICE_KAFKA_DOCUMENT_TOPIC: null,
  SLUICE_KAFKA_INGESTION_TOPIC: null,
  SLUICE_KAFKA_CLIENT_ID: null,
  SLUICE_KAFKA_SASL_USERNAME: null,
  SLUICE_KAFKA_SASL_PASSWORD: null,
  SLUICE_EVENT_SOURCE: null,
  SLUICE_PINECONE_API_KEY: null,
  SLUICE_PINECONE_NAMESPACE_PREFIX: null,
  SLUICE_URL: "localhost",
  SLUICE_API_KEY: null,
};
const refusing = settings
  .map(({ key }) => ({ key, value: key in wrong ? wrong[key] : "-1.5" }))
  .filter((entry): entry is { key: string; value: string } => entry.value != null);

function problemOf(variables: Record<string, string>): string {
  try {
    parseConfig(variables);
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  return "accepted";
}

describe("the configuration", () => {
  test("needs nothing", () => {
    expect(parseConfig({})).toMatchObject({
      host: "127.0.0.1",
      port: 7300,
      data_dir: resolve("data"),
      max_attempts: 5,
      lease_ms: 30_000,
      retry: { base_ms: 1_000, cap_ms: 600_000 },
      embedder: { kind: "static" },
      embedding_service: undefined,
      client: { url: "http://127.0.0.1:7300", api_key: undefined },
    });
  });

  test.each(refusing)("$key=$value is refused by its name, with what it is for", ({ key, value }) => {
    const told = problemOf({ [key]: value });
    const meaning = settings.find((setting) => setting.key === key)!.description;
    expect(told).toContain(key);
    expect(told).toContain(JSON.stringify(value));
    expect(told).toContain(meaning);
  });

  test("several wrong keys are all told at once", () => {
    const told = problemOf({ SLUICE_PORT: "x", SLUICE_WORKERS: "-1", SLUICE_PRT: "1" });
    for (const key of ["SLUICE_PORT", "SLUICE_WORKERS", "SLUICE_PRT is not a setting"]) {
      expect(told).toContain(key);
    }
  });

  test("a key that is secret is not repeated", () => {
    const told = problemOf({ SLUICE_EMBEDDER_API_KEY: "s3cret", SLUICE_API_KEY: "t0p", SLUICE_PORT: "x" });
    expect(told).not.toMatch(/s3cret|t0p/);
  });

  test.each([
    ["SLUICE_PORT", "65536"],
    ["SLUICE_PORT", "80.5"],
    ["SLUICE_LEASE_SECONDS", "1"],
    ["SLUICE_CHUNK_TOKENS", "15"],
    ["SLUICE_WORKER_CONCURRENCY", "0"],
  ])("%s=%s is out of bounds", (key, value) => {
    expect(problemOf({ [key]: value })).toContain(key);
  });

  test("allowed origins are as browsers send them", () => {
    expect(parseConfig({}).allowed_origins).toEqual([]);
    const SLUICE_ALLOWED_ORIGINS =
      "https://App.example, http://localhost:5173,https://app.example, tauri://localhost";
    expect(parseConfig({ SLUICE_ALLOWED_ORIGINS }).allowed_origins).toEqual([
      "https://app.example",
      "http://localhost:5173",
      "tauri://localhost",
    ]);
    expect(parseConfig({ SLUICE_ALLOWED_ORIGINS: "*" }).allowed_origins).toEqual(["*"]);
    for (const [wrong, told] of [
      ["https://app.example/", "write https://app.example"],
      ["https://app.example:443", "write https://app.example"],
      ["app.example", "https://app.example.com"],
      ["null", "not an origin"],
      ["https://*.example/x", "not an origin"],
    ]) {
      expect(() => parseConfig({ SLUICE_ALLOWED_ORIGINS: wrong })).toThrow(told);
    }
  });

  test("overlap beyond half a chunk is refused", () => {
    expect(problemOf({ SLUICE_CHUNK_TOKENS: "20", SLUICE_CHUNK_OVERLAP_TOKENS: "11" })).toContain(
      "SLUICE_CHUNK_OVERLAP_TOKENS",
    );
    const { chunk } = parseConfig({ SLUICE_CHUNK_TOKENS: "20", SLUICE_CHUNK_OVERLAP_TOKENS: "10" });
    expect(chunk).toMatchObject({ max_tokens: 20, overlap_tokens: 10 });
  });

  test("knows the strategies that the chunker has, and no others", () => {
    for (const strategy of chunkStrategies) {
      expect(parseConfig({ SLUICE_CHUNK_STRATEGY: strategy }).chunk.strategy).toBe(strategy);
    }
    expect(parseConfig({}).chunk).toMatchObject({ strategy: "structure", contextual_header: false });
    expect(parseConfig({ SLUICE_CHUNK_CONTEXTUAL_HEADER: "true" }).chunk.contextual_header).toBe(true);
    expect(() => parseConfig({ SLUICE_CHUNK_STRATEGY: "semantic" })).toThrow(/SLUICE_CHUNK_STRATEGY/);
  });

  test("empty means not set, and other programs' variables are theirs", () => {
    expect(parseConfig({ SLUICE_PORT: "", PORT: "nonsense", SLUICED: "x" }).port).toBe(7300);
  });

  test("can't be changed, at any depth", () => {
    const config = parseConfig({ SLUICE_EMBEDDER: "openai" });
    const check = (value: object): void => {
      expect(Object.isFrozen(value)).toBe(true);
      for (const item of Object.values(value)) if (typeof item === "object" && item !== null) check(item);
    };
    check(config);
  });

  test("units: seconds and megabytes outside, milliseconds inside", () => {
    const config = parseConfig({
      SLUICE_LEASE_SECONDS: "7",
      SLUICE_SHUTDOWN_SECONDS: "3",
      SLUICE_EXTRACT_TIMEOUT_SECONDS: "2",
      SLUICE_EXTRACT_MEMORY_MB: "64",
    });
    expect(config).toMatchObject({
      lease_ms: 7_000,
      shutdown_ms: 3_000,
      extract: { timeout_ms: 2_000, memory_mb: 64 },
    });
  });

  test("a reranker needs an address, and one of many models a name", () => {
    expect(parseConfig({})).toMatchObject({
      reranker: { kind: "none" },
      reranking: { candidates: 32, timeout_ms: 2_000 },
    });
    const told = problemOf({ SLUICE_RERANKER: "http" });
    for (const key of ["SLUICE_RERANKER_URL", "SLUICE_RERANKER_MODEL"]) expect(told).toContain(key);
    expect(problemOf({ SLUICE_RERANKER: "tei" })).not.toContain("SLUICE_RERANKER_MODEL");
    const config = parseConfig({
      SLUICE_RERANKER: "http",
      SLUICE_RERANKER_URL: "http://localhost:8000/v1",
      SLUICE_RERANKER_MODEL: "bge",
      SLUICE_RERANKER_API_KEY: "k",
      SLUICE_RERANKER_BATCH: "7",
      SLUICE_RERANKER_CANDIDATES: "20",
      SLUICE_RERANKER_TIMEOUT_MS: "300",
    });
    expect(config.reranker).toEqual({
      kind: "http",
      url: "http://localhost:8000/v1",
      model: "bge",
      api_key: "k",
      batch_size: 7,
    });
    expect(config.reranking).toEqual({ candidates: 20, timeout_ms: 300 });
  });

  test("languages of scans: a list, or none", () => {
    expect(parseConfig({}).extract.ocr_languages).toEqual(["eng"]);
    expect(parseConfig({ SLUICE_OCR_LANGUAGES: "eng, chi_sim" }).extract.ocr_languages).toEqual([
      "eng",
      "chi_sim",
    ]);
    expect(parseConfig({ SLUICE_OCR_LANGUAGES: "none" }).extract.ocr_languages).toEqual([]);
  });

  test("the embedding service's settings arrive where the adapter looks for them", () => {
    const { embedder } = parseConfig({
      SLUICE_EMBEDDER: "openai",
      SLUICE_EMBEDDER_URL: "http://localhost:11434/v1",
      SLUICE_EMBEDDER_MODEL: "nomic",
      SLUICE_EMBEDDER_DIMENSIONS: "768",
      SLUICE_EMBEDDER_REQUEST_DIMENSIONS: "true",
      SLUICE_EMBEDDER_ENCODING: "base64",
      SLUICE_EMBEDDER_API_KEY: "k",
      SLUICE_EMBEDDER_BATCH: "9",
      SLUICE_EMBEDDER_TIMEOUT_SECONDS: "4",
      SLUICE_EMBEDDER_QUERY_PREFIX: "q: ",
      SLUICE_EMBEDDER_PASSAGE_PREFIX: "p: ",
    });
    expect(embedder).toEqual({
      kind: "openai",
      url: "http://localhost:11434/v1",
      model: "nomic",
      dimensions: 768,
      request_dimensions: true,
      encoding: "base64",
      api_key: "k",
      batch_size: 9,
      timeout_ms: 4_000,
      query_prefix: "q: ",
      passage_prefix: "p: ",
    });
  });

  test("the settings of models in the process arrive where the adapters look for them", () => {
    const { embedder, reranker } = parseConfig({
      SLUICE_DATA_DIR: "/data",
      SLUICE_EMBEDDER: "transformers",
      SLUICE_EMBEDDER_MODEL: "owner/small",
      SLUICE_EMBEDDER_DTYPE: "q8",
      SLUICE_EMBEDDER_POOLING: "cls",
      SLUICE_EMBEDDER_MAX_TOKENS: "128",
      SLUICE_EMBEDDER_BATCH: "9",
      SLUICE_EMBEDDER_QUERY_PREFIX: "q: ",
      SLUICE_EMBEDDER_PASSAGE_PREFIX: "p: ",
      SLUICE_RERANKER: "transformers",
      SLUICE_RERANKER_MODEL: "/models/cross",
      SLUICE_TRANSFORMERS_DIR: "/opt/transformers",
      SLUICE_TRANSFORMERS_THREADS: "3",
    });
    const shared = {
      kind: "transformers",
      threads: 3,
      cache_folder: resolve("/data/models"),
      package_folder: "/opt/transformers",
    };
    expect(embedder).toEqual({
      ...shared,
      model: "owner/small",
      dtype: "q8",
      pooling: "cls",
      max_tokens: 128,
      batch_size: 9,
      query_prefix: "q: ",
      passage_prefix: "p: ",
    });
    expect(reranker).toEqual({ ...shared, model: "/models/cross", dtype: "fp32", max_tokens: 512 });
  });

  test.each([
    [{ SLUICE_HOST: "0.0.0.0", SLUICE_PORT: "80" }, "http://127.0.0.1:80"],
    [{ SLUICE_HOST: "::" }, "http://127.0.0.1:7300"],
    [{ SLUICE_HOST: "::1" }, "http://[::1]:7300"],
    [{ SLUICE_HOST: "example.org" }, "http://example.org:7300"],
    [{ SLUICE_URL: "https://sluice.example/" }, "https://sluice.example"],
  ])("%j: the command line talks to %s", (variables, url) => {
    expect(parseConfig(variables).client.url).toBe(url);
  });

  const cloud = {
    SLUICE_PROFILE: "cloud",
    SLUICE_POSTGRES_URL: "postgresql://app:s3cret@db/sluice",
    SLUICE_S3_BUCKET: "files",
    SLUICE_SQS_QUEUE_URL: "https://sqs.eu-central-1.amazonaws.com/1/jobs",
    SLUICE_KAFKA_BROKERS: "one:9092, two:9092",
  };

  test("the cloud profile chooses every service, and any can be chosen otherwise", () => {
    expect(parseConfig(cloud)).toMatchObject({
      storage: { kind: "postgres", url: cloud.SLUICE_POSTGRES_URL, schema: "sluice" },
      blobs: { kind: "s3", bucket: "files", region: "us-east-1" },
      queue: { kind: "sqs", queue_url: cloud.SLUICE_SQS_QUEUE_URL },
      index: { kind: "database" },
      publishers: [{ kind: "kafka", brokers: ["one:9092", "two:9092"], topic: "sluice.events" }],
    });
    const some = { ...cloud, SLUICE_BLOBS: "folder", SLUICE_QUEUE: "database", SLUICE_PUBLISHERS: "sns,sqs" };
    expect(
      parseConfig({
        ...some,
        SLUICE_SNS_TOPIC_ARN: "arn:aws:sns:x",
        SLUICE_SQS_EVENTS_QUEUE_URL: "https://q",
      }),
    ).toMatchObject({
      storage: { kind: "postgres" },
      blobs: { kind: "folder" },
      queue: { kind: "database" },
      publishers: [{ kind: "sns" }, { kind: "sqs" }],
    });
    expect(parseConfig({ ...some, SLUICE_PUBLISHERS: " " }).publishers).toEqual([]);
  });

  test.each([
    [
      { SLUICE_PROFILE: "cloud" },
      ["SLUICE_POSTGRES_URL", "SLUICE_S3_BUCKET", "SLUICE_SQS_QUEUE_URL", "SLUICE_KAFKA_BROKERS"],
    ],
    [{ SLUICE_QUEUE: "sqs", SLUICE_SQS_QUEUE_URL: "https://q" }, ["SLUICE_STORAGE must be postgres"]],
    [{ SLUICE_INDEX: "pinecone" }, ["SLUICE_PINECONE_HOST", "SLUICE_PINECONE_API_KEY"]],
    [{ SLUICE_PUBLISHERS: "sqs,sns" }, ["SLUICE_SQS_EVENTS_QUEUE_URL", "SLUICE_SNS_TOPIC_ARN"]],
    [{ SLUICE_PUBLISHERS: "kafka,carrier-pigeon" }, ["carrier-pigeon is none of kafka, sqs, sns"]],
    [{ SLUICE_KAFKA_SASL_MECHANISM: "plain" }, ["SLUICE_KAFKA_SASL_USERNAME", "SLUICE_KAFKA_SASL_PASSWORD"]],
  ])("%j lacks what it needs, all of it told at once", (variables, lacks) => {
    const told = problemOf(variables);
    for (const key of lacks) expect(told).toContain(key);
  });

  test("a file gives what the environment does not", () => {
    const folder = mkdtempSync(join(tmpdir(), "sluice-config-"));
    const path = join(folder, "sluice.env");
    writeFileSync(path, "# for the night\nSLUICE_PORT=7301\nSLUICE_EVENT_SOURCE='/sluice/night'\n");
    try {
      const given = { SLUICE_CONFIG: path };
      expect(loadConfig(given)).toMatchObject({ port: 7301, event_source: "/sluice/night" });
      expect(loadConfig({ ...given, SLUICE_PORT: "7302" }).port).toBe(7302);
      writeFileSync(path, "SLUICE_PROT=1\n");
      expect(() => loadConfig(given)).toThrow("SLUICE_PROT is not a setting");
      expect(() => loadConfig({ SLUICE_CONFIG: join(folder, "none") })).toThrow(
        /SLUICE_CONFIG: .*none can't be read/,
      );
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test("what is given overrides the environment", () => {
    process.env.SLUICE_PORT = "7301";
    try {
      expect(loadConfig().port).toBe(7301);
      expect(loadConfig({ SLUICE_PORT: "7302" }).port).toBe(7302);
    } finally {
      delete process.env.SLUICE_PORT;
    }
  });
});

test("every setting is described, and its default is one that it accepts", () => {
  expect(settings.length).toBeGreaterThan(20);
  expect(new Set(settings.map(({ key }) => key)).size).toBe(settings.length);
  for (const { key, description, default: preset } of settings) {
    expect(key).toMatch(/^SLUICE_[A-Z0-9_]+$/);
    expect(description, key).toMatch(/\w+ \w+/);
    if (preset !== "") expect(() => parseConfig({ [key]: preset })).not.toThrow();
  }
});

test.each([
  ["127.0.0.1", true],
  ["127.9.9.9", true],
  ["localhost", true],
  ["::1", true],
  ["0.0.0.0", false],
  ["::", false],
  ["192.168.0.1", false],
  ["127.0.0.1.example.org", false],
  ["localhost.example.org", false],
])("only this machine reaches %s: %s", (host, only) => {
  expect(isLoopback(host)).toBe(only);
});

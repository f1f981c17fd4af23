/**
 * Configuration: the only reader of process.env. Every key has a default that works on a laptop; a wrong value stops
 * the start with the key's name and what it should be.
 */
import { availableParallelism } from "node:os";
import { resolve } from "node:path";
import { z } from "zod";

const integer = (low: number, high: number) => z.coerce.number().int().min(low).max(high);

const settings = {
  SLUICE_HOST: z.string().min(1).default("127.0.0.1").describe("address that the API listens on"),
  SLUICE_PORT: integer(0, 65_535).default(7300).describe("port of the API; 0 takes a free one"),
  SLUICE_DATA_DIR: z.string().min(1).default("./data").describe("folder of the database and the files"),
  SLUICE_WORKERS: integer(0, 256)
    .default(() => Math.max(2, Math.min(8, availableParallelism() - 1)))
    .describe("worker processes; default: one less than the cores, at least 2, at most 8"),
  SLUICE_WORKER_CONCURRENCY: integer(1, 64).default(2).describe("jobs that one worker runs at a time"),
  SLUICE_MAX_UPLOAD_BYTES: integer(1, Number.MAX_SAFE_INTEGER)
    .default(512 * 1024 * 1024)
    .describe("largest file accepted, in bytes"),
  SLUICE_MAX_CONCURRENT_UPLOADS: integer(1, 100_000)
    .default(128)
    .describe("uploads received at a time; more are refused with 503"),
  SLUICE_MAX_QUEUED: integer(1, Number.MAX_SAFE_INTEGER)
    .default(1_000_000)
    .describe("documents that may wait for a worker; then uploads are refused with 503"),
  SLUICE_MAX_QUEUED_PER_TENANT: integer(1, Number.MAX_SAFE_INTEGER)
    .default(200_000)
    .describe("the same for one tenant, refused with 429"),
  SLUICE_MAX_RUNNING_PER_TENANT: integer(0, 100_000)
    .default(0)
    .describe("jobs of one tenant that run at a time, over all workers; 0: as many as there is room for"),
  SLUICE_MIN_FREE_BYTES: integer(0, Number.MAX_SAFE_INTEGER)
    .default(256 * 1024 * 1024)
    .describe("disk space that must stay free; with less, uploads are refused with 503"),
  SLUICE_MAX_ATTEMPTS: integer(1, 100).default(5).describe("runs of a job before it is a dead letter"),
  SLUICE_RETRY_BASE_MS: integer(1, 3_600_000).default(1_000).describe("ceiling of the first retry's delay"),
  SLUICE_RETRY_CAP_MS: integer(1, 86_400_000).default(600_000).describe("ceiling of any retry's delay"),
  SLUICE_LEASE_SECONDS: integer(2, 3_600)
    .default(30)
    .describe("how long a job stays with a worker that says nothing; renewed at a third of it"),
  SLUICE_SHUTDOWN_SECONDS: integer(0, 600).default(10).describe("how long a stop waits for running jobs"),
  SLUICE_CHUNK_TOKENS: integer(16, 8_192).default(256).describe("most tokens in a chunk"),
  SLUICE_CHUNK_OVERLAP_TOKENS: integer(0, 1_024)
    .default(32)
    .describe("tokens that a chunk repeats from the one before"),
  SLUICE_EXTRACT_TIMEOUT_SECONDS: integer(1, 86_400)
    .default(300)
    .describe("longest time to read one document"),
  SLUICE_EXTRACT_MEMORY_MB: integer(64, 65_536)
    .default(512)
    .describe("heap of the process that reads documents"),
  SLUICE_EMBEDDER: z
    .enum(["hashing", "openai"])
    .default("hashing")
    .describe("which embedder makes the vectors"),
  SLUICE_EMBEDDER_URL: z
    .url()
    .default("https://api.openai.com/v1")
    .describe("base URL of an OpenAI-compatible service (OpenAI, Ollama, vLLM, TEI)"),
  SLUICE_EMBEDDER_MODEL: z
    .string()
    .min(1)
    .default("text-embedding-3-small")
    .describe("model of that service"),
  SLUICE_EMBEDDER_DIMENSIONS: integer(8, 8_192).default(1_536).describe("length of that model's vectors"),
  SLUICE_EMBEDDER_REQUEST_DIMENSIONS: z
    .stringbool()
    .default(false)
    .describe("ask the service for vectors of that length; only for models that can shorten theirs"),
  SLUICE_EMBEDDER_API_KEY: z.string().min(1).optional().describe("key of that service"),
  SLUICE_EMBEDDER_BATCH: integer(1, 2_048).default(64).describe("texts sent in one request"),
  SLUICE_EMBEDDER_TIMEOUT_SECONDS: integer(1, 600).default(30).describe("longest wait for one answer"),
  SLUICE_EMBEDDER_QUERY_PREFIX: z.string().default("").describe("put before every query"),
  SLUICE_EMBEDDER_PASSAGE_PREFIX: z.string().default("").describe("put before every chunk"),
  SLUICE_LOG_LEVEL: z
    .enum(["trace", "debug", "info", "warn", "error", "fatal", "silent"])
    .default("info")
    .describe("least serious log line written"),
  SLUICE_URL: z.url().optional().describe("server that the CLI talks to; default from SLUICE_HOST and _PORT"),
  SLUICE_API_KEY: z.string().min(1).optional().describe("key that the CLI sends"),
} as const;

const environmentSchema = z.object(settings);

export interface Config {
  host: string;
  port: number;
  /** Absolute. */
  data_dir: string;
  workers: number;
  worker_concurrency: number;
  max_upload_bytes: number;
  admission: {
    max_concurrent_uploads: number;
    max_queued: number;
    max_queued_per_tenant: number;
    min_free_bytes: number;
  };
  /** Infinity: no limit. */
  max_running_per_tenant: number;
  max_attempts: number;
  retry: { base_ms: number; cap_ms: number };
  lease_ms: number;
  shutdown_ms: number;
  chunk: { max_tokens: number; overlap_tokens: number };
  extract: { timeout_ms: number; memory_mb: number };
  embedder:
    | { kind: "hashing" }
    | {
        kind: "openai";
        url: string;
        model: string;
        dimensions: number;
        request_dimensions: boolean;
        api_key: string | undefined;
        batch_size: number;
        timeout_ms: number;
        query_prefix: string;
        passage_prefix: string;
      };
  log_level: string;
  /** For the CLI as a client. */
  client: { url: string; api_key: string | undefined };
}

/** A configuration that can't be used: one line for each wrong key. */
export class ConfigError extends Error {
  constructor(problems: string[]) {
    super(`The configuration can't be used:\n${problems.map((problem) => `  ${problem}`).join("\n")}`);
    this.name = "ConfigError";
  }
}

/**
 * Reads and checks the configuration; the result is frozen.
 *
 * @param overrides take the place of environment variables of the same name
 * @throws ConfigError naming every wrong key
 */
export function loadConfig(overrides: Record<string, string | undefined> = {}): Config {
  return parseConfig({ ...process.env, ...overrides });
}

/** The same from given variables, the process's own left aside. */
export function parseConfig(variables: Record<string, string | undefined>): Config {
  const given: Record<string, string> = {};
  const problems: string[] = [];
  for (const [key, value] of Object.entries(variables)) {
    if (!key.startsWith("SLUICE_") || value === undefined || value === "") continue;
    if (!(key in settings)) problems.push(`${key} is not a setting of Sluice`);
    given[key] = value;
  }
  const parsed = environmentSchema.safeParse(given);
  if (!parsed.success) {
    for (const issue of parsed.error.issues) {
      const key = String(issue.path[0]) as keyof typeof settings;
      const shown = key.endsWith("API_KEY") ? "its value" : JSON.stringify(given[key]);
      problems.push(`${key} (${settings[key]?.description}): ${shown}: ${issue.message}`);
    }
  }
  if (problems.length > 0 || !parsed.success) throw new ConfigError(problems);
  const values = parsed.data;
  if (values.SLUICE_CHUNK_OVERLAP_TOKENS * 2 > values.SLUICE_CHUNK_TOKENS) {
    throw new ConfigError(["SLUICE_CHUNK_OVERLAP_TOKENS must be at most half of SLUICE_CHUNK_TOKENS"]);
  }
  const config: Config = {
    host: values.SLUICE_HOST,
    port: values.SLUICE_PORT,
    data_dir: resolve(values.SLUICE_DATA_DIR),
    workers: values.SLUICE_WORKERS,
    worker_concurrency: values.SLUICE_WORKER_CONCURRENCY,
    max_upload_bytes: values.SLUICE_MAX_UPLOAD_BYTES,
    admission: {
      max_concurrent_uploads: values.SLUICE_MAX_CONCURRENT_UPLOADS,
      max_queued: values.SLUICE_MAX_QUEUED,
      max_queued_per_tenant: values.SLUICE_MAX_QUEUED_PER_TENANT,
      min_free_bytes: values.SLUICE_MIN_FREE_BYTES,
    },
    max_running_per_tenant: values.SLUICE_MAX_RUNNING_PER_TENANT || Number.POSITIVE_INFINITY,
    max_attempts: values.SLUICE_MAX_ATTEMPTS,
    retry: { base_ms: values.SLUICE_RETRY_BASE_MS, cap_ms: values.SLUICE_RETRY_CAP_MS },
    lease_ms: values.SLUICE_LEASE_SECONDS * 1_000,
    shutdown_ms: values.SLUICE_SHUTDOWN_SECONDS * 1_000,
    chunk: { max_tokens: values.SLUICE_CHUNK_TOKENS, overlap_tokens: values.SLUICE_CHUNK_OVERLAP_TOKENS },
    extract: {
      timeout_ms: values.SLUICE_EXTRACT_TIMEOUT_SECONDS * 1_000,
      memory_mb: values.SLUICE_EXTRACT_MEMORY_MB,
    },
    embedder:
      values.SLUICE_EMBEDDER === "hashing"
        ? { kind: "hashing" }
        : {
            kind: "openai",
            url: values.SLUICE_EMBEDDER_URL,
            model: values.SLUICE_EMBEDDER_MODEL,
            dimensions: values.SLUICE_EMBEDDER_DIMENSIONS,
            request_dimensions: values.SLUICE_EMBEDDER_REQUEST_DIMENSIONS,
            api_key: values.SLUICE_EMBEDDER_API_KEY,
            batch_size: values.SLUICE_EMBEDDER_BATCH,
            timeout_ms: values.SLUICE_EMBEDDER_TIMEOUT_SECONDS * 1_000,
            query_prefix: values.SLUICE_EMBEDDER_QUERY_PREFIX,
            passage_prefix: values.SLUICE_EMBEDDER_PASSAGE_PREFIX,
          },
    log_level: values.SLUICE_LOG_LEVEL,
    client: {
      url: (values.SLUICE_URL ?? `http://${urlHost(values.SLUICE_HOST)}:${values.SLUICE_PORT}`).replace(
        /\/$/,
        "",
      ),
      api_key: values.SLUICE_API_KEY,
    },
  };
  return deepFreeze(config);
}

/** Every setting with its meaning and default, for `doctor` and the docs. */
export function describeSettings(): { key: string; description: string; default: string }[] {
  const defaults = environmentSchema.parse({}) as Record<string, unknown>;
  return Object.entries(settings).map(([key, schema]) => ({
    key,
    description: schema.description ?? "",
    default: String(defaults[key] ?? ""),
  }));
}

/** Whether only this machine can reach an address. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127(\.\d{1,3}){3}$/.test(host);
}

function urlHost(host: string): string {
  if (host === "0.0.0.0" || host === "::") return "127.0.0.1";
  return host.includes(":") ? `[${host}]` : host;
}

function deepFreeze<T extends object>(value: T): T {
  for (const item of Object.values(value)) {
    if (typeof item === "object" && item !== null) deepFreeze(item);
  }
  return Object.freeze(value);
}

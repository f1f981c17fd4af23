/**
 * Configuration: the only reader of process.env. Every key has a default that works on a laptop; a wrong value stops
 * the start with the key's name and what it should be.
 */
import { existsSync, readFileSync } from "node:fs";
import { delimiter, resolve } from "node:path";
import { parseEnv } from "node:util";
import type { ChunkStrategy } from "../chunk.ts";
import {
  type EmbedderConfig,
  type EmbeddingServiceConfig,
  toEmbedder,
  toEmbeddingService,
} from "./embedder.ts";
import { type PublisherConfig, toPublisher } from "./publishers.ts";
import { needsOfReranker, type RerankerConfig, toReranker } from "./reranker.ts";
import {
  isSecret,
  profileSettings,
  profiles,
  type Settings,
  settingGroups,
  settings,
  settingsSchema,
} from "./settings.ts";
import { type LocalModelConfig, toLocalModel } from "./transformers.ts";

export interface Config {
  host: string;
  port: number;
  /** Origins of pages, besides the server's own, that may call the API; "*": every, on a server with keys. */
  allowed_origins: string[];
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
  chunk: {
    max_tokens: number;
    overlap_tokens: number;
    strategy: ChunkStrategy;
    contextual_header: boolean;
  };
  /** `soffice`: LibreOffice's program, where there is one. */
  extract: { timeout_ms: number; memory_mb: number; soffice: string | undefined; ocr_languages: string[] };
  embedder: EmbedderConfig;
  /** Where to ask for models other than the configured one; undefined: nowhere. */
  embedding_service: EmbeddingServiceConfig | undefined;
  /** How a model in the process is run that is not the configured one. */
  local_model: LocalModelConfig;
  reranker: RerankerConfig;
  /** How a search uses the reranker. */
  reranking: { candidates: number; timeout_ms: number };
  storage: { kind: "sqlite" } | { kind: "postgres"; url: string; schema: string; pool_size: number };
  blobs:
    | { kind: "folder" }
    | {
        kind: "s3";
        bucket: string;
        prefix: string;
        region: string;
        endpoint?: string;
        force_path_style: boolean;
        sse?: "AES256" | "aws:kms";
        kms_key_id?: string;
      };
  queue:
    | { kind: "database" }
    | {
        kind: "sqs";
        queue_url: string;
        dead_letter_queue_url?: string;
        region: string;
        endpoint?: string;
        wait_seconds: number;
      };
  index:
    | { kind: "database" }
    | {
        kind: "pinecone";
        index_host: string;
        api_key: string;
        namespace_prefix: string;
        timeout_ms: number;
        visible_wait_ms: number;
      };
  publishers: PublisherConfig[];
  /** Names this installation in CloudEvents. */
  event_source: string;
  log_level: string;
  /** For the CLI as a client. */
  client: { url: string; api_key: string | undefined };
}

export type { PublisherConfig };

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
  const given = { ...process.env, ...overrides };
  const variables = { ...fileSettings(given.SLUICE_CONFIG), ...given };
  return parseConfig({
    ...variables,
    SLUICE_SOFFICE: variables.SLUICE_SOFFICE || onPath("soffice", given.PATH),
  });
}

function onPath(program: string, path = ""): string | undefined {
  return path
    .split(delimiter)
    .map((folder) => resolve(folder, program))
    .find((file) => existsSync(file));
}

function fileSettings(path: string | undefined): Record<string, string | undefined> {
  if (!path) return {};
  try {
    return parseEnv(readFileSync(path, "utf8")) as Record<string, string>;
  } catch (error) {
    throw new ConfigError([`SLUICE_CONFIG: ${path} can't be read: ${(error as Error).message}`]);
  }
}

/** The same from given variables, the process's own and the file left aside. */
export function parseConfig(variables: Record<string, string | undefined>): Config {
  const given: Record<string, string> = {};
  const problems: string[] = [];
  for (const [key, value] of Object.entries(variables)) {
    if (!key.startsWith("SLUICE_") || value === undefined || value === "") continue;
    if (!(key in settings)) problems.push(`${key} is not a setting of Sluice`);
    given[key] = value;
  }
  const profile = profiles.find((name) => name === given.SLUICE_PROFILE) ?? "embedded";
  const parsed = settingsSchema.safeParse({ ...profileSettings[profile], ...given });
  if (!parsed.success) {
    for (const issue of parsed.error.issues) {
      const key = String(issue.path[0]) as keyof typeof settings;
      const shown = isSecret(key) ? "its value" : JSON.stringify(given[key]);
      problems.push(`${key} (${settings[key]?.description}): ${shown}: ${issue.message}`);
    }
  }
  if (problems.length > 0 || !parsed.success) throw new ConfigError(problems);
  const wrong = contradictions(parsed.data);
  if (wrong.length > 0) throw new ConfigError(wrong);
  return deepFreeze(toConfig(parsed.data));
}

/** What is right by itself and wrong together. */
function contradictions(values: Settings): string[] {
  const problems: string[] = [];
  const need = (key: keyof Settings, why: string) => {
    if (values[key] === undefined) problems.push(`${key} (${settings[key].description}) is missing: ${why}`);
  };
  if (values.SLUICE_CHUNK_OVERLAP_TOKENS * 2 > values.SLUICE_CHUNK_TOKENS) {
    problems.push("SLUICE_CHUNK_OVERLAP_TOKENS must be at most half of SLUICE_CHUNK_TOKENS");
  }
  if (values.SLUICE_STORAGE === "postgres") need("SLUICE_POSTGRES_URL", "SLUICE_STORAGE is postgres");
  if (values.SLUICE_BLOBS === "s3") need("SLUICE_S3_BUCKET", "SLUICE_BLOBS is s3");
  if (values.SLUICE_QUEUE === "sqs") {
    need("SLUICE_SQS_QUEUE_URL", "SLUICE_QUEUE is sqs");
    if (values.SLUICE_STORAGE !== "postgres") {
      problems.push("SLUICE_QUEUE is sqs, which is for several machines: SLUICE_STORAGE must be postgres");
    }
  }
  if (values.SLUICE_EMBEDDER === "transformers") {
    need("SLUICE_EMBEDDER_MODEL", "SLUICE_EMBEDDER is transformers");
  }
  for (const [key, why] of needsOfReranker(values)) need(key, why);
  if (values.SLUICE_INDEX === "pinecone") {
    need("SLUICE_PINECONE_HOST", "SLUICE_INDEX is pinecone");
    need("SLUICE_PINECONE_API_KEY", "SLUICE_INDEX is pinecone");
  }
  for (const publisher of values.SLUICE_PUBLISHERS) {
    const why = `SLUICE_PUBLISHERS names ${publisher}`;
    if (publisher === "kafka") need("SLUICE_KAFKA_BROKERS", why);
    if (publisher === "sqs") need("SLUICE_SQS_EVENTS_QUEUE_URL", why);
    if (publisher === "sns") need("SLUICE_SNS_TOPIC_ARN", why);
  }
  if (values.SLUICE_KAFKA_SASL_MECHANISM !== undefined) {
    need("SLUICE_KAFKA_SASL_USERNAME", "SLUICE_KAFKA_SASL_MECHANISM is set");
    need("SLUICE_KAFKA_SASL_PASSWORD", "SLUICE_KAFKA_SASL_MECHANISM is set");
  }
  return problems;
}

/** Settings that hold together → the shapes that the parts take. */
function toConfig(values: Settings): Config {
  return {
    host: values.SLUICE_HOST,
    port: values.SLUICE_PORT,
    allowed_origins: values.SLUICE_ALLOWED_ORIGINS,
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
    chunk: {
      max_tokens: values.SLUICE_CHUNK_TOKENS,
      overlap_tokens: values.SLUICE_CHUNK_OVERLAP_TOKENS,
      strategy: values.SLUICE_CHUNK_STRATEGY,
      contextual_header: values.SLUICE_CHUNK_CONTEXTUAL_HEADER,
    },
    extract: {
      timeout_ms: values.SLUICE_EXTRACT_TIMEOUT_SECONDS * 1_000,
      memory_mb: values.SLUICE_EXTRACT_MEMORY_MB,
      soffice: values.SLUICE_SOFFICE === "off" ? undefined : values.SLUICE_SOFFICE,
      ocr_languages: values.SLUICE_OCR_LANGUAGES.split(/[,+ ]+/).filter((language) => language !== "none"),
    },
    embedder: toEmbedder(values, resolve(values.SLUICE_DATA_DIR)),
    embedding_service: toEmbeddingService(values),
    local_model: toLocalModel(values, resolve(values.SLUICE_DATA_DIR)),
    reranker: toReranker(values, resolve(values.SLUICE_DATA_DIR)),
    reranking: {
      candidates: values.SLUICE_RERANKER_CANDIDATES,
      timeout_ms: values.SLUICE_RERANKER_TIMEOUT_MS,
    },
    storage:
      values.SLUICE_STORAGE === "sqlite"
        ? { kind: "sqlite" }
        : {
            kind: "postgres",
            url: given(values.SLUICE_POSTGRES_URL),
            schema: values.SLUICE_POSTGRES_SCHEMA,
            pool_size: values.SLUICE_POSTGRES_POOL,
          },
    blobs:
      values.SLUICE_BLOBS === "folder"
        ? { kind: "folder" }
        : {
            kind: "s3",
            bucket: given(values.SLUICE_S3_BUCKET),
            prefix: values.SLUICE_S3_PREFIX,
            region: values.SLUICE_AWS_REGION,
            ...present("endpoint", values.SLUICE_S3_ENDPOINT),
            force_path_style: values.SLUICE_S3_PATH_STYLE,
            ...present("sse", values.SLUICE_S3_SSE),
            ...present("kms_key_id", values.SLUICE_S3_KMS_KEY_ID),
          },
    queue:
      values.SLUICE_QUEUE === "database"
        ? { kind: "database" }
        : {
            kind: "sqs",
            queue_url: given(values.SLUICE_SQS_QUEUE_URL),
            ...present("dead_letter_queue_url", values.SLUICE_SQS_DEAD_LETTER_QUEUE_URL),
            region: values.SLUICE_AWS_REGION,
            ...present("endpoint", values.SLUICE_SQS_ENDPOINT),
            wait_seconds: values.SLUICE_SQS_WAIT_SECONDS,
          },
    index:
      values.SLUICE_INDEX === "database"
        ? { kind: "database" }
        : {
            kind: "pinecone",
            index_host: given(values.SLUICE_PINECONE_HOST),
            api_key: given(values.SLUICE_PINECONE_API_KEY),
            namespace_prefix: values.SLUICE_PINECONE_NAMESPACE_PREFIX,
            timeout_ms: values.SLUICE_PINECONE_TIMEOUT_SECONDS * 1_000,
            visible_wait_ms: values.SLUICE_PINECONE_VISIBLE_WAIT_SECONDS * 1_000,
          },
    publishers: values.SLUICE_PUBLISHERS.map((kind) => toPublisher(kind, values)),
    event_source: values.SLUICE_EVENT_SOURCE,
    log_level: values.SLUICE_LOG_LEVEL,
    client: {
      url: (values.SLUICE_URL ?? `http://${urlHost(values.SLUICE_HOST)}:${values.SLUICE_PORT}`).replace(
        /\/$/,
        "",
      ),
      api_key: values.SLUICE_API_KEY,
    },
  };
}

/** The key with its value, or nothing where there is none. */
function present<const Key extends string, Value>(
  key: Key,
  value: Value | undefined,
): { [K in Key]?: Value } {
  return value === undefined ? {} : ({ [key]: value } as { [K in Key]?: Value });
}

/** What `contradictions` has seen to be there. */
function given(value: string | undefined): string {
  return value as string;
}

/** Every setting with its meaning and default, for `doctor` and the docs. */
export function describeSettings(): { key: string; group: string; description: string; default: string }[] {
  const defaults = settingsSchema.parse({}) as Record<string, unknown>;
  return Object.entries(settingGroups).flatMap(([group, members]) =>
    Object.entries(members).map(([key, schema]) => ({
      key,
      group,
      description: schema.description ?? "",
      default: String(defaults[key] ?? ""),
    })),
  );
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

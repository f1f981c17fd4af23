/** Every setting: its name, what it accepts, its default, what it means. `config.ts` makes the configuration of them. */
import { availableParallelism } from "node:os";
import { z } from "zod";
import { chunkStrategies } from "../chunk.ts";
import { chunkLimits } from "../collection.ts";

const integer = (low: number, high: number) => z.coerce.number().int().min(low).max(high);
const text = () => z.string().min(1).optional();
const flag = () => z.stringbool().default(false);
const dtype = () => z.enum(["fp32", "fp16", "q8", "int8", "uint8", "q4", "q4f16"]).default("fp32");

export const profiles = ["embedded", "cloud"] as const;

/** What a profile sets otherwise than the default; any of it can be given. */
export const profileSettings: Record<(typeof profiles)[number], Record<string, string>> = {
  embedded: {},
  cloud: {
    SLUICE_STORAGE: "postgres",
    SLUICE_BLOBS: "s3",
    SLUICE_QUEUE: "sqs",
    SLUICE_PUBLISHERS: "kafka",
  },
};

const publishers = ["kafka", "sqs", "sns"] as const;

/** Names of a list, separated by commas. */
const listOf = <const Name extends string>(names: readonly Name[]) =>
  z.string().transform((value, context): Name[] => {
    const given = value
      .split(",")
      .map((name) => name.trim())
      .filter((name) => name !== "");
    const unknown = given.filter((name) => !names.includes(name as Name));
    if (unknown.length > 0) {
      context.addIssue({ code: "custom", message: `${unknown.join(", ")} is none of ${names.join(", ")}` });
      return z.NEVER;
    }
    return [...new Set(given)] as Name[];
  });

/** Origins as browsers send them, separated by commas. */
const origins = () =>
  z.string().transform((value, context): string[] => {
    const given = value
      .split(",")
      .map((origin) => origin.trim().toLowerCase())
      .filter((origin) => origin !== "");
    for (const origin of given) {
      if (origin === "*" || /^(?!https?:)[a-z][a-z0-9+.-]*:\/\/[^/?#\s]+$/.test(origin)) continue;
      const meant = URL.canParse(origin) ? new URL(origin).origin : "null";
      if (meant === origin) continue;
      const instead = meant === "null" ? "an origin is like https://app.example.com" : `write ${meant}`;
      context.addIssue({ code: "custom", message: `${origin} is not an origin: ${instead}` });
      return z.NEVER;
    }
    return [...new Set(given)];
  });

const choices = {
  SLUICE_PROFILE: z
    .enum(profiles)
    .default("embedded")
    .describe(
      "what the following start from: `embedded`, everything on one machine, or `cloud`: postgres, s3, sqs and kafka",
    ),
  SLUICE_CONFIG: text().describe("file of settings, one KEY=value a line; the environment goes before it"),
  SLUICE_STORAGE: z
    .enum(["sqlite", "postgres"])
    .default("sqlite")
    .describe("where documents, events, jobs and keys are"),
  SLUICE_BLOBS: z.enum(["folder", "s3"]).default("folder").describe("where files are"),
  SLUICE_QUEUE: z
    .enum(["database", "sqs"])
    .default("database")
    .describe("what brings jobs to workers; their state is in the storage either way. sqs needs postgres"),
  SLUICE_INDEX: z
    .enum(["database", "pinecone"])
    .default("database")
    .describe(
      "where vectors are: in the storage (postgres: with pgvector), or in Pinecone; words are in the storage either way",
    ),
  SLUICE_PUBLISHERS: listOf(publishers)
    .default([])
    .describe("where events go besides the log: any of kafka, sqs, sns, separated by commas"),
};

const server = {
  SLUICE_HOST: z.string().min(1).default("127.0.0.1").describe("address that the API listens on"),
  SLUICE_PORT: integer(0, 65_535).default(7300).describe("port of the API; 0 takes a free one"),
  SLUICE_ALLOWED_ORIGINS: origins()
    .default([])
    .describe(
      "origins of other sites' pages that may call the API from a browser, separated by commas; `*`: every, on a server with API keys; default: none",
    ),
  SLUICE_DATA_DIR: z.string().min(1).default("./data").describe("folder of the database and the files"),
  SLUICE_WORKERS: integer(0, 256)
    .default(() => Math.max(2, Math.min(8, availableParallelism() - 1)))
    .describe("worker processes; default: one less than the cores, at least 2, at most 8"),
  SLUICE_WORKER_CONCURRENCY: integer(1, 64).default(2).describe("jobs that one worker runs at a time"),
  SLUICE_LOG_LEVEL: z
    .enum(["trace", "debug", "info", "warn", "error", "fatal", "silent"])
    .default("info")
    .describe("least serious log line written"),
  SLUICE_URL: z.url().optional().describe("server that the CLI talks to; default from SLUICE_HOST and _PORT"),
  SLUICE_API_KEY: z.string().min(1).optional().describe("key that the CLI sends"),
};

const limits = {
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
};

const jobs = {
  SLUICE_MAX_ATTEMPTS: integer(1, 100).default(5).describe("runs of a job before it is a dead letter"),
  SLUICE_RETRY_BASE_MS: integer(1, 3_600_000).default(1_000).describe("ceiling of the first retry's delay"),
  SLUICE_RETRY_CAP_MS: integer(1, 86_400_000).default(600_000).describe("ceiling of any retry's delay"),
  SLUICE_LEASE_SECONDS: integer(2, 3_600)
    .default(30)
    .describe("how long a job stays with a worker that says nothing; renewed at a third of it"),
  SLUICE_SHUTDOWN_SECONDS: integer(0, 600).default(10).describe("how long a stop waits for running jobs"),
};

const reading = {
  SLUICE_CHUNK_TOKENS: integer(...chunkLimits.max_tokens)
    .default(256)
    .describe("most tokens in a chunk"),
  SLUICE_CHUNK_OVERLAP_TOKENS: integer(...chunkLimits.overlap_tokens)
    .default(32)
    .describe("tokens that a chunk repeats from the one before"),
  SLUICE_CHUNK_STRATEGY: z
    .enum(chunkStrategies)
    .default("structure")
    .describe("how documents are cut: by structure, in fixed windows, by sentences, or a chunk a page"),
  SLUICE_CHUNK_CONTEXTUAL_HEADER: flag().describe(
    "embed each chunk with its document's title and the headings above it",
  ),
  SLUICE_EXTRACT_TIMEOUT_SECONDS: integer(1, 86_400)
    .default(300)
    .describe("longest time to read one document"),
  SLUICE_EXTRACT_MEMORY_MB: integer(64, 65_536)
    .default(512)
    .describe("heap of the process that reads documents"),
  SLUICE_SOFFICE: z
    .string()
    .regex(/^(off|\/.+|[a-z]:[\\/].+)$/i, "must be an absolute path, or off")
    .optional()
    .describe(
      "path of LibreOffice's `soffice`, by which formats are read that nothing else here reads; `off` for none; without it, the one on the PATH",
    ),
  SLUICE_OCR_LANGUAGES: z
    .string()
    .regex(/^[a-z_]{3,12}([,+ ]+[a-z_]{3,12})*$/i)
    .default("eng")
    .describe(
      "languages in which scanned pages and pictures are read, as Tesseract names them (`eng,deu`); each needs its package `@tesseract.js-data/…`; `none`: none are read",
    ),
};

const embedder = {
  SLUICE_EMBEDDER: z
    .enum(["static", "hashing", "openai", "transformers"])
    .default("static")
    .describe(
      "which embedder makes the vectors of a new index (docs/embedders.md); an index keeps its own until `sluice reindex`",
    ),
  SLUICE_EMBEDDER_URL: z
    .url()
    .default("https://api.openai.com/v1")
    .describe("base URL of an OpenAI-compatible service (OpenAI, Ollama, vLLM, TEI)"),
  SLUICE_EMBEDDER_MODEL: text().describe(
    "model of that service, by default text-embedding-3-small; transformers: a folder, or owner/name on the Hugging Face Hub",
  ),
  SLUICE_EMBEDDER_DIMENSIONS: integer(8, 8_192).default(1_536).describe("length of that model's vectors"),
  SLUICE_EMBEDDER_REQUEST_DIMENSIONS: z
    .stringbool()
    .default(false)
    .describe("ask the service for vectors of that length; only for models that can shorten theirs"),
  SLUICE_EMBEDDER_ENCODING: z
    .enum(["float", "base64"])
    .default("float")
    .describe("how the service sends vectors; base64, where it knows that, has a quarter of the bytes"),
  SLUICE_EMBEDDER_API_KEY: z.string().min(1).optional().describe("key of that service"),
  SLUICE_EMBEDDER_BATCH: integer(1, 2_048)
    .optional()
    .describe("texts sent in one request, by default 64; transformers: texts between two checkpoints, 16"),
  SLUICE_EMBEDDER_TIMEOUT_SECONDS: integer(1, 600).default(30).describe("longest wait for one answer"),
  SLUICE_EMBEDDER_QUERY_PREFIX: z.string().default("").describe("put before every query"),
  SLUICE_EMBEDDER_PASSAGE_PREFIX: z.string().default("").describe("put before every chunk"),
  SLUICE_EMBEDDER_DTYPE: dtype().describe(
    "transformers: how the weights are stored, each in a file of its own",
  ),
  SLUICE_EMBEDDER_POOLING: z
    .enum(["mean", "cls", "last"])
    .default("mean")
    .describe("transformers: what becomes of the tokens' vectors, as the model's card says"),
  SLUICE_EMBEDDER_MAX_TOKENS: integer(8, 131_072)
    .default(512)
    .describe("transformers: the most tokens of a text that are read; less where the model ends before"),
};

const reranker = {
  SLUICE_RERANKER: z
    .enum(["none", "http", "tei", "transformers"])
    .default("none")
    .describe(
      "what puts the best hits in order: `http` for the rerank API of Cohere, Jina, vLLM and others, `tei` for Text Embeddings Inference's own, `transformers` for a cross-encoder in the process",
    ),
  SLUICE_RERANKER_URL: z.url().optional().describe("base URL of that service; /rerank is put after it"),
  SLUICE_RERANKER_MODEL: text().describe(
    "model of that service; needed for http; transformers: a folder, or owner/name on the Hugging Face Hub",
  ),
  SLUICE_RERANKER_API_KEY: text().describe("key of that service"),
  SLUICE_RERANKER_BATCH: integer(1, 1_000).default(32).describe("passages sent in one request"),
  SLUICE_RERANKER_DTYPE: dtype().describe(
    "transformers: how the weights are stored, each in a file of its own",
  ),
  SLUICE_RERANKER_MAX_TOKENS: integer(8, 131_072)
    .default(512)
    .describe("transformers: the most tokens of query and passage together that are read"),
  SLUICE_RERANKER_CANDIDATES: integer(1, 1_000)
    .default(32)
    .describe("the best hits that it is given, at least as many as a search asks for"),
  SLUICE_RERANKER_TIMEOUT_MS: integer(10, 60_000)
    .default(2_000)
    .describe("longest wait for it; then a search answers in its own order and says `reranked: false`"),
};

const transformers = {
  SLUICE_TRANSFORMERS_DIR: text().describe(
    "folder in whose node_modules @huggingface/transformers is; default: where Sluice is installed",
  ),
  SLUICE_TRANSFORMERS_THREADS: integer(1, 256)
    .default(1)
    .describe("cores that the model of one process may use; every worker process has a model of its own"),
};

const postgres = {
  SLUICE_POSTGRES_URL: text().describe(
    "postgresql://user:password@host:5432/database, with sslmode=… where wanted",
  ),
  SLUICE_POSTGRES_SCHEMA: z
    .string()
    .regex(/^[a-z_][a-z0-9_]{0,62}$/, "must be lower-case letters, digits and _")
    .default("sluice")
    .describe("schema that everything lies in"),
  SLUICE_POSTGRES_POOL: integer(2, 1_000)
    .default(8)
    .describe("most connections of one process, besides one that listens"),
};

const aws = {
  SLUICE_AWS_REGION: z
    .string()
    .min(1)
    .default("us-east-1")
    .describe("region of bucket, queues and topic; credentials come the way that all AWS tools find them"),
  SLUICE_S3_BUCKET: text().describe("bucket of the files"),
  SLUICE_S3_PREFIX: z.string().default("").describe("what every key begins with"),
  SLUICE_S3_ENDPOINT: z.url().optional().describe("S3-compatible service other than AWS"),
  SLUICE_S3_PATH_STYLE: flag().describe(
    "name the bucket in the path instead of the host (MinIO and the like)",
  ),
  SLUICE_S3_SSE: z
    .enum(["AES256", "aws:kms"])
    .optional()
    .describe("server-side encryption to ask for; default: what the bucket is set to"),
  SLUICE_S3_KMS_KEY_ID: text().describe("key for aws:kms; default: the account's own for S3"),
  SLUICE_SQS_QUEUE_URL: text().describe("queue that brings jobs"),
  SLUICE_SQS_DEAD_LETTER_QUEUE_URL: text().describe(
    "where that queue's redrive policy puts what nobody could take",
  ),
  SLUICE_SQS_ENDPOINT: z.url().optional().describe("SQS-compatible service other than AWS"),
  SLUICE_SQS_WAIT_SECONDS: integer(0, 20).default(5).describe("how long one receive waits for messages"),
  SLUICE_SQS_EVENTS_QUEUE_URL: text().describe("queue that events are published to"),
  SLUICE_SNS_TOPIC_ARN: text().describe("topic that events are published to"),
  SLUICE_SNS_ENDPOINT: z.url().optional().describe("SNS-compatible service other than AWS"),
};

const kafka = {
  SLUICE_KAFKA_BROKERS: text().describe("host:port of one broker or more, separated by commas"),
  SLUICE_KAFKA_TOPIC: z.string().min(1).default("sluice.events").describe("topic of all events"),
  SLUICE_KAFKA_DOCUMENT_TOPIC: text().describe("topic of rag.document.* alone"),
  SLUICE_KAFKA_INGESTION_TOPIC: text().describe("topic of rag.ingestion.* alone"),
  SLUICE_KAFKA_MODE: z
    .enum(["binary", "structured"])
    .default("binary")
    .describe("how a CloudEvent travels: attributes in headers, or all of it as JSON"),
  SLUICE_KAFKA_COMPRESSION: z
    .enum(["none", "gzip", "snappy", "lz4", "zstd"])
    .default("none")
    .describe("how batches are compressed"),
  SLUICE_KAFKA_CLIENT_ID: z
    .string()
    .min(1)
    .default("sluice")
    .describe("name in the brokers' logs and quotas"),
  SLUICE_KAFKA_TLS: flag().describe("connect with TLS"),
  SLUICE_KAFKA_SASL_MECHANISM: z
    .enum(["plain", "scram-sha-256", "scram-sha-512"])
    .optional()
    .describe("how to authenticate; needs user name and password"),
  SLUICE_KAFKA_SASL_USERNAME: text().describe("user name for that"),
  SLUICE_KAFKA_SASL_PASSWORD: text().describe("password for that"),
  SLUICE_EVENT_SOURCE: z
    .string()
    .min(1)
    .default("/sluice")
    .describe("`source` of every CloudEvent: names this installation"),
};

const pinecone = {
  SLUICE_PINECONE_HOST: z.url().optional().describe("URL of the index, as the console shows it"),
  SLUICE_PINECONE_API_KEY: text().describe("key for it"),
  SLUICE_PINECONE_NAMESPACE_PREFIX: z
    .string()
    .default("")
    .describe("before the tenant in the name of its namespace"),
  SLUICE_PINECONE_VISIBLE_WAIT_SECONDS: integer(0, 300)
    .default(10)
    .describe("longest wait until what was written shows in searches; 0: don't wait"),
  SLUICE_PINECONE_TIMEOUT_SECONDS: integer(1, 600).default(30).describe("longest wait for one answer"),
};

/** In sections, for people. */
export const settingGroups = {
  "Where things are": choices,
  "Server and workers": server,
  Limits: limits,
  "Jobs and retries": jobs,
  "Reading and chunking": reading,
  Embedder: embedder,
  Reranker: reranker,
  "Models in the process (transformers.js)": transformers,
  PostgreSQL: postgres,
  "AWS: S3, SQS, SNS": aws,
  Kafka: kafka,
  Pinecone: pinecone,
};

export const settings = {
  ...choices,
  ...server,
  ...limits,
  ...jobs,
  ...reading,
  ...embedder,
  ...reranker,
  ...transformers,
  ...postgres,
  ...aws,
  ...kafka,
  ...pinecone,
};

export const settingsSchema = z.object(settings);
export type Settings = z.output<typeof settingsSchema>;

/** Settings whose value no message may show. */
export function isSecret(key: string): boolean {
  return /(API_KEY|PASSWORD|POSTGRES_URL)$/.test(key);
}

/** `sluice ingest PATH…`: uploads files and follows each to its end. */
import { loadConfig } from "../config/config.ts";
import { collectionSchema, isTerminal, metadataSchema } from "../document.ts";
import type { AcceptedAnswer } from "../server/schemas.ts";
import { type Client, createClient, type UploadParameters } from "./client.ts";
import { type FoundFile, findFiles } from "./files.ts";
import { followJourneys, type Journeys } from "./journeys.ts";
import { counted, type OutputOptions, parseJsonOption, toReportedError, UsageError } from "./output.ts";
import { createReporter, type FileResult, type IngestReporter, isFine } from "./progress.ts";
import { uploadFile } from "./upload.ts";

export interface IngestOptions extends OutputOptions {
  collection: string;
  /** A JSON object. */
  metadata?: string;
  newVersion?: boolean;
  /** Uploads at a time. */
  concurrency: number;
  /** Whether to follow the documents to their ends. */
  wait: boolean;
}

/** Metadata travel in the URL, and servers take about 16 KB of head. */
const MAX_METADATA_BYTES = 8_000;

/** Sets exit code 1 unless every file completed (with `--no-wait`: was accepted). */
export async function ingest(paths: string[], options: IngestOptions): Promise<void> {
  const parameters = toParameters(options);
  const client = createClient(loadConfig().client);
  // Before the first upload, so that nothing is missed; and a server that is not there is told of once.
  const journeys = options.wait ? await followJourneys(client, options.collection) : undefined;
  const files = await findFiles(paths);
  const reporter = await createReporter(options.json, files.length);
  const started = performance.now();
  let accepted = 0;
  const interrupted = () => {
    reporter.close();
    process.stderr.write(`sluice: stopped; ${counted(accepted, "accepted file")} will still be ingested.\n`);
    process.exit(130);
  };
  process.once("SIGINT", interrupted);

  const results: FileResult[] = [];
  const ending: Promise<void>[] = [];
  const finish = (result: FileResult) => {
    results.push(result);
    reporter.ended(result);
  };
  const waiting = files.values();
  await Promise.all(
    Array.from({ length: options.concurrency }, async () => {
      for (const file of waiting) {
        try {
          const { answer, end } = await upload(client, journeys, file, parameters, reporter);
          accepted++;
          // The next upload does not wait for the journey of this one.
          ending.push(end.then(finish, (error: unknown) => finish(toResult(file.path, answer, error))));
        } catch (error) {
          finish(toResult(file.path, undefined, error));
        }
      }
    }),
  );
  await Promise.all(ending);
  process.removeListener("SIGINT", interrupted);
  journeys?.close();
  reporter.summary(results, performance.now() - started, options.wait);
  if (!results.every(isFine)) process.exitCode = 1;
}

/** @throws UsageError */
function toParameters(options: IngestOptions): UploadParameters {
  if (!collectionSchema.safeParse(options.collection).success) {
    throw new UsageError(
      `--collection: ${JSON.stringify(options.collection)} is not a name of a collection: letters, digits, . _ -, at most 100, first a letter or digit.`,
    );
  }
  const parameters: UploadParameters = { collection: options.collection };
  if (options.newVersion) parameters.on_duplicate = "new_version";
  if (options.metadata !== undefined) {
    const parsed = metadataSchema.safeParse(parseJsonOption("--metadata", options.metadata));
    if (!parsed.success) {
      const [issue] = parsed.error.issues;
      throw new UsageError(`--metadata: ${issue?.path.join(".") || "the value"}: ${issue?.message}.`);
    }
    parameters.metadata = JSON.stringify(parsed.data);
    if (encodeURIComponent(parameters.metadata).length > MAX_METADATA_BYTES) {
      throw new UsageError(`--metadata: is too long; ${MAX_METADATA_BYTES} bytes, URL-encoded, can be sent.`);
    }
  }
  return parameters;
}

/** @returns once the file is accepted; `end` resolves when nothing more will happen to it */
async function upload(
  client: Client,
  journeys: Journeys | undefined,
  file: FoundFile,
  parameters: UploadParameters,
  reporter: IngestReporter,
): Promise<{ answer: AcceptedAnswer; end: Promise<FileResult> }> {
  if ("error" in file) throw file.error;
  const { path } = file;
  const send = () =>
    uploadFile(client, path, parameters, (done, total) =>
      reporter.progress(path, { stage: "uploading", done, total }),
    );
  if (!journeys) {
    const answer = await send();
    const known = isTerminal(answer.status) ? settled(client, path, answer) : toResult(path, answer);
    return { answer, end: Promise.resolve(known) };
  }
  return journeys.during(async () => {
    const answer = await send();
    if (isTerminal(answer.status)) return { answer, end: settled(client, path, answer) };
    const journey = journeys.follow(answer, (progress) => reporter.progress(path, progress));
    return { answer, end: journey.then((end) => ({ ...toResult(path, answer), ...end })) };
  });
}

/** A document that was there before, and done. */
async function settled(client: Client, path: string, answer: AcceptedAnswer): Promise<FileResult> {
  const { status, chunks_created, error } = await client.getDocument(answer.document_id);
  return { ...toResult(path, answer), status, chunks_created, error };
}

function toResult(path: string, answer: AcceptedAnswer | undefined, error?: unknown): FileResult {
  return {
    path,
    document_id: answer?.document_id ?? null,
    job_id: answer?.job_id ?? null,
    // Accepted, and then the server was lost: it is not known to have failed.
    status: answer?.status ?? "failed",
    chunks_created: 0,
    children: 0,
    error: error === undefined ? null : toReportedError(error),
    duplicate: answer?.duplicate ?? false,
  };
}

/** One file to the server, streamed, over whatever passes: a busy server, a broken connection, a restart. */
import { randomUUID } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";
import { basename } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { SluiceError } from "../errors.ts";
import type { AcceptedAnswer } from "../server/schemas.ts";
import type { Client, UploadParameters } from "./client.ts";
import { unreadable } from "./files.ts";
import { CommandError } from "./output.ts";

const MAX_TRIES = 6;
/** Ceiling of the first pause in milliseconds; it doubles with every try. */
const FIRST_PAUSE_MS = 500;
/** A server that asks for a longer pause is taken at its word only up to here. */
const MAX_PAUSE_MS = 60_000;
const READ_BYTES = 256 * 1024;

/**
 * Every try carries the same Idempotency-Key, so that however many of them arrive there is one document.
 *
 * @param progress bytes sent so far; goes back to 0 with a new try
 * @throws CommandError no_such_file, unreadable_file; what `Client.upload` throws at the last try
 */
export async function uploadFile(
  client: Client,
  path: string,
  parameters: UploadParameters,
  progress: (done: number, total: number) => void,
): Promise<AcceptedAnswer> {
  const idempotency_key = randomUUID();
  for (let tries = 1; ; tries++) {
    try {
      return await sendOnce(client, path, parameters, idempotency_key, progress);
    } catch (error) {
      if (tries === MAX_TRIES || !worthAnotherTry(error)) throw error;
      const ceiling = FIRST_PAUSE_MS * 2 ** (tries - 1);
      const wanted = (error as SluiceError | CommandError).retry_after_ms ?? 0;
      await sleep(Math.min(MAX_PAUSE_MS, Math.max(wanted, ceiling * (0.5 + Math.random() / 2))));
    }
  }
}

async function sendOnce(
  client: Client,
  path: string,
  parameters: UploadParameters,
  idempotency_key: string,
  progress: (done: number, total: number) => void,
): Promise<AcceptedAnswer> {
  let file: FileHandle;
  try {
    file = await open(path, "r");
  } catch (error) {
    throw unreadable(path, error);
  }
  const trouble: { error?: CommandError } = {};
  try {
    const { size: size_bytes } = await file.stat();
    progress(0, size_bytes);
    const bytes = () => readExactly(file, path, size_bytes, trouble, (done) => progress(done, size_bytes));
    return await client.upload(
      { ...parameters, filename: basename(path) },
      { size_bytes, open: () => (size_bytes === 0 ? undefined : ReadableStream.from(bytes())) },
      idempotency_key,
    );
  } catch (error) {
    // The request failed because the file did.
    throw trouble.error ?? error;
  } finally {
    await file.close();
  }
}

/** As many bytes as were promised: a file that shrinks meanwhile fails, one that grows is cut. */
async function* readExactly(
  file: FileHandle,
  path: string,
  size_bytes: number,
  trouble: { error?: CommandError },
  progress: (done: number) => void,
): AsyncGenerator<Uint8Array, void, void> {
  let done = 0;
  while (done < size_bytes) {
    const wanted = Math.min(READ_BYTES, size_bytes - done);
    try {
      const { bytesRead, buffer } = await file.read(new Uint8Array(wanted), 0, wanted, done);
      if (bytesRead === 0) {
        throw new CommandError("unreadable_file", `${path} became shorter while it was read.`);
      }
      done += bytesRead;
      yield buffer.subarray(0, bytesRead);
    } catch (error) {
      trouble.error = error instanceof CommandError ? error : unreadable(path, error);
      throw trouble.error;
    }
    progress(done);
  }
}

function worthAnotherTry(error: unknown): boolean {
  if (error instanceof CommandError) return error.retryable;
  // An unforeseen error (500) would most likely meet itself again.
  return error instanceof SluiceError && error.retryable && error.code !== "internal";
}

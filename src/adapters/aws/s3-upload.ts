/**
 * One upload into S3 from a stream of unknown length: a single request when it fits into one part, else parts that are
 * sent while the next is filled. S3 checks every request against a checksum that was made here, and the object is there
 * only when the last request was acknowledged.
 */
import { createHash } from "node:crypto";
import { crc32 } from "node:zlib";
import {
  AbortMultipartUploadCommand,
  type CompletedPart,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  PutObjectCommand,
  type PutObjectCommandInput,
  type S3Client,
  UploadPartCommand,
} from "@aws-sdk/client-s3";
import type { StoredBlob } from "../../ports/blob-store.ts";
import { forEachChunk } from "../for-each-chunk.ts";

export interface S3Target {
  client: S3Client;
  bucket: string;
  key: string;
  /** As configured: how the object is encrypted. */
  encryption: Pick<PutObjectCommandInput, "ServerSideEncryption" | "SSEKMSKeyId">;
  /** Bytes of the first 1,000 parts; each further 1,000 are larger by as much, so that the 10,000 allowed suffice. */
  part_bytes: number;
  /** Whatever is under the key is the same bytes, so a put whose outcome nobody knows takes nothing away. */
  repeated?: boolean;
  /** Shared by all uploads: limits the memory that waits for the network. */
  sending: Turns;
  /** Waits for an answer of S3; its errors leave as what the port promises. */
  answer<T>(sent: Promise<T>): Promise<T>;
}

const PARTS_OF_A_SIZE = 1_000;

/**
 * @param chunks may reuse their memory after each step
 * @throws what the source throws, the signal's reason, or S3's error; then nothing is left that can be read
 */
export async function uploadToS3(
  target: S3Target,
  chunks: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): Promise<StoredBlob> {
  const { client, bucket: Bucket, key: Key, part_bytes, sending, answer } = target;
  const hash = createHash("sha256");
  let size_bytes = 0;
  let upload_id: string | undefined;
  let asked = false;
  const parts: Promise<CompletedPart>[] = [];
  let pieces: Uint8Array[] = [];
  let filled = 0;
  const failed = new AbortController();
  const either = AbortSignal.any([signal, failed.signal]);

  async function sendPart(UploadId: string, PartNumber: number, Body: Buffer): Promise<CompletedPart> {
    try {
      const ChecksumCRC32 = crc32Of(Body);
      const input = { Bucket, Key, UploadId, PartNumber, Body, ChecksumCRC32 };
      const { ETag } = await answer(client.send(new UploadPartCommand(input), { abortSignal: either }));
      return { ETag, PartNumber, ChecksumCRC32 };
    } finally {
      sending.leave();
    }
  }

  async function flush(): Promise<void> {
    if (upload_id === undefined) {
      const create = { Bucket, Key, ChecksumAlgorithm: "CRC32" as const, ...target.encryption };
      const created = await answer(
        client.send(new CreateMultipartUploadCommand(create), { abortSignal: either }),
      );
      upload_id = created.UploadId as string;
    }
    await sending.enter(either);
    const body = Buffer.concat(pieces, filled);
    pieces = [];
    filled = 0;
    const part = sendPart(upload_id, parts.length + 1, body);
    // Awaited at the end; until then the others stop, and so does the reading of the source.
    part.catch((error) => failed.abort(error));
    parts.push(part);
  }

  try {
    await forEachChunk(chunks, either, async (chunk) => {
      hash.update(chunk);
      size_bytes += chunk.length;
      for (let taken = 0; taken < chunk.length; ) {
        const room = part_bytes * (1 + Math.floor(parts.length / PARTS_OF_A_SIZE)) - filled;
        const piece = Buffer.from(chunk.subarray(taken, taken + room));
        pieces.push(piece);
        filled += piece.length;
        taken += piece.length;
        if (piece.length === room) await flush();
      }
    });
    const sha256 = hash.digest();
    asked = true;
    if (upload_id === undefined) {
      await sending.enter(either);
      try {
        const Body = Buffer.concat(pieces, filled);
        const input = { Bucket, Key, Body, ChecksumSHA256: sha256.toString("base64"), ...target.encryption };
        await answer(client.send(new PutObjectCommand(input), { abortSignal: either }));
      } finally {
        sending.leave();
      }
    } else {
      if (filled > 0) await flush();
      const MultipartUpload = { Parts: await Promise.all(parts) };
      const complete = { Bucket, Key, UploadId: upload_id as string, MultipartUpload };
      await answer(client.send(new CompleteMultipartUploadCommand(complete), { abortSignal: either }));
    }
    return { size_bytes, sha256: sha256.toString("hex") };
  } catch (error) {
    failed.abort(error);
    await Promise.allSettled(parts);
    // The first error says more than that the remains could not be removed: unfinished parts nobody can read, and what
    // a lost answer left whole no commit will name; both are swept up later.
    const quietly = (sent: Promise<unknown>) => sent.catch(() => {});
    if (upload_id !== undefined) {
      await quietly(client.send(new AbortMultipartUploadCommand({ Bucket, Key, UploadId: upload_id })));
    }
    if (asked && !target.repeated) await quietly(client.send(new DeleteObjectCommand({ Bucket, Key })));
    throw signal.aborted ? signal.reason : failed.signal.reason;
  }
}

function crc32Of(bytes: Buffer): string {
  const sum = Buffer.alloc(4);
  sum.writeUInt32BE(crc32(bytes));
  return sum.toString("base64");
}

/** Lets a number of callers in at once; the others wait, first come first served. */
export interface Turns {
  /** @throws the signal's reason; then nothing was entered */
  enter(signal: AbortSignal): Promise<void>;
  leave(): void;
}

export function createTurns(limit: number): Turns {
  let inside = 0;
  const waiting: (() => void)[] = [];
  return {
    async enter(signal) {
      signal.throwIfAborted();
      if (inside < limit) {
        inside += 1;
        return;
      }
      await new Promise<void>((resolve, reject) => {
        const begin = () => {
          signal.removeEventListener("abort", giveUp);
          resolve();
        };
        const giveUp = () => {
          waiting.splice(waiting.indexOf(begin), 1);
          reject(signal.reason);
        };
        signal.addEventListener("abort", giveUp, { once: true });
        waiting.push(begin);
      });
    },
    leave() {
      // Whoever waits longest takes the place over.
      const next = waiting.shift();
      if (next) next();
      else inside -= 1;
    },
  };
}

/**
 * A BlobStore in an S3 bucket, or in one of a service that speaks S3. An object can be read as soon as S3 has
 * acknowledged it, and never before: there is no half an object.
 *
 * No `If-None-Match` goes with a put: keys are random and written once, and a put that is repeated because its answer
 * was lost must not be refused for what it wrote itself.
 */
import { randomUUID } from "node:crypto";
import { Readable } from "node:stream";
import {
  AbortMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  ListMultipartUploadsCommand,
  paginateListObjectsV2,
  S3Client,
} from "@aws-sdk/client-s3";
import { SluiceError } from "../../errors.ts";
import type { BlobStore } from "../../ports/blob-store.ts";
import { codeOf, statusOf } from "./connection.ts";
import {
  encryptionOf,
  isMissing,
  type S3BlobStoreOptions,
  toS3ClientOptions,
  toSluiceError,
} from "./s3-client.ts";
import { createS3DirectUpload } from "./s3-direct.ts";
import { createS3ResumablePuts } from "./s3-resumable.ts";
import { createTurns, uploadToS3 } from "./s3-upload.ts";

export interface S3BlobStore extends BlobStore {
  close(): Promise<void>;
}

const PART_BYTES = 8 * 1024 * 1024;
/** Requests with a body under way at once, in one process: at most so many parts wait in memory for the network. */
const SENDING = 8;
/** A body whose connection broke is asked for again from where it broke, so often without a byte in between. */
const RESUMES = 3;

export function createS3BlobStore(options: S3BlobStoreOptions): S3BlobStore {
  const { bucket: Bucket, prefix = "", part_bytes = PART_BYTES } = options;
  const client = new S3Client(toS3ClientOptions(options));
  const direct = createS3DirectUpload(client, options, (key) => objectKey(prefix, key), answer);
  const sending = createTurns(SENDING);
  const encryption = encryptionOf(options);

  async function answer<T>(sent: Promise<T>): Promise<T> {
    try {
      return await sent;
    } catch (error) {
      throw toSluiceError(error, Bucket);
    }
  }

  async function open(Key: string, key: string, range: string | undefined, etag: string | undefined) {
    const input = { Bucket, Key, ...(range ? { Range: range } : {}), ...(etag ? { IfMatch: etag } : {}) };
    try {
      return await client.send(new GetObjectCommand(input));
    } catch (error) {
      if (isMissing(error)) throw blobMissing(key, Bucket);
      // The object is there, and ends before `start`.
      if (codeOf(error) === "InvalidRange" || statusOf(error) === 416) return undefined;
      throw toSluiceError(error, Bucket);
    }
  }

  /** @param last inclusive; undefined: to the end */
  async function* bytesOf(
    first: NonNullable<Awaited<ReturnType<typeof open>>>,
    Key: string,
    key: string,
    start: number,
    last: number | undefined,
  ): AsyncGenerator<Uint8Array> {
    let body = first.Body as Readable;
    let at = start;
    for (let left = RESUMES; ; ) {
      try {
        for await (const bytes of body) {
          at += (bytes as Uint8Array).length;
          left = RESUMES;
          yield bytes as Uint8Array;
        }
        return;
      } catch (error) {
        if (left === 0) throw toSluiceError(error, Bucket);
        left -= 1;
      } finally {
        body.destroy();
      }
      if (last !== undefined && at > last) return;
      const again = await open(Key, key, `bytes=${at}-${last ?? ""}`, first.ETag);
      if (!again) return;
      body = again.Body as Readable;
    }
  }

  async function put(Key: string, source: AsyncIterable<Uint8Array>, signal = new AbortController().signal) {
    signal.throwIfAborted();
    const target = { client, bucket: Bucket, key: Key, encryption, part_bytes, sending, answer };
    return uploadToS3(target, source, signal);
  }

  const remove = async (Key: string) => {
    await answer(client.send(new DeleteObjectCommand({ Bucket, Key })));
  };

  const get: BlobStore["get"] = async (key, { start = 0, end = Number.POSITIVE_INFINITY } = {}) => {
    const Key = objectKey(prefix, key);
    const last = Number.isFinite(end) ? end - 1 : undefined;
    const nothing = last !== undefined && last < start;
    const whole = start === 0 && last === undefined;
    const range = nothing ? "bytes=0-0" : whole ? undefined : `bytes=${start}-${last ?? ""}`;
    const first = await open(Key, key, range, undefined);
    if (!first || nothing) {
      (first?.Body as Readable | undefined)?.destroy();
      return Readable.from([], { objectMode: false });
    }
    return Readable.from(bytesOf(first, Key, key, start, last), { objectMode: false });
  };

  return {
    put: async (key, source, putOptions) => put(objectKey(prefix, key), source, putOptions?.signal),

    get,

    delete: async (key) => remove(objectKey(prefix, key)),

    async *list(beginning) {
      // No key begins so, and some services refuse to be asked.
      if (beginning !== "" && !isBlobKey(beginning.replace(/\/$/, ""))) return;
      const pages = paginateListObjectsV2({ client }, { Bucket, Prefix: prefix + beginning });
      try {
        for await (const { Contents = [] } of pages) {
          for (const { Key = "", Size = 0, LastModified } of Contents) {
            const key = Key.slice(prefix.length);
            // A bucket may hold other things too.
            if (isBlobKey(key)) yield { key, size_bytes: Size, modified_at: LastModified?.getTime() ?? 0 };
          }
        }
      } catch (error) {
        throw toSluiceError(error, Bucket);
      }
    },

    async removeUnfinished(older_than_ms) {
      const before = Date.now() - older_than_ms;
      let removed = 0;
      let after: { KeyMarker?: string; UploadIdMarker?: string } = {};
      for (;;) {
        const page = await answer(
          client.send(new ListMultipartUploadsCommand({ Bucket, Prefix: prefix, ...after })),
        );
        for (const { Key = "", UploadId, Initiated } of page.Uploads ?? []) {
          if (!UploadId || !Initiated || Initiated.getTime() > before) continue;
          if (!isBlobKey(Key.slice(prefix.length))) continue;
          try {
            await client.send(new AbortMultipartUploadCommand({ Bucket, Key, UploadId }));
          } catch (error) {
            // It was finished or given up meanwhile.
            if (codeOf(error) === "NoSuchUpload") continue;
            throw toSluiceError(error, Bucket);
          }
          removed += 1;
        }
        if (!page.IsTruncated) return removed;
        after = {
          ...(page.NextKeyMarker ? { KeyMarker: page.NextKeyMarker } : {}),
          ...(page.NextUploadIdMarker ? { UploadIdMarker: page.NextUploadIdMarker } : {}),
        };
      }
    },

    resumable: createS3ResumablePuts({
      client,
      bucket: Bucket,
      encryption,
      part_bytes,
      sending,
      answer,
      objectKey: (key) => objectKey(prefix, key),
      put: (key, source) => {
        const target = {
          client,
          bucket: Bucket,
          key: objectKey(prefix, key),
          encryption,
          part_bytes,
          sending,
        };
        return uploadToS3({ ...target, answer, repeated: true }, source, new AbortController().signal);
      },
      get,
    }),

    direct,

    check: async () => {
      const Key = objectKey(prefix, `.check/blob_${randomUUID().replaceAll("-", "")}`);
      await put(Key, Readable.from([Buffer.from("check")]));
      await remove(Key);
    },

    close: async () => client.destroy(),
  };
}

/** @throws Error when the key is not of the form that the port gives */
function objectKey(prefix: string, key: string): string {
  if (!isBlobKey(key)) throw new Error(`${JSON.stringify(key)} is no blob key`);
  return prefix + key;
}

function isBlobKey(key: string): boolean {
  return key.split("/").every((segment) => /^[A-Za-z0-9._-]+$/.test(segment) && !/^\.\.?$/.test(segment));
}

function blobMissing(key: string, bucket: string): SluiceError {
  return new SluiceError("blob_missing", `there is no blob ${key} in the bucket ${bucket}`);
}

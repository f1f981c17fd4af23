/** What `sluice doctor` asks S3. The only thing that it writes is one small object, which it deletes. */
import { randomUUID } from "node:crypto";
import {
  GetBucketEncryptionCommand,
  GetPublicAccessBlockCommand,
  HeadBucketCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  S3Client,
} from "@aws-sdk/client-s3";
import type { ServiceCheck } from "../../ports/service-check.ts";
import { codeOf, describeAwsError, fixFor, statusOf } from "./connection.ts";
import { createS3BlobStore } from "./s3-blob-store.ts";
import { type S3BlobStoreOptions, toS3ClientOptions } from "./s3-client.ts";

const name = "s3";

/** Whether the bucket is there, this process may do in it what it has to, and it is closed to the public. */
export async function* checkS3(options: S3BlobStoreOptions): AsyncGenerator<ServiceCheck, void, void> {
  const { bucket: Bucket, prefix: Prefix = "" } = options;
  const client = new S3Client({ ...toS3ClientOptions(options), maxAttempts: 2 });
  const store = createS3BlobStore(options);
  const failed = (what: string, error: unknown, needs: string): ServiceCheck => {
    const fix = fixFor(error, needs);
    return { name, ok: false, message: `${what}: ${describeAwsError(error)}`, ...(fix ? { fix } : {}) };
  };
  try {
    try {
      const { BucketRegion } = await client.send(new HeadBucketCommand({ Bucket }));
      yield {
        name,
        ok: true,
        message: `the bucket ${Bucket} is there${BucketRegion ? ` (${BucketRegion})` : ""}`,
      };
    } catch (error) {
      yield statusOf(error) === 404
        ? {
            name,
            ok: false,
            message: `there is no bucket ${Bucket}`,
            fix: "Make it, or correct SLUICE_S3_BUCKET.",
          }
        : failed(`the bucket ${Bucket} can't be asked for`, error, "s3:ListBucket");
      return;
    }
    yield await allowed(
      "put, read and delete",
      "s3:PutObject, s3:GetObject and s3:DeleteObject",
      async () => {
        const key = `.check/blob_${randomUUID().replaceAll("-", "")}`;
        await store.put(key, oneChunk());
        const bytes = await (await store.get(key)).toArray();
        await store.delete(key);
        if (Buffer.concat(bytes).toString() !== "check") throw new Error("what was read is not what was put");
      },
    );
    yield await allowed("list", "s3:ListBucket", () =>
      client.send(new ListObjectsV2Command({ Bucket, Prefix, MaxKeys: 1 })),
    );
    yield await allowed(
      "find unfinished uploads",
      "s3:ListBucketMultipartUploads and s3:AbortMultipartUpload",
      () => client.send(new ListMultipartUploadsCommand({ Bucket, Prefix, MaxUploads: 1 })),
    );
    if (!options.endpoint) yield* checkSettings();
  } finally {
    client.destroy();
    await store.close();
  }

  async function allowed(what: string, needs: string, work: () => Promise<unknown>): Promise<ServiceCheck> {
    try {
      await work();
      return { name, ok: true, message: `this process may ${what}` };
    } catch (error) {
      const { cause = error } = error as { cause?: unknown };
      return failed(`this process can't ${what}`, cause, needs);
    }
  }

  /** How AWS keeps the bucket. Sluice doesn't need to be allowed to know. */
  async function* checkSettings(): AsyncGenerator<ServiceCheck, void, void> {
    try {
      const { PublicAccessBlockConfiguration: block } = await client.send(
        new GetPublicAccessBlockCommand({ Bucket }),
      );
      const closed = block?.BlockPublicAcls && block.BlockPublicPolicy && block.RestrictPublicBuckets;
      yield closed
        ? { name, ok: true, message: "public access is blocked" }
        : { name, ok: true, message: "public access is not blocked", fix: "Block it: nobody needs it." };
    } catch (error) {
      if (codeOf(error) === "NoSuchPublicAccessBlockConfiguration") {
        yield { name, ok: true, message: "public access is not blocked", fix: "Block it: nobody needs it." };
      } else if (statusOf(error) !== 403) throw error;
    }
    try {
      const { ServerSideEncryptionConfiguration: set } = await client.send(
        new GetBucketEncryptionCommand({ Bucket }),
      );
      const algorithm = set?.Rules?.[0]?.ApplyServerSideEncryptionByDefault?.SSEAlgorithm;
      yield { name, ok: true, message: `objects are encrypted with ${options.sse ?? algorithm ?? "AES256"}` };
    } catch (error) {
      if (statusOf(error) !== 403) throw error;
    }
  }
}

async function* oneChunk(): AsyncGenerator<Uint8Array> {
  yield Buffer.from("check");
}

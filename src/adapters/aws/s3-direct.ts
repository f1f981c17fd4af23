/** Uploads that a client sends to the bucket itself, with a request that was signed here. */
import { HeadObjectCommand, PutObjectCommand, type S3Client } from "@aws-sdk/client-s3";
import { getSignedUrl } from "@aws-sdk/s3-request-presigner";
import { SluiceError } from "../../errors.ts";
import type { DirectUpload } from "../../ports/blob-store.ts";
import { encryptionOf, isMissing, type S3BlobStoreOptions } from "./s3-client.ts";

/** What S3 takes in one request. */
const LARGEST = 5 * 1024 ** 3;

export function createS3DirectUpload(
  client: S3Client,
  options: S3BlobStoreOptions,
  objectKey: (key: string) => string,
  answer: <T>(sent: Promise<T>) => Promise<T>,
): DirectUpload {
  const Bucket = options.bucket;
  return {
    async presignPut(key, { size_bytes, sha256, expires_seconds }) {
      if (size_bytes > LARGEST) {
        throw new SluiceError(
          "payload_too_large",
          `The file has ${size_bytes} bytes; S3 takes ${LARGEST} in one request. Upload it to POST /v1/documents.`,
        );
      }
      const encryption = encryptionOf(options);
      // Signed as headers, not moved into the URL: S3 refuses the request when one differs or is missing.
      const headers = {
        "content-length": String(size_bytes),
        ...(sha256 ? { "x-amz-checksum-sha256": Buffer.from(sha256, "hex").toString("base64") } : {}),
        ...(encryption.ServerSideEncryption
          ? { "x-amz-server-side-encryption": encryption.ServerSideEncryption }
          : {}),
        ...(encryption.SSEKMSKeyId
          ? { "x-amz-server-side-encryption-aws-kms-key-id": encryption.SSEKMSKeyId }
          : {}),
      };
      const command = new PutObjectCommand({
        Bucket,
        Key: objectKey(key),
        ContentLength: size_bytes,
        ...(sha256 ? { ChecksumSHA256: headers["x-amz-checksum-sha256"] } : {}),
        ...encryption,
      });
      const names = new Set(Object.keys(headers));
      const url = await answer(
        getSignedUrl(client, command, {
          expiresIn: expires_seconds,
          signableHeaders: new Set([...names, "host"]),
          unhoistableHeaders: names,
        }),
      );
      return { method: "PUT", url, headers };
    },

    async stat(key) {
      const asked = client.send(
        new HeadObjectCommand({ Bucket, Key: objectKey(key), ChecksumMode: "ENABLED" }),
      );
      const found = await asked.catch((error) =>
        isMissing(error) ? undefined : answer(Promise.reject(error)),
      );
      if (!found) return undefined;
      const { ContentLength = 0, LastModified, ChecksumSHA256, ChecksumType = "FULL_OBJECT" } = found;
      // Of an upload in parts it would be the hash of the parts' hashes.
      const whole =
        ChecksumSHA256 !== undefined && ChecksumType === "FULL_OBJECT" && !ChecksumSHA256.includes("-");
      return {
        size_bytes: ContentLength,
        ...(whole ? { sha256: Buffer.from(ChecksumSHA256, "base64").toString("hex") } : {}),
        modified_at: LastModified?.getTime() ?? 0,
      };
    },
  };
}

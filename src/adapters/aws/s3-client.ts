/** What speaking with S3 takes: options, and what its errors mean. */
import { SluiceError } from "../../errors.ts";
import {
  type AwsConnectionOptions,
  codeOf,
  describeAwsError,
  fixFor,
  toClientOptions,
} from "./connection.ts";

export interface S3BlobStoreOptions extends AwsConnectionOptions {
  bucket: string;
  /** What every key begins with, as it is: end it in "/" for a folder. Default none. */
  prefix?: string;
  /** Names the bucket in the path instead of the host. Default false. */
  force_path_style?: boolean;
  /** Server-side encryption to ask for; default: what the bucket is set to. */
  sse?: "AES256" | "aws:kms";
  /** Key for `aws:kms`; default: the account's own. */
  kms_key_id?: string;
  /** Bytes sent in one request, at least 5 MiB (S3's own limit). Default 8 MiB. */
  part_bytes?: number;
}

export function toS3ClientOptions(options: S3BlobStoreOptions) {
  return {
    ...toClientOptions(options),
    forcePathStyle: options.force_path_style ?? false,
    // What needs a checksum brings one; services other than AWS refuse those that the client would add on its own.
    requestChecksumCalculation: "WHEN_REQUIRED" as const,
    responseChecksumValidation: "WHEN_REQUIRED" as const,
  };
}

export function encryptionOf({ sse, kms_key_id }: S3BlobStoreOptions) {
  return {
    ...(sse ? { ServerSideEncryption: sse } : {}),
    ...(sse === "aws:kms" && kms_key_id ? { SSEKMSKeyId: kms_key_id } : {}),
  };
}

export function isMissing(error: unknown): boolean {
  const code = codeOf(error);
  return code === "NoSuchKey" || code === "NotFound";
}

export function toSluiceError(error: unknown, bucket: string): SluiceError {
  if (error instanceof SluiceError) return error;
  const needs = "s3:PutObject, s3:GetObject, s3:DeleteObject and s3:ListBucket";
  const fix =
    codeOf(error) === "NoSuchBucket" ? "Make the bucket, or correct SLUICE_S3_BUCKET." : fixFor(error, needs);
  const told = `the bucket ${bucket} can't keep files: ${describeAwsError(error)}`;
  return new SluiceError("storage_unavailable", fix ? `${told} ${fix}` : told, { cause: error });
}

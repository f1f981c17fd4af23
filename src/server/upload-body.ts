/** The two forms that an upload's body can take: one raw file, or multipart/form-data. Both are streamed. */
import type { Readable } from "node:stream";
import type { FastifyRequest } from "fastify";
import { SluiceError } from "../errors.ts";
import type { Upload } from "../intake/upload.ts";
import { invalidFields } from "./error-handler.ts";
import { type UploadFields, type UploadQuery, uploadFieldsSchema } from "./schemas.ts";

export const MAX_FILES = 100;
/** Every part that is no file is one of the five fields. */
const MAX_FIELDS = 10;
/** Bytes of a field's value: metadata at its limits fits. */
const MAX_FIELD_BYTES = 8 * 1024 * 1024;
/** What one multipart upload may hold in memory. */
const PARSER_BUFFER_BYTES = 1024 * 1024;

/**
 * Limits of the multipart parser. The size of a file is checked where its bytes are counted (`Upload.add`), by the
 * same rule for both forms.
 */
export const multipartOptions = {
  throwFileSizeLimit: false,
  // Large enough that parsing and storing seldom wait for each other: with the default, 16 KiB, multipart is 1.6
  // times slower than a raw body; with this, as fast.
  fileHwm: PARSER_BUFFER_BYTES,
  highWaterMark: PARSER_BUFFER_BYTES,
  limits: {
    fileSize: Number.MAX_SAFE_INTEGER,
    files: MAX_FILES,
    fields: MAX_FIELDS,
    parts: MAX_FILES + MAX_FIELDS,
    fieldSize: MAX_FIELD_BYTES,
    fieldNameSize: 200,
    headerPairs: 50,
  },
};

const codesOfTooMany = new Set(["FST_FILES_LIMIT", "FST_PARTS_LIMIT", "FST_FIELDS_LIMIT"]);

/** @throws SluiceError invalid_request, and what `Upload.add` throws */
export async function readRaw(request: FastifyRequest, query: UploadQuery, upload: Upload): Promise<number> {
  const { headers, raw } = request;
  const named = query.filename ?? filenameOf(headers["content-disposition"]);
  const empty =
    headers["transfer-encoding"] === undefined && (headers["content-length"] ?? "0").trim() === "0";
  if (empty && named === undefined) return 0;
  const declared = headers["content-type"];
  // Not the stream's own iterator: that one would cut the connection before a refusal could be answered.
  const source: AsyncIterable<Uint8Array> = raw.iterator({ destroyOnReturn: false });
  await upload.add(source, {
    filename: cleanFilename(named),
    ...(declared === undefined ? {} : { declared_media_type: declared }),
  });
  return 1;
}

/**
 * @returns how many files came, and the fields, which may come before, between and after them
 * @throws SluiceError invalid_request, and what `Upload.add` throws
 */
export async function readMultipart(
  request: FastifyRequest,
  upload: Upload,
): Promise<{ files: number; fields: UploadFields }> {
  const given: Record<string, unknown> = {};
  let files = 0;
  // Set when the body itself fails, so that its failure can be told from one of the store.
  let bodyError: unknown;
  try {
    const parts = request.parts(multipartOptions);
    for (;;) {
      let next: Awaited<ReturnType<typeof parts.next>>;
      try {
        next = await parts.next();
      } catch (error) {
        bodyError = error;
        throw error;
      }
      if (next.done) break;
      const part = next.value;
      if (part.type === "file") {
        const file: Readable = part.file;
        file.on("error", (error) => {
          bodyError ??= error;
        });
        if (!part.filename) {
          throw new SluiceError("invalid_request", `The file part ${part.fieldname} has no filename.`);
        }
        files++;
        await upload.add(file, {
          filename: cleanFilename(part.filename),
          declared_media_type: part.mimetype,
        });
      } else {
        if (part.valueTruncated || part.fieldnameTruncated) {
          throw new SluiceError("invalid_request", `${part.fieldname}: is too long`);
        }
        if (part.fieldname in given) {
          throw new SluiceError("invalid_request", `${part.fieldname}: came twice`);
        }
        // A part that says that it is JSON was parsed already.
        given[part.fieldname] = typeof part.value === "string" ? part.value : JSON.stringify(part.value);
      }
    }
  } catch (error) {
    if (error instanceof SluiceError || error !== bodyError) throw error;
    throw brokenBody(error);
  }
  const fields = uploadFieldsSchema.safeParse(given);
  if (!fields.success) throw invalidFields(fields.error.issues, "body");
  return { files, fields: fields.data };
}

function brokenBody(error: unknown): SluiceError {
  const { code, message } = error as Error & { code?: string };
  if (code !== undefined && codesOfTooMany.has(code)) {
    return new SluiceError(
      "invalid_request",
      `One request takes at most ${MAX_FILES} files and ${MAX_FIELDS} fields.`,
    );
  }
  return new SluiceError("invalid_request", `The multipart body is broken or ended early (${message}).`, {
    cause: error,
  });
}

/**
 * The last part of a path, without control characters, at most 255 characters, its extension kept.
 * Default `document`.
 */
export function cleanFilename(name: string | undefined): string {
  const last = (name ?? "").split(/[/\\]/).at(-1) ?? "";
  const clean = last.replace(/\p{Cc}/gu, "").trim();
  if (clean === "" || clean === "." || clean === "..") return "document";
  if (clean.length <= 255) return clean;
  const extension = /\.[^.]{1,16}$/.exec(clean)?.[0] ?? "";
  return clean.slice(0, 255 - extension.length).toWellFormed() + extension;
}

/** The filename of a Content-Disposition (RFC 6266): `filename*` (RFC 8187, UTF-8) before `filename`. */
export function filenameOf(disposition: string | undefined): string | undefined {
  if (disposition === undefined) return undefined;
  const extended = /;\s*filename\*\s*=\s*utf-8'[^']*'([^;\s]+)/i.exec(disposition)?.[1];
  if (extended !== undefined) {
    try {
      return decodeURIComponent(extended);
    } catch {
      throw new SluiceError("invalid_request", "The filename* in Content-Disposition is not well encoded.");
    }
  }
  const [, quoted, token] = /;\s*filename\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;\s"]+))/i.exec(disposition) ?? [];
  const plain = quoted?.replace(/\\(.)/g, "$1") ?? token;
  // Header bytes arrive as Latin-1; most clients mean UTF-8.
  return plain === undefined ? undefined : fromUtf8Bytes(plain);
}

function fromUtf8Bytes(latin1: string): string {
  const bytes = Buffer.from(latin1, "latin1");
  const text = bytes.toString("utf8");
  return text.includes("\ufffd") ? latin1 : text;
}

/**
 * The value of an Idempotency-Key header (draft-ietf-httpapi-idempotency-key-header): a structured-field string, or
 * the bare characters, as many clients send it.
 * @throws SluiceError invalid_request
 */
export function idempotencyKeyOf(header: string | undefined): string | undefined {
  if (header === undefined) return undefined;
  const quoted = /^"((?:[^"\\]|\\["\\])*)"$/.exec(header.trim())?.[1];
  const key = quoted?.replace(/\\(.)/g, "$1") ?? header.trim();
  if (key.length < 1 || key.length > 255) {
    throw new SluiceError("invalid_request", "Idempotency-Key: must be 1 to 255 characters");
  }
  return key;
}

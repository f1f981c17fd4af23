/**
 * Resumable puts in a bucket: each piece is an object of its own beside the place of the blob, named after where it
 * begins and how long it is. Listing them is the state.
 *
 * Not a multipart upload: its parts have a least size, so the rest of every broken request would lie elsewhere, to be
 * joined with what comes next; its id would have to be kept; and S3 gives no hash of the whole, so finishing reads all
 * bytes anyway. Finishing here reads them once and puts them as any blob, which makes the object at a single instant.
 */
import { createHash } from "node:crypto";
import { crc32 } from "node:zlib";
import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  PutObjectCommand,
  paginateListObjectsV2,
} from "@aws-sdk/client-s3";
import { SluiceError } from "../../errors.ts";
import type { ResumablePuts, StoredBlob } from "../../ports/blob-store.ts";
import { forEachChunk } from "../for-each-chunk.ts";
import { isMissing } from "./s3-client.ts";
import type { S3Target } from "./s3-upload.ts";

export interface S3ResumableParts extends Omit<S3Target, "key"> {
  /** @throws Error for what is no key */
  objectKey(key: string): string;
  put(key: string, source: AsyncIterable<Uint8Array>): Promise<StoredBlob>;
  get(key: string): Promise<AsyncIterable<Uint8Array>>;
}

interface Piece {
  Key: string;
  start: number;
  end: number;
  modified_at: number;
}

/** No key has this character, so no piece is taken for a blob. */
const MARK = "~";
const DELETED_AT_ONCE = 16;

export function createS3ResumablePuts(parts: S3ResumableParts): ResumablePuts {
  const { client, bucket: Bucket, encryption, part_bytes, sending, answer, objectKey } = parts;

  async function piecesOf(key: string): Promise<Piece[]> {
    const Prefix = objectKey(key) + MARK;
    const pieces: Piece[] = [];
    const listing = async () => {
      for await (const { Contents = [] } of paginateListObjectsV2({ client }, { Bucket, Prefix })) {
        for (const { Key = "", LastModified } of Contents) {
          const [, start, length] = /^(\d+)-(\d+)$/.exec(Key.slice(Prefix.length)) ?? [];
          if (start === undefined) continue;
          const end = Number(start) + Number(length);
          pieces.push({ Key, start: Number(start), end, modified_at: LastModified?.getTime() ?? 0 });
        }
      }
    };
    await answer(listing());
    return pieces;
  }

  async function blobOf(key: string) {
    try {
      return await client.send(new HeadObjectCommand({ Bucket, Key: objectKey(key) }));
    } catch (error) {
      if (isMissing(error)) return undefined;
      return answer(Promise.reject(error));
    }
  }

  async function state(key: string) {
    const pieces = await piecesOf(key);
    // After the pieces: who finishes puts the blob first and then removes them.
    const blob = await blobOf(key);
    if (blob) return { size_bytes: blob.ContentLength ?? 0, modified_at: blob.LastModified?.getTime() ?? 0 };
    if (pieces.length === 0) return undefined;
    const modified_at = Math.max(...pieces.map((piece) => piece.modified_at));
    return { size_bytes: chainOf(pieces).at(-1)?.end ?? 0, modified_at };
  }

  async function putPiece(key: string, start: number, Body: Buffer): Promise<void> {
    const Key = `${objectKey(key)}${MARK}${String(start).padStart(16, "0")}-${Body.length}`;
    const sum = Buffer.alloc(4);
    sum.writeUInt32BE(crc32(Body));
    const ChecksumCRC32 = sum.toString("base64");
    await sending.enter(new AbortController().signal);
    try {
      await answer(client.send(new PutObjectCommand({ Bucket, Key, Body, ChecksumCRC32, ...encryption })));
    } finally {
      sending.leave();
    }
  }

  async function append(
    key: string,
    offset: number,
    source: AsyncIterable<Uint8Array>,
    signal: AbortSignal | undefined,
  ): Promise<number> {
    const pieces = await piecesOf(key);
    const blob = await blobOf(key);
    const size = blob ? (blob.ContentLength ?? 0) : (chainOf(pieces).at(-1)?.end ?? 0);
    if (blob || offset !== size) {
      throw new SluiceError(
        "upload_offset_mismatch",
        `The upload has ${size} bytes, and byte ${offset} came next.`,
      );
    }
    let filling: Buffer[] = [];
    let filled = 0;
    let at = offset;
    // One piece is sent while the next is filled; never two, so what S3 has acknowledged has no holes.
    let sent: Promise<void> = Promise.resolve();
    const flush = async () => {
      await sent;
      const body = Buffer.concat(filling, filled);
      sent = putPiece(key, at, body);
      sent.catch(() => {});
      at += filled;
      filling = [];
      filled = 0;
    };
    try {
      await forEachChunk(source, signal, (chunk) => {
        if (filled + chunk.length < part_bytes) {
          filling.push(Buffer.from(chunk));
          filled += chunk.length;
          return undefined;
        }
        return (async () => {
          for (let taken = 0; taken < chunk.length; ) {
            const piece = Buffer.from(chunk.subarray(taken, taken + part_bytes - filled));
            filling.push(piece);
            filled += piece.length;
            taken += piece.length;
            if (filled === part_bytes) await flush();
          }
        })();
      });
    } finally {
      // What arrived stays, whatever ended it. Should this fail too, the store's error is the one to know.
      if (filled > 0) await flush();
      await sent;
    }
    return at;
  }

  async function* bytesOf(chain: Piece[]): AsyncGenerator<Uint8Array> {
    for (const { Key } of chain) {
      const { Body } = await answer(client.send(new GetObjectCommand({ Bucket, Key })));
      // Whole: a piece is small, and a connection that breaks in it costs a second request at most.
      if (Body) yield await answer(Body.transformToByteArray());
    }
  }

  async function remove(pieces: Piece[]): Promise<void> {
    for (let at = 0; at < pieces.length; at += DELETED_AT_ONCE) {
      const some = pieces.slice(at, at + DELETED_AT_ONCE);
      await Promise.all(some.map(({ Key }) => answer(client.send(new DeleteObjectCommand({ Bucket, Key })))));
    }
  }

  async function finish(key: string): Promise<StoredBlob> {
    const pieces = await piecesOf(key);
    const existing = async () => (await blobOf(key)) && hashOf(await parts.get(key));
    // Somebody finished it before, and may have died while it removed the pieces.
    let stored = await existing();
    try {
      stored ??= await parts.put(key, bytesOf(chainOf(pieces)));
    } catch (error) {
      // Or finishes it at this moment, and removed the pieces under our hands.
      stored = await existing();
      if (!stored) throw error;
    }
    await remove(pieces);
    return stored;
  }

  return {
    state,
    append: (key, offset, source, options) => append(key, offset, source, options?.signal),

    async head(key, limit) {
      const found: Uint8Array[] = [];
      let size = 0;
      for await (const bytes of bytesOf(chainOf(await piecesOf(key)))) {
        found.push(bytes);
        size += bytes.length;
        if (size >= limit) break;
      }
      return Buffer.concat(found).subarray(0, limit);
    },

    finish,
    discard: async (key) => remove(await piecesOf(key)),
  };
}

/**
 * The pieces that make the longest beginning, one after the other. There may be others: of a writer that had lost its
 * turn, with the same bytes but other borders.
 */
function chainOf(pieces: Piece[]): Piece[] {
  const before = new Map<number, Piece | undefined>([[0, undefined]]);
  let longest = 0;
  for (const piece of [...pieces].sort((a, b) => a.start - b.start)) {
    if (!before.has(piece.start) || before.has(piece.end)) continue;
    before.set(piece.end, piece);
    longest = Math.max(longest, piece.end);
  }
  const chain: Piece[] = [];
  for (let piece = before.get(longest); piece; piece = before.get(piece.start)) chain.unshift(piece);
  return chain;
}

async function hashOf(source: AsyncIterable<Uint8Array>): Promise<StoredBlob> {
  const hash = createHash("sha256");
  let size_bytes = 0;
  for await (const bytes of source) {
    hash.update(bytes);
    size_bytes += bytes.length;
  }
  return { size_bytes, sha256: hash.digest("hex") };
}

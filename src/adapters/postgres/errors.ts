/** PostgreSQL's errors as the coded ones that they are. */
import { SluiceError } from "../../errors.ts";
import { ConflictError, type ConflictReason } from "../../ports/document-store.ts";
import { CONFLICT } from "./functions.ts";

interface PgError extends Error {
  /** SQLSTATE (PostgreSQL, appendix A), or the system's error code. */
  code?: string;
  constraint?: string;
}

/** Uniqueness is the database's to judge: which constraint means which refusal. */
const uniqueness: Record<string, ConflictReason> = {
  documents_pkey: "revision",
  documents_content: "duplicate_content",
  jobs_unique: "unique_key",
  answers_pkey: "idempotency_key",
};

const RETRY_AFTER_MS = 1_000;

/** The connection is gone or of no use: a server that stops, starts, or was demoted to a replica. */
export function isDisconnect(error: unknown): boolean {
  const { code, message = "" } = error as PgError;
  if (code === undefined)
    return /connection terminated|timeout exceeded|read timeout|client was closed|Connection ended/i.test(
      message,
    );
  if (/^(ECONN|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|EAI_AGAIN|ENOENT)/.test(code)) return true;
  return /^08|^57P0[1-5]$/.test(code) || code === "25006" || code === "53300";
}

/** Nothing was written, and the same again may succeed at once. */
export function isSerialization(error: unknown): boolean {
  const { code } = error as PgError;
  return code === "40001" || code === "40P01";
}

/** @param doing "read" or "written", for the message: what is not known to have happened */
export function translateError(error: unknown, doing: "read" | "written"): unknown {
  const { code = "", constraint = "", message } = error as PgError;
  if (code === CONFLICT) return new ConflictError(message as ConflictReason);
  if (code === "23505" && uniqueness[constraint] !== undefined)
    return new ConflictError(uniqueness[constraint]);
  const options = { cause: error, retry_after_ms: RETRY_AFTER_MS };
  if (isDisconnect(error)) {
    const outcome = doing === "read" ? "Nothing was read" : "It is not known whether the last write was made";
    return new SluiceError(
      "storage_unavailable",
      `${outcome}: PostgreSQL can't be reached (${message}).`,
      options,
    );
  }
  if (code === "53100") {
    return new SluiceError("storage_full", "Nothing was written: PostgreSQL's disk is full.", options);
  }
  if (/^53|^55P03|^57014|^40/.test(code)) {
    return new SluiceError(
      "storage_unavailable",
      `Nothing was ${doing}: PostgreSQL says: ${message}.`,
      options,
    );
  }
  if (code === "42501") {
    return new SluiceError(
      "storage_unavailable",
      `Nothing was ${doing}: PostgreSQL says: ${message}. Give the role of SLUICE_POSTGRES_URL that right.`,
      { cause: error, retryable: false },
    );
  }
  return error;
}

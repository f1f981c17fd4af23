/** What the disk's errors mean. */
import { SluiceError } from "../../errors.ts";

export function codeOf(cause: unknown): string | undefined {
  return cause instanceof Error && "code" in cause && typeof cause.code === "string" ? cause.code : undefined;
}

export function isAbsence(cause: unknown): boolean {
  const code = codeOf(cause);
  return code === "ENOENT" || code === "ENOTDIR";
}

const explanations: Readonly<Record<string, string>> = {
  ENOSPC: "the disk is full",
  EDQUOT: "the disk quota is used up",
  EROFS: "the file system is read-only",
  EACCES: "permission denied",
  EPERM: "permission denied",
  EIO: "the disk reported an error",
  EMFILE: "too many open files",
  ENFILE: "too many open files",
};

export function storageUnavailable(folder: string, cause: unknown): SluiceError {
  const code = codeOf(cause) ?? "unknown";
  const told = cause instanceof Error ? cause.message : String(cause);
  const reason = explanations[code] ? `${explanations[code]} (${code})` : told;
  return new SluiceError("storage_unavailable", `the folder ${folder} can't keep files: ${reason}`, {
    cause,
  });
}

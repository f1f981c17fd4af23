/** How commands speak: answers on standard output, troubles on standard error. */
import { SluiceError, toErrorInfo } from "../errors.ts";

/** Says what went wrong and sets the exit code. */
export function reportError(error: unknown, json: boolean): void {
  process.exitCode = 1;
  const info = toErrorInfo(error);
  if (json) {
    process.stderr.write(`${JSON.stringify({ error: info })}\n`);
    return;
  }
  const code = error instanceof SluiceError ? ` (${error.code})` : "";
  process.stderr.write(`sluice: ${info.message}${code}\n`);
}

import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

/**
 * A program that `go install` makes, built once and kept.
 *
 * @param module with its version
 * @throws Error when it can't be built
 */
export function goProgram(module: string, name: string): string {
  const version = module.slice(module.indexOf("@") + 1);
  const cache = process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache");
  const folder = join(cache, "sluice", `${name}-${version}`);
  const program = join(folder, name);
  if (existsSync(program)) return program;
  mkdirSync(folder, { recursive: true });
  try {
    execFileSync("go", ["install", module], { env: { ...process.env, GOBIN: folder }, stdio: "pipe" });
  } catch (error) {
    throw new Error(`${name} could not be built (go install ${module})`, { cause: error });
  }
  return program;
}

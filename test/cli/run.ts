/** Runs commands of the command line as processes, as a user does. */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { root } from "../e2e/processes.ts";

export interface CommandResult {
  code: number | null;
  stdout: string;
  stderr: string;
  /** The lines of `stdout`, each read as JSON. */
  json<T>(): T[];
}

/** @param onOutput called with all of stdout so far, whenever more came */
export async function run(
  env: NodeJS.ProcessEnv,
  args: string[],
  onOutput: (stdout: string) => void = () => {},
): Promise<CommandResult> {
  const child = spawn(process.execPath, [join(root, "src/cli/main.ts"), ...args], {
    env,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
    onOutput(stdout);
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
  return {
    code,
    stdout,
    stderr,
    json: <T>() =>
      stdout
        .split("\n")
        .filter(Boolean)
        .map((line) => JSON.parse(line) as T),
  };
}

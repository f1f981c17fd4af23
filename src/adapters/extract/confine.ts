/**
 * Limits that the operating system keeps, in front of a program that reads strangers' files. Each is a small program
 * of util-linux, which runs the next one in its own place: no shell, and the process that was started stays the same.
 * Where one is missing or not permitted, it is left out: who starts the program watches it all the same.
 */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";

const MEBIBYTE = 1024 * 1024;

/** What V8 sets aside for machine code, and counts as data although it is never filled. */
const CODE_RANGE = 512 * MEBIBYTE;

export interface Confinement {
  /** How much may be resident: more than this is what the watcher kills for. */
  resident_bytes: number;
  /**
   * Whether the program and all that it starts end when it does, or when the thread that started it does. It then has a
   * parent of its own in between, whose children it and its own are.
   */
  together?: boolean;
}

/** @returns the program and its arguments, behind those that limit it */
export function confined(
  program: string,
  args: readonly string[],
  { resident_bytes, together = false }: Confinement,
): [program: string, ...args: string[]] {
  // Data set aside is more than data used. This catches what grows faster than anybody looks.
  const data = Math.ceil(resident_bytes * 1.25) + CODE_RANGE + 256 * MEBIBYTE;
  const steps = [
    usable(together ? ["setpriv", "--pdeathsig", "KILL"] : undefined),
    isolating(together),
    usable(["prlimit", `--data=${data}`, "--core=0"]),
  ];
  return [...steps.flat(), program, ...args] as [string, ...string[]];
}

/** Without a network, and together with its processes if that is asked; as much of that as is permitted. */
function isolating(together: boolean): string[] {
  const family = together ? ["--pid", "--fork", "--kill-child=KILL"] : [];
  // Who may not do it itself may in a user namespace, if the system allows those. It stays who it is there.
  const ways = [["--net"], ["--user", "--map-current-user", "--net"]];
  for (const way of ways) {
    const command = usable(["unshare", ...way, ...family]);
    if (command.length > 0) return command;
  }
  return [];
}

const known = new Map<string, string[]>();

/** The command with its program's full path, or nothing where it does not work here. Tried once, in milliseconds. */
function usable(command: readonly string[] | undefined): string[] {
  if (command === undefined || process.platform !== "linux") return [];
  const key = command.join(" ");
  const answer = known.get(key) ?? tried(command);
  known.set(key, answer);
  return answer;
}

function tried([name, ...args]: readonly string[]): string[] {
  const path = [`/usr/bin/${name}`, `/bin/${name}`].find((each) => existsSync(each));
  if (path === undefined) return [];
  const { status } = spawnSync(path, [...args, path, "--version"], {
    stdio: "ignore",
    timeout: 5_000,
    env: {},
  });
  return status === 0 ? [path, ...args] : [];
}

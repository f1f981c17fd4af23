/** Files to deploy with: what they set are settings, what they call is there. They are not run: there is no Docker here. */
import { readdirSync, readFileSync } from "node:fs";
import { parseEnv } from "node:util";
import { describe, expect, test } from "vitest";
import { parse, parseAllDocuments } from "yaml";
import { parseConfig } from "../src/config/config.ts";
import { settingGroups, settings } from "../src/config/settings.ts";

const read = (path: string) => readFileSync(new URL(`../${path}`, import.meta.url), "utf8");
const isSetting = (name: string) => name in settings;

/** Every SLUICE_ name in a text, but for those that end in an ellipsis. */
const named = (text: string) => new Set(text.match(/SLUICE_[A-Z0-9_]+[A-Z0-9]/g) ?? []);

interface Manifest {
  kind: string;
  metadata: { name: string };
  // biome-ignore lint/suspicious/noExplicitAny: each kind has another form, and kubectl is who checks it.
  [key: string]: any;
}

const folder = "deploy/kubernetes";
const files = readdirSync(new URL(`../${folder}`, import.meta.url)).filter((file) => file.endsWith(".yaml"));
const manifests = files.flatMap((file) =>
  parseAllDocuments(read(`${folder}/${file}`)).map((document) => {
    expect(document.errors, file).toEqual([]);
    return document.toJS() as Manifest;
  }),
);
const manifest = (kind: string, name: string) =>
  manifests.find((one) => one.kind === kind && one.metadata?.name === name) as Manifest;

test.each([
  ".env.example",
  "Dockerfile",
  "compose.yaml",
  "deploy/README.md",
  "deploy/systemd/sluice.service",
  "deploy/terraform/main.tf",
  ...files.map((file) => `${folder}/${file}`),
])("%s names only settings that there are", (path) => {
  expect([...named(read(path))].filter((name) => !isSetting(name))).toEqual([]);
});

describe(".env.example", () => {
  const lines = read(".env.example").replaceAll(/^#(?=[A-Z0-9_]+=)/gm, "");

  test("has every setting of the services", () => {
    const given = parseEnv(lines);
    const groups = ["PostgreSQL", "AWS: S3, SQS, SNS", "Kafka", "Pinecone"] as const;
    const wanted = groups.flatMap((group) => Object.keys(settingGroups[group]));
    expect(wanted.filter((name) => !(name in given))).toEqual([]);
  });

  test("filled in, it is a configuration of the cloud profile", () => {
    const config = parseConfig({
      ...parseEnv(read(".env.example")),
      SLUICE_POSTGRES_URL: "postgresql://sluice:secret@db/sluice",
      SLUICE_S3_BUCKET: "files",
      SLUICE_SQS_QUEUE_URL: "https://sqs.us-east-1.amazonaws.com/1/jobs",
      SLUICE_SQS_DEAD_LETTER_QUEUE_URL: "https://sqs.us-east-1.amazonaws.com/1/dead",
      SLUICE_KAFKA_BROKERS: "kafka:9092",
    });
    expect([config.storage.kind, config.blobs.kind, config.queue.kind]).toEqual(["postgres", "s3", "sqs"]);
    expect(config.publishers.map(({ kind }) => kind)).toEqual(["kafka"]);
  });

  test("as it is, it names what is missing", () => {
    expect(() => parseConfig(parseEnv(read(".env.example")) as Record<string, string>)).toThrow(
      /SLUICE_POSTGRES_URL[\s\S]*SLUICE_S3_BUCKET|SLUICE_S3_BUCKET[\s\S]*SLUICE_POSTGRES_URL/,
    );
  });
});

describe("compose.yaml", () => {
  const compose = parse(read("compose.yaml"), { merge: true }) as {
    services: Record<
      string,
      { command?: string[]; environment: Record<string, string>; depends_on?: object }
    >;
    volumes: object;
  };

  test("its settings are a configuration", () => {
    for (const name of ["api", "worker"]) {
      const { environment, command } = compose.services[name]!;
      const config = parseConfig(environment);
      expect(config.blobs).toMatchObject({ kind: "s3", force_path_style: true });
      expect(command).toEqual([name]);
    }
  });

  test("what is depended on is there, and so is every file that it mounts", () => {
    for (const [name, { depends_on = {} }] of Object.entries(compose.services)) {
      for (const other of Object.keys(depends_on)) expect(compose.services, name).toHaveProperty(other);
    }
    for (const [, path] of read("compose.yaml").matchAll(/\.\/(deploy[^:]+):/g))
      expect(read(path!)).not.toBe("");
  });
});

describe("Kubernetes", () => {
  test("its settings are a configuration", () => {
    const { data } = manifest("ConfigMap", "sluice");
    const config = parseConfig({ ...data, SLUICE_POSTGRES_URL: "postgresql://sluice@db/sluice" });
    expect(config.port).toBe(
      manifest("Deployment", "sluice-api").spec.template.spec.containers[0].ports[0].containerPort,
    );
    expect(config.queue).toMatchObject({
      queue_url: manifests.find(
        ({ kind, spec }) => kind === "ScaledObject" && spec.triggers[0].type === "aws-sqs-queue",
      )?.spec.triggers[0].metadata.queueURL,
    });
  });

  test("processes are given more time to stop than they take", () => {
    const config = parseConfig({
      ...manifest("ConfigMap", "sluice").data,
      SLUICE_POSTGRES_URL: "postgresql://sluice@db/sluice",
    });
    for (const name of ["sluice-api", "sluice-worker"]) {
      const { terminationGracePeriodSeconds } = manifest("Deployment", name).spec.template.spec;
      expect(terminationGracePeriodSeconds * 1_000, name).toBeGreaterThan(config.shutdown_ms);
    }
  });

  test("every file is in the kustomization, or named in it as the other choice", () => {
    const text = read(`${folder}/kustomization.yaml`);
    for (const file of files) if (file !== "kustomization.yaml") expect(text).toContain(`- ${file}`);
  });

  test("selectors find what they are meant for", () => {
    for (const name of ["sluice-api", "sluice-worker"]) {
      const { spec } = manifest("Deployment", name);
      expect(spec.template.metadata.labels).toMatchObject(spec.selector.matchLabels);
    }
    expect(manifest("Service", "sluice-api").spec.selector).toEqual({ app: "sluice-api" });
  });
});

test("the policies name the actions that Terraform grants, and no other", () => {
  const statements = (path: string) => JSON.parse(read(path)).Statement as { Action: string[] }[];
  const granted = ["s3", "sqs", "sns"].flatMap((name) =>
    statements(`deploy/iam/${name}-policy.json`).flatMap(({ Action }) => Action),
  );
  const terraform = read("deploy/terraform/main.tf").match(/"(s3|sqs|sns):[A-Za-z]+"/g) ?? [];
  expect([...new Set(terraform.map((text) => text.slice(1, -1)))].sort()).toEqual(
    [...new Set(granted)].sort(),
  );
});

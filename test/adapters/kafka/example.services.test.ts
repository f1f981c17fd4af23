import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { newDocument } from "../../../contracts/samples.ts";
import { manualClock } from "../../../contracts/system.ts";
import { createKafkaPublisher } from "../../../src/adapters/kafka/publisher.ts";
import type { SluiceEvent } from "../../../src/events.ts";
import { type KafkaBroker, startKafka } from "../../services/kafka.ts";
import { makeTopic } from "./topics.ts";

const main = fileURLToPath(new URL("../../../examples/kafka-consumer/main.ts", import.meta.url));
let kafka: KafkaBroker;
let folder: string;
beforeAll(async () => {
  kafka = await startKafka();
  folder = mkdtempSync(join(tmpdir(), "sluice-example-"));
});
const running: ChildProcess[] = [];
afterAll(async () => {
  for (const child of running) child.kill("SIGKILL");
  await kafka?.stop();
  rmSync(folder, { recursive: true });
});

const { system } = manualClock();
const completed = (sequence: number): SluiceEvent => {
  const { document_id, job_id, correlation_id } = newDocument(system);
  return {
    event_id: system.newId("evt"),
    event_type: "rag.ingestion.completed",
    correlation_id,
    causation_id: null,
    tenant_id: "t1",
    idempotency_key: `${document_id}:completed`,
    timestamp: new Date(system.now()).toISOString(),
    sequence,
    document_id,
    collection: "default",
    data: { job_id, version: 1, chunks_created: 3, processing_time_ms: 5 },
  };
};

test("the example lists each document once, though it is killed again and again", async () => {
  const topic = await makeTopic(kafka.brokers);
  const database = join(folder, "searchable.db");
  const events = Array.from({ length: 400 }, (_, place) => completed(place + 1));
  const publisher = createKafkaPublisher({ brokers: kafka.brokers, topic });
  await publisher.publish(events.slice(0, 300));
  await publisher.publish(events.slice(100));
  await publisher.close();

  const start = () => {
    const args = [main, "--brokers", kafka.brokers.join(","), "--topic", topic, "--database", database];
    const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
    running.push(child);
    return { child, lines: createInterface({ input: child.stdout }) };
  };
  const rows = () => {
    const reader = new DatabaseSync(database, { readOnly: true, timeout: 5_000 });
    try {
      return reader.prepare("SELECT document_id FROM searchable").all();
    } finally {
      reader.close();
    }
  };
  for (const enough of [60, 110]) {
    const { child, lines } = start();
    let seen = 0;
    for await (const _ of lines) {
      seen += 1;
      if (seen === enough) child.kill("SIGKILL");
    }
  }
  const left = events.length - rows().length;
  expect(left).toBeGreaterThan(0);
  const { child, lines } = start();
  let seen = 0;
  for await (const _ of lines) {
    seen += 1;
    if (seen === left) break;
  }
  const exited = once(child, "exit");
  child.kill("SIGTERM");
  expect(await exited).toEqual([0, null]);
  expect(
    rows()
      .map(({ document_id }) => document_id)
      .sort(),
  ).toEqual(events.map(({ document_id }) => document_id).sort());
});

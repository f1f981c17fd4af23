/** Writes events to a data folder from a process that is none of Sluice's, and says when each was on disk. */
import { setTimeout as sleep } from "node:timers/promises";
import { createHashingEmbedder } from "../../src/adapters/hashing/embedder.ts";
import { createSystem } from "../../src/adapters/node/system.ts";
import { openSqliteStorage } from "../../src/adapters/sqlite/storage.ts";
import { advance } from "../../src/document.ts";
import { sharedClock } from "../statistics.ts";
import { given, serve } from "./serve.ts";

export interface Written {
  event_id: string;
  /** On the shared clock: when the commit was asked for, and when it was acknowledged. */
  asked_ms: number;
  committed_ms: number;
}

const { folder } = given<{ folder: string }>();
const system = createSystem();
const storage = await openSqliteStorage({ folder, system, embedder: createHashingEmbedder() });

/** One event after another, `pause_ms` and a random half of it apart, so that no poll keeps in step with them. */
async function write(count: number, pause_ms: number): Promise<Written[]> {
  const written: Written[] = [];
  for (let index = 0; index < count; index++) {
    await sleep(pause_ms * (1 + Math.random() / 2));
    const document_id = system.newId("doc");
    const { document, event } = advance(
      { tenant_id: "default", document_id, collection: "bench", metadata: {} },
      "rag.document.uploaded",
      {
        job_id: system.newId("job"),
        version: 1,
        filename: "bench.txt",
        media_type: "text/plain",
        size_bytes: 0,
        sha256: document_id,
      },
      { ...system, correlation_id: system.newId("cor"), causation_id: null },
    );
    const asked_ms = sharedClock();
    await storage.documents.commit([
      { tenant_id: "default", document: { record: document, expect_revision: null }, events: [event] },
    ]);
    written.push({ event_id: event.event_id, asked_ms, committed_ms: sharedClock() });
  }
  return written;
}

const methods = { write };
export type EventWriterMethods = typeof methods;
serve(methods);

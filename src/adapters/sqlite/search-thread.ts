/** One reader: its own read-only connection on its own thread, so that a search, or a long look through documents, delays nothing else. */
import { type MessagePort, parentPort, workerData } from "node:worker_threads";
import { SluiceError } from "../../errors.ts";
import { translateError } from "./errors.ts";
import { matching } from "./keywords.ts";
import { addTextFunction, listDocuments, summarizeDocuments } from "./list-documents.ts";
import { nearest } from "./nearest.ts";
import { openDatabase, statements } from "./schema.ts";
import type { AnswerTo, SearchQuestion, SearchReply, SearchTask } from "./search-threads.ts";

const port = parentPort as MessagePort;
const db = openDatabase((workerData as { path: string }).path, { readOnly: true });
addTextFunction(db);
const sql = statements(db);

port.on("message", (task: SearchTask | "close") => {
  if (task === "close") {
    db.close();
    port.close();
    return;
  }
  port.postMessage(answer(task));
});

function answer(task: SearchTask): SearchReply {
  try {
    // One snapshot for all that a search reads: which embedder serves, and its vectors.
    db.exec("BEGIN");
    return { id: task.id, answer: read(task) };
  } catch (thrown) {
    const error = translateError(thrown);
    if (error instanceof SluiceError)
      return { id: task.id, failure: { code: error.code, message: error.message } };
    return { id: task.id, defect: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  } finally {
    if (db.isTransaction) db.exec("COMMIT");
  }
}

function read(task: SearchTask): AnswerTo<SearchQuestion> {
  switch (task.kind) {
    case "nearest":
      return nearest(sql, task.embedder_id, task.scope, task.vector, task.limit);
    case "matching":
      return matching(sql, task.scope, task.words, task.limit);
    case "documents":
      return listDocuments(sql, task.query);
    case "counts":
      return summarizeDocuments(sql, task.selection);
  }
}

/**
 * The least that an honest upload can do: the bytes to a file as they come, fsync, one durable SQLite commit, answer.
 * No hash, no type, no job, no event.
 */
import { createWriteStream } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { pipeline } from "node:stream/promises";
import { given, serve } from "./serve.ts";

const { folder } = given<{ folder: string }>();
const db = new DatabaseSync(join(folder, "floor.db"));
db.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
db.exec("CREATE TABLE uploads (id INTEGER PRIMARY KEY, path TEXT NOT NULL, created_at INTEGER NOT NULL)");
const insert = db.prepare("INSERT INTO uploads (id, path, created_at) VALUES (?, ?, ?)");
let last = 0;

const server = createServer(async (request, response) => {
  const id = ++last;
  const path = join(folder, `upload-${id}`);
  await pipeline(request, createWriteStream(path, { flush: true }));
  insert.run(id, path, Date.now());
  response.writeHead(202, { "content-type": "application/json" }).end(`{"id":${id}}`);
});
await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));

const methods = {
  async url() {
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  },
};
export type FloorMethods = typeof methods;
serve(methods);

/** The article's handler: save, extract, chunk, embed, index, and only then an answer. Built from Sluice's stages. */
import { createWriteStream } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { openBare } from "../bare.ts";
import { given, serve } from "./serve.ts";

const { folder } = given<{ folder: string }>();
const bare = await openBare(folder);
let last = 0;

const server = createServer(async (request, response) => {
  const filename = new URL(request.url ?? "/", "http://localhost").searchParams.get("filename") ?? "document";
  const path = join(folder, `upload-${++last}`);
  try {
    await pipeline(request, createWriteStream(path, { flush: true }));
    const { chunks } = await bare.ingest({ path, filename }, "default");
    response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ chunks }));
  } catch (error) {
    response.writeHead(500).end(String(error));
  }
});
await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));

const methods = {
  async url() {
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  },
};
export type SynchronousMethods = typeof methods;
serve(methods);

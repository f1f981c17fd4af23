/** The embedders to compare, by name. */
import { createHash } from "node:crypto";
import { appendFile, mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { createSystem } from "../src/adapters/node/system.ts";
import { openEmbedder } from "../src/adapters/registry.ts";
import { createStaticEmbedder } from "../src/adapters/static/embedder.ts";
import { loadConfig } from "../src/config/config.ts";
import type { Embedder } from "../src/ports/embedder.ts";

/**
 * @param name a value of SLUICE_EMBEDDER, whose further settings come from the environment; or `static:FOLDER`, a static
 *   model lying there
 */
export async function openNamedEmbedder(name: string): Promise<Embedder> {
  if (name.startsWith("static:")) return createStaticEmbedder({ folder: name.slice("static:".length) });
  const config = loadConfig({ SLUICE_EMBEDDER: name });
  return openEmbedder(config.embedder, createSystem());
}

/**
 * The same embedder, which asks for no text twice, in later runs neither: its vectors are kept in a file of the folder,
 * named after its id, as JSON lines of a text's hash and its vector. Such a file may also come from elsewhere.
 */
export async function keepVectors(embedder: Embedder, folder: string): Promise<Embedder> {
  await mkdir(folder, { recursive: true });
  const path = join(folder, `${embedder.embedder_id.replaceAll(/[^\w.-]/g, "_")}.jsonl`);
  const known = new Map<string, Float32Array>();
  const stored = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return "";
    throw error;
  });
  for (const line of stored.split("\n")) {
    if (line === "") continue;
    const [key, base64] = JSON.parse(line) as [string, string];
    const bytes = Uint8Array.from(Buffer.from(base64, "base64"));
    known.set(key, new Float32Array(bytes.buffer));
  }
  return {
    ...embedder,
    async embed(texts, kind, signal) {
      const keys = texts.map((text) => createHash("sha256").update(`${kind} ${text}`).digest("base64"));
      const places = [...keys.keys()].filter((place) => !known.has(keys[place] as string));
      const made = await embedder.embed(
        places.map((place) => texts[place] as string),
        kind,
        signal,
      );
      let lines = "";
      for (const [at, place] of places.entries()) {
        const vector = made[at] as Float32Array;
        known.set(keys[place] as string, vector);
        const bytes = Buffer.from(vector.buffer, vector.byteOffset, vector.byteLength);
        lines += `${JSON.stringify([keys[place], bytes.toString("base64")])}\n`;
      }
      if (lines !== "") await appendFile(path, lines);
      return keys.map((key) => known.get(key) as Float32Array);
    },
  };
}

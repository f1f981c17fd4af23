/** The index beside what the same bytes come to when nothing goes wrong (G3). */
import type { DocumentRecord } from "../../src/document.ts";
import type { SluiceEvent } from "../../src/events.ts";
import { chunkId } from "../../src/ids.ts";
import { createTestEmbedder } from "../support/embedder.ts";
import type { Told } from "./clients.ts";
import { contentsOf } from "./contents.ts";
import { EMBEDDER_ID } from "./outside.ts";
import { chunksOf } from "./texts.ts";
import type { World } from "./world.ts";

const embedder = createTestEmbedder(EMBEDDER_ID);

export async function indexViolations(
  { outside }: World,
  told: Told,
  record: DocumentRecord,
  log: SluiceEvent[],
): Promise<string[]> {
  const { document_id, status, version, searchable_version } = record;
  const ofDocument = outside.state.rows.get(document_id);
  const wrong: string[] = [];
  for (const [number, rows] of ofDocument ?? []) {
    if (number === searchable_version) continue;
    // A dead letter keeps what it made, to go on from there; anything else leaves nothing.
    const redrivable = status === "failed" && number === version;
    const left = rows.chunks.size + rows.entries.size + rows.checkpoints.size;
    if (left > 0 && !redrivable)
      wrong.push(
        `G3: ${left} rows of version ${number} of ${document_id}, ${status} at ${version}, are left`,
      );
  }
  if (searchable_version === null) {
    if (record.chunks_created !== 0) wrong.push(`G3: ${document_id} says that it has chunks`);
    return wrong;
  }
  const source = told.sources.get(contentsOf(log).get(searchable_version) ?? "");
  const expected = source === undefined ? [] : await chunksOf(source.text);
  const vectors = await embedder.embed(expected, "query");
  const place = (ordinal: number, text: string | undefined, vector: Float32Array | null | undefined) =>
    `${chunkId(document_id, searchable_version, ordinal)} ${text} ${vector?.join(" ")}`;
  const wanted = expected.map((text, ordinal) => place(ordinal, text, vectors[ordinal])).join("\n");
  const rows = ofDocument?.get(searchable_version);
  const entries = [...(rows?.entries.values() ?? [])].map(({ entry }) => entry);
  entries.sort((a, b) => a.chunk.ordinal - b.chunk.ordinal);
  const indexed = entries.map(({ chunk, vector }) => place(chunk.ordinal, chunk.text, vector)).join("\n");
  const chunks = [...(rows?.chunks.values() ?? [])].sort((a, b) => a.chunk.ordinal - b.chunk.ordinal);
  const kept = chunks.map(({ chunk, vector }) => place(chunk.ordinal, chunk.text, vector)).join("\n");
  if (indexed !== wanted)
    wrong.push(
      `G3: the index holds ${entries.length} of ${expected.length} chunks of ${document_id}, or others`,
    );
  if (kept !== wanted)
    wrong.push(`G3: ${chunks.length} of ${expected.length} chunks of ${document_id} are stored, or others`);
  if (record.chunks_created !== expected.length)
    wrong.push(`G3: ${document_id} says that it has ${record.chunks_created} chunks of ${expected.length}`);
  return wrong;
}

/** What the stages after the chunker make of its chunks: how tokens are counted, and what is embedded and found. */
import { describe, expect, test } from "vitest";
import type { ChunkOptions } from "../../src/pipeline/chunker.ts";
import { createTestEmbedder } from "../support/embedder.ts";
import { openRig, paragraphs, type RigOptions, tenant_id } from "../support/rig.ts";

const small = { max_tokens: 24, overlap_tokens: 0 };
const page =
  "# Otters\n\nOtters are mammals.\n\n## Food\n\nThey eat fish.\n\n## Homes\n\nThey live in quartz.\n";

async function ingested(text: string, chunking: ChunkOptions, options: RigOptions = {}) {
  const embedder = createTestEmbedder();
  const rig = await openRig({ embedder, chunking, ...options });
  const { document_id } = await rig.upload(text, { filename: "otters.md" });
  const worker = rig.worker();
  await worker.start();
  expect(await rig.settled(document_id)).toMatchObject({ status: "completed" });
  await worker.stop();
  /** The same file once more, under other settings. @returns what was embedded for it */
  const again = async (other: ChunkOptions) => {
    const before = embedder.texts.length;
    await rig.commands.reingest(tenant_id, document_id, rig.system.newId("req"));
    const next = rig.worker({ chunking: other });
    await next.start();
    await rig.settled(document_id);
    await next.stop();
    return embedder.texts.slice(before);
  };
  return { rig, embedder, document_id, again };
}

test("tokens are those that the embedder counts, where it counts them", async () => {
  const embedder = { ...createTestEmbedder(), count_tokens: (text: string) => text.length };
  const { rig, document_id } = await ingested(
    paragraphs(4),
    { max_tokens: 40, overlap_tokens: 0 },
    { embedder },
  );
  const chunks = await rig.documents.listChunks(tenant_id, document_id, 1, 0, 1_000);
  expect(chunks.length).toBeGreaterThan(4);
  for (const { text, token_count } of chunks) {
    expect(token_count).toBe(text.length);
    expect(token_count).toBeLessThanOrEqual(40);
  }
});

test("rows below a table's header are embedded and found with it, and say which rows they are", async () => {
  const rows = Array.from({ length: 40 }, (_, n) => `stone ${n},${n * 3}`);
  const embedder = createTestEmbedder();
  const rig = await openRig({ embedder, chunking: small });
  const { document_id } = await rig.upload(["mineral,hardness", ...rows].join("\n"), {
    filename: "stones.csv",
  });
  await rig.worker().start();
  await rig.settled(document_id);
  expect(embedder.texts.length).toBeGreaterThan(3);
  for (const text of embedder.texts)
    expect(text).toContain("| mineral | hardness |\n| --- | --- |\n| stone ");
  const { hits } = await rig.search.search(tenant_id, { query: "hardness", mode: "keyword", top_k: 100 });
  expect(hits).toHaveLength(embedder.texts.length);
  const hit = hits.find(({ text }) => text.includes("stone 30 "))!;
  const numbers = [...hit.text.matchAll(/stone (\d+)/g)].map((match) => Number(match[1]) + 2);
  expect([hit.row_start, hit.row_end]).toEqual([numbers[0], numbers.at(-1)]);
});

describe("a contextual header", () => {
  test("puts the title and the headings before what is embedded, and changes no chunk", async () => {
    const { rig, embedder, document_id } = await ingested(page, { ...small, contextual_header: true });
    expect(embedder.texts).toEqual([
      "# Otters\n\nOtters are mammals.",
      "Otters\n## Food\n\nThey eat fish.",
      "Otters\n## Homes\n\nThey live in quartz.",
    ]);
    const chunks = await rig.documents.listChunks(tenant_id, document_id, 1, 0, 9);
    expect(chunks.map(({ text }) => text)).toEqual(
      embedder.texts.map((text) => text.replace(/^Otters\n/, "")),
    );
  });

  test("that came or went has those embedded anew that it changes; otherwise nothing is", async () => {
    const { embedder, again } = await ingested(page, small);
    expect(embedder.texts).toHaveLength(3);
    expect(await again({ ...small, contextual_header: true })).toHaveLength(2);
    expect(await again({ ...small, contextual_header: true })).toHaveLength(0);
    expect(await again(small)).toHaveLength(2);
  });

  test("is the same when an attempt goes on after another has died", async () => {
    const embedder = createTestEmbedder();
    let failures = 0;
    embedder.before = (answered) => {
      if (answered === 0 || failures > 0) return;
      failures += 1;
      throw new Error("not now");
    };
    const text = `# Otters\n\n${Array.from({ length: 9 }, (_, n) => `## Part ${n}\n\nThey do thing ${n}.`).join("\n\n")}`;
    await ingested(text, { ...small, contextual_header: true }, { embedder });
    expect(failures).toBe(1);
    const later = embedder.texts.filter((one) => /thing [1-8]/.test(one));
    expect(later.length).toBeGreaterThanOrEqual(8);
    for (const one of later) expect(one).toMatch(/^Otters\n/);
  });
});

import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { readCollection, readCollections } from "../../eval/collection.ts";

async function folderOf(files: Record<string, string>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "sluice-eval-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), text);
  }
  return folder;
}

const smart = {
  "TINY.ALL": `.I 1\r\n.T\r\nOn boats\r\n.A\r\nSmith, J.\r\n.W\r\nA boat\r\n  floats.\r\n.X\r\n1 5 1\r\n.I 2\r\n.W\r\nTrains run.\r\n`,
  "TINY.QRY": `.I 1\n.W\nWhat floats?\n.I 2\n.W\nWhat runs?\n.I 3\n.W\nnot judged\n`,
  "TINY.REL": "01 1 0 0.000000\n2 2 0 0.000000\n",
};

describe("collections", () => {
  test("in SMART's format: items, fields, and judgements in which every line counts", async () => {
    const read = await readCollection(await folderOf(smart));
    expect(read.documents).toEqual([
      { id: "1", title: "On boats", paragraphs: ["A boat floats.", "Smith, J."] },
      { id: "2", title: "", paragraphs: ["Trains run."] },
    ]);
    expect(read.queries).toEqual([
      { id: "1", text: "What floats?" },
      { id: "2", text: "What runs?" },
    ]);
    expect(read.relevance).toEqual(
      new Map([
        ["1", new Map([["1", 1]])],
        ["2", new Map([["2", 1]])],
      ]),
    );
  });

  test("judgements as TREC writes them have grades, and 0 is none", async () => {
    const read = await readCollection(
      await folderOf({ ...smart, "TINY.REL": "1 0 1 2\n1 0 2 0\n2 0 1 0\n" }),
    );
    expect(read.queries.map(({ id }) => id)).toEqual(["1"]);
    expect(read.relevance.get("1")).toEqual(
      new Map([
        ["1", 2],
        ["2", 0],
      ]),
    );
  });

  test("judgements that number the queries by place find them", async () => {
    const queries = ".I 4\n.W\nWhat floats?\n.I 9\n.W\nWhat runs?\n";
    const read = await readCollection(await folderOf({ ...smart, "TINY.QRY": queries }));
    expect([...read.relevance.keys()]).toEqual(["4", "9"]);
    expect(read.queries).toHaveLength(2);
  });

  test("in the NPL collection's format", async () => {
    const read = await readCollection(
      await folderOf({
        "doc-text": "\n1\nboats float\non and/or in water\n   /\n2\ntrains run\n   /\n",
        "query-text": "1\nWHAT FLOATS\n/\n",
        "rlv-ass": "1\n    1\n    2\n   /\n",
      }),
    );
    expect(read.documents[0]).toEqual({ id: "1", title: "", paragraphs: ["boats float on and/or in water"] });
    expect(read.queries).toEqual([{ id: "1", text: "what floats" }]);
    expect([...(read.relevance.get("1")?.keys() ?? [])]).toEqual(["1", "2"]);
  });

  test("in BEIR's layout", async () => {
    const read = await readCollection(
      await folderOf({
        "corpus.jsonl": '{"_id":"d1","title":"Boats","text":"They float."}\n{"_id":"d2","text":"x"}\n',
        "queries.jsonl": '{"_id":"q1","text":"what floats"}\n{"_id":"q2","text":"for training"}\n',
        "qrels/test.tsv": "query-id\tcorpus-id\tscore\nq1\td1\t2\n",
      }),
    );
    expect(read.documents[0]).toEqual({ id: "d1", title: "Boats", paragraphs: ["They float."] });
    expect(read.queries).toEqual([{ id: "q1", text: "what floats" }]);
    expect(read.relevance.get("q1")).toEqual(new Map([["d1", 2]]));
  });

  test("what can't be right is refused: no collection, no judged query, judged documents that are not there", async () => {
    await expect(readCollection(await folderOf({ "notes.txt": "x" }))).rejects.toThrow("known format");
    await expect(readCollection(await folderOf({ ...smart, "TINY.REL": "1 0 1 0\n" }))).rejects.toThrow(
      "0 judged queries",
    );
    await expect(readCollection(await folderOf({ ...smart, "TINY.REL": "1 7 0 0\n" }))).rejects.toThrow(
      "(7)",
    );
  });

  test("a folder of collections, or one by name", async () => {
    const both = await folderOf(
      Object.fromEntries(
        ["one", "two"].flatMap((name) =>
          Object.entries(smart).map(([file, text]) => [`${name}/${file}`, text]),
        ),
      ),
    );
    expect((await readCollections(both, [])).map(({ name }) => name)).toEqual(["one", "two"]);
    expect((await readCollections(both, ["two"])).map(({ name }) => name)).toEqual(["two"]);
    await expect(readCollections(both, ["three"])).rejects.toThrow("three");
  });
});

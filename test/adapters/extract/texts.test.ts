/** Formats that are text: their structure, found. */
import { describe, expect, test } from "vitest";
import { readCsv } from "../../../src/adapters/extract/sheets/csv.ts";
import { readCode } from "../../../src/adapters/extract/text/code.ts";
import { readJson } from "../../../src/adapters/extract/text/json.ts";
import { readNdjson } from "../../../src/adapters/extract/text/ndjson.ts";
import { readOrg } from "../../../src/adapters/extract/text/org.ts";
import { readRst } from "../../../src/adapters/extract/text/rst.ts";
import { readXml } from "../../../src/adapters/extract/text/xml.ts";
import { blocksOf, read } from "./reading.ts";

describe("CSV", () => {
  test.each([
    ["commas", 'a,b\n1,"x, y"\n', "| a | b |\n| --- | --- |\n| 1 | x, y |"],
    [
      "semicolons, decimal commas",
      "a;b\n1,5;2\n2,5;3\n",
      "| a | b |\n| --- | --- |\n| 1,5 | 2 |\n| 2,5 | 3 |",
    ],
    ["tabs", "a\tb\n1\t2\n", "| a | b |\n| --- | --- |\n| 1 | 2 |"],
    ["a stated sign", "sep=|\na|b\n1|2\n", "| a | b |\n| --- | --- |\n| 1 | 2 |"],
    ["a line end in a field", 'a,b\n"x\ny",2\n', "| a | b |\n| --- | --- |\n| x y | 2 |"],
    [
      "a quote that never closes",
      'size,name\n5",pipe\n"6,tube\n',
      '| size | name |\n| --- | --- |\n| 5" | pipe |\n| "6 | tube |',
    ],
    ["UTF-16", Buffer.from("\ufeffä;b\n1;2\n", "utf16le"), "| ä | b |\n| --- | --- |\n| 1 | 2 |"],
    ["Windows-1252", Buffer.from("ä;b\nö;ß\n", "latin1"), "| ä | b |\n| --- | --- |\n| ö | ß |"],
  ])("%s", async (_, source, expected) => {
    const extracted = await read(readCsv, source);
    expect(blocksOf(extracted)).toEqual([["table", expected]]);
  });

  test("rows keep their numbers over a title and a gap; a hundred thousand of them pass through", async () => {
    const many = Array.from({ length: 100_000 }, (_, index) => `${index},x`).join("\n");
    const { blocks } = await read(readCsv, `Report,\na,b\n1,2\n2,3\n3,4\n4,5\n\nid,name\n${many}\n`);
    expect(blocks.filter(({ continues }) => !continues).map(({ kind, row }) => [kind, row])).toEqual([
      ["paragraph", 1],
      ["table", 2],
      ["table", 8],
    ]);
  });
});

test("NDJSON: what is no record stands where the file has it", async () => {
  const records = (from: number) =>
    Array.from({ length: 60_000 }, (_, n) => `{"boat":${from + n},"toll":2}\n`);
  const cut = await read(readNdjson, `${records(0).slice(0, 3).join("")}{"boat":3,"to`);
  expect(cut.text).toMatch(/\| 2 \| 2 \|\n\n\{"boat":3,"to$/);
  const { text } = await read(readNdjson, `${records(0).join("")}"a word"\n${records(60_000).join("")}`);
  const word = text.indexOf("a word");
  expect(text.slice(0, word)).toMatch(/\| 59999 \| 2 \|\n\n$/);
  expect(text.slice(word)).toMatch(/^a word\n\n\| boat \| toll \|\n\| --- \| --- \|\n\| 60000 \| 2 \|\n/);
  expect(text.match(/^\| \d+ \| 2 \|$/gm)).toHaveLength(120_000);
});

test("a file without text is told so, and nothing of pictures", async () => {
  await expect(read(readCsv, ",,\n,,\n", "a.csv")).rejects.toThrow(
    "a.csv holds no text. Upload a file with text in it.",
  );
});

test("CSV: a quote that never closes is a letter, in a long file too", async () => {
  const rows = Array.from({ length: 200_000 }, (_, index) => `${index},boat`).join("\n");
  const { text, blocks } = await read(readCsv, `a,b\n1,"open\n${rows}`);
  expect(text).toContain('| 1 | "open |\n| 0 | boat |');
  expect(blocks.at(-1)!.row).toBeGreaterThan(190_000);
});

test("reStructuredText", async () => {
  const source = `=====
Locks
=====

:Author: Ada Lock

Words with \`\`code\`\`, **weight** and a \`link <https://example.org/x>\`_.

- one
  goes on

  - inner
- two

Deep
----

Like so::

    open()

.. note:: Mind the gap.

.. code-block:: python
   :linenos:

   close()

====  =====
Boat  Toll
====  =====
Punt  2
====  =====

+------+------+
| A    | B    |
+======+======+
| 1    | two  |
|      | rows |
+------+------+

.. [1] A footnote.
.. a comment
`;
  const extracted = await read(readRst, source);
  expect(blocksOf(extracted)).toEqual([
    ["heading1", "Locks"],
    ["paragraph", "Author: Ada Lock"],
    ["paragraph", "Words with code, weight and a [link](https://example.org/x)."],
    ["list_item", "- one goes on"],
    ["list_item", "  - inner"],
    ["list_item", "- two"],
    ["heading2", "Deep"],
    ["paragraph", "Like so:"],
    ["code", "open()"],
    ["paragraph", "Note: Mind the gap."],
    ["code", "close()"],
    ["table", "| Boat | Toll |\n| --- | --- |\n| Punt | 2 |"],
    ["table", "| A | B |\n| --- | --- |\n| 1 | two rows |"],
    ["footnote", "[^1]: A footnote."],
  ]);
  expect(extracted).toMatchObject({ title: "Locks", facts: { author: "Ada Lock" } });
});

test("Org", async () => {
  const source = `#+TITLE: Locks
#+AUTHOR: Ada Lock
# a comment
* TODO Opening :work:
:PROPERTIES:
:ID: x
:END:
Words with ~code~ and [[https://example.org/x][a link]][fn:1].
- one
  goes on
  1. inner
** Tolls
| Boat | Toll |
|------+------|
| Punt | 2    |
#+BEGIN_SRC sh
* no heading
#+END_SRC
#+begin_quote
Slowly.
#+end_quote
[fn:1] Since 1903.
`;
  const extracted = await read(readOrg, source);
  expect(blocksOf(extracted)).toEqual([
    ["heading1", "Opening"],
    ["paragraph", "Words with code and [a link](https://example.org/x)[^1]."],
    ["list_item", "- one goes on"],
    ["list_item", "  1. inner"],
    ["heading2", "Tolls"],
    ["table", "| Boat | Toll |\n| --- | --- |\n| Punt | 2 |"],
    ["code", "* no heading"],
    ["quote", "Slowly."],
    ["footnote", "[^1]: Since 1903."],
  ]);
  expect(extracted).toMatchObject({ title: "Locks", facts: { author: "Ada Lock" } });
});

describe("JSON", () => {
  test("paths, headings for large parts, tables for lists of like objects, numbers with all their digits", async () => {
    const value = `{"name": "Locks", "id": 12345678901234567890, "place": {"river": "Isis", "banks": ["left", "right"]},
      "story": {"text": "${"Once. ".repeat(300)}", "by": "Ada"}, "tolls": [${Array.from({ length: 60 }, (_, index) => `{"boat": "Punt of the harbour ${index}", "toll": ${index}}`).join(",")}]}`;
    const extracted = await read(readJson, value);
    const blocks = blocksOf(extracted);
    expect(blocks[0]).toEqual([
      "paragraph",
      "name: Locks\nid: 12345678901234567890\nplace.river: Isis\nplace.banks: left, right",
    ]);
    expect(blocks[1]).toEqual(["heading1", "story"]);
    expect(blocks.at(-2)).toEqual(["heading1", "tolls"]);
    expect(blocks.at(-1)![1]).toContain("| boat | toll |\n| --- | --- |\n| Punt of the harbour 0 | 0 |");
    expect(extracted.title).toBe("Locks");
  });

  test("a value on each line, whatever the name; text that is no JSON", async () => {
    const lines = '{"a": 1, "b": {"c": 2}}\n\n{"a": 3}\n';
    for (const reader of [readJson, readNdjson]) {
      const extracted = await read(reader, lines);
      expect(blocksOf(extracted)).toEqual([
        ["paragraph", "a: 1\nb.c: 2"],
        ["paragraph", "a: 3"],
      ]);
      expect(extracted.blocks.map(({ row }) => row)).toEqual([1, 3]);
    }
    expect((await read(readJson, "{ not json at all")).text).toBe("{ not json at all");
  });

  test("a notebook", async () => {
    const notebook = {
      nbformat: 4,
      cells: [
        { cell_type: "markdown", source: ["# Flow\n", "Words."] },
        { cell_type: "code", source: "print(1)", outputs: [{ text: ["1\n"] }] },
      ],
    };
    expect(blocksOf(await read(readJson, JSON.stringify(notebook)))).toEqual([
      ["heading1", "Flow"],
      ["paragraph", "Words."],
      ["code", "print(1)"],
      ["code", "1"],
    ]);
  });
});

test("XML: records, titles, sentences with marked words", async () => {
  const source = `<?xml version="1.0" encoding="iso-8859-1"?>
<book lang="en"><title>Locks &amp; weirs</title>
<boat id="7"><name>Punt</name><toll>2</toll></boat>
<p><b>Open</b> the <i>upper</i> gate f\xe9rst.</p></book>`;
  const extracted = await read(readXml, Buffer.from(source, "latin1"));
  expect(blocksOf(extracted)).toEqual([
    ["paragraph", "lang: en"],
    ["heading1", "Locks & weirs"],
    ["paragraph", "id: 7\nname: Punt\ntoll: 2"],
    ["paragraph", "Open the upper gate férst."],
  ]);
  expect((await read(readXml, "<a>broken <b></a>")).text).toContain("broken");
});

test("code: functions and classes whole, offsets into the source", async () => {
  const source = `import os

class Lock:
    """A lock."""

    def open(self):
        pass

def close(lock):
    lock.shut()
`;
  const extracted = await read(readCode, source);
  expect(extracted.text).toBe(source);
  expect(blocksOf(extracted)).toEqual([
    ["code", "import os"],
    ["code", 'class Lock:\n    """A lock."""\n\n    def open(self):\n        pass'],
    ["code", "def close(lock):\n    lock.shut()"],
  ]);
});

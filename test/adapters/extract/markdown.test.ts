import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { listenForFacts } from "../../../src/adapters/extract/facts.ts";
import { readMarkdown } from "../../../src/adapters/extract/markdown.ts";
import { blocksOf, fixturePath, read, readFixture } from "./reading.ts";

const source = `---
title: "Keeping Bees"
draft: false
---

# Keeping bees

Bees need water **near** the hive.
A shallow dish will do.

Tools
-----

- a smoker
- a hive tool, with
  a hook

| Month | Work |
| ----- | ---- |
| April | Look for the queen |

\`\`\`python
# not a heading
weigh(hive)
\`\`\`

> Quiet hands,
quiet bees.

<!-- nobody reads this -->

## Winter ##

Leave them alone.
`;

test("the text is the source, and blocks point into it", async () => {
  const extracted = await read(readMarkdown, source);
  expect(extracted.text).toBe(source);
  expect(blocksOf(extracted)).toEqual([
    ["heading1", "# Keeping bees"],
    ["paragraph", "Bees need water **near** the hive.\nA shallow dish will do."],
    ["heading2", "Tools\n-----"],
    ["list_item", "- a smoker"],
    ["list_item", "- a hive tool, with\n  a hook"],
    ["table", "| Month | Work |\n| ----- | ---- |\n| April | Look for the queen |"],
    ["code", "```python\n# not a heading\nweigh(hive)\n```"],
    ["quote", "> Quiet hands,\nquiet bees."],
    ["heading2", "## Winter ##"],
    ["paragraph", "Leave them alone."],
  ]);
  expect(extracted).toMatchObject({ title: "Keeping Bees", page_count: null });
});

test("a file", async () => {
  const extracted = await readFixture(readMarkdown, "sample.md");
  expect(extracted.text).toBe(readFileSync(fixturePath("sample.md"), "utf8"));
  expect(blocksOf(extracted).map(([kind]) => kind)).toEqual(
    "heading1 paragraph heading2 list_item list_item table code quote heading2 paragraph".split(" "),
  );
});

test.each([
  [
    "a fence that is never closed",
    "text\n\n~~~\n# code\n",
    [
      ["paragraph", "text"],
      ["code", "~~~\n# code\n"],
    ],
  ],
  [
    "a longer fence around a shorter",
    "````\n```\n````\nx",
    [
      ["code", "````\n```\n````"],
      ["paragraph", "x"],
    ],
  ],
  [
    "a rule is no heading",
    "one\n\n---\n\ntwo",
    [
      ["paragraph", "one"],
      ["paragraph", "two"],
    ],
  ],
  [
    "a rule at the top is no front matter",
    "---\nwords\n---\nmore",
    [
      ["heading2", "words\n---"],
      ["paragraph", "more"],
    ],
  ],
  ["a hash without a space", "#hashtag\n####### seven", [["paragraph", "#hashtag\n####### seven"]]],
  [
    "a heading ends a paragraph",
    "text\n## Now\ntext",
    [
      ["paragraph", "text"],
      ["heading2", "## Now"],
      ["paragraph", "text"],
    ],
  ],
  ["an empty heading", "#\n\ntext", [["paragraph", "text"]]],
  [
    "indented code",
    "para\n\n    let a;\n\n    let b;\n\nend",
    [
      ["paragraph", "para"],
      ["code", "    let a;\n\n    let b;"],
      ["paragraph", "end"],
    ],
  ],
  [
    "nested items",
    "1. one\n   - inner\n2) two",
    [
      ["list_item", "1. one"],
      ["list_item", "- inner"],
      ["list_item", "2) two"],
    ],
  ],
  ["a pipe is no table", "a | b\nc | d", [["paragraph", "a | b\nc | d"]]],
  [
    "Windows line ends",
    "# A\r\n\r\nb\r\nc\r\n",
    [
      ["heading1", "# A"],
      ["paragraph", "b\r\nc"],
    ],
  ],
  ["a comment over lines", "<!--\nhidden\n-->\nshown", [["paragraph", "shown"]]],
])("%s", async (_, source, expected) => {
  expect(blocksOf(await read(readMarkdown, source))).toEqual(
    expected.map(([kind, text]) => [kind, text!.trimEnd()]),
  );
});

test("the title is the first heading where no front matter gives one", async () => {
  expect((await read(readMarkdown, "intro\n\n## Sub ##\n\n# Top")).title).toBe("Sub");
  expect((await read(readMarkdown, "just words")).title).toBeNull();
});

test.each([
  [
    'title: "Locks"\nauthor: Ada Lock\ndate: 2019-03-05 10:20:30 +0100\nlastmod: 2020-01-02\nlang: en_GB',
    { author: "Ada Lock", authored_at: "2019-03-05T09:20:30Z", modified_at: "2020-01-02", language: "en-GB" },
  ],
  ["Authors: [Ada Lock, 'Bo Weir']\ndate: '2019'", { author: "Ada Lock, Bo Weir", authored_at: "2019" }],
  ["title: x\nauthor:\n  - Ada Lock\n  name: Bo", {}],
  ["title: x\nauthor: {name: Ada}\ndate: yesterday\nlang: English", {}],
  ["title: x\nauthor: |\n  Ada", {}],
])("front matter tells %j", async (matter, facts) => {
  const extracted = await read(readMarkdown, `---\n${matter}\n---\n\nWords.`);
  expect(await listenForFacts().finish(extracted.facts)).toEqual(facts);
});

test("front matter alone is an empty document", async () => {
  await expect(read(readMarkdown, "---\ntitle: x\n---\n")).rejects.toMatchObject({ code: "empty_document" });
});

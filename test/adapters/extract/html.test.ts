import { expect, test } from "vitest";
import { readHtml } from "../../../src/adapters/extract/html.ts";
import { blocksOf, read, readFixture } from "./reading.ts";

test("what a reader of the page sees, in blocks", async () => {
  const extracted = await readFixture(readHtml, "sample.html");
  expect(blocksOf(extracted)).toEqual([
    ["heading1", "Bread"],
    ["paragraph", "Flour, water, salt and time.\nNothing else."],
    ["heading2", "Steps"],
    ["list_item", "3. Mix"],
    ["list_item", "4. Wait"],
    ["list_item", "  - longer in winter"],
    ["paragraph", "Amounts"],
    ["table", "| What | How much |  |\n| --- | --- | --- |\n| Flour | 500 | g |\n| Salt \\| fine | 10 | g |"],
    ["code", "bake\n  at 240"],
    ["quote", "Bread is patience."],
    ["heading2", "Framed"],
    ["paragraph", "A table that lays out a page."],
  ]);
  expect(extracted).toMatchObject({ title: "Bread & Salt", page_count: null });
});

test("links in sentences keep their address, those in menus don't; two line breaks part paragraphs", async () => {
  const source = `<ul><li><a href="https://example.org/home">Home</a></ul>
    <p>See <a href="https://example.org/x">the <b>rules</b></a>, <a href="/near">near</a>, <a href="https://example.org">example.org</a>.</p>
    Once.<br><br>Twice.<br>Still.`;
  expect(blocksOf(await read(readHtml, source))).toEqual([
    ["list_item", "- Home"],
    ["paragraph", "See [the rules](https://example.org/x), near, example.org."],
    ["paragraph", "Once."],
    ["paragraph", "Twice.\nStill."],
  ]);
});

test("what the page says of itself, and a charset named late", async () => {
  const late = Buffer.concat([
    Buffer.from(`<html lang="de-at"><head><script>${" ".repeat(9_000)}</script>`),
    Buffer.from(
      '<meta charset="iso-8859-2"><meta name="author" content="Ada"><meta property="article:published_time" content="2024-03-01T08:00:00Z"></head><p>',
    ),
    Buffer.from([0xa3, 0xf3, 0x64, 0xbc]),
  ]);
  expect(await read(readHtml, late)).toMatchObject({
    text: "Łódź",
    facts: { author: "Ada", authored_at: "2024-03-01T08:00:00Z", language: "de-AT" },
  });
});

test("a table of accounts: signs go to their numbers, empty columns go", async () => {
  const source = `<table>
    <tr><td></td><td colspan=2>2021</td><td></td></tr>
    <tr><td>Cash</td><td>$</td><td>5,000</td><td></td></tr>
    <tr><td>Loss</td><td>$</td><td>(70</td><td>)</td></tr></table>`;
  expect(blocksOf(await read(readHtml, source))).toEqual([
    ["table", "|  | 2021 |\n| --- | --- |\n| Cash | $5,000 |\n| Loss | $(70) |"],
  ]);
});

test("cells over several rows keep their columns", async () => {
  const source = "<table><tr><th rowspan=2>A<th>b<tr><td>c<tr><td>D<td>e</table>";
  expect(blocksOf(await read(readHtml, source))[0]![1]).toBe("| A | b |\n| --- | --- |\n|  | c |\n| D | e |");
});

test.each([
  ["a single row is prose", "<table><tr><td>•<td>a point</table>", [["list_item", "• a point"]]],
  [
    "a single column is prose",
    "<table><tr><td>a<tr><td>b</table>",
    [
      ["paragraph", "a"],
      ["paragraph", "b"],
    ],
  ],
  [
    "text beside blocks",
    "before<p>in</p>after",
    [
      ["paragraph", "before"],
      ["paragraph", "in"],
      ["paragraph", "after"],
    ],
  ],
  ["inline elements make no breaks", "<p>a<b>b</b><i> c</i>", [["paragraph", "ab c"]]],
  ["a template and an svg", "<template><p>t</p></template><svg><text>s</text></svg>x", [["paragraph", "x"]]],
])("%s", async (_, source, expected) => {
  expect(blocksOf(await read(readHtml, source))).toEqual(expected);
});

test("the charset that the page declares", async () => {
  const page = Buffer.from('<meta charset="windows-1251"><p>\xcf\xf0\xe8\xe2\xe5\xf2', "latin1");
  expect((await read(readHtml, page)).text).toBe("Привет");
});

test("the first heading is the title of a page without one", async () => {
  expect((await read(readHtml, "<h2>Sub</h2><h1>Top</h1>")).title).toBe("Sub");
});

test("a page nested deeper than calls can go", async () => {
  const depth = 20_000;
  expect((await read(readHtml, `${"<div>".repeat(depth)}bottom`)).text).toBe("bottom");
});

test("nothing to read", async () => {
  await expect(read(readHtml, "<script>1</script><nav>Home</nav>")).rejects.toMatchObject({
    code: "empty_document",
  });
});

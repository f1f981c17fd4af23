import { expect, test } from "vitest";
import { readDocx } from "../../../src/adapters/extract/ooxml/docx.ts";
import { makeDocx, relations, root } from "../../fixtures/ooxml.ts";
import { paragraph, row, styled, wordParts } from "../../fixtures/samples.ts";
import { blocksOf, read } from "./reading.ts";

const run = (content: string) => `<w:p><w:r>${content}</w:r></w:p>`;
const numbered = (text: string, list: number, level = 0) =>
  paragraph(text, `<w:numPr><w:ilvl w:val="${level}"/><w:numId w:val="${list}"/></w:numPr>`);
const level = (index: number, format: string, pattern: string) =>
  `<w:lvl w:ilvl="${index}"><w:start w:val="1"/><w:numFmt w:val="${format}"/><w:lvlText w:val="${pattern}"/></w:lvl>`;
const numbering = root(
  "w:numbering",
  `<w:abstractNum w:abstractNumId="0">${level(0, "decimal", "%1.")}${level(1, "lowerLetter", "(%2)")}${level(2, "decimal", "%1.%2.%3")}</w:abstractNum>
   <w:abstractNum w:abstractNumId="1">${level(0, "bullet", "\uf0b7")}${level(1, "bullet", "o")}</w:abstractNum>
   <w:num w:numId="1"><w:abstractNumId w:val="0"/></w:num>
   <w:num w:numId="2"><w:abstractNumId w:val="1"/></w:num>
   <w:num w:numId="3"><w:abstractNumId w:val="0"/><w:lvlOverride w:ilvl="0"><w:startOverride w:val="1"/></w:lvlOverride></w:num>`,
);

test("lists keep their numbers as Word shows them, their marks and their depth", async () => {
  const body =
    numbered("Parties", 1) +
    numbered("the seller", 1, 1) +
    numbered("the buyer", 1, 1) +
    numbered("an heir", 1, 2) +
    numbered("Price", 1) +
    paragraph("Between.") +
    numbered("due at once", 2) +
    numbered("in coins", 2, 1) +
    numbered("Anew", 3);
  const parts = {
    "word/numbering.xml": numbering,
    "word/_rels/document.xml.rels": relations(["n", "numbering", "numbering.xml"]),
  };
  expect(blocksOf(await read(readDocx, makeDocx(body, parts)))).toEqual([
    ["list_item", "1. Parties"],
    ["list_item", "  (a) the seller"],
    ["list_item", "  (b) the buyer"],
    ["list_item", "    1.b.1 an heir"],
    ["list_item", "2. Price"],
    ["paragraph", "Between."],
    ["list_item", "- due at once"],
    ["list_item", "  - in coins"],
    ["list_item", "1. Anew"],
  ]);
});

test("notes and comments follow their paragraph; links keep their address; what was deleted is gone", async () => {
  const body =
    `<w:p><w:r><w:t>The gate</w:t></w:r><w:r><w:footnoteReference w:id="2"/></w:r><w:del><w:r><w:delText>was</w:delText></w:r></w:del><w:ins><w:r><w:t xml:space="preserve"> is open, see </w:t></w:r></w:ins><w:hyperlink r:id="h1"><w:r><w:t>the rules</w:t></w:r></w:hyperlink><w:r><w:t xml:space="preserve"> or </w:t></w:r><w:hyperlink r:id="h2"><w:r><w:t>example.org</w:t></w:r></w:hyperlink><w:r><w:rPr><w:vanish/></w:rPr><w:t>hidden</w:t></w:r><w:r><w:commentReference w:id="0"/></w:r></w:p>` +
    run(
      '<w:fldChar w:fldCharType="begin"/><w:instrText> HYPERLINK "https://example.org/x" </w:instrText><w:fldChar w:fldCharType="separate"/><w:t>a field</w:t><w:fldChar w:fldCharType="end"/>',
    ) +
    paragraph("After.");
  const parts = {
    "word/_rels/document.xml.rels": relations(
      ["f", "footnotes", "footnotes.xml"],
      ["c", "comments", "comments.xml"],
      ["h1", "hyperlink", "https://example.org/rules", true],
      ["h2", "hyperlink", "https://example.org/", true],
    ),
    "word/footnotes.xml": root(
      "w:footnotes",
      `<w:footnote w:id="0" w:type="separator">${paragraph("-")}</w:footnote><w:footnote w:id="2">${paragraph("Built in 1903.")}</w:footnote>`,
    ),
    "word/comments.xml": root(
      "w:comments",
      `<w:comment w:id="0" w:author="Bo">${paragraph("Really?")}</w:comment>`,
    ),
  };
  expect(blocksOf(await read(readDocx, makeDocx(body, parts)))).toEqual([
    ["paragraph", "The gate[^2] is open, see [the rules](https://example.org/rules) or example.org"],
    ["footnote", "[^2]: Built in 1903."],
    ["footnote", "Comment by Bo: Really?"],
    ["paragraph", "[a field](https://example.org/x)"],
    ["paragraph", "After."],
  ]);
});

test("text boxes once, tables of one cell as text, merged cells, page heads once", async () => {
  const box = (text: string) => `<w:txbxContent>${paragraph(text)}</w:txbxContent>`;
  const body =
    `<w:p><w:r><w:t>Beside.</w:t><mc:AlternateContent><mc:Choice><w:drawing>${box("In the box")}</w:drawing></mc:Choice><mc:Fallback><w:pict>${box("In the box")}</w:pict></mc:Fallback></mc:AlternateContent></w:r></w:p>` +
    `<w:tbl>${row("Framed words")}</w:tbl>` +
    `<w:tbl><w:tr><w:tc><w:tcPr><w:gridSpan w:val="2"/></w:tcPr>${paragraph("Both")}</w:tc><w:tc>${paragraph("C")}</w:tc></w:tr>${row("1", "2", "3")}</w:tbl>`;
  const head = root("w:hdr", paragraph("Canal Trust, confidential"));
  const parts = {
    "word/_rels/document.xml.rels": relations(
      ["h1", "header", "header1.xml"],
      ["h2", "header", "header2.xml"],
      ["f1", "footer", "footer1.xml"],
    ),
    "word/header1.xml": head,
    "word/header2.xml": head,
    "word/footer1.xml": root("w:ftr", paragraph("Page 3 of 12")),
  };
  expect(blocksOf(await read(readDocx, makeDocx(body, parts)))).toEqual([
    ["paragraph", "Canal Trust, confidential"],
    ["paragraph", "Beside."],
    ["paragraph", "In the box"],
    ["paragraph", "Framed words"],
    ["table", "| Both |  | C |\n| --- | --- | --- |\n| 1 | 2 | 3 |"],
  ]);
});

test("pages as Word last counted them, where it did", async () => {
  const body = paragraph("One.") + run("<w:lastRenderedPageBreak/><w:t>Two.</w:t>") + paragraph("Still two.");
  const extracted = await read(readDocx, makeDocx(body));
  expect(extracted.page_count).toBe(2);
  expect(extracted.blocks.map(({ page }) => page)).toEqual([1, 2, 2]);
});

test("its properties are the document's facts; a table of contents is left to its headings", async () => {
  const toc = `<w:style w:type="paragraph" w:styleId="TOC1"><w:name w:val="toc 1"/></w:style>`;
  const parts = {
    ...wordParts,
    "word/styles.xml": root(
      "w:styles",
      `<w:docDefaults><w:rPrDefault><w:rPr><w:lang w:val="de-AT"/></w:rPr></w:rPrDefault></w:docDefaults>${toc}`,
    ),
  };
  const extracted = await read(
    readDocx,
    makeDocx(styled("Weirs 4", "TOC1") + paragraph("Text."), parts, "Weirs"),
  );
  expect(extracted).toMatchObject({
    title: "Weirs",
    text: "Text.",
    facts: {
      author: "Ada Lock",
      authored_at: "2024-03-01T08:00:00Z",
      modified_at: "2024-03-02T09:30:00Z",
      language: "de-AT",
    },
  });
});

/** What readers of a PDF see beyond its words: order, headings, tables, margins, forms. */
import { expect, test } from "vitest";
import { readPdf } from "../../../src/adapters/extract/pdf.ts";
import { type Line, makePdf } from "../../fixtures/pdf.ts";
import { blocksOf, read } from "./reading.ts";

/** Lines of text below each other. */
const lines = (x: number, y: number, ...texts: string[]): Line[] =>
  texts.map((text, index) => ["F1", 11, x, y - 14 * index, text]);

test("running headers, footers and page numbers are left out, a chapter's heading is not", async () => {
  const pages = [1, 2, 3, 4].map((number): Line[] => [
    ["F1", 9, 72, 800, "The Lock Keeper's Guide"],
    ["F2", 18, 72, 740, `Chapter ${number}`],
    ...lines(
      72,
      640,
      `The water of day ${number} rises slowly in the chamber`,
      "until both levels are the same.",
    ),
    ["F1", 9, 290, 40, `- ${number + 4} -`],
  ]);
  const { text } = await read(readPdf, makePdf("Guide", pages));
  expect(text).not.toContain("Lock Keeper");
  expect(text).not.toMatch(/- \d -/);
  expect(text).toContain(
    "Chapter 3\n\nThe water of day 3 rises slowly in the chamber until both levels are the same.",
  );
});

test("columns that the page draws right to left are read left to right, below the heading over both", async () => {
  const page: Line[] = [
    ...lines(
      320,
      680,
      "The right column is drawn first",
      "although it is read last, after",
      "everything else on the page.",
    ),
    ...lines(
      72,
      680,
      "The left column is drawn second",
      "and read before the right one,",
      "from its top to its end.",
    ),
    ["F2", 18, 150, 730, "A heading over both columns of it"],
  ];
  expect(blocksOf(await read(readPdf, makePdf("Columns", [page])))).toEqual([
    ["heading1", "A heading over both columns of it"],
    ["paragraph", "The left column is drawn second and read before the right one, from its top to its end."],
    [
      "paragraph",
      "The right column is drawn first although it is read last, after everything else on the page.",
    ],
  ]);
});

test("tags say what is what, and in which order", async () => {
  const page: Line[] = [
    ["F1", 11, 300, 500, "12 crowns"],
    ["F1", 11, 72, 700, "Tolls of the lock"],
    ["F1", 11, 72, 500, "Barge"],
    ["F1", 11, 72, 640, "-"],
    ["F1", 11, 90, 640, "Pay before the gates open."],
    ["F1", 11, 72, 520, "Boat"],
    ["F1", 11, 300, 520, "Toll"],
  ];
  const cell = (...content: number[]) => ({ type: "TD", content });
  const tags = [
    { type: "H2", content: [1] },
    {
      type: "L",
      content: [
        {
          type: "LI",
          content: [
            { type: "Lbl", content: [3] },
            { type: "LBody", content: [4] },
          ],
        },
      ],
    },
    {
      type: "Table",
      content: [
        { type: "TR", content: [cell(5), cell(6)] },
        { type: "TR", content: [cell(2), cell(0)] },
      ],
    },
  ];
  expect(blocksOf(await read(readPdf, makePdf("Tolls", [page], { tags })))).toEqual([
    ["heading2", "Tolls of the lock"],
    ["list_item", "- Pay before the gates open."],
    ["table", "| Boat | Toll |\n| --- | --- |\n| Barge | 12 crowns |"],
  ]);
});

test("the outline makes headings of lines that look like text", async () => {
  const page: Line[] = [
    ...lines(72, 700, "Filling the chamber"),
    ...lines(
      72,
      660,
      "Close the lower gates before you open the upper sluices, and wait",
      "until the boats lie still.",
    ),
  ];
  const blocks = blocksOf(
    await read(readPdf, makePdf("Guide", [page], { outline: [["Filling the chamber", 1]] })),
  );
  expect(blocks[0]).toEqual(["heading1", "Filling the chamber"]);
});

test("a cell's second line stays in its cell; running text in two columns is no table", async () => {
  const cells = (y: number, ...texts: string[]): Line[] =>
    texts.map((text, index) => ["F1", 10, 72 + 150 * index, y, text]);
  const table = [
    ...cells(700, "Boat", "Who may pass", "Toll"),
    ...cells(684, "Punt", "anybody who can", "2 crowns"),
    ["F1", 10, 222, 672, "hold a pole"] satisfies Line,
    ...cells(656, "Barge", "licensed masters", "12 crowns"),
  ];
  const prose: Line[] = [0, 1, 2, 3].flatMap((row): Line[] => [
    ["F1", 10, 72, 500 - 13 * row, `left words of row ${row} run on and on to the end`],
    ["F1", 10, 330, 500 - 13 * row, `right words of row ${row} go their own way there`],
  ]);
  const blocks = blocksOf(await read(readPdf, makePdf("Boats", [[...table, ...prose]])));
  expect(blocks[0]).toEqual([
    "table",
    "| Boat | Who may pass | Toll |\n| --- | --- | --- |\n| Punt | anybody who can hold a pole | 2 crowns |\n| Barge | licensed masters | 12 crowns |",
  ]);
  expect(blocks.slice(1).map(([kind]) => kind)).not.toContain("table");
});

test("code keeps its lines and their indentation", async () => {
  const page: Line[] = [
    ...lines(72, 700, "The sluice is opened by a short program, which every keeper knows by heart:"),
    ["F3", 10, 72, 670, "while water < level:"],
    ["F3", 10, 96, 657, "raise(sluice)"],
    ["F3", 10, 72, 644, "open(gates)"],
  ];
  expect(blocksOf(await read(readPdf, makePdf("Code", [page])))[1]).toEqual([
    "code",
    "while water < level:\n    raise(sluice)\nopen(gates)",
  ]);
});

test("what was filled in stands behind its label; comments are notes; properties are facts", async () => {
  const page = lines(72, 700, "Name of the boat:", "Harbour of registry:", "Steam:", "Sails:");
  const field = (name: string, value: string, y: number) =>
    `<< /Type /Annot /Subtype /Widget /FT /Tx /T (${name}) /V (${value}) /Rect [200 ${y} 400 ${y + 14}] /F 4 >>`;
  const box = (name: string, state: string, y: number) =>
    `<< /Type /Annot /Subtype /Widget /FT /Btn /T (${name}) /V /${state} /AS /${state} /Rect [200 ${y} 212 ${y + 12}] /F 4 >>`;
  const annotations = [
    [
      field("boat", "Marlene", 697),
      field("harbour", "Emden", 683),
      box("steam", "Off", 669),
      box("sails", "Yes", 655),
      "<< /Type /Annot /Subtype /Text /Contents (Ask her master again.) /Rect [420 690 440 710] >>",
    ],
  ];
  const properties = "/Author (A. Keeper) /CreationDate (D:20240229143000+01'00')";
  const extracted = await read(readPdf, makePdf("Registry", [page], { annotations, properties }));
  expect(blocksOf(extracted)[0]).toEqual([
    "table",
    "| Name of the boat: | Marlene |\n| --- | --- |\n| Harbour of registry: | Emden |\n| Steam: | [ ] |\n| Sails: | [x] |",
  ]);
  expect(blocksOf(extracted).at(-1)).toEqual(["note", "Ask her master again."]);
  expect(extracted.facts).toEqual({ author: "A. Keeper", authored_at: "2024-02-29T14:30:00+01:00" });
});

test("what programs write where nobody gave a title or an author is neither", async () => {
  const properties = "/Author (\\(anonymous\\))";
  const extracted = await read(
    readPdf,
    makePdf("\\(anonymous\\)", [lines(72, 700, "Words.")], { properties }),
  );
  expect(extracted).toMatchObject({ title: null, facts: {} });
});

test("a title and a numbered chapter right below it are two headings", async () => {
  const page: Line[] = [
    ["F2", 18, 150, 750, "The Lock Keeper's"],
    ["F2", 18, 150, 729, "Annual Review"],
    ["F2", 18, 72, 701, "1 Opening the Gates"],
    ...lines(72, 670, "The gates open at six in the morning of every day,", "and close when the sun sets."),
  ];
  expect(
    blocksOf(await read(readPdf, makePdf("Review", [page])))
      .slice(0, 2)
      .map(([, text]) => text),
  ).toEqual(["The Lock Keeper's Annual Review", "1 Opening the Gates"]);
});

test("two columns that a program drew line by line are read one after the other", async () => {
  const column = (side: string) => [
    `The ${side} column begins with boats`,
    "that wait for the gates to open and",
    "for the water to rise below them in",
    "a chamber of stone, which the keeper",
    "fills with care. A second sentence",
    "goes on about the weather and ends.",
    "",
    "Then there is another paragraph that",
    "says how many boats have come since",
    "the winter, and how many of them were",
    `sent away. So ends the ${side} extraordi-`,
    "nary column.",
  ];
  const [left, right] = [column("left"), column("right")];
  const page = left.flatMap((words, row): Line[] => {
    const y = 700 - 12 * row;
    return words === ""
      ? []
      : [
          ["F1", 10, 72, y, words],
          ["F1", 10, 320, y, right[row]!],
        ];
  });
  const { text } = await read(readPdf, makePdf("Columns", [page]));
  expect(text.match(/left|right|extraordinary/g)).toEqual([
    ...["left", "left", "extraordinary"],
    ...["right", "right", "extraordinary"],
  ]);
  expect(text).not.toContain("|");
});

test("a table of two columns stays one", async () => {
  const page = Array.from({ length: 12 }, (_, row): Line[] => [
    ["F1", 10, 72, 700 - 14 * row, `Item ${row} has a name of some length`],
    ["F1", 10, 320, 700 - 14 * row, `Remark ${row} says what it is good for`],
  ]).flat();
  const { text } = await read(readPdf, makePdf("Table", [page]));
  expect(text.indexOf("Remark 0")).toBeLessThan(text.indexOf("Item 1"));
});

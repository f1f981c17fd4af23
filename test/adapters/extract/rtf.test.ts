import { expect, test } from "vitest";
import { readRtf } from "../../../src/adapters/extract/rtf/rtf.ts";
import { blocksOf, read } from "./reading.ts";

const rtf = (body: string) =>
  read(readRtf, Buffer.from(`{\\rtf1\\ansi\\ansicpg1252\\deff0\\deflang2057 ${body}}`, "latin1"));

test("headings by style, lists by their marks, tables, notes, links", async () => {
  const extracted = await rtf(
    "{\\stylesheet{\\s1 heading 1;}{\\s2 Normal;}}{\\info{\\title Locks}{\\author Ada Lock}{\\creatim\\yr2024\\mo3\\dy1\\hr8\\min5}}" +
      "\\pard\\s1 Opening\\par\\pard\\s2 First{\\footnote\\pard Since 1903.} words.\\par" +
      "\\pard{\\listtext\\'b7\\tab}slowly\\par\\pard\\ilvl1{\\listtext 1.\\tab}then faster\\par" +
      "\\trowd\\pard\\intbl Boat\\cell Toll\\cell\\row\\trowd\\pard\\intbl Punt\\cell 2\\cell\\row" +
      '\\pard See {\\field{\\*\\fldinst HYPERLINK "https://example.org/tolls"}{\\fldrslt the tolls}}.\\par',
  );
  expect(blocksOf(extracted)).toEqual([
    ["heading1", "Opening"],
    ["paragraph", "First[^1] words."],
    ["footnote", "[^1]: Since 1903."],
    ["list_item", "- slowly"],
    ["list_item", "  1. then faster"],
    ["table", "| Boat | Toll |\n| --- | --- |\n| Punt | 2 |"],
    ["paragraph", "See [the tolls](https://example.org/tolls)."],
  ]);
  expect(extracted).toMatchObject({
    title: "Locks",
    facts: { author: "Ada Lock", authored_at: "2024-03-01T08:05", language: "en-GB" },
  });
});

test("letters of every charset, and what stands in for them left out", async () => {
  const { text } = await rtf(
    "{\\fonttbl{\\f0\\fcharset0 A;}{\\f1\\fcharset204 B;}{\\f2\\fcharset128 C;}}caf\\'e9 {\\f1\\'cf\\'f0\\'e8\\'e2\\'e5\\'f2} {\\f2\\'93\\'fa\\'96\\'7b} \\uc1\\u9731?\\emdash{\\v hidden}{\\*\\unheard of}end",
  );
  expect(text).toBe("café Привет 日本 ☃—end");
});

test("a picture's raw bytes, which look like anything", async () => {
  expect((await rtf("before {\\pict\\bin6 }}{{\\\\x} after")).text).toBe("before  after");
});

test("cut off, or none at all", async () => {
  await expect(read(readRtf, "{\\rtf1 some words and {\\b bold")).rejects.toMatchObject({
    code: "malformed_document",
  });
  await expect(read(readRtf, "words")).rejects.toMatchObject({ code: "malformed_document" });
});

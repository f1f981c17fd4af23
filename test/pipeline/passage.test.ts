import { expect, test } from "vitest";
import { embeddedText } from "../../src/pipeline/passage.ts";

const chunk = { text: "Otters eat fish.", header: null, heading_path: ["Animals", "Food"] };

test("the text alone, below its table's header, unless a contextual header is wanted", () => {
  expect(embeddedText(chunk, undefined)).toBe("Otters eat fish.");
  expect(embeddedText({ ...chunk, header: "| a |\n| --- |", text: "| 1 |" }, undefined)).toBe(
    "| a |\n| --- |\n| 1 |",
  );
});

test("title and headings come first", () => {
  expect(embeddedText(chunk, { title: "The river" })).toBe("The river › Animals › Food\nOtters eat fish.");
  expect(embeddedText(chunk, { title: null })).toBe("Animals › Food\nOtters eat fish.");
});

test("what the text begins with, or another of them says, is not said twice", () => {
  const first = { ...chunk, text: "# The  River\n\n## Food\n\nOtters eat fish." };
  expect(embeddedText(first, { title: "The River" })).toBe(`Animals\n${first.text}`);
  expect(embeddedText({ ...chunk, heading_path: ["The River: a guide"] }, { title: "The river" })).toBe(
    "The River: a guide\nOtters eat fish.",
  );
  expect(embeddedText({ ...chunk, heading_path: ["Otters"] }, { title: "***" })).toBe("Otters eat fish.");
  // A word that only begins like it is another.
  expect(embeddedText({ ...chunk, heading_path: ["Fis"] }, { title: null })).toBe("Fis\nOtters eat fish.");
});

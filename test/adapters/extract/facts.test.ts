import { expect, test } from "vitest";
import { comparableTime, languageTag, listenForFacts } from "../../../src/adapters/extract/facts.ts";
import type { Block, DocumentFacts } from "../../../src/chunk.ts";

test.each([
  ["2019", "2019"],
  ["2019-03", "2019-03"],
  ["2019-03-05", "2019-03-05"],
  ["2024-02-29", "2024-02-29"],
  ["2019-03-05T10:20", "2019-03-05T10:20"],
  ["2019-03-05 10:20:30", "2019-03-05T10:20:30"],
  ["2019-03-05T10:20:30.123456", "2019-03-05T10:20:30"],
  ["2019-03-05T10:20:30.5Z", "2019-03-05T10:20:30Z"],
  ["2019-03-05T10:20Z", "2019-03-05T10:20:00Z"],
  ["2019-03-05T00:20:30+02:00", "2019-03-04T22:20:30Z"],
  ["2019-03-05 10:20:30 -0730", "2019-03-05T17:50:30Z"],
  ["2019-03-05T10:20:30-0730", "2019-03-05T17:50:30Z"],
  ["2019-03-05T10:20:30+10", "2019-03-05T00:20:30Z"],
  [" 2019 ", "2019"],
  ["", undefined],
  ["0000", undefined],
  ["19", undefined],
  ["2019-13", undefined],
  ["2019-00-01", undefined],
  ["2019-02-29", undefined],
  ["2019-04-31T10:00:00Z", undefined],
  ["2019-03-05T24:00", undefined],
  ["2019-03-05T10:60", undefined],
  ["2019-03-05T10:20:30+99:00", undefined],
  ["5 March 2019", undefined],
  ["2019-03-05T10:20:30Z and later", undefined],
])("the time %j is %j", (given, expected) => {
  expect(comparableTime(given)).toBe(expected);
});

test.each([
  ["en", "en"],
  ["en_US", "en-US"],
  ["EN-gb", "en-GB"],
  ["de_AT.UTF-8", "de-AT"],
  ["ca_ES@euro", "ca-ES"],
  ["zh-hant-tw", "zh-Hant-TW"],
  ["eng", "en"],
  ["iw", "he"],
  [" fr ", "fr"],
  ["x-none", undefined],
  ["x-default", undefined],
  ["English", undefined],
  ["und", undefined],
  ["mul", undefined],
  ["zxx-US", undefined],
  ["xx", undefined],
  ["en us", undefined],
  ["-", undefined],
  ["", undefined],
  [undefined, undefined],
])("the language tag %j is %j", (given, expected) => {
  expect(languageTag(given)).toBe(expected);
});

/** Facts of a document of these blocks, as they leave the reader's process. */
function finished(parts: [Block["kind"], string][], facts: DocumentFacts = {}): Promise<DocumentFacts> {
  const text = parts.map(([, words]) => words).join("\n\n");
  let at = 0;
  const blocks = parts.map(([kind, words]): Block => {
    const char_start = at;
    at += words.length + 2;
    return { kind, level: null, page: null, char_start, char_end: char_start + words.length };
  });
  const listening = listenForFacts();
  listening.hear({ text, blocks });
  return listening.finish(facts);
}

const german =
  "Die Schleuse wird jeden Morgen um sechs geöffnet. Wer sie durchfahren will, meldet sich beim Wärter und wartet, bis " +
  "das Wasser gestiegen ist. Im Winter bleibt sie geschlossen, weil das Eis die Tore beschädigen würde, und niemand darf " +
  "ohne Erlaubnis auf die Mauer steigen.";
const english =
  "The lock opens at six every morning. Whoever wants to pass tells the keeper and waits until the water has risen. In " +
  "winter it stays closed, because the ice would damage the gates, and nobody may climb onto the wall without leave.";

test("a document that names no language is in the one of its text", async () => {
  expect(await finished([["paragraph", german]])).toEqual({ language: "de" });
  expect(await finished([["paragraph", german]], { language: "x-none" })).toEqual({ language: "de" });
});

test("what the document names goes before what its text looks like", async () => {
  expect(await finished([["paragraph", german]], { language: "nl_BE" })).toEqual({ language: "nl-BE" });
});

test("the words of code say nothing", async () => {
  expect(await finished([["code", `${english} ${english}`]])).toEqual({});
  expect(
    await finished([
      ["code", `${english} ${english}`],
      ["paragraph", german],
    ]),
  ).toEqual({ language: "de" });
});

test("facts that are none are left out", async () => {
  const facts = {
    author: "Ada",
    authored_at: "2019-02-31",
    modified_at: "2019-02-28T10:00:00.000+01:00",
    language: "en",
  };
  expect(await finished([["paragraph", "Locks"]], facts)).toEqual({
    author: "Ada",
    modified_at: "2019-02-28T09:00:00Z",
    language: "en",
  });
});

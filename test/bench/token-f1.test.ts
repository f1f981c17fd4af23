import { expect, test } from "vitest";
import { likeness } from "../../bench/token-f1.ts";

test("words count as often as they stand there; case, punctuation, order and line-end hyphens don't", () => {
  expect(likeness("The tide, the TIDE!", "tide the tide the")).toEqual({ f1: 1, recall: 1, precision: 1 });
  expect(likeness("harbour wall", "har-\nbour | wall |")).toMatchObject({ f1: 1 });
  expect(likeness("a a b", "a c")).toEqual({ f1: 0.4, recall: 0.5, precision: 1 / 3 });
  expect(likeness("", "x")).toEqual({ f1: 0, recall: 0, precision: 0 });
  expect(likeness("...", "\n")).toBeUndefined();
});

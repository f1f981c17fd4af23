/** Marks inside the words of reStructuredText. */
import { linkText } from "../links.ts";

/** Words without their marks; links as Markdown has them. */
export function rstInline(source: string): string {
  // Literals first, out of the way of everything else.
  const literals: string[] = [];
  const kept = source.replace(/``(.+?)``/gs, (_, code: string) => `\0${literals.push(code) - 1}\0`);
  return kept
    .replace(/(?::[\w:+-]+:)?`([^`<]*?)\s*<([^`>]+)>`_{0,2}/gs, (_, words: string, target: string) =>
      words === "" ? target : linkText(words, target),
    )
    .replace(/:[\w:+-]+:`~?([^`]+)`/gs, "$1")
    .replace(/`([^`]+)`_{0,2}/gs, "$1")
    .replace(/\[(#?[\w-]*|\*)\]_/g, (_, mark: string) => `[^${mark.replace(/^#(?=.)/, "")}]`)
    .replace(/\*\*(\S(?:.*?\S)?)\*\*/gs, "$1")
    .replace(/(^|[\s('"])\*(\S(?:[^*]*?\S)?)\*(?=$|[\s)'".,;:!?-])/gs, "$1$2")
    .replace(/\|([^|\s][^|]*)\|_{0,2}/g, "$1")
    .replace(/(\w)__?(?=$|[\s.,;:!?)])/g, "$1")
    .replace(/\\(?=\S)/g, "")
    .replace(/\\\s/g, "")
    .replace(/\0(\d+)\0/g, (_, index: string) => literals[Number(index)]!)
    .trim();
}

/** Marks inside the words of reStructuredText. */
import { linkText } from "../links.ts";

/** Words without their marks; links as Markdown has them. */
export function rstInline(source: string): string {
  // Every mark has a longest reach: without one, a text of nothing but opening marks takes hours.
  // Literals first, out of the way of everything else.
  const literals: string[] = [];
  const kept = source.replace(/``(.{1,2000}?)``/gs, (_, code: string) => `\0${literals.push(code) - 1}\0`);
  return kept
    .replace(
      /(?::[\w:+-]{1,60}:)?`([^`<]{0,1000}?)\s{0,20}<([^`>]{1,1000})>`_{0,2}/gs,
      (_, words: string, target: string) => (words === "" ? target : linkText(words, target)),
    )
    .replace(/:[\w:+-]{1,60}:`~?([^`]{1,1000})`/gs, "$1")
    .replace(/`([^`]{1,1000})`_{0,2}/gs, "$1")
    .replace(/\[(#?[\w-]*|\*)\]_/g, (_, mark: string) => `[^${mark.replace(/^#(?=.)/, "")}]`)
    .replace(/\*\*(\S(?:.{0,300}?\S)?)\*\*/gs, "$1")
    .replace(/(^|[\s('"])\*(\S(?:[^*]{0,300}?\S)?)\*(?=$|[\s)'".,;:!?-])/gs, "$1$2")
    .replace(/\|([^|\s][^|]{0,200})\|_{0,2}/g, "$1")
    .replace(/(\w)__?(?=$|[\s.,;:!?)])/g, "$1")
    .replace(/\\(?=\S)/g, "")
    .replace(/\\\s/g, "")
    .replace(/\0(\d+)\0/g, (_, index: string) => literals[Number(index)]!)
    .trim();
}

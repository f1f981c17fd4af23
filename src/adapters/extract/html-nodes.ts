/** What both the page's reader and its tables' reader ask of an element. */
import type { DefaultTreeAdapterTypes as Tree } from "parse5";

type Element = Tree.Element;

/** Elements whose content is no text for readers. */
const skipped = new Set(
  "script style noscript template nav head iframe object embed svg math canvas audio video map button select input textarea datalist dialog ix:header".split(
    " ",
  ),
);
function isHidden(element: Element): boolean {
  return element.attrs.some(
    ({ name, value }) =>
      name === "hidden" ||
      (name === "aria-hidden" && value === "true") ||
      (name === "role" && value === "navigation") ||
      (name === "style" && /(^|;)\s*display\s*:\s*none/i.test(value)),
  );
}

/** Whether a reader of the page sees nothing of the element, or only ways to other pages. */
export function isSkipped(element: Element): boolean {
  return skipped.has(element.tagName) || isHidden(element);
}

export function attribute(element: Element, name: string): string | undefined {
  return element.attrs.find((entry) => entry.name === name)?.value;
}

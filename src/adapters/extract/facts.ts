/** What documents say of themselves, in the forms that `DocumentFacts` has. */

/** A time that a document states, as ISO 8601; undefined for what is none and for the zeros of calendars. */
export function isoTime(text: string | undefined): string | undefined {
  if (
    text === undefined ||
    !/^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?)?$/.test(text)
  ) {
    return undefined;
  }
  if (Number.isNaN(Date.parse(text)) || Number(text.slice(0, 4)) <= 1904) return undefined;
  return text.replace(" ", "T");
}

/** A BCP 47 tag in its usual case; undefined for what is none. */
export function languageTag(text: string | undefined): string | undefined {
  if (text === undefined || !/^[a-z]{2,3}([-_][a-z0-9]{2,8})*$/i.test(text)) return undefined;
  try {
    return Intl.getCanonicalLocales(text.replaceAll("_", "-"))[0];
  } catch {
    return undefined; // Looks like a tag, but no registry knows its parts in this order.
  }
}

/** Titles that programs write where nobody gave one. */
const placeholder =
  /^(microsoft (word|powerpoint|excel)\b.*|powerpoint.presentation|presentation|document ?\d*|untitled.*|slide 1|book\d*|word document|pptx?|docx?|title)$/i;

/** A title that somebody gave; null for none, and for what programs write in its place. */
export function givenTitle(text: string | undefined): string | null {
  const title = text?.trim() ?? "";
  return title === "" || placeholder.test(title) ? null : title;
}

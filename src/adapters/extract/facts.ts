/** What documents say of themselves, in the forms that `DocumentFacts` has. */
import type { DocumentFacts, ExtractedPart } from "../../chunk.ts";
import { createLanguageGuess } from "./language.ts";

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

const aTime =
  /^(\d{4})(?:-(\d\d)(?:-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,]\d+)?)? ?(Z|[+-]\d\d(?::?\d\d)?)?)?)?)?$/i;

/**
 * The same year, month, day or time in the one form in which texts compare as times do: to the second, UTC where the
 * document names a zone. Undefined for what isn't in the calendar.
 */
export function comparableTime(text: string): string | undefined {
  const parts = aTime.exec(text.trim());
  if (parts === null) return undefined;
  const [, year, month, day, hour, minute, second, zone] = parts as (string | undefined)[];
  if (year === "0000" || (month !== undefined && (month < "01" || month > "12"))) return undefined;
  if (month === undefined || day === undefined) return month === undefined ? year : `${year}-${month}`;
  const date = `${year}-${month}-${day}`;
  // Of a day that a month doesn't have, the calendar makes one of the next month.
  const known = new Date(`${date}T00:00:00Z`);
  if (Number.isNaN(known.getTime()) || !known.toISOString().startsWith(date)) return undefined;
  if (hour === undefined) return date;
  if (hour > "23" || minute! > "59" || (second ?? "") > "59") return undefined;
  const time = `${date}T${hour}:${minute}${second === undefined ? "" : `:${second}`}`;
  if (zone === undefined) return time;
  const offset = /^z$/i.test(zone) ? "Z" : `${zone.slice(0, 3)}:${zone.slice(3).replace(":", "") || "00"}`;
  const moment = new Date(`${date}T${hour}:${minute}:${second ?? "00"}${offset}`);
  return Number.isNaN(moment.getTime()) ? undefined : `${moment.toISOString().slice(0, 19)}Z`;
}

/** Tags that name no language: undetermined, several, none, not coded. */
const noLanguage = new Set(["und", "mul", "zxx", "mis"]);
let languageNames: Intl.DisplayNames | undefined;

/** A BCP 47 tag in its usual form; undefined for what is none, or names no language. `en_GB.UTF-8` is understood too. */
export function languageTag(text: string | undefined): string | undefined {
  const plain = text
    ?.trim()
    .replace(/[.@].*$/s, "")
    .replaceAll("_", "-");
  if (plain === undefined || !/^[a-z]{2,3}(-[a-z0-9]{2,8})*$/i.test(plain)) return undefined;
  try {
    const [tag] = Intl.getCanonicalLocales(plain);
    const language = new Intl.Locale(tag!).language;
    languageNames ??= new Intl.DisplayNames("en", { type: "language", fallback: "none" });
    return noLanguage.has(language) || languageNames.of(language) === undefined ? undefined : tag;
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

/** Hears a document's text, part after part, and in the end tells what is known of the document. */
export function listenForFacts() {
  const guess = createLanguageGuess();
  let from = 0;
  return {
    hear({ text, blocks }: ExtractedPart): void {
      // Code is written in the words of some language, but not in it.
      for (const { kind, char_start, char_end } of blocks) {
        if (kind !== "code") guess.add(text.slice(char_start - from, char_end - from));
      }
      from += text.length;
    },
    /** What a reader found, as it may leave here: times and languages in their one form, or not at all. */
    async finish(facts: DocumentFacts = {}): Promise<DocumentFacts> {
      const authored_at = facts.authored_at === undefined ? undefined : comparableTime(facts.authored_at);
      const modified_at = facts.modified_at === undefined ? undefined : comparableTime(facts.modified_at);
      const language = languageTag(facts.language) ?? languageTag(await guess.guess());
      return {
        ...(facts.author === undefined ? {} : { author: facts.author }),
        ...(authored_at === undefined ? {} : { authored_at }),
        ...(modified_at === undefined ? {} : { modified_at }),
        ...(language === undefined ? {} : { language }),
      };
    },
  };
}

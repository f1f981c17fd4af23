/** What a PDF says of itself in its properties. */
import type { DocumentFacts } from "../../chunk.ts";
import type { PdfDocument } from "./pdf-document.ts";

export function factsOf(document: PdfDocument, language: string): DocumentFacts {
  const author = document.property("Author").trim();
  const authored_at = dateOf(document.property("CreationDate"));
  const modified_at = dateOf(document.property("ModDate"));
  return {
    ...(/\p{L}/u.test(author) && !/^\(?(anonymous|unspecified)\)?$/i.test(author)
      ? { author: author.slice(0, 500) }
      : {}),
    ...(authored_at === undefined ? {} : { authored_at }),
    ...(modified_at === undefined ? {} : { modified_at }),
    ...(/^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$/.test(language) ? { language } : {}),
  };
}

/** The title in the document's properties, unless a program put the name of a file there. */
export function titleOf(document: PdfDocument): string | null {
  const title = document.property("Title").trim();
  const isUseless =
    title.length < 3 ||
    /^untitled|^\(?(anonymous|unspecified)\)?$|^microsoft word|^slide 1$|\.(docx?|pdf|indd|tex|dvi|qxd|pptx?|rtf|odt|jpe?g|png|tiff?|xlsx?)$/i.test(
      title,
    );
  return isUseless ? null : title;
}

/** ISO 8601 of a PDF's date, `D:20160704153000+10'00'`, as exact as it is given (ISO 32000-2, 7.9.4). */
export function dateOf(date: string): string | undefined {
  const parts = /^(?:D:)?(\d{4})(\d\d)?(\d\d)?(?:(\d\d)(\d\d)(\d\d)?)?([Zz]|[+-]\d\d'?(?:\d\d)?'?)?/.exec(
    date.trim(),
  );
  if (parts === null) return undefined;
  const [, year, month, day, hour, minute, second = "00", zone = ""] = parts;
  if (month === undefined) return year;
  if (day === undefined) return `${year}-${month}`;
  const dayOnly = `${year}-${month}-${day}`;
  if (hour === undefined) return isDate(dayOnly) ? dayOnly : undefined;
  const offset = /^([+-])(\d\d)'?(\d\d)?/.exec(zone);
  const suffix = offset === null ? (zone === "" ? "" : "Z") : `${offset[1]}${offset[2]}:${offset[3] ?? "00"}`;
  const moment = `${dayOnly}T${hour}:${minute}:${second}${suffix}`;
  return isDate(moment) ? moment : undefined;
}

function isDate(text: string): boolean {
  return !Number.isNaN(Date.parse(text));
}

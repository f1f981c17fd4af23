/** What a document says of itself: title, author, dates, language, number of pages. Pure data. */

/** Null for what it doesn't say. */
export interface About {
  title: string | null;
  /** Several in one, as the document has them. */
  author: string | null;
  /** ISO 8601, as exact as the document has it: a year, a month, a day or a time. */
  authored_at: string | null;
  modified_at: string | null;
  /** BCP 47, such as `en` or `pt-BR`; found out from the text where the document doesn't say. */
  language: string | null;
  /** Pages, slides or sheets. */
  page_count: number | null;
}

/** Of a document that says nothing, or has not been read yet. */
export const aboutNothing: About = {
  title: null,
  author: null,
  authored_at: null,
  modified_at: null,
  language: null,
  page_count: null,
};

/** Names under which filters find it. */
export const aboutFields = Object.keys(aboutNothing) as (keyof About)[];

/** Text beyond this is a mistake of whoever wrote it, and would travel in every event and hit. */
const MAX_LENGTH = 500;

/** What extraction found, in this form. */
export function aboutOf(found: {
  title: string | null;
  page_count: number | null;
  facts?: Partial<Pick<About, "author" | "authored_at" | "modified_at" | "language">>;
}): About {
  const { title, page_count, facts = {} } = found;
  const { author = null, authored_at = null, modified_at = null, language = null } = facts;
  return { title: tidied(title), author: tidied(author), authored_at, modified_at, language, page_count };
}

/** Databases refuse NUL and halves of surrogate pairs, and cutting makes such halves. */
function tidied(text: string | null): string | null {
  const tidy = text
    ?.replace(/[\p{Cc}\s]+/gu, " ")
    .trim()
    .slice(0, MAX_LENGTH)
    .toWellFormed();
  return tidy || null;
}

/**
 * How a document is cited: "Title — Author, 2019"; empty where it says nothing of it.
 *
 * @param heading_path what stands beside it: a title that is told there is left out
 */
export function citationOf(about: About, heading_path: readonly string[] = []): string {
  const { author, authored_at } = about;
  const title = about.title !== null && heading_path.includes(about.title) ? null : about.title;
  const by = [author, authored_at?.slice(0, 4)].filter(Boolean).join(", ");
  return [title, title === null && author === null ? "" : by].filter(Boolean).join(" — ");
}

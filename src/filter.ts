/** Conditions on a document's metadata and on what it says of itself, the same for every index. Pure. */
import { z } from "zod";
import { type About, aboutFields } from "./about.ts";
import type { Metadata } from "./document.ts";

const scalar = z.union([z.string(), z.number(), z.boolean()]);
export type FilterScalar = z.infer<typeof scalar>;

const condition = z.union([
  scalar,
  z.strictObject({ in: z.array(scalar).min(1).max(100) }),
  z.strictObject({
    gt: z.union([z.string(), z.number()]).optional(),
    gte: z.union([z.string(), z.number()]).optional(),
    lt: z.union([z.string(), z.number()]).optional(),
    lte: z.union([z.string(), z.number()]).optional(),
  }),
]);

/**
 * Field → condition; all must hold. A bare value means equal; `{in: […]}` any of; `{gt, gte, lt, lte}` a range of
 * numbers or strings. A field that holds a list fits when any of its items does. `title`, `author`, `authored_at`,
 * `modified_at`, `language` and `page_count` are the document's metadata where these have such a field, and otherwise
 * what it says of itself (`About`).
 */
export const searchFilterSchema = z
  .record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_.-]{0,63}$/), condition)
  .refine((value) => Object.keys(value).length <= 16, "at most 16 fields");
export type SearchFilter = z.infer<typeof searchFilterSchema>;
export type FilterCondition = SearchFilter[string];

/** What of a document filters see. */
export interface Filterable {
  metadata: Metadata;
  about: About;
}

/** Whether a document satisfies a filter: the meaning that every index must give it. */
export function matchesFilter({ metadata, about }: Filterable, filter: SearchFilter): boolean {
  return Object.entries(filter).every(([field, wanted]) => {
    // Own fields only: every object has a `constructor`.
    if (!Object.hasOwn(metadata, field)) {
      return isAboutField(field) && matchesAbout(about[field], field, wanted);
    }
    const value = metadata[field];
    if (value === undefined || value === null) return false;
    const values = Array.isArray(value) ? value : [value];
    return values.some((item) => matchesCondition(item, wanted));
  });
}

export function isAboutField(field: string): field is keyof About {
  return (aboutFields as string[]).includes(field);
}

function matchesAbout(value: string | number | null, field: keyof About, wanted: FilterCondition): boolean {
  if (value === null) return false;
  if (field !== "language") return matchesCondition(value, wanted);
  const ranges = typeof wanted !== "object" ? [wanted] : "in" in wanted ? wanted.in : undefined;
  if (ranges === undefined) return matchesCondition(value, wanted);
  return ranges.some((range) => typeof range === "string" && isLanguageWithin(String(value), range));
}

/**
 * Whether a language is the wanted one or a kind of it: `en-GB` is `en`, `en` is not `en-GB`. Case doesn't matter. Basic
 * filtering of RFC 4647, 3.3.1.
 */
export function isLanguageWithin(tag: string, range: string): boolean {
  return `${tag.toLowerCase()}-`.startsWith(`${range.toLowerCase()}-`);
}

function matchesCondition(value: FilterScalar, wanted: FilterCondition): boolean {
  if (typeof wanted !== "object") return value === wanted;
  if ("in" in wanted) return wanted.in.includes(value);
  const bounds = wanted as {
    gt?: string | number;
    gte?: string | number;
    lt?: string | number;
    lte?: string | number;
  };
  const comparable = (bound: string | number | undefined, test: (order: number) => boolean): boolean => {
    if (bound === undefined) return true;
    if (typeof bound !== typeof value) return false;
    return test(value === bound ? 0 : (value as typeof bound) < bound ? -1 : 1);
  };
  return (
    comparable(bounds.gt, (order) => order > 0) &&
    comparable(bounds.gte, (order) => order >= 0) &&
    comparable(bounds.lt, (order) => order < 0) &&
    comparable(bounds.lte, (order) => order <= 0)
  );
}

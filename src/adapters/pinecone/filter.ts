/** The part of a search filter that Pinecone can check. Whatever it lets through is checked again. Pure. */
import type { FilterCondition, FilterScalar, SearchFilter } from "../../filter.ts";

/** The metadata field that names the document's fields which Pinecone can't hold. */
export const UNHELD = "unheld";

type PineconeFilter = Record<string, unknown>;

/**
 * Conditions that every fitting record passes: equality and lists, ranges of numbers, and ranges of a document's dates by
 * day. Ranges of other strings are not among them, since Pinecone orders numbers only.
 *
 * @returns undefined when nothing of the filter can be checked there
 */
export function pushDown(filter: SearchFilter): PineconeFilter[] | undefined {
  const conditions = Object.entries(filter).flatMap(([field, wanted]) => {
    const held =
      (isDated(field) ? translateDays(`d.${field}`, wanted) : undefined) ??
      translate(`m.${field}`, field === "language" ? inAnyCase(wanted) : wanted);
    return held === undefined ? [] : [{ $or: [...held, { [UNHELD]: { $eq: field } }] }];
  });
  return conditions.length === 0 ? undefined : conditions;
}

const dated = ["authored_at", "modified_at"];

/** Whether records hold a field as days, `d.<field>`, as well. */
export function isDated(field: string): boolean {
  return dated.includes(field);
}

/**
 * The day of an ISO 8601 date or time, as a number in the same order: what comes later as a string is never on an earlier
 * day. 0 stands for a month or a day that isn't named. Undefined for what is no date.
 */
export function dayOf(text: string): number | undefined {
  const parts = /^(\d{4})(?:-(\d\d)(?:-(\d\d)(?:T.*)?)?)?$/s.exec(text);
  return parts === null
    ? undefined
    : Number(
        parts
          .slice(1, 4)
          .map((part) => part ?? "00")
          .join(""),
      );
}

/** The bounds of a range that are dates, a day wide: whatever is on the bound's day passes. */
function translateDays(name: string, wanted: FilterCondition): PineconeFilter[] | undefined {
  if (typeof wanted !== "object" || "in" in wanted) return undefined;
  const tests = Object.entries(wanted).flatMap(([order, bound]) => {
    const day = typeof bound === "string" ? dayOf(bound) : undefined;
    return day === undefined ? [] : [{ [name]: { [order.startsWith("g") ? "$gte" : "$lte"]: day } }];
  });
  if (tests.length === 0) return undefined;
  return [tests.length === 1 ? (tests[0] as PineconeFilter) : { $and: tests }];
}

/** Records hold the languages that documents say they are in in small letters; users' own are as they are. */
function inAnyCase(wanted: FilterCondition): FilterCondition {
  const values = typeof wanted !== "object" ? [wanted] : "in" in wanted ? wanted.in : undefined;
  if (values === undefined) return wanted;
  const small = values.map((value) => (typeof value === "string" ? value.toLowerCase() : value));
  return { in: [...new Set([...values, ...small])] };
}

/** Alternatives, one of which a held value fulfils when it fits. */
function translate(name: string, wanted: FilterCondition): PineconeFilter[] | undefined {
  if (typeof wanted !== "object") return translateAny(name, [wanted]);
  if ("in" in wanted) return translateAny(name, wanted.in);
  const bounds = Object.entries(wanted).filter(([, bound]) => bound !== undefined);
  if (bounds.length === 0 || bounds.some(([, bound]) => typeof bound !== "number")) return undefined;
  const tests = bounds.map(([order, bound]) => ({ [name]: { [`$${order}`]: bound } }));
  return [tests.length === 1 ? (tests[0] as PineconeFilter) : { $and: tests }];
}

/** `$in` takes strings and numbers, each kind by itself; booleans only `$eq`. */
function translateAny(name: string, values: readonly FilterScalar[]): PineconeFilter[] {
  const strings = values.filter((value) => typeof value === "string" && isPlain(value));
  const numbers = values.filter((value) => typeof value === "number");
  const booleans = values.filter((value) => typeof value === "boolean");
  const some = (list: readonly FilterScalar[]) =>
    list.length === 0 ? [] : [{ [name]: list.length === 1 ? { $eq: list[0] } : { $in: list } }];
  return [...some(strings), ...some(numbers), ...booleans.map((value) => ({ [name]: { $eq: value } }))];
}

/** Whether a string survives UTF-8, and everything between here and there. */
export function isPlain(text: string): boolean {
  return text.isWellFormed() && !text.includes("\u0000");
}

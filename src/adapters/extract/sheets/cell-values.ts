/** What a spreadsheet's cell shows: dates as ISO 8601, shares as percent, numbers without the noise of their last digits. */

/** How numbers of a format are to be read. */
export type NumberKind = "plain" | "date" | "time" | "datetime" | "duration" | "percent";

const DAY_MS = 86_400_000;

/** By the number of a format that Excel has built in (ECMA-376 part 1, 18.8.30). */
export function builtInKind(id: number): NumberKind {
  if (id === 9 || id === 10) return "percent";
  if ((id >= 14 && id <= 17) || (id >= 27 && id <= 31) || id === 36 || (id >= 50 && id <= 58)) return "date";
  if ((id >= 18 && id <= 21) || (id >= 32 && id <= 35) || id === 45 || id === 47) return "time";
  if (id === 46) return "duration";
  return id === 22 ? "datetime" : "plain";
}

/** By the code of a format, such as `yyyy-mm-dd` or `0.0%`. */
export function kindOfFormat(code: string): NumberKind {
  const bare = code
    .split(";")[0]!
    .replace(/"[^"]*"|\\.|_./g, "")
    .replace(/\*./g, "");
  if (/\[(h+|m+|s+)\]/i.test(bare)) return "duration";
  const letters = bare.replace(/\[[^\]]*\]/g, "").replace(/general/gi, "");
  if (letters.includes("%")) return "percent";
  const hasTime = /[hs]|am\/pm/i.test(letters);
  const hasDate = /[yd]/i.test(letters) || (/m/i.test(letters) && !hasTime);
  if (hasDate) return hasTime ? "datetime" : "date";
  return hasTime ? "time" : "plain";
}

/** @param from1904 whether days count from 1904, as on old Macs */
export function numberText(value: number, kind: NumberKind, from1904 = false): string {
  if (!Number.isFinite(value)) return "";
  switch (kind) {
    case "percent":
      return `${plainNumber(value * 100)}%`;
    case "date":
    case "datetime":
      return dateText(value, from1904) ?? plainNumber(value);
    case "time":
      return value >= 0 && value < 1
        ? clock(Math.round(value * 86_400))
        : (dateText(value, from1904) ?? plainNumber(value));
    case "duration":
      return value >= 0 ? clock(Math.round(value * 86_400)) : plainNumber(value);
    default:
      return plainNumber(value);
  }
}

/** Fifteen digits are what spreadsheets keep and show; the rest is binary noise. */
function plainNumber(value: number): string {
  return Number.isSafeInteger(value) ? String(value) : String(Number(value.toPrecision(15)));
}

function dateText(value: number, from1904: boolean): string | undefined {
  // 29 February 1900 never was, but its number is taken (kept for Lotus 1-2-3's sake).
  const days = from1904 ? value + 1462 : value < 60 ? value + 1 : value;
  const time = Math.round((days - 25_569) * 86_400) * 1000;
  if (value < 0 || time > Date.UTC(9999, 11, 31)) return undefined;
  const iso = new Date(time).toISOString();
  return time % DAY_MS === 0 ? iso.slice(0, 10) : iso.slice(0, 19);
}

function clock(seconds: number): string {
  const two = (number: number) => String(number).padStart(2, "0");
  return `${two(Math.floor(seconds / 3600))}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
}

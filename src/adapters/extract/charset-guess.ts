/** Which charset a few bytes of text are in, where the statistics of their letters say little. Pure. */
import iconv from "iconv-lite";

/** A table of names is short and has no sentences: that its letters make words at all is what there is to go by. */
const singleByte = {
  latin: ["windows-1252", "windows-1250", "iso-8859-2", "windows-1254"],
  other: ["windows-1251", "koi8-u", "ibm866", "iso-8859-5", "windows-1253", "windows-1255", "windows-1256"],
};

/** Charsets of two bytes a letter, and what of them is in everyday use: the lead bytes of kana, hangul, common characters. */
const doubleByte: readonly [charset: string, usual: (lead: number) => boolean][] = [
  ["shift_jis", (lead) => lead >= 0x81 && lead <= 0x97],
  ["euc-jp", (lead) => (lead >= 0xa1 && lead <= 0xa5) || (lead >= 0xb0 && lead <= 0xcf)],
  ["euc-kr", (lead) => (lead >= 0xb0 && lead <= 0xc8) || lead === 0xa1],
  ["gb18030", (lead) => (lead >= 0xb0 && lead <= 0xd7) || lead === 0xa1 || lead === 0xa3],
  ["big5", (lead) => (lead >= 0xa4 && lead <= 0xc6) || lead === 0xa1],
];
/** Of its letters, so many are in everyday use. */
const USUAL = 0.9;

/** What the statistics of the bytes say, the most likely first; confidence of a hundred. */
export type Ranked = readonly { name: string; confidence: number }[];

/** @returns Windows-1252 where nothing speaks for another */
export function guessCharset(sample: Buffer, ranked: Ranked): string {
  const rankOf = (charset: string) => {
    const place = ranked.findIndex(({ name }) => name === charset);
    return place === -1 ? ranked.length : place;
  };
  const [double] = doubleByte
    .map(([charset, isUsual]) => ({ charset, share: usualShare(sample, charset, isUsual) }))
    .filter(({ share }) => share >= USUAL)
    .sort((a, b) => b.share - a.share || rankOf(a.charset) - rankOf(b.charset));
  if (double !== undefined) return double.charset;
  const candidates = isOfHighWords(sample) ? singleByte.other : singleByte.latin;
  const scored = candidates.map((charset) => ({ charset, faults: faultsOf(iconv.decode(sample, charset)) }));
  const fewest = Math.min(...scored.map(({ faults }) => faults));
  const [first, ...others] = scored.filter(({ faults }) => faults === fewest).map(({ charset }) => charset);
  // Turkish has Iceland's places for its letters: nothing tells them apart but how often they come.
  const isTurkish = others.includes(TURKISH) && ranked[0]?.name === TURKISH && ranked[0].confidence >= 20;
  return isTurkish ? TURKISH : first!;
}

const TURKISH = "windows-1254";

/** Of the letters beyond ASCII; 0 where the bytes are no text in that charset, or there are too few. */
function usualShare(sample: Buffer, charset: string, isUsual: (lead: number) => boolean): number {
  const trails = charset === "shift_jis" || charset === "big5" || charset === "gb18030" ? 0x40 : 0xa1;
  let [letters, usual] = [0, 0];
  for (let at = 0; at + 1 < sample.length; at++) {
    const lead = sample[at]!;
    if (lead < 0x80) continue;
    // Letters of half the width; rare, and what accents look like.
    if (charset === "shift_jis" && lead >= 0xa0 && lead <= 0xdf) return 0;
    if (sample[at + 1]! < trails) return 0;
    letters++;
    if (isUsual(lead)) usual++;
    at++;
  }
  return letters < 4 || iconv.decode(sample, charset).slice(0, -2).includes("\ufffd") ? 0 : usual / letters;
}

/** Words that have no ASCII letter are no Western ones. */
export function isOfHighWords(sample: Buffer): boolean {
  const words = sample.toString("latin1").match(/[A-Za-z\x80-\xff]{2,}/g) ?? [];
  const high = words.filter((word) => /[\x80-\xff]{2}/.test(word));
  const whole = high.filter((word) => !/[A-Za-z]/.test(word));
  return whole.length >= 4 && whole.length > high.length * 0.7 && whole.length > words.length * 0.2;
}

/** Signs inside of words, capitals after small letters, and what no text has. */
function faultsOf(text: string): number {
  let faults = 0;
  for (const _ of text.matchAll(
    /\p{L}[^\p{L}\p{M}\p{N}\p{P}\s\0-\x7f]|[^\p{L}\p{M}\p{N}\p{P}\s\0-\x7f]\p{L}/gu,
  ))
    faults++;
  for (const _ of text.matchAll(/\p{L}[¡¿«»„“”]\p{L}/gu)) faults++;
  for (const _ of text.matchAll(/\p{Ll}(?=[^\0-\x7f])\p{Lu}|(?=[^\0-\x7f])\p{Ll}\p{Lu}/gu)) faults++;
  // Of Serbian, Macedonian and Belarusian: what Greek looks like.
  for (const _ of text.matchAll(/[ЂЃЌЋЏЎђѓќћџў]/g)) faults++;
  for (const _ of text.matchAll(/[\x80-\x9f\u2500-\u25ff\ufffd]/g)) faults++;
  return faults;
}

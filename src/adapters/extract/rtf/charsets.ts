/** Numbers that RTF has for charsets and languages. */

/** By a font's `\fcharset`. */
export const fontCharsets: Readonly<Record<number, string>> = {
  77: "macintosh",
  128: "shift_jis",
  129: "cp949",
  134: "gb18030",
  136: "big5",
  161: "windows-1253",
  162: "windows-1254",
  163: "windows-1258",
  177: "windows-1255",
  178: "windows-1256",
  186: "windows-1257",
  204: "windows-1251",
  222: "windows-874",
  238: "windows-1250",
};

/** Letters of this one are pictures. */
export const SYMBOL_CHARSET = 2;

/** By a code page, as in `\ansicpg`. */
export function codePage(number: number): string {
  const names: Record<number, string> = {
    932: "shift_jis",
    936: "gb18030",
    949: "cp949",
    950: "big5",
    10000: "macintosh",
    65001: "utf-8",
  };
  return names[number] ?? (number >= 1250 && number <= 1258 ? `windows-${number}` : `cp${number}`);
}

/** By Windows' language number, those that are common. */
export const languages: Readonly<Record<number, string>> = {
  1025: "ar-SA",
  1028: "zh-TW",
  1029: "cs-CZ",
  1030: "da-DK",
  1031: "de-DE",
  1032: "el-GR",
  1033: "en-US",
  1034: "es-ES",
  1035: "fi-FI",
  1036: "fr-FR",
  1037: "he-IL",
  1038: "hu-HU",
  1040: "it-IT",
  1041: "ja-JP",
  1042: "ko-KR",
  1043: "nl-NL",
  1044: "nb-NO",
  1045: "pl-PL",
  1046: "pt-BR",
  1048: "ro-RO",
  1049: "ru-RU",
  1053: "sv-SE",
  1054: "th-TH",
  1055: "tr-TR",
  1058: "uk-UA",
  2052: "zh-CN",
  2055: "de-CH",
  2057: "en-GB",
  2070: "pt-PT",
  3079: "de-AT",
  3081: "en-AU",
  3082: "es-ES",
  3084: "fr-CA",
  4105: "en-CA",
};

/** What stands for a letter of its own. */
export const signs: Readonly<Record<string, string>> = {
  tab: "\t",
  line: "\n",
  softline: "\n",
  emdash: "—",
  endash: "–",
  emspace: " ",
  enspace: " ",
  qmspace: " ",
  bullet: "•",
  lquote: "‘",
  rquote: "’",
  ldblquote: "“",
  rdblquote: "”",
  "~": "\u00a0",
  _: "-",
};

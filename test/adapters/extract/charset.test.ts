import iconv from "iconv-lite";
import { expect, test } from "vitest";
import { decodeBytes } from "../../../src/adapters/extract/charset.ts";
import { readPlainText } from "../../../src/adapters/extract/plain.ts";
import { read } from "./reading.ts";

const german = "Die Größe der Straße überrascht täglich schöne Mädchen und müde Bären.";
const russian =
  "Все счастливые семьи похожи друг на друга, каждая несчастливая семья несчастлива по-своему. " +
  "Всё смешалось в доме Облонских.";
const japanese =
  "いろはにほへと散りぬるを我が世誰ぞ常ならむ有為の奥山今日越えて浅き夢見じ酔ひもせず。".repeat(3);

test.each([
  ["utf-8", german, false],
  ["utf-8", japanese, true],
  ["utf-16le", german, true],
  ["utf-16be", russian, true],
  ["utf-16le", german, false],
  ["utf-16be", german, false],
  ["utf-32le", russian, true],
  ["utf-32be", german, true],
  ["windows-1252", german, false],
  ["windows-1251", russian, false],
  ["koi8-r", russian, false],
  ["shift_jis", japanese, false],
  ["euc-jp", japanese, false],
])("%s", (charset, text, addBOM) => {
  expect(decodeBytes(iconv.encode(text, charset, { addBOM }))).toBe(text);
});

test("a few bytes outside ASCII are read as Windows-1252", () => {
  expect(decodeBytes(Buffer.from("## k\xf6nnen\n\n\xe4\xf6\xfc\xdf\n", "latin1"))).toBe(
    "## können\n\näöüß\n",
  );
  expect(decodeBytes(Buffer.from("15,50 \x80", "latin1"))).toBe("15,50 €");
});

test("a declared charset counts where the bytes are not UTF-8", () => {
  const polish = "Zażółć gęślą jaźń";
  expect(decodeBytes(iconv.encode(polish, "iso-8859-2"), "ISO-8859-2")).toBe(polish);
  expect(decodeBytes(Buffer.from(polish), "ISO-8859-2")).toBe(polish);
  expect(decodeBytes(Buffer.from("caf\xe9", "latin1"), "no-such-charset")).toBe("café");
});

test("a charset declared by habit does not", () => {
  expect(decodeBytes(iconv.encode(german, "windows-1252"), "utf-8")).toBe(german);
  expect(decodeBytes(iconv.encode(russian, "windows-1251"), "iso-8859-1")).toBe(russian);
});

test("UTF-8 with a damaged letter is still UTF-8", () => {
  expect(decodeBytes(Buffer.from(russian).subarray(0, -2), "windows-1252")).toBe(`${russian.slice(0, -2)}�`);
  const inserted = Buffer.concat([Buffer.from("caf\xe9: ", "latin1"), Buffer.from(japanese)]);
  expect(decodeBytes(inserted)).toBe(`caf�: ${japanese}`);
});

test.each([
  ["windows-1251", "Имя;Город\nИван;Москва\nПётр;Санкт-Петербург\n"],
  ["koi8-r", "Имя;Город\nИван;Москва\nПётр;Санкт-Петербург\n"],
  ["ibm866", "Имя;Город\nИван;Москва\nПётр;Санкт-Петербург\n"],
  ["windows-1253", "Όνομα;Πόλη\nΓιώργος;Αθήνα\nΕλένη;Θεσσαλονίκη\n"],
  ["windows-1250", "Imię;Miasto\nŁukasz;Łódź\nMałgorzata;Gdańsk\n"],
  ["iso-8859-2", "Imię;Miasto\nŁukasz;Łódź\nMałgorzata;Gdańsk\n"],
  [
    "iso-8859-2",
    "Vážený pane řediteli, zasíláme Vám smlouvu o dílo. Příliš žluťoučký kůň úpěl ďábelské ódy.",
  ],
  ["windows-1254", "Sayın müşterimiz, sözleşmeyi ekte gönderiyoruz. Lütfen teslim aldığınızı onaylayın."],
  ["shift_jis", "名前,都市\n田中太郎,東京都千代田区\n鈴木花子,大阪府大阪市\n"],
  ["gb18030", "姓名,城市\n王小明,北京市海淀区\n李华,上海市浦东新区\n"],
  ["euc-kr", "이름,도시\n김민수,서울특별시\n이영희,부산광역시\n"],
  ["windows-1252", "Name;Ort\nMüller;Köln\nBjørn;Tromsø\nMuñoz;Logroño\nJoão;São Paulo\n"],
  ["windows-1252", "Kæri herra, hjálagt er samningurinn. Það er gott að þú svaraðir. Með kveðju, Þórður."],
  ["windows-1252", "Book;5 €\nPen;3 £\nDegree;20°C ±2\n«quote»;½ – “so”\n"],
])("a short text or a table of names in %s: %s", (charset, text) => {
  expect(decodeBytes(iconv.encode(text, charset))).toBe(text);
});

test("Japanese between escape sequences, all of it bytes of ASCII", async () => {
  // "拝啓、契約書をお送りいたします。よろしくお願いいたします。ABC 123" in ISO-2022-JP, by Python's codec.
  const bytes = Buffer.from(
    "GyRCR1I3PCEiN0BMcz1xJHIkKkF3JGokJCQ/JDckXiQ5ISMkaCRtJDckLyQqNGokJCQkJD8kNyReJDkhIxsoQkFCQyAxMjM=",
    "base64",
  );
  expect(decodeBytes(bytes)).toBe("拝啓、契約書をお送りいたします。よろしくお願いいたします。ABC 123");
  const { text } = await read(readPlainText, bytes);
  expect(text).toBe("拝啓、契約書をお送りいたします。よろしくお願いいたします。ABC 123");
});

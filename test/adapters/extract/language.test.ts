import { expect, test } from "vitest";
import { createLanguageGuess } from "../../../src/adapters/extract/language.ts";

function guess(...portions: string[]): Promise<string | undefined> {
  const made = createLanguageGuess();
  for (const portion of portions) made.add(portion);
  return made.guess();
}

/** A few sentences of each, written for this test. */
const texts = {
  en: "The lock opens at six every morning. Whoever wants to pass tells the keeper and waits until the water has risen. In winter it stays closed, because the ice would damage the gates.",
  de: "Die Schleuse wird jeden Morgen um sechs geöffnet. Wer sie durchfahren will, meldet sich beim Wärter und wartet, bis das Wasser gestiegen ist. Im Winter bleibt sie geschlossen.",
  fr: "L'écluse ouvre tous les matins à six heures. Ceux qui veulent passer préviennent le gardien et attendent que l'eau soit montée. En hiver, elle reste fermée, car la glace abîmerait les portes.",
  es: "La esclusa se abre todas las mañanas a las seis. Quien quiera pasar avisa al guarda y espera hasta que el agua haya subido. En invierno permanece cerrada porque el hielo dañaría las puertas.",
  it: "La chiusa apre ogni mattina alle sei. Chi vuole passare avvisa il guardiano e aspetta che l'acqua sia salita. In inverno resta chiusa, perché il ghiaccio rovinerebbe le porte.",
  pl: "Śluza otwiera się codziennie o szóstej rano. Kto chce przepłynąć, zgłasza się do strażnika i czeka, aż woda się podniesie. Zimą pozostaje zamknięta, ponieważ lód uszkodziłby wrota.",
  ru: "Шлюз открывается каждое утро в шесть часов. Тот, кто хочет пройти, сообщает об этом смотрителю и ждёт, пока поднимется вода. Зимой он закрыт, потому что лёд повредил бы ворота.",
  el: "Η δεξαμενή ανοίγει κάθε πρωί στις έξι. Όποιος θέλει να περάσει ειδοποιεί τον φύλακα και περιμένει μέχρι να ανέβει το νερό. Τον χειμώνα παραμένει κλειστή, γιατί ο πάγος θα έκανε ζημιά.",
  ja: "水門は毎朝六時に開きます。通りたい人は番人に知らせて、水が上がるまで待ちます。冬の間は氷が門を傷めるので閉まっています。許可なしに壁に登ってはいけません。",
  zh: "船闸每天早上六点开放。想要通过的人要告诉看守人,并等到水位上升。冬天它是关闭的,因为冰会损坏闸门。没有许可,任何人都不得爬上墙。夜里看守人睡在闸门旁边的小屋里。",
};

test.each(Object.entries(texts))("knows %s", async (language, text) => {
  expect(await guess(text)).toBe(language);
  expect(await guess(text.repeat(60))).toBe(language);
});

test("tells Hindi from the lines of a table", async () => {
  const row = "| April | Look for the queen | and leave the others alone until the evening |\n";
  expect(await guess(row.repeat(12))).toBe("en");
});

test.each([
  ["nothing", ""],
  ["a line", "The lock opens at six every morning."],
  [
    "a list of short words",
    Array.from({ length: 300 }, (_, place) => `| Marmot ${place} | grass \\| herbs | ${place} kg |`).join(
      "\n",
    ),
  ],
  ["numbers", Array.from({ length: 500 }, (_, place) => `${place * 37} ${place / 7}`).join("\n")],
  ["hexadecimal digits", "a3f9c2 0bd1ee 77aa10 c0ffee12 ".repeat(300)],
  ["addresses", "https://example.com/about/the/keeper ada.lock@example.com /usr/share/doc ".repeat(60)],
  [
    "names from programs",
    "charStart blockCount page_count isVisible documents.searchable_version ".repeat(60),
  ],
  ["two languages by turns", `${texts.en.repeat(3)}\n\n${texts.de.repeat(3)}\n\n`.repeat(8)],
])("says nothing of %s", async (_, text) => {
  expect(await guess(text)).toBeUndefined();
});

test("a page in another language does not outvote the rest, and half of the text does", async () => {
  expect(await guess(texts.en.repeat(100), texts.de.repeat(5))).toBe("en");
  expect(await guess(texts.en.repeat(50), texts.de.repeat(50))).toBeUndefined();
});

test("looks at all of a long text, in whatever portions it comes, and keeps little of it", async () => {
  // The first half would fill what is kept many times over.
  expect(await guess(texts.en.repeat(2_000), texts.de.repeat(2_000))).toBeUndefined();
  const lines = createLanguageGuess();
  for (let line = 0; line < 100_000; line += 1) lines.add(texts.fr.slice(line % 40, 90));
  expect(await lines.guess()).toBe("fr");
});

test("may be asked on the way, and goes on", async () => {
  const made = createLanguageGuess();
  expect(await made.guess()).toBeUndefined();
  made.add(texts.en);
  expect(await made.guess()).toBe("en");
  made.add(texts.en.repeat(40));
  expect(await made.guess()).toBe("en");
});

/** Made-up texts that are the same in every run: words of uneven frequency, sentences, paragraphs, headings. */
import { estimateTokens } from "../src/pipeline/tokens.ts";

export interface Texts {
  /** A paragraph of about so many tokens. */
  paragraph(tokens: number): string;
  /** Whole documents of at least `size` characters. */
  plain(size: number): string;
  markdown(size: number): string;
  html(size: number): string;
}

const syllables = "ba ce di fo gu ha je ki lo mu na pe ri so tu va we xi yo zu an er in ol us".split(" ");

export function createTexts(seed: number): Texts {
  const random = createRandom(seed);
  const words = Array.from({ length: 4_000 }, (_, index) => makeWord(index, random));
  // Squared, so that a few words are frequent and most are rare, as in language.
  const word = () => words[Math.floor(random() ** 2 * words.length)] as string;

  function sentence(): string {
    const length = 6 + Math.floor(random() * 14);
    const text = Array.from({ length }, word).join(" ");
    return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
  }

  function paragraph(tokens: number): string {
    const sentences: string[] = [];
    let reached = 0;
    while (reached < tokens) {
      const next = sentence();
      sentences.push(next);
      reached += estimateTokens(next);
    }
    return sentences.join(" ");
  }

  function build(
    size: number,
    title: (text: string, level: number) => string,
    body: (text: string) => string,
  ) {
    const parts = [title(sentence(), 1)];
    for (let length = 0, place = 0; length < size; place++) {
      if (place % 5 === 0) parts.push(title(sentence().slice(0, 60), 2));
      const text = body(paragraph(60 + random() * 160));
      parts.push(text);
      length += text.length;
    }
    return parts;
  }

  return {
    paragraph,
    plain: (size) =>
      build(
        size,
        (text) => text,
        (text) => text,
      ).join("\n\n"),
    markdown: (size) =>
      build(
        size,
        (text, level) => `${"#".repeat(level)} ${text}`,
        (text) => text,
      ).join("\n\n"),
    html(size) {
      const parts = build(
        size,
        (text, level) => `<h${level}>${text}</h${level}>`,
        (text) => `<p>${text}</p>`,
      );
      return `<!doctype html><html><head><title>Made up</title></head><body>\n${parts.join("\n")}\n</body></html>\n`;
    },
  };
}

function makeWord(index: number, random: () => number): string {
  const count = index < 200 ? 1 + Math.floor(random() * 2) : 2 + Math.floor(random() * 3);
  return Array.from({ length: count }, () => syllables[Math.floor(random() * syllables.length)]).join("");
}

/** A linear congruential generator (Knuth, TAOCP 2, 3.3.4, the 64-bit MMIX constants). */
function createRandom(seed: number): () => number {
  let state = BigInt(seed) * 2n + 1n;
  return () => {
    state = (state * 6364136223846793005n + 1442695040888963407n) & 0xffff_ffff_ffff_ffffn;
    return Number(state >> 11n) / 2 ** 53;
  };
}

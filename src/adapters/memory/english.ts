/** Takes the common endings off English words. */

const VOWEL = /[aeiouy]/;

/**
 * The word without the ending of a plural, a past or an -ing form: less than Porter's algorithm, which SQLite has, takes
 * off, and enough to bring "ships", "shipped" and "shipping" together. Words of other alphabets stay as they are.
 */
export function stem(word: string): string {
  if (!/^[a-z]{4,}$/.test(word)) return word;
  const singular = word
    .replace(/(ss|x|ch|sh)es$/, "$1")
    .replace(/ies$/, "y")
    .replace(/([^s])s$/, "$1");
  const root = /^(.*?)(ed|ing)$/.exec(singular)?.[1];
  if (root === undefined || !VOWEL.test(root)) return singular.replace(/(.{3})e$/, "$1");
  return root.replace(/([^aeiouls])\1$/, "$1").replace(/(.{3})e$/, "$1");
}

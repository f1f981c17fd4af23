/** How links show in the text: where the address says something that the words don't. */

const LONGEST = 200;

/** Words with the address they lead to, as Markdown has it. */
export function linkText(words: string, address: string | undefined): string {
  const text = words.trim();
  if (text === "" || address === undefined || address.length > LONGEST) return words;
  if (!/^(https?|ftp|mailto):/i.test(address)) return words;
  const bare = (value: string) =>
    value
      .toLowerCase()
      .replace(/^(mailto:|https?:\/\/|ftp:\/\/)/, "")
      .replace(/^www\./, "")
      .replace(/[/?#]+$/, "");
  if (bare(text).includes(bare(address)) || bare(address).split("?")[0] === bare(text)) return words;
  return words.replace(text, () => `[${text}](${address.replace(/[()\s]/g, encodeURIComponent)})`);
}

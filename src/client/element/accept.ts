/**
 * Whether a file fits an `accept` attribute (HTML Living Standard, section 4.10.5.1.17): what browsers do for chosen
 * files and not for dropped and pasted ones.
 */
export function isAccepted({ name, type }: { name: string; type: string }, accept: string | null): boolean {
  const wanted = (accept ?? "")
    .toLowerCase()
    .split(",")
    .map((each) => each.trim())
    .filter(Boolean);
  if (wanted.length === 0) return true;
  return wanted.some((each) => {
    if (each.startsWith(".")) return name.toLowerCase().endsWith(each);
    if (each.endsWith("/*")) return type.toLowerCase().startsWith(each.slice(0, -1));
    return type.toLowerCase() === each;
  });
}

/** Looking ahead in a text's lines. */

/**
 * The first such line from there on, or -1. A search that begins at the top each time costs the square of a file's lines.
 */
export function nextLine(lines: readonly string[], from: number, isIt: (line: string) => boolean): number {
  for (let at = from; at < lines.length; at++) if (isIt(lines[at]!)) return at;
  return -1;
}

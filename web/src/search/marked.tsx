/** Texts of a hit, with what was asked for marked in them. */
import { markWords } from "../words.ts";

/** A text with the query's words marked. */
export function Marked({ text, query }: { text: string; query: string }) {
  return (
    <>
      {markWords(text, query).map((piece, index) =>
        piece.marked ? <mark key={index}>{piece.text}</mark> : piece.text,
      )}
    </>
  );
}

export function HeadingPath({ path }: { path: readonly string[] }) {
  if (path.length === 0) return null;
  return <span class="heading-path">{path.join(" › ")}</span>;
}

/** The first line of the table in whose rows a passage begins. */
export function TableHeader({ header }: { header: string | null }) {
  if (header === null) return null;
  return <code class="table-header cut">{header.split("\n")[0]}</code>;
}

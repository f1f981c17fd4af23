/** A mail as text: its head, the better of its bodies, and the names of what hangs on it. */
import type { Attachment, DocumentFacts, ExtractedText } from "../../../chunk.ts";
import { SluiceError } from "../../../errors.ts";
import { isoTime } from "../facts.ts";
import { addHtml } from "../html.ts";
import { createTextBuilder, type TextBuilder } from "../text-builder.ts";

export interface Mailbox {
  name?: string | undefined;
  address?: string | undefined;
}

export interface Message {
  from: Mailbox[];
  to: Mailbox[];
  cc: Mailbox[];
  subject: string | undefined;
  /** ISO 8601. */
  date: string | undefined;
  text: string | undefined;
  html: string | undefined;
  attachments: Attachment[];
}

export function messageText(message: Message, filename: string): ExtractedText {
  const { subject, attachments } = message;
  const builder = createTextBuilder();
  if (subject !== undefined) builder.add("heading", subject.replace(/\s+/g, " "), { level: 1 });
  const head = [
    line("From", people(message.from)),
    line("To", people(message.to)),
    line("Cc", people(message.cc)),
    line("Date", message.date),
  ];
  builder.add("paragraph", head.filter((part) => part !== "").join("\n"));
  addBody(builder, message);
  if (attachments.length > 0) {
    const names = attachments.map(({ filename: name, media_type: type, bytes }) => {
      const about = [type, size(bytes.length)].filter((part) => part !== null).join(", ");
      return `- ${name} (${about})`;
    });
    builder.add("paragraph", `Attachments:\n${names.join("\n")}`);
  }
  const facts: DocumentFacts = {};
  const [author] = message.from;
  const name = author?.name || author?.address;
  if (name) facts.author = name;
  const sent = isoTime(message.date);
  if (sent !== undefined) facts.authored_at = sent;
  return builder.finish(filename, { title: subject, facts, attachments });
}

const line = (name: string, value: string | undefined) => (value ? `${name}: ${value}` : "");

function people(boxes: Mailbox[]): string {
  return boxes
    .map(({ name, address }) =>
      name && address && name !== address ? `${name} <${address}>` : name || address || "",
    )
    .filter((text) => text !== "")
    .join(", ");
}

function size(bytes: number): string {
  if (bytes < 1024) return `${bytes} bytes`;
  return bytes < 1024 * 1024 ? `${Math.round(bytes / 1024)} KB` : `${(bytes / 1024 / 1024).toFixed(1)} MB`;
}

/** What programs put where the text should be. */
const excuse =
  /(does not|doesn't|cannot|can't|unable to) (support|display|view|read|show).{0,40}html|html.{0,40}(enabled|capable)/i;

function addBody(builder: TextBuilder, { text = "", html = "" }: Message): void {
  const plain = text.trim();
  if (html.trim() === "") {
    addPlain(builder, plain);
    return;
  }
  // The two say the same; the text is what its writer saw to, unless a program left it empty or cut it short.
  const trial = createTextBuilder();
  addHtml(trial, html);
  let shown = "";
  try {
    shown = trial.finish("").text;
  } catch (error) {
    // A page that shows no text is no news: the plain text may have some.
    if (!(error instanceof SluiceError && error.code === "empty_document")) throw error;
  }
  const hasTable = /^\| --- /m.test(shown);
  const isExcuse = plain.length < 600 && excuse.test(plain);
  const isGood = plain !== "" && !hasTable && !isExcuse && plain.length >= shown.length * 0.5;
  if (isGood) addPlain(builder, plain);
  else addHtml(builder, html);
}

/** Paragraphs by blank lines; what is quoted from earlier mails keeps its marks. */
function addPlain(builder: TextBuilder, text: string): void {
  for (const part of text.replace(/\r\n?/g, "\n").split(/\n(?:[^\S\n]*\n)+/)) {
    const lines = part.split("\n");
    if (lines.every((one) => one.startsWith(">"))) builder.add("quote", part);
    else builder.add(/^\s*(?:[-*•]|\d{1,3}[.)])\s+\S/.test(part) ? "list_item" : "paragraph", part);
  }
}

/** Mailboxes as files (RFC 4155): the text is the list of messages, and each message is handed on as a mail. */
import { decodeWords } from "postal-mime";
import type { Attachment } from "../../../chunk.ts";
import { limitExceeded, limits, malformed } from "../limits.ts";
import { createTextBuilder, type ReaderInput } from "../text-builder.ts";

const LINE_FEED = 10;
const MARK = Buffer.from("From ");
/** Where a message's head may say what it is about. */
const HEAD_BYTES = 16 * 1024;
const LONGEST_NAME = 100;

export async function readMbox({ bytes, filename, progress }: ReaderInput) {
  progress(0, bytes.byteLength);
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const messages = messagesOf(buffer);
  if (messages.length === 0) throw malformed(filename, "no message begins in it as one does in a mailbox");
  if (messages.length > limits.files) {
    throw limitExceeded(filename, `holds ${messages.length} mails, more than the ${limits.files} allowed`);
  }
  const builder = createTextBuilder();
  builder.add("heading", filename, { level: 1 });
  builder.add("paragraph", `Mailbox of ${messages.length} ${messages.length === 1 ? "mail" : "mails"}:`);
  const attachments = messages.map((message, index): Attachment => {
    const { subject, from, date } = headOf(message);
    const about = [from, date].filter((part) => part !== "").join(", ");
    builder.add("list_item", `- ${subject || "(no subject)"}${about === "" ? "" : ` (${about})`}`);
    return {
      filename: `${index + 1} ${nameOf(subject)}`.trim().concat(".eml"),
      media_type: "message/rfc822",
      get bytes() {
        return unquoted(message);
      },
    };
  });
  progress(bytes.byteLength, bytes.byteLength);
  return builder.finish(filename, { attachments });
}

/** What stands between the lines that begin a message: "From ", at the start or after an empty line. */
function messagesOf(buffer: Buffer): Buffer[] {
  const messages: Buffer[] = [];
  let start = -1;
  for (let at = buffer.indexOf(MARK); at !== -1; at = buffer.indexOf(MARK, at + MARK.length)) {
    const lineEnd = buffer.indexOf(LINE_FEED, at);
    if (lineEnd === -1 || !beginsMessage(buffer, at, lineEnd)) continue;
    if (start !== -1) messages.push(buffer.subarray(start, at));
    start = lineEnd + 1;
  }
  if (start !== -1) messages.push(buffer.subarray(start));
  return messages;
}

/** A sentence may begin with that word too: a head follows the real ones. */
function beginsMessage(buffer: Buffer, at: number, lineEnd: number): boolean {
  if (at > 0 && !/\n\r?\n$/.test(buffer.toString("latin1", Math.max(0, at - 3), at))) return false;
  return /^[!-9;-~]{1,100}:/.test(buffer.toString("latin1", lineEnd + 1, lineEnd + 120));
}

/** A name for a mail that has none: its subject; empty where it has none either. */
export function mailName(mail: Uint8Array): string {
  return nameOf(headOf(Buffer.from(mail.buffer, mail.byteOffset, mail.byteLength)).subject);
}

function nameOf(subject: string): string {
  return subject.replace(/[\\/]/g, " ").slice(0, LONGEST_NAME).toWellFormed().trim();
}

function headOf(message: Buffer) {
  const [head = ""] = message.toString("latin1", 0, HEAD_BYTES).split(/\r?\n\r?\n/, 1);
  const unfolded = head.replace(/\r?\n[ \t]+/g, " ");
  const field = (name: string) => {
    const value = new RegExp(`^${name}:[ \\t]*(.*)$`, "im").exec(unfolded)?.[1] ?? "";
    // Names outside of ASCII are in encoded words, or, against the rules, in UTF-8.
    return decodeWords(Buffer.from(value, "latin1").toString("utf8")).replace(/\s+/g, " ").trim();
  };
  return { subject: field("Subject"), from: field("From"), date: field("Date") };
}

/** Lines that would have begun a message got a mark in front when they were stored. */
function unquoted(message: Buffer): Uint8Array {
  if (!message.includes(">From ")) return message;
  return Buffer.from(message.toString("latin1").replace(/^>(>*From )/gm, "$1"), "latin1");
}

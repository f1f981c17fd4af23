/** Mails as they travel (RFC 5322, MIME). */
import PostalMime, { type Address } from "postal-mime";
import { decodeBytes } from "../charset.ts";
import { encrypted, limitExceeded, malformed } from "../limits.ts";
import type { ReaderInput } from "../text-builder.ts";
import { mailName } from "./mbox.ts";
import { type Mailbox, messageText } from "./message.ts";

const MOST_NESTING = 64;
/** Smaller pictures inside a page are logos and spacers. */
const PICTURE_BYTES = 20 * 1024;

export async function readEml({ bytes, filename, progress }: ReaderInput) {
  progress(0, bytes.byteLength);
  let mail: Awaited<ReturnType<typeof PostalMime.parse>>;
  try {
    mail = await PostalMime.parse(mimeBytes(bytes), {
      attachmentEncoding: "arraybuffer",
      rfc822Attachments: true,
      maxNestingDepth: MOST_NESTING,
    });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    if (/nesting|maximum|exceed/i.test(reason)) {
      throw limitExceeded(filename, `nests its parts too deep, or has a head too long (${reason})`);
    }
    throw malformed(filename, `it is no mail (${reason})`, error);
  }
  progress(bytes.byteLength, bytes.byteLength);
  const type = mail.headers.find(({ key }) => key === "content-type")?.value ?? "";
  if (/^multipart\/encrypted|^application\/(x-)?pkcs7-mime(?!.*signed-data)/i.test(type))
    throw encrypted(filename);
  const attachments = mail.attachments.map((attachment, index) => {
    const content = contentOf(attachment.content);
    // Programs forward mails without a name.
    const subject = attachment.mimeType === "message/rfc822" ? mailName(content) : "";
    const unnamed = subject === "" ? `attachment-${index + 1}` : `${subject}.eml`;
    return {
      filename: attachment.filename ?? unnamed,
      media_type: attachment.mimeType,
      bytes: content,
      inPage: attachment.related === true && attachment.mimeType.startsWith("image/"),
    };
  });
  return messageText(
    {
      from: boxes(mail.from === undefined ? [] : [mail.from]),
      to: boxes(mail.to ?? []),
      cc: boxes(mail.cc ?? []),
      subject: mail.subject,
      date: dateOf(mail.date),
      text: mail.text,
      html: mail.html,
      attachments: attachments
        .filter((attachment) => !attachment.inPage || attachment.bytes.length >= PICTURE_BYTES)
        .map(({ inPage: _, ...attachment }) => attachment),
    },
    filename,
  );
}

/** Mails are bytes of ASCII and declared charsets. One saved as UTF-16 was decoded before, and declares what it no longer is. */
function mimeBytes(bytes: Uint8Array): Uint8Array | string {
  const [a, b] = bytes;
  const isWide = (a === 0xff && b === 0xfe) || (a === 0xfe && b === 0xff) || a === 0 || b === 0;
  return isWide ? decodeBytes(bytes) : bytes;
}

function contentOf(content: ArrayBuffer | Uint8Array | string): Uint8Array {
  return typeof content === "string" ? Buffer.from(content) : new Uint8Array(content);
}

function boxes(addresses: Address[]): Mailbox[] {
  return addresses.flatMap((address) => (address.group === undefined ? [address] : address.group));
}

/** postal-mime gives dates that it can't read as they stand. */
function dateOf(text: string | undefined): string | undefined {
  return text === undefined || text === "" ? undefined : text;
}

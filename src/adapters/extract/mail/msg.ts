/** Outlook's messages ([MS-OXMSG]). */
import MsgReaderModule, { type FieldsData } from "@kenjiuno/msgreader";
import { SluiceError } from "../../../errors.ts";
import { openCompound } from "../cfb.ts";
import { decodeBytes } from "../charset.ts";
import { bytesInput } from "../input.ts";
import { malformed } from "../limits.ts";
import { readRtf } from "../rtf/rtf.ts";
import type { ReaderInput } from "../text-builder.ts";
import { unpackRtf } from "./compressed-rtf.ts";
import { type Mailbox, messageText } from "./message.ts";

// The package is CommonJS: seen from a module, its default export lies one step further in, except to some bundlers.
const MsgReader = (
  "default" in MsgReaderModule ? MsgReaderModule.default : MsgReaderModule
) as (typeof MsgReaderModule)["default"];

export async function readMsg({ bytes, filename, progress }: ReaderInput) {
  progress(0, bytes.byteLength);
  openCompound(bytes, filename).verify();
  const reader = new MsgReader(new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  let fields: FieldsData;
  try {
    fields = reader.getFileData();
    if (fields.error !== undefined) throw new Error(fields.error);
  } catch (error) {
    throw malformed(filename, "its parts are damaged", error);
  }
  fields = onlyAsTyped(fields);
  const attachments = (fields.attachments ?? [])
    .filter(({ attachmentHidden }) => attachmentHidden !== true)
    .flatMap((attachment) => {
      try {
        const { fileName, content } = reader.getAttachment(attachment);
        const name = fileName || attachment.name || "attachment";
        const media_type =
          attachment.attachMimeTag ?? (attachment.innerMsgContent ? "application/vnd.ms-outlook" : null);
        return [{ filename: name, media_type, bytes: new Uint8Array(content) }];
      } catch (error) {
        throw malformed(filename, "one of its attachments is damaged", error);
      }
    });
  progress(bytes.byteLength, bytes.byteLength);
  const { html } = fields;
  const hasBody = Boolean(fields.body?.trim() || fields.bodyHtml?.trim() || html?.length);
  const rich = hasBody || fields.compressedRtf === undefined ? undefined : unpackRtf(fields.compressedRtf);
  return messageText(
    {
      from: [box(fields.senderName, fields.senderSmtpAddress ?? fields.senderEmail)],
      to: recipients(fields, "to"),
      cc: recipients(fields, "cc"),
      subject: fields.subject,
      date: isoDate(fields.clientSubmitTime ?? fields.messageDeliveryTime ?? fields.creationTime),
      text: rich === undefined ? fields.body : await richText(rich, filename),
      html: fields.bodyHtml ?? (html === undefined ? undefined : decodeBytes(html)),
      attachments,
    },
    filename,
  );
}

/** A damaged message has numbers and bytes where its properties should be texts. */
function onlyAsTyped(fields: FieldsData): FieldsData {
  const texts =
    "subject body bodyHtml senderName senderEmail senderSmtpAddress clientSubmitTime messageDeliveryTime creationTime name email smtpAddress fileName attachMimeTag".split(
      " ",
    );
  const entries = Object.entries(fields).filter(
    ([key, value]) => !texts.includes(key) || typeof value === "string",
  );
  const typed = Object.fromEntries(entries) as unknown as FieldsData;
  if (typed.recipients !== undefined) typed.recipients = typed.recipients.map(onlyAsTyped);
  return typed;
}

function recipients({ recipients: all = [] }: FieldsData, type: "to" | "cc"): Mailbox[] {
  return all
    .filter(({ recipType = "to" }) => recipType === type)
    .map((recipient) => box(recipient.name, recipient.smtpAddress ?? recipient.email));
}

/** Addresses inside an organisation are directory paths, which say nothing to others. */
function box(name: string | undefined, address: string | undefined): Mailbox {
  return { name, address: /^[^\s/]+@/.test(address ?? "") ? address : undefined };
}

function isoDate(text: string | undefined): string | undefined {
  const time = text === undefined ? Number.NaN : Date.parse(text);
  return Number.isNaN(time) ? undefined : new Date(time).toISOString();
}

/** The words of a body that is there as RTF only. */
async function richText(rtf: Buffer, filename: string): Promise<string> {
  try {
    return (await readRtf(bytesInput(rtf, filename))).text;
  } catch (error) {
    // The head and the attachments of the message are worth having without it.
    if (error instanceof SluiceError && /^(empty|malformed)_document$/.test(error.code)) return "";
    throw error;
  }
}

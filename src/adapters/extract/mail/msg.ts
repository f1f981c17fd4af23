/** Outlook's messages ([MS-OXMSG]). */
import MsgReaderModule, { type FieldsData } from "@kenjiuno/msgreader";
import { openCompound } from "../cfb.ts";
import { decodeBytes } from "../charset.ts";
import { malformed } from "../limits.ts";
import type { ReaderInput } from "../text-builder.ts";
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
  return messageText(
    {
      from: [box(fields.senderName, fields.senderSmtpAddress ?? fields.senderEmail)],
      to: recipients(fields, "to"),
      cc: recipients(fields, "cc"),
      subject: fields.subject,
      date: isoDate(fields.clientSubmitTime ?? fields.messageDeliveryTime ?? fields.creationTime),
      text: fields.body,
      html: fields.bodyHtml ?? (html === undefined ? undefined : decodeBytes(html)),
      attachments,
    },
    filename,
  );
}

function recipients({ recipients: all = [] }: FieldsData, type: "to" | "cc"): Mailbox[] {
  return all
    .filter(({ recipType = "to" }) => recipType === type)
    .map((recipient) => box(recipient.name, recipient.smtpAddress ?? recipient.email));
}

/** Addresses inside an organisation are directory paths, which say nothing to others. */
function box(name: string | undefined, address: string | undefined): Mailbox {
  return { name, address: address?.includes("@") ? address : undefined };
}

function isoDate(text: string | undefined): string | undefined {
  const time = text === undefined ? Number.NaN : Date.parse(text);
  return Number.isNaN(time) ? undefined : new Date(time).toISOString();
}

/** DOCX, by way of the HTML that mammoth makes of it. Its pages exist only on paper, so blocks have no page. */
import { SluiceError } from "../../errors.ts";
import { addHtml } from "./html.ts";
import { createTextBuilder, type ReaderInput } from "./text-builder.ts";

/** Word's styles that mammoth does not know by itself. */
const styleMap = [
  "p[style-name='Title'] => h1:fresh",
  "p[style-name='Subtitle'] => p:fresh",
  "p[style-name='Quote'] => blockquote:fresh",
  "p[style-name='Intense Quote'] => blockquote:fresh",
  "p[style-name='heading 1'] => h1:fresh",
  "p[style-name='heading 2'] => h2:fresh",
  "p[style-name='heading 3'] => h3:fresh",
];

export async function readDocx({ bytes, filename, progress }: ReaderInput) {
  progress(0, null);
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (buffer.length >= 4 && buffer.readUInt32BE(0) === 0xd0cf11e0) throw containerError(buffer, filename);
  const { default: mammoth } = await import("mammoth");
  let html: string;
  try {
    const images = mammoth.images.imgElement(async () => ({ src: "" }));
    ({ value: html } = await mammoth.convertToHtml({ buffer }, { styleMap, convertImage: images }));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new SluiceError(
      "malformed_document",
      `${filename} is no readable Word document (${reason}). Save it again as .docx and upload that copy.`,
      { cause: error },
    );
  }
  progress(bytes.byteLength, bytes.byteLength);
  const builder = createTextBuilder();
  const { title } = addHtml(builder, html);
  return builder.finish(filename, { title });
}

/** An OLE container instead of a package: the encrypted form of a DOCX ([MS-OFFCRYPTO] 2.3.1), or an old .doc. */
function containerError(buffer: Buffer, filename: string): SluiceError {
  if (buffer.includes(Buffer.from("EncryptedPackage", "utf16le"))) {
    return new SluiceError(
      "encrypted_document",
      `${filename} opens only with a password. Remove the protection and upload it again.`,
    );
  }
  return new SluiceError(
    "malformed_document",
    `${filename} is in Word's old format, whatever its name says. Save it as .docx and upload that copy.`,
  );
}

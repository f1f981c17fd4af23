/** Mails and what else begins with fields as they do. Pure. */

/** Heads are seldom longer. */
const LOOK_AT = 16_384;

/** Mailboxes, saved web pages and mails by their heads. Fields that people write by hand make no mail of a text. */
export function sniffMail(text: string): string | undefined {
  const start = text.slice(0, LOOK_AT);
  if (/^From \S+[^\n]{0,100}\d{4}[^\n]{0,10}\n[!-9;-~]{1,100}:/.test(start)) return "application/mbox";
  const [head = ""] = start.replace(/^\s+/, "").split(/\r?\n\r?\n/, 1);
  const unfolded = head.replace(/\r?\n[ \t]+/g, " ");
  const lines = unfolded.split(/\r?\n/);
  // The last may be cut where the looking ends.
  if (text.length > LOOK_AT && head.length > LOOK_AT / 2 && lines.length > 1) lines.pop();
  if (!lines.every((line) => /^[!-9;-~]{1,100}:/.test(line))) return undefined;
  const has = (field: string) => new RegExp(`^(${field}):`, "im").test(unfolded);
  const isPage = /^content-type:\s*multipart\/related/im.test(unfolded) && has("mime-version");
  if (isPage && !has("to|cc|received|message-id|delivered-to")) return "multipart/related";
  return has("from|sender") && has("received|message-id|mime-version|return-path")
    ? "message/rfc822"
    : undefined;
}

/** Mails and what else begins with fields as they do. Pure. */

/** Whether such a type may be told by a head as mails have it. */
export function isMailType(type: string): boolean {
  return /^(message\/rfc822|application\/mbox|multipart\/related)$/.test(type);
}

/** Mailboxes, saved web pages and mails by their heads. Fields that people write by hand make no mail of a text. */
export function sniffMail(text: string): string | undefined {
  const start = text.slice(0, 16_384);
  if (/^From \S+[^\n]{0,100}\d{4}[^\n]{0,10}\n[!-9;-~]{1,100}:/.test(start)) return "application/mbox";
  const [head = ""] = start.replace(/^\s+/, "").split(/\r?\n\r?\n/, 1);
  const unfolded = head.replace(/\r?\n[ \t]+/g, " ");
  if (!unfolded.split(/\r?\n/).every((line) => /^[!-9;-~]{1,100}:/.test(line))) return undefined;
  const has = (field: string) => new RegExp(`^(${field}):`, "im").test(unfolded);
  const isPage = /^content-type:\s*multipart\/related/im.test(unfolded) && has("mime-version");
  if (isPage && !has("to|cc|received|message-id|delivered-to")) return "multipart/related";
  return has("from|sender") && has("received|message-id|mime-version|return-path")
    ? "message/rfc822"
    : undefined;
}

/** Makes mails (RFC 5322, MIME) with files on them. */
export interface MailFile {
  filename: string;
  media_type?: string;
  content: string | Uint8Array;
}

export function makeMail(subject: string, body: string, files: MailFile[] = []): Buffer {
  const boundary = "=_boundary";
  const parts = [
    `Content-Type: text/plain; charset=utf-8\r\n\r\n${body}`,
    ...files.map(({ filename, media_type = "application/octet-stream", content }) => {
      const bytes = Buffer.from(content as Uint8Array).toString("base64");
      const lines = bytes.match(/.{1,76}/g)?.join("\r\n") ?? "";
      return `Content-Type: ${media_type}\r\nContent-Disposition: attachment; filename="${filename}"\r\nContent-Transfer-Encoding: base64\r\n\r\n${lines}`;
    }),
  ];
  return Buffer.from(
    [
      "From: Ada <ada@example.org>",
      "To: Bo <bo@example.org>",
      "Date: Fri, 01 Mar 2024 08:00:00 +0100",
      `Subject: ${subject}`,
      "MIME-Version: 1.0",
      `Content-Type: multipart/mixed; boundary="${boundary}"`,
      "",
      ...parts.map((part) => `--${boundary}\r\n${part}`),
      `--${boundary}--`,
      "",
    ].join("\r\n"),
  );
}

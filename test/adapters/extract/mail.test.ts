import { expect, test } from "vitest";
import { limits } from "../../../src/adapters/extract/limits.ts";
import { unpackRtf } from "../../../src/adapters/extract/mail/compressed-rtf.ts";
import { readEml } from "../../../src/adapters/extract/mail/eml.ts";
import { readMbox } from "../../../src/adapters/extract/mail/mbox.ts";
import { readMht } from "../../../src/adapters/extract/mail/mht.ts";
import { readMsg } from "../../../src/adapters/extract/mail/msg.ts";
import { makeCompound } from "../../fixtures/samples.ts";
import { blocksOf, read } from "./reading.ts";

const head = [
  "From: =?utf-8?q?Ada_L=C3=B6ck?= <ada@example.org>",
  "To: Bo <bo@example.org>, cy@example.org",
  "Date: Fri, 01 Mar 2024 08:00:00 +0100",
  "Subject: The upper gate",
  "MIME-Version: 1.0",
].join("\r\n");
const part = (type: string, content: string, more = "") =>
  `--b\r\nContent-Type: ${type}\r\n${more}\r\n${content}\r\n`;
const mixed = (...parts: string[]) =>
  `${head}\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n${parts.join("")}--b--\r\n`;

test("head, text, what is quoted, and the names of attachments; their bytes beside it", async () => {
  const extracted = await read(
    readEml,
    mixed(
      part("text/plain; charset=utf-8", "It sticks.\r\n\r\n> Does it open?\r\n> Really?\r\n\r\n- oil it"),
      part("text/csv", "a,b\r\n1,2", "Content-Disposition: attachment; filename=tolls.csv\r\n"),
    ),
  );
  expect(blocksOf(extracted)).toEqual([
    ["heading1", "The upper gate"],
    [
      "paragraph",
      "From: Ada Löck <ada@example.org>\nTo: Bo <bo@example.org>, cy@example.org\nDate: 2024-03-01T07:00:00.000Z",
    ],
    ["paragraph", "It sticks."],
    ["quote", "> Does it open?\n> Really?"],
    ["list_item", "- oil it"],
    ["paragraph", "Attachments:\n- tolls.csv (text/csv, 8 bytes)"],
  ]);
  expect(extracted).toMatchObject({
    title: "The upper gate",
    facts: { author: "Ada Löck", authored_at: "2024-03-01T07:00:00.000Z" },
  });
  expect(extracted.attachments?.map(({ filename, media_type }) => [filename, media_type])).toEqual([
    ["tolls.csv", "text/csv"],
  ]);
  expect(Buffer.from(extracted.attachments![0]!.bytes).toString()).toBe("a,b\n1,2\n");
});

test.each([
  [
    "an excuse",
    "Your mail program does not support HTML.",
    "<p>The gate sticks at the bottom.</p>",
    "The gate sticks at the bottom.",
  ],
  ["much less", "Hello", `<p>Hello</p><p>${"The rest. ".repeat(20)}</p>`, "The rest."],
  [
    "a table lost",
    "Boat Toll Punt 2",
    "<table><tr><td>Boat</td><td>Toll</td></tr><tr><td>Punt</td><td>2</td></tr></table>",
    "| Punt | 2 |",
  ],
  ["as much", "The text itself.", "<p>The <b>page</b> itself.</p>", "The text itself."],
])("of two bodies the better one: %s", async (_, plain, html, expected) => {
  const source = `${head}\r\nContent-Type: multipart/alternative; boundary=b\r\n\r\n${part("text/plain", plain)}${part("text/html", html)}--b--\r\n`;
  expect((await read(readEml, source)).text).toContain(expected);
});

test("a mail saved as UTF-16, a mail inside a mail", async () => {
  const inner = "From: x@example.org\r\nSubject: Inner\r\n\r\nInner words.";
  const source = mixed(
    part("text/plain", "Outer words."),
    part("message/rfc822", inner, "Content-Disposition: attachment\r\n"),
  );
  const extracted = await read(readEml, Buffer.from(`\ufeff${source}`, "utf16le"));
  expect(extracted.text).toContain("Outer words.");
  expect(extracted.attachments).toHaveLength(1);
  expect(extracted.attachments![0]!.filename).toBe("Inner.eml");
  expect(extracted.attachments![0]!.media_type).toBe("message/rfc822");
});

test("an encrypted one, and one nested without end", async () => {
  const locked = `${head}\r\nContent-Type: multipart/encrypted; boundary=b; protocol="application/pgp-encrypted"\r\n\r\n${part("application/octet-stream", "hQ")}--b--\r\n`;
  await expect(read(readEml, locked)).rejects.toMatchObject({ code: "encrypted_document" });
  let nested = "";
  for (let level = 0; level < 500; level++)
    nested += `Content-Type: multipart/mixed; boundary=b${level}\r\n\r\n--b${level}\r\n`;
  await expect(read(readEml, `${head}\r\n${nested}`)).rejects.toMatchObject({ code: "limit_exceeded" });
});

test("MSG", async () => {
  const text = (value: string) => Buffer.from(value, "utf16le");
  const message = makeCompound({
    "__properties_version1.0": Buffer.alloc(32),
    "__substg1.0_0037001F": text("The lower gate"),
    "__substg1.0_0C1A001F": text("Ada Lock"),
    "__substg1.0_5D01001F": text("ada@example.org"),
    "__substg1.0_1000001F": text("It leaks.\r\n\r\nCome soon."),
  });
  expect(blocksOf(await read(readMsg, message))).toEqual([
    ["heading1", "The lower gate"],
    ["paragraph", "From: Ada Lock <ada@example.org>"],
    ["paragraph", "It leaks."],
    ["paragraph", "Come soon."],
  ]);
});

test("MSG with nothing but packed RTF ([MS-OXRTFCP] 3.1.1)", async () => {
  const packed = Buffer.from(
    "2d0000002b0000004c5a4675f1c5c7a703000a007263706731323542320af32068656c090020627705b06c647d0a800fa0",
    "hex",
  );
  const message = makeCompound({
    "__properties_version1.0": Buffer.alloc(32),
    "__substg1.0_0037001F": Buffer.from("Hi", "utf16le"),
    "__substg1.0_10090102": packed,
  });
  expect((await read(readMsg, message)).text).toContain("hello world");
  expect(unpackRtf(packed)?.toString()).toBe("{\\rtf1\\ansi\\ansicpg1252\\pard hello world}\r\n");
});

test("a mailbox lists its mails, and hands each on; a sentence that begins with From is no mail", async () => {
  const box = [
    "From ada@example.org Fri Mar  1 08:00:00 2024",
    head,
    "",
    "It sticks.",
    "",
    "From here on it gets worse.",
    ">From the beginning: no.",
    ">>From twice quoted.",
    "",
    "From bo@example.org Fri Mar  1 09:00:00 2024",
    "From: Bo <bo@example.org>",
    "Subject: Re: The upper",
    " gate a/b",
    "",
    "Oil it.",
    "",
  ].join("\r\n");
  const { text, attachments } = await read(readMbox, box, "mails.mbox");
  expect(text.split("\n\n")).toEqual([
    "mails.mbox",
    "Mailbox of 2 mails:",
    "- The upper gate (Ada Löck <ada@example.org>, Fri, 01 Mar 2024 08:00:00 +0100)",
    "- Re: The upper gate a/b (Bo <bo@example.org>)",
  ]);
  expect(attachments?.map(({ filename, media_type }) => `${filename} ${media_type}`)).toEqual([
    "1 The upper gate.eml message/rfc822",
    "2 Re: The upper gate a b.eml message/rfc822",
  ]);
  const first = await read(readEml, Buffer.from(attachments![0]!.bytes));
  expect(first.text).toContain(
    "It sticks.\n\nFrom here on it gets worse.\nFrom the beginning: no.\n>From twice quoted.",
  );
  expect((await read(readEml, Buffer.from(attachments![1]!.bytes))).text).toContain("Oil it.");
});

test("a mailbox with nothing in it, or with too much", async () => {
  await expect(read(readMbox, "From me to you\n\nwords", "a.mbox")).rejects.toMatchObject({
    code: "malformed_document",
  });
  const many = "From a@b Fri Mar  1 08:00:00 2024\nSubject: x\n\ny\n\n".repeat(limits.files + 1);
  await expect(read(readMbox, many, "a.mbox")).rejects.toMatchObject({ code: "limit_exceeded" });
});

test("a web page saved in one file", async () => {
  const page = [
    "From: <Saved by Blink>",
    "Snapshot-Content-Location: https://example.org/",
    "Subject: =?utf-8?q?G=C3=A4te?=",
    "MIME-Version: 1.0",
    'Content-Type: multipart/related; type="text/html"; boundary="b"',
    "",
    "--b",
    "Content-Type: text/html",
    "Content-Transfer-Encoding: quoted-printable",
    "",
    "<html><head><meta charset=3Dwindows-1252></head><body><h1>G=C3=A4te</h1><p>It=",
    " sticks.</p><img src=3D'cid:x'></body></html>",
    "--b",
    "Content-Type: image/png",
    "Content-Transfer-Encoding: base64",
    "Content-ID: <x>",
    "",
    "iVBORw0KGgo=",
    "--b--",
    "",
  ].join("\r\n");
  const extracted = await read(readMht, page, "gate.mht");
  expect(blocksOf(extracted)).toEqual([
    ["heading1", "Gäte"],
    ["paragraph", "It sticks."],
  ]);
  expect(extracted.title).toBe("Gäte");
  expect(extracted.attachments).toBeUndefined();
  await expect(read(readMht, head, "gate.mht")).rejects.toMatchObject({ code: "malformed_document" });
});

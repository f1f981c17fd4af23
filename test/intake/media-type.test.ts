import { readFile } from "node:fs/promises";
import { deflateRawSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { detectMediaType } from "../../src/intake/media-type.ts";
import { makePng } from "../fixtures/pictures.ts";

const DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document";
const fixture = (name: string) => readFile(new URL(`../fixtures/${name}`, import.meta.url));
const bytes = (text: string, encoding: BufferEncoding = "utf8") => Buffer.from(text, encoding);
/** A zip's local file headers, as a head sees them that ends before the archive does. */
const zipHead = (...names: string[]) =>
  Buffer.concat(
    names.map((name) => {
      const header = Buffer.alloc(30);
      header.write("PK\x03\x04", "latin1");
      header.writeUInt16LE(0x0008, 6); // sizes follow the data, as streaming writers have it
      header.writeUInt16LE(8, 8);
      header.writeUInt16LE(name.length, 26);
      return Buffer.concat([header, bytes(name), Buffer.alloc(40, 0x5a)]);
    }),
  );

describe("bytes decide first", () => {
  test.each([
    ["sample.pdf", "application/pdf"],
    ["sample.docx", DOCX],
    ["sample.html", "text/html"],
  ])("%s, under a wrong name and a wrong declaration", async (name, type) => {
    expect(await detectMediaType(await fixture(name), "photo.png", "image/png")).toBe(type);
    expect(await detectMediaType(await fixture(name), "notes.txt", "text/plain")).toBe(type);
  });

  test.each([
    ["word/header1.xml", "word/document.xml", DOCX],
    ["customXml/item1.xml", "word/settings.xml", DOCX],
    ["xl/workbook.xml", "xl/styles.xml", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"],
    [
      "ppt/presentation.xml",
      "ppt/slides/slide1.xml",
      "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    ],
    ["words/essay.txt", "readme.txt", "application/zip"],
  ])("a zip whose index is beyond the head: %s, %s", async (first, second, type) => {
    expect(await detectMediaType(zipHead(first, second), "x.bin")).toBe(type);
  });

  test("a DOCX that begins with what any package has is told by its name", async () => {
    const head = zipHead("docProps/app.xml", "_rels/.rels");
    expect(await detectMediaType(head, "letter.docx")).toBe(DOCX);
    expect(await detectMediaType(head, "letter.zip")).toBe("application/zip");
  });

  test("an OLE container named .docx goes to the reader that knows encrypted ones", async () => {
    const head = Buffer.concat([Buffer.from("d0cf11e0a1b11ae1", "hex"), Buffer.alloc(600)]);
    expect(await detectMediaType(head, "secret.docx")).toBe(DOCX);
    expect(await detectMediaType(head, "old.doc")).toBe("application/msword");
    expect(await detectMediaType(head, "some.bin")).toBe("application/x-cfb");
  });

  test.each([
    ["__properties_version1.0", "application/vnd.ms-outlook"],
    ["WordDocument", "application/msword"],
    ["Workbook", "application/vnd.ms-excel"],
    ["PowerPoint Document", "application/vnd.ms-powerpoint"],
  ])("an OLE container with a stream %s, under a wrong name", async (stream, type) => {
    const signature = Buffer.from("d0cf11e0a1b11ae1", "hex");
    const head = Buffer.concat([signature, Buffer.alloc(600), bytes(stream, "utf16le"), Buffer.alloc(40)]);
    expect(await detectMediaType(head, "notes.txt")).toBe(type);
  });

  test("a package that is damaged is still told by its name and its parts", async () => {
    const content = deflateRawSync(Buffer.from("<Types/>"));
    const name = "[Content_Types].xml";
    const header = Buffer.alloc(30);
    header.write("PK\x03\x04", "latin1");
    header.writeUInt16LE(8, 8);
    header.writeUInt32LE(content.length + 9, 18);
    header.writeUInt32LE(8, 22);
    header.writeUInt16LE(name.length, 26);
    const head = Buffer.concat([
      header,
      bytes(name),
      content,
      bytes("junk junk"),
      zipHead("xl/workbook.xml"),
    ]);
    expect(await detectMediaType(head, "sheet.xlsx")).toMatch(/spreadsheetml/);
  });

  test("a TIFF whose directory is beyond the head; a picture under another name", async () => {
    const head = Buffer.concat([bytes("II*\0"), Buffer.from([0, 0, 0x40, 0]), Buffer.alloc(500, 0xff)]);
    expect(await detectMediaType(head, "scan.pdf")).toBe("image/tiff");
    const png = makePng({ width: 2, height: 1, grey: Uint8Array.of(0, 255) });
    expect(await detectMediaType(png, "notes.txt", "text/plain")).toBe("image/png");
  });

  test("junk before a PDF's header", async () => {
    const head = Buffer.concat([Buffer.from([0, 1, 2, 3]), bytes("\n%PDF-1.7\n"), Buffer.from([0xe2, 0xe3])]);
    expect(await detectMediaType(head, "x")).toBe("application/pdf");
    expect(await detectMediaType(bytes("The header %PDF-1.7 begins a PDF."), "x")).toBe("text/plain");
    const ascii = bytes("HTTP/1.1 200 OK\r\nContent-Type: application/pdf\r\n\r\n%PDF-1.4\n1 0 obj\n");
    expect(await detectMediaType(ascii, "report.pdf")).toBe("application/pdf");
    expect(await detectMediaType(ascii, "log.txt")).toBe("text/plain");
  });
});

describe("text that shows what it is", () => {
  test.each([
    ["<!DOCTYPE html><p>x", "text/html"],
    ["<!-- a comment -->\n<HTML lang=en>", "text/html"],
    ['<?xml version="1.0"?>\n<!-- made by x -->\n<html xmlns="http://www.w3.org/1999/xhtml">', "text/html"],
    ['<?xml version="1.0"?><feed/>', "application/xml"],
    ['{"a": [1, 2', "application/json"],
    ["[1, 2, 3]", "application/json"],
    ["[1] is the first reference.", "text/plain"],
    ["[a link](https://example.org)", "text/plain"],
    ["<p>one paragraph</p>", "text/html"],
    ["BM is a ticker, MZ another", "text/plain"],
    ["a < b and b > c", "text/plain"],
    ["Received: by x;\n\tFri\r\nFrom: a@example.org\r\nSubject: y\r\n\r\nz", "message/rfc822"],
    ["From: me\nTo: you\nSubject: a note by hand\n\nwords", "text/plain"],
    ["From: me\nMIME-Version: 1.0, they say\nand no head at all", "text/plain"],
    ["From a@example.org Fri Mar  1 08:00:00 2024\nFrom: a@example.org\n\nx", "application/mbox"],
    ["From Fri Mar 1 2024\nthe gate sticks", "text/plain"],
    [
      "From: <Saved by Blink>\r\nMIME-Version: 1.0\r\nContent-Type: multipart/related;\r\n\ttype=x\r\n\r\n",
      "multipart/related",
    ],
  ])("%j", async (text, type) => {
    expect(await detectMediaType(bytes(text), "x")).toBe(type);
  });

  test.each([
    ["UTF-8 with a mark", bytes("\ufeff<!doctype html>")],
    ["UTF-16LE with a mark", bytes("\ufeff<!doctype html>", "utf16le")],
    ["UTF-16BE with a mark", bytes("\ufeff<!doctype html>", "utf16le").swap16()],
    ["UTF-16LE without a mark", bytes("<!doctype html>", "utf16le")],
  ])("HTML in %s", async (_, head) => {
    expect(await detectMediaType(head, "x")).toBe("text/html");
  });

  test("a mail whose head is longer than what is looked at", async () => {
    const received = "Received: from a by b; Fri, 1 Mar 2024 08:00:00 +0100\r\n".repeat(600);
    expect(await detectMediaType(bytes(`Return-Path: <a>\r\nFrom: a\r\n${received}\r\nx`), "x")).toBe(
      "message/rfc822",
    );
  });

  test("a character cut in two by the end of the head", async () => {
    expect(await detectMediaType(bytes("naïve café").subarray(0, 11), "a.txt")).toBe("text/plain");
  });
});

describe("then the name, then the declaration", () => {
  test.each([
    ["README.md", "# Title", undefined, "text/markdown"],
    ["README.MD", '<p align="center">logo</p>\n\n# Title', "text/html", "text/markdown"],
    ["data.csv", "a,b\n1,2\n", "application/vnd.ms-excel", "text/csv"],
    ["events.jsonl", '{"a":1}\n{"a":2}\n', undefined, "application/x-ndjson"],
    ["mail.eml", "From: a@example.org\nTo: b@example.org\n\nhello", undefined, "message/rfc822"],
    ["mail.eml", "From a@b Fri Mar  1 08:00:00 2024\nFrom: a@b\n\nx", undefined, "message/rfc822"],
    [
      "mail.eml",
      "From: a@b\nMIME-Version: 1.0\nContent-Type: multipart/related\n\n",
      undefined,
      "message/rfc822",
    ],
    ["mail.eml", "<!doctype html><p>x", undefined, "text/html"],
    ["mails.mbox", "words", undefined, "application/mbox"],
    ["page.mhtml", "words", undefined, "multipart/related"],
    ["mail.md", "From: a@example.org\nMessage-ID: <x>\n\n# Title", undefined, "text/markdown"],
    ["notes", "plain words", "text/markdown; charset=utf-8", "text/markdown"],
    ["notes", "plain words", "application/pdf", "text/plain"],
    ["notes.pdf", "plain words", "application/pdf", "text/plain"],
    ["notes", "plain words", undefined, "text/plain"],
    ["empty.txt", "", undefined, "text/plain"],
    ["empty.md", "", undefined, "text/markdown"],
  ])("%s %j, declared %s", async (name, text, declared, type) => {
    expect(await detectMediaType(bytes(text), name, declared)).toBe(type);
  });

  test("bytes that nothing knows", async () => {
    const junk = Buffer.from([1, 0, 200, 3, 0, 0, 9, 250, 0, 17]);
    expect(await detectMediaType(junk, "x")).toBe("application/octet-stream");
    expect(await detectMediaType(junk, "notes.txt", "text/plain")).toBe("application/octet-stream");
    expect(await detectMediaType(junk, "x", "application/x-thing")).toBe("application/x-thing");
    // Its own reader can say that it is broken.
    expect(await detectMediaType(junk, "broken.pdf")).toBe("application/pdf");
  });
});

test("no bytes make it throw", async () => {
  const magic = fc.constantFrom(
    "",
    "PK\x03\x04",
    "%PDF-",
    "\xff\xfe",
    "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
    "ID3",
    "RIFF",
    "\x1f\x8b",
  );
  await fc.assert(
    fc.asyncProperty(magic, fc.uint8Array({ maxLength: 400 }), async (start, rest) => {
      const head = Buffer.concat([bytes(start, "latin1"), rest]);
      expect(await detectMediaType(head, "x.bin")).toMatch(/^[a-z]+\/[^\s;]+/);
    }),
    { numRuns: 300 },
  );
});

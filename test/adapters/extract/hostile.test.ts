/** Files made to harm: each ends in a typed error, and soon. */
import { describe, expect, test } from "vitest";
import { openCompound } from "../../../src/adapters/extract/cfb.ts";
import { containedType } from "../../../src/adapters/extract/container.ts";
import { readHtml } from "../../../src/adapters/extract/html.ts";
import { readOds } from "../../../src/adapters/extract/odf/sheet.ts";
import { readDocx } from "../../../src/adapters/extract/ooxml/docx.ts";
import { readXlsx } from "../../../src/adapters/extract/ooxml/xlsx.ts";
import { readRtf } from "../../../src/adapters/extract/rtf/rtf.ts";
import { readCsv } from "../../../src/adapters/extract/sheets/csv.ts";
import { readJson } from "../../../src/adapters/extract/text/json.ts";
import { readOrg } from "../../../src/adapters/extract/text/org.ts";
import { readRst } from "../../../src/adapters/extract/text/rst.ts";
import { readXml } from "../../../src/adapters/extract/text/xml.ts";
import type { Reader } from "../../../src/adapters/extract/text-builder.ts";
import { openZip } from "../../../src/adapters/extract/zip.ts";
import { makeDocx, makeXlsx, root } from "../../fixtures/ooxml.ts";
import {
  excelParts,
  makeCompound,
  makeOdf,
  paragraph,
  sampleDocx,
  sampleXlsx,
} from "../../fixtures/samples.ts";
import { makeZip } from "../../fixtures/zip.ts";
import { read } from "./reading.ts";

async function expectError(code: string, reader: Reader, bytes: Uint8Array | string): Promise<void> {
  const begun = performance.now();
  await expect(read(reader, bytes, "bad.file")).rejects.toMatchObject({
    code,
    message: expect.stringContaining("bad.file"),
  });
  expect(performance.now() - begun).toBeLessThan(10_000);
}

const laughs = `<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;">]>`;

describe("zip", () => {
  const bomb = (size: number) =>
    makeZip([{ name: "word/document.xml", content: Buffer.alloc(size), deflate: true }]);

  test("an entry that unpacks to a thousand times its size", () => {
    expect(() => openZip(bomb(32 * 1024 * 1024), "bomb.zip").read("word/document.xml")).toThrow(
      /bomb\.zip unpacks/,
    );
  });

  test("one that lies about its size, read whole and in pieces", async () => {
    const content = Buffer.alloc(32 * 1024 * 1024);
    const zip = openZip(makeZip([{ name: "a.xml", content, deflate: true, claimed: 10 }]), "liar.zip");
    expect(() => zip.read("a.xml")).toThrow(expect.objectContaining({ code: "limit_exceeded" }));
    const drain = async () => {
      for await (const _ of zip.stream("a.xml")!);
    };
    await expect(drain()).rejects.toMatchObject({ code: "limit_exceeded" });
  });

  test("entries that share their bytes", () => {
    const single = makeZip([["a", "x".repeat(5_000)]]);
    const end = single.length - 22;
    const entry = single.subarray(single.indexOf("PK\x01\x02"), end);
    const tail = Buffer.from(single.subarray(end));
    tail.writeUInt16LE(40, 8);
    tail.writeUInt16LE(40, 10);
    tail.writeUInt32LE(entry.length * 40, 12);
    const overlapping = Buffer.concat([
      single.subarray(0, end - entry.length),
      ...Array(40).fill(entry),
      tail,
    ]);
    expect(() => openZip(overlapping, "a.zip")).toThrow(/overlap/);
  });

  test("more entries than anybody packs", () => {
    const entries = Array.from({ length: 20_001 }, (_, index): [string, string] => [`${index}`, ""]);
    expect(() => openZip(makeZip(entries), "a.zip")).toThrow(
      expect.objectContaining({ code: "limit_exceeded" }),
    );
  });

  test("a password, a changed byte, an end cut off", () => {
    expect(() => openZip(makeZip([{ name: "a", content: "x", flags: 1 }]), "a.zip").read("a")).toThrow(
      expect.objectContaining({ code: "encrypted_document" }),
    );
    const damaged = makeZip([["a", "honest words"]]);
    damaged[35] = damaged[35]! ^ 1;
    expect(() => openZip(damaged, "a.zip").read("a")).toThrow(/damaged/);
    expect(() => openZip(sampleDocx().subarray(0, 900), "a.docx")).toThrow(
      expect.objectContaining({ code: "malformed_document" }),
    );
  });
});

test("billion laughs, in a document and in XML of one's own", async () => {
  await expectError("limit_exceeded", readXml, `<?xml version="1.0"?>${laughs}<x>&c;</x>`);
  const body = root("w:document", `<w:body>${paragraph("&c;")}</w:body>`).replace("?>", `?>${laughs}`);
  await expectError("limit_exceeded", readDocx, makeDocx("", { "word/document.xml": body }));
});

test("an external entity is not fetched, and nothing stands in its place", async () => {
  const source = `<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x><a>before &e; after</a></x>`;
  expect((await read(readXml, source)).text).toBe("a: before after");
});

test("XML nested deeper than any document", async () => {
  await expectError("limit_exceeded", readXml, `<?xml version="1.0"?>${"<a>".repeat(5_000)}x`);
});

test("a row of a million empty columns", async () => {
  await expectError(
    "limit_exceeded",
    readXlsx,
    makeXlsx([["S", `<row r="1">${"<c/>".repeat(1_000_000)}</row>`]], excelParts),
  );
  const repeated =
    '<table:table-row><table:table-cell table:number-columns-repeated="1000000"><text:p>x</text:p></table:table-cell></table:table-row>';
  await expectError(
    "limit_exceeded",
    readOds,
    makeOdf(
      "spreadsheet",
      `<office:spreadsheet><table:table table:name="S">${repeated}</table:table></office:spreadsheet>`,
    ),
  );
});

test("one long text that every cell shows", async () => {
  const cells = Array.from(
    { length: 500 },
    (_, index) => `<row r="${index + 1}"><c t="s"><v>0</v></c></row>`,
  ).join("");
  const strings = root("sst", `<si><t>${"long ".repeat(100_000)}</t></si>`);
  await expectError(
    "limit_exceeded",
    readXlsx,
    makeXlsx([["S", cells]], { ...excelParts, "xl/sharedStrings.xml": strings }),
  );
});

test("values nested deep", async () => {
  await expectError("limit_exceeded", readJson, `${"[".repeat(2_000)}1${"]".repeat(2_000)}`);
  await expectError("limit_exceeded", readRtf, `{\\rtf1 ${"{".repeat(10_000)}x${"}".repeat(10_000)}}`);
});

test("a page nested 100,000 deep is read all the same", async () => {
  const begun = performance.now();
  const { text } = await read(readHtml, `<!doctype html>${"<div>".repeat(100_000)}the bottom`);
  expect(text).toBe("the bottom");
  expect(performance.now() - begun).toBeLessThan(10_000);
});

test("a record of megabytes", async () => {
  await expectError("limit_exceeded", readCsv, `a,b\n"${"x".repeat(3_000_000)}",2\n`);
});

describe("containers are what their parts say", () => {
  test.each([
    [
      "encrypted_document",
      makeCompound({ EncryptedPackage: Buffer.alloc(5_000), EncryptionInfo: Buffer.alloc(100) }),
    ],
    ["malformed_document", Buffer.concat([Buffer.from("d0cf11e0a1b11ae1", "hex"), Buffer.alloc(600)])],
    ["malformed_document", sampleXlsx().subarray(0, 2_000)],
  ])("%s", (code, bytes) => {
    expect(() => containedType(bytes, "a.docx")).toThrow(expect.objectContaining({ code }));
  });

  test("sectors that lead in a circle", () => {
    const file = makeCompound({ WordDocument: Buffer.alloc(9_000, 1) });
    const table = file.readUInt32LE(76);
    for (let index = 0; index < 40; index++) {
      const at = (table + 1) * 512 + index * 4;
      if (file.readUInt32LE(at) < 0xfffffff0) file.writeUInt32LE(index, at);
    }
    expect(() => openCompound(file, "a.doc").read("WordDocument")).toThrow(
      expect.objectContaining({ code: "malformed_document" }),
    );
  });

  test("types, whatever the name", () => {
    expect(containedType(makeCompound({ Workbook: Buffer.alloc(5_000) }), "a.doc")).toBe(
      "application/vnd.ms-excel",
    );
    expect(containedType(makeCompound({ "__properties_version1.0": Buffer.alloc(50) }), "a")).toBe(
      "application/vnd.ms-outlook",
    );
    expect(containedType(sampleDocx(), "a.xlsx")).toMatch(/wordprocessingml/);
    expect(containedType(makeZip([["a.txt", "x"]]), "a.docx")).toBe("application/zip");
    expect(containedType(Buffer.from("plain"), "a.docx")).toBeUndefined();
  });
});

describe("texts of nothing but the same mark take no longer than others", () => {
  const readers = { rst: readRst, org: readOrg, html: readHtml, csv: readCsv, xml: readXml, json: readJson };
  test.each(Object.entries(readers))(
    "%s",
    async (_, reader) => {
      for (const mark of [
        "**a ",
        "*a ",
        "=a ",
        "`a <",
        "[[a][",
        "[",
        "|a ",
        "<a href=x ",
        "<!--",
        '"a,',
        "&a;",
        "a\n\n",
        "* a\n\n",
        ":a:\n",
        "#+begin_a\n",
        "1\n",
      ]) {
        const begun = performance.now();
        await read(reader, mark.repeat(100_000)).catch((error: unknown) =>
          expect(error).toHaveProperty("code"),
        );
        expect(performance.now() - begun, mark).toBeLessThan(6_000);
      }
    },
    60_000,
  );
});

/** A worker that is killed while LibreOffice works for it, for libreoffice.test.ts. */
import { createInProcessExtractor } from "../../../src/adapters/extract/in-process.ts";
import { withLibreOffice } from "../../../src/adapters/extract/libreoffice.ts";

const [soffice = "", path = ""] = process.argv.slice(2);
const extractor = withLibreOffice(createInProcessExtractor(), { soffice, timeout_ms: 60_000, memory_mb: 64 });
void extractor.extract(
  { path, media_type: "application/vnd.wordperfect", filename: "letter.wpd" },
  () => {},
  new AbortController().signal,
);

/** The page that the `type` of every problem points to, made from the table of errors. */
import { errorTable } from "../../errors.ts";
import type { App } from "../dependencies.ts";
import { body } from "../schemas.ts";

export function docsRoutes(app: App): void {
  app.get(
    "/docs/errors",
    {
      config: { probe: true },
      schema: {
        tags: ["operations"],
        summary: "Every error code: what happened and what to do",
        security: [],
        response: { 200: body("text/html", "A page with one anchor a code.") },
      },
    },
    async (_request, reply) => {
      reply.header("content-type", "text/html; charset=utf-8");
      return page;
    },
  );
}

const rows = Object.entries(errorTable).map(
  ([code, { status, retryable, title, fix }]) =>
    `<tr id="${code}"><th scope="row"><code>${code}</code></th><td>${status}</td>` +
    `<td>${retryable ? "yes" : "no"}</td><td>${escaped(title)}</td><td>${escaped(fix)}</td></tr>`,
);

const page = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>Errors of Sluice</title>
<style>
body { font: 1rem/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem; }
table { border-collapse: collapse; }
th, td { border-bottom: 1px solid #8886; padding: 0.4rem 0.8rem; text-align: start; vertical-align: top; }
tr:target { background: #fc06; }
</style>
<h1>Errors</h1>
<table>
<thead><tr><th>code</th><th>status</th><th>retryable</th><th>what happened</th><th>what to do</th></tr></thead>
<tbody>
${rows.join("\n")}
</tbody>
</table>
</html>
`;

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}

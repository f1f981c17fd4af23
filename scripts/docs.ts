/**
 * Makes the pages of docs/ that come from the code: errors, events, configuration. With `--check` it only tells
 * whether they are up to date.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { z } from "zod";
import { describeSettings } from "../src/config/config.ts";
import { profileSettings } from "../src/config/settings.ts";
import { errorTable } from "../src/errors.ts";
import { eventDataSchemas, eventTypes } from "../src/events.ts";

const made = "<!-- Made by `npm run docs` from the code. Edit the code. -->\n";
const cell = (text: string) => text.replaceAll("|", "\\|").replaceAll("\n", " ");

function errors(): string {
  const rows = Object.entries(errorTable).map(
    ([code, { status, retryable, title, fix }]) =>
      `| <a id="${code}"></a>\`${code}\` | ${status} | ${retryable ? "yes" : "no"} | ${cell(title)} | ${cell(fix)} |`,
  );
  return `# Errors

${made}
Every error has a code from this table, wherever it shows: in problem details (RFC 9457), on failed documents, on dead
jobs, in logs. \`status\` is the HTTP status when it answers a request; \`retryable\` says whether the same thing, tried
again later and unchanged, may succeed.

| code | status | retryable | what happened | what to do |
|---|---|---|---|---|
${rows.join("\n")}
`;
}

function events(): string {
  const sections = eventTypes.map((type) => {
    const schema = eventDataSchemas[type];
    const json = z.toJSONSchema(schema, { io: "output" }) as {
      properties: Record<
        string,
        { description?: string; type?: string; enum?: string[]; anyOf?: { type: string }[] }
      >;
    };
    const rows = Object.entries(json.properties).map(([name, property]) => {
      const kind =
        property.enum?.map((value) => `\`${value}\``).join(", ") ??
        property.type ??
        property.anyOf?.map((option) => option.type).join(" or ") ??
        "object";
      return `| \`${name}\` | ${kind} | ${cell(property.description ?? "")} |`;
    });
    return `## ${type}\n\n${schema.description}\n\n| data | type | |\n|---|---|---|\n${rows.join("\n")}`;
  });
  return `# Events

${made}
An event is a fact about one document. It is written in the transaction that made it true, and never changed. Every
event has the same envelope:

| field | meaning |
|---|---|
| \`event_id\` | this event |
| \`event_type\` | one of the types below |
| \`sequence\` | place in the log; a reader resumes after it |
| \`timestamp\` | when it happened, ISO 8601 |
| \`tenant_id\`, \`collection\`, \`document_id\` | what it is about |
| \`correlation_id\` | ties together everything that one upload caused |
| \`causation_id\` | the request or job that caused it |
| \`idempotency_key\` | the same across redeliveries: whoever has handled it may skip it |
| \`data\` | as below |

${sections.join("\n\n")}
`;
}

function configuration(): string {
  const settings = describeSettings();
  const sections = [...new Set(settings.map(({ group }) => group))].map((group) => {
    const rows = settings
      .filter((setting) => setting.group === group)
      .map(
        ({ key, description, default: value }) =>
          `| \`${key}\` | ${key === "SLUICE_WORKERS" ? "from the cores" : value === "" ? "" : `\`${value}\``} | ${cell(description)} |`,
      );
    return `## ${group}\n\n| key | default | meaning |\n|---|---|---|\n${rows.join("\n")}`;
  });
  const cloud = Object.entries(profileSettings.cloud).map(([key, value]) => `\`${key}=${value}\``);
  return `# Configuration

${made}
By environment variables, or by a file of them that \`SLUICE_CONFIG\` names (\`KEY=value\` lines; what the environment
has goes before it). A wrong value stops the start with the key's name; \`sluice doctor\` checks what a right one leads
to.

\`SLUICE_PROFILE=cloud\` stands for ${cloud.join(", ")}; each can be given otherwise. \`.env.example\` has the whole
cloud profile to fill in.

${sections.join("\n\n")}
`;
}

const pages: Record<string, string> = {
  "docs/errors.md": errors(),
  "docs/events.md": events(),
  "docs/configuration.md": configuration(),
};

const stale = Object.entries(pages).filter(
  ([path, text]) => !existsSync(path) || readFileSync(path, "utf8") !== text,
);
if (process.argv.includes("--check")) {
  if (stale.length > 0) {
    console.error(`Out of date: ${stale.map(([path]) => path).join(", ")}. Run \`npm run docs\`.`);
    process.exit(1);
  }
  console.log("docs: up to date");
} else {
  for (const [path, text] of stale) writeFileSync(path, text);
  console.log(
    stale.length === 0 ? "docs: nothing changed" : `docs: wrote ${stale.map(([path]) => path).join(", ")}`,
  );
}

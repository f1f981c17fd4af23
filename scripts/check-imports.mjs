// Enforces the house's import directions: data flows down, a folder never imports from one above it.
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const core = [
  "about.ts",
  "document.ts",
  "document-list.ts",
  "events.ts",
  "cloudevents.ts",
  "errors.ts",
  "ids.ts",
  "job.ts",
  "chunk.ts",
  "document-text.ts",
  "collection.ts",
  "filter.ts",
  "new-version.ts",
];

/** Which places each place may import from, besides itself. Whatever is not listed is forbidden. */
const allowed = {
  core: [],
  ports: ["core"],
  progress: ["core", "ports"],
  reindex: ["core", "ports"],
  search: ["core", "ports", "reindex"],
  pipeline: ["core", "ports", "progress", "reindex"],
  worker: ["core", "ports", "progress", "pipeline", "reindex"],
  intake: ["core", "ports", "progress"],
  maintenance: ["core", "ports", "intake"],
  adapters: ["core", "ports"],
  config: ["core"],
  compose: [
    "core",
    "ports",
    "progress",
    "reindex",
    "search",
    "pipeline",
    "worker",
    "intake",
    "maintenance",
    "adapters",
    "config",
  ],
  server: ["core", "ports", "progress", "reindex", "search", "intake", "config"],
  sluice: ["core", "ports", "progress", "search", "intake", "compose", "config"],
  index: [
    "sluice",
    "core",
    "ports",
    "progress",
    "search",
    "pipeline",
    "worker",
    "intake",
    "adapters",
    "config",
    "compose",
  ],
  cli: [
    "core",
    "ports",
    "progress",
    "reindex",
    "search",
    "worker",
    "intake",
    "maintenance",
    "config",
    "compose",
    "server",
    "supervisor",
  ],
};

function placeOf(file) {
  const path = relative(join(root, "src"), file);
  const [first] = path.split("/");
  if (!path.includes("/")) return core.includes(path) ? "core" : path.replace(/\.ts$/, "");
  return first;
}

function* sources(folder) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* sources(path);
    else if (entry.name.endsWith(".ts")) yield path;
  }
}

const problems = [];
for (const file of sources(join(root, "src"))) {
  const text = readFileSync(file, "utf8");
  const from = placeOf(file);
  const name = relative(root, file);
  for (const [, target] of text.matchAll(/(?:from|import\()\s*"(\.[^"]+)"/g)) {
    const to = placeOf(resolve(dirname(file), target));
    if (to === from && from !== "adapters") continue;
    if (from === "adapters") {
      // One technology never reaches into another; what lies beside them serves them all.
      const technology = (path) => relative(join(root, "src/adapters"), path).split("/")[0];
      const shared =
        /^[^/]+\.ts$/.test(technology(resolve(dirname(file), target))) && !target.endsWith("/registry.ts");
      if (
        !shared &&
        to === "adapters" &&
        name !== "src/adapters/registry.ts" &&
        technology(file) !== technology(resolve(dirname(file), target))
      ) {
        problems.push(`${name}: imports another technology's adapter (${target})`);
      }
      if (to === "adapters") continue;
    }
    if (!allowed[from]?.includes(to)) problems.push(`${name}: ${from} must not import ${to} (${target})`);
  }
  if (/export \* from/.test(text)) problems.push(`${name}: export * hides where names come from`);
  if (/process\.env/.test(text) && name !== "src/config/config.ts") {
    problems.push(`${name}: only src/config/config.ts reads process.env`);
  }
  const lines = text.split("\n").length;
  if (lines > 400) problems.push(`${name}: ${lines} lines; a file of more than 400 is two files`);
}

if (problems.length > 0) {
  console.error(problems.join("\n"));
  process.exit(1);
}
console.log("imports: every arrow points down");

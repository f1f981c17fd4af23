// Runs before `npm start` and `npm test`, on whatever Node ≥ 18 is there: installs what the lock file names when that
// has not happened yet, and builds the page; with `--build` compiles the program too. Everything after it runs on the
// Node that node_modules brings.
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const [major] = process.versions.node.split(".").map(Number);
if (major < 18) {
  console.error(
    `Sluice needs Node 18 or newer to start; this is ${process.version}. It brings its own Node 24.`,
  );
  process.exit(1);
}

const installed = join(root, "node_modules/.package-lock.json");
if (!existsSync(installed) || modified(installed) < modified(join(root, "package-lock.json"))) {
  console.log("Installing dependencies (the first time only; this takes a minute) …");
  run("npm", ["ci", "--no-audit", "--no-fund", "--loglevel=error"]);
}

// The compiled form starts faster and takes some 40 MB less in each process than TypeScript stripped on the way in.
const compiled = join(root, "dist/src/cli/main.js");
if (process.argv.includes("--build")) {
  const changed = Math.max(...["src", "contracts"].map((folder) => newest(join(root, folder))));
  if (!existsSync(compiled) || modified(compiled) < changed) {
    console.log("Compiling …");
    run(join(root, "node_modules/.bin/tsc"), ["-p", "tsconfig.build.json"]);
  }
}

const page = join(root, "web/dist/index.html");
if (!existsSync(page) || modified(page) < newest(join(root, "web"))) {
  console.log("Building the page …");
  run(join(root, "node_modules/.bin/node"), [
    "node_modules/vite/bin/vite.js",
    "build",
    "web",
    "--logLevel",
    "error",
  ]);
}

function run(command, args) {
  const result = spawnSync(command, args, {
    cwd: root,
    stdio: "inherit",
    shell: process.platform === "win32",
  });
  if (result.status !== 0) {
    console.error(`"${command} ${args.join(" ")}" failed${result.error ? `: ${result.error.message}` : ""}.`);
    process.exit(result.status ?? 1);
  }
}

function modified(path) {
  return statSync(path).mtimeMs;
}

/** When anything in a folder changed last, its build aside. */
function newest(folder) {
  let latest = 0;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.name === "dist") continue;
    const path = join(folder, entry.name);
    latest = Math.max(latest, entry.isDirectory() ? newest(path) : modified(path));
  }
  return latest;
}

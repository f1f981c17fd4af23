import { defineConfig } from "vite";

const server = "http://127.0.0.1:7300";

/** `vite build web` makes web/dist, which the API process serves at `/`; `vite web` develops against `npm start`. */
export default defineConfig({
  root: import.meta.dirname,
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  build: { outDir: "dist", emptyOutDir: true, target: "es2022", modulePreload: { polyfill: false } },
  server: { proxy: { "/v1": { target: server, ws: true } } },
});

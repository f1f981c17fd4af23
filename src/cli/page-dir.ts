import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** Folder of the built page: in the checkout, or beside the built code of the package. Undefined: not built. */
export function findPage(): string | undefined {
  const places = ["../../web/dist", "../../../web/dist"].map((place) =>
    fileURLToPath(new URL(place, import.meta.url)),
  );
  return places.find((place) => existsSync(`${place}/index.html`));
}

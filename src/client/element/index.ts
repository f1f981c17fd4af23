/**
 * `sluice/element`: to import it is to have `<sluice-upload>`, as pages expect of an element. The one module of this
 * project that does something when it is imported.
 */
import type { Document } from "../../document.ts";
import type { Accepted } from "../documents.ts";
import { defineUploadElement, type SluiceUploadElement } from "./element.ts";
import type { UploadFailure } from "./uploads.ts";

export { defineUploadElement, type SluiceUploadElement } from "./element.ts";
export type { UploadFailure } from "./uploads.ts";

declare global {
  interface HTMLElementTagNameMap {
    "sluice-upload": SluiceUploadElement;
  }
  interface HTMLElementEventMap {
    "sluice-accepted": CustomEvent<Accepted>;
    "sluice-searchable": CustomEvent<Document>;
    "sluice-failed": CustomEvent<UploadFailure>;
  }
}

defineUploadElement();

/** `<sluice-upload>`: files dropped, chosen or pasted, and followed until searches find them. */
import type { Metadata } from "../../document.ts";
import { createClient } from "../client.ts";
import { isAccepted } from "./accept.ts";
import { createUploads, type Uploads } from "./uploads.ts";
import { createView, type View } from "./view.ts";

/**
 * Attributes: `url` (default: the page's own origin), `key`, `collection`, `multiple`, `accept`. A change of the first
 * three holds for files chosen from then on.
 *
 * Events, each bubbling out of shadow trees: `sluice-accepted` (detail: Accepted), `sluice-searchable` (Document),
 * `sluice-failed` (UploadFailure).
 */
export interface SluiceUploadElement extends HTMLElement {
  /** Goes with every file chosen from then on. */
  metadata: Metadata | undefined;
  /** Takes files in as if they had been chosen. */
  addFiles(files: Iterable<File>): void;
}

/** Makes the element known to the page. Does nothing where it is already, or where there is no page. */
export function defineUploadElement(name = "sluice-upload"): void {
  if (typeof customElements === "undefined" || customElements.get(name)) return;
  customElements.define(name, createElementClass());
}

// In a function, because where there is no page there is no HTMLElement to extend either.
function createElementClass(): CustomElementConstructor {
  return class extends HTMLElement implements SluiceUploadElement {
    static observedAttributes = ["url", "key", "collection", "multiple", "accept"];

    metadata: Metadata | undefined;
    #view: View = createView(this.attachShadow({ mode: "open" }));
    #uploads = new Set<Uploads>();
    /** Which attributes and metadata the newest of them was made for. */
    #current: { made_for: string; uploads: Uploads } | undefined;

    constructor() {
      super();
      const { zone, input } = this.#view;
      input.onchange = () => {
        this.addFiles(input.files ?? []);
        input.value = "";
      };
      zone.ondragover = (event) => {
        if (!event.dataTransfer?.types.includes("Files")) return;
        event.preventDefault();
        zone.classList.add("over");
      };
      zone.ondragleave = () => zone.classList.remove("over");
      zone.ondrop = (event) => {
        event.preventDefault();
        zone.classList.remove("over");
        this.addFiles(event.dataTransfer?.files ?? []);
      };
      this.addEventListener("paste", (event) => {
        const files = event.clipboardData?.files;
        if (!files || files.length === 0) return;
        event.preventDefault();
        this.addFiles(files);
      });
    }

    connectedCallback(): void {
      this.attributeChangedCallback();
    }

    attributeChangedCallback(): void {
      this.#view.setMultiple(this.hasAttribute("multiple"));
      this.#view.input.accept = this.getAttribute("accept") ?? "";
    }

    disconnectedCallback(): void {
      queueMicrotask(() => {
        if (this.isConnected) return; // It was only moved.
        for (const uploads of this.#uploads) uploads.stop();
        this.#uploads.clear();
        this.#current = undefined;
      });
    }

    addFiles(files: Iterable<File>): void {
      const chosen = [...files].slice(0, this.hasAttribute("multiple") ? undefined : 1);
      const accept = this.getAttribute("accept");
      for (const file of chosen) {
        const message = `${file.name} is not of a kind that is taken here.`;
        const refused = { code: "not_accepted", message, retryable: false };
        this.#uploadsOfNow().add(file, isAccepted(file, accept) ? null : refused);
      }
    }

    #uploadsOfNow(): Uploads {
      const [url, key, collection] = ["url", "key", "collection"].map(
        (name) => this.getAttribute(name) || undefined,
      );
      const { metadata } = this;
      const made_for = JSON.stringify([url, key, collection, metadata]);
      if (this.#current?.made_for !== made_for) {
        const emit = (type: string, detail: unknown) =>
          this.dispatchEvent(new CustomEvent(type, { detail, bubbles: true, composed: true }));
        const uploads = createUploads(
          createClient({ url: absolute(url), key }),
          { collection, metadata },
          this.#view,
          emit,
        );
        this.#uploads.add(uploads);
        this.#current = { made_for, uploads };
      }
      return this.#current.uploads;
    }
  };
}

/** WebSockets want a whole address; the attribute may be a path of the page's own server. */
function absolute(url: string | undefined): string | undefined {
  return url === undefined ? undefined : new URL(url, document.baseURI).href;
}

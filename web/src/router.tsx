/** Which screen the address names. Every place in the page has an address, so it can be shared and opened anew. */
import { computed, signal } from "@preact/signals";
import type { ComponentChildren } from "preact";

interface Place {
  path: string;
  query: URLSearchParams;
}

const here = (): Place => ({ path: location.pathname, query: new URLSearchParams(location.search) });

export const place = signal<Place>(here());

window.addEventListener("popstate", () => {
  place.value = here();
});

/**
 * Goes to an address of this page.
 *
 * @param replace takes the place of the current one in the history: for what is typed or switched within a screen
 */
export function navigate(to: string, { replace = false }: { replace?: boolean } = {}): void {
  if (to === location.pathname + location.search) return;
  const sameScreen = new URL(to, location.href).pathname === location.pathname;
  history[replace ? "replaceState" : "pushState"](null, "", to);
  place.value = here();
  if (!replace && !sameScreen) window.scrollTo(0, 0);
}

/** An address with some of its query changed; null and "" take a parameter out. */
export function withQuery(change: Record<string, string | number | null | undefined>): string {
  const { path, query } = place.peek();
  const next = new URLSearchParams(query);
  for (const [name, value] of Object.entries(change)) {
    if (value === null || value === undefined || value === "") next.delete(name);
    else next.set(name, String(value));
  }
  return next.size === 0 ? path : `${path}?${next}`;
}

/** A parameter of the address, "" where it has none. Reading it in a component follows it. */
export function parameter(name: string): string {
  return place.value.query.get(name) ?? "";
}

/** The parts of the path: `/documents/doc_1` is ["documents", "doc_1"]. */
export const segments = computed(() =>
  place.value.path
    .split("/")
    .filter((part) => part !== "")
    .map((part) => {
      try {
        return decodeURIComponent(part);
      } catch {
        return part; // Typed by hand, and no address of anything.
      }
    }),
);

interface LinkProps {
  href: string;
  id?: string;
  class?: string;
  title?: string;
  "aria-current"?: "page" | undefined;
  "aria-label"?: string;
  children?: ComponentChildren;
}

/** A link within the page. With a modifier key, or to a new tab, the browser does what it always does. */
export function Link({ href, children, ...rest }: LinkProps) {
  return (
    <a
      {...rest}
      href={href}
      onClick={(event) => {
        if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
        event.preventDefault();
        navigate(href);
      }}
    >
      {children}
    </a>
  );
}

export const documentPath = (document_id: string) => `/documents/${encodeURIComponent(document_id)}`;

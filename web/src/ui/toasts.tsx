/** Short notices at the edge of the window, of what was done elsewhere on the page. */
import { signal } from "@preact/signals";
import { Link } from "../router.tsx";
import { announce } from "./announce.tsx";
import { Icon } from "./icons.tsx";

interface Toast {
  id: number;
  text: string;
  link?: { href: string; text: string };
}

const SHOWN_MS = 6_000;
const toasts = signal<Toast[]>([]);
let lastId = 0;

export function toast(text: string, link?: Toast["link"]): void {
  const id = ++lastId;
  toasts.value = [...toasts.peek().slice(-2), { id, text, ...(link ? { link } : {}) }];
  announce(text);
  setTimeout(() => dismiss(id), SHOWN_MS);
}

function dismiss(id: number): void {
  toasts.value = toasts.peek().filter((each) => each.id !== id);
}

export function Toasts() {
  if (toasts.value.length === 0) return null;
  return (
    <div class="toasts">
      {toasts.value.map(({ id, text, link }) => (
        <div key={id} class="toast">
          <p>{text}</p>
          {link && <Link href={link.href}>{link.text}</Link>}
          <button class="quiet" type="button" aria-label="Close" onClick={() => dismiss(id)}>
            <Icon name="close" />
          </button>
        </div>
      ))}
    </div>
  );
}

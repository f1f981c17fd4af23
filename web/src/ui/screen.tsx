/** The frame of a screen: its heading, what can be done on the whole of it, its content. */
import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";

interface ScreenProps {
  title: string;
  /** Beside the heading. */
  actions?: ComponentChildren;
  /** Under it, a line at most. */
  hint?: ComponentChildren;
  /** The content runs over the whole width. */
  wide?: boolean;
  children: ComponentChildren;
}

let first = true;

export function Screen({ title, actions, hint, wide = false, children }: ScreenProps) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    document.title = `${title} · Sluice`;
  }, [title]);
  useEffect(() => {
    // Whoever came by a link hears where they are; the first screen is the browser's to announce.
    if (!first) heading.current?.focus({ preventScroll: true });
    first = false;
  }, []);
  return (
    <main id="main" class={wide ? "screen wide" : "screen"}>
      <header class="screen-head">
        <div>
          <h1 ref={heading} tabIndex={-1}>
            {title}
          </h1>
          {hint !== undefined && <p class="hint">{hint}</p>}
        </div>
        {actions !== undefined && <div class="actions">{actions}</div>}
      </header>
      {children}
    </main>
  );
}

/**
 * A list of any length of which only what is in view is drawn. It scrolls with the page, so its scrollbar is the
 * page's own and tells how long it is.
 */
import type { ComponentChildren, RefObject } from "preact";
import { useImperativeHandle, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { type Heights, heightOf, layOut, rangeOf, topOf } from "./virtual.ts";

export interface VirtualListHandle {
  element: HTMLUListElement;
  /** Scrolls as little as it takes to have a row in view. */
  reveal(index: number): void;
}

interface VirtualListProps {
  count: number;
  /** In pixels. A function has to be a new one when what it answers changes. */
  heights: Heights;
  keyOf: (index: number) => string;
  children: (index: number) => ComponentChildren;
  label: string;
  class?: string;
  handle?: RefObject<VirtualListHandle | null>;
  /** A row that is drawn wherever it is: the one that has the focus. */
  pinned?: number | undefined;
  /** Told which rows are drawn, the end exclusive. */
  onRange?: (first: number, end: number) => void;
  onKeyDown?: (event: KeyboardEvent) => void;
}

/** What bars at the edges of the window may cover. */
const MARGIN_PX = 130;

export function VirtualList(props: VirtualListProps) {
  const { count, heights, keyOf, children, label, handle, pinned, onRange, onKeyDown } = props;
  const list = useRef<HTMLUListElement>(null);
  const layout = useMemo(() => layOut(count, heights), [count, heights]);
  const [range, setRange] = useState({ first: 0, end: 0 });

  useLayoutEffect(() => {
    const look = () => {
      const { top } = list.current!.getBoundingClientRect();
      const next = rangeOf(layout, -top, window.innerHeight - top);
      setRange((before) => (before.first === next.first && before.end === next.end ? before : next));
    };
    look();
    // What stands above it may grow or shrink and move it.
    const resized = new ResizeObserver(look);
    resized.observe(document.body);
    window.addEventListener("scroll", look, { passive: true });
    window.addEventListener("resize", look);
    return () => {
      resized.disconnect();
      window.removeEventListener("scroll", look);
      window.removeEventListener("resize", look);
    };
  }, [layout]);

  useLayoutEffect(() => onRange?.(range.first, range.end), [range, count]);

  useImperativeHandle(
    handle ?? { current: null },
    () => ({
      element: list.current!,
      reveal(index) {
        const top = list.current!.getBoundingClientRect().top + topOf(layout, index);
        const bottom = top + heightOf(layout, index);
        if (top < MARGIN_PX) window.scrollBy(0, top - MARGIN_PX);
        else if (bottom > window.innerHeight - MARGIN_PX) {
          window.scrollBy(0, bottom - window.innerHeight + MARGIN_PX);
        }
      },
    }),
    [layout],
  );

  const end = Math.min(range.end, count);
  const indexes = Array.from({ length: Math.max(0, end - range.first) }, (_, n) => range.first + n);
  if (pinned !== undefined && pinned < count) {
    if (pinned < range.first) indexes.unshift(pinned);
    else if (pinned >= end) indexes.push(pinned);
  }
  return (
    <ul
      ref={list}
      class={`virtual ${props.class ?? ""}`}
      aria-label={label}
      style={{ height: `${topOf(layout, count)}px` }}
      onKeyDown={onKeyDown}
    >
      {indexes.map((index) => (
        <li
          key={keyOf(index)}
          aria-setsize={count}
          aria-posinset={index + 1}
          style={{
            height: `${heightOf(layout, index)}px`,
            transform: `translateY(${topOf(layout, index)}px)`,
          }}
        >
          {children(index)}
        </li>
      ))}
    </ul>
  );
}

/** The page's few icons, drawn here so that nothing has to be loaded. All on a grid of 24, in the colour of the text. */

const paths = {
  upload: "M12 16V4m0 0L7 9m5-5 5 5M4 16v3a1 1 0 0 0 1 1h14a1 1 0 0 0 1-1v-3",
  documents: "M7 3h7l5 5v12a1 1 0 0 1-1 1H7a1 1 0 0 1-1-1V4a1 1 0 0 1 1-1Zm7 0v5h5M9 13h6M9 17h4",
  search: "M11 4a7 7 0 1 0 0 14 7 7 0 0 0 0-14Zm5 12 5 5",
  operations: "M3 12h4l3-8 4 16 3-8h4",
  settings:
    "M4 7h9m5 0h2M4 17h2m5 0h9M15.5 4.5a2.5 2.5 0 1 0 0 5 2.5 2.5 0 0 0 0-5ZM8.5 14.5a2.5 2.5 0 1 0 0 5 2.5 2.5 0 0 0 0-5Z",
  close: "M6 6l12 12M18 6 6 18",
  check: "M5 13l4 4L19 7",
  chevron: "M9 6l6 6-6 6",
  retry: "M20 11a8 8 0 1 0-2.3 6.3M20 4v7h-7",
  trash: "M4 7h16M9 7V4h6v3m-8 0 1 13h8l1-13",
  stop: "M7 7h10v10H7Z",
  copy: "M9 9h11v11H9ZM5 15H4V4h11v1",
  external: "M14 4h6v6m0-6-9 9M18 13v6a1 1 0 0 1-1 1H5a1 1 0 0 1-1-1V7a1 1 0 0 1 1-1h6",
  warning: "M12 3 2.5 20h19L12 3Zm0 7v4m0 3v.01",
  filter: "M4 5h16l-6 8v6l-4-2v-4L4 5Z",
} as const;

export type IconName = keyof typeof paths;

export function Icon({ name }: { name: IconName }) {
  return (
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
      <path d={paths[name]} />
    </svg>
  );
}

/** Sluice's mark: a gate, and the water that it lets through. */
export function Mark() {
  return (
    <svg class="mark" viewBox="0 0 32 32" aria-hidden="true">
      <rect width="32" height="32" rx="8" />
      <path class="gate" d="M7 8v16M25 8v16M12 8v7h8V8" />
      <path class="water" d="M11 23c1.7-2 3.3-2 5 0s3.3 2 5 0" />
    </svg>
  );
}

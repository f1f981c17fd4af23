/** The element's looks. Colours follow the page's `color-scheme`; each can be set from outside. */
export const css = `
:host {
  --_accent: var(--sluice-accent, light-dark(#0b5cad, #7cb8ff));
  --_text: var(--sluice-text, light-dark(#1b1f24, #e8eaed));
  --_muted: var(--sluice-muted, light-dark(#57606a, #a9b1bb));
  --_surface: var(--sluice-surface, light-dark(#ffffff, #16191d));
  --_border: var(--sluice-border, light-dark(#8c959f, #6e7681));
  --_track: var(--sluice-track, light-dark(#dde2e8, #30363d));
  --_error: var(--sluice-error, light-dark(#b42318, #ff9a90));
  --_done: var(--sluice-done, light-dark(#17692f, #6fd08c));
  --_radius: var(--sluice-radius, 0.5rem);
  display: block;
  font: var(--sluice-font, 1rem/1.5 system-ui, sans-serif);
  color: var(--_text);
}
:host([hidden]) { display: none; }
* { box-sizing: border-box; }
.zone {
  background: var(--_surface);
  border: 2px dashed var(--_border);
  border-radius: var(--_radius);
  padding: 1.5rem;
  text-align: center;
}
.zone.over { border-color: var(--_accent); border-style: solid; }
.zone p { margin: 0.5rem 0 0; color: var(--_muted); }
button {
  font: inherit;
  color: var(--_accent);
  background: transparent;
  border: 1px solid currentColor;
  border-radius: calc(var(--_radius) / 2);
  padding: 0.25rem 0.75rem;
  min-height: 2rem;
  cursor: pointer;
}
.choose { color: var(--_surface); background: var(--_accent); border-color: var(--_accent); padding: 0.5rem 1rem; }
button:focus-visible { outline: 2px solid var(--_accent); outline-offset: 2px; }
ul { list-style: none; margin: 0.75rem 0 0; padding: 0; display: grid; gap: 0.5rem; }
ul:empty { display: none; }
li {
  background: var(--_surface);
  border: 1px solid var(--_track);
  border-radius: var(--_radius);
  padding: 0.75rem 1rem;
}
.head { display: flex; gap: 0.75rem; align-items: baseline; flex-wrap: wrap; }
.name { font-weight: 600; overflow-wrap: anywhere; flex: 1 1 12rem; }
.size, .detail { color: var(--_muted); }
.detail { margin: 0.25rem 0 0; overflow-wrap: anywhere; }
.detail:empty { display: none; }
.searchable .status { color: var(--_done); }
.failed .status, .failed .detail { color: var(--_error); }
.bar { display: grid; grid-template-columns: 2fr repeat(4, 1fr); gap: 3px; margin-top: 0.5rem; }
.bar[hidden] { display: none; }
.chamber { height: 6px; background: var(--_track); border-radius: 3px; overflow: hidden; }
.fill { display: block; height: 100%; width: 0; background: var(--_accent); }
.searchable .fill { background: var(--_done); }
.unknown .fill { width: 100%; opacity: 0.5; }
.actions { display: flex; gap: 0.5rem; margin-top: 0.5rem; }
.actions:not(:has(button)) { display: none; }
.said { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
input { display: none; }
@media (prefers-reduced-motion: no-preference) { .fill { transition: width 150ms ease-out; } }
@media (forced-colors: active) {
  .chamber { border: 1px solid CanvasText; }
  .fill { background: Highlight; forced-color-adjust: none; }
}
`;

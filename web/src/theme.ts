/** Light, dark, or as the system has it. */
import { signal } from "@preact/signals";

export const themes = ["system", "light", "dark"] as const;
export type Theme = (typeof themes)[number];

const STORED = "sluice_theme";

export const theme = signal<Theme>(themes.find((each) => each === localStorage.getItem(STORED)) ?? "system");

export function applyTheme(): void {
  const { documentElement } = document;
  if (theme.peek() === "system") delete documentElement.dataset.theme;
  else documentElement.dataset.theme = theme.peek();
}

export function chooseTheme(next: Theme): void {
  theme.value = next;
  if (next === "system") localStorage.removeItem(STORED);
  else localStorage.setItem(STORED, next);
  applyTheme();
}

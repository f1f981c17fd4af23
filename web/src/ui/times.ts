/** When something was, and how long it took: in short words, and exactly. */
import { formatDuration } from "../words.ts";

/** How long ago, roughly: the larger the coarser. */
export function agoWords(milliseconds: number): string {
  const seconds = Math.max(0, Math.round(milliseconds / 1_000));
  if (seconds < 5) return "just now";
  if (seconds < 60) return `${seconds}\u00a0s ago`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return `${minutes}\u00a0min ago`;
  const hours = Math.round(minutes / 60);
  if (hours < 48) return `${hours}\u00a0h ago`;
  return `${Math.round(hours / 24)}\u00a0days ago`;
}

/** How long something has lasted: whole seconds, then minutes, hours and days. */
export function spanWords(milliseconds: number): string {
  if (milliseconds < 1_000) return "under 1\u00a0s";
  if (milliseconds < 60_000) return `${Math.floor(milliseconds / 1_000)}\u00a0s`;
  if (milliseconds < 3_600_000) return formatDuration(milliseconds);
  const minutes = Math.round(milliseconds / 60_000);
  if (minutes < 48 * 60) return `${Math.floor(minutes / 60)}\u00a0h ${minutes % 60}\u00a0min`;
  return `${Math.round(minutes / 1_440)}\u00a0days`;
}

const exact = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "medium" });
const clock = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" });
const minute = new Intl.DateTimeFormat("en-GB", { timeStyle: "short" });

export const exactTime = (at: string | number) => exact.format(new Date(at));
export const clockTime = (at: string | number) => clock.format(new Date(at));
export const minuteTime = (at: string | number) => minute.format(new Date(at));

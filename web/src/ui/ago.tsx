/** When something was: in words that are short, and exactly on hover. */
import { agoWords, exactTime } from "./times.ts";

/** @param now Unix milliseconds; by the server's clock where what is told is the server's */
export function Ago({ at, now = Date.now() }: { at: string; now?: number }) {
  return (
    <time dateTime={at} title={exactTime(at)}>
      {agoWords(now - Date.parse(at))}
    </time>
  );
}

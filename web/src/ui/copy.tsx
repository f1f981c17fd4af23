/** Something to be taken along: shown in full, copied by a button. */
import { useRef, useState } from "preact/hooks";
import { announce } from "./announce.tsx";
import "./copy.css";
import { Icon } from "./icons.tsx";

interface CopyProps {
  /** What it is, for the label. */
  name: string;
  text: string;
}

export function Copy({ name, text }: CopyProps) {
  const shown = useRef<HTMLElement>(null);
  const [copied, setCopied] = useState(false);
  async function copy(): Promise<void> {
    try {
      await navigator.clipboard.writeText(text);
      setCopied(true);
      announce(`${name} copied.`);
    } catch {
      // A browser that forbids it (or plain HTTP from afar): it is selected, and the keyboard copies it.
      getSelection()?.selectAllChildren(shown.current!);
      announce(`${name} is selected; copy it with the keyboard.`);
    }
  }
  return (
    <div class="copy">
      <code ref={shown}>{text}</code>
      <button class="small" type="button" aria-label={`Copy the ${name}`} onClick={copy}>
        <Icon name={copied ? "check" : "copy"} />
        {copied ? "Copied" : "Copy"}
      </button>
    </div>
  );
}

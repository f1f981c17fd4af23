/** At the top, in one glance: is anything wrong, and what is to be done? */
import type { Operations } from "../../../src/client/index.ts";
import { Icon } from "../ui/icons.tsx";
import { clockTime } from "../ui/times.ts";
import { type Finding, findingsOf, verdictOf } from "./health.ts";

const levelWords: Record<Finding["level"], string> = { good: "Good", warn: "Look at this", bad: "Wrong" };

export function Verdict({ operations, trouble }: { operations: Operations; trouble: string | undefined }) {
  const findings = findingsOf(operations);
  const { level, words } = verdictOf(findings);
  return (
    <section class={`operations-verdict panel ${level}`} aria-labelledby="operations-verdict">
      <header>
        <Sign level={level} />
        <h2 id="operations-verdict">{words}</h2>
        <p class="hint">
          {trouble === undefined
            ? `As of ${clockTime(operations.at)}`
            : `Last seen ${clockTime(operations.at)}`}
        </p>
      </header>
      {trouble !== undefined && <p class="error">{trouble} Trying again …</p>}
      <ul>
        {findings.map((finding) => (
          <li key={finding.about} class={finding.level}>
            <Sign level={finding.level} />
            <div>
              <p>
                <span class="unseen">{levelWords[finding.level]}: </span>
                {finding.words}
              </p>
              {finding.advice !== undefined && <p class="hint">{withCode(finding.advice)}</p>}
            </div>
          </li>
        ))}
      </ul>
    </section>
  );
}

function Sign({ level }: { level: Finding["level"] }) {
  return (
    <span class={`operations-sign ${level}`} aria-hidden="true">
      <Icon name={level === "good" ? "check" : "warning"} />
    </span>
  );
}

/** `commands` as such. */
export function withCode(text: string) {
  return text.split("`").map((part, index) => (index % 2 === 1 ? <code key={part}>{part}</code> : part));
}

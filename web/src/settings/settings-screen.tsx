/** What is set once and looked at seldom, by section; each has an address. */
import type { FunctionComponent } from "preact";
import { Link, segments } from "../router.tsx";
import { Screen } from "../ui/screen.tsx";
import { Collections } from "./collections.tsx";
import { Keys } from "./keys.tsx";
import { PageSettings } from "./page-settings.tsx";
import "./settings.css";
import { WebhookDetail } from "./webhook-detail.tsx";
import { Webhooks } from "./webhooks.tsx";

const sections: { path: string; name: string; section: FunctionComponent }[] = [
  { path: "keys", name: "API keys", section: Keys },
  { path: "webhooks", name: "Webhooks", section: Webhooks },
  { path: "collections", name: "Collections", section: Collections },
  { path: "page", name: "This page", section: PageSettings },
];

export function SettingsScreen() {
  const [, name = "keys", id] = segments.value;
  const current = sections.find(({ path }) => path === name);
  return (
    <Screen title="Settings">
      <nav class="settings-nav" aria-label="Settings">
        <ul>
          {sections.map(({ path, name: words }) => (
            <li key={path}>
              <Link href={`/settings/${path}`} aria-current={path === name ? "page" : undefined}>
                {words}
              </Link>
            </li>
          ))}
        </ul>
      </nav>
      {current === undefined && <p>There are no such settings.</p>}
      {current !== undefined &&
        (name === "webhooks" && id !== undefined ? (
          <WebhookDetail key={id} webhook_id={id} />
        ) : (
          <current.section />
        ))}
    </Screen>
  );
}

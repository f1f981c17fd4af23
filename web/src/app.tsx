/** The frame of the page: where one can go, whether it is live, and the screen that the address names. */
import { useSignal } from "@preact/signals";
import type { FunctionComponent } from "preact";
import { useEffect } from "preact/hooks";
import { DocumentsScreen } from "./documents/documents-screen.tsx";
import { KeyDialog } from "./key-dialog.tsx";
import { connection, startLive } from "./live.ts";
import { Link, segments } from "./router.tsx";
import { ApiError, actFor, chosenTenant, generation, keyNeeded, session, sluice } from "./session.ts";
import { Shortcuts, showShortcuts, useShortcuts } from "./shortcuts.tsx";
import { Announcer } from "./ui/announce.tsx";
import { Icon, type IconName, Mark } from "./ui/icons.tsx";
import { Screen } from "./ui/screen.tsx";
import { ErrorNote } from "./ui/status.tsx";
import { Toasts } from "./ui/toasts.tsx";
import { DropOverlay } from "./upload/intake.tsx";
import { UploadScreen } from "./upload/upload-screen.tsx";
import { queue } from "./upload/uploads.ts";

/** Screens besides the first two are loaded when they are first gone to. */
const later = {
  document: () => import("./document/document-screen.tsx").then((module) => module.DocumentScreen),
  search: () => import("./search/search-screen.tsx").then((module) => module.SearchScreen),
  operations: () => import("./operations/operations-screen.tsx").then((module) => module.OperationsScreen),
  settings: () => import("./settings/settings-screen.tsx").then((module) => module.SettingsScreen),
};

const places: { path: string; name: string; icon: IconName }[] = [
  { path: "/", name: "Upload", icon: "upload" },
  { path: "/documents", name: "Documents", icon: "documents" },
  { path: "/search", name: "Search", icon: "search" },
  { path: "/operations", name: "Operations", icon: "operations" },
  { path: "/settings", name: "Settings", icon: "settings" },
];

export function App() {
  useShortcuts();
  return (
    <>
      <a class="skip" href="#main">
        Skip to the content
      </a>
      <Session key={generation.value} />
      <DropOverlay />
      <Toasts />
      <Announcer />
      <Shortcuts />
      {keyNeeded.value && <KeyDialog />}
    </>
  );
}

/** Everything that belongs to one key and one tenant: begun anew when either changes. */
function Session() {
  const trouble = useSignal<string | null>(null);
  useEffect(() => {
    const abort = new AbortController();
    let stop = () => {};
    let pause: ReturnType<typeof setTimeout> | undefined;
    async function begin(): Promise<void> {
      try {
        const answer = await sluice().getSession({ signal: abort.signal });
        if (abort.signal.aborted) return;
        trouble.value = null;
        session.value = answer;
        stop = startLive(answer.last_sequence);
      } catch (error) {
        if (abort.signal.aborted || (error instanceof ApiError && error.status === 401)) return;
        trouble.value = (error as Error).message;
        pause = setTimeout(begin, 2_000);
      }
    }
    void begin();
    return () => {
      abort.abort();
      clearTimeout(pause);
      stop();
    };
  }, []);
  return (
    <div class="frame">
      <nav class="nav" aria-label="Screens">
        <Link href="/" class="brand" aria-label="Sluice, to the start">
          <Mark />
          <span>Sluice</span>
        </Link>
        <ul>
          {places.map((entry) => (
            <li key={entry.path}>
              <Link href={entry.path} aria-current={isCurrent(entry.path) ? "page" : undefined}>
                <Icon name={entry.icon} />
                <span>{entry.name}</span>
                {entry.path === "/" && <UnderWay />}
              </Link>
            </li>
          ))}
        </ul>
        <div class="nav-foot">
          <Tenant />
          <ConnectionSign />
          <button class="quiet keyboard" type="button" onClick={showShortcuts}>
            <kbd>?</kbd> Keyboard
          </button>
        </div>
      </nav>
      {session.value === undefined ? (
        <main id="main" class="screen">
          {trouble.value !== null && <ErrorNote>{trouble.value} Trying again …</ErrorNote>}
        </main>
      ) : (
        <Current />
      )}
    </div>
  );
}

/** Files that are not answered yet, on whatever screen one is. */
function UnderWay() {
  const count = queue.under_way.value;
  if (count === 0) return null;
  return (
    <span class="nav-count">
      {count.toLocaleString("en")}
      <span class="unseen"> under way</span>
    </span>
  );
}

function isCurrent(path: string): boolean {
  const [first] = segments.value;
  return path === "/" ? first === undefined : `/${first}` === path;
}

function Current() {
  const [first, second] = segments.value;
  switch (first) {
    case undefined:
      return <UploadScreen />;
    case "documents":
      return second === undefined ? (
        <DocumentsScreen />
      ) : (
        <Later key={second} load={later.document} document_id={second} />
      );
    case "search":
      return <Later key="search" load={later.search} />;
    case "operations":
      return <Later key="operations" load={later.operations} />;
    case "settings":
      return <Later key="settings" load={later.settings} />;
    default:
      return (
        <Screen title="Not here">
          <p>
            There is nothing at this address. <Link href="/">To the start</Link>
          </p>
        </Screen>
      );
  }
}

type LaterProps<P> = P & { load: () => Promise<FunctionComponent<P>> };

function Later<P extends object>({ load, ...rest }: LaterProps<P>) {
  const loaded = useSignal<{ component?: FunctionComponent<P>; failed?: true }>({});
  useEffect(() => {
    load().then(
      (component) => {
        loaded.value = { component };
      },
      () => {
        loaded.value = { failed: true };
      },
    );
  }, []);
  const { component: Component, failed } = loaded.value;
  if (Component) return <Component {...(rest as unknown as P)} />;
  return (
    <main id="main" class="screen">
      {failed && (
        <ErrorNote>
          This screen could not be loaded: the server can't be reached, or it was updated. Load the page
          again.
        </ErrorNote>
      )}
    </main>
  );
}

const connectionWords = {
  connecting: "Connecting …",
  live: "Live",
  polling: "Live, with delay",
  offline: "Offline, trying again …",
};

function ConnectionSign() {
  return (
    <p class={`connection ${connection.value}`} role="status">
      <span class="dot" aria-hidden="true" />
      <span class="words">{connectionWords[connection.value]}</span>
    </p>
  );
}

/** Whom an operator acts for: shown where it isn't the key's own tenant, so that nobody forgets it. */
function Tenant() {
  const tenant_id = session.value?.tenant_id;
  if (tenant_id === undefined) return null;
  const acting = chosenTenant() !== undefined;
  if (!acting && tenant_id === "default") return null;
  return (
    <p class={acting ? "tenant acting" : "tenant"}>
      <span class="hint">Tenant</span> {tenant_id}
      {acting && (
        <button class="link" type="button" onClick={() => actFor(undefined)}>
          Back to mine
        </button>
      )}
    </p>
  );
}

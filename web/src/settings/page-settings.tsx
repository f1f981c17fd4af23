/** How this page looks, what the keyboard does, and which server it is of. */
import { session } from "../session.ts";
import { showShortcuts } from "../shortcuts.tsx";
import { chooseTheme, theme, themes } from "../theme.ts";
import { formatBytes } from "../words.ts";

const themeWords = { system: "As the system has it", light: "Light", dark: "Dark" };

export function PageSettings() {
  const about = session.value;
  return (
    <>
      <section class="stack" aria-labelledby="settings-look">
        <h2 id="settings-look">Appearance</h2>
        <fieldset class="choices settings-states">
          <legend class="unseen">Colours</legend>
          {themes.map((each) => (
            <label key={each}>
              <input
                type="radio"
                name="theme"
                checked={theme.value === each}
                onChange={() => chooseTheme(each)}
              />
              <span>{themeWords[each]}</span>
            </label>
          ))}
        </fieldset>
      </section>
      <section class="stack" aria-labelledby="settings-keyboard">
        <h2 id="settings-keyboard">Keyboard</h2>
        <p>
          Every screen has a key: press <kbd>?</kbd> anywhere for the list.
        </p>
        <div class="actions">
          <button type="button" onClick={showShortcuts}>
            Show the list
          </button>
        </div>
      </section>
      {about !== undefined && (
        <section class="stack" aria-labelledby="settings-about">
          <h2 id="settings-about">This server</h2>
          <dl class="panel settings-facts">
            <dt>Version</dt>
            <dd>Sluice {about.version}</dd>
            <dt>You</dt>
            <dd>
              tenant {about.tenant_id}
              {about.operator && ", operator"}
              {about.key_id === null ? ", without a key" : ", by key "}
              {about.key_id !== null && <code>{about.key_id}</code>}
            </dd>
            <dt>Embedder</dt>
            <dd>
              <code>{about.embedder_id}</code>
            </dd>
            <dt>Searches</dt>
            <dd>{about.search_modes.join(", ")}</dd>
            <dt>Largest file</dt>
            <dd>{formatBytes(about.max_upload_bytes)}</dd>
            <dt>Pictures of text</dt>
            <dd>
              {about.ocr_languages === undefined || about.ocr_languages.length === 0
                ? "not read"
                : `read in ${about.ocr_languages.join(", ")}`}
            </dd>
            <dt>Kinds of file</dt>
            <dd>
              <details>
                <summary>{about.media_types.length} can be read</summary>
                <p class="settings-types">
                  {about.media_types.map((type) => (
                    <code key={type}>{type}</code>
                  ))}
                </p>
              </details>
            </dd>
            <dt>API</dt>
            <dd>
              <a href="/docs/errors">errors</a>, <a href="/openapi.json">OpenAPI</a>,{" "}
              <a href="/asyncapi.json">AsyncAPI</a>
            </dd>
          </dl>
        </section>
      )}
    </>
  );
}

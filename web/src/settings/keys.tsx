/** API keys of the tenant acted for: made, shown once, revoked. */
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { Key } from "../../../src/client/index.ts";
import { session, sluice } from "../session.ts";
import { Ago } from "../ui/ago.tsx";
import { announce } from "../ui/announce.tsx";
import { Confirm } from "../ui/confirm.tsx";
import { Copy } from "../ui/copy.tsx";
import { Dialog } from "../ui/dialog.tsx";
import { useLoad } from "../ui/load.ts";
import { ErrorNote } from "../ui/status.tsx";
import { agoWords, exactTime, spanWords } from "../ui/times.ts";
import { KeyForm } from "./key-form.tsx";
import { madeKey } from "./made-key.ts";

export function Keys() {
  const { value, error, reload } = useLoad((signal) => sluice().listKeys({ signal }), []);
  const making = useSignal(false);
  const leaving = useSignal<Key | null>(null);
  const made = madeKey.value;
  // Whoever leaves has seen it.
  useEffect(
    () => () => {
      if (madeKey.peek()?.own !== true) madeKey.value = null;
    },
    [],
  );
  const open = session.value?.keys_required === false;
  const keys = value?.keys ?? [];
  return (
    <section class="stack" aria-labelledby="settings-keys">
      <header class="settings-head">
        <h2 id="settings-keys">API keys</h2>
        <button
          class="primary"
          type="button"
          onClick={() => {
            making.value = true;
          }}
        >
          {open ? "Make the first key" : "Make a key"}
        </button>
      </header>
      {made !== null && (
        <div class="settings-secret panel" role="status">
          <p>
            <b>{made.name === "" ? "The new key" : made.name}</b> is shown only now. Copy it to where it will
            be kept: the server has only its hash.
          </p>
          <Copy name="key" text={made.key} />
          {made.own && (
            <p class="warning">
              From now on this server asks everybody for a key. This tab already goes by this one, until it is
              closed; without a copy of it you can't come back, except by <code>sluice keys create</code> on
              the server itself.
            </p>
          )}
          <div class="actions">
            <button
              class="small"
              type="button"
              onClick={() => {
                madeKey.value = null;
              }}
            >
              I have it
            </button>
          </div>
        </div>
      )}
      {open && (
        <div class="panel settings-note">
          <p>
            <b>This server has no keys.</b> It answers requests from this machine only, and whoever makes one
            is an operator.
          </p>
          <p class="hint">
            The first key changes that for everybody: from then on every request needs one, wherever it comes
            from. This tab takes the first key over at once.
          </p>
        </div>
      )}
      {error !== undefined && <ErrorNote>{error.message}</ErrorNote>}
      {value !== undefined && keys.length === 0 && !open && (
        <p class="settings-none panel">This tenant has no keys of its own.</p>
      )}
      {keys.length > 0 && (
        <ul class="panel settings-list">
          {keys.map((key) => (
            <KeyRow
              key={key.key_id}
              entry={key}
              onRevoke={() => {
                leaving.value = key;
              }}
            />
          ))}
        </ul>
      )}
      {making.value && (
        <Dialog
          title={open ? "The first key" : "A new key"}
          onClose={() => {
            making.value = false;
          }}
        >
          <KeyForm
            first={open}
            onMade={() => {
              making.value = false;
              announce("The key is made. It is shown only now.");
              reload();
            }}
          />
        </Dialog>
      )}
      {leaving.value !== null && (
        <Confirm
          title={`Revoke ${nameOf(leaving.value)}?`}
          action="Revoke it"
          danger
          run={async () => {
            const key = leaving.value!;
            await sluice().revokeKey(key.key_id);
            if (madeKey.peek()?.key_id === key.key_id) madeKey.value = null;
            announce(`${nameOf(key)} is revoked.`);
            reload();
          }}
          onClose={() => {
            leaving.value = null;
          }}
        >
          <p>Whatever goes by it is refused within a second. A revoked key can't be brought back.</p>
        </Confirm>
      )}
    </section>
  );
}

const nameOf = ({ name, key_id }: Key) => (name === "" ? key_id : name);

function KeyRow({ entry, onRevoke }: { entry: Key; onRevoke: () => void }) {
  const { key_id, name, operator, created_at, expires_at, current } = entry;
  const left = expires_at === null ? null : Date.parse(expires_at) - Date.now();
  return (
    <li class="settings-row">
      <div class="settings-what">
        <p class="settings-title">
          <b>{name === "" ? "without a name" : name}</b>
          {operator && <span class="pill">operator</span>}
          {current && <span class="pill completed">this tab's</span>}
          {left !== null && left <= 0 && <span class="pill failed">expired</span>}
        </p>
        <p class="hint">
          <code>{key_id}</code>, made <Ago at={created_at} />
          {expires_at !== null && left !== null && (
            <>
              ,{" "}
              <span title={exactTime(expires_at)}>
                {left > 0 ? `ends in ${spanWords(left)}` : `ended ${agoWords(-left)}`}
              </span>
            </>
          )}
        </p>
      </div>
      {current ? (
        <p class="hint">in use</p>
      ) : (
        <button class="small danger" type="button" aria-label={`Revoke ${nameOf(entry)}`} onClick={onRevoke}>
          Revoke
        </button>
      )}
    </li>
  );
}

/** A webhook's secret, which the server tells once: when it is made, and when it is rotated. */
import { signal } from "@preact/signals";
import { Copy } from "../ui/copy.tsx";

export const told = signal<{ webhook_id: string; secret: string; rotated: boolean } | null>(null);

export function Secret({ webhook_id }: { webhook_id: string }) {
  const secret = told.value;
  if (secret?.webhook_id !== webhook_id) return null;
  return (
    <div class="settings-secret panel" role="status">
      <p>
        <b>The {secret.rotated ? "new " : ""}secret is shown only now.</b> The receiver needs it to verify
        that a request is Sluice's.
        {secret.rotated && " For 24 hours the old one signs too, so the receiver may change over in peace."}
      </p>
      <Copy name="secret" text={secret.secret} />
      <div class="actions">
        <button
          class="small"
          type="button"
          onClick={() => {
            told.value = null;
          }}
        >
          I have it
        </button>
      </div>
    </div>
  );
}

/** How a receiver knows that a request is Sluice's: in short. */

const example = `import { createHmac, timingSafeEqual } from "node:crypto";

// secret: what was shown once, with its whsec_ in front
const key = Buffer.from(secret.slice("whsec_".length), "base64");
const { "webhook-id": id, "webhook-timestamp": time, "webhook-signature": signatures } = request.headers;
const wanted = createHmac("sha256", key).update(\`\${id}.\${time}.\${body}\`).digest();
const genuine = signatures.split(" ").some((each) => {
  const [version, given] = each.split(",");
  const bytes = Buffer.from(given, "base64");
  return version === "v1" && bytes.length === wanted.length && timingSafeEqual(bytes, wanted);
});
const recent = Math.abs(Date.now() / 1000 - Number(time)) < 300;`;

export function Verifying() {
  return (
    <details class="panel settings-verifying">
      <summary>How a receiver verifies a request</summary>
      <div class="stack">
        <p>
          Every request is signed as Standard Webhooks say. Over its id, its time and its body, exactly as
          they came, the secret makes an HMAC-SHA256; one of the signatures in the header must be that. After
          a rotation there are two of them for a day.
        </p>
        <pre>{example}</pre>
        <p class="hint">
          Answer with any 2xx within the time limit, and do the work after. The same event may come twice: its{" "}
          <code>webhook-id</code> tells. More is in <code>docs/webhooks.md</code>.
        </p>
      </div>
    </details>
  );
}

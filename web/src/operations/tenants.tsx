/** Load by tenant, for operators: who waits, who fills the workers, and a way to see it as they do. */
import type { Operations } from "../../../src/client/index.ts";
import { navigate } from "../router.tsx";
import { actFor, session } from "../session.ts";

type Tenant = NonNullable<Operations["tenants"]>[number];

export function Tenants({ tenants }: { tenants: readonly Tenant[] }) {
  const most = Math.max(1, ...tenants.map(({ waiting, running }) => waiting + running));
  const own = session.value?.tenant_id;
  return (
    <section class="stack" aria-labelledby="operations-tenants">
      <header class="operations-head">
        <h2 id="operations-tenants">Tenants</h2>
        <p class="hint">the most loaded first{tenants.length === 100 && ", the first 100"}</p>
      </header>
      {tenants.length === 0 ? (
        <p class="operations-none panel">No tenant has anything in the queue, or had anything this hour.</p>
      ) : (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable
        <section class="panel operations-scroll" tabIndex={0} aria-label="Tenants, a table">
          <table>
            <thead>
              <tr>
                <th scope="col">Tenant</th>
                <td class="bars" aria-hidden="true" />
                {["Waiting", "Running", "Dead", "Completed this hour"].map((name) => (
                  <th key={name} scope="col" class="number">
                    {name}
                  </th>
                ))}
                <td />
              </tr>
            </thead>
            <tbody>
              {tenants.map(({ tenant_id, waiting, running, dead, completed }) => (
                <tr key={tenant_id}>
                  <th scope="row">{tenant_id}</th>
                  <td class="bars" aria-hidden="true">
                    <span class="running" style={{ width: `${(running / most) * 100}%` }} />
                    <span class="waiting" style={{ width: `${(waiting / most) * 100}%` }} />
                  </td>
                  {[waiting, running, dead, completed].map((value, index) => (
                    <td key={index} class="number">
                      {value.toLocaleString("en")}
                    </td>
                  ))}
                  <td class="number">
                    {tenant_id === own ? (
                      <span class="hint">acting for it</span>
                    ) : (
                      <button
                        class="small"
                        type="button"
                        aria-label={`Act for ${tenant_id}`}
                        onClick={() => {
                          navigate("/operations");
                          actFor(tenant_id);
                        }}
                      >
                        Act for it
                      </button>
                    )}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </section>
      )}
    </section>
  );
}

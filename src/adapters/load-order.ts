/** The orders in which a queue tells of dead letters and of its tenants, where a database does not sort. */
import type { DeadCount, TenantLoad } from "../ports/job-queue.ts";

const byName = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);

export function mostFirst(counts: DeadCount[]): DeadCount[] {
  return counts.sort((a, b) => b.jobs - a.jobs || byName(a.code, b.code));
}

export function mostLoadedFirst(loads: TenantLoad[]): TenantLoad[] {
  const busy = ({ waiting, running }: TenantLoad) => waiting + running;
  return loads.sort((a, b) => busy(b) - busy(a) || b.dead - a.dead || byName(a.tenant_id, b.tenant_id));
}

/** How the functions in the database are written: one round trip each, and each says first whose rows it may see. */

/** Whose rows a function sees: those of the tenant that is its first argument, or everybody's. */
type Scope = "tenant" | "everybody";

/**
 * A function that answers one query. What it says of the tenant ends with its transaction, so a connection never
 * remembers one; that is why reads are functions too.
 */
export function queryFunction(
  name: string,
  args: string,
  returns: string,
  scope: Scope,
  query: string,
): string {
  return `CREATE OR REPLACE FUNCTION $S.${name} (${args}) RETURNS ${returns} LANGUAGE plpgsql AS $fn$
  #variable_conflict use_column
  BEGIN
    PERFORM set_config('sluice.tenant', ${scope === "tenant" ? "p_tenant" : "'*'"}, true);
    RETURN QUERY ${query};
  END $fn$;`;
}

/** A function with a body of its own. */
export function bodyFunction(
  name: string,
  args: string,
  returns: string,
  declare: string,
  body: string,
): string {
  return `CREATE OR REPLACE FUNCTION $S.${name} (${args}) RETURNS ${returns} LANGUAGE plpgsql AS $fn$
  #variable_conflict use_column
  DECLARE ${declare}
  BEGIN
    ${body}
  END $fn$;`;
}

/** A function of its arguments alone, as one query. */
export function sqlFunction(name: string, args: string, returns: string, query: string): string {
  return `CREATE OR REPLACE FUNCTION $S.${name} (${args}) RETURNS ${returns} LANGUAGE sql STABLE AS $fn$
  ${query}
  $fn$;`;
}

/** For what concerns no one tenant: row-level security lets it see all of them. */
export const EVERYBODY = "PERFORM set_config('sluice.tenant', '*', true);";

/** Error code of the refusals that `commit` and its like raise; the message is the ConflictReason. */
export const CONFLICT = "SL001";

export const refuse = (reason: string): string =>
  `RAISE EXCEPTION USING ERRCODE = '${CONFLICT}', MESSAGE = '${reason}'`;

/** Part of a body: refuses unless the job of `p_lease`, where one is given, still runs under it. */
export const requireLease = `IF p_lease IS NOT NULL THEN
      PERFORM FROM $S.jobs WHERE job_id = p_lease ->> 'job_id' AND lease_token = p_lease ->> 'lease_token'
        AND state = 'running' FOR NO KEY UPDATE;
      IF NOT FOUND THEN ${refuse("lease_lost")}; END IF;
    END IF;`;

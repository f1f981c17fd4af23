/** The job queue inside the database. Times are Unix milliseconds; `p_now` null means the server's own clock. */
import { bodyFunction, EVERYBODY, queryFunction, refuse } from "./functions.ts";

const READY = "state IN ('queued', 'retrying')";
const FREE = "leased_by = NULL, lease_token = NULL, lease_until = NULL, updated_at = v_now";
const WHOSE = "current_setting('sluice.tenant') IN ('*', tenant_id)";
/**
 * What a crash of the server may undo without harm: a claim undone is a job that is queued again, and its worker's
 * lease token fits no more.
 */
const NEED_NOT_LAST = "PERFORM set_config('synchronous_commit', 'off', true);";

export const jobFunctions: string[] = [
  `CREATE OR REPLACE FUNCTION $S.now_ms (p_now bigint) RETURNS bigint LANGUAGE sql VOLATILE AS $fn$
    SELECT coalesce(p_now, (extract(epoch FROM clock_timestamp()) * 1000)::bigint)
  $fn$;`,

  // A clock set back leaves times behind that lie in the future now, and whoever waits for them would wait for as long
  // as it jumped. Steps below two seconds delay a job by no more than themselves. Whoever comes while another is at it
  // need not wait.
  bodyFunction(
    "notice_clock",
    "p_now bigint",
    "void",
    "v_seen bigint;",
    `SELECT seen INTO v_seen FROM $S.clock;
    IF p_now > v_seen - 2000 AND p_now < v_seen + 1000 THEN RETURN; END IF;
    SELECT seen INTO v_seen FROM $S.clock FOR UPDATE SKIP LOCKED;
    IF v_seen IS NULL THEN RETURN; END IF;
    UPDATE $S.clock SET seen = p_now;
    IF p_now > v_seen THEN RETURN; END IF;
    UPDATE $S.jobs SET run_at = run_at - (v_seen - p_now) WHERE ${READY};
    UPDATE $S.jobs SET lease_until = lease_until - (v_seen - p_now) WHERE state = 'running';
    UPDATE $S.workers SET last_seen_at = least(last_seen_at, p_now);
    UPDATE $S.holds SET until = until - (v_seen - p_now);
    UPDATE $S.leads SET until = until - (v_seen - p_now);`,
  ),

  // p_dispatch: whether a broker is to be told of jobs that become ready.
  bodyFunction(
    "insert_jobs",
    "p_jobs json, v_now bigint, p_dispatch boolean",
    "void",
    "",
    `INSERT INTO $S.jobs (job_id, tenant_id, job_type, payload, state, priority, attempts, max_attempts, run_at,
      unique_key, correlation_id, created_at, updated_at, dispatch_at)
    SELECT job_id, tenant_id, job_type, payload, 'queued', coalesce(priority, 0), 0, coalesce(max_attempts, 5),
      v_now + round(coalesce(delay_seconds, 0) * 1000)::bigint, unique_key, correlation_id, v_now, v_now,
      CASE WHEN p_dispatch THEN 0 END
    FROM json_to_recordset(p_jobs) AS j (job_id text, tenant_id text, job_type text, payload json, priority int,
      max_attempts int, delay_seconds float8, unique_key text, correlation_id text);`,
  ),
  bodyFunction(
    "enqueue_1",
    "p_jobs json, p_now bigint, p_dispatch boolean",
    "void",
    "v_now bigint := $S.now_ms(p_now);",
    `${EVERYBODY}
    PERFORM $S.notice_clock(v_now);
    PERFORM $S.insert_jobs(p_jobs, v_now, p_dispatch);`,
  ),

  // Turns between tenants: whoever was served longest ago comes first, and each round gives every waiting tenant one
  // share, rounded down: rounded up it would use the claim up before the last tenants' turn.
  bodyFunction(
    "claim_1",
    "p_worker text, p_limit int, p_lease_ms bigint, p_max_running int, p_now bigint",
    "SETOF $S.jobs",
    `v_now bigint := $S.now_ms(p_now); v_left int := p_limit; v_share int; v_wanted int; v_got int; v_tenant text;
    v_tenants text[]; v_unserved text[]; v_room int;`,
    `${EVERYBODY} ${NEED_NOT_LAST}
    PERFORM $S.notice_clock(v_now);
    -- One index seek per tenant, not per job.
    WITH RECURSIVE waiting (tenant_id) AS (
      (SELECT tenant_id FROM $S.jobs WHERE ${READY} ORDER BY tenant_id, priority DESC, run_at, job_id LIMIT 1)
      UNION ALL
      SELECT (SELECT jobs.tenant_id FROM $S.jobs WHERE ${READY} AND jobs.tenant_id > waiting.tenant_id
              ORDER BY jobs.tenant_id, jobs.priority DESC, jobs.run_at, jobs.job_id LIMIT 1)
      FROM waiting WHERE waiting.tenant_id IS NOT NULL
    ), served AS (
      SELECT waiting.tenant_id, coalesce(turns.turn, 0) AS turn FROM waiting LEFT JOIN $S.turns USING (tenant_id)
      WHERE waiting.tenant_id IS NOT NULL
        AND EXISTS (SELECT FROM $S.jobs WHERE tenant_id = waiting.tenant_id AND ${READY} AND run_at <= v_now)
        AND (p_max_running IS NULL OR p_max_running >
          (SELECT count(*) FROM $S.jobs WHERE tenant_id = waiting.tenant_id AND state = 'running'))
      ORDER BY turn, waiting.tenant_id LIMIT p_limit
    )
    SELECT array_agg(tenant_id ORDER BY turn, tenant_id) INTO v_tenants FROM served;
    WHILE v_left > 0 AND cardinality(v_tenants) > 0 LOOP
      v_share := greatest(1, v_left / cardinality(v_tenants));
      v_unserved := '{}';
      FOREACH v_tenant IN ARRAY v_tenants LOOP
        EXIT WHEN v_left = 0;
        v_wanted := least(v_share, v_left);
        IF p_max_running IS NOT NULL THEN
          -- The lock on the tenant's turn keeps two claims from counting the same room.
          INSERT INTO $S.turns VALUES (v_tenant, 0) ON CONFLICT DO NOTHING;
          PERFORM FROM $S.turns WHERE tenant_id = v_tenant FOR UPDATE;
          SELECT p_max_running - count(*) INTO v_room FROM $S.jobs WHERE tenant_id = v_tenant AND state = 'running';
          v_wanted := least(v_wanted, v_room);
          CONTINUE WHEN v_wanted <= 0;
        END IF;
        RETURN QUERY WITH best AS MATERIALIZED (
          SELECT job_id FROM $S.jobs WHERE tenant_id = v_tenant AND ${READY} AND run_at <= v_now
          ORDER BY priority DESC, run_at, job_id LIMIT v_wanted FOR UPDATE SKIP LOCKED
        ), taken AS (
          UPDATE $S.jobs SET state = 'running', attempts = attempts + 1, leased_by = p_worker,
            lease_until = v_now + p_lease_ms, updated_at = v_now, lease_token = replace(gen_random_uuid()::text, '-', '')
          WHERE job_id = ANY (ARRAY(SELECT job_id FROM best)) RETURNING *
        ) SELECT * FROM taken ORDER BY priority DESC, run_at, job_id;
        GET DIAGNOSTICS v_got = ROW_COUNT;
        v_left := v_left - v_got;
        IF v_got > 0 THEN
          INSERT INTO $S.turns VALUES (v_tenant, nextval('$S.turn_sequence'))
          ON CONFLICT (tenant_id) DO UPDATE SET turn = excluded.turn;
        END IF;
        IF v_got = v_wanted THEN v_unserved := v_unserved || v_tenant; END IF;
      END LOOP;
      v_tenants := v_unserved;
    END LOOP;`,
  ),

  bodyFunction(
    "claim_these_1",
    "p_worker text, p_job_ids text[], p_lease_ms bigint, p_max_running int, p_now bigint",
    "TABLE (deferred boolean, job $S.jobs)",
    "v_now bigint := $S.now_ms(p_now); v_job $S.jobs; v_room int;",
    `${EVERYBODY} ${NEED_NOT_LAST}
    PERFORM $S.notice_clock(v_now);
    FOR v_job IN SELECT * FROM $S.jobs WHERE job_id = ANY (p_job_ids) AND ${READY} AND run_at <= v_now
      ORDER BY job_id FOR UPDATE LOOP
      IF p_max_running IS NOT NULL THEN
        INSERT INTO $S.turns VALUES (v_job.tenant_id, 0) ON CONFLICT DO NOTHING;
        PERFORM FROM $S.turns WHERE tenant_id = v_job.tenant_id FOR UPDATE;
        SELECT p_max_running - count(*) INTO v_room FROM $S.jobs
        WHERE tenant_id = v_job.tenant_id AND state = 'running';
        IF v_room <= 0 THEN
          deferred := true; job := v_job; RETURN NEXT;
          CONTINUE;
        END IF;
      END IF;
      UPDATE $S.jobs SET state = 'running', attempts = attempts + 1, leased_by = p_worker,
        lease_until = v_now + p_lease_ms, updated_at = v_now, lease_token = replace(gen_random_uuid()::text, '-', '')
      WHERE job_id = v_job.job_id RETURNING jobs.* INTO v_job;
      deferred := false; job := v_job; RETURN NEXT;
    END LOOP;`,
  ),

  // Those whose moment has come within p_ahead_ms; whoever takes one has p_again_ms to send it.
  bodyFunction(
    "take_undispatched_1",
    "p_limit int, p_ahead_ms bigint, p_again_ms bigint, p_now bigint",
    "SETOF $S.jobs",
    "v_now bigint := $S.now_ms(p_now);",
    `${EVERYBODY} ${NEED_NOT_LAST}
    PERFORM $S.notice_clock(v_now);
    RETURN QUERY WITH due AS MATERIALIZED (
      SELECT job_id FROM $S.jobs WHERE ${READY} AND dispatch_at IS NOT NULL AND dispatch_at <= v_now
        AND run_at <= v_now + p_ahead_ms
      ORDER BY dispatch_at, job_id LIMIT p_limit FOR UPDATE SKIP LOCKED
    ) UPDATE $S.jobs SET dispatch_at = v_now + p_again_ms FROM due WHERE jobs.job_id = due.job_id RETURNING jobs.*;`,
  ),
  bodyFunction(
    "mark_dispatched_1",
    "p_job_ids text[], p_again_ms bigint, p_now bigint",
    "void",
    "v_now bigint := $S.now_ms(p_now);",
    `${EVERYBODY} ${NEED_NOT_LAST}
    WITH sent AS MATERIALIZED (
      SELECT job_id FROM $S.jobs
      WHERE job_id = ANY (p_job_ids) AND ${READY} AND dispatch_at IS NOT NULL AND dispatch_at > 0
      ORDER BY job_id FOR UPDATE
    ) UPDATE $S.jobs SET dispatch_at = greatest(run_at, v_now) + p_again_ms FROM sent WHERE jobs.job_id = sent.job_id;`,
  ),
  queryFunction(
    "next_dispatch_1",
    "p_ahead_ms bigint, p_now bigint",
    "SETOF bigint",
    "everybody",
    `SELECT min(greatest(dispatch_at, run_at - p_ahead_ms)) - $S.now_ms(p_now) FROM $S.jobs
     WHERE ${READY} AND dispatch_at IS NOT NULL`,
  ),

  bodyFunction(
    "heartbeat_1",
    "p_worker json, p_job_ids text[], p_tokens text[], p_lease_ms bigint, p_now bigint",
    "SETOF text",
    "v_now bigint := $S.now_ms(p_now);",
    `${EVERYBODY} ${NEED_NOT_LAST}
    PERFORM $S.notice_clock(v_now);
    INSERT INTO $S.workers (worker_id, pid, host, started_at, last_seen_at)
    VALUES (p_worker ->> 'worker_id', (p_worker ->> 'pid')::int, p_worker ->> 'host', p_worker ->> 'started_at', v_now)
    ON CONFLICT (worker_id) DO UPDATE SET pid = excluded.pid, last_seen_at = excluded.last_seen_at;
    RETURN QUERY WITH held AS MATERIALIZED (
      SELECT job_id, token FROM $S.jobs JOIN unnest(p_job_ids, p_tokens) AS lease (id, token)
        ON job_id = id AND lease_token = token AND state = 'running' ORDER BY job_id FOR UPDATE OF jobs
    ), kept AS (
      UPDATE $S.jobs SET lease_until = v_now + p_lease_ms FROM held WHERE jobs.job_id = held.job_id
      RETURNING jobs.job_id, token
    ) SELECT id FROM unnest(p_job_ids, p_tokens) AS lease (id, token)
    WHERE (id, token) NOT IN (SELECT job_id, token FROM kept);`,
  ),
  queryFunction(
    "lost_1",
    "p_job_ids text[], p_tokens text[]",
    "SETOF text",
    "everybody",
    `SELECT id FROM unnest(p_job_ids, p_tokens) AS lease (id, token) WHERE NOT EXISTS
       (SELECT FROM $S.jobs WHERE job_id = id AND state = 'running' AND lease_token = token)`,
  ),
  bodyFunction(
    "expired_1",
    "p_limit int, p_now bigint",
    "SETOF $S.jobs",
    "v_now bigint := $S.now_ms(p_now);",
    `${EVERYBODY}
    RETURN QUERY SELECT * FROM $S.jobs WHERE state = 'running' AND lease_until < v_now ORDER BY lease_until LIMIT p_limit;`,
  ),
  queryFunction(
    "held_by_1",
    "p_worker text",
    "SETOF $S.jobs",
    "everybody",
    "SELECT * FROM $S.jobs WHERE state = 'running' AND leased_by = p_worker",
  ),

  // Of many at once; a settlement: job_id, lease_token, state, error, delay_ms, counts. Answers with the tokens under
  // which no job was held.
  bodyFunction(
    "settle_jobs",
    "p_settlements json, v_now bigint, p_dispatch boolean",
    "SETOF text",
    "",
    `RETURN QUERY WITH given AS MATERIALIZED (
      SELECT * FROM json_to_recordset(p_settlements) AS s
        (job_id text, lease_token text, state text, error json, delay_ms bigint, counts boolean)
    ), held AS MATERIALIZED (
      SELECT given.* FROM $S.jobs JOIN given USING (job_id, lease_token) WHERE jobs.state = 'running'
      ORDER BY job_id FOR NO KEY UPDATE OF jobs
    ), settled AS (
      UPDATE $S.jobs SET state = held.state, error = nullif(held.error::text, 'null')::json, ${FREE},
        run_at = CASE held.state WHEN 'retrying' THEN v_now + held.delay_ms ELSE jobs.run_at END,
        attempts = jobs.attempts - CASE WHEN held.counts THEN 0 ELSE 1 END,
        finished_at = CASE held.state WHEN 'retrying' THEN NULL ELSE v_now END,
        dispatch_at = CASE WHEN p_dispatch AND held.state = 'retrying' THEN 0 END
      FROM held WHERE jobs.job_id = held.job_id RETURNING jobs.job_id, held.lease_token
    ) SELECT lease_token FROM given WHERE (job_id, lease_token) NOT IN (SELECT job_id, lease_token FROM settled);`,
  ),
  bodyFunction(
    "settle_1",
    "p_settlements json, p_now bigint, p_dispatch boolean",
    "SETOF text",
    "v_now bigint := $S.now_ms(p_now);",
    `${EVERYBODY}
    PERFORM $S.notice_clock(v_now);
    RETURN QUERY SELECT * FROM $S.settle_jobs(p_settlements, v_now, p_dispatch);`,
  ),

  // Both reach the jobs of whoever `sluice.tenant` says.
  bodyFunction(
    "cancel_job",
    "p_job text, v_now bigint",
    "void",
    "",
    `UPDATE $S.jobs SET state = 'cancelled', ${FREE}, finished_at = v_now
    WHERE job_id = p_job AND state IN ('queued', 'retrying', 'running') AND ${WHOSE};
    IF NOT FOUND THEN ${refuse("job_state")}; END IF;`,
  ),
  bodyFunction(
    "redrive_job",
    "p_job text, v_now bigint, p_dispatch boolean",
    "void",
    "",
    `UPDATE $S.jobs SET state = 'queued', attempts = 0, run_at = v_now, error = NULL, finished_at = NULL,
      updated_at = v_now, dispatch_at = CASE WHEN p_dispatch THEN 0 END
    WHERE job_id = p_job AND state IN ('dead', 'cancelled') AND ${WHOSE};
    IF NOT FOUND THEN ${refuse("job_state")}; END IF;`,
  ),
  bodyFunction(
    "change_job_1",
    "p_cancel text, p_redrive text, p_now bigint, p_dispatch boolean",
    "void",
    "v_now bigint := $S.now_ms(p_now);",
    `${EVERYBODY}
    PERFORM $S.notice_clock(v_now);
    IF p_cancel IS NOT NULL THEN PERFORM $S.cancel_job(p_cancel, v_now); END IF;
    IF p_redrive IS NOT NULL THEN PERFORM $S.redrive_job(p_redrive, v_now, p_dispatch); END IF;`,
  ),

  queryFunction(
    "get_job_1",
    "p_tenant text, p_job text",
    "SETOF $S.jobs",
    "tenant",
    "SELECT * FROM $S.jobs WHERE job_id = p_job AND p_tenant IN ('*', tenant_id)",
  ),
  queryFunction(
    "list_jobs_1",
    "p_tenant text, p_state text, p_code text, p_before text, p_limit int",
    "SETOF $S.jobs",
    "tenant",
    `SELECT * FROM $S.jobs WHERE p_tenant IN ('*', tenant_id) AND (p_state IS NULL OR state = p_state)
       AND (p_code IS NULL OR error ->> 'code' = p_code) AND (p_before IS NULL OR job_id < p_before)
     ORDER BY job_id DESC LIMIT p_limit`,
  ),
  // p_tenant '*': of all. p_total: whether to count, or estimate, all jobs too, of which those that succeeded are the
  // rest; it reads an index entry for each.
  bodyFunction(
    "job_stats_2",
    "p_tenant text, p_total boolean, p_now bigint",
    "TABLE (state text, jobs bigint, oldest_ready_ms bigint)",
    "v_now bigint := $S.now_ms(p_now); v_estimate bigint;",
    `PERFORM set_config('sluice.tenant', p_tenant, true);
    RETURN QUERY SELECT state, count(*), max(v_now - run_at) FILTER (WHERE run_at <= v_now) FROM $S.jobs
      WHERE ${READY} AND p_tenant IN ('*', tenant_id) GROUP BY state;
    RETURN QUERY SELECT 'running'::text, count(*), NULL::bigint FROM $S.jobs
      WHERE state = 'running' AND p_tenant IN ('*', tenant_id);
    RETURN QUERY SELECT state, count(*), NULL::bigint FROM $S.jobs
      WHERE state IN ('dead', 'cancelled') AND p_tenant IN ('*', tenant_id) GROUP BY state;
    IF NOT p_total THEN RETURN; END IF;
    IF p_tenant <> '*' THEN
      RETURN QUERY SELECT 'all'::text, count(*), NULL::bigint FROM $S.jobs WHERE tenant_id = p_tenant;
      RETURN;
    END IF;
    SELECT reltuples::bigint INTO v_estimate FROM pg_class WHERE oid = '$S.jobs'::regclass;
    IF v_estimate > 200000 THEN
      RETURN QUERY SELECT 'all'::text, v_estimate, NULL::bigint;
    ELSE
      RETURN QUERY SELECT 'all'::text, count(*), NULL::bigint FROM $S.jobs;
    END IF;`,
  ),
  queryFunction(
    "dead_by_code_1",
    "p_tenant text",
    "TABLE (code text, jobs bigint)",
    "tenant",
    `SELECT error ->> 'code', count(*) FROM $S.jobs WHERE state = 'dead' AND p_tenant IN ('*', tenant_id)
     GROUP BY error ->> 'code' ORDER BY count(*) DESC, (error ->> 'code') COLLATE "C"`,
  ),
  queryFunction(
    "job_loads_1",
    "p_limit int",
    "TABLE (tenant_id text, waiting bigint, running bigint, dead bigint)",
    "everybody",
    `SELECT tenant_id, sum(waiting)::bigint, sum(running)::bigint, sum(dead)::bigint FROM (
       SELECT tenant_id, count(*) AS waiting, 0 AS running, 0 AS dead FROM $S.jobs WHERE ${READY} GROUP BY tenant_id
       UNION ALL SELECT tenant_id, 0, count(*), 0 FROM $S.jobs WHERE state = 'running' GROUP BY tenant_id
       UNION ALL SELECT tenant_id, 0, 0, count(*) FROM $S.jobs WHERE state = 'dead' GROUP BY tenant_id
     ) AS parts GROUP BY tenant_id
     ORDER BY sum(waiting + running) DESC, sum(dead) DESC, tenant_id LIMIT p_limit`,
  ),
  queryFunction(
    "depth_1",
    "p_of text",
    "TABLE (tenant bigint, total bigint)",
    "everybody",
    `SELECT count(*) FILTER (WHERE tenant_id = p_of), count(*) FROM $S.jobs WHERE ${READY}`,
  ),
  bodyFunction(
    "next_ready_1",
    "p_now bigint",
    "bigint",
    "v_now bigint := $S.now_ms(p_now);",
    `${EVERYBODY}
    RETURN (SELECT min(run_at) - v_now FROM $S.jobs WHERE ${READY} AND run_at > v_now);`,
  ),
  queryFunction(
    "list_workers_1",
    "",
    "TABLE (worker_id text, pid int, host text, started_at text, last_seen_at bigint, holds text[])",
    "everybody",
    `SELECT workers.*, ARRAY(SELECT job_id::text FROM $S.jobs WHERE state = 'running' AND leased_by = workers.worker_id)
     FROM $S.workers ORDER BY worker_id`,
  ),
];

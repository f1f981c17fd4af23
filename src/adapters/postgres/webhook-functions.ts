/**
 * Webhooks and their deliveries, inside the database. Whoever changes a webhook's deliveries locks its row first, so that
 * none of them overlooks what another has just made pending, or ended.
 */
import { bodyFunction, EVERYBODY, queryFunction } from "./functions.ts";

const ASK = "PERFORM set_config('sluice.tenant', p_tenant, true);";
const LOCK_OWN = `${ASK}
    PERFORM FROM $S.webhooks WHERE webhook_id = p_webhook AND tenant_id = p_tenant FOR UPDATE;`;
const COUNT = "(SELECT count(*)::int FROM $S.deliveries AS d WHERE d.webhook_id = w.webhook_id AND d.state =";

export const webhookFunctions: string[] = [
  bodyFunction(
    "add_webhook_1",
    "p_tenant text, p_webhook json, p_most int",
    "boolean",
    "",
    `${ASK}
    -- Two that are added at once count each other.
    PERFORM pg_advisory_xact_lock($L, hashtext('webhooks:' || p_tenant));
    IF (SELECT count(*) FROM $S.webhooks WHERE tenant_id = p_tenant) >= p_most THEN RETURN false; END IF;
    INSERT INTO $S.webhooks SELECT * FROM json_populate_record(NULL::$S.webhooks, p_webhook);
    RETURN true;`,
  ),
  queryFunction(
    "list_webhooks_1",
    "p_tenant text, p_webhook text",
    "TABLE (webhook $S.webhooks, pending int, failed int)",
    "tenant",
    `SELECT w, ${COUNT} 'pending'), ${COUNT} 'failed') FROM $S.webhooks AS w
     WHERE w.tenant_id = p_tenant AND (p_webhook IS NULL OR w.webhook_id = p_webhook) ORDER BY w.webhook_id`,
  ),
  queryFunction(
    "find_webhook_1",
    "p_tenant text, p_webhook text",
    "SETOF $S.webhooks",
    "tenant",
    "SELECT * FROM $S.webhooks WHERE webhook_id = p_webhook AND tenant_id = p_tenant",
  ),
  bodyFunction(
    "update_webhook_1",
    "p_tenant text, p_webhook text, p_change json",
    "boolean",
    "v_before $S.webhooks; v_after $S.webhooks;",
    `${ASK}
    SELECT * INTO v_before FROM $S.webhooks WHERE webhook_id = p_webhook AND tenant_id = p_tenant FOR UPDATE;
    IF NOT FOUND THEN RETURN false; END IF;
    v_after := json_populate_record(v_before, p_change);
    IF v_after.enabled AND NOT v_before.enabled THEN
      v_after.disabled_reason := NULL;
      v_after.failing_since := NULL;
      UPDATE $S.deliveries SET next_attempt_at = v_after.updated_at
      WHERE webhook_id = p_webhook AND next_attempt_at IS NOT NULL;
    END IF;
    UPDATE $S.webhooks SET url = v_after.url, description = v_after.description, event_types = v_after.event_types,
      collection = v_after.collection, enabled = v_after.enabled, disabled_reason = v_after.disabled_reason,
      updated_at = v_after.updated_at, secret = v_after.secret, previous_secret = v_after.previous_secret,
      previous_secret_until = v_after.previous_secret_until, failing_since = v_after.failing_since
    WHERE webhook_id = p_webhook;
    RETURN true;`,
  ),
  bodyFunction(
    "remove_webhook_1",
    "p_tenant text, p_webhook text",
    "boolean",
    "",
    `${LOCK_OWN}
    IF NOT FOUND THEN RETURN false; END IF;
    DELETE FROM $S.delivery_tries USING $S.deliveries
    WHERE deliveries.webhook_id = p_webhook AND delivery_tries.delivery_id = deliveries.delivery_id;
    DELETE FROM $S.deliveries WHERE webhook_id = p_webhook;
    DELETE FROM $S.webhooks WHERE webhook_id = p_webhook;
    RETURN true;`,
  ),

  queryFunction("any_webhook_1", "", "SETOF boolean", "everybody", "SELECT EXISTS (SELECT FROM $S.webhooks)"),
  queryFunction(
    "enabled_webhooks_1",
    "",
    "SETOF $S.webhooks",
    "everybody",
    "SELECT * FROM $S.webhooks WHERE enabled",
  ),
  // Of the document's pending deliveries only the first has a time.
  bodyFunction(
    "order_deliveries",
    "p_webhook text, p_document text, p_now text",
    "void",
    "v_first bigint;",
    `SELECT sequence INTO v_first FROM $S.deliveries
    WHERE webhook_id = p_webhook AND document_id = p_document AND state = 'pending' ORDER BY sequence LIMIT 1;
    UPDATE $S.deliveries SET next_attempt_at = NULL WHERE webhook_id = p_webhook AND document_id = p_document
      AND state = 'pending' AND sequence > v_first AND next_attempt_at IS NOT NULL;
    UPDATE $S.deliveries SET next_attempt_at = p_now
    WHERE webhook_id = p_webhook AND sequence = v_first AND next_attempt_at IS NULL;`,
  ),
  bodyFunction(
    "enqueue_deliveries_1",
    "p_webhook text, p_after bigint, p_position bigint, p_deliveries json",
    "boolean",
    "v_tenant text;",
    `${EVERYBODY}
    UPDATE $S.webhooks SET position = p_position
    WHERE webhook_id = p_webhook AND enabled AND position = p_after RETURNING tenant_id INTO v_tenant;
    IF NOT FOUND THEN RETURN false; END IF;
    INSERT INTO $S.deliveries (delivery_id, webhook_id, tenant_id, event_id, event_type, document_id, sequence, state,
      created_at, next_attempt_at)
    SELECT n.delivery_id, p_webhook, v_tenant, n.event_id, n.event_type, n.document_id, n.sequence, 'pending',
      n.created_at,
      CASE WHEN row_number() OVER (PARTITION BY n.document_id ORDER BY n.sequence) > 1
        OR EXISTS (SELECT FROM $S.deliveries AS d WHERE d.webhook_id = p_webhook AND d.document_id = n.document_id
          AND d.state = 'pending') THEN NULL ELSE n.created_at END
    FROM json_to_recordset(p_deliveries) AS n (delivery_id text, event_id text, event_type text, document_id text,
      sequence bigint, created_at text);
    RETURN true;`,
  ),
  queryFunction(
    "webhooks_with_due_1",
    "p_now text",
    "SETOF text",
    "everybody",
    `SELECT w.webhook_id::text FROM $S.webhooks AS w WHERE w.enabled AND EXISTS (SELECT FROM $S.deliveries AS d
       WHERE d.webhook_id = w.webhook_id AND d.next_attempt_at <= p_now)`,
  ),
  queryFunction(
    "due_deliveries_1",
    "p_webhook text, p_now text, p_limit int, p_besides text[]",
    "TABLE (delivery json, event json)",
    "everybody",
    `SELECT to_json(d), to_json(e) FROM $S.deliveries AS d
     JOIN $S.webhooks AS w ON w.webhook_id = d.webhook_id JOIN $S.events AS e ON e.sequence = d.sequence
     WHERE d.webhook_id = p_webhook AND w.enabled AND d.next_attempt_at <= p_now
       AND d.document_id <> ALL (p_besides)
     ORDER BY d.next_attempt_at, d.sequence LIMIT p_limit`,
  ),
  bodyFunction(
    "settle_delivery_1",
    "p_outcome json",
    "boolean",
    `v_webhook text := p_outcome ->> 'webhook_id'; v_delivery text := p_outcome ->> 'delivery_id';
    v_now text := p_outcome ->> 'now'; v_tenant text; v_document text;
    v_status int := (p_outcome -> 'try' ->> 'status')::int; v_error text := p_outcome -> 'try' ->> 'error';
    v_disable json := p_outcome -> 'disable'; v_place int;`,
    `${EVERYBODY}
    PERFORM FROM $S.webhooks WHERE webhook_id = v_webhook FOR UPDATE;
    UPDATE $S.deliveries SET state = p_outcome ->> 'state', attempts = attempts + 1,
      next_attempt_at = p_outcome ->> 'next_attempt_at', status = v_status, error = v_error,
      finished_at = CASE WHEN p_outcome ->> 'state' = 'pending' THEN NULL ELSE v_now END
    WHERE delivery_id = v_delivery AND webhook_id = v_webhook AND state = 'pending'
      AND attempts = (p_outcome ->> 'attempts')::int
    RETURNING tenant_id, document_id INTO v_tenant, v_document;
    IF NOT FOUND THEN RETURN false; END IF;
    SELECT coalesce(max(place), 0) + 1 INTO v_place FROM $S.delivery_tries WHERE delivery_id = v_delivery;
    INSERT INTO $S.delivery_tries VALUES (v_delivery, v_place, v_tenant, p_outcome -> 'try' ->> 'at',
      (p_outcome -> 'try' ->> 'duration_ms')::double precision, v_status, v_error, p_outcome -> 'try' ->> 'response');
    -- A replay of an earlier one may have come meanwhile: then this one waits.
    PERFORM $S.order_deliveries(v_webhook, v_document, v_now);
    IF v_error IS NULL THEN
      UPDATE $S.webhooks SET last_succeeded_at = v_now, failing_since = NULL WHERE webhook_id = v_webhook;
    ELSE
      UPDATE $S.webhooks SET last_failed_at = v_now, failing_since = coalesce(failing_since, v_now)
      WHERE webhook_id = v_webhook;
    END IF;
    UPDATE $S.webhooks SET enabled = false, disabled_reason = v_disable ->> 'reason', updated_at = v_now
    WHERE webhook_id = v_webhook AND enabled AND v_disable ->> 'reason' IS NOT NULL
      AND (v_disable ->> 'failing_since' IS NULL OR failing_since <= v_disable ->> 'failing_since');
    RETURN true;`,
  ),
  bodyFunction(
    "prune_deliveries_1",
    "p_before text, p_limit int",
    "int",
    "v_old text[];",
    `${EVERYBODY}
    WITH old AS (
      DELETE FROM $S.deliveries WHERE finished_at < p_before AND delivery_id IN
        (SELECT delivery_id FROM $S.deliveries WHERE finished_at < p_before LIMIT p_limit) RETURNING delivery_id
    ) SELECT array_agg(delivery_id::text) INTO v_old FROM old;
    DELETE FROM $S.delivery_tries WHERE delivery_id = ANY (v_old);
    RETURN coalesce(array_length(v_old, 1), 0);`,
  ),
  queryFunction(
    "count_pending_1",
    "",
    "SETOF int",
    "everybody",
    "SELECT count(*)::int FROM $S.deliveries WHERE state = 'pending'",
  ),

  queryFunction(
    "list_deliveries_1",
    "p_tenant text, p_webhook text, p_state text, p_before bigint, p_limit int",
    "SETOF $S.deliveries",
    "tenant",
    `SELECT * FROM $S.deliveries WHERE webhook_id = p_webhook AND tenant_id = p_tenant
       AND (p_state IS NULL OR state = p_state) AND (p_before IS NULL OR sequence < p_before)
     ORDER BY sequence DESC LIMIT p_limit`,
  ),
  queryFunction(
    "get_delivery_1",
    "p_tenant text, p_webhook text, p_delivery text",
    "TABLE (delivery json, event json, tries json)",
    "tenant",
    `SELECT to_json(d), to_json(e), coalesce((SELECT json_agg(json_build_object('at', t.at, 'duration_ms',
         t.duration_ms, 'status', t.status, 'error', t.error, 'response', t.response) ORDER BY t.place)
       FROM $S.delivery_tries AS t WHERE t.delivery_id = d.delivery_id), '[]')
     FROM $S.deliveries AS d JOIN $S.events AS e ON e.sequence = d.sequence
     WHERE d.delivery_id = p_delivery AND d.webhook_id = p_webhook AND d.tenant_id = p_tenant`,
  ),
  bodyFunction(
    "replay_delivery_1",
    "p_tenant text, p_webhook text, p_delivery text, p_now text",
    "boolean",
    "v_document text;",
    `${LOCK_OWN}
    UPDATE $S.deliveries SET state = 'pending', attempts = 0, next_attempt_at = p_now, finished_at = NULL
    WHERE delivery_id = p_delivery AND webhook_id = p_webhook AND tenant_id = p_tenant
    RETURNING document_id INTO v_document;
    IF NOT FOUND THEN RETURN false; END IF;
    PERFORM $S.order_deliveries(p_webhook, v_document, p_now);
    RETURN true;`,
  ),
  bodyFunction(
    "replay_failed_1",
    "p_tenant text, p_webhook text, p_now text, p_limit int",
    "int",
    "v_documents text[];",
    `${LOCK_OWN}
    IF NOT FOUND THEN RETURN 0; END IF;
    WITH failed AS (
      UPDATE $S.deliveries SET state = 'pending', attempts = 0, next_attempt_at = p_now, finished_at = NULL
      WHERE webhook_id = p_webhook AND sequence IN (SELECT sequence FROM $S.deliveries
        WHERE webhook_id = p_webhook AND state = 'failed' ORDER BY sequence LIMIT p_limit)
      RETURNING document_id
    ) SELECT array_agg(document_id::text) INTO v_documents FROM failed;
    PERFORM $S.order_deliveries(p_webhook, d, p_now) FROM (SELECT DISTINCT unnest(v_documents) AS d) AS each;
    RETURN coalesce(array_length(v_documents, 1), 0);`,
  ),
];

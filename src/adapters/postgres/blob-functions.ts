/**
 * Which blobs the database names, and which were given up.
 *
 * A commit that names blobs holds a shared lock from before it looks at those given up until its end; whoever gives blobs
 * up takes the same lock alone. So every commit is either over, and shows what it names, or finds what was given up.
 */
import { bodyFunction, queryFunction, refuse } from "./functions.ts";

/** In the space of two numbers, which has nothing to do with the locks on sequence numbers. */
const LOCK = "$L, 1";

/** Part of a body: refuses when one of these keys, a text[], was given up. */
export const refuseCondemned = (keys: string): string =>
  `IF EXISTS (SELECT FROM $S.condemned_blobs WHERE blob_key = ANY (${keys})) THEN
        ${refuse("blob_condemned")};
      END IF;`;

/** Part of a body, before it takes any lock on a row: whoever waits for the other lock then holds up nobody. */
export const lockBlobs = `PERFORM pg_advisory_xact_lock_shared(${LOCK});`;

export const blobFunctions: string[] = [
  queryFunction(
    "referenced_blobs_1",
    "p_keys text[]",
    "SETOF text",
    "everybody",
    `SELECT blob_key::text FROM $S.versions WHERE blob_key = ANY (p_keys)
     UNION SELECT key FROM $S.checkpoints, unnest(blob_keys) AS key
     WHERE blob_keys && p_keys COLLATE "C" AND key = ANY (p_keys)`,
  ),
  bodyFunction(
    "condemn_blobs_1",
    "p_keys text[]",
    "SETOF text",
    "v_unnamed text[];",
    `PERFORM pg_advisory_xact_lock(${LOCK});
    v_unnamed := ARRAY(SELECT unnest(p_keys) EXCEPT SELECT $S.referenced_blobs_1(p_keys));
    INSERT INTO $S.condemned_blobs SELECT unnest(v_unnamed) ON CONFLICT DO NOTHING;
    RETURN QUERY SELECT unnest(v_unnamed);`,
  ),
];

-- 0.1.0 to 0.2.0: what sql/install has gained since. test/t compares the outcome with a fresh install.
\echo Use "ALTER EXTENSION lmtext UPDATE" to load this file. \quit

-- Statistics of calls.
CREATE FUNCTION lmtext.get_stats(
    OUT role text, OUT database text, OUT model regclass, OUT version text, OUT function text,
    OUT calls bigint, OUT rows bigint, OUT tokens bigint, OUT truncated bigint, OUT errors bigint,
    OUT cache_hits bigint, OUT total_ms double precision, OUT mean_ms double precision,
    OUT p50_ms double precision, OUT p95_ms double precision, OUT p99_ms double precision,
    OUT since timestamptz, OUT last_used timestamptz)
    RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'lmtext_get_stats'
    LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED COST 10000 ROWS 50;
COMMENT ON FUNCTION lmtext.get_stats() IS
    'calls of functions that use a model, by role, version and function';

CREATE VIEW lmtext.stats AS SELECT * FROM lmtext.get_stats();
COMMENT ON VIEW lmtext.stats IS
    'calls of functions that use a model, by roles that the caller is a member of; all of them, in all databases, for members of pg_monitor';
COMMENT ON COLUMN lmtext.stats.role IS
    'whose right was used: inside a SECURITY DEFINER function its owner; NULL where it has been dropped';
COMMENT ON COLUMN lmtext.stats.model IS
    'the version''s table; NULL where it has been dropped, is in another database, or was not known';
COMMENT ON COLUMN lmtext.stats.version IS
    'name of the version, also when it has been dropped; NULL for calls that failed before a model was found, allowed and loaded';
COMMENT ON COLUMN lmtext.stats.function IS
    'name of the function; forms for arrays and pinned forms count under the same name';
COMMENT ON COLUMN lmtext.stats.calls IS
    'evaluations with a text that is not null, failed ones included';
COMMENT ON COLUMN lmtext.stats.rows IS 'texts that were computed, also by calls that failed later';
COMMENT ON COLUMN lmtext.stats.tokens IS 'tokens of these texts, special ones included where the function has them';
COMMENT ON COLUMN lmtext.stats.truncated IS 'texts among them that did not fit into the model''s window';
COMMENT ON COLUMN lmtext.stats.errors IS 'calls that ended in an error, a cancel or the end of the session';
COMMENT ON COLUMN lmtext.stats.cache_hits IS
    'answers that were remembered from earlier in the statement';
COMMENT ON COLUMN lmtext.stats.total_ms IS 'time of all calls, those that failed and what they waited for included';
COMMENT ON COLUMN lmtext.stats.p50_ms IS 'half of the calls took no longer; at most 9.1 % off';
COMMENT ON COLUMN lmtext.stats.since IS 'when the first of these calls was counted';
COMMENT ON COLUMN lmtext.stats.last_used IS 'when the last of these calls was counted';

CREATE FUNCTION lmtext.get_stats_info(
    OUT entries integer, OUT capacity integer, OUT evicted bigint, OUT obstacle text)
    RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'lmtext_get_stats_info'
    LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED COST 1000 ROWS 1;
COMMENT ON FUNCTION lmtext.get_stats_info() IS 'how full the statistics of calls are';

CREATE VIEW lmtext.stats_info AS SELECT * FROM lmtext.get_stats_info();
COMMENT ON VIEW lmtext.stats_info IS 'how full the statistics of calls are, in the whole server';
COMMENT ON COLUMN lmtext.stats_info.entries IS 'rows that lmtext.stats has, for those who see all';
COMMENT ON COLUMN lmtext.stats_info.evicted IS
    'rows that were dropped, the least recently used first, since there were more than capacity';
COMMENT ON COLUMN lmtext.stats_info.obstacle IS
    'why there are no statistics: shared memory could not be had; NULL when there are';

CREATE FUNCTION lmtext.stats_reset() RETURNS void
    AS 'MODULE_PATHNAME', 'lmtext_reset_stats'
    LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000;
COMMENT ON FUNCTION lmtext.stats_reset() IS 'empty the statistics of this database''s calls';
REVOKE EXECUTE ON FUNCTION lmtext.stats_reset() FROM PUBLIC;
GRANT SELECT ON lmtext.stats, lmtext.stats_info TO PUBLIC;
-- 20-models

CREATE FUNCTION lmtext.export_model(model text, directory text) RETURNS void
    AS 'MODULE_PATHNAME', 'lmtext_export_model'
    LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000000;
COMMENT ON FUNCTION lmtext.export_model(text, text) IS
    'write the files of a model version into a new directory of the server';

CREATE FUNCTION lmtext.grant_model(model text, role pg_catalog.regrole, privilege text DEFAULT 'use')
    RETURNS void
    AS 'MODULE_PATHNAME', 'lmtext_grant_model'
    LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000;
COMMENT ON FUNCTION lmtext.grant_model(text, pg_catalog.regrole, text) IS
    'grant a role a privilege (use, export) on a version (''m@2''), or on all versions that a model has now (''m'')';

CREATE FUNCTION lmtext.revoke_model(model text, role pg_catalog.regrole, privilege text DEFAULT 'use')
    RETURNS void
    AS 'MODULE_PATHNAME', 'lmtext_revoke_model'
    LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000;
COMMENT ON FUNCTION lmtext.revoke_model(text, pg_catalog.regrole, text) IS
    'revoke a privilege (use, export) on a version or on all versions of a model; warns where the role has it still';

REVOKE EXECUTE ON FUNCTION
    lmtext.export_model(text, text), lmtext.grant_model(text, pg_catalog.regrole, text),
    lmtext.revoke_model(text, pg_catalog.regrole, text)
    FROM PUBLIC;

CREATE FUNCTION lmtext.selftest(model text, OUT "check" text, OUT max_error double precision, OUT ok boolean)
    RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'lmtext_selftest'
    LANGUAGE C STABLE PARALLEL SAFE COST 10000000 ROWS 8;
COMMENT ON FUNCTION lmtext.selftest(text) IS
    'does a model version still compute what it computed when it was made? One row a check';

CREATE FUNCTION lmtext.quantize(model text, "precision" text, calibration text[] DEFAULT NULL)
    RETURNS integer
    AS 'MODULE_PATHNAME', 'lmtext_quantize'
    LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000000;
COMMENT ON FUNCTION lmtext.quantize(text, text, text[]) IS
    'make the next version of a model from the files of one of its versions, with weights in another precision (fp32, bf16, int8, auto); returns its number';
REVOKE EXECUTE ON FUNCTION lmtext.quantize(text, text, text[]) FROM PUBLIC;

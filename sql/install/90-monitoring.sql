-- 90-monitoring: models in shared memory, the machine, trainings under way, statistics of calls.

CREATE FUNCTION lmtext.load_model(model text) RETURNS boolean
    AS 'MODULE_PATHNAME', 'lmtext_load_model'
    LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED COST 100000;
COMMENT ON FUNCTION lmtext.load_model(text) IS
    'load a model into shared memory now; false when it was there already';

CREATE FUNCTION lmtext.load_model(model regclass) RETURNS boolean
    AS 'MODULE_PATHNAME', 'lmtext_load_model_version'
    LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED COST 100000;
COMMENT ON FUNCTION lmtext.load_model(regclass) IS
    'load a model version into shared memory now; false when it was there already';

CREATE FUNCTION lmtext.unload_model(model text) RETURNS boolean
    AS 'MODULE_PATHNAME', 'lmtext_unload_model'
    LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED COST 1000;
COMMENT ON FUNCTION lmtext.unload_model(text) IS
    'take a model out of shared memory; statements that are using it finish. False when it was not there';

CREATE FUNCTION lmtext.unload_model(model regclass) RETURNS boolean
    AS 'MODULE_PATHNAME', 'lmtext_unload_model_version'
    LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED COST 1000;
COMMENT ON FUNCTION lmtext.unload_model(regclass) IS
    'take a model version out of shared memory; statements that are using it finish. False when it was not there';

-- They change what other sessions find in memory.
REVOKE EXECUTE ON FUNCTION
    lmtext.load_model(text), lmtext.load_model(regclass),
    lmtext.unload_model(text), lmtext.unload_model(regclass)
    FROM PUBLIC;

CREATE FUNCTION lmtext_internal.get_model_cache(
    OUT model regclass, OUT version text, OUT database text, OUT state text,
    OUT instruction_level text, OUT bytes bigint, OUT pins integer, OUT hits bigint,
    OUT texts bigint, OUT tokens bigint, OUT loads bigint, OUT load_ms double precision, OUT loaded_at timestamptz,
    OUT last_used timestamptz)
    RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'lmtext_get_model_cache'
    LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED COST 1000 ROWS 10;
COMMENT ON FUNCTION lmtext_internal.get_model_cache() IS
    'loaded models that the caller may use; all of them for members of pg_monitor';

CREATE VIEW lmtext.model_cache AS SELECT * FROM lmtext_internal.get_model_cache();
COMMENT ON VIEW lmtext.model_cache IS
    'models in shared memory, and private copies of this session, that the caller may use; all of them for members of pg_monitor';
COMMENT ON COLUMN lmtext.model_cache.model IS
    'a version of this database with these contents; NULL where there is none';
COMMENT ON COLUMN lmtext.model_cache.database IS 'database whose session loaded it last';
COMMENT ON COLUMN lmtext.model_cache.state IS
    'loading, ready, unloading (in use, then gone) or private (a copy in the memory of this session)';
COMMENT ON COLUMN lmtext.model_cache.pins IS 'backends that are computing with it now';
COMMENT ON COLUMN lmtext.model_cache.hits IS
    'times that a backend found it in memory, counted once per backend and statement';
COMMENT ON COLUMN lmtext.model_cache.texts IS
    'texts that all backends have computed with it since it was loaded first; shows how far a long statement is';

CREATE FUNCTION lmtext_internal.get_device(
    OUT cpu text, OUT instruction_level text, OUT best_instruction_level text, OUT blas text,
    OUT blas_threads integer, OUT os_threads integer, OUT shares_models boolean,
    OUT obstacle text)
    RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'lmtext_get_device'
    LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED COST 100 ROWS 1;
COMMENT ON FUNCTION lmtext_internal.get_device() IS 'what this session computes with';

CREATE VIEW lmtext.device AS
    SELECT d.*, e.extversion AS lmtext_version
    FROM lmtext_internal.get_device() d
    LEFT JOIN pg_catalog.pg_extension e
        ON e.extname OPERATOR(pg_catalog.=) 'lmtext'::pg_catalog.name;
COMMENT ON VIEW lmtext.device IS
    'processor, instruction level, matrix library and threads of this session';
COMMENT ON COLUMN lmtext.device.instruction_level IS
    'level of the kernels in use; lmtext.isa caps it';
COMMENT ON COLUMN lmtext.device.os_threads IS 'threads of this backend, which must be 1';
COMMENT ON COLUMN lmtext.device.shares_models IS
    'whether models can be shared; where not, obstacle says why';

CREATE FUNCTION lmtext.session_counters(
    OUT texts bigint, OUT tokens bigint, OUT truncated bigint, OUT forwards bigint,
    OUT loads bigint, OUT attaches bigint)
    RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'lmtext_session_counters'
    LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED COST 1 ROWS 1;
COMMENT ON FUNCTION lmtext.session_counters() IS
    'what this backend has computed so far: texts and tokens embedded, texts cut, forward passes, models loaded and attached to; parallel workers count for themselves';

CREATE FUNCTION lmtext_internal.get_train_runs(
    OUT run bigint, OUT model text, OUT state text, OUT phase text, OUT done bigint,
    OUT total bigint, OUT step integer, OUT max_steps integer, OUT loss double precision,
    OUT held_out_loss double precision, OUT held_out_accuracy double precision,
    OUT started_at timestamptz, OUT updated_at timestamptz, OUT finished_at timestamptz,
    OUT pid integer, OUT role text, OUT database text)
    RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'lmtext_get_train_runs'
    LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED COST 100 ROWS 8;
COMMENT ON FUNCTION lmtext_internal.get_train_runs() IS
    'trainings under way and the last that ended';

CREATE VIEW lmtext.train_runs AS SELECT * FROM lmtext_internal.get_train_runs() ORDER BY run;
COMMENT ON VIEW lmtext.train_runs IS
    'trainings under way and the last that ended, of roles that the caller is a member of; all of them for members of pg_monitor';
COMMENT ON COLUMN lmtext.train_runs.state IS 'running, done or failed';
COMMENT ON COLUMN lmtext.train_runs.done IS 'rows embedded so far, of total';

CREATE FUNCTION lmtext_internal.get_train_log(
    OUT run bigint, OUT model text, OUT step integer, OUT loss double precision,
    OUT held_out_loss double precision, OUT held_out_accuracy double precision,
    OUT at timestamptz)
    RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'lmtext_get_train_log'
    LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED COST 100 ROWS 100;
COMMENT ON FUNCTION lmtext_internal.get_train_log() IS
    'curves of the trainings of train_runs, thinned to at most 128 points each';

CREATE VIEW lmtext.train_log AS SELECT * FROM lmtext_internal.get_train_log() ORDER BY run, step;
COMMENT ON VIEW lmtext.train_log IS
    'curves of the trainings of lmtext.train_runs, thinned to at most 128 points each';

CREATE FUNCTION lmtext_internal.get_stats(
    OUT role text, OUT database text, OUT model regclass, OUT version text, OUT function text,
    OUT calls bigint, OUT rows bigint, OUT tokens bigint, OUT truncated bigint, OUT errors bigint,
    OUT cache_hits bigint, OUT total_ms double precision, OUT mean_ms double precision,
    OUT p50_ms double precision, OUT p95_ms double precision, OUT p99_ms double precision,
    OUT since timestamptz, OUT last_used timestamptz)
    RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'lmtext_get_stats'
    LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED COST 10000 ROWS 50;
COMMENT ON FUNCTION lmtext_internal.get_stats() IS
    'calls of functions that use a model, by role, version and function';

CREATE VIEW lmtext.stats AS SELECT * FROM lmtext_internal.get_stats();
COMMENT ON VIEW lmtext.stats IS
    'calls of functions that use a model, by roles that the caller is a member of; all of them, in all databases, for members of pg_monitor';
COMMENT ON COLUMN lmtext.stats.role IS
    'whose right was used: inside a SECURITY DEFINER function its owner; NULL where it has been dropped';
COMMENT ON COLUMN lmtext.stats.model IS
    'the version''s table; NULL where it has been dropped, is in another database, was not known, or another session is changing it';
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

CREATE FUNCTION lmtext_internal.get_stats_info(
    OUT entries integer, OUT capacity integer, OUT evicted bigint, OUT obstacle text)
    RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'lmtext_get_stats_info'
    LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED COST 1000 ROWS 1;
COMMENT ON FUNCTION lmtext_internal.get_stats_info() IS 'how full the statistics of calls are';

CREATE VIEW lmtext.stats_info AS SELECT * FROM lmtext_internal.get_stats_info();
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

GRANT SELECT ON lmtext.model_cache, lmtext.device, lmtext.train_runs, lmtext.train_log,
    lmtext.stats, lmtext.stats_info TO PUBLIC;

-- 90-monitoring: models in shared memory, the machine, trainings under way, statistics of calls.

CREATE FUNCTION lmtext.load_model(model text) RETURNS boolean
    AS 'MODULE_PATHNAME', 'lmtext_load_model'
    LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED COST 100000;
COMMENT ON FUNCTION lmtext.load_model(text) IS
    'load a model into shared memory; false if it was already loaded';

CREATE FUNCTION lmtext.load_model(model regclass) RETURNS boolean
    AS 'MODULE_PATHNAME', 'lmtext_load_model_version'
    LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED COST 100000;
COMMENT ON FUNCTION lmtext.load_model(regclass) IS
    'load a model version into shared memory; false if it was already loaded';

CREATE FUNCTION lmtext.unload_model(model text) RETURNS boolean
    AS 'MODULE_PATHNAME', 'lmtext_unload_model'
    LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED COST 1000;
COMMENT ON FUNCTION lmtext.unload_model(text) IS
    'remove a model from shared memory; statements that use it run to their end. False if it was not loaded';

CREATE FUNCTION lmtext.unload_model(model regclass) RETURNS boolean
    AS 'MODULE_PATHNAME', 'lmtext_unload_model_version'
    LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED COST 1000;
COMMENT ON FUNCTION lmtext.unload_model(regclass) IS
    'remove a model version from shared memory; statements that use it run to their end. False if it was not loaded';

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
    'a version of this database with these contents; NULL if there is none';
COMMENT ON COLUMN lmtext.model_cache.database IS 'database whose session loaded it last';
COMMENT ON COLUMN lmtext.model_cache.state IS
    'loading, ready, unloading (in use, then gone) or private (a copy in the memory of this session)';
COMMENT ON COLUMN lmtext.model_cache.pins IS 'backends that are computing with it now';
COMMENT ON COLUMN lmtext.model_cache.hits IS
    'number of times that a backend found it in memory, once per backend and statement';
COMMENT ON COLUMN lmtext.model_cache.texts IS
    'texts that all backends have computed with it since it was first loaded; shows the progress of a long statement';

CREATE FUNCTION lmtext_internal.get_device(
    OUT cpu text, OUT instruction_level text, OUT best_instruction_level text, OUT blas text,
    OUT blas_threads integer, OUT os_threads integer, OUT shares_models boolean,
    OUT obstacle text)
    RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'lmtext_get_device'
    LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED COST 100 ROWS 1;
COMMENT ON FUNCTION lmtext_internal.get_device() IS 'processor and instruction level of this session';

CREATE VIEW lmtext.device AS
    SELECT d.*, e.extversion AS lmtext_version
    FROM lmtext_internal.get_device() d
    LEFT JOIN pg_catalog.pg_extension e
        ON e.extname OPERATOR(pg_catalog.=) 'lmtext'::pg_catalog.name;
COMMENT ON VIEW lmtext.device IS
    'processor, instruction level, matrix library and threads of this session';
COMMENT ON COLUMN lmtext.device.instruction_level IS
    'level of the kernels in use; lmtext.isa caps it';
COMMENT ON COLUMN lmtext.device.os_threads IS 'threads of this backend; always 1';
COMMENT ON COLUMN lmtext.device.shares_models IS
    'whether models can be shared; if not, obstacle tells why';

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
    'trainings that run and the last ones that ended';

CREATE VIEW lmtext.train_runs AS SELECT * FROM lmtext_internal.get_train_runs() ORDER BY run;
COMMENT ON VIEW lmtext.train_runs IS
    'trainings that run and the last ones that ended, of roles that the caller is a member of; all of them for members of pg_monitor';
COMMENT ON COLUMN lmtext.train_runs.state IS 'running, done or failed';
COMMENT ON COLUMN lmtext.train_runs.done IS 'rows embedded so far, out of total';
COMMENT ON COLUMN lmtext.train_runs.total IS 'number of rows to train on; NULL until all rows have been read';
COMMENT ON COLUMN lmtext.train_runs.loss IS 'loss on the training rows; NULL before the first step';
COMMENT ON COLUMN lmtext.train_runs.held_out_loss IS 'measured on the held-out rows; NULL if there are none, and before the first step';
COMMENT ON COLUMN lmtext.train_runs.held_out_accuracy IS
    'measured on the held-out rows; NULL if there are none, and before the first step';

CREATE FUNCTION lmtext_internal.get_train_curve(
    OUT run bigint, OUT model text, OUT step integer, OUT loss double precision,
    OUT held_out_loss double precision, OUT held_out_accuracy double precision,
    OUT at timestamptz, OUT epoch integer, OUT learning_rate double precision,
    OUT gradient_norm double precision, OUT measures jsonb)
    RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'lmtext_get_train_curve'
    LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED COST 100 ROWS 100;
COMMENT ON FUNCTION lmtext_internal.get_train_curve() IS
    'curves of the trainings of train_runs, thinned to at most 128 points each';

CREATE VIEW lmtext.train_log AS SELECT * FROM lmtext_internal.get_train_curve() ORDER BY run, step;
COMMENT ON VIEW lmtext.train_log IS
    'curves of the trainings of lmtext.train_runs, thinned to at most 128 points each';
COMMENT ON COLUMN lmtext.train_log.held_out_loss IS 'measured on the held-out rows; NULL if there are none';
COMMENT ON COLUMN lmtext.train_log.held_out_accuracy IS 'measured on the held-out rows; NULL if there are none';
COMMENT ON COLUMN lmtext.train_log.epoch IS 'counted from 1; NULL for methods without epochs';
COMMENT ON COLUMN lmtext.train_log.learning_rate IS 'of the step, by the schedule; NULL for methods without one';
COMMENT ON COLUMN lmtext.train_log.gradient_norm IS 'of the step, before clipping; NULL for methods without one';
COMMENT ON COLUMN lmtext.train_log.measures IS
    'figures on the held-out rows by name, at the end of an epoch; NULL if there are none';

CREATE FUNCTION lmtext_internal.get_stats(
    OUT role text, OUT database text, OUT model regclass, OUT version text, OUT function text,
    OUT calls bigint, OUT rows bigint, OUT tokens bigint, OUT truncated bigint, OUT errors bigint,
    OUT cached bigint, OUT total_ms double precision, OUT mean_ms double precision,
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
    'role whose privileges were used: the owner inside a SECURITY DEFINER function; NULL if it was dropped';
COMMENT ON COLUMN lmtext.stats.model IS
    'table of the version; NULL if it was dropped, is in another database, was not known, or is being changed by another session';
COMMENT ON COLUMN lmtext.stats.version IS
    'name of the version, even if it was dropped; NULL for calls that failed before a model was found, allowed and loaded';
COMMENT ON COLUMN lmtext.stats.function IS
    'name of the function; array forms and pinned forms count under the same name';
COMMENT ON COLUMN lmtext.stats.calls IS
    'calls with a text that is not null that computed something or failed; calls + cached is the number of evaluations';
COMMENT ON COLUMN lmtext.stats.rows IS 'texts that were computed, including those of calls that failed later';
COMMENT ON COLUMN lmtext.stats.tokens IS
    'tokens of these texts, including special tokens if the function uses them; none of a text that another call of its row had computed';
COMMENT ON COLUMN lmtext.stats.truncated IS 'texts among rows that were longer than the model''s window';
COMMENT ON COLUMN lmtext.stats.errors IS 'calls that ended by an error, a cancel or the end of the session';
COMMENT ON COLUMN lmtext.stats.cached IS
    'evaluations that reused an earlier result of the statement; not part of calls and times';
COMMENT ON COLUMN lmtext.stats.total_ms IS 'time of all calls in milliseconds, including failed calls and waits';
COMMENT ON COLUMN lmtext.stats.p50_ms IS 'median time of a call in milliseconds, to within 9.1 %';
COMMENT ON COLUMN lmtext.stats.since IS 'when the first of these calls was counted';
COMMENT ON COLUMN lmtext.stats.last_used IS 'when the last of these calls was counted';

CREATE FUNCTION lmtext.latency_histogram(
    OUT role text, OUT database text, OUT model regclass, OUT version text, OUT function text,
    OUT bucket integer, OUT from_ms double precision, OUT to_ms double precision, OUT calls bigint)
    RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'lmtext_latency_histogram'
    LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED COST 10000 ROWS 500;
COMMENT ON FUNCTION lmtext.latency_histogram() IS
    'times of the calls of lmtext.stats by buckets: calls that took from from_ms to less than to_ms; counts of one bucket add up over rows';

CREATE FUNCTION lmtext_internal.get_stats_info(
    OUT entries integer, OUT capacity integer, OUT evicted bigint, OUT obstacle text)
    RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'lmtext_get_stats_info'
    LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED COST 1000 ROWS 1;
COMMENT ON FUNCTION lmtext_internal.get_stats_info() IS 'fill state of the statistics of calls';

CREATE VIEW lmtext.stats_info AS SELECT * FROM lmtext_internal.get_stats_info();
COMMENT ON VIEW lmtext.stats_info IS 'fill state of the statistics of calls, for the whole server';
COMMENT ON COLUMN lmtext.stats_info.entries IS 'number of rows of lmtext.stats, of all roles and databases';
COMMENT ON COLUMN lmtext.stats_info.evicted IS
    'number of rows that were dropped because the statistics were full; the least recently used rows are dropped first';
COMMENT ON COLUMN lmtext.stats_info.obstacle IS
    'reason why there are no statistics (shared memory was not available); NULL if there are';

CREATE FUNCTION lmtext.stats_reset() RETURNS void
    AS 'MODULE_PATHNAME', 'lmtext_reset_stats'
    LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000;
COMMENT ON FUNCTION lmtext.stats_reset() IS 'reset the statistics of calls in this database';
REVOKE EXECUTE ON FUNCTION lmtext.stats_reset() FROM PUBLIC;

CREATE FUNCTION lmtext.health(OUT "check" text, OUT status text, OUT detail text, OUT hint text)
    RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'lmtext_health'
    LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED COST 100000 ROWS 20;
COMMENT ON FUNCTION lmtext.health() IS
    'state of lmtext as far as the caller may see it: one row for each check, with status pass, warn or fail, and a hint where it is not pass';

GRANT SELECT ON lmtext.model_cache, lmtext.device, lmtext.train_runs, lmtext.train_log,
    lmtext.stats, lmtext.stats_info TO PUBLIC;

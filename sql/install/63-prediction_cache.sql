-- 63-prediction_cache: results of models in shared memory.

CREATE FUNCTION lmtext_internal.get_prediction_cache(
    OUT model regclass, OUT version text, OUT database text, OUT function text, OUT entries bigint,
    OUT bytes bigint, OUT hits bigint, OUT misses bigint, OUT evictions bigint, OUT last_used timestamptz)
    RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'lmtext_get_prediction_cache'
    LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED COST 10000 ROWS 20;
COMMENT ON FUNCTION lmtext_internal.get_prediction_cache() IS
    'what the prediction cache has of versions that the caller may use; of all of them for members of pg_monitor';

CREATE VIEW lmtext.prediction_cache AS SELECT * FROM lmtext_internal.get_prediction_cache();
COMMENT ON VIEW lmtext.prediction_cache IS
    'what the prediction cache has, by version and function, of versions that the caller may use; of all of them, in all databases, for members of pg_monitor';
COMMENT ON COLUMN lmtext.prediction_cache.model IS
    'table of the version; NULL if it was dropped, is in another database, or is being changed by another session';
COMMENT ON COLUMN lmtext.prediction_cache.version IS 'name of the version, even if it was dropped';
COMMENT ON COLUMN lmtext.prediction_cache.function IS
    'what is kept: embed for vectors, class_scores for the scores of all labels; other functions that need the same result find it too';
COMMENT ON COLUMN lmtext.prediction_cache.entries IS 'results that are kept';
COMMENT ON COLUMN lmtext.prediction_cache.bytes IS 'shared memory that they take';
COMMENT ON COLUMN lmtext.prediction_cache.hits IS 'texts whose results were found';
COMMENT ON COLUMN lmtext.prediction_cache.misses IS 'texts whose results were looked for and not found';
COMMENT ON COLUMN lmtext.prediction_cache.evictions IS 'results that were dropped: the least recently used to make room for others, all of them where the size was changed';
COMMENT ON COLUMN lmtext.prediction_cache.last_used IS
    'start of the last statement that looked for such a result';

CREATE FUNCTION lmtext_internal.get_prediction_cache_info(
    OUT bytes bigint, OUT used bigint, OUT entries bigint, OUT obstacle text)
    RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'lmtext_get_prediction_cache_info'
    LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED COST 10000 ROWS 1;
COMMENT ON FUNCTION lmtext_internal.get_prediction_cache_info() IS 'fill state of the prediction cache';

CREATE VIEW lmtext.prediction_cache_info AS SELECT * FROM lmtext_internal.get_prediction_cache_info();
COMMENT ON VIEW lmtext.prediction_cache_info IS 'fill state of the prediction cache, for the whole server';
COMMENT ON COLUMN lmtext.prediction_cache_info.bytes IS
    'shared memory of the cache; 0 if it is off';
COMMENT ON COLUMN lmtext.prediction_cache_info.used IS 'part of it that holds results';
COMMENT ON COLUMN lmtext.prediction_cache_info.entries IS 'results that are kept';
COMMENT ON COLUMN lmtext.prediction_cache_info.obstacle IS
    'reason why there is no cache although it is on (shared memory was not available); NULL if there is one';

CREATE FUNCTION lmtext.prediction_cache_reset() RETURNS void
    AS 'MODULE_PATHNAME', 'lmtext_reset_prediction_cache'
    LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000;
COMMENT ON FUNCTION lmtext.prediction_cache_reset() IS
    'empty the prediction cache of the server and reset its counts';
REVOKE EXECUTE ON FUNCTION lmtext.prediction_cache_reset() FROM PUBLIC;

GRANT SELECT ON lmtext.prediction_cache, lmtext.prediction_cache_info TO PUBLIC;

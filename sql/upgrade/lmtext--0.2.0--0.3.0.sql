-- 0.2.0 to 0.3.0: what sql/install has gained since. test/t compares the outcome with a fresh install.
\echo Use "ALTER EXTENSION lmtext UPDATE" to load this file. \quit

-- 00-schema: functions that are not called by name have a schema of their own.
CREATE SCHEMA lmtext_internal;
COMMENT ON SCHEMA lmtext_internal IS
    'parts of the extension lmtext that are not to be called by name';
GRANT USAGE ON SCHEMA lmtext_internal TO PUBLIC;
ALTER FUNCTION lmtext.describe_model(regclass) SET SCHEMA lmtext_internal;
ALTER FUNCTION lmtext.family_list() SET SCHEMA lmtext_internal;
ALTER FUNCTION lmtext.token_support(internal) SET SCHEMA lmtext_internal;
ALTER FUNCTION lmtext.embed_support(internal) SET SCHEMA lmtext_internal;
ALTER FUNCTION lmtext.distance_support(internal) SET SCHEMA lmtext_internal;
ALTER FUNCTION lmtext.accuracy_accum(bigint[], anycompatible, anycompatible) SET SCHEMA lmtext_internal;
ALTER FUNCTION lmtext.accuracy_combine(bigint[], bigint[]) SET SCHEMA lmtext_internal;
ALTER FUNCTION lmtext.accuracy_final(bigint[]) SET SCHEMA lmtext_internal;
ALTER FUNCTION lmtext.f1_accum(internal, text, text) SET SCHEMA lmtext_internal;
ALTER FUNCTION lmtext.f1_accum(internal, text, text, text) SET SCHEMA lmtext_internal;
ALTER FUNCTION lmtext.f1_accum(internal, text, text, text, text) SET SCHEMA lmtext_internal;
ALTER FUNCTION lmtext.f1_combine(internal, internal) SET SCHEMA lmtext_internal;
ALTER FUNCTION lmtext.f1_serialize(internal) SET SCHEMA lmtext_internal;
ALTER FUNCTION lmtext.f1_deserialize(bytea, internal) SET SCHEMA lmtext_internal;
ALTER FUNCTION lmtext.f1_final(internal) SET SCHEMA lmtext_internal;
ALTER FUNCTION lmtext.cosine_distance_support(internal) SET SCHEMA lmtext_internal;
ALTER FUNCTION lmtext.l2_distance_support(internal) SET SCHEMA lmtext_internal;
ALTER FUNCTION lmtext.inner_product_support(internal) SET SCHEMA lmtext_internal;
ALTER FUNCTION lmtext.mean_transition(internal, real[]) SET SCHEMA lmtext_internal;
ALTER FUNCTION lmtext.mean_combine(internal, internal) SET SCHEMA lmtext_internal;
ALTER FUNCTION lmtext.mean_serialize(internal) SET SCHEMA lmtext_internal;
ALTER FUNCTION lmtext.mean_deserialize(bytea, internal) SET SCHEMA lmtext_internal;
ALTER FUNCTION lmtext.mean_final(internal) SET SCHEMA lmtext_internal;
ALTER FUNCTION lmtext.get_model_cache() SET SCHEMA lmtext_internal;
ALTER FUNCTION lmtext.get_device() SET SCHEMA lmtext_internal;
ALTER FUNCTION lmtext.get_train_runs() SET SCHEMA lmtext_internal;
ALTER FUNCTION lmtext.get_train_log() SET SCHEMA lmtext_internal;
ALTER FUNCTION lmtext.get_stats() SET SCHEMA lmtext_internal;
ALTER FUNCTION lmtext.get_stats_info() SET SCHEMA lmtext_internal;

-- 20-models

-- 30-tokenize

-- 31-embed

-- 32-classify

-- 40-train

-- 41-metrics: f1 takes labels of any type, and the report marks its means. In place, as the updates of
-- citext and intarray do it, since views may depend on them: no new function could take their place.
UPDATE pg_catalog.pg_proc
SET proargtypes = pg_catalog.replace(proargtypes::pg_catalog.text, '2281 25 25', '2281 5077 5077')::pg_catalog.oidvector
WHERE proname OPERATOR(pg_catalog.=) 'f1_accum'
    AND pronamespace OPERATOR(pg_catalog.=) 'lmtext_internal'::pg_catalog.regnamespace;
UPDATE pg_catalog.pg_proc
SET proargtypes = pg_catalog.regexp_replace(proargtypes::pg_catalog.text, '^25 25', '5077 5077')::pg_catalog.oidvector
WHERE proname OPERATOR(pg_catalog.=) 'f1'
    AND pronamespace OPERATOR(pg_catalog.=) 'lmtext'::pg_catalog.regnamespace;
-- Their last argument, the label.
UPDATE pg_catalog.pg_proc
SET proargtypes = pg_catalog.regexp_replace(proargtypes::pg_catalog.text, ' 25 25$', ' 25 5077')::pg_catalog.oidvector
WHERE (proname OPERATOR(pg_catalog.=) 'f1_accum' AND pronargs OPERATOR(pg_catalog.=) 5::pg_catalog.int2
       AND pronamespace OPERATOR(pg_catalog.=) 'lmtext_internal'::pg_catalog.regnamespace)
    OR (proname OPERATOR(pg_catalog.=) 'f1' AND pronargs OPERATOR(pg_catalog.=) 4::pg_catalog.int2
        AND pronamespace OPERATOR(pg_catalog.=) 'lmtext'::pg_catalog.regnamespace);
UPDATE pg_catalog.pg_proc
SET proallargtypes = pg_catalog.array_append(proallargtypes, 16::pg_catalog.oid),
    proargmodes = pg_catalog.array_append(proargmodes, 't'::pg_catalog."char"),
    proargnames = pg_catalog.array_append(proargnames, 'summary'::pg_catalog.text)
WHERE oid OPERATOR(pg_catalog.=) 'lmtext.classification_report(text)'::pg_catalog.regprocedure;
COMMENT ON FUNCTION lmtext.classification_report(text) IS
    'scores of each label over a query of (actual, predicted), then their means, whose column summary is true';

-- 50-search

-- 90-monitoring
COMMENT ON COLUMN lmtext.train_runs.total IS 'rows to train on; NULL until all have been read';
COMMENT ON COLUMN lmtext.train_runs.loss IS 'on the rows trained on; NULL before the first step';
COMMENT ON COLUMN lmtext.train_runs.held_out_loss IS 'NULL where no row is held out, and before the first step';
COMMENT ON COLUMN lmtext.train_runs.held_out_accuracy IS
    'NULL where no row is held out, and before the first step';
COMMENT ON COLUMN lmtext.train_log.held_out_loss IS 'NULL where no row is held out';
COMMENT ON COLUMN lmtext.train_log.held_out_accuracy IS 'NULL where no row is held out';
-- cached takes the place of cache_hits, in place, since views may depend on it.
UPDATE pg_catalog.pg_proc
SET proargnames = pg_catalog.array_replace(proargnames, 'cache_hits'::pg_catalog.text, 'cached'::pg_catalog.text)
WHERE oid OPERATOR(pg_catalog.=) 'lmtext_internal.get_stats()'::pg_catalog.regprocedure;
ALTER VIEW lmtext.stats RENAME COLUMN cache_hits TO cached;
CREATE OR REPLACE VIEW lmtext.stats AS SELECT * FROM lmtext_internal.get_stats();
COMMENT ON COLUMN lmtext.stats.calls IS
    'evaluations with a text that is not null that computed something or failed; with cached, all evaluations';
COMMENT ON COLUMN lmtext.stats.cached IS
    'evaluations that were answered by what the statement had computed before; they are not among calls nor in times';

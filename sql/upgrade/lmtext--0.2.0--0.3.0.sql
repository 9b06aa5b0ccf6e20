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

-- 41-metrics

-- 50-search

-- 90-monitoring

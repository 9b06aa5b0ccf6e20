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

-- 20-models: a row says what its version's state is. The view stays, with what users have built on it: it lets go of the
-- function, which has one column more afterwards.
CREATE OR REPLACE VIEW lmtext.models AS
    SELECT NULL::pg_catalog.text AS name, NULL::pg_catalog.int4 AS version, NULL::pg_catalog.bool AS deployed,
           NULL::pg_catalog.text AS family, NULL::pg_catalog.text AS task, NULL::pg_catalog.text AS "precision",
           NULL::pg_catalog.int4 AS dimensions, NULL::pg_catalog.int4 AS max_tokens, NULL::pg_catalog.int8 AS parameters,
           NULL::pg_catalog.int8 AS bytes, NULL::pg_catalog.text AS sha256, NULL::pg_catalog.text[] AS labels,
           NULL::pg_catalog.text AS licence, NULL::pg_catalog.regclass AS base, NULL::pg_catalog.name AS owner,
           NULL::pg_catalog.timestamptz AS created_at, NULL::pg_catalog.jsonb AS metrics,
           NULL::pg_catalog.regclass AS model;
DROP FUNCTION lmtext_internal.describe_model(regclass);
CREATE FUNCTION lmtext_internal.describe_model(
    model regclass,
    OUT name text, OUT version integer, OUT deployed boolean, OUT family text, OUT task text,
    OUT "precision" text, OUT dimensions integer, OUT max_tokens integer, OUT parameters bigint,
    OUT bytes bigint, OUT sha256 text, OUT labels text[], OUT licence text, OUT base regclass,
    OUT created_at timestamptz, OUT metrics jsonb, OUT status text)
    RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'lmtext_describe_model'
    LANGUAGE C STABLE STRICT PARALLEL SAFE COST 1000 ROWS 1;
COMMENT ON FUNCTION lmtext_internal.describe_model(regclass) IS
    'what a model version''s manifest says; no row where it is none or the caller may not use it';

CREATE OR REPLACE VIEW lmtext.models AS
    SELECT d.name, d.version, d.deployed, d.family, d.task, d."precision", d.dimensions,
           d.max_tokens, d.parameters, d.bytes, d.sha256, d.labels, d.licence, d.base,
           pg_catalog.pg_get_userbyid(c.relowner) AS owner, d.created_at, d.metrics,
           c.oid::pg_catalog.regclass AS model, d.status
    FROM pg_catalog.pg_class c
    CROSS JOIN LATERAL lmtext_internal.describe_model(c.oid::pg_catalog.regclass) d
    WHERE c.relkind OPERATOR(pg_catalog.=) 'r'::pg_catalog."char"
        AND c.reloftype OPERATOR(pg_catalog.=) 'lmtext.model_part'::pg_catalog.regtype::pg_catalog.oid;
COMMENT ON COLUMN lmtext.models.status IS
    'ready; busy (another session is dropping or changing it, so that most columns are NULL: the view does not wait); incomplete (no manifest); damaged (a manifest that cannot be read)';
COMMENT ON FUNCTION lmtext.import_model(text, text, jsonb) IS
    'make the next version of a model from a directory of the server; returns its number. For roles that are granted EXECUTE';
COMMENT ON FUNCTION lmtext.import_model(text, jsonb, jsonb) IS
    'make the next version of a model from large objects, given as {"file name": oid}; returns its number. For roles that are granted EXECUTE';
-- Owners need no grant: the functions check who may.
GRANT EXECUTE ON FUNCTION
    lmtext.quantize(text, text, text[]), lmtext.deploy(text, integer), lmtext.drop_model(text),
    lmtext.grant_model(text, pg_catalog.regrole, text), lmtext.revoke_model(text, pg_catalog.regrole, text)
    TO PUBLIC;

-- 30-tokenize

-- 31-embed
COMMENT ON FUNCTION lmtext.embed_trigger() IS
    'keeps a column of vectors: embed_trigger(''text column or expression'', ''vector column'', ''model@version'')';

-- 32-classify

-- 40-train
COMMENT ON PROCEDURE lmtext.train(text, text, jsonb) IS
    'trains a classifier on the rows (text, label) of a query and stores it as a new model version. For roles that are granted EXECUTE';

-- 41-metrics

-- 50-search

-- 90-monitoring
COMMENT ON COLUMN lmtext.stats.model IS
    'the version''s table; NULL where it has been dropped, is in another database, was not known, or another session is changing it';

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
CREATE FUNCTION lmtext.classify(text text, model text, min_score real) RETURNS text
    AS 'MODULE_PATHNAME', 'lmtext_classify_bounded' LANGUAGE C STABLE PARALLEL SAFE COST 100000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.classify(text, text, real) IS
    'label with the highest score for a text, NULL where the score is below min_score';

CREATE FUNCTION lmtext.classify(
        text text, model regclass, min_score real, on_long text DEFAULT 'truncate')
    RETURNS text
    AS 'MODULE_PATHNAME', 'lmtext_classify_bounded' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.classify(text, regclass, real, text) IS
    'label with the highest score for a text, NULL where the score is below min_score (version pinned)';

CREATE FUNCTION lmtext.classify(texts text[], model text, min_score real) RETURNS text[]
    AS 'MODULE_PATHNAME', 'lmtext_classify_array_bounded' LANGUAGE C STABLE PARALLEL SAFE
    COST 1000000 SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.classify(text[], text, real) IS
    'labels with the highest scores for texts, NULL where a score is below min_score, computed as one batch';

CREATE FUNCTION lmtext.classify(
        texts text[], model regclass, min_score real, on_long text DEFAULT 'truncate')
    RETURNS text[]
    AS 'MODULE_PATHNAME', 'lmtext_classify_array_bounded' LANGUAGE C IMMUTABLE PARALLEL SAFE
    COST 1000000 SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.classify(text[], regclass, real, text) IS
    'labels with the highest scores for texts, NULL where a score is below min_score, computed as one batch (version pinned)';

CREATE FUNCTION lmtext.classify(vector real[], model text DEFAULT NULL, min_score real DEFAULT NULL)
    RETURNS text
    AS 'MODULE_PATHNAME', 'lmtext_classify_vector' LANGUAGE C STABLE PARALLEL SAFE COST 20;
COMMENT ON FUNCTION lmtext.classify(real[], text, real) IS
    'label with the highest score for an embedding by the base of the model';

CREATE FUNCTION lmtext.classify(vector real[], model regclass, min_score real DEFAULT NULL)
    RETURNS text
    AS 'MODULE_PATHNAME', 'lmtext_classify_vector' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 20;
COMMENT ON FUNCTION lmtext.classify(real[], regclass, real) IS
    'label with the highest score for an embedding by the base of the model (version pinned)';

CREATE TYPE lmtext.scored_label AS (
    label text,
    score real
);
COMMENT ON TYPE lmtext.scored_label IS 'a label and its probability';
COMMENT ON COLUMN lmtext.scored_label.label IS
    'the label; NULL where the score is below the min_score that was asked for';
COMMENT ON COLUMN lmtext.scored_label.score IS 'its probability';

CREATE FUNCTION lmtext.classify_scored(
        text text, model text DEFAULT NULL, min_score real DEFAULT NULL)
    RETURNS lmtext.scored_label
    AS 'MODULE_PATHNAME', 'lmtext_classify_scored' LANGUAGE C STABLE PARALLEL SAFE COST 100000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.classify_scored(text, text, real) IS
    'label with the highest score for a text, and that score';

CREATE FUNCTION lmtext.classify_scored(
        text text, model regclass, min_score real DEFAULT NULL, on_long text DEFAULT 'truncate')
    RETURNS lmtext.scored_label
    AS 'MODULE_PATHNAME', 'lmtext_classify_scored' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.classify_scored(text, regclass, real, text) IS
    'label with the highest score for a text, and that score (version pinned)';

CREATE FUNCTION lmtext.classify_scored(
        texts text[], model text DEFAULT NULL, min_score real DEFAULT NULL)
    RETURNS lmtext.scored_label[]
    AS 'MODULE_PATHNAME', 'lmtext_classify_scored_array' LANGUAGE C STABLE PARALLEL SAFE
    COST 1000000 SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.classify_scored(text[], text, real) IS
    'labels with the highest scores for texts, and those scores, computed as one batch';

CREATE FUNCTION lmtext.classify_scored(
        texts text[], model regclass, min_score real DEFAULT NULL, on_long text DEFAULT 'truncate')
    RETURNS lmtext.scored_label[]
    AS 'MODULE_PATHNAME', 'lmtext_classify_scored_array' LANGUAGE C IMMUTABLE PARALLEL SAFE
    COST 1000000 SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.classify_scored(text[], regclass, real, text) IS
    'labels with the highest scores for texts, and those scores, computed as one batch (version pinned)';

CREATE FUNCTION lmtext.classify_scored(
        vector real[], model text DEFAULT NULL, min_score real DEFAULT NULL)
    RETURNS lmtext.scored_label
    AS 'MODULE_PATHNAME', 'lmtext_classify_scored_vector' LANGUAGE C STABLE PARALLEL SAFE COST 20;
COMMENT ON FUNCTION lmtext.classify_scored(real[], text, real) IS
    'label with the highest score for an embedding by the base of the model, and that score';

CREATE FUNCTION lmtext.classify_scored(vector real[], model regclass, min_score real DEFAULT NULL)
    RETURNS lmtext.scored_label
    AS 'MODULE_PATHNAME', 'lmtext_classify_scored_vector' LANGUAGE C IMMUTABLE PARALLEL SAFE
    COST 20;
COMMENT ON FUNCTION lmtext.classify_scored(real[], regclass, real) IS
    'label with the highest score for an embedding by the base of the model, and that score (version pinned)';

CREATE FUNCTION lmtext.class_scores(vector real[], model text DEFAULT NULL)
    RETURNS TABLE (label text, score real)
    AS 'MODULE_PATHNAME', 'lmtext_class_scores_vector' LANGUAGE C STABLE PARALLEL SAFE COST 50
    ROWS 20;
COMMENT ON FUNCTION lmtext.class_scores(real[], text) IS
    'probability of every label for an embedding by the base of the model, the highest first';

CREATE FUNCTION lmtext.class_scores(vector real[], model regclass)
    RETURNS TABLE (label text, score real)
    AS 'MODULE_PATHNAME', 'lmtext_class_scores_vector' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 50
    ROWS 20;
COMMENT ON FUNCTION lmtext.class_scores(real[], regclass) IS
    'probability of every label for an embedding by the base of the model, the highest first (version pinned)';

-- 40-train
COMMENT ON PROCEDURE lmtext.train(text, text, jsonb) IS
    'trains a classifier on the rows (text, label) of a query and stores it as a new model version. For roles that are granted EXECUTE';

-- 41-metrics

-- 50-search

-- 90-monitoring
COMMENT ON COLUMN lmtext.stats.model IS
    'the version''s table; NULL where it has been dropped, is in another database, was not known, or another session is changing it';

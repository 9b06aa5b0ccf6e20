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

-- 41-metrics

-- 50-search

-- 90-monitoring

-- 32-classify: labels of texts by a trained head. Named forms are STABLE; pinned forms are IMMUTABLE
-- and obey no setting. The forms of classify with min_score are functions of their own, without a
-- default: the older ones keep their signatures, on which views and indexes depend.

CREATE FUNCTION lmtext.classify(text text, model text DEFAULT NULL) RETURNS text
    AS 'MODULE_PATHNAME', 'lmtext_classify' LANGUAGE C STABLE PARALLEL SAFE COST 100000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.classify(text, text) IS 'label with the highest score for a text';

CREATE FUNCTION lmtext.classify(text text, model regclass, on_long text DEFAULT 'truncate')
    RETURNS text
    AS 'MODULE_PATHNAME', 'lmtext_classify' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.classify(text, regclass, text) IS
    'label with the highest score for a text (version pinned)';

CREATE FUNCTION lmtext.classify(texts text[], model text DEFAULT NULL) RETURNS text[]
    AS 'MODULE_PATHNAME', 'lmtext_classify_array' LANGUAGE C STABLE PARALLEL SAFE COST 1000000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.classify(text[], text) IS
    'labels with the highest scores for texts, computed as one batch';

CREATE FUNCTION lmtext.classify(texts text[], model regclass, on_long text DEFAULT 'truncate')
    RETURNS text[]
    AS 'MODULE_PATHNAME', 'lmtext_classify_array' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.classify(text[], regclass, text) IS
    'labels with the highest scores for texts, computed as one batch (version pinned)';

CREATE FUNCTION lmtext.classify(text text, model text, min_score real) RETURNS text
    AS 'MODULE_PATHNAME', 'lmtext_classify_bounded' LANGUAGE C STABLE PARALLEL SAFE COST 100000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.classify(text, text, real) IS
    'label with the highest score for a text, NULL if the score is below min_score';

CREATE FUNCTION lmtext.classify(
        text text, model regclass, min_score real, on_long text DEFAULT 'truncate')
    RETURNS text
    AS 'MODULE_PATHNAME', 'lmtext_classify_bounded' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.classify(text, regclass, real, text) IS
    'label with the highest score for a text, NULL if the score is below min_score (version pinned)';

CREATE FUNCTION lmtext.classify(texts text[], model text, min_score real) RETURNS text[]
    AS 'MODULE_PATHNAME', 'lmtext_classify_array_bounded' LANGUAGE C STABLE PARALLEL SAFE
    COST 1000000 SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.classify(text[], text, real) IS
    'labels with the highest scores for texts, NULL if a score is below min_score, computed as one batch';

CREATE FUNCTION lmtext.classify(
        texts text[], model regclass, min_score real, on_long text DEFAULT 'truncate')
    RETURNS text[]
    AS 'MODULE_PATHNAME', 'lmtext_classify_array_bounded' LANGUAGE C IMMUTABLE PARALLEL SAFE
    COST 1000000 SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.classify(text[], regclass, real, text) IS
    'labels with the highest scores for texts, NULL if a score is below min_score, computed as one batch (version pinned)';

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
    'label; NULL if the score is below min_score';
COMMENT ON COLUMN lmtext.scored_label.score IS 'probability of the label';

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

CREATE FUNCTION lmtext.class_scores(text text, model text DEFAULT NULL)
    RETURNS TABLE (label text, score real)
    AS 'MODULE_PATHNAME', 'lmtext_class_scores' LANGUAGE C STABLE PARALLEL SAFE COST 100000 ROWS 20
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.class_scores(text, text) IS
    'probability of each label for a text, highest first';

CREATE FUNCTION lmtext.class_scores(text text, model regclass, on_long text DEFAULT 'truncate')
    RETURNS TABLE (label text, score real)
    AS 'MODULE_PATHNAME', 'lmtext_class_scores' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100000
    ROWS 20 SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.class_scores(text, regclass, text) IS
    'probability of each label for a text, highest first (version pinned)';

CREATE FUNCTION lmtext.class_scores(texts text[], model text DEFAULT NULL)
    RETURNS TABLE (ordinality bigint, label text, score real)
    AS 'MODULE_PATHNAME', 'lmtext_class_scores_array' LANGUAGE C STABLE PARALLEL SAFE COST 1000000
    ROWS 200 SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.class_scores(text[], text) IS
    'probability of each label for each text of an array, computed as one batch';

CREATE FUNCTION lmtext.class_scores(texts text[], model regclass, on_long text DEFAULT 'truncate')
    RETURNS TABLE (ordinality bigint, label text, score real)
    AS 'MODULE_PATHNAME', 'lmtext_class_scores_array' LANGUAGE C IMMUTABLE PARALLEL SAFE
    COST 1000000 ROWS 200 SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.class_scores(text[], regclass, text) IS
    'probability of each label for each text of an array, computed as one batch (version pinned)';

CREATE FUNCTION lmtext.class_scores(vector real[], model text DEFAULT NULL)
    RETURNS TABLE (label text, score real)
    AS 'MODULE_PATHNAME', 'lmtext_class_scores_vector' LANGUAGE C STABLE PARALLEL SAFE COST 50
    ROWS 20;
COMMENT ON FUNCTION lmtext.class_scores(real[], text) IS
    'probability of each label for an embedding by the base of the model, highest first';

CREATE FUNCTION lmtext.class_scores(vector real[], model regclass)
    RETURNS TABLE (label text, score real)
    AS 'MODULE_PATHNAME', 'lmtext_class_scores_vector' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 50
    ROWS 20;
COMMENT ON FUNCTION lmtext.class_scores(real[], regclass) IS
    'probability of each label for an embedding by the base of the model, highest first (version pinned)';

CREATE FUNCTION lmtext.labels(text text, model text DEFAULT NULL, min_score real DEFAULT 0.5)
    RETURNS text[]
    AS 'MODULE_PATHNAME', 'lmtext_labels' LANGUAGE C STABLE PARALLEL SAFE COST 100000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.labels(text, text, real) IS
    'labels of a text whose score is at least min_score, highest first: all that hold, by a model of several labels a text';

CREATE FUNCTION lmtext.labels(
        text text, model regclass, min_score real DEFAULT 0.5, on_long text DEFAULT 'truncate')
    RETURNS text[]
    AS 'MODULE_PATHNAME', 'lmtext_labels' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.labels(text, regclass, real, text) IS
    'labels of a text whose score is at least min_score, highest first (version pinned)';

CREATE FUNCTION lmtext.labels(texts text[], model text DEFAULT NULL, min_score real DEFAULT 0.5)
    RETURNS TABLE (ordinality bigint, labels text[])
    AS 'MODULE_PATHNAME', 'lmtext_labels_array' LANGUAGE C STABLE PARALLEL SAFE COST 1000000
    ROWS 100 SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.labels(text[], text, real) IS
    'labels of each text of an array whose score is at least min_score, highest first, computed as one batch';

CREATE FUNCTION lmtext.labels(
        texts text[], model regclass, min_score real DEFAULT 0.5, on_long text DEFAULT 'truncate')
    RETURNS TABLE (ordinality bigint, labels text[])
    AS 'MODULE_PATHNAME', 'lmtext_labels_array' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000000
    ROWS 100 SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.labels(text[], regclass, real, text) IS
    'labels of each text of an array whose score is at least min_score, highest first, computed as one batch (version pinned)';

CREATE FUNCTION lmtext.labels(vector real[], model text DEFAULT NULL, min_score real DEFAULT 0.5)
    RETURNS text[]
    AS 'MODULE_PATHNAME', 'lmtext_labels_vector' LANGUAGE C STABLE PARALLEL SAFE COST 50;
COMMENT ON FUNCTION lmtext.labels(real[], text, real) IS
    'labels whose score is at least min_score for an embedding by the base of the model, highest first';

CREATE FUNCTION lmtext.labels(vector real[], model regclass, min_score real DEFAULT 0.5)
    RETURNS text[]
    AS 'MODULE_PATHNAME', 'lmtext_labels_vector' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 50;
COMMENT ON FUNCTION lmtext.labels(real[], regclass, real) IS
    'labels whose score is at least min_score for an embedding by the base of the model, highest first (version pinned)';

CREATE FUNCTION lmtext.explain(
    text text,
    model text DEFAULT NULL,
    label text DEFAULT NULL,
    method text DEFAULT 'integrated_gradients',
    steps integer DEFAULT NULL,
    baseline text DEFAULT NULL)
    RETURNS TABLE (token text, start integer, stop integer, attribution real)
    AS 'MODULE_PATHNAME', 'lmtext_explain' LANGUAGE C STABLE PARALLEL SAFE COST 10000000 ROWS 50
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.explain(text, text, text, text, integer, text) IS
    'words of a text and their shares of the score of a label';

CREATE FUNCTION lmtext.explain(
    text text,
    model regclass,
    label text DEFAULT NULL,
    method text DEFAULT 'integrated_gradients',
    steps integer DEFAULT NULL,
    baseline text DEFAULT NULL,
    on_long text DEFAULT 'truncate')
    RETURNS TABLE (token text, start integer, stop integer, attribution real)
    AS 'MODULE_PATHNAME', 'lmtext_explain' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 10000000 ROWS 50
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.explain(text, regclass, text, text, integer, text, text) IS
    'words of a text and their shares of the score of a label (version pinned)';

CREATE FUNCTION lmtext.explain(
    texts text[],
    model text DEFAULT NULL,
    label text DEFAULT NULL,
    method text DEFAULT 'integrated_gradients',
    steps integer DEFAULT NULL,
    baseline text DEFAULT NULL)
    RETURNS TABLE (ordinality bigint, token text, start integer, stop integer, attribution real)
    AS 'MODULE_PATHNAME', 'lmtext_explain_array' LANGUAGE C STABLE PARALLEL SAFE COST 100000000 ROWS 500
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.explain(text[], text, text, text, integer, text) IS
    'words of each text of an array and their shares of the score of a label';

CREATE FUNCTION lmtext.explain(
    texts text[],
    model regclass,
    label text DEFAULT NULL,
    method text DEFAULT 'integrated_gradients',
    steps integer DEFAULT NULL,
    baseline text DEFAULT NULL,
    on_long text DEFAULT 'truncate')
    RETURNS TABLE (ordinality bigint, token text, start integer, stop integer, attribution real)
    AS 'MODULE_PATHNAME', 'lmtext_explain_array' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100000000 ROWS 500
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.explain(text[], regclass, text, text, integer, text, text) IS
    'words of each text of an array and their shares of the score of a label (version pinned)';

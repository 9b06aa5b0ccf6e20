-- 32-classify: labels of texts by a trained head. Named forms are STABLE; pinned forms are IMMUTABLE
-- and obey no setting.

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

CREATE FUNCTION lmtext.class_scores(text text, model text DEFAULT NULL)
    RETURNS TABLE (label text, score real)
    AS 'MODULE_PATHNAME', 'lmtext_class_scores' LANGUAGE C STABLE PARALLEL SAFE COST 100000 ROWS 20
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.class_scores(text, text) IS
    'probability of every label for a text, the highest first';

CREATE FUNCTION lmtext.class_scores(text text, model regclass, on_long text DEFAULT 'truncate')
    RETURNS TABLE (label text, score real)
    AS 'MODULE_PATHNAME', 'lmtext_class_scores' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100000
    ROWS 20 SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.class_scores(text, regclass, text) IS
    'probability of every label for a text, the highest first (version pinned)';

CREATE FUNCTION lmtext.class_scores(texts text[], model text DEFAULT NULL)
    RETURNS TABLE (ordinality bigint, label text, score real)
    AS 'MODULE_PATHNAME', 'lmtext_class_scores_array' LANGUAGE C STABLE PARALLEL SAFE COST 1000000
    ROWS 200 SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.class_scores(text[], text) IS
    'probability of every label for each text of an array, computed as one batch';

CREATE FUNCTION lmtext.class_scores(texts text[], model regclass, on_long text DEFAULT 'truncate')
    RETURNS TABLE (ordinality bigint, label text, score real)
    AS 'MODULE_PATHNAME', 'lmtext_class_scores_array' LANGUAGE C IMMUTABLE PARALLEL SAFE
    COST 1000000 ROWS 200 SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.class_scores(text[], regclass, text) IS
    'probability of every label for each text of an array, computed as one batch (version pinned)';

-- 36-rerank: functions of pairs of texts, by the head of a checkpoint. Named forms are STABLE; pinned ones are IMMUTABLE
-- and obey no setting.

CREATE FUNCTION lmtext.rerank(query text, document text, model text DEFAULT NULL)
    RETURNS real
    AS 'MODULE_PATHNAME', 'lmtext_rerank' LANGUAGE C STABLE PARALLEL SAFE COST 100000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.rerank(text, text, text) IS
    'how well a document suits a query, by a cross-encoder';

CREATE FUNCTION lmtext.rerank(query text, document text, model regclass, on_long text DEFAULT 'truncate')
    RETURNS real
    AS 'MODULE_PATHNAME', 'lmtext_rerank' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.rerank(text, text, regclass, text) IS
    'how well a document suits a query, by a cross-encoder (version pinned)';

CREATE FUNCTION lmtext.rerank(query text, documents text[], model text DEFAULT NULL)
    RETURNS real[]
    AS 'MODULE_PATHNAME', 'lmtext_rerank_array' LANGUAGE C STABLE PARALLEL SAFE COST 1000000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.rerank(text, text[], text) IS
    'how well each document of an array suits a query, by a cross-encoder, computed as one batch';

CREATE FUNCTION lmtext.rerank(query text, documents text[], model regclass, on_long text DEFAULT 'truncate')
    RETURNS real[]
    AS 'MODULE_PATHNAME', 'lmtext_rerank_array' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.rerank(text, text[], regclass, text) IS
    'how well each document of an array suits a query, by a cross-encoder, computed as one batch (version pinned)';

CREATE FUNCTION lmtext.next_sentence(a text, b text, model text DEFAULT NULL)
    RETURNS real
    AS 'MODULE_PATHNAME', 'lmtext_next_sentence' LANGUAGE C STABLE PARALLEL SAFE COST 100000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.next_sentence(text, text, text) IS
    'probability that the second text follows the first';

CREATE FUNCTION lmtext.next_sentence(a text, b text, model regclass, on_long text DEFAULT 'truncate')
    RETURNS real
    AS 'MODULE_PATHNAME', 'lmtext_next_sentence' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.next_sentence(text, text, regclass, text) IS
    'probability that the second text follows the first (version pinned)';

CREATE FUNCTION lmtext.next_sentence(a text, candidates text[], model text DEFAULT NULL)
    RETURNS real[]
    AS 'MODULE_PATHNAME', 'lmtext_next_sentence_array' LANGUAGE C STABLE PARALLEL SAFE COST 1000000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.next_sentence(text, text[], text) IS
    'probability of each text of an array that it follows the first text, computed as one batch';

CREATE FUNCTION lmtext.next_sentence(a text, candidates text[], model regclass, on_long text DEFAULT 'truncate')
    RETURNS real[]
    AS 'MODULE_PATHNAME', 'lmtext_next_sentence_array' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.next_sentence(text, text[], regclass, text) IS
    'probability of each text of an array that it follows the first text, computed as one batch (version pinned)';

CREATE FUNCTION lmtext.entails(premise text, hypothesis text, model text DEFAULT NULL)
    RETURNS TABLE (label text, score real)
    AS 'MODULE_PATHNAME', 'lmtext_entails' LANGUAGE C STABLE PARALLEL SAFE COST 100000 ROWS 3
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.entails(text, text, text) IS
    'scores of what a hypothesis is to a premise, best first';

CREATE FUNCTION lmtext.entails(premise text, hypothesis text, model regclass, on_long text DEFAULT 'truncate')
    RETURNS TABLE (label text, score real)
    AS 'MODULE_PATHNAME', 'lmtext_entails' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100000 ROWS 3
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.entails(text, text, regclass, text) IS
    'scores of what a hypothesis is to a premise, best first (version pinned)';

CREATE FUNCTION lmtext.entails(premise text, hypotheses text[], model text DEFAULT NULL)
    RETURNS TABLE (ordinality bigint, label text, score real)
    AS 'MODULE_PATHNAME', 'lmtext_entails_array' LANGUAGE C STABLE PARALLEL SAFE COST 1000000 ROWS 30
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.entails(text, text[], text) IS
    'scores of what each hypothesis of an array is to a premise, best first, computed as one batch';

CREATE FUNCTION lmtext.entails(premise text, hypotheses text[], model regclass, on_long text DEFAULT 'truncate')
    RETURNS TABLE (ordinality bigint, label text, score real)
    AS 'MODULE_PATHNAME', 'lmtext_entails_array' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000000 ROWS 30
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.entails(text, text[], regclass, text) IS
    'scores of what each hypothesis of an array is to a premise, best first, computed as one batch (version pinned)';

CREATE FUNCTION lmtext.zero_shot(text text, labels text[], model text DEFAULT NULL, template text DEFAULT 'This example is {}.', multi_label boolean DEFAULT false)
    RETURNS TABLE (label text, score real)
    AS 'MODULE_PATHNAME', 'lmtext_zero_shot' LANGUAGE C STABLE PARALLEL SAFE COST 100000 ROWS 5
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.zero_shot(text, text[], text, text, boolean) IS
    'scores of labels for a text, by a model that was not trained on them, best first';

CREATE FUNCTION lmtext.zero_shot(text text, labels text[], model regclass, template text DEFAULT 'This example is {}.', multi_label boolean DEFAULT false, on_long text DEFAULT 'truncate')
    RETURNS TABLE (label text, score real)
    AS 'MODULE_PATHNAME', 'lmtext_zero_shot' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100000 ROWS 5
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.zero_shot(text, text[], regclass, text, boolean, text) IS
    'scores of labels for a text, by a model that was not trained on them, best first (version pinned)';

CREATE FUNCTION lmtext.zero_shot(texts text[], labels text[], model text DEFAULT NULL, template text DEFAULT 'This example is {}.', multi_label boolean DEFAULT false)
    RETURNS TABLE (ordinality bigint, label text, score real)
    AS 'MODULE_PATHNAME', 'lmtext_zero_shot_array' LANGUAGE C STABLE PARALLEL SAFE COST 1000000 ROWS 50
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.zero_shot(text[], text[], text, text, boolean) IS
    'scores of labels for each text of an array, by a model that was not trained on them, best first';

CREATE FUNCTION lmtext.zero_shot(texts text[], labels text[], model regclass, template text DEFAULT 'This example is {}.', multi_label boolean DEFAULT false, on_long text DEFAULT 'truncate')
    RETURNS TABLE (ordinality bigint, label text, score real)
    AS 'MODULE_PATHNAME', 'lmtext_zero_shot_array' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000000 ROWS 50
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.zero_shot(text[], text[], regclass, text, boolean, text) IS
    'scores of labels for each text of an array, by a model that was not trained on them, best first (version pinned)';

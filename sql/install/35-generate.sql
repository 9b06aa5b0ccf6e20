-- 35-generate: what language models say of texts. Named forms are STABLE; pinned forms are IMMUTABLE and obey no setting.

CREATE FUNCTION lmtext.log_probability(text text, model text DEFAULT NULL, given text DEFAULT NULL)
    RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_log_probability' LANGUAGE C STABLE PARALLEL SAFE COST 100
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.log_probability(text, text, text) IS
    'natural logarithm of the probability that a language model gives a text';

CREATE FUNCTION lmtext.log_probability(text text, model regclass, given text DEFAULT NULL)
    RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_log_probability' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.log_probability(text, regclass, text) IS
    'natural logarithm of the probability that a language model gives a text (version pinned)';

CREATE FUNCTION lmtext.log_probability(texts text[], model text DEFAULT NULL, given text DEFAULT NULL)
    RETURNS double precision[]
    AS 'MODULE_PATHNAME', 'lmtext_log_probability_array' LANGUAGE C STABLE PARALLEL SAFE COST 1000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.log_probability(text[], text, text) IS
    'natural logarithms of the probabilities that a language model gives texts';

CREATE FUNCTION lmtext.log_probability(texts text[], model regclass, given text DEFAULT NULL)
    RETURNS double precision[]
    AS 'MODULE_PATHNAME', 'lmtext_log_probability_array' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.log_probability(text[], regclass, text) IS
    'natural logarithms of the probabilities that a language model gives texts (version pinned)';

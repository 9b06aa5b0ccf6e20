-- 70-index: the access method lmtext, its operator classes, and what there is to be known of an index.

CREATE FUNCTION lmtext_internal.index_handler(internal) RETURNS index_am_handler
    AS 'MODULE_PATHNAME', 'lmtext_index_handler' LANGUAGE C STRICT;
COMMENT ON FUNCTION lmtext_internal.index_handler(internal) IS 'internal: the access method lmtext';

CREATE ACCESS METHOD lmtext TYPE INDEX HANDLER lmtext_internal.index_handler;
COMMENT ON ACCESS METHOD lmtext IS 'index of texts by meaning, and of vectors by distance';

-- The strategy number of the one operator says the metric: 1 cosine, 2 Euclidean, 3 inner product.
CREATE FUNCTION lmtext_internal.words_support(internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_words_support' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.words_support(internal) IS 'planner support: the index of the column beside the words of <@>';

CREATE FUNCTION lmtext_internal.bind_words(words text, index oid) RETURNS text
    AS 'MODULE_PATHNAME', 'lmtext_bind_words' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.bind_words(text, oid) IS 'internal: words as they are, with the index whose statistics <@> takes';

CREATE FUNCTION lmtext.words_distance(body text, words text) RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_words_distance' LANGUAGE C STABLE STRICT PARALLEL SAFE COST 20000
    SUPPORT lmtext_internal.words_support;
COMMENT ON FUNCTION lmtext.words_distance(text, text) IS
    'minus the score of a text for words by BM25, as the index of the column counts them';

CREATE OPERATOR @extschema@.<@> (LEFTARG = text, RIGHTARG = text, FUNCTION = lmtext.words_distance);
COMMENT ON OPERATOR @extschema@.<@> (text, text) IS
    'minus the score of a text for words by BM25, as the index of the column counts them';

-- Strategy 4 is no metric: words, in an index WITH (words = true).
CREATE OPERATOR CLASS @extschema@.text_meaning_ops DEFAULT FOR TYPE text USING lmtext AS
    OPERATOR 1 @extschema@.<=> (text, text) FOR ORDER BY pg_catalog.float_ops,
    OPERATOR 4 @extschema@.<@> (text, text) FOR ORDER BY pg_catalog.float_ops;
COMMENT ON OPERATOR CLASS @extschema@.text_meaning_ops USING lmtext IS
    'texts by the cosine distance of their embeddings, and by the BM25 of words';

CREATE OPERATOR CLASS @extschema@.real_cosine_ops DEFAULT FOR TYPE real[] USING lmtext AS
    OPERATOR 1 @extschema@.<=> (real[], real[]) FOR ORDER BY pg_catalog.float_ops;
COMMENT ON OPERATOR CLASS @extschema@.real_cosine_ops USING lmtext IS 'vectors by cosine distance';

CREATE OPERATOR CLASS @extschema@.real_l2_ops FOR TYPE real[] USING lmtext AS
    OPERATOR 2 @extschema@.<-> (real[], real[]) FOR ORDER BY pg_catalog.float_ops;
COMMENT ON OPERATOR CLASS @extschema@.real_l2_ops USING lmtext IS 'vectors by Euclidean distance';

CREATE OPERATOR CLASS @extschema@.real_ip_ops FOR TYPE real[] USING lmtext AS
    OPERATOR 3 @extschema@.<#> (real[], real[]) FOR ORDER BY pg_catalog.float_ops;
COMMENT ON OPERATOR CLASS @extschema@.real_ip_ops USING lmtext IS
    'vectors by their negative inner product';

CREATE FUNCTION lmtext.index_stats(index regclass,
    OUT model text, OUT metric text, OUT dimensions integer, OUT rows bigint, OUT free bigint,
    OUT lists integer, OUT longest_list bigint, OUT empty_lists bigint, OUT bytes bigint)
    RETURNS record
    AS 'MODULE_PATHNAME', 'lmtext_index_stats' LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED COST 100000;
COMMENT ON FUNCTION lmtext.index_stats(regclass) IS
    'numbers of an index of access method lmtext; reads all its pages of codes';
REVOKE EXECUTE ON FUNCTION lmtext.index_stats(regclass) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lmtext.index_stats(regclass) TO pg_stat_scan_tables;

CREATE FUNCTION lmtext.index_check(index regclass, OUT "check" text, OUT ok boolean, OUT detail text)
    RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'lmtext_index_check' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE COST 1000000 ROWS 4;
COMMENT ON FUNCTION lmtext.index_check(regclass) IS
    'compares an index of access method lmtext with its table, which is locked against writes meanwhile';
REVOKE EXECUTE ON FUNCTION lmtext.index_check(regclass) FROM PUBLIC;

CREATE FUNCTION lmtext.index_recall(index regclass, samples integer DEFAULT 100, k integer DEFAULT 10,
    OUT recall double precision, OUT samples integer, OUT k integer)
    RETURNS record
    AS 'MODULE_PATHNAME', 'lmtext_index_recall' LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED COST 1000000;
COMMENT ON FUNCTION lmtext.index_recall(regclass, integer, integer) IS
    'how many of the k nearest rows a search in an index of access method lmtext finds, for some of its own rows';
REVOKE EXECUTE ON FUNCTION lmtext.index_recall(regclass, integer, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lmtext.index_recall(regclass, integer, integer) TO pg_stat_scan_tables;

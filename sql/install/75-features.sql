-- 75-features: words and n-grams of a query's texts. These run a query as the caller, who could run it as well; they
-- write nothing.

CREATE FUNCTION lmtext.tfidf(query text, options jsonb DEFAULT '{}')
    RETURNS TABLE (key text, weights jsonb, vector text)
    AS 'MODULE_PATHNAME', 'lmtext_tfidf' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE
    COST 100000 ROWS 1000;
COMMENT ON FUNCTION lmtext.tfidf(text, jsonb) IS
    'TF-IDF weights of the n-grams of each text of a query of (key, text), also as pgvector''s type sparsevec reads them';

CREATE FUNCTION lmtext.bag_of_words(query text, options jsonb DEFAULT '{}')
    RETURNS TABLE (key text, counts jsonb, vector text)
    AS 'MODULE_PATHNAME', 'lmtext_bag_of_words' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE
    COST 100000 ROWS 1000;
COMMENT ON FUNCTION lmtext.bag_of_words(text, jsonb) IS
    'how often each n-gram is in each text of a query of (key, text), also as pgvector''s type sparsevec reads it';

CREATE FUNCTION lmtext.build_vocabulary(query text, max_size integer DEFAULT NULL, min_count integer DEFAULT 1,
                                        specials text[] DEFAULT '{}', options jsonb DEFAULT '{}')
    RETURNS TABLE (id integer, token text, count bigint)
    AS 'MODULE_PATHNAME', 'lmtext_build_vocabulary' LANGUAGE C VOLATILE PARALLEL UNSAFE
    COST 100000 ROWS 1000;
COMMENT ON FUNCTION lmtext.build_vocabulary(text, integer, integer, text[], jsonb) IS
    'tokens of a query of texts: the special ones, then the others, the most frequent first, of equals the one seen first';

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

CREATE FUNCTION lmtext.one_hot(query text, options jsonb DEFAULT '{}')
    RETURNS TABLE (key text, features jsonb, vector text)
    AS 'MODULE_PATHNAME', 'lmtext_one_hot' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE
    COST 100000 ROWS 1000;
COMMENT ON FUNCTION lmtext.one_hot(text, jsonb) IS
    'which n-grams are in each text of a query of (key, text): 1 for each, also as pgvector''s type sparsevec reads it';

CREATE FUNCTION lmtext.texts_to_sequences(query text, vocabulary text[] DEFAULT NULL, options jsonb DEFAULT '{}')
    RETURNS TABLE (key text, sequence integer[])
    AS 'MODULE_PATHNAME', 'lmtext_texts_to_sequences' LANGUAGE C VOLATILE PARALLEL UNSAFE
    COST 100000 ROWS 1000;
COMMENT ON FUNCTION lmtext.texts_to_sequences(text, text[], jsonb) IS
    'the words of each text of a query of (key, text) as places in a vocabulary, from 1: a given one, or that of these texts';

CREATE FUNCTION lmtext.pad_sequences(
    sequence integer[],
    maxlen integer,
    padding text DEFAULT 'pre',
    truncating text DEFAULT 'pre',
    value integer DEFAULT 0)
    RETURNS integer[]
    AS 'MODULE_PATHNAME', 'lmtext_pad_sequences' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 5;
COMMENT ON FUNCTION lmtext.pad_sequences(integer[], integer, text, text, integer) IS
    'a sequence cut or filled to a length, before or behind';

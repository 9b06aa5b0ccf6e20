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

-- Strategy 4 is no metric: words, in an index WITH (words = ...).
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

-- Their names are those that pgvector's own access methods have. They belong to no extension, so that a dump has them.
CREATE FUNCTION lmtext.enable_pgvector() RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 100000 SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    place name;
    one record;
BEGIN
    PERFORM FROM pg_extension e WHERE e.extname = 'vector';
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'undefined_object', MESSAGE = 'extension "vector" is not installed in this database',
            DETAIL = 'Operator classes for its types vector and halfvec need it.', HINT = 'CREATE EXTENSION vector.';
    END IF;
    SELECT n.nspname INTO place FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'lmtext';
    FOR one IN SELECT format('%I.%I', place, t.typname || m.suffix) AS class, format('%I.%I', n.nspname, t.typname) AS type,
                m.suffix = '_cosine_ops' AS cosine, format('OPERATOR %s %I.%s', m.number, n.nspname, m.operator) AS operator,
                format('%I.%I', n.nspname, t.typname || '_to_float4') AS converter, m.says
            FROM pg_extension e
                JOIN pg_depend d ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND d.deptype = 'e'
                    AND d.classid = 'pg_type'::regclass
                JOIN pg_type t ON t.oid = d.objid JOIN pg_namespace n ON n.oid = t.typnamespace
                CROSS JOIN (VALUES (1, '_cosine_ops', '<=>', 'cosine distance'), (2, '_l2_ops', '<->', 'Euclidean distance'),
                    (3, '_ip_ops', '<#>', 'negative inner product')) m (number, suffix, operator, says)
            WHERE e.extname = 'vector' AND t.typname = ANY ('{vector,halfvec}')
                AND NOT EXISTS (SELECT FROM pg_opclass c JOIN pg_am a ON a.oid = c.opcmethod
                    WHERE a.amname = 'lmtext' AND c.opcintype = t.oid AND c.opcname = t.typname || m.suffix)
            ORDER BY t.typname, m.number LOOP
        EXECUTE format('CREATE OPERATOR CLASS %s %s FOR TYPE %s USING lmtext AS %s FOR ORDER BY pg_catalog.float_ops,'
            ' FUNCTION 1 (%3$s, %3$s) %5$s(%3$s, integer, boolean)', one.class, CASE WHEN one.cosine THEN 'DEFAULT' ELSE '' END, one.type,
            one.operator, one.converter);
        EXECUTE format('COMMENT ON OPERATOR CLASS %s USING lmtext IS %L', one.class, 'vectors by ' || one.says);
    END LOOP;
END $$;
COMMENT ON FUNCTION lmtext.enable_pgvector() IS 'operator classes of access method lmtext for pgvector''s types';
REVOKE EXECUTE ON FUNCTION lmtext.enable_pgvector() FROM PUBLIC;

CREATE FUNCTION lmtext.index_stats(index regclass,
    OUT model text, OUT metric text, OUT dimensions integer, OUT rows bigint, OUT free bigint,
    OUT lists integer, OUT longest_list bigint, OUT empty_lists bigint, OUT bytes bigint, OUT pending bigint,
    OUT documents bigint, OUT words bigint, OUT segments integer, OUT waiting bigint,
    OUT lists_wanted integer, OUT imbalance double precision, OUT lists_due boolean)
    RETURNS record
    AS 'MODULE_PATHNAME', 'lmtext_index_stats' LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED COST 100000;
COMMENT ON FUNCTION lmtext.index_stats(regclass) IS
    'numbers of an index of access method lmtext; reads all its pages of codes';
REVOKE EXECUTE ON FUNCTION lmtext.index_stats(regclass) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lmtext.index_stats(regclass) TO pg_stat_scan_tables;

CREATE FUNCTION lmtext_internal.index_vector(index regclass, version regclass, text text) RETURNS real[]
    AS 'MODULE_PATHNAME', 'lmtext_index_vector' LANGUAGE C STABLE STRICT PARALLEL RESTRICTED COST 500;
COMMENT ON FUNCTION lmtext_internal.index_vector(regclass, regclass, text) IS
    'vector that an index has of a text; NULL where it has none, or the caller may not see all rows of its table or use the model';

CREATE FUNCTION lmtext.index_flush(index regclass) RETURNS bigint
    AS 'MODULE_PATHNAME', 'lmtext_index_flush' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE COST 1000000;
COMMENT ON FUNCTION lmtext.index_flush(regclass) IS
    'embeds the rows that wait in an index of access method lmtext, and says how many did; sorts in the words that wait; for its owner';

CREATE FUNCTION lmtext.index_check(index regclass, OUT "check" text, OUT ok boolean, OUT detail text)
    RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'lmtext_index_check' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE COST 1000000 ROWS 5;
COMMENT ON FUNCTION lmtext.index_check(regclass) IS
    'compares an index of access method lmtext with its table, which is locked against writes meanwhile';
REVOKE EXECUTE ON FUNCTION lmtext.index_check(regclass) FROM PUBLIC;

CREATE FUNCTION lmtext.index_last_scan(OUT index regclass, OUT model text, OUT embedded bigint, OUT rounds bigint, OUT lists bigint,
    OUT codes bigint, OUT reranked bigint, OUT postings bigint, OUT blocks_skipped bigint)
    RETURNS record
    AS 'MODULE_PATHNAME', 'lmtext_index_last_scan' LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED COST 10;
COMMENT ON FUNCTION lmtext.index_last_scan() IS
    'what the session''s last scan of an index of access method lmtext has looked at; NULL for who may not see all its rows';

CREATE FUNCTION lmtext.index_recall(index regclass, samples integer DEFAULT 100, k integer DEFAULT 10,
    OUT recall double precision, OUT samples integer, OUT k integer)
    RETURNS record
    AS 'MODULE_PATHNAME', 'lmtext_index_recall' LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED COST 1000000;
COMMENT ON FUNCTION lmtext.index_recall(regclass, integer, integer) IS
    'how many of the k nearest rows a search in an index of access method lmtext finds, for some of its own rows';
REVOKE EXECUTE ON FUNCTION lmtext.index_recall(regclass, integer, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lmtext.index_recall(regclass, integer, integer) TO pg_stat_scan_tables;

CREATE FUNCTION lmtext.index_recall(index regclass, words text[], k integer DEFAULT 10,
    OUT recall double precision, OUT samples integer, OUT k integer, OUT words_recall double precision)
    RETURNS record
    AS 'MODULE_PATHNAME', 'lmtext_index_recall_words' LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED COST 1000000;
COMMENT ON FUNCTION lmtext.index_recall(regclass, text[], integer) IS
    'which part of the rows nearest to these words, and of those best by BM25, an index of access method lmtext finds; reads all its pages';
REVOKE EXECUTE ON FUNCTION lmtext.index_recall(regclass, text[], integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lmtext.index_recall(regclass, text[], integer) TO pg_stat_scan_tables;

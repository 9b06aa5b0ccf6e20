-- 72-pairs: pairs of rows that mean the same, within a relation and between two. Complete: every pair is found.

CREATE FUNCTION lmtext.near_duplicates(
    relation regclass,
    "column" name,
    threshold double precision DEFAULT 0.95,
    model text DEFAULT NULL,
    key name DEFAULT NULL)
    RETURNS TABLE (a text, b text, similarity double precision)
    AS 'MODULE_PATHNAME', 'lmtext_near_duplicates' LANGUAGE C STABLE PARALLEL UNSAFE COST 10000000 ROWS 1000;
COMMENT ON FUNCTION lmtext.near_duplicates(regclass, name, double precision, text, name) IS
    'every pair of rows of a relation whose texts or vectors are at least so similar';

CREATE FUNCTION lmtext.join(
    relation_a regclass,
    column_a name,
    relation_b regclass,
    column_b name,
    k integer DEFAULT NULL,
    threshold double precision DEFAULT NULL,
    model text DEFAULT NULL,
    key_a name DEFAULT NULL,
    key_b name DEFAULT NULL)
    RETURNS TABLE (a text, b text, similarity double precision)
    AS 'MODULE_PATHNAME', 'lmtext_join' LANGUAGE C STABLE PARALLEL UNSAFE COST 10000000 ROWS 1000;
COMMENT ON FUNCTION lmtext.join(regclass, name, regclass, name, integer, double precision, text, name, name) IS
    'for each row of a relation the most similar ones of another, or all that are at least so similar';

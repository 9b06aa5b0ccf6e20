-- 76-explore: all rows of a query at once (groups, a plane, what to label next), parts of a table by hash, keywords.

CREATE FUNCTION lmtext.cluster(
    query text,
    k integer DEFAULT NULL,
    options jsonb DEFAULT '{}',
    model text DEFAULT NULL)
    RETURNS TABLE (key text, cluster integer)
    AS 'MODULE_PATHNAME', 'lmtext_cluster' LANGUAGE C STABLE PARALLEL UNSAFE COST 10000000 ROWS 10000;
COMMENT ON FUNCTION lmtext.cluster(text, integer, jsonb, text) IS
    'groups of the rows of a query of key and text or vector: k of them, or by density';

CREATE FUNCTION lmtext.cluster_keywords(
    query text,
    k integer DEFAULT 5,
    stop_words regdictionary DEFAULT 'pg_catalog.english_stem')
    RETURNS TABLE (cluster text, keyword text, score double precision)
    AS 'MODULE_PATHNAME', 'lmtext_cluster_keywords' LANGUAGE C STABLE PARALLEL UNSAFE COST 1000000 ROWS 100;
COMMENT ON FUNCTION lmtext.cluster_keywords(text, integer, regdictionary) IS
    'the words by which groups of texts differ, from a query of group and text';

CREATE FUNCTION lmtext.project(
    query text,
    how text DEFAULT 'pca',
    options jsonb DEFAULT '{}',
    model text DEFAULT NULL)
    RETURNS TABLE (key text, x double precision, y double precision)
    AS 'MODULE_PATHNAME', 'lmtext_project' LANGUAGE C STABLE PARALLEL UNSAFE COST 10000000 ROWS 10000;
COMMENT ON FUNCTION lmtext.project(text, text, jsonb, text) IS
    'the rows of a query of key and text or vector as points of a plane';

CREATE FUNCTION lmtext.label_queue(
    model text,
    query text,
    k integer DEFAULT 100,
    strategy text DEFAULT 'margin')
    RETURNS TABLE (key text, score double precision)
    AS 'MODULE_PATHNAME', 'lmtext_label_queue' LANGUAGE C STABLE PARALLEL UNSAFE COST 10000000 ROWS 100;
COMMENT ON FUNCTION lmtext.label_queue(text, text, integer, text) IS
    'the rows of a query of key and text whose labels would teach a classifier most, the first one first';

-- Settings, names and versions of libraries must not have a say in the text of a key: of the built-in types only those where they
-- have none, and those of users whose output is said to be immutable. A label of an enum is its text.
CREATE FUNCTION lmtext_internal.check_split_key(type regtype) RETURNS void
    LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE COST 100 SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    base record;
BEGIN
    SELECT t.oid, t.typtype, t.typbasetype, t.typoutput INTO base FROM pg_type t WHERE t.oid = type;
    WHILE base.typtype = 'd' LOOP
        SELECT t.oid, t.typtype, t.typbasetype, t.typoutput INTO base FROM pg_type t WHERE t.oid = base.typbasetype;
    END LOOP;
    IF base.oid <> ALL ('{boolean,smallint,integer,bigint,numeric,oid,text,varchar,bpchar,name,"\"char\"",uuid,inet,cidr,macaddr,macaddr8,time,bit,varbit,json,jsonb,tid}'::regtype[])
            AND base.typtype <> 'e'
            AND (base.oid < 16384 OR (SELECT p.provolatile FROM pg_proc p WHERE p.oid = base.typoutput) <> 'i') THEN
        RAISE EXCEPTION USING ERRCODE = 'datatype_mismatch', MESSAGE = format('type %s has no text that is the same in every session', type),
            DETAIL = 'The part of a key is a hash of its text.', HINT = 'Give the key as text, in a format of your own, for example by to_char.';
    END IF;
END $$;
COMMENT ON FUNCTION lmtext_internal.check_split_key(regtype) IS 'refuses types of keys whose text depends on settings';

-- By SHA-256 of seed and key, which any language has: the first 52 bits as a fraction of 1.
CREATE FUNCTION lmtext.split(key anyelement, seed integer, fractions double precision[]) RETURNS integer
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE COST 50
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    place double precision := ('x' || substr(encode(sha256(convert_to(seed || ':' || key::text, 'UTF8')), 'hex'), 1, 13))::bit(52)::bigint
        / 4503599627370496.0::double precision;
    part double precision;
    total double precision := 0;
BEGIN
    IF pg_typeof(key) <> ALL ('{integer,bigint,text,uuid}'::regtype[]) THEN
        PERFORM lmtext_internal.check_split_key(pg_typeof(key));
    END IF;
    IF array_ndims(fractions) IS DISTINCT FROM 1 OR array_position(fractions, NULL) IS NOT NULL THEN
        RAISE EXCEPTION 'fractions must be a one-dimensional array of numbers' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    FOREACH part IN ARRAY fractions LOOP
        IF NOT (part >= 0 AND part <= 1) THEN
            RAISE EXCEPTION 'fraction is out of range: %', part
                USING ERRCODE = 'invalid_parameter_value', DETAIL = 'It must be from 0 to 1.';
        END IF;
        total := total + part;
    END LOOP;
    IF total > 1 + 1e-9 THEN
        RAISE EXCEPTION 'the sum of the fractions is above 1: %', total USING ERRCODE = 'invalid_parameter_value';
    END IF;
    -- What rounding leaves of a sum of 1 is the last part's.
    total := CASE WHEN total > 1 - 1e-9 THEN 1 - total ELSE 0 END;
    FOR i IN 1 .. cardinality(fractions) LOOP
        total := total + fractions[array_lower(fractions, 1) + i - 1];
        IF place < total OR (i = cardinality(fractions) AND total > 1 - 1e-9) THEN
            RETURN i;
        END IF;
    END LOOP;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION lmtext.split(anyelement, integer, double precision[]) IS
    'the part, from 1, that a key belongs to, by a hash that stays the same; null beyond the last one';

CREATE FUNCTION lmtext.keywords(
    text text,
    model text DEFAULT NULL,
    k integer DEFAULT 5,
    words integer DEFAULT 1,
    stop_words regdictionary DEFAULT 'pg_catalog.english_stem')
    RETURNS TABLE (keyword text, score double precision)
    AS 'MODULE_PATHNAME', 'lmtext_keywords' LANGUAGE C STABLE PARALLEL SAFE COST 1000000 ROWS 5;
COMMENT ON FUNCTION lmtext.keywords(text, text, integer, integer, regdictionary) IS
    'words and phrases of a text whose embedding is nearest to that of the text';

CREATE FUNCTION lmtext.normalize_text(text text, options jsonb DEFAULT '{}') RETURNS text
    AS 'MODULE_PATHNAME', 'lmtext_normalize_text' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 50;
COMMENT ON FUNCTION lmtext.normalize_text(text, jsonb) IS
    'a text in a normal form of Unicode, and on request without character references, accents, controls or odd white space';

CREATE FUNCTION lmtext.augment(
    text text,
    ops text[],
    n integer DEFAULT 1,
    seed bigint DEFAULT 0,
    options jsonb DEFAULT '{}')
    RETURNS SETOF text
    AS 'MODULE_PATHNAME', 'lmtext_augment' LANGUAGE C STABLE PARALLEL UNSAFE COST 1000 ROWS 10;
COMMENT ON FUNCTION lmtext.augment(text, text[], integer, bigint, jsonb) IS
    'variants of a text: words swapped, deleted, inserted, replaced, mistyped, cropped, mixed with another text';

-- 71-search: the functions of search. They run ordinary SQL as the caller, so that row security, privileges and every index of the
-- user's count: what is searched by meaning is `ORDER BY column <=> query LIMIT n`. Functions that run a statement of the user's
-- set no search_path, since a filter and a model's name mean what they mean in the session; all that they write themselves is qualified.

-- A row that a search has found; `query` is the number of its words in an array.
CREATE TYPE lmtext_internal.hit AS (query integer, tableoid oid, ctid tid, key text, score double precision);
COMMENT ON TYPE lmtext_internal.hit IS 'row that a search has found, with its score';

CREATE FUNCTION lmtext_internal.nearest_transition(internal, oid, tid, text, real[], real[], integer) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_nearest_transition' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100;
COMMENT ON FUNCTION lmtext_internal.nearest_transition(internal, oid, tid, text, real[], real[], integer) IS
    'internal: part of the aggregate nearest';

CREATE FUNCTION lmtext_internal.nearest_final(internal, oid, tid, text, real[], real[], integer) RETURNS lmtext_internal.hit[]
    AS 'MODULE_PATHNAME', 'lmtext_nearest_final' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100;
COMMENT ON FUNCTION lmtext_internal.nearest_final(internal, oid, tid, text, real[], real[], integer) IS
    'internal: part of the aggregate nearest';

CREATE AGGREGATE lmtext_internal.nearest(tableoid oid, ctid tid, key text, vector real[], queries real[], k integer) (
    SFUNC = lmtext_internal.nearest_transition, STYPE = internal, SSPACE = 65536,
    FINALFUNC = lmtext_internal.nearest_final, FINALFUNC_EXTRA, FINALFUNC_MODIFY = READ_WRITE, PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext_internal.nearest(oid, tid, text, real[], real[], integer) IS
    'for each query the k rows whose vectors are nearest by cosine';

CREATE FUNCTION lmtext_internal.bm25_transition(internal, oid, tid, text, tsvector, boolean, text[], integer) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_bm25_transition' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100;
COMMENT ON FUNCTION lmtext_internal.bm25_transition(internal, oid, tid, text, tsvector, boolean, text[], integer) IS
    'internal: part of the aggregate bm25';

CREATE FUNCTION lmtext_internal.bm25_final(internal, oid, tid, text, tsvector, boolean, text[], integer) RETURNS lmtext_internal.hit[]
    AS 'MODULE_PATHNAME', 'lmtext_bm25_final' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100;
COMMENT ON FUNCTION lmtext_internal.bm25_final(internal, oid, tid, text, tsvector, boolean, text[], integer) IS
    'internal: part of the aggregate bm25';

CREATE AGGREGATE lmtext_internal.bm25(
    tableoid oid, ctid tid, key text, words tsvector, wanted boolean, terms text[], k integer) (
    SFUNC = lmtext_internal.bm25_transition, STYPE = internal, SSPACE = 65536,
    FINALFUNC = lmtext_internal.bm25_final, FINALFUNC_EXTRA, FINALFUNC_MODIFY = READ_WRITE, PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext_internal.bm25(oid, tid, text, tsvector, boolean, text[], integer) IS
    'the k wanted rows whose words suit the terms best, by BM25 over all rows';

CREATE FUNCTION lmtext_internal.parse_filter(relation regclass, filter text, alias text) RETURNS text
    AS 'MODULE_PATHNAME', 'lmtext_parse_filter' LANGUAGE C STABLE STRICT PARALLEL SAFE COST 1000;
COMMENT ON FUNCTION lmtext_internal.parse_filter(regclass, text, text) IS
    'a boolean expression over the columns of a relation, as PostgreSQL writes it, with all names qualified';

CREATE FUNCTION lmtext_internal.column_versions(relation regclass, column_name name) RETURNS regclass[]
    AS 'MODULE_PATHNAME', 'lmtext_column_versions' LANGUAGE C STABLE STRICT PARALLEL SAFE COST 1000;
COMMENT ON FUNCTION lmtext_internal.column_versions(regclass, name) IS
    'versions whose vectors a column has, as far as a trigger, a job or its own expression tells';

CREATE FUNCTION lmtext_internal.sentences(text text) RETURNS TABLE(content text, start integer, stop integer)
    AS 'MODULE_PATHNAME', 'lmtext_sentences' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100 ROWS 10;
COMMENT ON FUNCTION lmtext_internal.sentences(text) IS 'sentences of a text, with their character offsets';

CREATE FUNCTION lmtext_internal.cosines(vectors real[], vector real[]) RETURNS double precision[]
    AS 'MODULE_PATHNAME', 'lmtext_cosines' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION lmtext_internal.cosines(real[], real[]) IS 'cosine of each row of a matrix with a vector';

-- ---- What is searched ----

-- Pieces of the statements of a search: r is a row of the relation.
CREATE TYPE lmtext_internal.search_target AS (
    relation regclass, column_name name, source text, place text, key text, kind text, distance text, vector text,
    version regclass, dimensions integer, indexed boolean, body text, condition text, config regconfig, words text, ranking text
);
COMMENT ON TYPE lmtext_internal.search_target IS 'pieces of the statements of a search';

-- As messages name a relation.
CREATE FUNCTION lmtext_internal.bare_name(relation regclass) RETURNS name
    LANGUAGE sql STABLE PARALLEL SAFE COST 10 SET search_path = pg_catalog, pg_temp AS $$SELECT c.relname FROM pg_class c WHERE c.oid = relation$$;
COMMENT ON FUNCTION lmtext_internal.bare_name(regclass) IS 'name of a relation without its schema';

CREATE FUNCTION lmtext_internal.refuse_argument(message text, hint text) RETURNS void
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE COST 100 AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = message, HINT = COALESCE(hint, '');
END $$;
COMMENT ON FUNCTION lmtext_internal.refuse_argument(text, text) IS 'error of an argument that has no meaning';

-- The relation as it stands in FROM; who may read none of its columns learns nothing of them.
CREATE FUNCTION lmtext_internal.search_relation(relation regclass) RETURNS text
    LANGUAGE plpgsql STABLE PARALLEL SAFE COST 1000 SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    what record;
BEGIN
    SELECT c.relname, c.relkind, n.nspname INTO what FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.oid = relation;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'undefined_table',
            MESSAGE = format('relation with OID %s does not exist', relation::oid);
    END IF;
    IF what.relkind <> ALL ('{r,p,m,f,v}'::"char"[]) THEN
        RAISE EXCEPTION USING ERRCODE = 'wrong_object_type', MESSAGE = format('"%s" cannot be searched', what.relname),
            DETAIL = 'It is neither a table nor a view.';
    END IF;
    IF NOT has_any_column_privilege(relation, 'SELECT') THEN
        RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege', MESSAGE = format('permission denied for table %s', what.relname);
    END IF;
    RETURN format('%I.%I', what.nspname, what.relname);
END $$;
COMMENT ON FUNCTION lmtext_internal.search_relation(regclass) IS 'qualified name of a relation that can be searched';

-- What names a row to the caller: columns that were given, else the primary key as far as it may be read.
CREATE FUNCTION lmtext_internal.search_key(relation regclass, columns name[]) RETURNS text
    LANGUAGE plpgsql STABLE PARALLEL SAFE COST 1000 SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    wanted name[] := columns;
    missing name;
BEGIN
    IF wanted IS NULL THEN
        SELECT array_agg(a.attname ORDER BY k.n) INTO wanted
        FROM pg_index i, ROWS FROM (unnest(i.indkey::smallint[])) WITH ORDINALITY k (number, n), pg_attribute a
        WHERE i.indrelid = relation AND i.indisprimary AND k.n <= i.indnkeyatts
            AND a.attrelid = relation AND a.attnum = k.number
        HAVING bool_and(has_column_privilege(relation, a.attnum, 'SELECT'));
    END IF;
    SELECT w INTO missing FROM unnest(wanted) w WHERE NOT EXISTS (SELECT FROM pg_attribute a
        WHERE a.attrelid = relation AND a.attname = w AND a.attnum > 0 AND NOT a.attisdropped);
    IF FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'undefined_column',
            MESSAGE = format('column "%s" of relation "%s" does not exist', missing, lmtext_internal.bare_name(relation));
    END IF;
    RETURN CASE WHEN cardinality(wanted) = 1 THEN format('r.%I::pg_catalog.text', wanted[1])
        WHEN cardinality(wanted) > 1 THEN
            format('ROW(%s)::pg_catalog.text', (SELECT string_agg(format('r.%I', w), ', ' ORDER BY n) FROM unnest(wanted) WITH ORDINALITY u (w, n)))
    END;
END $$;
COMMENT ON FUNCTION lmtext_internal.search_key(regclass, name[]) IS 'expression of the key of a row, or NULL';

-- The type under domains, and what it is to a search: text, real[], or a type of pgvector's.
CREATE FUNCTION lmtext_internal.search_kind(
    relation regclass, column_name name, OUT kind text, OUT schema name, OUT number smallint, OUT dimensions integer)
    LANGUAGE plpgsql STABLE PARALLEL SAFE COST 1000 SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    what record;
    base record;
BEGIN
    SELECT a.atttypid, a.attnum, a.atttypmod INTO what FROM pg_attribute a
    WHERE a.attrelid = relation AND a.attname = column_name AND a.attnum > 0 AND NOT a.attisdropped;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'undefined_column',
            MESSAGE = format('column "%s" of relation "%s" does not exist', column_name, lmtext_internal.bare_name(relation));
    END IF;
    number := what.attnum;
    SELECT t.oid, t.typtype, t.typbasetype, t.typname, t.typnamespace INTO base FROM pg_type t WHERE t.oid = what.atttypid;
    WHILE base.typtype = 'd' LOOP
        SELECT t.oid, t.typtype, t.typbasetype, t.typname, t.typnamespace INTO base FROM pg_type t WHERE t.oid = base.typbasetype;
    END LOOP;
    IF base.oid = ANY (ARRAY['text', 'varchar', 'bpchar']::regtype[]) THEN
        kind := 'text';
    ELSIF base.oid = 'real[]'::regtype THEN
        kind := 'real[]';
    ELSIF base.typname = ANY ('{vector,halfvec}') AND EXISTS (SELECT FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
            WHERE d.classid = 'pg_type'::regclass AND d.objid = base.oid AND d.refclassid = 'pg_extension'::regclass
                AND d.deptype = 'e' AND e.extname = 'vector') THEN
        kind := base.typname;
        dimensions := nullif(what.atttypmod, -1);
        SELECT n.nspname INTO schema FROM pg_namespace n WHERE n.oid = base.typnamespace;
    ELSE
        RAISE EXCEPTION USING ERRCODE = 'datatype_mismatch',
            MESSAGE = format('column "%s" is of type %s', column_name, format_type(what.atttypid, what.atttypmod)),
            DETAIL = 'A search reads text, varchar, char, real[], or the types vector and halfvec of pgvector.';
    END IF;
END $$;
COMMENT ON FUNCTION lmtext_internal.search_kind(regclass, name) IS 'what the type of a column is to a search';

CREATE FUNCTION lmtext_internal.has_ordering(relation regclass, number smallint) RETURNS boolean
    LANGUAGE sql STABLE PARALLEL SAFE COST 1000 SET search_path = pg_catalog, pg_temp AS $$
    SELECT EXISTS (SELECT FROM pg_index i JOIN pg_opclass c ON c.oid = i.indclass[0]
        JOIN pg_amop a ON a.amopfamily = c.opcfamily AND a.amoppurpose = 'o' JOIN pg_operator o ON o.oid = a.amopopr
        WHERE i.indrelid = relation AND i.indkey[0] = number AND i.indisvalid AND o.oprname = '<=>'
        -- An index of words alone serves only <@>.
        AND (c.opcintype <> 'text'::regtype OR c.opcmethod <> (SELECT m.oid FROM pg_am m WHERE m.amname = 'lmtext')
            OR EXISTS (SELECT FROM pg_class r, pg_options_to_table(r.reloptions) p WHERE r.oid = i.indexrelid AND p.option_name = 'model')));
$$;
COMMENT ON FUNCTION lmtext_internal.has_ordering(regclass, smallint) IS 'whether an index gives rows in the order of <=>';

-- The version of a search: the one that was named, else the column's, else the default.
CREATE FUNCTION lmtext_internal.search_version(relation regclass, column_name name, model text) RETURNS regclass
    LANGUAGE plpgsql STABLE PARALLEL SAFE COST 10000 AS $$
DECLARE
    version regclass;
BEGIN
    IF model IS NULL THEN
        version := (lmtext_internal.column_versions(relation, column_name))[1];
        IF version IS NOT NULL THEN
            RETURN version;
        END IF;
    END IF;
    RETURN lmtext_internal.resolve_model(lmtext_internal.qualified_model(model, 'embed'));
END $$;
COMMENT ON FUNCTION lmtext_internal.search_version(regclass, name, text) IS 'version by which a column is searched';

CREATE FUNCTION lmtext_internal.job_dimensions(relation regclass, column_name name) RETURNS integer
    LANGUAGE sql STABLE PARALLEL SAFE COST 1000 SET search_path = pg_catalog, pg_temp AS $$
    SELECT (t.options ->> 'dimensions')::integer FROM lmtext.job j, lmtext_internal.job_targets(j) t
    WHERE j.target::oid = job_dimensions.relation::oid AND t.target_column = job_dimensions.column_name AND t.options ? 'dimensions' LIMIT 1;
$$;
COMMENT ON FUNCTION lmtext_internal.job_dimensions(regclass, name) IS 'dimensions to which a job cuts the vectors of a column';

-- The column whose text a column of vectors was made of: its job or its trigger knows.
CREATE FUNCTION lmtext_internal.text_of(relation regclass, column_name name) RETURNS name
    LANGUAGE sql STABLE PARALLEL SAFE COST 1000 SET search_path = pg_catalog, pg_temp AS $$
    SELECT s.name FROM (
        SELECT 1 AS n, j.text_column AS name FROM lmtext.job j, lmtext_internal.job_targets(j) t
        WHERE j.target::oid = text_of.relation::oid AND j.relation::oid = text_of.relation::oid AND t.target_column = text_of.column_name
        UNION ALL
        SELECT 2, a.attname FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
            JOIN pg_attribute a ON a.attrelid = t.tgrelid AND a.attnum > 0 AND NOT a.attisdropped
                AND split_part(encode(t.tgargs, 'escape'), '\000', 1)
                    = encode(convert_to(a.attname::text, getdatabaseencoding()), 'escape')
        WHERE t.tgrelid = relation AND p.prosrc = 'lmtext_embed_trigger'
            AND split_part(encode(t.tgargs, 'escape'), '\000', 2)
                = encode(convert_to(column_name::text, getdatabaseencoding()), 'escape')) s
    WHERE s.name IS NOT NULL ORDER BY s.n LIMIT 1;
$$;
COMMENT ON FUNCTION lmtext_internal.text_of(regclass, name) IS 'column whose text a column of vectors was made of';

-- A tsvector that has a GIN index: to_tsvector('config', text column), or a column that is generated as that. What other columns
-- hold, only their owner knows.
CREATE FUNCTION lmtext_internal.indexed_words(relation regclass, text_column name, config regconfig) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE COST 1000 SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE WHEN i.indkey[0] <> 0 THEN format('r.%I', a.attname)
        ELSE format('pg_catalog.to_tsvector(%L::pg_catalog.regconfig, r.%I::pg_catalog.text)', config::oid, text_column) END
    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am m ON m.oid = c.relam
        LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
    WHERE i.indrelid = relation AND m.amname = 'gin' AND i.indisvalid AND i.indpred IS NULL AND i.indnatts = 1
        AND CASE WHEN i.indkey[0] <> 0 THEN a.atttypid = 'tsvector'::regtype AND a.attgenerated <> ''
                AND (SELECT pg_get_expr(d.adbin, d.adrelid, true) FROM pg_attrdef d WHERE d.adrelid = a.attrelid AND d.adnum = a.attnum) = ANY (ARRAY[
                    format('to_tsvector(%L::regconfig, %I)', config, text_column),
                    format('to_tsvector(%L::regconfig, %I::text)', config, text_column),
                    format('to_tsvector(%L::regconfig, COALESCE(%I, ''''::text))', config, text_column)])
            ELSE pg_get_indexdef(i.indexrelid, 1, true) = ANY (ARRAY[
                format('to_tsvector(%L::regconfig, %I)', config, text_column),
                format('to_tsvector(%L::regconfig, %I::text)', config, text_column)]) END
    ORDER BY i.indkey[0] = 0 DESC, i.indexrelid LIMIT 1;
$$;
COMMENT ON FUNCTION lmtext_internal.indexed_words(regclass, name, regconfig) IS
    'expression of a tsvector for which a relation has a GIN index, or NULL';

-- The configuration of a column's index with words, by which <@> ranks, or '-' where they are tokens of its model; NULL where there
-- is none, where a search has other words, and where rows are hidden from the caller: how often a word stands in those is not for him.
CREATE FUNCTION lmtext_internal.words_index(relation regclass, text_column name, config regconfig) RETURNS regconfig
    LANGUAGE sql STABLE PARALLEL SAFE COST 1000 SET search_path = pg_catalog, pg_temp AS $$
    SELECT f.config FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am m ON m.oid = c.relam
        JOIN pg_class r ON r.oid = i.indrelid JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0],
        LATERAL (SELECT max(o.option_value) FILTER (WHERE o.option_name = 'words') AS words,
            coalesce(max(o.option_value) FILTER (WHERE o.option_name = 'words_config'), 'simple') AS config
            FROM pg_options_to_table(c.reloptions) o) o,
        LATERAL (SELECT CASE WHEN lower(o.words) = 'tokens' THEN '-' WHEN o.words::boolean THEN o.config END::regconfig AS config) f
    WHERE i.indrelid = relation AND m.amname = 'lmtext' AND i.indisvalid AND i.indpred IS NULL AND f.config IS NOT NULL
        AND a.attname = text_column AND r.relkind IN ('r', 'm') AND NOT r.relhassubclass
        AND (words_index.config IS NULL OR words_index.config = f.config) AND NOT row_security_active(relation::oid)
    ORDER BY i.indexrelid LIMIT 1;
$$;
COMMENT ON FUNCTION lmtext_internal.words_index(regclass, name, regconfig) IS
    'configuration of an index with words that ranks a column, - where these are tokens, or NULL';

-- How the words of a row are read and ranked.
CREATE FUNCTION lmtext_internal.search_words_of(
    target lmtext_internal.search_target, text_column name, config regconfig, words_column name, words_by text)
    RETURNS lmtext_internal.search_target LANGUAGE plpgsql STABLE PARALLEL SAFE COST 10000 SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    source name := coalesce(text_column, CASE WHEN target.kind = 'text' THEN target.column_name
        ELSE lmtext_internal.text_of(target.relation, target.column_name) END);
    reading regconfig := coalesce(config, get_current_ts_config());
    body text;
    indexed text;
    ranked regconfig;
BEGIN
    IF words_by IS NOT NULL AND words_by <> ALL ('{bm25,ts_rank_cd}') THEN
        PERFORM lmtext_internal.refuse_argument(format('unknown ranking of words "%s"', lmtext_internal.shown(words_by)),
            'Available: bm25, ts_rank_cd.');
    END IF;
    IF source IS NOT NULL THEN
        IF (SELECT k.kind FROM lmtext_internal.search_kind(target.relation, source) k) <> 'text' THEN
            RAISE EXCEPTION USING ERRCODE = 'datatype_mismatch', MESSAGE = format('column "%s" has no text', source);
        END IF;
        body := format('r.%I::pg_catalog.text', source);
        IF words_column IS NULL AND words_by IS NULL THEN
            ranked := lmtext_internal.words_index(target.relation, source, config);
            reading := coalesce(nullif(ranked, '-'::regconfig), reading);
        END IF;
        indexed := CASE WHEN words_column IS NULL THEN lmtext_internal.indexed_words(target.relation, source, reading) END;
    END IF;
    IF words_column IS NOT NULL AND (SELECT a.atttypid FROM pg_attribute a WHERE a.attrelid = target.relation AND a.attname = words_column
            AND a.attnum > 0 AND NOT a.attisdropped) IS DISTINCT FROM 'tsvector'::regtype THEN
        RAISE EXCEPTION USING ERRCODE = 'datatype_mismatch', MESSAGE = format('column "%s" is no tsvector', words_column);
    END IF;
    RETURN jsonb_populate_record(target, jsonb_build_object('body', body, 'config', reading::oid,
        'words', CASE WHEN words_column IS NOT NULL THEN format('r.%I', words_column)
            WHEN body IS NOT NULL THEN coalesce(indexed, format('pg_catalog.to_tsvector(%L::pg_catalog.regconfig, %s)', reading::oid, body)) END,
        'ranking', coalesce(words_by, CASE WHEN ranked IS NOT NULL THEN 'index' WHEN indexed IS NULL THEN 'bm25' ELSE 'ts_rank_cd' END)));
END $$;
COMMENT ON FUNCTION lmtext_internal.search_words_of(lmtext_internal.search_target, name, regconfig, name, text) IS
    'a target with what its words need';

CREATE FUNCTION lmtext_internal.search_operator() RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE COST 10 AS $$SELECT 'OPERATOR(@extschema@.<=>)'$$;
COMMENT ON FUNCTION lmtext_internal.search_operator() IS 'cosine distance, qualified';

-- How a row is compared with the words $1: an expression that an index can answer, and the vector of a row as real[].
CREATE FUNCTION lmtext_internal.search_distance(target lmtext_internal.search_target, schema name) RETURNS lmtext_internal.search_target
    LANGUAGE plpgsql STABLE PARALLEL SAFE COST 1000 SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    on_long text := current_setting('lmtext.on_long');
    words text := format('lmtext.embed_query($1, %L::pg_catalog.regclass, %s, %L)', target.version::oid,
        coalesce(target.dimensions::text, 'NULL'), on_long);
    operator text := lmtext_internal.search_operator();
    distance text;
    vector text := format('r.%I::pg_catalog.float4[]', target.column_name);
BEGIN
    IF target.kind = 'text' THEN
        distance := format('r.%I::pg_catalog.text %s $1', target.column_name, operator);
        vector := format('lmtext.embed_document(r.%I::pg_catalog.text, %L::pg_catalog.regclass, NULL, %L)', target.column_name,
            target.version::oid, on_long);
    ELSIF target.kind = 'real[]' THEN
        distance := format('%s %s %s', vector, operator, words);
    ELSE
        distance := format('r.%I OPERATOR(%I.<=>) %s::%2$I.%4$I', target.column_name, schema, words, target.kind);
    END IF;
    RETURN jsonb_populate_record(target, jsonb_build_object('distance', distance, 'vector', vector));
END $$;
COMMENT ON FUNCTION lmtext_internal.search_distance(lmtext_internal.search_target, name) IS
    'a target with what its distance needs';

CREATE FUNCTION lmtext_internal.search_target(
    relation regclass, column_name name, model text, dimensions integer, key_columns name[], filter text, mode text DEFAULT 'semantic')
    RETURNS lmtext_internal.search_target LANGUAGE plpgsql STABLE PARALLEL SAFE COST 100000 AS $$
DECLARE
    source text;
    what record;
    key text;
    placed boolean;
BEGIN
    IF relation IS NULL OR column_name IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed', MESSAGE = 'a search needs a relation and a column';
    END IF;
    source := lmtext_internal.search_relation(relation);
    what := lmtext_internal.search_kind(relation, column_name);
    IF what.kind OPERATOR(pg_catalog.=) 'text' AND dimensions IS NOT NULL THEN
        PERFORM lmtext_internal.refuse_argument(pg_catalog.format('column "%s" has no dimensions', column_name),
            'It is compared by whole vectors of its text: leave out dimensions, or name a column of vectors.');
    END IF;
    key := lmtext_internal.search_key(relation, key_columns);
    -- The ctid of a foreign table is what its wrapper makes of it, often the same for all rows.
    placed := EXISTS (SELECT FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) a.attrelid
        WHERE a.attrelid OPERATOR(pg_catalog.=) relation AND a.attnum OPERATOR(pg_catalog.=) (-1) AND c.relkind OPERATOR(pg_catalog.<>) 'f'
            AND pg_catalog.has_column_privilege(relation, a.attnum, 'SELECT'));
    IF NOT placed AND key IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = pg_catalog.format('rows of "%s" have no name that could be returned', lmtext_internal.bare_name(relation)),
            DETAIL = 'A view or a foreign table has neither a primary key nor a ctid that tells rows apart, and a table only for who may read them.',
            HINT = 'Name columns that tell rows apart: key_columns => ''{id}''.';
    END IF;
    RETURN lmtext_internal.search_distance(pg_catalog.jsonb_populate_record(NULL::lmtext_internal.search_target, pg_catalog.jsonb_build_object(
        'relation', relation::pg_catalog.oid, 'column_name', column_name, 'source', source, 'kind', what.kind,
        'place', CASE WHEN placed THEN 'r.tableoid, r.ctid' ELSE 'NULL::pg_catalog.oid, NULL::pg_catalog.tid' END,
        'key', COALESCE(key, 'NULL::pg_catalog.text'),
        'version', CASE WHEN mode OPERATOR(pg_catalog.=) 'words' AND what.kind OPERATOR(pg_catalog.=) 'text' AND model IS NULL THEN NULL
            WHEN what.kind OPERATOR(pg_catalog.=) 'text'
            THEN lmtext_internal.resolve_model(lmtext_internal.qualified_model(model, 'embed'))
            ELSE lmtext_internal.search_version(relation, column_name, model) END::pg_catalog.oid,
        'dimensions', COALESCE(dimensions, what.dimensions, lmtext_internal.job_dimensions(relation, column_name)),
        'indexed', lmtext_internal.has_ordering(relation, what.number),
        'condition', COALESCE(lmtext_internal.parse_filter(relation, filter, 'r'), 'true'))), what.schema);
END $$;
COMMENT ON FUNCTION lmtext_internal.search_target(regclass, name, text, integer, name[], text, text) IS
    'what a search of a column needs to know of it';

-- ---- Rankings ----

-- The n nearest rows of a query, in the order that an index may give.
CREATE FUNCTION lmtext_internal.search_ordered(target lmtext_internal.search_target, query integer, words text, n integer)
    RETURNS lmtext_internal.hit[] LANGUAGE plpgsql STABLE PARALLEL UNSAFE COST 1000000 AS $$
DECLARE
    hits lmtext_internal.hit[];
BEGIN
    EXECUTE pg_catalog.format('SELECT ARRAY(SELECT ROW($2, s.tableoid, s.ctid, s.key, 1 OPERATOR(pg_catalog.-) s.distance)::lmtext_internal.hit'
        ' FROM (SELECT %s, %s, %s FROM %s r WHERE %s ORDER BY %3$s LIMIT $3) s (tableoid, ctid, key, distance)'
        ' WHERE s.distance OPERATOR(pg_catalog.<) ''NaN'' ORDER BY s.distance)',
        target.place, target.key, target.distance, target.source, target.condition) INTO hits USING words, query, n;
    RETURN hits;
END $$;
COMMENT ON FUNCTION lmtext_internal.search_ordered(lmtext_internal.search_target, integer, text, integer) IS
    'rows nearest to a query, by ORDER BY';

-- The n nearest rows of each query, by one pass over the relation.
CREATE FUNCTION lmtext_internal.search_whole(target lmtext_internal.search_target, queries text[], n integer)
    RETURNS lmtext_internal.hit[] LANGUAGE plpgsql STABLE PARALLEL UNSAFE COST 1000000 AS $$
DECLARE
    hits lmtext_internal.hit[];
BEGIN
    EXECUTE pg_catalog.format('SELECT lmtext_internal.nearest(%s, %s, %s, $1, $2) FROM %s r WHERE %s',
        target.place, target.key, target.vector, target.source, target.condition)
        INTO hits USING lmtext.embed_query(queries, target.version, target.dimensions, pg_catalog.current_setting('lmtext.on_long')), n;
    RETURN hits;
END $$;
COMMENT ON FUNCTION lmtext_internal.search_whole(lmtext_internal.search_target, text[], integer) IS
    'rows nearest to each query, by one pass';

-- Where a filter leaves few rows (two of a hundred, as the planner sees it), they are found by it, and ranked by the vectors that an index has of
-- their texts. NULL: by the order of an index.
CREATE FUNCTION lmtext_internal.filtered_index(target lmtext_internal.search_target) RETURNS regclass
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 100000 AS $$
DECLARE
    found pg_catalog.regclass;
    plan pg_catalog.jsonb;
BEGIN
    IF target.kind OPERATOR(pg_catalog.<>) 'text' OR target.condition OPERATOR(pg_catalog.=) 'true' OR NOT target.indexed THEN
        RETURN NULL;
    END IF;
    -- To others index_vector tells nothing, and two of a hundred texts would be embedded.
    IF pg_catalog.row_security_active(target.relation::pg_catalog.oid) OR NOT pg_catalog.has_table_privilege(target.relation, 'SELECT') THEN
        RETURN NULL;
    END IF;
    SELECT i.indexrelid INTO found FROM pg_catalog.pg_index i
        JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) i.indexrelid
        JOIN pg_catalog.pg_am m ON m.oid OPERATOR(pg_catalog.=) c.relam
        JOIN pg_catalog.pg_attribute a ON a.attrelid OPERATOR(pg_catalog.=) i.indrelid AND a.attnum OPERATOR(pg_catalog.=) i.indkey[0]
        JOIN pg_catalog.pg_depend d ON d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass
            AND d.objid OPERATOR(pg_catalog.=) i.indexrelid AND d.refobjid OPERATOR(pg_catalog.=) target.version
        WHERE i.indrelid OPERATOR(pg_catalog.=) target.relation AND a.attname OPERATOR(pg_catalog.=) target.column_name
            AND i.indisvalid AND i.indpred IS NULL AND m.amname OPERATOR(pg_catalog.=) 'lmtext' LIMIT 1;
    IF found IS NULL THEN
        RETURN NULL;
    END IF;
    EXECUTE pg_catalog.format('EXPLAIN (FORMAT JSON) SELECT FROM %s r WHERE %s', target.source, target.condition) INTO plan;
    RETURN CASE WHEN (plan OPERATOR(pg_catalog.#>>) '{0,Plan,Plan Rows}')::pg_catalog.float8 OPERATOR(pg_catalog.<=)
        (SELECT .02 OPERATOR(pg_catalog.*) c.reltuples FROM pg_catalog.pg_class c WHERE c.oid OPERATOR(pg_catalog.=) target.relation) THEN found END;
END $$;
COMMENT ON FUNCTION lmtext_internal.filtered_index(lmtext_internal.search_target) IS
    'index whose vectors rank the few rows that a filter leaves';

CREATE FUNCTION lmtext_internal.search_filtered(target lmtext_internal.search_target, index regclass, queries text[], n integer)
    RETURNS lmtext_internal.hit[] LANGUAGE plpgsql STABLE PARALLEL UNSAFE COST 1000000 AS $$
BEGIN
    target.vector := pg_catalog.format('COALESCE(lmtext_internal.index_vector(%L::pg_catalog.regclass, %L::pg_catalog.regclass, r.%I::pg_catalog.text), %s)',
        index::pg_catalog.oid, target.version::pg_catalog.oid, target.column_name, target.vector);
    RETURN lmtext_internal.search_whole(target, queries, n);
END $$;
COMMENT ON FUNCTION lmtext_internal.search_filtered(lmtext_internal.search_target, regclass, text[], integer) IS
    'rows nearest to each query among those that a filter leaves, by the vectors of an index';

CREATE FUNCTION lmtext_internal.search_meaning(target lmtext_internal.search_target, queries text[], n integer, mode text)
    RETURNS lmtext_internal.hit[] LANGUAGE plpgsql STABLE PARALLEL UNSAFE COST 1000000 AS $$
DECLARE
    hits lmtext_internal.hit[] := '{}';
    index pg_catalog.regclass;
BEGIN
    IF mode OPERATOR(pg_catalog.=) 'exact'
            OR pg_catalog.cardinality(queries) OPERATOR(pg_catalog.>) 1 AND NOT target.indexed THEN
        RETURN lmtext_internal.search_whole(target, queries, n);
    END IF;
    index := lmtext_internal.filtered_index(target);
    IF index IS NOT NULL THEN
        RETURN lmtext_internal.search_filtered(target, index, queries, n);
    END IF;
    FOR i IN 1 .. pg_catalog.cardinality(queries) LOOP
        hits := hits OPERATOR(pg_catalog.||) lmtext_internal.search_ordered(target, i, queries[i], n);
    END LOOP;
    RETURN hits;
END $$;
COMMENT ON FUNCTION lmtext_internal.search_meaning(lmtext_internal.search_target, text[], integer, text) IS
    'rows nearest to each query';

CREATE FUNCTION lmtext_internal.words_operator() RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE COST 10 AS $$SELECT 'OPERATOR(@extschema@.<@>)'$$;
COMMENT ON FUNCTION lmtext_internal.words_operator() IS 'minus the score by BM25, qualified';

-- The n rows that suit the words of a query best. Without an index of words BM25 looks at every row; PostgreSQL's ranking looks at
-- those that have all words.
CREATE FUNCTION lmtext_internal.search_words(target lmtext_internal.search_target, query integer, words text, n integer)
    RETURNS lmtext_internal.hit[] LANGUAGE plpgsql STABLE PARALLEL UNSAFE COST 1000000 AS $$
DECLARE
    hits lmtext_internal.hit[];
    terms text[];
BEGIN
    IF target.words IS NULL THEN
        PERFORM lmtext_internal.refuse_argument(pg_catalog.format('no text is known of column "%s"', target.column_name),
            'Name the column of the text, text_column => ''body'', or a tsvector, words_column => ''words''.');
    END IF;
    IF target.ranking OPERATOR(pg_catalog.=) 'index' THEN
        EXECUTE pg_catalog.format('SELECT ARRAY(SELECT ROW(1, s.tableoid, s.ctid, s.key, OPERATOR(pg_catalog.-) s.distance)::lmtext_internal.hit'
            ' FROM (SELECT %s, %s, %s %s $1 FROM %s r WHERE %s ORDER BY %3$s %4$s $1 LIMIT $2) s (tableoid, ctid, key, distance)'
            ' WHERE s.distance OPERATOR(pg_catalog.<) 0 ORDER BY s.distance)',
            target.place, target.key, target.body, lmtext_internal.words_operator(), target.source, target.condition)
            INTO hits USING words, n;
    ELSIF target.ranking OPERATOR(pg_catalog.=) 'bm25' THEN
        terms := pg_catalog.tsvector_to_array(pg_catalog.to_tsvector(target.config, words));
        IF pg_catalog.cardinality(terms) OPERATOR(pg_catalog.>) 0 THEN
            EXECUTE pg_catalog.format('SELECT lmtext_internal.bm25(%s, %s, %s, (%s), $1, $2) FROM %s r',
                target.place, target.key, target.words, target.condition, target.source) INTO hits USING terms, n;
        END IF;
    ELSE
        EXECUTE pg_catalog.format('SELECT ARRAY(SELECT ROW(1, s.tableoid, s.ctid, s.key, s.score)::lmtext_internal.hit FROM'
            ' (SELECT %s, %s, pg_catalog.ts_rank_cd(%s, $1)::pg_catalog.float8 FROM %s r'
            ' WHERE %3$s OPERATOR(pg_catalog.@@) $1 AND (%5$s) ORDER BY 4 DESC LIMIT $2) s (tableoid, ctid, key, score) ORDER BY s.score DESC)',
            target.place, target.key, target.words, target.source, target.condition)
            INTO hits USING pg_catalog.websearch_to_tsquery(target.config, words), n;
    END IF;
    RETURN ARRAY(SELECT ROW(search_words.query, h.tableoid, h.ctid, h.key, h.score)::lmtext_internal.hit
        FROM pg_catalog.unnest(hits) WITH ORDINALITY h (query, tableoid, ctid, key, score, n) ORDER BY h.n);
END $$;
COMMENT ON FUNCTION lmtext_internal.search_words(lmtext_internal.search_target, integer, text, integer) IS
    'rows that suit the words of a query best';

-- Both rankings of each query as one: reciprocal ranks, with 60 added, and summed up.
CREATE FUNCTION lmtext_internal.fuse(meaning lmtext_internal.hit[], words lmtext_internal.hit[], mode text, k integer, min_score double precision)
    RETURNS TABLE(query integer, tableoid oid, ctid tid, key text, score double precision, semantic double precision, words double precision,
        semantic_rank integer, words_rank integer)
    LANGUAGE sql IMMUTABLE PARALLEL SAFE COST 10000 ROWS 10 SET search_path = pg_catalog, pg_temp AS $$
    SELECT f.query, f.tableoid, f.ctid, f.key, f.score, f.semantic, f.words, f.semantic_rank, f.words_rank
    FROM (
        SELECT s.*, row_number() OVER (PARTITION BY s.query
                ORDER BY s.score DESC, s.semantic_rank NULLS LAST, s.words_rank NULLS LAST, s.key) AS n
        FROM (
            SELECT h.query, h.tableoid, h.ctid, h.key, max(h.semantic) AS semantic, max(h.words) AS words,
                   max(h.semantic_rank)::integer AS semantic_rank, max(h.words_rank)::integer AS words_rank,
                   CASE fuse.mode WHEN 'hybrid' THEN
                       coalesce(1 / (60 + max(h.semantic_rank)::float8), 0) + coalesce(1 / (60 + max(h.words_rank)::float8), 0)
                   WHEN 'words' THEN max(h.words) ELSE max(h.semantic) END AS score
            FROM (
                -- A row without a name is no other's equal.
                SELECT m.query, m.tableoid, m.ctid, m.key, CASE WHEN m.ctid IS NULL AND m.key IS NULL THEN m.n END AS nameless,
                       m.score AS semantic, NULL::float8 AS words,
                       row_number() OVER (PARTITION BY m.query ORDER BY m.n) AS semantic_rank, NULL::bigint AS words_rank
                FROM unnest(fuse.meaning) WITH ORDINALITY m (query, tableoid, ctid, key, score, n)
                UNION ALL
                SELECT w.query, w.tableoid, w.ctid, w.key, CASE WHEN w.ctid IS NULL AND w.key IS NULL THEN -w.n END, NULL, w.score,
                       NULL, row_number() OVER (PARTITION BY w.query ORDER BY w.n)
                FROM unnest(fuse.words) WITH ORDINALITY w (query, tableoid, ctid, key, score, n)) h
            GROUP BY h.query, h.tableoid, h.ctid, h.key, h.nameless) s
        WHERE fuse.min_score IS NULL OR s.score >= fuse.min_score) f
    WHERE f.n <= fuse.k ORDER BY f.query, f.n;
$$;
COMMENT ON FUNCTION lmtext_internal.fuse(lmtext_internal.hit[], lmtext_internal.hit[], text, integer, double precision) IS
    'rankings by meaning and by words as one';

-- ---- The cut ----

-- Written by lmtext_internal.write_calibration only.
CREATE TABLE lmtext.search_calibration (
    relation regclass NOT NULL,
    column_name name NOT NULL,
    model regclass NOT NULL,
    neighbours integer NOT NULL,
    quantile double precision NOT NULL,
    threshold double precision NOT NULL,
    sampled integer NOT NULL,
    rows bigint NOT NULL,
    calibrated_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    PRIMARY KEY (relation, column_name)
);
COMMENT ON TABLE lmtext.search_calibration IS 'what cutoff => ''auto'' of lmtext.search goes by: the least mean cosine of the best rows';
GRANT SELECT ON lmtext.search_calibration TO PUBLIC;
-- What is gone, or goes with its session, has no name in another database.
SELECT pg_catalog.pg_extension_config_dump('lmtext.search_calibration',
    'WHERE EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid OPERATOR(pg_catalog.=) relation::pg_catalog.oid'
    ' AND c.relpersistence OPERATOR(pg_catalog.<>) ''t'')'
    ' AND EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid OPERATOR(pg_catalog.=) model::pg_catalog.oid'
    ' AND c.relpersistence OPERATOR(pg_catalog.<>) ''t'')');

CREATE FUNCTION lmtext_internal.write_calibration(relation regclass, column_name name, model regclass, neighbours integer,
    quantile double precision, threshold double precision, sampled integer, rows bigint) RETURNS void
    AS 'MODULE_PATHNAME', 'lmtext_write_calibration' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE COST 1000;
COMMENT ON FUNCTION lmtext_internal.write_calibration(regclass, name, regclass, integer, double precision, double precision, integer, bigint) IS
    'keep the calibration of a column; needs ownership of its table';

-- The calibration of a target, which must be of vectors of the same version.
CREATE FUNCTION lmtext_internal.search_calibrated(target lmtext_internal.search_target) RETURNS lmtext.search_calibration
    LANGUAGE plpgsql STABLE PARALLEL SAFE COST 1000 SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    kept lmtext.search_calibration;
BEGIN
    SELECT c.* INTO kept FROM lmtext.search_calibration c
    WHERE c.relation::oid = target.relation::oid AND c.column_name = target.column_name;
    IF FOUND AND (kept.model::oid = target.version::oid OR (SELECT count(DISTINCT m.sha256) = 1 AND count(*) = 2 FROM lmtext.models m
            WHERE m.model::oid = ANY (ARRAY[kept.model::oid, target.version::oid]))) THEN
        RETURN kept;
    END IF;
    RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
        MESSAGE = format(CASE WHEN FOUND THEN 'column "%s" of "%s" was calibrated for another model'
            ELSE 'column "%s" of "%s" was not calibrated' END, target.column_name, lmtext_internal.bare_name(target.relation)),
        DETAIL = 'cutoff => ''auto'' goes by what is usual among the rows of the column.',
        HINT = format('SELECT lmtext.calibrate_search(%L, %L);', target.relation, target.column_name);
END $$;
COMMENT ON FUNCTION lmtext_internal.search_calibrated(lmtext_internal.search_target) IS 'calibration of a column for its version';

-- The queries whose best rows are nearer than chance would have them.
CREATE FUNCTION lmtext_internal.above_cut(hits lmtext_internal.hit[], calibration lmtext.search_calibration) RETURNS integer[]
    LANGUAGE sql IMMUTABLE PARALLEL SAFE COST 1000 SET search_path = pg_catalog, pg_temp AS $$
    SELECT ARRAY(SELECT h.query FROM (SELECT u.query, u.score, row_number() OVER (PARTITION BY u.query ORDER BY u.n) AS rank
            FROM unnest(hits) WITH ORDINALITY u (query, tableoid, ctid, key, score, n)) h
        WHERE h.rank <= (calibration).neighbours GROUP BY h.query HAVING avg(h.score) >= (calibration).threshold);
$$;
COMMENT ON FUNCTION lmtext_internal.above_cut(lmtext_internal.hit[], lmtext.search_calibration) IS 'queries that pass the cut';

CREATE FUNCTION lmtext_internal.of_queries(hits lmtext_internal.hit[], queries integer[]) RETURNS lmtext_internal.hit[]
    LANGUAGE sql IMMUTABLE PARALLEL SAFE COST 1000 SET search_path = pg_catalog, pg_temp AS $$
    SELECT ARRAY(SELECT ROW(u.query, u.tableoid, u.ctid, u.key, u.score)::lmtext_internal.hit
        FROM unnest(hits) WITH ORDINALITY u (query, tableoid, ctid, key, score, n)
        WHERE u.query IN (SELECT q FROM unnest(queries) q) ORDER BY u.n);
$$;
COMMENT ON FUNCTION lmtext_internal.of_queries(lmtext_internal.hit[], integer[]) IS 'rows of some queries';

-- ---- Search ----

CREATE FUNCTION lmtext_internal.check_search(mode text, k integer, candidates integer, cutoff text) RETURNS void
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE COST 100 SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF mode IS NULL OR mode <> ALL ('{semantic,hybrid,words,exact}') THEN
        PERFORM lmtext_internal.refuse_argument(format('unknown mode of search "%s"', lmtext_internal.shown(mode)),
            'Available modes: semantic, hybrid, words, exact.');
    ELSIF k IS NULL OR k NOT BETWEEN 1 AND 1000000 OR coalesce(candidates, 1) NOT BETWEEN 1 AND 1000000 THEN
        PERFORM lmtext_internal.refuse_argument('k and candidates must be from 1 to 1000000', NULL);
    ELSIF coalesce(cutoff, 'none') <> ALL ('{auto,none}') THEN
        PERFORM lmtext_internal.refuse_argument(format('unknown cutoff "%s"', lmtext_internal.shown(cutoff)), 'Available: auto, none.');
    ELSIF cutoff = 'auto' AND mode = 'words' THEN
        PERFORM lmtext_internal.refuse_argument('a search for words alone has no cutoff', 'Use mode => ''hybrid''.');
    END IF;
END $$;
COMMENT ON FUNCTION lmtext_internal.check_search(text, integer, integer, text) IS 'refuses arguments that no search can have';

-- A search of a target: its rankings, cut and fused. Text is compared by the default model, which is the one that was named meanwhile.
CREATE FUNCTION lmtext_internal.search_run(target lmtext_internal.search_target, queries text[], k integer, mode text,
    min_score double precision, cutoff text, candidates integer, model text)
    RETURNS TABLE(query integer, tableoid oid, ctid tid, key text, score double precision, semantic double precision, words double precision,
        semantic_rank integer, words_rank integer)
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE COST 1000000 ROWS 10 AS $$
#variable_conflict use_column
DECLARE
    calibration lmtext.search_calibration;
    default_model text := pg_catalog.current_setting('lmtext.embedding_model', true);
    depth integer := GREATEST(search_run.k, CASE WHEN search_run.mode OPERATOR(pg_catalog.=) 'hybrid' THEN COALESCE(search_run.candidates, 100) END);
    meaning lmtext_internal.hit[] := '{}';
    found_words lmtext_internal.hit[] := '{}';
    kept integer[];
BEGIN
    IF search_run.cutoff OPERATOR(pg_catalog.=) 'auto' THEN
        calibration := lmtext_internal.search_calibrated(search_run.target);
    END IF;
    IF search_run.mode OPERATOR(pg_catalog.<>) 'words' THEN
        IF search_run.model IS NOT NULL THEN
            PERFORM pg_catalog.set_config('lmtext.embedding_model', search_run.model, true);
        END IF;
        meaning := lmtext_internal.search_meaning(search_run.target, search_run.queries, GREATEST(depth, calibration.neighbours), search_run.mode);
        IF search_run.model IS NOT NULL THEN
            PERFORM pg_catalog.set_config('lmtext.embedding_model', default_model, true);
        END IF;
    END IF;
    IF search_run.mode OPERATOR(pg_catalog.=) ANY ('{hybrid,words}'::pg_catalog.text[]) THEN
        FOR i IN 1 .. pg_catalog.cardinality(search_run.queries) LOOP
            found_words := found_words OPERATOR(pg_catalog.||) lmtext_internal.search_words(search_run.target, i, search_run.queries[i], depth);
        END LOOP;
    END IF;
    IF search_run.cutoff OPERATOR(pg_catalog.=) 'auto' THEN
        kept := lmtext_internal.above_cut(meaning, calibration);
        meaning := lmtext_internal.of_queries(meaning, kept);
        found_words := lmtext_internal.of_queries(found_words, kept);
    END IF;
    RETURN QUERY SELECT f.query, f.tableoid, f.ctid, f.key, f.score, f.semantic, f.words, f.semantic_rank, f.words_rank
        FROM lmtext_internal.fuse(meaning, found_words, search_run.mode, search_run.k, search_run.min_score) f;
END $$;
COMMENT ON FUNCTION lmtext_internal.search_run(lmtext_internal.search_target, text[], integer, text, double precision, text, integer, text) IS
    'search of a target';

CREATE FUNCTION lmtext.search(relation regclass, column_name name, queries text[], k integer DEFAULT 10, filter text DEFAULT NULL,
    mode text DEFAULT 'semantic', min_score double precision DEFAULT NULL, cutoff text DEFAULT NULL, model text DEFAULT NULL,
    dimensions integer DEFAULT NULL, text_column name DEFAULT NULL, config regconfig DEFAULT NULL, words_column name DEFAULT NULL,
    words_by text DEFAULT NULL, key_columns name[] DEFAULT NULL, candidates integer DEFAULT NULL)
    RETURNS TABLE(query integer, tableoid oid, ctid tid, key text, score double precision, semantic double precision, words double precision,
        semantic_rank integer, words_rank integer)
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE COST 1000000 ROWS 100 AS $$
#variable_conflict use_column
DECLARE
    target lmtext_internal.search_target;
    ordinals integer[];
    texts text[];
BEGIN
    PERFORM lmtext_internal.check_search(search.mode, search.k, search.candidates, search.cutoff);
    target := lmtext_internal.search_target(search.relation, search.column_name, search.model, search.dimensions, search.key_columns, search.filter,
        search.mode);
    target := lmtext_internal.search_words_of(target, search.text_column, search.config, search.words_column, search.words_by);
    SELECT pg_catalog.array_agg(q.n::pg_catalog.int4 ORDER BY q.n), pg_catalog.array_agg(q.words ORDER BY q.n) INTO ordinals, texts
    FROM ROWS FROM (pg_catalog.unnest(search.queries)) WITH ORDINALITY q (words, n) WHERE q.words IS NOT NULL;
    IF texts IS NOT NULL THEN
        RETURN QUERY SELECT ordinals[r.query], r.tableoid, r.ctid, r.key, r.score, r.semantic, r.words, r.semantic_rank, r.words_rank
            FROM lmtext_internal.search_run(target, texts, search.k, search.mode, search.min_score, search.cutoff, search.candidates, search.model) r;
    END IF;
END $$;
COMMENT ON FUNCTION lmtext.search(regclass, name, text[], integer, text, text, double precision, text, text, integer, name, regconfig, name, text, name[], integer) IS
    'rows of a relation that are nearest to each of several queries';

CREATE FUNCTION lmtext.search(relation regclass, column_name name, query text, k integer DEFAULT 10, filter text DEFAULT NULL,
    mode text DEFAULT 'semantic', min_score double precision DEFAULT NULL, cutoff text DEFAULT NULL, model text DEFAULT NULL,
    dimensions integer DEFAULT NULL, text_column name DEFAULT NULL, config regconfig DEFAULT NULL, words_column name DEFAULT NULL,
    words_by text DEFAULT NULL, key_columns name[] DEFAULT NULL, candidates integer DEFAULT NULL)
    RETURNS TABLE(tableoid oid, ctid tid, key text, score double precision, semantic double precision, words double precision,
        semantic_rank integer, words_rank integer)
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE COST 1000000 ROWS 10 AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY SELECT s.tableoid, s.ctid, s.key, s.score, s.semantic, s.words, s.semantic_rank, s.words_rank
        FROM lmtext.search(search.relation, search.column_name, ARRAY[search.query], search.k, search.filter, search.mode, search.min_score,
            search.cutoff, search.model, search.dimensions, search.text_column, search.config, search.words_column, search.words_by,
            search.key_columns, search.candidates) s;
END $$;
COMMENT ON FUNCTION lmtext.search(regclass, name, text, integer, text, text, double precision, text, text, integer, name, regconfig, name, text, name[], integer) IS
    'rows of a relation that are nearest to a query, by meaning, by words or by both';

-- ---- Calibration ----

-- Rows drawn by their place, the same ones as long as the table stays; each is asked for as a query.
CREATE FUNCTION lmtext_internal.sample_queries(target lmtext_internal.search_target, sample integer,
    OUT vectors real[], OUT tables oid[], OUT places tid[])
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE COST 1000000 AS $$
DECLARE
    other text := pg_catalog.md5(target.column_name::pg_catalog.text); -- names that the column does not have
BEGIN
    EXECUTE pg_catalog.format('SELECT pg_catalog.array_agg(s.v ORDER BY s.n), pg_catalog.array_agg(s.t ORDER BY s.n), pg_catalog.array_agg(s.c ORDER BY s.n)'
        ' FROM (SELECT %1$s, r.%4$I, r.%5$I, r.%6$I'
        ' FROM (SELECT r.%2$I, r.tableoid, r.ctid, pg_catalog.row_number() OVER (ORDER BY pg_catalog.hashtid(r.ctid), r.tableoid)'
        ' FROM %3$s r WHERE r.%2$I IS NOT NULL ORDER BY 4 LIMIT $1) r (%2$I, %4$I, %5$I, %6$I)) s (v, t, c, n)'
        ' WHERE (SELECT pg_catalog.bool_or(f OPERATOR(pg_catalog.<>) 0) FROM pg_catalog.unnest(s.v) f)',
        CASE WHEN target.kind OPERATOR(pg_catalog.=) 'text' THEN pg_catalog.format('lmtext.embed_query(r.%I::pg_catalog.text, %L::pg_catalog.regclass)',
            target.column_name, target.version::pg_catalog.oid) ELSE target.vector END,
        target.column_name, target.source, 't' OPERATOR(pg_catalog.||) other, 'c' OPERATOR(pg_catalog.||) other, 'n' OPERATOR(pg_catalog.||) other)
        INTO vectors, tables, places USING sample;
END $$;
COMMENT ON FUNCTION lmtext_internal.sample_queries(lmtext_internal.search_target, integer) IS
    'vectors of some rows, as queries, and where these are';

-- The mean cosine of the best rows for each query, without the row that it is itself.
CREATE FUNCTION lmtext_internal.mean_of_best(hits lmtext_internal.hit[], tables oid[], places tid[], neighbours integer)
    RETURNS SETOF double precision LANGUAGE sql IMMUTABLE PARALLEL SAFE COST 10000 ROWS 500 SET search_path = pg_catalog, pg_temp AS $$
    SELECT avg(h.score) FROM (SELECT u.query, u.score, row_number() OVER (PARTITION BY u.query ORDER BY u.n) AS rank
            FROM unnest(hits) WITH ORDINALITY u (query, tableoid, ctid, key, score, n)
            WHERE (tables[u.query], places[u.query]) IS DISTINCT FROM (u.tableoid, u.ctid)) h
    WHERE h.rank <= neighbours GROUP BY h.query;
$$;
COMMENT ON FUNCTION lmtext_internal.mean_of_best(lmtext_internal.hit[], oid[], tid[], integer) IS
    'mean cosine of the best rows for each query';

CREATE FUNCTION lmtext_internal.check_calibration(neighbours integer, quantile double precision, sample integer) RETURNS void
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE COST 100 SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF neighbours IS NULL OR neighbours NOT BETWEEN 1 AND 100 THEN
        PERFORM lmtext_internal.refuse_argument('neighbours must be from 1 to 100', NULL);
    ELSIF quantile IS NULL OR NOT (quantile > 0 AND quantile < 1) THEN
        PERFORM lmtext_internal.refuse_argument('quantile must be between 0 and 1', NULL);
    ELSIF sample IS NULL OR sample NOT BETWEEN 20 AND 10000 THEN
        PERFORM lmtext_internal.refuse_argument('sample must be from 20 to 10000', NULL);
    END IF;
END $$;
COMMENT ON FUNCTION lmtext_internal.check_calibration(integer, double precision, integer) IS 'refuses arguments of a calibration';

CREATE FUNCTION lmtext_internal.refuse_few(count bigint, relation regclass, detail text) RETURNS void
    LANGUAGE plpgsql STABLE PARALLEL SAFE COST 100 AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
        MESSAGE = pg_catalog.format('%s rows or queries are too few for a calibration of "%s"', count, relation), DETAIL = detail;
END $$;
COMMENT ON FUNCTION lmtext_internal.refuse_few(bigint, regclass, text) IS 'error of a calibration that has nothing to go by';

CREATE FUNCTION lmtext.calibrate_search(relation regclass, column_name name, model text DEFAULT NULL, neighbours integer DEFAULT 8,
    quantile double precision DEFAULT 0.05, sample integer DEFAULT 500, queries text[] DEFAULT NULL, dimensions integer DEFAULT NULL)
    RETURNS double precision LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 10000000 AS $$
DECLARE
    target lmtext_internal.search_target;
    drawn record;
    hits lmtext_internal.hit[];
    counted bigint;
    threshold double precision;
    asked integer;
BEGIN
    PERFORM lmtext_internal.check_calibration(neighbours, quantile, sample);
    target := lmtext_internal.search_target(relation, column_name, model, dimensions, NULL, NULL);
    IF target.place OPERATOR(pg_catalog.<>) 'r.tableoid, r.ctid' OR NOT (SELECT pg_catalog.pg_has_role(c.relowner, 'USAGE') FROM pg_catalog.pg_class c
            WHERE c.oid OPERATOR(pg_catalog.=) relation::pg_catalog.oid) THEN
        RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege', MESSAGE = pg_catalog.format('must be owner of table "%s"', relation);
    END IF;
    IF (SELECT c.relpersistence OPERATOR(pg_catalog.=) 't' FROM pg_catalog.pg_class c WHERE c.oid OPERATOR(pg_catalog.=) relation::pg_catalog.oid) THEN
        RAISE EXCEPTION USING ERRCODE = 'wrong_object_type', MESSAGE = pg_catalog.format('"%s" cannot be calibrated', relation),
            DETAIL = 'It is a temporary table, and a calibration is kept for all sessions.';
    END IF;
    IF queries IS NULL THEN
        drawn := lmtext_internal.sample_queries(target, sample);
    ELSE
        SELECT lmtext.embed_query(pg_catalog.array_remove(queries, NULL), target.version, target.dimensions) AS vectors,
            NULL::pg_catalog.oid[] AS tables, NULL::pg_catalog.tid[] AS places INTO drawn;
    END IF;
    asked := COALESCE(pg_catalog.array_length(drawn.vectors, 1), 0);
    IF asked OPERATOR(pg_catalog.<) 20 THEN
        PERFORM lmtext_internal.refuse_few(asked, relation, 'At least 20 are needed.');
    END IF;
    EXECUTE pg_catalog.format('SELECT lmtext_internal.nearest(%s, NULL, %s, $1, $2), pg_catalog.count(r.%I) FROM %s r',
        target.place, target.vector, column_name, target.source)
        INTO hits, counted USING drawn.vectors, neighbours OPERATOR(pg_catalog.+) 1;
    SELECT pg_catalog.percentile_cont(quantile) WITHIN GROUP (ORDER BY m) INTO threshold
    FROM lmtext_internal.mean_of_best(hits, drawn.tables, drawn.places, neighbours) m;
    IF threshold IS NULL THEN
        PERFORM lmtext_internal.refuse_few(counted, relation, 'There is no row that the queries could be compared with.');
    END IF;
    PERFORM lmtext_internal.write_calibration(relation, column_name, target.version, neighbours, quantile, threshold, asked, counted);
    RETURN threshold;
END $$;
COMMENT ON FUNCTION lmtext.calibrate_search(regclass, name, text, integer, double precision, integer, text[], integer) IS
    'learn from the rows of a column how near relevant rows are, for cutoff => ''auto''; returns the least mean cosine of the best rows';

-- ---- Why ----

-- The pieces of a text that are compared: sentences, cut where they are longer than the window.
CREATE FUNCTION lmtext_internal.passages(text text, model text, OUT contents text[], OUT starts integer[], OUT stops integer[])
    LANGUAGE sql STABLE PARALLEL SAFE COST 10000 AS $$
    SELECT pg_catalog.array_agg(c.content ORDER BY s.start, c.start),
        pg_catalog.array_agg(s.start OPERATOR(pg_catalog.+) c.start ORDER BY s.start, c.start),
        pg_catalog.array_agg(s.start OPERATOR(pg_catalog.+) c.stop ORDER BY s.start, c.start)
    FROM lmtext_internal.sentences(text) s, LATERAL lmtext.chunk(s.content, model) c;
$$;
COMMENT ON FUNCTION lmtext_internal.passages(text, text) IS 'sentences of a text, none longer than the window of a model';

CREATE FUNCTION lmtext.highlight(text text, query text, model text DEFAULT NULL, k integer DEFAULT 1)
    RETURNS TABLE(content text, start integer, stop integer, score double precision)
    LANGUAGE plpgsql STABLE PARALLEL SAFE COST 1000000 ROWS 1 AS $$
#variable_conflict use_column
DECLARE
    passages record := lmtext_internal.passages(highlight.text, highlight.model);
BEGIN
    IF highlight.k IS NULL OR highlight.k OPERATOR(pg_catalog.<) 1 THEN
        PERFORM lmtext_internal.refuse_argument('k must be at least 1', NULL);
    END IF;
    IF passages.contents IS NOT NULL AND highlight.query IS NOT NULL THEN
        RETURN QUERY SELECT passages.contents[c.n], passages.starts[c.n], passages.stops[c.n], c.cosine
            FROM pg_catalog.unnest(lmtext_internal.cosines(lmtext.embed_document(passages.contents, highlight.model),
                lmtext.embed_query(highlight.query, highlight.model))) WITH ORDINALITY c (cosine, n)
            WHERE c.cosine OPERATOR(pg_catalog.<) 'NaN' ORDER BY c.cosine DESC, c.n LIMIT highlight.k;
    END IF;
END $$;
COMMENT ON FUNCTION lmtext.highlight(text, text, text, integer) IS
    'sentences of a text that are nearest to a query, with their character offsets';

CREATE FUNCTION lmtext_internal.version_name(version regclass) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE COST 100 SET search_path = pg_catalog, pg_temp AS $$
    SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = version;
$$;
COMMENT ON FUNCTION lmtext_internal.version_name(regclass) IS 'name of a version that means the same under every search_path';

-- Where a row stands among all rows by its distance: 1 and the number of those that are nearer.
CREATE FUNCTION lmtext_internal.rank_by_meaning(target lmtext_internal.search_target, words text, key text, OUT score double precision, OUT rank bigint,
    OUT body text)
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE COST 1000000 AS $$
BEGIN
    EXECUTE pg_catalog.format('SELECT 1 OPERATOR(pg_catalog.-) d.d, CASE WHEN d.d OPERATOR(pg_catalog.<) ''NaN'' THEN'
        ' (SELECT 1 OPERATOR(pg_catalog.+) pg_catalog.count(*) FROM %1$s r WHERE (%2$s) AND %3$s OPERATOR(pg_catalog.<) d.d) END, d.b'
        ' FROM (SELECT %3$s, %5$s FROM %1$s r WHERE (%2$s) AND %4$s OPERATOR(pg_catalog.=) $2 LIMIT 1) d (d, b)',
        target.source, target.condition, target.distance, target.key, COALESCE(target.body, 'NULL::pg_catalog.text'))
        INTO score, rank, body USING words, key;
END $$;
COMMENT ON FUNCTION lmtext_internal.rank_by_meaning(lmtext_internal.search_target, text, text) IS 'where a row stands by meaning';

CREATE FUNCTION lmtext.explain_search(relation regclass, column_name name, query text, key text, filter text DEFAULT NULL, model text DEFAULT NULL,
    dimensions integer DEFAULT NULL, text_column name DEFAULT NULL, config regconfig DEFAULT NULL, words_column name DEFAULT NULL,
    words_by text DEFAULT NULL, key_columns name[] DEFAULT NULL, candidates integer DEFAULT NULL)
    RETURNS TABLE(rank bigint, score double precision, semantic_rank bigint, semantic double precision, words_rank bigint, words double precision,
        passage text, start integer, stop integer, passage_score double precision, tokens integer, tokens_read integer, tokens_cut integer)
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE COST 10000000 ROWS 1 AS $$
#variable_conflict use_column
DECLARE
    target lmtext_internal.search_target := lmtext_internal.search_target(explain_search.relation, explain_search.column_name, explain_search.model,
        explain_search.dimensions, explain_search.key_columns, explain_search.filter);
    default_model text := pg_catalog.current_setting('lmtext.embedding_model', true);
    version text;
    meaning record;
    window_tokens integer;
BEGIN
    PERFORM lmtext_internal.check_search('hybrid', 1, explain_search.candidates, NULL);
    IF target.key OPERATOR(pg_catalog.=) 'NULL::pg_catalog.text' THEN
        PERFORM lmtext_internal.refuse_argument(pg_catalog.format('"%s" has no key', explain_search.relation), 'Name its columns: key_columns => ''{id}''.');
    END IF;
    target := lmtext_internal.search_words_of(target, explain_search.text_column, explain_search.config, explain_search.words_column, explain_search.words_by);
    version := lmtext_internal.version_name(target.version);
    IF explain_search.model IS NOT NULL THEN
        PERFORM pg_catalog.set_config('lmtext.embedding_model', explain_search.model, true);
    END IF;
    meaning := lmtext_internal.rank_by_meaning(target, explain_search.query, explain_search.key);
    IF explain_search.model IS NOT NULL THEN
        PERFORM pg_catalog.set_config('lmtext.embedding_model', default_model, true);
    END IF;
    IF meaning.score IS NULL AND meaning.body IS NULL THEN
        RETURN;
    END IF;
    semantic := meaning.score;
    semantic_rank := meaning.rank;
    IF target.words IS NOT NULL THEN
        SELECT h.n, h.score INTO words_rank, words
        FROM pg_catalog.unnest(lmtext_internal.search_words(target, 1, explain_search.query, 1000000))
            WITH ORDINALITY h (query, tableoid, ctid, key, score, n) WHERE h.key OPERATOR(pg_catalog.=) explain_search.key LIMIT 1;
        SELECT s.n, s.score INTO rank, score FROM ROWS FROM (lmtext_internal.search_run(target, ARRAY[explain_search.query], 1000000, 'hybrid', NULL, NULL,
            explain_search.candidates, explain_search.model)) WITH ORDINALITY
            s (query, tableoid, ctid, key, score, semantic, words, semantic_rank, words_rank, n)
        WHERE s.key OPERATOR(pg_catalog.=) explain_search.key LIMIT 1;
    END IF;
    IF meaning.body IS NOT NULL THEN
        SELECT h.content, h.start, h.stop, h.score INTO passage, start, stop, passage_score
        FROM lmtext.highlight(meaning.body, explain_search.query, version) h;
        tokens := lmtext.count_tokens(meaning.body, version);
        SELECT m.max_tokens INTO window_tokens FROM lmtext.models m WHERE m.model::pg_catalog.oid OPERATOR(pg_catalog.=) target.version::pg_catalog.oid;
        tokens_read := CASE WHEN pg_catalog.current_setting('lmtext.on_long') OPERATOR(pg_catalog.=) 'mean' THEN tokens
            ELSE LEAST(tokens, window_tokens) END;
        tokens_cut := tokens OPERATOR(pg_catalog.-) tokens_read;
    END IF;
    RETURN NEXT;
END $$;
COMMENT ON FUNCTION lmtext.explain_search(regclass, name, text, text, text, text, integer, name, regconfig, name, text, name[], integer) IS
    'where a row stands in a hybrid search and why: ranks and scores, the passage that fits best, tokens read and cut';

-- ---- Chunks ----

-- Equality of the primary key's columns, as that sees it: left and right are names of rows.
CREATE FUNCTION lmtext_internal.same_key(relation regclass, left_row text, right_row text) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE COST 1000 SET search_path = pg_catalog, pg_temp AS $$
    SELECT string_agg(format('%s.%I OPERATOR(%I.%s) %s.%2$I', left_row, a.attname, n.nspname, o.oprname, right_row), ' AND ' ORDER BY k.n)
    FROM pg_index i, ROWS FROM (unnest(i.indkey::smallint[])) WITH ORDINALITY k (number, n), pg_attribute a, pg_opclass c, pg_amop m, pg_operator o,
        pg_namespace n
    WHERE i.indrelid = relation AND i.indisprimary AND k.n <= i.indnkeyatts AND a.attrelid = relation AND a.attnum = k.number
        AND c.oid = i.indclass[(k.n - 1)::integer] AND m.amopfamily = c.opcfamily AND m.amopstrategy = 3
        AND m.amoplefttype = c.opcintype AND m.amoprighttype = c.opcintype AND o.oid = m.amopopr AND n.oid = o.oprnamespace;
$$;
COMMENT ON FUNCTION lmtext_internal.same_key(regclass, text, text) IS 'condition that two rows have the same primary key';

-- The documents in FROM: triggers of a table do not see its children.
CREATE FUNCTION lmtext_internal.documents_from(relation regclass) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE COST 1000 SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE c.relkind WHEN 'r' THEN 'ONLY ' ELSE '' END || lmtext_internal.table_name(relation) FROM pg_class c WHERE c.oid = relation;
$$;
COMMENT ON FUNCTION lmtext_internal.documents_from(regclass) IS 'a table of documents as it stands in FROM';

-- The trigger's function: an ordinary function of the owner's, so that whoever may write documents needs no privilege on their chunks.
-- A chunk whose text stays keeps its row, and so its vector.
CREATE FUNCTION lmtext_internal.chunk_function(relation regclass, column_name name, chunks text, version text, max_tokens integer, overlap integer)
    RETURNS text LANGUAGE plpgsql STABLE PARALLEL SAFE COST 1000 SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    keys text;
    new_keys text;
BEGIN
    SELECT string_agg(format('%I', k), ', ' ORDER BY n), string_agg(format('NEW.%I', k), ', ' ORDER BY n) INTO keys, new_keys
    FROM unnest(lmtext_internal.job_key(relation)) WITH ORDINALITY u (k, n);
    RETURN format($body$
BEGIN
    IF TG_WHEN = 'BEFORE' THEN
        RETURN NULL; -- the mark of the chunks
    END IF;
    IF TG_OP = 'TRUNCATE' THEN
        TRUNCATE %1$s;
        RETURN NULL;
    END IF;
    IF TG_OP = 'UPDATE' THEN
        IF %2$s AND OLD.%3$I::text COLLATE "C" IS NOT DISTINCT FROM NEW.%3$I::text COLLATE "C" THEN
            RETURN NULL;
        END IF;
    END IF;
    IF TG_OP = 'DELETE' OR TG_OP = 'UPDATE' AND NOT (%2$s) THEN
        -- An update may have given the key to another row, whose chunks these are.
        DELETE FROM %1$s c WHERE %4$s AND NOT EXISTS (SELECT FROM %11$s d WHERE %12$s);
    END IF;
    IF TG_OP = 'DELETE' THEN
        RETURN NULL;
    END IF;
    WITH n AS MATERIALIZED (SELECT * FROM lmtext.chunk(NEW.%3$I::text, %5$L::regclass, %6$s, %7$s)),
        gone AS (DELETE FROM %1$s c WHERE %8$s AND c.chunk > (SELECT count(*) FROM n)),
        other AS (UPDATE %1$s c SET content = n.content, start = n.start, stop = n.stop, tokens = n.tokens FROM n
            WHERE %8$s AND c.chunk = n.chunk
                AND (c.content COLLATE "C", c.start, c.stop, c.tokens) IS DISTINCT FROM (n.content COLLATE "C", n.start, n.stop, n.tokens))
    INSERT INTO %1$s (%9$s, chunk, content, start, stop, tokens) SELECT %10$s, n.chunk, n.content, n.start, n.stop, n.tokens FROM n
    WHERE NOT EXISTS (SELECT FROM %1$s c WHERE %8$s AND c.chunk = n.chunk) ORDER BY n.chunk;
    RETURN NULL;
END $body$, chunks, lmtext_internal.same_key(relation, 'OLD', 'NEW'), column_name, lmtext_internal.same_key(relation, 'c', 'OLD'),
        version, coalesce(max_tokens::text, 'NULL'), overlap, lmtext_internal.same_key(relation, 'c', 'NEW'), keys, new_keys,
        lmtext_internal.documents_from(relation), lmtext_internal.same_key(relation, 'd', 'OLD'));
END $$;
COMMENT ON FUNCTION lmtext_internal.chunk_function(regclass, name, text, text, integer, integer) IS
    'body of the function of triggers that keep chunks in step';

-- The name of the prompt under which embed does what embed_document does, as an argument for lmtext.embed_trigger; NULL: there is none.
CREATE FUNCTION lmtext_internal.document_prompt(version regclass) RETURNS text
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE COST 1000000 SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    probe CONSTANT text := 'a text';
    wanted real[] := lmtext.embed_document(probe, version);
    prompt text;
BEGIN
    IF lmtext.embed(probe, version) = wanted THEN
        RETURN '';
    END IF;
    FOREACH prompt IN ARRAY ARRAY['document', 'passage', 'corpus'] LOOP
        BEGIN
            IF lmtext.embed(probe, version, prompt_name => prompt) = wanted THEN
                RETURN format(', %L', prompt);
            END IF;
        EXCEPTION WHEN invalid_parameter_value OR undefined_object THEN
            CONTINUE;
        END;
    END LOOP;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION lmtext_internal.document_prompt(regclass) IS 'argument of a trigger that embeds documents';

-- Of the vectors: a trigger of the chunk table, or a job over it.
CREATE FUNCTION lmtext_internal.keep_chunk_vectors(chunks regclass, version text, embedding text) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 10000000 AS $$
DECLARE
    prompt text;
BEGIN
    IF embedding OPERATOR(pg_catalog.=) 'job' THEN
        PERFORM lmtext.create_job((SELECT c.relname::pg_catalog.text FROM pg_catalog.pg_class c WHERE c.oid OPERATOR(pg_catalog.=) chunks),
            chunks, 'content', 'embed_document', version, 'embedding', '{}');
    ELSIF embedding OPERATOR(pg_catalog.=) 'trigger' THEN
        prompt := lmtext_internal.document_prompt(version::pg_catalog.regclass);
        IF prompt IS NULL THEN
            RAISE EXCEPTION USING ERRCODE = 'feature_not_supported',
                MESSAGE = pg_catalog.format('a trigger cannot embed documents by model %s', version),
                DETAIL = 'It embeds documents by a route of their own.', HINT = 'Use embedding => ''job''.';
        END IF;
        EXECUTE pg_catalog.format('CREATE TRIGGER embed BEFORE INSERT OR UPDATE OF content ON %s'
            ' FOR EACH ROW EXECUTE FUNCTION lmtext.embed_trigger(''content'', ''embedding'', %L%s)',
            lmtext_internal.table_name(chunks), version, prompt);
    END IF;
END $$;
COMMENT ON FUNCTION lmtext_internal.keep_chunk_vectors(regclass, text, text) IS 'keep the vectors of chunks';

-- The table, empty, and then its rows; a vector as wide as this stands in its row, where reading it is cheapest.
CREATE FUNCTION lmtext_internal.make_chunks(relation regclass, chunks text) RETURNS regclass
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 100000 AS $$
DECLARE
    keys text;
BEGIN
    SELECT pg_catalog.string_agg(pg_catalog.format('%I', k), ', ' ORDER BY n) INTO keys
    FROM pg_catalog.unnest(lmtext_internal.job_key(relation)) WITH ORDINALITY u (k, n);
    EXECUTE pg_catalog.format('CREATE TABLE %s AS SELECT %s, NULL::pg_catalog.int4 AS chunk, NULL::pg_catalog.text AS content, NULL::pg_catalog.int4 AS start,'
        ' NULL::pg_catalog.int4 AS stop, NULL::pg_catalog.int4 AS tokens, NULL::pg_catalog.float4[] AS embedding FROM %s WITH NO DATA',
        chunks, keys, lmtext_internal.table_name(relation));
    EXECUTE pg_catalog.format('ALTER TABLE %s ADD PRIMARY KEY (%s, chunk), ALTER content SET NOT NULL', chunks, keys);
    RETURN chunks;
END $$;
COMMENT ON FUNCTION lmtext_internal.make_chunks(regclass, text) IS 'make an empty table of chunks';

CREATE FUNCTION lmtext_internal.fill_chunks(relation regclass, column_name name, chunks regclass, version text, max_tokens integer, overlap integer,
    embeds boolean) RETURNS void LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 10000000 AS $$
DECLARE
    keys text;
BEGIN
    SELECT pg_catalog.string_agg(pg_catalog.format('d.%I', k), ', ' ORDER BY n) INTO keys
    FROM pg_catalog.unnest(lmtext_internal.job_key(relation)) WITH ORDINALITY u (k, n);
    EXECUTE pg_catalog.format('ALTER TABLE %s ALTER embedding SET STORAGE %s', lmtext_internal.table_name(chunks),
        (SELECT CASE WHEN m.dimensions OPERATOR(pg_catalog.<=) 1024 THEN 'PLAIN' ELSE 'EXTERNAL' END FROM lmtext.models m
         WHERE m.model::pg_catalog.oid OPERATOR(pg_catalog.=) fill_chunks.version::pg_catalog.regclass::pg_catalog.oid));
    EXECUTE pg_catalog.format('INSERT INTO %s SELECT %s, c.chunk, c.content, c.start, c.stop, c.tokens, %s'
        ' FROM %s d, LATERAL lmtext.chunk(d.%I::pg_catalog.text, %L::pg_catalog.regclass, %s, %s) c',
        lmtext_internal.table_name(chunks), keys,
        CASE WHEN embeds THEN pg_catalog.format('lmtext.embed_document(c.content, %L::pg_catalog.regclass)', version) ELSE 'NULL' END,
        lmtext_internal.documents_from(relation), column_name, version, COALESCE(max_tokens::pg_catalog.text, 'NULL'), overlap);
END $$;
COMMENT ON FUNCTION lmtext_internal.fill_chunks(regclass, name, regclass, text, integer, integer, boolean) IS 'cut and embed all documents';

-- What keeps a table of chunks in step: a function, and two triggers that call it. A third one, of the chunks, does nothing: by it
-- the function is found under whatever name the chunks have later.
CREATE FUNCTION lmtext_internal.attach_chunks(relation regclass, column_name name, chunks regclass, version text, max_tokens integer, overlap integer)
    RETURNS void LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 100000 AS $$
DECLARE
    made record;
    keeper text;
BEGIN
    SELECT c.relname, n.nspname INTO made FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
    WHERE c.oid OPERATOR(pg_catalog.=) chunks;
    keeper := pg_catalog.format('%I.%I', made.nspname, pg_catalog.concat(pg_catalog.left(made.relname::pg_catalog.text, 58), '_keep'));
    EXECUTE pg_catalog.format('CREATE FUNCTION %s() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS %L', keeper,
        lmtext_internal.chunk_function(relation, column_name, lmtext_internal.table_name(chunks), version, max_tokens, overlap));
    EXECUTE pg_catalog.format('REVOKE ALL ON FUNCTION %s() FROM PUBLIC', keeper);
    EXECUTE pg_catalog.format('CREATE TRIGGER %I AFTER INSERT OR UPDATE OR DELETE ON %s FOR EACH ROW EXECUTE FUNCTION %s()',
        made.relname, lmtext_internal.table_name(relation), keeper);
    EXECUTE pg_catalog.format('CREATE TRIGGER %I AFTER TRUNCATE ON %s FOR EACH STATEMENT EXECUTE FUNCTION %s()',
        pg_catalog.concat(pg_catalog.left(made.relname::pg_catalog.text, 54), '_truncate'), lmtext_internal.table_name(relation), keeper);
    EXECUTE pg_catalog.format('CREATE TRIGGER kept_by BEFORE TRUNCATE ON %s FOR EACH STATEMENT EXECUTE FUNCTION %s()',
        lmtext_internal.table_name(chunks), keeper);
END $$;
COMMENT ON FUNCTION lmtext_internal.attach_chunks(regclass, name, regclass, text, integer, integer) IS 'keep a table of chunks in step';

CREATE FUNCTION lmtext_internal.check_chunks(relation regclass, column_name name, embedding text) RETURNS void
    LANGUAGE plpgsql STABLE PARALLEL SAFE COST 1000 SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF relation IS NULL OR column_name IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed', MESSAGE = 'chunks need a table and a column';
    END IF;
    PERFORM lmtext_internal.search_relation(relation);
    IF embedding IS NULL OR embedding <> ALL ('{trigger,job,none}') THEN
        PERFORM lmtext_internal.refuse_argument(format('unknown way "%s" to embed chunks', lmtext_internal.shown(embedding)),
            'Available: trigger, job, none.');
    END IF;
    IF NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = relation AND pg_get_userbyid(c.relowner) = CURRENT_USER) THEN
        RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege', MESSAGE = format('must be owner of table "%s"', lmtext_internal.bare_name(relation)),
            DETAIL = 'What keeps its chunks in step runs with the privileges of the role that makes it.';
    END IF;
    IF (SELECT c.relkind FROM pg_class c WHERE c.oid = relation) <> ALL ('{r,p}'::"char"[]) THEN
        RAISE EXCEPTION USING ERRCODE = 'wrong_object_type', MESSAGE = format('"%s" is no table', lmtext_internal.bare_name(relation));
    END IF;
    IF (SELECT k.kind FROM lmtext_internal.search_kind(relation, column_name) k) <> 'text' THEN
        RAISE EXCEPTION USING ERRCODE = 'datatype_mismatch', MESSAGE = format('column "%s" has no text', column_name);
    END IF;
    IF (SELECT a.attgenerated FROM pg_attribute a WHERE a.attrelid = relation AND a.attname = column_name) = 'v' THEN
        RAISE EXCEPTION USING ERRCODE = 'feature_not_supported', MESSAGE = format('column "%s" is a virtual generated column', column_name),
            DETAIL = 'A trigger does not see what it holds.', HINT = 'Make it GENERATED ALWAYS AS (...) STORED.';
    END IF;
    PERFORM lmtext_internal.job_key(relation);
    IF EXISTS (SELECT FROM pg_index i WHERE i.indrelid = relation AND i.indisprimary AND NOT i.indimmediate) THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = format('the primary key of "%s" is deferrable', lmtext_internal.bare_name(relation)),
            DETAIL = 'Two documents may have the same key for a time, and their chunks cannot.';
    END IF;
END $$;
COMMENT ON FUNCTION lmtext_internal.check_chunks(regclass, name, text) IS 'refuses a table or an argument that chunks cannot have';

-- Who may read documents may read the chunks of those that they see. The policy asks for the text too, so that it needs the
-- privilege on it, also when that is taken away later.
CREATE FUNCTION lmtext_internal.share_chunks(relation regclass, column_name name, chunks regclass) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 10000 AS $$
DECLARE
    reader record;
BEGIN
    EXECUTE pg_catalog.format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', lmtext_internal.table_name(chunks));
    EXECUTE pg_catalog.format('CREATE POLICY document ON %s USING (EXISTS (SELECT FROM %s d WHERE %s AND d.%I IS NOT NULL))',
        lmtext_internal.table_name(chunks), lmtext_internal.table_name(relation),
        lmtext_internal.same_key(relation, 'd', lmtext_internal.table_name(chunks)), column_name);
    FOR reader IN SELECT CASE WHEN p.grantee OPERATOR(pg_catalog.=) 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(p.grantee)) END AS name
            FROM pg_catalog.pg_class c, pg_catalog.aclexplode(c.relacl) p
            WHERE c.oid OPERATOR(pg_catalog.=) relation AND p.privilege_type OPERATOR(pg_catalog.=) 'SELECT' AND p.grantee OPERATOR(pg_catalog.<>) c.relowner LOOP
        EXECUTE pg_catalog.format('GRANT SELECT ON %s TO %s', lmtext_internal.table_name(chunks), reader.name);
    END LOOP;
END $$;
COMMENT ON FUNCTION lmtext_internal.share_chunks(regclass, name, regclass) IS 'let readers of documents read their chunks';

CREATE FUNCTION lmtext.create_chunks(relation regclass, column_name name, chunks name DEFAULT NULL, model text DEFAULT NULL,
    max_tokens integer DEFAULT NULL, overlap integer DEFAULT 0, embedding text DEFAULT 'trigger')
    RETURNS regclass LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 10000000 AS $$
DECLARE
    made regclass;
    version text;
BEGIN
    PERFORM lmtext_internal.check_chunks(relation, column_name, embedding);
    IF pg_catalog.current_setting('transaction_isolation') OPERATOR(pg_catalog.=) ANY ('{repeatable read,serializable}'::pg_catalog.text[]) THEN
        RAISE EXCEPTION USING ERRCODE = 'active_sql_transaction',
            MESSAGE = pg_catalog.format('chunks cannot be made in a transaction that is %s', pg_catalog.current_setting('transaction_isolation')),
            DETAIL = 'Its snapshot may be older than rows of the table.', HINT = 'Use BEGIN ISOLATION LEVEL READ COMMITTED.';
    END IF;
    version := lmtext_internal.version_name(lmtext_internal.resolve_model(lmtext_internal.qualified_model(model, 'embed')));
    EXECUTE pg_catalog.format('LOCK TABLE %s IN SHARE ROW EXCLUSIVE MODE', lmtext_internal.table_name(relation));
    made := lmtext_internal.make_chunks(relation, (SELECT pg_catalog.format('%I.%I', n.nspname, COALESCE(chunks, pg_catalog.concat(c.relname, '_chunks')))
        FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace WHERE c.oid OPERATOR(pg_catalog.=) relation));
    EXECUTE pg_catalog.format('COMMENT ON TABLE %s IS %L', lmtext_internal.table_name(made),
        pg_catalog.format('lmtext chunks of %s (%I)', lmtext_internal.table_name(relation), column_name));
    PERFORM lmtext_internal.fill_chunks(relation, column_name, made, version, max_tokens, COALESCE(overlap, 0),
        embedding OPERATOR(pg_catalog.=) 'trigger');
    PERFORM lmtext_internal.attach_chunks(relation, column_name, made, version, max_tokens, COALESCE(overlap, 0));
    PERFORM lmtext_internal.share_chunks(relation, column_name, made);
    PERFORM lmtext_internal.keep_chunk_vectors(made, version, embedding);
    RETURN made;
END $$;
COMMENT ON FUNCTION lmtext.create_chunks(regclass, name, name, text, integer, integer, text) IS
    'make a table of the chunks of a text column, and keep it in step with it';

-- The documents of a table of chunks: its policy asks them.
CREATE FUNCTION lmtext_internal.documents_of(chunks regclass) RETURNS regclass
    LANGUAGE plpgsql STABLE PARALLEL SAFE COST 1000 SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    documents regclass;
BEGIN
    SELECT d.refobjid INTO documents FROM pg_policy p JOIN pg_depend d ON d.classid = 'pg_policy'::regclass AND d.objid = p.oid
    WHERE p.polrelid = chunks AND p.polname = 'document' AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> chunks::oid;
    IF documents IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'wrong_object_type', MESSAGE = format('"%s" is no table of chunks', lmtext_internal.bare_name(chunks)),
            HINT = 'lmtext.create_chunks makes one.';
    END IF;
    RETURN documents;
END $$;
COMMENT ON FUNCTION lmtext_internal.documents_of(regclass) IS 'table whose chunks a table has';

CREATE FUNCTION lmtext.drop_chunks(chunks regclass) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 100000 AS $$
DECLARE
    documents regclass := lmtext_internal.documents_of(chunks);
    keeper record;
    one record;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid OPERATOR(pg_catalog.=) chunks
            AND pg_catalog.pg_has_role(c.relowner, 'USAGE')) THEN
        RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege', MESSAGE = pg_catalog.format('must be owner of table "%s"', chunks);
    END IF;
    PERFORM lmtext.drop_job(j.name) FROM lmtext.job j WHERE j.relation::pg_catalog.oid OPERATOR(pg_catalog.=) chunks::pg_catalog.oid;
    SELECT p.oid, pg_catalog.format('%I.%I', n.nspname, p.proname) AS name INTO keeper
    FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_proc p ON p.oid OPERATOR(pg_catalog.=) t.tgfoid
        JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) p.pronamespace
    WHERE t.tgrelid OPERATOR(pg_catalog.=) chunks AND t.tgname OPERATOR(pg_catalog.=) 'kept_by';
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = pg_catalog.format('nothing is known to keep "%s" in step', lmtext_internal.bare_name(chunks)),
            DETAIL = 'Its trigger "kept_by" is gone, which names the function.',
            HINT = 'Drop the triggers of the documents that call the function, and then the table.';
    END IF;
    FOR one IN SELECT t.tgname FROM pg_catalog.pg_trigger t WHERE t.tgrelid OPERATOR(pg_catalog.=) documents
            AND t.tgparentid OPERATOR(pg_catalog.=) 0 AND t.tgfoid OPERATOR(pg_catalog.=) keeper.oid LOOP
        EXECUTE pg_catalog.format('DROP TRIGGER %I ON %s', one.tgname, lmtext_internal.table_name(documents));
    END LOOP;
    EXECUTE pg_catalog.format('DROP TABLE %s', lmtext_internal.table_name(chunks));
    EXECUTE pg_catalog.format('DROP FUNCTION %s()', keeper.name);
END $$;
COMMENT ON FUNCTION lmtext.drop_chunks(regclass) IS 'drop a table of chunks and what keeps it in step';

-- Rows of chunks, the best one of each document first; `best` are places of the chunks.
CREATE FUNCTION lmtext_internal.best_chunks(hits lmtext_internal.hit[]) RETURNS lmtext_internal.hit[]
    LANGUAGE sql IMMUTABLE PARALLEL SAFE COST 1000 SET search_path = pg_catalog, pg_temp AS $$
    SELECT ARRAY(SELECT ROW(1, b.tableoid, b.ctid, b.key, b.score)::lmtext_internal.hit FROM (
        SELECT DISTINCT ON (u.key) u.tableoid, u.ctid, u.key, u.score, u.n
        FROM unnest(hits) WITH ORDINALITY u (query, tableoid, ctid, key, score, n) ORDER BY u.key, u.n) b ORDER BY b.n);
$$;
COMMENT ON FUNCTION lmtext_internal.best_chunks(lmtext_internal.hit[]) IS 'the best chunk of each document';

CREATE FUNCTION lmtext.search_chunks(chunks regclass, query text, k integer DEFAULT 10, filter text DEFAULT NULL, mode text DEFAULT 'semantic',
    min_score double precision DEFAULT NULL, cutoff text DEFAULT NULL, model text DEFAULT NULL, config regconfig DEFAULT NULL)
    RETURNS TABLE(key text, score double precision, chunk integer, content text, start integer, stop integer)
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE COST 1000000 ROWS 10 AS $$
#variable_conflict use_column
DECLARE
    documents regclass := lmtext_internal.documents_of(search_chunks.chunks);
    target lmtext_internal.search_target := lmtext_internal.search_target(search_chunks.chunks, 'embedding', search_chunks.model, NULL,
        lmtext_internal.job_key(documents), NULL);
    hits lmtext_internal.hit[];
    best lmtext_internal.hit[];
    n integer := search_chunks.k;
BEGIN
    PERFORM lmtext_internal.check_search(search_chunks.mode, search_chunks.k, NULL, search_chunks.cutoff);
    target := lmtext_internal.search_words_of(target, 'content', search_chunks.config, NULL, NULL);
    -- A partition that was dropped or truncated has left its chunks.
    target := pg_catalog.jsonb_populate_record(target, pg_catalog.jsonb_build_object('condition', pg_catalog.format(
        'EXISTS (SELECT FROM %s d WHERE %s AND (%s))', lmtext_internal.table_name(documents), lmtext_internal.same_key(documents, 'd', 'r'),
        COALESCE(lmtext_internal.parse_filter(documents, search_chunks.filter, 'd'), 'true'))));
    -- More chunks, until they are of enough documents or there are no more.
    LOOP
        EXIT WHEN search_chunks.query IS NULL;
        n := LEAST(n::pg_catalog.int8 OPERATOR(pg_catalog.*) 4, 1000000);
        SELECT pg_catalog.array_agg(ROW(1, s.tableoid, s.ctid, s.key, s.score)::lmtext_internal.hit ORDER BY s.n) INTO hits
        FROM ROWS FROM (lmtext_internal.search_run(target, ARRAY[search_chunks.query], n, search_chunks.mode, search_chunks.min_score,
            search_chunks.cutoff, NULL, search_chunks.model)) WITH ORDINALITY
            s (query, tableoid, ctid, key, score, semantic, words, semantic_rank, words_rank, n);
        best := lmtext_internal.best_chunks(hits);
        EXIT WHEN pg_catalog.cardinality(best) OPERATOR(pg_catalog.>=) search_chunks.k OR n OPERATOR(pg_catalog.=) 1000000
            OR COALESCE(pg_catalog.cardinality(hits), 0) OPERATOR(pg_catalog.<) n;
    END LOOP;
    RETURN QUERY EXECUTE pg_catalog.format('SELECT b.key, b.score, r.chunk, r.content, r.start, r.stop'
        ' FROM pg_catalog.unnest($1) WITH ORDINALITY b (query, tableoid, ctid, key, score, n)'
        ' JOIN %s r ON r.tableoid OPERATOR(pg_catalog.=) b.tableoid AND r.ctid OPERATOR(pg_catalog.=) b.ctid ORDER BY b.n LIMIT $2', target.source)
        USING best, search_chunks.k;
END $$;
COMMENT ON FUNCTION lmtext.search_chunks(regclass, text, integer, text, text, double precision, text, text, regconfig) IS
    'documents whose chunks are nearest to a query, each with its best chunk';

-- 62-versions: when the model of a column changes. A job into a new column takes the place of the old one
-- (switch_job), and until then a map lets queries of the new version search it (map_vectors). As functions of
-- jobs, those that change tables or run the user's query set no search_path.

-- ---- The switch ----

CREATE FUNCTION lmtext_internal.check_switch_options(options jsonb) RETURNS void
    LANGUAGE plpgsql STABLE PARALLEL SAFE COST 100 AS $$
DECLARE
    known CONSTANT jsonb := '{"keep_as": "string", "drop_old": "boolean", "allow_errors": "boolean"}';
    given jsonb := options;
    wrong record;
BEGIN
    IF pg_catalog.jsonb_typeof(given) OPERATOR(pg_catalog.<>) 'object' THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'options must be a JSON object';
    END IF;
    SELECT o.key, known OPERATOR(pg_catalog.->>) o.key AS type INTO wrong FROM pg_catalog.jsonb_each(given) o
    WHERE COALESCE(pg_catalog.jsonb_typeof(o.value) OPERATOR(pg_catalog.<>) (known OPERATOR(pg_catalog.->>) o.key), true)
    ORDER BY o.key LIMIT 1;
    IF FOUND AND wrong.type IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = pg_catalog.format('unknown option "%s"', lmtext_internal.shown(wrong.key)),
            HINT = 'Available options: keep_as, drop_old, allow_errors.';
    ELSIF FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = pg_catalog.format('option "%s" must be a %s', wrong.key, wrong.type);
    END IF;
END $$;
COMMENT ON FUNCTION lmtext_internal.check_switch_options(jsonb) IS 'refuses options that switch_job does not have';

-- Rows that a run of the job would do now, and with `allow_errors` false those that it could not.
CREATE FUNCTION lmtext_internal.check_complete(job lmtext.job, allow_errors boolean) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000000 AS $$
DECLARE
    parts record := lmtext_internal.job_parts(job);
    left_over bigint;
BEGIN
    EXECUTE pg_catalog.format('SELECT pg_catalog.count(*) FROM %s', parts.to_do) INTO left_over
        USING lmtext_internal.job_versions(job);
    IF left_over OPERATOR(pg_catalog.>) 0 THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = pg_catalog.format('job "%s" has %s rows left to do', job.name, left_over),
            HINT = pg_catalog.format('CALL lmtext.run_job(%L);', job.name);
    END IF;
    EXECUTE pg_catalog.format('SELECT pg_catalog.count(*) FROM %s w WHERE w.sqlstate IS NOT NULL', parts.work) INTO left_over;
    IF left_over OPERATOR(pg_catalog.>) 0 AND NOT allow_errors THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = pg_catalog.format('%s rows of job "%s" failed', left_over, job.name),
            DETAIL = 'They have no vector in the new column.',
            HINT = 'The view lmtext.job_errors lists them. Use the option {"allow_errors": true} to go without them.';
    END IF;
END $$;
COMMENT ON FUNCTION lmtext_internal.check_complete(lmtext.job, boolean) IS 'refuses a job that has rows left to do';

-- What would go on reading or writing the old column, whatever its name: a rename is followed by whatever reads it,
-- and a trigger of lmtext.embed_trigger looks for the name.
CREATE FUNCTION lmtext_internal.check_readers(relation regclass, column_name name) RETURNS void
    LANGUAGE plpgsql STABLE PARALLEL SAFE COST 10000 AS $$
DECLARE
    reader text;
BEGIN
    SELECT t.tgname INTO reader FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_proc p ON p.oid OPERATOR(pg_catalog.=) t.tgfoid
    WHERE t.tgrelid OPERATOR(pg_catalog.=) relation AND p.prosrc OPERATOR(pg_catalog.=) 'lmtext_embed_trigger'
        AND pg_catalog.split_part(pg_catalog.encode(t.tgargs, 'escape'), '\000', 2) OPERATOR(pg_catalog.=)
            pg_catalog.encode(pg_catalog.convert_to(column_name::pg_catalog.text, pg_catalog.getdatabaseencoding()), 'escape') LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'dependent_objects_still_exist',
            MESSAGE = pg_catalog.format('trigger "%s" keeps column "%s"', reader, column_name),
            HINT = pg_catalog.format('Drop it in the same transaction: DROP TRIGGER %I ON %s;', reader, relation);
    END IF;
    SELECT pg_catalog.pg_describe_object(d.classid, d.objid, d.objsubid) INTO reader
    FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_attribute a ON a.attrelid OPERATOR(pg_catalog.=) d.refobjid
        AND a.attnum OPERATOR(pg_catalog.=) d.refobjsubid
    WHERE d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass
        AND d.refobjid OPERATOR(pg_catalog.=) relation AND a.attname OPERATOR(pg_catalog.=) column_name
        AND d.classid OPERATOR(pg_catalog.=) ANY (ARRAY['pg_catalog.pg_rewrite'::pg_catalog.regclass,
            'pg_catalog.pg_proc'::pg_catalog.regclass, 'pg_catalog.pg_policy'::pg_catalog.regclass,
            'pg_catalog.pg_trigger'::pg_catalog.regclass, 'pg_catalog.pg_publication_rel'::pg_catalog.regclass])
    ORDER BY d.classid, d.objid LIMIT 1;
    IF NOT FOUND THEN
        SELECT pg_catalog.format('generated column "%s"', g.attname) INTO reader
        FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_attribute a ON a.attrelid OPERATOR(pg_catalog.=) d.refobjid
            AND a.attnum OPERATOR(pg_catalog.=) d.refobjsubid
        JOIN pg_catalog.pg_attrdef e ON e.oid OPERATOR(pg_catalog.=) d.objid AND e.adnum OPERATOR(pg_catalog.<>) a.attnum
        JOIN pg_catalog.pg_attribute g ON g.attrelid OPERATOR(pg_catalog.=) e.adrelid AND g.attnum OPERATOR(pg_catalog.=) e.adnum
        WHERE d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass
            AND d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_attrdef'::pg_catalog.regclass
            AND d.refobjid OPERATOR(pg_catalog.=) relation AND a.attname OPERATOR(pg_catalog.=) column_name
        ORDER BY g.attnum LIMIT 1;
    END IF;
    IF FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'dependent_objects_still_exist',
            MESSAGE = pg_catalog.format('%s would go on reading the old column "%s"', reader, column_name),
            HINT = 'Drop it before the switch and create it again behind it, all in one transaction.';
    END IF;
END $$;
COMMENT ON FUNCTION lmtext_internal.check_readers(regclass, name) IS 'refuses a column that others would go on using';

-- Column privileges are the column's, not its name's.
CREATE FUNCTION lmtext_internal.copy_privileges(relation regclass, source name, target name) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 10000 AS $$
DECLARE
    one record;
BEGIN
    FOR one IN SELECT p.privilege_type, p.is_grantable,
            CASE WHEN p.grantee OPERATOR(pg_catalog.=) 0 THEN 'PUBLIC'
                ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(p.grantee)) END AS grantee
            FROM pg_catalog.pg_attribute a, pg_catalog.aclexplode(a.attacl) p
            WHERE a.attrelid OPERATOR(pg_catalog.=) relation AND a.attname OPERATOR(pg_catalog.=) source LOOP
        EXECUTE pg_catalog.format('GRANT %s (%I) ON %s TO %s%s', one.privilege_type, target, lmtext_internal.table_name(relation),
            one.grantee, CASE WHEN one.is_grantable THEN ' WITH GRANT OPTION' END);
    END LOOP;
END $$;
COMMENT ON FUNCTION lmtext_internal.copy_privileges(regclass, name, name) IS 'grant on a column what is granted on another';

CREATE FUNCTION lmtext_internal.count_indexes(relation regclass, column_name name) RETURNS bigint
    LANGUAGE sql STABLE PARALLEL SAFE COST 100 AS $$
    SELECT pg_catalog.count(*) FROM pg_catalog.pg_index i JOIN pg_catalog.pg_attribute a ON a.attrelid OPERATOR(pg_catalog.=) i.indrelid
    WHERE i.indrelid OPERATOR(pg_catalog.=) relation AND a.attname OPERATOR(pg_catalog.=) column_name
        AND a.attnum OPERATOR(pg_catalog.=) ANY (i.indkey::smallint[]);
$$;
COMMENT ON FUNCTION lmtext_internal.count_indexes(regclass, name) IS 'number of indexes on a column';

-- The old column leaves the name: it is dropped, or goes on under another one, without having to be filled.
CREATE FUNCTION lmtext_internal.retire_column(relation regclass, column_name name, keep_as name) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 100000 AS $$
BEGIN
    IF keep_as IS NULL THEN
        EXECUTE pg_catalog.format('ALTER TABLE %s DROP %I', lmtext_internal.table_name(relation), column_name);
        RETURN;
    END IF;
    IF (SELECT a.attnotnull FROM pg_catalog.pg_attribute a WHERE a.attrelid OPERATOR(pg_catalog.=) relation
            AND a.attname OPERATOR(pg_catalog.=) column_name) THEN
        EXECUTE pg_catalog.format('ALTER TABLE %s ALTER %I DROP NOT NULL', lmtext_internal.table_name(relation), column_name);
    END IF;
    EXECUTE pg_catalog.format('ALTER TABLE %s RENAME %I TO %I', lmtext_internal.table_name(relation), column_name, keep_as);
END $$;
COMMENT ON FUNCTION lmtext_internal.retire_column(regclass, name, name) IS 'drop or rename a column whose place another one takes';

-- Batches lock the table of work before the relation, and so does this. From here on nobody writes; readers go on until the columns
-- are renamed.
CREATE FUNCTION lmtext_internal.lock_switch(works regclass[], relations regclass[]) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 10000 AS $$
DECLARE
    one regclass;
BEGIN
    FOREACH one IN ARRAY works LOOP
        EXECUTE pg_catalog.format('LOCK TABLE %s IN ACCESS EXCLUSIVE MODE', lmtext_internal.table_name(one));
    END LOOP;
    FOREACH one IN ARRAY relations LOOP
        EXECUTE pg_catalog.format('LOCK TABLE %s IN SHARE ROW EXCLUSIVE MODE', lmtext_internal.table_name(one));
    END LOOP;
END $$;
COMMENT ON FUNCTION lmtext_internal.lock_switch(regclass[], regclass[]) IS 'keep writers and batches out of what switch_job exchanges';

CREATE FUNCTION lmtext.switch_job(name text, replaces name, options jsonb DEFAULT '{}') RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000000 AS $$
#variable_conflict use_column
DECLARE
    job lmtext.job := lmtext_internal.own_job(switch_job.name);
    allow_errors boolean;
    keep_as name;
    old_jobs lmtext.job[];
    old_job lmtext.job;
    attached boolean := false;
BEGIN
    IF switch_job.replaces IS NULL OR switch_job.options IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed', MESSAGE = 'a switch needs a job, a column and options';
    END IF;
    PERFORM lmtext_internal.check_switch_options(switch_job.options);
    allow_errors := COALESCE((switch_job.options OPERATOR(pg_catalog.->>) 'allow_errors')::boolean, false);
    IF NOT COALESCE((switch_job.options OPERATOR(pg_catalog.->>) 'drop_old')::boolean, false) THEN
        keep_as := COALESCE(switch_job.options OPERATOR(pg_catalog.->>) 'keep_as',
            pg_catalog.concat(pg_catalog.left(switch_job.replaces::pg_catalog.text, 59), '_old'));
    END IF;
    IF switch_job.replaces OPERATOR(pg_catalog.=) ANY (ARRAY[job.target_column, job.text_column] OPERATOR(pg_catalog.||) job.key)
            OR NOT EXISTS (SELECT FROM pg_catalog.pg_attribute a
            WHERE a.attrelid OPERATOR(pg_catalog.=) job.target AND a.attname OPERATOR(pg_catalog.=) switch_job.replaces
                AND a.attnum OPERATOR(pg_catalog.>) 0 AND NOT a.attisdropped) THEN
        RAISE EXCEPTION USING ERRCODE = 'undefined_column',
            MESSAGE = pg_catalog.format('table "%s" has no other column "%s" that job "%s" could replace', job.target,
                switch_job.replaces, job.name);
    END IF;
    IF pg_catalog.current_setting('transaction_isolation') OPERATOR(pg_catalog.<>) 'read committed' THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = 'lmtext.switch_job needs a transaction that is READ COMMITTED',
            DETAIL = 'Another one would not see the rows that came after it began.';
    END IF;
    SELECT COALESCE(pg_catalog.array_agg(lmtext_internal.own_job(j.name)), '{}') INTO old_jobs
    FROM lmtext.job j JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) j.work
    WHERE j.target::pg_catalog.oid OPERATOR(pg_catalog.=) job.target::pg_catalog.oid
        AND j.target_column OPERATOR(pg_catalog.=) switch_job.replaces;
    PERFORM lmtext_internal.check_readers(job.target, switch_job.replaces);
    PERFORM lmtext_internal.check_complete(job, allow_errors);
    PERFORM lmtext_internal.lock_switch(
        ARRAY(SELECT o.work FROM pg_catalog.unnest(old_jobs) o UNION SELECT job.work),
        ARRAY(SELECT DISTINCT r.relation FROM (VALUES (job.relation), (job.target)) r (relation)));
    PERFORM lmtext_internal.check_complete(job, allow_errors);
    FOREACH old_job IN ARRAY old_jobs LOOP
        attached := attached OR old_job.attached;
        PERFORM lmtext_internal.write_job(job.work, 'schedule', pg_catalog.to_jsonb(s)) FROM lmtext.job_schedule s
        WHERE s.work::pg_catalog.oid OPERATOR(pg_catalog.=) old_job.work::pg_catalog.oid AND NOT EXISTS (SELECT FROM lmtext.job_schedule n
            WHERE n.work::pg_catalog.oid OPERATOR(pg_catalog.=) job.work::pg_catalog.oid);
        PERFORM lmtext.drop_job(old_job.name);
    END LOOP;
    IF lmtext_internal.count_indexes(job.target, switch_job.replaces) OPERATOR(pg_catalog.>) 0
            AND lmtext_internal.count_indexes(job.target, job.target_column) OPERATOR(pg_catalog.=) 0 THEN
        RAISE NOTICE USING MESSAGE = pg_catalog.format('the new column "%s" has no index, and the old one has', switch_job.replaces);
    END IF;
    PERFORM lmtext_internal.copy_privileges(job.target, switch_job.replaces, job.target_column);
    PERFORM lmtext_internal.retire_column(job.target, switch_job.replaces, keep_as);
    EXECUTE pg_catalog.format('ALTER TABLE %s RENAME %I TO %I', lmtext_internal.table_name(job.target), job.target_column,
        switch_job.replaces);
    PERFORM lmtext_internal.write_job(job.work, 'retarget', pg_catalog.jsonb_build_object('target_column', switch_job.replaces));
    IF attached AND NOT job.attached THEN
        PERFORM lmtext.attach(job.name);
    END IF;
    PERFORM lmtext_internal.notify_job(job.name, NULL, 'switch', pg_catalog.jsonb_build_object('column', switch_job.replaces));
END $$;
COMMENT ON FUNCTION lmtext.switch_job(text, name, jsonb) IS
    'let the column of a job that is complete take the place of another, whose jobs are dropped';

-- ---- Maps ----

CREATE TYPE lmtext.vector_map AS (
    from_model regclass,
    to_model regclass,
    matrix real[],
    metrics jsonb
);
COMMENT ON TYPE lmtext.vector_map IS
    'a map from vectors of one version to those of another; a table of this type, "name@map", is a map';
COMMENT ON COLUMN lmtext.vector_map.from_model IS 'version of the vectors that are mapped: that of the queries';
COMMENT ON COLUMN lmtext.vector_map.to_model IS 'version of what comes of them: that of the column';
COMMENT ON COLUMN lmtext.vector_map.matrix IS 'the map: a row for each number that it makes';
COMMENT ON COLUMN lmtext.vector_map.metrics IS 'how it was fitted, and how well it finds';

CREATE FUNCTION lmtext.mapped(vector real[], map text) RETURNS real[]
    AS 'MODULE_PATHNAME', 'lmtext_mapped' LANGUAGE C STABLE STRICT PARALLEL SAFE COST 1000;
COMMENT ON FUNCTION lmtext.mapped(real[], text) IS
    'vector of one model version as another version would have it, by a map that lmtext.map_vectors has made';

CREATE FUNCTION lmtext_internal.fit_map(
    from_vectors real[], to_vectors real[], OUT matrix real[], OUT kind text, OUT fitted bigint, OUT held_out bigint,
    OUT recall double precision, OUT unmapped double precision)
    AS 'MODULE_PATHNAME', 'lmtext_fit_map' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000000;
COMMENT ON FUNCTION lmtext_internal.fit_map(real[], real[]) IS
    'fit a map between two versions'' vectors of the same texts, a row each';

-- Texts of a query, each once, in its order.
CREATE FUNCTION lmtext_internal.sample_texts(query text, size integer) RETURNS text[]
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000000 AS $$
DECLARE
    texts text[];
BEGIN
    EXECUTE pg_catalog.format('SELECT pg_catalog.array_agg(d.body ORDER BY d.place) FROM ('
        'SELECT s.body, pg_catalog.min(s.place) AS place FROM ('
        'SELECT q.body::pg_catalog.text COLLATE "C" AS body, pg_catalog.row_number() OVER () AS place FROM (%s) q (body) LIMIT %s) s'
        ' WHERE s.body OPERATOR(pg_catalog.~) ''\S'' GROUP BY s.body) d', pg_catalog.rtrim(query, E'; \t\r\n'), size) INTO texts;
    RETURN COALESCE(texts, '{}');
END $$;
COMMENT ON FUNCTION lmtext_internal.sample_texts(text, integer) IS 'first texts of a query, each once';

CREATE FUNCTION lmtext_internal.map_option(options jsonb, option text, fallback integer, low integer, high integer) RETURNS integer
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE COST 100 AS $$
DECLARE
    given text := options OPERATOR(pg_catalog.->>) option;
BEGIN
    IF given IS NULL THEN
        RETURN fallback;
    END IF;
    IF given OPERATOR(pg_catalog.!~) '^[0-9]{1,9}$' OR NOT given::integer OPERATOR(pg_catalog.<@) pg_catalog.int4range(low, high, '[]') THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = pg_catalog.format('option "%s" must be from %s to %s', option, low, high);
    END IF;
    RETURN given::integer;
END $$;
COMMENT ON FUNCTION lmtext_internal.map_option(jsonb, text, integer, integer, integer) IS 'option of map_vectors, or its default';

CREATE FUNCTION lmtext_internal.check_map(name text, options jsonb) RETURNS void
    LANGUAGE plpgsql STABLE PARALLEL SAFE COST 100 AS $$
DECLARE
    wrong text;
BEGIN
    IF pg_catalog.octet_length(name) OPERATOR(pg_catalog.>) 59 OR name OPERATOR(pg_catalog.=) '' OR name OPERATOR(pg_catalog.~) '[@."]' THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_name',
            MESSAGE = pg_catalog.format('invalid map name "%s"', lmtext_internal.shown(name)),
            DETAIL = 'It has 1 to 59 bytes, and no "@", dot or quote.';
    END IF;
    IF pg_catalog.jsonb_typeof(options) OPERATOR(pg_catalog.<>) 'object' THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'options must be a JSON object';
    END IF;
    SELECT o INTO wrong FROM pg_catalog.jsonb_object_keys(options) o WHERE o OPERATOR(pg_catalog.<>) ALL ('{sample,seconds}'::pg_catalog.text[]);
    IF FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = pg_catalog.format('unknown option "%s"', lmtext_internal.shown(wrong)),
            HINT = 'Available options: sample, seconds.';
    END IF;
END $$;
COMMENT ON FUNCTION lmtext_internal.check_map(text, jsonb) IS 'refuses a name or options that no map can have';

-- Texts are embedded by both versions, block by block, for two thirds of the time that there is; the fit takes the rest.
CREATE FUNCTION lmtext_internal.embed_both(
    texts text[], from_model regclass, to_model regclass, seconds integer, OUT from_vectors real[], OUT to_vectors real[])
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000000 AS $$
DECLARE
    block CONSTANT integer := 64;
    began timestamptz := pg_catalog.clock_timestamp();
    bodies text[];
BEGIN
    FOR place IN 1 .. pg_catalog.cardinality(texts) BY block LOOP
        EXIT WHEN pg_catalog.clock_timestamp() OPERATOR(pg_catalog.>)
            (began OPERATOR(pg_catalog.+) pg_catalog.make_interval(secs => seconds::double precision OPERATOR(pg_catalog.*) 0.67));
        bodies := texts[place : place OPERATOR(pg_catalog.+) block OPERATOR(pg_catalog.-) 1];
        from_vectors := from_vectors OPERATOR(pg_catalog.||) lmtext.embed_document(bodies, from_model);
        to_vectors := to_vectors OPERATOR(pg_catalog.||) lmtext.embed_document(bodies, to_model);
    END LOOP;
    from_vectors := COALESCE(from_vectors, '{}');
    to_vectors := COALESCE(to_vectors, '{}');
END $$;
COMMENT ON FUNCTION lmtext_internal.embed_both(text[], regclass, regclass, integer) IS 'vectors of texts by two versions';

CREATE FUNCTION lmtext.map_vectors(name text, from_model text, to_model text, query text, options jsonb DEFAULT '{}') RETURNS jsonb
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000000 AS $$
DECLARE
    began timestamptz := pg_catalog.clock_timestamp();
    sample integer;
    seconds integer;
    from_version regclass;
    to_version regclass;
    vectors record;
    fit record;
    metrics jsonb;
    map text;
BEGIN
    IF map_vectors.name IS NULL OR map_vectors.from_model IS NULL OR map_vectors.to_model IS NULL OR map_vectors.query IS NULL
            OR map_vectors.options IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed', MESSAGE = 'a map needs a name, two models, a query and options';
    END IF;
    PERFORM lmtext_internal.check_map(map_vectors.name, map_vectors.options);
    IF pg_catalog.current_schema() IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_schema_name', MESSAGE = 'no schema has been selected to create in';
    END IF;
    IF pg_catalog.pg_my_temp_schema() OPERATOR(pg_catalog.=) ANY (SELECT n.oid FROM pg_catalog.pg_namespace n
            WHERE n.nspname OPERATOR(pg_catalog.=) pg_catalog.current_schema()) THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_table_definition', MESSAGE = 'a map cannot be a temporary table',
            HINT = 'Put another schema first into search_path.';
    END IF;
    map := pg_catalog.format('%I.%I', pg_catalog.current_schema(), pg_catalog.concat(map_vectors.name, '@map'));
    IF pg_catalog.to_regclass(map) IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'duplicate_table', MESSAGE = pg_catalog.format('map "%s" already exists', map_vectors.name),
            HINT = pg_catalog.format('DROP TABLE %s;', map);
    END IF;
    sample := lmtext_internal.map_option(map_vectors.options, 'sample', 2000, 100, 20000);
    seconds := lmtext_internal.map_option(map_vectors.options, 'seconds', 30, 1, 86400);
    from_version := lmtext_internal.resolve_model(map_vectors.from_model);
    to_version := lmtext_internal.resolve_model(map_vectors.to_model);
    vectors := lmtext_internal.embed_both(lmtext_internal.sample_texts(map_vectors.query, sample), from_version, to_version, seconds);
    fit := lmtext_internal.fit_map(vectors.from_vectors, vectors.to_vectors);
    metrics := pg_catalog.jsonb_build_object('kind', fit.kind, 'texts', COALESCE(pg_catalog.array_length(vectors.from_vectors, 1), 0),
        'fitted', fit.fitted, 'held_out', fit.held_out, 'recall_at_10', fit.recall, 'recall_at_10_unmapped', fit.unmapped,
        'seconds', pg_catalog.round(EXTRACT(epoch FROM pg_catalog.clock_timestamp() OPERATOR(pg_catalog.-) began), 1));
    EXECUTE pg_catalog.format('CREATE TABLE %s OF lmtext.vector_map', map);
    EXECUTE pg_catalog.format('COMMENT ON TABLE %s IS %L', map, pg_catalog.format('lmtext map %s: vectors of %s as %s would have them', map_vectors.name, from_version, to_version));
    EXECUTE pg_catalog.format('INSERT INTO %s VALUES ($1, $2, $3, $4)', map)
        USING from_version, to_version, fit.matrix, metrics;
    RETURN metrics;
END $$;
COMMENT ON FUNCTION lmtext.map_vectors(text, text, text, text, jsonb) IS
    'fit a map on texts of a query, so that queries of one model version can search vectors of another; returns how well it finds';

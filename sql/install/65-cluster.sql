-- 65-cluster: several databases with the same models, and tables whose parts lie in them. Connections are those of PostgreSQL's
-- own extension dblink, so who may connect where, and how, is its rule. A connection string may hold a password: it is an
-- argument of one call, and no message repeats it.

-- ---- Connections ----

CREATE FUNCTION lmtext_internal.dblink_schema() RETURNS text
    LANGUAGE plpgsql STABLE PARALLEL SAFE COST 100 SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    found text;
BEGIN
    SELECT quote_ident(n.nspname) INTO found
    FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'dblink';
    IF found IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'feature_not_supported',
            MESSAGE = 'connections to other databases need the extension dblink',
            HINT = 'It comes with PostgreSQL: CREATE EXTENSION dblink;';
    END IF;
    RETURN found;
END $$;
COMMENT ON FUNCTION lmtext_internal.dblink_schema() IS 'schema of the extension dblink, quoted';

-- libpq quotes pieces of a string that it cannot read, and names of hosts that a password with an "@" may have got into. What it
-- says of a connection that was tried is kept without what stands in quotes.
CREATE FUNCTION lmtext_internal.connection_detail(conninfo text, said text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE COST 10 SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE WHEN said ~ '^connection to server (at|on) ' AND strpos(conninfo, '"') = 0
        THEN regexp_replace(said, '"[^"]*"', '"..."', 'g') ELSE 'The connection string or the server cannot be used.' END
$$;
COMMENT ON FUNCTION lmtext_internal.connection_detail(text, text) IS 'why a connection failed, without pieces of its string';

CREATE FUNCTION lmtext_internal.remote_open(lib text, connection text, conninfo text) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 100000 SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    said text;
BEGIN
    EXECUTE format('SELECT %s.dblink_connect($1, $2)', lib) USING connection, conninfo;
EXCEPTION WHEN sqlclient_unable_to_establish_sqlconnection THEN
    GET STACKED DIAGNOSTICS said = PG_EXCEPTION_DETAIL;
    RAISE EXCEPTION USING ERRCODE = 'sqlclient_unable_to_establish_sqlconnection',
        MESSAGE = 'could not connect to the other database',
        DETAIL = lmtext_internal.connection_detail(conninfo, said);
END $$;
COMMENT ON FUNCTION lmtext_internal.remote_open(text, text, text) IS 'open a connection to another database, as dblink has it';

CREATE FUNCTION lmtext_internal.remote_close(lib text, connection text) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000 SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    opened text[];
BEGIN
    EXECUTE format('SELECT %s.dblink_get_connections()', lib) INTO opened;
    IF connection = ANY (opened) THEN
        EXECUTE format('SELECT %s.dblink_disconnect($1)', lib) USING connection;
    END IF;
END $$;
COMMENT ON FUNCTION lmtext_internal.remote_close(text, text) IS 'close a connection to another database, if it is open';

-- Waits for a result in steps that a cancel ends. Opening a connection, and sending while the other side reads nothing, are libpq's
-- and dblink's: there only connect_timeout and tcp_user_timeout of the connection help.
CREATE FUNCTION lmtext_internal.remote_send(lib text, connection text, command text) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 100000 SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    busy integer;
    pause float8 := 0.0005;
BEGIN
    EXECUTE format('SELECT %s.dblink_send_query($1, $2)', lib) USING connection, command;
    LOOP
        EXECUTE format('SELECT %s.dblink_is_busy($1)', lib) INTO busy USING connection;
        EXIT WHEN busy = 0;
        PERFORM pg_sleep(pause);
        pause := LEAST(pause * 2, 0.05);
    END LOOP;
END $$;
COMMENT ON FUNCTION lmtext_internal.remote_send(text, text, text) IS 'send a statement to another database and wait for its result';

-- A second result, which is empty, ends a statement.
CREATE FUNCTION lmtext_internal.remote_end(lib text, connection text) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000 SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE format('SELECT count(*) FROM %s.dblink_get_result($1, true) AS t(nothing text)', lib) USING connection;
END $$;
COMMENT ON FUNCTION lmtext_internal.remote_end(text, text) IS 'end a statement in another database';

CREATE FUNCTION lmtext_internal.remote_rows(lib text, connection text, command text) RETURNS SETOF text
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 100000 ROWS 10 SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM lmtext_internal.remote_send(lib, connection, command);
    RETURN QUERY EXECUTE format('SELECT t.value FROM %s.dblink_get_result($1, true) AS t(value text)', lib) USING connection;
    PERFORM lmtext_internal.remote_end(lib, connection);
END $$;
COMMENT ON FUNCTION lmtext_internal.remote_rows(text, text, text) IS 'rows of one column of a statement in another database';

CREATE FUNCTION lmtext_internal.remote_value(lib text, connection text, command text) RETURNS text
    LANGUAGE sql VOLATILE PARALLEL UNSAFE COST 100000 SET search_path = pg_catalog, pg_temp AS $$
    SELECT r FROM lmtext_internal.remote_rows(lib, connection, command) r
$$;
COMMENT ON FUNCTION lmtext_internal.remote_value(text, text, text) IS 'value of a statement in another database, or its command tag';

-- Functions below are called there as here, and a version may have what an older library cannot read.
CREATE FUNCTION lmtext_internal.check_remote(lib text, connection text) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 100000 SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    here text := (SELECT e.extversion FROM pg_extension e WHERE e.extname = 'lmtext');
    there text := lmtext_internal.remote_value(lib, connection, 'SELECT e.extversion FROM pg_catalog.pg_extension e'
        ' WHERE e.extname OPERATOR(pg_catalog.=) ''lmtext''');
BEGIN
    IF there IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = 'the other database has no lmtext', HINT = 'Run CREATE EXTENSION lmtext; there.';
    ELSIF there <> here THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = format('the other database has lmtext %s, this one has %s', there, here),
            HINT = 'Run ALTER EXTENSION lmtext UPDATE; where it is older.';
    END IF;
END $$;
COMMENT ON FUNCTION lmtext_internal.check_remote(text, text) IS 'refuse a database that does not have this version of lmtext';

-- ---- Copies of a version ----

CREATE FUNCTION lmtext_internal.begin_copy(name text, version integer, base regclass) RETURNS regclass
    AS 'MODULE_PATHNAME', 'lmtext_begin_copy'
    LANGUAGE C VOLATILE PARALLEL UNSAFE COST 100000;
COMMENT ON FUNCTION lmtext_internal.begin_copy(text, integer, regclass) IS
    'create an empty table for a copy of a version, of the same number if it was not used yet';

CREATE FUNCTION lmtext_internal.end_copy(model regclass, sha256 text) RETURNS integer
    AS 'MODULE_PATHNAME', 'lmtext_end_copy'
    LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE COST 1000000;
COMMENT ON FUNCTION lmtext_internal.end_copy(regclass, text) IS
    'make a version of a table with the rows of one, if its digest is the given one; returns its number';

CREATE FUNCTION lmtext_internal.copy_place(name text) RETURNS text[]
    AS 'MODULE_PATHNAME', 'lmtext_copy_place'
    LANGUAGE C STABLE STRICT PARALLEL SAFE COST 1000;
COMMENT ON FUNCTION lmtext_internal.copy_place(text) IS 'schema and name that a new version of a model''s name would have';

-- What the two ends of a copy tell each other of a version; NULL where the caller may not use it.
CREATE FUNCTION lmtext_internal.version_card(relation regclass) RETURNS jsonb
    LANGUAGE sql STABLE PARALLEL SAFE COST 1000 SET search_path = pg_catalog, pg_temp AS $$
    SELECT jsonb_build_object('table', format('%I.%I', n.nspname, c.relname), 'schema', n.nspname, 'name', d.name,
        'version', d.version, 'sha256', d.sha256, 'status', d.status, 'deployed', d.deployed,
        'base', (SELECT format('%I.%I', bn.nspname, b.relname) FROM pg_class b JOIN pg_namespace bn ON bn.oid = b.relnamespace
                 WHERE b.oid = d.base),
        'comment', obj_description(c.oid, 'pg_class'))
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace,
        LATERAL lmtext_internal.describe_model(c.oid::regclass) d
    WHERE c.oid = relation
$$;
COMMENT ON FUNCTION lmtext_internal.version_card(regclass) IS 'what a version is, for the other end of a copy';

CREATE FUNCTION lmtext_internal.find_copy(schema text, model text, digest text, number integer) RETURNS regclass
    LANGUAGE sql STABLE PARALLEL SAFE COST 10000 SET search_path = pg_catalog, pg_temp AS $$
    SELECT m.model FROM lmtext.models m JOIN pg_class c ON c.oid = m.model JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = schema AND m.name = find_copy.model AND m.sha256 = digest AND m.status = 'ready'
        AND (number IS NULL OR m.version = number)
    ORDER BY m.deployed DESC, m.version DESC LIMIT 1
$$;
COMMENT ON FUNCTION lmtext_internal.find_copy(text, text, text, integer) IS
    'version of a model that has a digest, and a number unless that is NULL';

-- The base of a head: any version of its digest serves.
CREATE FUNCTION lmtext_internal.find_base(model text, digest text) RETURNS regclass
    LANGUAGE sql STABLE PARALLEL SAFE COST 10000 SET search_path = pg_catalog, pg_temp AS $$
    SELECT m.model FROM lmtext.models m WHERE m.sha256 = digest AND m.status = 'ready'
    ORDER BY m.name = find_base.model DESC, m.model::oid LIMIT 1
$$;
COMMENT ON FUNCTION lmtext_internal.find_base(text, text) IS 'version that has a digest, best one of a name';

CREATE FUNCTION lmtext_internal.check_card(card jsonb, model text) RETURNS void
    LANGUAGE plpgsql STABLE PARALLEL SAFE COST 10 SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF card IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
            MESSAGE = format('permission denied for model "%s"', lmtext_internal.shown(model));
    ELSIF card ->> 'status' <> 'ready' THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = format('model "%s" cannot be copied: its status is %s', lmtext_internal.shown(model), card ->> 'status');
    END IF;
END $$;
COMMENT ON FUNCTION lmtext_internal.check_card(jsonb, text) IS 'refuse a version that cannot be copied';

-- ---- From another database ----

-- One row at a time, and a row is 1 MB: memory does not grow with the model.
CREATE FUNCTION lmtext_internal.pull_rows(lib text, connection text, source text, target text) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000000 SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    file text := '';
    part integer := -1;
BEGIN
    LOOP
        PERFORM lmtext_internal.remote_send(lib, connection, format(
            'SELECT p.file, p.part, p.data FROM %s p WHERE (p.file, p.part) OPERATOR(pg_catalog.>) (%L, %s)'
            ' ORDER BY p.file, p.part LIMIT 1', source, file, part));
        EXECUTE format('INSERT INTO %s AS p (file, part, data) SELECT t.file, t.part, t.data'
            ' FROM %s.dblink_get_result($1, true) AS t(file text, part integer, data bytea) RETURNING p.file, p.part',
            target, lib) INTO file, part USING connection;
        EXIT WHEN file IS NULL;
        PERFORM lmtext_internal.remote_end(lib, connection);
    END LOOP;
    PERFORM lmtext_internal.remote_end(lib, connection);
END $$;
COMMENT ON FUNCTION lmtext_internal.pull_rows(text, text, text, text) IS 'copy the rows of a version from another database';

CREATE FUNCTION lmtext_internal.set_comment(relation text, comment text) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000 SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE format('COMMENT ON TABLE %s IS %L', relation, comment);
END $$;
COMMENT ON FUNCTION lmtext_internal.set_comment(text, text) IS 'set the comment of a table';

-- What who pulls a version may not expect.
CREATE FUNCTION lmtext_internal.tell_copy(there jsonb, here jsonb) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 10 SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF there ->> 'version' <> here ->> 'version' THEN
        RAISE NOTICE 'version % of model "%" is version % here', there ->> 'version', here ->> 'name', here ->> 'version'
            USING DETAIL = 'Numbers are not used again.';
    END IF;
    IF NOT (here ->> 'deployed')::boolean THEN
        RAISE NOTICE 'model "%" has a new version %, but another one is still deployed', here ->> 'name', here ->> 'version'
            USING HINT = format('To use the new version: SELECT lmtext.deploy(%L, %s);',
                format('%I.%I', here ->> 'schema', here ->> 'name'), here ->> 'version');
    END IF;
END $$;
COMMENT ON FUNCTION lmtext_internal.tell_copy(jsonb, jsonb) IS 'say what number a copy has, and that another version is deployed';

-- The number is what another server says, and a high one leaves no others: it is taken for a name that the caller gave and that was
-- never used here. 0 is the next one.
CREATE FUNCTION lmtext_internal.free_number(card jsonb, schema text, model text, is_base boolean) RETURNS integer
    LANGUAGE sql STABLE PARALLEL SAFE COST 1000 SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE WHEN is_base OR EXISTS (SELECT FROM lmtext.model_name n WHERE n.schema = free_number.schema AND n.model = free_number.model)
        THEN 0 ELSE (card ->> 'version')::integer END
$$;
COMMENT ON FUNCTION lmtext_internal.free_number(jsonb, text, text, boolean) IS 'number that a copy is to have, 0 for the next one';

CREATE FUNCTION lmtext_internal.pull_version(lib text, connection text, card jsonb, schema text, model text, is_base boolean)
    RETURNS regclass
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000000 SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    found regclass;
    base regclass;
    base_card jsonb;
    wanted integer := lmtext_internal.free_number(card, schema, model, is_base);
    made regclass;
BEGIN
    PERFORM lmtext_internal.check_card(card, model);
    found := lmtext_internal.find_copy(schema, model, card ->> 'sha256', NULL);
    IF found IS NOT NULL THEN
        RETURN found;
    END IF;
    IF card ->> 'base' IS NOT NULL THEN
        base_card := lmtext_internal.remote_value(lib, connection,
            format('SELECT lmtext_internal.version_card(%L)::pg_catalog.text', card ->> 'base'))::jsonb;
        base := COALESCE(lmtext_internal.find_base(base_card ->> 'name', base_card ->> 'sha256'),
            lmtext_internal.pull_version(lib, connection, base_card, schema, base_card ->> 'name', true));
    END IF;
    made := lmtext_internal.begin_copy(format('%I.%I', schema, model), wanted, base);
    found := lmtext_internal.find_copy(schema, model, card ->> 'sha256', NULL); -- while it waited for the name
    IF found IS NOT NULL THEN
        EXECUTE format('DROP TABLE %s', lmtext_internal.table_name(made));
        RETURN found;
    END IF;
    PERFORM lmtext_internal.pull_rows(lib, connection, card ->> 'table', lmtext_internal.table_name(made));
    PERFORM lmtext_internal.set_comment(lmtext_internal.table_name(made), card ->> 'comment');
    PERFORM lmtext_internal.end_copy(made, card ->> 'sha256');
    PERFORM lmtext_internal.tell_copy(card, lmtext_internal.version_card(made));
    RETURN made;
END $$;
COMMENT ON FUNCTION lmtext_internal.pull_version(text, text, jsonb, text, text, boolean) IS
    'copy a version from another database, and what it is built on, unless they are here';

-- No search_path is set: a name without a schema is of the caller's. It is not PUBLIC's, as import_model is not; that is no barrier.
-- Who may create tables may make a version of rows, as a restore does, and so the functions above are PUBLIC's.
CREATE FUNCTION lmtext.pull_model(conninfo text, model text, name text DEFAULT NULL) RETURNS integer
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000000 AS $$
DECLARE
    lib text := lmtext_internal.dblink_schema();
    connection text := 'lmtext pull_model';
    card jsonb;
    place text[];
    version regclass;
BEGIN
    IF conninfo IS NULL OR model IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed', MESSAGE = 'a connection and a model must be given';
    END IF;
    IF pg_catalog.current_setting('transaction_read_only')::pg_catalog.bool THEN
        RAISE EXCEPTION USING ERRCODE = 'read_only_sql_transaction',
            MESSAGE = 'cannot execute lmtext.pull_model in a read-only transaction';
    END IF;
    PERFORM lmtext_internal.remote_open(lib, connection, conninfo);
    PERFORM lmtext_internal.remote_value(lib, connection, 'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
    PERFORM lmtext_internal.check_remote(lib, connection);
    card := lmtext_internal.remote_value(lib, connection, pg_catalog.format(
        'SELECT lmtext_internal.version_card(lmtext_internal.resolve_model(%L))::pg_catalog.text', model))::pg_catalog.jsonb;
    place := lmtext_internal.copy_place(COALESCE(name, pg_catalog.quote_ident(card OPERATOR(pg_catalog.->>) 'name'), model));
    version := lmtext_internal.pull_version(lib, connection, card, place[1], place[2], false);
    PERFORM lmtext_internal.remote_close(lib, connection);
    RETURN (lmtext_internal.version_card(version) OPERATOR(pg_catalog.->>) 'version')::pg_catalog.int4;
EXCEPTION WHEN query_canceled OR assert_failure OR OTHERS THEN
    PERFORM lmtext_internal.remote_close(lib, connection);
    RAISE;
END $$;
COMMENT ON FUNCTION lmtext.pull_model(text, text, text) IS
    'copy a version of a model from another database, with what it is built on, unless a version of its digest is here; returns its number; conninfo is a connection string or the name of a foreign server';
REVOKE EXECUTE ON FUNCTION lmtext.pull_model(text, text, text) FROM PUBLIC;

-- ---- To other databases ----

CREATE FUNCTION lmtext_internal.push_rows(lib text, connection text, source text, target text) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000000 SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    one record;
BEGIN
    FOR one IN EXECUTE format('SELECT p.file, p.part, p.data FROM %s p ORDER BY p.file, p.part', source) LOOP
        PERFORM lmtext_internal.remote_value(lib, connection, format('INSERT INTO %s (file, part, data) VALUES (%L, %s, %L)',
            target, one.file, one.part, one.data));
    END LOOP;
END $$;
COMMENT ON FUNCTION lmtext_internal.push_rows(text, text, text, text) IS 'copy the rows of a version to another database';

-- A call or a column that is pinned to a number would be another version's there: the number must be the same. Waiting for the
-- name, another session may have made what is wanted: NULL.
CREATE FUNCTION lmtext_internal.push_table(lib text, connection text, card jsonb, base text) RETURNS text
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 100000 SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    made text := lmtext_internal.remote_value(lib, connection, format('SELECT lmtext_internal.begin_copy(%L, %s, %L)::pg_catalog.oid',
        format('%I.%I', card ->> 'schema', card ->> 'name'), card ->> 'version', base));
    target text;
BEGIN
    IF lmtext_internal.find_remote(lib, connection, card) IS NOT NULL THEN
        RETURN NULL;
    END IF;
    target := lmtext_internal.remote_value(lib, connection, format('SELECT lmtext_internal.table_name(%s)', made));
    IF target <> card ->> 'table' THEN
        RAISE EXCEPTION USING ERRCODE = 'duplicate_object',
            MESSAGE = format('version %s of model "%s" cannot be made in the other database', card ->> 'version', card ->> 'name'),
            DETAIL = 'It has used that number, or a higher one, for another version.',
            HINT = 'Make it here under another name, or with a number that is free there. lmtext.pull_model there takes the next number,'
                ' but then numbers differ: calls that are pinned to one must not be sent to that server, where they mean another version.';
    END IF;
    RETURN target;
END $$;
COMMENT ON FUNCTION lmtext_internal.push_table(text, text, jsonb, text) IS 'make the table of a version in another database';

CREATE FUNCTION lmtext_internal.find_remote(lib text, connection text, card jsonb) RETURNS text
    LANGUAGE sql VOLATILE PARALLEL UNSAFE COST 100000 SET search_path = pg_catalog, pg_temp AS $$
    SELECT lmtext_internal.remote_value(lib, connection, format(
        'SELECT lmtext_internal.table_name(lmtext_internal.find_copy(%L, %L, %L, %s))', card ->> 'schema', card ->> 'name',
        card ->> 'sha256', card ->> 'version'))
$$;
COMMENT ON FUNCTION lmtext_internal.find_remote(text, text, jsonb) IS 'version of the same number and digest in another database';

-- Its base is there, since versions without one go first, unless the caller may use it but not copy it.
CREATE FUNCTION lmtext_internal.remote_base(lib text, connection text, card jsonb) RETURNS text
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 100000 SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    base text := card ->> 'base';
    base_card jsonb := lmtext_internal.version_card(base::regclass);
    found text;
BEGIN
    IF base IS NULL THEN
        RETURN NULL;
    END IF;
    PERFORM lmtext_internal.check_card(base_card, base);
    found := lmtext_internal.find_remote(lib, connection, base_card);
    IF found IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = format('model "%s" cannot be copied: its base %s is not in the other database', card ->> 'name', base),
            HINT = 'Copy the base first, as a role that may SELECT it.';
    END IF;
    RETURN found;
END $$;
COMMENT ON FUNCTION lmtext_internal.remote_base(text, text, jsonb) IS 'the base of a version in another database, NULL if it has none';

-- What was done there stays done: it commits by version.
CREATE FUNCTION lmtext_internal.push_version(lib text, connection text, card jsonb) RETURNS boolean
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000000 SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    target text;
BEGIN
    PERFORM lmtext_internal.remote_value(lib, connection, 'BEGIN ISOLATION LEVEL READ COMMITTED');
    target := lmtext_internal.push_table(lib, connection, card, lmtext_internal.remote_base(lib, connection, card));
    IF target IS NULL THEN
        PERFORM lmtext_internal.remote_value(lib, connection, 'ROLLBACK');
        RETURN false;
    END IF;
    PERFORM lmtext_internal.push_rows(lib, connection, card ->> 'table', target);
    PERFORM lmtext_internal.remote_value(lib, connection, format('COMMENT ON TABLE %s IS %L', target, card ->> 'comment'));
    PERFORM lmtext_internal.remote_value(lib, connection,
        format('SELECT lmtext_internal.end_copy(%L, %L)', target, card ->> 'sha256'));
    PERFORM lmtext_internal.remote_value(lib, connection, 'COMMIT');
    RETURN true;
END $$;
COMMENT ON FUNCTION lmtext_internal.push_version(text, text, jsonb) IS
    'copy a version to another database, unless another session did so meanwhile';

-- A name means there what it means here.
CREATE FUNCTION lmtext_internal.push_deployment(lib text, connection text, card jsonb) RETURNS boolean
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 100000 SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    there jsonb;
BEGIN
    IF NOT (card ->> 'deployed')::boolean THEN
        RETURN false;
    END IF;
    there := lmtext_internal.remote_value(lib, connection, format('SELECT lmtext_internal.version_card(%L)::pg_catalog.text',
        lmtext_internal.find_remote(lib, connection, card)))::jsonb;
    IF (there ->> 'deployed')::boolean THEN
        RETURN false;
    END IF;
    PERFORM lmtext_internal.remote_value(lib, connection, format('SELECT lmtext.deploy(%L, %s)',
        format('%I.%I', card ->> 'schema', card ->> 'name'), there ->> 'version'));
    RETURN true;
END $$;
COMMENT ON FUNCTION lmtext_internal.push_deployment(text, text, jsonb) IS
    'deploy a version in another database, if it is deployed here and not there';

-- All versions that the caller may copy, or those that names mean, each after its base.
CREATE FUNCTION lmtext_internal.versions_to_copy(names text[]) RETURNS SETOF regclass
    LANGUAGE sql STABLE PARALLEL SAFE COST 100000 ROWS 10 AS $$
    WITH meant AS MATERIALIZED (SELECT lmtext_internal.resolve_model(n)::pg_catalog.oid AS model FROM pg_catalog.unnest(names) n),
    wanted AS (
        SELECT m.* FROM lmtext.models m
        WHERE CASE WHEN names IS NULL
            THEN m.status OPERATOR(pg_catalog.=) 'ready' AND pg_catalog.has_table_privilege(m.model::pg_catalog.oid, 'SELECT')
            ELSE m.model::pg_catalog.oid OPERATOR(pg_catalog.=) ANY (SELECT x.model FROM meant x)
                OR m.model::pg_catalog.oid OPERATOR(pg_catalog.=) ANY (SELECT h.base::pg_catalog.oid FROM lmtext.models h
                    WHERE h.model::pg_catalog.oid OPERATOR(pg_catalog.=) ANY (SELECT x.model FROM meant x)) END)
    SELECT w.model FROM wanted w ORDER BY w.base IS NOT NULL, w.name, w.version, w.model::pg_catalog.oid
$$;
COMMENT ON FUNCTION lmtext_internal.versions_to_copy(text[]) IS 'versions that sync_models copies, in that order';

CREATE FUNCTION lmtext_internal.push_models(lib text, connection text, versions regclass[])
    RETURNS TABLE (model regclass, copied boolean, deployed boolean)
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000000 ROWS 10 SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    card jsonb;
BEGIN
    PERFORM lmtext_internal.check_remote(lib, connection);
    FOREACH model IN ARRAY versions LOOP
        card := lmtext_internal.version_card(model);
        PERFORM lmtext_internal.check_card(card, lmtext_internal.table_name(model));
        copied := lmtext_internal.find_remote(lib, connection, card) IS NULL;
        IF copied THEN
            copied := lmtext_internal.push_version(lib, connection, card);
        END IF;
        deployed := lmtext_internal.push_deployment(lib, connection, card);
        RETURN NEXT;
    END LOOP;
END $$;
COMMENT ON FUNCTION lmtext_internal.push_models(text, text, regclass[]) IS 'copy versions to another database, if they are not there';

CREATE FUNCTION lmtext_internal.check_server(server name) RETURNS void
    LANGUAGE plpgsql STABLE PARALLEL SAFE COST 100 SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_foreign_server s WHERE s.srvname = server) THEN
        RAISE EXCEPTION USING ERRCODE = 'undefined_object', MESSAGE = format('server "%s" does not exist', lmtext_internal.shown(server)),
            HINT = 'Make it with CREATE SERVER, and CREATE USER MAPPING for it.';
    END IF;
END $$;
COMMENT ON FUNCTION lmtext_internal.check_server(name) IS 'refuse the name of a foreign server that is not there';

CREATE FUNCTION lmtext.sync_models(server name, models text[] DEFAULT NULL)
    RETURNS TABLE (model regclass, copied boolean, deployed boolean)
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000000 ROWS 10 AS $$
DECLARE
    lib text := lmtext_internal.dblink_schema();
    connection text := 'lmtext sync_models';
    versions regclass[];
BEGIN
    PERFORM lmtext_internal.check_server(server);
    SELECT COALESCE(pg_catalog.array_agg(v), '{}') INTO versions FROM lmtext_internal.versions_to_copy(models) v;
    PERFORM lmtext_internal.remote_open(lib, connection, server::pg_catalog.text);
    RETURN QUERY SELECT p.model, p.copied, p.deployed FROM lmtext_internal.push_models(lib, connection, versions) p;
    PERFORM lmtext_internal.remote_close(lib, connection);
EXCEPTION WHEN query_canceled OR assert_failure OR OTHERS THEN
    PERFORM lmtext_internal.remote_close(lib, connection);
    RAISE;
END $$;
COMMENT ON FUNCTION lmtext.sync_models(name, text[]) IS
    'copy versions of models to the database of a foreign server, if they are not there under the same number, and deploy there what is deployed here; what was copied stays, whatever becomes of the transaction';

-- ---- Tables of several parts ----

-- Leaves of a partitioned table; another table is its own.
CREATE FUNCTION lmtext_internal.partitions(relation regclass) RETURNS SETOF regclass
    LANGUAGE sql STABLE PARALLEL SAFE COST 1000 ROWS 10 SET search_path = pg_catalog, pg_temp AS $$
    SELECT p.relid FROM pg_partition_tree(relation) p WHERE p.isleaf
    UNION ALL SELECT relation WHERE NOT EXISTS (SELECT FROM pg_partition_tree(relation))
$$;
COMMENT ON FUNCTION lmtext_internal.partitions(regclass) IS 'tables that hold the rows of a table';

-- The distance of a column from a vector, as an expression over the row p: lmtext's operator for real[], else the one that
-- comes with the type of the column (pgvector's).
CREATE FUNCTION lmtext_internal.column_distance(relation regclass, "column" name, query real[]) RETURNS text
    LANGUAGE plpgsql STABLE PARALLEL SAFE COST 1000 SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    kind oid := (SELECT a.atttypid FROM pg_attribute a
        WHERE a.attrelid = relation AND a.attname = "column" AND a.attnum > 0 AND NOT a.attisdropped);
    expression text;
BEGIN
    IF kind IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'undefined_column', MESSAGE = format('column "%s" of %s does not exist',
            lmtext_internal.shown("column"), lmtext_internal.table_name(relation));
    END IF;
    SELECT format('p.%I OPERATOR(%I.<=>) %L::pg_catalog.float4[]%s', "column", n.nspname, query,
        CASE WHEN kind <> 'real[]'::regtype THEN format('::%I.%I', n.nspname, t.typname) END) INTO expression
    FROM pg_operator o JOIN pg_namespace n ON n.oid = o.oprnamespace JOIN pg_type t ON t.oid = o.oprleft
    WHERE o.oprname = '<=>' AND o.oprleft = kind AND o.oprright = kind
        AND CASE WHEN kind = 'real[]'::regtype THEN o.oprcode = 'lmtext.cosine_distance(real[], real[])'::regprocedure
            ELSE o.oprnamespace = t.typnamespace END;
    IF expression IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'datatype_mismatch', MESSAGE = format('column "%s" of %s is of type %s',
            "column", lmtext_internal.table_name(relation), format_type(kind, NULL)),
            HINT = 'A column of vectors is of type real[], or of one of pgvector''s.';
    END IF;
    RETURN expression;
END $$;
COMMENT ON FUNCTION lmtext_internal.column_distance(regclass, name, real[]) IS 'expression for the distance of a column from a vector';

CREATE FUNCTION lmtext.nearest_query(relation regclass, "column" name, query real[], k integer DEFAULT 10) RETURNS text
    LANGUAGE plpgsql STABLE PARALLEL SAFE COST 10000 SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    distance text;
    columns text;
    branches text;
BEGIN
    IF relation IS NULL OR "column" IS NULL OR query IS NULL OR k IS NULL OR k < 1 THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = 'a table, a column, a vector and a k of at least 1 must be given';
    END IF;
    distance := lmtext_internal.column_distance(relation, "column", query);
    SELECT string_agg(format('p.%I', a.attname), ', ' ORDER BY a.attnum) INTO columns FROM pg_attribute a
    WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped;
    SELECT string_agg(format('(SELECT %1$s, %2$s AS distance FROM %3$s p WHERE p.%4$I IS NOT NULL ORDER BY %2$s LIMIT %5$s)', columns,
        distance, lmtext_internal.table_name(t), "column", k), E'\nUNION ALL ') INTO branches FROM lmtext_internal.partitions(relation) t;
    RETURN format(E'SELECT * FROM (%s) n\nORDER BY %s LIMIT %s',
        COALESCE(branches, format('SELECT %s, %s AS distance FROM %s p WHERE false', columns, distance, lmtext_internal.table_name(relation))),
        (SELECT count(*) + 1 FROM pg_attribute a WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped), k);
END $$;
COMMENT ON FUNCTION lmtext.nearest_query(regclass, name, real[], integer) IS
    'text of a query for the rows whose vectors are nearest: the k nearest of each partition, and of those the k nearest';

CREATE FUNCTION lmtext.search_partitions(relation anyelement, "column" name, query real[], k integer DEFAULT 10)
    RETURNS TABLE (item anyelement, distance double precision)
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE COST 1000000 ROWS 10 SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    of_table regclass := (SELECT t.typrelid FROM pg_type t WHERE t.oid = pg_typeof(relation) AND t.typrelid <> 0);
    columns text;
BEGIN
    IF of_table IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'datatype_mismatch', MESSAGE = 'the first argument must be a row of a table',
            HINT = 'Write NULL::name_of_the_table.';
    END IF;
    SELECT string_agg(format('c%s', a.attnum), ', ' ORDER BY a.attnum) INTO columns FROM pg_attribute a
    WHERE a.attrelid = of_table AND a.attnum > 0 AND NOT a.attisdropped;
    RETURN QUERY EXECUTE format('SELECT ROW(%1$s)::%2$s, n.distance FROM (%3$s) n (%1$s, distance)', columns,
        lmtext_internal.table_name(of_table), lmtext.nearest_query(of_table, "column", query, k));
END $$;
COMMENT ON FUNCTION lmtext.search_partitions(anyelement, name, real[], integer) IS
    'rows of a table, partitioned or not, whose vectors are nearest, as lmtext.nearest_query finds them; the table is given as NULL::table';

-- ---- Jobs of several databases ----

-- The last run of each job.
CREATE FUNCTION lmtext_internal.job_report() RETURNS SETOF jsonb
    LANGUAGE sql STABLE PARALLEL SAFE COST 10000 ROWS 10 SET search_path = pg_catalog, pg_temp AS $$
    SELECT jsonb_build_object('job', j.name, 'status', COALESCE(r.status, 'never run'), 'done', r.done, 'total', r.total,
        'errors', r.errors, 'rate', p.rate, 'eta', p.eta, 'started_at', r.started_at, 'finished_at', r.finished_at, 'message', r.message)
    FROM lmtext.jobs j
        LEFT JOIN LATERAL (SELECT * FROM lmtext.job_runs x WHERE x.job = j.name ORDER BY x.run DESC LIMIT 1) r ON true
        LEFT JOIN lmtext.job_progress p ON p.job = j.name AND r.status = 'running'
    ORDER BY j.name
$$;
COMMENT ON FUNCTION lmtext_internal.job_report() IS 'what cluster_jobs shows of the jobs of a database';

-- An error is what there is to say of a server; a cancel ends it all.
CREATE FUNCTION lmtext_internal.server_jobs(lib text, server name) RETURNS SETOF jsonb
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 100000 ROWS 10 SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    connection text := 'lmtext cluster_jobs';
    said text;
    reports jsonb[];
BEGIN
    PERFORM lmtext_internal.remote_open(lib, connection, server);
    SELECT array_agg(r::jsonb) INTO reports
    FROM lmtext_internal.remote_rows(lib, connection, 'SELECT r::pg_catalog.text FROM lmtext_internal.job_report() r') r;
    PERFORM lmtext_internal.remote_close(lib, connection);
    RETURN QUERY SELECT unnest(reports);
EXCEPTION
    WHEN query_canceled OR assert_failure THEN
        PERFORM lmtext_internal.remote_close(lib, connection);
        RAISE;
    WHEN OTHERS THEN
        GET STACKED DIAGNOSTICS said = PG_EXCEPTION_DETAIL;
        PERFORM lmtext_internal.remote_close(lib, connection);
        RETURN QUERY SELECT jsonb_build_object('status', 'unreachable', 'message', concat_ws(E'\n', SQLERRM, NULLIF(said, '')));
END $$;
COMMENT ON FUNCTION lmtext_internal.server_jobs(text, name) IS 'jobs of the database of a foreign server, or why they are not known';

-- Servers that the caller can connect to by dblink.
CREATE FUNCTION lmtext_internal.usable_servers() RETURNS SETOF name
    LANGUAGE sql STABLE PARALLEL SAFE COST 1000 ROWS 10 SET search_path = pg_catalog, pg_temp AS $$
    SELECT s.srvname FROM pg_foreign_server s JOIN pg_foreign_data_wrapper w ON w.oid = s.srvfdw
    WHERE w.fdwname IN ('postgres_fdw', 'dblink_fdw') AND has_server_privilege(s.oid, 'USAGE')
        AND EXISTS (SELECT FROM pg_user_mappings m WHERE m.srvid = s.oid AND m.usename IN (CURRENT_USER, 'public'))
    ORDER BY s.srvname
$$;
COMMENT ON FUNCTION lmtext_internal.usable_servers() IS 'foreign servers for which the caller has a user mapping';

CREATE FUNCTION lmtext.cluster_jobs(servers name[] DEFAULT NULL)
    RETURNS TABLE (server name, job text, status text, done bigint, total bigint, errors bigint, rate double precision,
                   eta timestamptz, started_at timestamptz, finished_at timestamptz, message text)
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000000 ROWS 20 SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    lib text := lmtext_internal.dblink_schema();
    asked name[] := COALESCE(servers, ARRAY(SELECT NULL::name UNION ALL SELECT u FROM lmtext_internal.usable_servers() u));
    one name;
BEGIN
    FOREACH one IN ARRAY asked LOOP
        IF one IS NOT NULL THEN
            PERFORM lmtext_internal.check_server(one);
        END IF;
        RETURN QUERY SELECT one, x.* FROM (SELECT lmtext_internal.job_report() AS report WHERE one IS NULL
                UNION ALL SELECT lmtext_internal.server_jobs(lib, one) WHERE one IS NOT NULL) r,
            LATERAL jsonb_to_record(r.report) AS x(job text, status text, done bigint, total bigint, errors bigint,
                rate double precision, eta timestamptz, started_at timestamptz, finished_at timestamptz, message text);
    END LOOP;
END $$;
COMMENT ON FUNCTION lmtext.cluster_jobs(name[]) IS
    'jobs of this database (server is NULL) and of the databases of foreign servers, with the last run of each; a server that cannot be asked is a row of status unreachable';

-- ---- Citus ----

-- Each node gets tables of its own. A reference table would need its type (OF) on the workers, since that is how a version is known;
-- Citus is taken not to keep it there, which was not tried.
CREATE FUNCTION lmtext_internal.citus_nodes() RETURNS SETOF text
    LANGUAGE plpgsql STABLE PARALLEL SAFE COST 1000 ROWS 10 SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_extension e WHERE e.extname = 'citus') THEN
        RAISE EXCEPTION USING ERRCODE = 'feature_not_supported', MESSAGE = 'this database has no Citus',
            HINT = 'With Citus, run CREATE EXTENSION citus; first. With postgres_fdw, call lmtext.sync_models(server) for each server.';
    END IF;
    RETURN QUERY EXECUTE 'SELECT format(''host=%s port=%s'', lmtext_internal.conninfo_value(n.nodename), n.nodeport)'
        ' FROM pg_dist_node n WHERE n.isactive AND n.noderole::text = ''primary'''
        ' AND n.groupid <> (SELECT l.groupid FROM pg_dist_local_group l) ORDER BY n.nodename, n.nodeport';
END $$;
COMMENT ON FUNCTION lmtext_internal.citus_nodes() IS 'host and port of the other nodes of a Citus cluster';

CREATE FUNCTION lmtext_internal.conninfo_value(value text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE COST 10 SET search_path = pg_catalog, pg_temp AS $$
    SELECT concat(E'\'', regexp_replace(value, E'([\'\\\\])', E'\\\\\\1', 'g'), E'\'')
$$;
COMMENT ON FUNCTION lmtext_internal.conninfo_value(text) IS 'a value as connection strings quote it';

CREATE FUNCTION lmtext.cluster_enable(models text[] DEFAULT NULL)
    RETURNS TABLE (node text, model regclass, copied boolean, deployed boolean)
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000000 ROWS 10 AS $$
DECLARE
    nodes text[] := ARRAY(SELECT c FROM lmtext_internal.citus_nodes() c);
    lib text := lmtext_internal.dblink_schema();
    connection text := 'lmtext cluster_enable';
    versions regclass[] := ARRAY(SELECT v FROM lmtext_internal.versions_to_copy(models) v);
BEGIN
    FOREACH node IN ARRAY nodes LOOP
        PERFORM lmtext_internal.remote_open(lib, connection, pg_catalog.concat(node,
            ' dbname=', lmtext_internal.conninfo_value(pg_catalog.current_database()), ' user=', lmtext_internal.conninfo_value(CURRENT_USER)));
        RETURN QUERY SELECT cluster_enable.node, p.model, p.copied, p.deployed
            FROM lmtext_internal.push_models(lib, connection, versions) p;
        PERFORM lmtext_internal.remote_close(lib, connection);
    END LOOP;
EXCEPTION WHEN query_canceled OR assert_failure OR OTHERS THEN
    PERFORM lmtext_internal.remote_close(lib, connection);
    RAISE;
END $$;
COMMENT ON FUNCTION lmtext.cluster_enable(text[]) IS
    'copy versions of models to all nodes of a Citus cluster, as lmtext.sync_models does to one server';

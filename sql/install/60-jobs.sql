-- 60-jobs: a task of a model over a column of a table, batch by batch. A job is its table of work, which
-- its owner owns; it runs as that role, and only as that role. What a job does is written as dynamic
-- SQL, of quoted names and of what create_job has checked; triggers of the user's see the search_path
-- of the session, so that no function here may set it.

-- Written by lmtext_internal.write_job only (src/pg/jobs/ledger.c).
CREATE TABLE lmtext.job (
    name text NOT NULL PRIMARY KEY,
    work regclass NOT NULL UNIQUE,
    relation regclass NOT NULL,
    text_column name,
    task text NOT NULL,
    model text NOT NULL,
    target regclass NOT NULL,
    target_column name NOT NULL,
    key name[] NOT NULL,
    options jsonb NOT NULL,
    paused boolean NOT NULL,
    attached boolean NOT NULL,
    scanned regclass[],
    author name NOT NULL
);
COMMENT ON TABLE lmtext.job IS 'jobs; the view lmtext.jobs shows them';
GRANT SELECT ON lmtext.job TO PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('lmtext.job', '');

-- What ran on this server in the last 90 days; it is not dumped.
CREATE TABLE lmtext.job_run (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    work regclass NOT NULL,
    parent bigint,
    pid integer NOT NULL,
    model regclass,
    also regclass[],
    started_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    finished_at timestamptz,
    status text NOT NULL,
    total bigint NOT NULL DEFAULT 0,
    done bigint NOT NULL DEFAULT 0,
    errors bigint NOT NULL DEFAULT 0,
    sqlstate text,
    message text
);
CREATE INDEX job_run_work ON lmtext.job_run (work);
COMMENT ON TABLE lmtext.job_run IS 'runs of jobs; the view lmtext.job_runs shows them';
-- A message may repeat the text of a row.
GRANT SELECT (id, work, parent, pid, model, also, started_at, updated_at, finished_at, status, total, done, errors, sqlstate)
    ON lmtext.job_run TO PUBLIC;

-- Runs that go on: their session is still at the statement that began them. Of sessions of other roles no more is known than that they are there.
CREATE VIEW lmtext_internal.live_runs AS
    SELECT r.id, r.work, r.model, r.also FROM lmtext.job_run r JOIN pg_catalog.pg_stat_activity a ON a.pid OPERATOR(pg_catalog.=) r.pid
    WHERE r.status OPERATOR(pg_catalog.=) 'running' AND COALESCE(a.state OPERATOR(pg_catalog.<>) 'idle', true)
        AND COALESCE(a.backend_start OPERATOR(pg_catalog.<=) r.started_at, true)
        AND COALESCE(a.query_start OPERATOR(pg_catalog.<=) r.started_at, true);
COMMENT ON VIEW lmtext_internal.live_runs IS 'runs whose session goes on with them';
GRANT SELECT ON lmtext_internal.live_runs TO PUBLIC;

CREATE VIEW lmtext_internal.own_messages AS
    SELECT r.id, CASE WHEN (SELECT pg_catalog.pg_has_role(c.relowner, 'USAGE') FROM pg_catalog.pg_class c
        WHERE c.oid OPERATOR(pg_catalog.=) r.work::pg_catalog.oid) THEN r.message END AS message
    FROM lmtext.job_run r;
COMMENT ON VIEW lmtext_internal.own_messages IS 'messages of runs, of jobs of roles that the current user has the rights of';
GRANT SELECT ON lmtext_internal.own_messages TO PUBLIC;

CREATE FUNCTION lmtext_internal.write_job(work oid, entry text, data jsonb) RETURNS bigint
    AS 'MODULE_PATHNAME', 'lmtext_write_ledger'
    LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE COST 1000;
COMMENT ON FUNCTION lmtext_internal.write_job(oid, text, jsonb) IS
    'write what the tables of jobs and of runs say of a job; needs ownership of its table of work';

CREATE FUNCTION lmtext_internal.start_job_workers(job text, run bigint, count integer) RETURNS integer
    AS 'MODULE_PATHNAME', 'lmtext_start_job_workers'
    LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE COST 10000;
COMMENT ON FUNCTION lmtext_internal.start_job_workers(text, bigint, integer) IS
    'start background workers that do batches of a job as the current user; returns how many could be started';

CREATE FUNCTION lmtext_internal.count_job_workers(stop boolean) RETURNS integer
    AS 'MODULE_PATHNAME', 'lmtext_count_job_workers'
    LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE COST 1000;
COMMENT ON FUNCTION lmtext_internal.count_job_workers(boolean) IS
    'number of workers of this session that have not ended; true ends them first';

CREATE FUNCTION lmtext_internal.resolve_model(model text) RETURNS regclass
    AS 'MODULE_PATHNAME', 'lmtext_resolve_model'
    LANGUAGE C STABLE STRICT PARALLEL SAFE COST 1000;
COMMENT ON FUNCTION lmtext_internal.resolve_model(text) IS 'version that a model''s name means now';

-- Each name in what is returned is qualified, but those of pg_catalog, under which alone a stored expression is read.
CREATE FUNCTION lmtext_internal.parse_text(relation regclass, expression text, stored boolean, OUT canonical text, OUT columns name[])
    AS 'MODULE_PATHNAME', 'lmtext_parse_text'
    LANGUAGE C STABLE STRICT PARALLEL SAFE COST 1000;
COMMENT ON FUNCTION lmtext_internal.parse_text(regclass, text, boolean) IS
    'expression over columns of a table as a job keeps it, and the columns that it uses';

CREATE FUNCTION lmtext_internal.row_text(relation regclass, expression text, VARIADIC columns "any") RETURNS text
    AS 'MODULE_PATHNAME', 'lmtext_row_text'
    LANGUAGE C STABLE PARALLEL UNSAFE COST 10;
COMMENT ON FUNCTION lmtext_internal.row_text(regclass, text, "any") IS
    'text of a row, of the columns that the expression of a job uses';

CREATE FUNCTION lmtext_internal.try_text(relation regclass, expression text, VARIADIC columns "any") RETURNS text
    AS 'MODULE_PATHNAME', 'lmtext_try_text'
    LANGUAGE C STABLE PARALLEL UNSAFE COST 10;
COMMENT ON FUNCTION lmtext_internal.try_text(regclass, text, "any") IS
    'text of a row; where the expression fails for it, what tells the error';

-- ---- What a job can do ----

-- A row for each task: its type, what computes it (%s: the arguments), and the options of that function.
CREATE FUNCTION lmtext_internal.job_tasks(
    OUT task text, OUT model_task text, OUT type text, OUT expression text, OUT options text[])
    RETURNS SETOF record LANGUAGE sql IMMUTABLE PARALLEL SAFE COST 100 ROWS 10 AS $$
    VALUES
        ('embed', 'embedding', 'real[]', 'lmtext.embed(%s)',
            '{prompt_name,prompt,dimensions,on_long}'::pg_catalog.text[]),
        ('embed_query', 'embedding', 'real[]', 'lmtext.embed_query(%s)', '{dimensions,on_long}'),
        ('embed_document', 'embedding', 'real[]', 'lmtext.embed_document(%s)', '{dimensions,on_long}'),
        ('token_vectors', 'late_interaction', 'real[]', 'lmtext.token_vectors(%s)', '{role,on_long}'),
        ('classify', 'classification', 'text', 'lmtext.classify(%s)', '{min_score,on_long}'),
        ('class_scores', 'classification', 'jsonb',
            '(SELECT pg_catalog.jsonb_object_agg(s.label, s.score) FROM lmtext.class_scores(%s) s)', '{on_long}'),
        ('entities', 'token_classification', 'jsonb',
            '(SELECT COALESCE(pg_catalog.jsonb_agg(s), ''[]'') FROM lmtext.entities(%s) s)', '{aggregation,on_long}'),
        ('tag', 'token_classification', 'jsonb',
            '(SELECT COALESCE(pg_catalog.jsonb_agg(s), ''[]'') FROM lmtext.tag(%s) s)', '{on_long}'),
        ('sparse', 'sparse', 'jsonb', 'lmtext.sparse(%s)', '{role,on_long}'),
        ('log_probability', 'language_model', 'double precision', 'lmtext.log_probability(%s)', '{}');
$$;
COMMENT ON FUNCTION lmtext_internal.job_tasks() IS 'tasks that a job can have, their types and options';

-- What a job writes: its own target, and those of the option also. A batch keeps values of different types, each in its slot.
CREATE FUNCTION lmtext_internal.job_targets(
    job lmtext.job, OUT n bigint, OUT task text, OUT model text, OUT target_column name, OUT options jsonb, OUT type text, OUT slot text)
    RETURNS SETOF record LANGUAGE sql STABLE PARALLEL SAFE COST 1000 ROWS 2 AS $$
    SELECT a.n, t.task, a.target OPERATOR(pg_catalog.->>) 'model', (a.target OPERATOR(pg_catalog.->>) 'target')::pg_catalog.name,
        a.target, t.type, '{"real[]": "vector", "text": "label", "jsonb": "object", "double precision": "number"}'::pg_catalog.jsonb
            OPERATOR(pg_catalog.->>) t.type
    FROM pg_catalog.jsonb_array_elements(pg_catalog.jsonb_build_array((job).options OPERATOR(pg_catalog.||) pg_catalog.jsonb_build_object(
            'task', (job).task, 'model', (job).model, 'target', (job).target_column))
        OPERATOR(pg_catalog.||) COALESCE((job).options OPERATOR(pg_catalog.->) 'also', '[]')) WITH ORDINALITY a (target, n)
    JOIN lmtext_internal.job_tasks() t ON t.task OPERATOR(pg_catalog.=) (a.target OPERATOR(pg_catalog.->>) 'task');
$$;
COMMENT ON FUNCTION lmtext_internal.job_targets(lmtext.job) IS 'columns that a job writes, and how';

CREATE FUNCTION lmtext_internal.job_versions(job lmtext.job) RETURNS regclass[]
    LANGUAGE sql STABLE PARALLEL SAFE COST 10000 AS $$
    SELECT pg_catalog.array_agg(lmtext_internal.resolve_model(t.model) ORDER BY t.n) FROM lmtext_internal.job_targets(job) t;
$$;
COMMENT ON FUNCTION lmtext_internal.job_versions(lmtext.job) IS 'versions that the names of a job''s models mean now';

-- ---- Finding a job ----

-- What was given as a name, for a message; a text is not repeated.
CREATE FUNCTION lmtext_internal.shown(name text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE COST 10 AS $$
    SELECT CASE WHEN name OPERATOR(pg_catalog.~) '^[A-Za-z0-9_.@-]{0,63}$' THEN name ELSE '...' END
$$;
COMMENT ON FUNCTION lmtext_internal.shown(text) IS 'a name as messages show it';

-- A job writes its table of work and its queue, and whoever owned such a table before may have added what runs code there:
-- what they did not have when they were made, NULL for none.
CREATE FUNCTION lmtext_internal.added_code(job lmtext.job, relation regclass) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE COST 1000 AS $$
    SELECT a.what FROM pg_catalog.pg_class c JOIN pg_catalog.pg_class w ON w.oid OPERATOR(pg_catalog.=) (job).work,
        LATERAL (VALUES
            ('another owner', c.relowner OPERATOR(pg_catalog.<>) w.relowner),
            ('another kind', c.relkind OPERATOR(pg_catalog.<>) 'r'),
            ('row security', c.relrowsecurity OR c.relforcerowsecurity),
            ('a rule', EXISTS (SELECT FROM pg_catalog.pg_rewrite r WHERE r.ev_class OPERATOR(pg_catalog.=) c.oid)),
            ('a trigger', EXISTS (SELECT FROM pg_catalog.pg_trigger t
                WHERE t.tgrelid OPERATOR(pg_catalog.=) c.oid AND NOT t.tgisinternal)),
            ('a child', EXISTS (SELECT FROM pg_catalog.pg_inherits i WHERE i.inhparent OPERATOR(pg_catalog.=) c.oid)),
            ('a constraint', EXISTS (SELECT FROM pg_catalog.pg_constraint n WHERE n.conrelid OPERATOR(pg_catalog.=) c.oid
                AND n.contype OPERATOR(pg_catalog.<>) ALL ('{p,u,n}'::pg_catalog."char"[]))),
            ('a default', EXISTS (SELECT FROM pg_catalog.pg_attrdef d WHERE d.adrelid OPERATOR(pg_catalog.=) c.oid
                AND pg_catalog.pg_get_expr(d.adbin, d.adrelid) OPERATOR(pg_catalog.<>) ALL ('{true,0}'::pg_catalog.text[]))),
            ('an index', EXISTS (SELECT FROM pg_catalog.pg_index i WHERE i.indrelid OPERATOR(pg_catalog.=) c.oid
                AND (i.indexprs IS NOT NULL OR pg_catalog.pg_get_expr(i.indpred, i.indrelid)
                    OPERATOR(pg_catalog.<>) ALL ('{due,(sqlstate IS NOT NULL)}'::pg_catalog.text[])))),
            ('a type', EXISTS (SELECT FROM pg_catalog.pg_attribute t
                JOIN pg_catalog.pg_type y ON y.oid OPERATOR(pg_catalog.=) t.atttypid
                WHERE t.attrelid OPERATOR(pg_catalog.=) c.oid AND t.attnum OPERATOR(pg_catalog.>) 0
                AND y.typnamespace OPERATOR(pg_catalog.<>) 'pg_catalog'::pg_catalog.regnamespace
                AND NOT EXISTS (SELECT FROM pg_catalog.pg_attribute k WHERE k.attrelid OPERATOR(pg_catalog.=) (job).relation
                    AND k.attname OPERATOR(pg_catalog.=) ANY ((job).key) AND k.atttypid OPERATOR(pg_catalog.=) t.atttypid)))
        ) a (what, there)
    WHERE c.oid OPERATOR(pg_catalog.=) relation AND a.there LIMIT 1;
$$;
COMMENT ON FUNCTION lmtext_internal.added_code(lmtext.job, regclass) IS
    'what was added to a table of a job, and could run code as who writes it';

CREATE FUNCTION lmtext_internal.check_plain(job lmtext.job, relation regclass) RETURNS void
    LANGUAGE plpgsql STABLE PARALLEL SAFE COST 1000 AS $$
DECLARE
    added text := lmtext_internal.added_code(job, relation);
BEGIN
    IF added IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = pg_catalog.format('table %s of job "%s" has %s', relation, job.name, added),
            DETAIL = 'It could run code with the privileges of who runs the job.',
            HINT = 'Undo that, or drop the table and create the job again.';
    END IF;
END $$;
COMMENT ON FUNCTION lmtext_internal.check_plain(lmtext.job, regclass) IS 'refuse a table of a job to which code was added';

-- The owner alone: what a job does is the owner's, and would be done with the caller's privileges.
CREATE FUNCTION lmtext_internal.own_job(job_name text) RETURNS lmtext.job
    LANGUAGE plpgsql STABLE PARALLEL SAFE COST 1000 AS $$
DECLARE
    found_job lmtext.job;
    owner name;
BEGIN
    SELECT j.* INTO found_job FROM lmtext.job j JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) j.work
    WHERE j.name OPERATOR(pg_catalog.=) job_name;
    IF found_job.name IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'undefined_object',
            MESSAGE = pg_catalog.format('job "%s" does not exist', lmtext_internal.shown(job_name)),
            HINT = 'The view lmtext.jobs lists the jobs.';
    END IF;
    SELECT pg_catalog.pg_get_userbyid(c.relowner) INTO owner FROM pg_catalog.pg_class c
    WHERE c.oid OPERATOR(pg_catalog.=) found_job.work;
    IF owner OPERATOR(pg_catalog.<>) CURRENT_USER THEN
        RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
            MESSAGE = pg_catalog.format('must be owner of job "%s"', job_name),
            DETAIL = 'What a job runs, triggers of its table among it, has the privileges of the role that runs it.',
            HINT = pg_catalog.format('Log in as %I. SET ROLE is not enough protection: code of the job can RESET ROLE.', owner);
    END IF;
    IF found_job.author OPERATOR(pg_catalog.<>) CURRENT_USER AND found_job.options OPERATOR(pg_catalog.?|) '{text,then}'::pg_catalog.text[] THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = pg_catalog.format('job "%s" runs code that another role has written', job_name),
            DETAIL = pg_catalog.format('Its options "text" and "then" are those of role %I.', found_job.author),
            HINT = pg_catalog.format('Drop table %s and create the job again.', found_job.work);
    END IF;
    PERFORM lmtext_internal.check_plain(found_job, found_job.work);
    RETURN found_job;
END $$;
COMMENT ON FUNCTION lmtext_internal.own_job(text) IS 'job of the current user by its name';

-- Qualified and quoted; a table that was dropped is an error.
CREATE FUNCTION lmtext_internal.table_name(relation regclass) RETURNS text
    LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE COST 100 AS $$
DECLARE
    qualified text;
BEGIN
    SELECT pg_catalog.format('%I.%I', n.nspname, c.relname) INTO qualified
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
    WHERE c.oid OPERATOR(pg_catalog.=) relation;
    IF qualified IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'undefined_table',
            MESSAGE = 'a table of the job was dropped',
            DETAIL = pg_catalog.format('Its OID was %s.', relation::pg_catalog.oid);
    END IF;
    RETURN qualified;
END $$;
COMMENT ON FUNCTION lmtext_internal.table_name(regclass) IS 'qualified name of a table';

-- The text of a row r, and the columns that it is made of.
CREATE FUNCTION lmtext_internal.job_columns(job lmtext.job) RETURNS name[]
    LANGUAGE sql STABLE PARALLEL SAFE COST 1000 AS $$
    SELECT CASE WHEN (job).text_column IS NOT NULL THEN ARRAY[(job).text_column]
        ELSE (SELECT p.columns FROM lmtext_internal.parse_text((job).relation, (job).options OPERATOR(pg_catalog.->>) 'text', true) p) END;
$$;
COMMENT ON FUNCTION lmtext_internal.job_columns(lmtext.job) IS 'columns that the text of a job is made of';

CREATE FUNCTION lmtext_internal.job_body(job lmtext.job) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE COST 1000 AS $$
    SELECT CASE WHEN (job).text_column IS NOT NULL THEN pg_catalog.format('r.%I::pg_catalog.text', (job).text_column)
        ELSE pg_catalog.format('lmtext_internal.row_text(%L::pg_catalog.regclass, %L%s)', (job).relation::pg_catalog.oid,
            (job).options OPERATOR(pg_catalog.->>) 'text', (SELECT pg_catalog.string_agg(pg_catalog.format(', r.%I', c.name), '' ORDER BY c.n)
                FROM ROWS FROM (pg_catalog.unnest(lmtext_internal.job_columns(job))) WITH ORDINALITY c (name, n))) END;
$$;
COMMENT ON FUNCTION lmtext_internal.job_body(lmtext.job) IS 'expression of the text of a row';

-- The same where rows are looked at and not done: one of which the text fails does not keep the others back.
CREATE FUNCTION lmtext_internal.job_tried_body(job lmtext.job) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE COST 1000 AS $$
    SELECT CASE WHEN (job).text_column IS NOT NULL THEN lmtext_internal.job_body(job)
        ELSE pg_catalog.regexp_replace(lmtext_internal.job_body(job), '^lmtext_internal.row_text', 'lmtext_internal.try_text') END;
$$;
COMMENT ON FUNCTION lmtext_internal.job_tried_body(lmtext.job) IS 'expression of the text of a row, or of what tells its error';

-- Pieces of a job's statements: w is a row of work, r one of the relation. A table is read without its
-- children, which its primary key does not cover. Keys are equal as the primary key sees it.
CREATE TYPE lmtext_internal.job_pieces AS (
    work text, relation text, relation_keys text, work_keys text, key_names text,
    key_text text, matches text, same_keys text, body text, hash text, stale text, to_do text
);
COMMENT ON TYPE lmtext_internal.job_pieces IS 'pieces of the statements of a job';

CREATE FUNCTION lmtext_internal.job_parts(
    job lmtext.job,
    OUT work text, OUT relation text, OUT relation_keys text, OUT work_keys text, OUT key_names text,
    OUT key_text text, OUT matches text, OUT same_keys text, OUT body text, OUT hash text, OUT stale text, OUT to_do text)
    LANGUAGE plpgsql STABLE PARALLEL SAFE COST 1000 AS $$
DECLARE
    tried text := lmtext_internal.job_tried_body(job);
BEGIN
    work := lmtext_internal.table_name(job.work);
    SELECT pg_catalog.concat(CASE WHEN c.relkind OPERATOR(pg_catalog.=) 'r' THEN 'ONLY ' END, lmtext_internal.table_name(job.relation))
    INTO relation FROM pg_catalog.pg_class c WHERE c.oid OPERATOR(pg_catalog.=) job.relation;
    relation := COALESCE(relation, lmtext_internal.table_name(job.relation));
    SELECT pg_catalog.string_agg(pg_catalog.format('r.%I', k.name), ', ' ORDER BY k.n),
           pg_catalog.string_agg(pg_catalog.format('w.k%s', k.n), ', ' ORDER BY k.n),
           pg_catalog.string_agg(pg_catalog.format('%I', k.name), ', ' ORDER BY k.n),
           pg_catalog.string_agg(pg_catalog.format('w.k%s OPERATOR(%I.%s) r.%I', k.n, n.nspname, o.oprname, k.name),
               ' AND ' ORDER BY k.n),
           pg_catalog.string_agg(pg_catalog.format('w.k%s OPERATOR(%I.%s) d.k%1$s', k.n, n.nspname, o.oprname), ' AND ' ORDER BY k.n)
    INTO relation_keys, work_keys, key_names, matches, same_keys
    FROM ROWS FROM (pg_catalog.unnest(job.key)) WITH ORDINALITY k (name, n)
    JOIN pg_catalog.pg_index i ON i.indrelid OPERATOR(pg_catalog.=) job.work AND i.indisprimary
    JOIN pg_catalog.pg_opclass c
        ON c.oid OPERATOR(pg_catalog.=) i.indclass[(k.n OPERATOR(pg_catalog.-) 1)::int]
    JOIN pg_catalog.pg_amop a ON a.amopfamily OPERATOR(pg_catalog.=) c.opcfamily
        AND a.amopstrategy OPERATOR(pg_catalog.=) 3 AND a.amoplefttype OPERATOR(pg_catalog.=) c.opcintype
        AND a.amoprighttype OPERATOR(pg_catalog.=) c.opcintype
    JOIN pg_catalog.pg_operator o ON o.oid OPERATOR(pg_catalog.=) a.amopopr
    JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) o.oprnamespace;
    key_text := CASE WHEN pg_catalog.cardinality(job.key) OPERATOR(pg_catalog.=) 1 THEN 'w.k1::pg_catalog.text'
        ELSE pg_catalog.format('ROW(%s)::pg_catalog.text', work_keys) END;
    body := lmtext_internal.job_body(job);
    hash := pg_catalog.format('pg_catalog.hashtextextended(%s COLLATE "C", 0)', tried);
    SELECT pg_catalog.format('(NOT w.due OR w.retry_at IS NOT NULL)'
        ' AND (w.model IS NULL OR w.model::pg_catalog.oid OPERATOR(pg_catalog.<>) ($1)[1]::pg_catalog.oid%s'
        ' OR COALESCE(w.hash OPERATOR(pg_catalog.<>) %s, (w.hash IS NULL) OPERATOR(pg_catalog.<>) (%s IS NULL))%s)',
        CASE WHEN pg_catalog.count(*) OPERATOR(pg_catalog.>) 1
            THEN ' OR COALESCE(w.also::pg_catalog.oid[] OPERATOR(pg_catalog.<>) ($1)[2:]::pg_catalog.oid[], true)' END, hash, tried,
        CASE WHEN job.target OPERATOR(pg_catalog.=) job.relation THEN pg_catalog.format(' OR w.sqlstate IS NULL AND (%s)',
            pg_catalog.string_agg(pg_catalog.format('(w.blank OPERATOR(pg_catalog.>>) %s) OPERATOR(pg_catalog.%%) 2 OPERATOR(pg_catalog.=) 0'
                ' AND r.%I IS NULL', t.n OPERATOR(pg_catalog.-) 1, t.target_column), ' OR ' ORDER BY t.n)) END)
    INTO stale FROM lmtext_internal.job_targets(job) t;
    to_do := pg_catalog.format('%s r LEFT JOIN %s w ON %s WHERE w.position IS NULL OR w.due AND (w.retry_at IS NULL'
        ' OR w.retry_at OPERATOR(pg_catalog.<=) pg_catalog.clock_timestamp()) OR %s', relation, work, matches, stale);
END $$;
COMMENT ON FUNCTION lmtext_internal.job_parts(lmtext.job) IS 'pieces of the statements of a job';

-- What computes a text (t.body) for each target: columns v1, v2, and so on.
CREATE FUNCTION lmtext_internal.job_expressions(job lmtext.job, versions regclass[]) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE COST 10000 AS $$
    SELECT pg_catalog.string_agg(pg_catalog.format(pg_catalog.concat(k.expression, ' AS v%s'), pg_catalog.format('t.body, %L::pg_catalog.regclass%s',
        versions[t.n]::pg_catalog.oid,
        (SELECT pg_catalog.string_agg(pg_catalog.format(', %I => %L', o.key, o.value), '' ORDER BY o.key)
         FROM pg_catalog.jsonb_each_text(t.options) o
         WHERE o.key OPERATOR(pg_catalog.=) ANY (k.options) AND o.value IS NOT NULL)), t.n), ', ' ORDER BY t.n)
    FROM lmtext_internal.job_targets(job) t JOIN lmtext_internal.job_tasks() k ON k.task OPERATOR(pg_catalog.=) t.task;
$$;
COMMENT ON FUNCTION lmtext_internal.job_expressions(lmtext.job, regclass[]) IS
    'expressions that compute a text of a job';

CREATE FUNCTION lmtext_internal.job_option(job lmtext.job, option text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE COST 10 AS $$
    SELECT COALESCE((job).options OPERATOR(pg_catalog.->>) option,
        '{"batch_size": 256, "retries": 3, "retry_after": "1 minute", "min_workers": 1, "max_workers": 1, "missed_runs": "once"}'::pg_catalog.jsonb OPERATOR(pg_catalog.->>) option);
$$;
COMMENT ON FUNCTION lmtext_internal.job_option(lmtext.job, text) IS 'option of a job, or its default';

-- ---- Making and dropping ----

CREATE FUNCTION lmtext_internal.check_task_options(task text, options jsonb, known text[]) RETURNS void
    LANGUAGE plpgsql STABLE PARALLEL SAFE COST 1000 AS $$
DECLARE
    wrong text;
BEGIN
    SELECT pg_catalog.array_cat(known, t.options) INTO known FROM lmtext_internal.job_tasks() t
    WHERE t.task OPERATOR(pg_catalog.=) check_task_options.task;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = pg_catalog.format('unknown task "%s" of a job', lmtext_internal.shown(task)),
            HINT = pg_catalog.format('Available tasks: %s.',
                (SELECT pg_catalog.string_agg(t.task, ', ') FROM lmtext_internal.job_tasks() t));
    END IF;
    SELECT o INTO wrong FROM pg_catalog.jsonb_object_keys(check_task_options.options) o WHERE o OPERATOR(pg_catalog.<>) ALL (known);
    IF FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = pg_catalog.format('unknown option "%s"', lmtext_internal.shown(wrong)),
            HINT = pg_catalog.format('Available options: %s.', pg_catalog.array_to_string(known, ', '));
    END IF;
END $$;
COMMENT ON FUNCTION lmtext_internal.check_task_options(text, jsonb, text[]) IS 'refuses a task or options that no target of a job can have';

-- Other targets of the job: an array of objects, each with its task and its column.
CREATE FUNCTION lmtext_internal.check_also(also jsonb) RETURNS void
    LANGUAGE plpgsql STABLE PARALLEL SAFE COST 1000 AS $$
DECLARE
    target jsonb;
BEGIN
    IF pg_catalog.jsonb_typeof(also) OPERATOR(pg_catalog.<>) 'array' OR pg_catalog.jsonb_path_exists(also, 'strict $[*] ? (@.type() != "object")')
            OR pg_catalog.jsonb_array_length(also) OPERATOR(pg_catalog.>) 15 THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'option "also" must be an array of at most 15 objects',
            HINT = 'Each has a task and a target: [{"task": "classify", "model": "section", "target": "label"}].';
    END IF;
    FOR target IN SELECT a.value FROM pg_catalog.jsonb_array_elements(also) a LOOP
        IF NOT pg_catalog.jsonb_path_match(target, 'exists($ ? (@.task.type() == "string" && @.target.type() == "string"))') THEN
            RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'a target of option "also" needs "task" and "target"';
        END IF;
        PERFORM lmtext_internal.check_task_options(target OPERATOR(pg_catalog.->>) 'task', target, '{task,model,target}');
    END LOOP;
END $$;
COMMENT ON FUNCTION lmtext_internal.check_also(jsonb) IS 'refuses targets that no job can have';

CREATE FUNCTION lmtext_internal.check_job_options(task text, options jsonb) RETURNS void
    LANGUAGE plpgsql STABLE PARALLEL SAFE COST 1000 AS $$
DECLARE
    least int;
    most int;
BEGIN
    IF pg_catalog.jsonb_typeof(options) OPERATOR(pg_catalog.<>) 'object' THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'options must be a JSON object';
    END IF;
    PERFORM lmtext_internal.check_task_options(task, options,
        '{text,side_table,also,after,then,batch_size,retries,retry_after,min_workers,max_workers,missed_runs}');
    IF options OPERATOR(pg_catalog.?) 'also' THEN
        PERFORM lmtext_internal.check_also(options OPERATOR(pg_catalog.->) 'also');
    END IF;
    IF NOT COALESCE((options OPERATOR(pg_catalog.->>) 'batch_size')::int, 256)
            OPERATOR(pg_catalog.<@) pg_catalog.int4range(1, 100000, '[]') THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = 'option "batch_size" must be from 1 to 100000';
    END IF;
    IF NOT COALESCE((options OPERATOR(pg_catalog.->>) 'retries')::int, 0)
            OPERATOR(pg_catalog.<@) pg_catalog.int4range(0, 20, '[]') THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'option "retries" must be from 0 to 20';
    END IF;
    PERFORM (options OPERATOR(pg_catalog.->>) 'retry_after')::interval;
    least := COALESCE((options OPERATOR(pg_catalog.->>) 'min_workers')::int, 1);
    most := COALESCE((options OPERATOR(pg_catalog.->>) 'max_workers')::int, 1);
    IF least OPERATOR(pg_catalog.<) 1 OR most OPERATOR(pg_catalog.<) least OR most OPERATOR(pg_catalog.>) 64 THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = 'options "min_workers" and "max_workers" must be from 1 to 64, the first not above the second';
    END IF;
    IF COALESCE(options OPERATOR(pg_catalog.->>) 'missed_runs', 'once') OPERATOR(pg_catalog.<>) ALL ('{once,skip}'::pg_catalog.text[]) THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'option "missed_runs" must be once or skip';
    END IF;
END $$;
COMMENT ON FUNCTION lmtext_internal.check_job_options(text, jsonb) IS 'refuses a task or options that no job can have';

-- The columns of the primary key of a relation that a job can work on.
CREATE FUNCTION lmtext_internal.job_key(relation regclass) RETURNS name[]
    LANGUAGE plpgsql STABLE PARALLEL SAFE COST 1000 AS $$
DECLARE
    table_row pg_catalog.pg_class;
    key name[];
BEGIN
    SELECT c.* INTO table_row FROM pg_catalog.pg_class c WHERE c.oid OPERATOR(pg_catalog.=) relation;
    IF table_row.relname IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'undefined_table',
            MESSAGE = pg_catalog.format('relation with OID %s does not exist', relation::pg_catalog.oid);
    END IF;
    IF table_row.relkind OPERATOR(pg_catalog.<>) ALL ('{r,p}'::pg_catalog."char"[])
            OR table_row.relpersistence OPERATOR(pg_catalog.=) 't' THEN
        RAISE EXCEPTION USING ERRCODE = 'wrong_object_type',
            MESSAGE = pg_catalog.format('a job cannot work on "%s"', relation),
            DETAIL = 'It is not a table, or a temporary one.';
    END IF;
    SELECT pg_catalog.array_agg(a.attname ORDER BY k.n) INTO key
    FROM pg_catalog.pg_index i, ROWS FROM (pg_catalog.unnest(i.indkey::smallint[])) WITH ORDINALITY k (number, n),
        pg_catalog.pg_attribute a
    WHERE i.indrelid OPERATOR(pg_catalog.=) relation AND i.indisprimary
        AND k.n OPERATOR(pg_catalog.<=) i.indnkeyatts
        AND a.attrelid OPERATOR(pg_catalog.=) relation AND a.attnum OPERATOR(pg_catalog.=) k.number;
    IF key IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = pg_catalog.format('table "%s" has no primary key', relation),
            DETAIL = 'A job knows rows by their primary key.',
            HINT = pg_catalog.format('Add one, for example: ALTER TABLE %s ADD id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY;', relation);
    END IF;
    RETURN key;
END $$;
COMMENT ON FUNCTION lmtext_internal.job_key(regclass) IS 'primary key of a table that a job can work on';

-- A name that means the same under every search_path: of a version, or of a model.
CREATE FUNCTION lmtext_internal.qualified_model(model text, task text) RETURNS text
    LANGUAGE plpgsql STABLE PARALLEL SAFE COST 1000 AS $$
DECLARE
    chosen text := model;
    version regclass;
    pinned boolean;
    qualified text;
BEGIN
    IF chosen IS NULL THEN
        SELECT pg_catalog.current_setting(s.setting) INTO chosen
        FROM lmtext_internal.job_tasks() t
        JOIN lmtext_internal.task_list() s ON s.name OPERATOR(pg_catalog.=) t.model_task
        WHERE t.task OPERATOR(pg_catalog.=) qualified_model.task;
    END IF;
    IF COALESCE(chosen, '') OPERATOR(pg_catalog.=) '' THEN
        RAISE EXCEPTION USING ERRCODE = 'undefined_object', MESSAGE = 'no model was given and no default is set';
    END IF;
    version := lmtext_internal.resolve_model(chosen);
    pinned := chosen OPERATOR(pg_catalog.~) '@[0-9]+"?$';
    SELECT pg_catalog.format('%I.%I', n.nspname,
            CASE WHEN pinned THEN c.relname::pg_catalog.text ELSE pg_catalog.regexp_replace(c.relname::pg_catalog.text, '@[0-9]+$', '') END)
    INTO qualified
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
    WHERE c.oid OPERATOR(pg_catalog.=) version;
    RETURN qualified;
END $$;
COMMENT ON FUNCTION lmtext_internal.qualified_model(text, text) IS 'qualified name of a model, or of the default of a task';

-- The target is made if it is not there; then a statement like the job's is planned, which says whether
-- the types go together and whether the caller may.
CREATE FUNCTION lmtext_internal.make_target(job lmtext.job, side_table text) RETURNS regclass
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 10000 AS $$
DECLARE
    relation_row pg_catalog.pg_class;
    target text;
    keys text;
    columns text;
    nulls text;
    sets text;
    one record;
BEGIN
    IF job.relation IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed', MESSAGE = 'a job needs a table';
    END IF;
    SELECT c.* INTO relation_row FROM pg_catalog.pg_class c WHERE c.oid OPERATOR(pg_catalog.=) job.relation;
    SELECT pg_catalog.string_agg(pg_catalog.format('%I', k.name), ', ' ORDER BY k.n) INTO keys
    FROM ROWS FROM (pg_catalog.unnest(job.key)) WITH ORDINALITY k (name, n);
    target := lmtext_internal.table_name(job.relation);
    IF side_table IS NOT NULL THEN
        target := pg_catalog.format('%s.%I', relation_row.relnamespace::pg_catalog.regnamespace, side_table);
        IF pg_catalog.to_regclass(target) IS NULL THEN
            EXECUTE pg_catalog.format('CREATE TABLE %s AS SELECT %s FROM %s WITH NO DATA',
                target, keys, lmtext_internal.table_name(job.relation));
            EXECUTE pg_catalog.format('ALTER TABLE %s ADD PRIMARY KEY (%s)', target, keys);
        ELSIF NOT EXISTS (SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_roles me ON me.rolname OPERATOR(pg_catalog.=) CURRENT_USER
                WHERE c.oid OPERATOR(pg_catalog.=) pg_catalog.to_regclass(target)::pg_catalog.oid
                    AND (c.relowner OPERATOR(pg_catalog.=) ANY (ARRAY[me.oid, relation_row.relowner])
                        OR NOT me.rolsuper AND pg_catalog.pg_has_role(c.relowner, 'USAGE'))) THEN
            -- Its triggers would run as the owner of the job.
            RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
                MESSAGE = pg_catalog.format('table "%s" is there already, and another role''s', side_table);
        END IF;
    END IF;
    FOR one IN SELECT t.* FROM lmtext_internal.job_targets(job) t WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_attribute a
            WHERE a.attrelid OPERATOR(pg_catalog.=) target::pg_catalog.regclass
                AND a.attname OPERATOR(pg_catalog.=) t.target_column AND NOT a.attisdropped) LOOP
        EXECUTE pg_catalog.format('ALTER TABLE %s ADD %I %s', target, one.target_column, one.type);
    END LOOP;
    SELECT pg_catalog.string_agg(pg_catalog.format('%I', t.target_column), ', ' ORDER BY t.n),
           pg_catalog.string_agg(pg_catalog.format('NULL::%s', t.type), ', ' ORDER BY t.n),
           pg_catalog.string_agg(pg_catalog.format(CASE WHEN side_table IS NULL THEN '%1$I = NULL::%2$s' ELSE '%1$I = excluded.%1$I' END,
               t.target_column, t.type), ', ' ORDER BY t.n)
    INTO columns, nulls, sets FROM lmtext_internal.job_targets(job) t;
    IF side_table IS NULL THEN
        EXECUTE pg_catalog.format('EXPLAIN UPDATE %s SET %s', target, sets);
    ELSE
        EXECUTE pg_catalog.format(
            'EXPLAIN INSERT INTO %1$s (%2$s, %3$s) SELECT %2$s, %4$s FROM %5$s ON CONFLICT (%2$s) DO UPDATE SET %6$s',
            target, keys, columns, nulls, lmtext_internal.table_name(job.relation), sets);
    END IF;
    RETURN target::pg_catalog.regclass;
END $$;
COMMENT ON FUNCTION lmtext_internal.make_target(lmtext.job, text) IS
    'table that a job writes, it and its columns made if missing';

-- A job may follow one of the same owner; it cannot follow itself.
CREATE FUNCTION lmtext_internal.check_after(name text, after text) RETURNS void
    LANGUAGE plpgsql STABLE PARALLEL SAFE COST 1000 AS $$
DECLARE
    leader lmtext.job := lmtext_internal.own_job(after);
BEGIN
    LOOP
        IF leader.name OPERATOR(pg_catalog.=) check_after.name OR leader.options OPERATOR(pg_catalog.->>) 'after' OPERATOR(pg_catalog.=) check_after.name THEN
            RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
                MESSAGE = pg_catalog.format('job "%s" would follow itself', check_after.name),
                DETAIL = pg_catalog.format('Job "%s" follows it.', leader.name);
        END IF;
        SELECT j.* INTO leader FROM lmtext.job j WHERE j.name OPERATOR(pg_catalog.=) (leader.options OPERATOR(pg_catalog.->>) 'after');
        EXIT WHEN leader.name IS NULL;
    END LOOP;
END $$;
COMMENT ON FUNCTION lmtext_internal.check_after(text, text) IS 'refuses a job that would follow itself';

-- The qualified name of a procedure that takes a job and a run.
CREATE FUNCTION lmtext_internal.then_procedure(name text) RETURNS text
    LANGUAGE plpgsql STABLE PARALLEL SAFE COST 1000 AS $$
DECLARE
    parts text[] := pg_catalog.parse_ident(then_procedure.name);
    qualified text;
    procedure oid;
BEGIN
    SELECT pg_catalog.format('%I.%I', n.nspname, p.proname), p.oid INTO qualified, procedure
    FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) p.pronamespace
    WHERE p.oid OPERATOR(pg_catalog.=) pg_catalog.to_regprocedure(pg_catalog.concat((SELECT pg_catalog.string_agg(pg_catalog.quote_ident(i.part), '.' ORDER BY i.n)
            FROM ROWS FROM (pg_catalog.unnest(parts)) WITH ORDINALITY i (part, n)
            WHERE i.n OPERATOR(pg_catalog.<) 3), '(pg_catalog.text, pg_catalog.int8)'))::pg_catalog.oid
        AND pg_catalog.cardinality(parts) OPERATOR(pg_catalog.<) 3 AND p.prokind OPERATOR(pg_catalog.=) 'p';
    IF qualified IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'undefined_function',
            MESSAGE = pg_catalog.format('procedure %s(text, bigint) does not exist', then_procedure.name),
            HINT = 'Option "then" names a procedure that takes the name of the job and the number of the run.';
    ELSIF NOT pg_catalog.has_function_privilege(procedure, 'EXECUTE') THEN
        RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
            MESSAGE = pg_catalog.format('permission denied for procedure %s', qualified);
    END IF;
    RETURN qualified;
END $$;
COMMENT ON FUNCTION lmtext_internal.then_procedure(text) IS 'procedure that is called at the end of a run';

-- Options as a job keeps them: names mean the same under every search_path.
CREATE FUNCTION lmtext_internal.fixed_options(name text, relation regclass, options jsonb) RETURNS jsonb
    LANGUAGE plpgsql STABLE PARALLEL SAFE COST 1000 AS $$
DECLARE
    fixed jsonb := pg_catalog.jsonb_strip_nulls(options);
BEGIN
    IF fixed OPERATOR(pg_catalog.?) 'text' THEN
        fixed := pg_catalog.jsonb_set(fixed, '{text}', (SELECT pg_catalog.to_jsonb(p.canonical)
            FROM lmtext_internal.parse_text(relation, fixed OPERATOR(pg_catalog.->>) 'text', false) p));
    END IF;
    IF fixed OPERATOR(pg_catalog.?) 'also' THEN
        fixed := pg_catalog.jsonb_set(fixed, '{also}', (SELECT COALESCE(pg_catalog.jsonb_agg(a.value OPERATOR(pg_catalog.||)
            pg_catalog.jsonb_build_object('model', lmtext_internal.qualified_model(a.value OPERATOR(pg_catalog.->>) 'model',
                a.value OPERATOR(pg_catalog.->>) 'task')) ORDER BY a.n), '[]')
            FROM pg_catalog.jsonb_array_elements(fixed OPERATOR(pg_catalog.->) 'also') WITH ORDINALITY a (value, n)));
    END IF;
    IF fixed OPERATOR(pg_catalog.?) 'after' THEN
        PERFORM lmtext_internal.check_after(name, fixed OPERATOR(pg_catalog.->>) 'after');
    END IF;
    IF fixed OPERATOR(pg_catalog.?) 'then' THEN
        fixed := pg_catalog.jsonb_set(fixed, '{then}', pg_catalog.to_jsonb(lmtext_internal.then_procedure(fixed OPERATOR(pg_catalog.->>) 'then')));
    END IF;
    RETURN fixed;
END $$;
COMMENT ON FUNCTION lmtext_internal.fixed_options(text, regclass, jsonb) IS 'options of a job as it keeps them';

CREATE FUNCTION lmtext_internal.check_targets(job lmtext.job) RETURNS void
    LANGUAGE plpgsql STABLE PARALLEL SAFE COST 1000 AS $$
DECLARE
    one record;
BEGIN
    FOR one IN SELECT t.target_column, pg_catalog.count(*) AS times FROM lmtext_internal.job_targets(job) t GROUP BY t.target_column LOOP
        IF one.target_column OPERATOR(pg_catalog.=) ANY (pg_catalog.array_cat(job.key, lmtext_internal.job_columns(job))) THEN
            RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
                MESSAGE = pg_catalog.format('column "%s" cannot be the target: the job reads it', one.target_column);
        ELSIF one.times OPERATOR(pg_catalog.>) 1 THEN
            RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
                MESSAGE = pg_catalog.format('column "%s" is the target of two tasks', one.target_column);
        END IF;
    END LOOP;
END $$;
COMMENT ON FUNCTION lmtext_internal.check_targets(lmtext.job) IS 'refuses columns that a job cannot write';

-- What a table of work is of: one that a dump has brought along is taken up by the same job alone.
CREATE FUNCTION lmtext_internal.work_comment(job lmtext.job) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE COST 1000 AS $$
    SELECT pg_catalog.format('lmtext job %s: what was done for each row (%s)', (job).name, pg_catalog.left(pg_catalog.encode(pg_catalog.sha256(
        pg_catalog.convert_to(pg_catalog.jsonb_build_array(lmtext_internal.table_name((job).relation), (job).key, (job).text_column, (job).task, (job).model,
            (job).target_column, (job).options
            OPERATOR(pg_catalog.-) '{after,then,batch_size,retries,retry_after,min_workers,max_workers,missed_runs}'::pg_catalog.text[])::pg_catalog.text, 'UTF8')), 'hex'), 16));
$$;
COMMENT ON FUNCTION lmtext_internal.work_comment(lmtext.job) IS 'comment of the table of work of a job, which says what job it is';

CREATE FUNCTION lmtext_internal.check_old_work(job lmtext.job, old regclass) RETURNS void
    LANGUAGE plpgsql STABLE PARALLEL SAFE COST 1000 AS $$
BEGIN
    IF (SELECT pg_catalog.pg_get_userbyid(c.relowner) OPERATOR(pg_catalog.<>) CURRENT_USER FROM pg_catalog.pg_class c
                WHERE c.oid OPERATOR(pg_catalog.=) old)
            OR EXISTS (SELECT FROM lmtext.job j WHERE j.work::pg_catalog.oid OPERATOR(pg_catalog.=) old::pg_catalog.oid)
            OR COALESCE(pg_catalog.obj_description(old, 'pg_class'), '') OPERATOR(pg_catalog.<>) lmtext_internal.work_comment(job) THEN
        RAISE EXCEPTION USING ERRCODE = 'duplicate_table',
            MESSAGE = pg_catalog.format('table %s is there already, and not of such a job', old),
            HINT = 'Create the job that it is of, with the same texts, models and targets, or drop the table.';
    END IF;
    job.work := old;
    PERFORM lmtext_internal.check_plain(job, old);
END $$;
COMMENT ON FUNCTION lmtext_internal.check_old_work(lmtext.job, regclass) IS 'refuses a table of work that is not of a job';

CREATE FUNCTION lmtext_internal.make_work(job lmtext.job) RETURNS regclass
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 10000 AS $$
DECLARE
    work text;
    old regclass;
    columns text;
    keys text;
BEGIN
    SELECT pg_catalog.format('%s.%I', c.relnamespace::pg_catalog.regnamespace, pg_catalog.concat(job.name, '@job')) INTO work
    FROM pg_catalog.pg_class c WHERE c.oid OPERATOR(pg_catalog.=) job.relation;
    old := pg_catalog.to_regclass(work);
    IF old IS NOT NULL THEN
        PERFORM lmtext_internal.check_old_work(job, old);
        EXECUTE pg_catalog.format('ALTER TABLE %s RENAME TO %I', work, pg_catalog.concat(job.name, '@old'));
    END IF;
    SELECT pg_catalog.string_agg(pg_catalog.format('%I AS k%s', k.name, k.n), ', ' ORDER BY k.n),
           pg_catalog.string_agg(pg_catalog.format('k%s', k.n), ', ' ORDER BY k.n) INTO columns, keys
    FROM ROWS FROM (pg_catalog.unnest(job.key)) WITH ORDINALITY k (name, n);
    EXECUTE pg_catalog.format('CREATE TABLE %s AS SELECT %s FROM %s WITH NO DATA',
        work, columns, lmtext_internal.table_name(job.relation));
    EXECUTE pg_catalog.format(
        'ALTER TABLE %s ADD PRIMARY KEY (%s), ADD position bigint GENERATED ALWAYS AS IDENTITY, '
        'ADD due boolean NOT NULL DEFAULT true, ADD blank integer, ADD hash bigint, ADD model regclass, ADD also regclass[], ADD at timestamptz, '
        'ADD tries smallint NOT NULL DEFAULT 0, ADD retry_at timestamptz, ADD key text, ADD sqlstate text, ADD message text',
        work, keys);
    EXECUTE pg_catalog.format('CREATE INDEX ON %s (position) WHERE due', work);
    EXECUTE pg_catalog.format('CREATE INDEX ON %s (position) WHERE sqlstate IS NOT NULL', work);
    EXECUTE pg_catalog.format('COMMENT ON TABLE %s IS %L', work, lmtext_internal.work_comment(job));
    IF old IS NOT NULL THEN
        columns := pg_catalog.concat(keys, ', position, due, blank, hash, model, also, at, tries, retry_at, key, sqlstate, message');
        EXECUTE pg_catalog.format('INSERT INTO %s (%s) OVERRIDING SYSTEM VALUE SELECT %2$s FROM %3$s', work, columns, lmtext_internal.table_name(old));
        EXECUTE pg_catalog.format('SELECT pg_catalog.setval(pg_catalog.pg_get_serial_sequence(%L, ''position''), COALESCE(pg_catalog.max(w.position), 0)'
            ' OPERATOR(pg_catalog.+) 1, false) FROM %1$s w', work);
        EXECUTE pg_catalog.format('DROP TABLE %s', lmtext_internal.table_name(old));
    END IF;
    RETURN work::pg_catalog.regclass;
END $$;
COMMENT ON FUNCTION lmtext_internal.make_work(lmtext.job) IS 'table of what a job has done for each row';

CREATE FUNCTION lmtext.create_job(
    name text,
    relation regclass,
    text_column name,
    task text,
    model text,
    target_column name,
    options jsonb DEFAULT '{}')
    RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 100000 AS $$
#variable_conflict use_column
DECLARE
    job lmtext.job;
    fixed jsonb;
    data jsonb;
    key name[];
    target regclass;
    work regclass;
BEGIN
    IF create_job.name IS NULL OR create_job.relation IS NULL OR create_job.task IS NULL
            OR create_job.target_column IS NULL OR create_job.options IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed',
            MESSAGE = 'a job needs a name, a table, a task, a target and options';
    END IF;
    IF pg_catalog.octet_length(create_job.name) OPERATOR(pg_catalog.>) 57
            OR create_job.name OPERATOR(pg_catalog.=) '' OR create_job.name OPERATOR(pg_catalog.~) '@' THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_name',
            MESSAGE = pg_catalog.format('invalid job name "%s"', lmtext_internal.shown(create_job.name)),
            DETAIL = 'It has 1 to 57 bytes, and no "@".';
    END IF;
    IF EXISTS (SELECT FROM lmtext.job j JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) j.work
            WHERE j.name OPERATOR(pg_catalog.=) create_job.name) THEN
        RAISE EXCEPTION USING ERRCODE = 'duplicate_object',
            MESSAGE = pg_catalog.format('job "%s" already exists', create_job.name);
    END IF;
    PERFORM lmtext_internal.check_job_options(create_job.task, create_job.options);
    key := lmtext_internal.job_key(create_job.relation);
    IF (create_job.text_column IS NULL) OPERATOR(pg_catalog.=) ((create_job.options OPERATOR(pg_catalog.->>) 'text') IS NULL) THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = 'a job needs a text: a column, or the option "text", and not both';
    END IF;
    fixed := lmtext_internal.fixed_options(create_job.name, create_job.relation, create_job.options);
    data := pg_catalog.jsonb_build_object('name', create_job.name, 'relation', create_job.relation::pg_catalog.oid::pg_catalog.text,
        'text_column', create_job.text_column, 'task', create_job.task,
        'model', lmtext_internal.qualified_model(create_job.model, create_job.task), 'target_column', create_job.target_column,
        'key', key, 'options', fixed, 'paused', false, 'attached', false);
    job := pg_catalog.jsonb_populate_record(NULL::lmtext.job, data);
    PERFORM lmtext_internal.check_targets(job);
    -- One text, computed: whether the models have the tasks, and the options their values.
    EXECUTE pg_catalog.format('SELECT %s FROM (SELECT pg_catalog.text ''a'' AS body) t',
        lmtext_internal.job_expressions(job, lmtext_internal.job_versions(job)));
    EXECUTE pg_catalog.format('EXPLAIN SELECT %s FROM %s r', lmtext_internal.job_body(job), lmtext_internal.table_name(job.relation));
    target := lmtext_internal.make_target(job, fixed OPERATOR(pg_catalog.->>) 'side_table');
    work := lmtext_internal.make_work(job);
    PERFORM lmtext_internal.write_job(work, 'forget', '{}');
    PERFORM lmtext_internal.write_job(work, 'create', data OPERATOR(pg_catalog.||) pg_catalog.jsonb_build_object(
        'work', work::pg_catalog.oid::pg_catalog.text, 'target', target::pg_catalog.oid::pg_catalog.text));
END $$;
COMMENT ON FUNCTION lmtext.create_job(text, regclass, name, text, text, name, jsonb) IS
    'create a job: a task of a model over a text of each row, into a column or a side table';

CREATE FUNCTION lmtext_internal.job_followers(name text) RETURNS SETOF lmtext.job
    LANGUAGE sql STABLE PARALLEL SAFE COST 1000 ROWS 1 AS $$
    SELECT j.* FROM lmtext.job j JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) j.work
    WHERE j.options OPERATOR(pg_catalog.->>) 'after' OPERATOR(pg_catalog.=) job_followers.name
        AND pg_catalog.pg_get_userbyid(c.relowner) OPERATOR(pg_catalog.=) CURRENT_USER ORDER BY j.name;
$$;
COMMENT ON FUNCTION lmtext_internal.job_followers(text) IS 'jobs of the current user that follow a job';

CREATE FUNCTION lmtext.drop_job(name text) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 10000 AS $$
DECLARE
    job lmtext.job := lmtext_internal.own_job(drop_job.name);
    follower text;
BEGIN
    SELECT j.name INTO follower FROM lmtext_internal.job_followers(job.name) j LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'dependent_objects_still_exist',
            MESSAGE = pg_catalog.format('job "%s" follows job "%s"', follower, job.name), HINT = 'Drop that one first.';
    END IF;
    PERFORM lmtext.detach(job.name);
    PERFORM lmtext_internal.write_job(job.work, 'drop', '{}');
    EXECUTE pg_catalog.format('DROP TABLE %s', lmtext_internal.table_name(job.work));
END $$;
COMMENT ON FUNCTION lmtext.drop_job(text) IS 'drop a job; what it has computed stays';

-- ---- Live mode ----

CREATE FUNCTION lmtext_internal.queue_name(job lmtext.job) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE COST 100 AS $$
    SELECT pg_catalog.format('%I.%I', n.nspname, pg_catalog.concat((job).name, '@queue'))
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
    WHERE c.oid OPERATOR(pg_catalog.=) (job).work;
$$;
COMMENT ON FUNCTION lmtext_internal.queue_name(lmtext.job) IS 'table of the keys that triggers queue for a job';

-- queue_row('schema', 'table', 'new' or 'old', key, ...): runs with the rights of who writes the relation, and inserts a key. What
-- has that name by now may have triggers of its own: whose it is must be a role that may make triggers here, too.
CREATE FUNCTION lmtext_internal.queue_row() RETURNS trigger
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000 AS $$
DECLARE
    keys text;
    queue text := pg_catalog.format('%I.%I', TG_ARGV[0], TG_ARGV[1]);
BEGIN
    PERFORM FROM pg_catalog.pg_class c
    WHERE c.oid OPERATOR(pg_catalog.=) pg_catalog.to_regclass(queue)::pg_catalog.oid AND c.relkind OPERATOR(pg_catalog.=) 'r'
        AND (pg_catalog.has_table_privilege(c.relowner, TG_RELID, 'TRIGGER')
            OR EXISTS (SELECT FROM pg_catalog.pg_partition_ancestors(TG_RELID) p (relid)
                WHERE pg_catalog.has_table_privilege(c.relowner, p.relid::pg_catalog.oid, 'TRIGGER')));
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = pg_catalog.format('the queue "%s" of a job is gone, or another role''s', TG_ARGV[1]),
            HINT = pg_catalog.format('DROP TRIGGER %I ON %I.%I;', TG_NAME, TG_TABLE_SCHEMA, TG_TABLE_NAME);
    END IF;
    IF TG_LEVEL OPERATOR(pg_catalog.=) 'STATEMENT' THEN
        EXECUTE pg_catalog.format('INSERT INTO %s DEFAULT VALUES', queue);
        RETURN NULL;
    END IF;
    SELECT pg_catalog.string_agg(pg_catalog.format('($1).%I', TG_ARGV[n]), ', ' ORDER BY n) INTO keys
    FROM pg_catalog.generate_series(3, TG_NARGS OPERATOR(pg_catalog.-) 1) n;
    EXECUTE pg_catalog.format('INSERT INTO %s VALUES (%s)', queue, keys)
        USING CASE WHEN TG_ARGV[2] OPERATOR(pg_catalog.=) 'new' THEN NEW ELSE OLD END;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION lmtext_internal.queue_row() IS 'trigger of a job in live mode: queues the key of a row';

-- The triggers of a job: suffix of the name, event, which row, and when. Values are compared byte by byte: an operator = may be
-- another role's, may call two spellings equal, and json has none.
CREATE FUNCTION lmtext_internal.job_triggers(
    job lmtext.job, columns name[], OUT name text, OUT event text, OUT side text, OUT condition text)
    RETURNS SETOF record LANGUAGE plpgsql STABLE PARALLEL SAFE COST 1000 ROWS 5 AS $$
DECLARE
    changed CONSTANT text := 'pg_catalog.record_image_ne(ROW(OLD.%1$I), ROW(NEW.%1$I))';
    other_key text;
    other_text text;
BEGIN
    SELECT pg_catalog.string_agg(pg_catalog.format(changed, k), ' OR ') INTO other_key FROM pg_catalog.unnest(job.key) k;
    SELECT pg_catalog.string_agg(pg_catalog.format(changed, k), ' OR ') INTO other_text FROM pg_catalog.unnest(columns) k;
    RETURN QUERY SELECT pg_catalog.concat(job.name, '@', t.suffix), t.event, t.side, t.condition
    FROM (VALUES
        ('i', 'INSERT', 'new', NULL),
        ('u', 'UPDATE', 'new', pg_catalog.concat(other_text, ' OR ', other_key)),
        ('k', 'UPDATE', 'old', other_key),
        ('d', 'DELETE', 'old', NULL),
        ('t', 'TRUNCATE', NULL, NULL)) t (suffix, event, side, condition);
END $$;
COMMENT ON FUNCTION lmtext_internal.job_triggers(lmtext.job, name[]) IS 'triggers of a job in live mode';

-- Against another scan, attach or detach, until the end of the transaction. What was read of the job before may be old.
CREATE FUNCTION lmtext_internal.locked_job(job lmtext.job) RETURNS lmtext.job
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000 AS $$
DECLARE
    read_again lmtext.job;
BEGIN
    EXECUTE pg_catalog.format('LOCK TABLE %s IN SHARE UPDATE EXCLUSIVE MODE', lmtext_internal.table_name(job.work));
    SELECT j.* INTO read_again FROM lmtext.job j WHERE j.work::pg_catalog.oid OPERATOR(pg_catalog.=) job.work::pg_catalog.oid;
    RETURN read_again;
END $$;
COMMENT ON FUNCTION lmtext_internal.locked_job(lmtext.job) IS 'job as it is now, and until the end of the transaction';

-- A table of another role may have the name by now.
CREATE FUNCTION lmtext_internal.drop_queue(job lmtext.job) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000 AS $$
BEGIN
    IF EXISTS (SELECT FROM pg_catalog.pg_class c
            WHERE c.oid OPERATOR(pg_catalog.=) pg_catalog.to_regclass(lmtext_internal.queue_name(job))::pg_catalog.oid
                AND pg_catalog.pg_get_userbyid(c.relowner) OPERATOR(pg_catalog.=) CURRENT_USER) THEN
        EXECUTE pg_catalog.format('DROP TABLE %s', lmtext_internal.queue_name(job));
    END IF;
END $$;
COMMENT ON FUNCTION lmtext_internal.drop_queue(lmtext.job) IS 'drop the queue of a job, if it is the current user''s';

CREATE FUNCTION lmtext.attach(name text) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 100000 AS $$
DECLARE
    job lmtext.job := lmtext_internal.locked_job(lmtext_internal.own_job(attach.name));
    said text := pg_catalog.format('lmtext job %s: keys of rows that have changed', job.name);
    keys text;
    one record;
BEGIN
    IF job.attached THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = pg_catalog.format('job "%s" is attached already', job.name);
    END IF;
    SELECT pg_catalog.string_agg(pg_catalog.format('w.k%s', n), ', ' ORDER BY n) INTO keys
    FROM pg_catalog.generate_subscripts(job.key, 1) n;
    -- One that a dump has brought along: the whole table is looked at.
    IF pg_catalog.obj_description(pg_catalog.to_regclass(lmtext_internal.queue_name(job)), 'pg_class') OPERATOR(pg_catalog.=) said THEN
        PERFORM lmtext_internal.drop_queue(job);
    END IF;
    EXECUTE pg_catalog.format('CREATE TABLE %s AS SELECT %s FROM %s w WITH NO DATA',
        lmtext_internal.queue_name(job), keys, lmtext_internal.table_name(job.work));
    EXECUTE pg_catalog.format('COMMENT ON TABLE %s IS %L', lmtext_internal.queue_name(job), said);
    EXECUTE pg_catalog.format('GRANT INSERT ON %s TO PUBLIC', lmtext_internal.queue_name(job));
    SELECT pg_catalog.string_agg(pg_catalog.format(', %L', k.name), '' ORDER BY k.n) INTO keys
    FROM ROWS FROM (pg_catalog.unnest(job.key)) WITH ORDINALITY k (name, n);
    FOR one IN SELECT t.* FROM lmtext_internal.job_triggers(job, lmtext_internal.job_columns(job)) t LOOP
        EXECUTE pg_catalog.format(
            'CREATE OR REPLACE TRIGGER %I AFTER %s ON %s FOR EACH %s %s EXECUTE FUNCTION lmtext_internal.queue_row(%L, %L, %L%s)',
            one.name, one.event, lmtext_internal.table_name(job.relation),
            CASE WHEN one.side IS NULL THEN 'STATEMENT' ELSE 'ROW' END, pg_catalog.format(
                CASE WHEN one.condition IS NOT NULL THEN 'WHEN (%s)' ELSE '' END, one.condition),
            (SELECT n.nspname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace WHERE c.oid OPERATOR(pg_catalog.=) job.work),
            pg_catalog.concat(job.name, '@queue'), COALESCE(one.side, ''), keys);
    END LOOP;
    PERFORM lmtext_internal.write_job(job.work, 'set', '{"attached": true, "scanned": null}');
END $$;
COMMENT ON FUNCTION lmtext.attach(text) IS
    'let triggers queue the rows that change, so that a run of the job looks at those alone';

CREATE FUNCTION lmtext.detach(name text) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 100000 AS $$
DECLARE
    job lmtext.job := lmtext_internal.locked_job(lmtext_internal.own_job(detach.name));
    one record;
BEGIN
    IF NOT job.attached THEN
        RETURN;
    END IF;
    IF EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid OPERATOR(pg_catalog.=) job.relation) THEN
        FOR one IN SELECT t.* FROM lmtext_internal.job_triggers(job, '{}') t LOOP
            EXECUTE pg_catalog.format('DROP TRIGGER IF EXISTS %I ON %s', one.name, lmtext_internal.table_name(job.relation));
        END LOOP;
    END IF;
    PERFORM lmtext_internal.drop_queue(job);
    PERFORM lmtext_internal.write_job(job.work, 'set', '{"attached": false, "scanned": null}');
END $$;
COMMENT ON FUNCTION lmtext.detach(text) IS 'remove the triggers of a job; its runs look at the whole table again';

-- ---- What is to be done ----

-- Rows of work follow the relation: new ones come in, in the order of the key, those of rows that are gone leave, and what was
-- done with another text or another version is due again.
CREATE FUNCTION lmtext_internal.scan_relation(job lmtext.job, versions regclass[], parts lmtext_internal.job_pieces) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000000 AS $$
DECLARE
    added bigint;
BEGIN
    EXECUTE pg_catalog.format(CASE WHEN job.target OPERATOR(pg_catalog.=) job.relation THEN '%s'
            ELSE 'WITH w AS (%1$s RETURNING w.*) DELETE FROM %2$s r USING w WHERE %3$s' END,
        pg_catalog.format('DELETE FROM %s w WHERE NOT EXISTS (SELECT FROM %s r WHERE %s)', parts.work, parts.relation, parts.matches),
        lmtext_internal.table_name(job.target), parts.matches);
    EXECUTE pg_catalog.format(
        'INSERT INTO %1$s (%2$s) SELECT %3$s FROM %4$s r WHERE NOT EXISTS (SELECT FROM %1$s w WHERE %5$s) ORDER BY %3$s',
        parts.work, pg_catalog.replace(parts.work_keys, 'w.', ''), parts.relation_keys, parts.relation, parts.matches);
    GET DIAGNOSTICS added = ROW_COUNT;
    EXECUTE pg_catalog.format(
        'UPDATE %s w SET due = true, tries = 0, retry_at = NULL, sqlstate = NULL, message = NULL FROM %s r'
        ' WHERE %s AND %s', parts.work, parts.relation, parts.matches, parts.stale) USING versions;
    IF added OPERATOR(pg_catalog.>) 0 THEN
        EXECUTE pg_catalog.format('ANALYZE %s', parts.work);
    END IF;
END $$;
COMMENT ON FUNCTION lmtext_internal.scan_relation(lmtext.job, regclass[], lmtext_internal.job_pieces) IS 'bring the table of work up to date with the relation';

-- The same for the keys that triggers have queued, in one statement, so that what is taken from the queue is what is looked at.
-- False where the table was truncated: that takes a scan.
CREATE FUNCTION lmtext_internal.drain_queue(job lmtext.job, parts lmtext_internal.job_pieces) RETURNS boolean
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 100000 AS $$
DECLARE
    truncated boolean;
    keys text := pg_catalog.replace(parts.work_keys, 'w.', '');
    filled boolean;
BEGIN
    PERFORM lmtext_internal.check_plain(job, lmtext_internal.queue_name(job)::pg_catalog.regclass);
    EXECUTE pg_catalog.format('SELECT EXISTS (SELECT FROM %s)', lmtext_internal.queue_name(job)) INTO filled;
    IF NOT filled THEN
        RETURN true;
    END IF;
    -- A table that is filled and emptied has no statistics otherwise, and a few keys would make the planner read the whole relation.
    EXECUTE pg_catalog.format('ANALYZE %s', lmtext_internal.queue_name(job));
    EXECUTE pg_catalog.format(
        'WITH q AS MATERIALIZED (DELETE FROM %1$s RETURNING %2$s), d AS MATERIALIZED (SELECT DISTINCT %2$s FROM q WHERE q.k1 IS NOT NULL),'
        ' gone AS (DELETE FROM %3$s w USING d WHERE %4$s'
        ' AND NOT EXISTS (SELECT FROM %5$s r WHERE %6$s) RETURNING w.*), %7$s'
        ' came AS (INSERT INTO %3$s (%2$s) SELECT %8$s FROM %5$s r JOIN d w ON %6$s ORDER BY %8$s'
        ' ON CONFLICT (%2$s) DO UPDATE SET due = true, tries = 0, retry_at = NULL, sqlstate = NULL, message = NULL)'
        ' SELECT pg_catalog.bool_or(q.k1 IS NULL) FROM q',
        lmtext_internal.queue_name(job), keys, parts.work, parts.same_keys, parts.relation, parts.matches,
        CASE WHEN job.target OPERATOR(pg_catalog.<>) job.relation THEN
            pg_catalog.format('side AS (DELETE FROM %s r USING gone w WHERE %s),', lmtext_internal.table_name(job.target), parts.matches)
        END, parts.relation_keys) INTO truncated;
    RETURN truncated IS NOT TRUE;
END $$;
COMMENT ON FUNCTION lmtext_internal.drain_queue(lmtext.job, lmtext_internal.job_pieces) IS 'bring the table of work up to date with the rows that triggers have queued';

-- One session looks at a time; batches go on. Where a run with another version goes on, too, rows behind it are of that version,
-- and the next run looks at the whole table.
CREATE FUNCTION lmtext_internal.scan_job(job lmtext.job, versions regclass[]) RETURNS bigint
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000000 AS $$
DECLARE
    parts lmtext_internal.job_pieces := lmtext_internal.job_parts(job);
    drained boolean := false;
    due bigint;
BEGIN
    job := lmtext_internal.locked_job(job);
    IF job.attached THEN
        drained := lmtext_internal.drain_queue(job, parts) AND job.scanned IS NOT NULL
            AND job.scanned::pg_catalog.oid[] OPERATOR(pg_catalog.=) versions::pg_catalog.oid[];
    END IF;
    IF NOT drained THEN
        PERFORM lmtext_internal.scan_relation(job, versions, parts);
        PERFORM lmtext_internal.write_job(job.work, 'set', pg_catalog.jsonb_build_object('scanned', CASE WHEN NOT EXISTS (
            SELECT FROM lmtext_internal.live_runs r
            WHERE r.work::pg_catalog.oid OPERATOR(pg_catalog.=) job.work::pg_catalog.oid
                AND pg_catalog.array_prepend(r.model, r.also)::pg_catalog.oid[] OPERATOR(pg_catalog.<>) versions::pg_catalog.oid[])
            THEN versions::pg_catalog.oid[]::pg_catalog.text END));
    END IF;
    EXECUTE pg_catalog.format('SELECT pg_catalog.count(*) FROM %s w WHERE w.due'
        ' AND (w.retry_at IS NULL OR w.retry_at OPERATOR(pg_catalog.<=) pg_catalog.clock_timestamp())', parts.work) INTO due;
    RETURN due;
END $$;
COMMENT ON FUNCTION lmtext_internal.scan_job(lmtext.job, regclass[]) IS
    'bring the table of work up to date; returns the number of rows that are due';

-- Keys of rows that a run would do now, as text.
CREATE FUNCTION lmtext.stale(name text, OUT key text) RETURNS SETOF text
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE COST 1000000 ROWS 1000 AS $$
DECLARE
    job lmtext.job := lmtext_internal.own_job(stale.name);
    parts record := lmtext_internal.job_parts(job);
BEGIN
    RETURN QUERY EXECUTE pg_catalog.format('SELECT %s FROM %s ORDER BY %s',
        CASE WHEN pg_catalog.cardinality(job.key) OPERATOR(pg_catalog.=) 1
             THEN pg_catalog.concat(parts.relation_keys, '::pg_catalog.text')
             ELSE pg_catalog.format('ROW(%s)::pg_catalog.text', parts.relation_keys) END,
        parts.to_do, parts.relation_keys)
        USING lmtext_internal.job_versions(job);
END $$;
COMMENT ON FUNCTION lmtext.stale(text) IS
    'keys of rows that a run of a job would do: new ones, changed ones, and those of another model version';

-- Minutes that texts of so many tokens have taken, if enough have been computed here; what several targets share is not known.
CREATE FUNCTION lmtext_internal.known_minutes(job lmtext.job, version regclass, tokens bigint) RETURNS double precision
    LANGUAGE sql VOLATILE PARALLEL UNSAFE COST 10000 AS $$
    SELECT pg_catalog.sum(s.total_ms) OPERATOR(pg_catalog./) pg_catalog.sum(s.tokens)::pg_catalog.float8 OPERATOR(pg_catalog.*) known_minutes.tokens::pg_catalog.float8
        OPERATOR(pg_catalog./) 60000::pg_catalog.float8
    FROM lmtext.stats s WHERE s.model::pg_catalog.oid OPERATOR(pg_catalog.=) known_minutes.version::pg_catalog.oid AND s.function OPERATOR(pg_catalog.=) (job).task
        AND NOT (job).options OPERATOR(pg_catalog.?) 'also'
    HAVING pg_catalog.sum(s.rows) OPERATOR(pg_catalog.>=) 1000 AND pg_catalog.sum(s.tokens) OPERATOR(pg_catalog.>) 0;
$$;
COMMENT ON FUNCTION lmtext_internal.known_minutes(lmtext.job, regclass, bigint) IS 'time that a job will take, by what lmtext.stats has counted';

-- A sample of texts is counted, and computed if no statistics say how long it takes; a text that fails takes no time.
CREATE FUNCTION lmtext.job_plan(name text, OUT rows bigint, OUT tokens bigint, OUT minutes double precision, OUT source text)
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000000 AS $$
DECLARE
    sample_size CONSTANT int := 64;
    job lmtext.job := lmtext_internal.own_job(job_plan.name);
    versions regclass[] := lmtext_internal.job_versions(job);
    parts record := lmtext_internal.job_parts(job);
    compute text := pg_catalog.format('SELECT pg_catalog.count(v) FROM (SELECT %s FROM pg_catalog.unnest($1) t (body)) v',
        lmtext_internal.job_expressions(job, versions));
    texts text[];
    counted bigint := 0;
    began timestamptz;
    one text;
BEGIN
    EXECUTE pg_catalog.format('SELECT pg_catalog.count(*), (pg_catalog.array_agg(s.body ORDER BY s.hash))[:%s]'
        ' FROM (SELECT %s AS body, %s AS hash FROM %s) s', sample_size, lmtext_internal.job_tried_body(job), parts.hash, parts.to_do)
        INTO rows, texts USING versions;
    EXECUTE pg_catalog.format('SELECT pg_catalog.sum(LEAST(lmtext.count_tokens(t.body, %L::pg_catalog.regclass),'
        ' (SELECT m.max_tokens FROM lmtext.models m WHERE m.model::pg_catalog.oid OPERATOR(pg_catalog.=) %1$L::pg_catalog.oid))) FROM pg_catalog.unnest($1) t (body)', versions[1]::pg_catalog.oid)
        INTO counted USING texts;
    tokens := COALESCE(counted OPERATOR(pg_catalog.*) rows OPERATOR(pg_catalog./) GREATEST(pg_catalog.cardinality(texts), 1), 0);
    minutes := lmtext_internal.known_minutes(job, versions[1], tokens);
    source := CASE WHEN minutes IS NULL THEN 'sample' ELSE 'stats' END;
    IF minutes IS NOT NULL THEN
        RETURN;
    END IF;
    EXECUTE compute USING ARRAY['a'];
    began := pg_catalog.clock_timestamp();
    BEGIN
        EXECUTE compute USING texts;
    EXCEPTION WHEN OTHERS THEN
        IF NOT lmtext_internal.is_row_error(SQLSTATE) THEN
            RAISE;
        END IF;
        began := pg_catalog.clock_timestamp();
        FOREACH one IN ARRAY texts LOOP
            BEGIN
                EXECUTE compute USING ARRAY[one];
            EXCEPTION WHEN OTHERS THEN
                IF NOT lmtext_internal.is_row_error(SQLSTATE) THEN
                    RAISE;
                END IF;
            END;
        END LOOP;
    END;
    minutes := COALESCE(EXTRACT(epoch FROM pg_catalog.clock_timestamp() OPERATOR(pg_catalog.-) began)::pg_catalog.float8
        OPERATOR(pg_catalog.*) rows::pg_catalog.float8 OPERATOR(pg_catalog./) GREATEST(pg_catalog.cardinality(texts), 1)::pg_catalog.float8
        OPERATOR(pg_catalog./) 60::pg_catalog.float8, 0);
END $$;
COMMENT ON FUNCTION lmtext.job_plan(text) IS
    'what a run of a job would do: rows, tokens, and minutes of one session on this machine, by lmtext.stats or from a sample';

-- ---- One batch ----

-- What was computed for a target, in the column of its type, and for a row.
CREATE TYPE lmtext_internal.job_value AS (vector real[], label text, object jsonb, number double precision);
COMMENT ON TYPE lmtext_internal.job_value IS 'what a job has computed for one target';
CREATE TYPE lmtext_internal.job_result AS (position bigint, hash bigint, computed lmtext_internal.job_value[]);
COMMENT ON TYPE lmtext_internal.job_result IS 'what a job has computed for a row';

-- The two statements of a batch; $1 are positions in work that are locked. The first computes each text once, the longest first, for
-- what is wrong with a text is mostly its length: a SELECT of its own, for calls of an UPDATE's rows are not computed in batches.
-- Targets are one target list, whose calls share what they have in common.
CREATE FUNCTION lmtext_internal.compute_statement(job lmtext.job, versions regclass[]) RETURNS text
    LANGUAGE plpgsql STABLE PARALLEL SAFE COST 10000 AS $$
DECLARE
    parts record := lmtext_internal.job_parts(job);
    computed text;
BEGIN
    SELECT pg_catalog.string_agg(pg_catalog.format('ROW(%s)::lmtext_internal.job_value', (SELECT pg_catalog.string_agg(
            CASE WHEN s.slot OPERATOR(pg_catalog.=) t.slot THEN pg_catalog.format('v.v%s', t.n) ELSE 'NULL' END, ', ' ORDER BY s.n)
        FROM ROWS FROM (pg_catalog.unnest('{vector,label,object,number}'::pg_catalog.text[])) WITH ORDINALITY s (slot, n))), ', ' ORDER BY t.n)
    INTO computed FROM lmtext_internal.job_targets(job) t;
    RETURN pg_catalog.format(
        'WITH t AS MATERIALIZED (SELECT s.body, pg_catalog.array_agg(s.position) AS places FROM (SELECT w.position, %1$s COLLATE "C" AS body'
        ' FROM %2$s w JOIN %3$s r ON %4$s WHERE w.due AND w.position OPERATOR(pg_catalog.=) ANY ($1)) s'
        ' GROUP BY s.body ORDER BY pg_catalog.length(s.body) DESC),'
        ' v AS MATERIALIZED (SELECT t.places, pg_catalog.hashtextextended(t.body, 0) AS hash, %5$s FROM t)'
        ' SELECT pg_catalog.array_agg(ROW(p.place, v.hash, ARRAY[%6$s])::lmtext_internal.job_result) FROM v, pg_catalog.unnest(v.places) p (place)',
        parts.body, parts.work, parts.relation, parts.matches, lmtext_internal.job_expressions(job, versions), computed);
END $$;
COMMENT ON FUNCTION lmtext_internal.compute_statement(lmtext.job, regclass[]) IS 'statement that computes a batch of a job';

-- The second writes the targets and notes what was done, all in one; $2 are the versions, $5 what was computed. Its joins are by
-- keys, whose statistics last; what was written is looked up, since a join of what has no statistics may be a loop in a loop. What
-- a trigger or a policy kept from being written is an error. Rows that are gone leave work with the next scan.
CREATE FUNCTION lmtext_internal.write_statement(job lmtext.job) RETURNS text
    LANGUAGE plpgsql STABLE PARALLEL SAFE COST 10000 AS $$
DECLARE
    parts record := lmtext_internal.job_parts(job);
    aside boolean := job.target OPERATOR(pg_catalog.<>) job.relation;
    columns text;
    computed text;
    written text;
    sets text;
    blank text;
    write text;
BEGIN
    SELECT pg_catalog.string_agg(pg_catalog.format('%I', t.target_column), ', ' ORDER BY t.n),
           pg_catalog.string_agg(pg_catalog.format('((c.computed)[%s]).%s AS v%1$s', t.n, t.slot), ', ' ORDER BY t.n),
           pg_catalog.string_agg(pg_catalog.format('w.v%s', t.n), ', ' ORDER BY t.n),
           pg_catalog.string_agg(pg_catalog.format(CASE WHEN aside THEN '%1$I = excluded.%1$I' ELSE '%1$I = w.v%2$s' END,
               t.target_column, t.n), ', ' ORDER BY t.n),
           pg_catalog.string_agg(pg_catalog.format('CASE WHEN d.v%s IS NULL THEN %s ELSE 0 END', t.n,
               1 OPERATOR(pg_catalog.<<) (t.n OPERATOR(pg_catalog.-) 1)::int), ' OPERATOR(pg_catalog.+) ' ORDER BY t.n)
    INTO columns, computed, written, sets, blank FROM lmtext_internal.job_targets(job) t;
    write := pg_catalog.format(CASE WHEN aside THEN
            'side AS (INSERT INTO %1$s AS r (%2$s, %3$s) SELECT %4$s, %5$s FROM v w ON CONFLICT (%2$s) DO UPDATE SET %6$s RETURNING %9$s),'
            ' written AS (SELECT w.position FROM v w JOIN side r ON %8$s)'
        ELSE 'written AS (UPDATE %7$s r SET %6$s FROM v w WHERE %8$s RETURNING w.position)' END, lmtext_internal.table_name(job.target), parts.key_names,
        columns, parts.work_keys, written, sets, parts.relation, parts.matches, parts.relation_keys);
    RETURN pg_catalog.format(
        'WITH v AS MATERIALIZED (SELECT w.position, %1$s, c.hash, %2$s FROM %3$s w'
        ' JOIN pg_catalog.unnest($5) c ON c.position OPERATOR(pg_catalog.=) w.position'
        ' WHERE w.due AND w.position OPERATOR(pg_catalog.=) ANY ($1) AND EXISTS (SELECT FROM %4$s r WHERE %5$s)),'
        ' %6$s,'
        ' noted AS (UPDATE %3$s w SET due = NOT d.written AND w.tries OPERATOR(pg_catalog.<) $3, hash = d.hash, model = ($2)[1],'
        ' also = CASE WHEN pg_catalog.cardinality($2) OPERATOR(pg_catalog.>) 1 THEN ($2)[2:] END, blank = %9$s,'
        ' at = pg_catalog.clock_timestamp(), tries = CASE WHEN NOT d.written THEN w.tries OPERATOR(pg_catalog.+) 1 ELSE 0 END,'
        ' retry_at = CASE WHEN NOT d.written THEN $4 END, key = CASE WHEN NOT d.written THEN %7$s END,'
        ' sqlstate = CASE WHEN NOT d.written THEN ''27000'' END,'
        ' message = CASE WHEN NOT d.written THEN ''the row was not updated: a trigger or row security keeps it'' END'
        ' FROM (SELECT v.*, v.position OPERATOR(pg_catalog.=) ANY (SELECT s.position FROM written s) AS written FROM v OFFSET 0) d'
        ' WHERE %8$s RETURNING w.sqlstate),'
        ' gone AS (UPDATE %3$s w SET due = false, model = NULL WHERE w.due AND w.position OPERATOR(pg_catalog.=) ANY ($1)'
        ' AND NOT EXISTS (SELECT FROM v d WHERE d.position OPERATOR(pg_catalog.=) w.position))'
        ' SELECT pg_catalog.count(*) FILTER (WHERE n.sqlstate IS NULL), pg_catalog.count(n.sqlstate) FROM noted n',
        parts.work_keys, computed, parts.work, parts.relation, parts.matches, write, parts.key_text,
        parts.same_keys, blank);
END $$;
COMMENT ON FUNCTION lmtext_internal.write_statement(lmtext.job) IS 'statement that writes what a batch of a job has computed';

-- Errors that belong to a row: of its text, of its value, of the user's constraints and triggers. Others end the run.
CREATE FUNCTION lmtext_internal.is_row_error(state text) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE COST 1 AS $$
    SELECT pg_catalog.left(state, 2) OPERATOR(pg_catalog.=) ANY ('{09,21,22,23,27,38,39,44,54,P0}'::pg_catalog.text[]);
$$;
COMMENT ON FUNCTION lmtext_internal.is_row_error(text) IS 'whether an error belongs to a row of a batch';

-- Of a text before it is tried: what fails is not a text that came meanwhile.
CREATE FUNCTION lmtext_internal.hash_of(job lmtext.job, place bigint) RETURNS bigint
    LANGUAGE plpgsql STABLE PARALLEL SAFE COST 10000 AS $$
DECLARE
    parts record := lmtext_internal.job_parts(job);
    hash bigint;
BEGIN
    EXECUTE pg_catalog.format('SELECT %s FROM %s w JOIN %s r ON %s WHERE w.position OPERATOR(pg_catalog.=) $1',
        parts.hash, parts.work, parts.relation, parts.matches) INTO hash USING place;
    RETURN hash;
END $$;
COMMENT ON FUNCTION lmtext_internal.hash_of(lmtext.job, bigint) IS 'hash of the text of a row of a job';

-- A row that failed: tried again after a while that doubles, then left until retry_errors or another text.
CREATE FUNCTION lmtext_internal.note_error(
    job lmtext.job, versions regclass[], place bigint, hash bigint, state text, said text) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 10000 AS $$
DECLARE
    parts record := lmtext_internal.job_parts(job);
BEGIN
    EXECUTE pg_catalog.format(
        'UPDATE %1$s w SET due = w.tries OPERATOR(pg_catalog.<) $2, tries = w.tries OPERATOR(pg_catalog.+) 1,'
        ' model = ($3)[1], also = CASE WHEN pg_catalog.cardinality($3) OPERATOR(pg_catalog.>) 1 THEN ($3)[2:] END,'
        ' retry_at = pg_catalog.clock_timestamp() OPERATOR(pg_catalog.+) ($4 OPERATOR(pg_catalog.*) pg_catalog.power(2, w.tries)),'
        ' at = pg_catalog.clock_timestamp(), key = %2$s, sqlstate = $5, message = $6,'
        ' hash = $7 WHERE w.due AND w.position OPERATOR(pg_catalog.=) $1',
        parts.work, parts.key_text)
        USING place, lmtext_internal.job_option(job, 'retries')::int, versions,
            lmtext_internal.job_option(job, 'retry_after')::interval, state, pg_catalog.left(said, 1000), hash;
END $$;
COMMENT ON FUNCTION lmtext_internal.note_error(lmtext.job, regclass[], bigint, bigint, text, text) IS 'note an error of a row of a job';

-- Claims rows behind a place, in order, that no other session has, and does them. A batch with a bad row is undone;
-- its rows come again in groups of CAREFUL, and a group that fails in halves, down to the row, each in a subtransaction: so a
-- transaction never has many. Where a write failed, what was computed is kept. `careful` is the last place of such a batch. After a deadlock (`failed`) what is left comes again.
-- What is deferred to the end of the transaction is done with the rows that it belongs to: an error of COMMIT would end the run.
CREATE FUNCTION lmtext_internal.do_batch(
    job lmtext.job, versions regclass[], compute text, write text, INOUT place bigint, INOUT careful bigint,
    OUT claimed integer, OUT done bigint, OUT errors bigint, OUT failed text)
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000000 AS $$
DECLARE
    careful_size CONSTANT int := 32;
    size int := lmtext_internal.job_option(job, 'batch_size')::int;
    retries int := lmtext_internal.job_option(job, 'retries')::int;
    again_at timestamptz := pg_catalog.clock_timestamp() OPERATOR(pg_catalog.+) lmtext_internal.job_option(job, 'retry_after')::interval;
    places bigint[];
    results lmtext_internal.job_result[];
    made lmtext_internal.job_result[];
    ranges int[];
    part bigint[];
    middle int;
    part_done bigint;
    part_errors bigint;
    row_hash bigint;
    last bigint;
BEGIN
    done := 0;
    errors := 0;
    IF place OPERATOR(pg_catalog.<) careful THEN
        size := LEAST(size, careful_size);
    END IF;
    EXECUTE pg_catalog.format(
        'SELECT pg_catalog.array_agg(c.position) FROM (SELECT w.position FROM %s w WHERE w.due AND w.position OPERATOR(pg_catalog.>) $1'
        ' AND (w.retry_at IS NULL OR w.retry_at OPERATOR(pg_catalog.<=) pg_catalog.clock_timestamp())'
        ' ORDER BY w.position LIMIT $2 FOR UPDATE SKIP LOCKED) c', lmtext_internal.table_name(job.work))
        INTO places USING place, size;
    claimed := COALESCE(pg_catalog.cardinality(places), 0);
    IF claimed OPERATOR(pg_catalog.=) 0 THEN
        RETURN;
    END IF;
    last := places[claimed];
    BEGIN
        EXECUTE compute INTO results USING places;
        EXECUTE write INTO done, errors USING places, versions, retries, again_at, results;
        SET CONSTRAINTS ALL IMMEDIATE;
        place := last;
        RETURN;
    EXCEPTION WHEN assert_failure OR OTHERS THEN
        IF pg_catalog.left(SQLSTATE, 2) OPERATOR(pg_catalog.=) '40' THEN
            failed := SQLSTATE; -- a deadlock with somebody's UPDATE: again
            RETURN;
        ELSIF NOT lmtext_internal.is_row_error(SQLSTATE) THEN
            RAISE;
        END IF;
    END;
    IF claimed OPERATOR(pg_catalog.>) careful_size THEN
        careful := last;
        RETURN;
    END IF;
    done := 0;
    errors := 0;
    middle := claimed OPERATOR(pg_catalog./) 2;
    ranges := CASE WHEN middle OPERATOR(pg_catalog.=) 0 THEN '{1,1}' ELSE ARRAY[1, middle, middle OPERATOR(pg_catalog.+) 1, claimed] END;
    WHILE ranges OPERATOR(pg_catalog.<>) '{}' LOOP
        part := places[ranges[1]:ranges[2]];
        middle := (ranges[1] OPERATOR(pg_catalog.+) ranges[2]) OPERATOR(pg_catalog./) 2;
        IF pg_catalog.cardinality(part) OPERATOR(pg_catalog.=) 1 THEN
            row_hash := CASE WHEN results IS NULL THEN lmtext_internal.hash_of(job, part[1])
                ELSE (SELECT r.hash FROM pg_catalog.unnest(results) r WHERE r.position OPERATOR(pg_catalog.=) part[1]) END;
        END IF;
        BEGIN
            made := results;
            IF made IS NULL THEN
                EXECUTE compute INTO made USING part;
            END IF;
            EXECUTE write INTO part_done, part_errors USING part, versions, retries, again_at, made;
            SET CONSTRAINTS ALL IMMEDIATE;
            SET CONSTRAINTS ALL DEFERRED; -- what the next part leaves for its end
            done := done OPERATOR(pg_catalog.+) part_done;
            errors := errors OPERATOR(pg_catalog.+) part_errors;
            ranges := ranges[3:];
        EXCEPTION WHEN assert_failure OR OTHERS THEN
            IF pg_catalog.left(SQLSTATE, 2) OPERATOR(pg_catalog.=) '40' THEN
                failed := SQLSTATE;
                RETURN;
            ELSIF NOT lmtext_internal.is_row_error(SQLSTATE) THEN
                RAISE;
            ELSIF pg_catalog.cardinality(part) OPERATOR(pg_catalog.=) 1 THEN
                PERFORM lmtext_internal.note_error(job, versions, part[1], row_hash, SQLSTATE, SQLERRM);
                errors := errors OPERATOR(pg_catalog.+) 1;
                ranges := ranges[3:];
            ELSE
                ranges := pg_catalog.array_cat(ARRAY[ranges[1], middle, middle OPERATOR(pg_catalog.+) 1, ranges[2]], ranges[3:]);
            END IF;
        END;
    END LOOP;
    place := last;
END $$;
COMMENT ON FUNCTION lmtext_internal.do_batch(lmtext.job, regclass[], text, text, bigint, bigint) IS 'claim and do the next batch of a job';

-- ---- Runs ----

CREATE FUNCTION lmtext_internal.notify_job(job text, run bigint, event text, data jsonb DEFAULT '{}') RETURNS void
    LANGUAGE sql VOLATILE PARALLEL UNSAFE COST 100 AS $$
    SELECT pg_catalog.pg_notify('lmtext', (pg_catalog.jsonb_build_object('event', event, 'name', job, 'run', run)
        OPERATOR(pg_catalog.||) data)::pg_catalog.text);
$$;
COMMENT ON FUNCTION lmtext_internal.notify_job(text, bigint, text, jsonb) IS 'tell who listens what a job does';

CREATE FUNCTION lmtext_internal.begin_run(job lmtext.job, versions regclass[], parent bigint) RETURNS bigint
    LANGUAGE sql VOLATILE PARALLEL UNSAFE COST 1000 AS $$
    SELECT lmtext_internal.write_job((job).work, 'begin', pg_catalog.jsonb_build_object('parent', parent,
        'model', versions[1]::pg_catalog.oid::pg_catalog.text, 'also', versions[2:]::pg_catalog.oid[]::pg_catalog.text));
$$;
COMMENT ON FUNCTION lmtext_internal.begin_run(lmtext.job, regclass[], bigint) IS 'note the begin of a run of a job';

-- A line every few seconds, as a training says; the time of the last line.
CREATE FUNCTION lmtext_internal.tell_job(job text, began timestamptz, told timestamptz, done bigint, total bigint, errors bigint)
    RETURNS timestamptz LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 100 AS $$
DECLARE
    every interval := COALESCE(pg_catalog.current_setting('lmtext.progress_interval', true), '5s');
    now timestamptz := pg_catalog.clock_timestamp();
    seconds float8 := EXTRACT(epoch FROM now OPERATOR(pg_catalog.-) began);
BEGIN
    IF every OPERATOR(pg_catalog.=) interval '0' OR now OPERATOR(pg_catalog.<) (told OPERATOR(pg_catalog.+) every) THEN
        RETURN told;
    END IF;
    RAISE NOTICE USING MESSAGE = pg_catalog.format('job "%s": %s of %s rows done, %s errors, about %s s left', job, done, total, errors,
        CASE WHEN done OPERATOR(pg_catalog.>) 0 THEN pg_catalog.ceil(seconds OPERATOR(pg_catalog.*)
            (total OPERATOR(pg_catalog.-) done)::pg_catalog.float8 OPERATOR(pg_catalog./) done::pg_catalog.float8)::pg_catalog.text
            ELSE '?' END);
    RETURN now;
END $$;
COMMENT ON FUNCTION lmtext_internal.tell_job(text, timestamptz, timestamptz, bigint, bigint, bigint) IS 'notice of the progress of a job';

CREATE FUNCTION lmtext_internal.told_end(status text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE COST 1 AS $$
    SELECT CASE WHEN status OPERATOR(pg_catalog.=) 'paused' THEN 'was paused'
        WHEN status OPERATOR(pg_catalog.=) 'stopped' THEN 'stopped at the end of its window' ELSE 'ended' END;
$$;
COMMENT ON FUNCTION lmtext_internal.told_end(text) IS 'how a run ended, in a notice';

-- The end of a run, for whoever looks and listens. Where it is not done, jobs that follow are not either.
CREATE FUNCTION lmtext_internal.end_run(job lmtext.job, run bigint, done bigint, errors bigint, status text, state text, said text)
    RETURNS void LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000 AS $$
DECLARE
    follower lmtext.job;
BEGIN
    PERFORM lmtext_internal.write_job(job.work, 'step', pg_catalog.jsonb_build_object('id', run, 'done', done, 'errors', errors,
        'status', status, 'sqlstate', state, 'message', said));
    IF EXISTS (SELECT FROM lmtext.job_run r WHERE r.id OPERATOR(pg_catalog.=) run AND r.parent IS NOT NULL) THEN
        RETURN;
    END IF;
    PERFORM lmtext_internal.notify_job(job.name, run, CASE WHEN status OPERATOR(pg_catalog.=) 'skipped' THEN 'skipped'
            WHEN state IS NULL THEN 'end' ELSE 'failure' END,
        pg_catalog.jsonb_build_object('status', status, 'done', done, 'errors', errors, 'sqlstate', state));
    IF status OPERATOR(pg_catalog.<>) 'done' THEN
        FOR follower IN SELECT j.* FROM lmtext_internal.job_followers(job.name) j LOOP
            PERFORM lmtext_internal.skip_job(follower, pg_catalog.format('job "%s" was not done: %s', job.name, status));
        END LOOP;
    END IF;
END $$;
COMMENT ON FUNCTION lmtext_internal.end_run(lmtext.job, bigint, bigint, bigint, text, text, text) IS 'note the end of a run of a job';

CREATE FUNCTION lmtext_internal.skip_job(job lmtext.job, said text) RETURNS void
    LANGUAGE sql VOLATILE PARALLEL UNSAFE COST 1000 AS $$
    SELECT lmtext_internal.end_run(job, lmtext_internal.begin_run(job, NULL, NULL), 0, 0, 'skipped', NULL, said);
$$;
COMMENT ON FUNCTION lmtext_internal.skip_job(lmtext.job, text) IS 'note that a job is not run, nor those that follow it';

CREATE FUNCTION lmtext_internal.run_status(status text, state text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE COST 1 AS $$
    SELECT CASE WHEN state IS NULL THEN status WHEN state OPERATOR(pg_catalog.=) '57014' THEN 'cancelled' ELSE 'failed' END;
$$;
COMMENT ON FUNCTION lmtext_internal.run_status(text, text) IS 'status of a run that ends, by its error';

CREATE FUNCTION lmtext_internal.then_failed(job lmtext.job, done bigint) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE COST 1 AS $$
    SELECT pg_catalog.format('Procedure %s failed at the end of job "%s", whose %s rows are done.',
        (job).options OPERATOR(pg_catalog.->>) 'then', (job).name, done);
$$;
COMMENT ON FUNCTION lmtext_internal.then_failed(lmtext.job, bigint) IS 'detail of an error of the procedure behind a run';

-- The procedure behind a run that is done; an error of it is the run's, whose rows stay.
CREATE FUNCTION lmtext_internal.call_then(job lmtext.job, run bigint, OUT state text, OUT said text)
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000000 AS $$
BEGIN
    IF job.options OPERATOR(pg_catalog.?) 'then' THEN
        EXECUTE pg_catalog.format('CALL %s($1, $2)', job.options OPERATOR(pg_catalog.->>) 'then') USING job.name, run;
    END IF;
EXCEPTION WHEN query_canceled OR assert_failure OR OTHERS THEN
    state := SQLSTATE;
    said := SQLERRM;
END $$;
COMMENT ON FUNCTION lmtext_internal.call_then(lmtext.job, bigint) IS 'call the procedure of a job at the end of its run';

-- Those that follow what this session has run just now, if all was done.
CREATE FUNCTION lmtext_internal.next_jobs(job lmtext.job) RETURNS text[]
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000 AS $$
DECLARE
    follower lmtext.job;
    status text;
    names text[] := '{}';
BEGIN
    SELECT r.status INTO status FROM lmtext.job_run r WHERE r.work::pg_catalog.oid OPERATOR(pg_catalog.=) job.work::pg_catalog.oid
        AND r.pid OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid() AND r.parent IS NULL ORDER BY r.id DESC LIMIT 1;
    IF status OPERATOR(pg_catalog.=) 'done' THEN
        FOR follower IN SELECT j.* FROM lmtext_internal.job_followers(job.name) j LOOP
            IF follower.paused THEN
                PERFORM lmtext_internal.skip_job(follower, 'the job is paused');
            ELSE
                names := pg_catalog.array_append(names, follower.name);
            END IF;
        END LOOP;
    END IF;
    RETURN names;
END $$;
COMMENT ON FUNCTION lmtext_internal.next_jobs(lmtext.job) IS 'jobs that are run behind a job';

CREATE FUNCTION lmtext_internal.run_is_over() RETURNS boolean
    AS 'MODULE_PATHNAME', 'lmtext_run_is_over' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1;
COMMENT ON FUNCTION lmtext_internal.run_is_over() IS 'whether the window of this worker''s run is over';

-- What a run of a job would end as now: done where it goes on.
CREATE FUNCTION lmtext_internal.status_now(work regclass) RETURNS text
    LANGUAGE sql VOLATILE PARALLEL UNSAFE COST 100 AS $$
    SELECT CASE WHEN (SELECT j.paused FROM lmtext.job j WHERE j.work::pg_catalog.oid OPERATOR(pg_catalog.=) status_now.work::pg_catalog.oid)
        THEN 'paused' WHEN lmtext_internal.run_is_over() THEN 'stopped' ELSE 'done' END;
$$;
COMMENT ON FUNCTION lmtext_internal.status_now(regclass) IS 'whether a run of a job is to end because of a pause or its window';

-- Before a batch, when nothing is locked.
CREATE FUNCTION lmtext_internal.rest_since(began timestamptz) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000 AS $$
DECLARE
    share int := COALESCE(pg_catalog.current_setting('lmtext.job_cpu_share', true)::int, 100);
BEGIN
    IF share OPERATOR(pg_catalog.<) 100 THEN
        PERFORM pg_catalog.pg_sleep_for((pg_catalog.clock_timestamp() OPERATOR(pg_catalog.-) began)
            OPERATOR(pg_catalog.*) (100::pg_catalog.float8 OPERATOR(pg_catalog./) share::pg_catalog.float8
                OPERATOR(pg_catalog.-) 1::pg_catalog.float8));
    END IF;
END $$;
COMMENT ON FUNCTION lmtext_internal.rest_since(timestamptz) IS 'sleep so long that the time since is no more than lmtext.job_cpu_share of all';

-- Batches until nothing is due. A row that another session had claimed, and lost, is met in the last pass.
CREATE PROCEDURE lmtext_internal.run_batches(job_name text, parent bigint)
    LANGUAGE plpgsql AS $$
DECLARE
    job lmtext.job;
    versions regclass[];
    compute text;
    write text;
    run bigint;
    total bigint;
    done bigint := 0;
    errors bigint := 0;
    place bigint := 0;
    careful bigint := 0;
    in_pass bigint := 0;
    collisions int := 0;
    status text := 'done';
    began timestamptz := pg_catalog.clock_timestamp();
    told timestamptz := began;
    batch_began timestamptz := began;
    state text;
    said text;
    step record;
BEGIN
    COMMIT;
    SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
    job := lmtext_internal.own_job(job_name);
    versions := lmtext_internal.job_versions(job);
    compute := lmtext_internal.compute_statement(job, versions);
    write := lmtext_internal.write_statement(job);
    run := lmtext_internal.begin_run(job, versions, parent);
    IF parent IS NULL THEN
        PERFORM lmtext_internal.notify_job(job.name, run, 'start');
        PERFORM lmtext_internal.write_job(job.work, 'prune', '{"age": "90 days"}');
    ELSE
        total := 0; -- who started this one has scanned, and tells
    END IF;
    COMMIT;
    LOOP
        SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
        BEGIN
            PERFORM lmtext_internal.rest_since(batch_began);
            batch_began := pg_catalog.clock_timestamp();
            status := lmtext_internal.status_now(job.work);
            IF status OPERATOR(pg_catalog.<>) 'done' THEN
                step := NULL;
            ELSIF total IS NULL THEN
                total := lmtext_internal.scan_job(job, versions);
                step := NULL;
            ELSE
                IF collisions OPERATOR(pg_catalog.>) 0 THEN
                    PERFORM pg_catalog.pg_sleep(0.02 OPERATOR(pg_catalog.*)
                        (pg_catalog.random() OPERATOR(pg_catalog.*) pg_catalog.power(2, collisions)));
                END IF;
                step := lmtext_internal.do_batch(job, versions, compute, write, place, careful);
            END IF;
        EXCEPTION WHEN query_canceled OR assert_failure OR OTHERS THEN
            state := SQLSTATE;
            said := SQLERRM;
        END;
        IF state IS NOT NULL THEN
            PERFORM lmtext_internal.end_run(job, run, done, errors, lmtext_internal.run_status(status, state), state, said);
            COMMIT;
            RAISE EXCEPTION USING ERRCODE = state, MESSAGE = said, DETAIL = pg_catalog.format(
                'Job "%s" ended early; %s rows are done, and the next run goes on from there.', job.name, done);
        END IF;
        EXIT WHEN status OPERATOR(pg_catalog.<>) 'done';
        IF step IS NULL THEN
            PERFORM lmtext_internal.write_job(job.work, 'step', pg_catalog.jsonb_build_object('id', run, 'total', total));
        ELSIF step.claimed OPERATOR(pg_catalog.=) 0 THEN
            EXIT WHEN in_pass OPERATOR(pg_catalog.=) 0;
            in_pass := 0;
            place := 0;
            careful := 0;
        ELSE
            collisions := CASE WHEN step.failed IS NULL THEN 0
                WHEN step.done OPERATOR(pg_catalog.+) step.errors OPERATOR(pg_catalog.>) 0 THEN 1
                ELSE collisions OPERATOR(pg_catalog.+) 1 END;
            place := step.place;
            careful := step.careful;
            in_pass := in_pass OPERATOR(pg_catalog.+) step.claimed;
            done := done OPERATOR(pg_catalog.+) step.done;
            errors := errors OPERATOR(pg_catalog.+) step.errors;
            IF collisions OPERATOR(pg_catalog.>) 7 THEN
                state := step.failed;
                PERFORM lmtext_internal.end_run(job, run, done, errors, 'failed', state, 'other sessions collide with each batch');
                COMMIT;
                RAISE EXCEPTION USING ERRCODE = state, MESSAGE = pg_catalog.format('job "%s": other sessions collide with each batch', job.name);
            END IF;
            PERFORM lmtext_internal.write_job(job.work, 'step', pg_catalog.jsonb_build_object('id', run, 'done', done, 'errors', errors));
            IF parent IS NULL THEN
                told := lmtext_internal.tell_job(job.name, began, told, done, total, errors);
            END IF;
        END IF;
        COMMIT;
    END LOOP;
    IF parent IS NULL AND status OPERATOR(pg_catalog.=) 'done' THEN
        SELECT c.state, c.said INTO state, said FROM lmtext_internal.call_then(job, run) c;
    END IF;
    PERFORM lmtext_internal.end_run(job, run, done, errors, lmtext_internal.run_status(status, state), state, said);
    COMMIT;
    IF state IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = state, MESSAGE = said, DETAIL = lmtext_internal.then_failed(job, done);
    END IF;
    IF parent IS NULL THEN
        RAISE NOTICE USING MESSAGE = pg_catalog.format('job "%s" %s: %s rows done, %s errors', job.name,
            lmtext_internal.told_end(status), done, errors);
    END IF;
END $$;
COMMENT ON PROCEDURE lmtext_internal.run_batches(text, bigint) IS 'one session''s part of a run of a job';

-- What the workers of a run have done so far, and the first error that ended one. The owner of another job may call a run of its
-- own a worker's.
CREATE FUNCTION lmtext_internal.sum_workers(
    run bigint, OUT done bigint, OUT errors bigint, OUT seen bigint, OUT status text, OUT state text, OUT said text)
    LANGUAGE sql STABLE PARALLEL SAFE COST 1000 AS $$
    SELECT COALESCE(pg_catalog.sum(r.done), 0)::bigint, COALESCE(pg_catalog.sum(r.errors), 0)::bigint, pg_catalog.count(*),
        CASE WHEN pg_catalog.bool_or(r.status OPERATOR(pg_catalog.=) 'running') THEN 'running'
             WHEN pg_catalog.bool_or(r.status OPERATOR(pg_catalog.=) 'paused') THEN 'paused'
             WHEN pg_catalog.bool_or(r.status OPERATOR(pg_catalog.=) 'stopped') THEN 'stopped' ELSE 'done' END,
        (pg_catalog.array_agg(r.sqlstate ORDER BY r.id) FILTER (WHERE r.sqlstate IS NOT NULL))[1],
        (pg_catalog.array_agg(m.message ORDER BY r.id) FILTER (WHERE r.sqlstate IS NOT NULL))[1]
    FROM lmtext.job_run r JOIN lmtext.job_run p ON p.id OPERATOR(pg_catalog.=) r.parent
        AND p.work::pg_catalog.oid OPERATOR(pg_catalog.=) r.work::pg_catalog.oid
    JOIN lmtext_internal.own_messages m ON m.id OPERATOR(pg_catalog.=) r.id
    WHERE r.parent OPERATOR(pg_catalog.=) run;
$$;
COMMENT ON FUNCTION lmtext_internal.sum_workers(bigint) IS 'what the workers of a run have done';

-- Scans, starts workers, and waits for them. An error here or there ends all of them. Where they are to fit the work there is one
-- for each batch, from min_workers to so many; each ends when no row is left to claim.
CREATE PROCEDURE lmtext_internal.run_workers(job_name text, workers integer, fit boolean DEFAULT false)
    LANGUAGE plpgsql AS $$
DECLARE
    job lmtext.job;
    versions regclass[];
    run bigint;
    total bigint;
    started int;
    left_over int;
    sums record;
    began timestamptz := pg_catalog.clock_timestamp();
    told timestamptz := began;
    state text;
    said text;
    detail text;
BEGIN
    COMMIT;
    SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
    job := lmtext_internal.own_job(job_name);
    versions := lmtext_internal.job_versions(job);
    run := lmtext_internal.begin_run(job, versions, NULL);
    PERFORM lmtext_internal.notify_job(job.name, run, 'start');
    PERFORM lmtext_internal.write_job(job.work, 'prune', '{"age": "90 days"}');
    COMMIT;
    LOOP
        SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
        BEGIN
            IF total IS NULL THEN
                total := lmtext_internal.scan_job(job, versions);
                IF fit THEN
                    workers := LEAST(workers, GREATEST(lmtext_internal.job_option(job, 'min_workers')::int, pg_catalog.ceil(
                        total::pg_catalog.float8 OPERATOR(pg_catalog./) lmtext_internal.job_option(job, 'batch_size')::pg_catalog.float8)::int));
                END IF;
            ELSIF started IS NULL THEN
                started := lmtext_internal.start_job_workers(job.name, run, workers);
                IF started OPERATOR(pg_catalog.=) 0 THEN
                    RAISE EXCEPTION USING ERRCODE = 'configuration_limit_exceeded',
                        MESSAGE = 'no background worker could be started', HINT = 'Raise max_worker_processes.';
                END IF;
            ELSE
                PERFORM pg_catalog.pg_sleep(0.1);
            END IF;
            left_over := lmtext_internal.count_job_workers(false);
        EXCEPTION WHEN query_canceled OR assert_failure OR OTHERS THEN
            state := SQLSTATE;
            said := SQLERRM;
        END;
        IF state IS NOT NULL THEN
            left_over := lmtext_internal.count_job_workers(true);
        END IF;
        COMMIT; -- what the workers have written since is seen
        SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
        sums := lmtext_internal.sum_workers(run);
        IF state IS NULL AND sums.state IS NOT NULL THEN
            state := sums.state;
            said := sums.said;
            left_over := lmtext_internal.count_job_workers(true);
        ELSIF state IS NULL AND left_over OPERATOR(pg_catalog.=) 0 AND started IS NOT NULL
                AND (sums.seen OPERATOR(pg_catalog.<) started OR sums.status OPERATOR(pg_catalog.=) 'running') THEN
            state := '57P01';
            said := 'a background worker ended without a word';
        END IF;
        EXIT WHEN state IS NOT NULL OR left_over OPERATOR(pg_catalog.=) 0 AND started IS NOT NULL;
        PERFORM lmtext_internal.write_job(job.work, 'step',
            pg_catalog.jsonb_build_object('id', run, 'total', total, 'done', sums.done, 'errors', sums.errors));
        told := lmtext_internal.tell_job(job.name, began, told, sums.done, total, sums.errors);
        COMMIT;
    END LOOP;
    IF state IS NULL AND sums.status OPERATOR(pg_catalog.=) 'done' THEN
        SELECT c.state, c.said, lmtext_internal.then_failed(job, sums.done) INTO state, said, detail
        FROM lmtext_internal.call_then(job, run) c;
    END IF;
    PERFORM lmtext_internal.end_run(job, run, sums.done, sums.errors, lmtext_internal.run_status(sums.status, state), state, said);
    COMMIT;
    IF state IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = state, MESSAGE = said, DETAIL = COALESCE(detail, pg_catalog.format(
            'Job "%s" ended early; %s rows are done, and the next run goes on from there.', job.name, sums.done));
    END IF;
    RAISE NOTICE USING MESSAGE = pg_catalog.format('job "%s" %s: %s rows done by %s workers, %s errors', job.name,
        lmtext_internal.told_end(sums.status), sums.done, started, sums.errors);
END $$;
COMMENT ON PROCEDURE lmtext_internal.run_workers(text, integer, boolean) IS 'a run of a job by background workers';

CREATE FUNCTION lmtext_internal.check_run(job lmtext.job, workers integer) RETURNS void
    LANGUAGE plpgsql STABLE PARALLEL SAFE COST 1000 AS $$
BEGIN
    IF pg_catalog.current_setting('transaction_read_only')::pg_catalog.bool THEN
        RAISE EXCEPTION USING ERRCODE = 'read_only_sql_transaction',
            MESSAGE = 'cannot execute lmtext.run_job() in a read-only transaction',
            HINT = CASE WHEN pg_catalog.pg_is_in_recovery()
                THEN 'This server is a standby. Run the job on the primary, or here after promotion: it goes on where it was.'
                ELSE 'SET default_transaction_read_only = off;' END;
    END IF;
    IF job.paused THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = pg_catalog.format('job "%s" is paused', job.name),
            HINT = pg_catalog.format('SELECT lmtext.resume_job(%L);', job.name);
    END IF;
    IF NOT workers OPERATOR(pg_catalog.<@) pg_catalog.int4range(0, 64, '[]') THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'workers must be from 0 to 64';
    END IF;
    IF workers OPERATOR(pg_catalog.>) 0
            AND NOT (SELECT r.rolcanlogin FROM pg_catalog.pg_roles r WHERE r.rolname OPERATOR(pg_catalog.=) CURRENT_USER) THEN
        RAISE EXCEPTION USING ERRCODE = 'feature_not_supported',
            MESSAGE = pg_catalog.format('role "%s" may not log in, so no worker can run as it', CURRENT_USER),
            HINT = 'Run the job in this session: workers => 0. Several sessions may run one job at once.';
    END IF;
END $$;
COMMENT ON FUNCTION lmtext_internal.check_run(lmtext.job, integer) IS 'refuses a run that cannot begin';

CREATE PROCEDURE lmtext.run_job(name text, workers integer DEFAULT 0)
    LANGUAGE plpgsql AS $$
DECLARE
    job lmtext.job := lmtext_internal.own_job(run_job.name);
    follower text;
BEGIN
    PERFORM lmtext_internal.check_run(job, workers);
    IF COALESCE(workers, 0) OPERATOR(pg_catalog.=) 0 THEN
        CALL lmtext_internal.run_batches(job.name, NULL);
    ELSE
        CALL lmtext_internal.run_workers(job.name, workers);
    END IF;
    FOREACH follower IN ARRAY lmtext_internal.next_jobs(job) LOOP
        CALL lmtext.run_job(follower, workers);
    END LOOP;
END $$;
COMMENT ON PROCEDURE lmtext.run_job(text, integer) IS
    'do what is to be done for a job, batch by batch, each in a transaction of its own; then the jobs that follow it';

-- ---- Pause, errors ----

CREATE FUNCTION lmtext.pause_job(name text) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000 AS $$
DECLARE
    job lmtext.job := lmtext_internal.own_job(pause_job.name);
BEGIN
    PERFORM lmtext_internal.write_job(job.work, 'set', '{"paused": true}');
END $$;
COMMENT ON FUNCTION lmtext.pause_job(text) IS 'pause a job: its runs end at the next batch, and none begins';

CREATE FUNCTION lmtext.resume_job(name text) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000 AS $$
DECLARE
    job lmtext.job := lmtext_internal.own_job(resume_job.name);
BEGIN
    PERFORM lmtext_internal.write_job(job.work, 'set', '{"paused": false}');
END $$;
COMMENT ON FUNCTION lmtext.resume_job(text) IS 'let a paused job run again; run_job begins a run';

CREATE FUNCTION lmtext.retry_errors(name text) RETURNS bigint
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 100000 AS $$
DECLARE
    job lmtext.job := lmtext_internal.own_job(retry_errors.name);
    again bigint;
BEGIN
    EXECUTE pg_catalog.format('UPDATE %s w SET due = true, tries = 0, retry_at = NULL, sqlstate = NULL, message = NULL, key = NULL'
        ' WHERE w.sqlstate IS NOT NULL', lmtext_internal.table_name(job.work));
    GET DIAGNOSTICS again = ROW_COUNT;
    RETURN again;
END $$;
COMMENT ON FUNCTION lmtext.retry_errors(text) IS 'make the rows that failed due again for the next run; returns their number';

-- ---- Views ----

CREATE VIEW lmtext.jobs AS
    SELECT j.name, pg_catalog.pg_get_userbyid(c.relowner) AS owner, j.relation, j.text_column, j.task, j.model,
           j.target, j.target_column, j.key, j.options, j.paused, j.attached, j.work
    FROM lmtext.job j JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) j.work;
COMMENT ON VIEW lmtext.jobs IS 'jobs of this database';
COMMENT ON COLUMN lmtext.jobs.text_column IS 'column of the text; NULL where it is an expression, the option text';
COMMENT ON COLUMN lmtext.jobs.model IS 'the model, whose deployed version is used, or one version';
COMMENT ON COLUMN lmtext.jobs.target IS 'table that is written: the relation or a side table';
COMMENT ON COLUMN lmtext.jobs.key IS 'columns of the primary key of the relation';
COMMENT ON COLUMN lmtext.jobs.work IS 'table of what was done for each row; who owns it owns the job';

CREATE VIEW lmtext.job_runs AS
    SELECT j.name AS job, r.id AS run, r.started_at, r.finished_at,
           CASE WHEN r.status OPERATOR(pg_catalog.=) 'running'
                    AND NOT EXISTS (SELECT FROM lmtext_internal.live_runs l WHERE l.id OPERATOR(pg_catalog.=) r.id)
                THEN 'interrupted' ELSE r.status END AS status,
           r.total, r.done, r.errors, r.model, r.pid, r.updated_at, r.sqlstate, m.message
    FROM lmtext.job_run r JOIN lmtext.job j ON j.work::pg_catalog.oid OPERATOR(pg_catalog.=) r.work::pg_catalog.oid
    JOIN lmtext_internal.own_messages m ON m.id OPERATOR(pg_catalog.=) r.id
    WHERE r.parent IS NULL;
COMMENT ON VIEW lmtext.job_runs IS 'runs of jobs on this server';
COMMENT ON COLUMN lmtext.job_runs.status IS
    'running, done, paused, stopped (by its window), cancelled, failed, skipped where the job that it follows was not done, or interrupted where the session ended without a word';
COMMENT ON COLUMN lmtext.job_runs.total IS 'rows that were due when the run began';
COMMENT ON COLUMN lmtext.job_runs.errors IS 'attempts at rows that failed';
COMMENT ON COLUMN lmtext.job_runs.message IS 'error that ended the run, for whoever has the rights of the owner; it may repeat a text';

CREATE VIEW lmtext.job_progress AS
    SELECT p.job, p.done, p.total, CASE WHEN p.seconds OPERATOR(pg_catalog.>) 0 THEN p.done::pg_catalog.float8 OPERATOR(pg_catalog./) p.seconds END AS rate,
           CASE WHEN p.done OPERATOR(pg_catalog.>) 0 THEN pg_catalog.now() OPERATOR(pg_catalog.+) pg_catalog.make_interval(secs =>
               p.seconds OPERATOR(pg_catalog.*) (GREATEST(p.total, p.done) OPERATOR(pg_catalog.-) p.done)::pg_catalog.float8
               OPERATOR(pg_catalog./) p.done::pg_catalog.float8) END AS eta
    FROM (SELECT r.job, pg_catalog.sum(r.done OPERATOR(pg_catalog.+) r.errors)::bigint AS done, pg_catalog.max(r.total) AS total,
              EXTRACT(epoch FROM pg_catalog.now() OPERATOR(pg_catalog.-) pg_catalog.min(r.started_at))::pg_catalog.float8 AS seconds
          FROM lmtext.job_runs r WHERE r.status OPERATOR(pg_catalog.=) 'running' GROUP BY r.job) p;
COMMENT ON VIEW lmtext.job_progress IS 'jobs that run now';
COMMENT ON COLUMN lmtext.job_progress.done IS 'rows that the sessions of the run have done or given up';
COMMENT ON COLUMN lmtext.job_progress.rate IS 'rows a second';
COMMENT ON COLUMN lmtext.job_progress.eta IS 'when the run will end at this pace';

-- Keys and messages are the owner's to see; and what is read here are tables of that role only.
CREATE FUNCTION lmtext_internal.job_error_list(
    OUT job text, OUT key text, OUT sqlstate text, OUT message text, OUT tries integer, OUT at timestamptz, OUT retry_at timestamptz)
    RETURNS SETOF record LANGUAGE plpgsql STABLE PARALLEL SAFE COST 100000 ROWS 100 AS $$
DECLARE
    one record;
BEGIN
    FOR one IN SELECT j.name, j.work FROM lmtext.job j
            JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) j.work
            WHERE pg_catalog.pg_get_userbyid(c.relowner) OPERATOR(pg_catalog.=) CURRENT_USER
                AND lmtext_internal.added_code(j, j.work) IS NULL LOOP
        RETURN QUERY EXECUTE pg_catalog.format('SELECT $1, w.key, w.sqlstate, w.message, w.tries::int, w.at,'
            ' CASE WHEN w.due THEN w.retry_at END FROM %s w WHERE w.sqlstate IS NOT NULL', lmtext_internal.table_name(one.work))
            USING one.name;
    END LOOP;
END $$;
COMMENT ON FUNCTION lmtext_internal.job_error_list() IS 'rows that failed, of jobs of the current user';

CREATE VIEW lmtext.job_errors AS SELECT * FROM lmtext_internal.job_error_list();
COMMENT ON VIEW lmtext.job_errors IS 'rows that jobs of the current user could not do';
COMMENT ON COLUMN lmtext.job_errors.key IS 'primary key of the row, as text';
COMMENT ON COLUMN lmtext.job_errors.tries IS 'number of attempts';
COMMENT ON COLUMN lmtext.job_errors.retry_at IS 'when a run will try it again; NULL: not before lmtext.retry_errors, another text or another version';
GRANT SELECT ON lmtext.jobs, lmtext.job_runs, lmtext.job_progress, lmtext.job_errors TO PUBLIC;

-- ---- Alerts ----

-- As a job is its table of work, an alert is the table of what it has said. Its query is its author's: a new owner of the table
-- does not run it.
CREATE TABLE lmtext.alert (
    name text NOT NULL PRIMARY KEY,
    fired regclass NOT NULL UNIQUE,
    query text NOT NULL,
    condition text NOT NULL,
    author name NOT NULL
);
COMMENT ON TABLE lmtext.alert IS 'alerts; lmtext.create_alert makes them';
GRANT SELECT ON lmtext.alert TO PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('lmtext.alert', '');

-- The statement of an alert: its rows, and what each is known by. A line end behind each piece ends a comment in it.
CREATE FUNCTION lmtext_internal.alert_statement(query text, condition text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE COST 10 AS $$
    SELECT pg_catalog.format(E'SELECT COALESCE(j.found OPERATOR(pg_catalog.->) ''key'', j.found) AS known_by, j.found'
        ' FROM (SELECT pg_catalog.to_jsonb(q) AS found FROM (%s\r) q WHERE (%s\r)) j', query, condition);
$$;
COMMENT ON FUNCTION lmtext_internal.alert_statement(text, text) IS 'statement that finds the rows of an alert';

CREATE FUNCTION lmtext.create_alert(name text, query text, condition text) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 10000 AS $$
#variable_conflict use_column
DECLARE
    fired text := pg_catalog.quote_ident(pg_catalog.concat(create_alert.name, '@alert'));
    relation regclass;
BEGIN
    IF create_alert.name IS NULL OR create_alert.query IS NULL OR create_alert.condition IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed', MESSAGE = 'an alert needs a name, a query and a condition';
    END IF;
    IF pg_catalog.octet_length(create_alert.name) OPERATOR(pg_catalog.>) 57
            OR create_alert.name OPERATOR(pg_catalog.=) '' OR create_alert.name OPERATOR(pg_catalog.~) '@' THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_name',
            MESSAGE = pg_catalog.format('invalid alert name "%s"', lmtext_internal.shown(create_alert.name)),
            DETAIL = 'It has 1 to 57 bytes, and no "@".';
    END IF;
    IF EXISTS (SELECT FROM lmtext.alert a JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) a.fired
            WHERE a.name OPERATOR(pg_catalog.=) create_alert.name) THEN
        RAISE EXCEPTION USING ERRCODE = 'duplicate_object',
            MESSAGE = pg_catalog.format('alert "%s" already exists', create_alert.name);
    END IF;
    EXECUTE pg_catalog.concat('EXPLAIN ', lmtext_internal.alert_statement(create_alert.query, create_alert.condition));
    EXECUTE pg_catalog.format('CREATE TABLE %s (known_by jsonb NOT NULL, row jsonb NOT NULL,'
        ' at timestamptz NOT NULL DEFAULT pg_catalog.now(), holds boolean NOT NULL DEFAULT true)', fired);
    SELECT c.oid INTO relation FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n
        ON n.oid OPERATOR(pg_catalog.=) c.relnamespace AND n.nspname OPERATOR(pg_catalog.=) CURRENT_SCHEMA
    WHERE c.relname OPERATOR(pg_catalog.=) pg_catalog.concat(create_alert.name, '@alert')::pg_catalog.name;
    PERFORM lmtext_internal.write_job(relation, 'forget alerts', '{}');
    PERFORM lmtext_internal.write_job(relation, 'create alert', pg_catalog.jsonb_build_object('name', create_alert.name,
        'fired', relation::pg_catalog.oid::pg_catalog.text, 'query', create_alert.query, 'condition', create_alert.condition));
END $$;
COMMENT ON FUNCTION lmtext.create_alert(text, text, text) IS
    'create an alert on each row of a query for which a condition holds and did not at the last check; a row is known by its column key, or else by all of it';

CREATE FUNCTION lmtext_internal.own_alerts() RETURNS SETOF lmtext.alert
    LANGUAGE sql STABLE PARALLEL SAFE COST 1000 ROWS 10 AS $$
    SELECT a.* FROM lmtext.alert a JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) a.fired
    WHERE pg_catalog.pg_get_userbyid(c.relowner) OPERATOR(pg_catalog.=) CURRENT_USER
        AND a.author OPERATOR(pg_catalog.=) CURRENT_USER AND c.relkind OPERATOR(pg_catalog.=) 'r' ORDER BY a.name;
$$;
COMMENT ON FUNCTION lmtext_internal.own_alerts() IS 'alerts of the current user';

CREATE FUNCTION lmtext.drop_alert(name text) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 10000 AS $$
DECLARE
    alert lmtext.alert;
BEGIN
    SELECT a.* INTO alert FROM lmtext_internal.own_alerts() a WHERE a.name OPERATOR(pg_catalog.=) drop_alert.name;
    IF alert.name IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'undefined_object',
            MESSAGE = pg_catalog.format('alert "%s" does not exist, or is another role''s', lmtext_internal.shown(drop_alert.name));
    END IF;
    PERFORM lmtext_internal.write_job(alert.fired, 'drop alert', '{}');
    EXECUTE pg_catalog.format('DROP TABLE %s', lmtext_internal.table_name(alert.fired));
END $$;
COMMENT ON FUNCTION lmtext.drop_alert(text) IS 'drop an alert, and what it has said';

-- One check at a time; a row that is too long for a notification is named without its columns.
CREATE FUNCTION lmtext_internal.check_alert(alert lmtext.alert) RETURNS bigint
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 100000 AS $$
DECLARE
    fired text := lmtext_internal.table_name(alert.fired);
    said bigint;
BEGIN
    EXECUTE pg_catalog.format('LOCK TABLE %s IN SHARE ROW EXCLUSIVE MODE', fired);
    EXECUTE pg_catalog.format(
        'WITH found AS MATERIALIZED (SELECT DISTINCT ON (f.known_by) f.known_by, f.found FROM (%1$s) f),'
        ' over AS (UPDATE %2$s o SET holds = false WHERE o.holds'
        ' AND NOT EXISTS (SELECT FROM found f WHERE f.known_by OPERATOR(pg_catalog.=) o.known_by)),'
        ' new AS (INSERT INTO %2$s (known_by, row) SELECT f.known_by, f.found FROM found f WHERE NOT EXISTS'
        ' (SELECT FROM %2$s o WHERE o.holds AND o.known_by OPERATOR(pg_catalog.=) f.known_by) RETURNING row)'
        ' SELECT pg_catalog.count(pg_catalog.pg_notify(''lmtext'', pg_catalog.jsonb_build_object(''event'', ''alert'', ''name'', $1, ''row'','
        ' CASE WHEN pg_catalog.octet_length(n.row::pg_catalog.text) OPERATOR(pg_catalog.<) 7000 THEN n.row END)::pg_catalog.text)) FROM new n',
        lmtext_internal.alert_statement(alert.query, alert.condition), fired) INTO said USING alert.name;
    RETURN said;
END $$;
COMMENT ON FUNCTION lmtext_internal.check_alert(lmtext.alert) IS 'check an alert; returns the number of rows that it fired for';

CREATE PROCEDURE lmtext.check_alerts()
    LANGUAGE plpgsql AS $$
DECLARE
    alert lmtext.alert;
BEGIN
    FOR alert IN SELECT a.* FROM lmtext_internal.own_alerts() a LOOP
        BEGIN
            PERFORM lmtext_internal.check_alert(alert);
        EXCEPTION WHEN assert_failure OR OTHERS THEN
            RAISE WARNING USING ERRCODE = SQLSTATE, MESSAGE = pg_catalog.format('alert "%s" could not be checked: %s', alert.name, SQLERRM);
        END;
    END LOOP;
END $$;
COMMENT ON PROCEDURE lmtext.check_alerts() IS 'check all alerts of the current user; one that fails does not keep others back';

CREATE FUNCTION lmtext_internal.alert_list(OUT name text, OUT found jsonb, OUT at timestamptz, OUT holds boolean)
    RETURNS SETOF record LANGUAGE plpgsql STABLE PARALLEL SAFE COST 100000 ROWS 100 AS $$
DECLARE
    alert lmtext.alert;
BEGIN
    FOR alert IN SELECT a.* FROM lmtext_internal.own_alerts() a LOOP
        RETURN QUERY EXECUTE pg_catalog.format('SELECT $1, f.row, f.at, f.holds FROM %s f', lmtext_internal.table_name(alert.fired))
            USING alert.name;
    END LOOP;
END $$;
COMMENT ON FUNCTION lmtext_internal.alert_list() IS 'rows that alerts of the current user have fired for';

CREATE VIEW lmtext.alerts AS SELECT a.name, a.found AS "row", a.at, a.holds FROM lmtext_internal.alert_list() a;
COMMENT ON VIEW lmtext.alerts IS 'rows that alerts of the current user have fired for';
COMMENT ON COLUMN lmtext.alerts.row IS 'row of the query, as an object';
COMMENT ON COLUMN lmtext.alerts.at IS 'when it was found';
COMMENT ON COLUMN lmtext.alerts.holds IS 'whether the condition held at the last check';
GRANT SELECT ON lmtext.alerts TO PUBLIC;

-- Versions of a column: comparisons that would mix two, the switch from one column to another, maps between versions.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS lmtext;
RESET client_min_messages;
CREATE SCHEMA test_versions;
SET search_path = test_versions, public;
\getenv source LMTEXT_SOURCE_DIR
\set tiny :source '/models/tiny/bert'
\set other :source '/models/tiny/distilbert'
SELECT lmtext.import_model('m', :'tiny'), lmtext.import_model('m', :'tiny', '{"max_tokens": 16}'),
    lmtext.import_model('same', :'tiny'), lmtext.import_model('other', :'other');
SELECT lmtext.deploy('m', 1);
SET lmtext.embedding_model = 'm';
SET lmtext.progress_interval = 0;

-- A trigger, a generated column and a job of one version, and a job that follows the model.
CREATE TABLE doc (id int PRIMARY KEY, body text, by_trigger real[],
    generated real[] GENERATED ALWAYS AS (lmtext.embed(body, 'm@1'::regclass)) STORED);
CREATE TRIGGER keep BEFORE INSERT OR UPDATE ON doc FOR EACH ROW
    EXECUTE FUNCTION lmtext.embed_trigger('body', 'by_trigger', 'm@1');
INSERT INTO doc SELECT i, 'text ' || i FROM generate_series(1, 20) i;
SELECT lmtext.create_job('pinned', 'doc', 'body', 'embed', 'm@1', 'by_job'),
    lmtext.create_job('follows', 'doc', 'body', 'embed', 'm', 'following');
CALL lmtext.run_job('pinned');

-- One version is compared with itself, by whatever name, and with a version of the same files.
SELECT count(*) FROM doc WHERE by_trigger <=> lmtext.embed('words') < 3 AND generated <-> lmtext.embed('words', 'm') < 9
    AND by_job <#> lmtext.embed_query('words', 'm@1') < 9 AND by_job <=> lmtext.embed('words', 'same@1'::regclass) < 3;

-- Another version is refused, however the column is kept, and whichever form compares.
SELECT id FROM doc ORDER BY by_trigger <=> lmtext.embed('words', 'm@2') LIMIT 1;
SELECT id FROM doc ORDER BY generated <-> lmtext.embed('words', 'm@2') LIMIT 1;
SELECT id FROM doc ORDER BY lmtext.embed_document('words', model => 'm@2') <#> by_job LIMIT 1;
\set VERBOSITY terse
SELECT id FROM doc WHERE lmtext.cosine_distance(by_job, lmtext.embed('words', 'm@2'::regclass)) < 1;
SELECT id FROM doc WHERE lmtext.l2_distance(a => by_job, b => lmtext.embed('words', 'other')) < 1;
SELECT id FROM doc WHERE lmtext.inner_product(lmtext.l2_normalize(by_job), lmtext.embed('words', 'm@2')) < 1;
SELECT id FROM doc WHERE by_job[1:8] <=> (lmtext.embed('words', 'm@2'::varchar))[1:8] < 1;
SELECT a.id FROM doc a, doc b WHERE a.generated <=> b.by_trigger > 5;
SELECT lmtext.create_job('second', 'doc', 'body', 'embed', 'm@2', 'by_second');
SELECT a.id FROM doc a, doc b WHERE a.generated <=> b.by_second > 5; -- it has made nothing yet
CALL lmtext.run_job('second');
SELECT a.id FROM doc a, doc b WHERE a.generated <=> b.by_second > 5;
-- So is one of a job's further targets, each by its own version.
SELECT lmtext.create_job('several', 'doc', 'body', 'embed', 'm@2', 'first',
    '{"also": [{"task": "embed", "model": "m@1", "target": "further"}, {"task": "embed", "model": "m", "target": "moving"}]}');
SELECT count(further <=> lmtext.embed('words', 'm@2')) FROM doc; -- it has made nothing yet
CALL lmtext.run_job('several');
SELECT count(first <=> lmtext.embed('words', 'm@2')), count(further <=> lmtext.embed('words', 'm@1')), count(moving <=> lmtext.embed('words')) FROM doc;
SELECT count(first <=> lmtext.embed('words', 'm@1')) FROM doc;
SELECT count(further <=> lmtext.embed('words', 'm@2')) FROM doc;
SELECT count(moving <=> lmtext.embed('words', 'm@2')) FROM doc;
SELECT count(by_trigger <=> lmtext.embed('words', 'm@2')) FROM doc;
SELECT count(body_length) FROM (SELECT length(body) AS body_length FROM doc WHERE further <=> first > 5) d;
SELECT lmtext.drop_job('several');

-- It is followed through views, joins, subqueries, WITH, UNION, VALUES, functions in FROM and grouping.
CREATE VIEW seen AS SELECT d.id, d.by_job AS v FROM doc d JOIN doc e USING (id);
SELECT id FROM seen ORDER BY v <=> lmtext.embed('words', 'm@2') LIMIT 1;
SELECT id FROM (SELECT id, by_job::real[] AS v FROM doc) d ORDER BY v <=> (SELECT lmtext.embed('words', 'm@2')) LIMIT 1;
WITH q AS MATERIALIZED (SELECT lmtext.embed('words', 'm@2') AS v) SELECT id FROM doc, q ORDER BY doc.by_job <=> q.v LIMIT 1;
WITH d AS (SELECT id, by_job AS v FROM doc) SELECT (SELECT min(d.v <=> q.v) FROM d) FROM (VALUES (lmtext.embed('words', 'm@2'))) q (v);
SELECT id FROM doc, lmtext.embed('words', 'm@2') q ORDER BY by_job <=> q LIMIT 1;
SELECT id FROM doc JOIN (SELECT 1 AS one) x ON true JOIN lmtext.embed('words', 'm@2') q ON true ORDER BY by_job <=> q LIMIT 1;
SELECT v <=> lmtext.embed('words', 'm@2') FROM (SELECT by_trigger FROM doc UNION ALL SELECT by_job FROM doc) u (v) LIMIT 1;
SELECT by_job <=> lmtext.embed('words', 'm@2') FROM doc GROUP BY by_job LIMIT 1;
WITH changed AS (UPDATE doc SET body = 'other' WHERE id = 1 RETURNING by_job) SELECT by_job <=> lmtext.embed('words', 'm@2') FROM changed;
WITH RECURSIVE r (id, v) AS (SELECT id, by_job FROM doc UNION ALL SELECT id + 1, v FROM r WHERE id < 0)
    SELECT id FROM r ORDER BY v <=> lmtext.embed('words', 'm@2') LIMIT 1;
CREATE TABLE parted (id int PRIMARY KEY, body text) PARTITION BY RANGE (id);
CREATE TABLE part PARTITION OF parted FOR VALUES FROM (0) TO (100);
SELECT lmtext.create_job('parted', 'parted', 'body', 'embed', 'm@1', 'v');
INSERT INTO parted VALUES (1, 'words');
CALL lmtext.run_job('parted');
SELECT id FROM part ORDER BY v <=> lmtext.embed('words', 'm@2') LIMIT 1;

-- Triggers that keep some rows each: one that matches is enough; one that is disabled keeps none.
CREATE TABLE tongues (id int PRIMARY KEY, lang text, body text, v real[]);
CREATE TRIGGER one BEFORE INSERT ON tongues FOR EACH ROW WHEN (NEW.lang = 'one') EXECUTE FUNCTION lmtext.embed_trigger('body', 'v', 'm@1');
CREATE TRIGGER two BEFORE INSERT ON tongues FOR EACH ROW WHEN (NEW.lang = 'two') EXECUTE FUNCTION lmtext.embed_trigger('body', 'v', 'm@2');
INSERT INTO tongues VALUES (1, 'one', 'words'), (2, 'two', 'words');
SELECT id FROM tongues WHERE lang = 'two' ORDER BY v <=> lmtext.embed('words', 'm@2') LIMIT 1;
SELECT id FROM tongues ORDER BY v <=> lmtext.embed('words', 'other') LIMIT 1;
PREPARE tongue AS SELECT id FROM tongues WHERE lang = 'two' ORDER BY v <=> lmtext.embed('words', 'm@2') LIMIT 1;
EXECUTE tongue;
ALTER TABLE tongues DISABLE TRIGGER two;
EXECUTE tongue;
ALTER TABLE tongues DISABLE TRIGGER one;
EXECUTE tongue;
ALTER TABLE tongues ENABLE TRIGGER ALL;
SELECT lmtext.create_job('tongues', 'tongues', 'body', 'embed', 'm', 'v');
CALL lmtext.run_job('tongues');
EXECUTE tongue; -- the job has done all rows
DROP TABLE tongues;
SELECT lmtext.drop_job('tongues');

-- Through texts and other types of numbers and back, and CTEs inside others; not through other functions, sets of rows and arrays.
SELECT count(by_job::text::real[] <=> lmtext.embed('words', 'm@2')) FROM doc;
SELECT count(by_job::float8[]::real[] <=> lmtext.embed('words', 'm@2')) FROM doc;
WITH a AS (SELECT 1 AS one), d AS (SELECT id, by_job AS v FROM doc), e AS (SELECT (SELECT d.v FROM d WHERE d.id = 2) AS v FROM a)
    SELECT count(e.v <=> lmtext.embed('words', 'm@2')) FROM e;
SELECT count(a.v <=> lmtext.embed('words', 'm@2')) FROM (SELECT v FROM (SELECT by_trigger FROM doc EXCEPT (SELECT generated FROM doc UNION SELECT by_job FROM doc)) u (v)) a;
CREATE FUNCTION constant() RETURNS real[] LANGUAGE sql IMMUTABLE AS $$ SELECT array_fill(1::real, ARRAY[36]) $$;
CREATE FUNCTION l2_normalize(real[]) RETURNS real[] LANGUAGE sql IMMUTABLE AS 'SELECT $1';
CREATE FUNCTION listed(OUT n int, OUT v real[]) LANGUAGE sql IMMUTABLE AS $$ SELECT 1, array_fill(1::real, ARRAY[36]) $$;
SELECT count(by_job <=> constant()) > 0 AND count(test_versions.l2_normalize(by_job) <=> lmtext.embed(body, 'm@2')) > 0
    AND count(by_job <=> ARRAY(SELECT 1::real FROM generate_series(1, 36))) > 0 AS judged_by_none FROM doc;
SELECT count(l.v <=> lmtext.embed(body, 'm@2')) > 0 AS judged_by_none FROM doc, listed() l (n, v);
SELECT count(v <=> lmtext.embed('words', 'm@2')) > 0 AS judged_by_none FROM (SELECT by_job AS v FROM doc) a FULL JOIN (SELECT by_job AS v FROM doc) b USING (v);
CREATE FUNCTION of_new() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE NOTICE '% compared', (SELECT count(n.by_trigger <=> lmtext.embed('words', 'm@2')) FROM n);
    RETURN NULL;
END $$;
CREATE TRIGGER of_new AFTER INSERT ON doc REFERENCING NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION of_new();
BEGIN;
INSERT INTO doc VALUES (1000, 'words');
ROLLBACK;
DROP TRIGGER of_new ON doc;
-- What keeps a column: a trigger's name that is no version, another function with the same arguments, a part of an embedding, a named argument.
CREATE TABLE kept (id int PRIMARY KEY, body text, v real[], part real[] GENERATED ALWAYS AS ((lmtext.embed(body, 'm@1'::regclass))[1:36]) STORED,
    named real[] GENERATED ALWAYS AS (lmtext.l2_normalize(lmtext.embed_query(body, model => 'm@1'::regclass, on_long => 'mean'))) STORED,
    none real[] GENERATED ALWAYS AS (ARRAY[id::real, lmtext.count_tokens(body, 'm@2'::regclass)::real]) STORED);
CREATE FUNCTION other_keeper() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER a_other BEFORE INSERT ON kept FOR EACH ROW EXECUTE FUNCTION other_keeper('body', 'v', 'm@2');
CREATE FUNCTION odd_keeper() RETURNS trigger AS '$libdir/lmtext', 'lmtext_embed' LANGUAGE C;
CREATE TRIGGER a_odd BEFORE INSERT ON kept FOR EACH ROW EXECUTE FUNCTION odd_keeper('body', 'v', 'm@2');
CREATE TRIGGER b_named BEFORE INSERT ON kept FOR EACH ROW EXECUTE FUNCTION lmtext.embed_trigger('body', 'v', 'm');
SELECT count(v <=> lmtext.embed('words')) + count(part <=> lmtext.embed('words')) + count(named <=> lmtext.embed_query('words'))
    + count(none <=> lmtext.embed(body, 'm@2')) AS counted FROM kept;
SELECT count(v <=> lmtext.embed('words', 'm@2')) FROM kept;
SELECT count(part <=> lmtext.embed('words', 'm@2')) FROM kept;
SELECT count(named <=> lmtext.embed('words', 'm@2')) FROM kept;
-- A job whose work is gone keeps nothing, nor does one of another task.
DROP TRIGGER a_odd ON kept;
DROP TRIGGER b_named ON kept;
SELECT lmtext.create_job('gone', 'kept', 'body', 'embed', 'm@1', 'w');
INSERT INTO kept (id, body) VALUES (1, 'words');
CALL lmtext.run_job('gone');
SELECT count(w <=> lmtext.embed('words', 'm@2')) FROM kept;
DROP TABLE "gone@job";
SELECT count(w <=> lmtext.embed('words', 'm@2')) FROM kept;
\set late :source '/models/tiny/bert-late'
SELECT lmtext.import_model('late', :'late');
SELECT lmtext.create_job('tokens', 'kept', 'body', 'token_vectors', 'late', 'tokens');
SELECT count(tokens <=> lmtext.embed('words', 'm@2')) FROM kept;
SELECT lmtext.drop_job('tokens');
SELECT lmtext.drop_model('late');
DROP TABLE kept;

-- What is not known is not judged: other columns, models of rows, other computations, names that mean nothing.
ALTER TABLE doc ADD model text DEFAULT 'm@2', ADD free real[] DEFAULT '{1}';
SELECT count(*) FROM doc WHERE id < 0 AND (free <=> lmtext.embed('words', 'm@2') < 1 OR by_job <=> lmtext.embed('words', model) < 1
    OR by_job <=> (SELECT lmtext.mean(lmtext.embed(body, 'm@2')) FROM doc) < 1 OR by_job <=> NULL < 1);
EXPLAIN (COSTS off) SELECT by_job <=> lmtext.embed('words', 'none@1') FROM doc;
EXPLAIN (COSTS off) SELECT by_job <=> lmtext.embed('words', 'no name') FROM doc;
BEGIN;
SET LOCAL lmtext.embedding_model = '';
EXPLAIN (COSTS off) SELECT by_job <=> lmtext.embed('words') FROM doc;
ROLLBACK;
-- A version as a number, as a domain and as a parameter, which may be of any such type; what is no version is nobody's.
CREATE DOMAIN version AS regclass;
SELECT '"m@2"'::regclass::oid::int AS number \gset
SELECT count(*) FROM doc WHERE by_job <=> lmtext.embed('words', :number::regclass) < 1;
SELECT count(*) FROM doc WHERE by_job <=> lmtext.embed('words', '"m@2"'::regclass::oid::regclass) < 1;
SELECT count(by_job <=> lmtext.embed(body, 16384::regclass)) + count(by_job <=> lmtext.embed(body, '"m@2"'::version)) FROM doc WHERE id < 0;
PREPARE by_oid(oid) AS SELECT count(by_job <=> lmtext.embed('words', $1::regclass)) FROM doc;
PREPARE by_number(int) AS SELECT count(by_job <=> lmtext.embed('words', $1::regclass)) FROM doc;
PREPARE by_version(version) AS SELECT count(by_job <=> lmtext.embed('words', $1)) FROM doc;
EXECUTE by_oid('"m@2"'::regclass);
EXECUTE by_number(:number);
EXECUTE by_version('"m@2"'::regclass);
EXECUTE by_version('"m@1"'::regclass);
CREATE FUNCTION by_number(text text, model oid) RETURNS real[] AS '$libdir/lmtext', 'lmtext_embed' LANGUAGE C STABLE
    SUPPORT lmtext_internal.embed_support;
SELECT count(by_job <=> by_number(body, 16384)) FROM doc WHERE id < 0;
CREATE FUNCTION lmtext.mapped(real[], regclass) RETURNS real[] LANGUAGE sql AS 'SELECT $1';
SELECT count(by_job <=> lmtext.mapped(generated, '"m@2"'::regclass)) FROM doc;
DROP FUNCTION lmtext.mapped(real[], regclass);
-- Types without a cast from or to real[] hold no vectors; others do, as domains of them do.
CREATE TYPE pair AS (x real, y real);
CREATE FUNCTION apart(pair, pair) RETURNS float LANGUAGE sql AS 'SELECT 1::float';
CREATE FUNCTION apart(real[], pair) RETURNS float LANGUAGE sql AS 'SELECT 1::float';
CREATE DOMAIN vector36 AS real[];
SELECT count(*) FROM doc WHERE apart((1, 2), (1, 2)) > apart(lmtext.embed('words', 'm@2'), (1, 2));
CREATE FUNCTION to_pair(real[]) RETURNS pair LANGUAGE sql AS 'SELECT ROW($1[1], $1[2])::pair';
CREATE CAST (real[] AS pair) WITH FUNCTION to_pair(real[]);
SELECT count(*) FROM doc WHERE apart(by_job::pair, lmtext.embed('words', 'm@2')::pair) > 0;
SELECT count(*) FROM doc WHERE by_job::vector36 <=> lmtext.embed('words', 'm@2')::vector36 < 1;
-- Nor is what is no comparison.
SELECT count(*) FROM doc WHERE by_job = lmtext.embed(body, 'm@2');

-- A job that follows has nothing yet; then the version of its last whole run, and while the next one goes on, two.
SELECT count(following <=> lmtext.embed('words', 'm@2')) FROM doc;
CALL lmtext.run_job('follows');
SELECT count(following <=> lmtext.embed('words')) FROM doc;
SELECT count(following <=> lmtext.embed('words', 'm@2')) FROM doc;

-- A run that failed half way leaves two versions; so does one that goes on.
CREATE FUNCTION stop() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'stop' USING ERRCODE = 'system_error'; END $$;
CREATE TRIGGER stop BEFORE UPDATE OF following ON doc FOR EACH ROW WHEN (NEW.id = 11) EXECUTE FUNCTION stop();
SELECT lmtext.drop_job('follows');
SELECT count(following <=> lmtext.embed('words', 'm@2')) FROM doc;
SELECT lmtext.create_job('follows', 'doc', 'body', 'embed', 'm', 'following', '{"batch_size": 5}');
DROP TRIGGER stop ON doc;
CALL lmtext.run_job('follows');
CREATE TRIGGER stop BEFORE UPDATE OF following ON doc FOR EACH ROW WHEN (NEW.id = 11) EXECUTE FUNCTION stop();
SELECT lmtext.deploy('m', 2);
\set VERBOSITY default
SELECT count(following <=> lmtext.embed('words')) FROM doc;
CALL lmtext.run_job('follows');
SELECT count(following <=> lmtext.embed('words')) FROM doc;
SELECT count(following <=> lmtext.embed('words', 'm@1')) FROM doc;
-- A run that has made nothing does not count.
CREATE TRIGGER stop_all BEFORE UPDATE OF following ON doc FOR EACH STATEMENT EXECUTE FUNCTION stop();
SET client_min_messages = warning;
SELECT lmtext.import_model('m', :'other');
SELECT lmtext.deploy('m', 3);
RESET client_min_messages;
CALL lmtext.run_job('follows');
SELECT count(following <=> lmtext.embed('words', 'm@2')) FROM doc;
DROP TRIGGER stop_all ON doc;
SELECT lmtext.deploy('m', 2);
SELECT lmtext.drop_model('m@3');
-- A server to which the database was restored knows no runs, but what was done with each row.
\set VERBOSITY terse
BEGIN;
DELETE FROM lmtext.job_run;
SELECT count(following <=> lmtext.embed('words', 'm@1')) FROM doc;
ROLLBACK;
DROP TRIGGER stop ON doc;
CALL lmtext.run_job('follows');
SELECT count(following <=> lmtext.embed('words')) FROM doc;
SELECT count(following <=> lmtext.embed('words', 'm@1')) FROM doc;
SELECT count(a.by_job <=> b.following) FROM doc a, doc b;

-- A warning, or nothing.
SET lmtext.version_guard = warning;
SELECT count(following <=> lmtext.embed('words', 'm@1')) + count(by_job <=> lmtext.embed('words', 'm@2')) AS counted FROM doc;
SET lmtext.version_guard = off;
SELECT count(following <=> lmtext.embed('words', 'm@1')) FROM doc;
SET lmtext.version_guard = on;
RESET lmtext.version_guard;

-- Plans that are kept are looked at again when a name means something else: after a deployment, a run, another default, another
-- setting of the guard, and with the value of a parameter.
SELECT lmtext.deploy('m', 2);
SET plan_cache_mode = force_generic_plan;
PREPARE search AS SELECT count(following <=> lmtext.embed('words')) FROM doc;
EXECUTE search;
SELECT lmtext.deploy('m', 1);
EXECUTE search;
CALL lmtext.run_job('follows');
EXECUTE search;
SET lmtext.embedding_model = 'other';
EXECUTE search;
SET lmtext.embedding_model = 'other';
EXECUTE search;
SET lmtext.version_guard = off;
EXECUTE search;
RESET lmtext.version_guard;
EXECUTE search;
SET lmtext.embedding_model = 'm';
EXECUTE search;
SELECT lmtext.create_job('again', 'doc', 'body', 'embed', 'other', 'following');
EXECUTE search;
CALL lmtext.run_job('again');
EXECUTE search;
SELECT lmtext.drop_job('again');
EXECUTE search;
SET plan_cache_mode = force_custom_plan;
PREPARE by_model(text) AS SELECT count(following <=> lmtext.embed('words', $1)) FROM doc;
EXECUTE by_model('m@1');
EXECUTE by_model('m@2');
EXECUTE by_model(NULL);
SET plan_cache_mode = force_generic_plan;
EXECUTE by_model('m@2');
RESET plan_cache_mode;
CREATE FUNCTION found(model text) RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN RETURN (SELECT count(following <=> lmtext.embed('words', found.model)) FROM doc); END $$;
SELECT found('m@1');
SELECT found('m@2');

-- The first statement of a session loads the library while it is planned.
\c -
SET search_path = test_versions, public;
SELECT id FROM doc ORDER BY by_job <=> lmtext.embed('words', 'm@2') LIMIT 1;
\c -
SET search_path = test_versions, public;
SELECT (SELECT min(by_job <=> lmtext.embed('words', 'm@2'::regclass)) FROM doc) FROM generate_series(1, 2);
\c -
SET search_path = test_versions, public;
SELECT found('m@2');
SELECT id FROM doc ORDER BY by_job <=> lmtext.embed('words', 'm@2') LIMIT 1;

-- ---- The switch ----
SET lmtext.embedding_model = 'm';
SET lmtext.progress_interval = 0;
SET client_min_messages = warning;
CREATE TABLE page (id int PRIMARY KEY, body text, v real[]);
INSERT INTO page SELECT i, 'text ' || i FROM generate_series(1, 30) i;
SELECT lmtext.deploy('m', 1), lmtext.create_job('old', 'page', 'body', 'embed', 'm@1', 'v'), lmtext.attach('old');
CALL lmtext.run_job('old');
ALTER TABLE page ALTER v SET NOT NULL;
CREATE INDEX ON page ((v[1]));
CREATE INDEX page_v ON page USING hash (v);
CREATE ROLE test_versions_reader;
GRANT SELECT (id, v) ON page TO test_versions_reader;
GRANT UPDATE (v) ON page TO test_versions_reader WITH GRANT OPTION;
SELECT lmtext.create_job('new', 'page', 'body', 'embed', 'm@2', 'w');
RESET client_min_messages;

-- It waits for what is left to do, and for what failed.
SELECT lmtext.switch_job('new', 'v');
CALL lmtext.run_job('new');
UPDATE page SET body = 'other' WHERE id <= 2;
\set VERBOSITY default
SELECT lmtext.switch_job('new', 'v');
\set VERBOSITY terse
CALL lmtext.run_job('new');
-- Whoever would go on with the old column is named.
CREATE VIEW reads AS SELECT v FROM page;
SELECT lmtext.switch_job('new', 'v');
DROP VIEW reads;
BEGIN;
ALTER TABLE page ADD first real GENERATED ALWAYS AS (v[1]) STORED;
SELECT lmtext.switch_job('new', 'v');
ROLLBACK;
CREATE FUNCTION own() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
CREATE TRIGGER "of" BEFORE UPDATE OF v ON page FOR EACH ROW EXECUTE FUNCTION own();
SELECT lmtext.switch_job('new', 'v');
DROP TRIGGER "of" ON page;
CREATE TRIGGER keeps BEFORE INSERT ON page FOR EACH ROW EXECUTE FUNCTION lmtext.embed_trigger('body', 'v', 'm@1');
SELECT lmtext.switch_job('new', 'v');
DROP TRIGGER keeps ON page;
SELECT lmtext.switch_job('new', 'none');
SELECT lmtext.switch_job('new', 'w');
SELECT lmtext.switch_job('new', 'body');
SELECT lmtext.switch_job('new', 'id');
SELECT lmtext.switch_job('new', 'ctid');
SELECT lmtext.switch_job('none', 'v');
SELECT lmtext.switch_job('new', NULL);
SELECT lmtext.switch_job('new', 'v', '[]');
SELECT lmtext.switch_job('new', 'v', '{"drop": true}');
SELECT lmtext.switch_job('new', 'v', '{"drop_old": 1}');
SELECT lmtext.switch_job('new', 'v', '{"keep_as": "body"}');
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT lmtext.switch_job('new', 'v');
ROLLBACK;
-- A switch that is undone leaves all as it was.
BEGIN;
ALTER TABLE page ALTER v SET DEFAULT '{}';
SELECT lmtext.switch_job('new', 'v', '{"keep_as": "before"}');
SELECT name, target_column, attached FROM lmtext.job WHERE relation = 'page'::regclass;
SELECT count(v <=> lmtext.embed('words', 'm@2')), count(before) FROM page;
ROLLBACK;
SELECT name, target_column, attached FROM lmtext.job WHERE relation = 'page'::regclass ORDER BY name;
-- The name goes over in one transaction, and with it what is granted; live mode goes on; the old column needs no value.
SELECT lmtext.switch_job('new', 'v');
SELECT name, target_column, attached FROM lmtext.job WHERE relation = 'page'::regclass;
SELECT attname, attnotnull, attacl FROM pg_attribute WHERE attrelid = 'page'::regclass AND attnum > 2 ORDER BY attnum;
SELECT indexdef FROM pg_indexes WHERE tablename = 'page' ORDER BY 1;
SELECT count(v <=> lmtext.embed('words', 'm@2')), bool_and(v = lmtext.embed(body, 'm@2')) AS right_ones FROM page;
SELECT count(v <=> lmtext.embed('words', 'm@1')) FROM page;
INSERT INTO page VALUES (31, 'one more');
UPDATE page SET body = 'changed' WHERE id = 3;
SELECT * FROM lmtext.stale('new');
CALL lmtext.run_job('new');
SELECT count(*), bool_and(v = lmtext.embed(body, 'm@2')) AS right_ones, count(v_old) FROM page;
-- Rows that failed may be gone without, and the old column dropped. A side table is switched as well.
CREATE TABLE long (id int PRIMARY KEY, body text);
INSERT INTO long SELECT i, 'text ' || i || CASE WHEN i = 5 THEN repeat(' long', 600) ELSE '' END FROM generate_series(1, 10) i;
SELECT lmtext.create_job('side old', 'long', 'body', 'embed', 'm@1', 'v', '{"side_table": "side"}'),
    lmtext.create_job('side new', 'long', 'body', 'embed', 'm@2', 'w', '{"side_table": "side", "on_long": "error", "retries": 0}');
CALL lmtext.run_job('side old');
CALL lmtext.run_job('side new');
\set VERBOSITY default
SELECT lmtext.switch_job('side new', 'v');
\set VERBOSITY terse
SELECT lmtext.switch_job('side new', 'v', '{"allow_errors": true, "drop_old": true}');
SELECT attname FROM pg_attribute WHERE attrelid = 'side'::regclass AND attnum > 0 AND NOT attisdropped;
SELECT count(*), count(v) FROM side;
-- Another role's job is not for the taking.
SELECT lmtext.create_job('mine', 'long', 'body', 'embed', 'm@1', 'v');
SET ROLE test_versions_reader;
SELECT lmtext.switch_job('mine', 'body');
RESET ROLE;

-- ---- Maps ----
CREATE TABLE sample AS SELECT 'word ' || i || ' and ' || i * 7 AS body FROM generate_series(1, 150) i;
SELECT m - 'seconds' - 'recall_at_10' - 'recall_at_10_unmapped' AS metrics, (m ->> 'recall_at_10')::float >= .95 AS found,
    (m ->> 'recall_at_10_unmapped')::float >= .95 AS unmapped
FROM lmtext.map_vectors('next', 'm@2', 'm@1', 'SELECT body FROM sample; ') m;
SELECT from_model, to_model, array_dims(matrix) FROM "next@map";
-- The guard takes what is mapped for what it is made to be.
SELECT count(generated <=> lmtext.mapped(lmtext.embed('words', 'm@2'), 'next')) FROM doc;
SELECT count(generated <=> lmtext.mapped(map => 'next', vector => lmtext.embed('words', 'm@1'))) FROM doc;
SELECT count(v <=> lmtext.mapped(lmtext.embed('words', 'm@2'), 'next')) FROM page;
SELECT count(a.generated <=> lmtext.mapped(b.v, 'next')) FROM doc a, page b WHERE a.id = b.id;
-- Plans are looked at again with another map of the name.
SET plan_cache_mode = force_generic_plan;
PREPARE by_map AS SELECT count(generated <=> lmtext.mapped(lmtext.embed('words', 'm@2'), 'next')) FROM doc;
EXECUTE by_map;
BEGIN;
DROP TABLE "next@map";
CREATE TABLE "next@map" OF lmtext.vector_map;
INSERT INTO "next@map" VALUES ('"m@1"', '"m@2"', '{{1}}');
EXECUTE by_map;
ROLLBACK;
EXECUTE by_map;
BEGIN;
UPDATE "next@map" SET from_model = NULL, to_model = NULL;
EXPLAIN (COSTS off) SELECT generated <=> lmtext.mapped(lmtext.embed('words', 'm@1'), 'next') FROM doc;
TRUNCATE "next@map";
EXPLAIN (COSTS off) SELECT generated <=> lmtext.mapped(lmtext.embed('words', 'm@1'), 'next') FROM doc;
ROLLBACK;
RESET plan_cache_mode;
SELECT count(lmtext.mapped(lmtext.embed('words', 'm@2'), map) <=> generated) FROM doc, (VALUES ('next')) t (map);
EXPLAIN (COSTS off) SELECT generated <=> lmtext.mapped(lmtext.embed('words', 'm@2'), 'none') FROM doc;
-- It is the product of matrix and vector, for one vector and another, one map and another.
SELECT m.kind IS NOT NULL AS other_kind FROM (SELECT lmtext.map_vectors('cross', 'other', 'm@1', 'SELECT body FROM sample', '{"sample": 120, "seconds": 600}')
    ->> 'kind' AS kind) m;
SELECT bool_and(abs(p.expected - (lmtext.mapped(p.v, p.map))[p.row]) < 1e-4) AS same, count(*) FROM (
    SELECT e.v, n.map, r.row, (SELECT sum(n.matrix[r.row][i] * e.v[i]) FROM generate_series(1, cardinality(e.v)) i) AS expected
    FROM (SELECT 'next', matrix, 'm@2' FROM "next@map" UNION ALL SELECT 'test_versions.cross', matrix, 'other' FROM "cross@map") n (map, matrix, model),
        LATERAL (SELECT lmtext.embed(body, n.model) AS v FROM sample LIMIT 3) e, generate_series(1, 4) r (row)) p;
SELECT lmtext.mapped(NULL, 'next') IS NULL AS no_vector, lmtext.mapped('{1}', NULL) IS NULL AS no_map;
-- A table that changes is read again, in one statement's time.
PREPARE mapped AS SELECT (lmtext.mapped(array_fill(1::real, ARRAY[array_length(matrix, 2)]), 'next'))[1] = (SELECT sum(x) FROM unnest(matrix[1:1]) x) AS same
    FROM "next@map";
UPDATE "next@map" SET matrix = array_fill(2::real, ARRAY[array_length(matrix, 1), array_length(matrix, 2)]);
EXECUTE mapped;
UPDATE "next@map" SET matrix = array_fill(3::real, ARRAY[array_length(matrix, 1), array_length(matrix, 2)]);
EXECUTE mapped;
-- What is refused.
SELECT lmtext.mapped('{1,2}', 'next');
SELECT lmtext.mapped(array_fill('NaN'::real, ARRAY[array_length(matrix, 2)]), 'next') FROM "next@map";
SELECT lmtext.mapped('{{1}}', 'next');
SELECT lmtext.mapped('{1}', 'none');
SELECT lmtext.mapped('{1}', 'a.b.c.d');
SELECT lmtext.mapped('{1}', '');
CREATE TABLE "no@map" (a int);
SELECT lmtext.mapped('{1}', 'no');
CREATE TABLE "parts@map" OF lmtext.vector_map PARTITION BY LIST (from_model);
SELECT lmtext.mapped('{1}', 'parts');
CREATE TEMP TABLE "temporary@map" OF lmtext.vector_map;
SELECT lmtext.mapped('{1}', 'temporary');
GRANT USAGE ON SCHEMA test_versions TO test_versions_reader;
SET ROLE test_versions_reader;
SELECT lmtext.mapped('{1}', 'next');
RESET ROLE;
GRANT SELECT ON "next@map" TO test_versions_reader;
SET ROLE test_versions_reader;
SELECT lmtext.mapped('{1}', 'next');
RESET ROLE;
UPDATE "next@map" SET matrix = '{{NaN}}';
SELECT lmtext.mapped('{1}', 'next');
UPDATE "next@map" SET matrix = '{1}';
SELECT lmtext.mapped('{1}', 'next');
UPDATE "next@map" SET matrix = NULL;
SELECT lmtext.mapped('{1}', 'next');
TRUNCATE "next@map";
SELECT lmtext.mapped('{1}', 'next');
SELECT lmtext.map_vectors('next', 'm@2', 'm@1', 'SELECT body FROM sample');
SELECT lmtext.map_vectors('few', 'm@2', 'm@1', 'SELECT body FROM sample LIMIT 50');
SELECT lmtext.map_vectors('few', 'm@2', 'm@1', 'SELECT body FROM sample WHERE false');
SELECT lmtext.map_vectors('few', 'm@2', 'm@1', 'SELECT 1, 2');
SELECT lmtext.map_vectors('few', 'm@2', 'none', 'SELECT body FROM sample');
SELECT lmtext.map_vectors('a@b', 'm@2', 'm@1', 'SELECT body FROM sample');
SELECT lmtext.map_vectors('few', 'm@2', NULL, 'SELECT body FROM sample');
SELECT lmtext.map_vectors('few', 'm@2', 'm@1', 'SELECT body FROM sample', '[]');
SELECT lmtext.map_vectors('few', 'm@2', 'm@1', 'SELECT body FROM sample', '{"size": 1}');
SELECT lmtext.map_vectors('few', 'm@2', 'm@1', 'SELECT body FROM sample', '{"sample": 1}');
SELECT lmtext.map_vectors('few', 'm@2', 'm@1', 'SELECT body FROM sample', '{"seconds": "x"}');
SET search_path = '';
SELECT lmtext.map_vectors('few', 'test_versions.m@2', 'test_versions.m@1', 'SELECT body FROM test_versions.sample');
SET search_path = pg_temp, test_versions;
SELECT lmtext.map_vectors('few', 'm@2', 'm@1', 'SELECT body FROM sample');
SET search_path = test_versions, public;
SELECT lmtext_internal.fit_map('{{1},{2}}', '{{1}}');
SELECT lmtext_internal.fit_map('{1}', '{{1}}');
SELECT lmtext_internal.fit_map('{{NULL}}', '{{1}}');
-- A map is a table: it goes with DROP TABLE.
DROP TABLE "cross@map";
SELECT lmtext.mapped('{1}', 'cross');

SET client_min_messages = warning;
DROP SCHEMA test_versions CASCADE;
DROP ROLE test_versions_reader;

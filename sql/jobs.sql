-- Jobs: what they compute, what they leave alone, what fails, what they refuse.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS lmtext;
RESET client_min_messages;
CREATE SCHEMA test_jobs;
SET search_path = test_jobs, public;
\getenv source LMTEXT_SOURCE_DIR
\set tiny :source '/models/tiny/bert'
\set mood :source '/models/tiny/bert-sequence'
\set ner :source '/models/tiny/bert-token'
\set splade :source '/models/tiny/bert-splade'
\set late :source '/models/tiny/bert-late'
SELECT lmtext.import_model('m', :'tiny'), lmtext.import_model('mood', :'mood'), lmtext.import_model('ner', :'ner'),
    lmtext.import_model('splade', :'splade'), lmtext.import_model('late', :'late');
SET lmtext.progress_interval = 0;
SET datestyle = 'ISO';
\set VERBOSITY terse

-- Three lines are a job. A row that is too long is listed, and all others are done; the second run does nothing.
CREATE TABLE doc (id int PRIMARY KEY, body text, n int DEFAULT 0);
INSERT INTO doc SELECT i, 'text ' || i || CASE WHEN i % 100 = 0 THEN repeat(' long', 100) ELSE '' END FROM generate_series(1, 1000) i;
SELECT lmtext.create_job('nightly', 'doc', 'body', 'embed', 'm', 'v', '{"on_long": "error", "retries": 0}');
SELECT rows, tokens BETWEEN 3000 AND 20000 AS tokens, minutes BETWEEN 0 AND 10 AS minutes FROM lmtext.job_plan('nightly');
CALL lmtext.run_job('nightly');
SELECT count(*), count(v), count(*) FILTER (WHERE v = lmtext.embed(body, 'm')) AS right_ones FROM doc;
SELECT job, key, sqlstate, message, tries, retry_at FROM lmtext.job_errors ORDER BY key::int LIMIT 3;
SELECT count(*) FROM lmtext.job_errors;
SELECT xmin AS before FROM doc WHERE id = 7 \gset
CALL lmtext.run_job('nightly');
SELECT xmin = :'before' AS untouched FROM doc WHERE id = 7;
SELECT job, status, total, done, errors, model, sqlstate, finished_at >= started_at AS finished FROM lmtext.job_runs ORDER BY run;
SELECT * FROM lmtext.job_progress;

-- Changed texts, new rows, rows that are gone, a target that somebody emptied: these alone are done. Another column is nothing.
UPDATE doc SET body = 'other ' || id WHERE id BETWEEN 1 AND 5;
UPDATE doc SET n = 1 WHERE id BETWEEN 10 AND 20;
UPDATE doc SET v = NULL WHERE id = 30;
DELETE FROM doc WHERE id = 40;
INSERT INTO doc VALUES (2000, 'new'), (2001, NULL), (2002, '');
SELECT key FROM lmtext.stale('nightly');
CALL lmtext.run_job('nightly');
SELECT count(*) FROM lmtext.stale('nightly');
SELECT count(*) FILTER (WHERE v = lmtext.embed(body, 'm')) AS right_ones, count(*) FILTER (WHERE body IS NULL AND v IS NULL) AS nulls FROM doc;
-- A row that failed is done once its text is better, and tried again when asked.
UPDATE doc SET body = 'short' WHERE id = 100;
CALL lmtext.run_job('nightly');
SELECT lmtext.retry_errors('nightly');
SELECT count(*) FROM lmtext.job_errors;
CALL lmtext.run_job('nightly');
SELECT count(*) FROM lmtext.job_errors;

-- A new version makes all rows stale once it is deployed.
SELECT lmtext.import_model('m', :'tiny', '{"max_tokens": 16}');
SELECT count(*) FROM lmtext.stale('nightly');
SELECT lmtext.deploy('m', 2);
SELECT count(*) FROM lmtext.stale('nightly');
CALL lmtext.run_job('nightly');
SELECT model, count(*) FROM "nightly@job" GROUP BY 1 ORDER BY 1;
SELECT count(*) FILTER (WHERE v = lmtext.embed(body, 'm@2')) AS right_ones FROM doc;

-- Paused, it neither runs nor is asked.
SELECT lmtext.pause_job('nightly');
CALL lmtext.run_job('nightly');
SELECT lmtext.resume_job('nightly');
CALL lmtext.run_job('nightly');

-- Attempts: three in one run, as there is no time between them.
CREATE TABLE twice (id int PRIMARY KEY, body text);
INSERT INTO twice VALUES (1, 'a'), (2, repeat('long ', 100));
SELECT lmtext.create_job('twice', 'twice', 'body', 'embed', 'm', 'v', '{"on_long": "error", "retries": 2, "retry_after": "0", "batch_size": 1}');
CALL lmtext.run_job('twice');
SELECT key, tries, retry_at FROM lmtext.job_errors WHERE job = 'twice';
SELECT lmtext.drop_job('twice');
-- With time between them, a row waits for a later run.
SELECT lmtext.create_job('twice', 'twice', 'body', 'embed', 'm', 'v', '{"on_long": "error", "retries": 2, "retry_after": "1 hour"}');
CALL lmtext.run_job('twice');
CALL lmtext.run_job('twice');
SELECT key, tries, retry_at BETWEEN now() + '50 min' AND now() + '70 min' AS later FROM lmtext.job_errors WHERE job = 'twice';
SELECT lmtext.drop_job('twice');

-- Each task, in a side table, with a key of two columns of which one has a collation and odd names.
CREATE TABLE "Odd table" ("the day" date, "a.b" text COLLATE "C", txt varchar(100), PRIMARY KEY ("a.b", "the day"));
INSERT INTO "Odd table" SELECT '2026-01-01'::date + i, 'k' || i % 3, 'words ' || i FROM generate_series(1, 20) i;
SELECT lmtext.create_job('j ' || task, '"Odd table"', 'txt', task, model, 'the value', jsonb_build_object('side_table', 'side ' || task) || options)
FROM (VALUES ('embed', 'm', '{"dimensions": 4}'::jsonb), ('embed_query', 'm', '{}'), ('embed_document', 'm', '{}'), ('classify', 'mood', '{"min_score": 0.1}'),
    ('class_scores', 'mood', '{}'), ('entities', 'ner', '{"aggregation": "first"}'), ('tag', 'ner', '{}'), ('sparse', 'splade', '{}'),
    ('token_vectors', 'late', '{"role": "query"}')) t (task, model, options);
CALL lmtext.run_job('j embed');
CALL lmtext.run_job('j embed_query');
CALL lmtext.run_job('j embed_document');
CALL lmtext.run_job('j classify');
CALL lmtext.run_job('j class_scores');
CALL lmtext.run_job('j entities');
CALL lmtext.run_job('j tag');
CALL lmtext.run_job('j sparse');
CALL lmtext.run_job('j token_vectors');
SELECT bool_and(s."the value" = lmtext.embed(txt, 'm', dimensions => 4)), count(*) FROM "Odd table" JOIN "side embed" s USING ("a.b", "the day");
SELECT bool_and(s."the value" = lmtext.classify(txt, 'mood', 0.1)), count(*) FROM "Odd table" JOIN "side classify" s USING ("a.b", "the day");
SELECT bool_and((s."the value" ->> (lmtext.classify(txt, 'mood')))::real > 0.3), count(*) FROM "Odd table" JOIN "side class_scores" s USING ("a.b", "the day");
SELECT bool_and(s."the value" = (SELECT coalesce(jsonb_agg(e), '[]') FROM lmtext.entities(txt, 'ner', 'first') e)), count(*) FROM "Odd table" JOIN "side entities" s USING ("a.b", "the day");
SELECT bool_and(jsonb_array_length(s."the value") = (SELECT count(*) FROM lmtext.tag(txt, 'ner'))), count(*) FROM "Odd table" JOIN "side tag" s USING ("a.b", "the day");
SELECT bool_and(s."the value" = lmtext.sparse(txt, 'splade')), count(*) FROM "Odd table" JOIN "side sparse" s USING ("a.b", "the day");
SELECT bool_and(s."the value" = lmtext.token_vectors(txt, 'late', 'query')), count(*) FROM "Odd table" JOIN "side token_vectors" s USING ("a.b", "the day");
-- Rows that are gone leave the side table, too; a row that comes again is done again.
DELETE FROM "Odd table" WHERE "the day" < '2026-01-05';
CALL lmtext.run_job('j embed');
SELECT count(*) FROM "side embed";
INSERT INTO "Odd table" VALUES ('2026-01-02', 'K1', 'again');
SELECT key FROM lmtext.stale('j embed');
CALL lmtext.run_job('j embed');
SELECT count(*) FROM "side embed";
SELECT lmtext.drop_job(name) FROM lmtext.jobs WHERE name LIKE 'j %' ORDER BY name COLLATE "C";
SELECT count(*) FROM "side embed";

-- Partitions, identity and generated columns.
CREATE TABLE part (id bigint GENERATED ALWAYS AS IDENTITY, kind int, title text, body text,
    content text GENERATED ALWAYS AS (title || '. ' || body) STORED, PRIMARY KEY (id, kind)) PARTITION BY LIST (kind);
CREATE TABLE part_1 PARTITION OF part FOR VALUES IN (1);
CREATE TABLE part_2 PARTITION OF part FOR VALUES IN (2);
INSERT INTO part (kind, title, body) SELECT i % 2 + 1, 't' || i, 'b' || i FROM generate_series(1, 50) i;
SELECT lmtext.create_job('parts', 'part', 'content', 'embed', 'm', 'v');
CALL lmtext.run_job('parts');
SELECT tableoid::regclass, count(*) FILTER (WHERE v = lmtext.embed(content, 'm')) FROM part GROUP BY 1 ORDER BY 1;
UPDATE part SET kind = 2 WHERE id = 2;
CALL lmtext.run_job('parts');

-- Children of a table have keys of their own.
CREATE TABLE parent (id int PRIMARY KEY, body text);
CREATE TABLE child () INHERITS (parent);
INSERT INTO parent VALUES (1, 'a');
INSERT INTO child VALUES (1, 'b');
SELECT lmtext.create_job('parent', 'parent', 'body', 'embed', 'm', 'v');
CALL lmtext.run_job('parent');
SELECT tableoid::regclass, v IS NULL AS empty FROM parent;

-- Triggers of the user's run as for any UPDATE: one that fails for a row, one that keeps a row.
CREATE TABLE strict (id int PRIMARY KEY, body text, v real[], at int DEFAULT 0, CHECK (id <> 5 OR v IS NULL));
INSERT INTO strict SELECT i, 'x' || i FROM generate_series(1, 300) i;
CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.id = 7 THEN RETURN NULL; END IF;
    IF NEW.id = 9 THEN RAISE EXCEPTION 'not this one'; END IF;
    NEW.at := NEW.at + 1;
    RETURN NEW;
END $$;
CREATE TRIGGER keep BEFORE UPDATE ON strict FOR EACH ROW EXECUTE FUNCTION keep();
SELECT lmtext.create_job('strict', 'strict', 'body', 'embed', 'm', 'v', '{"retries": 0}');
CALL lmtext.run_job('strict');
SELECT key, sqlstate, message FROM lmtext.job_errors WHERE job = 'strict' ORDER BY key::int;
SELECT at, count(*) FROM strict GROUP BY 1 ORDER BY 1;

-- Live mode: triggers queue what changed; what was rolled back, and other columns, leave nothing.
CREATE TABLE live (id int, part int, body text, n int, PRIMARY KEY (id, part)) PARTITION BY LIST (part);
CREATE TABLE live_1 PARTITION OF live FOR VALUES IN (1);
CREATE TABLE live_2 PARTITION OF live FOR VALUES IN (2);
INSERT INTO live SELECT i, i % 2 + 1, 'text ' || i FROM generate_series(1, 100) i;
SELECT lmtext.create_job('live', 'live', 'body', 'embed', 'm', 'v', '{"side_table": "live_v"}');
SELECT lmtext.attach('live');
SELECT lmtext.attach('live');
CALL lmtext.run_job('live');
SELECT count(*) FROM "live@queue";
INSERT INTO live VALUES (101, 1, 'new'), (102, 2, NULL);
UPDATE live SET body = 'other' WHERE id <= 5;
UPDATE live SET n = 7 WHERE id BETWEEN 10 AND 20;
UPDATE live SET id = 200 WHERE id = 30;
UPDATE live SET part = 2 WHERE id = 31;
DELETE FROM live WHERE id = 40;
UPDATE live SET body = body;
BEGIN;
UPDATE live SET body = 'undone';
TRUNCATE live;
ROLLBACK;
SELECT count(*) FROM "live@queue";
CALL lmtext.run_job('live');
SELECT count(*) AS rows, (SELECT count(*) FROM live_v) AS vectors, count(*) FILTER (WHERE v = lmtext.embed(body, 'm')) AS right_ones
FROM live LEFT JOIN live_v USING (id, part);
SELECT count(*) FROM "live@queue";
SELECT count(*) FROM lmtext.stale('live');
CALL lmtext.run_job('live');
TRUNCATE live;
INSERT INTO live VALUES (1, 1, 'text 1');
CALL lmtext.run_job('live');
SELECT id, part, v = lmtext.embed('text 1', 'm') AS same FROM live_v;
-- Another version takes a whole scan.
SELECT lmtext.deploy('m', 1);
CALL lmtext.run_job('live');
SELECT v = lmtext.embed('text 1', 'm@1') AS same FROM live_v;
SELECT lmtext.deploy('m', 2);
SELECT attached FROM lmtext.jobs WHERE name = 'live';
SELECT lmtext.detach('live'), lmtext.detach('live');
SELECT count(*) FROM pg_trigger WHERE tgrelid = 'live'::regclass;
UPDATE live SET body = 'later';
CALL lmtext.run_job('live');
SELECT v = lmtext.embed('later', 'm') AS same FROM live_v;
SELECT lmtext.attach('live');
SELECT lmtext.drop_job('live');
SELECT to_regclass('"live@queue"'), count(*) FROM pg_trigger WHERE tgrelid = 'live'::regclass;

-- Triggers compare bytes: no operator of another role is called, another spelling is another text, and json has no operator.
CREATE TABLE words (id int PRIMARY KEY, body varchar(20), folded text, note json);
CREATE FUNCTION other_equal(varchar, varchar) RETURNS bool LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'code of another role'; END $$;
CREATE OPERATOR = (FUNCTION = other_equal, LEFTARG = varchar, RIGHTARG = varchar);
SELECT lmtext.create_job(c, 'words', c::name, 'embed', 'm', ('v_' || c)::name), lmtext.attach(c) FROM unnest('{body,folded,note}'::text[]) c;
INSERT INTO words VALUES (1, 'a', 'a', '"a"');
UPDATE words SET body = 'b', folded = 'A', note = '"b"';
UPDATE words SET body = body, folded = folded, note = note;
SELECT (SELECT count(*) FROM "body@queue") AS body, (SELECT count(*) FROM "folded@queue") AS folded, (SELECT count(*) FROM "note@queue") AS note;
DROP OPERATOR = (varchar, varchar);
-- While a run with another version goes on, a scan is not noted as the whole of this one. (The checkpointer stands for its session.)
SELECT lmtext_internal.write_job('"body@job"'::regclass, 'begin', jsonb_build_object('model', 'm@1'::regclass::oid::text)) AS run \gset
UPDATE lmtext.job_run SET pid = (SELECT pid FROM pg_stat_activity WHERE backend_type = 'checkpointer') WHERE id = :run;
CALL lmtext.run_job('body');
SELECT scanned FROM lmtext.job WHERE name = 'body';
UPDATE lmtext.job_run SET status = 'done' WHERE id = :run;
CALL lmtext.run_job('body');
SELECT scanned FROM lmtext.job WHERE name = 'body';
-- A run that its session left behind is ended by the next one.
SELECT lmtext_internal.write_job('"body@job"'::regclass, 'begin', jsonb_build_object('model', 'm@2'::regclass::oid::text)) AS run \gset
CALL lmtext.run_job('body');
SELECT status FROM lmtext.job_runs WHERE run = :run;

-- A deadlock among rows that are done one by one: what was done counts, and the rest comes again. An assertion is an error of a row.
CREATE TABLE falls (id int PRIMARY KEY, body text);
INSERT INTO falls VALUES (1, 'a'), (2, 'b'), (3, 'c');
CREATE SEQUENCE calls;
CREATE FUNCTION fall() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    code text := ('{P0001,40P01}'::text[])[nextval('calls')];
BEGIN
    IF code IS NOT NULL THEN RAISE EXCEPTION USING ERRCODE = code; END IF;
    RETURN NEW;
END $$;
CREATE FUNCTION assert() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN ASSERT NEW.body <> 'bad'; RETURN NEW; END $$;
CREATE TRIGGER fall BEFORE UPDATE ON falls FOR EACH ROW WHEN (NEW.id = 2) EXECUTE FUNCTION fall();
SELECT lmtext.create_job('falls', 'falls', 'body', 'embed', 'm', 'v', '{"retries": 0}');
CALL lmtext.run_job('falls');
SELECT status, done, errors FROM lmtext.job_runs WHERE job = 'falls';
UPDATE falls SET body = 'bad' WHERE id = 3;
CREATE TRIGGER assert BEFORE UPDATE ON falls FOR EACH ROW EXECUTE FUNCTION assert();
CALL lmtext.run_job('falls');
SELECT key, sqlstate FROM lmtext.job_errors WHERE job = 'falls';

-- A default model; the target may be any type that the value can be assigned to.
SET lmtext.embedding_model = 'test_jobs.m@1';
CREATE TABLE other (id int PRIMARY KEY, body text, v float8[]);
INSERT INTO other VALUES (1, 'a');
SELECT lmtext.create_job('other', 'other', 'body', 'embed', NULL, 'v');
SELECT model FROM lmtext.jobs WHERE name = 'other';
CALL lmtext.run_job('other');
SELECT v = lmtext.embed('a', 'm@1')::float8[] AS same FROM other;
RESET lmtext.embedding_model;

-- Alerts: a row fires once while its condition holds, and again after it did not.
CREATE TABLE share (topic text, negative float8);
INSERT INTO share VALUES ('tax', 0.2), ('rail', 0.5);
SELECT lmtext.create_alert('surge', 'SELECT topic AS key, negative FROM share -- all topics', 'negative > 0.4');
SELECT lmtext.create_alert('broken', 'SELECT 1 / count(*) AS n FROM share WHERE topic = ''none''', 'n > 0');
CALL lmtext.check_alerts();
SELECT name, row, holds FROM lmtext.alerts;
UPDATE share SET negative = 0.6;
CALL lmtext.check_alerts();
SELECT name, row, holds FROM lmtext.alerts ORDER BY row ->> 'key';
UPDATE share SET negative = 0.1 WHERE topic = 'rail';
CALL lmtext.check_alerts();
UPDATE share SET negative = 0.9 WHERE topic = 'rail';
CALL lmtext.check_alerts();
SELECT row ->> 'key' AS topic, row ->> 'negative' AS negative, holds FROM lmtext.alerts ORDER BY 1, 2;
SELECT lmtext.create_alert('surge', 'SELECT 1 AS n', 'n > 0');
SELECT lmtext.create_alert('', 'SELECT 1 AS n', 'n > 0');
SELECT lmtext.create_alert(NULL, 'SELECT 1 AS n', 'n > 0');
SELECT lmtext.create_alert('x', 'SELECT 1 AS n', 'm > 0');
SELECT lmtext.drop_alert('none');
SELECT lmtext.drop_alert('broken'), lmtext.drop_alert('surge');
SELECT count(*) FROM lmtext.alerts;

-- What is refused.
CREATE VIEW a_view AS SELECT 1 AS id, 'a' AS body;
CREATE TABLE keyless (body text);
CREATE TEMP TABLE a_temp (id int PRIMARY KEY, body text);
CREATE TABLE given (id int PRIMARY KEY, body text, g text GENERATED ALWAYS AS (body) STORED, n int);
SELECT lmtext.create_job(NULL, 'doc', 'body', 'embed', 'm', 'v2');
SELECT lmtext.create_job('', 'doc', 'body', 'embed', 'm', 'v2');
SELECT lmtext.create_job('a@b', 'doc', 'body', 'embed', 'm', 'v2');
SELECT lmtext.create_job(repeat('x', 58), 'doc', 'body', 'embed', 'm', 'v2');
SELECT lmtext.create_job('nightly', 'doc', 'body', 'embed', 'm', 'v2');
SELECT lmtext.create_job('a', 'doc', 'body', 'sing', 'm', 'v2');
SELECT lmtext.create_job('a', 'doc', 'body', 'embed', 'm', 'v2', '{"colour": 1}');
SELECT lmtext.create_job('a', 'doc', 'body', 'embed', 'm', 'v2', '[]');
SELECT lmtext.create_job('a', 'doc', 'body', 'embed', 'm', 'v2', '{"batch_size": 0}');
SELECT lmtext.create_job('a', 'doc', 'body', 'embed', 'm', 'v2', '{"retries": 21}');
SELECT lmtext.create_job('a', 'doc', 'body', 'embed', 'm', 'v2', '{"retry_after": "soon"}');
SELECT lmtext.create_job('a', 'doc', 'body', 'embed', 'm', 'v2', '{"on_long": "faint"}');
SELECT lmtext.create_job('a', 'doc', 'body', 'embed', 'mood', 'v2');
SELECT lmtext.create_job('a', 'doc', 'body', 'embed', 'none', 'v2');
SELECT lmtext.create_job('a', 'doc', 'body', 'classify', NULL, 'v2');
SELECT lmtext.create_job('a', 'doc', 'words', 'embed', 'm', 'v2');
SELECT lmtext.create_job('a', 'doc', 'body', 'embed', 'm', 'body');
SELECT lmtext.create_job('a', 'doc', 'body', 'embed', 'm', 'id');
SELECT lmtext.create_job('a', 'a_view', 'body', 'embed', 'm', 'v2');
SELECT lmtext.create_job('a', 'keyless', 'body', 'embed', 'm', 'v2');
SELECT lmtext.create_job('a', 'a_temp', 'body', 'embed', 'm', 'v2');
SELECT lmtext.create_job('a', 'given', 'body', 'embed', 'm', 'n');
SELECT lmtext.create_job('a', 'given', 'body', 'classify', 'mood', 'g');
SELECT lmtext.create_job('a', 4000000000::oid::regclass, 'body', 'embed', 'm', 'v2');
SELECT lmtext.create_job('a', 'given', 'body', 'embed', 'm', 'v2', '{"side_table": "keyless"}');
SELECT lmtext.drop_job('none');
CALL lmtext.run_job('none');
SELECT lmtext_internal.write_job('doc'::regclass, 'burn', '{}');
SELECT lmtext_internal.write_job(4000000000, 'drop', '{}');
BEGIN;
CALL lmtext.run_job('nightly');
ROLLBACK;
SELECT count(*) FROM lmtext.jobs WHERE name = 'a';

-- What goes wrong for all rows ends the run, and the next one begins.
ALTER TABLE doc RENAME v TO w;
UPDATE doc SET body = 'changed' WHERE id = 1;
CALL lmtext.run_job('nightly');
SELECT status, sqlstate, message FROM lmtext.job_runs ORDER BY run DESC LIMIT 1;
ALTER TABLE doc RENAME w TO v;
CALL lmtext.run_job('nightly');
SELECT status, done FROM lmtext.job_runs ORDER BY run DESC LIMIT 1;
-- A job whose table of work or relation is dropped.
DROP TABLE doc;
CALL lmtext.run_job('nightly');
SELECT lmtext.drop_job('nightly');
DROP TABLE "other@job";
SELECT count(*) FROM lmtext.jobs WHERE name = 'other';
SELECT lmtext.create_job('other', 'other', 'body', 'embed', 'm', 'v');

-- Roles: a job is its owner's, who needs what any UPDATE needs.
CREATE ROLE lmtext_test_jobs;
GRANT USAGE, CREATE ON SCHEMA test_jobs TO lmtext_test_jobs;
GRANT SELECT (file) ON "m@1", "m@2" TO lmtext_test_jobs;
CREATE TABLE theirs (id int PRIMARY KEY, body text, v real[]);
INSERT INTO theirs VALUES (1, 'a'), (2, 'b');
SET ROLE lmtext_test_jobs;
SELECT lmtext.create_job('theirs', 'theirs', 'body', 'embed', 'm', 'v');
CALL lmtext.run_job('other');
SELECT lmtext.drop_job('other');
SELECT lmtext_internal.write_job('"other@job"'::regclass, 'drop', '{}');
RESET ROLE;
GRANT SELECT, UPDATE (v) ON theirs TO lmtext_test_jobs;
SET ROLE lmtext_test_jobs;
SELECT lmtext.create_job('theirs', 'theirs', 'body', 'embed', 'm', 'w');
SELECT lmtext.create_job('theirs', 'theirs', 'body', 'embed', 'm', 'v', '{"retries": 0}');
CALL lmtext.run_job('theirs');
SELECT count(v) FROM theirs;
RESET ROLE;
CALL lmtext.run_job('theirs');
-- Row security: only rows that the owner sees are its work; one that it may not change is an error.
ALTER TABLE theirs ENABLE ROW LEVEL SECURITY;
CREATE POLICY reads ON theirs FOR SELECT USING (id < 20);
CREATE POLICY writes ON theirs FOR UPDATE USING (id <> 11);
INSERT INTO theirs VALUES (10, 'c'), (11, 'd'), (20, 'e');
SET ROLE lmtext_test_jobs;
CALL lmtext.run_job('theirs');
SELECT key, sqlstate, message FROM lmtext.job_errors;
RESET ROLE;
SELECT id FROM theirs WHERE v IS NULL ORDER BY id;
SELECT count(*) FROM lmtext.job_errors WHERE job = 'theirs';
-- Who loses the right to the model or the table cannot go on.
REVOKE UPDATE (v) ON theirs FROM lmtext_test_jobs;
UPDATE theirs SET body = 'other' WHERE id = 1;
SET ROLE lmtext_test_jobs;
CALL lmtext.run_job('theirs');
RESET ROLE;

-- What was added to a table that a job writes would run as its owner.
CREATE DOMAIN a_domain AS text;
CREATE FUNCTION added(command text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE command;
    PERFORM lmtext_internal.scan_job(lmtext_internal.own_job('body'), ARRAY['m@2'::regclass]);
    RETURN 'nothing';
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE || ' ' || SQLERRM;
END $$;
SELECT added(c) FROM unnest(ARRAY[
    'SELECT 1',
    'ALTER TABLE "body@job" ENABLE ROW LEVEL SECURITY',
    'CREATE RULE r AS ON UPDATE TO "body@job" DO ALSO SELECT 1',
    'CREATE TRIGGER assert BEFORE UPDATE ON "body@job" FOR EACH ROW EXECUTE FUNCTION assert()',
    'CREATE TABLE c () INHERITS ("body@job")',
    'ALTER TABLE "body@job" ADD CHECK (k1 > 0)',
    'ALTER TABLE "body@job" ALTER message SET DEFAULT lower(''A'')',
    'CREATE INDEX ON "body@job" (abs(k1))',
    'CREATE INDEX ON "body@job" (k1) WHERE k1 > 0',
    'ALTER TABLE "body@job" ALTER message TYPE a_domain',
    'CREATE TRIGGER assert BEFORE DELETE ON "body@queue" FOR EACH ROW EXECUTE FUNCTION assert()',
    'ALTER TABLE "body@queue" OWNER TO lmtext_test_jobs',
    'DROP TABLE "body@queue"; CREATE VIEW "body@queue" AS SELECT 1 AS k1']) c;
BEGIN;
ALTER TABLE "strict@job" ENABLE ROW LEVEL SECURITY;
SELECT count(*) FROM lmtext.job_errors WHERE job = 'strict';
ROLLBACK;
SELECT count(*) FROM lmtext.job_errors WHERE job = 'strict';
-- A queue that another role has made in the place of the job's is not written; detach leaves it.
DROP TABLE "body@queue";
SET ROLE lmtext_test_jobs;
CREATE TABLE "body@queue" (k1 int);
GRANT INSERT ON "body@queue" TO PUBLIC;
RESET ROLE;
INSERT INTO words VALUES (2);
TRUNCATE words;
SELECT lmtext.detach('body');
INSERT INTO words VALUES (2);
SELECT count(*) FROM "body@queue";
-- That of whoever may make triggers on the partitioned table is.
SET ROLE lmtext_test_jobs;
CREATE TABLE parted (id int PRIMARY KEY, body text) PARTITION BY LIST (id);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES IN (1);
SELECT lmtext.create_job('parted', 'parted', 'body', 'embed', 'm', 'v'), lmtext.attach('parted');
RESET ROLE;
ALTER TABLE parted_1 OWNER TO CURRENT_USER;
INSERT INTO parted VALUES (1, 'a');
SELECT count(*) FROM "parted@queue";
-- A side table that another role has made.
SET ROLE lmtext_test_jobs;
CREATE TABLE side_theirs (id int PRIMARY KEY, v real[]);
RESET ROLE;
SELECT lmtext.create_job('a', 'words', 'body', 'embed', 'm', 'v', '{"side_table": "side_theirs"}');
SET ROLE lmtext_test_jobs;
CREATE TABLE own_words (id int PRIMARY KEY, body text);
SELECT lmtext.create_job('a', 'own_words', 'body', 'embed', 'm', 'v', '{"side_table": "side_theirs"}'), lmtext.drop_job('a');
RESET ROLE;
-- That of the table's owner is not another role's.
SELECT lmtext.create_job('a', 'own_words', 'body', 'embed', 'm', 'v', '{"side_table": "side_theirs"}'), lmtext.drop_job('a');
-- Runs: what another role says is no part of them; messages are the owner's.
SELECT lmtext_internal.write_job('"body@job"'::regclass, 'begin', jsonb_build_object('model', 'm@2'::regclass::oid::text)) AS run \gset
SELECT lmtext_internal.write_job('"body@job"'::regclass, 'step', jsonb_build_object('id', :run, 'status', 'failed', 'sqlstate', '22000', 'message', 'a text'));
SET ROLE lmtext_test_jobs;
SELECT lmtext_internal.write_job('"theirs@job"'::regclass, 'begin',
    jsonb_build_object('model', 'm@2'::regclass::oid::text, 'parent', :run)) > :run AS begun;
SELECT seen, status FROM lmtext_internal.sum_workers(:run);
SELECT message FROM lmtext.job_run;
SELECT sqlstate, message FROM lmtext.job_runs WHERE run = :run;
SELECT message FROM lmtext.job_runs WHERE job = 'theirs' ORDER BY run DESC LIMIT 1;
RESET ROLE;
SELECT sqlstate, message FROM lmtext.job_runs WHERE run = :run;
-- An alert's query is not run by who gets its table.
SET ROLE lmtext_test_jobs;
SELECT lmtext.create_alert('given', 'SELECT current_user AS key', 'true');
RESET ROLE;
ALTER TABLE "given@alert" OWNER TO CURRENT_USER;
CALL lmtext.check_alerts();
SELECT author, (SELECT count(*) FROM "given@alert") FROM lmtext.alert WHERE name = 'given';
SELECT lmtext.drop_alert('given');
-- An assertion in an alert does not keep others back.
CREATE FUNCTION asserted() RETURNS bool LANGUAGE plpgsql AS $$ BEGIN ASSERT false; END $$;
SELECT lmtext.create_alert('a', 'SELECT 1 AS key', 'asserted()'), lmtext.create_alert('b', 'SELECT 1 AS key', 'true');
CALL lmtext.check_alerts();
SELECT name FROM lmtext.alerts;

SET client_min_messages = warning;
DROP OWNED BY lmtext_test_jobs;
DROP ROLE lmtext_test_jobs;
DROP SCHEMA test_jobs CASCADE;
SELECT count(*) FROM lmtext.jobs;

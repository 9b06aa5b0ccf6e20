-- Jobs of several targets, texts that are expressions, jobs that follow others, and tables of every kind.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS lmtext;
RESET client_min_messages;
CREATE SCHEMA test_pipelines;
SET search_path = test_pipelines, public;
\getenv source LMTEXT_SOURCE_DIR
\set tiny :source '/models/tiny/bert-token'
\set odd :source '/models/tiny/bert'
SET client_min_messages = error;
SELECT lmtext.import_model('base', :'tiny', '{"task": "embedding"}'), lmtext.import_model('m', :'odd');
SELECT lmtext.add_head('ner', 'base', :'tiny');
RESET client_min_messages;
SET lmtext.progress_interval = 0;
SET datestyle = 'ISO';
\set VERBOSITY terse

CREATE TABLE doc (id int PRIMARY KEY, title text, body text, message text, n int DEFAULT 0);
INSERT INTO doc SELECT i, 'title ' || i % 7, (SELECT string_agg((ARRAY['the', 'cat', 'sat', 'on', 'mat', 'dog'])[1 + (i * k + i / k) % 6], ' ')
    FROM generate_series(1, 4 + i % 6) k) || ' ' || i FROM generate_series(1, 60) i;
CALL lmtext.train('parity', $$SELECT body, CASE WHEN id % 2 = 0 THEN 'even' ELSE 'odd' END FROM doc$$, '{"base": "base", "hold_out": 0}');

-- Forward passes of this session since it was asked last.
CREATE TABLE counted (n bigint);
INSERT INTO counted SELECT forwards FROM lmtext.session_counters();
CREATE FUNCTION forwards() RETURNS bigint LANGUAGE sql AS $$
    UPDATE counted SET n = c.forwards FROM counted o, lmtext.session_counters() c RETURNING c.forwards - o.n $$;

-- Several targets are one pass over the encoder, and one statement that writes.
SELECT lmtext.create_job('alone', 'doc', 'body', 'embed', 'base', 'alone');
SELECT lmtext.create_job('all', 'doc', 'body', 'embed', 'base', 'v', '{"also": [
    {"task": "classify", "model": "parity", "target": "label"}, {"task": "class_scores", "model": "parity", "target": "scores"},
    {"task": "entities", "model": "ner", "target": "names", "aggregation": "first"}]}');
SELECT options -> 'also' -> 0 FROM lmtext.jobs WHERE name = 'all';
SELECT rows, tokens > 300 AS tokens, minutes BETWEEN 0 AND 10 AS minutes, source FROM lmtext.job_plan('all');
SELECT forwards() IS NOT NULL AS from_here;
CALL lmtext.run_job('alone');
SELECT forwards() AS once \gset
CALL lmtext.run_job('all');
SELECT forwards() BETWEEN 1 AND :once AS one_pass;
SELECT count(*) FILTER (WHERE v = alone) AS vectors, count(*) FILTER (WHERE label = lmtext.classify(body, 'parity')) AS labels,
    count(*) FILTER (WHERE abs((scores ->> label)::float8 - (SELECT max(s.score) FROM lmtext.class_scores(body, 'parity') s)) < 1e-6) AS scores,
    count(*) FILTER (WHERE names = (SELECT coalesce(jsonb_agg(e), '[]') FROM lmtext.entities(body, 'ner', 'first') e)) AS names FROM doc;
SELECT model, also, blank, count(*) FROM "all@job" GROUP BY 1, 2, 3;
CALL lmtext.run_job('all');
-- A target that somebody emptied; another version of one model.
UPDATE doc SET label = NULL WHERE id = 3;
UPDATE doc SET names = NULL WHERE id = 4;
SELECT key FROM lmtext.stale('all');
CALL lmtext.run_job('all');
SELECT count(label), count(names) FROM doc;
CALL lmtext.train('parity', $$SELECT body, CASE WHEN id % 2 = 0 THEN 'two' ELSE 'one' END FROM doc$$, '{"base": "base", "hold_out": 0}');
SELECT lmtext.deploy('parity', 2);
SELECT count(*) FROM lmtext.stale('all');
CALL lmtext.run_job('all');
SELECT count(*) FILTER (WHERE label = lmtext.classify(body, 'parity@2')) AS labels FROM doc;
SELECT also, count(*) FROM "all@job" GROUP BY 1;
-- Attached, it sees that as well.
SELECT lmtext.attach('all');
CALL lmtext.run_job('all');
SELECT scanned FROM lmtext.job WHERE name = 'all';
UPDATE doc SET body = 'the cat' WHERE id <= 2;
UPDATE doc SET n = 1;
SELECT count(*) FROM "all@queue";
CALL lmtext.run_job('all');
SELECT lmtext.deploy('parity', 1);
CALL lmtext.run_job('all');
SELECT lmtext.drop_job('all'), lmtext.drop_job('alone');
-- In a side table; a label that no score reaches is a NULL that is done.
SELECT lmtext.create_job('aside', 'doc', 'body', 'classify', 'parity', 'label', '{"side_table": "doc_labels", "min_score": 1,
    "also": [{"task": "embed", "model": "base", "target": "v", "dimensions": 4}]}');
CALL lmtext.run_job('aside');
SELECT count(*), count(label), count(v), min(cardinality(v)) FROM doc_labels;
SELECT blank, count(*) FROM "aside@job" GROUP BY 1;
SELECT count(*) FROM lmtext.stale('aside');
SELECT lmtext.create_job('beside', 'doc', 'body', 'classify', 'parity', 'sure', '{"min_score": 1, "also": [{"task": "embed", "model": "base", "target": "alone"}]}');
CALL lmtext.run_job('beside');
CALL lmtext.run_job('beside');
SELECT lmtext.drop_job('aside'), lmtext.drop_job('beside');

-- Equal texts of a batch are computed once.
CREATE TABLE same AS SELECT i AS id, CASE WHEN i % 50 = 0 THEN NULL ELSE 'the same text ' || i % 3 END AS body FROM generate_series(1, 200) i;
ALTER TABLE same ADD PRIMARY KEY (id);
SELECT lmtext.create_job('same', 'same', 'body', 'embed', 'm', 'v');
SELECT texts FROM lmtext.session_counters() \gset
CALL lmtext.run_job('same');
SELECT texts - :texts AS computed FROM lmtext.session_counters();
SELECT count(*) FILTER (WHERE v = lmtext.embed(body, 'm')) AS vectors, count(*) FILTER (WHERE v IS NULL AND body IS NULL) AS nulls FROM same;
SELECT count(*) FROM lmtext.stale('same');

-- A plan reads lmtext.stats where enough texts were computed.
SELECT source FROM lmtext.job_plan('same');
SELECT count(lmtext.embed('words ' || i, 'm')) FROM generate_series(1, 1000) i;
UPDATE same SET body = 'other ' || id;
SELECT rows, tokens > 200 AS tokens, minutes > 0 AND minutes < 10 AS minutes, source FROM lmtext.job_plan('same');

-- A text of several columns, of which one is called as a column of the job's own table.
SELECT lmtext.create_job('made', 'doc', NULL, 'embed', 'm', 'made', jsonb_build_object('text', 'title || '': '' || coalesce(message, body)'));
SELECT text_column, options FROM lmtext.jobs WHERE name = 'made';
CALL lmtext.run_job('made');
SELECT count(*) FILTER (WHERE made = lmtext.embed(title || ': ' || body, 'm')) FROM doc;
UPDATE doc SET message = 'words' WHERE id = 5;
UPDATE doc SET body = 'not read' WHERE id = 5;
UPDATE doc SET title = NULL WHERE id = 6;
UPDATE doc SET n = 2;
SELECT key FROM lmtext.stale('made');
CALL lmtext.run_job('made');
SELECT id, made = lmtext.embed(title || ': words', 'm') AS same FROM doc WHERE id IN (5, 6) ORDER BY id;
-- Attached, each of its columns is seen; a text that is as before is not done again.
SELECT lmtext.attach('made');
CALL lmtext.run_job('made');
UPDATE doc SET title = 'other' WHERE id = 7;
UPDATE doc SET message = 'words' WHERE id = 8;
UPDATE doc SET body = 'not read' WHERE id = 8;
UPDATE doc SET n = 3, label = 'x';
SELECT * FROM "made@queue" ORDER BY 1;
CALL lmtext.run_job('made');
SELECT done FROM lmtext.job_runs WHERE job = 'made' ORDER BY run;
SELECT lmtext.detach('made');
-- What it means does not depend on the search_path, nor on what others put there.
CREATE SCHEMA trap;
CREATE FUNCTION helper(text, text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT coalesce($1, $2) $$;
CREATE FUNCTION trap.coalesced(text, text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT helper($1, $2) $$;
CREATE FUNCTION trap.lower(varchar) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RAISE EXCEPTION 'code of another role'; END $$;
CREATE FUNCTION trap.upper(varchar) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN pg_catalog.upper($1); END $$;
CREATE TABLE short (id int PRIMARY KEY, word varchar(10), day date);
INSERT INTO short VALUES (1, 'One', '2026-01-02'), (2, 'Two', NULL);
SELECT lmtext.create_job('lower', 'short', NULL, 'embed', 'm', 'v', '{"text": "lower(word)"}');
SET search_path = trap, test_pipelines, public;
SELECT lmtext.create_job('upper', 'short', NULL, 'embed', 'm', 'w', '{"text": "coalesced(upper(short.word), word) -- and no more"}');
SELECT name, options ->> 'text' AS text FROM lmtext.jobs WHERE name IN ('lower', 'upper') ORDER BY 1;
CALL lmtext.run_job('lower');
SET search_path = test_pipelines, public;
CALL lmtext.run_job('upper');
SELECT count(*) FILTER (WHERE v = lmtext.embed(pg_catalog.lower(word), 'm')) AS lower, count(*) FILTER (WHERE w = lmtext.embed(pg_catalog.upper(word), 'm')) AS upper FROM short;
-- A column that was renamed is an error until the job is made again, or the name is back.
ALTER TABLE short RENAME word TO words;
CALL lmtext.run_job('lower');
ALTER TABLE short RENAME words TO word;
CALL lmtext.run_job('lower');
SELECT lmtext.drop_job('upper'), lmtext.drop_job('lower');
-- Other types are read as text.
SELECT lmtext.create_job('day', 'short', NULL, 'embed', 'm', 'v', '{"text": "day + 1", "retries": null}');
CALL lmtext.run_job('day');
SELECT id, v = lmtext.embed('2026-01-03', 'm') AS same FROM short ORDER BY id;
SELECT lmtext.drop_job('day');
-- A text that cannot be made is an error of its row, which is tried again when what it is made of has changed.
INSERT INTO short VALUES (3, NULL, NULL), (4, 'Four', NULL);
CREATE FUNCTION checked(text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    IF $1 = 'Four' THEN RAISE EXCEPTION 'no fours' USING ERRCODE = 'data_exception'; END IF;
    RETURN $1;
END $$;
SELECT lmtext.create_job('day', 'short', NULL, 'embed', 'm', 'w', '{"text": "(10 / (id - 2))::text || checked(word::text)", "retries": 0}');
SELECT rows FROM lmtext.job_plan('day');
CALL lmtext.run_job('day');
SELECT key, sqlstate, message FROM lmtext.job_errors WHERE job = 'day' ORDER BY key;
SELECT id, w IS NOT NULL AS done FROM short ORDER BY id;
SELECT count(*) FROM lmtext.stale('day');
CALL lmtext.run_job('day');
UPDATE short SET word = 'Four.' WHERE id = 4;
UPDATE short SET word = 'Four' WHERE id = 1;
SELECT * FROM lmtext.stale('day');
CALL lmtext.run_job('day');
SELECT key, sqlstate, message FROM lmtext.job_errors WHERE job = 'day' ORDER BY key;
SELECT w = lmtext.embed('5Four.', 'm') AS done FROM short WHERE id = 4;
-- What is no error of a row still ends the run.
CREATE OR REPLACE FUNCTION checked(text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    RAISE EXCEPTION 'no disk' USING ERRCODE = 'io_error';
END $$;
CALL lmtext.run_job('day');
SELECT lmtext.drop_job('day');
DELETE FROM short WHERE id > 2;
UPDATE short SET word = 'One' WHERE id = 1;
DROP FUNCTION checked;
-- What is no text of a job.
CREATE FUNCTION refused(text text, text_column name DEFAULT NULL, target name DEFAULT 'x') RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    PERFORM lmtext.create_job('refused', 'short', text_column, 'embed', 'm', target, jsonb_build_object('text', text));
    RETURN 'taken';
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE || ' ' || SQLERRM;
END $$;
SELECT t AS text, refused(t) FROM unnest('{"", "word word", "word, word", "word AS x", "word; word", "word; SELECT word", "word FROM short", "*", "short.*", "short", "word)", "words",
    "(SELECT word)", "max(word)", "regexp_split_to_table(word, ''a'')", "row_number() OVER ()", "random()::text || word", "ctid::text", "''words''", "word || 1/", "word = 1",
    "CREATE", "$1", "pg_catalog.nothing(word)"}'::text[]) t;
SELECT refused('word', 'word'), refused(NULL), refused('word', target => 'word');
SELECT lmtext.create_job('refused', 'short', NULL, 'embed', 'm', 'x', '{"text": {"a": 1}}');
-- The columns that it is given must be those that it takes.
SELECT lmtext_internal.row_text('short'::regclass, 'word', 'a'::text);
SELECT lmtext_internal.row_text('short'::regclass, 'word', 'a'::varchar, 'b'::varchar);
SELECT lmtext_internal.row_text('short'::regclass, 'word', VARIADIC ARRAY['a'::varchar]);
SELECT lmtext_internal.row_text('short'::regclass, w, 'a'::varchar) FROM unnest('{word}'::text[]) w;
SELECT lmtext_internal.try_text(NULL, 'word', 'a'::varchar), lmtext_internal.try_text('short'::regclass, 'word || ''b''', NULL::varchar);
SELECT lmtext_internal.row_text(NULL, 'word', 'a'::varchar), lmtext_internal.row_text('short'::regclass, 'word || ''b''', 'a'::varchar);

-- Jobs that follow others, and a procedure behind them.
CREATE TABLE story (id int PRIMARY KEY, body text, v real[], label text);
INSERT INTO story SELECT id, body FROM doc WHERE body IS NOT NULL;
CREATE TABLE said (job text, run bigint, n bigint);
CREATE PROCEDURE tell(job text, run bigint) LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('test.fail', true) = 'on' THEN RAISE EXCEPTION 'no' USING ERRCODE = 'P0007'; END IF;
    INSERT INTO said SELECT job, run, count(*) FROM test_pipelines.story s WHERE s.v IS NOT NULL;
END $$;
SELECT lmtext.create_job('first', 'story', 'body', 'embed', 'm', 'v', '{"then": "tell"}');
SELECT lmtext.create_job('second', 'story', 'body', 'classify', 'parity', 'label', '{"after": "first"}');
SELECT lmtext.create_job('third', 'story', 'label', 'embed', 'm', 'label_v', '{"after": "second", "then": "test_pipelines.tell"}');
SELECT options FROM lmtext.jobs WHERE name IN ('first', 'third') ORDER BY name;
CALL lmtext.run_job('first');
SELECT job, status, done FROM lmtext.job_runs WHERE job IN ('first', 'second', 'third') ORDER BY run;
SELECT s.job, s.n, s.run = r.run AS its_run FROM said s JOIN lmtext.job_runs r USING (job) ORDER BY s.run;
SELECT count(*) FILTER (WHERE label_v = lmtext.embed(label, 'm')) FROM story;
CALL lmtext.run_job('third');
SELECT count(*) FROM said;
-- A run that fails leaves those that follow undone.
ALTER TABLE story RENAME v TO w;
UPDATE story SET body = 'other' WHERE id = 1;
CALL lmtext.run_job('first');
SELECT job, status, done, sqlstate, message FROM lmtext.job_runs ORDER BY run DESC LIMIT 3;
ALTER TABLE story RENAME w TO v;
-- Where the procedure fails, the rows stay, and what follows is not done either.
SET test.fail = 'on';
\set VERBOSITY default
\set SHOW_CONTEXT never
CALL lmtext.run_job('first');
\set VERBOSITY terse
SELECT job, status, done, sqlstate, message FROM lmtext.job_runs ORDER BY run DESC LIMIT 3;
SELECT count(*) FROM lmtext.stale('first');
RESET test.fail;
-- One that is paused is passed over, and those behind it.
SELECT lmtext.pause_job('second');
CALL lmtext.run_job('first');
SELECT job, status, message FROM lmtext.job_runs ORDER BY run DESC LIMIT 3;
SELECT lmtext.resume_job('second');
CALL lmtext.run_job('first');
-- What is refused.
SELECT lmtext.drop_job('first');
SELECT lmtext.create_job('x', 'story', 'body', 'embed', 'm', 'x', '{"after": "none"}');
SELECT lmtext.create_job('x', 'story', 'body', 'embed', 'm', 'x', '{"after": "x"}');
SELECT lmtext.create_job('x', 'story', 'body', 'embed', 'm', 'x', '{"then": "nothing"}');
SELECT lmtext.create_job('x', 'story', 'body', 'embed', 'm', 'x', '{"then": "refused"}');
SELECT lmtext.create_job('x', 'story', 'body', 'embed', 'm', 'x', '{"then": "a b c"}');
SELECT lmtext.create_job('x', 'story', 'body', 'embed', 'm', 'x', '{"then": "nowhere.tell"}');
SELECT lmtext.create_job('x', 'story', 'body', 'embed', 'm', 'x', '{"then": "test_pipelines.tell.x"}');
DROP TABLE "first@job";
SELECT lmtext.create_job('first', 'story', 'body', 'embed', 'm', 'v', '{"after": "third"}');
SELECT lmtext.drop_job('third'), lmtext.drop_job('second');
SELECT lmtext.create_job('x', 'doc', 'body', 'embed', 'm', 'x', a::jsonb) FROM (VALUES ('{"also": 1}')) v (a);
SELECT lmtext.create_job('x', 'doc', 'body', 'embed', 'm', 'x', '{"also": [1]}');
SELECT lmtext.create_job('x', 'doc', 'body', 'embed', 'm', 'x', '{"also": [{"task": "embed"}]}');
SELECT lmtext.create_job('x', 'doc', 'body', 'embed', 'm', 'x', '{"also": [{"task": "sing", "target": "y"}]}');
SELECT lmtext.create_job('x', 'doc', 'body', 'embed', 'm', 'x', '{"also": [{"task": "embed", "target": "y", "batch_size": 1}]}');
SELECT lmtext.create_job('x', 'doc', 'body', 'embed', 'm', 'x', '{"also": [{"task": "embed", "model": "m", "target": "x"}]}');
SELECT lmtext.create_job('x', 'doc', 'body', 'embed', 'm', 'x', '{"also": [{"task": "embed", "model": "m", "target": "body"}]}');
SELECT lmtext.create_job('x', 'doc', 'body', 'embed', 'm', 'x', '{"also": [{"task": "embed", "model": "parity", "target": "y"}]}');
SELECT lmtext.create_job('x', 'doc', 'body', 'embed', 'm', 'x', jsonb_build_object('also', (SELECT jsonb_agg('{}'::jsonb) FROM generate_series(1, 16))));

-- Tables of every kind: partitions with a text of several columns, identity keys, a target of a domain, generated columns, triggers
-- and row security of a side table.
CREATE TABLE part (id bigint GENERATED ALWAYS AS IDENTITY, kind int, title text, body text, PRIMARY KEY (id, kind)) PARTITION BY LIST (kind);
CREATE TABLE part_1 PARTITION OF part FOR VALUES IN (1);
CREATE TABLE part_2 (extra int, body text, title text, kind int NOT NULL, id bigint NOT NULL);
ALTER TABLE part_2 DROP extra;
ALTER TABLE part ATTACH PARTITION part_2 FOR VALUES IN (2);
INSERT INTO part (kind, title, body) SELECT i % 2 + 1, 't' || i, 'b' || i FROM generate_series(1, 20) i;
SELECT lmtext.create_job('parts', 'part', NULL, 'embed', 'm', 'v', '{"text": "title || body"}'), lmtext.attach('parts');
CALL lmtext.run_job('parts');
UPDATE part SET title = 'other' WHERE id <= 2;
CALL lmtext.run_job('parts');
SELECT tableoid::regclass, count(*) FILTER (WHERE v = lmtext.embed(title || body, 'm')) FROM part GROUP BY 1 ORDER BY 1;
CREATE DOMAIN few AS real[] CHECK (cardinality(VALUE) = 4);
CREATE TABLE narrow (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body text, v few, label varchar(2), g text GENERATED ALWAYS AS (body) STORED,
    i bigint GENERATED BY DEFAULT AS IDENTITY);
INSERT INTO narrow (body) VALUES ('a'), ('b');
SELECT lmtext.create_job('narrow', 'narrow', 'g', 'embed', 'm', 'v', '{"dimensions": 4}');
CALL lmtext.run_job('narrow');
SELECT count(*) FROM narrow WHERE v = lmtext.embed(body, 'm', dimensions => 4);
SELECT lmtext.drop_job('narrow');
SELECT lmtext.create_job('narrow', 'narrow', NULL, 'embed', 'm', 'v', '{"text": "g || body", "retries": 0}');
CALL lmtext.run_job('narrow');
SELECT key, sqlstate, message FROM lmtext.job_errors WHERE job = 'narrow';
SELECT lmtext.create_job('x', 'narrow', 'body', 'classify', 'parity', 'g');
SELECT lmtext.create_job('x', 'narrow', 'body', 'classify', 'parity', 'i');
SELECT lmtext.create_job('x', 'narrow', 'body', 'classify', 'parity', 'label', '{"retries": 0}');
CALL lmtext.run_job('x');
SELECT key, sqlstate FROM lmtext.job_errors WHERE job = 'x';
CREATE TABLE keyless (id int UNIQUE NOT NULL, body text);
\set VERBOSITY default
SELECT lmtext.create_job('keyless', 'keyless', 'body', 'embed', 'm', 'v');
\set VERBOSITY terse
-- AFTER triggers: one that writes another table, for each row and for each statement, one that raises for a row, one that raises for the
-- statement because of a row, one that is deferred to the end of the transaction. What failed has written nothing; a generated column follows.
CREATE TABLE copied (id int, v real[]);
CREATE TABLE counted_rows (n bigint);
CREATE FUNCTION after_row() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO copied VALUES (NEW.id, NEW.v);
    IF NEW.id = 5 THEN RAISE EXCEPTION 'not this row'; END IF;
    RETURN NULL;
END $$;
CREATE FUNCTION after_statement() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO counted_rows SELECT count(*) FROM new_rows;
    IF EXISTS (SELECT FROM new_rows WHERE id = 8) THEN RAISE EXCEPTION 'not this statement'; END IF;
    RETURN NULL;
END $$;
CREATE FUNCTION at_end() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.id = 11 AND NEW.v IS NOT NULL THEN RAISE EXCEPTION 'not at the end'; END IF;
    RETURN NULL;
END $$;
CREATE TABLE after (id int PRIMARY KEY, body text, v real[], n int GENERATED ALWAYS AS (cardinality(v)) STORED);
INSERT INTO after SELECT i, 'text ' || i FROM generate_series(1, 100) i;
CREATE TABLE after_v (id int PRIMARY KEY, v real[]);
SELECT lmtext.create_job('after', 'after', 'body', 'embed', 'm', 'v', '{"retries": 0}'),
    lmtext.create_job('after aside', 'after', 'body', 'embed', 'm', 'v', '{"retries": 0, "side_table": "after_v", "batch_size": 30}');
CREATE TRIGGER after_row AFTER UPDATE ON after FOR EACH ROW EXECUTE FUNCTION after_row();
CREATE TRIGGER after_statement AFTER UPDATE ON after REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION after_statement();
CREATE CONSTRAINT TRIGGER at_end AFTER UPDATE ON after DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION at_end();
CALL lmtext.run_job('after');
SELECT key, sqlstate, message FROM lmtext.job_errors WHERE job = 'after' ORDER BY key::int;
SELECT count(v) AS vectors, count(*) FILTER (WHERE v = lmtext.embed(body, 'm')) AS right_ones, count(n) AS generated,
    (SELECT count(*) FROM copied) AS copied, (SELECT count(DISTINCT id) FROM copied) AS once, (SELECT sum(n) FROM counted_rows) AS in_statements FROM after;
-- Of a side table they are those of INSERT, and of UPDATE where the row is there.
TRUNCATE copied, counted_rows;
DROP TRIGGER after_row ON after;
DROP TRIGGER after_statement ON after;
CREATE TRIGGER after_row AFTER INSERT OR UPDATE ON after_v FOR EACH ROW EXECUTE FUNCTION after_row();
CREATE TRIGGER after_insert AFTER INSERT ON after_v REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION after_statement();
CREATE TRIGGER after_update AFTER UPDATE ON after_v REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION after_statement();
CREATE CONSTRAINT TRIGGER at_end AFTER INSERT OR UPDATE ON after_v DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION at_end();
CALL lmtext.run_job('after aside');
UPDATE after SET body = 'other ' || id WHERE id > 90;
CALL lmtext.run_job('after aside');
SELECT key, sqlstate, message FROM lmtext.job_errors WHERE job = 'after aside' ORDER BY key::int;
SELECT count(*) FILTER (WHERE a.v = lmtext.embed(body, 'm')) AS right_ones, (SELECT count(*) FROM copied) AS copied,
    (SELECT sum(n) FROM counted_rows) AS in_statements FROM after_v a JOIN after USING (id);
-- A deferred foreign key, of rows that a trigger inserts in the wrong order.
CREATE TABLE target_of (id int PRIMARY KEY);
CREATE TABLE refers (id int PRIMARY KEY REFERENCES target_of DEFERRABLE INITIALLY DEFERRED);
CREATE FUNCTION refer() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO refers VALUES (NEW.id);
    IF NEW.id <> 3 THEN INSERT INTO target_of VALUES (NEW.id); END IF;
    RETURN NULL;
END $$;
CREATE TABLE referring (id int PRIMARY KEY, body text);
INSERT INTO referring SELECT i, 'text ' || i FROM generate_series(1, 6) i;
SELECT lmtext.create_job('referring', 'referring', 'body', 'embed', 'm', 'v', '{"retries": 0}');
CREATE TRIGGER refer AFTER UPDATE ON referring FOR EACH ROW EXECUTE FUNCTION refer();
CALL lmtext.run_job('referring');
SELECT key, sqlstate FROM lmtext.job_errors WHERE job = 'referring';
SELECT count(*) FROM refers;
-- A trigger of the side table that changes the value or keeps the row; a policy that refuses it.
CREATE ROLE lmtext_test_pipelines;
GRANT USAGE, CREATE ON SCHEMA test_pipelines TO lmtext_test_pipelines;
GRANT SELECT (file) ON "m@1" TO lmtext_test_pipelines;
SET ROLE lmtext_test_pipelines;
CREATE TABLE seen (id int PRIMARY KEY, body text);
INSERT INTO seen SELECT i, 'text ' || i FROM generate_series(1, 5) i;
CREATE TABLE seen_v (id int PRIMARY KEY, v real[]);
CREATE FUNCTION short() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.v := NEW.v[:2]; RETURN CASE WHEN NEW.id <> 2 THEN NEW END; END $$;
CREATE TRIGGER short BEFORE INSERT ON seen_v FOR EACH ROW EXECUTE FUNCTION short();
SELECT lmtext.create_job('seen', 'seen', 'body', 'embed', 'm', 'v', '{"side_table": "seen_v", "retries": 0}');
CALL lmtext.run_job('seen');
SELECT key, sqlstate, message FROM lmtext.job_errors WHERE job = 'seen';
SELECT id, cardinality(v) FROM seen_v ORDER BY 1;
-- A policy that does not take a row is as a missing privilege: it ends the run.
CREATE POLICY all_but_3 ON seen_v USING (id <> 3);
ALTER TABLE seen_v ENABLE ROW LEVEL SECURITY;
ALTER TABLE seen_v FORCE ROW LEVEL SECURITY;
UPDATE seen SET body = 'other' WHERE id = 1;
CALL lmtext.run_job('seen');
UPDATE seen SET body = 'other' WHERE id = 3;
CALL lmtext.run_job('seen');
SELECT status, done, sqlstate FROM lmtext.job_runs WHERE job = 'seen' ORDER BY run;
-- An expression, and a procedure, are run by who wrote them.
CREATE FUNCTION body_of(text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT $1 $$;
SELECT lmtext.create_job('theirs', 'seen', NULL, 'embed', 'm', 'v', '{"text": "body_of(body)"}');
SELECT lmtext.create_job('x2', 'seen', 'body', 'embed', 'm', 'y', '{"after": "part"}');
SELECT lmtext.create_job('x2', 'seen', 'body', 'embed', 'm', 'y', '{"after": "parts"}');
RESET ROLE;
REVOKE ALL ON PROCEDURE tell FROM PUBLIC;
SET ROLE lmtext_test_pipelines;
SELECT lmtext.create_job('x2', 'seen', 'body', 'embed', 'm', 'y', '{"then": "tell"}');
RESET ROLE;
ALTER TABLE "theirs@job" OWNER TO CURRENT_USER;
CALL lmtext.run_job('theirs');

-- A table of work that was left without its job is taken up by the same job, which does not do again what was done.
CREATE TABLE again (id int PRIMARY KEY, title text, body text);
INSERT INTO again SELECT i, 't' || i, 'b' || i FROM generate_series(1, 5) i;
SELECT lmtext.create_job('again', 'again', NULL, 'embed', 'm', 'v', '{"text": "title || body"}'), lmtext.attach('again');
CALL lmtext.run_job('again');
SELECT lmtext_internal.write_job('"again@job"'::regclass, 'drop', '{}');
UPDATE again SET title = 'x' WHERE id = 2;
SELECT lmtext.create_job('again', 'again', 'body', 'embed', 'm', 'v');
SELECT lmtext.create_job('again', 'again', NULL, 'embed', 'm', 'v', '{"text": "title || body", "batch_size": 2}'), lmtext.attach('again');
CALL lmtext.run_job('again');
INSERT INTO again VALUES (6, 'a', 'b');
CALL lmtext.run_job('again');
SELECT position, k1 FROM "again@job" ORDER BY 1;
SELECT to_regclass('"again@old"'), count(*) FROM "again@queue";
ALTER TABLE "again@job" RENAME TO "other@job";
SELECT lmtext.create_job('other', 'again', NULL, 'embed', 'm', 'v', '{"text": "title || body"}');

SET client_min_messages = warning;
DROP OWNED BY lmtext_test_pipelines;
DROP ROLE lmtext_test_pipelines;
DROP SCHEMA test_pipelines, trap CASCADE;

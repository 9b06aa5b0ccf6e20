-- Indexes of method lmtext that are built by several processes.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS lmtext;
CREATE SCHEMA test_parallel;
SET search_path = test_parallel, public;
\getenv source LMTEXT_SOURCE_DIR
\set tiny :source '/models/tiny/bert'
SELECT lmtext.import_model('m', :'tiny');
SET lmtext.embedding_model = 'm';
SET max_parallel_workers_per_gather = 0;

CREATE FUNCTION sound(index regclass) RETURNS boolean LANGUAGE sql AS
$$SELECT bool_and(ok) FROM lmtext.index_check(index)$$;
CREATE FUNCTION refusal(command text) RETURNS text LANGUAGE plpgsql AS
$$BEGIN
    EXECUTE command;
    RETURN 'accepted';
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE || ' ' || SQLERRM;
END$$;
CREATE FUNCTION left_over() RETURNS bigint LANGUAGE sql AS
$$SELECT count(*) FROM pg_stat_activity WHERE leader_pid = pg_backend_pid()$$;
-- Each process that embeds counts a call.
CREATE FUNCTION calls() RETURNS numeric LANGUAGE sql AS
$$SELECT coalesce(sum(calls), 0) FROM lmtext.stats WHERE function = 'index'$$;
CREATE FUNCTION calls_of(command text) RETURNS numeric LANGUAGE plpgsql AS
$$DECLARE before numeric = calls();
BEGIN
    EXECUTE command;
    RETURN calls() - before;
END$$;
-- Tells that there are workers. The leader waits at each row, so that a worker comes to one.
CREATE FUNCTION refused_by_workers(value text) RETURNS text IMMUTABLE PARALLEL SAFE LANGUAGE plpgsql AS
$$BEGIN
    IF (SELECT backend_type FROM pg_catalog.pg_stat_activity WHERE pid = pg_catalog.pg_backend_pid()) = 'parallel worker' THEN
        RAISE 'in a worker';
    END IF;
    PERFORM pg_catalog.pg_sleep(0.1);
    RETURN value;
END$$;

CREATE TABLE doc (id int PRIMARY KEY, body text);
INSERT INTO doc SELECT i, 'w' || i % 7 || ' w' || i % 11 || ' number ' || i || ' sat on mat ' || md5(i::text) FROM generate_series(1, 2500) i;
INSERT INTO doc VALUES (9001, NULL), (9002, '');
-- Rows as an index finds them, with its own distances, which are those of what it has stored.
CREATE FUNCTION found() RETURNS TABLE (id int, d float8) LANGUAGE sql SET enable_seqscan = off AS
$$SELECT id, body <=> 'number seven sat' FROM doc ORDER BY body <=> 'number seven sat' LIMIT 500$$;
CREATE FUNCTION found_words() RETURNS text LANGUAGE sql SET enable_seqscan = off AS
$$SELECT md5(string_agg(id || ' ' || d, ',' ORDER BY d, id)) FROM (SELECT id, body <@> 'w3 w5' AS d FROM doc ORDER BY body <@> 'w3 w5' LIMIT 500) x$$;
-- ---- The same index as one process builds ----
SET lmtext.reuse_vectors = off;
SET max_parallel_maintenance_workers = 0;
CREATE INDEX doc_body ON doc USING lmtext (body) WITH (model = 'm@1', words = true, lists = 5);
CREATE TABLE alone AS SELECT * FROM found();
CREATE FUNCTION same_found() RETURNS boolean LANGUAGE sql AS
$$SELECT count(*) = 500 AND bool_and(alone.d = found.d) FROM alone JOIN found() USING (id)$$;
SELECT found_words() AS words \gset alone_
SET max_parallel_maintenance_workers = 2;
REINDEX INDEX doc_body;
SELECT sound('doc_body'), same_found(), found_words() = :'alone_words' AS same_words;
-- Sorted on disk.
SET maintenance_work_mem = '1MB';
REINDEX TABLE doc;
SELECT sound('doc_body'), same_found(), found_words() = :'alone_words' AS same_words;
RESET maintenance_work_mem;
REINDEX INDEX CONCURRENTLY doc_body;
SELECT sound('doc_body'), same_found(), found_words() = :'alone_words' AS same_words;
-- One list, in the order of places; and rows that are written later.
DROP INDEX doc_body;
CREATE INDEX CONCURRENTLY doc_body ON doc USING lmtext (body) WITH (model = 'm@1', lists = 1);
INSERT INTO doc SELECT 10000 + i, 'number ' || i || ' came later' FROM generate_series(1, 20) i;
SELECT sound('doc_body'), (SELECT rows FROM lmtext.index_stats('doc_body'));
VACUUM FULL doc;
SELECT sound('doc_body'), (SELECT rows FROM lmtext.index_stats('doc_body'));
DROP INDEX doc_body;
-- Words alone.
SET max_parallel_maintenance_workers = 0;
CREATE INDEX doc_words ON doc USING lmtext (body) WITH (words = true);
SELECT found_words() AS words \gset alone_
SET max_parallel_maintenance_workers = 2;
REINDEX INDEX doc_words;
SELECT sound('doc_words'), found_words() = :'alone_words' AS same_words;
DROP INDEX doc_words;

-- ---- How many ----
SELECT refusal($$CREATE INDEX doc_error ON doc USING lmtext (test_parallel.refused_by_workers(body)) WITH (model = 'm@1')$$);
SELECT refusal($$CREATE INDEX doc_error ON doc USING lmtext (test_parallel.refused_by_workers(body)) WITH (words = true)$$);
\set VERBOSITY terse
CREATE INDEX CONCURRENTLY doc_error ON doc USING lmtext (refused_by_workers(body)) WITH (model = 'm@1');
DROP INDEX doc_error;
ALTER TABLE doc SET (parallel_workers = 0);
SELECT calls_of($$CREATE INDEX doc_body ON doc USING lmtext (body) WITH (model = 'm@1')$$);
DROP INDEX doc_body;
ALTER TABLE doc SET (parallel_workers = 1);
SELECT refusal($$CREATE INDEX doc_error ON doc USING lmtext (test_parallel.refused_by_workers(body)) WITH (model = 'm@1')$$);
CREATE TABLE little AS SELECT * FROM doc LIMIT 20;
SELECT calls_of($$CREATE INDEX little_body ON little USING lmtext (body) WITH (model = 'm@1')$$);
CREATE TEMPORARY TABLE own AS SELECT * FROM doc;
SELECT calls_of($$CREATE INDEX own_body ON own USING lmtext (body) WITH (model = 'test_parallel.m@1')$$);
CREATE FUNCTION unsafe(text) RETURNS text IMMUTABLE PARALLEL UNSAFE LANGUAGE plpgsql AS 'BEGIN RETURN $1; END';
CREATE FUNCTION safe(text) RETURNS text IMMUTABLE PARALLEL SAFE LANGUAGE plpgsql AS 'BEGIN RETURN $1; END';
SELECT calls_of($$CREATE INDEX doc_unsafe ON doc USING lmtext (test_parallel.unsafe(body)) WITH (model = 'm@1')$$);
CREATE INDEX doc_safe ON doc USING lmtext (test_parallel.safe(body)) WITH (model = 'm@1') WHERE id < 2000;
SELECT sound('doc_unsafe'), sound('doc_safe'), (SELECT rows FROM lmtext.index_stats('doc_safe'));
DROP INDEX doc_unsafe, doc_safe;

-- ---- Tables of all kinds ----
CREATE TABLE parts (id int, body text) PARTITION BY RANGE (id);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (1000) WITH (parallel_workers = 2);
CREATE UNLOGGED TABLE parts_2 PARTITION OF parts FOR VALUES FROM (1000) TO (20000) WITH (parallel_workers = 2);
INSERT INTO parts SELECT * FROM doc;
SELECT refusal($$CREATE INDEX parts_error ON parts USING lmtext (test_parallel.refused_by_workers(body)) WITH (model = 'm@1')$$);
CREATE INDEX parts_body ON parts USING lmtext (body) WITH (model = 'm@1');
SELECT sound('parts_1_body_idx'), sound('parts_2_body_idx');
-- Whose table and model are of the same transaction.
BEGIN;
SELECT lmtext.import_model('new', :'tiny');
CREATE TABLE fresh WITH (parallel_workers = 2) AS SELECT * FROM doc;
CREATE INDEX fresh_body ON fresh USING lmtext (body) WITH (model = 'new@1');
SELECT sound('fresh_body'), (SELECT rows FROM lmtext.index_stats('fresh_body'));
ROLLBACK;
-- Texts out of line: two pages, and many.
CREATE TABLE long (id int, body text, filler text);
ALTER TABLE long ALTER body SET STORAGE EXTERNAL;
INSERT INTO long SELECT i, 'number ' || i || repeat(' word', 1000), CASE WHEN i % 2 = 0 THEN md5(i::text) END || repeat('x', 150) FROM generate_series(1, 80) i;
CREATE INDEX long_body ON long USING lmtext (body) WITH (model = 'm@1');
SELECT sound('long_body');

-- ---- Cancelled, and whose rights ----
CREATE FUNCTION slow(text) RETURNS text IMMUTABLE PARALLEL SAFE LANGUAGE plpgsql AS 'BEGIN PERFORM pg_catalog.pg_sleep(10); RETURN $1; END';
SET statement_timeout = '200ms';
CREATE INDEX doc_slow ON doc USING lmtext (test_parallel.slow(body)) WITH (model = 'm@1');
RESET statement_timeout;
SELECT left_over(), count(*) AS indexes FROM pg_index WHERE indrelid = 'doc'::regclass;
-- Rows are embedded as the owner of the index, in workers too.
CREATE ROLE test_parallel_owner;
GRANT CREATE, USAGE ON SCHEMA test_parallel TO test_parallel_owner;
CREATE TABLE owned WITH (parallel_workers = 2) AS SELECT * FROM doc;
ALTER TABLE owned OWNER TO test_parallel_owner;
SELECT refusal($$CREATE INDEX owned_body ON owned USING lmtext (body) WITH (model = 'm@1')$$);
GRANT SELECT ON "m@1" TO test_parallel_owner;
CREATE INDEX owned_body ON owned USING lmtext (body) WITH (model = 'm@1');
SELECT sound('owned_body');

SET client_min_messages = error;
DROP SCHEMA test_parallel CASCADE;
DROP ROLE test_parallel_owner;

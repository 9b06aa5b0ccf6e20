-- What an index takes over when it is built anew: the vectors of texts that it had, counted by what the model computes.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS lmtext;
CREATE SCHEMA test_reuse;
SET search_path = test_reuse, public;
\getenv source LMTEXT_SOURCE_DIR
\set tiny :source '/models/tiny/bert'
\set other :source '/models/tiny/bert-silu'
SELECT lmtext.import_model('m', :'tiny'), lmtext.import_model('other', :'other');
SET max_parallel_workers_per_gather = 0;
SET max_parallel_maintenance_workers = 0;
SET lmtext.embedding_model = 'm';
CREATE FUNCTION computed() RETURNS bigint LANGUAGE sql AS 'SELECT texts FROM lmtext.session_counters()';
CREATE FUNCTION sound(index regclass) RETURNS boolean LANGUAGE sql AS $$SELECT bool_and(ok) FROM lmtext.index_check(index)$$;
CREATE TABLE doc (id int PRIMARY KEY, body text);
INSERT INTO doc SELECT i, 'number ' || i || ' sat on mat ' || md5(i::text) FROM generate_series(1, 1200) i;
INSERT INTO doc VALUES (9001, NULL), (9002, ''), (9003, 'number 3 sat on mat ' || md5('3'));
CREATE FUNCTION found() RETURNS text LANGUAGE sql SET enable_seqscan = off AS
$$SELECT md5(string_agg(id || ' ' || round(d::numeric, 5), ',' ORDER BY id)) FROM (SELECT id, body <=> 'number seven' AS d FROM doc WHERE body IS NOT NULL ORDER BY body <=> 'number seven' LIMIT 2000) x$$;
SELECT computed() AS before \gset
CREATE INDEX doc_body ON doc USING lmtext (body) WITH (model = 'm@1');
SELECT computed() - :before AS embedded \gset first_
SELECT :first_embedded >= 1200 AS embedded, sound('doc_body');
SELECT found() AS rows \gset

-- ---- In place of the old file: the same rows, by the same numbers ----
SELECT computed() AS before \gset
REINDEX INDEX doc_body;
SELECT computed() - :before AS embedded, sound('doc_body'), found() = :'rows' AS same;
SELECT computed() AS before \gset
REINDEX TABLE doc;
VACUUM FULL doc;
CLUSTER doc USING doc_pkey;
ALTER TABLE doc SET UNLOGGED;
ALTER TABLE doc SET LOGGED;
SELECT computed() - :before AS embedded, sound('doc_body'), found() = :'rows' AS same;
-- Twice in a transaction, and after a subtransaction that was given up.
SELECT computed() AS before \gset
BEGIN;
REINDEX INDEX doc_body;
SAVEPOINT s;
REINDEX INDEX doc_body;
ROLLBACK TO s;
REINDEX INDEX doc_body;
REINDEX INDEX doc_body;
COMMIT;
SELECT computed() - :before AS embedded, sound('doc_body'), found() = :'rows' AS same;
-- Rows of a temporary table lie in buffers of the session.
CREATE TEMP TABLE own AS SELECT * FROM doc LIMIT 30;
CREATE INDEX own_body ON own USING lmtext (body) WITH (model = 'test_reuse.m@1');
SELECT computed() AS before \gset
REINDEX INDEX own_body;
SELECT computed() - :before AS embedded, sound('own_body');
-- What is new is embedded, and in the order of rows.
INSERT INTO doc SELECT i, 'new ' || i FROM generate_series(2001, 2040) i;
UPDATE doc SET body = 'changed ' || id WHERE id <= 10;
SELECT lmtext.index_flush('doc_body');
INSERT INTO doc SELECT i, 'waits ' || i FROM generate_series(2101, 2107) i;
SELECT computed() AS before \gset
REINDEX INDEX doc_body;
SELECT computed() - :before AS embedded, sound('doc_body');
-- By several processes.
SELECT found() AS rows \gset
SET max_parallel_maintenance_workers = 2;
ALTER TABLE doc SET (parallel_workers = 2);
SELECT sum(rows) AS before FROM lmtext.stats WHERE function = 'index' \gset
REINDEX INDEX doc_body;
SELECT sum(rows) - :before AS embedded, sound('doc_body'), found() = :'rows' AS same FROM lmtext.stats WHERE function = 'index';
SET max_parallel_maintenance_workers = 0;

-- ---- From another index of the table ----
SELECT computed() AS before \gset
REINDEX INDEX CONCURRENTLY doc_body;
CREATE INDEX doc_lists ON doc USING lmtext (body) WITH (model = 'test_reuse.m@1', lists = 4, words = true);
CREATE INDEX CONCURRENTLY doc_some ON doc USING lmtext (body) WITH (model = 'm@1') WHERE id < 100;
SELECT computed() - :before AS embedded, sound('doc_body'), sound('doc_lists'), sound('doc_some'), found() = :'rows' AS same;
DROP INDEX doc_some, doc_lists;

-- ---- Not another model's, and not where it is not wanted ----
SELECT computed() AS before \gset
CREATE INDEX doc_other ON doc USING lmtext (body) WITH (model = 'other@1');
SELECT computed() - :before > 1000 AS embedded, sound('doc_other');
DROP INDEX doc_other;
CREATE TABLE swap (body text);
CREATE INDEX swap_body ON swap USING lmtext (body) WITH (model = 'm@1');
INSERT INTO swap VALUES ('one'), ('two');
SELECT lmtext.index_flush('swap_body');
SET lmtext.reuse_vectors = off;
SELECT computed() AS before \gset
REINDEX INDEX swap_body;
SELECT computed() - :before AS embedded, sound('swap_body');
RESET lmtext.reuse_vectors;
DROP SCHEMA test_reuse CASCADE;

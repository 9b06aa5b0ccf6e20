-- Lists of an index that are made anew by VACUUM, where they do not fit its rows any more.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS lmtext;
CREATE SCHEMA test_lists;
SET search_path = test_lists, public;
\getenv source LMTEXT_SOURCE_DIR
\set tiny :source '/models/tiny/bert'
SELECT lmtext.import_model('m', :'tiny');
SET max_parallel_workers_per_gather = 0;
SET lmtext.embedding_model = 'm';
CREATE FUNCTION sound(index regclass) RETURNS boolean LANGUAGE sql AS $$SELECT bool_and(ok) FROM lmtext.index_check(index)$$;
-- Rows around one of 16 places.
CREATE FUNCTION vector(seed int, place int, noise float8 DEFAULT .4) RETURNS real[] LANGUAGE sql IMMUTABLE AS
$$SELECT array_agg((sin(place * 37 + i * (place + 3)) + noise * sin(seed * 7.31 + i * (seed % 89 + 1)))::real ORDER BY i) FROM generate_series(1, 32) i$$;
CREATE FUNCTION numbers(index regclass) RETURNS text LANGUAGE sql AS
$$SELECT format('rows %s lists %s of %s due %s even %s', rows, lists, lists_wanted, lists_due, imbalance < 4) FROM lmtext.index_stats(index)$$;
CREATE FUNCTION recall(index regclass) RETURNS boolean LANGUAGE sql AS $$SELECT recall >= .95 FROM lmtext.index_recall(index, 100, 10)$$;

-- ---- The schema first, rows later ----
CREATE TABLE v (id int PRIMARY KEY, v real[]);
CREATE INDEX v_i ON v USING lmtext (v real_l2_ops) WITH (lists = 16);
VACUUM v;
INSERT INTO v SELECT i, vector(i, i % 16) FROM generate_series(1, 200) i;
VACUUM v;
SELECT numbers('v_i');
INSERT INTO v SELECT i, vector(i, i % 16) FROM generate_series(201, 2000) i;
SELECT numbers('v_i');
VACUUM v;
SELECT numbers('v_i'), sound('v_i'), recall('v_i');
INSERT INTO v SELECT i, vector(i, i % 16) FROM generate_series(2001, 2300) i;
DELETE FROM v WHERE id % 10 = 0;
VACUUM v;
SELECT numbers('v_i'), sound('v_i'), recall('v_i');

-- ---- Rows that have drifted: many, and in few lists ----
DELETE FROM v WHERE id > 300;
INSERT INTO v SELECT i, vector(i, 3, .05) FROM generate_series(10001, 12000) i;
SELECT longest_list > 1500 AS most_in_one FROM lmtext.index_stats('v_i');
VACUUM v;
SELECT longest_list > 1500 AS most_in_one, lists_due FROM lmtext.index_stats('v_i');
SELECT sound('v_i'), recall('v_i');

-- ---- Pages are used again ----
SELECT bytes FROM lmtext.index_stats('v_i') \gset
ALTER INDEX v_i SET (lists = 5);
VACUUM v;
ALTER INDEX v_i SET (lists = 20);
VACUUM v;
ALTER INDEX v_i SET (lists = 5);
VACUUM v;
ALTER INDEX v_i SET (lists = 20);
VACUUM v;
ALTER INDEX v_i SET (lists = 5);
VACUUM v;
SELECT numbers('v_i'), sound('v_i'), recall('v_i');
ALTER INDEX v_i SET (lists = 1);
VACUUM v;
SELECT numbers('v_i'), sound('v_i'), bytes < 3 * :bytes AS bounded FROM lmtext.index_stats('v_i');
-- REINDEX does the same at once.
ALTER INDEX v_i SET (lists = 8);
REINDEX INDEX v_i;
SELECT numbers('v_i'), sound('v_i'), recall('v_i');

-- ---- Texts keep their vectors, and are known by their hashes ----
CREATE FUNCTION computed() RETURNS bigint LANGUAGE sql AS 'SELECT texts FROM lmtext.session_counters()';
CREATE TABLE doc (id int PRIMARY KEY, body text);
CREATE INDEX doc_body ON doc USING lmtext (body) WITH (model = 'm@1', lists = 10, words = true);
INSERT INTO doc SELECT i, 'number ' || i || ' sat on mat ' || md5(i::text) FROM generate_series(1, 600) i;
SELECT lmtext.index_flush('doc_body') > 0 AS flushed;
SELECT computed() AS before \gset
VACUUM doc;
SELECT numbers('doc_body'), sound('doc_body'), computed() - :before AS embedded;
UPDATE doc SET id = id + 1000;
VACUUM doc;
SELECT numbers('doc_body'), sound('doc_body'), computed() - :before AS embedded;
SET enable_seqscan = off;
SELECT round((body <=> ('number 77 sat on mat ' || md5('77')))::numeric, 2) AS distance FROM doc ORDER BY body <=> ('number 77 sat on mat ' || md5('77')) LIMIT 1;
-- What is found by the words of queries.
SELECT * FROM lmtext.index_recall('doc_body', ARRAY['number seven', 'sat on a mat', NULL, ''], k => 5);
SELECT recall IS NULL AS none, samples FROM lmtext.index_recall('doc_body', '{}'::text[]);
\set VERBOSITY sqlstate
SELECT lmtext.index_recall('v_i', ARRAY['number seven']);
SELECT lmtext.index_recall('doc_body', ARRAY['number seven'], 0);
SELECT lmtext.index_recall('doc_body', ARRAY['number seven'], 1001);
DROP SCHEMA test_lists CASCADE;

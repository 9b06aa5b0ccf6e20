-- The access method lmtext: indexes of texts by meaning and of vectors by distance.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS lmtext;
CREATE SCHEMA test_index;
SET search_path = test_index, public;
\getenv source LMTEXT_SOURCE_DIR
\set tiny :source '/models/tiny/bert'
\set other :source '/models/tiny/bert-silu'
SELECT lmtext.import_model('m', :'tiny'), lmtext.import_model('other', :'other');
SET max_parallel_workers_per_gather = 0;
SET lmtext.embedding_model = 'm';

-- Texts that a statement computes.
CREATE FUNCTION computed(command text) RETURNS bigint LANGUAGE plpgsql AS
$$DECLARE before bigint = (SELECT texts FROM lmtext.session_counters());
BEGIN
    EXECUTE command;
    RETURN (SELECT texts FROM lmtext.session_counters()) - before;
END$$;
-- The first rows by the plan that is made, and by sorting the table.
CREATE FUNCTION by_index(query text, scan boolean DEFAULT true) RETURNS int[] LANGUAGE plpgsql AS
$$DECLARE found int[];
BEGIN
    PERFORM set_config('enable_indexscan', scan::text, true), set_config('enable_seqscan', (NOT scan)::text, true);
    EXECUTE format('SELECT array_agg(id) FROM (%s) x', query) INTO found;
    RETURN found;
END$$;
-- But for one, where int8 cannot tell two rows apart.
CREATE FUNCTION agrees(query text) RETURNS boolean LANGUAGE sql AS
$$SELECT (SELECT count(*) FROM unnest(by_index(query)) i WHERE i = ANY (by_index(query, false)))
         >= cardinality(by_index(query, false)) - 1 AND cardinality(by_index(query)) = cardinality(by_index(query, false))$$;
CREATE FUNCTION plan(query text) RETURNS text LANGUAGE plpgsql AS
$$DECLARE line text;
BEGIN
    FOR line IN EXECUTE 'EXPLAIN (COSTS off) ' || query LOOP
        IF line ~ 'Scan using|Seq Scan|Bitmap' THEN RETURN trim(leading ' ->' FROM line); END IF;
    END LOOP;
END$$;
CREATE FUNCTION refusal(command text) RETURNS text LANGUAGE plpgsql AS
$$BEGIN
    EXECUTE command;
    RETURN 'accepted';
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE || ' ' || SQLERRM;
END$$;
CREATE FUNCTION sound(index regclass) RETURNS boolean LANGUAGE sql AS
$$SELECT bool_and(ok) FROM lmtext.index_check(index)$$;

-- A snapshot of autovacuum, which may look at some table, keeps what was deleted: VACUUM waits until there is none.
CREATE PROCEDURE alone() LANGUAGE plpgsql AS
$$BEGIN
    FOR i IN 1..3000 LOOP
        EXIT WHEN NOT EXISTS (SELECT FROM pg_stat_activity WHERE backend_xmin IS NOT NULL AND datname = current_database() AND pid <> pg_backend_pid());
        COMMIT;
        PERFORM pg_sleep(0.02);
    END LOOP;
END$$;
-- The models that an index depends on.
CREATE FUNCTION held(index regclass) RETURNS text LANGUAGE sql AS
$$SELECT string_agg(refobjid::regclass::text, ' ' ORDER BY 1) FROM pg_depend WHERE objid = index AND deptype = 'n' AND refclassid = 'pg_class'::regclass$$;

CREATE TABLE doc (id int PRIMARY KEY, body text, section text, short varchar(100));
INSERT INTO doc SELECT i, translate(i::text, '0123456789', 'abcdefghij') || ' sat on mat ' || md5(i::text), i % 7,
    'number ' || i FROM generate_series(1, 600) i;
INSERT INTO doc VALUES (1001, NULL, '0', NULL), (1002, '', '0', '');

-- ---- What an index may be ----
\set VERBOSITY default
CREATE INDEX ON doc USING lmtext (body);
CREATE INDEX ON doc USING lmtext (body) WITH (model = 'm');
CREATE INDEX ON doc USING lmtext (body) WITH (model = 'none@1');
CREATE INDEX ON doc USING lmtext (body) WITH (model = 'm@1', lists = 100000);
CREATE INDEX ON doc USING lmtext (body) WITH (model = 'm@1', color = 'red');
CREATE INDEX ON doc USING lmtext (id);
CREATE UNIQUE INDEX ON doc USING lmtext (body) WITH (model = 'm@1');
CREATE INDEX ON doc USING lmtext (body, section) WITH (model = 'm@1');
CREATE SCHEMA elsewhere;
CREATE TABLE elsewhere.doc (body text);
CREATE INDEX ON elsewhere.doc USING lmtext (body) WITH (model = 'm@1');
CREATE INDEX ON elsewhere.doc USING lmtext (body) WITH (model = 'test_index.m@1');
DROP SCHEMA elsewhere CASCADE;
CREATE TABLE vectors (id int, v real[] NOT NULL);
CREATE INDEX ON vectors USING lmtext (v) WITH (model = 'm@1');

-- ---- Texts ----
CREATE INDEX doc_body ON doc USING lmtext (body) WITH (model = 'm@1');
CREATE INDEX doc_short ON doc USING lmtext (short) WITH (model = 'test_index.m@1');
SELECT sound('doc_body'), sound('doc_short');
SELECT model, metric, dimensions, rows, lists FROM lmtext.index_stats('doc_body');
SELECT plan('SELECT id FROM doc ORDER BY body <=> ''words'' LIMIT 10');
SELECT plan('SELECT id FROM doc ORDER BY ''words'' <=> body LIMIT 10');
SELECT plan('SELECT id FROM doc ORDER BY short <=> ''words'' LIMIT 10');
SELECT plan('SELECT id FROM doc ORDER BY lmtext.distance(body, ''words'') LIMIT 10');
ANALYZE doc;
SET enable_seqscan = off;
SELECT plan('SELECT id FROM doc WHERE section = ''3'' ORDER BY body <=> ''words'' LIMIT 10');
SELECT agrees('SELECT id FROM doc ORDER BY body <=> ''the mat'' LIMIT 10');
SELECT agrees('SELECT id FROM doc WHERE section = ''3'' ORDER BY body <=> ''the mat'' LIMIT 10');
-- All rows but the null, each once; those that might be null are sorted, where all are asked for.
SELECT cardinality(found), cardinality(ARRAY(SELECT DISTINCT unnest(found)))
FROM by_index('SELECT id FROM doc WHERE body IS NOT NULL ORDER BY body <=> ''the mat''') found;
SELECT plan('SELECT id FROM doc WHERE body IS NOT NULL ORDER BY body <=> ''words'''), plan('SELECT id FROM doc ORDER BY body <=> ''words'''),
       plan('SELECT id FROM doc WHERE section IS NOT NULL ORDER BY body <=> ''words''');
SELECT count(*) FROM (SELECT id FROM doc ORDER BY body <=> 'the mat') x;
-- The words are computed once, and no row: the operator is given what the scan has.
SELECT computed('SELECT id FROM doc ORDER BY body <=> ''how many'' LIMIT 10');
SELECT computed('SELECT id, body <=> ''how many are there'', 1 - lmtext.distance(body, ''how many are there'')
                 FROM doc WHERE section = ''2'' ORDER BY body <=> ''how many are there'' LIMIT 10');
-- What a scan knows is its own statement's, and what no scan says it is of two texts.
BEGIN;
DECLARE c CURSOR FOR SELECT id FROM doc WHERE body IS NOT NULL ORDER BY body <=> 'what is known';
FETCH 3 FROM c \g /dev/null
CREATE TEMP TABLE told AS SELECT id, body FROM doc WHERE id IN (1, 2);
INSERT INTO told SELECT id, body FROM doc WHERE body IS NOT NULL ORDER BY body <=> 'what is known' LIMIT 1;
SELECT bool_and(body <=> 'what is known' = lmtext.cosine_distance(lmtext.embed(body), lmtext.embed('what is known'))) AS exact FROM told;
ROLLBACK;
SELECT bool_and(similarity = 1 - lmtext.cosine_distance(lmtext.embed(body), lmtext.embed('alike'))) AS exact FROM
    (SELECT body, lmtext.similarity(body, 'alike') FROM doc ORDER BY body <=> 'alike' LIMIT 5) x;
RESET enable_seqscan;
-- And it is the distance, as far as int8 has it.
SELECT max(abs(d - lmtext.cosine_distance(lmtext.embed(body), lmtext.embed('many mats')))) < 2e-3 AS near, bool_and(d >= before) AS in_order FROM
    (SELECT body, d, lag(d, 1, -1) OVER () AS before FROM
        (SELECT body, body <=> 'many mats' AS d FROM doc ORDER BY body <=> 'many mats' LIMIT 50) x) y;

-- ---- Writing ----
SELECT computed('UPDATE doc SET id = id + 2000 WHERE id <= 100');
SELECT computed('UPDATE doc SET body = ''another '' || id WHERE id BETWEEN 201 AND 220');
SELECT computed('INSERT INTO doc VALUES (5000, ''a new text''), (5001, ''a new text''), (5002, NULL)');
SELECT (by_index('SELECT id FROM doc ORDER BY body <=> ''a new text'' LIMIT 2')) AS first;
DELETE FROM doc WHERE id BETWEEN 301 AND 400;
CALL alone();
VACUUM doc;
SELECT sound('doc_body'), sound('doc_short');
SELECT rows FROM lmtext.index_stats('doc_body');
INSERT INTO doc SELECT id + 10000, body, section, short FROM doc WHERE id BETWEEN 401 AND 500;
SELECT rows, free < 200 AS places_are_used_again FROM lmtext.index_stats('doc_body');
SELECT sound('doc_body'), agrees('SELECT id FROM doc ORDER BY body <=> ''sat on'' LIMIT 10');
REINDEX INDEX doc_body;
REINDEX INDEX CONCURRENTLY doc_body;
VACUUM FULL doc;
SELECT sound('doc_body'), sound('doc_short');
SELECT plan('SELECT id FROM doc ORDER BY body <=> ''words'' LIMIT 10');

-- ---- Rows that wait for being embedded ----
CREATE TABLE later (id int, body text, number int) WITH (fillfactor = 50, autovacuum_enabled = off);
CREATE INDEX later_body ON later USING lmtext (body) WITH (model = 'm@1');
CREATE FUNCTION waiting(index text DEFAULT 'later_body') RETURNS text LANGUAGE sql AS
$$SELECT rows || ' and ' || pending FROM lmtext.index_stats(index::regclass)$$;
-- The first one does not, for errors and the width; nor does a text that is there.
SELECT computed('INSERT INTO later VALUES (0, ''the first one'')'), waiting();
SELECT computed('INSERT INTO later SELECT i, translate(i::text, ''0123456789'', ''abcdefghij'') || '' waits '' || i FROM generate_series(1, 200) i'), waiting();
SELECT computed('INSERT INTO later VALUES (201, ''the first one'')'), waiting(), sound('later_body');
-- Who searches embeds them, once; nothing is left out.
SELECT by_index('SELECT id FROM later ORDER BY body <=> ''bcd waits 123'' LIMIT 1'), waiting(), sound('later_body');
SELECT computed('SELECT id FROM later ORDER BY body <=> ''all of them are there'' LIMIT 10');
SELECT agrees('SELECT id FROM later ORDER BY body <=> ''b waits'' LIMIT 10'), cardinality(by_index('SELECT id FROM later WHERE body IS NOT NULL ORDER BY body <=> ''b waits'''));
-- So does index_flush, for the owner. Rows that nobody sees any more are not embedded, versions of one row are one.
INSERT INTO later SELECT i, 'again ' || i FROM generate_series(301, 400) i;
BEGIN; INSERT INTO later SELECT i, 'rolled back ' || i FROM generate_series(1, 30) i; ROLLBACK;
DELETE FROM later WHERE id > 390;
UPDATE later SET number = 1 WHERE id BETWEEN 301 AND 320;
UPDATE later SET body = body || ' with other words' WHERE id BETWEEN 321 AND 330;
SELECT waiting(), sound('later_body');
SELECT computed('SELECT lmtext.index_flush(''later_body'')') BETWEEN 90 AND 100 AS computed, waiting() ~ ' and 0$' AS flushed, sound('later_body');
SELECT lmtext.index_flush('later_body'), agrees('SELECT id FROM later WHERE id < 300 ORDER BY body <=> ''bcd waits'' LIMIT 10');
-- VACUUM takes dead ones out and embeds the others.
INSERT INTO later SELECT i, 'third ' || i FROM generate_series(501, 600) i;
DELETE FROM later WHERE id > 550;
CALL alone();
VACUUM later;
SELECT waiting(), sound('later_body');
-- What a transaction has written itself it finds.
BEGIN;
INSERT INTO later VALUES (700, 'mine alone');
SELECT by_index('SELECT id FROM later ORDER BY body <=> ''mine alone'' LIMIT 1');
ROLLBACK;
SELECT by_index('SELECT id FROM later ORDER BY body <=> ''mine alone'' LIMIT 1') <> '{700}' AS gone;
-- As many as the option says wait, on as many pages as it takes; or none.
ALTER INDEX later_body SET (pending_limit = 50);
SELECT computed('INSERT INTO later SELECT i, ''limited '' || i FROM generate_series(1001, 1120) i'), waiting();
ALTER INDEX later_body SET (pending_limit = 5000);
SELECT computed('INSERT INTO later SELECT i, ''many '' || i FROM generate_series(2001, 5000) i'), waiting(), sound('later_body');
DELETE FROM later WHERE id % 10 > 0;
SELECT lmtext.index_flush('later_body') BETWEEN 302 AND 2000 AS flushed, sound('later_body');
CALL alone();
VACUUM later;
SELECT waiting(), sound('later_body'), agrees('SELECT id FROM later WHERE id < 300 ORDER BY body <=> ''bcd waits'' LIMIT 10');
INSERT INTO later SELECT i, 'more ' || i FROM generate_series(6001, 6020) i;
REINDEX INDEX CONCURRENTLY later_body;
SELECT waiting(), sound('later_body');
ALTER INDEX later_body SET (pending_limit = 0);
SELECT computed('INSERT INTO later VALUES (7000, ''at once'')'), waiting();
CREATE INDEX later_both ON later USING lmtext ((body || ' ' || id)) WITH (model = 'm@1');
SELECT computed('INSERT INTO later VALUES (7001, ''at once'')'), waiting('later_both');
SELECT refusal('ALTER INDEX later_body SET (pending_limit = 100000)'), refusal('SELECT lmtext.index_flush(''doc_pkey'')');
DROP TABLE later;

-- ---- Which model ----
SELECT refusal('DROP TABLE "m@1"');
SET enable_seqscan = off;
SET lmtext.embedding_model = 'other';
SELECT plan('SELECT id FROM doc ORDER BY body <=> ''words'' LIMIT 10');
SET lmtext.embedding_model = '';
SELECT plan('SELECT id FROM doc ORDER BY body <=> ''words'' LIMIT 10');
SET lmtext.embedding_model = 'm@1';
SELECT plan('SELECT id FROM doc ORDER BY body <=> ''words'' LIMIT 10');
SET lmtext.on_long = 'error';
SELECT plan('SELECT id FROM doc ORDER BY body <=> ''words'' LIMIT 10');
RESET lmtext.on_long;
-- No other use.
SELECT query, plan(query) ~ 'doc_body|doc_short' AS uses_it
FROM unnest('{SELECT count(*) FROM doc,SELECT id FROM doc,SELECT body FROM doc WHERE body <=> ''a'' < .1}'::text[]) query;
RESET enable_seqscan;
-- Plans that are kept follow the setting, and what it means.
SET plan_cache_mode = force_generic_plan;
SET lmtext.embedding_model = 'm';
PREPARE nearest(text) AS SELECT id FROM doc ORDER BY body <=> $1 LIMIT 3;
EXPLAIN (COSTS off) EXECUTE nearest('words');
SET lmtext.embedding_model = 'other';
EXPLAIN (COSTS off) EXECUTE nearest('words');
SET lmtext.embedding_model = 'm';
EXPLAIN (COSTS off) EXECUTE nearest('words');
SELECT lmtext.import_model('m', :'other');
SELECT lmtext.deploy('m', 2);
EXPLAIN (COSTS off) EXECUTE nearest('words');
SELECT lmtext.deploy('m', 1);
EXPLAIN (COSTS off) EXECUTE nearest('words');
DEALLOCATE nearest;
RESET plan_cache_mode;
-- A scan that has begun does not change its model.
BEGIN;
SET LOCAL enable_seqscan = off;
DECLARE c CURSOR FOR SELECT id FROM doc WHERE body IS NOT NULL ORDER BY body <=> 'the words';
FETCH 1 FROM c \g /dev/null
ROLLBACK;
BEGIN;
DECLARE c CURSOR FOR SELECT id FROM doc WHERE body IS NOT NULL ORDER BY body <=> 'the words';
SET LOCAL lmtext.embedding_model = 'other';
\set VERBOSITY sqlstate
FETCH 1 FROM c;
\set VERBOSITY default
ROLLBACK;
-- Rows keep their model; its name may be written otherwise.
CREATE TABLE swap AS SELECT id, body FROM doc WHERE id BETWEEN 401 AND 420;
CREATE INDEX swap_body ON swap USING lmtext (body) WITH (model = 'm@1');
ALTER INDEX swap_body SET (model = 'other@1');
SELECT change, refusal(format('ALTER INDEX swap_body %s', change)) FROM unnest(ARRAY['RESET (model)', 'SET (model = '''')', 'SET (model = ''none@1'')',
    'SET (model = ''other'')', 'SET (lists = 3)', 'SET (model = ''test_index.m@1'')', 'RENAME TO swapped']) change;
INSERT INTO swap VALUES (1, 'a text that it has not seen');
SELECT reloptions FROM pg_class WHERE relname = 'swapped';
SELECT sound('swapped'), held('swapped');
TRUNCATE swap;
ALTER INDEX swapped SET (model = 'other@1');
INSERT INTO swap VALUES (1, 'a text that it has not seen');
SELECT sound('swapped'), held('swapped');
DROP TABLE swap;
-- One that has no rows, whose options are those that CREATE INDEX takes; and one whose table moves.
CREATE TABLE swap (id int, body text);
CREATE INDEX swap_body ON swap USING lmtext (body) WITH (model = 'm@1');
SELECT change, refusal(format('ALTER INDEX swap_body %s', change)) FROM unnest(ARRAY['RESET (model)', 'SET (model = '''')', 'SET (model = ''none@1'')',
    'SET (model = ''public.none@1'')', 'SET (words = true, words_config = ''none'')']) change;
ALTER INDEX swap_body SET (model = 'other@1');
INSERT INTO swap VALUES (1, 'a text');
SELECT held('swap_body'), left(refusal('DROP TABLE "other@1"'), 5);
REINDEX INDEX swap_body;
SELECT held('swap_body');
CREATE SCHEMA elsewhere;
SELECT lmtext.import_model('elsewhere.other', :'tiny');
ALTER TABLE swap SET SCHEMA elsewhere;
SET search_path = elsewhere, test_index, public;
INSERT INTO elsewhere.swap VALUES (2, 'another text');
SET search_path = pg_catalog;
INSERT INTO elsewhere.swap VALUES (3, 'a third text');
REINDEX INDEX elsewhere.swap_body;
SET search_path = test_index, public;
SELECT sound('elsewhere.swap_body'), held('elsewhere.swap_body');
SET client_min_messages = error;
DROP SCHEMA elsewhere CASCADE;
SET client_min_messages = warning;
-- Built anew concurrently it would keep the dependencies of the model before.
CREATE TABLE swap AS SELECT id, body FROM doc WHERE id BETWEEN 401 AND 405;
CREATE INDEX swap_body ON swap USING lmtext (body) WITH (model = 'm@1');
REINDEX INDEX CONCURRENTLY swap_body;
SELECT held('swap_body');
TRUNCATE swap;
ALTER INDEX swap_body SET (model = 'other@1');
\set VERBOSITY default
REINDEX INDEX CONCURRENTLY swap_body;
SELECT held('swap_body');
DROP TABLE swap;
-- A transaction's temporary rows go, the index stays one with one dependency.
CREATE TEMP TABLE fleeting (body text) ON COMMIT DELETE ROWS;
CREATE INDEX fleeting_body ON fleeting USING lmtext (body) WITH (model = 'test_index.m@1');
SELECT min(xmin::text) AS made FROM pg_depend WHERE objid = 'fleeting_body'::regclass AND deptype = 'n' \gset
BEGIN; INSERT INTO fleeting VALUES ('one'); COMMIT;
SELECT count(*), min(xmin::text) = :'made' AS as_made FROM pg_depend WHERE objid = 'fleeting_body'::regclass AND deptype = 'n';
DROP TABLE fleeting;

-- ---- Texts that have no vector, and models with two sides ----
SELECT lmtext.import_model('blind', :'source' || '/models/tiny/static-model2vec'), lmtext.import_model('asym', :'source' || '/models/tiny/router-asym');
CREATE TABLE seen AS SELECT id, body FROM (VALUES (1, 'the cat'), (2, '日'), (3, 'data base query'), (4, 'the cat sat')) v (id, body);
SET lmtext.on_empty = 'null';
CREATE INDEX seen_body ON seen USING lmtext (body) WITH (model = 'blind@1');
INSERT INTO seen VALUES (5, '日日');
RESET lmtext.on_empty;
SELECT sound('seen_body'), rows FROM lmtext.index_stats('seen_body');
DROP INDEX seen_body;
DELETE FROM seen WHERE id IN (2, 5);
CREATE INDEX seen_body ON seen USING lmtext (body) WITH (model = 'asym@1');
SET lmtext.embedding_model = 'asym';
SET enable_seqscan = off;
SELECT count(*), bool_and(abs(d - lmtext.cosine_distance(lmtext.embed_query(q), lmtext.embed_document(body))) < 2e-3) AS sides FROM (VALUES ('the cat'), ('query')) w (q),
    LATERAL (SELECT body, q <=> body AS d FROM seen ORDER BY q <=> body LIMIT 2) x;
SET enable_seqscan = on;
SET enable_indexscan = off;
SELECT count(*), bool_and(abs(d - lmtext.cosine_distance(lmtext.embed_query(q), lmtext.embed_document(body))) < 2e-3) AS sides FROM (VALUES ('the cat'), ('query')) w (q),
    LATERAL (SELECT body, q <=> body AS d FROM seen ORDER BY q <=> body LIMIT 2) x;
RESET enable_seqscan;
RESET enable_indexscan;
SET lmtext.embedding_model = 'm';

-- ---- Who ----
CREATE ROLE index_reader;
CREATE ROLE index_writer;
GRANT USAGE ON SCHEMA test_index TO index_reader, index_writer;
GRANT SELECT ON doc TO index_reader;
GRANT INSERT ON doc TO index_writer;
SET ROLE index_writer;
INSERT INTO doc VALUES (6000, 'written by somebody who may not use the model');
RESET ROLE;
SET ROLE index_reader;
SELECT refusal('SELECT id FROM test_index.doc ORDER BY body OPERATOR(public.<=>) ''words'' LIMIT 1');
SELECT refusal('SELECT lmtext.index_stats(''test_index.doc_body'')') , refusal('SELECT lmtext.index_check(''test_index.doc_body'')'),
       refusal('SELECT lmtext.index_recall(''test_index.doc_body'')'), refusal('SELECT lmtext.index_flush(''test_index.doc_body'')');
RESET ROLE;
SELECT lmtext.grant_model('m', 'index_reader') \g /dev/null
-- The expression of an index runs as the owner of its table, whoever checks it.
CREATE FUNCTION shown(body text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN body; END';
CREATE TABLE owned AS SELECT id, body FROM doc WHERE id BETWEEN 401 AND 405;
CREATE INDEX owned_body ON owned USING lmtext (shown(body)) WITH (model = 'm@1');
ALTER TABLE owned OWNER TO index_writer;
SELECT sound('owned_body');
CREATE OR REPLACE FUNCTION shown(body text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS
$$BEGIN RAISE 'run by % under %', current_user, current_setting('search_path'); END$$;
SELECT refusal('SELECT lmtext.index_check(''owned_body'')'), current_user = session_user AS itself, current_setting('search_path');
CREATE OR REPLACE FUNCTION shown(body text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS
$$BEGIN PERFORM set_config('role', 'none', true); RETURN body; END$$;
SELECT refusal('SELECT lmtext.index_check(''owned_body'')');
DROP TABLE owned;
-- Row security: the same rows by index and by sorting, of those that may be seen.
CREATE POLICY a_few ON doc FOR SELECT TO index_reader USING (id % 10 = 3);
ALTER TABLE doc ENABLE ROW LEVEL SECURITY;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA test_index TO index_reader;
GRANT SELECT (file) ON "m@1" TO index_reader;
SET ROLE index_reader;
SELECT agrees('SELECT id FROM doc ORDER BY body <=> ''mats'' LIMIT 12'),
       (SELECT bool_and(i % 10 = 3) FROM unnest(by_index('SELECT id FROM doc ORDER BY body <=> ''mats'' LIMIT 12')) i) AS visible;
SELECT index_last_scan IS NULL AS not_told FROM lmtext.index_last_scan();
-- And no distance tells of those that may not.
SET enable_seqscan = off;
SELECT bool_and(d = lmtext.cosine_distance(lmtext.embed(body), lmtext.embed('unseen mats'))) AS exact FROM
    (SELECT body, body <=> 'unseen mats' AS d FROM doc ORDER BY body <=> 'unseen mats' LIMIT 3) x;
RESET enable_seqscan;
RESET ROLE;
ALTER TABLE doc DISABLE ROW LEVEL SECURITY;

-- ---- Kinds of indexes and tables ----
CREATE INDEX doc_some ON doc USING lmtext ((body || ' ' || section)) WITH (model = 'm@1') WHERE section < '3';
SELECT plan('SELECT id FROM doc WHERE section < ''3'' ORDER BY (body || '' '' || section) <=> ''words'' LIMIT 10'), sound('doc_some');
DROP INDEX doc_some;
CREATE UNLOGGED TABLE unlogged AS SELECT id, body FROM doc WHERE id BETWEEN 401 AND 420;
CREATE INDEX unlogged_body ON unlogged USING lmtext (body) WITH (model = 'm@1');
INSERT INTO unlogged VALUES (1, 'one');
CREATE TEMP TABLE temporary AS SELECT id, body FROM doc WHERE id BETWEEN 401 AND 420;
CREATE INDEX temporary_body ON temporary USING lmtext (body) WITH (model = 'test_index.m@1');
INSERT INTO temporary VALUES (1, 'one');
SELECT sound('unlogged_body'), sound('temporary_body');
CREATE TABLE parts (id int, body text) PARTITION BY RANGE (id);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (450);
CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM (450) TO (10000);
CREATE INDEX parts_body ON parts USING lmtext (body) WITH (model = 'm@1');
INSERT INTO parts SELECT id, body FROM doc WHERE id BETWEEN 401 AND 500;
SELECT agrees('SELECT id FROM parts ORDER BY body <=> ''mats'' LIMIT 10'), sound('parts_1_body_idx'), sound('parts_2_body_idx');
TRUNCATE parts;
SELECT sound('parts_1_body_idx'), by_index('SELECT id FROM parts ORDER BY body <=> ''mats'' LIMIT 10');
INSERT INTO parts SELECT id, body FROM doc WHERE id BETWEEN 401 AND 430;
SELECT sound('parts_1_body_idx'), agrees('SELECT id FROM parts ORDER BY body <=> ''mats'' LIMIT 10');
CREATE INDEX CONCURRENTLY doc_again ON doc USING lmtext (body) WITH (model = 'm@1', lists = 5);
SELECT sound('doc_again'), lists FROM lmtext.index_stats('doc_again');
DROP INDEX doc_again;

-- ---- Vectors ----
CREATE FUNCTION vector(seed int, width int) RETURNS real[] LANGUAGE sql IMMUTABLE AS
$$SELECT array_agg((((seed * 7919 + i * 104729 + (seed * i) % 251 * 31) % 1009) / 1009.0 - .5)::real ORDER BY i) FROM generate_series(1, width) i$$;
INSERT INTO vectors SELECT i, vector(i, 96) FROM generate_series(1, 1500) i;
CREATE INDEX vectors_cosine ON vectors USING lmtext (v);
CREATE INDEX vectors_l2 ON vectors USING lmtext (v real_l2_ops) WITH (lists = 20);
CREATE INDEX vectors_ip ON vectors USING lmtext (v real_ip_ops);
SELECT metric, rows, lists FROM lmtext.index_stats('vectors_cosine') UNION ALL SELECT metric, rows, lists FROM lmtext.index_stats('vectors_l2')
UNION ALL SELECT metric, rows, lists FROM lmtext.index_stats('vectors_ip');
INSERT INTO vectors SELECT i, vector(i, 96) FROM generate_series(1501, 2000) i;
SELECT plan('SELECT id FROM vectors ORDER BY v <=> vector(3, 96) LIMIT 10'), plan('SELECT id FROM vectors ORDER BY v <-> vector(3, 96) LIMIT 10'),
       plan('SELECT id FROM vectors ORDER BY v <#> vector(3, 96) LIMIT 10');
SELECT operator, bool_and(agrees(format('SELECT id FROM vectors ORDER BY v %s vector(%s, 96) LIMIT 10', operator, q))) AS found
FROM unnest('{<=>,<->,<#>}'::text[]) operator, generate_series(3000, 3009) q GROUP BY operator ORDER BY 1;
SELECT sound('vectors_cosine'), sound('vectors_l2'), sound('vectors_ip');
SELECT recall > .9 AS good, samples, k FROM lmtext.index_recall('vectors_cosine', 20, 5);
SELECT recall > .9 AS good, samples, k FROM lmtext.index_recall('vectors_l2', 20);
DELETE FROM vectors WHERE id % 2 = 0;
VACUUM vectors;
INSERT INTO vectors SELECT i, vector(i, 96) FROM generate_series(2001, 3000) i;
SELECT sound('vectors_cosine'), sound('vectors_l2'), sound('vectors_ip');
-- A scan goes on until all rows are returned; or as far as it is told.
SELECT count(*), count(DISTINCT i) FROM unnest(by_index('SELECT id FROM vectors ORDER BY v <=> vector(3, 96)')) i;
SELECT count(*), count(DISTINCT i) FROM unnest(by_index('SELECT id FROM vectors ORDER BY v <-> vector(3, 96)')) i;
SELECT cardinality(by_index('SELECT id FROM vectors WHERE id % 400 = 1 ORDER BY v <=> vector(3, 96) LIMIT 5'));
-- And where they are more than memory takes.
CREATE TEMP TABLE in_memory AS SELECT i, ordinality FROM unnest(by_index('SELECT id FROM vectors ORDER BY v <-> vector(3, 96)')) WITH ORDINALITY x (i);
SET work_mem = '64kB';
SELECT count(*), count(DISTINCT i) FROM unnest(by_index('SELECT id FROM vectors ORDER BY v <-> vector(3, 96)')) i;
SELECT count(*) FILTER (WHERE x.i = in_memory.i) > 10 AS nearest_are_the_same FROM unnest(by_index('SELECT id FROM vectors ORDER BY v <-> vector(3, 96)')) WITH ORDINALITY x (i) JOIN in_memory USING (ordinality) WHERE ordinality <= 20;
SET lmtext.ordering = strict;
SELECT bool_and(d >= before) AS in_order, count(*) > 1800 AS most_rows FROM (SELECT d, lag(d, 1, -9) OVER () AS before FROM
    (SELECT v <-> vector(3, 96) AS d FROM vectors ORDER BY v <-> vector(3, 96)) x) y;
RESET lmtext.ordering;
SELECT recall > .9 AS good FROM lmtext.index_recall('vectors_l2', 5);
RESET work_mem;
SET lmtext.max_scan_tuples = 150;
SELECT cardinality(by_index('SELECT id FROM vectors ORDER BY v <=> vector(3, 96)')) < 1000 AS ends_early;
RESET lmtext.max_scan_tuples;
SET lmtext.ordering = strict;
SELECT bool_and(d >= before) AS in_order, count(*) > 1800 AS most_rows FROM (SELECT d, lag(d, 1, -9) OVER () AS before FROM
    (SELECT v <-> vector(3, 96) AS d FROM vectors ORDER BY v <-> vector(3, 96)) x) y;
RESET lmtext.ordering;
SET lmtext.search_effort = 1000;
SET lmtext.search_effort = 10;
SELECT agrees('SELECT id FROM vectors ORDER BY v <-> vector(77, 96) LIMIT 10');
RESET lmtext.search_effort;
-- A filter that few rows pass gets its LIMIT all the same, and the rows that a sorted table gives.
CREATE TABLE picky AS SELECT i AS id, i % 100 AS of_100, i % 1000 AS of_1000, vector(i, 16) AS v FROM generate_series(1, 12000) i;
CREATE INDEX picky_v ON picky USING lmtext (v real_l2_ops) WITH (lists = 30);
SELECT filter, cardinality(by_index(q)) AS rows, agrees(q) FROM unnest('{of_100 = 7,of_1000 = 7}'::text[]) filter,
    format('SELECT id FROM picky WHERE %s ORDER BY v <-> vector(77, 16) LIMIT 10', filter) q;
-- What a scan has looked at: the last one, and that of EXPLAIN since PostgreSQL 18.
SELECT cardinality(by_index('SELECT id FROM picky ORDER BY v <-> vector(77, 16) LIMIT 10'));
SELECT index, model, embedded, rounds, lists BETWEEN 1 AND 30 AS some_lists, codes BETWEEN 100 AND 12000 AS some_codes, reranked BETWEEN 100 AND 12000 AS some_rows
FROM lmtext.index_last_scan();
SELECT cardinality(by_index('SELECT id FROM picky WHERE of_1000 = 7 ORDER BY v <-> vector(77, 16) LIMIT 12'));
SELECT rounds > 1 AS more_rounds, lists > 30 AS all_lists, reranked FROM lmtext.index_last_scan();
CREATE FUNCTION explained(query text) RETURNS SETOF text LANGUAGE plpgsql AS
$$DECLARE line text;
BEGIN
    SET LOCAL enable_seqscan = off;
    FOR line IN EXECUTE 'EXPLAIN (ANALYZE, COSTS off, TIMING off, SUMMARY off) ' || query LOOP
        IF line ~ 'Rounds|Lists|Codes|Re-ranked|Model' THEN RETURN NEXT trim(regexp_replace(line, '\d+', 'N')); END IF;
    END LOOP;
END$$;
SELECT string_agg(l, ', ') IS NOT DISTINCT FROM CASE WHEN current_setting('server_version_num')::int >= 180000
    THEN 'Rounds: N, Lists Probed: N, Codes Scanned: N, Rows Re-ranked: N' END AS explained
FROM explained('SELECT id FROM picky ORDER BY v <-> vector(77, 16) LIMIT 10') l;
DROP TABLE picky;
-- What is no vector of the index.
SELECT refusal('INSERT INTO vectors VALUES (0, ''{1,2}'')'), refusal('INSERT INTO vectors VALUES (0, ''{}'')');
SELECT refusal('INSERT INTO vectors SELECT 0, array_fill(''NaN''::real, ''{96}'')'), refusal('INSERT INTO vectors SELECT 0, array_fill(1::real, ''{20000}'')');
SELECT refusal('SELECT by_index(''SELECT id FROM vectors ORDER BY v <=> ''''{1,2}'''' LIMIT 1'')');
CREATE TABLE bad AS SELECT 1 AS id, '{1,2}'::real[] AS v UNION ALL SELECT 2, '{1,2,3}';
SELECT refusal('CREATE INDEX ON bad USING lmtext (v)');
-- Vectors without a direction have no cosine, and are left out by it.
CREATE TABLE zero AS SELECT 1 AS id, '{0,0}'::real[] AS v UNION ALL SELECT 2, '{1,2}' UNION ALL SELECT 3, NULL;
CREATE INDEX zero_cosine ON zero USING lmtext (v);
CREATE INDEX zero_l2 ON zero USING lmtext (v real_l2_ops);
INSERT INTO zero VALUES (4, '{0,0}');
SELECT by_index('SELECT id FROM zero WHERE v IS NOT NULL ORDER BY v <=> ''{1,1}'''), by_index('SELECT id FROM zero WHERE v IS NOT NULL ORDER BY v <-> ''{1,1}''');
SELECT sound('zero_cosine'), sound('zero_l2');
-- A null is at no distance from anything.
PREPARE of_null(real[]) AS SELECT count(*) FROM (SELECT id FROM zero WHERE v IS NOT NULL ORDER BY v <-> $1) x;
SET plan_cache_mode = force_generic_plan;
SET enable_seqscan = off;
EXECUTE of_null(NULL);
RESET enable_seqscan;
RESET plan_cache_mode;
-- A join asks again and again.
SET enable_seqscan = off;
SELECT q, id, round(d::numeric, 4) AS d FROM generate_series(5, 7, 2) q, LATERAL (SELECT id, v <-> vector(q, 96) AS d FROM vectors ORDER BY v <-> vector(q, 96) LIMIT 1) x;
RESET enable_seqscan;

-- ---- Every width, in one page and over several ----
CREATE TABLE wide (id int, v real[]);
CREATE FUNCTION of_width(width int, rows int, class text, operator text) RETURNS text LANGUAGE plpgsql AS
$$DECLARE answer text;
BEGIN
    DROP INDEX IF EXISTS wide_v;
    TRUNCATE wide;
    INSERT INTO wide SELECT i, vector(i, width) FROM generate_series(1, rows) i;
    EXECUTE format('CREATE INDEX wide_v ON wide USING lmtext (v %s)', class);
    INSERT INTO wide SELECT i, vector(i, width) FROM generate_series(rows + 1, rows + 40) i;
    answer := 'found: ' || agrees(format('SELECT id FROM wide ORDER BY v %s vector(5000, %s) LIMIT 10', operator, width));
    RETURN answer || ', sound: ' || sound('wide_v');
END$$;
SELECT width, of_width(width, 20, 'real_l2_ops', '<->') FROM unnest('{2,63,64,65,1024,1920,2000,8000,8200,16000}'::int[]) width;
SELECT of_width(2000, 150, 'real_cosine_ops', '<=>'), of_width(8200, 150, 'real_l2_ops', '<->');
SELECT refusal('SELECT of_width(16001, 1, ''real_l2_ops'', ''<->'')');

-- ---- What is none ----
SELECT refusal('SELECT lmtext.index_stats(''doc_pkey'')'), refusal('SELECT lmtext.index_check(''doc'')'),
       refusal('SELECT lmtext.index_recall(''parts_body'')'), refusal('SELECT lmtext.index_recall(''doc_body'', 0)'),
       refusal('SELECT lmtext.index_recall(''doc_body'', 1, 0)');
SELECT opcname, amvalidate(oid) FROM pg_opclass WHERE opcmethod = (SELECT oid FROM pg_am WHERE amname = 'lmtext') ORDER BY 1;
-- Classes that anybody may make: points as a function makes vectors of them; then another function, none, an operator that compares.
CREATE FUNCTION reals(p point, length int, explicit boolean) RETURNS real[] LANGUAGE sql IMMUTABLE AS 'SELECT ARRAY[p[0], p[1]]::real[]';
CREATE OPERATOR CLASS point_ops FOR TYPE point USING lmtext AS OPERATOR 2 <-> (point, point) FOR ORDER BY float_ops, FUNCTION 1 (point, point) reals(point, int, boolean);
CREATE OPERATOR CLASS odd_ops FOR TYPE box USING lmtext AS OPERATOR 2 <-> (box, box) FOR ORDER BY float_ops, FUNCTION 1 (box, box) area(box);
CREATE OPERATOR CLASS plain_ops FOR TYPE circle USING lmtext AS OPERATOR 2 <-> (circle, circle) FOR ORDER BY float_ops;
CREATE OPERATOR CLASS equal_ops FOR TYPE text USING lmtext AS OPERATOR 1 = (text, text);
SELECT opcname, amvalidate(oid) FROM pg_opclass WHERE opcnamespace = 'test_index'::regnamespace ORDER BY 1;
SELECT n, pg_indexam_progress_phasename((SELECT oid FROM pg_am WHERE amname = 'lmtext'), n) FROM unnest('{0,1,2,1000}'::int[]) n;

-- ---- Distances of scans that are open beside each other, and of a scan that is asked again ----
SET enable_seqscan = off;
SET enable_sort = off;
SELECT count(*), bool_and(abs(a.d - (a.body <=> 'aba')) < 2e-3 AND abs(b.d - (b.body <=> 'abb')) < 2e-3) AS same FROM
    (SELECT body, body <=> 'aba' AS d FROM doc ORDER BY body <=> 'aba' LIMIT 3) a, (SELECT body, body <=> 'abb' AS d FROM doc ORDER BY body <=> 'abb' LIMIT 3) b;
SELECT count(*), bool_and(abs(d - (body <=> q)) < 2e-3) AS same FROM (VALUES ('aba'), ('aba'), ('abb'), (NULL), ('abb')) w (q),
    LATERAL (SELECT body, body <=> q AS d FROM doc ORDER BY body <=> q LIMIT 2) x;
RESET enable_seqscan;
RESET enable_sort;

\set VERBOSITY terse
DROP SCHEMA test_index CASCADE;
DROP ROLE index_reader, index_writer;

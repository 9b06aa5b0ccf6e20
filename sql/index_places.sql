-- WHERE … ORDER BY body <=> 'words': other indexes say which rows there may be, and the index ranks them (Custom Scan LmtextFilter).
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS lmtext;
CREATE SCHEMA test_places;
SET search_path = test_places, public;
\getenv source LMTEXT_SOURCE_DIR
\set tiny :source '/models/tiny/bert'
\set distilbert :source '/models/tiny/distilbert'
SELECT lmtext.import_model('m', :'tiny'), lmtext.import_model('other', :'distilbert');
SET lmtext.embedding_model = 'm';
SET max_parallel_workers_per_gather = 0;
SET jit = off;
-- The tiny model knows letters.
CREATE FUNCTION spelled(i int) RETURNS text LANGUAGE sql IMMUTABLE AS $$SELECT translate(substr(md5(i::text), 1, 12), '0123456789', 'ghijklmnop')$$;
CREATE TABLE doc (id int PRIMARY KEY, part int, body text, author text DEFAULT 'ann') WITH (fillfactor = 50, autovacuum_enabled = off);
INSERT INTO doc SELECT i, i % 100, spelled(i) FROM generate_series(1, 3000) i;
CREATE INDEX doc_body ON doc USING lmtext (body) WITH (model = 'm@1');
CREATE INDEX doc_part ON doc (part);
VACUUM ANALYZE doc;
-- The tiny model is so fast that the planner would rather embed some texts than read rows in another order.
SET enable_sort = off;
EXPLAIN (COSTS off) SELECT id FROM doc WHERE part = 7 ORDER BY body <=> 'number seven sat' LIMIT 10;
-- Is the plan one?
CREATE FUNCTION ranked(query text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE line text;
BEGIN
    FOR line IN EXECUTE 'EXPLAIN (COSTS off) ' || query LOOP
        IF line ~ 'LmtextFilter' THEN RETURN true; END IF;
    END LOOP;
    RETURN false;
END$$;
-- A query of rows with column d, the distance: are they as far as those of a plan without an index, and come in order? Distances of 8 bits are near to
-- those of the model; null comes last in both.
CREATE FUNCTION same(query text) RETURNS TABLE (filter_scan boolean, rows bigint, same boolean, ordered boolean) LANGUAGE plpgsql AS $$
DECLARE by_filter float8[]; sorted float8[]; by_table float8[];
BEGIN
    filter_scan := ranked(query);
    EXECUTE format('SELECT array_agg(d) FROM (%s) q', query) INTO by_filter;
    sorted := ARRAY(SELECT d FROM unnest(by_filter) d ORDER BY d);
    SET LOCAL lmtext.enable_filter_scan = off;
    SET LOCAL enable_indexscan = off;
    EXECUTE format('SELECT array_agg(d) FROM (%s) q', query) INTO by_table;
    RESET lmtext.enable_filter_scan;
    RESET enable_indexscan;
    rows := cardinality(by_filter);
    same := (SELECT bool_and(coalesce(abs(a - b) < 5e-3, a IS NULL AND b IS NULL)) FROM unnest(sorted, by_table) u (a, b));
    ordered := (SELECT bool_and(coalesce(abs(a - b) < 2e-2, a IS NULL AND b IS NULL)) FROM unnest(sorted, by_filter) u (a, b));
    RETURN NEXT;
END$$;
SELECT * FROM same($$SELECT body <=> 'number seven sat' AS d FROM doc WHERE part = 7 ORDER BY d LIMIT 10$$);
SELECT * FROM same($$SELECT lmtext.distance(body, 'number seven sat') AS d FROM doc WHERE part = 7 AND id > 1000 ORDER BY d LIMIT 10$$);
-- No text of a row is embedded, words are once.
CREATE FUNCTION computed() RETURNS bigint LANGUAGE sql AS 'SELECT texts FROM lmtext.session_counters()';
SELECT computed() AS before \gset
SELECT count(d) FROM (SELECT body <=> 'eight' AS d FROM doc WHERE part = 8 ORDER BY d LIMIT 10) q;
SELECT computed() - :before AS embedded;
-- EXPLAIN says what was looked at.
CREATE FUNCTION explained(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE line text;
BEGIN
    FOR line IN EXECUTE 'EXPLAIN (ANALYZE, COSTS off, TIMING off, SUMMARY off) ' || query LOOP
        IF line ~ 'Places:|Rows Ranked:|Lossy|Index Cond' THEN RETURN NEXT trim(line); END IF;
    END LOOP;
END$$;
SELECT explained($$SELECT id FROM doc WHERE part = 7 ORDER BY body <=> 'seven' LIMIT 3$$);
SELECT explained($$SELECT id FROM doc WHERE part = 700 ORDER BY body <=> 'seven' LIMIT 3$$);
-- Few places: by the texts of their rows, and no list is looked at; a few more: by places.
CREATE FUNCTION last_scan() RETURNS TABLE (by_lists boolean, reranked bigint) LANGUAGE sql AS $$SELECT lists > 0, reranked FROM lmtext.index_last_scan()$$;
SELECT computed() AS before \gset
SELECT id FROM doc WHERE id IN (5, 77, 1000) ORDER BY body <=> spelled(77) LIMIT 1;
SELECT computed() - :before AS embedded, * FROM last_scan();
SELECT id FROM doc WHERE id IN (5, 77, 1000, 2000, 2001) ORDER BY body <=> spelled(77) LIMIT 1;
SELECT * FROM last_scan();
SELECT * FROM same($$SELECT body <=> 'number seven sat' AS d FROM doc WHERE id IN (5, 77, 1000) ORDER BY d LIMIT 10$$);
-- Off.
SET lmtext.enable_filter_scan = off;
SELECT ranked($$SELECT id FROM doc WHERE part = 7 ORDER BY body <=> 'seven' LIMIT 3$$);
RESET lmtext.enable_filter_scan;
-- Not where the index serves nothing: another model, no LIMIT on a column with nulls, a clause that is checked once, no clause of another index.
SELECT ranked($$SELECT id FROM doc WHERE part = 7 ORDER BY body <=> 'seven'$$) AS no_limit,
       ranked($$SELECT id FROM doc WHERE author = 'ann' ORDER BY body <=> 'seven' LIMIT 3$$) AS no_index,
       ranked($$SELECT id FROM doc WHERE part = 7 AND now() > '2000-01-01' ORDER BY body <=> 'seven' LIMIT 3$$) AS checked_once,
       ranked($$SELECT id FROM doc WHERE part = 7 ORDER BY id LIMIT 3$$) AS other_order;
SELECT count(*) FROM (SELECT id FROM doc WHERE part = 7 AND now() > '2000-01-01' ORDER BY body <=> 'seven' LIMIT 3) q;
-- Rows without a vector come last, as nulls do; rows that wait, HOT updates, others, and deletes of the transaction.
INSERT INTO doc VALUES (4001, 7, NULL), (4002, 7, 'number seven sat'), (4003, 7, NULL);
SELECT id, round((body <=> 'number seven sat')::numeric, 1) AS d FROM doc WHERE id IN (4001, 4002, 4003) ORDER BY body <=> 'number seven sat' LIMIT 5;
SELECT * FROM last_scan();
SELECT * FROM same($$SELECT body <=> 'number seven sat' AS d FROM doc WHERE part = 7 ORDER BY d LIMIT 100$$);
BEGIN;
UPDATE doc SET author = 'bob' WHERE part = 7 AND id % 3 = 0;
UPDATE doc SET part = 7 WHERE part = 9 AND id % 3 = 0;
UPDATE doc SET body = 'number seven sat' WHERE part = 7 AND id < 500;
DELETE FROM doc WHERE part = 7 AND id % 5 = 1;
SELECT * FROM same($$SELECT body <=> 'number seven sat' AS d FROM doc WHERE part = 7 ORDER BY d LIMIT 100$$);
SELECT * FROM same($$SELECT body <=> 'number seven sat' AS d FROM doc WHERE part = 7 AND author = 'bob' ORDER BY d LIMIT 100$$);
SELECT * FROM same($$SELECT body <=> 'number seven sat' AS d FROM doc WHERE id IN (7, 107, 207) ORDER BY d LIMIT 100$$);
ROLLBACK;
SELECT * FROM same($$SELECT body <=> 'number seven sat' AS d FROM doc WHERE part = 7 ORDER BY d LIMIT 100$$);
VACUUM doc;
DELETE FROM doc WHERE body IS NULL;
ALTER TABLE doc ALTER body SET NOT NULL;
SELECT * FROM same($$SELECT body <=> 'number seven sat' AS d FROM doc WHERE part = 7 ORDER BY d$$);
-- Bitmaps of several clauses and indexes; an index whose condition is the clause; a condition on what an index has no value of.
CREATE INDEX doc_author ON doc (id) WHERE author = 'eve';
UPDATE doc SET author = 'eve' WHERE id % 50 = 3;
ANALYZE doc;
SELECT * FROM same($$SELECT body <=> 'seven' AS d FROM doc WHERE part = 7 OR part = 8 OR id = 20 ORDER BY d LIMIT 70$$);
SELECT * FROM same($$SELECT body <=> 'seven' AS d FROM doc WHERE author = 'eve' ORDER BY d LIMIT 70$$);
SELECT * FROM same($$SELECT body <=> 'seven' AS d FROM doc WHERE part IN (7, 9, 11) AND length(body) % 2 = 0 ORDER BY d LIMIT 70$$);
-- Null words: rows in any order.
SELECT count(*) FROM (SELECT id FROM doc WHERE part = 7 ORDER BY body <=> NULL::text LIMIT 100) q;
SELECT count(*) FROM (SELECT id FROM doc WHERE id IN (5, 77) ORDER BY body <=> NULL::text LIMIT 100) q;
-- An expression is no column whose texts are looked up; a join goes on in the order.
CREATE INDEX doc_upper ON doc USING lmtext (lower(body)) WITH (model = 'm@1');
SELECT * FROM same($$SELECT lower(body) <=> 'seven' AS d FROM doc WHERE id IN (5, 77) ORDER BY d LIMIT 10$$);
SELECT * FROM last_scan();
DROP INDEX doc_upper;
SELECT * FROM same($$SELECT doc.body <=> 'seven' AS d FROM doc JOIN doc other ON other.id = doc.id + 1 WHERE doc.part = 7 ORDER BY d LIMIT 10$$);
-- Prepared statements: values that are not known when they are planned; another model.
SET plan_cache_mode = force_generic_plan;
PREPARE by_part(int, text) AS SELECT id FROM doc WHERE part = $1 ORDER BY body <=> $2 LIMIT 1;
EXPLAIN (COSTS off) EXECUTE by_part(7, 'seven');
EXECUTE by_part(7, spelled(507)) \g (tuples_only)
EXECUTE by_part(8, spelled(808)) \g (tuples_only)
SELECT ranked($$EXECUTE by_part(7, 'seven')$$);
SET lmtext.embedding_model = 'other@1';
SELECT ranked($$EXECUTE by_part(7, 'seven')$$);
SET lmtext.embedding_model = 'm';
SELECT ranked($$EXECUTE by_part(7, 'seven')$$);
-- Begun anew for each row of another table, with other parts, other words or both.
CREATE TABLE asked (part int, words text);
INSERT INTO asked VALUES (7, spelled(507)), (8, spelled(808)), (7, NULL), (NULL, 'x'), (8, spelled(208));
SELECT asked.part, words, found.id FROM asked
    CROSS JOIN LATERAL (SELECT id FROM doc WHERE doc.part = asked.part ORDER BY body <=> words LIMIT 1) found WHERE words IS NOT NULL ORDER BY 1, 2;
SELECT ranked($$SELECT found.id FROM asked, LATERAL (SELECT id FROM doc WHERE doc.part = asked.part ORDER BY body <=> words LIMIT 1) found$$);
SELECT sum((SELECT count(*) FROM (SELECT id FROM doc WHERE doc.part = asked.part ORDER BY body <=> 'seven' LIMIT 5) q)) FROM asked;
-- Cursors, backward too; rows that are locked; rows that are changed.
BEGIN;
DECLARE near SCROLL CURSOR FOR SELECT id FROM doc WHERE part = 7 ORDER BY body <=> spelled(507) LIMIT 5;
FETCH 1 FROM near;
MOVE 3 FROM near;
FETCH ABSOLUTE 1 FROM near;
CLOSE near;
SELECT id FROM doc WHERE part = 7 ORDER BY body <=> spelled(507) LIMIT 1 FOR UPDATE;
UPDATE doc SET author = 'found' WHERE id IN (SELECT id FROM doc WHERE part = 7 ORDER BY body <=> spelled(507) LIMIT 1) RETURNING id;
DELETE FROM doc WHERE ctid = (SELECT ctid FROM doc WHERE part = 7 ORDER BY body <=> spelled(507) LIMIT 1) RETURNING id;
ROLLBACK;
-- Row security, a barrier and a function that tells what it is given, privileges on columns.
CREATE ROLE places_reader;
GRANT USAGE ON SCHEMA test_places TO places_reader;
GRANT SELECT (id, part, body) ON doc TO places_reader;
GRANT SELECT ON "m@1" TO places_reader;
CREATE POLICY few ON doc FOR SELECT TO places_reader USING (id % 2 = 1);
ALTER TABLE doc ENABLE ROW LEVEL SECURITY;
CREATE FUNCTION tells_even(id int) RETURNS boolean LANGUAGE plpgsql COST .0001 AS $$BEGIN IF id % 2 = 0 THEN RAISE WARNING 'told of %', id; END IF; RETURN true; END$$;
SET ROLE places_reader;
SELECT * FROM same($$SELECT body <=> 'seven' AS d FROM doc WHERE part = 7 ORDER BY d LIMIT 100$$);
SELECT * FROM same($$SELECT body <=> 'seven' AS d FROM doc WHERE part IN (7, 8) AND tells_even(id) ORDER BY d LIMIT 100$$);
SELECT id FROM doc WHERE author = 'ann' AND part = 7 ORDER BY body <=> 'seven' LIMIT 1;
RESET ROLE;
ALTER TABLE doc DISABLE ROW LEVEL SECURITY;
CREATE VIEW odd WITH (security_barrier) AS SELECT id, part, body FROM doc WHERE id % 2 = 1;
GRANT SELECT ON odd TO places_reader;
SET ROLE places_reader;
SELECT * FROM same($$SELECT body <=> 'seven' AS d FROM odd WHERE part IN (7, 8) AND tells_even(id) ORDER BY d LIMIT 100$$);
RESET ROLE;
DROP VIEW odd;
DROP OWNED BY places_reader;
DROP ROLE places_reader;
-- An index of some rows has no others, nor those without a vector.
CREATE TABLE part_of (id int, part int, live boolean, body text);
INSERT INTO part_of SELECT id, part, id % 2 = 1, body FROM doc UNION ALL SELECT 5000, 7, true, NULL;
CREATE INDEX ON part_of USING lmtext (body) WITH (model = 'm@1') WHERE live;
CREATE INDEX ON part_of (part);
ANALYZE part_of;
SELECT ranked(q), count(*) FROM (SELECT $$SELECT id FROM part_of WHERE live AND part IN (7, 8) ORDER BY body <=> 'seven' LIMIT 100$$) s (q),
    LATERAL (SELECT id FROM part_of WHERE live AND part IN (7, 8) ORDER BY body <=> 'seven' LIMIT 100) r GROUP BY 1;
-- An index that has met no row yet.
CREATE TABLE empty_yet (part int, body text);
INSERT INTO empty_yet SELECT i % 100, NULL FROM generate_series(1, 3000) i;
CREATE INDEX ON empty_yet USING lmtext (body) WITH (model = 'm@1');
CREATE INDEX ON empty_yet (part);
ANALYZE empty_yet;
SELECT * FROM same($$SELECT body <=> 'seven' AS d FROM empty_yet WHERE part = 7 ORDER BY d LIMIT 100$$);
-- Partitions, each with its own.
CREATE TABLE parted (id int, part int, body text NOT NULL) PARTITION BY RANGE (id);
CREATE TABLE parted_a PARTITION OF parted FOR VALUES FROM (0) TO (1500);
CREATE TABLE parted_b PARTITION OF parted FOR VALUES FROM (1500) TO (9999);
CREATE INDEX ON parted USING lmtext (body) WITH (model = 'm@1');
CREATE INDEX ON parted (part);
INSERT INTO parted SELECT id, part, body FROM doc;
ANALYZE parted;
EXPLAIN (COSTS off) SELECT id FROM parted WHERE part = 7 ORDER BY body <=> 'seven' LIMIT 5;
SELECT * FROM same($$SELECT body <=> 'seven' AS d FROM parted WHERE part = 7 ORDER BY d$$);
-- Vectors; a bitmap that is more than work_mem takes, and rows that are sorted on disk.
CREATE FUNCTION vector(seed int) RETURNS real[] LANGUAGE sql IMMUTABLE AS
$$SELECT array_agg(((hashint4(seed * 16 + i) % 1000) / 1000.0)::real ORDER BY i) FROM generate_series(1, 16) i$$;
CREATE TABLE wide (id int, part int, v real[] NOT NULL, pad char(1500) DEFAULT 'x');
ALTER TABLE wide ALTER pad SET STORAGE plain;
INSERT INTO wide SELECT i, i % 4, vector(i) FROM generate_series(1, 8000) i;
CREATE INDEX wide_v ON wide USING lmtext (v real_l2_ops);
CREATE INDEX wide_part ON wide (part);
VACUUM ANALYZE wide;
SET enable_seqscan = off;
SET work_mem = '64kB';
SELECT regexp_replace(explained($$SELECT v <-> vector(7) AS d FROM wide WHERE part >= 1 ORDER BY d$$), ': \d+', ': n');
SELECT * FROM same($$SELECT v <-> vector(7) AS d FROM wide WHERE part >= 1 ORDER BY d$$);
SELECT id FROM wide WHERE part >= 1 ORDER BY v <-> vector(7) LIMIT 1;
RESET work_mem;
SELECT explained($$SELECT v <-> vector(7) AS d FROM wide WHERE part >= 1 ORDER BY d$$);
SELECT * FROM same($$SELECT v <-> vector(7) AS d FROM wide WHERE part >= 1 ORDER BY d$$);
SELECT explained($$SELECT v <-> vector(7) AS d FROM wide WHERE part = 9 ORDER BY d$$);
-- Vectors are asked for ahead, or not.
SET effective_io_concurrency = 0;
SELECT * FROM same($$SELECT v <-> vector(7) AS d FROM wide WHERE part = 1 ORDER BY d LIMIT 300$$);
RESET effective_io_concurrency;
SELECT * FROM same($$SELECT v <-> vector(7) AS d FROM wide WHERE part = 1 ORDER BY d LIMIT 300$$);
-- Pages of vectors cost as those of the table: of few rows these are as soon sorted, which spares comparing all places.
RESET enable_sort;
CREATE INDEX ON wide ((id % 1000));
CREATE INDEX ON wide ((id % 100));
ANALYZE wide;
SELECT ranked($$SELECT id FROM wide WHERE id % 1000 = 7 ORDER BY v <-> vector(7) LIMIT 1$$) AS few,
       ranked($$SELECT id FROM wide WHERE id % 100 = 7 ORDER BY v <-> vector(7) LIMIT 1$$) AS many;
DROP SCHEMA test_places CASCADE;

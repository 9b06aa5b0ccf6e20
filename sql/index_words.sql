-- Words in an index of method lmtext: BM25 by <@>, with a model beside them and without.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS lmtext;
CREATE SCHEMA test_words;
SET search_path = test_words, public;
\getenv source LMTEXT_SOURCE_DIR
\set tiny :source '/models/tiny/bert'
SELECT lmtext.import_model('m', :'tiny');
SET max_parallel_workers_per_gather = 0;

CREATE FUNCTION refusal(command text) RETURNS text LANGUAGE plpgsql AS
$$BEGIN
    EXECUTE command;
    RETURN 'accepted';
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE || ' ' || SQLERRM;
END$$;
CREATE FUNCTION sound(index regclass) RETURNS boolean LANGUAGE sql AS
$$SELECT bool_and(ok) AND bool_or("check" = 'words') FROM lmtext.index_check(index)$$;
CREATE FUNCTION scan(query text) RETURNS text LANGUAGE plpgsql AS
$$DECLARE line text;
BEGIN
    FOR line IN EXECUTE 'EXPLAIN (COSTS off) ' || query LOOP
        IF line ~ 'Scan' THEN RETURN substring(line FROM '(Index|Seq|Bitmap Heap) Scan'); END IF;
    END LOOP;
END$$;
-- ---- Options ----
CREATE TABLE doc (id int PRIMARY KEY, body text, part int);
-- The index's scores and those of a pass over the table, for the best rows: as many, and how far apart.
CREATE FUNCTION compare(words text, config regconfig DEFAULT 'simple') RETURNS TABLE(rows bigint, same boolean) LANGUAGE sql AS
$$WITH i AS (SELECT id, -(body <@> words) AS score FROM doc ORDER BY body <@> words LIMIT 100),
       e AS (SELECT key::int AS id, score FROM lmtext.search('doc', 'body', words, k => 100000, mode => 'words', words_by => 'bm25', config => config)),
       best AS (SELECT score FROM e ORDER BY score DESC LIMIT 100)
  SELECT count(*), bool_and(abs(i.score - coalesce(e.score, 0)) < 1e-5)
      AND abs(sum(i.score) - (SELECT sum(score) FROM best)) < 1e-3 FROM i LEFT JOIN e USING (id)$$;
CREATE TABLE vectors (v real[]);
SELECT refusal($$CREATE INDEX ON doc USING lmtext (body) WITH (words = false)$$);
SELECT refusal($$CREATE INDEX ON vectors USING lmtext (v) WITH (words = true)$$);
SELECT refusal($$CREATE INDEX ON doc USING lmtext (body) WITH (words = true, words_config = 'none')$$);
CREATE INDEX doc_words ON doc USING lmtext (body) WITH (words = true);
SELECT sound('doc_words');
SELECT id FROM doc ORDER BY body <@> 'empty' LIMIT 1;

-- ---- Scores, by scripts/make-bm25.py ----
INSERT INTO doc SELECT i, (SELECT coalesce(string_agg('w' || j, ' ' ORDER BY j), '') FROM generate_series(0, 9) j, generate_series(1, i * (j + 3) % 7)
    WHERE (i + j) % (j + 2) = 0) || repeat(' filler', i % 13), i % 5 FROM generate_series(1, 150) i;
REINDEX INDEX doc_words;
INSERT INTO doc SELECT i, (SELECT coalesce(string_agg('w' || j, ' ' ORDER BY j), '') FROM generate_series(0, 9) j, generate_series(1, i * (j + 3) % 7)
    WHERE (i + j) % (j + 2) = 0) || repeat(' filler', i % 13), i % 5 FROM generate_series(151, 300) i;
CREATE TABLE wanted (words text, id int, score float8);
INSERT INTO wanted VALUES
    ('w3', 247, 3.319673198),
    ('w3', 157, 3.310591743),
    ('w3', 197, 3.217483222),
    ('w3', 267, 3.182942339),
    ('w3', 117, 3.161447438),
    ('w3', 67, 3.155279307),
    ('w3', 107, 3.150362105),
    ('w3', 57, 3.083630566),
    ('w1 w4', 143, 2.409378675),
    ('w1 w4', 131, 2.402835707),
    ('w1 w4', 236, 2.322874452),
    ('w1 w4', 185, 2.313550105),
    ('w1 w4', 248, 2.313550105),
    ('w1 w4', 5, 2.297390366),
    ('w1 w4', 173, 2.297390366),
    ('w1 w4', 299, 2.297390366),
    ('w2 w5 w9', 79, 7.460368647),
    ('w2 w5 w9', 156, 6.664766930),
    ('w2 w5 w9', 46, 6.528490467),
    ('w2 w5 w9', 134, 6.407698833),
    ('w2 w5 w9', 2, 6.273092688),
    ('w2 w5 w9', 222, 6.234665993),
    ('w2 w5 w9', 233, 5.802507466),
    ('w2 w5 w9', 198, 4.813392391),
    ('w0 w1 w2 w3 w4 w5 w6 w7 w8 w9 none', 2, 18.262987218),
    ('w0 w1 w2 w3 w4 w5 w6 w7 w8 w9 none', 222, 13.166940830),
    ('w0 w1 w2 w3 w4 w5 w6 w7 w8 w9 none', 122, 12.983934970),
    ('w0 w1 w2 w3 w4 w5 w6 w7 w8 w9 none', 92, 12.545285257),
    ('w0 w1 w2 w3 w4 w5 w6 w7 w8 w9 none', 82, 12.009738200),
    ('w0 w1 w2 w3 w4 w5 w6 w7 w8 w9 none', 282, 11.809224658),
    ('w0 w1 w2 w3 w4 w5 w6 w7 w8 w9 none', 162, 11.737185146),
    ('w0 w1 w2 w3 w4 w5 w6 w7 w8 w9 none', 146, 11.485616662);
SELECT scan('SELECT id FROM doc ORDER BY body <@> ''w3'' LIMIT 8');
SELECT w.words, bool_and(abs(w.score + (SELECT d.body <@> w.words FROM doc d WHERE d.id = w.id)) < 1e-5) AS same FROM wanted w GROUP BY 1 ORDER BY 1;
-- The best by the index have these scores, half of the rows waiting, and after they were made a segment of.
CREATE FUNCTION found() RETURNS TABLE(words text, same boolean) LANGUAGE sql AS
$$SELECT q.words, (SELECT bool_and(abs(d - s) < 1e-5) FROM ROWS FROM (
        unnest(ARRAY(SELECT -(body <@> q.words) FROM doc ORDER BY body <@> q.words LIMIT 8)),
        unnest(ARRAY(SELECT score FROM wanted w WHERE w.words = q.words ORDER BY score DESC))) x (d, s))
  FROM (SELECT DISTINCT w.words FROM wanted w) q ORDER BY 1$$;
SELECT * FROM found();
VACUUM doc;
SELECT * FROM found();
SELECT * FROM compare('w1 w2 filler');
SELECT sound('doc_words');

-- ---- All rows come, each once: those with a word first, others with 0; a null is none ----
INSERT INTO doc VALUES (1001, NULL, 0), (1002, '', 0), (1003, '...', 0);
SELECT count(*), count(DISTINCT id), bool_and(d >= before) AS in_order, max(d) FROM
    (SELECT id, d, lag(d, 1, -1e9) OVER () AS before FROM (SELECT id, body <@> 'w2 w7' AS d FROM doc WHERE body IS NOT NULL ORDER BY body <@> 'w2 w7') x) y;
SELECT count(*) FROM (SELECT id FROM doc WHERE part = 3 ORDER BY body <@> 'w2' LIMIT 50) x;
SELECT scan('SELECT id FROM doc WHERE body IS NOT NULL ORDER BY body <@> NULL LIMIT 3'), count(*) FROM (SELECT FROM doc ORDER BY body <@> '' LIMIT 3) x;
SELECT body <@> NULL IS NULL AS null_words, body <@> 'w1' IS NULL AS null_body, body <@> '' AS no_words FROM doc WHERE id IN (1001, 1002) ORDER BY id;
PREPARE by_words(text) AS SELECT id FROM doc ORDER BY body <@> $1, id LIMIT 3;
SET plan_cache_mode = force_generic_plan;
EXECUTE by_words('w9');
EXECUTE by_words('w4 w9');
DEALLOCATE by_words;
RESET plan_cache_mode;
-- Of the same text by a filter that leaves one row, and in a join.
SELECT (SELECT body <@> 'w4' FROM doc WHERE id = 24) = (SELECT d FROM (SELECT id, body <@> 'w4' AS d FROM doc ORDER BY body <@> 'w4' LIMIT 100) x WHERE id = 24) AS same;
SELECT count(*) FROM wanted w, LATERAL (SELECT id FROM doc ORDER BY body <@> w.words LIMIT 1) d;
-- Without an index of the column there are no statistics.
SELECT refusal($$SELECT 'a text' <@> 'text'$$);
SELECT refusal($$SELECT lmtext.words_distance(words, 'w1') FROM test_words.wanted$$);
SELECT refusal($$SELECT 'a text' <@> lmtext_internal.bind_words('text', 'test_words.doc_words'::regclass)$$);
-- Nor of what is no column of a table itself, nor by an index of some rows, of an expression, without words.
CREATE TABLE partly (id int, body text NOT NULL, body2 varchar NOT NULL);
INSERT INTO partly VALUES (1, 'one', 'two');
CREATE INDEX ON partly USING lmtext (body) WITH (words = true) WHERE id > 0;
CREATE INDEX ON partly USING lmtext ((body || body2)) WITH (words = true);
CREATE INDEX ON partly USING lmtext (body) WITH (model = 'm@1');
CREATE INDEX ON partly (body);
SELECT refusal($$SELECT body <@> 'one' FROM test_words.partly$$);
CREATE INDEX ON partly USING lmtext (body2) WITH (words = true);
SELECT refusal($$SELECT body2 <@> 'two' FROM test_words.partly$$), refusal($$SELECT body2 || '' <@> 'two' FROM test_words.partly$$);
SELECT refusal($$SELECT body2 <@> 'two' FROM (SELECT body2 FROM test_words.partly OFFSET 0) x$$), refusal($$SELECT (SELECT p.body2 <@> 'two' OFFSET 0) FROM test_words.partly p$$);
SELECT refusal($$SELECT body2 <@> lower('two') FROM test_words.partly$$), refusal($$SELECT body2 <@> body FROM test_words.partly$$);
SELECT refusal($$SELECT body2 <@> lmtext_internal.bind_words('two', id::oid) FROM test_words.partly$$), refusal($$SELECT body2 <@> lmtext_internal.bind_words('two', NULL) FROM test_words.partly$$);
SELECT refusal($$SELECT lmtext.words_distance(body2, 'two') FROM test_words.partly$$);
DROP TABLE partly;
SET lmtext.max_scan_tuples = 5;
SELECT count(*) FROM (SELECT id FROM doc ORDER BY body <@> 'w2' LIMIT 50) x;
RESET lmtext.max_scan_tuples;

-- ---- Writing, and vacuum ----
DELETE FROM doc WHERE id % 3 = 0;
UPDATE doc SET body = body || ' late' WHERE id % 5 = 0;
VACUUM doc;
SELECT sound('doc_words');
SELECT * FROM compare('w1 late');
INSERT INTO doc SELECT 2000, string_agg('long' || i, ' ') FROM generate_series(1, 4000) i;
SELECT id FROM doc ORDER BY body <@> 'long3999' LIMIT 1;
-- More than waits: a segment is made by the insert.
INSERT INTO doc SELECT i, 'many ' || md5(i::text) || repeat(' w1', i % 4) || (SELECT string_agg(' m' || i * j % 977, '') FROM generate_series(1, 8) j) FROM generate_series(10001, 16000) i;
SELECT waiting < 6000 AS merged FROM lmtext.index_stats('doc_words');
SELECT * FROM compare('w1 many');
SELECT sound('doc_words');
DELETE FROM doc WHERE id > 10000;
VACUUM doc;
SELECT * FROM compare('w1 late');
SELECT sound('doc_words');
-- Pages are used again.
SELECT pg_relation_size('doc_words') AS before \gset
INSERT INTO doc SELECT i, 'many ' || md5(i::text) || repeat(' w1', i % 4) FROM generate_series(10001, 16000) i;
DELETE FROM doc WHERE id > 10000;
VACUUM doc;
INSERT INTO doc SELECT i, 'many ' || md5(i::text) || repeat(' w1', i % 4) FROM generate_series(10001, 16000) i;
DELETE FROM doc WHERE id > 10000;
VACUUM doc;
SELECT pg_relation_size('doc_words') < 1.5 * :before AS same_size;
BEGIN;
INSERT INTO doc VALUES (3000, 'rolled back');
ROLLBACK;
SELECT count(*) FROM (SELECT id FROM doc ORDER BY body <@> 'rolled back' LIMIT 10) x WHERE id = 3000;

-- ---- A configuration, and a model beside the words ----
DROP INDEX doc_words;
CREATE TEXT SEARCH CONFIGURATION plain (COPY = pg_catalog.english);
CREATE INDEX doc_both ON doc USING lmtext (body) WITH (model = 'm@1', words = true, words_config = 'test_words.plain');
SELECT refusal('DROP TEXT SEARCH CONFIGURATION plain');
INSERT INTO doc VALUES (4000, 'The libraries are resizing their pictures'), (4001, 'A library of resized things');
SELECT id FROM doc ORDER BY body <@> 'resize picture library' LIMIT 2;
SET lmtext.embedding_model = 'm';
SET enable_seqscan = off;
SELECT scan('SELECT id FROM doc ORDER BY body <=> ''library'' LIMIT 3'), sound('doc_both');
SELECT id FROM doc ORDER BY body <=> 'A library of resized things' LIMIT 1;
RESET enable_seqscan;
SELECT * FROM compare('resize picture', 'plain');
UPDATE doc SET part = 7 WHERE id < 100;
VACUUM doc;
SELECT sound('doc_both');

-- ---- Rows that wait for being embedded, beside words, which are there at once ----
CREATE TABLE two (id int, body text NOT NULL) WITH (autovacuum_enabled = off);
CREATE INDEX two_i ON two USING lmtext (body) WITH (model = 'm@1', words = true, pending_limit = 5000);
CREATE FUNCTION numbers(index text DEFAULT 'two_i') RETURNS text LANGUAGE sql AS
$$SELECT concat_ws(' ', rows, pending, '|', documents, words, segments, waiting) FROM lmtext.index_stats(index::regclass)$$;
INSERT INTO two SELECT i, 'row w' || i % 7 || ' ' || md5(i::text) FROM generate_series(1, 700) i;
SELECT numbers(), sound('two_i'), (SELECT count(*) FROM (SELECT body FROM two ORDER BY body <@> 'w3' LIMIT 100) x WHERE body ~ ' w3 ') AS found, numbers();
DELETE FROM two WHERE id % 2 = 0;
VACUUM (PARALLEL 0) two;
SELECT numbers(), sound('two_i');
-- Both are sorted in by index_flush.
INSERT INTO two SELECT i, 'more w' || i % 7 || ' ' || md5(i::text) FROM generate_series(1001, 1100) i;
SELECT numbers(), lmtext.index_flush('two_i'), numbers(), sound('two_i');
SELECT lmtext.index_flush('doc_both'), lmtext.index_flush('two_i'), numbers();
INSERT INTO two SELECT i, 'third w' || i % 7 || ' ' || md5(i::text) FROM generate_series(2001, 2100) i;
DELETE FROM two WHERE id > 2050;
BEGIN READ ONLY;
SELECT count(*) FROM (SELECT id FROM two ORDER BY body <=> 'third' LIMIT 10) x;
COMMIT;
REINDEX INDEX CONCURRENTLY two_i;
SELECT numbers(), sound('two_i');
-- A model that the owner may not use any more keeps no table from being vacuumed; words go on.
CREATE ROLE words_owner;
GRANT USAGE, CREATE ON SCHEMA test_words TO words_owner;
ALTER TABLE two OWNER TO words_owner;
SELECT lmtext.grant_model('m@1', 'words_owner');
INSERT INTO two SELECT i, 'fourth w' || i % 7 || ' ' || md5(i::text) FROM generate_series(3001, 3010) i;
SELECT lmtext.revoke_model('m@1', 'words_owner');
VACUUM two;
SELECT numbers(), sound('two_i'), refusal($$SELECT id FROM test_words.two ORDER BY body OPERATOR(public.<=>) 'fourth' LIMIT 1$$);
SELECT count(*) FROM (SELECT body FROM two ORDER BY body <@> 'fourth' LIMIT 10) x WHERE body ~ 'fourth';
ALTER TABLE two OWNER TO CURRENT_USER;
VACUUM two;
SELECT numbers(), sound('two_i');
DROP OWNED BY words_owner;
DROP ROLE words_owner;
-- Rows that are there were cut into words by the configuration that there was.
SELECT refusal('ALTER INDEX two_i SET (words_config = ''english'')'), refusal('ALTER INDEX two_i SET (words_config = ''none'')'),
       refusal('ALTER INDEX two_i SET (words_config = ''pg_catalog.simple'')');
TRUNCATE two;
ALTER INDEX two_i SET (words_config = 'test_words.plain');
DROP INDEX doc_both;
SELECT refusal('DROP TEXT SEARCH CONFIGURATION plain');
INSERT INTO two VALUES (1, 'The libraries');
SELECT body <@> 'library' < 0 AS found, sound('two_i') FROM two;
DROP TABLE two;
CREATE INDEX doc_both ON doc USING lmtext (body) WITH (model = 'm@1', words = true, words_config = 'test_words.plain');

-- ---- lmtext.search ----
SELECT key, round(words::numeric, 4) = round(-d::numeric, 4) AS same FROM lmtext.search('doc', 'body', 'resizes picture', k => 2, mode => 'words') s,
    LATERAL (SELECT body <@> 'resizes picture' AS d FROM doc WHERE id = key::int) x;
SELECT key, words_rank FROM lmtext.search('doc', 'body', 'resizes picture', k => 3, mode => 'hybrid') WHERE words_rank = 1;
SELECT count(*) FROM lmtext.search('doc', 'body', 'w1', k => 5, mode => 'words', filter => 'part = 7');
SELECT lmtext_internal.words_index('doc', 'body', NULL), lmtext_internal.words_index('doc', 'body', 'simple') IS NULL AS other;
DROP INDEX doc_both;
CREATE INDEX doc_words ON doc USING lmtext (body) WITH (words = true);
RESET lmtext.embedding_model;
SELECT key FROM lmtext.search('doc', 'body', 'resizing', mode => 'words');

-- ---- Rows that are hidden: none is returned, and a search counts only those that are seen ----
CREATE ROLE words_reader;
GRANT USAGE ON SCHEMA test_words TO words_reader;
GRANT SELECT ON doc TO words_reader;
CREATE POLICY few ON doc FOR SELECT TO words_reader USING (part = 1);
ALTER TABLE doc ENABLE ROW LEVEL SECURITY;
SET ROLE words_reader;
SELECT bool_and(part = 1), count(*) FROM (SELECT part, body <@> 'w1' AS d FROM doc ORDER BY body <@> 'w1' LIMIT 10) x;
SELECT lmtext_internal.words_index('doc', 'body', NULL);
RESET ROLE;
ALTER TABLE doc DISABLE ROW LEVEL SECURITY;
DROP POLICY few ON doc;
DROP OWNED BY words_reader;
DROP ROLE words_reader;

-- ---- Partitions count each for itself; varchar; unlogged and temporary tables; an index that got words later ----
CREATE TABLE parts (id int, body varchar NOT NULL) PARTITION BY RANGE (id);
CREATE TABLE parts_a PARTITION OF parts FOR VALUES FROM (0) TO (100);
CREATE TABLE parts_b PARTITION OF parts FOR VALUES FROM (100) TO (200);
CREATE INDEX ON parts USING lmtext (body) WITH (words = true);
INSERT INTO parts SELECT i, 'part ' || i % 3 || repeat(' more', i % 4) FROM generate_series(1, 199) i;
SELECT id, d < 0 AS scored FROM (SELECT id, body <@> '2 more' AS d FROM parts ORDER BY body <@> '2 more' LIMIT 4) x ORDER BY id;
SELECT refusal($$SELECT body <@> 'more' FROM test_words.parts WHERE id = 3 ORDER BY id$$);
CREATE INDEX CONCURRENTLY parts_c ON parts_b USING lmtext (body) WITH (words = true, words_config = 'english');
REINDEX INDEX CONCURRENTLY parts_c;
SELECT sound('parts_c'), sound('parts_b_body_idx');
CREATE UNLOGGED TABLE loose (body text);
CREATE INDEX ON loose USING lmtext (body) WITH (words = true);
INSERT INTO loose VALUES ('one two'), ('two three');
SELECT body FROM loose ORDER BY body <@> 'three' LIMIT 1;
CREATE TEMP TABLE brief (LIKE loose);
CREATE INDEX ON brief USING lmtext (body) WITH (words = true);
INSERT INTO brief VALUES ('one two'), ('two three');
SELECT body FROM brief ORDER BY body <@> 'three' LIMIT 1;
CREATE TABLE later (body text NOT NULL);
INSERT INTO later VALUES ('one two'), ('two three');
CREATE INDEX later_body ON later USING lmtext (body) WITH (model = 'm@1');
ALTER INDEX later_body SET (words = true);
SELECT refusal($$SELECT body FROM test_words.later ORDER BY body <@> 'three'$$);
REINDEX INDEX later_body;
SELECT body FROM later ORDER BY body <@> 'three' LIMIT 1;
-- An index of words alone stays one; without rows it may get vectors.
CREATE TABLE alone (body text NOT NULL);
CREATE INDEX alone_body ON alone USING lmtext (body) WITH (words = true);
INSERT INTO alone VALUES ('one two');
CREATE FUNCTION changes(index text) RETURNS TABLE (change text, answer text) LANGUAGE sql AS
$$SELECT change, refusal(format('ALTER INDEX %s %s', index, change)) FROM unnest(ARRAY['SET (words = false)', 'RESET (words)', 'SET (model = ''none@1'')',
    'SET (model = ''m@1'')', 'SET (model = ''m@1'', words = false)', 'RESET (model)']) change$$;
SELECT * FROM changes('alone_body');
INSERT INTO alone VALUES ('two three');
SELECT sound('alone_body'), (SELECT body FROM alone ORDER BY body <@> 'three' LIMIT 1);
TRUNCATE alone;
SELECT * FROM changes('alone_body');
ALTER INDEX alone_body SET (model = 'm@1', words = true);
INSERT INTO alone VALUES ('one two'), ('two three');
SELECT sound('alone_body'), rows + pending AS rows, documents FROM lmtext.index_stats('alone_body');
SELECT * FROM changes('alone_body');
DROP TABLE alone;
CREATE TABLE alone (body text NOT NULL);
CREATE INDEX alone_body ON alone USING lmtext (body) WITH (model = 'm@1');
SELECT refusal('ALTER INDEX alone_body SET (words = true, model = '''')');

-- ---- More rows than work_mem takes ----
CREATE TABLE many (id int, body text NOT NULL);
INSERT INTO many SELECT i, 'w' || i % 7 || repeat(' filler', i % 13) || CASE WHEN i % 3 = 0 THEN ' rare rare' ELSE '' END FROM generate_series(1, 6000) i;
CREATE INDEX many_words ON many USING lmtext (body) WITH (words = true);
INSERT INTO many SELECT i, 'w' || i % 7 || repeat(' filler', i % 13) FROM generate_series(6001, 6300) i;
CREATE FUNCTION all_rows(memory text) RETURNS TABLE(rows bigint, ids bigint, ordered boolean, scores text) LANGUAGE plpgsql AS
$$BEGIN
    PERFORM set_config('work_mem', memory, true), set_config('enable_seqscan', 'off', true);
    RETURN QUERY WITH o AS MATERIALIZED (SELECT id, body <@> 'w3 rare' AS score FROM many ORDER BY body <@> 'w3 rare' LIMIT 1000000),
        n AS (SELECT id, score, row_number() OVER () AS number FROM o)
    SELECT count(*), count(DISTINCT n.id), bool_and(score >= before), md5(string_agg(score::text, ' ' ORDER BY number))
    FROM (SELECT *, lag(score, 1, score) OVER (ORDER BY number) AS before FROM n) n;
END$$;
SELECT a.rows, a.ids, a.ordered, a.scores = b.scores AS same FROM all_rows('64kB') a, all_rows('1GB') b;
SELECT rows, ids, ordered FROM all_rows('64kB');
DROP SCHEMA test_words CASCADE;

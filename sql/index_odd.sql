-- Odd statements over indexes of method lmtext: what has no index that serves, predicates, nothing to look for, much that waits.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS lmtext;
CREATE SCHEMA test_odd;
SET search_path = test_odd, public;
\getenv source LMTEXT_SOURCE_DIR
\set tiny :source '/models/tiny/bert'
SELECT lmtext.import_model('m', :'tiny');
SET lmtext.embedding_model = 'm';
SET max_parallel_workers_per_gather = 0;
SET lmtext.enable_filter_scan = off; -- scans of the index itself
CREATE FUNCTION refusal(command text) RETURNS text LANGUAGE plpgsql AS
$$BEGIN
    EXECUTE command;
    RETURN 'accepted';
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE || ' ' || SQLERRM;
END$$;
CREATE FUNCTION scan(query text) RETURNS text LANGUAGE plpgsql SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off AS
$$DECLARE line text;
BEGIN
    FOR line IN EXECUTE 'EXPLAIN (COSTS off) ' || query LOOP
        IF line ~ 'Scan' THEN RETURN substring(line FROM '(?:Index|Seq) Scan(?: using \w+)?'); END IF;
    END LOOP;
END$$;
CREATE FUNCTION vector(seed int) RETURNS real[] LANGUAGE sql IMMUTABLE AS
$$SELECT array_agg(((hashint4(seed * 8 + i) % 1000) / 1000.0)::real ORDER BY i) FROM generate_series(1, 8) i$$;
CREATE TABLE doc AS SELECT i AS id, 'number ' || i || ' sat on mat' AS body, 'other ' || i::varchar AS name, vector(i) AS v FROM generate_series(1, 100) i;
ALTER TABLE doc ALTER name TYPE varchar;

-- ---- Words: whose index <@> takes ----
CREATE INDEX doc_id ON doc (id);
CREATE INDEX doc_hash ON doc (md5(body));
CREATE INDEX doc_part ON doc USING lmtext (body) WITH (words = true) WHERE id < 50;
SELECT refusal($$SELECT body <@> 'sat' FROM doc$$) AS a_part_does_not_serve;
CREATE INDEX doc_words ON doc USING lmtext (body) WITH (words = true);
CREATE INDEX doc_again ON doc USING lmtext (body) WITH (words = true);
CREATE INDEX doc_names ON doc USING lmtext ((name::text)) WITH (words = true);
SELECT scan($$SELECT id FROM doc ORDER BY body <@> 'sat' LIMIT 3$$) AS served,
       (SELECT count(*) FROM (SELECT id FROM doc ORDER BY body <@> '7' LIMIT 3) x) AS rows;
SELECT round((body <@> '7')::numeric, 3) < 0 AS found FROM doc WHERE id = 7;
SELECT refusal($$SELECT name <@> 'other' FROM doc$$) AS by_an_expression, refusal($$SELECT upper(body) <@> 'sat' FROM doc$$) AS of_an_expression,
       refusal($$SELECT x.body <@> 'sat' FROM (SELECT body || '' AS body FROM doc OFFSET 0) x$$) AS of_a_subquery,
       refusal($$SELECT t <@> 'sat' FROM unnest('{a}'::text[]) t$$) AS of_a_function, refusal($$SELECT 'a' <@> 'sat'$$) AS of_a_constant,
       refusal($$SELECT (SELECT d.body <@> 'sat') FROM doc d$$) AS of_the_outer_query, refusal($$SELECT tableoid::regclass::text <@> 'sat' FROM doc$$) AS of_a_system_column;
SELECT refusal($$SELECT id FROM doc ORDER BY name <@> 'other' LIMIT 1$$) AS sorted_by_an_expression;
-- An index of a model alone, and one that is not valid, do not serve; nor does any where there is no statement to plan.
CREATE TABLE other AS SELECT id, body FROM doc;
CREATE INDEX other_body ON other USING lmtext (body) WITH (model = 'm@1');
SELECT refusal($$SELECT body <@> 'sat' FROM other$$) AS without_words;
CREATE INDEX other_words ON other USING lmtext (body) WITH (words = true);
SELECT refusal($$SELECT body <@> 'sat' FROM other$$) AS with_words;
UPDATE pg_index SET indisvalid = false WHERE indexrelid IN ('other_words'::regclass, 'other_body'::regclass);
SELECT refusal($$SELECT body <@> 'sat' FROM other$$) AS not_valid, lmtext_internal.index_vector('other_body', '"m@1"', 'number 7 sat on mat') IS NULL AS no_vector;
SELECT refusal($$ALTER TABLE other ADD CHECK (body <@> 'sat' < 1)$$) AS in_a_constraint;
DROP TABLE other;
-- Words that differ from row to row.
SELECT count(*) AS rows, count(DISTINCT round((body <@> w)::numeric, 3)) AS scores FROM doc, unnest('{sat,mat,7,77,12}'::text[]) w WHERE id IN (7, 77);
-- A cast's function with two arguments is not what binds.
CREATE TYPE wanted AS (words text);
CREATE FUNCTION words_of(wanted, int) RETURNS text LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN ($1).words; END';
CREATE CAST (wanted AS text) WITH FUNCTION words_of(wanted, int) AS IMPLICIT;
CREATE TABLE asked (w wanted);
INSERT INTO asked VALUES (ROW('sat'));
SELECT refusal($$SELECT body <@> w FROM doc, asked$$) AS by_a_cast_of_two, refusal($$SELECT upper(body) <@> w FROM doc, asked$$) AS unbound;
-- Nobody names an index by a call of his own.
SELECT refusal($$SELECT body <@> lmtext_internal.bind_words('sat', 'doc_words'::regclass::oid) FROM doc WHERE id = 1$$) AS by_hand,
       refusal($$SELECT upper(body) <@> lmtext_internal.bind_words('sat', 'doc_words'::regclass::oid) FROM doc WHERE id = 1$$) AS by_hand_of_an_expression,
       refusal($$SELECT upper(body) <@> lower('SAT') FROM doc WHERE id = 1$$) AS by_another_call, refusal($$SELECT upper(body) <@> 'sat'::varchar(3) FROM doc WHERE id = 1$$) AS by_a_cast;
PREPARE words(text) AS SELECT count(*) FROM (SELECT id FROM doc ORDER BY body <@> $1 LIMIT 5) x;
SET plan_cache_mode = force_generic_plan;
EXECUTE words('7');
EXECUTE words('');
EXECUTE words(NULL);
RESET plan_cache_mode;
CREATE TABLE parted (id int, body text) PARTITION BY RANGE (id);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (1) TO (50);
CREATE TABLE parted_2 PARTITION OF parted FOR VALUES FROM (50) TO (200);
INSERT INTO parted SELECT id, body FROM doc;
CREATE INDEX parted_words ON parted USING lmtext (body) WITH (words = true);
CREATE INDEX parted_again ON parted USING lmtext (body) WITH (words = true);
SELECT count(*) FROM (SELECT id FROM parted ORDER BY body <@> '7' LIMIT 5) x;
SELECT count(*) FROM (SELECT id FROM parted_1 ORDER BY body <@> '7' LIMIT 5) x;

-- ---- A predicate that says what the statement does not: no row is without a value ----
CREATE INDEX doc_v ON doc USING lmtext (v) WHERE v IS NOT NULL AND id > 0;
SET lmtext.enable_filter_scan = off;
SELECT scan($$SELECT id FROM doc WHERE id > 0 AND v <=> vector(3) < 3 ORDER BY v <=> vector(3)$$) AS by_the_predicate,
       scan($$SELECT id FROM doc WHERE id > 0 ORDER BY v <=> vector(3)$$) AS not_of_all_rows;
RESET lmtext.enable_filter_scan;
SET enable_seqscan = off;
SELECT count(*) FROM (SELECT id FROM doc WHERE id > 0 AND v <=> vector(3) < 3 ORDER BY v <=> vector(3)) x;
RESET enable_seqscan;

-- ---- A model's index: nothing to look for, and much that waits ----
CREATE INDEX doc_body ON doc USING lmtext (body) WITH (model = 'm@1', pending_limit = 5000);
INSERT INTO doc SELECT i, 'number ' || i || ' waits', 'other', vector(i) FROM generate_series(101, 1600) i;
INSERT INTO doc SELECT i, 'number ' || i || ' waits', 'other', vector(i) FROM generate_series(1601, 1650) i;
SET enable_seqscan = off;
SET enable_sort = off;
SELECT count(*) > 1000 AS found FROM (SELECT id FROM doc WHERE body IS NOT NULL ORDER BY body <=> 'number 7 sat on mat' LIMIT 2000) x;
SELECT count(*) FROM (SELECT id FROM doc WHERE body IS NOT NULL ORDER BY body <=> '' LIMIT 5) x;
PREPARE like_it(text) AS SELECT count(*) FROM (SELECT id FROM doc WHERE body IS NOT NULL ORDER BY body <=> $1 LIMIT 5) x;
SET plan_cache_mode = force_generic_plan;
EXECUTE like_it(NULL);
EXECUTE like_it('number 7');
RESET plan_cache_mode;
RESET enable_sort;
RESET enable_seqscan;
DELETE FROM doc WHERE id % 3 = 0;
VACUUM doc;
SELECT bool_and(ok) AS sound FROM lmtext.index_check('doc_body');
SELECT bool_and(ok) AS sound FROM lmtext.index_check('doc_words');

-- ---- A vector by the index, of what is none ----
CREATE TABLE bare (body text);
CREATE INDEX bare_body ON bare USING lmtext (body) WITH (model = 'm@1');
SELECT lmtext_internal.index_vector('doc', '"m@1"', 'a') IS NULL AS of_a_table, lmtext_internal.index_vector('doc_id', '"m@1"', 'a') IS NULL AS of_a_btree,
       lmtext_internal.index_vector('doc_v', '"m@1"', 'a') IS NULL AS of_vectors, lmtext_internal.index_vector('doc_words', '"m@1"', 'a') IS NULL AS of_words,
       lmtext_internal.index_vector('bare_body', '"m@1"', 'a') IS NULL AS of_no_rows, lmtext_internal.index_vector('parted_words', '"m@1"', 'a') IS NULL AS of_partitions,
       lmtext_internal.index_vector('doc_body', '"m@1"', 'number 7 sat on mat') <=> lmtext.embed('number 7 sat on mat') < 0.001 AS near,
       lmtext_internal.index_vector('doc_body', '"m@1"', 'number 7 sat') IS NULL AS not_there;

-- ---- More words than a batch of the build holds ----
SET maintenance_work_mem = '1MB';
CREATE TABLE many AS SELECT i AS id, (SELECT string_agg('w' || (i * j) % 5003, ' ') FROM generate_series(1, 12) j) AS body FROM generate_series(1, 12000) i;
CREATE INDEX many_words ON many USING lmtext (body) WITH (words = true);
SELECT bool_and(ok) AS sound FROM lmtext.index_check('many_words');
RESET maintenance_work_mem;

-- ---- Whether a queue is filled is told to its owner ----
CREATE ROLE regress_lmtext_odd;
GRANT USAGE ON SCHEMA test_odd TO regress_lmtext_odd;
SET ROLE regress_lmtext_odd;
SELECT lmtext_internal.queue_is_filled('test_odd.doc');
RESET ROLE;
DROP SCHEMA test_odd CASCADE;
DROP ROLE regress_lmtext_odd;

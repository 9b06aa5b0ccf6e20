-- Metrics against scikit-learn 1.9.1 (accuracy_score, f1_score, classification_report with
-- zero_division=0, confusion_matrix) on labels drawn by the same linear congruence.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS lmtext;
RESET client_min_messages;
CREATE SCHEMA test_metrics;
SET search_path = test_metrics, public;
SET extra_float_digits = 0;

-- 1,000 pairs of 12 labels, and a 13th that is only predicted.
CREATE TABLE pair AS
WITH RECURSIVE draw (i, x) AS (
    VALUES (0, 2024::bigint)
    UNION ALL SELECT i + 1, (x * 1664525 + 1013904223) & 4294967295 FROM draw WHERE i < 2000)
SELECT a.i / 2 AS id, 'L' || (a.x >> 20) % 12 AS actual,
       'L' || CASE WHEN (b.x >> 12) % 3 = 0 THEN (b.x >> 20) % 13 ELSE (a.x >> 20) % 12 END AS predicted
FROM draw a JOIN draw b ON b.i = a.i + 1 WHERE a.i % 2 = 1;

SELECT count(*), lmtext.accuracy(actual, predicted), lmtext.f1(actual, predicted),
       lmtext.f1(actual, predicted, 'micro') AS micro, lmtext.f1(actual, predicted, 'macro') AS macro,
       lmtext.f1(actual, predicted, 'weighted') AS weighted,
       lmtext.f1(actual, predicted, 'binary', 'L6') AS l6,
       lmtext.f1(actual, predicted, 'binary', 'none') AS unseen
FROM pair;
SELECT * FROM lmtext.classification_report('SELECT actual, predicted FROM pair');
SELECT count(*), sum(count), sum(count) FILTER (WHERE actual = predicted) AS diagonal
FROM lmtext.confusion_matrix('SELECT actual, predicted FROM pair');
SELECT bool_and(m.count = p.count) AS same, count(*)
FROM lmtext.confusion_matrix('SELECT actual, predicted FROM pair') m
     FULL JOIN (SELECT actual, predicted, count(*) FROM pair GROUP BY 1, 2) p USING (actual, predicted);
SELECT * FROM lmtext.confusion_matrix('SELECT actual, predicted FROM pair') LIMIT 3;

-- Groups; in parallel, with serialised states.
SELECT id % 3 AS part, round(lmtext.accuracy(actual, predicted)::numeric, 6) AS accuracy,
       round(lmtext.f1(actual, predicted)::numeric, 6) AS f1
FROM pair GROUP BY 1 ORDER BY 1;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET max_parallel_workers_per_gather = 2;
ALTER TABLE pair SET (parallel_workers = 2);
EXPLAIN (COSTS OFF) SELECT lmtext.accuracy(actual, predicted), lmtext.f1(actual, predicted, 'weighted') FROM pair;
SELECT lmtext.accuracy(actual, predicted), lmtext.f1(actual, predicted),
       lmtext.f1(actual, predicted, 'weighted') AS weighted, lmtext.f1(actual, predicted, 'binary', 'L6') AS l6
FROM pair;
SELECT lmtext.accuracy(actual, predicted), lmtext.f1(actual, predicted) FROM pair WHERE actual = 'nothing';
RESET max_parallel_workers_per_gather;

-- As window functions: the state goes on after a result.
SELECT i, lmtext.accuracy(a, p) OVER (ORDER BY i), lmtext.f1(a, p) OVER (ORDER BY i)
FROM (VALUES (1, 'x', 'x'), (2, 'x', 'y'), (3, 'y', 'y')) v (i, a, p);

-- NULL in either label: no pair.
SELECT lmtext.accuracy(a, p), lmtext.f1(a, p)
FROM (VALUES ('x', 'x'), (NULL, 'x'), ('x', NULL), (NULL, NULL), ('y', 'x')) v (a, p);
SELECT lmtext.accuracy(a, p), lmtext.f1(a, p) FROM (VALUES (NULL, 'x')) v (a, p);
SELECT * FROM lmtext.classification_report($$VALUES ('x', 'x'), (NULL, 'x'), ('x', NULL), ('y', 'x')$$);
SELECT count(*) FROM lmtext.classification_report('SELECT 1, 2 WHERE false');
SELECT count(*) FROM lmtext.confusion_matrix('SELECT NULL::int, 2');
SELECT lmtext.classification_report(NULL) IS NULL;

-- accuracy takes every type with an equality, and mixes types as = does.
SELECT lmtext.accuracy(i, i % 2) AS ints, lmtext.accuracy(i, (i % 2)::bigint) AS mixed,
       lmtext.accuracy(i > 1, true) AS bools, lmtext.accuracy(i::numeric, 1.00) AS numerics,
       lmtext.accuracy(chr(96 + i), 'a') AS literal, lmtext.accuracy(ARRAY[i], ARRAY[1]) AS arrays
FROM generate_series(1, 4) i;
SELECT lmtext.accuracy('a'::varchar, 'a'::text), lmtext.accuracy('a', 'b');
SELECT lmtext.accuracy('{}'::json, '{}'::json);
-- So do f1 and reports.
SELECT * FROM lmtext.confusion_matrix('SELECT i % 2 = 0, i > 2 FROM generate_series(1, 4) i');

-- One rule: labels are equal where = says so, after the usual choice of a common type. A label is shown as it was seen first.
CREATE TABLE number (id int, actual numeric, predicted numeric);
INSERT INTO number VALUES (1, 1, 1.0), (2, 1.00, 1), (3, 2, 2.50), (4, 2.5, 2.5), (5, 2.0, 2);
SELECT lmtext.accuracy(actual, predicted), lmtext.f1(actual, predicted, 'micro') AS micro,
       lmtext.f1(actual, predicted, 'binary', 1.000) AS one, lmtext.f1(actual, predicted, 'binary', 2) AS two,
       round(lmtext.f1(actual, predicted)::numeric, 4) AS macro
FROM number;
SELECT label, round(precision::numeric, 3) AS precision, round(recall::numeric, 3) AS recall, support, summary
FROM lmtext.classification_report('SELECT actual, predicted FROM number ORDER BY id');
SELECT * FROM lmtext.confusion_matrix('SELECT actual, predicted FROM number ORDER BY id');
SELECT * FROM lmtext.confusion_matrix('SELECT 1, 1.0 UNION ALL SELECT 1, 2.5');
-- The same of integers, of mixed types, of what has no text form of its own; all agree with accuracy.
SELECT lmtext.f1(i % 3, i % 2) AS ints, lmtext.f1(i % 3, (i % 2)::bigint, 'weighted') AS mixed,
       lmtext.f1(i % 3, i % 2, 'binary', 1) AS one, lmtext.f1(i > 3, true, 'binary', true) AS bools,
       lmtext.f1(i::numeric, 1.00, 'micro') - lmtext.accuracy(i::numeric, 1.00) AS numerics,
       lmtext.f1(ROW(i, NULL::int), ROW(1, NULL::int), 'micro') - lmtext.accuracy(ROW(i, NULL::int), ROW(1, NULL::int)) AS records,
       lmtext.f1(ARRAY[i], ARRAY[1.0], 'micro') - lmtext.accuracy(ARRAY[i], ARRAY[1.0]) AS arrays,
       lmtext.f1(0.0::float8 * (i - 2), 0, 'micro') AS minus_zero,
       lmtext.f1(chr(96 + i)::char(3), 'a '::char(5), 'micro') - lmtext.accuracy(chr(96 + i)::char(3), 'a '::char(5)) AS padded
FROM generate_series(1, 6) i;
-- Types without a hash function, but with an order.
SELECT lmtext.f1(i::bit(3), (i / 2)::bit(3), 'micro') AS bits, lmtext.accuracy(i::bit(3), (i / 2)::bit(3)),
       lmtext.f1(i::bit(3), (i / 2)::bit(3), 'binary', B'001') AS one
FROM generate_series(0, 5) i;
-- Values whose texts are the same are two labels all the same.
SELECT label, support FROM lmtext.classification_report('SELECT x, x FROM unnest(ARRAY[0.3, 0.1::float8 + 0.2]) x') WHERE NOT summary;
SELECT * FROM lmtext.confusion_matrix('SELECT ''a'' COLLATE "C", ''a'' COLLATE "POSIX"');
-- In parallel workers, each of which sees other forms first.
CREATE TABLE form AS
    SELECT i, CASE WHEN i % 2 = 0 THEN i % 5 ELSE (i % 5)::numeric(10,3) END AS actual,
           CASE WHEN i % 7 = 0 THEN 1.0 ELSE (i % 5)::numeric(10,1) END AS predicted
    FROM generate_series(1, 20000) i;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
ALTER TABLE form SET (parallel_workers = 2);
SET max_parallel_workers_per_gather = 0;
CREATE TABLE alone AS
    SELECT lmtext.accuracy(actual, predicted), lmtext.f1(actual, predicted), lmtext.f1(actual, predicted, 'weighted') AS weighted,
           lmtext.f1(actual, predicted, 'binary', 1.00) AS one, lmtext.f1(ROW(actual, i % 300), ROW(predicted, i % 300)) AS record FROM form;
SET max_parallel_workers_per_gather = 2;
EXPLAIN (COSTS OFF) SELECT lmtext.f1(actual, predicted) FROM form;
SELECT round(f.accuracy::numeric, 9) = round(a.accuracy::numeric, 9) AS accuracy, f.f1 = a.f1 AS f1, f.weighted = a.weighted AS weighted,
       f.one = a.one AS one, round(f.record::numeric, 9) = round(a.record::numeric, 9) AS record, round(f.f1::numeric, 6) AS value
FROM (SELECT lmtext.accuracy(actual, predicted), lmtext.f1(actual, predicted), lmtext.f1(actual, predicted, 'weighted') AS weighted,
             lmtext.f1(actual, predicted, 'binary', 1.00) AS one, lmtext.f1(ROW(actual, i % 300), ROW(predicted, i % 300)) AS record FROM form) f, alone a;
RESET max_parallel_workers_per_gather;
-- Matthews' correlation: scikit-learn's formula for many labels; NULL where all rows have one label on a side.
SELECT id % 3 AS part, round(lmtext.matthews(actual, predicted)::numeric, 12) AS matthews FROM pair GROUP BY ROLLUP (1) ORDER BY 1;
SELECT lmtext.matthews(a, b) AS two, lmtext.matthews(a, -b) AS other, lmtext.matthews(a, a) AS all, lmtext.matthews(a, 1 - a) AS never,
       lmtext.matthews(a, 1) AS constant, lmtext.matthews(a, NULL) AS null
FROM (VALUES (1, 1.0), (1, 1), (1, 0), (0, 0), (0, 0), (0, 1), (NULL, 1)) v (a, b);
SELECT count(*), round(lmtext.matthews(actual, predicted)::numeric, 12) AS matthews FROM form;
-- Cross entropy: each text counts by its tokens.
SELECT lmtext.cross_entropy(lp, n) AS nats, lmtext.cross_entropy(lp, n) FILTER (WHERE n = 0) AS none,
       lmtext.cross_entropy(lp, NULL) AS null, exp(lmtext.cross_entropy(ln(0.25), 1)) AS choices
FROM (VALUES (-3.0, 2), (-1.0, 6), (0, 0), (NULL, 7), (-5, NULL)) v (lp, n);
SELECT count(*), round(lmtext.cross_entropy(-i::float8, i)::numeric, 12) AS nats, lmtext.cross_entropy('-Infinity', i) AS impossible FROM form;
SELECT lmtext.cross_entropy('NaN', 1);
SELECT lmtext.cross_entropy(-1, -1);
-- A group takes little, however many there are.
CREATE FUNCTION kilobytes(query text) RETURNS int LANGUAGE plpgsql AS $$
DECLARE plan json;
BEGIN
    EXECUTE 'EXPLAIN (ANALYZE, TIMING off, FORMAT json) ' || query INTO plan;
    RETURN plan #>> '{0,Plan,Plans,0,Peak Memory Usage}';
END $$;
SET work_mem = '1GB';
SET max_parallel_workers_per_gather = 0;
SET enable_sort = off;
SELECT kilobytes('SELECT count(f1) FROM (SELECT lmtext.f1(i % 3, i % 2) FROM generate_series(1, 30000) i GROUP BY i % 10000) f') < 25000 AS numbers,
       kilobytes('SELECT count(f1) FROM (SELECT lmtext.f1((i % 3)::text, (i % 2)::text) FROM generate_series(1, 30000) i GROUP BY i % 10000) f') < 20000
           AS texts;
RESET work_mem;
RESET max_parallel_workers_per_gather;
RESET enable_sort;
-- What cannot be compared.
SELECT lmtext.f1('{}'::json, '{}'::json);
SELECT * FROM lmtext.classification_report($$SELECT '{}'::json, '{}'::json$$);
SELECT * FROM lmtext.classification_report('SELECT 1 AS actual, ''1''::text AS predicted');
SELECT lmtext.f1(1, '1'::text);
-- (By this process alone: a worker would add a line of its own.)
SET max_parallel_workers_per_gather = 0;
SELECT lmtext.f1(actual, predicted, 'binary', NULL) FROM number;
SELECT lmtext.f1(actual, predicted, 'binary', id) FROM number;
RESET max_parallel_workers_per_gather;

-- A label may be called like a mean.
SELECT label, f1, support, summary FROM lmtext.classification_report($$VALUES ('micro avg', 'micro avg'), ('other', 'micro avg')$$);

-- The empty label, case, blanks.
SELECT label, support FROM lmtext.classification_report($$VALUES ('', 'a'), ('A', 'a'), ('a ', 'a'), ('ä', 'ä')$$)
WHERE NOT summary;

-- Refusals; in one process, so that no line says which one refuses.
SET max_parallel_workers_per_gather = 0;
SELECT lmtext.f1(actual, predicted, 'mean') FROM pair;
SELECT lmtext.f1(actual, predicted, 'binary') FROM pair;
SELECT lmtext.f1(actual, predicted, 'macro', 'L1') FROM pair;
SELECT lmtext.f1(actual, predicted, NULL) FROM pair;
SELECT lmtext.f1(actual, predicted, CASE WHEN id < 500 THEN 'macro' ELSE 'micro' END) FROM pair;
-- Versions of PostgreSQL refuse this in different words.
DO $$ BEGIN PERFORM lmtext_internal.f1_final(NULL); EXCEPTION WHEN others THEN RAISE NOTICE 'refused'; END $$;
SELECT lmtext_internal.accuracy_final('{1}');
SELECT lmtext_internal.accuracy_combine('{1,2,3}', '{1,2}');
SELECT lmtext_internal.accuracy_accum('{0,NULL}', 1, 2);
SELECT * FROM lmtext.classification_report('SELECT actual FROM pair');
SELECT * FROM lmtext.classification_report('DELETE FROM pair RETURNING actual, predicted');
SELECT * FROM lmtext.confusion_matrix('SELECT actual, predicted FROM nowhere');
SELECT * FROM lmtext.confusion_matrix('SELECT 1/0, 1');
SELECT count(*) FROM pair;

SET client_min_messages = error;
DROP SCHEMA test_metrics CASCADE;

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
SELECT count(*) FROM lmtext.confusion_matrix('SELECT NULL::text, 2');
SELECT lmtext.classification_report(NULL) IS NULL;

-- accuracy takes every type with an equality, and mixes types as = does.
SELECT lmtext.accuracy(i, i % 2) AS ints, lmtext.accuracy(i, (i % 2)::bigint) AS mixed,
       lmtext.accuracy(i > 1, true) AS bools, lmtext.accuracy(i::numeric, 1.00) AS numerics,
       lmtext.accuracy(chr(96 + i), 'a') AS literal, lmtext.accuracy(ARRAY[i], ARRAY[1]) AS arrays
FROM generate_series(1, 4) i;
SELECT lmtext.accuracy('a'::varchar, 'a'::text), lmtext.accuracy('a', 'b');
SELECT lmtext.accuracy('{}'::json, '{}'::json);
-- Reports take every type by its text.
SELECT * FROM lmtext.confusion_matrix('SELECT i % 2 = 0, i > 2 FROM generate_series(1, 4) i');

-- Labels are bytes: the empty label, case, blanks.
SELECT label, support FROM lmtext.classification_report($$VALUES ('', 'a'), ('A', 'a'), ('a ', 'a'), ('ä', 'ä')$$);

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

-- Shares of windows against scipy 1.17.1: norm.isf(hypergeom.sf(k - 1, n + m, k + j, n)), and for a drop
-- -norm.isf(hypergeom.cdf(k, n + m, k + j, n)).
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS lmtext;
RESET client_min_messages;

SELECT k, n, j, m, round(lmtext.surge(k, n, j, m)::numeric, 6) AS surge, round(z::numeric, 6) AS scipy
FROM (VALUES (2, 2, 5, 10, 0.4727891209922672), (5, 20, 100, 1000, 1.6817497577018343), (45, 83, 4500, 14000, 4.026072979098808),
          (60, 100, 250, 1000, 6.899820539192445), (20, 100, 30, 100, -1.4713120489238782), (1, 1, 1, 3, 0), (0, 9, 0, 7, 0))
    v (k, n, j, m, z);

-- A drop is a surge of the rest. Without a window or a base there is nothing to say.
SELECT lmtext.surge(30, 40, 100, 400) = -lmtext.surge(10, 40, 300, 400) AS mirrored, lmtext.surge(0, 0, 1, 2) AS no_window,
       lmtext.surge(1, 2, 0, 0) AS no_base, lmtext.surge(NULL, 2, 1, 2) AS no_count;
SELECT round(lmtext.surge(60, 100, 100000000000000000, 1000000000000000000)::numeric, 6) AS large_base;

-- Counts that cannot be.
\set VERBOSITY sqlstate
SELECT lmtext.surge(-1, 2, 1, 2);
SELECT lmtext.surge(1, 2, 3, 2);
SELECT lmtext.surge(1, -2, 1, 2);
SELECT lmtext.surge(1, 9223372036854775807, 1, 2);
\set VERBOSITY default
SELECT lmtext.surge(3, 2, 1, 2);

-- In parallel workers.
CREATE TABLE counted AS SELECT i % 50 AS k, 50 AS n, i % 1000 AS j, 1000 AS m FROM generate_series(1, 5000) i;
ALTER TABLE counted SET (parallel_workers = 2);
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
EXPLAIN (COSTS OFF) SELECT max(lmtext.surge(k, n, j, m)) FROM counted;
SELECT max(lmtext.surge(k, n, j, m)) = (SELECT max(s) FROM (SELECT lmtext.surge(k, n, j, m) AS s FROM counted OFFSET 0) x) AS same FROM counted;
DROP TABLE counted;

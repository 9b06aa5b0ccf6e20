-- What the planner says of scans of an index of method lmtext, beside what they take: the constants of src/pg/am/cost.c are right where a unit of cost
-- takes as long in the index's plans as in those of the table. On a database with lmtext:
--   psql -X -f bench/index_cost.sql -v rows=20000
SET client_min_messages = warning;
SET max_parallel_workers_per_gather = 0;
SET jit = off;
\if :{?rows}
\else
\set rows 20000
\endif
CREATE SCHEMA bench_cost;
SET search_path = bench_cost, public;
-- Rows around one of 50 places, 384 wide.
CREATE TABLE place AS SELECT p AS id, (SELECT array_agg((random() - .5)::real) FROM generate_series(1, 384) WHERE p >= 0) AS v FROM generate_series(0, 49) p;
CREATE TABLE t AS SELECT i AS id, (hashint4(i) & 1048575) % 100 AS part,
    (SELECT array_agg((x + .5 * (random() - .5))::real) FROM unnest(place.v) x WHERE i > 0) AS v
    FROM generate_series(1, :rows) i JOIN place ON place.id = i % 50;
ALTER TABLE t ALTER v SET NOT NULL;
CREATE INDEX t_part ON t (part);
CREATE INDEX t_v ON t USING lmtext (v real_l2_ops);
VACUUM ANALYZE t;
CREATE FUNCTION measured(what text, query text, OUT plan text, OUT node text, OUT cost numeric, OUT ms numeric, OUT us_a_unit numeric) LANGUAGE plpgsql AS $$
DECLARE
    told jsonb;
    least float8 = 'infinity';
BEGIN
    FOR i IN 1 .. 7 LOOP
        EXECUTE 'EXPLAIN (ANALYZE, TIMING off, FORMAT json) ' || query INTO told;
        least := least(least, (told #>> '{0,Execution Time}')::float8);
    END LOOP;
    plan := what;
    node := (SELECT string_agg(x #>> '{}', ' ') FROM jsonb_path_query(told, '$.**."Node Type"') x);
    cost := round((told #>> '{0,Plan,Total Cost}')::numeric, 1);
    ms := round(least::numeric, 2);
    us_a_unit := round((least * 1000)::numeric / nullif(cost, 0), 2);
END $$;
SELECT v::text AS v FROM t WHERE id = 77 \gset
SET enable_indexscan = off;
SELECT m.* FROM (VALUES (1, 'table, all rows sorted', 'SELECT id FROM t ORDER BY v <-> $v$' || :'v' || '$v$'),
    (2, 'table, nearest 10', 'SELECT id FROM t ORDER BY v <-> $v$' || :'v' || '$v$ LIMIT 10'),
    (3, 'filter of 1 %, nearest 10', 'SELECT id FROM t WHERE part = 7 ORDER BY v <-> $v$' || :'v' || '$v$ LIMIT 10')) q (n, what, query), measured(what, query) m ORDER BY n;
SET enable_indexscan = on;
SET enable_seqscan = off;
SET enable_bitmapscan = off;
SET enable_sort = off;
SET lmtext.enable_filter_scan = off;
SELECT m.* FROM (VALUES (1, 'index, nearest 10', 'SELECT id FROM t ORDER BY v <-> $v$' || :'v' || '$v$ LIMIT 10'),
    (2, 'index, nearest 100', 'SELECT id FROM t ORDER BY v <-> $v$' || :'v' || '$v$ LIMIT 100'),
    (3, 'index, nearest 1000', 'SELECT id FROM t ORDER BY v <-> $v$' || :'v' || '$v$ LIMIT 1000'),
    (4, 'index, all rows', 'SELECT id FROM t ORDER BY v <-> $v$' || :'v' || '$v$'),
    (5, 'index, filter of 1 %, nearest 10', 'SELECT id FROM t WHERE part = 7 ORDER BY v <-> $v$' || :'v' || '$v$ LIMIT 10'),
    (6, 'index, filter of 10 %, nearest 10', 'SELECT id FROM t WHERE part < 10 ORDER BY v <-> $v$' || :'v' || '$v$ LIMIT 10'),
    (7, 'index, filter of 50 %, nearest 10', 'SELECT id FROM t WHERE part < 50 ORDER BY v <-> $v$' || :'v' || '$v$ LIMIT 10')) q (n, what, query), measured(what, query) m ORDER BY n;
-- What is chosen, where a page that is read at random is as dear as ever, and where all is in memory.
RESET enable_seqscan;
RESET enable_bitmapscan;
RESET enable_sort;
RESET lmtext.enable_filter_scan;
SELECT m.* FROM (VALUES (1, 'chosen, filter of 1 %', 'SELECT id FROM t WHERE part = 7 ORDER BY v <-> $v$' || :'v' || '$v$ LIMIT 10'),
    (2, 'chosen, filter of 10 %', 'SELECT id FROM t WHERE part < 10 ORDER BY v <-> $v$' || :'v' || '$v$ LIMIT 10')) q (n, what, query), measured(what, query) m ORDER BY n;
SET random_page_cost = 1.1;
SELECT m.* FROM (VALUES (1, 'chosen, filter of 1 %', 'SELECT id FROM t WHERE part = 7 ORDER BY v <-> $v$' || :'v' || '$v$ LIMIT 10'),
    (2, 'chosen, filter of 10 %', 'SELECT id FROM t WHERE part < 10 ORDER BY v <-> $v$' || :'v' || '$v$ LIMIT 10')) q (n, what, query), measured(what, query) m ORDER BY n;
DROP SCHEMA bench_cost CASCADE;

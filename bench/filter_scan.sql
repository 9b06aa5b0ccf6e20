-- WHERE part = … ORDER BY v <-> … LIMIT 10: rows of a filter ranked by the index's vectors (lmtext.enable_filter_scan), beside the index scan with the
-- filter above it, and beside the table's own values, sorted. On a database with lmtext:
--   psql -X -f bench/filter_scan.sql -v rows=63436
-- `cpu_us` is processor time of the server's process, user and system, a query; `same` how many of its rows are the nearest ones by the operator.
SET client_min_messages = warning;
SET max_parallel_workers_per_gather = 0;
SET jit = off;
\if :{?rows}
\else
\set rows 63436
\endif
CREATE SCHEMA bench_filter;
SET search_path = bench_filter, public;
-- Rows around one of 500 places, 384 wide; parts of 10, 2, 1, .1 and .01 %.
CREATE TABLE place AS SELECT p AS id, (SELECT array_agg((random() - .5)::real) FROM generate_series(1, 384) WHERE p >= 0) AS v FROM generate_series(0, 499) p;
CREATE TABLE t AS SELECT i AS id, (hashint4(i) & 1048575) % 10000 AS part,
    (SELECT array_agg((x + .5 * (random() - .5))::real) FROM unnest(place.v) x WHERE i > 0) AS v
    FROM generate_series(1, :rows) i JOIN place ON place.id = i % 500;
ALTER TABLE t ALTER v SET NOT NULL;
CREATE INDEX t_part ON t (part);
CREATE INDEX t_v ON t USING lmtext (v real_l2_ops);
VACUUM ANALYZE t;
CREATE TABLE query AS SELECT id, v FROM t WHERE id % (:rows / 50) = 1 LIMIT 40;
-- Of this backend, in microseconds.
CREATE FUNCTION cpu() RETURNS float8 LANGUAGE sql AS
$$SELECT (f[14]::float8 + f[15]::float8) * 10000 FROM regexp_split_to_array(pg_read_file(format('/proc/%s/stat', pg_backend_pid())), ' ') f$$;
CREATE FUNCTION nearest(filter text, query real[]) RETURNS int[] LANGUAGE plpgsql AS $$
DECLARE
    ids int[];
BEGIN
    EXECUTE format('SELECT array(SELECT id FROM t WHERE %s ORDER BY v <-> $1 LIMIT 10)', filter) INTO ids USING query;
    RETURN ids;
END $$;
CREATE FUNCTION measured(filter text, OUT cost numeric, OUT cpu_us numeric, OUT same numeric, OUT node text) LANGUAGE plpgsql AS $$
DECLARE
    told jsonb;
    first float8;
    runs int = 0;
BEGIN
    EXECUTE format('EXPLAIN (FORMAT json) SELECT id FROM t WHERE %s ORDER BY v <-> %L LIMIT 10', filter, (SELECT v FROM query LIMIT 1)) INTO told;
    cost := round((told #>> '{0,Plan,Total Cost}')::numeric, 1);
    node := (SELECT string_agg(x #>> '{}', ' ') FROM jsonb_path_query(told, '$.**."Node Type"') x);
    same := (SELECT round(avg((SELECT count(*) FROM unnest(nearest(filter, v)) x WHERE x = ANY (exact))), 2)
        FROM (SELECT v, exact FROM truth JOIN query USING (id) WHERE truth.filter = measured.filter OFFSET 0) q);
    first := cpu();
    WHILE cpu() - first < 1e6 LOOP
        PERFORM nearest(filter, v) FROM query;
        runs := runs + 40;
    END LOOP;
    cpu_us := round(((cpu() - first) / runs)::numeric);
END $$;
CREATE TABLE filter AS SELECT * FROM (VALUES ('part < 1000'), ('part < 200'), ('part < 100'), ('part < 10'), ('part = 7')) f (filter);
SET enable_indexscan = off;
CREATE TABLE truth AS SELECT filter, id, nearest(filter, v) AS exact FROM filter, query;
SELECT filter, m.* FROM filter, measured(filter) m;
RESET enable_indexscan;
SET enable_bitmapscan = off;
SET enable_seqscan = off;
SET enable_sort = off;
SET lmtext.enable_filter_scan = off;
SELECT filter, m.* FROM filter, measured(filter) m;
RESET lmtext.enable_filter_scan;
SELECT filter, m.* FROM filter, measured(filter) m;
RESET enable_bitmapscan;
RESET enable_seqscan;
RESET enable_sort;
SELECT 'chosen' AS plan, filter, m.cost, m.node FROM filter, measured(filter) m;
DROP SCHEMA bench_filter CASCADE;

-- Which plan the planner takes, at both ends: few rows and many, a LIMIT and none, filters that leave little and much.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS lmtext;
CREATE SCHEMA test_cost;
SET search_path = test_cost, public;
SET max_parallel_workers_per_gather = 0;
CREATE FUNCTION plan(query text) RETURNS text LANGUAGE plpgsql AS
$$DECLARE line text;
BEGIN
    FOR line IN EXECUTE 'EXPLAIN (COSTS off) ' || query LOOP
        IF line ~ 'LmtextFilter|Scan using|Seq Scan|Bitmap Heap' THEN RETURN trim(leading ' ->' FROM line); END IF;
    END LOOP;
END$$;
CREATE FUNCTION vector(seed int) RETURNS real[] LANGUAGE sql IMMUTABLE AS
$$SELECT array_agg(((hashint4(seed * 64 + i) % 1000) / 1000.0)::real ORDER BY i) FROM generate_series(1, 64) i$$;
CREATE TABLE few AS SELECT i AS id, vector(i) AS v FROM generate_series(1, 20) i;
CREATE TABLE many AS SELECT i AS id, (hashint4(i) & 1048575) % 1000 AS part, vector(i) AS v FROM generate_series(1, 8000) i;
ALTER TABLE few ALTER v SET NOT NULL;
ALTER TABLE many ALTER v SET NOT NULL;
CREATE INDEX few_v ON few USING lmtext (v);
CREATE INDEX many_v ON many USING lmtext (v);
CREATE INDEX many_part ON many (part);
VACUUM ANALYZE few, many;
CREATE FUNCTION plans() RETURNS TABLE (query text, plan text) LANGUAGE sql AS
$$SELECT q, plan(format('SELECT id FROM %s', replace(q, 'nearest', 'ORDER BY v <=> ' || quote_literal(vector(7))))) FROM unnest(ARRAY['few nearest LIMIT 5', 'many nearest LIMIT 1',
    'many nearest LIMIT 100', 'many nearest LIMIT 7000', 'many nearest', 'many WHERE part = 5 nearest LIMIT 10', 'many WHERE part < 3 nearest LIMIT 10',
    'many WHERE part < 200 nearest LIMIT 10', 'many WHERE part < 900 nearest LIMIT 10']) q$$;
SELECT * FROM plans();
-- Where all is in memory.
SET random_page_cost = 1.1;
SELECT * FROM plans();
DROP SCHEMA test_cost CASCADE;

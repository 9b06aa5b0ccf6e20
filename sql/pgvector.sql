-- Beside pgvector, where it is there (expected/pgvector_1.out is for where it is not): its operators stay
-- in charge, and an expression that mixes its types with real[] still finds its index.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS lmtext;
\set SHOW_CONTEXT never
SELECT lmtext.enable_pgvector();
\set SHOW_CONTEXT errors
SELECT count(*) = 0 AS missing FROM pg_available_extensions WHERE name = 'vector' \gset
\if :missing
\echo pgvector is not there
\quit
\endif
CREATE EXTENSION vector;
RESET client_min_messages;
CREATE SCHEMA test_pgvector;
SET search_path = test_pgvector, public;
\getenv source_dir LMTEXT_SOURCE_DIR
\set tiny :source_dir '/models/tiny/bert'
SELECT lmtext.import_model('tiny', :'tiny');
SET lmtext.embedding_model = 'tiny';
CREATE TABLE v AS
    SELECT i AS id, e AS r, e::vector(36) AS v, e::halfvec(36) AS h
    FROM generate_series(1, 1000) i,
         lmtext.embed(concat_ws(' ', chr(97 + i % 25), chr(97 + i % 17), chr(97 + i % 13))) e;
ALTER TABLE v ADD PRIMARY KEY (id);
CREATE INDEX ON v USING hnsw (v vector_cosine_ops);
CREATE INDEX ON v USING hnsw (v vector_l2_ops);
CREATE INDEX ON v USING hnsw (v vector_ip_ops);
CREATE INDEX ON v USING hnsw (h halfvec_cosine_ops);
ANALYZE v;
CREATE FUNCTION plan_has(statement text, word text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    line text;
BEGIN
    FOR line IN EXECUTE 'EXPLAIN ' || statement LOOP
        IF line LIKE '%' || word || '%' THEN RETURN true; END IF;
    END LOOP;
    RETURN false;
END $$;

SELECT count(DISTINCT r) > 900 AS distinct_vectors FROM v;
SET enable_seqscan = off; -- the table is small

-- The column is never cast: HNSW serves it, on either side and by every operator.
SELECT plan_has($$SELECT id FROM v ORDER BY v <=> lmtext.embed('q') LIMIT 3$$, 'v_v_idx on') AS cosine,
       plan_has($$SELECT id FROM v ORDER BY lmtext.embed('q') <=> v LIMIT 3$$, 'v_v_idx on') AS commuted,
       plan_has($$SELECT id FROM v ORDER BY v <-> lmtext.embed('q') LIMIT 3$$, 'v_v_idx1 on') AS l2,
       plan_has($$SELECT id FROM v ORDER BY v <#> lmtext.embed('q') LIMIT 3$$, 'v_v_idx2 on') AS inner_product;
-- So in a generic plan.
PREPARE nearest(text) AS SELECT id FROM v ORDER BY v <=> lmtext.embed($1) LIMIT 1;
SET plan_cache_mode = force_generic_plan;
SELECT plan_has($$EXECUTE nearest('q')$$, 'v_v_idx on') AS generic;
EXECUTE nearest('c j m'); -- the text of row 77

RESET plan_cache_mode;
-- A cast that the user wrote stays, and what has no implicit cast is PostgreSQL's own error.
SELECT plan_has($$SELECT id FROM v ORDER BY v::real[] <=> lmtext.embed('q') LIMIT 3$$, 'Seq Scan') AS written;
\set VERBOSITY sqlstate
SELECT id FROM v ORDER BY h <=> lmtext.embed('q') LIMIT 3;
\set VERBOSITY default
SELECT plan_has($$SELECT id FROM v ORDER BY h <=> lmtext.embed('q')::halfvec LIMIT 3$$, 'v_h_idx on') AS halfvec;

-- Distances are the same on both sides.
SELECT max(abs((v <=> q) - (r <=> q))) < 1e-6 AS cosine, max(abs((v <-> q) - (r <-> q))) < 1e-5 AS l2,
       max(abs((v <#> q) - (r <#> q))) < 1e-4 AS inner_product
FROM v, lmtext.embed('q') q;
-- Literals and pairs of pgvector's types mean what they meant.
SELECT '[1,2]'::vector <=> '[2,1]' = ('{1,2}'::real[] <=> '{2,1}') AS literal,
       '[1,2]'::vector <-> '[2,1]'::vector = ('{1,2}'::real[] <-> '{2,1}') AS pair,
       pg_typeof('[1,2]'::vector + '[1,2]') AS other_operators;

-- The trigger writes a vector column.
CREATE TABLE kept (body text, v vector(36));
CREATE TRIGGER keep BEFORE INSERT OR UPDATE ON kept
    FOR EACH ROW EXECUTE FUNCTION lmtext.embed_trigger('body', 'v', 'tiny@1');
INSERT INTO kept VALUES ('one');
SELECT v = lmtext.embed('one')::vector AS same FROM kept;
\set VERBOSITY sqlstate
ALTER TABLE kept ALTER v TYPE vector(5) USING NULL;
INSERT INTO kept VALUES ('two');
\set VERBOSITY default

-- A classifier is trained on stored vectors of pgvector's types.
SET client_min_messages = warning;
CALL lmtext.train('by_real', 'SELECT r, (id % 2)::text FROM v WHERE id <= 60 ORDER BY id');
CALL lmtext.train('by_vector', 'SELECT v, (id % 2)::text FROM v WHERE id <= 60 ORDER BY id');
CALL lmtext.train('by_halfvec', 'SELECT h, (id % 2)::text FROM v WHERE id <= 60 ORDER BY id');
RESET client_min_messages;
SELECT count(*) FILTER (WHERE name <> 'by_halfvec') AS exact, count(DISTINCT sha256) FILTER (WHERE name <> 'by_halfvec') AS heads,
       count(*) FILTER (WHERE name = 'by_halfvec') AS halves
FROM lmtext.models WHERE name LIKE 'by%';

-- lmtext.search of its types: by their own operator and index, and in one pass.
SELECT c AS "column", m AS mode, array_agg(s.key::int ORDER BY s.semantic_rank) = (SELECT array_agg(id) FROM (SELECT id FROM v ORDER BY r <=> lmtext.embed_query('b c d'), id LIMIT 5) n) AS nearest
FROM unnest('{r,v,h}'::name[]) c, unnest('{semantic,exact}'::text[]) m, LATERAL lmtext.search('v', c, 'b c d', 5, mode => m) s GROUP BY c, m ORDER BY c, m;
SELECT lmtext_internal.has_ordering('v', 3::smallint) AS has_index,
       (SELECT count(*) FROM lmtext.search('v', 'v', '{a,b c}'::text[], 3, filter => 'id > 10')) AS by_index;

-- ---- The access method lmtext on its types ----
SELECT lmtext.enable_pgvector();
SELECT lmtext.enable_pgvector(); -- there is no harm in doing it twice
SELECT opcname, opcdefault, amvalidate(oid) FROM pg_opclass
WHERE opcmethod = (SELECT oid FROM pg_am WHERE amname = 'lmtext') AND opcintype = ANY ('{vector,halfvec}'::regtype[]) ORDER BY 1;
DROP INDEX v_v_idx, v_v_idx1, v_v_idx2, v_h_idx;
CREATE INDEX v_cosine ON v USING lmtext (v);
CREATE INDEX v_l2 ON v USING lmtext (v vector_l2_ops) WITH (lists = 8);
CREATE INDEX v_ip ON v USING lmtext (v vector_ip_ops);
CREATE INDEX h_cosine ON v USING lmtext (h halfvec_cosine_ops);
CREATE INDEX h_l2 ON v USING lmtext (h halfvec_l2_ops);
CREATE INDEX h_ip ON v USING lmtext (h halfvec_ip_ops);
SELECT plan_has($$SELECT id FROM v ORDER BY v <=> lmtext.embed('q') LIMIT 3$$, 'v_cosine on') AS cosine,
       plan_has($$SELECT id FROM v ORDER BY v <-> lmtext.embed('q') LIMIT 3$$, 'v_l2 on') AS l2,
       plan_has($$SELECT id FROM v ORDER BY v <#> lmtext.embed('q') LIMIT 3$$, 'v_ip on') AS inner_product,
       plan_has($$SELECT id FROM v ORDER BY h <=> lmtext.embed('q')::halfvec LIMIT 3$$, 'h_cosine on') AS halfvec;
-- Rows that come and go, and what their order has in common with that of a sorted table.
INSERT INTO v SELECT i, e, e, e FROM generate_series(1001, 1100) i, lmtext.embed('new ' || i) e;
DELETE FROM v WHERE id % 3 = 0;
VACUUM v;
CREATE FUNCTION nearest(distance text, by_index boolean) RETURNS int[] LANGUAGE plpgsql AS $$
DECLARE
    found int[];
BEGIN
    PERFORM set_config('enable_indexscan', by_index::text, true), set_config('enable_seqscan', (NOT by_index)::text, true);
    EXECUTE format('SELECT array_agg(id) FROM (SELECT id FROM v ORDER BY %s LIMIT 10) x', distance) INTO found;
    RETURN found;
END $$;
SELECT d AS distance, (SELECT count(*) FROM unnest(nearest(d, true)) i WHERE i = ANY (nearest(d, false))) >= 9 AS same FROM
    (SELECT format('%s %s lmtext.embed(''new c q'')::%s', c, o, t) AS d FROM (VALUES ('v', 'vector'), ('h', 'halfvec')) k (c, t),
        unnest('{<=>,<->,<#>}'::text[]) o) x ORDER BY 1;
SELECT i AS index, bool_and(ok) AS sound FROM unnest('{v_cosine,v_l2,v_ip,h_cosine,h_l2,h_ip}'::regclass[]) i, lmtext.index_check(i) GROUP BY i ORDER BY i;
SELECT metric, dimensions, rows, lists FROM lmtext.index_stats('v_l2');
-- A column whose vectors are of several widths, and more dimensions than HNSW takes.
CREATE TABLE wide (id int, v vector, h halfvec);
CREATE INDEX wide_v ON wide USING lmtext (v vector_l2_ops);
CREATE INDEX wide_h ON wide USING lmtext (h halfvec_l2_ops);
INSERT INTO wide SELECT i, a, a FROM generate_series(1, 20) i, LATERAL (SELECT array_agg(((i * 37 + j * 11) % 101)::real) AS a FROM generate_series(1, 4200) j) x;
SELECT (SELECT id FROM wide ORDER BY v <-> (SELECT v FROM wide WHERE id = 7) LIMIT 1) AS v, (SELECT id FROM wide ORDER BY h <-> (SELECT h FROM wide WHERE id = 9) LIMIT 1) AS h;
\set VERBOSITY terse
INSERT INTO wide (v) VALUES ('[1,2]');
SELECT id FROM wide ORDER BY v <-> '[1,2]' LIMIT 1;
\set VERBOSITY default
-- lmtext.search takes it as any other index; what there is is dropped with the extension.
SELECT count(*) AS by_search FROM lmtext.search('v', 'v', 'b c d', 5);
SET client_min_messages = warning;
DROP SCHEMA test_pgvector CASCADE;
DROP EXTENSION vector CASCADE;
SELECT count(*) AS left FROM pg_opclass WHERE opcname ~ '^(vector|halfvec)_';

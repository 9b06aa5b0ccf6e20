-- Distances, their operators, the mean vector, and exact search by meaning.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS lmtext;
RESET client_min_messages;
CREATE SCHEMA test_search;
SET search_path = test_search, public;
SET extra_float_digits = 0;
\getenv minilm LMTEXT_MINILM
SELECT lmtext.import_model('minilm', :'minilm');
SET max_parallel_workers_per_gather = 0;

CREATE FUNCTION refusal(command text) RETURNS text LANGUAGE plpgsql AS
$$BEGIN
    EXECUTE command;
    RETURN 'accepted';
EXCEPTION WHEN data_exception THEN
    RETURN SQLSTATE || ' ' || SQLERRM;
END$$;

-- By hand: (1,2,2) and (2,0,1) have the inner product 4 and the lengths 3 and √5.
SELECT round(('{1,2,2}'::real[] <=> '{2,0,1}')::numeric, 6) AS cosine,
       round((1 - 4 / (3 * sqrt(5)))::numeric, 6) AS expected;
SELECT '{1,2,2}'::real[] <#> '{2,0,1}' AS negative_inner_product,
       '{1,2,2}'::real[] <-> '{3,5,8}' AS l2;
SELECT lmtext.cosine_distance('{1,2,2}', '{2,0,1}') = '{1,2,2}'::real[] <=> '{2,0,1}' AS cosine,
       lmtext.l2_distance('{1,2,2}', '{2,0,1}') = '{1,2,2}'::real[] <-> '{2,0,1}' AS l2,
       lmtext.inner_product('{1,2,2}', '{2,0,1}') = -('{1,2,2}'::real[] <#> '{2,0,1}') AS inner_product,
       lmtext.negative_inner_product('{1,2,2}', '{2,0,1}') AS negative_inner_product;
SELECT '{1,1}'::real[] <=> '{-1,-1}' AS opposite, '{1,0}'::real[] <=> '{0,1}' AS across,
       '{0,0}'::real[] <=> '{1,1}' AS zero_has_no_direction,
       '{1}'::real[] <=> '{5}' AS one_dimension;
SELECT NULL::real[] <=> '{1}' IS NULL AS null_vector;
-- Every width, where kernels have tails; the sums here are exact in float.
SELECT bool_and(lmtext.inner_product(a, b) = expected) AS inner_product,
       bool_and((a <-> b) = sqrt(squared::float8)) AS l2
FROM (SELECT w, array_agg((i % 7)::real ORDER BY i) AS a, array_agg((i % 5)::real ORDER BY i) AS b,
             sum((i % 7) * (i % 5)) AS expected, sum((i % 7 - i % 5) ^ 2) AS squared
      FROM generate_series(1, 130) w, generate_series(1, w) i GROUP BY w) v;

SELECT lmtext.l2_normalize('{3,4}'), lmtext.l2_normalize('{0,0}'),
       lmtext.l2_normalize(NULL) IS NULL AS null_vector;
SELECT abs(lmtext.inner_product(v, v) - 1) < 1e-6 AS length_1
FROM lmtext.l2_normalize('{1e-20,2e-20}') v;

-- Vectors so long or so short that their squares leave real: the results are right all the same.
SELECT '{1e30,0}'::real[] <=> '{1,0}' AS long, '{1e30,0}'::real[] <=> '{0,1}' AS across,
       '{1e-30,0}'::real[] <=> '{1,0}' AS short, '{1e-30,1e-30}'::real[] <=> '{0,0}' AS zero,
       round((('{3e38}'::real[] <-> '{-3e38}') / 1e38)::numeric, 5) AS l2,
       round((lmtext.inner_product('{1e30,1}', '{1e30,1}') / 1e60)::numeric, 5) AS inner_product,
       lmtext.l2_normalize('{3e38,-3e38}');

-- NaN and infinity are no components of a vector: refused wherever a result would depend on them.
SELECT v, operator, refusal(format('SELECT %L::real[] OPERATOR(public.%s) %L::real[]', a, operator, b))
FROM (VALUES ('{0,NaN}', '{1,1}'), ('{0,1}', '{Infinity,0}'), ('{-Infinity,1}', '{-Infinity,1}')) v (a, b),
     (VALUES ('<=>'), ('<->'), ('<#>')) o (operator);
SELECT refusal($$SELECT lmtext.l2_normalize('{1,NaN}')$$), refusal($$SELECT lmtext.l2_normalize('{Infinity,1}')$$);
SELECT refusal($$SELECT lmtext.mean(v) FROM (VALUES ('{1,2}'::real[]), ('{3,Infinity}'), ('{3,-Infinity}')) t (v)$$),
       refusal($$SELECT lmtext.mean('{NaN}'::real[])$$);
SELECT lmtext.cosine_distance('{0,-Infinity}', '{0,1}');
SELECT lmtext.inner_product('{0,1}', '{1,NaN}');

-- What is no pair of vectors.
\set VERBOSITY sqlstate
SELECT '{1,2}'::real[] <=> '{1}';
SELECT '{1,2}'::real[] <-> '{1,2,3}';
SELECT '{1,NULL}'::real[] <=> '{1,2}';
SELECT '{{1,2}}'::real[] <=> '{{1,2}}'::real[];
SELECT '{}'::real[] <=> '{}'::real[];
SELECT lmtext.l2_normalize('{}');
\set VERBOSITY default
SELECT '{1,2}'::real[] <=> '{1}';

-- Distances between texts, by the default model.
\set VERBOSITY sqlstate
SELECT 'a'::text <=> 'b';
\set VERBOSITY default
SET lmtext.embedding_model = 'minilm';
SELECT round(('How do I resize images?' <=> 'a tool to scale pictures')::numeric, 4) AS operator,
       round(lmtext.distance('How do I resize images?', 'a tool to scale pictures')::numeric, 4) AS function,
       round((1 - lmtext.similarity('How do I resize images?', 'a tool to scale pictures'))::numeric, 4)
           AS similarity;
SELECT 'a'::text <=> NULL IS NULL AS null_text, round(('a'::text <=> 'a')::numeric, 6) AS same;
SELECT lmtext.embed('a') <=> lmtext.embed('b') = 'a' <=> 'b' AS of_the_vectors;

-- Search by meaning.
CREATE TABLE doc (id int, title text, embedding real[]);
INSERT INTO doc (id, title)
VALUES (1, 'a tool to scale and crop pictures'), (2, 'stock market news of today'),
       (3, 'recipes for bread and cake'), (4, 'convert photos between formats'),
       (5, 'weather forecast for sailors');
UPDATE doc SET embedding = lmtext.embed(title);
SELECT id FROM doc ORDER BY embedding <=> lmtext.embed('how do I resize images') LIMIT 2;
SELECT id FROM doc ORDER BY title <=> 'how do I resize images' LIMIT 2;
SELECT id FROM doc ORDER BY embedding <=> lmtext.embed('baking at home') LIMIT 1;
SELECT id FROM doc ORDER BY lmtext.distance(title, 'wind and rain at sea') LIMIT 1;
-- Unit vectors: all three distances give one order.
SELECT array_agg(id ORDER BY embedding <=> q) = array_agg(id ORDER BY embedding <-> q) AS l2,
       array_agg(id ORDER BY embedding <=> q) = array_agg(id ORDER BY embedding <#> q) AS inner_product
FROM doc, lmtext.embed('how do I resize images') q;
-- Whatever the search path says.
SET search_path = pg_catalog;
SELECT id FROM test_search.doc
ORDER BY lmtext.distance(title, 'baking at home') LIMIT 1;
SET lmtext.embedding_model = 'test_search.minilm';
SELECT id FROM test_search.doc
ORDER BY lmtext.distance(title, 'baking at home') LIMIT 1;
SELECT id FROM test_search.doc
ORDER BY title OPERATOR(public.<=>) 'baking at home' LIMIT 1;
SET search_path = test_search, public;

-- The mean of vectors.
SELECT lmtext.mean(v) FROM (VALUES ('{1,2}'::real[]), (NULL), ('{3,5}')) t (v);
SELECT lmtext.mean(v) IS NULL AS none FROM (VALUES (NULL::real[])) t (v);
SELECT lmtext.mean(v) IS NULL AS no_rows FROM (VALUES ('{1}'::real[])) t (v) WHERE false;
SELECT g, lmtext.mean(ARRAY[i, 10 * i]::real[]) FROM generate_series(1, 6) i, LATERAL (SELECT i % 2 AS g) x
GROUP BY g ORDER BY g;
SELECT i, lmtext.mean(ARRAY[i]::real[]) OVER (ORDER BY i) FROM generate_series(1, 4) i;
\set VERBOSITY sqlstate
SELECT lmtext.mean(v) FROM (VALUES ('{1,2}'::real[]), ('{3}')) t (v);
SELECT lmtext.mean(v) FROM (VALUES ('{1,NULL}'::real[])) t (v);
\set VERBOSITY default
-- In parallel the same: integers, whose sums are exact.
CREATE TABLE vectors AS
    SELECT i, ARRAY[i, -i, i % 3, 7]::real[] AS v FROM generate_series(1, 20000) i;
ANALYZE vectors;
RESET max_parallel_workers_per_gather;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
EXPLAIN (COSTS OFF) SELECT lmtext.mean(v) FROM vectors;
SELECT lmtext.mean(v) FROM vectors;
SET max_parallel_workers_per_gather = 0;
SELECT lmtext.mean(v) FROM vectors;
SELECT lmtext.mean(v) FROM (SELECT v FROM vectors WHERE i < 0) none;
RESET max_parallel_workers_per_gather;
SELECT lmtext.mean(v) IS NULL AS empty FROM vectors WHERE i < 0;

-- A type's own operator takes over where the type casts to real[] by itself (sql/pgvector.sql), but not
-- one of lesser promises: it would be volatile in an index, or write in a parallel worker.
CREATE TYPE wrapped AS (v real[]);
CREATE FUNCTION unwrap(wrapped) RETURNS real[] LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    AS 'BEGIN RETURN $1.v; END';
CREATE FUNCTION wrap(real[]) RETURNS wrapped LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    AS 'BEGIN RETURN ROW($1)::wrapped; END';
CREATE CAST (wrapped AS real[]) WITH FUNCTION unwrap(wrapped) AS IMPLICIT;
CREATE CAST (real[] AS wrapped) WITH FUNCTION wrap(real[]) AS ASSIGNMENT;
CREATE FUNCTION constant(wrapped, wrapped) RETURNS float8 LANGUAGE plpgsql AS 'BEGIN RETURN -1; END';
CREATE TABLE wraps AS SELECT ROW('{1,0}'::real[])::wrapped AS w;
SELECT w <=> '{0,1}'::real[] AS no_operator FROM wraps;
CREATE OPERATOR <=> (LEFTARG = wrapped, RIGHTARG = wrapped, FUNCTION = constant);
SELECT w <=> '{0,1}'::real[] AS unsafe, '{0,1}'::real[] <=> w AS other_way FROM wraps;
ALTER FUNCTION constant IMMUTABLE;
SELECT w <=> '{0,1}'::real[] AS parallel_unsafe FROM wraps;
ALTER FUNCTION constant PARALLEL SAFE;
SELECT w <=> '{0,1}'::real[] AS not_strict FROM wraps;
ALTER FUNCTION constant STRICT;
SELECT w <=> '{0,1}'::real[] AS safe, '{0,1}'::real[] <=> w AS other_way, w <=> NULL::real[] AS none FROM wraps;
DROP CAST (real[] AS wrapped);
SELECT w <=> '{0,1}'::real[] AS no_cast FROM wraps;

-- The operators lie where the extension was installed, what they call in lmtext.
SELECT o.oprname, o.oprleft::regtype, o.oprcode, o.oprcom = o.oid AS commutes,
       o.oprnamespace = e.extnamespace AS in_extension_schema, p.provolatile, p.proisstrict, p.proparallel
FROM pg_operator o JOIN pg_proc p ON p.oid = o.oprcode, pg_extension e
WHERE e.extname = 'lmtext' AND p.pronamespace = 'lmtext'::regnamespace
ORDER BY o.oprname, o.oprleft::regtype::text;
SET client_min_messages = warning;
DROP SCHEMA test_search CASCADE;

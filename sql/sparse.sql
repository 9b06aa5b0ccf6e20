-- Learned sparse vectors: what the reference gave, forms, which models, refusals, statistics.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS lmtext;
RESET client_min_messages;
CREATE SCHEMA test_sparse;
SET search_path = test_sparse, public;
\set SHOW_CONTEXT never
\getenv source_dir LMTEXT_SOURCE_DIR
\set tiny :source_dir '/models/tiny'

-- A sparse encoder's files say what it is; a masked language model is asked for.
SELECT lmtext.import_model('splade', :'tiny' || '/bert-splade'), lmtext.import_model('sum', :'tiny' || '/distilbert-splade-sum'),
       lmtext.import_model('plain', :'tiny' || '/bert-splade-plain', '{"task": "sparse"}'), lmtext.import_model('vectors', :'tiny' || '/bert-mask'),
       lmtext.import_model('masks', :'tiny' || '/bert-mask', '{"task": "fill_mask"}');
SELECT name, family, task, labels, dimensions FROM lmtext.models ORDER BY name;

-- The weights of queries and of documents, and the product of both, within 1e-5.
CREATE TABLE folder (name text, folder text, words int);
INSERT INTO folder SELECT name, folder, (pg_read_file(:'tiny' || '/' || folder || '/golden.json')::jsonb->'sparse'->>'words')::int
FROM (VALUES ('splade', 'bert-splade'), ('sum', 'distilbert-splade-sum'), ('plain', 'bert-splade-plain')) x (name, folder);
CREATE TABLE wanted AS
    SELECT name, words, c->>'text' AS body, role, c->role AS items, (c->>'similarity')::float8 AS similarity
    FROM folder, jsonb_array_elements(pg_read_file(:'tiny' || '/' || folder || '/golden.json')::jsonb->'sparse'->'cases') c, (VALUES ('query'), ('document')) r (role);
CREATE FUNCTION items(vector text) RETURNS TABLE (id int, weight float8) LANGUAGE sql IMMUTABLE AS
    $$ SELECT split_part(i, ':', 1)::int - 1, split_part(i, ':', 2)::float8 FROM regexp_split_to_table(split_part(trim(LEADING '{' FROM vector), '}', 1), ',') i WHERE i <> '' $$;
SELECT name, role, count(*) > 100 AS many, max(abs(coalesce(g.weight, 0) - coalesce(w.weight, 0))) < 2e-5 AS near
FROM (SELECT name, role, body, (i->>0)::int AS id, (i->>1)::float8 AS weight FROM wanted, jsonb_array_elements(items) i) w
FULL JOIN (SELECT name, role, body, g.* FROM wanted, items(lmtext.sparse_vector(body, name, role)) g) g USING (name, role, body, id)
GROUP BY name, role ORDER BY name, role;
SELECT name, bool_and(split_part(lmtext.sparse_vector(body, name), '/', 2)::int = words) AS words,
       max(abs(lmtext.sparse_similarity(body, body, name) - similarity) / greatest(similarity, 1)) < 1e-5 AS near FROM wanted GROUP BY name ORDER BY name;

-- jsonb has the same weights by token, but for words of the model that are no token.
CREATE TABLE vocab AS SELECT name, key AS token, value::int AS id FROM folder, jsonb_each_text(pg_read_file(:'tiny' || '/' || folder || '/tokenizer.json')::jsonb->'model'->'vocab');
SELECT name, count(j.token) AS tokens, count(*) FILTER (WHERE j.token IS NULL) > 0 AS spare_rows, count(*) FILTER (WHERE g.id IS NULL) AS unknown, max(abs(j.weight - g.weight)) AS difference
FROM (SELECT w.name, w.body, v.id, v.token, t.value::float8 AS weight FROM (SELECT DISTINCT name, body FROM wanted) w, LATERAL jsonb_each_text(lmtext.sparse(body, name)) t LEFT JOIN vocab v ON v.token = t.key WHERE v.name = w.name) j
FULL JOIN (SELECT name, body, g.* FROM (SELECT DISTINCT name, body FROM wanted) w, items(lmtext.sparse_vector(body, name)) g) g USING (name, body, id) GROUP BY name ORDER BY name;
SELECT jsonb_typeof(lmtext.sparse('cat', 'splade')) AS type,
       (SELECT count(*) FROM jsonb_object_keys(lmtext.sparse('cat', 'splade'))) = (SELECT count(*) FROM items(lmtext.sparse_vector('cat', 'splade'))) AS all_named,
       lmtext.sparse('cat', 'splade') = lmtext.sparse('cat', 'splade', 'document') AS default_role, lmtext.sparse('cat', 'splade') = lmtext.sparse('cat', 'splade', NULL) AS null_role,
       lmtext.sparse('cat', 'splade') = lmtext.sparse('cat', 'splade', 'query') AS same_prompt;
SELECT lmtext.sparse('cat', 'splade', 'passage');
SELECT lmtext.sparse_vector('cat', 'splade', '');

-- Nulls; a text without a letter; a long text by lmtext.on_long, or by the argument of a pinned call.
SELECT lmtext.sparse(NULL::text, 'splade'), lmtext.sparse_vector(NULL::text, 'splade'), lmtext.sparse_similarity(NULL, 'cat', 'splade'), lmtext.sparse_similarity('cat', NULL::text, 'splade');
SELECT lmtext.sparse_vector('', 'splade') LIKE '{%:%}/83' AS has_special_tokens;
SELECT lmtext.sparse_vector(repeat('cat on mat ', 20), '"plain@1"'::regclass) = lmtext.sparse_vector(repeat('cat on mat ', 20), '"plain@1"'::regclass, on_long => 'truncate') AS cut,
       lmtext.sparse_vector(repeat('cat on mat ', 20), '"plain@1"'::regclass) = lmtext.sparse_vector(repeat('cat on mat ', 20), '"plain@1"'::regclass, on_long => 'mean') AS same;
SELECT lmtext.sparse(repeat('cat on mat ', 200), '"splade@1"'::regclass, on_long => 'error');
SET lmtext.on_long = 'mean';
SELECT lmtext.sparse_vector(repeat('cat on mat ', 20), 'plain') = lmtext.sparse_vector(repeat('cat on mat ', 20), '"plain@1"'::regclass, on_long => 'mean') AS same;
RESET lmtext.on_long;

-- Arrays and rows of a table: the same bits as one by one.
CREATE TABLE doc AS SELECT i AS id, 'the query ' || i % 40 || ' of cat ' || repeat('on mat ', i % 5) AS body FROM generate_series(1, 300) i;
SET max_parallel_workers_per_gather = 0;
EXPLAIN (COSTS OFF) SELECT id, lmtext.sparse_vector(body, 'splade') FROM doc;
CREATE TABLE ahead AS SELECT id, lmtext.sparse_vector(body, 'splade') AS v, lmtext.sparse(body, 'splade', 'query') AS j, lmtext.sparse_similarity('cat on mat', body, 'splade') AS s FROM doc;
CREATE TABLE together AS
    SELECT o AS id, v, j, s FROM (SELECT array_agg(body ORDER BY id) AS a FROM doc) d,
        ROWS FROM (unnest(lmtext.sparse_vector(a, '"splade@1"'::regclass)), unnest(lmtext.sparse(a, 'splade', 'query')), unnest(lmtext.sparse_similarity('cat on mat', a, 'splade'))) WITH ORDINALITY t (v, j, s, o);
SET lmtext.batch = off;
CREATE TABLE alone AS SELECT id, lmtext.sparse_vector(body, 'splade') AS v, lmtext.sparse(body, 'splade', 'query') AS j, lmtext.sparse_similarity('cat on mat', body, 'splade') AS s FROM doc;
RESET lmtext.batch;
RESET max_parallel_workers_per_gather;
SELECT count(*) AS rows, (SELECT count(*) FROM (TABLE ahead EXCEPT ALL TABLE alone) x) AS differ, (SELECT count(*) FROM (TABLE together EXCEPT ALL TABLE alone) x) AS differ_together FROM alone;
SELECT lmtext.sparse('{}'::text[], 'splade'), lmtext.sparse_vector('{}'::text[], 'splade'), lmtext.sparse_similarity('a', '{}'::text[], 'splade'), lmtext.sparse(NULL::text[], 'splade');
SELECT x IS NULL AS nulls FROM unnest(lmtext.sparse(ARRAY['cat', NULL, 'mat'], 'splade')) x;
SELECT x IS NULL AS nulls FROM unnest(lmtext.sparse_similarity('cat', ARRAY[NULL, 'mat'], 'splade')) x;

-- Which model: the setting, pinned, another task's; another task's functions with it.
SELECT lmtext.sparse('cat');
SET lmtext.sparse_model = 'splade';
SELECT lmtext.sparse('cat') = lmtext.sparse('cat', '"splade@1"'::regclass) AS pinned;
SELECT lmtext.sparse('cat', 'vectors');
SELECT lmtext.sparse_similarity('cat', 'mat', 'masks');
SELECT lmtext.embed('cat', 'splade');
SELECT lmtext.fill_mask('[MASK]', 'splade');

-- Imports that ask for what is not there, and what a sparse encoder is besides.
SELECT lmtext.import_model('x', :'tiny' || '/bert', '{"task": "sparse"}');
SELECT lmtext.import_model('x', :'tiny' || '/bert-token', '{"task": "sparse"}');
SELECT lmtext.import_model('encoder', :'tiny' || '/bert-splade', '{"task": "embedding"}'), lmtext.import_model('filler', :'tiny' || '/bert-splade', '{"task": "fill_mask"}');
SELECT name, task FROM lmtext.models WHERE name IN ('encoder', 'filler') ORDER BY name;

-- A version is known again by its weights, in every precision.
SELECT * FROM lmtext.selftest('splade') WHERE "check" !~ 'instruction level';
SET client_min_messages = warning;
SELECT lmtext.quantize('splade', 'bf16'), lmtext.quantize('plain', 'int8');
RESET client_min_messages;
SELECT name, version, precision, task, (SELECT bool_and(ok) FROM lmtext.selftest(name || '@' || version)) AS ok FROM lmtext.models WHERE name IN ('splade', 'plain', 'sum') ORDER BY name, version;
SELECT abs(lmtext.sparse_similarity('cat', 'the cat', '"splade@1"'::regclass) / lmtext.sparse_similarity('cat', 'the cat', '"splade@2"'::regclass) - 1) < .02 AS near;

SELECT lmtext.stats_reset();
\o /dev/null
SELECT lmtext.sparse('the cat', 'splade');
SELECT lmtext.sparse_vector('the cat', 'splade') FROM generate_series(1, 5);
SELECT lmtext.sparse_similarity('the cat', body, 'splade') FROM doc WHERE id <= 5;
\o
SELECT version, function, calls, rows, tokens, truncated, errors, cached FROM lmtext.stats WHERE database = current_database() ORDER BY function;
CREATE ROLE lmtext_test_sparse;
GRANT USAGE ON SCHEMA test_sparse TO lmtext_test_sparse;
SET ROLE lmtext_test_sparse;
SELECT lmtext.sparse('cat', 'splade');
RESET ROLE;

SET client_min_messages = warning;
DROP OWNED BY lmtext_test_sparse;
DROP ROLE lmtext_test_sparse;
DROP SCHEMA test_sparse CASCADE;

-- Late interaction: vectors of tokens and their scores as the reference gave them, forms, which models, refusals, statistics.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS lmtext;
RESET client_min_messages;
CREATE SCHEMA test_late;
SET search_path = test_late, public;
\set SHOW_CONTEXT never
\getenv source_dir LMTEXT_SOURCE_DIR
\set tiny :source_dir '/models/tiny'

-- Folders of sentence-transformers 6, of ColBERT's authors and of pylate, queries filled up or not, attended to or not.
CREATE TABLE folder AS SELECT f AS folder, lmtext.import_model(f, :'tiny' || '/' || f) AS version
FROM unnest(ARRAY['bert-late', 'bert-late-authors', 'bert-late-authors-set', 'bert-late-pylate', 'distilbert-late', 'modernbert-late', 'mpnet-late']) f;
SELECT lmtext.import_model('vectors', :'tiny' || '/bert') AS other;
SELECT name, family, task, dimensions, max_tokens FROM lmtext.models ORDER BY name COLLATE "C";

CREATE TABLE wanted AS
    SELECT folder, n, c->>'text' AS body, c
    FROM folder, jsonb_array_elements(pg_read_file(:'tiny' || '/' || folder || '/golden.json')::jsonb->'late'->'cases') WITH ORDINALITY y (c, n);
CREATE FUNCTION difference(got real[], wanted jsonb) RETURNS float8 LANGUAGE sql AS $$
    SELECT CASE WHEN array_length(got, 1) = (wanted->>'tokens')::int AND cardinality(got) = jsonb_array_length(wanted->'vectors')
        THEN (SELECT max(abs(a - b::float8)) FROM unnest(got) WITH ORDINALITY g (a, i) JOIN jsonb_array_elements_text(wanted->'vectors') WITH ORDINALITY w (b, i) USING (i)) END $$;
SELECT folder, count(*), max(difference(lmtext.token_vectors(body, folder, 'query'), c->'query')) < 2e-5 AS queries,
       max(difference(lmtext.token_vectors(body, folder), c->'document')) < 2e-5 AS documents
FROM wanted GROUP BY folder ORDER BY folder COLLATE "C";

-- All ways to a score: of texts, of an array, of stored vectors of one side and of both.
CREATE TABLE score AS
    SELECT q.folder, q.body AS query, d.body AS document, (q.c->'scores'->>(d.n::int - 1))::float8 AS wanted
    FROM wanted q JOIN wanted d USING (folder);
CREATE TABLE stored AS SELECT folder, body, lmtext.token_vectors(body, folder, 'document') AS vectors FROM wanted;
SELECT folder, count(*), max(abs(lmtext.maxsim(query, document, folder) - wanted)) < 2e-4 AS near,
       bool_and(lmtext.maxsim(query, document, folder) = lmtext.maxsim(query, vectors, folder)) AS stored,
       bool_and(lmtext.maxsim(query, document, folder) = lmtext.maxsim(lmtext.token_vectors(query, folder, 'query'), vectors)) AS both,
       bool_and(lmtext.maxsim(query, document, folder) = (lmtext.maxsim(query, ARRAY[NULL, document], folder))[2]) AS element
FROM score JOIN stored s USING (folder) WHERE s.body = document GROUP BY folder ORDER BY folder COLLATE "C";

-- The plain operation.
SELECT lmtext.maxsim('{{1,0},{0,2}}'::real[], '{{3,1},{1,4},{-1,0}}'::real[]) AS eleven;
SELECT lmtext.maxsim('{{1,0}}'::real[], '{}'::real[]) IS NULL AND lmtext.maxsim('{}'::real[], '{{1}}'::real[]) IS NULL
       AND lmtext.maxsim(NULL::real[], '{{1}}'::real[]) IS NULL AS nothing;
SELECT lmtext.maxsim('{1,0}'::real[], '{{1,0}}'::real[]);
SELECT lmtext.maxsim('{{1,0}}'::real[], '{{1,0,2}}'::real[]);
SELECT lmtext.maxsim('{{1,0}}'::real[], '{{1,NULL}}'::real[]);
SELECT lmtext.maxsim('{{1,0}}'::real[], '{{1,NaN}}'::real[]);
SELECT lmtext.maxsim('{{3e38}}'::real[], '{{3e38}}'::real[]);

-- NULL, nulls in arrays, the empty text, roles.
SELECT lmtext.token_vectors(NULL, 'bert-late') IS NULL AND lmtext.maxsim('cat', NULL::text, 'bert-late') IS NULL AND lmtext.maxsim(NULL, 'cat', 'bert-late') IS NULL
       AND lmtext.maxsim(NULL, '{{1}}'::real[], 'bert-late') IS NULL AND lmtext.maxsim('cat', NULL::text[], 'bert-late') IS NULL AS nulls;
SELECT ordinality, array_length(vectors, 1) AS tokens, array_length(vectors, 2) AS width FROM lmtext.token_vectors(ARRAY['', NULL, 'the cat'], 'bert-late');
SELECT array_length(lmtext.token_vectors('', 'bert-late', 'query'), 1) AS filled, lmtext.maxsim('cat', '{}'::text[], 'bert-late') AS none;
SELECT lmtext.token_vectors('cat', 'bert-late', NULL) = lmtext.token_vectors('cat', 'bert-late') AS default_role;
SELECT lmtext.token_vectors('cat', 'bert-late', 'passage');
SELECT lmtext.maxsim('cat', '{{1,2}}'::real[], 'bert-late');

-- Beyond the length of a side.
SET lmtext.on_long = error;
SELECT lmtext.token_vectors(repeat('e ', 30), 'bert-late', 'query');
SELECT lmtext.token_vectors(repeat('e ', 30), 'bert-late');
SELECT array_length(lmtext.token_vectors(repeat('e ', 30), '"bert-late@1"'::regclass), 1) AS cut;
SELECT lmtext.token_vectors('cat ' || repeat('e ', 30), '"bert-late@1"'::regclass, on_long => 'error');
RESET lmtext.on_long;

-- Rows of a table: the same bits as one by one.
CREATE TABLE doc AS SELECT i AS id, 'the query ' || i % 40 || ' of cat' AS body, 'data ' || i % 7 AS question FROM generate_series(1, 150) i;
SET max_parallel_workers_per_gather = 0;
EXPLAIN (COSTS OFF) SELECT id, lmtext.maxsim(question, body, 'bert-late') FROM doc;
CREATE TABLE ahead AS SELECT id, lmtext.token_vectors(body, 'bert-late') AS v, lmtext.maxsim(question, body, 'bert-late') AS s FROM doc;
CREATE TABLE together AS SELECT ordinality AS id, vectors AS v FROM lmtext.token_vectors((SELECT array_agg(body ORDER BY id) FROM doc), '"bert-late@1"'::regclass);
SET lmtext.batch = off;
CREATE TABLE alone AS SELECT id, lmtext.token_vectors(body, 'bert-late') AS v, lmtext.maxsim(question, body, 'bert-late') AS s FROM doc;
RESET lmtext.batch;
RESET max_parallel_workers_per_gather;
SELECT count(*) AS rows, (SELECT count(*) FROM (TABLE ahead EXCEPT ALL TABLE alone) x) AS differ,
       (SELECT count(*) FROM (TABLE together EXCEPT ALL SELECT id, v FROM alone) x) AS differ_together
FROM alone;

-- Which model: the setting, pinned, another task's; another task's functions with it.
SELECT lmtext.token_vectors('cat');
SET lmtext.late_interaction_model = 'bert-late';
SELECT lmtext.token_vectors('cat') = lmtext.token_vectors('cat', '"bert-late@1"'::regclass) AND lmtext.maxsim('cat', 'the mat') = lmtext.maxsim('cat', 'the mat', '"bert-late@1"'::regclass)
       AND lmtext.maxsim('cat', ARRAY['the mat']) = lmtext.maxsim('cat', ARRAY['the mat'], '"bert-late@1"'::regclass) AS pinned;
SELECT lmtext.token_vectors('cat', 'vectors');
SELECT lmtext.maxsim('cat', 'mat', 'vectors');
SELECT lmtext.embed('cat', 'bert-late');
SELECT lmtext.token_vectors('cat', NULL::regclass);
CREATE TABLE kept (body text, vectors real[] GENERATED ALWAYS AS (lmtext.token_vectors(body, '"bert-late@1"'::regclass)) STORED);
INSERT INTO kept VALUES ('the cat sat'), ('data base');
SELECT body FROM kept ORDER BY lmtext.maxsim('cat', vectors) DESC;

-- Imports that ask for what is not there.
SELECT lmtext.import_model('x', :'tiny' || '/bert-late', '{"task": "embedding"}');
SELECT lmtext.import_model('x', :'tiny' || '/bert', '{"task": "late_interaction"}');
SELECT lmtext.import_model('asked', :'tiny' || '/bert-late', '{"task": "late_interaction", "max_tokens": 9}') AS asked;
SELECT array_length(lmtext.token_vectors(repeat('e ', 30), 'asked', 'query'), 1) AS query, array_length(lmtext.token_vectors(repeat('e ', 30), 'asked'), 1) AS document;

-- A version is known again by its outputs, in every precision.
SELECT * FROM lmtext.selftest('bert-late') WHERE "check" !~ 'instruction level';
SET client_min_messages = warning;
SELECT lmtext.quantize('bert-late', 'bf16'), lmtext.quantize('bert-late-pylate', 'int8');
RESET client_min_messages;
SELECT name, version, precision, task, (SELECT bool_and(ok) FROM lmtext.selftest(name || '@' || version)) AS ok
FROM lmtext.models WHERE name LIKE 'bert-late%' ORDER BY name COLLATE "C", version;

SELECT lmtext.stats_reset();
\o /dev/null
SELECT lmtext.token_vectors('the mat', 'bert-late@1');
SELECT lmtext.maxsim('cat ' || i, 'the mat', 'bert-late@1') FROM generate_series(1, 5) i;
\o
SELECT version, function, calls, rows, tokens, truncated, errors, cached FROM lmtext.stats WHERE database = current_database() ORDER BY version, function;
CREATE ROLE lmtext_test_late;
GRANT USAGE ON SCHEMA test_late TO lmtext_test_late;
SET ROLE lmtext_test_late;
SELECT lmtext.token_vectors('cat', 'bert-late');
RESET ROLE;

SET client_min_messages = warning;
DROP OWNED BY lmtext_test_late;
DROP ROLE lmtext_test_late;
DROP SCHEMA test_late CASCADE;

-- Embeddings without layers: what sentence-transformers and model2vec compute, forms, classifiers on them, refusals.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS lmtext;
RESET client_min_messages;
CREATE SCHEMA test_static;
SET search_path = test_static, public;
\set SHOW_CONTEXT never
\getenv source_dir LMTEXT_SOURCE_DIR
\set tiny :source_dir '/models/tiny'
SELECT lmtext.import_model('st', :'tiny' || '/static-st'), lmtext.import_model('folder', :'tiny' || '/static-st-folder'),
       lmtext.import_model('m2v', :'tiny' || '/static-model2vec'), lmtext.import_model('mapped', :'tiny' || '/static-model2vec-mapped');
SELECT name, family, task, precision, dimensions, max_tokens, parameters FROM lmtext.models ORDER BY name;
CREATE TABLE wanted AS
    SELECT name, c->>'text' AS body, c->>'prompt_name' AS prompt, ARRAY(SELECT x::real FROM jsonb_array_elements_text(c->'embedding') x) AS embedding
    FROM (VALUES ('st', 'static-st'), ('folder', 'static-st-folder'), ('m2v', 'static-model2vec'), ('mapped', 'static-model2vec-mapped')) m (name, folder),
         jsonb_array_elements(pg_read_file(:'tiny' || '/' || folder || '/golden.json')::jsonb->'texts'->'cases') c;
SELECT name, count(*), max(lmtext.embed(body, name, prompt) <-> embedding) < 1e-5 AS near FROM wanted GROUP BY name ORDER BY name;

-- Forms: arrays, cut, prompts, sides, pinned, distances.
SELECT lmtext.embed(array_agg(body ORDER BY body), 'st') = array_agg(lmtext.embed(body, '"st@1"'::regclass) ORDER BY body) AS arrays FROM wanted WHERE name = 'm2v';
SELECT cardinality(lmtext.embed('the cat', 'st', dimensions => 5)) AS cut, lmtext.embed_query('cat', 'st') = lmtext.embed('query: cat', 'st') AS query,
       lmtext.embed_document('cat', 'st') = lmtext.embed('cat', 'st') AS document, round(lmtext.similarity('the cat', 'cat the', 'st')::numeric, 4) AS no_order;
SELECT lmtext.embed('cat', 'st', dimensions => 22);
-- A text without a token that counts has no vector: model2vec leaves unknown words out.
SELECT lmtext.embed('', 'st');
SELECT lmtext.embed('日', 'm2v');
SELECT lmtext.embed('日', 'st') IS NOT NULL AS unknown_counts;
SET lmtext.on_empty = 'null';
SELECT lmtext.embed('', 'st') IS NULL AS is_null;
RESET lmtext.on_empty;
-- Long texts.
SELECT lmtext.embed(repeat('e ', 50), 'mapped') <-> lmtext.embed('e', 'mapped') < 1e-6 AS cut,
       lmtext.embed(repeat('e ', 50) || 'cat', '"mapped@1"'::regclass, on_long => 'mean') <-> lmtext.embed('e', 'mapped') > 1e-4 AS whole;
SELECT lmtext.embed(repeat('e ', 50), '"mapped@1"'::regclass, on_long => 'error');
SELECT count(*) AS pieces FROM lmtext.chunk(repeat('e ', 50), 'mapped', 20);

-- Rows ahead; an index on such a column finds by it; a classifier on it.
CREATE TABLE doc AS SELECT i AS id, CASE WHEN i % 2 = 0 THEN 'the cat sat ' ELSE 'data base query ' END || i % 30 AS body, (i % 2)::text AS label FROM generate_series(1, 200) i;
CREATE TABLE ahead AS SELECT id, lmtext.embed(body, 'm2v') AS e FROM doc;
SET lmtext.batch = off;
SELECT count(*) AS differ FROM doc JOIN ahead USING (id) WHERE lmtext.embed(body, 'm2v') <> e;
RESET lmtext.batch;
SET lmtext.embedding_model = 'm2v';
SELECT body FROM doc ORDER BY body <=> 'a cat', id LIMIT 1;
SET client_min_messages = warning;
CALL lmtext.train('head', 'SELECT body, label FROM doc', '{"base": "m2v", "hold_out": 0}');
RESET client_min_messages;
SELECT avg((lmtext.classify(body, 'head') = label)::int) > .95 AS learnt FROM doc;

-- What such a model is not for.
SELECT lmtext.hidden_states('cat', 'st');
SELECT lmtext.quantize('st', 'int8');
SELECT lmtext.quantize('st', 'bf16');
SELECT lmtext.import_model('x', :'tiny' || '/static-st', '{"precision": "int8"}');
SELECT lmtext.import_model('x', :'tiny' || '/static-st', '{"task": "fill_mask"}');
SELECT lmtext.import_model('x', :'tiny' || '/static-st', '{"max_tokens": 2000000}');
SELECT lmtext.import_model('short', :'tiny' || '/static-st', '{"max_tokens": 2}');
SELECT lmtext.embed('the cat sat', 'short') = lmtext.embed('the cat', 'short') AS window;
SELECT * FROM lmtext.selftest('mapped') WHERE "check" !~ 'instruction level';

SET client_min_messages = warning;
DROP SCHEMA test_static CASCADE;

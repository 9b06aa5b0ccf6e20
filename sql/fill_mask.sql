-- Words for masks: what the reference's pipeline gave, forms, which models, refusals, statistics.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS lmtext;
RESET client_min_messages;
CREATE SCHEMA test_fill_mask;
SET search_path = test_fill_mask, public;
\set SHOW_CONTEXT never
\getenv source_dir LMTEXT_SOURCE_DIR
\set tiny :source_dir '/models/tiny'

-- A masked language model is an embedding model unless it is asked for by this task.
SELECT lmtext.import_model('bert', :'tiny' || '/bert-mask', '{"task": "fill_mask"}'), lmtext.import_model('own', :'tiny' || '/bert-mask-untied', '{"task": "fill_mask"}'),
       lmtext.import_model('distil', :'tiny' || '/distilbert-mask', '{"task": "fill_mask"}'), lmtext.import_model('both', :'tiny' || '/bert-pretraining', '{"task": "fill_mask"}'),
       lmtext.import_model('vectors', :'tiny' || '/bert-mask');
-- Other families: a mask of another name, a layer that is narrower than the others, words of the embeddings, no bias.
SELECT lmtext.import_model(replace(f, '-', '_'), :'tiny' || '/' || f, '{"task": "fill_mask"}')
FROM unnest('{roberta-mask,albert-mask,deberta-v2-mask-own,modernbert-mask-plain}'::text[]) f;
SELECT name, family, task, labels, dimensions FROM lmtext.models ORDER BY name;

-- Tokens in the pipeline's order, their words, and the texts with them; scores within 1e-5.
CREATE TABLE wanted AS
    SELECT name, c->>'text' AS body, m AS mask, n, f->>1 AS token, (f->>2)::float8 AS score, f->>3 AS sequence
    FROM (VALUES ('bert', 'bert-mask'), ('own', 'bert-mask-untied'), ('distil', 'distilbert-mask'), ('both', 'bert-pretraining'),
               ('roberta_mask', 'roberta-mask'), ('albert_mask', 'albert-mask'), ('deberta_v2_mask_own', 'deberta-v2-mask-own'), ('modernbert_mask_plain', 'modernbert-mask-plain')) x (name, folder),
         jsonb_array_elements(pg_read_file(:'tiny' || '/' || folder || '/golden.json')::jsonb->'fills'->'cases') c,
         jsonb_array_elements(c->'masks') WITH ORDINALITY y (fills, m), jsonb_array_elements(fills) WITH ORDINALITY z (f, n);
CREATE TABLE text AS SELECT DISTINCT name, body FROM wanted;
SELECT name, count(*) AS fills, count(w.n) AS wanted, count(g.token) AS got,
       bool_and((w.token, w.sequence) = (g.token, g.sequence)) AS equal, max(abs(w.score - g.score)) < 1e-5 AS near
FROM wanted w FULL JOIN (SELECT name, body, t.*, row_number() OVER (PARTITION BY name, body, mask ORDER BY o) AS n
                         FROM text, LATERAL lmtext.fill_mask(body, name, 7) WITH ORDINALITY t (mask, token, score, sequence, o)) g USING (name, body, mask, n)
GROUP BY name ORDER BY name;
SELECT mask, token, sequence FROM lmtext.fill_mask('the [MASK] sat on the [MASK].', 'bert', 2);
SELECT count(*) AS five FROM lmtext.fill_mask('[MASK]', 'bert');
SELECT count(*) AS whole_vocabulary, round(sum(score)::numeric, 4) AS sum FROM lmtext.fill_mask('the [MASK]', 'bert', 1000000);

-- A null text has no rows; a text without a mask, or beyond the window, is an error.
SELECT count(*) AS no_rows FROM lmtext.fill_mask(NULL, 'bert');
SELECT lmtext.fill_mask('the cat', 'bert');
SELECT lmtext.fill_mask('the [MASK]', 'roberta_mask');
SELECT lmtext.fill_mask('', 'bert');
SELECT lmtext.fill_mask(repeat('e ', 30) || '[MASK]', 'bert');
SELECT lmtext.fill_mask('[MASK]', 'bert', 0);
SELECT lmtext.fill_mask('[MASK]', 'bert', -1);

-- Arrays and rows of a table: the same bits as one by one.
SELECT ordinality, mask, token FROM lmtext.fill_mask(ARRAY['the [MASK]', NULL, '[MASK] [MASK]'], 'bert', 1);
SELECT count(*) AS no_rows FROM lmtext.fill_mask('{}'::text[], '"bert@1"'::regclass, 3);
SELECT lmtext.fill_mask(ARRAY['the [MASK]', 'the cat'], 'bert');
CREATE TABLE doc AS SELECT i AS id, 'the query ' || i % 40 || ' of [MASK] cat' AS body FROM generate_series(1, 150) i;
SET max_parallel_workers_per_gather = 0;
EXPLAIN (COSTS OFF) SELECT id, t.* FROM doc, LATERAL lmtext.fill_mask(body, 'bert') t;
CREATE TABLE ahead AS SELECT id, t.* FROM doc, LATERAL lmtext.fill_mask(body, 'bert', 3) WITH ORDINALITY t;
CREATE TABLE together AS SELECT * FROM lmtext.fill_mask((SELECT array_agg(body ORDER BY id) FROM doc), '"bert@1"'::regclass, 3);
SET lmtext.batch = off;
CREATE TABLE alone AS SELECT id, t.* FROM doc, LATERAL lmtext.fill_mask(body, 'bert', 3) WITH ORDINALITY t;
RESET lmtext.batch;
RESET max_parallel_workers_per_gather;
SELECT count(*) AS rows, (SELECT count(*) FROM (TABLE ahead EXCEPT ALL TABLE alone) x) AS differ,
       (SELECT count(*) FROM (TABLE together EXCEPT ALL SELECT id, mask, token, score, sequence FROM alone) x) AS differ_together
FROM alone;

-- Which model: the setting, pinned, another task's; another task's functions with it.
SELECT lmtext.fill_mask('[MASK]');
SET lmtext.fill_mask_model = 'bert';
SELECT (SELECT array_agg(t ORDER BY score DESC) FROM lmtext.fill_mask('[MASK]') t) = (SELECT array_agg(t ORDER BY score DESC) FROM lmtext.fill_mask('[MASK]', '"bert@1"'::regclass) t) AS pinned;
SELECT lmtext.fill_mask('[MASK]', 'vectors');
SELECT lmtext.embed('cat', 'bert');
SELECT lmtext.fill_mask('[MASK]', NULL::regclass);

-- Imports that ask for what is not there.
SELECT lmtext.import_model('x', :'tiny' || '/bert', '{"task": "fill_mask"}');
SELECT lmtext.import_model('x', :'tiny' || '/bert-token', '{"task": "fill_mask"}');
SELECT lmtext.import_model('x', :'tiny' || '/bert-mask', '{"task": "classification"}');
SELECT lmtext.import_model('x', :'tiny' || '/bert-mask', '{"task": "fill"}');
SELECT lmtext.import_model('ner', :'tiny' || '/bert-token', '{"task": "token_classification"}');

-- A version is known again by its outputs, in every precision; its option is kept.
SELECT * FROM lmtext.selftest('bert') WHERE "check" !~ 'instruction level';
SET client_min_messages = warning;
SELECT lmtext.quantize('bert', 'bf16'), lmtext.quantize('own', 'int8'), lmtext.quantize('albert_mask', 'bf16');
RESET client_min_messages;
SELECT name, version, precision, task, (SELECT bool_and(ok) FROM lmtext.selftest(name || '@' || version)) AS ok FROM lmtext.models WHERE name IN ('bert', 'own', 'distil', 'albert_mask', 'roberta_mask') ORDER BY name, version;
SELECT (SELECT max(abs(a.score - b.score)) FROM lmtext.fill_mask('the [MASK]', '"bert@1"'::regclass, 90) a JOIN lmtext.fill_mask('the [MASK]', '"bert@2"'::regclass, 90) b USING (token)) < .05 AS near;

SELECT lmtext.stats_reset();
\o /dev/null
SELECT lmtext.fill_mask('the [MASK]', 'bert');
SELECT t.* FROM generate_series(1, 5), LATERAL lmtext.fill_mask('the [MASK] sat', 'bert') t;
\o
SELECT version, function, calls, rows, tokens, truncated, errors, cached FROM lmtext.stats WHERE database = current_database() ORDER BY version;
CREATE ROLE lmtext_test_fill;
GRANT USAGE ON SCHEMA test_fill_mask TO lmtext_test_fill;
SET ROLE lmtext_test_fill;
SELECT lmtext.fill_mask('[MASK]', 'bert');
RESET ROLE;

SET client_min_messages = warning;
DROP OWNED BY lmtext_test_fill;
DROP ROLE lmtext_test_fill;
DROP SCHEMA test_fill_mask CASCADE;

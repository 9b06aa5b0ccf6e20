-- Pairs of texts: rerank, next_sentence, entails and zero_shot as the reference libraries have them, forms, long texts,
-- batches, statistics, refusals.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS lmtext;
RESET client_min_messages;
CREATE SCHEMA test_rerank;
SET search_path = test_rerank, public;
\set SHOW_CONTEXT never
\getenv source_dir LMTEXT_SOURCE_DIR
\set tiny :source_dir '/models/tiny'
CREATE TABLE model (name text, folder text, section text, options jsonb DEFAULT '{}');
INSERT INTO model (name, folder, section) VALUES ('cross', 'bert-cross', 'pairs'), ('raw', 'bert-cross-raw', 'pairs'),
    ('st6', 'distilbert-cross-st6', 'pairs'), ('nli', 'bert-nli', 'nli'), ('last', 'bert-nli-last', 'nli'), ('next', 'bert-next', 'next'),
    ('roberta', 'roberta-cross', 'pairs'), ('electra', 'electra-cross', 'pairs'), ('modern', 'modernbert-cross', 'pairs'), ('roberta_nli', 'roberta-nli', 'nli'), ('deberta_nli', 'deberta-v2-nli', 'nli');
INSERT INTO model VALUES ('pre', 'bert-pretraining', 'next', '{"task": "next_sentence"}');
SET client_min_messages = error;
SELECT name, lmtext.import_model(name, :'tiny' || '/' || folder, options) FROM model ORDER BY name;
SELECT lmtext.import_model('plain', :'tiny' || '/bert'), lmtext.import_model('pre_embedding', :'tiny' || '/bert-pretraining'),
       lmtext.import_model('one', :'tiny' || '/bert-regression'), lmtext.import_model('topic', :'tiny' || '/bert-sequence'),
       lmtext.import_model('cross_embedding', :'tiny' || '/bert-cross', '{"task": "embedding"}');
RESET client_min_messages;
SELECT name, family, task, labels FROM lmtext.models ORDER BY name COLLATE "C";

-- The reference's scores, within 1e-5.
CREATE TABLE wanted AS
    SELECT name, section, c->'texts'->>0 AS a, c->'texts'->>1 AS b, (c->>'score')::float8 AS score, c->'scores' AS scores
    FROM model, jsonb_array_elements(pg_read_file(:'tiny' || '/' || folder || '/golden.json')::jsonb->section->'cases') c;
SELECT name, count(*) AS pairs, max(abs(lmtext.rerank(a, b, name) - score)) < 1e-5 AS near FROM wanted WHERE section = 'pairs' GROUP BY name ORDER BY name;
SELECT name, count(*) AS pairs, max(abs(lmtext.next_sentence(a, b, name) - score)) < 1e-5 AS near FROM wanted WHERE section = 'next' GROUP BY name ORDER BY name;
SELECT name, count(*) AS scores, max(abs(e.score - (w.scores->>(array_position(m.labels, e.label) - 1))::float8)) < 1e-5 AS near
FROM wanted w JOIN lmtext.models m USING (name), LATERAL lmtext.entails(a, b, name) e WHERE section = 'nli' GROUP BY name ORDER BY name;
CREATE TABLE zero AS
    SELECT name, row_number() OVER () AS n, c->>'text' AS body, c->>'template' AS template, (c->>'multi_label')::bool AS multi,
           ARRAY(SELECT jsonb_array_elements_text(c->'labels')) AS labels, c->'scores' AS scores
    FROM model, jsonb_array_elements(pg_read_file(:'tiny' || '/' || folder || '/golden.json')::jsonb->'nli'->'zero_shot') c WHERE section = 'nli';
SELECT name, count(*) AS scores, max(abs(z.score - (w.scores->>(array_position(labels, z.label) - 1))::float8)) < 1e-5 AS near
FROM zero w, LATERAL lmtext.zero_shot(body, labels, name, template, multi) z GROUP BY name ORDER BY name;
SELECT bool_and(z.score <= before) AS best_first FROM (SELECT score, lag(score, 1, 1::real) OVER (ORDER BY n) AS before
    FROM lmtext.zero_shot('cat', ARRAY['data', 'mat', 'the'], 'nli') WITH ORDINALITY z (label, score, n)) z;

-- A model serves what its head can: one label classifies too, three labels entail.
SELECT lmtext.classify('the cat', 'cross') AS label, abs((SELECT score FROM lmtext.class_scores('the cat', 'cross'))) <= 1 AS scored;
SELECT lmtext.rerank('cat', 'the mat', 'one') IS NOT NULL AS by_regression, lmtext.classify('the cat', 'nli') IS NOT NULL AS classified;
SELECT lmtext.rerank('cat', 'the mat', 'topic');
SELECT lmtext.rerank('cat', 'the mat', 'plain');
SELECT lmtext.rerank('cat', 'the mat', 'next');
SELECT lmtext.entails('cat', 'the mat', 'topic');
SELECT lmtext.entails('cat', 'the mat', 'cross');
SELECT lmtext.zero_shot('cat', '{a,b}'::text[], 'plain');
SELECT lmtext.next_sentence('cat', 'the mat', 'cross');
SELECT lmtext.embed('cat', 'cross');
SELECT lmtext.embed('cat', 'next');
SELECT lmtext.import_model('x', :'tiny' || '/bert-next', '{"task": "rerank"}');
SELECT lmtext.import_model('x', :'tiny' || '/bert-next', '{"task": "poetry"}');

-- Arrays: the first text with each of the second ones; NULL keeps its place; the same bits as alone.
SELECT array_length(r, 1) AS count, r[2] IS NULL AS null, r[1] = lmtext.rerank('cat', 'the mat', 'cross') AS first, r[3] = lmtext.rerank('cat', '', 'cross') AS third
FROM (SELECT lmtext.rerank('cat', ARRAY['the mat', NULL, ''], 'cross') AS r) x;
SELECT lmtext.rerank('cat', '{}'::text[], 'cross') AS empty, lmtext.rerank(NULL, ARRAY['a'], 'cross') AS no_query, lmtext.rerank('cat', NULL::text, 'cross') AS no_document,
       lmtext.next_sentence('cat', NULL::text[], 'next') AS no_candidates;
WITH texts AS (SELECT i, NULLIF('the query ' || i, 'the query 7') AS body FROM generate_series(1, 600) i),
     got AS (SELECT lmtext.rerank('the cat', (SELECT array_agg(body ORDER BY i) FROM texts), 'cross') AS r)
SELECT count(*) AS differ FROM texts, got WHERE r[i] IS DISTINCT FROM lmtext.rerank('the cat', body, 'cross');
SELECT count(*) AS differ FROM (VALUES (1, 'on'), (2, NULL), (3, 'mat')) v (i, b),
     (SELECT lmtext.next_sentence('the cat', ARRAY['on', NULL, 'mat'], 'next') AS r) x WHERE r[i] IS DISTINCT FROM lmtext.next_sentence('the cat', b, 'next');
SELECT ordinality, count(*) FROM lmtext.entails('the cat', ARRAY['on', NULL, 'mat'], 'nli') GROUP BY 1 ORDER BY 1;
SELECT count(*) AS differ FROM (SELECT label, score FROM lmtext.entails('the cat', ARRAY['on', NULL, 'mat'], 'nli') WHERE ordinality = 3
    EXCEPT SELECT * FROM lmtext.entails('the cat', 'mat', 'nli')) x;
SELECT ordinality, count(*) FROM lmtext.zero_shot(ARRAY['the cat', NULL, 'data'], ARRAY['a', 'b'], 'nli') GROUP BY 1 ORDER BY 1;
SELECT count(*) AS differ FROM (SELECT label, score FROM lmtext.zero_shot(ARRAY['the cat', NULL, 'data'], ARRAY['a', 'b'], 'nli') WHERE ordinality = 3
    EXCEPT SELECT * FROM lmtext.zero_shot('data', ARRAY['a', 'b'], 'nli')) x;
SELECT count(*) AS no_rows FROM (SELECT lmtext.zero_shot('a', NULL, 'nli') UNION ALL SELECT lmtext.entails(NULL, 'a', 'nli')) x;

-- Templates and labels that mean nothing.
SELECT lmtext.zero_shot('cat', '{}'::text[], 'nli');
SELECT lmtext.zero_shot('cat', '{a,NULL}'::text[], 'nli');
SELECT lmtext.zero_shot('cat', '{a}'::text[], 'nli', 'no label');
SELECT lmtext.zero_shot('cat', '{a}'::text[], 'nli', '{} {}');
SELECT (z = lmtext.zero_shot('cat', '{a}'::text[], 'nli')) AS usual FROM lmtext.zero_shot('cat', '{a}'::text[], 'nli', NULL, NULL) z;

-- Which model: named, the settings, pinned.
SELECT lmtext.rerank('cat', 'mat');
SELECT lmtext.zero_shot('cat', '{a}'::text[]);
SET lmtext.rerank_model = 'cross';
SET lmtext.entailment_model = 'nli';
SET lmtext.next_sentence_model = 'next';
SELECT lmtext.rerank('cat', 'mat') = lmtext.rerank('cat', 'mat', '"cross@1"'::regclass) AS rerank, lmtext.next_sentence('cat', 'mat') = lmtext.next_sentence('cat', 'mat', '"next@1"'::regclass) AS next,
       (SELECT e FROM lmtext.entails('cat', 'mat') e LIMIT 1) = (SELECT e FROM lmtext.entails('cat', 'mat', '"nli@1"'::regclass) e LIMIT 1) AS entails,
       (SELECT z FROM lmtext.zero_shot('cat', '{a,b}'::text[]) z LIMIT 1) = (SELECT z FROM lmtext.zero_shot('cat', '{a,b}'::text[], '"nli@1"'::regclass) z LIMIT 1) AS zero_shot;
SELECT lmtext.rerank('cat', 'mat', NULL::regclass);

-- Long texts lose tokens of the longer one, or are refused; a hypothesis is never cut.
SELECT repeat('e ', 40) AS long \gset
SELECT lmtext.rerank('cat', :'long') = lmtext.rerank('cat', repeat('e ', 30)) AS cut;
SET lmtext.on_long = error;
SELECT lmtext.rerank('cat', :'long');
SELECT lmtext.rerank('cat', :'long', '"cross@1"'::regclass) IS NOT NULL AS pinned_is_cut;
SELECT lmtext.rerank('cat', :'long', '"cross@1"'::regclass, 'error');
RESET lmtext.on_long;
SELECT count(*) FROM lmtext.zero_shot(:'long', '{a}'::text[]);
SELECT lmtext.zero_shot('cat', ARRAY[:'long']);

-- Rows ahead: pairs of rows are one batch after the other, with the same bits as one by one; one text may be the same in all rows.
CREATE TABLE doc AS SELECT i AS id, CASE WHEN i % 7 > 0 THEN 'the query ' || i % 40 || ' of the cat' END AS body,
    CASE WHEN i % 5 > 0 THEN 'mat ' || i % 9 END AS other FROM generate_series(1, 200) i;
INSERT INTO doc VALUES (400, '', ''), (401, 'after', 'it'), (402, repeat('databases ', 100), 'long'), (403, 'at last', repeat('databases ', 100));
SET max_parallel_workers_per_gather = 0;
EXPLAIN (COSTS OFF) SELECT id, lmtext.rerank('cat', body) FROM doc;
EXPLAIN (COSTS OFF) SELECT id, lmtext.rerank(other, body) FROM doc;
EXPLAIN (COSTS OFF) SELECT id, e.* FROM doc, LATERAL lmtext.entails(body, 'the cat') e;
EXPLAIN (COSTS OFF) SELECT id, z.* FROM doc, LATERAL lmtext.zero_shot(body, ARRAY['a', 'b']) z;
\set queries 'SELECT id, lmtext.rerank(\'cat\', body)::text AS a, lmtext.rerank(other, body)::text AS b, lmtext.next_sentence(body, other)::text AS c FROM doc UNION ALL SELECT id, e.label, e.score::text, NULL FROM doc, LATERAL lmtext.entails(body, other) e UNION ALL SELECT id, z.label, z.score::text, NULL FROM doc, LATERAL lmtext.zero_shot(body, ARRAY[\'a\', \'b\']) z'
SELECT lmtext.stats_reset();
CREATE TABLE ahead AS :queries;
SELECT count(*) AS functions, bool_and(rows >= calls) AS counted FROM lmtext.stats WHERE database = current_database();
SET lmtext.batch = off;
CREATE TABLE alone AS :queries;
SELECT count(*) AS rows, count(a) AS a, count(b) AS b, (SELECT count(*) FROM (TABLE ahead EXCEPT ALL TABLE alone) x) AS differ FROM alone;
RESET lmtext.batch;
RESET max_parallel_workers_per_gather;

-- Statistics; a pair that comes again is remembered.
SELECT lmtext.stats_reset();
\o /dev/null
SELECT lmtext.rerank('cat', 'the mat') FROM generate_series(1, 5);
SELECT lmtext.rerank('cat', ARRAY['the mat', 'data']);
SELECT lmtext.zero_shot('cat', ARRAY['a', 'b', 'c']);
\o
SELECT version, function, calls, rows, tokens, errors, cached FROM lmtext.stats WHERE database = current_database() ORDER BY version, function;

-- A price is that of the model, of both texts, and of all labels.
CREATE FUNCTION price(statement text) RETURNS float8 LANGUAGE plpgsql AS $$
DECLARE
    plan json;
BEGIN
    EXECUTE 'EXPLAIN (FORMAT JSON) ' || statement INTO plan;
    RETURN (plan->0->'Plan'->>'Total Cost')::float8;
END $$;
CREATE TABLE short AS SELECT 'a' AS body;
CREATE TABLE wide AS SELECT repeat('word ', 100) AS body;
ANALYZE short, wide;
SELECT price('SELECT lmtext.rerank(''cat'', body) FROM wide') > price('SELECT lmtext.rerank(''cat'', body) FROM short') AS by_document,
       price('SELECT lmtext.rerank(w.body, s.body) FROM wide w, short s') > price('SELECT lmtext.rerank(s.body, s.body) FROM wide w, short s') AS by_query,
       price('SELECT lmtext.zero_shot(body, ARRAY[''a'', ''b'', ''c'', ''d'']) FROM wide') > 2 * price('SELECT lmtext.zero_shot(body, ARRAY[''a'']) FROM wide') AS by_labels;

-- A version is known again by what it computes, in every precision, and a role needs its grant.
SELECT * FROM lmtext.selftest('cross') WHERE "check" !~ 'instruction level';
SET client_min_messages = warning;
SELECT lmtext.quantize('cross', 'bf16'), lmtext.quantize('pre', 'bf16'), lmtext.quantize('next', 'int8');
RESET client_min_messages;
SELECT name, version, precision, task, (SELECT bool_and(ok) FROM lmtext.selftest(name || '@' || version)) AS ok
FROM lmtext.models WHERE name IN ('cross', 'pre', 'next', 'nli') ORDER BY name, version;
CREATE ROLE lmtext_test_rerank;
GRANT USAGE ON SCHEMA test_rerank TO lmtext_test_rerank;
SET ROLE lmtext_test_rerank;
SELECT lmtext.rerank('cat', 'mat', 'cross');
RESET ROLE;
SELECT lmtext.grant_model('cross', 'lmtext_test_rerank');
SET ROLE lmtext_test_rerank;
SELECT lmtext.rerank('cat', 'mat', 'cross') IS NOT NULL AS granted;
RESET ROLE;
SET client_min_messages = warning;
DROP SCHEMA test_rerank CASCADE;
DROP ROLE lmtext_test_rerank;

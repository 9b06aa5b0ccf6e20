-- The sides of a search, and hidden states: what the reference gives, forms, refusals.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS lmtext;
RESET client_min_messages;
CREATE SCHEMA test_sides;
SET search_path = test_sides, public;
\set SHOW_CONTEXT never
\getenv source_dir LMTEXT_SOURCE_DIR
\set tiny :source_dir '/models/tiny'
SELECT lmtext.import_model('sides', :'tiny' || '/bert-sides'), lmtext.import_model('passage', :'tiny' || '/bert-st5-cls'), lmtext.import_model('defaults', :'tiny' || '/bert-st5-prompt'),
       lmtext.import_model('plain', :'tiny' || '/bert'), lmtext.import_model('ner', :'tiny' || '/bert-token');

-- encode_query and encode_document of sentence-transformers, which the golden file has.
CREATE TABLE wanted AS
    SELECT c->>'text' AS body, ARRAY(SELECT x::real FROM jsonb_array_elements_text(c->'query') x) AS query, ARRAY(SELECT x::real FROM jsonb_array_elements_text(c->'document') x) AS document
    FROM jsonb_array_elements(pg_read_file(:'tiny' || '/bert-sides/golden.json')::jsonb->'sides'->'cases') c;
SELECT count(*), max(lmtext.embed_query(body, 'sides') <-> query) < 1e-5 AS query, max(lmtext.embed_document(body, 'sides') <-> document) < 1e-5 AS document,
       min(lmtext.embed_query(body, 'sides') <-> lmtext.embed_document(body, 'sides')) > 1e-3 AS they_differ FROM wanted;
-- The prompts query and document, or passage where there is no document; never the default prompt.
SELECT lmtext.embed_query('the cat', 'passage') = lmtext.embed('the cat', 'passage', prompt_name => 'query') AS query,
       lmtext.embed_document('the cat', 'passage') = lmtext.embed('the cat', 'passage', prompt_name => 'passage') AS passage,
       lmtext.embed_query('the cat', 'defaults') = lmtext.embed('the cat', 'defaults') AS query_is_the_default,
       lmtext.embed_document('the cat', 'defaults') = lmtext.embed('the cat', 'defaults', prompt => '') AS not_the_default,
       lmtext.embed_query('the cat', 'plain') = lmtext.embed('the cat', 'plain') AND lmtext.embed_document('the cat', 'plain') = lmtext.embed('the cat', 'plain') AS none;
-- Forms: arrays, pinned, cut, NULL.
SELECT lmtext.embed_query(array_agg(body ORDER BY body), 'sides') = array_agg(lmtext.embed_query(body, 'sides') ORDER BY body) AS arrays,
       lmtext.embed_document(array_agg(body ORDER BY body), '"sides@1"'::regclass) = array_agg(lmtext.embed_document(body, '"sides@1"'::regclass) ORDER BY body) AS pinned FROM wanted;
SELECT cardinality(lmtext.embed_query('cat', 'sides', 5)) AS cut, lmtext.embed_query('cat', 'sides', 5) = lmtext.embed_query('cat', '"sides@1"'::regclass, dimensions => 5) AS pinned,
       lmtext.embed_query(NULL::text, 'sides') IS NULL AND lmtext.embed_document(NULL::text, 'sides') IS NULL AS nulls;
SELECT lmtext.embed_query(repeat('e ', 40), '"sides@1"'::regclass, on_long => 'error');
SELECT lmtext.embed_query('cat', 'sides', 0);
SELECT lmtext.embed_document('cat', 'ner');
SELECT lmtext.embed_query('cat');
-- Rows ahead: both sides of one column.
CREATE TABLE doc AS SELECT i AS id, 'the query ' || i % 30 AS body FROM generate_series(1, 100) i;
SET max_parallel_workers_per_gather = 0;
CREATE TABLE ahead AS SELECT id, lmtext.embed_query(body, 'sides') AS q, lmtext.embed_document(body, 'sides') AS d, lmtext.embed(body, 'sides') AS e FROM doc;
SET lmtext.batch = off;
CREATE TABLE alone AS SELECT id, lmtext.embed_query(body, 'sides') AS q, lmtext.embed_document(body, 'sides') AS d, lmtext.embed(body, 'sides') AS e FROM doc;
RESET lmtext.batch;
RESET max_parallel_workers_per_gather;
SELECT count(*) AS rows, (SELECT count(*) FROM (TABLE ahead EXCEPT ALL TABLE alone) x) AS differ, count(*) FILTER (WHERE q = d OR q = e) AS alike FROM alone;

-- Hidden states: one row a token, special ones too; 0 are the embeddings, -1 is behind the last layer. Mean pooling is their mean.
SELECT count(*) AS states, bool_and(cardinality(s) = 36) AS wide FROM lmtext.hidden_states('the cat', 'plain', 0) s;
SELECT (SELECT lmtext.mean(s) FROM lmtext.hidden_states('the cat', 'plain') s) <-> lmtext.embed('the cat', 'plain') < 1e-5 AS pooled;
SELECT count(*) = 0 AS same FROM (SELECT * FROM lmtext.hidden_states('the cat', 'plain', -1) EXCEPT ALL SELECT * FROM lmtext.hidden_states('the cat', '"plain@1"'::regclass, 2)) x;
SELECT count(*) = 4 AS layers_differ FROM (SELECT * FROM lmtext.hidden_states('the cat', 'plain', 1) EXCEPT ALL SELECT * FROM lmtext.hidden_states('the cat', 'plain', 2)) x;
SELECT ordinality, count(*) AS states FROM lmtext.hidden_states(ARRAY['the cat', NULL, ''], 'plain') GROUP BY 1 ORDER BY 1;
SELECT count(*) = 0 AS same FROM (SELECT state FROM lmtext.hidden_states(ARRAY['on the mat'], '"plain@1"'::regclass, 1) EXCEPT ALL SELECT * FROM lmtext.hidden_states('on the mat', 'plain', 1)) x;
SELECT count(*) AS no_rows FROM lmtext.hidden_states(NULL, 'plain');
SELECT count(*) AS of_a_tagger FROM lmtext.hidden_states('cat', 'ner');
SELECT lmtext.hidden_states('cat', 'plain', 3);
SELECT lmtext.hidden_states('cat', 'plain', -2);
CREATE TABLE learn AS SELECT 'the cat ' || i AS body, (i % 2)::text AS label FROM generate_series(1, 20) i;
SET client_min_messages = warning;
CALL lmtext.train('head', 'SELECT body, label FROM learn', '{"base": "plain", "hold_out": 0}');
RESET client_min_messages;
SELECT lmtext.hidden_states('cat', 'head');
SET lmtext.embedding_model = 'plain';
SELECT count(*) AS states FROM doc, LATERAL lmtext.hidden_states(body) s WHERE id < 4;
SELECT lmtext.stats_reset();
\o /dev/null
SELECT lmtext.hidden_states('the cat', 'plain');
SELECT lmtext.embed_query('the cat', 'sides'), lmtext.embed_document('the cat', 'sides');
\o
SELECT version, function, calls, rows, tokens, errors, cached FROM lmtext.stats WHERE database = current_database() ORDER BY version, function;

SET client_min_messages = warning;
DROP SCHEMA test_sides CASCADE;

-- Models of words between white space: WordEmbeddings with and without weights, and bags of words.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS lmtext;
RESET client_min_messages;
CREATE SCHEMA test_word_models;
SET search_path = test_word_models, public;
\set SHOW_CONTEXT never
\getenv source_dir LMTEXT_SOURCE_DIR
\set tiny :source_dir '/models/tiny'
CREATE TABLE folder AS SELECT replace(folder, '-', '_') AS name, :'tiny' || '/' || folder AS path
    FROM unnest('{words,words-lower,words-weighted,words-placed,words-bag,words-bag-once}'::text[]) folder;
SELECT lmtext.import_model(name, path) FROM folder;
SELECT name, family, task, precision, dimensions, max_tokens, parameters FROM lmtext.models ORDER BY name;
CREATE TABLE wanted AS
    SELECT name, c->>'text' AS body, c->>'prompt_name' AS prompt, ARRAY(SELECT x::real FROM jsonb_array_elements_text(c->'embedding') x) AS embedding
    FROM folder, jsonb_array_elements(pg_read_file(path || '/golden.json')::jsonb->'texts'->'cases') c;
SELECT name, count(*), max(lmtext.embed(body, name, prompt) <-> embedding) < 1e-5 AS near FROM wanted GROUP BY name ORDER BY name;
SELECT name, lmtext.embed(array_agg(body ORDER BY body), name) = array_agg(lmtext.embed(body, name) ORDER BY body) AS arrays FROM wanted
    WHERE prompt IS NULL GROUP BY name ORDER BY name;

-- Tokens are what is left of the words.
SELECT lmtext.tokenize('The (cat) sat, unknown, on U.S. mat!', 'words') AS words, lmtext.tokenize('The CAT sat', 'words_lower') AS lower,
       lmtext.count_tokens('cat unknown cat', 'words_bag') AS count;

-- A text without a word of the vocabulary has no vector.
SELECT lmtext.embed('nothing of it', 'words');
SET lmtext.on_empty = 'null';
SELECT lmtext.embed('nothing of it', 'words_bag') IS NULL AS is_null;
RESET lmtext.on_empty;
SELECT lmtext.embed(repeat('cat ', 40), '"words_lower@1"'::regclass, on_long => 'error');
SELECT lmtext.embed('cat dog cat', 'words_bag', dimensions => 3) AS cut;
-- A classifier on a bag of words.
CREATE TABLE doc AS SELECT i AS id, CASE WHEN i % 2 = 0 THEN 'the cat sat' ELSE 'Dog well' END || repeat(' mat', i % 3) AS body, (i % 2)::text AS label
    FROM generate_series(1, 100) i;
SET client_min_messages = warning;
CALL lmtext.train('head', 'SELECT body, label FROM doc', '{"base": "words_bag", "hold_out": 0}');
RESET client_min_messages;
SELECT avg((lmtext.classify(body, 'head') = label)::int) > .95 AS learnt FROM doc;
-- What such a model is not for.
SELECT lmtext.hidden_states('cat', 'words');
SELECT lmtext.quantize('words', 'int8');
SELECT lmtext.import_model('x', :'tiny' || '/words', '{"precision": "bf16"}');
-- A stored version is whole.
SELECT name, bool_and(ok) AS sound FROM folder, lmtext.selftest(name) GROUP BY name ORDER BY name;
SET client_min_messages = warning;
DROP SCHEMA test_word_models CASCADE;
DELETE FROM lmtext.model_name WHERE schema = 'test_word_models';

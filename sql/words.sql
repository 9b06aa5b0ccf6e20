-- Files of word vectors: GloVe, fastText's .vec, word2vec in binary: what gensim reads of them, forms, options, refusals.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS lmtext;
RESET client_min_messages;
CREATE SCHEMA test_words;
SET search_path = test_words, public;
\set SHOW_CONTEXT never
\getenv source_dir LMTEXT_SOURCE_DIR
\set words :source_dir '/models/words'
-- A folder with one such file, or the file itself.
SELECT lmtext.import_model('glove', :'words' || '/glove'), lmtext.import_model('fasttext', :'words' || '/fasttext/words.vec'),
       lmtext.import_model('word2vec', :'words' || '/word2vec/'),
       lmtext.import_model('limited', :'words' || '/limited.bin/words.w2v', '{"limit": 5, "lowercase": true, "tokenizer": "whitespace"}');
SELECT name, family, task, precision, dimensions, max_tokens, parameters FROM lmtext.models ORDER BY name;
CREATE TABLE wanted AS
    SELECT name, c->>'text' AS body, c->'embedding' <> '[]' AS known, ARRAY(SELECT x::real FROM jsonb_array_elements_text(c->'embedding') x) AS embedding
    FROM (VALUES ('glove', 'glove'), ('fasttext', 'fasttext'), ('word2vec', 'word2vec'), ('limited', 'limited.bin')) m (name, folder),
         jsonb_array_elements(pg_read_file(:'words' || '/' || folder || '/golden.json')::jsonb->'cases') c;
SELECT name, count(*), max(lmtext.embed(body, name) <-> embedding) < 2e-6 AS near FROM wanted WHERE known GROUP BY name ORDER BY name;
-- A word's vector is the file's, bit for bit.
SELECT m.name, count(*), bool_and(lmtext.embed(word, m.name) = ARRAY(SELECT x::real FROM jsonb_array_elements_text(vector) WITH ORDINALITY v (x, i) ORDER BY i)) AS equal
FROM (VALUES ('glove'), ('fasttext'), ('word2vec')) m (name), pg_read_file(:'words' || '/' || m.name || '/golden.json') golden,
     ROWS FROM (jsonb_array_elements_text(golden::jsonb->'words'), jsonb_array_elements(golden::jsonb->'vectors')) r (word, vector)
WHERE cardinality(lmtext.token_ids(word, m.name)) = 1 GROUP BY m.name ORDER BY m.name;

-- Words: punctuation is cut off, unknown words do not count, lower case as the file has it.
SELECT lmtext.tokenize('The Cat: sat, unheard-of!', 'glove'), lmtext.tokenize('The Cat: sat, unheard-of!', 'fasttext'), lmtext.tokenize('U.S. the.', 'limited');
SELECT lmtext.embed('the cat', 'glove') = lmtext.embed('THE unheard CAT', 'glove') AS skipped,
       lmtext.embed_query('cat', 'glove') = lmtext.embed('cat', 'glove') AS query, lmtext.embed_document('cat', 'glove') = lmtext.embed('cat', 'glove') AS document;
SELECT lmtext.embed('unheard', 'glove');
SET lmtext.on_empty = 'null';
SELECT lmtext.embed('unheard', 'glove') IS NULL AS is_null;
RESET lmtext.on_empty;

-- As any static embedding: search, a classifier, statistics, export.
CREATE TABLE doc AS SELECT i AS id, CASE WHEN i % 2 = 0 THEN 'the cat sat ' ELSE 'don''t, dog ' END || i AS body, (i % 2)::text AS label FROM generate_series(1, 100) i;
SET lmtext.embedding_model = 'glove';
SELECT body FROM doc ORDER BY body <=> 'a cat', id LIMIT 1;
SET client_min_messages = warning;
CALL lmtext.train('head', 'SELECT body, label FROM doc', '{"base": "glove", "hold_out": 0}');
RESET client_min_messages;
SELECT avg((lmtext.classify(body, 'head') = label)::int) AS learnt FROM doc;
SELECT * FROM lmtext.selftest('glove') WHERE "check" !~ 'instruction level';
SELECT file, part FROM "glove@1" WHERE file <> '' ORDER BY file, part;

-- From large objects.
SELECT lo_from_bytea(0, pg_read_binary_file(:'words' || '/word2vec/words.bin')) AS object \gset
SELECT lmtext.import_model('object', jsonb_build_object('vectors.bin', :object::oid::bigint));
SELECT lmtext.embed('Cat the', 'object') = lmtext.embed('Cat the', 'word2vec') AS equal;
SELECT lmtext.import_model('x', jsonb_build_object('a.bin', :object::oid::bigint, 'b.txt', :object::oid::bigint));
SELECT lo_unlink(:object);

-- Refused: options, and what is no such file (test/unit/test_word_vectors.c has each kind).
SELECT lmtext.import_model('x', :'words' || '/glove', '{"tokenizer": "bert"}');
SELECT lmtext.import_model('x', :'words' || '/glove', '{"limit": 0}');
SELECT lmtext.import_model('x', :'words' || '/glove', '{"lowercase": "yes"}');
SELECT lmtext.import_model('x', :'words' || '/glove', '{"precision": "int8"}');
SELECT lmtext.import_model('x', :'words' || '/glove', '{"task": "classification"}');
SELECT lmtext.import_model('x', :'source_dir' || '/models/tiny/bert', '{"limit": 5}');
SELECT lmtext.import_model('x', :'source_dir' || '/models/tiny/bert', '{"lowercase": false}');
SELECT lmtext.import_model('x', :'source_dir' || '/models/tiny/bert', '{"tokenizer": "words"}');
CREATE FUNCTION import(name text, bytes bytea) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
    object oid := lo_from_bytea(0, bytes);
BEGIN
    RETURN lmtext.import_model('x', jsonb_build_object(name, object::bigint));
END $$;
SELECT import('short.txt', E'cat 1 2\ndog 1\n');
SELECT import('nan.vec', E'cat 1 2\ndog 1 nan\n');
SELECT import('header.vec', E'2 2\ncat 1 2\n');
SELECT import('cut.bin', E'2 2\ncat \\001\\002\\003\\004\\001\\002\\003\\004dog ');
SELECT import('latin.txt', E'caf\\351 1 2\n');
SELECT import('wide.vec', E'2 70000\ncat 1 2\n');
SELECT import('words.txt.gz', E'\\037\\213cat 1 2\n');
SELECT import('fasttext.bin', E'\\272\\026\\117\\057cat 1 2\n');
SELECT lmtext.import_model('x', :'words');
SELECT lmtext.import_model('x', :'words' || '/none.txt');

-- Below lmtext.model_directory without the right to read files of the server.
SELECT set_config('lmtext.model_directory', :'words', false) IS NOT NULL AS set;
CREATE ROLE test_words_reader;
GRANT CREATE, USAGE ON SCHEMA test_words TO test_words_reader;
GRANT EXECUTE ON FUNCTION lmtext.import_model(text, text, jsonb) TO test_words_reader;
SET ROLE test_words_reader;
SELECT lmtext.import_model('mine', 'limited.bin/words.w2v'), lmtext.import_model('mine', 'limited.bin'), lmtext.import_model('mine', 'glove/');
SELECT lmtext.import_model('mine', '../words/glove/glove.txt');
SELECT lmtext.embed('the', '"mine@1"'::regclass) = lmtext.embed('the', '"mine@2"'::regclass) AS equal;
RESET ROLE;
RESET lmtext.model_directory;

SET client_min_messages = warning;
DROP SCHEMA test_words CASCADE;
REVOKE EXECUTE ON FUNCTION lmtext.import_model(text, text, jsonb) FROM test_words_reader;
DROP ROLE test_words_reader;

-- Words and n-grams of texts: tfidf, bag_of_words, build_vocabulary.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS lmtext;
RESET client_min_messages;
\set VERBOSITY terse
CREATE TABLE fe_doc (id int, body text);
INSERT INTO fe_doc VALUES (1, 'The cat sat on the mat, the cat!'), (2, 'A dog sat on the log.'), (3, ''), (4, NULL), (NULL, 'x y');

SELECT * FROM lmtext.bag_of_words('SELECT id, body FROM fe_doc ORDER BY id');
SELECT key, (SELECT jsonb_object_agg(k, round(v::numeric, 4)) FROM jsonb_each_text(weights) w (k, v)) AS weights
FROM lmtext.tfidf('SELECT id, body FROM fe_doc ORDER BY id');
SELECT * FROM lmtext.bag_of_words('SELECT id, body FROM fe_doc WHERE id = 1',
    '{"ngrams": "char_wb", "ngram_min": 3, "ngram_max": 3, "min_df": 1, "max_features": 4}');
SELECT * FROM lmtext.bag_of_words('SELECT ''a''::name::text, ''Größe größe GRÖSSE''', '{"binary": true, "lowercase": false}');
SELECT key, vector FROM lmtext.bag_of_words('SELECT id, body FROM fe_doc ORDER BY id', '{"hash_bits": 8}');
SELECT key, counts FROM lmtext.bag_of_words('SELECT id, ''dog dog'' FROM fe_doc WHERE id = 2', '{"hash_bits": 8}');
SELECT key, weights FROM lmtext.tfidf('SELECT id, body FROM fe_doc ORDER BY id', '{"norm": "none", "idf": false, "ngram_min": 2, "ngram_max": 2, "min_df": 2, "words": "whitespace"}');
SELECT * FROM lmtext.tfidf('SELECT 1, ''x'' WHERE false');
SELECT * FROM lmtext.tfidf(NULL);
SELECT count(*), count(DISTINCT vector) FROM lmtext.tfidf('SELECT i, ''word'' || i || '' and word'' || i + 1 FROM generate_series(1, 3000) i');

SELECT * FROM lmtext.build_vocabulary('SELECT body FROM fe_doc ORDER BY id');
SELECT * FROM lmtext.build_vocabulary('SELECT body FROM fe_doc ORDER BY id', 6, 2, '{<pad>,<unk>}');
SELECT * FROM lmtext.build_vocabulary('SELECT body FROM fe_doc ORDER BY id', min_count => 2, options => '{"words": "whitespace", "lowercase": false}');
SELECT * FROM lmtext.build_vocabulary('SELECT body FROM fe_doc ORDER BY id', 3, options => '{"ngrams": "char"}');
SELECT * FROM lmtext.build_vocabulary(NULL);

-- errors
SELECT * FROM lmtext.tfidf('SELECT id, body FROM fe_doc', '{"norm": "l3"}');
SELECT * FROM lmtext.tfidf('SELECT id, body FROM fe_doc', '{"ngram_min": 3}');
SELECT * FROM lmtext.tfidf('SELECT id, body FROM fe_doc', '{"hash_bits": 3}');
SELECT * FROM lmtext.tfidf('SELECT id, body FROM fe_doc', '{"nonsense": 3}');
SELECT * FROM lmtext.bag_of_words('SELECT id, body FROM fe_doc', '{"norm": "l1"}');
SELECT * FROM lmtext.tfidf('SELECT body FROM fe_doc');
SELECT * FROM lmtext.tfidf('SELECT id, id FROM fe_doc');
SELECT * FROM lmtext.tfidf('DELETE FROM fe_doc RETURNING id, body');
SELECT * FROM lmtext.tfidf('SELECT 1, ''?!''');
SELECT * FROM lmtext.build_vocabulary('SELECT body FROM fe_doc', 0);
SELECT * FROM lmtext.build_vocabulary('SELECT body FROM fe_doc', min_count => 0);
SELECT * FROM lmtext.build_vocabulary('SELECT body FROM fe_doc', specials => '{a,a}');
SELECT * FROM lmtext.build_vocabulary('SELECT body FROM fe_doc', specials => '{a,NULL}');
SELECT * FROM lmtext.build_vocabulary('SELECT body FROM fe_doc', options => '{"idf": true}');
DROP TABLE fe_doc;

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
-- Two kinds of n-grams: equal bytes are one feature.
SELECT * FROM lmtext.bag_of_words($$VALUES (1, 'at a cat')$$, '{"words": "whitespace", "also": "char_wb", "also_min": 2, "also_max": 3}');
SELECT * FROM lmtext.bag_of_words($$VALUES (1, 'a')$$, '{"also": "letters"}');
SELECT * FROM lmtext.bag_of_words($$VALUES (1, 'a')$$, '{"also": "char", "also_min": 3, "also_max": 2}');
SELECT * FROM lmtext.build_vocabulary('SELECT body FROM fe_doc ORDER BY id', 3, options => '{"ngrams": "char"}');
SELECT * FROM lmtext.build_vocabulary(NULL);

-- One-hot: which n-grams are there.
SELECT * FROM lmtext.one_hot('SELECT id, body FROM fe_doc ORDER BY id');
SELECT * FROM lmtext.one_hot('SELECT id, body FROM fe_doc ORDER BY id', '{"words": "keras", "max_features": 2}');

-- Sequences, as recorded by scripts/make-golden-sequences.py: by the words of these texts, and by those of the first two.
CREATE TABLE fe_seq AS SELECT * FROM (VALUES (1, 'The cat sat on the mat, the cat!'), (2, 'A dog sat on the log.'), (3, 'don''t stop; Don''t_stop'), (4, E'the dog''s ÄRGER\u00a0war\rgroß'), (5, '?!'), (6, E'mat on log\tcat')) v (id, body);
SELECT array_agg(token ORDER BY id) AS words FROM lmtext.build_vocabulary('SELECT body FROM fe_seq WHERE id < 3 ORDER BY id', options => '{"words": "keras"}') \gset
CREATE TABLE fe_wanted AS SELECT options::jsonb, id, own::int[], given::int[] FROM (VALUES
    ('{}', 1, '{1,2,4,3,1,5,1,2}', '{1,2,3,4,1,5,1,2}'),
    ('{}', 2, '{9,10,4,3,1,6}', '{6,7,3,4,1,8}'),
    ('{}', 3, '{7,8,7,8}', '{}'),
    ('{}', 4, '{1,11,12}', '{1}'),
    ('{}', 5, '{}', '{}'),
    ('{}', 6, '{5,3,6,2}', '{5,4,8,2}'),
    ('{"oov_token": "<oov>"}', 1, '{2,3,5,4,2,6,2,3}', '{2,3,4,5,2,6,2,3}'),
    ('{"oov_token": "<oov>"}', 2, '{10,11,5,4,2,7}', '{7,8,4,5,2,9}'),
    ('{"oov_token": "<oov>"}', 3, '{8,9,8,9}', '{1,1,1,1}'),
    ('{"oov_token": "<oov>"}', 4, '{2,12,13}', '{2,1,1}'),
    ('{"oov_token": "<oov>"}', 5, '{}', '{}'),
    ('{"oov_token": "<oov>"}', 6, '{6,4,7,3}', '{6,5,9,3}'),
    ('{"num_words": 5}', 1, '{1,2,4,3,1,1,2}', '{1,2,3,4,1,1,2}'),
    ('{"num_words": 5}', 2, '{4,3,1}', '{3,4,1}'),
    ('{"num_words": 5}', 3, '{}', '{}'),
    ('{"num_words": 5}', 4, '{1}', '{1}'),
    ('{"num_words": 5}', 5, '{}', '{}'),
    ('{"num_words": 5}', 6, '{3,2}', '{4,2}'),
    ('{"num_words": 5, "oov_token": "<oov>"}', 1, '{2,3,1,4,2,1,2,3}', '{2,3,4,1,2,1,2,3}'),
    ('{"num_words": 5, "oov_token": "<oov>"}', 2, '{1,1,1,4,2,1}', '{1,1,4,1,2,1}'),
    ('{"num_words": 5, "oov_token": "<oov>"}', 3, '{1,1,1,1}', '{1,1,1,1}'),
    ('{"num_words": 5, "oov_token": "<oov>"}', 4, '{2,1,1}', '{2,1,1}'),
    ('{"num_words": 5, "oov_token": "<oov>"}', 5, '{}', '{}'),
    ('{"num_words": 5, "oov_token": "<oov>"}', 6, '{1,4,1,3}', '{1,1,1,3}')
) v (options, id, own, given);
SELECT w.options, count(*) AS texts, bool_and(w.own = o.sequence) AS own, bool_and(w.given = g.sequence) AS given
FROM fe_wanted w,
     LATERAL lmtext.texts_to_sequences('SELECT id, body FROM fe_seq ORDER BY id', options => w.options) o,
     LATERAL lmtext.texts_to_sequences('SELECT id, body FROM fe_seq ORDER BY id', :'words', w.options) g
WHERE o.key = w.id::text AND g.key = w.id::text GROUP BY w.options ORDER BY w.options::text COLLATE "C";
-- Where the vocabulary has the token for others, that is where it stands. Cut otherwise; without texts; NULLs.
SELECT * FROM lmtext.texts_to_sequences('SELECT 1, ''a b''', '{<pad>,<unk>,b}', '{"oov_token": "<unk>"}');
SELECT * FROM lmtext.texts_to_sequences('SELECT 1, ''A b''', '{A,<unk>}', '{"words": "whitespace", "lowercase": false}');
SELECT * FROM lmtext.texts_to_sequences('SELECT 1, ''aba''', options => '{"ngrams": "char"}');
SELECT * FROM lmtext.texts_to_sequences('SELECT 1, ''a b''', '{}');
SELECT * FROM lmtext.texts_to_sequences('SELECT 1, ''a'' WHERE false');
SELECT * FROM lmtext.texts_to_sequences('VALUES (1, NULL), (NULL, ''a''), (2, ''a'')');
SELECT * FROM lmtext.texts_to_sequences(NULL);
SELECT count(*), sum(cardinality(sequence)), max(sequence[2]) FROM lmtext.texts_to_sequences('SELECT i, ''word'' || i || '' and word'' || i + 1 FROM generate_series(1, 3000) i');

SELECT padding, truncating,
       array_agg(lmtext.pad_sequences((ARRAY[1,2,3,4,5,6])[:n], 4, padding, truncating) ORDER BY n) = ARRAY[s0::int[], s2::int[], s4::int[], s6::int[]] AS equal
FROM (VALUES
    ('pre', 'pre', '{0,0,0,0}', '{0,0,1,2}', '{1,2,3,4}', '{3,4,5,6}'),
    ('pre', 'post', '{0,0,0,0}', '{0,0,1,2}', '{1,2,3,4}', '{1,2,3,4}'),
    ('post', 'pre', '{0,0,0,0}', '{1,2,0,0}', '{1,2,3,4}', '{3,4,5,6}'),
    ('post', 'post', '{0,0,0,0}', '{1,2,0,0}', '{1,2,3,4}', '{1,2,3,4}')
) v (padding, truncating, s0, s2, s4, s6), (VALUES (0), (2), (4), (6)) c (n) GROUP BY 1, 2, s0, s2, s4, s6 ORDER BY padding COLLATE "C", truncating COLLATE "C";
SELECT lmtext.pad_sequences('{1,2}', 3), lmtext.pad_sequences('{}', 2, value => 7), lmtext.pad_sequences('{1,2,3}', 2), lmtext.pad_sequences(NULL, 2);
SELECT key, lmtext.pad_sequences(sequence, max(cardinality(sequence)) OVER (), 'post') AS padded
FROM lmtext.texts_to_sequences('SELECT id, body FROM fe_seq WHERE id < 3 ORDER BY id') ORDER BY key COLLATE "C";
SELECT lmtext.pad_sequences('{1}', 0);
SELECT lmtext.pad_sequences('{1}', 2000000000);
SELECT lmtext.pad_sequences('{1}', 2, 'before');
SELECT lmtext.pad_sequences('{1}', 2, truncating => 'before');
SELECT lmtext.pad_sequences('{1,NULL}', 2);
SELECT lmtext.pad_sequences('{{1}}', 2);
SELECT * FROM lmtext.texts_to_sequences('SELECT 1, ''a''', '{a,a}');
SELECT * FROM lmtext.texts_to_sequences('SELECT 1, ''a''', '{a,NULL}');
SELECT * FROM lmtext.texts_to_sequences('SELECT 1, ''a''', options => '{"num_words": 0}');
SELECT * FROM lmtext.texts_to_sequences('SELECT 1, ''a''', options => '{"idf": true}');
SELECT * FROM lmtext.texts_to_sequences('SELECT ''a''');
SELECT * FROM lmtext.one_hot('SELECT id, body FROM fe_doc', '{"binary": false}');
DROP TABLE fe_seq, fe_wanted;

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

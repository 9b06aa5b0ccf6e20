-- Nets from scratch: lmtext.train with the method layers, their folders, tags, regression.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS lmtext;
CREATE SCHEMA test_layers;
SET search_path = test_layers, public;
\set VERBOSITY terse
-- Whether a text is good is decided by a word and by a "not" before it: no single word tells more than chance.
CREATE TABLE review AS
SELECT i, start || CASE WHEN negated THEN ' not ' ELSE ' ' END || word AS body, CASE WHEN good <> negated THEN 'good' ELSE 'bad' END AS label,
       length(word)::real AS letters
FROM (SELECT i, (ARRAY['the film was', 'a story that is', 'this plot seems', 'they say it is'])[1 + i % 4] AS start, i / 4 % 2 = 0 AS negated, i / 8 % 2 = 0 AS good,
             CASE WHEN i / 8 % 2 = 0 THEN (ARRAY['great', 'lovely', 'fine'])[1 + i % 3] ELSE (ARRAY['dull', 'awful', 'poor'])[1 + i % 3] END AS word
      FROM generate_series(0, 383) i) s;

CALL lmtext.train('ly_sentiment', 'SELECT body, label FROM review WHERE i % 6 <> 0 ORDER BY i',
                  '{"method": "layers", "layers": [{"embedding": 12}, {"bilstm": 12, "layers": 2, "dropout": 0.2}, {"linear": 2}], "epochs": 10, "learning_rate": 0.02, "seed": 7}');
-- of 64 rows that it has not seen, by chance 32 are right; 58 or more are once in 10¹¹
SELECT count(*), count(*) FILTER (WHERE lmtext.classify(body, 'ly_sentiment') = label) >= 58 AS learnt FROM review WHERE i % 6 = 0;
SELECT name, version, task, family, labels, dimensions, max_tokens, base, metrics -> 'parameters' AS parameters, metrics -> 'vocabulary' AS vocabulary,
       metrics -> 'steps' AS steps, status
FROM lmtext.models WHERE name = 'ly_sentiment';
SELECT count(*), round(sum(score)::numeric, 4), max(label) FILTER (WHERE score > 0.5) FROM lmtext.class_scores('the film was not dull', 'ly_sentiment');
-- alone and among others: the same bits
SELECT bool_and(a = b) FROM (SELECT lmtext.classify_scored(body, 'ly_sentiment') AS a, (lmtext.classify_scored(ARRAY['x y', body, 'not'], 'ly_sentiment'))[2] AS b FROM review WHERE i < 40) t;
SELECT lmtext.classify('', 'ly_sentiment');
SELECT lmtext.embed('x', 'ly_sentiment');
SELECT * FROM lmtext.tag('x', 'ly_sentiment');
-- initial weights; a base goes on from its own, with the same answers
CALL lmtext.train('ly_start', 'SELECT body, label FROM review', '{"method": "layers", "layers": [{"embedding": 12}, {"gru": 4}, {"linear": 2}], "epochs": 0}');
CALL lmtext.train('ly_copy', 'SELECT body, label FROM review', '{"method": "layers", "base": "ly_sentiment", "epochs": 0}');
SELECT bool_and(lmtext.classify_scored(body, 'ly_copy') = lmtext.classify_scored(body, 'ly_sentiment')) FROM review WHERE i < 20;
CALL lmtext.train('ly_more', 'SELECT body, label FROM review', '{"method": "layers", "base": "ly_start", "epochs": 8, "learning_rate": 0.03}');
SELECT avg((lmtext.classify(body, 'ly_more') = label)::int) > 0.9 AS learnt FROM review;
-- gates in Keras' order, kept by what is trained on
CALL lmtext.train('ly_keras', 'SELECT body, label FROM review', '{"method": "layers", "layers": [{"embedding": 12}, {"gru": 4, "keras_order": true}, {"linear": 2}], "epochs": 0}');
CALL lmtext.train('ly_keras', 'SELECT body, label FROM review', '{"method": "layers", "base": "ly_keras", "epochs": 8, "learning_rate": 0.03}');
SELECT convert_from(data, 'utf8')::json -> 'layers' -> 1 ->> 'keras_order' AS keras_order FROM "ly_keras@2" WHERE file = 'config.json';
SELECT avg((lmtext.classify(body, 'ly_keras@2') = label)::int) > 0.9 AS learnt FROM review;
-- vectors of words, of a model that has them
\getenv source LMTEXT_SOURCE_DIR
\set words :source '/models/tiny/words'
SELECT lmtext.import_model('ly_words', :'words');
CALL lmtext.train('ly_vectors', 'SELECT ''the '' || body, label FROM review', '{"method": "layers", "base": "ly_words", "layers": [{"embedding": 11, "trainable": false}, {"gru": 8}, {"linear": 2}], "epochs": 1}');
SELECT base, metrics -> 'vectors' AS vectors, metrics -> 'vocabulary' AS vocabulary FROM lmtext.models WHERE name = 'ly_vectors';
CALL lmtext.train('ly_bad', 'SELECT body, label FROM review', '{"method": "layers", "base": "ly_words", "layers": [{"embedding": 12}, {"gru": 8}, {"linear": 2}]}');
CALL lmtext.train('ly_bad', 'SELECT body, label FROM review', '{"method": "layers", "base": "ly_words"}');
CALL lmtext.train('ly_bad', 'SELECT md5(body), label FROM review', '{"method": "layers", "base": "ly_words", "layers": [{"embedding": 11}, {"gru": 8}, {"linear": 2}]}');
-- tags, with a CRF
CREATE TABLE sentence AS
SELECT ARRAY[a, verb, b] AS tokens, ARRAY['B-PER', 'O', CASE WHEN verb = 'met' THEN 'B-PER' ELSE 'B-LOC' END] AS tags
FROM unnest('{Ada,Bo,Cy,Di}'::text[]) a, unnest('{met,left,saw}'::text[]) verb, unnest('{Paris,Rome,Ada,Bo}'::text[]) b
WHERE (verb = 'met') = (b IN ('Ada', 'Bo'));
CALL lmtext.train('ly_tags', 'SELECT tokens, tags FROM sentence, generate_series(1, 4)',
                  '{"method": "layers", "task": "tagging", "layers": [{"embedding": 12}, {"bigru": 12}, {"linear": 3}, {"crf": true}], "epochs": 10, "learning_rate": 0.03}');
SELECT metrics ->> 'held_out_accuracy' AS accuracy, metrics ->> 'held_out_f1' AS f1 FROM lmtext.models WHERE name = 'ly_tags';
SELECT token, tag, start, stop, score > 0.7 AS sure FROM lmtext.tag('Di met Bo', 'ly_tags');
SELECT entity, label FROM lmtext.entities('Cy left Rome', 'ly_tags');
SELECT lmtext.classify('Cy left Rome', 'ly_tags');
CALL lmtext.train('ly_bad', 'SELECT tokens, tags[1:1] FROM sentence', '{"method": "layers", "task": "tagging", "layers": [{"embedding": 2}, {"linear": 3}]}');
-- numbers
CALL lmtext.train('ly_letters', 'SELECT body, letters FROM review',
                  '{"method": "layers", "task": "regression", "layers": [{"embedding": 8}, {"conv": 16, "activation": "relu"}, {"pool": "max"}, {"linear": 1}], "epochs": 20, "learning_rate": 0.02}');
SELECT round(score) AS great FROM lmtext.class_scores('the film was great', 'ly_letters');
-- what is refused
CALL lmtext.train('ly_bad', 'SELECT body, label FROM review', '{"method": "layers"}');
CALL lmtext.train('ly_bad', 'SELECT body, label FROM review', '{"method": "layers", "layers": [{"embedding": 4}, {"lstn": 4}]}');
CALL lmtext.train('ly_bad', 'SELECT body, label FROM review', '{"method": "layers", "layers": [{"embedding": 4}, {"linear": 3}]}');
CALL lmtext.train('ly_bad', 'SELECT body, label FROM review', '{"method": "layers", "layers": [{"embedding": 4}, {"linear": 2}], "vocabulary": {"max_sise": 3}}');
CALL lmtext.train('ly_bad', 'SELECT body, label FROM review', '{"method": "layers", "layers": [{"embedding": 4}, {"linear": 2}], "base": "ly_start"}');
CALL lmtext.train('ly_bad', 'SELECT body, ''other'' FROM review', '{"method": "layers", "base": "ly_start"}');
CALL lmtext.train('ly_bad', 'SELECT body, ''one'' FROM review', '{"method": "layers", "layers": [{"embedding": 4}, {"linear": 1}]}');
-- a folder like any other
SELECT current_setting('data_directory') || '/ly_folder' AS folder \gset
SELECT lmtext.export_model('ly_sentiment', :'folder');
SELECT lmtext.import_model('ly_back', :'folder') IS NOT NULL AS imported;
SELECT bool_and(lmtext.classify_scored(body, 'ly_back') = lmtext.classify_scored(body, 'ly_sentiment')) FROM review WHERE i < 20;
SELECT lmtext.import_model('ly_small', :'folder', '{"precision": "int8"}');
-- a language model: two directions that never see each other
CREATE TABLE walk AS
SELECT i, format('the %s %s a %s', who, verb, what) AS body
FROM (SELECT i, (ARRAY['cat', 'dog', 'bird'])[1 + i % 3] AS who, (ARRAY['sees', 'hears'])[1 + i / 3 % 2] AS verb,
             CASE i / 3 % 2 WHEN 0 THEN (ARRAY['tree', 'house'])[1 + i / 6 % 2] ELSE (ARRAY['cat', 'bird'])[1 + i / 6 % 2] END AS what
      FROM generate_series(0, 239) i) s;
CALL lmtext.train('ly_speaker', 'SELECT body FROM walk',
                  '{"task": "language_model", "method": "layers", "layers": [{"embedding": 8}, {"bilstm": 8, "layers": 2, "separate": true, "residual": true}], "epochs": 10, "learning_rate": 0.03, "seed": 7}');
-- 12 rows that differ make 12 ^ (1 / 5) = 1.64 the best
SELECT (metrics ->> 'held_out_perplexity')::float8 BETWEEN 1.5 AND 2 AS learnt, metrics ? 'held_out_log_probability' AS logs, metrics -> 'parameters' AS parameters FROM lmtext.models WHERE name = 'ly_speaker';
SELECT name, task, family, labels, dimensions, max_tokens, base FROM lmtext.models WHERE name = 'ly_speaker';
SELECT lmtext.perplexity(lmtext.log_probability(body, 'ly_speaker'), 5) BETWEEN 1.5 AND 2 AS as_measured FROM walk;
SELECT lmtext.log_probability('the dog sees a tree', 'ly_speaker') > lmtext.log_probability('tree a sees dog the', 'ly_speaker') + 5 AS knows,
       lmtext.log_probability('', 'ly_speaker') AS empty, lmtext.log_probability('the zebra', 'ly_speaker') > '-infinity' AS unknown,
       lmtext.log_probability(NULL::text, 'ly_speaker') IS NULL AS nothing;
SELECT count(*), bool_and(l = lmtext.log_probability(body, 'ly_speaker')) AS same_bits
FROM (SELECT unnest(lmtext.log_probability(array_agg(body), 'ly_speaker')) AS l, unnest(array_agg(body)) AS body FROM walk WHERE i < 50) t;
SELECT lmtext.log_probability('a', 'ly_speaker', 'the');
-- vectors of words: the mean of the layers, which hidden_states gives one by one
SELECT array_dims(lmtext.token_vectors('the cat sees', 'ly_speaker')), lmtext.token_vectors('', 'ly_speaker') AS none, lmtext.token_vectors('cat', 'ly_speaker', 'query') = lmtext.token_vectors('cat', 'ly_speaker') AS no_sides;
SELECT ordinality, array_dims(vectors) FROM lmtext.token_vectors(ARRAY['', NULL, 'the cat'], 'ly_speaker');
SELECT count(*), max(abs(v - (a + b + c) / 3)) < 1e-6 AS mean
FROM (SELECT unnest(lmtext.token_vectors('the cat sees', 'ly_speaker')) AS v,
             unnest((SELECT array_agg(h) FROM lmtext.hidden_states('the cat sees', 'ly_speaker', 0) h)) AS a,
             unnest((SELECT array_agg(h) FROM lmtext.hidden_states('the cat sees', 'ly_speaker', 1) h)) AS b,
             unnest((SELECT array_agg(h) FROM lmtext.hidden_states('the cat sees', 'ly_speaker') h)) AS c) t;
SELECT count(*) FROM lmtext.hidden_states('the cat', 'ly_speaker', 3);
SELECT lmtext.embed('cat', 'ly_speaker');
SELECT * FROM lmtext.tag('cat', 'ly_speaker');
-- words by their characters: one that no vocabulary has is told from another
CALL lmtext.train('ly_speller', 'SELECT body FROM walk',
                  '{"task": "language_model", "method": "layers", "layers": [{"characters": 8, "filters": 4, "kernel": 2}, {"bilstm": 8, "separate": true}], "epochs": 8, "learning_rate": 0.03, "seed": 7}');
SELECT lmtext.token_vectors('zebra', 'ly_speller') = lmtext.token_vectors('zebu', 'ly_speller') AS speller, lmtext.token_vectors('zebra', 'ly_speaker') = lmtext.token_vectors('zebu', 'ly_speaker') AS speaker;
SELECT (metrics ->> 'held_out_perplexity')::float8 < 3 AS learnt FROM lmtext.models WHERE name = 'ly_speller';
SELECT bool_and(v = lmtext.token_vectors(body, 'ly_speller')) AS same_bits
FROM (SELECT vectors AS v, body FROM (SELECT array_agg(body) AS list FROM walk WHERE i < 30) l, lmtext.token_vectors(list, 'ly_speller') t, unnest(list) WITH ORDINALITY u (body, n) WHERE n = t.ordinality) s;
CALL lmtext.train('ly_bad', 'SELECT body FROM walk', '{"task": "language_model", "method": "layers", "layers": [{"characters": 8}, {"embedding": 8}, {"lstm": 8}]}');
CALL lmtext.train('ly_bad', 'SELECT body FROM walk', '{"task": "language_model", "method": "layers", "layers": [{"characters": 8}, {"lstm": 8}], "vocabulary": {"lower_case": true}}');
-- and features of a tagger, whose base stays as it is and is needed no more
CREATE TABLE role AS
SELECT string_to_array(body, ' ') AS tokens, ARRAY['O', 'B-WHO', 'O', 'O', CASE WHEN body LIKE '%hears%' THEN 'B-HEARD' ELSE 'B-SEEN' END] AS tags FROM walk;
CALL lmtext.train('ly_roles', 'SELECT tokens, tags FROM role',
                  '{"task": "tagging", "method": "layers", "base": "ly_speaker", "layers": [{"elmo": true}, {"bigru": 8}, {"linear": 4}, {"crf": true}], "epochs": 6, "learning_rate": 0.03}');
SELECT token, tag FROM lmtext.tag('the bird hears a cat', 'ly_roles');
SELECT base, metrics -> 'held_out_f1' AS f1 FROM lmtext.models WHERE name = 'ly_roles';
SELECT convert_from(data, 'utf8')::json -> 'layers' -> 1 ->> 'mix' AS mix FROM "ly_roles@1" WHERE file = 'config.json';
CALL lmtext.train('ly_more_roles', 'SELECT tokens, tags FROM role', '{"task": "tagging", "method": "layers", "base": "ly_roles", "epochs": 1}');
-- what is refused
CALL lmtext.train('ly_bad', 'SELECT body FROM walk', '{"task": "language_model", "method": "layers", "layers": [{"embedding": 8}, {"bilstm": 8}]}');
CALL lmtext.train('ly_bad', 'SELECT body FROM walk', '{"task": "language_model", "method": "layers", "layers": [{"embedding": 8}]}');
CALL lmtext.train('ly_bad', 'SELECT '' '' FROM walk', '{"task": "language_model", "method": "layers", "layers": [{"embedding": 8}, {"lstm": 8}]}');
CALL lmtext.train('ly_bad', 'SELECT tokens, tags FROM role', '{"task": "tagging", "method": "layers", "layers": [{"elmo": true}, {"linear": 4}]}');
CALL lmtext.train('ly_bad', 'SELECT tokens, tags FROM role', '{"task": "tagging", "method": "layers", "base": "ly_sentiment", "layers": [{"elmo": true}, {"linear": 4}]}');
CALL lmtext.train('ly_bad', 'SELECT tokens, tags FROM role', '{"task": "tagging", "method": "layers", "base": "ly_speaker"}');
-- its folder
SELECT current_setting('data_directory') || '/ly_speaker' AS folder \gset
SELECT lmtext.export_model('ly_speaker', :'folder');
SELECT lmtext.import_model('ly_speaks', :'folder') IS NOT NULL AS imported;
SELECT bool_and(lmtext.log_probability(body, 'ly_speaks') = lmtext.log_probability(body, 'ly_speaker')) FROM walk WHERE i < 20;
SELECT count(lmtext.drop_model(name)) FROM (SELECT DISTINCT name FROM lmtext.models WHERE name LIKE 'ly\_%') m;
DROP SCHEMA test_layers CASCADE;

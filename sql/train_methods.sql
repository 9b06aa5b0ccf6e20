-- Training by more methods and for more tasks: nearest examples and means, types of labels.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS lmtext;
RESET client_min_messages;
CREATE SCHEMA test_methods;
SET search_path = test_methods, public;
\getenv minilm LMTEXT_MINILM
\set VERBOSITY terse
SELECT lmtext.import_model('tm_minilm', :'minilm');
SET lmtext.embedding_model = 'tm_minilm';
CREATE TABLE tm_doc AS
    SELECT frame || ' ' || word AS body, topic AS section, row_number() OVER (ORDER BY frame, word) AS number
    FROM (VALUES ('animals', '{cats,dogs,horses,whales,owls}'::text[]),
                 ('cooking', '{bread,soup,roasted vegetables,pancakes,rice}'),
                 ('computers', '{compilers,databases,networks,operating systems,files}')) t (topic, words),
         unnest(words) word,
         unnest('{a note about,what I learned of,my love for,questions on}'::text[]) frame;
CREATE TABLE tm_vector AS SELECT body, section, lmtext.embed(body) AS embedding FROM tm_doc;
SET client_min_messages = warning;

-- The nearest examples, and the nearest mean.
CALL lmtext.train('tm_knn', 'SELECT body, section FROM tm_doc ORDER BY body', '{"method": "knn", "k": 3}');
CALL lmtext.train('tm_equal', 'SELECT embedding, section FROM tm_vector ORDER BY body', '{"method": "knn", "weights": "uniform"}');
CALL lmtext.train('tm_mean', 'SELECT embedding, section FROM tm_vector ORDER BY body', '{"method": "prototype"}');
CALL lmtext.train('tm_map', 'SELECT embedding, section FROM tm_vector ORDER BY body', '{"method": "contrastive"}');
CALL lmtext.train('tm_few', 'SELECT DISTINCT ON (section) embedding, section FROM tm_vector ORDER BY section, body', '{"method": "prototype"}');
SELECT name, task, dimensions, labels, base, metrics ->> 'held_out' AS held_out, (metrics ->> 'held_out_accuracy')::float8 > 0.8 AS good
FROM lmtext.models WHERE name LIKE 'tm\_%' AND base IS NOT NULL ORDER BY name;
SELECT m, lmtext.classify('a kitten', m), lmtext.classify('stew with potatoes', m, 0.4), lmtext.classify('a kernel for the new processor', m)
FROM unnest('{tm_knn,tm_equal,tm_mean,tm_map,tm_few}'::text[]) m;
-- A text among the examples is outvoted by none; the first of a stored vector and a text are the same.
SELECT label, round(score::numeric, 5) AS score FROM lmtext.class_scores('a note about cats', 'tm_knn') ORDER BY 1;
SELECT count(*) AS rows, count(*) FILTER (WHERE lmtext.classify(embedding, 'tm_mean') = section) > 55 AS right FROM tm_vector;
SELECT count(*) > 0 AS words FROM lmtext.explain('cats and dogs', 'tm_knn', method => 'leave_one_out');
SELECT count(*) > 0 AS words FROM lmtext.explain('cats and dogs', 'tm_mean');
SELECT * FROM lmtext.explain('cats and dogs', 'tm_knn');
CALL lmtext.train('tm_bad', 'SELECT body, section FROM tm_doc', '{"method": "knn", "k": 0}');
CALL lmtext.train('tm_bad', 'SELECT body, section FROM tm_doc', '{"method": "knn", "weights": "square"}');
CALL lmtext.train('tm_bad', 'SELECT body, section FROM tm_doc', '{"method": "prototype", "k": 2}');
CALL lmtext.train('tm_bad', 'SELECT body, section FROM tm_doc', '{"method": "contrastive", "temperature": 0}');
CALL lmtext.train('tm_bad', 'SELECT body, section FROM tm_doc WHERE section = ''cooking''', '{"method": "contrastive"}');
CALL lmtext.train('tm_bad', 'SELECT body, section FROM tm_doc WHERE section = ''cooking''', '{"method": "prototype"}');

-- Few rows of each label: a map is among what is tried.
CALL lmtext.train('tm_auto', 'SELECT body, section, embedding FROM (SELECT d.*, v.embedding, row_number() OVER (PARTITION BY d.section ORDER BY body) AS nth FROM tm_doc d JOIN tm_vector v USING (body)) t WHERE nth <= 8 ORDER BY body', '{"method": "auto", "hold_out": 0.25}');
SELECT t ->> 'method' AS method, t -> 'options' ? 'penalty' AS penalty, (t ->> 'held_out_accuracy')::real > 0.5 AS good
FROM lmtext.models, jsonb_array_elements(metrics -> 'tried') WITH ORDINALITY AS x (t, n) WHERE name = 'tm_auto' ORDER BY n LIMIT 2;

-- Embeddings of words and n-grams.
CALL lmtext.train('tm_fast', 'SELECT body, section FROM tm_doc ORDER BY body', '{"method": "fasttext", "dim": 16, "buckets": 4096, "min_n": 3, "max_n": 4}');
CALL lmtext.train('tm_tree', 'SELECT body, section FROM tm_doc ORDER BY body', '{"method": "fasttext", "loss": "hs", "dim": 16, "epochs": 100, "lr": 1, "buckets": 0, "hold_out": 0}');
SELECT name, family, labels, base, metrics -> 'held_out' AS held_out, (metrics ->> 'rows_per_second')::float8 > 0 AS timed FROM lmtext.models WHERE name IN ('tm_fast', 'tm_tree') ORDER BY name;
SELECT m, count(*) AS rows, count(*) FILTER (WHERE lmtext.classify(body, m) = section) > 57 AS right
FROM tm_doc, unnest('{tm_fast,tm_tree}'::text[]) m GROUP BY m ORDER BY m;
SELECT lmtext.classify('some compilerz', 'tm_fast') AS by_pieces, round(sum(score)::numeric, 4) AS sum FROM lmtext.class_scores('a note about whales', 'tm_tree');
-- smaller: rows of int8, and the n-grams with the longest embeddings
CALL lmtext.train('tm_narrow', 'SELECT body, section FROM tm_doc ORDER BY body', '{"method": "fasttext", "dim": 16, "buckets": 4096, "min_n": 3, "max_n": 4, "quantize": true}');
CALL lmtext.train('tm_cut', 'SELECT body, section FROM tm_doc ORDER BY body', '{"method": "fasttext", "dim": 16, "buckets": 4096, "min_n": 3, "max_n": 4, "quantize": true, "cutoff": 150}');
SELECT name, metrics -> 'features' AS features, (metrics -> 'bytes')::int8 - 27 * (metrics -> 'features')::int8 < 10000 AS of_bytes, (metrics -> 'bytes_before')::int8 > 2 * (metrics -> 'bytes')::int8 AS smaller,
       abs((metrics ->> 'held_out_accuracy')::real - (metrics ->> 'held_out_accuracy_before')::real) < 0.2 AS as_good
FROM lmtext.models WHERE name IN ('tm_narrow', 'tm_cut') ORDER BY name DESC;
SELECT m, count(*) FILTER (WHERE lmtext.classify(body, m) = section) > 57 AS right FROM tm_doc, unnest('{tm_narrow,tm_cut}'::text[]) m GROUP BY m ORDER BY m DESC;
SELECT metrics ? 'bytes' AS told FROM lmtext.models WHERE name = 'tm_fast';
SELECT current_setting('data_directory') || '/tm_folder' AS folder \gset
SELECT lmtext.export_model('tm_cut', :'folder');
SELECT lmtext.import_model('tm_back', :'folder');
SELECT bool_and(lmtext.classify_scored(body, 'tm_back') = lmtext.classify_scored(body, 'tm_cut')) AS same FROM tm_doc;
CALL lmtext.train('tm_bad', 'SELECT body, section FROM tm_doc', '{"method": "fasttext", "cutoff": -1}');
CALL lmtext.train('tm_bad', 'SELECT body, section FROM tm_doc', '{"method": "fasttext", "quantize": "int8"}');
CALL lmtext.train('tm_bad', 'SELECT body, section FROM tm_doc', '{"method": "fasttext", "buckets": 1000}');
CALL lmtext.train('tm_bad', 'SELECT body, section FROM tm_doc', '{"method": "fasttext", "loss": "hinge"}');
CALL lmtext.train('tm_bad', 'SELECT body, section FROM tm_doc', '{"method": "fasttext", "base": "tm_minilm"}');
CALL lmtext.train('tm_bad', 'SELECT body, section FROM tm_doc', '{"method": "fasttext", "min_count": 100}');

-- Labels of other types.
CREATE TYPE tm_section AS ENUM ('cooking', 'computers', 'animals');
CALL lmtext.train('tm_enum', 'SELECT body, section::tm_section FROM tm_doc', '{"method": "prototype"}');
CALL lmtext.train('tm_whole', 'SELECT body, length(section) FROM tm_doc', '{"method": "prototype"}');
CALL lmtext.train('tm_bool', 'SELECT body, section = ''cooking'' FROM tm_doc', '{"method": "ngram"}');
SELECT name, labels FROM lmtext.models WHERE name IN ('tm_enum', 'tm_whole', 'tm_bool') ORDER BY name;
SELECT lmtext.classify('a kitten', 'tm_enum')::tm_section, lmtext.classify('a kitten', 'tm_whole')::int, lmtext.classify('roasted bread', 'tm_bool')::boolean;
CALL lmtext.train('tm_bad', 'SELECT body, 1.5 FROM tm_doc');

-- Sets of labels, numbers, levels.
CREATE TABLE tm_set AS SELECT a.body || ' and ' || b.body AS body, ARRAY(SELECT DISTINCT s FROM unnest(ARRAY[a.section, b.section]) s ORDER BY s) AS sections,
    length(a.section)::float8 AS number, CASE a.section WHEN 'cooking' THEN 'low' WHEN 'animals' THEN 'middle' ELSE 'high' END AS level
    FROM tm_doc a JOIN tm_doc b ON b.number = a.number * 7 % 60 + 1;
INSERT INTO tm_set SELECT 'nothing at all', '{}', 8, 'middle' FROM generate_series(1, 5);
CALL lmtext.train('tm_multi', 'SELECT body, sections FROM tm_set ORDER BY body', '{"task": "multi_label", "hold_out": 0.3}');
CALL lmtext.train('tm_multi_words', 'SELECT body, sections FROM tm_set ORDER BY body', '{"task": "multi_label", "method": "ngram", "hold_out": 0}');
CALL lmtext.train('tm_multi_both', 'SELECT body, sections FROM tm_set ORDER BY body', '{"task": "multi_label", "method": "combined", "thresholds": "none"}');
CALL lmtext.train('tm_number', 'SELECT body, number FROM tm_set ORDER BY body', '{"task": "regression"}');
CALL lmtext.train('tm_number_words', 'SELECT body, number FROM tm_set ORDER BY body', '{"task": "regression", "method": "ngram"}');
CALL lmtext.train('tm_level', 'SELECT body, level FROM tm_set ORDER BY body', '{"task": "ordinal", "levels": ["low", "middle", "high"]}');
CALL lmtext.train('tm_level_words', 'SELECT body, number::int FROM tm_set ORDER BY body', '{"task": "ordinal", "method": "ngram", "hold_out": 0}');
SELECT name, labels, base, (metrics ->> 'held_out')::int > 0 AS held_out, (metrics ->> 'held_out_micro_f1')::float8 > 0.7 AS f1,
       (metrics ->> 'held_out_mae')::float8 < 1 AS mae, (metrics ->> 'held_out_kappa')::float8 > 0.2 AS kappa
FROM lmtext.models WHERE name ~ '^tm_(multi|number|level)' ORDER BY name;
SELECT m, count(*) FILTER (WHERE sections = ARRAY(SELECT label FROM lmtext.class_scores(body, m) WHERE score >= 0.5 ORDER BY label)) > 50 AS right
FROM tm_set, unnest('{tm_multi,tm_multi_words,tm_multi_both}'::text[]) m GROUP BY m ORDER BY m;
SELECT label, abs(score - 9) < 1.5 AS near FROM lmtext.class_scores('what I learned of databases and a note about compilers', 'tm_number');
SELECT count(*) FILTER (WHERE lmtext.classify(body, 'tm_level') = level) > 50 AS levels, count(*) FILTER (WHERE lmtext.classify(body, 'tm_level_words')::int = number) > 50 AS numbers FROM tm_set;
SELECT round(sum(score)::numeric, 4) AS sum FROM lmtext.class_scores('a note about whales', 'tm_level');
SELECT count(*) > 0 AS words FROM lmtext.explain('cats and dogs', 'tm_level');
CALL lmtext.train('tm_bad', 'SELECT body, level FROM tm_set', '{"task": "ordinal"}');
CALL lmtext.train('tm_bad', 'SELECT body, level FROM tm_set', '{"task": "ordinal", "levels": ["low", "high"]}');
-- All labels that hold, as an array: those of class_scores that reach the bound, by text and by vector.
SELECT bool_and(l = (SELECT coalesce(array_agg(s.label ORDER BY s.score DESC, s.label), '{}') FROM lmtext.class_scores(body, 'tm_multi') s WHERE s.score >= 0.5)) AS same,
       bool_and(l = lmtext.labels(lmtext.embed(body), 'tm_multi')) AS by_vector, count(DISTINCT cardinality(l)) > 1 AS several
FROM tm_set, lmtext.labels(body, 'tm_multi') l;
SELECT lmtext.labels('cats', 'tm_multi', 1) AS none, cardinality(lmtext.labels('cats', '"tm_multi@1"'::regclass, NULL)) AS all_labels, lmtext.labels(NULL::text, 'tm_multi') AS unknown;
SELECT l.*, l.labels = lmtext.labels(b[l.ordinality], 'tm_multi', 0.2) AS same FROM (VALUES ('{cats,NULL,nothing at all}'::text[])) v (b), lmtext.labels(b, 'tm_multi', 0.2) l;
SELECT lmtext.labels('cats', 'tm_multi', 1.5);
-- Cross-validation of linear.
CALL lmtext.train('tm_folds', 'SELECT body, section FROM tm_doc ORDER BY body', '{"folds": 3}');
SELECT metrics->'folds' AS folds, (metrics->>'fold_accuracy')::float8 BETWEEN 0.6 AND 1 AS accuracy, (metrics->>'fold_deviation')::float8 BETWEEN 0 AND 0.5 AS deviation,
       (metrics->>'fold_loss')::float8 > 0 AS loss FROM lmtext.models WHERE name = 'tm_folds';
CALL lmtext.train('tm_bad', 'SELECT body, section FROM tm_doc', '{"folds": 1}');
CALL lmtext.train('tm_bad', 'SELECT body, section FROM tm_doc', '{"folds": 21}');
CALL lmtext.train('tm_bad', 'SELECT body, section FROM tm_doc', '{"task": "multi_label"}');
CALL lmtext.train('tm_bad', 'SELECT body, sections FROM tm_set WHERE sections = ''{}''', '{"task": "multi_label"}');
CALL lmtext.train('tm_bad', 'SELECT body, 1.5 FROM tm_doc', '{"task": "regression"}');
CALL lmtext.train('tm_bad', 'SELECT body, number FROM tm_set', '{"task": "regression", "levels": []}');

-- A linear classifier's calibration, weights of labels, and a label for what is none of them.
CALL lmtext.train('tm_calibrated', 'SELECT embedding, section FROM tm_vector ORDER BY body', '{"calibrate": true, "hold_out": 0.3, "class_weights": "balanced"}');
CALL lmtext.train('tm_weighed', 'SELECT embedding, section FROM tm_vector ORDER BY body', '{"class_weights": {"cooking": 1000, "animals": 0.001}, "l2": 0.1}');
CALL lmtext.train('tm_scope', 'SELECT embedding, section FROM tm_vector ORDER BY body', '{"out_of_scope": {"label": "none of these", "coverage": 0.8}, "calibrate": true, "hold_out": 0.3}');
SELECT name, labels, metrics -> 'set_aside' AS set_aside, (metrics ->> 'held_out_ece')::float8 < 0.3 AS calibrated, (metrics ->> 'scope_covered')::float8 >= 0.8 AS covered
FROM lmtext.models WHERE name IN ('tm_calibrated', 'tm_weighed', 'tm_scope') ORDER BY name;
SELECT count(*) FILTER (WHERE lmtext.classify(embedding, 'tm_calibrated') = section) > 55 AS right, count(*) FILTER (WHERE lmtext.classify(embedding, 'tm_weighed') = 'cooking') > 40 AS weighed,
       count(*) FILTER (WHERE lmtext.classify(embedding, 'tm_scope') = 'none of these') < 12 AS rarely FROM tm_vector;
SELECT lmtext.classify('the interest rate of the central bank rose', 'tm_scope') AS none, lmtext.classify('a note about dogs', 'tm_scope') AS one;
CALL lmtext.train('tm_bad', 'SELECT embedding, section FROM tm_vector', '{"out_of_scope": {"label": "none", "coverage": 0.999}}');
CALL lmtext.train('tm_bad', 'SELECT embedding, section FROM tm_vector', '{"out_of_scope": {"label": "cooking"}}');
CALL lmtext.train('tm_bad', 'SELECT embedding, section FROM tm_vector', '{"out_of_scope": {"coverage": 0.9}}');
CALL lmtext.train('tm_bad', 'SELECT embedding, section FROM tm_vector', '{"out_of_scope": {"label": "none", "coverage": 1}}');
CALL lmtext.train('tm_bad', 'SELECT embedding, section FROM tm_vector', '{"class_weights": "equal"}');
CALL lmtext.train('tm_bad', 'SELECT embedding, section FROM tm_vector', '{"class_weights": {"cook": 2}}');
CALL lmtext.train('tm_bad', 'SELECT embedding, section FROM tm_vector', '{"class_weights": {"cooking": 0}}');

SELECT count(*) FROM lmtext.models WHERE name = 'tm_bad';
SET client_min_messages = warning;
DROP SCHEMA test_methods CASCADE;

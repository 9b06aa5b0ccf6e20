-- What trainings came to, and the search for their options.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS lmtext;
CREATE SCHEMA test_tune;
SET search_path = test_tune, public;
\set SHOW_CONTEXT never
\getenv minilm LMTEXT_MINILM
SELECT lmtext.import_model('minilm', :'minilm');
SET lmtext.embedding_model = 'minilm';
CREATE TABLE doc AS
    SELECT frame || ' ' || word AS body, topic AS section
    FROM (VALUES ('animals', '{cats,dogs,horses,whales,owls}'::text[]),
                 ('cooking', '{bread,soup,roasted vegetables,pancakes,rice}'),
                 ('computers', '{compilers,databases,networks,operating systems,files}')) t (topic, words),
         unnest(words) word,
         unnest('{a note about,what I learned of,my love for,questions on}'::text[]) frame;

-- Verdicts: a fit that generalises, one that is held back, one that learns by heart; without held-out rows nothing is known.
CALL lmtext.train('fine', 'SELECT body, section FROM doc ORDER BY body', '{"hold_out": 0.2}');
CALL lmtext.train('weak', 'SELECT body, section FROM doc ORDER BY body', '{"hold_out": 0.2, "l2": 10}');
CALL lmtext.train('grams', 'SELECT body, section FROM doc ORDER BY body', '{"hold_out": 0.2, "method": "ngram"}');
CALL lmtext.train('by_heart', 'SELECT body, ''l'' || hashtext(body) % 2 FROM doc ORDER BY body', '{"hold_out": 0.2, "method": "ngram"}');
CALL lmtext.train('unheld', 'SELECT body, section FROM doc', '{"hold_out": 0}');
SELECT m AS model, r.measure, CASE WHEN jsonb_typeof(r.value) = 'array' THEN to_jsonb(jsonb_array_length(r.value) BETWEEN 3 AND 33) WHEN r.measure ~ 'loss|gap' THEN to_jsonb(r.value::float8 > -0.1) ELSE r.value END AS value
FROM unnest('{fine,weak,grams,by_heart,unheld}'::text[]) WITH ORDINALITY o (m, i), LATERAL lmtext.fit_report(m) WITH ORDINALITY r (measure, value, n)
WHERE m = 'fine' OR r.measure = 'verdict' OR (m = 'by_heart' AND r.measure = 'train_accuracy') ORDER BY i, n;
SELECT bool_and(a.value->-1 < a.value->0) AS falls, bool_and(jsonb_array_length(a.value) = jsonb_array_length(b.value)) AS as_long
FROM lmtext.fit_report('fine') a, lmtext.fit_report('fine') b WHERE a.measure LIKE '%_curve' AND b.measure = 'steps';
SELECT lmtext.fit_report(NULL);
SELECT lmtext.fit_report('minilm');
SELECT lmtext.fit_report('nobody');

-- A grid: each trial is told in the metrics of the best, which alone is stored, and is a run.
RESET client_min_messages;
CALL lmtext.tune('grid', 'SELECT body, section FROM doc ORDER BY body',
    '{"search": "grid", "hold_out": 0.2, "method": "ngram", "ngram_max": [1, 2], "c": {"low": 0.01, "high": 1, "log": true, "points": 3}}', 20);
SET client_min_messages = warning;
SELECT t->'options' AS options, t->>'state' AS state, (t->>'held_out_accuracy')::float8 BETWEEN 0 AND 1 AS measured, n = (metrics->>'trial')::int AS chosen
FROM lmtext.models, jsonb_array_elements(metrics->'trials') WITH ORDINALITY e (t, n) WHERE name = 'grid' ORDER BY n;
SELECT count(*) AS versions, bool_and(metrics->>'search' = 'grid' AND metrics->'c' = metrics->'trials'->((metrics->>'trial')::int - 1)->'options'->'c') AS best,
       bool_and((metrics->>'held_out_accuracy')::float8 = (SELECT max((t->>'held_out_accuracy')::float8) FROM jsonb_array_elements(metrics->'trials') t)) AS most
FROM lmtext.models WHERE name = 'grid';
SELECT count(*) AS runs, count(*) FILTER (WHERE state = 'done') AS done FROM lmtext.train_runs WHERE model = 'grid';
-- The best trial's options alone give the same model.
SELECT jsonb_set((metrics->'trials'->((metrics->>'trial')::int - 1)->'options') || '{"hold_out": 0.2, "method": "ngram"}', '{seed}', '42') AS options FROM lmtext.models WHERE name = 'grid' \gset
CALL lmtext.train('again', 'SELECT body, section FROM doc ORDER BY body', :'options');
SELECT count(DISTINCT sha256) AS contents FROM lmtext.models WHERE name IN ('grid', 'again');

-- TPE and chance, deterministic by the seed, over numbers, words and booleans; with a base, from texts and from stored vectors; trials that fall behind are stopped.
CALL lmtext.tune('tpe', 'SELECT body, section FROM doc ORDER BY body', '{"hold_out": 0.2, "l2": {"low": 1e-6, "high": 10, "log": true}, "max_steps": {"low": 5, "high": 200}}', 14);
CALL lmtext.tune('tpe', 'SELECT lmtext.embed(body), section FROM doc ORDER BY body', '{"hold_out": 0.2, "l2": {"low": 1e-6, "high": 10, "log": true}, "max_steps": {"low": 5, "high": 200}}', 14);
SELECT count(*) AS versions, count(DISTINCT sha256) AS contents, bool_and(jsonb_array_length(metrics->'trials') = 14) AS trials,
       bool_and((metrics->>'held_out_accuracy')::float8 > 0.9) AS good
FROM lmtext.models WHERE name = 'tpe';
CALL lmtext.tune('stops', 'SELECT body, section FROM doc ORDER BY body', '{"search": "grid", "hold_out": 0.2, "l2": [0.0001, 0.0002, 0.0003, 0.0004, 0.2]}');
CALL lmtext.tune('runs', 'SELECT body, section FROM doc ORDER BY body', '{"search": "grid", "stop": false, "hold_out": 0.2, "l2": [0.0001, 0.0002, 0.0003, 0.0004, 0.2]}');
SELECT name, jsonb_path_query_array(metrics, '$.trials[*].state') AS states FROM lmtext.models WHERE name IN ('stops', 'runs') ORDER BY name;
CALL lmtext.tune('both', 'SELECT body, section FROM doc ORDER BY body',
    '{"search": "random", "metric": "held_out_loss", "stop": false, "method": "combined", "learner": ["svm", "logistic"], "sublinear": [true, false], "weight": {"low": 0.1, "high": 2}}', 5);
SELECT jsonb_array_length(metrics->'trials') AS trials, metrics->'trials' @> '[{"state": "done"}]' AS done,
       (metrics->>'held_out_loss')::float8 = (SELECT min((t->>'held_out_loss')::float8) FROM jsonb_array_elements(metrics->'trials') t) AS least, lmtext.classify('a kitten', 'both') AS kitten
FROM lmtext.models WHERE name = 'both';
-- A trial may fail by its own options; where all do there is no version. A finite space ends.
CALL lmtext.tune('some', 'SELECT body, section FROM doc', '{"method": "ngram", "min_df": [1, 50], "search": "grid"}');
SELECT t->'options' AS options, t->'state' AS state FROM lmtext.models, jsonb_array_elements(metrics->'trials') t WHERE name = 'some';
CALL lmtext.tune('none', 'SELECT body, section FROM doc', '{"method": "ngram", "min_df": [50, 51]}');
SELECT count(*) AS versions FROM lmtext.models WHERE name = 'none';
-- One that diverges fails alone. Held-out losses of layers are known, and figures keep their names behind their trial.
CALL lmtext.tune('nets', 'SELECT body, section FROM doc ORDER BY body',
    '{"method": "layers", "optimizer": "sgd", "layers": [[{"embedding": 8}, {"linear": 3}]], "learning_rate": [100, 0.01], "search": "grid", "epochs": 100}');
SELECT jsonb_path_query_array(metrics, '$.trials[*].state') AS states, metrics->>'held_out_accuracy' IS NOT NULL AS named, metrics->>'held_out_loss' IS NOT NULL AS loss,
       jsonb_array_length(metrics->'curve'->'held_out_loss') > 1 AS curve FROM lmtext.models WHERE name = 'nets';
-- More of F1 is better.
CALL lmtext.tune('several', 'SELECT body, ARRAY[section, ''l'' || length(body) % 2] FROM doc ORDER BY body',
    '{"task": "multi_label", "search": "grid", "metric": "held_out_macro_f1", "hold_out": 0.2, "l2": [1e-5, 10, 1e-4]}');
SELECT (metrics->>'held_out_macro_f1')::float8 - max((t->>'held_out_macro_f1')::float8) > -1e-5 AS most, count(DISTINCT t->>'held_out_macro_f1') > 1 AS differ
FROM lmtext.models, jsonb_array_elements(metrics->'trials') t WHERE name = 'several' GROUP BY metrics;
-- Within a transaction that is rolled back nothing remains.
BEGIN;
CALL lmtext.tune('undone', 'SELECT body, section FROM doc', '{"method": "ngram", "c": [1, 2]}');
ROLLBACK;
SELECT count(*) AS versions FROM lmtext.models WHERE name = 'undone';

-- Refusals, before a row is read.
CALL lmtext.tune('bad', 'SELECT 1/0', '{}');
CALL lmtext.tune('bad', 'SELECT 1/0', '[]');
CALL lmtext.tune('bad', 'SELECT 1/0', '{"l2": 1}');
CALL lmtext.tune('bad', 'SELECT 1/0', '{"l2": []}');
CALL lmtext.tune('bad', 'SELECT 1/0', '{"l2": [1, -1]}');
CALL lmtext.tune('bad', 'SELECT 1/0', '{"l2": [1, "much"]}');
CALL lmtext.tune('bad', 'SELECT 1/0', '{"l2": {"low": 2, "high": 1}}');
CALL lmtext.tune('bad', 'SELECT 1/0', '{"l2": {"low": 2}}');
CALL lmtext.tune('bad', 'SELECT 1/0', '{"l2": {"low": 0, "high": 1, "log": true}}');
CALL lmtext.tune('bad', 'SELECT 1/0', '{"l2": {"low": 0, "high": 1e9}}');
CALL lmtext.tune('bad', 'SELECT 1/0', '{"l2": {"from": 0, "to": 1}}');
CALL lmtext.tune('bad', 'SELECT 1/0', '{"refit": {"low": 0, "high": 1}}');
CALL lmtext.tune('bad', 'SELECT 1/0', '{"method": ["linear", "ngram"], "l2": [1, 2]}');
CALL lmtext.tune('bad', 'SELECT 1/0', '{"warmth": [1, 2]}');
CALL lmtext.tune('bad', 'SELECT 1/0', '{"search": "annealing", "l2": [1, 2]}');
CALL lmtext.tune('bad', 'SELECT 1/0', '{"task": "filter", "oracle": "true", "budget": [100, 200]}');
CALL lmtext.tune('bad', 'SELECT 1/0', '{"method": "finetune", "epochs": [1, 2], "checkpoint_steps": 5}');
CALL lmtext.tune('bad', 'SELECT 1/0', '{"method": "finetune", "resume": [false, true]}');
CALL lmtext.tune('bad', 'SELECT 1/0', '{"l2": [1, 2]}', 0);
CALL lmtext.tune('bad', 'SELECT 1/0', NULL);
CALL lmtext.tune('bad', 'SELECT body, section FROM doc WHERE false', '{"l2": [1, 2]}');
CALL lmtext.tune('bad', 'SELECT body, ''one'' FROM doc', '{"l2": [1, 2]}');
CALL lmtext.tune('bad', 'SELECT body, section FROM doc', '{"l2": [1, 2], "metric": "beauty"}');
CALL lmtext.tune('bad', 'SELECT body, section FROM doc', '{"method": "ngram", "c": [1, 2], "hold_out": 0}');
SELECT count(*) AS versions FROM lmtext.models WHERE name = 'bad';
CREATE ROLE lmtext_test_tune;
SET ROLE lmtext_test_tune;
CALL lmtext.tune('bad', 'SELECT 1/0', '{"l2": [1, 2]}');
RESET ROLE;
DROP ROLE lmtext_test_tune;
DROP SCHEMA test_tune CASCADE;

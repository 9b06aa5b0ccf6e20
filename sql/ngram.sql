-- Classifiers on n-grams: lmtext.train with the methods ngram, combined and auto.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS lmtext;
RESET client_min_messages;
CREATE SCHEMA test_ngram;
SET search_path = test_ngram, public;
\getenv source LMTEXT_SOURCE_DIR
\set tiny :source '/models/tiny/bert'
\set VERBOSITY terse
CREATE TABLE ng_ticket (body text, team text);
INSERT INTO ng_ticket
SELECT a || ' ' || b, team
FROM (VALUES ('billing', '{the invoice,my refund,a payment,the receipt,a double charge}'::text[]),
             ('network', '{the router,wireless,the connection,my cable,the signal}'),
             ('account', '{my password,the login,my profile,the user name,a locked account}')) t (team, words),
     unnest(words) b,
     unnest('{there is a problem with,I have a question on,please help me with,what about}'::text[]) a;
INSERT INTO ng_ticket VALUES (NULL, 'billing'), ('x', NULL);

CALL lmtext.train('ng_svm', 'SELECT body, team FROM ng_ticket', '{"method": "ngram"}');
CALL lmtext.train('ng_logistic', 'SELECT body, team FROM ng_ticket', '{"method": "ngram", "learner": "logistic", "ngrams": "char_wb", "ngram_min": 2, "ngram_max": 4}');
CALL lmtext.train('ng_multinomial', 'SELECT body, team FROM ng_ticket', '{"method": "ngram", "learner": "multinomial_nb", "alpha": 0.1, "hold_out": 0}');
CALL lmtext.train('ng_complement', 'SELECT body, team FROM ng_ticket', '{"method": "ngram", "learner": "complement_nb", "hash_bits": 12, "refit": false}');

SELECT name, version, task, family, labels, dimensions, max_tokens, base, metrics -> 'rows' AS rows, metrics -> 'skipped' AS skipped,
       metrics -> 'features' AS features, (metrics ->> 'held_out_accuracy')::real AS held_out_accuracy, status
FROM lmtext.models WHERE name LIKE 'ng\_%' ORDER BY name;

SELECT m, lmtext.classify('the password of my user', m) AS account, lmtext.classify('no signal', m) AS network, lmtext.classify('charge', m) AS billing
FROM unnest('{ng_svm,ng_logistic,ng_multinomial,ng_complement}'::text[]) m;
SELECT lmtext.classify('a receipt', 'ng_svm', 0.999999), lmtext.classify(''::text, 'ng_svm') IS NOT NULL AS empty, lmtext.classify(NULL::text, 'ng_svm');
SELECT count(*), round(sum(score)::numeric, 4), max(label) FILTER (WHERE score > 0.5) FROM lmtext.class_scores('my router', 'ng_svm');
SELECT lmtext.classify(ARRAY['my router', NULL, 'the invoice'], 'ng_svm');
-- by row, among others and alone: the same
SELECT count(*), count(*) FILTER (WHERE team = guess) AS right, bool_and(guess = array_guess) AS same
FROM (SELECT body, team, lmtext.classify(body, 'ng_svm') AS guess, lmtext.classify(ARRAY[body, 'x'], 'ng_svm') AS two FROM ng_ticket WHERE body IS NOT NULL AND team IS NOT NULL) t,
     LATERAL (SELECT two[1] AS array_guess) u;
SELECT token, attribution > 0.1 AS matters FROM lmtext.explain('reset my router', 'ng_svm', method => 'leave_one_out');
SELECT function, sum(calls) > 0 AS calls, sum(rows) > 0 AS rows, sum(tokens) > 0 AS tokens FROM lmtext.stats WHERE model = 'ng_svm@1'::regclass AND function = 'class_scores' GROUP BY 1;

-- What it cannot do.
SELECT lmtext.embed('x', 'ng_svm');
SELECT lmtext.classify(ARRAY[1, 2]::real[], 'ng_svm');
SELECT * FROM lmtext.explain('reset my router', 'ng_svm');
SELECT lmtext.count_tokens('x', 'ng_svm');
SELECT lmtext.quantize('ng_svm', 'int8');

-- Options.
CALL lmtext.train('ng_bad', 'SELECT body, team FROM ng_ticket', '{"method": "ngram", "epochs": 3}');
CALL lmtext.train('ng_bad', 'SELECT body, team FROM ng_ticket', '{"method": "ngram", "weight": 1}');
CALL lmtext.train('ng_bad', 'SELECT body, team FROM ng_ticket', '{"method": "ngram", "base": "x"}');
CALL lmtext.train('ng_bad', 'SELECT body, team FROM ng_ticket', '{"method": "ngram", "learner": "tree"}');
CALL lmtext.train('ng_bad', 'SELECT body, team FROM ng_ticket', '{"method": "ngram", "ngrams": "byte"}');
CALL lmtext.train('ng_bad', 'SELECT body, team FROM ng_ticket', '{"method": "ngram", "ngram_min": 3}');
CALL lmtext.train('ng_bad', 'SELECT body, team FROM ng_ticket', '{"method": "ngram", "c": -1}');
CALL lmtext.train('ng_bad', 'SELECT body, team FROM ng_ticket', '{"method": "ngram", "min_df": 100}');
CALL lmtext.train('ng_bad', 'SELECT body, team FROM ng_ticket WHERE team = ''billing''', '{"method": "ngram"}');
CALL lmtext.train('ng_bad', 'SELECT body FROM ng_ticket', '{"method": "ngram"}');
CALL lmtext.train('ng_bad', 'SELECT ARRAY[1, 2]::real[], team FROM ng_ticket', '{"method": "ngram"}');
SELECT count(*) FROM lmtext.models WHERE name = 'ng_bad';

-- Beside an embedding: here that of a model that knows nothing.
SELECT lmtext.import_model('ng_tiny', :'tiny');
CALL lmtext.train('ng_combined', 'SELECT body, team FROM ng_ticket', '{"method": "combined", "base": "ng_tiny", "weight": 0.3}');
SELECT name, task, family, dimensions, base, metrics ? 'embed_seconds' AS embedded FROM lmtext.models WHERE name = 'ng_combined';
SELECT count(*) FILTER (WHERE team = lmtext.classify(body, 'ng_combined')) > 50 AS right FROM ng_ticket WHERE team <> '' AND body <> '';
SELECT lmtext.classify(lmtext.embed('my router', 'ng_tiny'), 'ng_combined');
-- the vector as the last column
CALL lmtext.train('ng_stored', 'SELECT body, team, lmtext.embed(body, ''ng_tiny'') FROM ng_ticket', '{"method": "combined", "base": "ng_tiny", "weight": 0.3}');
SELECT count(*) FILTER (WHERE lmtext.classify(body, 'ng_stored') = lmtext.classify(body, 'ng_combined')) AS same FROM ng_ticket WHERE team <> '' AND body <> '';
CALL lmtext.train('ng_bad', 'SELECT body, team, ARRAY[1, 2]::real[] FROM ng_ticket', '{"method": "combined", "base": "ng_tiny"}');
SELECT lmtext.drop_model('ng_stored');
CALL lmtext.train('ng_bad', 'SELECT body, team FROM ng_ticket', '{"method": "combined", "base": "ng_tiny", "learner": "complement_nb"}');
CALL lmtext.train('ng_bad', 'SELECT body, team FROM ng_ticket', '{"method": "combined", "base": "ng_svm"}');
CALL lmtext.train('ng_bad', 'SELECT lmtext.embed(body, ''ng_tiny''), team FROM ng_ticket', '{"method": "combined", "base": "ng_tiny"}');
SELECT lmtext.drop_model('ng_tiny');

-- The choice among methods.
CALL lmtext.train('ng_auto', 'SELECT body, team FROM ng_ticket', '{"method": "auto", "base": "ng_tiny", "hold_out": 0.2}');
SELECT t ->> 'method' AS method, count(*), bool_or((t -> 'chosen')::boolean) AS chosen, max((t ->> 'held_out_accuracy')::real) > 0.9 AS good, min((t ->> 'seconds')::real) >= 0 AS timed
FROM lmtext.models, jsonb_array_elements(metrics -> 'tried') t WHERE name = 'ng_auto' GROUP BY 1 ORDER BY 1;
SELECT t ->> 'method' AS method, (t -> 'options') - 'l2' AS options, t -> 'options' ? 'l2' AS penalty
FROM lmtext.models, jsonb_array_elements(metrics -> 'tried') WITH ORDINALITY AS x (t, n) WHERE name = 'ng_auto' ORDER BY n;
SELECT base, metrics -> 'labels' AS labels FROM lmtext.models WHERE name = 'ng_auto';
SELECT lmtext.classify('my router', 'ng_auto');
-- nothing to compare by: the first; or no time: the first without vectors
CALL lmtext.train('ng_first', 'SELECT body, team FROM ng_ticket', '{"method": "auto", "base": "ng_tiny", "hold_out": 0}');
SELECT metrics -> 'tried' -> 0 -> 'held_out_accuracy' AS accuracy, jsonb_array_length(metrics -> 'tried') AS tried, base FROM lmtext.models WHERE name = 'ng_first';
SET client_min_messages = warning; -- what it says depends on the processor
CALL lmtext.train('ng_hurry', 'SELECT body, team FROM ng_ticket', '{"method": "auto", "base": "ng_tiny", "time_budget": 0}');
RESET client_min_messages;
SELECT jsonb_array_length(metrics -> 'tried') AS tried, base, metrics -> 'embedded_rows' AS embedded FROM lmtext.models WHERE name = 'ng_hurry';
SELECT l ->> 'method' AS method, l ->> 'reason' AS reason, bool_and(l -> 'seconds' = 'null') AS unknown, count(*) > 0 AS left_out
FROM lmtext.models, jsonb_array_elements(metrics -> 'left_out') l WHERE name = 'ng_hurry' GROUP BY 1, 2, l -> 'seconds' = 'null' ORDER BY 1;
-- all the time that there can be: vectors of more rows than a round has, by batches of another size
CREATE TABLE ng_more AS SELECT body || ' ' || n AS body, team FROM ng_ticket, generate_series(1, 6) n WHERE body <> '' AND team <> '';
SET client_min_messages = warning;
CALL lmtext.train('ng_whole', 'SELECT body, team FROM ng_more ORDER BY body', '{"method": "auto", "base": "ng_tiny", "time_budget": 1000000, "batch_rows": 100}');
CALL lmtext.train('ng_given', 'SELECT body, team, lmtext.embed(body, ''ng_tiny'') FROM ng_more ORDER BY body', '{"method": "auto", "base": "ng_tiny", "time_budget": 1000000}');
RESET client_min_messages;
SELECT name, metrics -> 'rows' = metrics -> 'embedded_rows' AS embedded, metrics ? 'left_out' AS left_out, (SELECT bool_and(t -> 'rows' = metrics -> 'rows') FROM jsonb_array_elements(metrics -> 'tried') t) AS on_all
FROM lmtext.models WHERE name IN ('ng_whole', 'ng_given') ORDER BY name DESC;
SELECT count(*) > 256 AS rounds, bool_and(lmtext.classify_scored(body, 'ng_whole') = lmtext.classify_scored(body, 'ng_given')) AS same FROM ng_more;
CALL lmtext.train('ng_bad', 'SELECT body, team FROM ng_ticket', '{"method": "auto", "base": "ng_tiny", "learner": "svm"}');
CALL lmtext.train('ng_bad', 'SELECT body, team FROM ng_ticket WHERE team = ''billing''', '{"method": "auto", "base": "ng_tiny"}');

SET client_min_messages = warning;
DROP SCHEMA test_ngram CASCADE;

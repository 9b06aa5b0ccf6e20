-- Training a classifier: the version that is made, its options, its rows, transactions, refusals.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS lmtext;
RESET client_min_messages;
CREATE SCHEMA test_train;
SET search_path = test_train, public;
\getenv minilm LMTEXT_MINILM
\getenv source LMTEXT_SOURCE_DIR
\set tiny :source '/models/tiny/bert'
SELECT lmtext.import_model('minilm', :'minilm');
SET lmtext.embedding_model = 'minilm';

-- 60 texts of three topics.
CREATE TABLE doc AS
    SELECT frame || ' ' || word AS body, topic AS section
    FROM (VALUES ('animals', '{cats,dogs,horses,whales,owls}'::text[]),
                 ('cooking', '{bread,soup,roasted vegetables,pancakes,rice}'),
                 ('computers', '{compilers,databases,networks,operating systems,files}')) t (topic, words),
         unnest(words) word,
         unnest('{a note about,what I learned of,my love for,questions on}'::text[]) frame;

-- The first version of a name is deployed; it knows its base, labels and metrics, and shares weights.
CALL lmtext.train('topic', 'SELECT body, section FROM doc ORDER BY body', '{"hold_out": 0.2}');
SELECT name, version, deployed, family, task, dimensions, max_tokens, parameters, labels, base,
       bytes < 20000 AS small,
       metrics - '{l2,loss,steps,curve,held_out_loss,embed_seconds,train_seconds}'::text[] AS metrics
FROM lmtext.models WHERE name = 'topic';
SELECT (metrics ->> 'l2')::float8 > 0 AS l2, (metrics ->> 'loss')::float8 < 0.5 AS loss,
       (metrics ->> 'held_out_loss')::float8 < 1 AS held_out_loss,
       (metrics ->> 'steps')::int BETWEEN 5 AND 1000 AS steps
FROM lmtext.models WHERE name = 'topic';
SELECT lmtext.classify('a kitten', 'topic'), lmtext.classify('stew with potatoes', 'topic'),
       lmtext.classify('a kernel for the new processor', 'topic');
SELECT model, state, phase, done, total, step > 5 AS stepped, step <= max_steps AS bounded,
       loss < 0.5 AS loss, held_out_accuracy > 0.8 AS accurate, finished_at >= started_at AS finished
FROM lmtext.train_runs ORDER BY run DESC LIMIT 1;
SELECT count(*) > 5 AS points, bool_and(loss IS NOT NULL AND held_out_loss IS NOT NULL) AS complete
FROM lmtext.train_log WHERE run = (SELECT max(run) FROM lmtext.train_runs);

-- Where nothing is held out, nothing is known of it: NULL, not 0, in the run and at each step.
SET client_min_messages = warning;
CALL lmtext.train('unheld', 'SELECT body, section FROM doc', '{"hold_out": 0}');
RESET client_min_messages;
SELECT state, loss > 0 AS loss, held_out_loss, held_out_accuracy FROM lmtext.train_runs ORDER BY run DESC LIMIT 1;
SELECT count(*) > 5 AS points, count(loss) = count(*) AS losses, count(held_out_loss) AS held_out_losses,
       count(held_out_accuracy) AS held_out_accuracies
FROM lmtext.train_log WHERE run = (SELECT max(run) FROM lmtext.train_runs);
-- A run that fails before its first step has no loss, no number of rows and no steps to come.
CALL lmtext.train('unheld', 'SELECT body, NULL::text FROM doc', '{"hold_out": 0}');
SELECT state, phase, done, total, step, max_steps, loss, held_out_loss, held_out_accuracy
FROM lmtext.train_runs ORDER BY run DESC LIMIT 1;
SELECT lmtext.drop_model('unheld');

-- The same rows, options and seed give the same bits; a second version waits for deployment.
CALL lmtext.train('topic', 'SELECT body, section FROM doc ORDER BY body', '{"hold_out": 0.2}');
SELECT count(*) AS versions, count(DISTINCT sha256) AS contents FROM lmtext.models WHERE name = 'topic';
SELECT deployed FROM lmtext.models WHERE name = 'topic' ORDER BY version;
SET client_min_messages = warning;
CALL lmtext.train('topic', 'SELECT body, section FROM doc ORDER BY body', '{"hold_out": 0.2, "seed": 1, "refit": false}');
SELECT count(*) AS versions, count(DISTINCT sha256) AS contents FROM lmtext.models WHERE name = 'topic';

-- A curve of more than 128 points keeps every other one, from its beginning to its end. (Vectors of very unequal scales
-- and labels of no meaning take many steps.)
SELECT lmtext.import_model('tiny', :'tiny');
CREATE TABLE stretched AS
    SELECT ARRAY(SELECT (30.0 ^ (k % 5)) * sin(i * k + k * k) FROM generate_series(1, 36) k)::real[] AS vector,
           (i * 7919 % 13)::text AS label
    FROM generate_series(1, 300) i;
CALL lmtext.train('curve', 'SELECT vector, label FROM stretched', '{"base": "tiny", "hold_out": 0, "l2": 0}');
SELECT max(r.step) > 128 AS long, count(*) BETWEEN 64 AND 128 AS thin, min(l.step) AS first,
       max(l.step) > max(r.step) - 20 AS to_its_end,
       count(DISTINCT l.step - l.before) = 1 AS even
FROM lmtext.train_runs r JOIN (SELECT run, step, lag(step) OVER (PARTITION BY run ORDER BY step) AS before FROM lmtext.train_log) l USING (run)
WHERE r.model = 'curve';

-- All options. Batches do not change the result.
CALL lmtext.train('all_options', 'SELECT body, section FROM doc ORDER BY body',
    '{"task": "classification", "base": "minilm@1", "l2": 0.0001, "max_steps": 50, "patience": 3,
      "hold_out": 0, "seed": 7, "refit": false, "batch_rows": 7}');
CALL lmtext.train('all_options', 'SELECT body, section FROM doc ORDER BY body',
    '{"l2": 0.0001, "max_steps": 50, "hold_out": 0, "batch_rows": null}');
SELECT count(DISTINCT sha256) AS contents, bool_and(metrics @> '{"l2": 0.0001, "held_out": 0, "held_out_accuracy": null}') AS metrics
FROM lmtext.models WHERE name = 'all_options';
RESET client_min_messages;

-- Rows without text or label are left out and counted; columns may be of any string type, labels enums.
CREATE TYPE mood AS ENUM ('good', 'bad');
CREATE DOMAIN body AS varchar(40);
CREATE TABLE moods (t body, m mood, padded char(12), n name);
INSERT INTO moods VALUES ('I love it', 'good', 'good', 'good'), ('this is great', 'good', 'good', 'good'),
    ('I hate it', 'bad', 'bad', 'bad'), ('this is awful', 'bad', 'bad', 'bad'),
    (NULL, 'good', 'good', 'good'), ('nobody knows', NULL, NULL, NULL), (NULL, NULL, NULL, NULL);
\set SHOW_CONTEXT never
CALL lmtext.train('mood', 'SELECT t, m FROM moods');
SELECT labels, metrics -> 'rows' AS rows, metrics -> 'skipped' AS skipped FROM lmtext.models WHERE name = 'mood';
CALL lmtext.train('mood', 'SELECT t, padded FROM moods');
SELECT labels FROM lmtext.models WHERE name = 'mood' AND version = 2;
CALL lmtext.train('mood', 'SELECT t, n FROM moods;');
CALL lmtext.train('mood', $$VALUES ('yes', 'good'), ('no', 'bad')$$);
CALL lmtext.train('mood', $$SELECT 'the same text', l FROM unnest('{a,a,a,b}'::text[]) l$$);
SELECT label, abs(score - 0.75) < 0.01 AS most, abs(score - 0.25) < 0.01 AS few FROM lmtext.class_scores('the same text', 'mood@5');
-- The only row of a label is never held out.
SET client_min_messages = warning;
CALL lmtext.train('mood', $$SELECT * FROM (VALUES ('yes', 'good'), ('fine', 'good'), ('no', 'bad'), ('hm', 'unsure')) v$$, '{"hold_out": 0.5}');
SELECT labels, metrics -> 'held_out' AS held_out FROM lmtext.models WHERE name = 'mood' AND version = 6;
RESET client_min_messages;

-- It works inside a transaction, and vanishes with it.
BEGIN;
INSERT INTO doc VALUES ('the new row of this transaction', 'fresh');
CALL lmtext.train('inside', 'SELECT body, section FROM doc');
SELECT lmtext.classify('the new row of this transaction', 'inside');
SELECT state FROM lmtext.train_runs ORDER BY run DESC LIMIT 1;
SAVEPOINT a;
CALL lmtext.train('inside', 'SELECT body, section FROM doc');
ROLLBACK TO a;
SELECT count(*) FROM lmtext.models WHERE name = 'inside';
ROLLBACK;
SELECT count(*) FROM lmtext.models WHERE name = 'inside';
SELECT state FROM lmtext.train_runs ORDER BY run DESC LIMIT 1;
DO $$ BEGIN CALL lmtext.train('inside', 'SELECT body, section FROM test_train.doc'); END $$;
SELECT count(*) FROM lmtext.models WHERE name = 'inside';
CREATE PROCEDURE train_all() LANGUAGE plpgsql AS $$
BEGIN
    CALL lmtext.train('again', 'SELECT body, section FROM test_train.doc');
    COMMIT;
    CALL lmtext.train('again', 'SELECT body, section FROM test_train.doc');
END $$;
CALL train_all();
SELECT max(version) FROM lmtext.models WHERE name = 'again';

-- Refusals: options.
CALL lmtext.train('bad', 'SELECT body, section FROM doc', '{"epochs": 3}');
CALL lmtext.train('bad', 'SELECT body, section FROM doc', '[]');
CALL lmtext.train('bad', 'SELECT body, section FROM doc', '{"l2": "much"}');
CALL lmtext.train('bad', 'SELECT body, section FROM doc', '{"l2": -1}');
CALL lmtext.train('bad', 'SELECT body, section FROM doc', '{"l2": 1e400}');
CALL lmtext.train('bad', 'SELECT body, section FROM doc', '{"max_steps": 2.5}');
CALL lmtext.train('bad', 'SELECT body, section FROM doc', '{"hold_out": 0.6}');
CALL lmtext.train('bad', 'SELECT body, section FROM doc', '{"refit": 1}');
CALL lmtext.train('bad', 'SELECT body, section FROM doc', '{"seed": {"a": 1}}');
CALL lmtext.train('bad', 'SELECT body, section FROM doc', '{"base": ["minilm"]}');
CALL lmtext.train('bad', 'SELECT body, section FROM doc', '{"task": "parsing"}');
CALL lmtext.train('bad', 'SELECT body, section FROM doc', '{"method": "oracle"}');
CALL lmtext.train('bad', 'SELECT body, section FROM doc', '{"base": "nowhere"}');
CALL lmtext.train('bad', 'SELECT body, section FROM doc', '{"base": "topic"}');
CALL lmtext.train('bad', NULL);
CALL lmtext.train('bad@7', 'SELECT body, section FROM doc');
CALL lmtext.train('nowhere.bad', 'SELECT body, section FROM doc');
BEGIN READ ONLY;
CALL lmtext.train('bad', 'SELECT body, section FROM doc');
ROLLBACK;
-- Refusals: the query.
CALL lmtext.train('bad', 'SELECT body, section FROM nowhere');
CALL lmtext.train('bad', 'SELEKT');
CALL lmtext.train('bad', '');
CALL lmtext.train('bad', 'SELECT body FROM doc');
CALL lmtext.train('bad', 'SELECT body, section, 1 FROM doc');
CALL lmtext.train('bad', 'SELECT body, 1.5 AS "Sort" FROM doc');
CALL lmtext.train('bad', 'SELECT 1, section FROM doc');
CALL lmtext.train('bad', 'SELECT NULL::mood, section FROM doc');
CALL lmtext.train('bad', 'SELECT body, section FROM doc WHERE false');
CALL lmtext.train('bad', 'SELECT NULL::text, section FROM doc');
CALL lmtext.train('bad', $$SELECT body, section FROM doc WHERE section = 'animals'$$);
CALL lmtext.train('bad', 'SELECT body, 1 / (length(body) - length(body)) || section FROM doc');
CALL lmtext.train('bad', 'SELECT body, section FROM doc; SELECT body, section FROM doc');
CALL lmtext.train('bad', 'DELETE FROM doc RETURNING body, section');
CALL lmtext.train('bad', 'WITH d AS (DELETE FROM doc RETURNING *) SELECT body, section FROM d');
CALL lmtext.train('bad', 'SELECT body, section FROM doc FOR UPDATE');
CALL lmtext.train('bad', 'DROP TABLE doc');
CALL lmtext.train('bad', 'COMMIT');
CALL lmtext.train('bad', 'SHOW search_path');
SELECT count(*) FROM doc;
SELECT count(*) FROM lmtext.models WHERE name = 'bad';
SELECT state, count(*) > 5 AS many FROM lmtext.train_runs WHERE model = 'bad' GROUP BY state;
SET lmtext.embedding_model = '';
CALL lmtext.train('bad', 'SELECT body, section FROM doc');
SET lmtext.embedding_model = 'minilm';

-- Stored vectors train the head that their texts train.
SET client_min_messages = warning;
CALL lmtext.train('by_text', 'SELECT body, section FROM doc');
CALL lmtext.train('by_vector', 'SELECT lmtext.embed(body), section FROM doc');
RESET client_min_messages;
SELECT count(DISTINCT sha256) AS heads FROM lmtext.models WHERE name IN ('by_text', 'by_vector');
-- So do vectors of every type that is assigned to real[]: of doubles, of a domain, of a type with a cast (as pgvector's).
CREATE DOMAIN doubles AS double precision[];
CREATE TYPE wrapped AS (v real[]);
CREATE FUNCTION unwrap(wrapped) RETURNS real[] LANGUAGE sql IMMUTABLE AS 'SELECT ($1).v';
CREATE CAST (wrapped AS real[]) WITH FUNCTION unwrap(wrapped) AS ASSIGNMENT;
SET client_min_messages = warning;
CALL lmtext.train('by_doubles', 'SELECT lmtext.embed(body)::double precision[], section FROM doc');
CALL lmtext.train('by_domain', 'SELECT lmtext.embed(body)::doubles, section FROM doc');
CALL lmtext.train('by_cast', 'SELECT ROW(lmtext.embed(body))::wrapped, section FROM doc', '{"batch_rows": 7}');
RESET client_min_messages;
SELECT count(*) AS models, count(DISTINCT sha256) AS heads FROM lmtext.models WHERE name LIKE 'by%';
SELECT metrics -> 'skipped' AS skipped FROM lmtext.models WHERE name = 'by_doubles';
CALL lmtext.train('bad', $$SELECT '{1e300}'::double precision[], section FROM doc$$);
CALL lmtext.train('bad', $$SELECT '{1,2,3}'::real[], section FROM doc$$);
CALL lmtext.train('bad', $$SELECT array_fill('NaN'::real, '{384}'), section FROM doc$$);
CALL lmtext.train('bad', $$SELECT array_fill(1::real, '{2,192}'), section FROM doc$$);
CALL lmtext.train('bad', 'SELECT NULL::real[], section FROM doc');

-- Refusals: privileges. The query runs as the caller, the base is checked for the caller.
CREATE ROLE train_user;
GRANT USAGE ON SCHEMA test_train TO train_user;
SET ROLE train_user;
CALL lmtext.train('bad', 'SELECT body, section FROM doc');
RESET ROLE;
GRANT EXECUTE ON PROCEDURE lmtext.train TO train_user;
SET ROLE train_user;
CALL lmtext.train('bad', 'SELECT body, section FROM doc');
RESET ROLE;
GRANT CREATE ON SCHEMA test_train TO train_user;
SET ROLE train_user;
CALL lmtext.train('bad', 'SELECT body, section FROM doc');
RESET ROLE;
GRANT SELECT (file) ON "minilm@1" TO train_user;
SET ROLE train_user;
CALL lmtext.train('bad', 'SELECT body, section FROM doc');
CALL lmtext.train('topic', 'SELECT body, section FROM doc');
RESET ROLE;
GRANT SELECT ON doc TO train_user;
SET ROLE train_user;
CALL lmtext.train('theirs', 'SELECT body, section FROM doc');
SELECT lmtext.classify('a kitten', 'theirs');
RESET ROLE;
SELECT name, owner FROM lmtext.models WHERE name = 'theirs';

-- A name too long for the slot that other sessions see is cut between characters.
SET client_min_messages = warning;
SELECT 'a' || repeat('ж', 29) AS place \gset
CREATE SCHEMA :"place";
CALL lmtext.train(:'place' || '.' || repeat('щ', 20), 'SELECT body, section FROM doc');
SELECT length(convert_from(textsend(model), 'UTF8')) FROM lmtext.train_runs ORDER BY run DESC LIMIT 1;
DROP SCHEMA :"place" CASCADE;
RESET client_min_messages;

-- A base stays as long as heads need it.
\set VERBOSITY terse
SELECT lmtext.drop_model('minilm');
SET client_min_messages = error;
DROP SCHEMA test_train CASCADE;
REVOKE EXECUTE ON PROCEDURE lmtext.train FROM train_user;
DROP OWNED BY train_user;
DROP ROLE train_user;

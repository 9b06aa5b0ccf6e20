-- Language models of counted words: training, log_probability, the life of a version that has no encoder.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS lmtext;
RESET client_min_messages;
CREATE SCHEMA test_language_model;
SET search_path = test_language_model, public;
\getenv source LMTEXT_SOURCE_DIR
\set tiny :source '/models/tiny/bert'

CREATE TABLE doc (id int PRIMARY KEY, body text);
INSERT INTO doc VALUES (1, 'The cat sat on the mat.'), (2, 'the dog sat'), (3, 'A cat!'), (4, 'Größe 3.14'), (5, NULL), (6, '');

-- Counting; what is kept of it. There is no embedding, no window and no base.
CALL lmtext.train('counts', 'SELECT body FROM doc', '{"task": "language_model", "method": "unigram"}');
SELECT name, version, deployed, family, task, dimensions, max_tokens, parameters, labels, base,
       metrics - '{loss,read_seconds,train_seconds}'::text[] AS metrics
FROM lmtext.models WHERE name = 'counts';
SELECT round((metrics ->> 'loss')::numeric, 4) AS loss FROM lmtext.models WHERE name = 'counts';
SELECT precision, dimensions FROM lmtext.models WHERE name = 'counts';
SELECT obj_description('counts@1'::regclass, 'pg_class');
SELECT model, state, phase, done, total, step, max_steps, round(loss::numeric, 3) AS loss, held_out_loss
FROM lmtext.train_runs ORDER BY run DESC LIMIT 1;

-- Values of nltk.lm.Laplace of order 1; an empty product is 1, and NULL is NULL.
SELECT text, round(lmtext.log_probability(text, 'counts')::numeric, 12) AS log_p
FROM unnest('{the cat,The BIRD sat?,größe,"3.14",the the the,unseen,"",?!}'::text[]) WITH ORDINALITY t (text, n) ORDER BY n;
SELECT lmtext.log_probability(NULL, 'counts') AS of_null;
-- Arrays, pinned forms, and the default model.
SELECT lmtext.log_probability('{the cat,NULL,""}'::text[], 'counts')
           = ARRAY[lmtext.log_probability('the cat', 'counts'), NULL, 0] AS array_form,
       lmtext.log_probability('{the cat,NULL,""}'::text[], 'counts@1'::regclass)
           = lmtext.log_probability('{the cat,NULL,""}'::text[], 'counts') AS pinned,
       lmtext.log_probability('{}'::text[], 'counts') AS empty, lmtext.log_probability(NULL::text[], 'counts') AS of_null;
SELECT lmtext.log_probability('the cat');
SET lmtext.language_model = 'counts';
SELECT lmtext.log_probability('the cat') = lmtext.log_probability('the cat', 'counts@1'::regclass) AS by_default;
RESET lmtext.language_model;
-- Single words have no context.
SELECT lmtext.log_probability('cat', 'counts', 'the');
SELECT lmtext.log_probability('{cat}'::text[], 'counts@1'::regclass, given => '');
-- The measure that goes with it.
SELECT round(lmtext.cross_entropy(lmtext.log_probability(body, 'counts'), words)::numeric, 6) AS cross_entropy
FROM doc, regexp_count(lower(body), '\w+') words WHERE words > 0;

-- Options: Lidstone's k, words that are rare, and how many there may be.
SET client_min_messages = warning;
CALL lmtext.train('lidstone', 'SELECT body FROM doc', '{"task": "language_model", "k": 0.1}');
CALL lmtext.train('frequent', 'SELECT body FROM doc', '{"task": "language_model", "min_count": 2, "batch_rows": 1}');
CALL lmtext.train('plain', 'SELECT body FROM doc', '{"task": "language_model", "k": 0}');
RESET client_min_messages;
SELECT model, round(lmtext.log_probability('the bird sat', model)::numeric, 12) AS log_p
FROM unnest('{lidstone,frequent}'::text[]) model;
SELECT lmtext.log_probability('the bird sat', 'plain') AS impossible, round(exp(lmtext.log_probability('the', 'plain'))::numeric, 12) AS share;
SELECT metrics -> 'words' AS words, metrics -> 'tokens' AS tokens, metrics -> 'unknown' AS unknown FROM lmtext.models WHERE name = 'frequent';
SELECT lmtext.drop_model(name) FROM unnest('{lidstone,frequent}'::text[]) name;
CALL lmtext.train('bad', 'SELECT body FROM doc', '{"task": "language_model", "max_words": 3}');
CALL lmtext.train('bad', 'SELECT body FROM doc', '{"task": "language_model", "min_count": 4}');
CALL lmtext.train('bad', 'SELECT ''?!''::text', '{"task": "language_model"}');
CALL lmtext.train('bad', 'SELECT body FROM doc WHERE body IS NULL', '{"task": "language_model"}');
CALL lmtext.train('bad', 'SELECT body, id::text FROM doc', '{"task": "language_model"}');
CALL lmtext.train('bad', 'SELECT id FROM doc', '{"task": "language_model"}');
CALL lmtext.train('bad', 'SELECT body FROM doc', '{"task": "language_model", "k": -1}');
CALL lmtext.train('bad', 'SELECT body FROM doc', '{"task": "language_model", "l2": 1}');
CALL lmtext.train('bad', 'SELECT body FROM doc', '{"task": "language_model", "method": "linear"}');
CALL lmtext.train('bad', 'SELECT body FROM doc', '{"task": "language_model", "base": "counts"}');

-- The order of the rows decides nothing: the same contents, a second version, deployment.
CALL lmtext.train('counts', 'SELECT body::varchar(99) FROM doc ORDER BY id DESC', '{"task": "language_model"}');
SELECT count(*) AS versions, count(DISTINCT sha256) AS contents FROM lmtext.models WHERE name = 'counts';
SET client_min_messages = warning;
CALL lmtext.train('counts', 'SELECT body || '' dogs'' FROM doc', '{"task": "language_model"}');
RESET client_min_messages;
SELECT lmtext.deploy('counts', 3);
SELECT lmtext.log_probability('dogs', 'counts') > lmtext.log_probability('dogs', 'counts@1') AS deployed;
SELECT lmtext.deploy('counts', 1);

-- The cache, statistics and the selftest know it as any model.
SELECT lmtext.load_model('counts') AS loaded_again;
SELECT version, bytes < 10000 AS small, loads > 0 AS loaded FROM lmtext.model_cache WHERE version LIKE '%counts@1';
SELECT lmtext.unload_model('counts') AS unloaded, lmtext.load_model('counts') AS loaded;
SELECT function, sum(calls) > 0 AS calls, sum(rows) > 0 AS rows, sum(tokens) > 0 AS tokens, sum(errors) AS errors
FROM lmtext.stats WHERE model = 'counts@1'::regclass GROUP BY 1 ORDER BY 1;
SELECT "check", max_error, ok FROM lmtext.selftest('counts') WHERE "check" NOT LIKE 'instruction level %';
SELECT count(*) > 0 AS levels, bool_and(ok) AS ok, max(max_error) AS max_error
FROM lmtext.selftest('plain') WHERE "check" LIKE 'instruction level %';

-- What it cannot do is said.
SELECT lmtext.embed('a', 'counts');
SELECT lmtext.classify('a', 'counts');
SELECT lmtext.similarity('a', 'b', 'counts');
SELECT lmtext.tokenize('a', 'counts');
SELECT lmtext.count_tokens('a', 'counts@1'::regclass);
SELECT lmtext.quantize('counts', 'int8');
SELECT lmtext.quantize('counts', 'bf16');
CALL lmtext.train('bad', 'SELECT body, ''x''::text FROM doc', '{"base": "counts"}');
SELECT lmtext.import_model('bert', :'tiny');
SELECT lmtext.log_probability('a', 'bert');

-- Pinned calls in an index and in a generated column; what uses a version keeps it.
ALTER TABLE doc ADD COLUMN log_p float8 GENERATED ALWAYS AS (lmtext.log_probability(body, 'counts@1'::regclass)) STORED;
CREATE INDEX doc_log_p ON doc (lmtext.log_probability(body, 'counts@1'::regclass));
SELECT id, round(log_p::numeric, 6) AS log_p FROM doc ORDER BY id;
SET enable_seqscan = off;
EXPLAIN (COSTS OFF) SELECT id FROM doc WHERE lmtext.log_probability(body, 'counts@1'::regclass) < -10;
SELECT id FROM doc WHERE lmtext.log_probability(body, 'counts@1'::regclass) < -10;
RESET enable_seqscan;
\set VERBOSITY terse
SELECT lmtext.drop_model('counts');
\set VERBOSITY default
DROP INDEX doc_log_p;
ALTER TABLE doc DROP COLUMN log_p;

-- Who may use it, and who may not.
CREATE ROLE lmtext_test_language;
GRANT USAGE ON SCHEMA test_language_model TO lmtext_test_language;
SET ROLE lmtext_test_language;
SELECT lmtext.log_probability('the', 'counts');
RESET ROLE;
SELECT lmtext.grant_model('counts', 'lmtext_test_language');
SET ROLE lmtext_test_language;
SELECT lmtext.log_probability('the', 'counts') < 0 AS granted;
RESET ROLE;

-- As files: the same contents; what its kind has no use for is refused.
SELECT convert_from(data, 'UTF8') AS "ngram.json" FROM "counts@1" WHERE file = 'ngram.json';
SELECT jsonb_object_agg(file, lo_from_bytea(0, data)::bigint) AS files FROM "counts@1" WHERE file LIKE 'ngram.%' \gset
SELECT lmtext.import_model('copy', :'files'::jsonb);
SELECT count(DISTINCT sha256) AS contents FROM lmtext.models WHERE model IN ('counts@1'::regclass, 'copy@1'::regclass);
SELECT lmtext.import_model('copy', :'files'::jsonb, '{"precision": "bf16"}');
SELECT lmtext.import_model('copy', :'files'::jsonb, '{"max_tokens": 10}');
SELECT lmtext.import_model('copy', :'files'::jsonb, '{"task": "embedding"}');
SELECT lo_unlink(value::oid) FROM jsonb_each_text(:'files');

-- A statement over a table, in parallel or not, gives what single calls give.
CREATE TABLE many AS SELECT n, 'the cat ' || (n % 7) || ' sat' AS body FROM generate_series(1, 3000) n;
SELECT count(*), count(DISTINCT lmtext.log_probability(body, 'counts')) AS values FROM many;
SELECT array_agg(lmtext.log_probability(body, 'counts') ORDER BY n)
           = lmtext.log_probability(array_agg(body ORDER BY n), 'counts') AS same FROM many;

DROP OWNED BY lmtext_test_language;
DROP ROLE lmtext_test_language;
SET client_min_messages = warning;
DROP SCHEMA test_language_model CASCADE;

-- Smaller models: codes alone, and a student of a classifier.
\getenv source LMTEXT_SOURCE_DIR
\set bert :source '/models/tiny/bert'
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS lmtext;
CREATE SCHEMA compress_a;
SET search_path = compress_a;
CREATE ROLE regress_lmtext_compress;
GRANT USAGE, CREATE ON SCHEMA compress_a TO regress_lmtext_compress;

SELECT lmtext.import_model('p', :'bert', '{"licence": "MIT", "max_tokens": 16}');
SELECT lmtext.quantize('p', 'int8');
CALL lmtext.compress('c', 'p@2');
CALL lmtext.compress('c', 'p@1', '{"licence": "none"}');
CALL lmtext.compress('c', 'p@2', '{"max_tokens": 8}');
SELECT name, version, "precision", max_tokens, licence,
       jsonb_object_keys(metrics -> 'compression') AS figure FROM lmtext.models WHERE name = 'c' ORDER BY 2, 6;
SELECT c.bytes = (c.metrics -> 'compression' ->> 'bytes')::bigint AS bytes, p.bytes = (c.metrics -> 'compression' ->> 'int8_bytes')::bigint AS int8_bytes,
       c.bytes < 0.5 * p.bytes AS smaller, c.metrics -> 'fidelity' = p.metrics -> 'fidelity' AS fidelity
FROM lmtext.models c, lmtext.models p WHERE c.model = '"c@1"'::regclass AND p.model = '"p@2"'::regclass;
SELECT DISTINCT file FROM "c@1" ORDER BY 1;
-- The same bits.
SELECT bool_and(lmtext.embed(t, '"c@1"'::regclass) = lmtext.embed(t, '"p@2"'::regclass)) AS same
FROM unnest('{some words,"the quick brown fox",x}'::text[]) t;
SELECT lmtext.embed('some words', '"c@2"'::regclass) = lmtext.embed('some words', '"p@2"'::regclass) AS calibrated;
SELECT bool_and(ok) AS all_ok FROM lmtext.selftest('c@1');

-- What needs float32.
SELECT lmtext.quantize('c@1', 'fp32');
SELECT lmtext.quantize('c@1', 'int8');
CALL lmtext.compress('d', 'c@1');
CALL lmtext.train('t', $$VALUES ('a', 'x'), ('b', 'y')$$, '{"base": "c@1", "method": "finetune"}');
SELECT lmtext.add_head('t', 'c@1', :'source' || '/models/tiny/bert-sequence', '{}');
-- A head on its vectors does not.
CALL lmtext.train('t', $$VALUES ('red apple', 'fruit'), ('green pear', 'fruit'), ('fast car', 'thing'), ('slow train', 'thing')$$,
    '{"base": "c@1", "hold_out": 0, "max_steps": 20}');
SELECT lmtext.classify('red apple', 't');
CALL lmtext.compress('d', 't');

-- Its files make it again, at int8 alone; damage is seen.
SELECT jsonb_object_agg(file, lo_from_bytea(0, data)::bigint) AS files,
       jsonb_object_agg(file, lo_from_bytea(0, CASE WHEN file ~ 'coded$' THEN set_byte(data, length(data) - 9, get_byte(data, length(data) - 9) # 1)
                                               ELSE data END)::bigint) AS damaged,
       jsonb_object_agg(file, lo_from_bytea(0, CASE WHEN file ~ 'coded$' THEN substr(data, 1, length(data) - 1) ELSE data END)::bigint) AS cut
FROM "c@1" WHERE file NOT IN ('manifest.json', 'golden.json') \gset
SELECT lmtext.import_model('q', :'files'::jsonb, '{"precision": "int8", "max_tokens": 16}');
SELECT a.sha256 = b.sha256 AS equal FROM lmtext.models a, lmtext.models b WHERE a.model = '"q@1"'::regclass AND b.model = '"c@1"'::regclass;
SELECT lmtext.import_model('q', :'files'::jsonb, '{}');
SELECT lmtext.import_model('q', :'damaged'::jsonb, '{"precision": "int8"}');
SELECT lmtext.import_model('q', :'cut'::jsonb, '{"precision": "int8"}');

-- Arguments, and who may: a user of a model may not have its files.
CALL lmtext.compress('d', 'p', '{"layers": 1}');
CALL lmtext.compress('d', NULL);
CALL lmtext.compress('d', 'absent');
SELECT lmtext.grant_model('p@2', 'regress_lmtext_compress');
SET ROLE regress_lmtext_compress;
CALL lmtext.compress('d', 'p@2');
RESET ROLE;
GRANT EXECUTE ON PROCEDURE lmtext.compress TO regress_lmtext_compress;
SET ROLE regress_lmtext_compress;
CALL lmtext.compress('d', 'p@2');
RESET ROLE;
REVOKE EXECUTE ON PROCEDURE lmtext.compress FROM regress_lmtext_compress;

-- A student.
CREATE TABLE note AS
SELECT format('%s number %s', what, i) AS body, topic
FROM generate_series(1, 30) i, (VALUES ('the cat sat on', 'animals'), ('databases indexing', 'computers')) t (what, topic);
CALL lmtext.train('topic', 'SELECT body, topic FROM note ORDER BY body',
    '{"base": "p@1", "method": "finetune", "epochs": 6, "learning_rate": 0.003, "batch_size": 8}');
CALL lmtext.distill('student', 'topic', 'SELECT body, topic FROM note ORDER BY body',
    '{"epochs": 6, "learning_rate": 0.003, "batch_size": 8, "temperature": 3, "hard": 0.2}');
CALL lmtext.distill('student', 'topic', 'SELECT body FROM note ORDER BY body', '{"layers": 1, "epochs": 6, "learning_rate": 0.003, "batch_size": 8}');
-- All layers and no step: the teacher itself.
CALL lmtext.distill('student', 'topic', 'SELECT body FROM note ORDER BY body', '{"layers": 2, "epochs": 1, "learning_rate": 1e-12}');
SELECT version, family, task, labels, base, metrics -> 'layers' AS layers, (metrics ->> 'held_out_agreement')::float8 > 0.9 AS agrees,
       (metrics ->> 'held_out_accuracy')::float8 > 0.9 AS accurate, (metrics ->> 'held_out_teacher_accuracy')::float8 > 0.9 AS taught
FROM lmtext.models WHERE name = 'student' ORDER BY version;
SELECT v, avg((lmtext.classify(body, v::regclass) = topic)::int) > 0.9 AS right FROM note, unnest('{student@1,student@2}'::text[]) n, quote_ident(n) v GROUP BY 1 ORDER BY 1;
SELECT max(abs(a.score - b.score)) < 1e-5 AS same FROM note,
    lmtext.classify_scored(body, '"topic@1"'::regclass) a, lmtext.classify_scored(body, '"student@3"'::regclass) b;
SELECT parameters < (SELECT parameters FROM lmtext.models WHERE name = 'topic') AS fewer FROM lmtext.models WHERE name = 'student' AND version < 3;
CALL lmtext.compress('packed', 'student@1');
SELECT bool_and(lmtext.classify(body, 'packed') = lmtext.classify(body, '"student@1"'::regclass)) AS same FROM note;

CALL lmtext.distill('s', 'p', 'SELECT body, topic FROM note');
CALL lmtext.distill('s', 'topic', 'SELECT body, body FROM note');
CALL lmtext.distill('s', 'topic', 'SELECT body, topic FROM note', '{"layers": 3}');
CALL lmtext.distill('s', 'topic', 'SELECT body, topic FROM note', '{"temperature": 0}');
CALL lmtext.distill('s', 'topic', 'SELECT body, topic FROM note', '{"base": "p"}');
CALL lmtext.distill('s', 'topic', 'SELECT body, topic FROM note', '{"class_weights": {"animals": 2}}');
CALL lmtext.distill('s', 'packed', 'SELECT body, topic FROM note');
CALL lmtext.distill('s', NULL, 'SELECT body, topic FROM note');

-- Pruned: what is taken away, and the report.
CALL lmtext.prune('pruned', 'topic', 'SELECT body, topic FROM note ORDER BY body', '{"share": 0.5, "epochs": 2, "learning_rate": 0.003, "batch_size": 8}');
CALL lmtext.prune('pruned', 'topic', 'SELECT body, topic FROM note ORDER BY body', '{"heads": 0.5, "neurons": 0.5, "epochs": 2, "learning_rate": 0.003, "batch_size": 8}');
SELECT version, family, task, labels, base, round((metrics ->> 'zeros')::numeric, 2) AS zeros, (metrics ->> 'bytes')::bigint < (metrics ->> 'base_bytes')::bigint AS smaller,
       (metrics ->> 'base_accuracy')::float8 AS base_accuracy, (metrics ->> 'pruned_accuracy')::float8 IS NOT NULL AS pruned, (metrics ->> 'held_out_accuracy')::float8 > 0.9 AS accurate,
       parameters < (SELECT parameters FROM lmtext.models WHERE name = 'topic') AS fewer
FROM lmtext.models WHERE name = 'pruned' ORDER BY version;
SELECT v, avg((lmtext.classify(body, v::regclass) = topic)::int) > 0.9 AS right FROM note, unnest('{pruned@1,pruned@2}'::text[]) n, quote_ident(n) v GROUP BY 1 ORDER BY 1;
CALL lmtext.compress('thin', 'pruned@1');
CALL lmtext.compress('whole', 'topic');
SELECT t.bytes < p.bytes AS smaller FROM lmtext.models t, lmtext.models p WHERE t.name = 'thin' AND p.name = 'whole';
CALL lmtext.prune('s', 'topic', 'SELECT body, topic FROM note');
CALL lmtext.prune('s', 'topic', 'SELECT body, topic FROM note', '{"share": 1}');
CALL lmtext.prune('s', 'topic', 'SELECT body, body FROM note', '{"share": 0.5}');
CALL lmtext.prune('s', 'topic', 'SELECT body, topic FROM note', '{"share": 0.5, "lora": {"rank": 2}}');
CALL lmtext.prune('s', 'topic', 'SELECT body, topic FROM note', '{"share": 0.5, "base": "p"}');
CALL lmtext.prune('s', 'p', 'SELECT body, topic FROM note', '{"share": 0.5}');
CALL lmtext.prune('s', 'packed', 'SELECT body, topic FROM note', '{"share": 0.5}');
CALL lmtext.prune('s', NULL, 'SELECT body, topic FROM note', '{"share": 0.5}');

-- In rounds, until a target is met.
CALL lmtext.harden('hard', 'topic', 'SELECT body, topic FROM note ORDER BY body',
    '{"target": {"accuracy": 0.9, "ratio": 0.9}, "share": 0.3, "train": {"epochs": 1, "learning_rate": 0.003, "batch_size": 8}, "prune": {"epochs": 1, "learning_rate": 0.003, "batch_size": 8},
      "attack": {"budget": 1}, "test": "SELECT body, topic FROM note ORDER BY body LIMIT 6"}');
SELECT round, version, accuracy, accuracy_under_attack BETWEEN 0 AND accuracy AS attacked, round(zeros::numeric, 1) AS zeros, bytes > 0 AS bytes, ratio < 0.9 AS ratio, met FROM hard_rounds;
SELECT name, version, precision, task FROM lmtext.models WHERE name LIKE 'hard%' ORDER BY 1, 2;
CALL lmtext.harden('hard', 'topic', 'SELECT body, topic FROM note ORDER BY body',
    '{"target": {"ratio": 0.01}, "rounds": 2, "share": 0.4, "neurons": 0.5, "keep": true, "train": {"steps": 1}, "prune": {"steps": 1}, "attack": {"budget": 1}, "test": "SELECT body, topic FROM note ORDER BY body LIMIT 2"}');
SELECT round, version, round(zeros::numeric, 1) AS zeros, met FROM hard_rounds ORDER BY version;
SELECT name, version, precision FROM lmtext.models WHERE name LIKE 'hard%' ORDER BY 1, 2;
CALL lmtext.harden('compress_a."Hard one"', 'topic', 'SELECT body, topic FROM note ORDER BY body',
    '{"target": {"accuracy": 0}, "rounds": 1, "train": {"steps": 1}, "prune": {"steps": 1}, "attack": {"budget": 1}, "test": "SELECT body, topic FROM note ORDER BY body LIMIT 2"}');
SELECT version, met FROM compress_a."Hard one_rounds";
SELECT name, version FROM lmtext.models WHERE name LIKE 'Hard%' ORDER BY 1, 2;
CALL lmtext.harden('hard', 'topic', 'SELECT body, topic FROM note', '{"target": {"accuracy": 1}}');
CALL lmtext.harden('h', 'topic', 'SELECT body, topic FROM note');
CALL lmtext.harden('h', 'topic', 'SELECT body, topic FROM note', '{"target": {"speed": 1}}');
CALL lmtext.harden('h', 'topic', 'SELECT body, topic FROM note', '{"target": {"accuracy": 1}, "rounds": 0}');
CALL lmtext.harden('h', 'topic', 'SELECT body, topic FROM note', '{"target": {"accuracy": 1}, "share": 0}');
CALL lmtext.harden('h', 'topic', 'SELECT body, topic FROM note', '{"target": {"accuracy": 1}, "train": {"base": "p"}}');
CALL lmtext.harden('h', 'topic', 'SELECT body, topic FROM note', '{"target": {"accuracy": 1}, "round": 1}');
CALL lmtext.harden('h', 'topic', 'SELECT body, topic FROM note', '{"target": {"accuracy": 1}, "test": "SELECT body FROM note"}');
CALL lmtext.harden('h', NULL, 'SELECT body, topic FROM note', '{"target": {"accuracy": 1}}');
CALL lmtext.harden('h', 'topic', 'SELECT body, topic FROM note', '{"target": {"accuracy": 1}, "attack": {"budgets": 1}}');
-- Names that are quoted, and have a schema; a test without a row meets nothing.
\set brief '{"target": {"accuracy": 0}, "rounds": 1, "train": {"steps": 1}, "prune": {"steps": 1}, "attack": {"budget": 1}, "test": "SELECT body, topic FROM note WHERE false"}'
SET search_path = lmtext, compress_a;
CALL lmtext.harden('compress_a."Hard; one"', 'topic', 'SELECT body, topic FROM note ORDER BY body', :'brief');
SELECT round, version, accuracy, met FROM compress_a."Hard; one_rounds";
SELECT name, version FROM lmtext.models WHERE name LIKE 'Hard;%';
SET search_path = compress_a;
-- A version that is not deployed is as little dropped.
ALTER TABLE "hard_work@3" RENAME TO "idle_work@3";
CALL lmtext.harden('idle', 'topic', 'SELECT body, topic FROM note', '{"target": {"accuracy": 1}}');
-- Another role's table, whose trigger would run as the caller; a table of something else.
SET ROLE regress_lmtext_compress;
CREATE TABLE theirs_rounds (round integer, version integer, accuracy float8, accuracy_under_attack float8, zeros float8, bytes bigint, ratio float8, met boolean);
RESET ROLE;
CREATE TABLE mine_rounds (round integer);
CALL lmtext.harden('theirs', 'topic', 'SELECT body, topic FROM note', '{"target": {"accuracy": 1}}');
CALL lmtext.harden('mine', 'topic', 'SELECT body, topic FROM note', '{"target": {"accuracy": 1}}');
CALL lmtext.prune('s', 'topic', 'SELECT body, topic FROM note', '["share"]');
CALL lmtext.prune('s', 'topic', 'SELECT body, topic FROM note', NULL);

SELECT count(lo_unlink(oid)) > 0 AS unlinked FROM pg_largeobject_metadata;
DROP SCHEMA compress_a CASCADE;
DELETE FROM lmtext.model_name WHERE schema = 'compress_a';
DROP ROLE regress_lmtext_compress;

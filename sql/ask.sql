-- Answers to questions: what the reference's pipeline gave but for its sums, forms, windows, batches, statistics, refusals.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS lmtext;
RESET client_min_messages;
CREATE SCHEMA test_ask;
SET search_path = test_ask, public;
\set SHOW_CONTEXT never
\getenv source_dir LMTEXT_SOURCE_DIR
\set tiny :source_dir '/models/tiny'
SELECT lmtext.import_model('qa', :'tiny' || '/bert-answer'), lmtext.import_model('small', :'tiny' || '/distilbert-answer'), lmtext.import_model('plain', :'tiny' || '/bert'),
       lmtext.import_model('roberta', :'tiny' || '/roberta-answer-bytes'), lmtext.import_model('deberta', :'tiny' || '/deberta-v2-answer'), lmtext.import_model('modern', :'tiny' || '/modernbert-answer');
SELECT name, family, task, labels FROM lmtext.models ORDER BY name;

-- Answers, their order and places are the reference's, scores within 1e-5.
CREATE TABLE asked AS
    SELECT name, c->>'question' AS question, c->>'context' AS context, (c->>'none')::float8 AS none, c->'answers' AS answers
    FROM (VALUES ('qa', 'bert-answer'), ('small', 'distilbert-answer'), ('roberta', 'roberta-answer-bytes'), ('deberta', 'deberta-v2-answer'), ('modern', 'modernbert-answer')) m (name, folder),
         jsonb_array_elements(pg_read_file(:'tiny' || '/' || folder || '/golden.json')::jsonb->'answers'->'cases') c;
SELECT name, count(*) AS answers, bool_and((g.answer, g.start, g.stop) = (w->>0, (w->>1)::int, (w->>2)::int)) AS equal, max(abs(g.score - (w->>3)::float8)) < 1e-5 AS near
FROM asked, LATERAL lmtext.answer(question, context, name, 3) WITH ORDINALITY g (answer, score, start, stop, n), LATERAL (SELECT answers->(g.n - 1)::int AS w) w
GROUP BY name ORDER BY name;
SELECT bool_and(answer = substr(context, start + 1, stop - start)) AS in_context FROM asked, LATERAL lmtext.answer(question, context, name, 5);
SELECT name, bool_and(abs(score - none) < 1e-5) AS near, bool_and(start IS NULL AND stop IS NULL) AS without_place
FROM asked, LATERAL lmtext.answer(question, context, name, 100, true) WHERE answer IS NULL GROUP BY name ORDER BY name;

-- Words, not tokens; offsets count characters; equal words in two places are two answers.
SELECT bool_and(answer ~ '^(databases|🙂|été)( (databases|🙂|été))*$') AS words, count(*) FROM lmtext.answer('cat?', 'databases 🙂 été', 'qa', 100);
SELECT count(DISTINCT (start, stop)) AS places, count(DISTINCT answer) AS texts FROM lmtext.answer('cat?', 'the cat. the cat', 'qa', 100);
SELECT count(*) AS no_rows FROM (SELECT lmtext.answer('cat?', '', 'qa') UNION ALL SELECT lmtext.answer(NULL, 'a', 'qa') UNION ALL SELECT lmtext.answer('a', NULL::text, 'qa')) x;
SELECT * FROM lmtext.answer('cat?', '', 'qa', no_answer => true);
SELECT lmtext.answer('cat?', 'the cat', 'qa', 0);
SELECT lmtext.answer('cat?', 'the cat', 'qa', 101);
SELECT lmtext.answer(repeat('e ', 30), 'the cat', 'qa');

-- All of a long context is read, whatever on_long says.
SET lmtext.on_long = error;
SELECT count(*) AS answers, max(start) > 300 AS to_the_end FROM lmtext.answer('cat?', repeat('the cat sat on the mat. ', 20), 'qa', 100);
RESET lmtext.on_long;

-- Arrays: each context's rows have its position; NULL has none; the same bits as alone, in several blocks.
SELECT ordinality, count(*) FROM lmtext.answer('cat?', ARRAY['the cat', NULL, '', 'on the mat'], 'qa', 2, true) GROUP BY 1 ORDER BY 1;
WITH texts AS (SELECT i, NULLIF('query ' || i || ' of the cat', 'query 7 of the cat') AS body FROM generate_series(1, 600) i),
     alone AS (SELECT i::bigint, t.* FROM texts, LATERAL lmtext.answer('cat?', body, 'qa', 2) t),
     together AS (SELECT * FROM lmtext.answer('cat?', (SELECT array_agg(body ORDER BY i) FROM texts), 'qa', 2))
SELECT count(*) AS answers, count(DISTINCT ordinality) AS contexts, (SELECT count(*) FROM (TABLE alone EXCEPT ALL TABLE together) x) AS differ FROM together;

-- Which model: named, the setting, pinned, another task's.
SELECT lmtext.answer('cat?', 'the cat');
SET lmtext.answer_model = 'qa';
SELECT t = (SELECT p FROM lmtext.answer('cat?', 'the cat', '"qa@1"'::regclass) p) AS pinned, (t).answer <> '' AS answered FROM lmtext.answer('cat?', 'the cat') t;
SELECT lmtext.answer('cat?', 'the cat', NULL::regclass);
SELECT lmtext.answer('cat?', 'the cat', 'plain');
SELECT lmtext.embed('cat', 'qa');
SELECT lmtext.tag('cat', 'qa');

-- Rows ahead: contexts, and questions, of a table are one batch after the other, with the same bits as one by one.
CREATE TABLE doc AS SELECT i AS id, CASE WHEN i % 7 > 0 THEN 'the query ' || i % 40 || ' of the cat' END AS body, CASE WHEN i % 5 > 0 THEN 'cat ' || i % 3 END AS question
FROM generate_series(1, 200) i;
INSERT INTO doc VALUES (402, repeat('databases ', 100), 'mat'), (403, 'at last', 'why');
SET max_parallel_workers_per_gather = 0;
EXPLAIN (COSTS OFF) SELECT id, t.* FROM doc, LATERAL lmtext.answer('cat?', body) t;
EXPLAIN (COSTS OFF) SELECT id, lmtext.answer(question, body) FROM doc;
CREATE TABLE ahead AS SELECT id, t.* FROM doc, LATERAL lmtext.answer('cat?', body, k => 2) t UNION ALL SELECT id, t.* FROM doc, LATERAL lmtext.answer(question, body, k => 2) t;
SET lmtext.batch = off;
CREATE TABLE alone AS SELECT id, t.* FROM doc, LATERAL lmtext.answer('cat?', body, k => 2) t UNION ALL SELECT id, t.* FROM doc, LATERAL lmtext.answer(question, body, k => 2) t;
SELECT count(*) AS rows, (SELECT count(*) FROM (TABLE ahead EXCEPT ALL TABLE alone) x) + (SELECT count(*) FROM (TABLE alone EXCEPT ALL TABLE ahead) x) AS differ FROM alone;
RESET lmtext.batch;
RESET max_parallel_workers_per_gather;

-- Statistics; a pair that comes again is remembered, other options are another call.
SELECT lmtext.stats_reset();
\o /dev/null
SELECT lmtext.answer('cat?', 'the cat') FROM generate_series(1, 4);
SELECT lmtext.answer('cat?', 'the cat', k => 2);
\o
SELECT version, function, calls, rows, tokens, truncated, errors, cached FROM lmtext.stats WHERE database = current_database() ORDER BY version;

-- A version is known again by what it computes, in every precision.
SELECT * FROM lmtext.selftest('qa') WHERE "check" !~ 'instruction level';
SET client_min_messages = warning;
SELECT lmtext.quantize('qa', 'bf16'), lmtext.quantize('small', 'int8');
SELECT name, version, precision, task, (SELECT bool_and(ok) FROM lmtext.selftest(name || '@' || version)) AS ok FROM lmtext.models ORDER BY name, version;
DROP SCHEMA test_ask CASCADE;

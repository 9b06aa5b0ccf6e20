-- Labels of texts: forms, arrays, NULLs, order, settings, one computation per statement, refusals.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS lmtext;
CREATE SCHEMA test_classify;
SET search_path = test_classify, public;
\getenv minilm LMTEXT_MINILM
SELECT lmtext.import_model('minilm', :'minilm') AS minilm \gset
CREATE TABLE doc AS
    SELECT row_number() OVER (ORDER BY frame, word)::int AS id, frame || ' ' || word AS body, topic
    FROM (VALUES ('animals', '{cats,dogs,horses,whales,owls}'::text[]),
                 ('Küche', '{bread,soup,roasted vegetables,pancakes,rice}'),
                 ('computers', '{compilers,databases,networks,operating systems,files}')) t (topic, words),
         unnest(words) word,
         unnest('{a note about,what I learned of,my love for,questions on}'::text[]) frame;
CALL lmtext.train('topic', 'SELECT body, topic FROM doc ORDER BY id', '{"base": "minilm", "l2": 0.0005}');
RESET client_min_messages;

SELECT lmtext.classify('a kitten', 'topic'), lmtext.classify('stew with potatoes', 'topic'),
       lmtext.classify('', 'topic') IS NOT NULL AS empty, lmtext.classify(NULL::text, 'topic') IS NULL AS none;
SELECT label, score > 0.5 AS likely FROM lmtext.class_scores('a kitten', 'topic');
SELECT round(sum(score)::numeric, 5) AS sum, array_agg(score) = array_agg(score ORDER BY score DESC) AS sorted
FROM lmtext.class_scores('soup for dogs', 'topic');
SELECT count(*) FROM lmtext.class_scores(NULL::text, 'topic');

-- Arrays: in order, NULLs stay, the same bits as alone.
SELECT lmtext.classify(ARRAY['a kitten', NULL, 'stew with potatoes'], 'topic');
SELECT lmtext.classify('{}'::text[], 'topic'), lmtext.classify('{NULL}'::text[], 'topic'),
       lmtext.classify(NULL::text[], 'topic') IS NULL AS none;
SELECT ordinality, label FROM lmtext.class_scores(ARRAY['a kitten', NULL, 'stew with potatoes'], 'topic')
WHERE score > 0.5 ORDER BY ordinality;
SELECT count(*) AS texts, bool_and(alone.label = batch.label AND alone.score = batch.score) AS same_bits
FROM doc, lmtext.class_scores(body, 'topic') alone,
     lmtext.class_scores((SELECT array_agg(body ORDER BY id) FROM doc), 'topic') batch
WHERE batch.ordinality = id AND alone.label = batch.label AND alone.label = 'animals';
SELECT bool_and(label = lmtext.classify(body, 'topic')) AS agrees
FROM doc, unnest(lmtext.classify((SELECT array_agg(body ORDER BY id) FROM doc), 'topic'))
     WITH ORDINALITY AS l (label, place) WHERE place = id;
SELECT lmtext.accuracy(topic, lmtext.classify(body, 'topic')) > 0.95 AS learnt FROM doc;

-- The default model, a version, a pinned version.
SELECT lmtext.classify('a kitten');
SET lmtext.classification_model = 'topic';
SELECT lmtext.classify('a kitten'), lmtext.classify(ARRAY['a kitten']),
       (SELECT label FROM lmtext.class_scores('a kitten') LIMIT 1) AS first,
       lmtext.classify('a kitten', 'topic@1'), lmtext.classify('a kitten', 'topic@1'::regclass),
       lmtext.classify(ARRAY['a kitten'], '"topic@1"'::regclass);
CREATE INDEX ON doc (lmtext.classify(body, '"topic@1"'::regclass));
ALTER TABLE doc ADD kind text GENERATED ALWAYS AS (lmtext.classify(body, '"topic@1"'::regclass)) STORED;
SELECT kind, count(*) FROM doc WHERE lmtext.classify(body, '"topic@1"'::regclass) = 'Küche' GROUP BY kind;
DROP TABLE "topic@1";

-- Texts beyond the window.
SELECT lmtext.classify(repeat('dogs ', 1000)) AS cut;
SET lmtext.on_long = error;
\set VERBOSITY sqlstate
SELECT lmtext.classify(repeat('dogs ', 1000));
SELECT lmtext.classify(repeat('dogs ', 1000), '"topic@1"'::regclass) AS pinned;
SELECT lmtext.classify(repeat('dogs ', 1000), '"topic@1"'::regclass, 'error');
SET lmtext.on_long = mean;
SELECT lmtext.classify(repeat('dogs ', 1000)) AS mean;
RESET lmtext.on_long;
\set VERBOSITY default

-- Stable arguments are computed once per statement.
SET max_parallel_workers_per_gather = 0;
SELECT forwards AS before FROM lmtext.session_counters() \gset
SELECT count(*) FROM (SELECT lmtext.classify('a kitten', 'topic') FROM generate_series(1, 100)) s (l) WHERE l = 'animals';
SELECT forwards - :before AS forwards FROM lmtext.session_counters();
RESET max_parallel_workers_per_gather;

-- Refusals.
SELECT lmtext.classify('x', 'minilm');
SELECT * FROM lmtext.class_scores('x', 'minilm@1');
SELECT lmtext.classify(ARRAY['x'], '"minilm@1"'::regclass);
SELECT lmtext.classify('x', 'nowhere');
SELECT lmtext.classify('x', NULL::regclass);
SELECT lmtext.classify('x', 'doc'::regclass);
SELECT lmtext.classify(ARRAY[['x'], ['y']], 'topic');
CREATE ROLE classify_user;
GRANT USAGE ON SCHEMA test_classify TO classify_user;
SET ROLE classify_user;
SELECT lmtext.classify('a kitten', 'topic');
RESET ROLE;
-- A head may be used without a privilege on its base, as a view.
GRANT SELECT (file) ON "topic@1" TO classify_user;
SET ROLE classify_user;
SELECT lmtext.classify('a kitten', 'topic');
RESET ROLE;

SET client_min_messages = error;
DROP SCHEMA test_classify CASCADE;
DROP ROLE classify_user;

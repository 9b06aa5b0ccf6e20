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

-- The best label and its score as one value.
SELECT (s).label, (s).score > 0.5 AS likely, s = (SELECT c FROM lmtext.class_scores('a kitten', 'topic') c LIMIT 1)::text::lmtext.scored_label AS as_scores
FROM (SELECT lmtext.classify_scored('a kitten', 'topic') AS s) x;
SELECT lmtext.classify_scored(NULL::text, 'topic') IS NULL AS none, lmtext.classify_scored('{}'::text[], 'topic') AS empty,
       lmtext.classify_scored('{NULL}'::text[], 'topic') AS nothing, lmtext.classify_scored(NULL::text[], 'topic') IS NULL AS no_array;
SELECT count(*) AS texts, bool_and(s.label = lmtext.classify(body, 'topic') AND s.score = (lmtext.classify_scored(body, 'topic')).score
    AND (s.label, s.score) = (SELECT c.label, c.score FROM lmtext.class_scores(body, 'topic') c LIMIT 1)) AS same_bits
FROM doc, unnest(lmtext.classify_scored((SELECT array_agg(body ORDER BY id) FROM doc), 'topic'))
     WITH ORDINALITY AS s (label, score, place) WHERE place = id;

-- A score that is too low has no label; a row keeps the score.
SELECT lmtext.classify('a kitten', 'topic', 0), lmtext.classify('a kitten', 'topic', 0.5), lmtext.classify('a kitten', 'topic', 1) IS NULL AS below,
       lmtext.classify('a kitten', 'topic', min_score => 0.5), lmtext.classify('a kitten', 'topic', NULL::real),
       lmtext.classify(ARRAY['a kitten', NULL], 'topic', 0.5), lmtext.classify(ARRAY['a kitten', 'stew'], 'topic', 1);
SELECT (s).label, (s).score = (t).score AS same_score, s IS NULL AS nothing
FROM (SELECT lmtext.classify_scored('a kitten', 'topic', 1) AS s, lmtext.classify_scored('a kitten', 'topic') AS t) x;
SELECT lmtext.classify('a kitten', 'topic', (t).score) AS at_the_score, lmtext.classify('a kitten', 'topic', ((t).score + 1e-6)::real) AS above
FROM (SELECT lmtext.classify_scored('a kitten', 'topic') AS t) x;
SELECT lmtext.classify('a kitten', 'topic', -0.1);
SELECT lmtext.classify('a kitten', 'topic', 'NaN'::real);
SELECT lmtext.classify_scored(ARRAY['a kitten'], 'topic', 1.5);

-- Vectors that are stored already: the base's embedding, the same bits, no forward pass.
CREATE TABLE kept AS SELECT id, body, lmtext.embed(body, 'minilm') AS v FROM doc;
SELECT forwards AS before FROM lmtext.session_counters() \gset
CREATE TEMP TABLE of_vectors AS SELECT id, lmtext.classify(v, 'topic') AS label, lmtext.classify_scored(v, 'topic') AS scored,
    (SELECT array_agg(c::text) FROM lmtext.class_scores(v, 'topic') c) AS scores FROM kept;
SELECT forwards - :before AS forwards FROM lmtext.session_counters();
SELECT count(*), bool_and(label = lmtext.classify(body, 'topic') AND scored = lmtext.classify_scored(body, 'topic')
    AND scores = (SELECT array_agg(c::text) FROM lmtext.class_scores(body, 'topic') c)) AS same_bits FROM kept JOIN of_vectors USING (id);
SELECT lmtext.classify(NULL::real[], 'topic') IS NULL AS none, lmtext.classify_scored(NULL::real[], 'topic') IS NULL AS no_row,
       (SELECT count(*) FROM lmtext.class_scores(NULL::real[], 'topic')) AS rows;
SELECT lmtext.classify(v, 'topic', 1) IS NULL AS below, (lmtext.classify_scored(v, 'topic', 1)).label IS NULL AS unlabelled FROM kept WHERE id = 1;
SELECT lmtext.classify('{1,2}'::real[], 'topic');
SELECT c.* FROM kept, lmtext.class_scores(v || 1::real, 'topic') c WHERE id = 1;
SELECT lmtext.classify_scored('{}'::real[], 'topic');
SELECT lmtext.classify(v[:383] || 'NaN'::real, 'topic') FROM kept WHERE id = 1;
SELECT lmtext.classify('-Infinity'::real || v[2:], 'topic') FROM kept WHERE id = 1;
SELECT lmtext.classify(v[:383] || NULL::real, 'topic') FROM kept WHERE id = 1;
SELECT lmtext.classify(ARRAY[v, v], 'topic') FROM kept WHERE id = 1;
SELECT lmtext.classify(v, 'minilm') FROM kept WHERE id = 1;

-- Which form a call means: words of unknown type are a text, whatever they look like.
SELECT lmtext.classify('{1,2}', 'topic') IS NOT NULL AS text, lmtext.classify(NULL, 'topic') IS NULL AS none,
       lmtext.classify_scored('{1,2}', 'topic') IS NOT NULL AS scored, (SELECT count(*) FROM lmtext.class_scores('{1,2}', 'topic')) AS scores,
       lmtext.classify('a kitten'::varchar, 'topic'::varchar) AS varchars, lmtext.classify('a kitten'::name, 'topic'::name) AS names,
       lmtext.classify('a kitten'::varchar, 'topic'::varchar, 0.5::numeric) AS bounded, lmtext.classify('a kitten'::bpchar, 'topic', 0.5::float8::real) AS padded;
SELECT lmtext.classify(ARRAY['a kitten'::varchar], 'topic') AS varchars, lmtext.classify(ARRAY[NULL], 'topic') AS nulls,
       lmtext.classify(ARRAY[NULL, 'a kitten'], 'topic', 0.5) AS texts;
CREATE DOMAIN words AS text;
SELECT lmtext.classify('a kitten'::words, 'topic') AS of_domain, lmtext.classify(body, '"topic@1"'::regclass, 'error') AS long_is_error,
       lmtext.classify(body, '"topic@1"', 'error') AS pinned_by_form, lmtext.classify(body, '"topic@1"'::regclass, 0.5) AS pinned_bound,
       lmtext.classify(body, '"topic@1"'::regclass, 0.5, 'error') AS both
FROM doc WHERE id = 1;
SELECT lmtext.classify(ARRAY[0.1, 0.2], 'topic');
PREPARE form (unknown, unknown) AS SELECT lmtext.classify($1, $2);
EXECUTE form ('a kitten', 'topic');
DEALLOCATE form;

-- The default model, a version, a pinned version.
SELECT lmtext.classify('a kitten');
SET lmtext.classification_model = 'topic';
SELECT lmtext.classify('a kitten'), lmtext.classify(ARRAY['a kitten']),
       (SELECT label FROM lmtext.class_scores('a kitten') LIMIT 1) AS first,
       lmtext.classify('a kitten', 'topic@1'), lmtext.classify('a kitten', 'topic@1'::regclass),
       lmtext.classify(ARRAY['a kitten'], '"topic@1"'::regclass);
SELECT (lmtext.classify_scored('a kitten')).label, (lmtext.classify_scored('a kitten', min_score => 0.5)).label AS bounded,
       lmtext.classify('a kitten', NULL, 0.5) AS default_bounded, lmtext.classify(v) AS of_vector, lmtext.classify(v, min_score => 0.5) AS vector_bounded,
       lmtext.classify(v, '"topic@1"'::regclass) AS pinned_vector, (lmtext.classify_scored(v, '"topic@1"'::regclass, 0.5)).label AS pinned_scored,
       (lmtext.classify_scored(ARRAY['a kitten'], '"topic@1"'::regclass))[1].label AS of_array
FROM kept WHERE id = 1;
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
SELECT lmtext.classify(repeat('dogs ', 1000), '"topic@1"'::regclass, 0.1, 'error');
SELECT lmtext.classify_scored(repeat('dogs ', 1000), '"topic@1"'::regclass, on_long => 'error');
SELECT (lmtext.classify_scored(repeat('dogs ', 1000), '"topic@1"'::regclass)).label AS pinned_scored;
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
SELECT lmtext.classify_scored('x', 'minilm');
-- A type that somebody has changed is not what the function makes.
BEGIN;
ALTER TYPE lmtext.scored_label ADD ATTRIBUTE rank int;
SELECT lmtext.classify_scored('a kitten', 'topic');
ROLLBACK;
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

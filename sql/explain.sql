-- lmtext.explain: words of a text and their shares of the score of a label.
\getenv source LMTEXT_SOURCE_DIR
\set tiny :source '/models/tiny'
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS lmtext;
CREATE SCHEMA explains;
SET search_path = explains;
SELECT lmtext.import_model('feeling', :'tiny' || '/bert-sequence');
SELECT lmtext.import_model('topics', :'tiny' || '/bert-multi-label');
SELECT lmtext.import_model('number', :'tiny' || '/bert-regression');
SELECT lmtext.import_model('far', :'tiny' || '/longformer-sequence');
SELECT lmtext.import_model('tiny', :'tiny' || '/bert-st6-lists');
CREATE TABLE sample AS SELECT i, CASE WHEN i % 2 = 0 THEN 'the cat sat ' || i ELSE 'data base query ' || i END AS body,
    CASE WHEN i % 2 = 0 THEN 'cat' ELSE 'data' END AS label FROM generate_series(1, 40) i;
CALL lmtext.train('trained', 'SELECT body, label FROM sample', '{"base": "tiny", "hold_out": 0}');

-- Words as the text has them, with their characters.
SELECT token, start, stop, round(attribution::numeric, 3) AS attribution FROM lmtext.explain('the cats sat on mats', 'feeling');
SELECT token, start, stop, round(attribution::numeric, 3) AS attribution
FROM lmtext.explain('the cats sat on mats', 'feeling', method => 'leave_one_out');

-- The sum is what the score differs from that of the baseline, which can be written: a text of [PAD].
CREATE FUNCTION score_of(body text, model text, wanted text) RETURNS float8 LANGUAGE sql STABLE
    AS $$ SELECT score::float8 FROM lmtext.class_scores(body, model) WHERE label = wanted $$;
SELECT model, label, abs(sum(attribution) - (score_of('the cat sat on a mat', model, label) - score_of(repeat('[PAD] ', 6), model, label))) < 0.003 AS complete
FROM (VALUES ('feeling', 'joy'), ('feeling', 'anger'), ('topics', 'sport'), ('number', 'LABEL_0'), ('trained', 'cat')) m (model, label),
     LATERAL lmtext.explain('the cat sat on a mat', model, label)
GROUP BY model, label ORDER BY model, label;
SELECT abs(sum(attribution) - (score_of('the cat sat on a mat', 'feeling', 'joy') - score_of(repeat('[MASK] ', 6), 'feeling', 'joy'))) < 0.003 AS complete
FROM lmtext.explain('the cat sat on a mat', 'feeling', 'joy', baseline => 'mask');
SELECT count(*) AS words, bool_or(attribution <> 0) AS shares FROM lmtext.explain('the cat sat on a mat', 'feeling', baseline => 'zero', steps => 3);

-- Leaving a word out is classifying the text without it.
SELECT token, abs(attribution - (score_of('the cat sat on a mat', 'trained', 'cat')
    - score_of(CASE start WHEN 0 THEN 'cat sat on a mat' ELSE left('the cat sat on a mat', start - 1) || substr('the cat sat on a mat', stop + 1) END, 'trained', 'cat'))) < 1e-6 AS same
FROM lmtext.explain('the cat sat on a mat', 'trained', 'cat', 'leave_one_out');

-- The default is the label with the highest score.
SELECT bool_and(a.attribution = b.attribution) AS same
FROM lmtext.explain('cat and mat', 'feeling') a
JOIN lmtext.explain('cat and mat', 'feeling', lmtext.classify('cat and mat', 'feeling')) b USING (start);

SELECT count(*) FROM lmtext.explain('cat and mat', 'topics', 'data', NULL, 2, NULL);

-- Pinned, of arrays, of rows, without a model, without a text, without a word.
SET lmtext.classification_model = 'feeling';
SELECT bool_and(a.attribution = b.attribution) AS same
FROM lmtext.explain('cat and mat') a JOIN lmtext.explain('cat and mat', '"feeling@1"'::regclass) b USING (start);
SELECT ordinality, token, start FROM lmtext.explain(ARRAY['cat', NULL, '', 'a mat'], steps => 1);
SELECT ordinality, token, start FROM lmtext.explain(ARRAY['cat', 'a mat'], '"feeling@1"'::regclass, 'joy', 'leave_one_out');
SELECT count(*), bool_and(abs(e.attribution - a.attribution) < 1e-6) AS same
FROM (SELECT array_agg(body ORDER BY i) AS bodies FROM sample WHERE i <= 3) s, LATERAL lmtext.explain(bodies, 'trained') a
JOIN LATERAL (SELECT i, e.* FROM sample, lmtext.explain(body, 'trained') e WHERE i <= 3) e ON e.i = a.ordinality AND e.start = a.start;
SELECT count(*) FROM lmtext.explain(NULL::text);
SELECT count(*) FROM lmtext.explain('', method => 'leave_one_out');
SELECT count(*) FROM lmtext.explain('');

-- A text beyond the window.
SELECT count(*) FROM lmtext.explain(repeat('cat ', 100), '"feeling@1"'::regclass, steps => 1);
SELECT count(*) FROM lmtext.explain(repeat('cat ', 100), '"feeling@1"'::regclass, method => 'leave_one_out', on_long => 'mean');
SELECT count(*) FROM lmtext.explain(repeat('cat ', 100), '"feeling@1"'::regclass, on_long => 'mean');
SELECT count(*) FROM lmtext.explain(repeat('cat ', 70000), '"feeling@1"'::regclass, on_long => 'mean');
SELECT count(*) FROM lmtext.explain(repeat('cat ', 100), '"feeling@1"'::regclass, on_long => 'error');

-- What models cannot, and what arguments may not be.
SELECT count(*) FROM lmtext.explain('cat', 'far');
SELECT count(*) FROM lmtext.explain('a cat', 'far', method => 'leave_one_out');
SELECT lmtext.quantize('feeling', 'int8') IS NOT NULL AS int8;
SELECT count(*) FROM lmtext.explain('a cat', '"feeling@2"'::regclass);
SELECT count(*) FROM lmtext.explain('a cat', '"feeling@2"'::regclass, method => 'leave_one_out');
SELECT count(*) FROM lmtext.explain('a cat', 'tiny');
SELECT count(*) FROM lmtext.explain('a cat', 'topics', 'weather');
SELECT count(*) FROM lmtext.explain('a cat', 'topics', method => 'lime');
SELECT count(*) FROM lmtext.explain('a cat', 'topics', baseline => '');
SELECT count(*) FROM lmtext.explain('a cat', 'topics', steps => 0);
SELECT count(*) FROM lmtext.explain('a cat', 'topics', steps => 2000);

-- A text counts once.
SELECT lmtext.stats_reset() IS NOT NULL AS reset;
SELECT count(*) FROM lmtext.explain('the cat sat', 'topics');
SELECT count(*) FROM lmtext.explain('the cat sat', 'topics', method => 'leave_one_out');
SELECT function, calls, tokens > 100 AS many FROM lmtext.stats WHERE version = 'topics@1' AND function = 'explain';

DROP SCHEMA explains CASCADE;

-- Results that are not computed again: texts that stand twice in a batch; the prediction cache while it is off, as it is by
-- default (test/t/143_prediction_cache.pl has it on: its size is the server's).
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS lmtext;
RESET client_min_messages;
CREATE SCHEMA test_prediction_cache;
SET search_path = test_prediction_cache, public;
\set SHOW_CONTEXT never
\getenv source_dir LMTEXT_SOURCE_DIR
\set tiny :source_dir '/models/tiny'
SET max_parallel_workers_per_gather = 0;
SELECT lmtext.import_model('vectors', :'tiny' || '/bert'), lmtext.import_model('class', :'tiny' || '/bert-sequence'),
       lmtext.import_model('ner', :'tiny' || '/bert-token'), lmtext.import_model('splade', :'tiny' || '/bert-splade'),
       lmtext.import_model('cross', :'tiny' || '/bert-cross');

-- Off: nothing is kept, and there is no memory of it.
SHOW lmtext.prediction_cache_size;
SHOW lmtext.use_prediction_cache;
SET lmtext.prediction_cache_size = '8MB';
SET lmtext.use_prediction_cache = off;
RESET lmtext.use_prediction_cache;
SELECT lmtext.embed('the cat', 'vectors') IS NOT NULL AS computed;
SELECT lmtext.prediction_cache_reset();
SELECT * FROM lmtext.prediction_cache;
SELECT * FROM lmtext.prediction_cache_info;

-- Three hundred texts, of which three differ; none is next to its like. Rows are read ahead some at first, then more.
CREATE TABLE doc AS SELECT i, (ARRAY['the cat', 'on the mat', 'a query of the cat'])[1 + i % 3] AS body FROM generate_series(1, 300) i;
CREATE FUNCTION computed(statement text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    before bigint := (SELECT texts FROM lmtext.session_counters());
BEGIN
    EXECUTE statement;
    RETURN (SELECT texts FROM lmtext.session_counters()) - before;
END $$;
SELECT call, CASE WHEN call ~ 'agg' THEN c::text WHEN c BETWEEN 3 AND 40 THEN 'few' ELSE c || ' of 300' END AS computed
FROM unnest(ARRAY[
    'lmtext.embed(array_agg(body), ''vectors'')',
    'lmtext.embed(body, ''vectors'')',
    'lmtext.classify(array_agg(body), ''class'')',
    'lmtext.classify(body, ''class'')',
    'lmtext.class_scores(body, ''class'')',
    'lmtext.entities(array_agg(body), ''ner'')',
    'lmtext.sparse(array_agg(body), ''splade'')',
    'lmtext.rerank(''the cat'', array_agg(body), ''cross'')',
    'lmtext.rerank(''the cat'', body, ''cross'')']) call, LATERAL computed('SELECT ' || call || ' FROM doc') c;

-- The same results in the same places, in blocks too.
CREATE TABLE many AS SELECT i, 'the cat ' || translate((i * 7 % 1500)::text, '0123456789', 'abcdefghij') AS body FROM generate_series(1, 4000) i;
SELECT computed($$CREATE TABLE together AS SELECT lmtext.embed(array_agg(body ORDER BY i), 'vectors') AS matrix FROM many$$);
SELECT count(*) AS texts, count(*) FILTER (WHERE (SELECT array_agg(v) FROM unnest(matrix[i:i]) v) IS DISTINCT FROM lmtext.embed(body, 'vectors')) AS differ
FROM many, together;
WITH alone AS (SELECT i::bigint, t.* FROM doc, LATERAL lmtext.tag(body, 'ner') t),
     together AS (SELECT * FROM lmtext.tag((SELECT array_agg(body ORDER BY i) FROM doc), 'ner'))
SELECT count(*) AS tags, (SELECT count(*) FROM (TABLE alone EXCEPT ALL TABLE together) x) AS differ FROM together;
SELECT count(DISTINCT s) AS vectors, count(*) AS texts FROM unnest(lmtext.sparse((SELECT array_agg(body) FROM doc), 'splade')) s;
SELECT lmtext.rerank('the cat', array_agg(body ORDER BY i), 'cross') = array_agg(lmtext.rerank('the cat', body, 'cross') ORDER BY i) AS equal FROM doc;

-- Pairs that share one text are no repetition; nor are texts of other lengths with the same beginning.
SELECT computed($$SELECT lmtext.rerank('the cat', '{a,b,a,""}'::text[], 'cross')$$);
SELECT computed($$SELECT lmtext.embed('{a,aa,aaa,a}'::text[], 'vectors')$$);

-- Statistics: each text is a row, and a batch is a call.
SELECT lmtext.stats_reset();
\o /dev/null
SELECT lmtext.embed(array_agg(body), 'vectors') FROM doc;
\o
SELECT function, calls, rows, tokens, truncated, errors, cached FROM lmtext.stats WHERE database = current_database();

-- A text that cannot be computed fails the array, wherever it stands; the texts of rows before it have results.
SET lmtext.on_long = error;
SELECT lmtext.embed(ARRAY['a', 'b', 'a', repeat('cat ', 300), 'b'], 'vectors');
CREATE FUNCTION seen(text) RETURNS text LANGUAGE plpgsql VOLATILE AS $$ BEGIN RAISE NOTICE 'row %', left($1, 5); RETURN $1; END $$;
SELECT seen(left(body, 5)), lmtext.embed(body, 'vectors') IS NOT NULL AS vector
FROM (VALUES (1, 'a'), (2, 'b'), (3, 'a'), (4, repeat('cat ', 300)), (5, 'b')) t (n, body);
RESET lmtext.on_long;

-- Who may do what.
SELECT has_table_privilege('public', 'lmtext.prediction_cache', 'SELECT') AS seen_by_all,
       has_function_privilege('public', 'lmtext.prediction_cache_reset()', 'EXECUTE') AS emptied_by_all;

SET client_min_messages = warning;
SELECT lmtext.drop_model(name) FROM unnest('{vectors,class,ner,splade,cross}'::text[]) name;
DROP SCHEMA test_prediction_cache CASCADE;

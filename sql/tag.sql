-- Tags of tokens: what the reference's pipeline gave, forms, long texts, batches, statistics, refusals.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS lmtext;
RESET client_min_messages;
CREATE SCHEMA test_tag;
SET search_path = test_tag, public;
\set SHOW_CONTEXT never
\getenv source_dir LMTEXT_SOURCE_DIR
\set tiny :source_dir '/models/tiny'
SELECT lmtext.import_model('ner', :'tiny' || '/bert-token'), lmtext.import_model('size', :'tiny' || '/distilbert-token'),
       lmtext.import_model('plain', :'tiny' || '/bert');
SELECT name, family, task, labels FROM lmtext.models WHERE name <> 'plain' ORDER BY name;

-- Words, tags and offsets are the pipeline's, scores within 1e-5; golden.json has all tokens of each text.
CREATE TABLE wanted AS
    SELECT name, c->>'text' AS body, n, t->>0 AS token, t->>1 AS tag, (t->>2)::int AS start, (t->>3)::int AS stop, (t->>4)::float8 AS score
    FROM (VALUES ('ner', 'bert-token'), ('size', 'distilbert-token')) m (name, folder),
         jsonb_array_elements(pg_read_file(:'tiny' || '/' || folder || '/golden.json')::jsonb->'tags'->'cases') c,
         jsonb_array_elements(c->'tags') WITH ORDINALITY e (t, n);
CREATE TABLE text AS SELECT DISTINCT name, body FROM wanted;
SELECT name, count(*) AS tokens, count(w.n) AS wanted, count(g.n) AS got,
       bool_and((w.token, w.tag, w.start, w.stop) = (g.token, g.tag, g.start, g.stop)) AS equal, max(abs(w.score - g.score)) < 1e-5 AS near
FROM wanted w FULL JOIN (SELECT name, body, t.* FROM text, LATERAL lmtext.tag(body, name) WITH ORDINALITY t (token, tag, start, stop, score, n)) g
     USING (name, body, n)
GROUP BY name ORDER BY name;

-- An unknown word is shown as the text has it, all others as the vocabulary writes them; offsets count characters.
\set body '  Été of 日本 ελ 🙂, the databases'
SELECT token, start, stop, substr(:'body', start + 1, stop - start) AS in_text FROM lmtext.tag(:'body', 'ner');
SELECT bool_and(x.start = t.start AND x.stop = t.stop) AS offsets_of_tokens, count(*)
FROM lmtext.tag(:'body', 'ner') WITH ORDINALITY x (token, tag, start, stop, score, n)
     JOIN (SELECT *, row_number() OVER (ORDER BY "position") AS n FROM lmtext.tokens(:'body', 'ner') WHERE NOT special) t USING (n);
SELECT count(*) AS no_rows FROM lmtext.tag('', 'ner');
SELECT count(*) AS no_rows FROM lmtext.tag(NULL, 'ner');

-- Arrays: each text's rows have its position; NULL has none; the same bits as alone, in several blocks.
SELECT ordinality, array_agg(token ORDER BY start) AS tokens FROM lmtext.tag(ARRAY['the cat', NULL, '', 'on the mat'], 'ner') GROUP BY 1 ORDER BY 1;
SELECT count(*) AS no_rows FROM (SELECT lmtext.tag('{}'::text[], 'ner') UNION ALL SELECT lmtext.tag(NULL::text[], 'ner')
    UNION ALL SELECT lmtext.tag('{NULL}'::text[], '"ner@1"'::regclass, 'mean')) x;
WITH texts AS (SELECT i, NULLIF('query ' || i, 'query 7') AS body FROM generate_series(1, 600) i),
     alone AS (SELECT i::bigint, t.* FROM texts, LATERAL lmtext.tag(body, 'ner') t),
     together AS (SELECT * FROM lmtext.tag((SELECT array_agg(body ORDER BY i) FROM texts), 'ner'))
SELECT count(*) AS tokens, count(DISTINCT ordinality) AS texts, (SELECT count(*) FROM (TABLE alone EXCEPT ALL TABLE together) x) AS differ FROM together;

-- Entities, by each aggregation: texts, labels and offsets are the pipeline's, scores within 1e-5. Models for labels of another scheme,
-- and without marks for pieces of words.
SELECT lmtext.import_model('bioes', :'tiny' || '/bert-token-bioes'), lmtext.import_model('words', :'tiny' || '/bert-token-words');
CREATE TABLE wanted_entity AS
    SELECT name, c->>'text' AS body, c->>'aggregation' AS aggregation, n, e->>0 AS entity, e->>1 AS label, (e->>2)::int AS start, (e->>3)::int AS stop, (e->>4)::float8 AS score
    FROM (VALUES ('ner', 'bert-token'), ('size', 'distilbert-token'), ('bioes', 'bert-token-bioes'), ('words', 'bert-token-words')) m (name, folder),
         jsonb_array_elements(pg_read_file(:'tiny' || '/' || folder || '/golden.json')::jsonb->'entities'->'cases') c,
         jsonb_array_elements(c->'entities') WITH ORDINALITY x (e, n);
CREATE TABLE entity_case AS SELECT DISTINCT name, body, aggregation FROM wanted_entity;
SELECT name, aggregation, count(*) = count(w.n) AND count(*) = count(g.n) AS all_of_them, count(*) > 5 AS some,
       bool_and((w.entity, w.label, w.start, w.stop) = (g.entity, g.label, g.start, g.stop)) AS equal, max(abs(w.score - g.score)) < 1e-5 AS near
FROM wanted_entity w FULL JOIN (SELECT name, body, aggregation, t.* FROM entity_case, LATERAL lmtext.entities(body, name, aggregation) WITH ORDINALITY t (entity, label, start, stop, score, n)) g
     USING (name, body, aggregation, n)
GROUP BY name, aggregation ORDER BY name, aggregation COLLATE "C";
SELECT entity, label, start, stop FROM lmtext.entities('Databases, 42 queries: indexing?', 'ner');
SELECT entity, label, start, stop FROM lmtext.entities('Databases, 42 queries: indexing?', 'ner', 'first');
-- Without an aggregation, or with NULL, it is simple. No text, no word, and no label but O: no rows.
SELECT count(*) AS differ FROM (SELECT * FROM lmtext.entities('the databases', 'ner') EXCEPT ALL SELECT * FROM lmtext.entities('the databases', 'ner', NULL)) x;
SELECT count(*) AS no_rows FROM lmtext.entities('', 'ner');
SELECT count(*) AS no_rows FROM lmtext.entities(NULL, 'ner');
SELECT lmtext.entities('cat', 'ner', 'simplest');
SELECT lmtext.entities('cat', 'ner', '');
SELECT lmtext.entities('cat', 'plain');
-- Arrays, pinned forms, long texts, rows ahead: the same rows as one by one.
WITH texts AS (SELECT i, NULLIF('the databases ' || i, 'the databases 7') AS body FROM generate_series(1, 300) i),
     alone AS (SELECT i::bigint, t.* FROM texts, LATERAL lmtext.entities(body, '"ner@1"'::regclass, 'max') t),
     together AS (SELECT * FROM lmtext.entities((SELECT array_agg(body ORDER BY i) FROM texts), 'ner', 'max'))
SELECT count(*) > 300 AS entities, count(DISTINCT ordinality) AS texts, (SELECT count(*) FROM (TABLE alone EXCEPT ALL TABLE together) x) AS differ FROM together;
SELECT (SELECT max(stop) FROM lmtext.entities(repeat('databases ', 20), 'ner', 'first')) AS cut,
       (SELECT max(stop) FROM lmtext.entities(repeat('databases ', 20), '"ner@1"'::regclass, 'first', 'mean')) AS whole;
SELECT lmtext.entities(repeat('databases ', 20), '"ner@1"'::regclass, 'first', 'error');
CREATE TABLE entity_ahead AS SELECT body, aggregation, t.* FROM entity_case, LATERAL lmtext.entities(body, 'ner', 'average') t;
SELECT count(*) AS differ FROM (TABLE entity_ahead EXCEPT ALL SELECT body, aggregation, t.* FROM (SELECT body, aggregation FROM entity_case OFFSET 0) c, LATERAL (SELECT entity, label, start, stop, score FROM lmtext.entities(ARRAY[body], 'ner', 'average')) t) y;

-- Words that are cut already: the tags of transformers' tokenizers by word_ids, of every kind of tokenizer. A word without a token has none.
SELECT lmtext.import_model('t-' || f, :'tiny' || '/' || f) FROM unnest('{electra-token,roberta-camembert-token,albert-token,rembert-token}'::text[]) f;
SELECT name, count(*) AS lists, count(*) FILTER (WHERE got IS DISTINCT FROM wanted) AS differ, count(DISTINCT got) > 3 AS several
FROM (VALUES ('ner', 'bert-token'), ('words', 'bert-token-words'), ('size', 'distilbert-token'), ('t-electra-token', 'electra-token'), ('t-roberta-camembert-token', 'roberta-camembert-token'),
        ('t-albert-token', 'albert-token'), ('t-rembert-token', 'rembert-token')) m (name, folder),
    jsonb_array_elements((pg_read_file(:'source_dir' || '/test/golden/word-tags.json')::jsonb)->folder) c,
    LATERAL (SELECT ARRAY(SELECT jsonb_array_elements_text(c->'words')) AS list, ARRAY(SELECT jsonb_array_elements_text(c->'tags')) AS wanted) w,
    LATERAL (SELECT lmtext.tag_words(list, name) AS got) g
GROUP BY name ORDER BY name COLLATE "C";
-- All of a long list has tags; empty and null words have none; so have empty lists.
SELECT cardinality(t), count(*) FILTER (WHERE x IS NULL) AS lacking, t[1:22] = lmtext.tag_words(array_fill('e'::text, '{22}'), 'ner') AS as_alone
FROM lmtext.tag_words(array_fill('e'::text, '{100}'), 'ner') t, unnest(t) x GROUP BY t;
SELECT lmtext.tag_words('{the,"",cat,NULL,"  "}', 'words') = lmtext.tag_words('{the,"",cat,NULL,"  "}', '"words@1"'::regclass) AS pinned, lmtext.tag_words('{the,"",cat,NULL,"  "}', 'words'),
       lmtext.tag_words('{}', 'ner'), lmtext.tag_words('{NULL,""}', 'ner'), lmtext.tag_words(NULL, 'ner');
SELECT lmtext.tag_words('{{a}}', 'ner');
SELECT lmtext.tag_words('{a}', 'plain');
SELECT lmtext.tag_words('{a}', 'nobody');

-- Which model: named, the setting, pinned, another task's.
SELECT lmtext.tag('cat');
SET lmtext.token_classification_model = 'ner';
SELECT t = (SELECT p FROM lmtext.tag('cat', '"ner@1"'::regclass) p) AS pinned, (t).tag <> '' AS tagged FROM lmtext.tag('cat') t;
SELECT lmtext.tag('cat', NULL::regclass);
SELECT lmtext.tag('cat', 'nobody');
SELECT lmtext.tag('cat', 'plain');
SELECT lmtext.embed('cat', 'ner');
SELECT lmtext.classify('cat', 'ner');

-- The window is 24 tokens, two of which are special. Windows of a long text are tagged one by one.
SELECT repeat('e ', 30) AS long \gset
SELECT count(*) AS cut, max(stop) FROM lmtext.tag(:'long', 'ner');
SET lmtext.on_long = mean;
SELECT count(*) AS whole, max(stop), (array_agg(score ORDER BY start))[23:] = (SELECT array_agg(score ORDER BY start) FROM lmtext.tag('e e e e e e e e', 'ner')) AS as_alone
FROM lmtext.tag(:'long', 'ner');
SELECT count(*) AS pinned_is_cut FROM lmtext.tag(:'long', '"ner@1"'::regclass);
SELECT count(*) AS pinned_whole FROM lmtext.tag(:'long', '"ner@1"'::regclass, 'mean');
SET lmtext.on_long = error;
SELECT lmtext.tag(:'long', 'ner');
RESET lmtext.on_long;
SELECT lmtext.tag('cat', '"ner@1"'::regclass, 'error') IS NOT NULL AS fits;
SELECT lmtext.tag('cat', '"ner@1"'::regclass, 'never');

-- Rows ahead: texts of a table are one batch after the other, with the same bits as one by one.
CREATE TABLE doc AS SELECT i AS id, CASE WHEN i % 7 > 0 THEN 'the query ' || i % 40 || ' of the cat' END AS body FROM generate_series(1, 200) i;
INSERT INTO doc SELECT 300 + row_number() OVER (), body FROM text;
INSERT INTO doc VALUES (400, ''), (401, 'after'), (402, repeat('databases ', 100)), (403, 'at last');
SET max_parallel_workers_per_gather = 0;
EXPLAIN (COSTS OFF) SELECT id, t.* FROM doc, LATERAL lmtext.tag(body) t;
EXPLAIN (COSTS OFF) SELECT id, lmtext.tag(body) FROM doc;
CREATE TABLE ahead AS SELECT id, t.* FROM doc, LATERAL lmtext.tag(body) WITH ORDINALITY t;
CREATE TABLE in_list AS SELECT id, (lmtext.tag(body)).* FROM doc;
SET lmtext.batch = off;
CREATE TABLE alone AS SELECT id, t.* FROM doc, LATERAL lmtext.tag(body) WITH ORDINALITY t;
SELECT count(*) AS rows, count(DISTINCT id) AS texts,
       (SELECT count(*) FROM (TABLE ahead EXCEPT ALL TABLE alone) x) + (SELECT count(*) FROM (TABLE alone EXCEPT ALL TABLE ahead) x) AS differ,
       (SELECT count(*) FROM (TABLE in_list EXCEPT ALL SELECT id, token, tag, start, stop, score FROM alone) x) AS differ_in_list
FROM alone;
RESET lmtext.batch;
RESET max_parallel_workers_per_gather;
-- An error comes with its row.
SET lmtext.on_long = error;
SELECT count(*) FROM doc, LATERAL lmtext.tag(body) t;
SELECT count(*) > 0 AS before_it FROM (SELECT * FROM doc ORDER BY id LIMIT 200) d, LATERAL lmtext.tag(body) t;
RESET lmtext.on_long;

-- Statistics; a text that comes again is remembered.
SELECT lmtext.stats_reset();
\o /dev/null
SELECT lmtext.tag('the cat');
SELECT t.* FROM generate_series(1, 5), LATERAL lmtext.tag('the cat sat', 'size') t;
SELECT i, lmtext.tag('on the mat', 'size') FROM generate_series(1, 4) i;
\o
SELECT version, function, calls, rows, tokens, truncated, errors, cached FROM lmtext.stats WHERE database = current_database() ORDER BY version;
-- A price is that of the model: what is shown is how it grows with the text.
CREATE FUNCTION price(statement text) RETURNS float8 LANGUAGE plpgsql AS $$
DECLARE
    plan json;
BEGIN
    EXECUTE 'EXPLAIN (FORMAT JSON) ' || statement INTO plan;
    RETURN (plan->0->'Plan'->>'Total Cost')::float8;
END $$;
CREATE TABLE short AS SELECT 'a' AS body;
CREATE TABLE wide AS SELECT repeat('word ', 300) AS body;
ANALYZE short, wide;
SELECT price('SELECT t FROM wide, LATERAL lmtext.tag(body, ''ner'') t') > price('SELECT t FROM short, LATERAL lmtext.tag(body, ''ner'') t') AS by_width;

-- A version is known again by what it tags, in every precision, and a role needs its grant.
SELECT * FROM lmtext.selftest('ner') WHERE "check" !~ 'instruction level';
SET client_min_messages = warning;
SELECT lmtext.quantize('ner', 'bf16'), lmtext.quantize('size', 'int8');
RESET client_min_messages;
SELECT name, version, precision, task, (SELECT bool_and(ok) FROM lmtext.selftest(name || '@' || version)) AS ok FROM lmtext.models ORDER BY name, version;
SELECT count(*) AS tokens, bool_and(t.tag IS NOT NULL AND t.score > 0) AS scored FROM text, LATERAL lmtext.tag(body, '"size@2"'::regclass) t;
CREATE ROLE lmtext_test_tag;
GRANT USAGE ON SCHEMA test_tag TO lmtext_test_tag;
SET ROLE lmtext_test_tag;
SELECT lmtext.tag('cat', 'ner');
RESET ROLE;
SELECT lmtext.grant_model('ner', 'lmtext_test_tag');
SET ROLE lmtext_test_tag;
SELECT count(*) FROM lmtext.tag('cat', 'ner');
RESET ROLE;

-- An option of the import takes the encoder for embedding, as with any other head.
SET client_min_messages = error;
SELECT lmtext.import_model('vectors', :'tiny' || '/bert-token', '{"task": "embedding"}');
RESET client_min_messages;
SELECT cardinality(lmtext.embed('cat', 'vectors')), task FROM lmtext.models WHERE name = 'vectors';

SET client_min_messages = warning;
DROP OWNED BY lmtext_test_tag;
DROP ROLE lmtext_test_tag;
DROP SCHEMA test_tag CASCADE;

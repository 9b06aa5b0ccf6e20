-- A text that stays the same is computed once, wherever it comes from; one that changes is computed anew.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS lmtext;
RESET client_min_messages;
CREATE SCHEMA test_memo;
SET search_path = test_memo, public;
\getenv source_dir LMTEXT_SOURCE_DIR
\set tiny :source_dir '/models/tiny/bert'
\set prompted :source_dir '/models/tiny/bert-st5-prompt'
SELECT lmtext.import_model('tiny', :'tiny');
SELECT lmtext.import_model('prompted', :'prompted');
SET lmtext.embedding_model = 'tiny';
SET max_parallel_workers_per_gather = 0;

CREATE DOMAIN words AS text CHECK (VALUE <> 'forbidden');
CREATE DOMAIN short_words AS varchar(40);
-- A type made as citext is, which not every server has.
SET client_min_messages = error;
CREATE TYPE folded;
CREATE FUNCTION folded_in(cstring) RETURNS folded AS 'textin' LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION folded_out(folded) RETURNS cstring AS 'textout' LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE;
RESET client_min_messages;
CREATE TYPE folded (INPUT = folded_in, OUTPUT = folded_out, LIKE = text, CATEGORY = 'S', COLLATABLE = true);
CREATE CAST (folded AS text) WITHOUT FUNCTION AS IMPLICIT;
CREATE CAST (text AS folded) WITHOUT FUNCTION AS ASSIGNMENT;
CREATE CAST (varchar AS folded) WITHOUT FUNCTION AS ASSIGNMENT;
CREATE TABLE doc AS SELECT i AS id, 'text ' || i AS body, lmtext.embed('text ' || i) AS e FROM generate_series(1, 100) i;
CREATE TABLE query (id int, w text, v varchar, d words, c folded);
INSERT INTO query SELECT i, w, w, w, w FROM unnest('{words one,words two,words three}'::text[]) WITH ORDINALITY u (w, i);
CREATE VIEW one AS SELECT * FROM query WHERE id = 1;
ANALYZE;
CALL lmtext.train('topic', $$SELECT body, CASE WHEN id % 2 = 0 THEN 'even' ELSE 'odd' END FROM doc$$, '{"base": "tiny", "hold_out": 0}');

-- Texts that a statement computes, their forward passes, and answers that it found remembered. What one statement of the client
-- has computed is known in all of it, so each case is one of its own.
CREATE FUNCTION counted(statement text, repeat int DEFAULT 1, OUT texts bigint, OUT forwards bigint, OUT hits numeric) LANGUAGE plpgsql AS $$
DECLARE
    before record;
    hits_before numeric;
BEGIN
    SELECT c.texts, c.forwards INTO before FROM lmtext.session_counters() c;
    hits_before := (SELECT coalesce(sum(cached), 0) FROM lmtext.stats WHERE database = current_database());
    FOR i IN 1..repeat LOOP
        EXECUTE statement;
    END LOOP;
    SELECT c.texts - before.texts, c.forwards - before.forwards INTO texts, forwards FROM lmtext.session_counters() c;
    hits := (SELECT sum(cached) FROM lmtext.stats WHERE database = current_database()) - hits_before;
END $$;
CREATE TABLE case_of (number int GENERATED ALWAYS AS IDENTITY, what text, statement text, repeat int DEFAULT 1);
CREATE VIEW cases AS SELECT format('SELECT %L AS what, * FROM counted(%L, %s)', what, statement, repeat) FROM case_of ORDER BY number;

-- Parameters of drivers: varchar, a domain, a type like citext, name; seven times, the plan for any value.
SET plan_cache_mode = force_generic_plan;
PREPARE p_text (text) AS SELECT id FROM doc ORDER BY e <=> lmtext.embed($1), id LIMIT 1;
PREPARE p_varchar (varchar) AS SELECT id FROM doc ORDER BY e <=> lmtext.embed($1), id LIMIT 1;
PREPARE p_varchar_length (varchar) AS SELECT id FROM doc ORDER BY e <=> lmtext.embed($1::varchar(20)), id LIMIT 1;
PREPARE p_char (char(20)) AS SELECT id FROM doc ORDER BY e <=> lmtext.embed($1), id LIMIT 1;
PREPARE p_domain (words) AS SELECT id FROM doc ORDER BY e <=> lmtext.embed($1), id LIMIT 1;
PREPARE p_to_domain (text) AS SELECT id FROM doc ORDER BY e <=> lmtext.embed($1::words), id LIMIT 1;
PREPARE p_short_words (short_words) AS SELECT id FROM doc ORDER BY e <=> lmtext.embed($1), id LIMIT 1;
PREPARE p_folded (folded) AS SELECT id FROM doc ORDER BY e <=> lmtext.embed($1), id LIMIT 1;
PREPARE p_name (name) AS SELECT id FROM doc ORDER BY e <=> lmtext.embed($1), id LIMIT 1;
PREPARE p_prefix (varchar) AS SELECT id FROM doc ORDER BY e <=> lmtext.embed('about: ' || $1), id LIMIT 1;
PREPARE p_model (text, varchar) AS SELECT id FROM doc ORDER BY e <=> lmtext.embed($1, $2), id LIMIT 1;
PREPARE p_models (words, folded) AS SELECT id FROM doc ORDER BY e <=> lmtext.embed($1, $2::words), id LIMIT 1;
PREPARE p_prompt (varchar, varchar) AS SELECT id FROM doc ORDER BY e <=> lmtext.embed($1, 'tiny', prompt => $2), id LIMIT 1;
PREPARE p_pinned (varchar) AS SELECT id FROM doc ORDER BY e <=> lmtext.embed($1, 'tiny@1'::regclass), id LIMIT 1;
PREPARE p_operator (varchar) AS SELECT id FROM doc ORDER BY body <=> $1, id LIMIT 1;
PREPARE p_similarity (folded) AS SELECT id FROM doc ORDER BY lmtext.similarity($1, body, 'tiny') DESC, id LIMIT 1;
PREPARE p_similarity_model (varchar) AS SELECT id FROM doc ORDER BY lmtext.similarity('words one', body, $1) DESC, id LIMIT 1;
PREPARE p_classify (varchar) AS SELECT count(lmtext.classify($1, 'topic')) FROM doc;
PREPARE p_class_scores (varchar, varchar) AS SELECT count(*) FROM doc, LATERAL (SELECT lmtext.class_scores($1, $2) WHERE doc.id > 0 OFFSET 0) s;
-- Seven executions in one statement of the client: one text, and the six hundred and ninety-nine other rows remember it.
INSERT INTO case_of (what, statement, repeat)
SELECT substring(w FROM '\w+'), 'EXECUTE ' || w, 7
FROM unnest(ARRAY[$$p_text('words one')$$, $$p_varchar('words one')$$, $$p_varchar_length('words one')$$, $$p_char('words one')$$,
                  $$p_domain('words one')$$, $$p_to_domain('words one')$$, $$p_short_words('words one')$$, $$p_folded('words one')$$,
                  $$p_name('words one')$$, $$p_prefix('words one')$$, $$p_model('words one', 'tiny')$$, $$p_models('words one', 'tiny')$$,
                  $$p_prompt('words one', 'of: ')$$, $$p_pinned('words one')$$, $$p_classify('words one')$$,
                  $$p_class_scores('words one', 'topic')$$]) w;
TABLE cases \gexec
TRUNCATE case_of;
-- Seven executions as a client has them: one text each.
SELECT texts AS before FROM lmtext.session_counters() \gset
\o /dev/null
EXECUTE p_varchar('words one');
EXECUTE p_varchar('words one');
EXECUTE p_varchar('words one');
EXECUTE p_varchar('words two');
EXECUTE p_varchar('words two');
EXECUTE p_varchar('words two');
EXECUTE p_varchar('words three');
\o
SELECT texts - :before AS texts FROM lmtext.session_counters();
-- The words once, and each of the hundred texts.
INSERT INTO case_of (what, statement)
SELECT w, 'EXECUTE ' || w FROM unnest(ARRAY[$$p_operator('words one')$$, $$p_similarity('words one')$$, $$p_similarity_model('tiny')$$]) w;
TABLE cases \gexec
TRUNCATE case_of;
-- All say the same.
EXECUTE p_text('text 7');
EXECUTE p_varchar('text 7');
EXECUTE p_domain('text 7');
EXECUTE p_folded('text 7');
EXECUTE p_name('text 7');
EXECUTE p_operator('text 7');
EXECUTE p_similarity('text 7');
EXECUTE p_to_domain('forbidden');
RESET plan_cache_mode;

-- The planner agrees: what stays the same is paid once, and no reason for workers.
SET plan_cache_mode = force_generic_plan;
SET max_parallel_workers_per_gather = 2;
CREATE TABLE large (id int, body text, e real[]) WITH (autovacuum_enabled = off);
INSERT INTO large SELECT i, repeat('text ' || i || ' ', 20), '{1,2}' FROM generate_series(1, 1500) i;
ANALYZE large;
PREPARE l_varchar (varchar) AS SELECT id FROM large ORDER BY e <=> lmtext.embed($1);
PREPARE l_domain (words) AS SELECT id FROM large ORDER BY e <=> lmtext.embed($1 || '.');
CREATE FUNCTION is_parallel(statement text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    line text;
BEGIN
    FOR line IN EXECUTE 'EXPLAIN ' || statement LOOP
        IF line ~ 'Gather' THEN RETURN true; END IF;
    END LOOP;
    RETURN false;
END $$;
SELECT is_parallel($$EXECUTE l_varchar('words')$$) AS parameter, is_parallel($$EXECUTE l_domain('words')$$) AS expression,
       is_parallel($$SELECT id FROM large ORDER BY e <=> lmtext.embed(current_setting('search_path'))$$) AS setting,
       is_parallel($$SELECT id FROM large ORDER BY e <=> lmtext.embed((SELECT w FROM query LIMIT 1))$$) AS subquery,
       is_parallel($$SELECT id FROM large ORDER BY e <=> lmtext.embed(body)$$) AS texts;
DROP TABLE large;
RESET plan_cache_mode;
SET max_parallel_workers_per_gather = 0;
-- And the batches of a column's texts are there beside such words.
PREPARE b_varchar (varchar, varchar) AS SELECT lmtext.similarity(body, $1, $2) FROM doc;
SET plan_cache_mode = force_generic_plan;
EXPLAIN (COSTS OFF, VERBOSE) EXECUTE b_varchar('words one', 'tiny');
SELECT texts, forwards < 20 AS batches FROM counted($$EXECUTE b_varchar('words one', 'tiny')$$);
RESET plan_cache_mode;

-- Words of other origins.
SET test_memo.words = 'words one';
INSERT INTO case_of (what, statement) VALUES
    ('subquery', $$SELECT id FROM doc ORDER BY e <=> lmtext.embed((SELECT w FROM query WHERE id = 1)) LIMIT 1$$),
    ('subquery of varchar', $$SELECT id FROM doc ORDER BY e <=> lmtext.embed((SELECT v FROM query WHERE id = 1)) LIMIT 1$$),
    ('correlated subquery', $$SELECT id FROM doc ORDER BY e <=> lmtext.embed((SELECT w FROM query WHERE id = 1 OR id = doc.id - 1000)) LIMIT 1$$),
    ('VALUES', $$SELECT id FROM doc CROSS JOIN (VALUES ('words one')) x (w) ORDER BY e <=> lmtext.embed(x.w) LIMIT 1$$),
    ('one row', $$SELECT id FROM doc CROSS JOIN (SELECT w FROM query WHERE id = 1 OFFSET 0) x ORDER BY e <=> lmtext.embed(x.w) LIMIT 1$$),
    ('one row of a domain', $$SELECT doc.id FROM doc, one ORDER BY e <=> lmtext.embed(d) LIMIT 1$$),
    ('one row, CTE', $$WITH x AS MATERIALIZED (SELECT w FROM one) SELECT id FROM doc, x ORDER BY e <=> lmtext.embed(x.w) LIMIT 1$$),
    ('setting', $$SELECT id FROM doc ORDER BY e <=> lmtext.embed(current_setting('test_memo.words')) LIMIT 1$$),
    ('function of one row', $$SELECT id FROM doc, lower('WORDS ONE') w ORDER BY e <=> lmtext.embed(w) LIMIT 1$$),
    ('LATERAL', $$SELECT count(*) FROM one, LATERAL (SELECT id FROM doc ORDER BY e <=> lmtext.embed(one.w) LIMIT 2) x$$),
    ('LATERAL function', $$SELECT count(*) FROM doc, LATERAL lmtext.embed((SELECT w FROM one WHERE doc.id > 0))$$),
    ('model of a subquery', $$SELECT id FROM doc ORDER BY e <=> lmtext.embed('words one', (SELECT 'tiny' FROM one)) LIMIT 1$$),
    ('model of a row', $$SELECT id FROM doc, (SELECT 'tiny'::varchar AS m FROM query WHERE id = 1 OFFSET 0) x ORDER BY e <=> lmtext.embed('words one', x.m) LIMIT 1$$),
    ('array', $$SELECT count(lmtext.embed((SELECT array_agg(w) FROM one))) FROM doc$$),
    ('index and target list', $$SELECT id, e <=> lmtext.embed((SELECT c FROM one)) FROM doc WHERE e <=> lmtext.embed((SELECT c FROM one)) < 3$$),
    ('classify', $$SELECT count(lmtext.classify(one.v, 'topic')) FROM doc, one$$),
    ('class_scores', $$SELECT count(*) FROM doc, LATERAL lmtext.class_scores((SELECT c FROM one WHERE doc.id > 0), 'topic')$$),
    ('rows of equal texts', $$SELECT lmtext.embed(q.w) FROM (SELECT w FROM query, doc WHERE query.id = 1 OFFSET 0) q$$);
TABLE cases \gexec
TRUNCATE case_of;
-- Three queries: three texts, however many rows each is compared with.
SELECT * FROM counted($$SELECT count(*) FROM query, LATERAL (SELECT id FROM doc ORDER BY e <=> lmtext.embed(query.v) LIMIT 2) x$$);
-- The words once, and each of the hundred texts.
SELECT * FROM counted($$SELECT id FROM doc ORDER BY body <=> (SELECT w FROM one) LIMIT 1$$);
SELECT * FROM counted($$SELECT lmtext.similarity(one.d, body) FROM doc, one$$);
SELECT * FROM counted($$SELECT lmtext.similarity(body, current_setting('test_memo.words'), 'tiny@1'::regclass) FROM doc$$);

-- In functions.
CREATE FUNCTION nearest(q varchar) RETURNS int LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (SELECT id FROM test_memo.doc ORDER BY e <=> lmtext.embed(q), id LIMIT 1);
END $$;
CREATE FUNCTION away(q folded, e real[]) RETURNS float8 LANGUAGE plpgsql STABLE AS $$
DECLARE
    w test_memo.words := q;
BEGIN
    RETURN e <=> lmtext.embed(w);
END $$;
CREATE FUNCTION nearest_sql(q varchar) RETURNS int LANGUAGE sql STABLE AS
    'SELECT id FROM test_memo.doc ORDER BY e <=> lmtext.embed(q), id LIMIT 1';
CREATE FUNCTION away_sql(q varchar, e real[]) RETURNS float8 LANGUAGE sql STABLE AS 'SELECT e <=> lmtext.embed(q)';
CREATE FUNCTION away_alone(q varchar, e real[]) RETURNS float8 LANGUAGE sql STABLE SET enable_sort = on AS 'SELECT e <=> lmtext.embed(q)';
CREATE FUNCTION away_setting(e real[]) RETURNS float8 LANGUAGE sql STABLE SET enable_sort = on AS
    $$SELECT e <=> lmtext.embed(current_setting('test_memo.words'))$$;
CREATE FUNCTION away_body(q varchar, body text) RETURNS float8 LANGUAGE sql STABLE SET enable_sort = on AS 'SELECT body <=> q';
INSERT INTO case_of (what, statement)
SELECT w, 'SELECT ' || w
FROM unnest(ARRAY[$$nearest('words one')$$, $$nearest_sql('words one')$$, $$count(away('words one', e)) FROM doc$$,
                  $$count(away_sql('words one', e)) FROM doc$$, $$count(away_alone('words one', e)) FROM doc$$,
                  $$count(away_alone(v, e)) FROM doc, one$$, $$count(away_setting(e)) FROM doc$$,
                  $$count(away_body('words one', body)) FROM doc$$]) w;
TABLE cases \gexec
TRUNCATE case_of;
SELECT nearest('text 7'), nearest_sql('text 7'), away('text 7', e) = away_sql('text 7', e) AS same FROM doc WHERE id = 9;

-- A column of changing texts: each is computed, neighbours that are equal once; in a batch others that are equal too.
CREATE TABLE mixed AS SELECT i, w, CASE WHEN i % 2 = 0 THEN 'tiny' ELSE 'prompted' END AS m
FROM unnest('{a,a,a,b,a,b,b,c,c,c,c,a,NULL,a,NULL,b,"",""}'::text[]) WITH ORDINALITY u (w, i);
SELECT texts, hits FROM counted('SELECT lmtext.embed(w) FROM mixed');
SET lmtext.batch = off;
SELECT texts, hits FROM counted('SELECT lmtext.embed(w) FROM mixed');
RESET lmtext.batch;
-- Two calls of a function on one column compute it once.
SELECT texts, hits FROM counted($$SELECT lmtext.similarity(body, 'words one'), lmtext.similarity(body, 'words two') FROM doc$$);
SET lmtext.batch = off;
SELECT texts, hits FROM counted($$SELECT lmtext.similarity(body, 'words one'), lmtext.similarity(body, 'words two') FROM doc$$);
RESET lmtext.batch;
SELECT texts, hits FROM counted($$SELECT lmtext.embed(body) FROM doc WHERE cardinality(lmtext.embed(body)) > 0$$);
SELECT texts FROM counted($$SELECT id, body <=> 'words one' AS d FROM doc WHERE body <=> 'words one' < 3 ORDER BY d$$);
-- A model or an option that changes beside an equal text.
SELECT count(*), count(DISTINCT e) FROM (SELECT lmtext.embed('a', m) AS e FROM mixed) s;
SELECT bool_and(lmtext.embed(mixed.w, m) IS NOT DISTINCT FROM a.e) AS same
FROM mixed, LATERAL (SELECT lmtext.embed(ARRAY[mixed.w], m) AS r WHERE w IS NOT NULL) x,
     LATERAL (SELECT array_agg(u) AS e FROM unnest(x.r) u) a;
SELECT count(DISTINCT lmtext.embed('a', 'tiny', NULL, p, d)) FROM (VALUES (NULL, NULL), ('', NULL), ('a ', NULL), (NULL, 4), (NULL, 5), (NULL::text, NULL::int)) v (p, d);
SELECT bool_and(lmtext.similarity(w, 'a', m) IS NOT DISTINCT FROM 1 - lmtext.cosine_distance(lmtext.embed(w, m), lmtext.embed('a', m))) AS same FROM mixed;

-- A result that was handed out stays as it was when the next row has another one.
SELECT count(*), count(DISTINCT e) FROM (SELECT array_agg(lmtext.embed(w) ORDER BY i) AS kept FROM mixed WHERE w <> '') s,
    LATERAL (SELECT kept[i:i] AS e FROM generate_subscripts(kept, 1) i) x;
SELECT i, lag(lmtext.embed(w)) OVER (ORDER BY i) = lmtext.embed(w) AS same FROM mixed WHERE w IS NOT NULL ORDER BY i;
SELECT bool_and(a = b) AS same FROM (SELECT w, min(lmtext.embed(w)) AS a, max(lmtext.embed(w)) AS b FROM mixed GROUP BY w) s;

-- A text that is too large to be kept beside a column is computed each time, with the right value; a parameter is always kept.
CREATE TABLE huge (i int, body text);
INSERT INTO huge SELECT i, i / 3 || repeat(' word', 250000) FROM generate_series(1, 5) i;
SELECT texts FROM counted('SELECT lmtext.embed(body) FROM huge');
SELECT count(DISTINCT lmtext.embed(body)) FROM huge;
PREPARE h (varchar) AS SELECT count(lmtext.embed($1)) FROM doc;
SET plan_cache_mode = force_generic_plan;
SELECT texts FROM counted('EXECUTE h(repeat(''word '', 250000))');
RESET plan_cache_mode;

-- Privileges are asked each time, also where the answer is remembered.
CREATE ROLE lmtext_test_memo;
GRANT USAGE ON SCHEMA test_memo TO lmtext_test_memo;
CREATE FUNCTION as_other() RETURNS int LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    RETURN cardinality(lmtext.embed(current_setting('test_memo.words'), 'test_memo.tiny'));
END $$;
SELECT as_other();
ALTER FUNCTION as_other() OWNER TO lmtext_test_memo;
\set VERBOSITY terse
SELECT cardinality(lmtext.embed(current_setting('test_memo.words'), 'test_memo.tiny')), as_other();
\set VERBOSITY default

SET client_min_messages = warning;
DROP SCHEMA test_memo CASCADE;
DROP ROLE lmtext_test_memo;

-- Text to vector: values, prompts, arrays, columns that are kept, and one computation per statement.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS lmtext;
RESET client_min_messages;
CREATE SCHEMA test_embed;
SET search_path = test_embed, public;
\getenv source_dir LMTEXT_SOURCE_DIR
\getenv minilm LMTEXT_MINILM
\set tiny :source_dir '/models/tiny/bert'
\set prompted :source_dir '/models/tiny/bert-st5-prompt'
SELECT lmtext.import_model('minilm', :'minilm');
SELECT lmtext.import_model('tiny', :'tiny');
SELECT lmtext.import_model('prompted', :'prompted');
SET lmtext.embedding_model = 'minilm';
SET max_parallel_workers_per_gather = 0;

-- Do two vectors agree to 2e-6 in every component?
CREATE FUNCTION near(a real[], b real[]) RETURNS boolean LANGUAGE sql AS
    'SELECT bool_and(abs(x - y) < 2e-6) FROM unnest(a, b) t (x, y)';

-- Values of sentence-transformers for the same texts.
SELECT cardinality(lmtext.embed('How do I resize images?'));
SELECT near((lmtext.embed('How do I resize images?'))[1:4],
            '{0.05600611,0.05762839,-0.02740356,0.01171298}') AS question,
       near((lmtext.embed(''))[1:4], '{-0.11883832,0.04829871,-0.00254813,-0.01101117}') AS empty;
SELECT near((lmtext.embed(repeat('word ', 600)))[1:4],
            '{-0.00812365,-0.09558597,-0.03867314,0.04966196}') AS cut;
SELECT lmtext.embed(NULL) IS NULL AS null_text;
SELECT round(lmtext.similarity('How do I resize images?', 'a tool to scale pictures')::numeric, 4),
       round(lmtext.similarity('How do I resize images?', 'the stock market fell today')::numeric, 4),
       lmtext.similarity('x', NULL) IS NULL AS null_text;

-- Fewer dimensions are normalised again.
SELECT near((lmtext.embed('How do I resize images?', dimensions => 128))[1:4],
            '{0.09344175,0.09614843,-0.04572067,0.01954215}') AS cut,
       lmtext.embed('x', dimensions => 384) = lmtext.embed('x') AS all_of_them;
\set VERBOSITY sqlstate
SELECT lmtext.embed('x', dimensions => 0);
SELECT lmtext.embed('x', dimensions => 385);

-- Prompts: literal, by name, the model's own.
SELECT near((lmtext.embed('hello', prompt => 'query: '))[1:4],
            '{0.03084945,0.07502057,0.00909016,0.08947445}') AS literal;
SELECT lmtext.embed('hello', prompt => '') = lmtext.embed('hello') AS no_prompt;
SELECT lmtext.embed('x', 'prompted') = lmtext.embed('x', 'prompted', prompt_name => 'query') AS own,
       lmtext.embed('x', 'prompted') <> lmtext.embed('x', 'prompted', prompt_name => 'none') AS other,
       lmtext.embed('x', 'prompted', prompt => '')
           = lmtext.embed('x', 'prompted', prompt_name => 'none') AS literal;
SELECT lmtext.embed('x', 'prompted', prompt_name => 'nosuch');
SELECT lmtext.embed('x', prompt_name => 'query');
\set VERBOSITY default

-- A text that is another each time, and one that is a set's.
SELECT cardinality(lmtext.embed('words ' || left(random()::text, 0))) AS dimensions;
SELECT lmtext.embed(unnest('{one,two}'::text[])) = lmtext.embed(unnest('{one,two}'::text[])) AS same;

-- Beyond the window: a setting for calls by name, an argument for pinned ones.
SET lmtext.on_long = 'mean';
SELECT near((lmtext.embed(repeat('word ', 600)))[1:4],
            '{-0.00455081,-0.09171278,-0.03710007,0.04526637}') AS mean_of_windows;
SELECT lmtext.embed(repeat('word ', 600), 'minilm@1'::regclass)
           <> lmtext.embed(repeat('word ', 600)) AS pinned_is_cut,
       lmtext.embed(repeat('word ', 600), 'minilm@1'::regclass, on_long => 'mean')
           = lmtext.embed(repeat('word ', 600)) AS pinned_mean;
SET lmtext.on_long = 'error';
\set VERBOSITY sqlstate
SELECT lmtext.embed(repeat('word ', 600));
SELECT lmtext.embed(repeat('word ', 600), 'minilm@1'::regclass) IS NOT NULL AS pinned;
SELECT lmtext.embed(repeat('word ', 600), 'minilm@1'::regclass, on_long => 'error');
SELECT lmtext.embed('x', 'minilm@1'::regclass, on_long => 'sometimes');
SET lmtext.on_long = 'sometimes';
\set VERBOSITY default
RESET lmtext.on_long;

-- An array is one batch; the same bits as one by one, however large the blocks.
SELECT array_ndims(m), array_length(m, 1), array_length(m, 2)
FROM lmtext.embed('{one,"two words",""}'::text[]) m;
CREATE TABLE texts AS
    SELECT i, repeat('word ' || i || ' ', 1 + i * 7 % 60) AS body FROM generate_series(1, 24) i;
CREATE FUNCTION differing(tokens int) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    m real[];
BEGIN
    PERFORM set_config('lmtext.batch_tokens', tokens::text, true);
    m := lmtext.embed((SELECT array_agg(body ORDER BY i) FROM texts));
    RETURN (SELECT count(*) FROM texts t
            WHERE (SELECT array_agg(x ORDER BY n) FROM unnest(m[t.i:t.i]) WITH ORDINALITY u (x, n))
                  IS DISTINCT FROM lmtext.embed(t.body));
END $$;
SELECT differing(2048), differing(16), differing(300);
SELECT lmtext.embed('{}'::text[]), lmtext.embed(NULL::text[]) IS NULL AS null_array;
SELECT lmtext.embed('{one,NULL}'::text[]);
\set VERBOSITY sqlstate
SELECT lmtext.embed('{{a},{b}}'::text[]);
\set VERBOSITY default

-- How often is a text computed? Calls whose arguments do not change in the statement: once.
CREATE FUNCTION forwards(statement text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    before bigint;
BEGIN
    SELECT c.texts INTO before FROM lmtext.session_counters() c;
    EXECUTE statement;
    RETURN (SELECT c.texts - before FROM lmtext.session_counters() c);
END $$;
CREATE TABLE small AS SELECT i, 'text ' || i AS body, lmtext.embed('text ' || i) AS embedding
FROM generate_series(1, 10) i;
SELECT forwards('SELECT lmtext.embed(body) FROM small') AS each_row;
SELECT forwards($$SELECT lmtext.embed('same') FROM small$$) AS once;
SELECT forwards($$SELECT i FROM small ORDER BY embedding <=> lmtext.embed('words')$$) AS in_order;
SELECT forwards($$SELECT i, embedding <=> lmtext.embed('words') FROM small
                  WHERE embedding <=> lmtext.embed('words') < 3$$) AS twice_in_a_statement;
SELECT forwards($$SELECT i FROM small ORDER BY body <=> 'words'$$) AS text_and_words;
SELECT forwards($$SELECT i FROM small WHERE lmtext.similarity(body, 'words') > 0$$) AS similar;
SELECT forwards($$SELECT lmtext.embed('{a,b}'::text[]) FROM small$$) AS array_once;
SELECT forwards($$SELECT lmtext.embed('same', 'minilm', dimensions => i) FROM small$$) AS varying;
SELECT forwards($$SELECT i FROM small WHERE i < 0 AND lmtext.similarity(body, 'words') > 0$$) AS none;
PREPARE by_parameter(text) AS SELECT count(lmtext.embed($1)) FROM small;
SET plan_cache_mode = force_generic_plan;
SELECT forwards($$EXECUTE by_parameter('one')$$), forwards($$EXECUTE by_parameter('two')$$);
RESET plan_cache_mode;

-- An expression of PL/pgSQL is kept longer than a statement: other values, other vectors.
DO $$
DECLARE
    a real[]; b real[]; words text; wrong int := 0;
BEGIN
    FOR i IN 1..6 LOOP
        words := 'words ' || i % 3;
        a := lmtext.embed(words);
        b := lmtext.embed('words ' || i % 3, CASE WHEN i = 99 THEN 'tiny' ELSE 'minilm' END);
        IF a <> b THEN wrong := wrong + 1; END IF;
        PERFORM set_config('lmtext.embedding_model', 'minilm@1', true);
    END LOOP;
    RAISE NOTICE 'wrong: %', wrong;
    words := 'words';
    FOR i IN 1..2 LOOP
        PERFORM set_config('lmtext.embedding_model', CASE i WHEN 1 THEN 'minilm' ELSE 'tiny' END, true);
        a := lmtext.embed(words);
        RAISE NOTICE 'width %', cardinality(a);
    END LOOP;
END $$;

-- A new version answers to the name at once, also in the transaction that made it.
BEGIN;
SELECT lmtext.import_model('minilm', :'tiny');
SELECT lmtext.deploy('minilm', 2);
SELECT cardinality(lmtext.embed('x')), cardinality(lmtext.embed('x', 'minilm@1'));
ROLLBACK;
SELECT cardinality(lmtext.embed('x'));
-- And what is rolled back to a savepoint answers no more, also to the same expression of PL/pgSQL.
BEGIN;
SELECT lmtext.import_model('minilm', :'tiny');
DO $$
BEGIN
    FOR i IN 1..2 LOOP
        BEGIN
            IF i = 1 THEN PERFORM lmtext.deploy('minilm', 2); END IF;
            RAISE NOTICE 'pass %: %', i, cardinality(lmtext.embed('x'));
            IF i = 1 THEN RAISE division_by_zero; END IF;
        EXCEPTION WHEN division_by_zero THEN NULL;
        END;
    END LOOP;
END $$;
ROLLBACK;

-- More numbers than an array can have are refused before they are computed.
\set VERBOSITY terse
SET statement_timeout = '20s';
SELECT lmtext.embed(array_fill('x'::text, '{350000}'));
RESET statement_timeout;
\set VERBOSITY default

-- Columns that keep vectors: a trigger.
CREATE TABLE kept (id int, body text, embedding real[]);
CREATE TRIGGER keep BEFORE INSERT OR UPDATE ON kept
    FOR EACH ROW EXECUTE FUNCTION lmtext.embed_trigger('body', 'embedding', 'minilm@1');
INSERT INTO kept VALUES (1, 'one'), (2, NULL), (3, '');
SELECT id, embedding = lmtext.embed(body) AS same FROM kept ORDER BY id;
SELECT forwards('UPDATE kept SET id = id + 10') AS text_unchanged;
SELECT forwards($$UPDATE kept SET body = 'two' WHERE id = 11$$) AS text_changed;
SELECT forwards($$UPDATE kept SET body = 'three' WHERE id = 12$$) AS no_longer_null;
SELECT forwards('UPDATE kept SET embedding = NULL WHERE id = 13') AS filled_again;
UPDATE kept SET body = NULL WHERE id = 11;
SELECT id, embedding = lmtext.embed(body) AS same FROM kept ORDER BY id;
COPY kept (id, body) FROM stdin;
20	by copy
\.
SELECT embedding = lmtext.embed('by copy') AS same FROM kept WHERE id = 20;
-- What cannot work says so.
\set VERBOSITY terse
CREATE TABLE refused (id int, body text, embedding real[]);
CREATE FUNCTION try(timing text, arguments text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE TRIGGER t %s ON refused FOR EACH ROW EXECUTE FUNCTION '
                   'lmtext.embed_trigger(%s)', timing, arguments);
    INSERT INTO refused VALUES (1, 'x', NULL);
    DELETE FROM refused;
EXCEPTION WHEN OTHERS THEN
    RAISE NOTICE '% %', SQLSTATE, SQLERRM;
END $$;
SELECT try('AFTER INSERT', $$'body', 'embedding', 'minilm@1'$$);
SELECT try('BEFORE DELETE', $$'body', 'embedding', 'minilm@1'$$);
SELECT try('BEFORE INSERT', $$'body', 'embedding', 'minilm'$$);
SELECT try('BEFORE INSERT', $$'body', 'embedding', 'minilm@9'$$);
SELECT try('BEFORE INSERT', $$'body', 'embedding'$$);
SELECT try('BEFORE INSERT', $$'nosuch', 'embedding', 'minilm@1'$$);
SELECT try('BEFORE INSERT', $$'id', 'embedding', 'minilm@1'$$);
SELECT try('BEFORE INSERT', $$'body', 'id', 'minilm@1'$$);
SELECT try('BEFORE INSERT', $$'body', 'embedding', 'prompted@1', 'nosuch'$$);
SELECT lmtext.embed_trigger();
ALTER TABLE refused ADD made text GENERATED ALWAYS AS (body || '!') STORED;
SELECT try('BEFORE INSERT', $$'made', 'embedding', 'minilm@1'$$);
-- A domain over the vector holds in a trigger, too; casts by functions of one argument are taken.
CREATE DOMAIN narrow AS real[] NOT NULL CHECK (cardinality(VALUE) = 3);
ALTER TABLE refused ADD short narrow DEFAULT '{1,2,3}';
SELECT try('BEFORE INSERT', $$'body', 'short', 'minilm@1'$$);
CREATE TRIGGER t BEFORE UPDATE ON refused
    FOR EACH ROW EXECUTE FUNCTION lmtext.embed_trigger('body', 'short', 'minilm@1');
INSERT INTO refused VALUES (1, 'x');
UPDATE refused SET body = NULL;
DROP TRIGGER t ON refused;
CREATE TYPE wrapped AS (v real[]);
CREATE FUNCTION wrap(real[]) RETURNS wrapped LANGUAGE sql IMMUTABLE AS 'SELECT ROW($1)::wrapped';
CREATE CAST (real[] AS wrapped) WITH FUNCTION wrap(real[]) AS ASSIGNMENT;
ALTER TABLE refused ADD w wrapped;
CREATE TRIGGER t BEFORE UPDATE ON refused
    FOR EACH ROW EXECUTE FUNCTION lmtext.embed_trigger('body', 'w', 'minilm@1');
UPDATE refused SET body = 'word';
SELECT (w).v = lmtext.embed('word') AS same FROM refused;
\set VERBOSITY default
DROP TABLE refused;
-- The text may be an expression over the row, or columns whose texts are put one below the other.
CREATE TABLE articles (id int, lang text, title text, body varchar(40), note int, tag char(6), dated date,
    by_expression real[], by_columns real[], PRIMARY KEY (lang, id));
CREATE TRIGGER a BEFORE INSERT OR UPDATE ON articles FOR EACH ROW
    EXECUTE FUNCTION lmtext.embed_trigger($$title || ' ' || upper(body)$$, 'by_expression', 'minilm@1');
CREATE TRIGGER b BEFORE INSERT OR UPDATE ON articles FOR EACH ROW
    EXECUTE FUNCTION lmtext.embed_trigger('Title, articles.body, note::text', 'by_columns', 'minilm@1');
INSERT INTO articles (id, lang, title, body, note)
VALUES (1, 'en', 'a title', 'a body', 7), (2, 'en', NULL, 'only a body', NULL), (3, 'de', NULL, NULL, NULL);
SELECT id, by_expression = lmtext.embed(title || ' ' || upper(body)) AS same,
       by_columns = lmtext.embed(concat_ws(E'\n', title, body, note)) AS joined FROM articles ORDER BY id;
SELECT forwards($$UPDATE articles SET lang = upper(lang), dated = now()$$) AS text_unchanged;
SELECT forwards($$UPDATE articles SET title = 'a', body = 'title ' || body WHERE id = 1$$) AS both_changed;
SELECT forwards($$UPDATE articles SET note = 8 WHERE id = 1$$) AS one_changed;
SELECT forwards($$UPDATE articles SET by_expression = NULL WHERE id = 1$$) AS one_filled_again;
SELECT id, by_expression = lmtext.embed(title || ' ' || upper(body)) AS same,
       by_columns = lmtext.embed(concat_ws(E'\n', title, body, note)) AS joined FROM articles ORDER BY id;
-- STABLE functions too, and columns that were added later.
DROP TRIGGER a ON articles; DROP TRIGGER b ON articles;
ALTER TABLE articles DROP COLUMN note, ADD source text DEFAULT 'from before';
CREATE TRIGGER a BEFORE INSERT OR UPDATE ON articles FOR EACH ROW
    EXECUTE FUNCTION lmtext.embed_trigger($$concat_ws(': ', title, source), CASE WHEN tag = 'x' THEN 'tagged' END$$, 'by_expression', 'minilm@1');
UPDATE articles SET tag = 'x', title = 'new' WHERE id = 2;
UPDATE articles SET title = 'newer' WHERE id = 1;
SELECT id, by_expression = lmtext.embed(CASE id WHEN 1 THEN 'newer: from before' ELSE E'new: from before\ntagged' END) AS same
FROM articles WHERE id < 3 ORDER BY id;
DROP TRIGGER a ON articles;
-- Names of an expression are found in pg_catalog alone, whatever search_path is.
CREATE FUNCTION public.upper(varchar) RETURNS text IMMUTABLE LANGUAGE sql AS $$SELECT 'another'$$;
CREATE FUNCTION public.shout(text) RETURNS text IMMUTABLE LANGUAGE sql AS $$SELECT $1 || '!'$$;
SET search_path = public, pg_catalog, pg_temp;
SET lmtext.embedding_model = 'test_embed.minilm';
CREATE TABLE loud (id int PRIMARY KEY, body varchar, v real[]);
CREATE TRIGGER a BEFORE INSERT OR UPDATE ON loud FOR EACH ROW
    EXECUTE FUNCTION lmtext.embed_trigger('upper(body)', 'v', 'test_embed.minilm@1');
INSERT INTO loud VALUES (1, 'loud');
SELECT v = lmtext.embed('LOUD') AS by_the_server FROM loud;
DROP TRIGGER a ON loud;
CREATE TRIGGER a BEFORE INSERT OR UPDATE ON loud FOR EACH ROW
    EXECUTE FUNCTION lmtext.embed_trigger('public.shout(body)', 'v', 'test_embed.minilm@1');
INSERT INTO loud VALUES (2, 'loud');
SELECT v = lmtext.embed('loud!') AS qualified FROM loud WHERE id = 2;
DROP TRIGGER a ON loud;
-- What is no text over the row.
CREATE FUNCTION public.refuse(argument text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE context text; detail text;
BEGIN
    EXECUTE format('CREATE TRIGGER t BEFORE INSERT ON public.loud FOR EACH ROW EXECUTE FUNCTION '
                   'lmtext.embed_trigger(%L, ''v'', ''test_embed.minilm@1'')', argument);
    INSERT INTO public.loud VALUES (9, 'x', NULL);
    RAISE EXCEPTION 'accepted' USING ERRCODE = 'OKAY0';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS context = PG_EXCEPTION_CONTEXT;
    RAISE NOTICE '% %', SQLSTATE, SQLERRM USING DETAIL = split_part(context, E'\n', 1);
END $$;
SELECT public.refuse(x) FROM unnest(ARRAY['', '*', 'loud.*', 'loud', 'loud::text', 'body body2, *', 'body FROM loud', 'body WHERE true',
    'body; DELETE FROM loud', 'body) --', 'DISTINCT body', 'body ORDER BY 1', 'body LIMIT 1', 'body FOR UPDATE', 'body UNION SELECT body',
    'body INTO x', '(SELECT body)', 'max(body)', 'row_number() OVER ()', 'generate_series(1, 2)::text', 'random()::text', 'id', 'id + 1',
    'no_such', 'body || no_such', 'shout(body)', '$1', 'ctid::text', 'body ||', 'new.body', 'other.loud.body']) x;
-- An error names the row by its key, but for what the text is made of.
\set SHOW_CONTEXT always
CREATE TRIGGER a BEFORE INSERT OR UPDATE ON loud FOR EACH ROW
    EXECUTE FUNCTION lmtext.embed_trigger($$body || (1 / (id - 3))::text$$, 'v', 'test_embed.minilm@1');
INSERT INTO loud VALUES (5, 'fine'), (3, 'not fine');
DROP TRIGGER a ON loud;
CREATE TRIGGER a BEFORE INSERT OR UPDATE ON loud FOR EACH ROW
    EXECUTE FUNCTION lmtext.embed_trigger('body', 'v', 'test_embed.minilm@9');
INSERT INTO loud VALUES (4, 'x');
ALTER TABLE loud DROP CONSTRAINT loud_pkey;
INSERT INTO loud VALUES (4, 'x');
ALTER TABLE loud ADD PRIMARY KEY (body, id);
INSERT INTO loud VALUES (4, 'a secret');
CREATE ROLE lmtext_test_writer;
GRANT INSERT, UPDATE, SELECT (body) ON loud TO lmtext_test_writer;
SET ROLE lmtext_test_writer;
INSERT INTO loud VALUES (4, 'x');
RESET ROLE;
GRANT SELECT ON loud TO lmtext_test_writer;
ALTER TABLE loud ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON loud USING (true);
SET ROLE lmtext_test_writer;
INSERT INTO loud VALUES (4, 'x');
RESET ROLE;
\set SHOW_CONTEXT errors
DROP FUNCTION public.upper(varchar), public.shout(text), public.refuse(text);
DROP TABLE loud;
DROP ROLE lmtext_test_writer;
SET search_path = test_embed, public;
SET lmtext.embedding_model = 'minilm';
DROP TABLE articles;

-- A generated column and an expression index; they hold on to the version.
CREATE TABLE generated (body text,
    embedding real[] GENERATED ALWAYS AS (lmtext.embed(body, 'minilm@1'::regclass)) STORED);
INSERT INTO generated VALUES ('one'), (NULL);
SELECT embedding = lmtext.embed(body) AS same FROM generated;
CREATE INDEX by_similarity ON texts ((lmtext.similarity(body, 'word', 'minilm@1'::regclass)));
\set VERBOSITY terse
SELECT lmtext.drop_model('minilm@1');
CREATE TABLE refused (body text, embedding real[] GENERATED ALWAYS AS (lmtext.embed(body)) STORED);
\set VERBOSITY default

-- A role needs the privilege, asked at every call.
CREATE ROLE lmtext_test_embed;
GRANT USAGE ON SCHEMA test_embed TO lmtext_test_embed;
GRANT SELECT ON small TO lmtext_test_embed;
\set VERBOSITY sqlstate
SET ROLE lmtext_test_embed;
SELECT lmtext.embed('x') IS NOT NULL AS allowed;
RESET ROLE;
GRANT SELECT (file) ON "minilm@1" TO lmtext_test_embed;
SET ROLE lmtext_test_embed;
SELECT lmtext.embed('x') IS NOT NULL AS allowed;
RESET ROLE;
\set VERBOSITY default

-- A scan whose texts are TOASTed goes parallel, although its heap is small; so does CREATE TABLE AS.
RESET max_parallel_workers_per_gather;
CREATE TABLE toasted (id int, body text);
ALTER TABLE toasted ALTER body SET STORAGE EXTERNAL;
INSERT INTO toasted SELECT i, repeat('word ' || i || ' ', 300) FROM generate_series(1, 2000) i;
VACUUM ANALYZE toasted;
SELECT relpages < 30 AS small_heap FROM pg_class WHERE oid = 'toasted'::regclass;
EXPLAIN (COSTS OFF) SELECT lmtext.embed(body, 'tiny') FROM toasted;
EXPLAIN (COSTS OFF) CREATE TABLE computed AS SELECT id, lmtext.embed(body, 'tiny') FROM toasted;
EXPLAIN (COSTS OFF) SELECT id FROM toasted WHERE lmtext.similarity(body, 'word', 'tiny') > 0.9;
EXPLAIN (COSTS OFF) SELECT lmtext.mean(lmtext.embed(body, 'tiny')) FROM toasted;
EXPLAIN (COSTS OFF)
    SELECT lmtext.embed(c.content, 'tiny') FROM toasted, lmtext.chunk(body, 'tiny', 16) c;
-- A call that is computed once is no reason.
EXPLAIN (COSTS OFF) SELECT id, lmtext.embed('word', 'tiny') FROM toasted;
-- Nor is a table of one page, however often the planner thinks that it has ten.
CREATE TABLE few AS SELECT 'text ' || i AS body FROM generate_series(1, 5) i;
EXPLAIN (COSTS OFF) SELECT lmtext.embed(body, 'tiny') FROM few;
-- What the user has settled stays settled.
SET max_parallel_workers_per_gather = 0;
EXPLAIN (COSTS OFF) SELECT lmtext.embed(body, 'tiny') FROM toasted;
CREATE TABLE serial AS SELECT id, lmtext.embed(body, 'tiny') AS embedding FROM toasted;
RESET max_parallel_workers_per_gather;
ALTER TABLE toasted SET (parallel_workers = 0);
EXPLAIN (COSTS OFF) SELECT lmtext.embed(body, 'tiny') FROM toasted;
ALTER TABLE toasted RESET (parallel_workers);
CREATE TABLE parallel AS SELECT id, lmtext.embed(body, 'tiny') AS embedding FROM toasted;
SELECT count(*), bool_and(p.embedding = s.embedding) AS equal
FROM parallel p JOIN serial s USING (id);
-- The hooks are there in the first statement of a session.
\c
SET search_path = test_embed, public;
EXPLAIN (COSTS OFF) SELECT lmtext.embed(body, 'tiny') FROM toasted;

-- Children of a partitioned table.
CREATE TABLE parted (id int, body text) PARTITION BY RANGE (id);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (1000);
CREATE TABLE parted_2 PARTITION OF parted FOR VALUES FROM (1000) TO (9000);
INSERT INTO parted SELECT * FROM toasted;
VACUUM ANALYZE parted;
CREATE FUNCTION plan_has(statement text, word text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    line text;
BEGIN
    FOR line IN EXECUTE 'EXPLAIN ' || statement LOOP
        IF line LIKE '%' || word || '%' THEN RETURN true; END IF;
    END LOOP;
    RETURN false;
END $$;
SET parallel_setup_cost = 10;
SELECT plan_has($$SELECT lmtext.embed(body, 'tiny') FROM parted$$, 'Parallel Append') AS parallel;
RESET parallel_setup_cost;

-- A materialized view is scanned as a table; a sample, what reads another table's column and what is empty are not.
CREATE MATERIALIZED VIEW kept_view AS SELECT * FROM toasted;
CREATE TABLE none (body text);
SELECT plan_has($$SELECT lmtext.embed(body, 'tiny') FROM kept_view$$, 'Parallel Seq Scan') AS view,
       plan_has($$SELECT lmtext.embed(body, 'tiny') FROM toasted TABLESAMPLE bernoulli (50)$$, 'Parallel') AS sample,
       plan_has($$SELECT (SELECT min(lmtext.embed(t.body || s.body, 'tiny')) FROM toasted t) FROM small s$$, 'Parallel') AS other,
       plan_has($$SELECT x FROM small s, LATERAL (SELECT lmtext.embed(t.body || s.body, 'tiny') AS x FROM toasted t OFFSET 0) l$$,
                'Parallel Seq Scan on toasted') AS lateral,
       plan_has($$SELECT lmtext.embed(body, 'tiny') FROM none$$, 'Parallel') AS empty;

-- JIT starts for other functions' cost, not for lmtext's.
CREATE FUNCTION heavy(text) RETURNS int LANGUAGE plpgsql COST 1000000 AS 'BEGIN RETURN 1; END';
SET jit = on;
SET jit_above_cost = 5000;
SELECT jit_available.yes = plan_has('SELECT heavy(body) FROM toasted', 'JIT:') AS control,
       plan_has($$SELECT lmtext.embed(body, 'tiny') FROM toasted$$, 'JIT:') AS embed,
       plan_has($$SELECT lmtext.mean(lmtext.embed(body, 'tiny')) FROM toasted$$, 'JIT:') AS mean,
       plan_has($$SELECT id FROM toasted WHERE lmtext.similarity(body, 'x', 'tiny') > 0$$, 'JIT:') AS filter,
       plan_has($$SELECT (SELECT lmtext.mean(lmtext.embed(x, 'tiny')) FROM unnest(ARRAY[body]) x)
                  FROM toasted$$, 'JIT:') AS subquery,
       plan_has($$SELECT (SELECT lmtext.mean(lmtext.embed(body, 'tiny')) FROM toasted)$$, 'JIT:') AS once,
       plan_has($$SELECT lmtext.embed(body, 'tiny') FROM toasted, generate_series(1, 3)$$, 'JIT:') AS nested,
       plan_has($$SELECT lmtext.embed(body, 'tiny') FROM toasted LIMIT 900$$, 'JIT:') AS limited,
       jit_available.yes = plan_has(
           $$SELECT lmtext.embed(body, 'tiny') FROM toasted WHERE heavy(body) > 0$$, 'JIT:') AS both
FROM (SELECT pg_jit_available()) AS jit_available (yes);
-- Nor do functions that return sets: beside a table, in a target list, below a LIMIT that is asked again and again.
SET client_min_messages = warning;
CALL lmtext.train('topic', 'SELECT body, (id % 2)::text FROM toasted WHERE id < 30', '{"base": "tiny", "hold_out": 0}');
RESET client_min_messages;
SET max_parallel_workers_per_gather = 0;
SELECT plan_has($$SELECT s.* FROM toasted, LATERAL lmtext.class_scores(body, 'topic') s$$, 'JIT:') AS lateral,
       plan_has($$SELECT s.* FROM toasted, LATERAL (SELECT * FROM lmtext.class_scores(body, 'topic') ORDER BY score DESC LIMIT 1) s$$, 'JIT:') AS first,
       plan_has($$SELECT lmtext.class_scores(body, 'topic') FROM toasted$$, 'JIT:') AS target,
       plan_has($$SELECT (lmtext.class_scores(body, 'topic')).* FROM toasted$$, 'JIT:') AS columns,
       plan_has($$SELECT (SELECT label FROM lmtext.class_scores(body, 'topic') LIMIT 1) FROM toasted$$, 'JIT:') AS subquery,
       plan_has($$SELECT s.* FROM toasted LEFT JOIN LATERAL (SELECT label, lmtext.embed(label, 'tiny') FROM lmtext.class_scores(body, 'topic') LIMIT 1) s ON true$$,
                'JIT:') AS embedded
FROM (SELECT pg_jit_available()) AS jit_available (yes);
-- Controls: other functions at the same places.
SELECT jit_available.yes = plan_has($$SELECT s.* FROM toasted, LATERAL (SELECT heavy(label) FROM lmtext.class_scores(body, 'topic') LIMIT 1) s$$, 'JIT:') AS first,
       jit_available.yes = plan_has($$SELECT heavy(body), (lmtext.class_scores(body, 'topic')).* FROM toasted$$, 'JIT:') AS columns,
       jit_available.yes = plan_has($$SELECT id FROM toasted LEFT JOIN LATERAL (SELECT lmtext.embed(body, 'tiny') AS e OFFSET 0) x
                                       ON heavy(body) > cardinality(e)$$, 'JIT:') AS joined
FROM (SELECT pg_jit_available()) AS jit_available (yes);

-- A tokenizer that adds no special tokens: a text without a token has no vector, and a zero vector is no answer.
SET client_min_messages = error;
SELECT lo_from_bytea(0, convert_to(jsonb_set(pg_read_file(:'tiny' || '/tokenizer.json')::jsonb, '{post_processor}', 'null')::text, 'UTF8')) AS tokenizer,
       lo_from_bytea(0, pg_read_binary_file(:'tiny' || '/config.json')) AS config,
       lo_from_bytea(0, pg_read_binary_file(:'tiny' || '/model.safetensors')) AS weights,
       lo_from_bytea(0, pg_read_binary_file(:'tiny' || '/tokenizer_config.json')) AS tokenizer_config \gset
SELECT lmtext.import_model('bare', jsonb_build_object('tokenizer.json', :tokenizer, 'config.json', :config,
    'model.safetensors', :weights, 'tokenizer_config.json', :tokenizer_config));
SELECT lo_unlink(:tokenizer), lo_unlink(:config), lo_unlink(:weights), lo_unlink(:tokenizer_config);
RESET client_min_messages;
CREATE TABLE gap AS SELECT i, CASE WHEN i % 9 = 4 THEN repeat(' ', i) ELSE 'word ' || i END AS body FROM generate_series(1, 200) i;
SELECT lmtext.tokenize('', 'bare') AS tokens, lmtext.tokenize(' ', 'bare') AS of_a_blank;
SELECT lmtext.embed('', 'bare');
SELECT count(lmtext.embed(body, 'bare')) FROM gap;
SET lmtext.on_empty = 'null';
SELECT lmtext.embed('', 'bare') IS NULL AS constant, lmtext.similarity('word', ' ', 'bare') IS NULL AS similarity;
SELECT count(*), count(lmtext.embed(body, 'bare')) AS vectors, count(*) FILTER (WHERE body ~ '^ ') AS blanks FROM gap;
-- The same with and without batches; in a search such rows come last.
SET client_min_messages = error;
CREATE TABLE batched AS SELECT i, lmtext.embed(body, 'bare') AS v FROM gap;
SET lmtext.batch = off;
SELECT count(*) FROM gap JOIN batched USING (i) WHERE v IS DISTINCT FROM lmtext.embed(body, 'bare');
RESET lmtext.batch;
SELECT count(*) FILTER (WHERE v IS NULL) AS nulls FROM batched;
SET lmtext.embedding_model = 'bare';
SELECT i, body FROM gap WHERE i BETWEEN 3 AND 5 ORDER BY body <=> 'word 5';
RESET lmtext.embedding_model;
RESET client_min_messages;
-- Pinned forms obey no setting; rows of an array cannot be null.
SELECT lmtext.embed('', 'bare@1'::regclass);
SELECT lmtext.similarity('', 'a', 'bare@1'::regclass);
SELECT lmtext.embed(ARRAY['word', ''], 'bare');
RESET lmtext.on_empty;

-- The order of arguments of another product, and names that are none.
SELECT lmtext.embed('sentence-transformers/all-MiniLM-L6-v2', 'photo');
SELECT lmtext.embed('sentence-transformers/all-MiniLM-L6-v2', 'How do I resize a photo?');
SELECT lmtext.classify('distilbert/sst-2', 'photo');
SELECT lmtext.embed('photo', 'sentence-transformers/all-MiniLM-L6-v2');
SELECT lmtext.embed('and/or', 'tiny') IS NOT NULL AS a_text;
SELECT lmtext.embed('either/or', 'nowhere');
SELECT lmtext.embed('a text with a / in it', 'nowhere');

SET client_min_messages = warning;
DROP SCHEMA test_embed CASCADE;
DROP ROLE lmtext_test_embed;

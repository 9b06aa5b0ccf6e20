-- Rows read ahead so that short texts are embedded in batches: where, and that nobody sees it but by the clock.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS lmtext;
RESET client_min_messages;
CREATE SCHEMA test_batch;
SET search_path = test_batch, public;
\getenv source_dir LMTEXT_SOURCE_DIR
\getenv minilm LMTEXT_MINILM
\set tiny :source_dir '/models/tiny/bert'
\set prompted :source_dir '/models/tiny/bert-st5-prompt'
SELECT lmtext.import_model('minilm', :'minilm');
SELECT lmtext.import_model('tiny', :'tiny');
SELECT lmtext.import_model('prompted', :'prompted');
SET lmtext.embedding_model = 'tiny';
SET max_parallel_workers_per_gather = 0;

-- Short texts, the same again, empty, NULL, long, and one out of line.
CREATE TABLE doc (id int PRIMARY KEY, title text, body varchar, n int);
INSERT INTO doc SELECT i, CASE WHEN i % 50 = 0 THEN NULL WHEN i % 41 = 0 THEN '' ELSE 'title ' || i % 150 END,
                       repeat('word ', i % 30), i FROM generate_series(1, 300) i;
ALTER TABLE doc ALTER title SET STORAGE EXTERNAL;
UPDATE doc SET title = repeat('long ', 150) WHERE id IN (7, 8);
UPDATE doc SET title = repeat('longer ', 600) WHERE id IN (9, 120);
VACUUM ANALYZE doc;

-- How many batch nodes a plan has.
CREATE FUNCTION nodes(statement text) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
    line text;
    found int := 0;
BEGIN
    FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || statement LOOP
        found := found + (line ~ 'LmtextBatch')::int;
    END LOOP;
    RETURN found;
END $$;
CREATE FUNCTION batches(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    line text;
    found text := '';
BEGIN
    FOR line IN EXECUTE 'EXPLAIN (ANALYZE, COSTS OFF) ' || statement LOOP
        found := found || coalesce(substring(line FROM 'Batches: \d+'), '');
    END LOOP;
    RETURN found;
END $$;
-- Forward passes of a statement, its rows thrown away.
CREATE FUNCTION forwards(statement text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    before bigint := (SELECT c.forwards FROM lmtext.session_counters() c);
BEGIN
    EXECUTE statement;
    RETURN (SELECT c.forwards FROM lmtext.session_counters() c) - before;
END $$;
-- Batch nodes in a query, and whether its rows are the same without them, bit for bit and in order.
CREATE FUNCTION same(query text, OUT nodes int, OUT same boolean) LANGUAGE plpgsql AS $$
DECLARE
    summed text := 'SELECT string_agg(md5(q::text), '','') FROM (SELECT * FROM (' || query || ') q OFFSET 0) q';
    batched text;
    alone text;
BEGIN
    nodes := test_batch.nodes(query);
    EXECUTE summed INTO batched;
    SET LOCAL lmtext.batch = off;
    EXECUTE summed INTO alone;
    SET LOCAL lmtext.batch = on;
    same := batched = alone AND batched <> '';
END $$;

EXPLAIN (COSTS OFF) SELECT id, lmtext.embed(title) FROM doc;
EXPLAIN (COSTS OFF, VERBOSE) SELECT n, lmtext.embed(title || ' ' || body, dimensions => 3) FROM doc WHERE n > 3;
SELECT * FROM same('SELECT id, lmtext.embed(title) FROM doc');
SET lmtext.batch = off;
EXPLAIN (COSTS OFF) SELECT id, lmtext.embed(title) FROM doc;
SELECT forwards('SELECT lmtext.embed(title) FROM doc');
SET lmtext.batch = on;
SELECT forwards('SELECT lmtext.embed(title) FROM doc') < 80 AS fewer;
-- The batches of all processes that took part; 1, 2, 4 … rows, while they are short.
SELECT batches($$SELECT lmtext.embed('text ' || i) FROM (SELECT i::text FROM generate_series(1, 100) i OFFSET 0) t (i)$$);

-- What embedding costs is the node's; what is below costs as much as it does alone. The planner's sum stays the same.
CREATE FUNCTION costs(statement text, OUT node text, OUT startup numeric, OUT total numeric) RETURNS SETOF record LANGUAGE plpgsql AS $$
DECLARE
    plan json;
BEGIN
    EXECUTE 'EXPLAIN (FORMAT JSON) ' || statement INTO plan;
    plan := plan->0->'Plan';
    WHILE plan IS NOT NULL LOOP
        node := coalesce(plan->>'Custom Plan Provider', plan->>'Node Type');
        startup := plan->>'Startup Cost';
        total := plan->>'Total Cost';
        RETURN NEXT;
        plan := plan->'Plans'->0;
    END LOOP;
END $$;
CREATE FUNCTION heavy(int) RETURNS int LANGUAGE plpgsql IMMUTABLE COST 1000 AS 'BEGIN RETURN $1; END';
CREATE TABLE pair (batched text, alone text);
INSERT INTO pair VALUES
    ('SELECT id, lmtext.embed(body) FROM doc', 'SELECT id, body FROM doc'),
    ('SELECT n, lmtext.embed(title || body) FROM doc WHERE n > 3', 'SELECT n, title || body FROM doc WHERE n > 3'),
    ('SELECT lmtext.similarity(body, ''words'', ''tiny'') FROM doc', 'SELECT body FROM doc'),
    ('SELECT heavy(n), lmtext.embed(body) FROM doc', 'SELECT n, body FROM doc'),
    ('SELECT lmtext.embed(body, ''minilm'') FROM doc WHERE heavy(n) > 0', 'SELECT body FROM doc WHERE heavy(n) > 0'),
    ('SELECT a.n, lmtext.embed(b.title) FROM doc a JOIN doc b USING (id)', 'SELECT a.n, b.title FROM doc a JOIN doc b USING (id)'),
    ('SELECT lmtext.embed(c.content) FROM doc, LATERAL lmtext.chunk(body) c', 'SELECT c.content FROM doc, LATERAL lmtext.chunk(body) c');
SELECT p.batched, node.node, node.total > 20 * below.total AS embeds, round(below.total) = round(alone.total) AS below_as_alone, node.total = unbatched.total AS same_sum
FROM pair p, LATERAL (SELECT * FROM costs(p.batched) LIMIT 1) node, LATERAL (SELECT * FROM costs(p.batched) OFFSET 1 LIMIT 1) below,
    LATERAL (SELECT * FROM costs(p.alone) LIMIT 1) alone,
    LATERAL (SELECT c.* FROM set_config('lmtext.batch', 'off', false) s, LATERAL costs(CASE WHEN s <> '' THEN p.batched END) c LIMIT 1) unbatched,
    LATERAL (SELECT set_config('lmtext.batch', CASE WHEN unbatched.total > 0 THEN 'on' END, false)) again;
-- What the planner knows of a function follows ALTER, in this session and back again when it is undone.
SELECT probin AS library FROM pg_proc WHERE oid = 'lmtext.embed(text, text, text, text, integer)'::regprocedure \gset
CREATE FUNCTION own(text) RETURNS real[] AS :'library', 'lmtext_embed' LANGUAGE C STABLE;
SELECT nodes('SELECT own(title) FROM doc') AS unsupported;
ALTER FUNCTION own(text) SUPPORT lmtext_internal.embed_support;
SELECT nodes('SELECT own(title) FROM doc') AS supported, (SELECT same FROM same('SELECT own(title) FROM doc'));
BEGIN;
DROP FUNCTION own(text);
CREATE FUNCTION own(text) RETURNS real[] AS :'library', 'lmtext_embed' LANGUAGE C STABLE;
SELECT nodes('SELECT own(title) FROM doc') AS made_anew;
ROLLBACK;
SELECT nodes('SELECT own(title) FROM doc') AS undone;
DROP FUNCTION own(text);
-- And a replacement: by a function in SQL, and back.
CREATE FUNCTION own(text) RETURNS real[] AS :'library', 'lmtext_embed' LANGUAGE C STABLE SUPPORT lmtext_internal.embed_support;
SELECT nodes('SELECT own(title) FROM doc') AS made;
CREATE OR REPLACE FUNCTION own(text) RETURNS real[] LANGUAGE plpgsql STABLE SUPPORT lmtext_internal.embed_support AS $$BEGIN RETURN '{1}'; END$$;
SELECT nodes('SELECT own(title) FROM doc') AS replaced, total < 1000 AS by_its_own_cost FROM costs('SELECT own(title) FROM doc') LIMIT 1;
CREATE OR REPLACE FUNCTION own(text) RETURNS real[] AS :'library', 'lmtext_embed' LANGUAGE C STABLE SUPPORT lmtext_internal.embed_support;
SELECT nodes('SELECT own(title) FROM doc') AS again;
DROP FUNCTION own(text);

-- A call costs what its model computes for a token: two layers of one width cost more than one, and a classifier what its base does.
\set one_layer :source_dir '/models/tiny/bert-st6-cls'
\set two_layers :source_dir '/models/tiny/bert-silu'
SET client_min_messages = warning;
SELECT lmtext.import_model('one', :'one_layer'), lmtext.import_model('two', :'two_layers');
CALL lmtext.train('of_one', 'SELECT body, (n % 2)::text FROM doc WHERE n < 9', '{"base": "one", "hold_out": 0}');
CALL lmtext.train('of_minilm', 'SELECT body, (n % 2)::text FROM doc WHERE n < 9', '{"base": "minilm", "hold_out": 0}');
RESET client_min_messages;
CREATE FUNCTION price(call text) RETURNS numeric LANGUAGE sql AS $$SELECT total FROM costs('SELECT ' || call || ' FROM doc') LIMIT 1$$;
SELECT price('lmtext.embed(body, ''one'')') < price('lmtext.embed(body, ''two'')') AS layers,
       price('lmtext.embed(body, ''two'')') < price('lmtext.embed(body, ''minilm'')') / 2 AS size,
       price('lmtext.embed(body, ''one'')') = price('lmtext.embed(body, ''one@1'')') AS by_version,
       price('lmtext.embed(body, ''one'')') = price('lmtext.embed(body, ''one@1''::regclass)') AS pinned,
       price('lmtext.embed(body, ''tiny'')') = price('lmtext.embed(body)') AS by_default,
       price('lmtext.embed(body, ''minilm'')') = price('lmtext.classify(body, ''of_minilm'')') AS by_base,
       price('lmtext.classify(body, ''of_one'')') < price('lmtext.classify(body, ''of_minilm'')') / 2 AS of_bases,
       price('lmtext.similarity(body, body, ''one'')') < price('lmtext.similarity(body, body, ''two'')') AS two_texts,
       price('lmtext.count_tokens(body, ''one'')') = price('lmtext.count_tokens(body, ''minilm'')') AS tokens;
-- Where no model is known there is one price, and no error before the call is made.
SELECT count(DISTINCT price(call)) AS prices, bool_and(price(call) > price('lmtext.embed(body, ''two'')')) AS dear
FROM unnest('{"lmtext.embed(body, ''none'')","lmtext.embed(body, ''one@7'')","lmtext.embed(body, ''no model'')","lmtext.embed(body, ''gone.one'')",
              "lmtext.embed(body, title)","lmtext.embed(body, 1::regclass)","lmtext.embed(body, ''doc''::regclass)","lmtext.classify(body)"}'::text[]) call;
EXPLAIN (COSTS OFF) SELECT lmtext.embed(body, 'none') FROM doc;
SELECT lmtext.embed(body, 'none') FROM doc;
-- What a name means, and what a version holds, is looked up anew.
SELECT price('lmtext.embed(body, ''one'')') AS before \gset
BEGIN;
ALTER TABLE "one@1" RENAME TO "three@1";
SELECT price('lmtext.embed(body, ''one'')') > :before AS gone;
ALTER TABLE "two@1" RENAME TO "one@1";
SELECT price('lmtext.embed(body, ''one'')') > :before AS another;
TRUNCATE "one@1";
SELECT price('lmtext.embed(body, ''one'')') = price('lmtext.embed(body, ''none'')') AS empty;
INSERT INTO "one@1" SELECT * FROM "minilm@1";
SELECT price('lmtext.embed(body, ''one'')') = price('lmtext.embed(body, ''minilm'')') AS filled;
ROLLBACK;
SELECT price('lmtext.embed(body, ''one'')') = :before AS undone;
SELECT lmtext.drop_model(m) FROM unnest('{of_one,of_minilm,one,two}'::text[]) m;

-- All kinds of nodes and calls.
SELECT * FROM same($$SELECT lmtext.embed(body), lmtext.embed(title, 'minilm'), lmtext.embed(title), id FROM doc$$);
SELECT * FROM same($$SELECT lmtext.embed(title, 'prompted', prompt_name => 'query'), lmtext.embed(title, 'prompted'),
                            lmtext.embed(title, 'prompted', prompt => 'of: ') FROM doc$$);
SELECT * FROM same($$SELECT lmtext.embed(title, 'tiny@1'::regclass, on_long => 'mean') FROM doc$$);
SELECT * FROM same($$SELECT lmtext.embed(coalesce(title, body, 'none') || '.') <=> lmtext.embed('title 5') FROM doc$$);
SELECT * FROM same($$SELECT (lmtext.embed(title))[n % 36 + 1]::text, n, doc.ctid, tableoid FROM doc$$);
SELECT * FROM same($$SELECT a.id, b.id, lmtext.embed(a.title), lmtext.embed(b.body) FROM doc a JOIN doc b ON b.id = a.n + 1$$);
SELECT * FROM same($$SELECT lmtext.embed(title) FROM doc ORDER BY n DESC LIMIT 9 OFFSET 3$$);
SELECT * FROM same($$SELECT id FROM doc ORDER BY lmtext.embed(title) <=> lmtext.embed('title 5'), id LIMIT 9$$);
SELECT * FROM same($$SELECT lmtext.embed(title) FROM doc WHERE id < 9 UNION ALL SELECT lmtext.embed(body) FROM doc$$);
SELECT * FROM same($$SELECT lmtext.embed(u) FROM doc, unnest(ARRAY[title, body, 'third']) u$$);
SELECT * FROM same($$SELECT lmtext.embed(v) FROM (VALUES ('one'), ('two'), (NULL)) t (v)$$);
SELECT * FROM same($$WITH c AS MATERIALIZED (SELECT title, lmtext.embed(title) e FROM doc) SELECT lmtext.embed(title) <=> e FROM c WHERE title <> ''$$);
SELECT * FROM same($$SELECT id, (SELECT lmtext.embed(b.title) FROM doc b WHERE b.n = a.id) FROM doc a WHERE id < 20$$);
SELECT * FROM same($$SELECT id, e[1] FROM doc a, LATERAL (SELECT lmtext.embed(b.title) e FROM doc b WHERE b.n BETWEEN a.id AND a.id + 3 OFFSET 0) b
                     WHERE id < 20$$);
SET enable_hashjoin = off;
SET enable_nestloop = off;
SELECT * FROM same($$SELECT a.id, e FROM doc a JOIN (SELECT id, lmtext.embed(title) e FROM doc ORDER BY id OFFSET 0) b ON a.id = b.id$$);
RESET enable_hashjoin;
RESET enable_nestloop;

-- Distances of texts: each side that changes from row to row.
EXPLAIN (COSTS OFF, VERBOSE) SELECT lmtext.similarity(title, 'words', 'minilm'), lmtext.similarity(title, body || 'x') FROM doc ORDER BY title <=> 'title 5';
SELECT * FROM same($$SELECT lmtext.similarity(title, 'words', 'minilm'), lmtext.similarity(title, body || 'x'), lmtext.similarity(title, title) FROM doc$$);
SELECT * FROM same($$SELECT id FROM doc ORDER BY title <=> 'title 5', id$$);
SELECT * FROM same($$SELECT lmtext.similarity(a.title, b.title, 'tiny@1'::regclass) FROM doc a JOIN doc b ON b.id = a.n + 1$$);
SELECT nodes($$SELECT lmtext.similarity('words', 'others') FROM doc$$) AS constant, nodes($$SELECT lmtext.similarity(title, 'words', body) FROM doc$$) AS any_model,
       nodes($$SELECT lmtext.count_tokens(title) FROM doc$$) AS tokens, nodes($$SELECT lmtext.embed(ARRAY[title]) FROM doc$$) AS array_of_one;

-- Left alone: what is not computed for each row, or not by a plain call of a text that is at hand.
SELECT nodes($$SELECT lmtext.embed('one text') FROM doc$$) AS constant,
       nodes($$SELECT lmtext.embed(upper(title)) FROM doc$$) AS may_fail,
       nodes($$SELECT lmtext.embed(title, body) FROM doc$$) AS any_model,
       nodes($$SELECT CASE WHEN n > 5 THEN lmtext.embed(title) END FROM doc$$) AS by_case,
       nodes($$SELECT coalesce(NULL::real[], lmtext.embed(title)) FROM doc$$) AS coalesced,
       nodes($$SELECT (SELECT max(id) FROM doc b WHERE b.n = doc.n), lmtext.embed(title) FROM doc$$) AS subquery,
       nodes($$SELECT doc, lmtext.embed(title) FROM doc$$) AS whole_row,
       nodes($$SELECT lmtext.embed(max(title)) FROM doc$$) AS aggregate,
       nodes($$SELECT id FROM doc WHERE (lmtext.embed(title))[1] > 0$$) AS filter,
       nodes($$SELECT lmtext.embed(title) FROM doc WHERE random() < 2$$) AS volatile,
       nodes($$SELECT lmtext.embed(title) FROM (SELECT title, random() FROM doc UNION ALL SELECT title, n FROM doc OFFSET 0) t$$) AS volatile_below,
       nodes($$SELECT lmtext.embed(title) FROM doc, generate_series(1, (random() * n)::int)$$) AS volatile_beside,
       nodes($$SELECT lmtext.embed(title) FROM doc FOR UPDATE$$) AS locked,
       nodes($$SELECT lmtext.embed(title) FROM doc LIMIT (SELECT 2)$$) AS limit_unknown;
-- Functions beside the call are called once a row, in order.
CREATE SEQUENCE seen;
SELECT bool_and(s = id) AS in_order FROM (SELECT nextval('seen') s, id, lmtext.embed(title) FROM doc ORDER BY id OFFSET 0) t;

-- Tables are written as they were.
CREATE TABLE made AS SELECT id, lmtext.embed(title) AS e FROM doc;
SET lmtext.batch = off;
CREATE TABLE alone AS SELECT id, lmtext.embed(title) AS e FROM doc;
SET lmtext.batch = on;
SELECT count(*), count(m.e), bool_and(m.e IS NOT DISTINCT FROM a.e) AS same FROM made m FULL JOIN alone a USING (id);
ALTER TABLE doc ADD e real[];
EXPLAIN (COSTS OFF) UPDATE doc SET e = lmtext.embed(title) WHERE id < 250;
UPDATE doc SET e = lmtext.embed(title) WHERE id < 250;
INSERT INTO doc (id, title, e) SELECT 1000 + id, title, lmtext.embed(title) FROM doc WHERE id >= 250;
SELECT count(*), bool_and(doc.e IS NOT DISTINCT FROM alone.e) AS same FROM doc JOIN alone ON doc.id IN (alone.id, alone.id + 1000) WHERE doc.id NOT BETWEEN 250 AND 300;
DELETE FROM doc WHERE id > 1000;
DELETE FROM doc WHERE id > 290 RETURNING id, lmtext.embed(title) IS NOT NULL AS e;

-- Parallel, which a tiny model is not worth.
SET max_parallel_workers_per_gather = 2;
SET parallel_setup_cost = 10;
ALTER TABLE doc SET (parallel_workers = 2);
EXPLAIN (COSTS OFF) SELECT id, lmtext.embed(title) FROM doc;
SELECT count(*), bool_and(e IS NOT DISTINCT FROM t) AS same
    FROM (SELECT a.e, lmtext.embed(title) t FROM doc JOIN alone a USING (id) OFFSET 0) q;
SET max_parallel_workers_per_gather = 0;

-- Classes: classify, classify_scored and class_scores, where they stand in a target list, in an aggregate, in LATERAL.
SET client_min_messages = warning;
CREATE TABLE lesson AS SELECT frame || ' ' || word AS body, kind
    FROM (VALUES ('a', '{cat,dog,owl}'::text[]), ('b', '{bread,soup,rice}'), ('c', '{file,disk,net}')) t (kind, words),
         unnest(words) word, unnest('{title,text,word}'::text[]) frame;
CALL lmtext.train('kind', 'SELECT body, kind FROM lesson ORDER BY body', '{"base": "tiny", "hold_out": 0}');
CALL lmtext.train('other', 'SELECT body, (kind = ''a'')::text FROM lesson ORDER BY body', '{"base": "tiny", "hold_out": 0}');
RESET client_min_messages;
SET lmtext.classification_model = 'kind';
EXPLAIN (COSTS OFF) SELECT id, lmtext.classify(title), lmtext.classify_scored(title, 'other', 0.5) FROM doc;
EXPLAIN (COSTS OFF, VERBOSE) SELECT id, lmtext.class_scores(title), lmtext.class_scores(title, 'other') FROM doc;
EXPLAIN (COSTS OFF) SELECT id, s.* FROM doc, LATERAL lmtext.class_scores(title) s;
-- Memoize computes a text that comes again once, and so is no way to the function.
EXPLAIN (COSTS OFF) SELECT id, s.* FROM doc LEFT JOIN LATERAL (SELECT * FROM lmtext.class_scores(title) ORDER BY score LIMIT 1) s ON true;
SET enable_memoize = off;
EXPLAIN (COSTS OFF) SELECT id, s.* FROM doc LEFT JOIN LATERAL (SELECT * FROM lmtext.class_scores(title) ORDER BY score LIMIT 1) s ON true;
EXPLAIN (COSTS OFF) SELECT n % 2, count(lmtext.classify(title)) FROM doc GROUP BY 1;
SELECT * FROM same($$SELECT id, lmtext.classify(title), lmtext.classify(body), lmtext.classify(title, 'other') FROM doc$$);
SELECT * FROM same($$SELECT id, lmtext.classify(title, NULL, 0.9), lmtext.classify(title, 'kind@1'::regclass, on_long => 'mean'),
                            lmtext.classify(title, 'kind@1'::regclass, min_score => 0.5, on_long => 'mean') FROM doc$$);
SELECT * FROM same($$SELECT id, lmtext.classify_scored(title), lmtext.classify_scored(title, 'kind@1'::regclass) FROM doc$$);
SELECT * FROM same($$SELECT id, (lmtext.classify_scored(title)).*, (lmtext.classify_scored(body || '.', min_score => 0.9)).label FROM doc$$);
SELECT * FROM same($$SELECT (s).*, id FROM (SELECT id, lmtext.classify_scored(title) AS s FROM doc OFFSET 0) x$$);
SELECT * FROM same($$SELECT id, lmtext.class_scores(title), lmtext.class_scores(body), lmtext.class_scores(title, 'other') FROM doc$$);
SELECT * FROM same($$SELECT id, (lmtext.class_scores(title)).* FROM doc ORDER BY id DESC LIMIT 20 OFFSET 3$$);
SELECT * FROM same($$SELECT id, s.* FROM doc, LATERAL lmtext.class_scores(title) s$$);
SELECT * FROM same($$SELECT id, s.*, t.* FROM doc LEFT JOIN LATERAL (SELECT * FROM lmtext.class_scores(body) ORDER BY score LIMIT 1) s ON true,
                            LATERAL lmtext.class_scores(title, 'other') t$$);
SELECT * FROM same($$SELECT a.id, s.* FROM (SELECT id, title, lmtext.embed(title) FROM doc OFFSET 0) a, LATERAL lmtext.classify_scored(title) s$$);
SELECT * FROM same($$SELECT id, (SELECT s FROM lmtext.class_scores(b.title) s LIMIT 1) FROM doc a CROSS JOIN LATERAL (SELECT title FROM doc b WHERE b.n = a.id + 1) b$$);
SELECT nodes > 0 AS batched, same FROM same($$SELECT n % 7, count(lmtext.classify(title)), lmtext.accuracy(lmtext.classify(body), lmtext.classify(title, 'other')),
                            string_agg(DISTINCT lmtext.classify(title), ','), count(*) FILTER (WHERE lmtext.classify(title) = 'a') FROM doc GROUP BY 1$$);
SELECT * FROM same($$SELECT lmtext.classify(title), count(*), lmtext.mean(lmtext.embed(body)) FROM doc GROUP BY 1$$);
SET enable_hashagg = off;
SELECT * FROM same($$SELECT n % 7, max(lmtext.classify(title)), min((lmtext.classify_scored(title)).score) FROM doc GROUP BY 1$$);
RESET enable_hashagg;
SELECT * FROM same($$SELECT id, lmtext.classify(lmtext.embed(title)), lmtext.classify_scored(lmtext.embed(body)) FROM doc$$);
-- Left alone: what is not given the column itself, may be called for other rows, or would show that rows are read early.
SELECT nodes($$SELECT lmtext.classify(ARRAY[title]) FROM doc$$) AS array_of_one,
       nodes($$SELECT lmtext.class_scores(upper(title)) FROM doc$$) AS may_fail,
       nodes($$SELECT s FROM doc, LATERAL lmtext.class_scores(title || 'x') s$$) AS put_together,
       nodes($$SELECT s FROM doc, LATERAL lmtext.class_scores(title, body) s$$) AS any_model,
       nodes($$SELECT s FROM doc, lmtext.class_scores('one text') s$$) AS constant,
       nodes($$SELECT s FROM (SELECT title, random() FROM doc OFFSET 0) d, LATERAL lmtext.class_scores(title) s$$) AS volatile_below,
       nodes($$SELECT count(lmtext.classify(title)) FILTER (WHERE n > 5) FROM doc$$) AS filtered,
       nodes($$SELECT count(CASE WHEN n > 5 THEN lmtext.classify(title) END) FROM doc$$) AS by_case,
       nodes($$SELECT lmtext.classify(max(title)) FROM doc$$) AS of_aggregate,
       nodes($$SELECT id FROM doc WHERE lmtext.classify(title) = 'a'$$) AS filter;
-- How many forward passes: what one row's calls have in common is computed once, also of long texts.
SELECT forwards('SELECT lmtext.classify(title) FROM doc') AS once \gset
SELECT :once < 80 AS fewer;
SELECT forwards('SELECT (lmtext.classify_scored(title)).* FROM doc') = :once AS both_columns;
SELECT forwards('SELECT (lmtext.class_scores(title)).* FROM doc') = :once AS a_set;
SELECT forwards('SELECT s FROM doc, LATERAL lmtext.class_scores(title) s') = :once AS lateral;
SELECT forwards('SELECT lmtext.classify(title), lmtext.classify(title, ''other'') FROM doc') BETWEEN 1 AND :once AS two_heads_of_one_model;
SELECT forwards('SELECT count(lmtext.classify(title)) FROM doc') - :once <= 1 AS aggregate;
SET lmtext.batch = off;
SELECT forwards('SELECT (lmtext.classify_scored(title)).* FROM doc') - forwards('SELECT lmtext.classify(title) FROM doc') AS both_columns_alone;
SET lmtext.batch = on;
RESET enable_memoize;
-- Parallel: label and score of a row, and a table made of them.
SET max_parallel_workers_per_gather = 2;
EXPLAIN (COSTS OFF) SELECT id, lmtext.classify(title), lmtext.classify_scored(title) FROM doc;
EXPLAIN (COSTS OFF) CREATE TABLE scored AS SELECT id, (s).* FROM (SELECT id, lmtext.classify_scored(title) AS s FROM doc OFFSET 0) x;
CREATE TABLE scored AS SELECT id, (s).* FROM (SELECT id, lmtext.classify_scored(title) AS s FROM doc OFFSET 0) x;
SET max_parallel_workers_per_gather = 0;
SET lmtext.batch = off;
SELECT count(*), count(label) AS labels, bool_and((label, score) IS NOT DISTINCT FROM ((s).label, (s).score)) AS same_bits
FROM scored JOIN (SELECT id, lmtext.classify_scored(title) AS s FROM doc OFFSET 0) x USING (id);
SET lmtext.batch = on;

-- A bound is kept: rows beyond it are not read, and what they hold does not fail.
CREATE TABLE edge AS SELECT i, 'text ' || i AS body FROM generate_series(1, 20) i;
SELECT count(*) FROM (SELECT lmtext.embed(body) FROM edge WHERE 1 / (i - 6) < 2 LIMIT 5) t;
SELECT count(*) FROM (SELECT lmtext.embed(body) FROM edge WHERE 1 / (i - 6) < 2 LIMIT 3 OFFSET 2) t;
PREPARE bound (bigint) AS SELECT count(*) FROM (SELECT lmtext.embed(body) FROM edge WHERE 1 / (i - 6) < 2 LIMIT $1) t;
SET plan_cache_mode = force_generic_plan;
EXECUTE bound (5);
EXECUTE bound (0);
EXECUTE bound (6);
EXECUTE bound (NULL);
RESET plan_cache_mode;
SELECT count(*) FROM (SELECT lmtext.classify_scored(body) FROM edge WHERE 1 / (i - 6) < 2 LIMIT 5) t;
SELECT forwards('SELECT lmtext.embed(body) FROM edge LIMIT 1') AS first;
SELECT forwards('SELECT lmtext.embed(body) FROM edge LIMIT 3') AS three;

-- An error comes with its row, as it is without batches.
UPDATE edge SET body = repeat('word ', 300) WHERE i = 10;
SET lmtext.on_long = error;
\set VERBOSITY sqlstate
SELECT count(e) FROM (SELECT lmtext.embed(body) e FROM edge OFFSET 0) t;
SELECT count(e) FROM (SELECT lmtext.classify(body) e FROM edge OFFSET 0) t;
SELECT count(s) FROM edge, LATERAL lmtext.class_scores(body) s;
\set VERBOSITY default
SELECT count(*) FROM (SELECT lmtext.embed(body) FROM edge ORDER BY i LIMIT 9) t;
SELECT count(*) FROM (SELECT lmtext.class_scores(body) FROM edge ORDER BY i LIMIT 27) t;
BEGIN;
DECLARE rows NO SCROLL CURSOR FOR SELECT i, (lmtext.classify_scored(body)).score > 0 AS s FROM edge ORDER BY i;
MOVE 8 IN rows;
FETCH rows;
FETCH rows;
ROLLBACK;
BEGIN;
DECLARE rows NO SCROLL CURSOR FOR SELECT i, lmtext.embed(body) IS NOT NULL AS e FROM edge ORDER BY i;
FETCH 4 FROM rows;
MOVE 4 IN rows;
FETCH rows;
FETCH rows;
ROLLBACK;
RESET lmtext.on_long;
-- Such a cursor is not one that a row can be updated by; one FOR UPDATE is, and left alone.
BEGIN;
DECLARE rows NO SCROLL CURSOR FOR SELECT i, lmtext.embed(body) IS NOT NULL AS e FROM edge;
DECLARE locked NO SCROLL CURSOR FOR SELECT i, lmtext.embed(body) IS NOT NULL AS e FROM edge FOR UPDATE;
FETCH locked;
UPDATE edge SET i = 0 WHERE CURRENT OF locked RETURNING body;
FETCH rows;
UPDATE edge SET i = 0 WHERE CURRENT OF rows RETURNING body;
ROLLBACK;
SELECT nodes($$SELECT lmtext.embed(body, 'nobody') FROM edge$$);
SELECT lmtext.embed(body, 'nobody') FROM edge;
SELECT lmtext.embed(body, dimensions => 1000) FROM edge;
SELECT count(*) FROM (SELECT lmtext.embed(body, 'nobody') FROM edge WHERE i > 20) t;

-- Cursors go backward as ever; settings changed between rows hold from the next row on.
BEGIN;
DECLARE plain CURSOR FOR SELECT i, lmtext.embed(body) IS NOT NULL AS e FROM edge;
FETCH 2 FROM plain;
FETCH BACKWARD 1 FROM plain;
DECLARE forward NO SCROLL CURSOR FOR SELECT i, cardinality(lmtext.embed(body)) FROM edge;
MOVE 3 IN forward;
SET LOCAL lmtext.embedding_model = 'minilm';
FETCH 3 FROM forward;
SET LOCAL lmtext.embedding_model = 'tiny';
FETCH 2 FROM forward;
ROLLBACK;

-- A plan that runs inside itself.
CREATE FUNCTION deep(level int) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    r record;
    found text := '';
BEGIN
    FOR r IN SELECT i, lmtext.embed(body) AS e FROM test_batch.edge WHERE i < 6 LOOP
        found := md5(found || r.e::text);
        IF level > 0 AND r.i = 3 THEN
            found := found || test_batch.deep(level - 1);
        END IF;
    END LOOP;
    RETURN found;
END $$;
SELECT deep(2) = (SELECT deep(2) FROM set_config('lmtext.batch', 'off', false)) AS same;
SET lmtext.batch = on;

-- Statistics.
SELECT lmtext.stats_reset();
\o /dev/null
SELECT lmtext.embed(body) FROM edge;
SELECT lmtext.similarity(body, 'words'), lmtext.similarity(body, body || i), lmtext.similarity(body, NULLIF(body, 'text 7')) FROM edge;
SELECT lmtext.similarity(a, b) FROM (SELECT body AS a, NULLIF(body, 'text 7') AS b FROM edge OFFSET 0) t;
SELECT lmtext.classify(body) FROM edge;
SELECT lmtext.classify_scored(body) FROM edge;
SELECT s FROM edge, LATERAL lmtext.class_scores(body) s;
\o
SELECT version, function, calls, rows, tokens, truncated, errors, cached FROM lmtext.stats WHERE database = current_database() ORDER BY function;
SET lmtext.batch = off;
SELECT lmtext.stats_reset();
\o /dev/null
SELECT lmtext.embed(body) FROM edge;
SELECT lmtext.similarity(body, 'words'), lmtext.similarity(body, body || i), lmtext.similarity(body, NULLIF(body, 'text 7')) FROM edge;
SELECT lmtext.similarity(a, b) FROM (SELECT body AS a, NULLIF(body, 'text 7') AS b FROM edge OFFSET 0) t;
SELECT lmtext.classify(body) FROM edge;
SELECT lmtext.classify_scored(body) FROM edge;
SELECT s FROM edge, LATERAL lmtext.class_scores(body) s;
\o
SELECT version, function, calls, rows, tokens, truncated, errors, cached FROM lmtext.stats WHERE database = current_database() ORDER BY function;
SET lmtext.batch = on;
-- What a call before in the same row has computed counts as remembered.
SELECT lmtext.stats_reset();
\o /dev/null
SELECT (lmtext.classify_scored(body)).* FROM edge;
\o
SELECT version, function, calls, rows, tokens, truncated, errors, cached FROM lmtext.stats WHERE database = current_database() ORDER BY function;

-- Privileges are those of each call.
CREATE ROLE lmtext_test_batch;
GRANT USAGE ON SCHEMA test_batch TO lmtext_test_batch;
GRANT SELECT ON edge TO lmtext_test_batch;
SET ROLE lmtext_test_batch;
SELECT lmtext.embed(body) FROM edge;
SELECT lmtext.classify(body) FROM edge;
RESET ROLE;

-- The first statement of a session.
\c
SET search_path = test_batch, public;
EXPLAIN (COSTS OFF) SELECT lmtext.embed(body, 'minilm') FROM edge;

SET client_min_messages = warning;
DROP OWNED BY lmtext_test_batch;
DROP ROLE lmtext_test_batch;
DROP SCHEMA test_batch CASCADE;

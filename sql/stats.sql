-- Statistics of calls: what counts where, for each function, and for what went wrong.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS lmtext;
RESET client_min_messages;
CREATE SCHEMA test_stats;
SET search_path = test_stats, public;
\getenv minilm LMTEXT_MINILM
SELECT lmtext.import_model('minilm', :'minilm');
SET lmtext.embedding_model = 'minilm';
SET max_parallel_workers_per_gather = 0;

-- Statistics since the last reset; times are looked at further down.
CREATE VIEW counted AS
    SELECT s.version, s.function, s.calls, s.rows, s.tokens, s.truncated, s.errors, s.cached
    FROM lmtext.stats s WHERE s.database = current_database() ORDER BY function COLLATE "C", version COLLATE "C";
CREATE TABLE doc (id int, body text);
INSERT INTO doc VALUES (1, 'one two three'), (2, 'four'), (3, NULL), (4, 'five six');

SELECT lmtext.stats_reset();
SELECT * FROM counted;
-- 3 texts of 5 + 3 + 4 tokens, [CLS] and [SEP] included. A null text is no call, a null in an array no row.
\o /dev/null
SELECT lmtext.embed(body) FROM doc;
SELECT lmtext.embed(array_agg(body)) FROM doc WHERE body IS NOT NULL;
SELECT lmtext.embed(body, 'minilm@1'::regclass) FROM doc;
SELECT lmtext.token_ids(body) FROM doc;
SELECT lmtext.token_ids(array_agg(body)) FROM doc;
SELECT lmtext.tokenize(body) FROM doc;
SELECT count(*) FROM doc, lmtext.tokens(body);
SELECT lmtext.count_tokens(array_agg(body)) FROM doc;
SELECT lmtext.detokenize(lmtext.token_ids(body)) FROM doc;
SELECT lmtext.chunk(body, max_tokens => 2) FROM doc;
\o
SELECT * FROM counted;

-- Texts that do not fit: cut, averaged over windows, refused. What a call computed before it failed counts.
SELECT lmtext.stats_reset();
CREATE FUNCTION failure(statement text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE statement;
    RETURN 'none';
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE;
END $$;
SELECT lmtext.embed(repeat('word ', 300)) IS NOT NULL AS cut;
SET lmtext.on_long = mean;
SELECT lmtext.embed(repeat('word ', 300)) IS NOT NULL AS averaged;
SET lmtext.on_long = error;
SELECT failure($$SELECT lmtext.embed(repeat('word ', 300))$$);
SELECT * FROM counted;
SET lmtext.batch_tokens = 16;
SELECT failure($$SELECT lmtext.embed(array_agg(repeat('word ', w))) FROM unnest('{10,10,300}'::int[]) w$$);
RESET lmtext.batch_tokens;
RESET lmtext.on_long;
SELECT * FROM counted;

-- What the statement remembers; each side of a distance is remembered by itself. A call that computes the other side is no cached one.
SELECT lmtext.stats_reset();
\o /dev/null
SELECT lmtext.embed('one two three') FROM doc;
SELECT body <=> 'four' FROM doc;
SELECT lmtext.similarity(body, body) FROM doc;
\o
SELECT * FROM counted;

-- Errors count with the version, once it is known; before that with none.
SELECT lmtext.stats_reset();
SELECT failure($$SELECT lmtext.embed('a', 'nosuch')$$) AS unknown,
       failure($$SELECT lmtext.embed('a', dimensions => 1000)$$) AS dimensions,
       failure($$SELECT lmtext.classify('a', 'minilm')$$) AS task,
       failure($$SELECT lmtext.embed(array['a', NULL])$$) AS null_in_array,
       failure($$SELECT lmtext.detokenize('{-1}')$$) AS token,
       failure($$SELECT lmtext.embed('a', NULL::regclass)$$) AS null_version;
-- In one transaction: savepoints and rollbacks take nothing back, and the session sees its own at once.
BEGIN;
SELECT lmtext.count_tokens('one') AS tokens;
SAVEPOINT a;
SELECT lmtext.count_tokens('one two') AS tokens;
SELECT lmtext.count_tokens('one', 'nosuch');
ROLLBACK TO a;
SELECT lmtext.count_tokens('one two three') AS tokens;
SELECT * FROM counted WHERE function = 'count_tokens';
ROLLBACK;
SELECT * FROM counted;

-- A training counts what it embeds under its base; the query's own calls count for themselves, as do those of a trigger.
SELECT lmtext.stats_reset();
CREATE TABLE labelled AS SELECT 'number ' || i AS body, (i % 2)::text AS label FROM generate_series(1, 20) i;
SET client_min_messages = warning;
CALL lmtext.train('parity', 'SELECT body, label FROM labelled WHERE lmtext.count_tokens(body) > 0', '{"hold_out": 0}');
CALL lmtext.train('parity', 'SELECT body, ''one label'' FROM labelled', '{"hold_out": 0}');
RESET client_min_messages;
SET lmtext.classification_model = 'parity';
\o /dev/null
SELECT lmtext.classify(body) FROM doc;
SELECT lmtext.classify(array_agg(body)) FROM doc;
SELECT lmtext.class_scores(body) FROM doc;
SELECT lmtext.class_scores(array_agg(body)) FROM doc;
\o
CREATE TABLE kept (body text, embedding real[]);
CREATE TRIGGER keep BEFORE INSERT OR UPDATE ON kept
    FOR EACH ROW EXECUTE FUNCTION lmtext.embed_trigger('body', 'embedding', 'minilm@1');
INSERT INTO kept SELECT body FROM doc;
UPDATE kept SET body = body || '' WHERE body = 'four';
UPDATE kept SET body = 'seven' WHERE body = 'four';
SELECT * FROM counted;

-- A function that another function's error passes through fails as well.
SELECT lmtext.stats_reset();
SELECT failure($$CALL lmtext.train('x', 'SELECT body, lmtext.count_tokens(body, ''nosuch'')::text FROM labelled')$$);
-- One whose query catches the error goes on.
CREATE FUNCTION caught(body text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    RETURN lmtext.count_tokens(body, 'nosuch');
EXCEPTION WHEN OTHERS THEN
    RETURN lmtext.count_tokens(body) > 4;
END $$;
SET client_min_messages = warning;
CALL lmtext.train('x', 'SELECT body, caught(body || repeat('' more'', right(body, 1)::int % 2)) FROM labelled', '{"hold_out": 0}');
RESET client_min_messages;
SELECT * FROM counted;

-- Times: of one call, the quantiles are its time, as exact as they are said to be.
SELECT lmtext.stats_reset();
SELECT lmtext.count_tokens('one two three') AS short, cardinality(lmtext.tokenize(repeat('word ', 1000))) AS long,
       count(DISTINCT id) AS ids FROM lmtext.tokens(repeat('word ', 20000));
SELECT lmtext.embed('one') IS NOT NULL AS vector, cardinality(lmtext.embed(array_agg(repeat('word ', i)), 'minilm@1'::regclass)) AS vectors
FROM generate_series(1, 20) i;
SELECT lmtext.similarity('one', 'two') < 1 AS pair, lmtext.classify(repeat('word ', 300), 'parity') IS NOT NULL AS label;
SELECT bool_and(p50_ms BETWEEN total_ms * 2 ^ (-1.0 / 8) - 0.001 AND total_ms * 2 ^ (1.0 / 8) + 0.001 AND p50_ms = p95_ms AND p50_ms = p99_ms AND mean_ms = total_ms) AS one_call,
       count(*) AS functions
FROM lmtext.stats WHERE database = current_database() AND calls = 1;
SELECT bool_and(p50_ms <= p95_ms AND p95_ms <= p99_ms AND p99_ms <= total_ms * 1.1 + 0.001 AND total_ms > 0
           AND mean_ms BETWEEN total_ms / calls - 0.001 AND total_ms / calls + 0.001
           AND since <= last_used AND last_used <= now() AND model IS NOT NULL) AS many_calls
FROM lmtext.stats WHERE database = current_database();
-- The histogram has each call once, in the bucket of its time; the quantiles are in the buckets that it says.
SELECT count(*) > 5 AS callers, bool_and(h.calls = s.calls) AS all_calls, bool_and(s.total_ms BETWEEN h.least AND h.most) AS times,
       bool_and(s.p50_ms BETWEEN h.p50_from - 0.001 AND h.p50_to + 0.001) AS medians
FROM lmtext.stats s JOIN (
    SELECT role, database, version, function, sum(calls) AS calls, sum(calls * from_ms) - 0.001 AS least, sum(calls * to_ms) + 0.001 AS most,
           min(from_ms) FILTER (WHERE share >= 0.5) AS p50_from, min(to_ms) FILTER (WHERE share >= 0.5) AS p50_to
    FROM (SELECT *, sum(calls) OVER w / sum(calls) OVER (w ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS share
          FROM lmtext.latency_histogram() WINDOW w AS (PARTITION BY role, database, version, function ORDER BY bucket)) b
    GROUP BY 1, 2, 3, 4) h USING (role, database, version, function)
WHERE s.database = current_database();
SELECT bool_and(from_ms < to_ms AND to_ms <= greatest(0.256 / 1000, from_ms) * 1.1893 AND calls > 0 AND bucket BETWEEN 0 AND 127) AS buckets
FROM lmtext.latency_histogram();
-- Times are shown to a thousandth of a millisecond.
SELECT bool_and(ms = round(ms::numeric, 3)::float8) AS rounded, count(*) > 20 AS many
FROM lmtext.stats, unnest(ARRAY[total_ms, mean_ms, p50_ms, p95_ms, p99_ms]) ms WHERE database = current_database();
SELECT bool_and(load_ms = round(load_ms::numeric, 3)::float8 AND load_ms > 0) AS rounded FROM lmtext.model_cache;
-- The call for the first row of a batch has the time of the batch; those for the rows after it fetch what it has computed.
SELECT lmtext.stats_reset();
CREATE TABLE batch AS SELECT 'text ' || i AS body FROM generate_series(1, 400) i;
SELECT count(lmtext.embed(body)) FROM batch;
SELECT calls, rows, p50_ms < mean_ms AS fetched, p99_ms > mean_ms AS computed FROM lmtext.stats WHERE database = current_database();
-- What was remembered is in no call's time: the mean is that of the one call that computed.
SELECT lmtext.stats_reset();
SELECT count(lmtext.embed('one two three')) FROM generate_series(1, 1000) i;
SELECT calls, cached, calls + cached AS evaluations, mean_ms = total_ms AS mean FROM lmtext.stats WHERE database = current_database();
-- 80 fast calls and 20 that take some hundred times as long: the quantiles tell them apart.
SELECT lmtext.stats_reset();
SELECT count(lmtext.count_tokens(CASE WHEN i % 5 = 0 THEN repeat('word ', 4000 + i) ELSE 'word ' || i END)) FROM generate_series(1, 100) i;
SELECT calls, p50_ms * 10 < p95_ms AS apart, p95_ms <= p99_ms AS ordered FROM lmtext.stats
WHERE database = current_database();

-- Who used whose right; a renamed version is the same, a dropped one keeps its name.
SELECT lmtext.stats_reset();
CREATE ROLE lmtext_test_stats;
GRANT USAGE ON SCHEMA test_stats TO lmtext_test_stats;
GRANT SELECT (file) ON "minilm@1" TO lmtext_test_stats;
CREATE FUNCTION as_owner(body text) RETURNS int LANGUAGE sql SECURITY DEFINER AS $$ SELECT lmtext.count_tokens(body, 'test_stats.minilm') $$;
SET ROLE lmtext_test_stats;
SELECT lmtext.count_tokens('one two three') AS own_right, as_owner('one') AS owners_right;
SELECT role, version, function, calls, rows, tokens FROM lmtext.stats WHERE database = current_database();
SELECT lmtext.stats_reset();
RESET ROLE;
SELECT role = current_user AS my, calls, rows, tokens FROM lmtext.stats WHERE database = current_database() ORDER BY tokens;
ALTER TABLE "minilm@1" RENAME TO "minilm@7";
SELECT lmtext.count_tokens('one two', 'minilm@7');
SELECT model, version, calls, rows, tokens FROM lmtext.stats WHERE database = current_database() AND role = current_user;
ALTER TABLE "minilm@7" RENAME TO "minilm@1";
BEGIN;
SELECT lmtext.import_model('other', :'minilm', '{"max_tokens": 100}');
SELECT lmtext.count_tokens('one', 'other');
ROLLBACK;
SELECT model, version, calls, rows, tokens FROM lmtext.stats WHERE database = current_database() AND version LIKE 'other%';

-- Not tracked; and a call inside one that is tracked.
SELECT lmtext.stats_reset();
SET ROLE lmtext_test_stats;
SET lmtext.track = off;
RESET ROLE;
SET lmtext.track = off;
SELECT lmtext.count_tokens('one');
SELECT failure($$SELECT lmtext.count_tokens('one', 'nosuch')$$);
SELECT * FROM counted;
RESET lmtext.track;
SET client_min_messages = warning;
CALL lmtext.train('x', $$SELECT body, label FROM labelled WHERE set_config('lmtext.track', 'off', true) = 'off' AND lmtext.count_tokens(body) > 0$$, '{"hold_out": 0}');
RESET client_min_messages;
SELECT * FROM counted;
SHOW lmtext.track;

SELECT entries > 0 AS entries, capacity, evicted, obstacle FROM lmtext.stats_info;
SET client_min_messages = warning;
REVOKE ALL ON "minilm@1" FROM lmtext_test_stats;
DROP SCHEMA test_stats CASCADE;
DROP ROLE lmtext_test_stats;
SELECT role IS NULL AS role, model IS NULL AS model, version IS NULL AS version, calls FROM lmtext.stats WHERE database = current_database();
SELECT lmtext.stats_reset();
SELECT count(*) FROM lmtext.stats WHERE database = current_database();
SELECT count(*) FROM lmtext.latency_histogram() WHERE database = current_database();

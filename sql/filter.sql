-- Filters: lmtext.train with the task filter, and lmtext.holds.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS lmtext;
RESET client_min_messages;
CREATE SCHEMA test_filter;
SET search_path = test_filter, public;
\getenv source LMTEXT_SOURCE_DIR
\set tiny :source '/models/tiny/bert'
SELECT lmtext.import_model('tiny', :'tiny');
SET lmtext.embedding_model = 'tiny';

-- 600 rows of 500 texts, with vectors in two clouds: a third of them about apples. What is asked is written down.
CREATE TABLE fruit AS
    SELECT CASE WHEN n % 3 = 0 THEN 'apple ' ELSE 'pear ' END || n AS body,
           ARRAY(SELECT sin(n * k) + CASE WHEN n % 3 = 0 AND k = 1 THEN 4 ELSE 0 END FROM generate_series(1, 36) k)::real[] AS vector
    FROM (SELECT i % 500 AS n FROM generate_series(0, 599) i) t;
CREATE TABLE asked (body text);
CREATE FUNCTION is_apple(body text) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    INSERT INTO test_filter.asked VALUES (body);
    RETURN body LIKE 'apple%';
END $$;

-- Each text at most once, no more than the budget, and the same as is in the metrics.
CALL lmtext.train('apple', 'SELECT body, vector FROM fruit', '{"task": "filter", "oracle": "is_apple(text)", "budget": 150}');
SELECT count(*) AS asked, count(DISTINCT body) AS texts FROM asked;
SELECT name, version, task, labels, base, metrics - '{bound,embed_seconds,ask_seconds,train_seconds,decided_true,learnt}'::text[] AS metrics,
       round((metrics ->> 'bound')::numeric, 3) AS bound, round((metrics ->> 'decided_true')::numeric, 2) AS decided_true,
       (metrics ->> 'learnt')::int BETWEEN 80 AND 91 AS learnt
FROM lmtext.models WHERE name = 'apple';
SELECT lmtext.holds(vector, 'apple') AS holds, body LIKE 'apple%' AS truth, count(*) FROM fruit GROUP BY 1, 2 ORDER BY 1;
SELECT lmtext.classify(vector, 'apple'), count(*) FROM fruit GROUP BY 1 ORDER BY 1;
SELECT model, state, phase, total, step, max_steps FROM lmtext.train_runs ORDER BY run DESC LIMIT 1;
SELECT lmtext.holds(vector, 'apple@1'::regclass) FROM fruit WHERE body = 'apple 3' LIMIT 1;

-- The same once more: the same bits.
CALL lmtext.train('apple', 'SELECT body, vector FROM fruit', '{"task": "filter", "oracle": "is_apple(text)", "budget": 150}');
SELECT count(DISTINCT sha256) FROM lmtext.models WHERE name = 'apple';
TRUNCATE asked;

-- Without vectors the base makes them. The oracle may be any expression; a comment may end it.
SET client_min_messages = warning;
CREATE TABLE note AS SELECT repeat(CASE WHEN i % 2 = 0 THEN 'x ' ELSE 'the of ' END, 1 + i % 7) || i AS body FROM generate_series(1, 300) i;
CALL lmtext.train('short', 'SELECT body FROM note', '{"task": "filter", "oracle": "text LIKE ''x%'' -- short", "agreement": 0.7, "budget": 100}');
RESET client_min_messages;
SELECT lmtext.holds(body, 'short') IS NOT DISTINCT FROM lmtext.holds(lmtext.embed(body, 'tiny'), 'short') AS same, count(*) FROM note GROUP BY 1;
SELECT lmtext.holds(body, 'short') = lmtext.holds(body, 'short@1'::regclass) AS same FROM note WHERE body = 'x x x 2' ;
SELECT lmtext.holds(NULL::text, 'short') AS a, lmtext.holds(NULL::real[], 'short') AS b, lmtext.holds(NULL, 'short@1'::regclass) AS c;

SELECT lmtext.holds(array_agg(body ORDER BY body) || NULL, 'short') = array_agg(lmtext.holds(body, 'short') ORDER BY body) || NULL AS same,
       lmtext.holds(array_agg(body ORDER BY body), 'short@1'::regclass, 'error') = array_agg(lmtext.holds(body, 'short') ORDER BY body) AS pinned FROM note;
SELECT lmtext.holds('{}'::text[], 'short') AS empty, lmtext.holds('{NULL}'::text[], 'short') AS one, lmtext.holds(NULL::text[], 'short') AS none;

-- A filter that is not sure of some says NULL, and the oracle answers the rest.
CREATE TABLE blurred AS
    SELECT 'row ' || n AS body, n % 2 = 0 AS truth,
           ARRAY(SELECT 3 * sin(n * k * k) + CASE WHEN k <> 1 THEN 0 WHEN n % 2 = 0 THEN 2.9 ELSE -2.9 END FROM generate_series(1, 36) k)::real[] AS vector
    FROM generate_series(1, 2000) n;
CREATE FUNCTION is_even(body text) RETURNS boolean STABLE RETURN (SELECT truth FROM test_filter.blurred b WHERE b.body = is_even.body);
SET client_min_messages = warning;
CALL lmtext.train('even', 'SELECT body, vector FROM blurred', '{"task": "filter", "oracle": "is_even(text)", "budget": 500}');
RESET client_min_messages;
SELECT (metrics ->> 'upper')::float8 >= 0 AS upper, (metrics ->> 'lower')::float8 = -(metrics ->> 'upper')::float8 AS lower,
       (metrics ->> 'decided')::float8 BETWEEN 0.4 AND 0.95 AS decided FROM lmtext.models WHERE name = 'even';
SELECT avg((lmtext.holds(vector, 'even') = truth)::int) > 0.95 AS agrees,
       abs(avg((lmtext.holds(vector, 'even') IS NOT NULL)::int) - (SELECT (metrics ->> 'decided')::float8 FROM lmtext.models WHERE name = 'even')) < 0.1 AS share
FROM blurred;
SELECT count(*) BETWEEN 950 AND 1050 AS most FROM blurred WHERE coalesce(lmtext.holds(vector, 'even'), is_even(body));

-- NULL answers are spent.
SET client_min_messages = warning;
CALL lmtext.train('doubt', 'SELECT body, vector FROM fruit',
    '{"task": "filter", "oracle": "CASE WHEN text LIKE ''%7'' THEN NULL ELSE is_apple(text) END", "budget": 200}');
RESET client_min_messages;
SELECT (metrics ->> 'oracle_calls')::int AS calls, (metrics ->> 'unanswered')::int > 5 AS unanswered,
       (metrics ->> 'oracle_calls')::int - (metrics ->> 'unanswered')::int = (SELECT count(*) FROM asked) AS asked
FROM lmtext.models WHERE name = 'doubt';

-- Nothing is made where nothing can be proven, or learnt. (How near it came is chance.)
\set VERBOSITY terse
CALL lmtext.train('none', 'SELECT body, vector FROM fruit', '{"task": "filter", "oracle": "md5(text) < ''8''", "budget": 150}');
\set VERBOSITY default
CALL lmtext.train('none', 'SELECT body, vector FROM fruit', '{"task": "filter", "oracle": "true", "budget": 150}');
CALL lmtext.train('none', 'SELECT body, vector FROM fruit', '{"task": "filter", "oracle": "NULL::boolean", "budget": 150}');
CALL lmtext.train('none', 'SELECT body, vector FROM fruit', '{"task": "filter", "oracle": "true", "budget": 117}');
CALL lmtext.train('none', 'SELECT body, vector FROM fruit LIMIT 117', '{"task": "filter", "oracle": "true"}');
CALL lmtext.train('none', 'SELECT body, vector FROM fruit WHERE false', '{"task": "filter", "oracle": "true"}');

-- Oracles that are none.
CALL lmtext.train('none', 'SELECT body FROM fruit', '{"task": "filter"}');
CALL lmtext.train('none', 'SELECT body FROM fruit', '{"task": "filter", "oracle": "length(text)"}');
CALL lmtext.train('none', 'SELECT body FROM fruit', '{"task": "filter", "oracle": "true, false"}');
CALL lmtext.train('none', 'SELECT body FROM fruit', '{"task": "filter", "oracle": "true AS answer"}');
CALL lmtext.train('none', 'SELECT body FROM fruit', '{"task": "filter", "oracle": ""}');
CALL lmtext.train('none', 'SELECT body FROM fruit', '{"task": "filter", "oracle": "true) FROM fruit --"}');
CALL lmtext.train('none', 'SELECT body FROM fruit', '{"task": "filter", "oracle": "is_pear(text)"}');
CALL lmtext.train('none', 'SELECT body, vector FROM fruit', '{"task": "filter", "oracle": "generate_series(1, 2) = 1"}');
CALL lmtext.train('none', 'SELECT body, vector FROM fruit', '{"task": "filter", "oracle": "1 / (length(text) - length(text)) = 1"}');
CALL lmtext.train('none', 'SELECT body, vector FROM fruit', '{"task": "filter", "oracle": "true", "agreement": 1}');
CALL lmtext.train('none', 'SELECT body, vector FROM fruit', '{"task": "filter", "oracle": "true", "confidence": 0.2}');
CALL lmtext.train('none', 'SELECT body, vector FROM fruit', '{"task": "filter", "oracle": "true", "budget": 0}');
CALL lmtext.train('none', 'SELECT body, vector FROM fruit', '{"task": "filter", "method": "ngram", "oracle": "true"}');
CALL lmtext.train('none', 'SELECT body, vector FROM fruit', '{"oracle": "true"}');

-- Queries that have no text, too much, or what is no vector.
CALL lmtext.train('none', 'SELECT vector FROM fruit', '{"task": "filter", "oracle": "true"}');
CALL lmtext.train('none', 'SELECT body, 1 FROM fruit', '{"task": "filter", "oracle": "true"}');
CALL lmtext.train('none', 'SELECT body, body FROM fruit', '{"task": "filter", "oracle": "true"}');
CALL lmtext.train('none', 'SELECT body, vector, 1 FROM fruit', '{"task": "filter", "oracle": "true"}');
CALL lmtext.train('none', 'SELECT body, ''{1,2}''::real[] FROM fruit', '{"task": "filter", "oracle": "true"}');

-- An error inside the oracle that it handles itself is nobody's business; one that ends the call leaves nothing.
CREATE FUNCTION moody(body text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    BEGIN
        RAISE EXCEPTION 'a bad day';
    EXCEPTION WHEN OTHERS THEN
        RETURN body LIKE 'apple%';
    END;
END $$;
CREATE FUNCTION commits(body text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN COMMIT; RETURN true; END $$;
SET client_min_messages = warning;
CALL lmtext.train('moody', 'SELECT body, vector FROM fruit', '{"task": "filter", "oracle": "moody(text)", "budget": 150}');
RESET client_min_messages;
SELECT model, state, phase FROM lmtext.train_runs ORDER BY run DESC LIMIT 1;
\set VERBOSITY terse
CALL lmtext.train('none', 'SELECT body, vector FROM fruit', '{"task": "filter", "oracle": "commits(text)", "budget": 150}');
SET statement_timeout = '100ms';
CALL lmtext.train('none', 'SELECT body, vector FROM fruit', '{"task": "filter", "oracle": "pg_sleep(600) IS NULL", "budget": 150}');
RESET statement_timeout;
\set VERBOSITY default
SELECT model, state FROM lmtext.train_runs ORDER BY run DESC LIMIT 1;
SELECT count(*) FROM lmtext.models WHERE name = 'none';

-- An oracle may ask another filter.
CREATE FUNCTION nested(body text) RETURNS boolean RETURN lmtext.holds(body, 'short') IS NULL OR body LIKE 'apple%';
SET client_min_messages = warning;
CALL lmtext.train('nested', 'SELECT body, vector FROM fruit', '{"task": "filter", "oracle": "moody(text) AND nested(text)", "budget": 150}');
RESET client_min_messages;
SELECT count(*) FROM lmtext.models WHERE name = 'nested';

-- lmtext.holds is for filters.
SET client_min_messages = warning;
CALL lmtext.train('kind', 'SELECT vector, left(body, 4) FROM fruit');
RESET client_min_messages;
SELECT lmtext.holds('a', 'kind');
SELECT lmtext.holds('{a}'::text[], 'kind');
SELECT lmtext.holds('{1}'::real[], 'kind');
SELECT lmtext.holds('a', 'tiny');
SELECT lmtext.holds('{1,2}'::real[], 'apple');
SELECT lmtext.holds(array_fill('NaN'::real, '{36}'), 'apple');

-- The rights are the caller's: in the oracle as in the query.
CREATE ROLE filter_user;
GRANT USAGE ON SCHEMA lmtext, test_filter TO filter_user;
GRANT CREATE ON SCHEMA test_filter TO filter_user;
GRANT EXECUTE ON PROCEDURE lmtext.train TO filter_user;
GRANT SELECT ON "tiny@1", fruit TO filter_user;
SET ROLE filter_user;
CALL lmtext.train('theirs', 'SELECT body, vector FROM fruit', '{"task": "filter", "oracle": "is_apple(text)", "budget": 150}');
RESET ROLE;
GRANT INSERT ON asked TO filter_user;
SET ROLE filter_user;
SET client_min_messages = warning;
CALL lmtext.train('theirs', 'SELECT body, vector FROM fruit', '{"task": "filter", "oracle": "is_apple(text)", "budget": 150}');
RESET client_min_messages;
SELECT lmtext.holds(vector, 'theirs') FROM fruit WHERE body = 'apple 0' LIMIT 1;
RESET ROLE;
SELECT name, owner FROM lmtext.models WHERE name = 'theirs';

SET client_min_messages = error;
DROP SCHEMA test_filter CASCADE;
REVOKE EXECUTE ON PROCEDURE lmtext.train FROM filter_user;
DROP OWNED BY filter_user;
DROP ROLE filter_user;

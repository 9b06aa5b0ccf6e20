-- A search whose filter leaves few rows: they are found by it, and ranked by what an index has of them.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS lmtext;
CREATE SCHEMA test_filter;
SET search_path = test_filter, public;
\getenv source LMTEXT_SOURCE_DIR
\set tiny :source '/models/tiny/bert'
SELECT lmtext.import_model('m', :'tiny');
SET lmtext.embedding_model = 'm';
SET max_parallel_workers_per_gather = 0;
CREATE FUNCTION computed() RETURNS bigint LANGUAGE sql AS 'SELECT texts FROM lmtext.session_counters()';
CREATE TABLE doc (id int PRIMARY KEY, part int, body text);
INSERT INTO doc SELECT i, i % 100, 'number ' || i || ' sat on mat ' || md5(i::text) FROM generate_series(1, 2000) i;
CREATE INDEX doc_body ON doc USING lmtext (body) WITH (model = 'm@1');
CREATE INDEX doc_part ON doc (part);
ANALYZE doc;
CREATE FUNCTION by_filter() RETURNS regclass LANGUAGE sql AS
$$SELECT lmtext_internal.filtered_index(lmtext_internal.search_target('doc', 'body', 'm@1', NULL, '{id}', 'part = 7'))$$;
CREATE FUNCTION ids(filter text, mode text, k int DEFAULT 10) RETURNS text LANGUAGE sql AS
$$SELECT string_agg(key, ' ' ORDER BY key::int) FROM lmtext.search('doc', 'body', 'number seven sat', k, filter => filter, mode => mode)$$;
-- Rows that are as near as the k-th may change places.
CREATE FUNCTION same(filter text) RETURNS boolean LANGUAGE sql AS
$$WITH a AS (SELECT score, row_number() OVER (ORDER BY score DESC) AS n FROM lmtext.search('doc', 'body', 'number seven sat', 10, filter => filter)),
       b AS (SELECT score, row_number() OVER (ORDER BY score DESC) AS n FROM lmtext.search('doc', 'body', 'number seven sat', 10, filter => filter, mode => 'exact'))
  SELECT count(*) > 0 AND bool_and(abs(a.score - b.score) < 2e-3) FROM a FULL JOIN b USING (n)$$;
SELECT ids('part = 7', 'semantic') AS found, computed() AS before \gset
SELECT same('part = 7'), array_length(string_to_array(:'found', ' '), 1) AS rows;
SELECT computed() AS before \gset
SELECT ids('part = 8', 'semantic') IS NOT NULL AS found, computed() - :before AS embedded;
SELECT computed() AS before \gset
SELECT ids('part = 8', 'hybrid') IS NOT NULL AS found, computed() - :before <= 1 AS embedded_words_alone;
SELECT ids('id IN (5, 77, 1000)', 'semantic');
SELECT ids('part = 7 AND false', 'semantic') IS NULL AS none;
-- More rows are found in the order of the index.
SELECT array_length(string_to_array(ids('part < 50', 'semantic'), ' '), 1) AS rows;
-- Several queries; a text that waits, and one that is null.
INSERT INTO doc VALUES (3001, 7, 'number seven sat'), (3002, 7, NULL);
SELECT computed() AS before \gset
SELECT query, key, round(score::numeric, 2) AS score FROM lmtext.search('doc', 'body', ARRAY['number seven sat', 'number seven sat'], 1, filter => 'part = 7');
SELECT computed() - :before <= 3 AS embedded_few;
-- Who may not see all rows is told nothing by the index, and finds the same.
CREATE ROLE filter_reader;
GRANT USAGE ON SCHEMA test_filter TO filter_reader;
GRANT SELECT ON doc TO filter_reader;
GRANT SELECT (file) ON "m@1" TO filter_reader;
CREATE POLICY few ON doc FOR SELECT TO filter_reader USING (id < 1500);
ALTER TABLE doc ENABLE ROW LEVEL SECURITY;
SET ROLE filter_reader;
SELECT same('part = 7');
SELECT lmtext_internal.index_vector('doc_body', '"m@1"', 'number 7 sat on mat ' || md5('7')) IS NULL AS told_nothing;
-- So the texts that a filter leaves are not embedded for it: the planner chooses, as for any query.
SELECT by_filter() IS NULL AS as_planned;
RESET ROLE;
SELECT by_filter();
ALTER TABLE doc DISABLE ROW LEVEL SECURITY;
REVOKE SELECT ON doc FROM filter_reader;
GRANT SELECT (id, part, body) ON doc TO filter_reader;
SET ROLE filter_reader;
SELECT lmtext_internal.index_vector('doc_body', '"m@1"', 'number 7 sat on mat ' || md5('7')) IS NULL AS told_nothing, by_filter() IS NULL AS as_planned;
RESET ROLE;
GRANT SELECT ON doc TO filter_reader;
REVOKE SELECT (file) ON "m@1" FROM filter_reader;
SET ROLE filter_reader;
SELECT lmtext_internal.index_vector('doc_body', '"m@1"', 'number 7 sat on mat ' || md5('7')) IS NULL AS may_not_use_the_model;
RESET ROLE;
SELECT lmtext_internal.index_vector('doc_body', '"m@1"', 'number 7 sat on mat ' || md5('7')) IS NULL AS told_nothing,
       lmtext_internal.index_vector('doc_part', '"m@1"', 'number 7') IS NULL AS no_such_index, lmtext_internal.index_vector('doc_body', 'doc', 'number 7') IS NULL AS no_such_model;
DROP OWNED BY filter_reader;
DROP ROLE filter_reader;
DROP SCHEMA test_filter CASCADE;

-- Words of an index that are the tokens of its model: BM25 by <@>, and what a scan by words has looked at.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS lmtext;
CREATE SCHEMA test_tokens;
SET search_path = test_tokens, public;
\getenv source LMTEXT_SOURCE_DIR
\set tiny :source '/models/tiny/bert'
SELECT lmtext.import_model('m', :'tiny');
\set other :source '/models/tiny/roberta'
SELECT lmtext.import_model('other', :'other');
SET max_parallel_workers_per_gather = 0;
SET lmtext.embedding_model = 'm';

CREATE FUNCTION refusal(command text) RETURNS text LANGUAGE plpgsql AS
$$BEGIN
    EXECUTE command;
    RETURN 'accepted';
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE || ' ' || SQLERRM;
END$$;
CREATE FUNCTION sound(index regclass) RETURNS boolean LANGUAGE sql AS
$$SELECT bool_and(ok) AND bool_or("check" = 'words') FROM lmtext.index_check(index)$$;

-- ---- Options ----
CREATE TABLE doc (id int PRIMARY KEY, body text NOT NULL, part int) WITH (autovacuum_enabled = off);
CREATE TABLE vectors (v real[]);
SELECT refusal(format('CREATE INDEX ON %s WITH (%s)', target, options)) AS answer FROM (VALUES
    ('doc USING lmtext (body)', 'words = tokens'), ('doc USING lmtext (body)', 'words = tokens, words_config = english, model = ''m@1'''),
    ('vectors USING lmtext (v)', 'words = tokens'), ('doc USING lmtext (body)', 'words = token, model = ''m@1''')) x (target, options);
CREATE INDEX doc_i ON doc USING lmtext (body) WITH (model = 'm@1', words = 'Tokens', pending_limit = 5000);
SELECT sound('doc_i'), (SELECT count(*) FROM (SELECT FROM doc ORDER BY body <@> 'cat' LIMIT 1) x);

-- ---- Scores: those of a plain reference over the tokens ----
CREATE FUNCTION words_of(body text) RETURNS text[] LANGUAGE sql STABLE AS
$$SELECT array_agg(t) FROM unnest(lmtext.tokenize(body, 'm@1')) t WHERE t !~ '^\[[A-Z]+\]$'$$;
CREATE FUNCTION reference(query text) RETURNS TABLE (id int, score float8) LANGUAGE sql STABLE AS
$$WITH word AS MATERIALIZED (SELECT d.id, w, sum(LEAST(count(*), 255)) OVER (PARTITION BY d.id) AS length, LEAST(count(*), 255) AS tf FROM doc d, unnest(words_of(d.body)) w GROUP BY 1, 2),
    n AS (SELECT (SELECT count(*) FROM doc) AS documents, (SELECT sum(tf) FROM word) / (SELECT count(*) FROM doc) AS mean),
    idf AS (SELECT w, ln(1 + (documents - count(*) + .5) / (count(*) + .5)) AS idf FROM word, n WHERE w = ANY (words_of(query)) GROUP BY w, documents)
  SELECT word.id, sum(idf * tf * 2.2 / (tf + 1.2 * (.25 + .75 * length / mean)))::float8 FROM word JOIN idf USING (w), n GROUP BY word.id$$;
-- Of each row as the operator has it, and of the best ones as the index gives them.
CREATE FUNCTION same(query text) RETURNS TABLE (rows bigint, each boolean, best boolean) LANGUAGE sql AS
$$WITH r AS MATERIALIZED (SELECT * FROM reference(query)),
    o AS MATERIALIZED (SELECT d.id, -(d.body <@> query) AS score FROM doc d ORDER BY d.id),
    i AS MATERIALIZED (SELECT row_number() OVER () AS n, score FROM (SELECT -(d.body <@> query) AS score FROM doc d ORDER BY d.body <@> query LIMIT 20) x)
  SELECT (SELECT count(*) FROM r), (SELECT bool_and(abs(o.score - coalesce(r.score, 0)) < 1e-5) FROM o LEFT JOIN r USING (id)),
    (SELECT bool_and(abs(i.score - r.score) < 1e-5) FROM i JOIN (SELECT row_number() OVER (ORDER BY score DESC) AS n, score FROM r) r USING (n))$$;
CREATE FUNCTION body(i int) RETURNS text LANGUAGE sql IMMUTABLE AS
$$SELECT concat_ws(' ', (ARRAY['the cat', 'a mat', 'query', 'database', 'sat on it', '[SEP] and [MASK]', '☃ snow'])[i % 7 + 1], (ARRAY['resizing', 'data', 'zebras'])[i % 3 + 1],
    repeat('filler ', i % 5), repeat('on', i % 4), i)$$;
INSERT INTO doc SELECT i, body(i), i % 5 FROM generate_series(1, 120) i;
SELECT pending > 0 AS rows_wait, documents, waiting FROM lmtext.index_stats('doc_i');
SELECT q, same.* FROM unnest('{"the cat","data on zebras","[SEP] ☃",resizing 7,""}'::text[]) q, same(q);
SELECT lmtext.index_flush('doc_i') > 0 AS embedded;
INSERT INTO doc SELECT i, body(i), i % 5 FROM generate_series(121, 240) i;
SELECT q, same.* FROM unnest('{"the cat","data on zebras","[SEP] ☃",resizing 7}'::text[]) q, same(q);
SELECT sound('doc_i');
-- More tokens than count, and than come at once.
INSERT INTO doc VALUES (1001, repeat('cat ', 300) || 'mat', 0), (1002, (SELECT string_agg('data ' || i, ' ') FROM generate_series(1, 6000) i), 0), (1003, '', 0);
SELECT documents, words FROM lmtext.index_stats('doc_i');
SELECT q, same.* FROM unnest('{cat mat,data}'::text[]) q, same(q);
SELECT sound('doc_i');
DELETE FROM doc WHERE id > 1000;

-- ---- Vacuum, REINDEX, which takes over the vectors, processes that build together ----
DELETE FROM doc WHERE id % 4 = 0;
UPDATE doc SET body = body || ' cat' WHERE id % 5 = 0;
VACUUM (PARALLEL 0) doc;
SELECT sound('doc_i'), same.* FROM same('the cat');
REINDEX INDEX doc_i;
SELECT sound('doc_i'), same.* FROM same('the cat');
ALTER TABLE doc SET (parallel_workers = 2);
SET min_parallel_table_scan_size = 0;
REINDEX INDEX CONCURRENTLY doc_i;
RESET min_parallel_table_scan_size;
SELECT sound('doc_i'), same.* FROM same('data on zebras');

-- ---- lmtext.search and explain_search ----
SELECT lmtext_internal.words_index('doc', 'body', NULL), lmtext_internal.words_index('doc', 'body', 'simple') IS NULL AS other;
SELECT count(*), bool_and(abs(s.words - r.score) < 1e-5) AS same FROM lmtext.search('doc', 'body', 'resizing the data', k => 20, mode => 'words') s JOIN reference('resizing the data') r ON r.id::text = s.key;
SELECT key = (SELECT id::text FROM doc ORDER BY body <@> 'zebras query' LIMIT 1) AS best, words_rank FROM lmtext.search('doc', 'body', 'zebras query', k => 50, mode => 'hybrid') WHERE words_rank = 1;
SELECT count(*) FROM lmtext.search('doc', 'body', 'cat', k => 5, mode => 'words', filter => 'part = 3');
SELECT abs(words - (SELECT score FROM reference('zebras query') WHERE id = 17)) < 1e-5 AS words, words_rank > 0 AS ranked, rank > 0 AS fused FROM lmtext.explain_search('doc', 'body', 'zebras query', '17');

-- ---- What a search finds of the best rows; and what it has looked at ----
SELECT recall > .9 AS recall, samples, k, words_recall FROM lmtext.index_recall('doc_i', ARRAY['the cat', 'data on zebras', 'resizing 7', NULL, ''], k => 5);
CREATE TABLE many (id int, body text NOT NULL) WITH (autovacuum_enabled = off);
INSERT INTO many SELECT i, 'w' || i % 7 || repeat(' filler', i * 7 % 13) || CASE WHEN i < 60 OR i % 300 = 0 THEN ' rare rare' ELSE '' END FROM generate_series(1, 6000) i;
CREATE INDEX many_words ON many USING lmtext (body) WITH (words = true);
INSERT INTO many SELECT i, 'w' || i % 7 || repeat(' filler', i % 13) FROM generate_series(6001, 6300) i;
SELECT * FROM lmtext.index_recall('many_words', ARRAY['rare filler', 'w3 w4', 'filler', 'none', '', NULL], k => 20);
SELECT recall IS NULL AND words_recall IS NULL AS none, samples FROM lmtext.index_recall('many_words', '{}'::text[]);
CREATE FUNCTION effort(query text) RETURNS TABLE (index regclass, model text, rounds bigint, lists bigint, codes bigint, postings boolean, skipped boolean) LANGUAGE plpgsql AS
$$BEGIN
    SET LOCAL enable_seqscan = off;
    EXECUTE 'SELECT count(*) FROM (' || query || ') x';
    RETURN QUERY SELECT s.index, s.model, s.rounds, s.lists, s.codes, s.postings > 0, s.blocks_skipped > 0 FROM lmtext.index_last_scan() s;
END$$;
SELECT * FROM effort('SELECT FROM many ORDER BY body <@> ''rare filler'' LIMIT 5');
SELECT * FROM effort('SELECT FROM many ORDER BY body <@> ''rare filler'' LIMIT 50');
SELECT * FROM effort('SELECT FROM doc ORDER BY body <@> ''the cat'' LIMIT 5');
SELECT * FROM effort('SELECT FROM doc ORDER BY body <=> ''the cat'' LIMIT 5');
-- Since PostgreSQL 18 EXPLAIN (ANALYZE) says it, in any format; without ANALYZE, and of other nodes, nothing.
CREATE FUNCTION explains(query text, how text, wanted text) RETURNS boolean LANGUAGE plpgsql AS
$$DECLARE line text; said text = '';
BEGIN
    SET LOCAL enable_seqscan = off;
    FOR line IN EXECUTE format('EXPLAIN (%s) %s', how, query) LOOP
        SELECT said || string_agg(regexp_replace(m[1], '\d+$', 'N'), E'\n' ORDER BY n) INTO line
        FROM regexp_matches(line, '((?:Model|Rounds|Lists Probed|Codes Scanned|Rows Re-ranked|Postings Read|Blocks Skipped)"?: [^\s,]+)', 'g') WITH ORDINALITY x (m, n);
        said := coalesce(line || E'\n', said);
    END LOOP;
    RETURN rtrim(said, E'\n') IS NOT DISTINCT FROM CASE WHEN current_setting('server_version_num')::int >= 180000 THEN wanted ELSE '' END;
END$$;
SELECT how, explains('SELECT FROM many ORDER BY body <@> ''rare filler'' LIMIT 5', how, wanted) FROM (VALUES
    ('ANALYZE, COSTS off', E'Rounds: N\nPostings Read: N\nBlocks Skipped: N'), ('ANALYZE, FORMAT json', E'Rounds": N\nPostings Read": N\nBlocks Skipped": N'),
    ('COSTS off', ''), ('FORMAT json', '')) x (how, wanted);
SELECT explains('SELECT FROM doc ORDER BY body <@> ''the cat'' LIMIT 5', 'ANALYZE', E'Model: m@N\nRounds: N\nPostings Read: N\nBlocks Skipped: N') AS by_words,
    explains('SELECT FROM doc ORDER BY body <=> ''the cat'' LIMIT 5', 'ANALYZE, FORMAT json', E'Model": "m@1"\nRounds": N\nLists Probed": N\nCodes Scanned": N\nRows Re-ranked": N') AS by_meaning,
    explains('SELECT FROM doc WHERE id = 3', 'ANALYZE', '') AS others;

-- ---- Rights: the owner's for rows, the user's own for words ----
CREATE ROLE tokens_reader;
GRANT USAGE ON SCHEMA test_tokens TO tokens_reader;
GRANT SELECT, INSERT ON doc TO tokens_reader;
SET ROLE tokens_reader;
INSERT INTO doc VALUES (2000, 'written without the model', 0);
SELECT refusal('SELECT id FROM test_tokens.doc ORDER BY body <@> ''cat'' LIMIT 1');
SELECT refusal('SELECT body <@> ''cat'' FROM test_tokens.doc WHERE id = 3');
RESET ROLE;
SELECT lmtext.grant_model('m@1', 'tokens_reader');
SET ROLE tokens_reader;
SELECT count(*) FROM (SELECT id FROM doc ORDER BY body <@> 'cat' LIMIT 3) x;
RESET ROLE;
DROP OWNED BY tokens_reader;
DROP ROLE tokens_reader;

-- ---- Options that its rows are not made by ----
SELECT change, refusal(format('ALTER INDEX doc_i %s', change)) AS answer FROM unnest(ARRAY['SET (words = true)', 'RESET (words)', 'SET (words = false)', 'SET (words_config = english)',
    'SET (model = ''other@1'')', 'RESET (model)', 'SET (words = TOKENS)', 'SET (words = t)', 'SET (words = maybe)']) change;
SELECT refusal('ALTER INDEX many_words SET (words = tokens)'), refusal('SELECT lmtext.drop_model(''m@1'')');
TRUNCATE doc;
ALTER INDEX doc_i SET (words = true, words_config = english);
INSERT INTO doc VALUES (1, 'resized', 0);
SELECT body <@> 'resizing' < 0 AS stemmed, sound('doc_i') FROM doc;
TRUNCATE doc;
ALTER INDEX doc_i RESET (words_config);
ALTER INDEX doc_i SET (words = tokens);
INSERT INTO doc VALUES (1, 'resized', 0);
SELECT body <@> 'zed' < 0 AS by_pieces, sound('doc_i') FROM doc;
-- A text without a token is in no list of vectors, and among the words: the model stays.
\set bag :source '/models/tiny/words-bag'
SELECT lmtext.import_model('bag', :'bag');
CREATE TABLE few (body text NOT NULL);
CREATE INDEX few_i ON few USING lmtext (body) WITH (model = 'bag@1', words = tokens);
SELECT refusal('ALTER INDEX few_i SET (model = ''m@1'')'), refusal('ALTER INDEX few_i SET (model = ''bag@1'')');
CREATE INDEX few_lexemes ON few USING lmtext (body) WITH (model = 'bag@1', words = true);
SET lmtext.on_empty = 'null';
INSERT INTO few VALUES ('zzz');
SELECT rows, documents, words FROM lmtext.index_stats('few_i');
SELECT refusal('ALTER INDEX few_i SET (model = ''m@1'')'), refusal('ALTER INDEX few_lexemes SET (words = tokens)');
DROP SCHEMA test_tokens CASCADE;

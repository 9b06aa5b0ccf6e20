-- lmtext.search and its kin: rankings by meaning, by words and by both, filters, rights, the cut, why a row, chunks.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS lmtext;
CREATE SCHEMA test_find;
SET search_path = test_find, public;
\getenv minilm LMTEXT_MINILM
\getenv source_dir LMTEXT_SOURCE_DIR
\set router :source_dir '/models/tiny/router-asym'
\set prompts :source_dir '/models/tiny/bert-sides'
SELECT lmtext.import_model('minilm', :'minilm');
SET lmtext.embedding_model = 'minilm';
SET max_parallel_workers_per_gather = 0;
SET default_text_search_config = 'pg_catalog.english';

CREATE FUNCTION refusal(command text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE command;
    RETURN 'accepted';
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE || ' ' || SQLERRM;
END $$;

CREATE TABLE doc (id int PRIMARY KEY, body text, section text, year int, embedding real[]);
INSERT INTO doc (id, body, section, year) VALUES
    (1, 'A tool to scale and crop pictures.', 'graphics', 2019), (2, 'Stock market news of today.', 'news', 2024),
    (3, 'Recipes for bread and cake.', 'food', 2020), (4, 'Convert photos between formats.', 'graphics', 2021),
    (5, 'Weather forecast for sailors.', 'news', 2023), (6, NULL, 'none', 2020), (7, 'How to bake bread at home: bread for all.', 'food', 2018),
    (8, '', 'none', 2020);
CREATE TRIGGER embed BEFORE INSERT OR UPDATE ON doc FOR EACH ROW EXECUTE FUNCTION lmtext.embed_trigger('body', 'embedding', 'minilm@1');
UPDATE doc SET body = body;

-- By meaning: rows in the order of <=>, named by table, place and key; NULL and a vector that is not there are no rows.
SELECT d.title, s.tableoid::regclass, s.ctid = d.ctid AS place, key, round(s.score::numeric, 3) AS score, s.semantic = s.score AS semantic, s.words,
       s.semantic_rank, s.words_rank
FROM lmtext.search('doc', 'body', 'how do I resize images', 3) s JOIN (SELECT ctid, id::text AS key, body AS title FROM doc) d USING (key)
ORDER BY s.semantic_rank;
SELECT array_agg(s.key::int ORDER BY s.semantic_rank) = (SELECT array_agg(id ORDER BY embedding <=> lmtext.embed('storm')) FROM doc WHERE embedding IS NOT NULL)
    AS in_order, max(s.semantic_rank) AS rows
FROM lmtext.search('doc', 'embedding', 'storm', 100) s;
-- One pass gives what ORDER BY gives, for text and for vectors; several queries are answered each by itself.
SELECT bool_and(a.key = b.key AND abs(a.score - b.score) < 1e-6) AS same, count(*)
FROM lmtext.search('doc', 'embedding', 'storm at sea', 4) a JOIN lmtext.search('doc', 'body', 'storm at sea', 4, mode => 'exact') b USING (semantic_rank);
SELECT query, key, round(score::numeric, 3) AS score, semantic_rank
FROM lmtext.search('doc', 'embedding', '{baking,NULL,"wind and rain"}'::text[], 2);
SELECT bool_and(a.key = b.key AND abs(a.score - b.score) < 1e-6) AS same, count(*)
FROM lmtext.search('doc', 'body', '{baking,NULL,"wind and rain"}'::text[], 3) a
    JOIN lmtext.search('doc', 'embedding', '{baking,NULL,"wind and rain"}'::text[], 3, mode => 'exact') b USING (query, semantic_rank);
SELECT count(*) AS none FROM lmtext.search('doc', 'body', NULL::text);
SELECT count(*) AS none FROM lmtext.search('doc', 'body', '{NULL}'::text[]);
SELECT count(*) AS none FROM lmtext.search('doc', 'body', 'bread', min_score => 0.99);
SELECT key FROM lmtext.search('doc', 'body', 'baking bread', min_score => 0.5) ORDER BY key;
-- An index that gives the order of <=> is used; here the order of a plan without one is the same.
SELECT lmtext_internal.has_ordering('doc', 2::smallint) AS has_none;

-- By words: BM25, equal to its formula over the same words.
CREATE VIEW reference AS
    WITH word AS (SELECT d.id, w.lexeme, cardinality(w.positions) AS tf FROM doc d, unnest(to_tsvector('english', d.body)) w),
         length AS (SELECT d.id, coalesce(sum(w.tf), 0)::float8 AS dl FROM doc d LEFT JOIN word w USING (id) WHERE d.body IS NOT NULL GROUP BY d.id),
         mean AS (SELECT avg(dl) AS dl, count(*)::float8 AS n FROM length),
         term AS (SELECT lexeme, ln(1 + ((SELECT n FROM mean) - count(*) + .5) / (count(*) + .5)) AS idf FROM word
                  WHERE lexeme IN ('bread', 'bake', 'recip') GROUP BY lexeme)
    SELECT w.id, sum(t.idf * w.tf * 2.2 / (w.tf + 1.2 * (1 - .75 + .75 * l.dl / m.dl))) AS score
    FROM word w JOIN term t USING (lexeme) JOIN length l USING (id), mean m GROUP BY w.id;
SELECT s.key, abs(s.score - r.score) < 1e-5 AS equal, s.words = s.score AS words, s.words_rank, s.semantic
FROM lmtext.search('doc', 'body', 'recipes to bake bread', mode => 'words') s LEFT JOIN reference r ON r.id::text = s.key ORDER BY s.words_rank;
-- A filter takes rows out, and leaves the statistics of words as they were.
SELECT s.key, abs(s.score - r.score) < 1e-5 AS equal
FROM lmtext.search('doc', 'body', 'recipes to bake bread', mode => 'words', filter => 'year < 2020') s LEFT JOIN reference r ON r.id::text = s.key ORDER BY s.words_rank;
SELECT count(*) AS stop_words FROM lmtext.search('doc', 'body', 'to the', mode => 'words');
SELECT key FROM lmtext.search('doc', 'body', 'recipe', mode => 'words', config => 'simple');

-- Both: ranks fused, 60 added to each.
SELECT key, round(score::numeric, 6) AS score,
       round((coalesce(1.0 / (60 + semantic_rank), 0) + coalesce(1.0 / (60 + words_rank), 0))::numeric, 6) AS formula, semantic_rank, words_rank
FROM lmtext.search('doc', 'embedding', 'sailors who bake bread', mode => 'hybrid', k => 4);
SELECT key, semantic_rank, words_rank FROM lmtext.search('doc', 'embedding', 'sailors who bake bread', mode => 'hybrid', k => 3, candidates => 3);
SELECT query, count(*) FROM lmtext.search('doc', 'body', '{bread,photos}'::text[], 3, mode => 'hybrid') GROUP BY query ORDER BY query;
-- A GIN index of words is used where there is one; BM25 can be asked for.
CREATE INDEX ON doc USING gin (to_tsvector('english', body));
SELECT key, round(words::numeric, 3) AS words FROM lmtext.search('doc', 'body', 'bake bread', mode => 'words');
SELECT key, abs(s.score - r.score) < 1e-5 AS equal
FROM lmtext.search('doc', 'body', 'recipes to bake bread', mode => 'words', words_by => 'bm25') s LEFT JOIN reference r ON r.id::text = s.key ORDER BY s.words_rank;
SET client_min_messages = error;
DROP VIEW reference;
ALTER TABLE doc ADD words tsvector GENERATED ALWAYS AS (to_tsvector('english', body)) STORED;
RESET client_min_messages;
CREATE INDEX ON doc USING gin (words);
SELECT lmtext_internal.indexed_words('doc', 'body', 'english') LIKE 'pg_catalog.to_tsvector(%r.body%' AS expression, lmtext_internal.indexed_words('doc', 'body', 'simple') AS other;
SELECT key, round(words::numeric, 3) AS words FROM lmtext.search('doc', 'embedding', 'bread OR photos', mode => 'words', filter => 'id < 7');
SELECT key FROM lmtext.search('doc', 'embedding', 'photos', mode => 'words', words_column => 'words', words_by => 'bm25');
ALTER TABLE doc DROP words;
-- A column is taken by itself only where it is generated of the text.
CREATE TABLE worded (id int PRIMARY KEY, body text, "short" varchar(20), tags tsvector, plain tsvector GENERATED ALWAYS AS (to_tsvector('simple', body)) STORED,
    safe tsvector GENERATED ALWAYS AS (to_tsvector('english', coalesce(body, ''))) STORED, cut tsvector GENERATED ALWAYS AS (to_tsvector('simple', "short")) STORED);
CREATE INDEX ON worded USING gin (tags);
SELECT lmtext_internal.indexed_words('worded', 'body', 'english') IS NULL AS not_of_tags;
INSERT INTO worded VALUES (1, 'ships sink', 'boats', 'bread'), (2, 'bread', 'loaf', 'boat');
SELECT b.key AS by_body, t.key AS by_tags FROM lmtext.search('worded', 'body', 'bread', mode => 'words', config => 'simple') b,
    lmtext.search('worded', 'body', 'bread', mode => 'words', config => 'simple', words_column => 'tags') t;
CREATE INDEX ON worded USING gin (plain);
CREATE INDEX ON worded USING gin (safe);
CREATE INDEX ON worded USING gin (cut);
SELECT c, lmtext_internal.indexed_words('worded', t, c) FROM unnest('{english,simple,german}'::regconfig[]) WITH ORDINALITY c (c, n), unnest('{body,short}'::name[]) t ORDER BY t, n;
DROP TABLE worded;

-- Filters: one boolean expression over columns of the relation, and nothing else.
SELECT f, refusal(format('SELECT FROM lmtext.search(''doc'', ''embedding'', ''x'', filter => %L)', f)) FROM unnest(ARRAY[
    'section = ''food'' AND year > 2018', 'doc.year > 2018', 'lower(section) LIKE ''%o%''', 'NULL', 'true -- comment', 'year > 2018 /* a */',
    'true) OR (true', 'true; DROP TABLE doc', 'true FROM doc', 'true WHERE true', 'true, true', 'true AS a', 'true UNION SELECT true', '*', 'doc.*', '',
    '-- ', '/* ', '(', ')', '''', 'year', 'id IN (SELECT 1)', 'EXISTS (SELECT FROM pg_authid)', 'count(*) > 1', 'row_number() OVER () = 1', 'nope = 1', 'other.id = 1',
    'generate_series(1, 2) = 1', '$1 = 1', 'r.year = 1', 'year = ANY (:list)', E'\n\ttrue\n']) f;
SELECT key FROM lmtext.search('doc', 'embedding', 'bread', 2, filter => 'section <> ''food''');
SELECT key FROM lmtext.search('doc', 'embedding', 'bread', 2, filter => 'section <> ''food''', mode => 'exact');
-- It means what it means in the session, though the statement has no path.
CREATE FUNCTION recent(int) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT $1 > 2022';
CREATE OPERATOR === (LEFTARG = int, RIGHTARG = int, FUNCTION = int4eq);
SELECT key FROM lmtext.search('doc', 'embedding', 'bread', filter => 'recent(year) AND year === 2023');
-- A column that is called as a piece of the statement is.
CREATE TABLE odd ("r" int PRIMARY KEY, "Key ""x" text, "ctid2" text);
INSERT INTO odd VALUES (1, 'bread'), (2, 'ships');
SELECT key FROM lmtext.search('odd', 'Key "x', 'boats', 1, filter => '"Key ""x" <> ''bread'' AND r > 0', mode => 'hybrid');

-- What no search can be.
SELECT refusal(c) FROM unnest(ARRAY[
    'SELECT FROM lmtext.search(NULL, ''body'', ''x'')', 'SELECT FROM lmtext.search(''doc'', NULL, ''x'')', 'SELECT FROM lmtext.search(0, ''body'', ''x'')',
    'SELECT FROM lmtext.search(''doc'', ''nope'', ''x'')', 'SELECT FROM lmtext.search(''doc'', ''ctid'', ''x'')', 'SELECT FROM lmtext.search(''doc'', ''year'', ''x'')',
    'SELECT FROM lmtext.search(''doc_pkey'', ''id'', ''x'')', 'SELECT FROM lmtext.search(''doc'', ''body'', ''x'', 0)',
    'SELECT FROM lmtext.search(''doc'', ''body'', ''x'', NULL)', 'SELECT FROM lmtext.search(''doc'', ''body'', ''x'', candidates => 0)',
    'SELECT FROM lmtext.search(''doc'', ''body'', ''x'', mode => ''fuzzy'')', 'SELECT FROM lmtext.search(''doc'', ''body'', ''x'', mode => NULL)',
    'SELECT FROM lmtext.search(''doc'', ''body'', ''x'', cutoff => ''0.5'')', 'SELECT FROM lmtext.search(''doc'', ''body'', ''x'', cutoff => ''auto'')',
    'SELECT FROM lmtext.search(''doc'', ''body'', ''x'', cutoff => ''auto'', mode => ''words'')',
    'SELECT FROM lmtext.search(''doc'', ''body'', ''x'', words_by => ''tfidf'')', 'SELECT FROM lmtext.search(''doc'', ''body'', ''x'', words_column => ''body'')',
    'SELECT FROM lmtext.search(''doc'', ''body'', ''x'', text_column => ''year'')', 'SELECT FROM lmtext.search(''doc'', ''body'', ''x'', key_columns => ''{nope}'')',
    'SELECT FROM lmtext.search(''doc'', ''body'', ''x'', model => ''nope'')', 'SELECT FROM lmtext.search(''doc'', ''embedding'', ''x'', dimensions => 100)',
    'SELECT FROM lmtext.search(''doc'', ''body'', ''x'', dimensions => 4)']) c;
SELECT refusal('SELECT lmtext_internal.parse_filter(0, ''true'', ''r'')'), refusal('SELECT lmtext_internal.write_calibration(0, ''a'', 0, 1, 1, 1, 1, 1)');
SET lmtext.embedding_model = '';
SELECT refusal('SELECT FROM lmtext.search(''doc'', ''body'', ''x'')');
-- A column that lmtext keeps knows its model; a text is compared by the one that is named, and the setting stays.
SELECT key FROM lmtext.search('doc', 'embedding', 'bread', 1);
SELECT key FROM lmtext.search('doc', 'body', 'bread', 1, model => 'minilm@1');
SELECT current_setting('lmtext.embedding_model') = '' AS stays;
SET lmtext.embedding_model = 'minilm';

-- The key: a row of a composite one, columns that are named, none; views name their own.
CREATE TABLE pair (a int, b text, body text, PRIMARY KEY (b, a));
INSERT INTO pair VALUES (1, 'x,y', 'bread'), (2, 'z', 'ships');
SELECT key FROM lmtext.search('pair', 'body', 'flour', 1);
SELECT key FROM lmtext.search('pair', 'body', 'flour', 1, key_columns => '{a}');
CREATE VIEW food AS SELECT id, body FROM doc WHERE section = 'food';
SELECT refusal('SELECT FROM lmtext.search(''food'', ''body'', ''x'')');
SELECT tableoid, ctid, key, words_rank FROM lmtext.search('food', 'body', 'storm', key_columns => '{id}', mode => 'hybrid');
CREATE MATERIALIZED VIEW kept AS SELECT id, body, embedding FROM doc;
SELECT key IS NULL AS no_key, tableoid::regclass, ctid IS NOT NULL AS place FROM lmtext.search('kept', 'embedding', 'storm', 1);

-- Parts and children: tableoid names the part.
CREATE TABLE part (id int, body text, embedding real[], PRIMARY KEY (id)) PARTITION BY RANGE (id);
CREATE TABLE part_1 PARTITION OF part FOR VALUES FROM (1) TO (4);
CREATE TABLE part_2 PARTITION OF part FOR VALUES FROM (4) TO (10);
INSERT INTO part SELECT id, body, embedding FROM doc;
SELECT tableoid::regclass, key FROM lmtext.search('part', 'embedding', 'bread', 2);
SELECT tableoid::regclass, key FROM lmtext.search('part', 'embedding', 'bread', 2, mode => 'exact');
SELECT tableoid::regclass, key, semantic_rank, words_rank FROM lmtext.search('part', 'body', 'bake bread', 2, mode => 'hybrid');
SELECT tableoid::regclass, key FROM lmtext.search('part_1', 'embedding', 'bread', 1);
CREATE TABLE child () INHERITS (pair);
INSERT INTO child VALUES (3, 'q', 'sailing boats');
SELECT tableoid::regclass, key FROM lmtext.search('pair', 'body', 'boats', 1);

-- Rows without a name are not one row; the place of a row of a foreign table is no name.
CREATE VIEW nameless AS SELECT NULL::text AS k, body FROM doc WHERE id < 6;
SELECT count(*), count(semantic_rank) AS semantic, count(words_rank) AS words FROM lmtext.search('nameless', 'body', 'bread', 20, mode => 'hybrid', key_columns => '{k}');
DROP VIEW nameless;
CREATE FOREIGN DATA WRAPPER test_find_far;
CREATE SERVER test_find_far FOREIGN DATA WRAPPER test_find_far;
CREATE FOREIGN TABLE far (body text) SERVER test_find_far;
SELECT refusal('SELECT FROM lmtext.search(''far'', ''body'', ''x'')');
DROP FOREIGN TABLE far;
DROP SERVER test_find_far;
DROP FOREIGN DATA WRAPPER test_find_far;

-- Rights are the caller's: privileges, those of columns, and row security.
CREATE ROLE find_reader;
GRANT USAGE ON SCHEMA test_find TO find_reader;
GRANT SELECT (file) ON "minilm@1" TO find_reader;
SET ROLE find_reader;
SELECT refusal('SELECT FROM lmtext.search(''test_find.doc'', ''body'', ''x'')'), refusal('SELECT FROM lmtext.search(''test_find.doc'', ''nope'', ''x'')'),
       refusal('SELECT FROM lmtext.search(''test_find.doc'', ''body'', ''x'', filter => ''true'')'),
       refusal('SELECT lmtext_internal.parse_filter(''test_find.doc'', ''nope'', ''r'')'), refusal('SELECT lmtext_internal.column_versions(''test_find.doc'', ''body'')'),
       refusal('SELECT FROM lmtext.explain_search(''test_find.doc'', ''body'', ''x'', ''1'')');
RESET ROLE;
GRANT SELECT (body, id) ON doc TO find_reader;
SET ROLE find_reader;
SELECT tableoid, ctid, key FROM lmtext.search('doc', 'body', 'storm', 1);
SELECT key, semantic_rank, words_rank FROM lmtext.search('doc', 'body', 'bread for sailors', 2, mode => 'hybrid');
SELECT refusal('SELECT FROM lmtext.search(''doc'', ''embedding'', ''x'', model => ''minilm'')'),
       refusal('SELECT FROM lmtext.search(''doc'', ''body'', ''x'', filter => ''year > 0'')'),
       refusal('SELECT FROM lmtext.search(''doc'', ''body'', ''x'', key_columns => ''{year}'')'),
       refusal('SELECT lmtext.calibrate_search(''doc'', ''body'')'),
       refusal('SELECT lmtext_internal.write_calibration(''doc'', ''body'', ''"minilm@1"'', 1, .5, -1, 1, 1)'),
       refusal('INSERT INTO lmtext.search_calibration VALUES (''doc'', ''body'', ''"minilm@1"'', 1, .5, -1, 1, 1)'),
       refusal('SELECT lmtext.create_chunks(''doc'', ''body'')');
RESET ROLE;
REVOKE SELECT (id) ON doc FROM find_reader;
SET ROLE find_reader;
SELECT refusal('SELECT FROM lmtext.search(''doc'', ''body'', ''x'')');
RESET ROLE;
GRANT SELECT ON doc TO find_reader;
ALTER TABLE doc ENABLE ROW LEVEL SECURITY;
CREATE POLICY of_food ON doc USING (section = 'food');
SET ROLE find_reader;
SELECT m AS mode, array_agg(s.key ORDER BY s.key) FROM unnest('{semantic,hybrid,exact,words}'::text[]) m,
    LATERAL lmtext.search('doc', 'embedding', 'storm and bread for sailors', mode => m, filter => 'year > 0 OR true') s GROUP BY m ORDER BY m;
-- A filter sees no row that the policy hides, and neither do the statistics of words.
CREATE FUNCTION pg_temp.tell(text) RETURNS boolean LANGUAGE plpgsql AS $$BEGIN RAISE NOTICE 'seen: %', $1; RETURN true; END$$;
SELECT count(*) FROM lmtext.search('doc', 'embedding', 'storm', filter => 'pg_temp.tell(section)');
SELECT round(score::numeric, 4) AS score, round((ln(1 + 1.5 / 1.5) * 2.2 / (1 + 1.2 * (.25 + .75 * 3 / 3.5)))::numeric, 4) AS of_two_rows
FROM lmtext.search('doc', 'body', 'recipes', mode => 'words', words_by => 'bm25');
RESET ROLE;

-- The cut: what the column's own rows have for the mean cosine of their best neighbours.
SELECT refusal('SELECT lmtext.calibrate_search(''doc'', ''embedding'')');
INSERT INTO doc (id, body, section) SELECT 100 + i, 'How to bake ' || w || ' at home, part ' || i, 'food'
FROM generate_series(1, 5) i, LATERAL unnest('{bread,cake,pies,rolls,buns}'::text[]) WITH ORDINALITY u (w, n) WHERE i = n
UNION ALL SELECT 200 + i, w || ' forecast for day ' || i, 'news' FROM generate_series(1, 20) i, LATERAL (SELECT (ARRAY['Weather','Rain','Wind','Storm'])[1 + i % 4] AS w) x;
SELECT round(lmtext.calibrate_search('doc', 'embedding', neighbours => 5)::numeric, 2) AS threshold;
SELECT relation, column_name, model, neighbours, quantile, sampled, rows FROM lmtext.search_calibration;
SELECT count(*) AS refused FROM lmtext.search('doc', 'embedding', 'the constitutional court of Peru', cutoff => 'auto');
SELECT key FROM lmtext.search('doc', 'embedding', 'wind and rain tomorrow', 1, cutoff => 'auto') WHERE key::int > 200;
SELECT query, count(*) FROM lmtext.search('doc', 'embedding', '{"wind and rain tomorrow","the constitutional court of Peru"}'::text[], 3, cutoff => 'auto', mode => 'hybrid')
GROUP BY query;
SELECT count(*) AS not_cut FROM lmtext.search('doc', 'embedding', 'the constitutional court of Peru', 2, cutoff => 'none');
-- By a quantile of questions that were known to be good; it takes the place of the one before.
SELECT lmtext.calibrate_search('doc', 'embedding', queries => ARRAY(SELECT 'weather on day ' || i FROM generate_series(1, 30) i), quantile => 0.01) > 0.3 AS nearer;
SELECT column_name, neighbours, sampled FROM lmtext.search_calibration;
SELECT lmtext.calibrate_search('doc', 'body', sample => 20) IS NOT NULL AS of_text;
CREATE TABLE gone AS SELECT id, embedding FROM doc WHERE embedding IS NOT NULL;
SELECT lmtext.calibrate_search('gone', 'embedding') IS NOT NULL AS of_vectors;
-- No other database knows a table that is gone, or one of a session.
CREATE TEMP TABLE passing AS SELECT * FROM gone;
SELECT refusal('SELECT lmtext.calibrate_search(''passing'', ''embedding'')');
SELECT format('SELECT relation, column_name FROM lmtext.search_calibration %s ORDER BY 1, 2', extcondition[array_position(extconfig, 'lmtext.search_calibration'::regclass::oid)]) AS dumped
FROM pg_extension WHERE extname = 'lmtext' \gset
:dumped;
DROP TABLE gone;
:dumped;
-- Columns that are called as pieces of the statement are; none has a calibration without rows.
CREATE TABLE terse AS SELECT embedding AS t, embedding AS c, embedding AS n FROM doc WHERE embedding IS NOT NULL;
SELECT count(DISTINCT lmtext.calibrate_search('terse', c)) AS the_same FROM unnest('{t,c,n}'::name[]) c;
DELETE FROM terse;
SELECT refusal('SELECT lmtext.calibrate_search(''terse'', ''t'')'),
       refusal('SELECT lmtext.calibrate_search(''terse'', ''t'', queries => ARRAY(SELECT ''query '' || i FROM generate_series(1, 20) i))');
DROP TABLE terse;
SELECT lmtext.calibrate_search('doc', 'body', sample => 20) IS NOT NULL AS again;
SELECT relation, column_name FROM lmtext.search_calibration ORDER BY 1, 2;
SELECT refusal(c) FROM unnest(ARRAY[
    'SELECT lmtext.calibrate_search(''doc'', ''embedding'', neighbours => 0)', 'SELECT lmtext.calibrate_search(''doc'', ''embedding'', quantile => 1)',
    'SELECT lmtext.calibrate_search(''doc'', ''embedding'', quantile => ''NaN'')',
    'SELECT lmtext.calibrate_search(''doc'', ''embedding'', sample => 19)', 'SELECT lmtext.calibrate_search(''food'', ''body'')',
    'SELECT lmtext.calibrate_search(''doc'', ''embedding'', queries => ''{a,b}'')']) c;
DELETE FROM doc WHERE id > 100;

-- Sentences, and those that are nearest to a query.
SELECT * FROM lmtext_internal.sentences(E'  One. Two?  "Three!" he said\n\nA head line\nfour 一。二！「三。」四。 e.g. 3.5 x');
SELECT count(*) AS none FROM lmtext_internal.sentences(E' \n\t ');
SELECT content, start, stop, round(score::numeric, 3) AS score FROM lmtext.highlight('The sea is calm. Bake it for an hour! Let it cool.', 'time in the oven', k => 2);
SELECT substr(t, start + 1, stop - start) = content AS offsets
FROM (SELECT 'Ωμέγα. Ships sail — far away. Ende.'::text AS t) x, lmtext.highlight(t, 'boats', 'minilm');
SELECT count(*) AS none FROM lmtext.highlight(NULL, 'x');
SELECT count(*) AS none FROM lmtext.highlight('x', NULL);
SELECT count(*) AS none FROM lmtext.highlight('', 'x');
SELECT refusal('SELECT lmtext.highlight(''x'', ''y'', k => 0)'), refusal('SELECT lmtext_internal.cosines(''{{1,2}}'', ''{1}'')'),
       refusal('SELECT lmtext_internal.cosines(''{1,2}'', ''{1,2}'')'), refusal('SELECT lmtext_internal.cosines(''{{1,NULL}}'', ''{1,2}'')');
SELECT lmtext_internal.cosines('{}', '{1}'), lmtext_internal.cosines('{{1,0},{0,2}}', '{3,0}');
-- A sentence beyond the window is cut.
SELECT count(*) > 1 AS pieces, max(stop) = 2299 AS to_the_end
FROM unnest((lmtext_internal.passages(rtrim(repeat('ab cd ', 383)) || ' x', 'minilm')).stops) stop;

-- Why a row stands where it stands.
\x
SELECT rank, round(score::numeric, 5) AS score, semantic_rank, round(semantic::numeric, 3) AS semantic, words_rank, round(words::numeric, 3) AS words,
       passage, start, stop, round(passage_score::numeric, 3) AS passage_score, tokens, tokens_read, tokens_cut
FROM lmtext.explain_search('doc', 'embedding', 'bake bread', '7', words_by => 'bm25');
SELECT rank, semantic_rank, words_rank, passage, tokens FROM lmtext.explain_search('doc', 'body', 'bake bread', '5', model => 'minilm@1', words_by => 'bm25');
SELECT rank, semantic_rank, words_rank, passage, tokens FROM lmtext.explain_search('kept', 'embedding', 'bake bread', '5', key_columns => '{id}', model => 'minilm');
\x
SELECT count(*) AS no_such_row FROM lmtext.explain_search('doc', 'body', 'bake bread', '70');
SELECT count(*) AS no_such_row FROM lmtext.explain_search('doc', 'body', 'bake bread', '7', filter => 'id < 7');
SELECT refusal('SELECT FROM lmtext.explain_search(''kept'', ''body'', ''x'', ''1'')');
INSERT INTO doc VALUES (9, repeat('bread ', 400));
SELECT tokens, tokens_read, tokens_cut FROM lmtext.explain_search('doc', 'body', 'bread', '9');
SET lmtext.on_long = mean;
SELECT tokens, tokens_read, tokens_cut FROM lmtext.explain_search('doc', 'body', 'bread', '9');
RESET lmtext.on_long;
DELETE FROM doc WHERE id = 9;

-- The aggregates alone.
SELECT h.query, h.key, h.score FROM (SELECT lmtext_internal.nearest(NULL, NULL, key, v, '{{1,0},{0,1}}', 2) AS hits
    FROM (VALUES ('a', '{2,0}'::real[]), ('b', '{0,0}'), ('c', NULL), ('d', '{0,-1}'), ('e', '{3,3}'), ('f', '{1,0}')) t (key, v)) s, unnest(s.hits) h;
-- As <=> has it: nothing is near to a zero vector, and small numbers have their direction.
SELECT h.query, h.key, h.score FROM (SELECT lmtext_internal.nearest(NULL, NULL, key, v, '{{0,0},{1e-30,0},{3e38,3e38}}', 2) AS hits
    FROM (VALUES ('a', '{1e-30,1e-30}'::real[]), ('b', '{1e-38,0}'), ('c', '{0,3e38}')) t (key, v)) s, unnest(s.hits) h;
SELECT cardinality(lmtext_internal.nearest(NULL, NULL, 'a', '{1}', NULL, 2)) AS no_queries, cardinality(lmtext_internal.bm25(NULL, NULL, 'a', 'a', true, NULL, 2)) AS no_terms;
SELECT refusal(c) FROM unnest(ARRAY[
    $$SELECT lmtext_internal.nearest(NULL, NULL, 'a', '{1,2}', '{{1}}', 1)$$, $$SELECT lmtext_internal.nearest(NULL, NULL, 'a', '{1,2}', '{1,2}', 1)$$,
    $$SELECT lmtext_internal.nearest(NULL, NULL, 'a', '{1,2}', '{{1,2}}', 0)$$, $$SELECT lmtext_internal.nearest(NULL, NULL, 'a', '{1,NaN}', '{{1,2}}', 1)$$,
    $$SELECT lmtext_internal.nearest(NULL, NULL, 'a', '{1,2}', '{{1,Infinity}}', 1)$$, $$SELECT lmtext_internal.nearest(NULL, NULL, 'a', '{1,2}', '{{1,NULL}}', 1)$$,
    $$SELECT lmtext_internal.bm25(NULL, NULL, 'a', 'a', true, '{{a}}', 1)$$, $$SELECT lmtext_internal.bm25(NULL, NULL, 'a', 'a', true, '{NULL}', 1)$$,
    $$SELECT lmtext_internal.bm25(NULL, NULL, 'a', 'a', true, '{a}', 0)$$]) c;
-- Stripped words count once; a row that is not wanted counts all the same; longer documents have less.
SELECT h.key, round(h.score::numeric, 4) AS score FROM (SELECT lmtext_internal.bm25(NULL, NULL, key, v, key <> 'c', '{b,zz}', 5) AS hits
    FROM (VALUES ('a', 'a b'::tsvector), ('b', 'b:1,2 c:3'), ('c', 'b'), ('d', 'zz'), ('e', 'q'), ('f', 'bb')) t (key, v)) s, unnest(s.hits) h;
-- A row without a place has no name.
SELECT h.tableoid, h.ctid, h.key FROM (SELECT lmtext_internal.bm25(1, NULL, NULL, 'a', true, '{a}', 1) || lmtext_internal.nearest(1, NULL, NULL, '{1}', '{{1}}', 1) AS hits) s, unnest(s.hits) h;
-- Rows that do not fit work_mem lie in a file, and nothing changes.
CREATE FUNCTION best_of_many() RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(h.key || ' ' || h.score, ', ' ORDER BY h.score DESC, h.key) FROM (SELECT lmtext_internal.bm25(1, format('(%s,1)', i)::tid,
        i::text, ('b:1' || CASE WHEN i % 700 = 0 THEN ' a:2,3' ELSE '' END)::tsvector, true, '{a,b}', 3) AS hits FROM generate_series(1, 4000) i) s, unnest(s.hits) h $$;
SELECT best_of_many() AS in_memory \gset
SET work_mem = '64kB';
SELECT best_of_many() = :'in_memory' AS same, best_of_many() LIKE '1400 %, 2100 %, 700 %' AS best;
RESET work_mem;

-- Chunks: a table that triggers keep in step.
CREATE TABLE art (id int, lang text, title text, body text, PRIMARY KEY (id, lang));
INSERT INTO art VALUES (1, 'en', 'bread', 'Bread needs flour. It needs water too. Bake it for an hour.'),
    (2, 'en', 'sea', 'The sea is deep. Storms are dangerous for sailors. Ships sink.'), (4, 'en', 'none', NULL);
SELECT lmtext.create_chunks('art', 'body', max_tokens => 6);
CREATE VIEW chunks AS SELECT id, lang, chunk, content, start, stop, tokens, embedding = lmtext.embed(content) AS embedded FROM art_chunks;
SELECT * FROM chunks ORDER BY id, chunk;
-- What keeps its text keeps its row, whatever else changes; what is next to it need not be cut again.
CREATE TABLE before AS SELECT ctid AS place, * FROM art_chunks;
UPDATE art SET title = upper(title);
UPDATE art SET body = 'Bread needs flour. It needs water too. Bake it for two hours.' WHERE id = 1;
SELECT c.id, c.chunk, c.content, c.ctid = b.place AS same_row, c.embedding = lmtext.embed(c.content) AS embedded
FROM art_chunks c LEFT JOIN before b USING (id, chunk) ORDER BY c.id, c.chunk;
INSERT INTO art VALUES (3, 'en', 'CATS', 'Cats sleep a lot. They eat fish. Some catch mice.');
-- A document with its best chunk.
SELECT key, round(score::numeric, 3) AS score, chunk, content, start, stop FROM lmtext.search_chunks('art_chunks', 'what do pets eat', 2);
SELECT key, chunk, content FROM lmtext.search_chunks('art_chunks', 'what do pets eat', 2, filter => 'title <> ''CATS'' AND art.id > 0');
SELECT key, chunk, content FROM lmtext.search_chunks('art_chunks', 'dangerous ships', 1, mode => 'hybrid');
SELECT key, chunk FROM lmtext.search_chunks('art_chunks', 'cats', 100);
SELECT count(*) AS none FROM lmtext.search_chunks('art_chunks', NULL);
-- All of a document goes with it; another key, another text, no text.
UPDATE art SET id = 30 WHERE id = 3;
UPDATE art SET body = 'Short.' WHERE id = 2;
UPDATE art SET body = NULL WHERE id = 1;
UPDATE art SET body = 'New.' WHERE id = 4;
SELECT id, lang, chunk, content, embedded FROM chunks ORDER BY id, chunk;
DELETE FROM art WHERE id = 30;
SELECT id, content FROM chunks ORDER BY id;
TRUNCATE art;
SELECT count(*) AS none FROM art_chunks;
-- A document that comes back before its chunks have gone keeps its new ones.
CREATE TABLE back (id int PRIMARY KEY, body text);
CREATE FUNCTION come_back() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN INSERT INTO back VALUES (OLD.id, 'Again.'); RETURN NULL; END$$;
SELECT lmtext.create_chunks('back', 'body', embedding => 'none');
CREATE TRIGGER aa AFTER DELETE ON back FOR EACH ROW EXECUTE FUNCTION come_back();
INSERT INTO back VALUES (1, 'Cats sleep.');
DELETE FROM back;
SELECT id, content FROM back_chunks;
SELECT lmtext.drop_chunks('back_chunks');
CREATE TABLE later (id int PRIMARY KEY DEFERRABLE, body text);
SELECT refusal('SELECT lmtext.create_chunks(''later'', ''body'')');
-- A virtual column is nothing that a trigger sees; an old snapshot nothing that chunks are made of.
SELECT CASE WHEN current_setting('server_version_num')::int >= 180000 THEN 'VIRTUAL' ELSE 'STORED' END AS kind \gset
CREATE TABLE derived (id int PRIMARY KEY, a text, body text GENERATED ALWAYS AS (a || '.') :kind);
SELECT CASE :'kind' WHEN 'VIRTUAL' THEN refusal('SELECT lmtext.create_chunks(''derived'', ''body'')')
    ELSE '0A000 column "body" is a virtual generated column' END AS refused;
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT refusal('SELECT lmtext.create_chunks(''derived'', ''a'')');
COMMIT;
-- Who may write documents needs nothing more; who may read some reads their chunks.
GRANT SELECT, INSERT ON art TO find_reader;
ALTER TABLE art ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON art USING (lang = 'en');
DROP VIEW chunks;
SELECT lmtext.drop_chunks('art_chunks');
SELECT lmtext.create_chunks('art', 'body', 'pieces', 'minilm');
INSERT INTO art VALUES (1, 'de', '', 'Brot braucht Mehl.');
SET ROLE find_reader;
INSERT INTO art VALUES (2, 'en', '', 'Bread needs flour.');
SELECT id, content FROM pieces;
SELECT key, content FROM lmtext.search_chunks('pieces', 'Mehl', 5, model => 'minilm');
SELECT refusal('DELETE FROM pieces'), refusal('SELECT lmtext.drop_chunks(''pieces'')');
RESET ROLE;
REVOKE SELECT ON art FROM find_reader;
GRANT SELECT (id, lang) ON art TO find_reader;
SET ROLE find_reader;
SELECT refusal('SELECT FROM pieces'), refusal('SELECT FROM lmtext.search_chunks(''pieces'', ''Mehl'', model => ''minilm'')');
RESET ROLE;
GRANT SELECT ON art TO find_reader;
SET ROLE find_reader;
CREATE TEMP TABLE trap (id int, lang text, body text);
SELECT refusal('CREATE TRIGGER t AFTER INSERT ON trap FOR EACH ROW EXECUTE FUNCTION pieces_keep()');
RESET ROLE;
SELECT count(*) FROM pieces;
SELECT refusal('DROP TABLE art');
-- By a job, by nobody.
SELECT lmtext.create_chunks('art', 'body', 'slow pieces', 'minilm@1', embedding => 'job');
CALL lmtext.run_job('slow pieces');
SELECT count(*) AS done FROM "slow pieces" WHERE embedding = lmtext.embed(content);
SELECT lmtext_internal.text_of('"slow pieces"', 'embedding') AS text, lmtext_internal.text_of('part', 'embedding') IS NULL AS none_of_others;
INSERT INTO art VALUES (5, 'en', '', 'Ships sink.');
SELECT count(*) AS due FROM "slow pieces" WHERE embedding IS NULL;
CALL lmtext.run_job('slow pieces');
SELECT key, content FROM lmtext.search_chunks('"slow pieces"', 'boats', 1);
SELECT lmtext.create_chunks('art', 'body', 'bare', embedding => 'none');
SELECT count(*) = count(*) FILTER (WHERE embedding IS NULL) AS bare FROM bare;
BEGIN;
DROP TRIGGER kept_by ON bare;
SELECT refusal('SELECT lmtext.drop_chunks(''bare'')');
ROLLBACK;
-- Under another name, and elsewhere.
CREATE SCHEMA test_found;
ALTER TABLE bare RENAME TO bald;
ALTER TABLE bald SET SCHEMA test_found;
SELECT lmtext.drop_chunks('"slow pieces"'), lmtext.drop_chunks('test_found.bald'), lmtext.drop_chunks('pieces');
INSERT INTO art VALUES (6, 'en', '', 'It can be written again.');
DROP SCHEMA test_found;
SELECT count(*) AS left_over FROM (SELECT tgname FROM pg_trigger WHERE tgrelid = 'art'::regclass UNION ALL SELECT name FROM lmtext.jobs
    UNION ALL SELECT proname FROM pg_proc WHERE proname LIKE '%keep') l;
-- Of a partitioned table.
SELECT lmtext.create_chunks('part', 'body');
INSERT INTO part_2 VALUES (9, 'Ships sink.');
DELETE FROM part WHERE id = 1;
SELECT id, chunk, content FROM part_chunks ORDER BY id;
-- Nobody tells of a partition that goes; its documents are not found.
TRUNCATE part_2;
SELECT count(*) > 0 AS left_over FROM part_chunks WHERE id > 3;
SELECT count(*) FILTER (WHERE key::int > 3) AS gone, count(*) FROM lmtext.search_chunks('part_chunks', 'ships', 20);
SELECT lmtext.drop_chunks('part_chunks');
SELECT refusal(c) FROM unnest(ARRAY[
    'SELECT lmtext.create_chunks(NULL, ''body'')', 'SELECT lmtext.create_chunks(''doc'', ''nope'')', 'SELECT lmtext.create_chunks(''doc'', ''year'')',
    'SELECT lmtext.create_chunks(''doc'', ''body'', embedding => ''soon'')', 'SELECT lmtext.create_chunks(''kept'', ''body'')',
    'SELECT lmtext.create_chunks(''child'', ''body'')', 'SELECT lmtext.create_chunks(''doc'', ''body'', ''doc'')', 'SELECT lmtext.create_chunks(''doc'', ''body'', overlap => 256)',
    'SELECT lmtext.create_chunks(''doc'', ''body'', max_tokens => 0)', 'SELECT lmtext.create_chunks(''doc'', ''body'', model => ''nope'')',
    'SELECT lmtext.create_chunks(''food'', ''body'')', 'SELECT lmtext.search_chunks(''doc'', ''x'')', 'SELECT lmtext.drop_chunks(''doc'')']) c;
-- A model of two sides: a prompt is the trigger's, a route is the job's alone.
SELECT lmtext.import_model('prompted', :'prompts');
SELECT lmtext_internal.document_prompt('minilm@1') = '' AS none_needed, lmtext_internal.document_prompt('prompted@1') AS prompt;
SELECT lmtext.create_chunks('doc', 'body', 'prompted chunks', 'prompted');
INSERT INTO doc (id, body) VALUES (10, 'a new one');
SELECT bool_and(embedding = lmtext.embed_document(content, 'prompted')) AS as_documents, count(*) FROM "prompted chunks" WHERE id IN (1, 10);
SELECT lmtext.drop_chunks('"prompted chunks"');
DELETE FROM doc WHERE id = 10;
SELECT lmtext.import_model('routed', :'router');
SELECT lmtext_internal.document_prompt('routed@1') IS NULL AS no_prompt, refusal('SELECT lmtext.create_chunks(''doc'', ''body'', model => ''routed'')');
SELECT lmtext.create_chunks('doc', 'body', model => 'routed', embedding => 'job');
CALL lmtext.run_job('doc_chunks');
SELECT count(*) = (SELECT count(*) FROM doc_chunks) AS as_documents FROM doc_chunks WHERE embedding = lmtext.embed_document(content, 'routed');
SELECT bool_and(abs(s.score - 1 + (c.embedding <=> lmtext.embed_query('x', 'routed'))) < 1e-6) AS queries
FROM lmtext.search_chunks('doc_chunks', 'x') s JOIN doc_chunks c ON c.id::text = s.key AND c.chunk = s.chunk;

SET client_min_messages = error;
SELECT lmtext.drop_job('doc_chunks');
DROP SCHEMA test_find CASCADE;
DELETE FROM lmtext.search_calibration;
DROP OWNED BY find_reader;
DROP ROLE find_reader;

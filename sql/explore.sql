-- All rows of a query at once: groups, a plane, what to label next; parts of a table by hash; keywords; forms of a text.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS lmtext;
RESET client_min_messages;
CREATE SCHEMA test_explore;
SET search_path = test_explore, public;
\getenv minilm LMTEXT_MINILM
SELECT lmtext.import_model('minilm', :'minilm');
SET lmtext.embedding_model = 'minilm';

CREATE FUNCTION refusal(command text) RETURNS text LANGUAGE plpgsql AS
$$BEGIN
    EXECUTE command;
    RETURN 'accepted';
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE || ' ' || SQLERRM;
END$$;

-- Rows of which scikit-learn was asked for clusters from the same starts, groups by density, and components.
CREATE TABLE v AS
    SELECT i AS id, array_agg(((i * i * 31 % 7 + 1) * (j + 3) * 17 % 41 / 4.0 + (i * 7919 + j * 104729 + i * j * 31) % 1000 / 250.0)::real ORDER BY j) AS e
    FROM generate_series(0, 59) i, generate_series(0, 9) j GROUP BY i;
CREATE FUNCTION letters(k int, options jsonb) RETURNS text LANGUAGE sql AS
$$SELECT string_agg(coalesce(chr(96 + cluster), '.'), '' ORDER BY key::int)
  FROM lmtext.cluster('SELECT id, e FROM v ORDER BY id', k, options)$$;
SELECT letters(7, '{"starts": "SELECT id, e FROM v WHERE id IN (0, 10, 20, 30, 40, 50, 55) ORDER BY id"}')
    = 'cdbaabdcdbaagecfbaabdcdbaabecegaabecdbaabfcfbaabdcegaagfcfba' AS as_scikit_learn;
SELECT letters(4, '{"starts": "SELECT id, e FROM v WHERE id < 4 ORDER BY id", "iterations": 1}')
    = 'dabccbadabccbadabccbadabccbadabccbadabccbadabccbadabccbadabc' AS as_scikit_learn;
SELECT letters(NULL, '{"similarity": 0.99, "least": 2}')
    = '.abddba.abccba.abccba.ab..baeab..ba.abddbaeab.cbaeabffbaeab.' AS as_scikit_learn,
    letters(NULL, '{"method": "dbscan", "similarity": 1, "least": 61}') = repeat('.', 60) AS none;
SELECT letters(5, '{"seed": 3}') = letters(5, '{"seed": 3, "tolerance": 0.0001}') AS same_for_a_seed,
       letters(4, NULL) = letters(4, '{"starts": "SELECT id, e FROM v WHERE id < 4 ORDER BY id"}') AS plain_groups,
       length(letters(60, '{}')) AS of_each;
SELECT round(x::numeric, 3) AS x, round(y::numeric, 3) AS y FROM lmtext.project('SELECT id, e FROM v ORDER BY id') LIMIT 3;

-- UMAP: the same points for a seed; of five groups every point's nearest is of its own.
CREATE TABLE grouped AS SELECT i AS id, ARRAY(SELECT ((CASE WHEN j = i % 5 THEN 4 ELSE 0 END) + (hashint4(i * 16 + j) & 1023) / 1023.0)::real FROM generate_series(0, 15) j) AS e FROM generate_series(1, 200) i;
CREATE TABLE placed AS SELECT key::int AS id, point(x, y) AS p FROM lmtext.project('SELECT id, e FROM grouped ORDER BY id', 'umap');
SELECT count(*) AS points, bool_and(n.id % 5 = a.id % 5) AS of_its_own FROM placed a, LATERAL (SELECT b.id FROM placed b WHERE b.id <> a.id ORDER BY a.p <-> b.p LIMIT 1) n;
SELECT bool_and(p.p ~= point(x, y)) AS same, (SELECT bool_or(NOT p.p ~= point(x, y)) FROM placed p JOIN lmtext.project('SELECT id, e FROM grouped ORDER BY id', 'umap', '{"seed": 1}') o ON o.key = p.id::text) AS other
FROM placed p JOIN lmtext.project('SELECT id, e FROM grouped ORDER BY id', 'umap', '{"seed": 42, "neighbours": 15, "min_distance": 0.1, "epochs": 500}') o ON o.key = p.id::text;
SELECT count(*) FROM lmtext.project('SELECT id, e FROM grouped WHERE id <= 3', 'umap', '{"epochs": 2}');

-- Texts, with nulls; no rows.
CREATE TABLE ticket (id int PRIMARY KEY, body text);
INSERT INTO ticket VALUES
    (1, 'My parcel has not arrived'), (2, 'How do I return a pair of shoes?'), (3, 'my package has not arrived yet'),
    (4, 'I was charged twice'), (5, 'I want to send the shoes back'), (6, 'You billed me two times'), (7, NULL);
SELECT * FROM lmtext.cluster('SELECT id, body FROM ticket ORDER BY id', 3);
SELECT * FROM lmtext.cluster('SELECT id, lmtext.embed(body) FROM ticket ORDER BY id', options => '{"similarity": 0.7, "least": 2}', model => 'nobody');
SELECT cluster, keyword, round(score::numeric, 3) AS score
FROM lmtext.cluster_keywords('SELECT id % 2 = 0, body FROM ticket ORDER BY id', 2);
SELECT keyword FROM lmtext.cluster_keywords('SELECT 1, body FROM ticket', 3, stop_words => NULL);
SELECT cluster, keyword, score FROM lmtext.cluster_keywords('SELECT 1, ''the a of''::text') WHERE false;
SELECT * FROM lmtext.cluster_keywords('SELECT 1, body FROM ticket WHERE body IS NULL');
SELECT count(*), count(DISTINCT cluster), bool_and(keyword = 'word' || cluster) AS of_its_own
FROM lmtext.cluster_keywords('SELECT i % 40, ''word'' || i % 40 FROM generate_series(1, 100) i', 1);
SELECT key, abs(x) > abs(y) AS right_of_it FROM lmtext.project('SELECT id, body FROM ticket ORDER BY id', 'pca', '{}') LIMIT 3;
SELECT * FROM lmtext.cluster('SELECT id, body FROM ticket WHERE false', 2);
SELECT * FROM lmtext.project('SELECT id, body FROM ticket WHERE false', NULL, NULL);
SELECT refusal(format('SELECT * FROM lmtext.%s', call))
FROM unnest(ARRAY['cluster(NULL, 2)', 'cluster(''SELECT 1, 2'', 2)', 'cluster(''SELECT 1'', 2)', 'cluster(''SELECT id, e FROM v'', 0)', 'cluster(''SELECT id, e FROM v'', 61)',
    'cluster(''DELETE FROM v'', 2)', 'cluster(''SELECT id, e FROM v'', 2, ''{"method": "ward"}'')', 'cluster(''SELECT id, e FROM v'', 2, ''{"method": "dbscan"}'')',
    'cluster(''SELECT id, e FROM v'', NULL, ''{"method": "kmeans"}'')', 'cluster(''SELECT id, e FROM v'', 2, ''{"sed": 1}'')',
    'cluster(''SELECT id, e FROM v'', 2, ''{"iterations": 0}'')', 'cluster(''SELECT id, e FROM v'', 2, ''{"starts": "SELECT id, e FROM v"}'')',
    'cluster(''SELECT id, e FROM v'', 1, ''{"starts": "SELECT 1, array[1::real]"}'')', 'cluster(''SELECT id, body FROM ticket'', 2, model => ''nobody'')',
    'project(NULL)', 'project(''SELECT id, e FROM v'', ''tsne'')', 'project(''SELECT id, e FROM v'', ''pca'', ''{"seed": 1}'')',
    'project(''SELECT id, e FROM v'', ''umap'', ''{"neighbours": 1}'')', 'project(''SELECT id, e FROM v'', ''umap'', ''{"min_distance": 2}'')',
    'cluster_keywords(NULL)', 'cluster_keywords(''SELECT 1, 2'')', 'cluster_keywords(''SELECT id, body FROM ticket'', 0)']) call;

-- What to label next.
CALL lmtext.train('section', 'SELECT body, CASE WHEN id IN (1, 3) THEN ''parcel'' WHEN id IN (2, 5) THEN ''return'' ELSE ''bill'' END
    FROM ticket, generate_series(1, 4) WHERE body IS NOT NULL');
CREATE TABLE todo (id text PRIMARY KEY, body text);
INSERT INTO todo VALUES ('sure', 'My parcel has not arrived'), ('null', NULL), ('odd', 'Purple elephants dance at night'), ('sure too', 'I was charged twice'),
    ('between', 'I was charged for the shoes that I sent back');
SELECT s AS strategy, string_agg(q.key, ', ' ORDER BY n) AS queue, bool_and(abs(q.score - w.score) < 1e-6) AS as_computed_by_hand
FROM unnest('{uncertainty,margin,entropy}'::text[]) s,
     LATERAL lmtext.label_queue('section', 'SELECT id, body FROM todo ORDER BY id', 2, s) WITH ORDINALITY q (key, score, n),
     LATERAL (SELECT CASE s WHEN 'uncertainty' THEN 1 - max(c.score) WHEN 'entropy' THEN -sum(c.score * ln(c.score::float8))
                     ELSE 1 - (max(c.score) - (array_agg(c.score ORDER BY c.score DESC))[2]) END AS score
              FROM todo t, lmtext.class_scores(t.body, 'section') c WHERE t.id = q.key) w
GROUP BY s ORDER BY s;
SELECT key, round(score::numeric, 3) AS distance FROM lmtext.label_queue('minilm', 'SELECT id, body FROM todo ORDER BY id', 10, 'diversity');
SELECT key FROM lmtext.label_queue('minilm', 'SELECT id, e FROM v ORDER BY id', 3, 'diversity');
SELECT key FROM lmtext.label_queue('minilm', 'SELECT id, e FROM v WHERE false', 3, 'diversity');
-- Stored vectors of the base are as good as texts.
SELECT count(*) AS rows, bool_and(t.key = v.key AND abs(t.score - v.score) < 1e-5) AS same
FROM unnest('{margin,uncertainty,entropy}'::text[]) s, LATERAL (SELECT row_number() OVER () AS n, q.* FROM lmtext.label_queue('section', 'SELECT id, body FROM todo ORDER BY id', 4, s) q) t
JOIN LATERAL (SELECT row_number() OVER () AS n, q.* FROM lmtext.label_queue('section', 'SELECT id, lmtext.embed(body) FROM todo ORDER BY id', 4, s) q) v USING (n);
SELECT lmtext.label_queue('section', 'SELECT 1, ARRAY[1, 2]::real[]');
SELECT key FROM lmtext.label_queue('section', 'SELECT id, body FROM todo WHERE false');
SELECT refusal(format('SELECT * FROM lmtext.label_queue(%s)', arguments))
FROM unnest(ARRAY['NULL, ''SELECT 1''', '''section'', NULL', '''section'', ''SELECT 1'', NULL', '''section'', ''SELECT 1'', 1, NULL', '''section'', ''SELECT id, body FROM todo'', 0',
    '''section'', ''SELECT id, body FROM todo'', 1, ''luck''', '''minilm'', ''SELECT id, body FROM todo''', '''section'', ''SELECT id, body FROM todo'', 1, ''diversity''',
    '''nobody'', ''SELECT id, body FROM todo''', '''section'', ''SELECT id, e FROM v''']) arguments;

-- Parts by hash: the same for ever, near the fractions, and no function of the row's place.
SELECT string_agg(lmtext.split(i, 42, '{0.8,0.1,0.1}')::text, '' ORDER BY i) AS stays FROM generate_series(1, 40) i;
SELECT lmtext.split('münchen'::text, 7, '{0.5,0.5}') AS text, lmtext.split(12.50, 7, '{0.25,0.25}') IS NULL AS beyond;
SELECT part, abs(count(*) - 5000 * (ARRAY[0.7, 0.2, 0.1])[part]) < 150 AS near
FROM (SELECT lmtext.split(i, 1, '{0.7,0.2,0.1}') AS part FROM generate_series(1, 5000) i) s GROUP BY part ORDER BY part;
SELECT count(*) FILTER (WHERE lmtext.split(i, 1, '{0.7,0.2,0.1}') <> lmtext.split(i, 2, '{0.7,0.2,0.1}')) > 500 AS by_seed,
       count(*) FILTER (WHERE lmtext.split(i, 1, '{0.7,0.2}') IS NULL) BETWEEN 300 AND 600 AS rest_is_null,
       bool_and(lmtext.split(i, 1, '{1}') = 1) AS all_in_one, bool_and(lmtext.split(i, 1, '{0,1,0}') = 2) AS nothing_in_none
FROM generate_series(1, 4000) i;
SELECT lmtext.split(NULL::int, 1, '{1}') IS NULL AS null_key;
SELECT refusal(format('SELECT lmtext.split(1, 1, %L)', f)) FROM unnest(ARRAY['{}', '{{0.5,0.5}}', '{0.5,NULL}', '{-0.1,0.5}', '{1.1}', '{NaN}', '{0.6,0.6}']) f;
-- A key whose text depends on settings has no part that stays.
CREATE TYPE colour AS ENUM ('red', 'green');
CREATE DOMAIN day AS date;
CREATE DOMAIN word AS text;
SELECT refusal('SELECT lmtext.split(' || k || ', 1, ''{1}'')') FROM unnest(ARRAY['now()', 'current_date::day', '1.5::float8', '''\x00''::bytea', 'ROW(1)', '''{1}''::int[]',
    '''1 s''::interval', '''red''::colour', '''a''::word', 'true', '1::smallint']) k;

-- Keywords.
SELECT keyword, round(score::numeric, 2) AS score FROM lmtext.keywords('Supervised learning is the machine learning task of learning a function that maps an input to an output', k => 3);
SELECT keyword FROM lmtext.keywords('Supervised learning is the machine learning task of learning a function that maps an input to an output', 'minilm@1', 2, words => 2);
SELECT bool_and(k.score = lmtext.similarity('The Cat sat on a mat', k.keyword)) AS as_similarity, string_agg(keyword, ', ' ORDER BY keyword COLLATE "C") AS all
FROM lmtext.keywords('The Cat sat on a mat', k => 10, words => 3, stop_words => NULL) k;
SELECT * FROM lmtext.keywords('of the', k => 3);
-- More phrases than are embedded together.
SELECT count(*), bool_and(k.score = lmtext.similarity(t, k.keyword)) FILTER (WHERE k.keyword LIKE '%8') AS as_similarity
FROM (SELECT string_agg('w' || i, ' ' ORDER BY i) AS t FROM generate_series(101, 230) i) x, lmtext.keywords(t, k => 1000, words => 2) k;
SELECT * FROM lmtext.keywords(NULL);
SELECT refusal('SELECT * FROM lmtext.keywords(''a text'', ' || a || ')') FROM unnest(ARRAY['k => 0', 'words => 11', 'model => ''nobody''', 'stop_words => ''nothing''', 'model => ''section''']) a;

-- Forms of a text: as Python's unicodedata and html have them (test_text_form.c has more).
SELECT lmtext.normalize_text(U&'e\0301') = U&'\00E9' AS nfc, lmtext.normalize_text(U&'\00E9', '{"form": "nfd"}') = U&'e\0301' AS nfd,
       lmtext.normalize_text(U&'\FB01x\00B2', '{"form": "nfkc"}') AS nfkc, lmtext.normalize_text(U&'\FB01', '{"form": "nfkd"}') AS nfkd,
       lmtext.normalize_text(U&'e\0301', '{"form": "none"}') = U&'e\0301' AS none;
SELECT lmtext.normalize_text('Fish &amp; chips &lt;3 &#8364; &notit;', '{"html": true}') = U&'Fish & chips <3 \20AC \00ACit;' AS html,
       lmtext.normalize_text(U&'Cr\00E8me Br\00FBl\00E9e', '{"accents": true}') AS accents,
       lmtext.normalize_text(E' a \t\n b ', '{"whitespace": true}') AS whitespace, lmtext.normalize_text(E'a\x01b\tc', '{"controls": true}') = E'ab\tc' AS controls;
SELECT lmtext.normalize_text('', '{"html": true, "accents": true, "controls": true, "whitespace": true}') = '' AS empty, lmtext.normalize_text(NULL) IS NULL AS null;
SELECT refusal('SELECT lmtext.normalize_text(''a'', ' || quote_literal(o) || ')') FROM unnest(ARRAY['{"form": "nfx"}', '{"html": 1}', '{"lower": true}', '[]']) o;

-- Variants of a text, which are the same for a seed.
\set options '{"share": 0.3, "synonyms": "SELECT word, other FROM synonym", "with": "one two three four five"}'
CREATE TABLE synonym (word text, other text);
INSERT INTO synonym VALUES ('quick', 'fast'), ('LAZY', 'idle'), ('dog', 'hound'), ('dog', 'puppy'), ('fox', NULL);
SELECT op, lmtext.augment('The quick brown fox jumps over the lazy dog', ARRAY[op], 2, 7, :'options')
FROM unnest('{swap,delete,insert,synonyms,keyboard,crop,mix}'::text[]) WITH ORDINALITY o (op, n) ORDER BY n;
SELECT a = b AS same_for_a_seed, a <> c AS other_for_another
FROM (SELECT (SELECT array_agg(v) FROM lmtext.augment(t, '{swap,keyboard,delete}', 20, 1) v) a, (SELECT array_agg(v) FROM lmtext.augment(t, '{swap,keyboard,delete}', 20, 1) v) b,
             (SELECT array_agg(v) FROM lmtext.augment(t, '{swap,keyboard,delete}', 20, 2) v) c FROM (VALUES ('The quick brown fox jumps over the lazy dog')) x (t)) s;
SELECT count(DISTINCT v) > 30 AS many, bool_and(array_length(string_to_array(v, ' '), 1) = 6) AS of_as_many_words
FROM lmtext.augment(U&'Stra\00DFe und \00FCber \00C4pfel 123 Z!', '{keyboard,swap}', 50, 3, '{"share": 1}') v;
SELECT lmtext.augment(E'  one \n', '{swap,delete,crop,synonyms,mix}', 2, 0, '{"share": 1, "synonyms": "SELECT word, other FROM synonym", "with": "one"}') AS a_word;
SELECT lmtext.augment(' ', '{swap,delete,insert,crop,keyboard}') = '' AS no_word, lmtext.augment(' a  b ', '{}') AS no_operation;
SELECT count(*) AS none FROM lmtext.augment('a', '{swap}', 0);
SELECT count(*) AS none FROM lmtext.augment(NULL, '{swap}');
SELECT array_length(string_to_array(v, ' '), 1) AS words FROM lmtext.augment(repeat('a b ', 40), '{insert}', 1, 0, '{"share": 1}') v;
SELECT refusal('SELECT lmtext.augment(''a b'', ' || a || ')') FROM unnest(ARRAY['''{shout}''', '''{NULL}''', '''{synonyms}''', '''{mix}''', '''{mix}'', 1, 0, ''{"with": " "}''', '''{swap}'', -1',
    '''{swap}'', 1, 0, ''{"share": 2}''', '''{synonyms}'', 1, 0, ''{"synonyms": "SELECT 1"}''', '''{synonyms}'', 1, 0, ''{"synonyms": "DELETE FROM synonym"}''']) a;

SET client_min_messages = warning;
DROP SCHEMA test_explore CASCADE;

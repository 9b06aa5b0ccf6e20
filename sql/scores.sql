-- Measures of labels, scores and rankings against scikit-learn 1.9.1 and scipy 1.17 on rows drawn by a linear congruence; reports on
-- tags against seqeval 1.2.2; samples, comparisons, models. scripts/compare-scores.py draws others.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS lmtext;
RESET client_min_messages;
CREATE SCHEMA test_scores;
SET search_path = test_scores, public;
SET extra_float_digits = 0;
\set SHOW_CONTEXT never
\getenv source_dir LMTEXT_SOURCE_DIR
\set tiny :source_dir '/models/tiny'

CREATE TABLE drawn AS
WITH RECURSIVE draw (i, x) AS (
    VALUES (0, 11::bigint)
    UNION ALL SELECT i + 1, (x * 1664525 + 1013904223) & 4294967295 FROM draw WHERE i < 3000),
     row AS (
    SELECT a.i / 6 AS id, a.x >> 16 AS a, b.x >> 16 AS b, c.x >> 16 AS c, d.x >> 16 AS d, e.x >> 16 AS e
    FROM draw a JOIN draw b ON b.i = a.i + 1 JOIN draw c ON c.i = a.i + 2 JOIN draw d ON d.i = a.i + 3 JOIN draw e ON e.i = a.i + 4
    WHERE a.i % 6 = 1)
SELECT id, 'L' || a % 4 AS actual, 'L' || CASE b % 3 WHEN 0 THEN c % 5 ELSE a % 4 END AS predicted, a % 4 + 9 AS grade,
       CASE b % 3 WHEN 0 THEN c % 5 ELSE a % 4 END + 9 AS guess, c % 64 + d % 64 > 70 AS flag, (c % 64) / 64.0::float8 AS score,
       (d % 100)::float8 AS x, (d % 100 + e % 150 / 10)::float8 AS y, (c % 64 / 22)::float8 AS relevance,
       ARRAY['L0', 'L1', 'L2', 'L3'] AS labels, ARRAY[b % 64 + 1, c % 64 + 1, d % 64 + 1, e % 64 + 1]::float8[] AS weights
FROM row;
CREATE VIEW pair AS
    SELECT *, ARRAY(SELECT w / (SELECT sum(s) FROM unnest(weights) s) FROM unnest(weights) WITH ORDINALITY u (w, n) ORDER BY n) AS probabilities
    FROM drawn;

CREATE FUNCTION measures(OUT measure text, OUT value float8) RETURNS SETOF record LANGUAGE sql AS $$
    SELECT m.* FROM (
        SELECT lmtext.balanced_accuracy(actual, predicted) AS balanced, lmtext.precision_score(actual, predicted) AS p,
               lmtext.precision_score(actual, predicted, 'micro') AS p_micro, lmtext.precision_score(actual, predicted, 'weighted') AS p_weighted,
               lmtext.precision_score(actual, predicted, 'binary', 'L2') AS p_l2, lmtext.recall_score(actual, predicted) AS r,
               lmtext.recall_score(actual, predicted, 'weighted') AS r_weighted, lmtext.recall_score(actual, predicted, 'binary', 'L2') AS r_l2,
               lmtext.cohen_kappa(actual, predicted) AS kappa, lmtext.cohen_kappa(grade, guess, 'linear') AS linear,
               lmtext.cohen_kappa(grade, guess, 'quadratic') AS quadratic, lmtext.log_loss(actual, labels, probabilities) AS loss,
               lmtext.log_loss(flag, score) AS binary_loss, lmtext.brier(flag, score) AS brier, lmtext.ece(flag, score) AS ece,
               lmtext.auc(actual, labels, probabilities) AS auc, lmtext.auc(flag, score) AS binary_auc,
               lmtext.average_precision(flag, score) AS ap, lmtext.coverage_at(flag, score, 0.75) AS coverage,
               lmtext.mrr(flag, score) AS mrr, lmtext.mrr(NOT flag, score, 5) AS mrr_5, lmtext.recall_at(flag, score) AS recall_10,
               lmtext.recall_at(flag, score, 100) AS recall_100, lmtext.ndcg(relevance, x) AS ndcg, lmtext.ndcg(relevance, x, 20) AS ndcg_20,
               lmtext.pearson(x, y) AS pearson, lmtext.spearman(x, y) AS spearman, lmtext.kendall(x, y) AS kendall,
               lmtext.ks(flag, x) AS ks, lmtext.psi(flag, x) AS psi
        FROM pair) t,
        LATERAL json_each_text(row_to_json(t)) j (key, text), LATERAL (VALUES (j.key, j.text::float8)) m (measure, value)
$$;
SET max_parallel_workers_per_gather = 0;
SELECT measure, round(value::numeric, 9) AS value FROM measures();

-- Workers give the same bits; so does another order of the rows.
CREATE TABLE alone AS SELECT * FROM measures();
CREATE TABLE sorted AS SELECT * FROM drawn ORDER BY y, id DESC;
ALTER TABLE drawn RENAME TO unsorted;
CREATE OR REPLACE VIEW pair AS
    SELECT *, ARRAY(SELECT w / (SELECT sum(s) FROM unnest(weights) s) FROM unnest(weights) WITH ORDINALITY u (w, n) ORDER BY n) AS probabilities
    FROM sorted;
SELECT count(*), bool_and(a.value = m.value) AS same FROM alone a JOIN measures() m USING (measure);
CREATE TABLE many AS SELECT p.* FROM pair p, generate_series(1, 20);
ALTER TABLE many SET (parallel_workers = 2);
CREATE OR REPLACE VIEW pair AS SELECT * FROM many;
TRUNCATE alone;
INSERT INTO alone SELECT * FROM measures();
SET max_parallel_workers_per_gather = 2;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
EXPLAIN (COSTS OFF) SELECT lmtext.cohen_kappa(grade, guess, 'linear'), lmtext.auc(actual, labels, probabilities) FROM many;
CREATE TEMP TABLE together AS SELECT lmtext.auc(actual, labels, probabilities) AS auc, lmtext.cohen_kappa(grade, guess, 'linear') AS linear,
    lmtext.spearman(x, y) AS spearman, lmtext.pearson(x, y) AS pearson, lmtext.ndcg(relevance, x, 20) AS ndcg_20, lmtext.ece(flag, score) AS ece,
    lmtext.log_loss(flag, score) AS binary_loss, lmtext.coverage_at(flag, score, 0.75) AS coverage FROM many;
SELECT count(*), bool_and(a.value = j.text::float8) AS same FROM together t, LATERAL json_each_text(row_to_json(t)) j (measure, text) JOIN alone a USING (measure);
RESET max_parallel_workers_per_gather;

-- Labels of every type; grades in the order of their type, not of their texts.
CREATE TYPE size AS ENUM ('low', 'medium', 'high');
CREATE TABLE sized (a size, p size);
INSERT INTO sized VALUES ('low', 'low'), ('low', 'high'), ('low', 'high'), ('medium', 'medium'), ('high', 'high'), ('low', 'medium');
SELECT round(lmtext.cohen_kappa(a, p, 'linear')::numeric, 6) AS by_enum,
       round(lmtext.cohen_kappa(array_position('{low,medium,high}', a::text), array_position('{low,medium,high}', p::text), 'linear')::numeric, 6) AS by_number,
       round(lmtext.cohen_kappa(a::text, p::text, 'linear')::numeric, 6) AS by_text, round(lmtext.cohen_kappa(a, p, 'none')::numeric, 6) AS "none"
FROM sized;
SELECT lmtext.balanced_accuracy(i % 20, i % 20) AS many_labels, lmtext.precision_score(i % 20, 3, 'binary', 3) AS one,
       lmtext.recall_score(i::numeric, i::numeric, 'micro') AS numerics, lmtext.f1(i::bit(8), i::bit(8)) AS bits FROM generate_series(1, 100) i;

-- Groups, windows, rows with NULL, and what is undefined.
SELECT g, lmtext.auc(f, s), lmtext.average_precision(f, s) AS ap, lmtext.mrr(f, s), lmtext.recall_at(f, s, 1) AS recall, lmtext.brier(f, s),
       lmtext.pearson(s, g) AS pearson
FROM (VALUES (1, true, .9), (1, false, .1), (2, true, .5), (2, true, .6), (3, false, .5), (4, NULL, .5), (4, true, NULL)) v (g, f, s) GROUP BY g ORDER BY g;
SELECT i, lmtext.kendall(i, x) OVER (ORDER BY i), lmtext.ndcg(x, i) OVER (ORDER BY i) AS ndcg
FROM (VALUES (1, 3), (2, 0), (3, 2)) v (i, x);
SELECT lmtext.auc('a', ARRAY['a', 'b'], ARRAY[.5, .5]) AS one_class, lmtext.log_loss('a', ARRAY['a', 'b'], ARRAY[.5::real, .5]) AS reals,
       lmtext.cohen_kappa('x', 'x') AS agreed, lmtext.ndcg(0, 1) AS irrelevant, lmtext.spearman(1, 2) AS constant, lmtext.ks(true, 1) AS ks;

-- What is refused.
SELECT lmtext.auc(true, 'NaN');
SELECT lmtext.brier(true, 1.5);
SELECT lmtext.ece(true, -0.5);
SELECT lmtext.log_loss('c', ARRAY['a', 'b'], ARRAY[.5, .5]);
SELECT lmtext.log_loss('a', ARRAY['a', 'b'], ARRAY[.5]);
SELECT lmtext.log_loss('a', ARRAY['a', NULL], ARRAY[.5, .5]);
SELECT lmtext.auc('a', ARRAY['a', 'b'], ARRAY[[.5, .5]]);
SELECT lmtext.auc(l, ARRAY['a', l], ARRAY[.5, .5]) FROM unnest('{b,c}'::text[]) l;
SELECT lmtext.ndcg(-1, 1);
SELECT lmtext.ndcg(1, 1, 0);
SELECT lmtext.recall_at(true, 1, i) FROM generate_series(1, 2) i;
SELECT lmtext.coverage_at(true, 1, 0);
SELECT lmtext.coverage_at(true, 1, NULL);
SELECT lmtext.pearson('Infinity', 1);
SELECT lmtext.cohen_kappa(1, 2, 'cubic');
SELECT lmtext.precision_score(1, 2, 'binary');
SELECT lmtext.recall_score(1, 2, 'harmonic');
SELECT lmtext.cohen_kappa('{}'::json, '{}'::json);

-- A group of four labels takes at most 2 kB.
CREATE FUNCTION bytes_of(call text) RETURNS float8 LANGUAGE plpgsql AS $$
DECLARE plan json;
BEGIN
    EXECUTE format('EXPLAIN (ANALYZE, TIMING off, FORMAT json) SELECT count(f) FROM (SELECT %s AS f FROM (
        SELECT i %% 30000 AS g, ''label '' || i / 30000 AS a, ''label '' || (i / 30000 + i %% 2) %% 4 AS p, i %% 3 = 0 AS f, (i %% 7)::float8 AS s
        FROM generate_series(0, 119999) i) r GROUP BY g) x', call) INTO plan;
    RETURN (plan #>> '{0,Plan,Plans,0,Peak Memory Usage}')::float8 * 1024 / 30000;
END $$;
SET work_mem = '1GB';
SET max_parallel_workers_per_gather = 0;
SET enable_sort = off;
SELECT call, bytes_of(call) <= 2048 AS small
FROM unnest('{"lmtext.f1(a, p)","lmtext.f1(right(a, 1)::int, right(p, 1)::int)","lmtext.auc(f, s)","lmtext.ece(f, s / 7)"}'::text[]) call;
RESET work_mem;
RESET max_parallel_workers_per_gather;
RESET enable_sort;

-- Entities and tokens: seqeval's figures.
CREATE TABLE tagged (id int, actual text[], predicted text[]);
INSERT INTO tagged VALUES
    (1, '{B-PER,I-PER,O,B-LOC}', '{B-PER,I-PER,O,B-LOC}'), (2, '{B-PER,O,B-LOC,I-LOC}', '{B-PER,I-PER,O,I-LOC}'),
    (3, '{O,I-ORG,I-ORG,B-ORG}', '{O,I-ORG,I-ORG,I-ORG}'), (4, '{}', '{}'), (5, NULL, '{O}'), (6, '{B-LOC}', '{B-MISC}');
SELECT label, round("precision"::numeric, 4) AS p, round(recall::numeric, 4) AS r, round(f1::numeric, 4) AS f1, support, summary
FROM lmtext.entity_report('SELECT actual, predicted FROM tagged');
SELECT scheme, label, round("precision"::numeric, 4) AS p, round(recall::numeric, 4) AS r, round(f1::numeric, 4) AS f1, support
FROM unnest('{IOB1,IOB2}'::text[]) scheme, LATERAL lmtext.entity_report('SELECT actual, predicted FROM tagged', scheme);
SELECT scheme, label, support, f1 FROM unnest('{IOE1,IOE2,IOBES,BILOU}'::text[]) scheme,
    LATERAL lmtext.entity_report(format('SELECT %L::text[], %1$L::text[]', CASE scheme
        WHEN 'BILOU' THEN '{B-A,I-A,L-A,U-B}' WHEN 'IOBES' THEN '{B-A,I-A,E-A,S-B}' WHEN 'IOE1' THEN '{I-A,I-A,O,I-B}' ELSE '{I-A,I-A,E-A,E-B}' END), scheme) WHERE NOT summary;
SELECT label, round("precision"::numeric, 4) AS p, round(recall::numeric, 4) AS r, round(f1::numeric, 4) AS f1, support, summary
FROM lmtext.token_report('SELECT actual, predicted FROM tagged');
SELECT count(*) AS no_rows FROM lmtext.entity_report('SELECT ARRAY[''O''], ARRAY[''O'']');
SELECT count(*) AS no_rows FROM lmtext.entity_report(NULL);
SELECT count(*) AS no_rows FROM lmtext.token_report('SELECT actual, predicted FROM tagged WHERE id = 5');
SELECT label, support FROM lmtext.entity_report('SELECT ARRAY[''B'', ''I'', ''B-X-Y-''], ARRAY[''B'', ''I'', ''O'']') WHERE NOT summary;
SELECT * FROM lmtext.entity_report('SELECT actual, predicted FROM tagged', 'IO');
SELECT * FROM lmtext.entity_report('SELECT actual, predicted FROM tagged', 'IOE2');
SELECT * FROM lmtext.entity_report('SELECT ARRAY[''''], ARRAY[''O'']');
SELECT * FROM lmtext.entity_report('SELECT ARRAY[''O''], ARRAY[''O'', ''O'']');
SELECT * FROM lmtext.token_report('SELECT ARRAY[''O'', NULL], ARRAY[''O'', ''O'']');
SELECT * FROM lmtext.token_report('SELECT 1, 2');
SELECT * FROM lmtext.token_report('SELECT actual FROM tagged');
SELECT * FROM lmtext.token_report('DELETE FROM tagged');

-- Samples: numpy's percentiles of the measure over rows drawn with replacement, the same for the same seed.
SELECT round(estimate::numeric, 6) = round((SELECT lmtext.accuracy(actual, predicted) FROM sorted)::numeric, 6) AS estimate,
       low < estimate AND estimate < high AND high - low BETWEEN 0.06 AND 0.09 AS near
FROM lmtext.bootstrap('SELECT actual, predicted FROM sorted ORDER BY id', 'accuracy', 400, 3);
SELECT a = b AS same, a <> c AS other FROM lmtext.bootstrap('SELECT x, y FROM sorted ORDER BY id LIMIT 50', 'kendall', 50, 3) a,
    lmtext.bootstrap('SELECT x, y FROM sorted ORDER BY id LIMIT 50', 'kendall', 50, 3) b, lmtext.bootstrap('SELECT x, y FROM sorted ORDER BY id LIMIT 50', 'kendall', 50, 4) c;
SELECT query, metric, low <= estimate AND estimate <= high AS inside FROM (VALUES
    ('actual, predicted, ''weighted''', 'f1'), ('actual, predicted, ''binary'', ''L2''', 'recall_score'), ('grade, guess, ''quadratic''', 'cohen_kappa'),
    ('flag, score', 'auc'), ('actual, labels, weights', 'auc'), ('actual::varchar, labels, weights', 'auc'), ('flag, score, 0.75', 'coverage_at'), ('relevance, x, 10', 'ndcg'),
    ('-x, 5', 'cross_entropy'), ('flag, score::numeric', 'brier')) v (query, metric),
    LATERAL lmtext.bootstrap('SELECT ' || query || ' FROM sorted ORDER BY id LIMIT 200', metric, 40);
SELECT * FROM lmtext.bootstrap('SELECT true, 0.5', 'auc', 10);
SELECT * FROM lmtext.bootstrap('SELECT 1, 1 WHERE false', 'accuracy');
SELECT * FROM lmtext.bootstrap('SELECT 1, NULL::int UNION ALL SELECT 1, 2', 'accuracy');
SELECT * FROM lmtext.bootstrap('SELECT 1, 2', 'nothing');
CREATE DOMAIN some_texts AS text[];
SELECT * FROM lmtext.bootstrap('SELECT ''a b'', ''{a c,a b}''::some_texts', 'squad_f1', 5);
SELECT * FROM lmtext.bootstrap('SELECT 1', 'f1');
SELECT * FROM lmtext.bootstrap('SELECT 1, 2', 'accuracy', 0);
SELECT * FROM lmtext.bootstrap('SELECT 1, 2, ''harmonic''', 'f1');
SELECT * FROM lmtext.bootstrap('SELECT 1, 2, NULL::text', 'f1');
SELECT * FROM lmtext.bootstrap('VALUES (1, 2, ''micro''), (1, 2, ''macro'')', 'f1');
SELECT * FROM lmtext.bootstrap('SELECT ''x'', 2', 'pearson');
SELECT * FROM lmtext.bootstrap('SELECT 1::int, point(1, 2), ''micro''', 'f1');

-- Two predictions: scipy's binomtest and chi2, statsmodels' formula of z. Without a prediction: an abstention.
CREATE TABLE rivals AS SELECT i, i * 7919 % 4 AS actual, CASE WHEN i * 31 % 10 < 7 THEN i * 7919 % 4 ELSE i % 3 END AS a,
    CASE WHEN i * 17 % 10 < 8 THEN i * 7919 % 4 WHEN i % 11 = 0 THEN NULL ELSE i % 3 END AS b FROM generate_series(1, 400) i;
SELECT measure, round(value::numeric, 6) AS value, round(p::numeric, 6) AS p FROM lmtext.compare('SELECT actual, a, b FROM rivals');
SELECT measure, round(value::numeric, 6) AS value, round(p::numeric, 6) AS p FROM lmtext.compare('SELECT actual, a, b FROM rivals WHERE i <= 40')
WHERE measure IN ('mcnemar', 'two_proportion_z', 'paired_bootstrap');
SELECT measure, value, p FROM lmtext.compare('VALUES (''a'', ''a'', ''a''), (''b'', ''b'', ''b''), (NULL, ''a'', ''b'')');
SELECT measure, value FROM lmtext.compare('VALUES ('''', '''', NULL)') WHERE measure LIKE 'recall%';
SELECT count(*) AS no_rows FROM lmtext.compare('SELECT NULL::text, ''a'', ''b''');
SELECT lmtext.compare('SELECT 1, 2');
SELECT lmtext.compare('SELECT 1, 2, point(1, 2)');

-- Models, judged by what a query's columns are: the same as the measure over their answers.
SELECT lmtext.import_model('topic', :'tiny' || '/bert-sequence'), lmtext.import_model('several', :'tiny' || '/bert-multi-label'),
       lmtext.import_model('grade', :'tiny' || '/bert-regression'), lmtext.import_model('ner', :'tiny' || '/bert-token'),
       lmtext.import_model('plain', :'tiny' || '/bert'), lmtext.import_model('cross', :'tiny' || '/bert-cross');
CREATE TABLE doc AS SELECT i, 'the ' || (ARRAY['cat', 'database', 'query', 'mat'])[i % 4 + 1] || ' on ' || i AS body,
    (SELECT labels[i % 3 + 1] FROM lmtext.models WHERE name = 'topic') AS label,
    (SELECT labels[1:i % 3] FROM lmtext.models WHERE name = 'several') AS labels, i % 7 / 2.0 AS grade FROM generate_series(1, 30) i;
CREATE TABLE answered AS SELECT d.*, lmtext.classify(body, 'topic') AS best, (SELECT max(score) FROM lmtext.class_scores(body, 'topic')) AS score FROM doc d;
SELECT measure, round(value::numeric, 9) = round(direct::numeric, 9) AS equal FROM lmtext.evaluate('topic', 'SELECT body, label FROM doc;')
LEFT JOIN (SELECT m.* FROM (SELECT count(*) AS n, lmtext.accuracy(label, best) AS a, lmtext.f1(label, best) AS f, lmtext.ece(label = best, score) AS e FROM answered) t,
    LATERAL (VALUES ('rows', n::float8), ('accuracy', a), ('f1', f), ('ece', e)) m (measure, direct)) x USING (measure);
SELECT measure, round(value::numeric, 9) = round(direct::numeric, 9) AS equal FROM lmtext.evaluate('several@1', 'SELECT body, labels FROM doc')
LEFT JOIN (SELECT 'f1_micro' AS measure, lmtext.f1(c.label = ANY (d.labels), c.score >= 0.5, 'binary', true) AS direct
           FROM doc d, LATERAL lmtext.class_scores(d.body, 'several') c) x USING (measure);
SELECT measure, round(value::numeric, 9) = round(direct::numeric, 9) AS equal FROM lmtext.evaluate('grade', 'SELECT body, grade FROM doc')
LEFT JOIN (SELECT m.* FROM (SELECT lmtext.pearson(grade, s.score) AS p, sqrt(avg((grade - s.score) ^ 2)) AS e
               FROM doc d, LATERAL lmtext.class_scores(d.body, 'grade') s) t,
           LATERAL (VALUES ('pearson', p), ('rmse', e)) m (measure, direct)) x USING (measure);
SELECT measure, round(value::numeric, 9) = round(direct::numeric, 9) AS equal
FROM lmtext.evaluate('plain', 'SELECT a.body, b.body, a.grade FROM doc a JOIN doc b ON b.i = a.i % 30 + 1')
LEFT JOIN (SELECT 'spearman' AS measure, lmtext.spearman(a.grade, lmtext.similarity(a.body, b.body, 'plain')) AS direct
           FROM doc a JOIN doc b ON b.i = a.i % 30 + 1) x USING (measure);
SELECT measure, round(value::numeric, 9) = round(direct::numeric, 9) AS equal
FROM lmtext.evaluate('cross', 'SELECT a.body, b.body, a.i FROM doc a JOIN doc b ON b.i = a.i % 30 + 1')
LEFT JOIN (SELECT 'kendall' AS measure, lmtext.kendall(a.i, lmtext.rerank(a.body, b.body, 'cross')) AS direct
           FROM doc a JOIN doc b ON b.i = a.i % 30 + 1) x USING (measure);
-- A tagger on its own tags is right: each word has the tag of the token that begins it.
CREATE TABLE words AS SELECT string_to_array(body, ' ') AS words, (SELECT array_agg(coalesce(t.tag, 'O') ORDER BY w.at) FROM (
        SELECT n AS at, position(' ' || word || ' ' IN ' ' || body || ' ') - 1 AS start FROM unnest(string_to_array(body, ' ')) WITH ORDINALITY o (word, n)) w
    LEFT JOIN lmtext.tag(body, 'ner') t USING (start)) AS tags FROM doc;
SELECT measure, value > 0 AS some, value = 1 AS all FROM lmtext.evaluate('ner', 'SELECT words, tags FROM words');
SELECT measure, value FROM lmtext.evaluate('ner', 'SELECT words, array_fill(''O''::text, ARRAY[cardinality(words)]) FROM words')
WHERE measure IN ('tokens', 'precision');
-- Several queries; labels that are numbers; no rows.
SELECT query, measure, value FROM lmtext.evaluate('topic', ARRAY['SELECT body, label FROM doc WHERE i <= 10 -- the first', 'SELECT body, 1 FROM doc LIMIT 3', 'SELECT NULL::text, ''x'''])
WHERE measure = 'rows' OR measure = 'log_loss' AND query > 1;
-- Arrays that begin elsewhere than at 1.
SELECT query, value FROM lmtext.evaluate('topic', '[0:1]={"SELECT body, label FROM doc","SELECT body, 1 FROM doc LIMIT 3"}'::text[]) WHERE measure = 'rows';
-- Labels with a NULL among them; scores that are no probabilities.
SELECT count(*) AS differ FROM (
    (SELECT * FROM lmtext.evaluate('several', 'SELECT body, labels || NULL::text FROM doc') EXCEPT ALL SELECT * FROM lmtext.evaluate('several', 'SELECT body, labels FROM doc'))
    UNION ALL
    (SELECT * FROM lmtext.evaluate('several', 'SELECT body, labels FROM doc') EXCEPT ALL SELECT * FROM lmtext.evaluate('several', 'SELECT body, labels || NULL::text FROM doc'))) d;
SELECT jsonb_object_agg(f, lo_from_bytea(0, CASE f WHEN 'config.json'
    THEN convert_to((convert_from(data, 'UTF8')::jsonb || '{"problem_type": "regression"}')::text, 'UTF8') ELSE data END)::bigint) AS files
FROM (SELECT f, pg_read_binary_file(:'tiny' || '/bert-sequence/' || f) AS data FROM pg_ls_dir(:'tiny' || '/bert-sequence') f WHERE f <> 'golden.json') t \gset
SELECT lmtext.import_model('raw', :'files'::jsonb);
SELECT bool_or(score NOT BETWEEN 0 AND 1) AS raw FROM doc, lmtext.class_scores(body, 'raw');
SELECT measure, value FROM lmtext.evaluate('raw', 'SELECT body, label FROM doc') WHERE measure IN ('rows', 'log_loss');
-- Operators of the caller's are not taken for PostgreSQL's.
CREATE FUNCTION always(float8, integer) RETURNS boolean LANGUAGE sql AS 'SELECT true';
CREATE OPERATOR test_scores.= (LEFTARG = float8, RIGHTARG = integer, FUNCTION = always);
SELECT measure, value IS NOT NULL AS some FROM lmtext.evaluate('grade', 'SELECT body, grade FROM doc') WHERE measure = 'r2';
SELECT measure, value IS NOT NULL AS some FROM lmtext.drift('plain', 'SELECT body FROM doc', 'SELECT body FROM doc') WHERE measure = 'embedding_shift';
DROP OPERATOR test_scores.= (float8, integer);
DROP FUNCTION always;
SELECT lmtext.evaluate('topic', 'SELECT body, label FROM doc; -- all');
SELECT lmtext.drift('topic', 'SELECT body FROM doc ;;', 'SELECT body FROM doc; /* all */');
SELECT lmtext.evaluate('nothing', 'SELECT 1, 2');
SELECT lmtext.evaluate('topic', 'SELECT body FROM doc');
SELECT lmtext.evaluate('topic', 'DELETE FROM doc RETURNING body, label');
SELECT lmtext.evaluate('topic', 'SELECT body, label FROM doc) x (a, b), (SELECT 1');
-- The query sees the caller's search_path.
CREATE SCHEMA other;
CREATE TABLE other.mine AS SELECT 'a cat'::text AS body, 'x'::text AS label;
SET search_path = other, test_scores;
SELECT value FROM lmtext.evaluate('topic', 'SELECT body, label FROM mine') WHERE measure = 'rows';
SET search_path = test_scores, public;
DROP TABLE other.mine;
DROP SCHEMA other;

-- What several measures use is computed once.
SELECT lmtext.stats_reset();
SELECT count(*) FROM lmtext.drift('topic', 'SELECT body FROM doc', 'SELECT body FROM doc');
SELECT count(*) FROM lmtext.evaluate('grade', 'SELECT body, grade FROM doc');
SELECT count(*) FROM lmtext.evaluate('cross', 'SELECT body, body, i FROM doc');
SELECT function, calls FROM lmtext.stats WHERE database = current_database() ORDER BY function COLLATE "C";

-- Drift: none from a sample to itself; scipy's figures of scores and shares.
SELECT measure, round(value::numeric, 9) AS value FROM lmtext.drift('topic', 'SELECT body FROM doc', 'SELECT body FROM doc;');
-- The probability of a distance is scipy's ks_2samp's: exact of few rows, of many by the limit; nothing without both samples.
SELECT n, abs(p / wanted - 1) < 1e-6 AS equal FROM (
    SELECT 1 AS n, lmtext.ks_p(i % 3 = 0, i * 37 % 101) AS p, 0.6094553365407289 AS wanted FROM generate_series(1, 40) i
    UNION ALL SELECT 2, lmtext.ks_p(i % 2 = 0, i * 37 % 101 + CASE WHEN i % 2 = 0 THEN 20 ELSE 0 END), 0.024055802841094577 FROM generate_series(1, 200) i
    UNION ALL SELECT 3, lmtext.ks_p(i % 5 < 2, i * 7919 % 10007 + CASE WHEN i % 5 < 2 THEN 90 ELSE 0 END), 0.5050358347828764 FROM generate_series(1, 24000) i
    UNION ALL SELECT 4, lmtext.ks_p(i % 5 < 2, i * 7919 % 10007 + CASE WHEN i % 5 < 2 THEN 300 ELSE 0 END), 1.6974645057571344e-05 FROM generate_series(1, 24000) i) x ORDER BY n;
SELECT lmtext.ks_p(true, 1) AS one_sample, (SELECT lmtext.ks_p(true, 1) WHERE false) AS none;
CREATE TABLE moved AS SELECT i <= 15 AS current, s.label, s.score::float8 FROM doc, LATERAL lmtext.classify_scored(body, 'topic') s;
SELECT measure, value = (SELECT lmtext.ks(current, score) FROM moved) AS ks, value > 0 AS moved
FROM lmtext.drift('topic', 'SELECT body FROM doc WHERE i > 15', 'SELECT body FROM doc WHERE i <= 15') WHERE measure = 'score_ks';
SELECT measure, abs(value - direct) < 1e-6 AS equal
FROM lmtext.drift('plain', 'SELECT body FROM doc WHERE i > 15', 'SELECT body FROM doc WHERE i <= 15')
LEFT JOIN (SELECT 'embedding_shift' AS measure, lmtext.cosine_distance(lmtext.mean(lmtext.embed(body, 'plain')) FILTER (WHERE i > 15),
               lmtext.mean(lmtext.embed(body, 'plain')) FILTER (WHERE i <= 15)) AS direct FROM doc) x USING (measure);
SELECT round(sqrt(sum(lmtext_internal.js_of(b, n)))::numeric, 9) AS js, round(sum(lmtext_internal.psi_of(b, n))::numeric, 9) AS psi
FROM (VALUES (.5, .25), (.5, .25), (0, .5)) v (b, n);
SELECT lmtext.drift('topic', 'SELECT body, label FROM doc', 'SELECT body FROM doc');
SELECT count(*) AS measures, count(value) AS values FROM lmtext.drift('topic', 'SELECT body FROM doc', 'SELECT body FROM doc WHERE false');

SET client_min_messages = error;
DROP SCHEMA test_scores CASCADE;

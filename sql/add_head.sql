-- Heads on the encoder of another model: stored and loaded once, and computed once for all heads of a row.
\getenv source LMTEXT_SOURCE_DIR
\set tiny :source '/models/tiny'
\set SHOW_CONTEXT never
SET client_min_messages = error;
CREATE EXTENSION IF NOT EXISTS lmtext;
CREATE SCHEMA add_head;
SET search_path = add_head, public;
SET max_parallel_workers_per_gather = 0;

-- One of each task and of several families: what the head computes on its base has the bits of the whole model.
CREATE TABLE folder AS
    SELECT replace(f, '-', '_') AS name, :'tiny' || '/' || f AS path, task
    FROM (VALUES ('bert-sequence', NULL), ('bert-multi-label', NULL), ('bert-regression', NULL), ('bert-cross', NULL), ('bert-nli', NULL),
                 ('bert-token', NULL), ('bert-next', 'next_sentence'), ('bert-answer', NULL), ('bert-mask', 'fill_mask'),
                 ('bert-mask-untied', 'fill_mask'), ('bert-splade-plain', 'sparse'), ('bert-pretraining', 'fill_mask'),
                 ('albert-token', NULL), ('deberta-v2-sequence', NULL), ('distilbert-token', NULL), ('electra-sequence', NULL),
                 ('modernbert-sequence', NULL), ('modernbert-mask', 'fill_mask'), ('mpnet-answer', NULL), ('roberta-cross', NULL),
                 ('roformer-sequence', NULL), ('nomic_bert-sequence', NULL)) f (f, task);
CREATE FUNCTION option_of(task text) RETURNS jsonb LANGUAGE sql AS $$SELECT coalesce(jsonb_build_object('task', task), '{}')$$;
SELECT sum(lmtext.import_model(name || '_base', path, '{"task": "embedding"}')) FROM folder;
SELECT sum(lmtext.import_model(name || '_whole', path, option_of(task))) FROM folder;
SELECT sum(lmtext.add_head(name || '_head', name || '_base', path, option_of(task))) FROM folder;
CREATE FUNCTION rows_of(version text, kept text) RETURNS bytea LANGUAGE plpgsql AS $$
DECLARE
    found bytea;
BEGIN
    EXECUTE format('SELECT string_agg(data, '''' ORDER BY part) FROM %I WHERE file = $1', version) INTO found USING kept;
    RETURN found;
END $$;
SELECT f.name, h.task, h.labels IS NOT DISTINCT FROM w.labels AS labels, h.base, h.max_tokens = w.max_tokens AS window, h.bytes < w.bytes AS smaller,
       rows_of(f.name || '_head@1', 'golden.json') = rows_of(f.name || '_whole@1', 'golden.json') AS same
FROM folder f JOIN lmtext.models h ON h.name = f.name || '_head' JOIN lmtext.models w ON w.name = f.name || '_whole' ORDER BY 1;
SELECT f.name, count(*) > 5 AS checks, bool_and(ok IS NOT FALSE) AS ok FROM folder f, lmtext.selftest(f.name || '_head') GROUP BY 1 ORDER BY 1;
SELECT file, count(*) FROM "bert_sequence_head@1" GROUP BY 1 ORDER BY 1;
SELECT convert_from(data, 'UTF8')::jsonb->>'kind' AS kind FROM "bert_sequence_head@1" WHERE file = 'manifest.json';
SELECT obj_description('"bert_sequence_head@1"'::regclass);

-- In the precision of the base, and after a checkpoint of torch.save.
SELECT lmtext.import_model('half', :'tiny' || '/bert-mask', '{"precision": "bf16", "task": "embedding"}');
SELECT lmtext.import_model('half_whole', :'tiny' || '/bert-mask', '{"precision": "bf16", "task": "fill_mask"}');
SELECT lmtext.add_head('half_head', 'half', :'tiny' || '/bert-mask', '{"task": "fill_mask"}');
SELECT lmtext.import_model('coded', :'tiny' || '/bert-token', '{"precision": "int8", "task": "embedding"}');
SELECT lmtext.add_head('coded_head', 'coded@1', :'tiny' || '/bert-token', '{"max_tokens": 12, "licence": "none"}');
SELECT name, "precision", max_tokens, licence FROM lmtext.models WHERE name IN ('half_head', 'coded_head') ORDER BY 1;
SELECT rows_of('half_head@1', 'golden.json') = rows_of('half_whole@1', 'golden.json') AS same;
SELECT count(*) > 0 AS found FROM lmtext.tag('The cat sat on the mat.', 'coded_head');

-- Together: each text goes through the encoder once, and every head says what it says alone.
CREATE TABLE doc AS SELECT i AS id, (SELECT string_agg(w, ' ') FROM (SELECT (ARRAY['the', 'cat', 'sat', 'on', 'mat', 'dog'])[1 + (i * k + i / k) % 6] AS w
                                                                      FROM generate_series(1, 4 + i % 6) k) s) AS body FROM generate_series(1, 60) i;
-- A text that is stored outside its row, and one that is longer than the window.
INSERT INTO doc VALUES (61, repeat('the dog sat on the cat ', 3000)), (62, repeat('cat ', 40)), (63, NULL);
ANALYZE doc;
CALL lmtext.train('parity', $$SELECT body, CASE WHEN id % 2 = 0 THEN 'even' ELSE 'odd' END FROM doc WHERE body IS NOT NULL$$,
                  '{"base": "bert_token_base", "hold_out": 0}');
CALL lmtext.train('third', $$SELECT body, (id % 3)::text FROM doc WHERE body IS NOT NULL$$, '{"base": "bert_token_base", "hold_out": 0}');
CREATE FUNCTION counted(statement text, OUT texts bigint, OUT tokens bigint, OUT forwards bigint) LANGUAGE plpgsql AS $$
DECLARE
    before record;
BEGIN
    SELECT c.texts, c.tokens, c.forwards INTO before FROM lmtext.session_counters() c;
    EXECUTE statement;
    SELECT c.texts - before.texts, c.tokens - before.tokens, c.forwards - before.forwards INTO texts, tokens, forwards FROM lmtext.session_counters() c;
END $$;
CREATE VIEW e AS SELECT id, lmtext.embed(body, 'bert_token_base') AS value FROM doc;
CREATE VIEW p AS SELECT id, lmtext.classify(body, 'parity') AS value FROM doc;
CREATE VIEW t AS SELECT id, lmtext.classify(body, 'third') AS value FROM doc;
CREATE TABLE run (what text, texts bigint, tokens bigint, forwards bigint);
INSERT INTO run SELECT 'embed', * FROM counted('CREATE TABLE e_alone AS TABLE e');
INSERT INTO run SELECT 'parity', * FROM counted('CREATE TABLE p_alone AS TABLE p');
INSERT INTO run SELECT 'third', * FROM counted('CREATE TABLE t_alone AS TABLE t');
INSERT INTO run SELECT 'three', * FROM counted($$CREATE TABLE three AS SELECT id, lmtext.embed(body, 'bert_token_base') AS e,
    lmtext.classify(body, 'parity') AS p, lmtext.classify(body, 'third') AS t FROM doc$$);
INSERT INTO run SELECT 'reversed', * FROM counted($$CREATE TABLE reversed AS SELECT id, lmtext.classify(body, 'third') AS t,
    lmtext.classify(body, 'parity') AS p, lmtext.embed(body, 'bert_token_base') AS e FROM doc$$);
SELECT what, texts, tokens BETWEEN 1 AND (SELECT r.tokens FROM run r WHERE what = 'embed') AS tokens,
       forwards BETWEEN 1 AND (SELECT r.forwards FROM run r WHERE what = 'embed') AS forwards
FROM run ORDER BY what;
SELECT count(*) AS rows, bool_and(t.e IS NOT DISTINCT FROM e.value AND t.p IS NOT DISTINCT FROM p.value AND t.t IS NOT DISTINCT FROM h.value) AS same
FROM (TABLE three UNION ALL SELECT id, e, p, t FROM reversed) t JOIN e_alone e USING (id) JOIN p_alone p USING (id) JOIN t_alone h USING (id);

-- In memory the head is a small part of what its base is.
SELECT lmtext.load_model('bert_token_head') IS NOT NULL AS loaded;
SELECT h.bytes < b.bytes / 2 AS small FROM lmtext.model_cache h, lmtext.model_cache b
WHERE h.model = '"bert_token_head@1"'::regclass AND b.model = '"bert_token_base@1"'::regclass;

-- Heads that read a pooled vector, the hidden states of all tokens, or the first one's; rows of entities beside a label.
CREATE VIEW n AS SELECT id, (n).label, (n).start, (n).stop, (n).score
    FROM (SELECT id, lmtext.entities(body, 'bert_token_head') AS n FROM doc OFFSET 0) s;
CREATE VIEW both_heads AS SELECT id, (n).label, (n).start, (n).stop, (n).score, p
    FROM (SELECT id, lmtext.entities(body, 'bert_token_head') AS n, lmtext.classify(body, 'parity') AS p FROM doc OFFSET 0) s;
TRUNCATE run;
INSERT INTO run SELECT 'entities', * FROM counted('CREATE TABLE n_alone AS TABLE n');
INSERT INTO run SELECT 'label', * FROM counted('CREATE TABLE again AS TABLE p');
INSERT INTO run SELECT 'both', * FROM counted('CREATE TABLE n_both AS TABLE both_heads');
SELECT forwards BETWEEN 1 AND (SELECT forwards FROM run WHERE what = 'entities') AS once, texts = (SELECT sum(texts) FROM run WHERE what <> 'both') AS texts
FROM run WHERE what = 'both';
SELECT (SELECT count(*) FROM n_alone) = count(*) AS rows, count(*) > 100 AS many,
       bool_and((id, label, start, stop, score) IN (TABLE n_alone)) AS same, bool_and(b.p = p_alone.value) AS labels
FROM n_both b JOIN p_alone USING (id);
SELECT lmtext.add_head('next', 'bert_pretraining_base', :'tiny' || '/bert-pretraining', '{"task": "next_sentence"}');
-- Two heads of one folder, of pairs and of texts.
CREATE TABLE pair AS SELECT id, body, 'the cat sat'::text AS start FROM doc WHERE id < 30;
CREATE TABLE next_alone AS SELECT id, lmtext.next_sentence(start, body, 'next') AS s FROM pair;
CREATE TABLE next_beside AS SELECT id, lmtext.embed(body, 'bert_pretraining_base') AS e, lmtext.next_sentence(start, body, 'next') AS s FROM pair;
SELECT count(*) AS rows, bool_and(a.s = b.s) AS same FROM next_alone a JOIN next_beside b USING (id);
-- The same token states for a head on the first token, whose last layer computes no other alone.
SELECT lmtext.import_model('b', :'tiny' || '/bert-multi-label', '{"task": "embedding"}');
SELECT lmtext.add_head('m', 'b', :'tiny' || '/bert-multi-label');
CREATE TABLE m_alone AS SELECT id, lmtext.classify_scored(body, 'm') AS m FROM doc;
CREATE TABLE b_alone AS SELECT id, lmtext.embed(body, 'b') AS b FROM doc;
TRUNCATE run;
INSERT INTO run SELECT 'alone', * FROM counted($$SELECT count(lmtext.embed(body, 'b')) FROM doc$$);
INSERT INTO run SELECT 'first', * FROM counted($$CREATE TABLE mb AS SELECT id, lmtext.classify_scored(body, 'm') AS m, lmtext.embed(body, 'b') AS b FROM doc$$);
INSERT INTO run SELECT 'last', * FROM counted($$CREATE TABLE bm AS SELECT id, lmtext.embed(body, 'b') AS b, lmtext.classify_scored(body, 'm') AS m FROM doc$$);
SELECT what, forwards BETWEEN 1 AND (SELECT forwards FROM run WHERE what = 'alone') AS once FROM run ORDER BY what;
SELECT count(*) AS rows, bool_and(t.m IS NOT DISTINCT FROM a.m AND t.b IS NOT DISTINCT FROM e.b) AS same
FROM (TABLE mb UNION ALL SELECT id, m, b FROM bm) t JOIN m_alone a USING (id) JOIN b_alone e USING (id);
-- A whole model's head and one on another encoder have nothing in common.
SELECT forwards = 2 * (SELECT forwards FROM counted($$SELECT count(lmtext.embed(body, 'bert_token_base')) FROM doc WHERE id < 20$$)) AS apart
FROM counted($$SELECT count(lmtext.embed(body, 'bert_token_base')), count(lmtext.embed(body, 'bert_sequence_base')) FROM doc WHERE id < 20$$);
-- A change of rows as well.
ALTER TABLE doc ADD p text, ADD t text;
SELECT forwards BETWEEN 1 AND 19 AS once FROM counted($$UPDATE doc SET p = lmtext.classify(body, 'parity'), t = lmtext.classify(body, 'third') WHERE id < 20$$);
SELECT bool_and(doc.p = p_alone.value AND doc.t = t_alone.value) AS same FROM doc JOIN p_alone USING (id) JOIN t_alone USING (id) WHERE id < 20;
-- A call that reads what another had computed has texts, and no tokens of its own.
CREATE TABLE stats_before AS SELECT version, rows, tokens FROM lmtext.stats WHERE database = current_database() AND version IN ('parity@1', 'third@1');
SELECT count(p), count(t) FROM (SELECT lmtext.classify(body, 'parity') AS p, lmtext.classify(body, 'third') AS t FROM doc OFFSET 0) s;
SELECT version, s.rows - b.rows AS texts, s.tokens > b.tokens AS tokens
FROM lmtext.stats s JOIN stats_before b USING (version) WHERE database = current_database() AND function = 'classify' ORDER BY 1;

-- What is no head of the base.
SELECT lmtext.add_head('none', 'bert_sequence_base', :'tiny' || '/bert-token');
SELECT lmtext.add_head('none', 'bert_sequence_base', :'tiny' || '/bert');
SELECT lmtext.add_head('none', 'bert_sequence_base', :'tiny' || '/bert-sequence', '{"task": "fill_mask"}');
SELECT lmtext.add_head('none', 'bert_sequence_base', :'tiny' || '/bert-sequence', '{"task": "embedding"}');
SELECT lmtext.add_head('none', 'bert_sequence_base', :'tiny' || '/distilbert-sequence');
SELECT lmtext.add_head('none', 'bert_sequence_base', :'tiny' || '/bert-next', '{"task": "next_sentence"}');
SELECT lmtext.add_head('none', 'bert_sequence_head', :'tiny' || '/bert-sequence');
SELECT lmtext.add_head('none', 'parity', :'tiny' || '/bert-sequence');
SELECT lmtext.import_model('static', :'tiny' || '/static-st');
SELECT lmtext.add_head('none', 'static', :'tiny' || '/bert-sequence');
SELECT lmtext.add_head('none', 'nobody', :'tiny' || '/bert-sequence');
SELECT lmtext.add_head('none', 'bert_sequence_base', :'tiny' || '/bert-sequence', '{"precision": "int8"}');
SELECT lmtext.add_head('none', NULL, :'tiny' || '/bert-sequence');
SELECT lmtext.quantize('bert_sequence_head', 'int8');
SELECT lmtext.embed('cat', 'bert_sequence_head');
SELECT lmtext.classify('{1,2,3}'::real[], 'bert_sequence_head');
SELECT lmtext.drop_model('bert_sequence_base');
CALL lmtext.train('none', $$SELECT body, p FROM doc$$, '{"base": "bert_sequence_head"}');

-- An index on the head, further versions, and away with them, heads first.
SELECT lmtext.add_head('bert_sequence_head', 'bert_sequence_base', :'tiny' || '/bert-sequence', '{"max_tokens": 10}');
SELECT lmtext.deploy('bert_sequence_head', 2);
SELECT lmtext.classify('the cat', 'bert_sequence_head') = lmtext.classify('the cat', 'bert_sequence_whole') AS same;
CREATE INDEX ON doc (lmtext.classify(body, '"bert_sequence_head@1"'::regclass)) WHERE id < 10;
SELECT lmtext.drop_model('bert_sequence_head');
DROP INDEX doc_classify_idx;
SELECT lmtext.drop_model('bert_sequence_head');
SELECT lmtext.drop_model('bert_sequence_base');

DROP SCHEMA add_head CASCADE;

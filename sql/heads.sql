-- Models that come with a head of their own: classification of texts, as the reference's pipeline does it.
\getenv source LMTEXT_SOURCE_DIR
\set tiny :source '/models/tiny'
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS lmtext;
CREATE SCHEMA heads;
SET search_path = heads;
CREATE TABLE folder (name text PRIMARY KEY, path text, golden jsonb);
INSERT INTO folder
    SELECT replace(f, '-', '_'), :'tiny' || '/' || f, pg_read_file(:'tiny' || '/' || f || '/golden.json')::jsonb
    FROM unnest('{bert-sequence,bert-multi-label,bert-regression,distilbert-sequence}'::text[]) f;

SELECT name, lmtext.import_model(name, path) FROM folder ORDER BY name;
SELECT name, family, task, "precision", dimensions, max_tokens, labels, base FROM lmtext.models
WHERE name IN (SELECT name FROM folder) ORDER BY name;
SELECT convert_from(data, 'UTF8')::jsonb->'details' AS details, convert_from(data, 'UTF8')::jsonb->'options' AS options
FROM "bert_multi_label@1" WHERE file = 'manifest.json';
SELECT obj_description('"bert_sequence@1"'::regclass);

-- Labels are the pipeline's, scores within 1e-5; all labels, the highest score first.
CREATE TABLE wanted AS
    SELECT name, text->>'text' AS body, text->>'label' AS label, golden->'scores'->'labels' AS labels, text->'scores' AS scores
    FROM folder, jsonb_array_elements(golden->'scores'->'cases') text;
SELECT name, count(*) AS texts, bool_and(lmtext.classify(body, name) = label) AS same_label,
       bool_and((lmtext.classify_scored(body, name)).label = label) AS same_scored,
       bool_and((SELECT bool_and(abs(score - (scores->>(n - 1)::int)::float8) < 1e-5) AND count(*) = jsonb_array_length(scores)
                 FROM lmtext.class_scores(body, name) s
                 JOIN jsonb_array_elements_text(labels) WITH ORDINALITY l (label, n) USING (label))) AS near
FROM wanted GROUP BY name ORDER BY name;
SELECT label, round(score::numeric, 4) AS score FROM lmtext.class_scores('The cat sat on the mat.', 'bert_multi_label');
SELECT round(score::numeric, 4) AS score FROM lmtext.class_scores('The cat sat on the mat.', 'bert_regression');

-- Arrays, rows ahead and single calls have the same bits.
SELECT lmtext.classify(array_agg(body ORDER BY body), 'bert_sequence') = array_agg(label ORDER BY body) AS labels
FROM wanted WHERE name = 'bert_sequence';
SELECT bool_and(of_array.score = of_text.score) AS same
FROM (SELECT array_agg(body) AS bodies FROM wanted WHERE name = 'distilbert_sequence') a,
     LATERAL lmtext.class_scores(bodies, 'distilbert_sequence') of_array,
     LATERAL lmtext.class_scores(bodies[of_array.ordinality], 'distilbert_sequence') of_text
WHERE of_text.label = of_array.label;
CREATE TABLE guess AS SELECT body, (lmtext.classify_scored(body, 'bert_sequence')).* FROM wanted WHERE name = 'bert_sequence';
SELECT bool_and(g.score = (lmtext.classify_scored(body, 'bert_sequence')).score) AS same FROM guess g;

-- What stands for other classifiers.
SELECT lmtext.classify('cat', 'bert_sequence', min_score => 0.9) AS unsure, lmtext.classify(NULL::text, 'bert_sequence') AS none,
       lmtext.classify('cat', '"bert_sequence@1"'::regclass) AS pinned,
       lmtext.classify('cat', '"bert_sequence@1"'::regclass, 0.1, 'mean') AS of_windows;
SET lmtext.classification_model = 'bert_multi_label';
SELECT lmtext.classify('cat');
CREATE INDEX ON guess (lmtext.classify(body, '"bert_sequence@1"'::regclass));
SELECT bool_and(ok) AS ok, count(*) > 3 AS checks FROM lmtext.selftest('bert_sequence');
SELECT bool_and(ok) AS ok FROM lmtext.selftest('bert_regression');
SET lmtext.on_long = 'error';
SELECT lmtext.classify(repeat('cat ', 100), 'bert_sequence');
RESET lmtext.on_long;

-- What such a model does not do.
SELECT lmtext.classify(array_fill(1::real, '{36}'), 'bert_sequence');
SELECT lmtext.embed('cat', 'bert_sequence');
CALL lmtext.train('c', 'SELECT body, label FROM wanted', '{"base": "bert_sequence"}');
SELECT lmtext.import_model('c', :'tiny' || '/bert-sequence', '{"task": "poetry"}');

-- The encoder of the same files, with a warning of what is left out: another model beside the first, also in the cache.
SELECT lmtext.import_model('encoder', :'tiny' || '/bert-sequence', '{"task": "embedding"}');
SELECT task, labels FROM lmtext.models WHERE name = 'encoder';
SELECT max(abs(e - w::text::float8)) < 1e-5 AS near
FROM folder, jsonb_array_elements(golden->'texts'->'cases') AS text,
     LATERAL (SELECT lmtext.embed(text->>'text', 'encoder')) AS embedding(vector),
     LATERAL ROWS FROM (unnest(vector), jsonb_array_elements(text->'embedding')) AS number(e, w)
WHERE name = 'bert_sequence';
SELECT lmtext.classify('cat', 'bert_sequence'), cardinality(lmtext.embed('cat', 'encoder'));
SELECT lmtext.classify('cat', 'encoder');
CALL lmtext.train('trained', 'SELECT body, label FROM wanted WHERE name = ''bert_sequence''', '{"base": "encoder"}');
SELECT lmtext.classify('cat', 'trained');
SELECT lmtext.quantize('encoder', 'int8');
SELECT task, "precision" FROM lmtext.models WHERE model = '"encoder@2"'::regclass;
SELECT bool_and(ok) AS ok FROM lmtext.selftest('encoder@2');

-- Reduced precision: the head stays as it is, and has the quantized encoder before it.
SELECT lmtext.quantize('bert_sequence', 'int8'), lmtext.quantize('distilbert_sequence', 'bf16');
SELECT lmtext.import_model('bert_sequence', :'tiny' || '/bert-sequence', '{"precision": "bf16"}');
SELECT name, version, task, "precision", labels, (metrics->'fidelity'->>'cosine_min')::float8 > 0.95 AS near FROM lmtext.models
WHERE name IN ('bert_sequence', 'distilbert_sequence') AND version > 1 ORDER BY 1, 2;
SELECT version, bool_and(abs(r.score - s.score) < 0.05) AS near
FROM wanted, generate_series(2, 3) version, LATERAL lmtext.class_scores(body, 'bert_sequence') s,
     LATERAL lmtext.class_scores(body, 'bert_sequence@' || version) r
WHERE name = 'bert_sequence' AND r.label = s.label GROUP BY version ORDER BY version;
SELECT version, bool_and(ok) AS ok FROM generate_series(2, 3) version, LATERAL lmtext.selftest('bert_sequence@' || version)
GROUP BY version ORDER BY version;

-- Files that do not make such a model, and a manifest that says another task than the files.
CREATE FUNCTION heads.import(changes jsonb) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE files jsonb;
BEGIN
    SELECT jsonb_object_agg(f, lo_from_bytea(0, CASE f
        WHEN 'config.json' THEN convert_to((convert_from(data, 'UTF8')::jsonb || changes)::text, 'UTF8') ELSE data END)::bigint)
    INTO files
    FROM folder, pg_ls_dir(path) f, pg_read_binary_file(path || '/' || f) data
    WHERE name = 'bert_sequence' AND f <> 'golden.json';
    RETURN lmtext.import_model('c', files);
END $$;
SELECT heads.import('{"id2label": {"0": "a", "1": "b"}}');
SELECT heads.import('{"id2label": {"0": "a", "1": "b", "2": "a"}}');
SELECT heads.import('{"id2label": {"0": "a", "1": "b", "3": "c"}}');
SELECT heads.import('{"problem_type": "ranking"}');
SELECT heads.import('{"architectures": ["BertForTokenClassification2"]}');
SELECT heads.import('{"architectures": ["BertForMaskedLM"]}');
SELECT task FROM lmtext.models WHERE model = '"c@1"'::regclass;
UPDATE "bert_regression@1" SET data = convert_to((convert_from(data, 'UTF8')::jsonb || '{"task": "embedding"}')::text, 'UTF8')
WHERE file = 'manifest.json';
\c -
SET search_path = heads;
SET client_min_messages = warning;
SELECT lmtext.embed('cat', 'bert_regression');

-- Rights are those of any model.
CREATE ROLE lmtext_test_reader;
GRANT USAGE ON SCHEMA heads TO lmtext_test_reader;
SET ROLE lmtext_test_reader;
SELECT lmtext.classify('cat', 'bert_sequence');
RESET ROLE;
SELECT lmtext.grant_model('bert_sequence', 'lmtext_test_reader');
SET ROLE lmtext_test_reader;
SELECT lmtext.classify('cat', 'bert_sequence');
RESET ROLE;

DROP INDEX guess_classify_idx;
SELECT lmtext.drop_model('distilbert_sequence');
DROP SCHEMA heads CASCADE;
DELETE FROM lmtext.model_name WHERE schema = 'heads';
DROP ROLE lmtext_test_reader;
SELECT count(lo_unlink(oid)) > 0 AS unlinked FROM pg_largeobject_metadata;

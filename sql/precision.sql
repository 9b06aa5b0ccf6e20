-- Versions of one model in other precisions: by import, by quantize, and what they take over.
\getenv source LMTEXT_SOURCE_DIR
\set bert :source '/models/tiny/bert'
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS lmtext;
CREATE SCHEMA precision_a;
SET search_path = precision_a;
CREATE ROLE regress_lmtext_reader;
GRANT USAGE, CREATE ON SCHEMA precision_a TO regress_lmtext_reader;
CREATE FUNCTION cosine(a real[], b real[]) RETURNS double precision LANGUAGE sql AS
    'SELECT 1 - lmtext.cosine_distance(a, b)';

SELECT lmtext.import_model('p', :'bert', '{"licence": "MIT", "max_tokens": 16}');
SELECT lmtext.import_model('p', :'bert', '{"precision": "bf16", "max_tokens": 16}');
SELECT lmtext.quantize('p', 'bf16');
SELECT lmtext.quantize('p@1', 'int8');
SELECT lmtext.quantize('p@4', 'fp32');
SELECT lmtext.quantize('p@1', 'int8', ARRAY(SELECT 'text number ' || i FROM generate_series(1, 30) i) || NULL);
SELECT lmtext.quantize('p@5', 'auto') AS version, lmtext.quantize('precision_a.p', 'fp32') AS another;

-- What they take over, and what they are.
SELECT version, deployed, CASE WHEN version <> 7 THEN "precision" END AS "precision", max_tokens, licence, base
FROM lmtext.models WHERE name = 'p' ORDER BY version;
SELECT "precision" = (SELECT CASE WHEN instruction_level = 'avx512_bf16' THEN 'bf16' ELSE 'fp32' END FROM lmtext.device) AS as_the_cpu_has_it
FROM lmtext.models WHERE model = '"p@7"'::regclass;
-- Equal files, window and precision are one model.
SELECT array_agg(version ORDER BY version) AS equal FROM lmtext.models
WHERE name = 'p' AND version <> 7 GROUP BY sha256 ORDER BY 1;

-- Near, and not the same; and back again the same bits.
SELECT cosine(lmtext.embed('some words', '"p@1"'::regclass), lmtext.embed('some words', '"p@2"'::regclass)) BETWEEN 0.999 AND 0.9999999 AS bf16,
       cosine(lmtext.embed('some words', '"p@1"'::regclass), lmtext.embed('some words', '"p@4"'::regclass)) BETWEEN 0.99 AND 0.999999 AS int8,
       lmtext.embed('some words', '"p@2"'::regclass) = lmtext.embed('some words', '"p@3"'::regclass) AS same_bf16,
       lmtext.embed('some words', '"p@1"'::regclass) = lmtext.embed('some words', '"p@5"'::regclass) AS same_fp32;
-- Alone as in an array.
SELECT n, ARRAY[lmtext.embed('two words', n::regclass)]
    = (lmtext.embed('{one,"two words","and three words"}'::text[], n::regclass))[2:2] AS same
FROM (VALUES ('"p@2"'), ('"p@4"')) v (n) ORDER BY n;
-- Each has a copy of its own, of its own size.
SELECT c.version, c.bytes < (SELECT bytes FROM lmtext.model_cache WHERE version = 'p@1') AS smaller
FROM lmtext.model_cache c WHERE c.version IN ('p@2', 'p@4') ORDER BY 1;

-- How near was measured when the version was made; float32 has no such figure.
SELECT version, metrics -> 'fidelity' ->> 'texts' AS texts,
       (metrics -> 'fidelity' ->> 'cosine_min')::float8 BETWEEN 0.9 AND (metrics -> 'fidelity' ->> 'cosine_mean')::float8 AS least,
       (metrics -> 'fidelity' ->> 'cosine_mean')::float8 BETWEEN 0.99 AND 0.9999999 AS mean
FROM lmtext.models WHERE name = 'p' AND version <> 7 ORDER BY version;
SELECT v AS version, "check", ok FROM (VALUES ('p@1'), ('p@2'), ('p@4')) v (v), lmtext.selftest(v)
WHERE "check" !~ '^instruction' ORDER BY v, "check";
SELECT v AS version, bool_and(ok) AS all_levels FROM (VALUES ('p@1'), ('p@2'), ('p@4')) v (v), lmtext.selftest(v)
WHERE "check" ~ '^instruction' GROUP BY v ORDER BY v;

-- A classifier on a version of reduced precision; it has none of its own.
SET lmtext.embedding_model = 'p@4';
CALL lmtext.train('topic', $$VALUES ('red apple', 'fruit'), ('green pear', 'fruit'), ('fast car', 'thing'), ('slow train', 'thing')$$,
    '{"base": "p@4", "hold_out": 0, "max_steps": 20}');
SELECT "precision", base FROM lmtext.models WHERE name = 'topic';
SELECT lmtext.classify('red apple', 'topic');
SELECT bool_and(ok) FROM lmtext.selftest('topic');
SELECT lmtext.quantize('topic', 'bf16');
RESET lmtext.embedding_model;

-- A version's files make it again; those of the calibration are read where int8 is asked for, and nowhere else.
SELECT jsonb_object_agg(file, lo_from_bytea(0, data)::bigint) AS files,
       jsonb_object_agg(file, CASE WHEN file = 'quantized.safetensors' THEN lo_from_bytea(0, substr(data, 1, length(data) - 1))::bigint
                              ELSE lo_from_bytea(0, data)::bigint END) AS cut
FROM "p@4" WHERE file NOT IN ('manifest.json', 'golden.json') \gset
SELECT lmtext.import_model('q', :'files'::jsonb, '{"precision": "int8", "max_tokens": 16}');
SELECT lmtext.import_model('q', :'cut'::jsonb, '{"precision": "int8", "max_tokens": 16}');
SELECT lmtext.import_model('q', :'cut'::jsonb, '{"max_tokens": 16}');
SELECT q.version, p.version AS equal FROM lmtext.models q LEFT JOIN lmtext.models p ON p.sha256 = q.sha256 AND p.name = 'p' AND p.version < 5
WHERE q.name = 'q' ORDER BY q.version;

-- What is no precision.
SELECT lmtext.quantize('p', 'int4');
SELECT lmtext.quantize('p', 'FP32');
SELECT lmtext.quantize('p', NULL);
SELECT lmtext.quantize('p', 'bf16', '{a,b,c,d,e}');
SELECT lmtext.quantize('p', 'int8', '{a,b,NULL,c,d}');
SELECT lmtext.quantize('absent', 'bf16');
SELECT lmtext.import_model('p', :'bert', '{"precision": "half"}');
SELECT lmtext.import_model('p', :'bert', '{"precision": 8}');

-- Only who owns the model may add a version; who may use it learns no more.
SELECT lmtext.grant_model('p@1', 'regress_lmtext_reader');
SET ROLE regress_lmtext_reader;
SELECT lmtext.quantize('p@1', 'bf16');
RESET ROLE;
GRANT EXECUTE ON FUNCTION lmtext.quantize TO regress_lmtext_reader;
SET ROLE regress_lmtext_reader;
SELECT lmtext.quantize('p@1', 'bf16');
SELECT lmtext.quantize('p@2', 'bf16');
RESET ROLE;
REVOKE EXECUTE ON FUNCTION lmtext.quantize FROM regress_lmtext_reader;

-- What a version says of its fidelity is judged as it stands: too far, no number, nothing said.
CREATE FUNCTION says(fidelity jsonb) RETURNS void LANGUAGE sql AS $$
    UPDATE "p@3" SET data = convert_to(jsonb_set(convert_from(data, 'UTF8')::jsonb, '{metrics,fidelity}', fidelity)::text, 'UTF8')
    WHERE file = 'manifest.json' $$;
SELECT 'SELECT says(' || quote_literal(fidelity) || ')',
    $$SELECT round(max_error::numeric, 6) AS max_error, ok FROM lmtext.selftest('p@3') WHERE "check" = 'fidelity to fp32'$$
FROM (VALUES ('{"cosine_min": 0.5}'), ('{"cosine_min": "near"}'), ('{}')) v (fidelity) \gexec

-- A version under another name is none to be continued.
ALTER TABLE "p@8" RENAME TO elsewhere;
SELECT lmtext.quantize('elsewhere', 'bf16');
SELECT lmtext.embed('some words', 'elsewhere'::regclass) IS NOT NULL AS still_used;

BEGIN READ ONLY;
SELECT lmtext.quantize('p', 'bf16');
ROLLBACK;

SELECT count(lo_unlink(oid)) > 0 AS unlinked FROM pg_largeobject_metadata;
DROP SCHEMA precision_a CASCADE;
DELETE FROM lmtext.model_name WHERE schema = 'precision_a';
DROP ROLE regress_lmtext_reader;

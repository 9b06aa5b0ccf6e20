-- A version's manifest, changed behind lmtext's back: what is wrong is named, and lists go on.
\getenv source LMTEXT_SOURCE_DIR
\set bert :source '/models/tiny/bert'
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS lmtext;
CREATE SCHEMA manifest;
SET search_path = manifest;
SELECT lmtext.import_model('x', :'bert') AS version;
CREATE TABLE sound AS SELECT convert_from(data, 'UTF8') AS manifest FROM "x@1" WHERE file = 'manifest.json';

CREATE TABLE damage (n int GENERATED ALWAYS AS IDENTITY, what text, bytes bytea);

-- One member set, or removed: NULL.
INSERT INTO damage (what, bytes)
SELECT concat_ws(' ', path, left(value::text, 20)),
    convert_to((CASE WHEN value IS NULL THEN manifest::jsonb #- path ELSE jsonb_set(manifest::jsonb, path, value) END)::text,
               'UTF8')
FROM sound, (VALUES
    ('{format}'::text[], NULL::jsonb), ('{format}', 'null'), ('{format}', '"1"'), ('{format}', '1.5'), ('{format}', '-1'),
    ('{format}', '2'), ('{format}', '2147483648'),
    ('{digest}', NULL), ('{digest}', '5'), ('{digest}', '"ab"'), ('{digest}', to_jsonb(repeat('A', 64))),
    ('{digest}', to_jsonb(repeat('a', 64))),
    ('{digest}', to_jsonb(repeat('0g', 32))), ('{digest}', to_jsonb(repeat(' ', 64))),
    ('{files}', NULL), ('{files}', '{}'), ('{files}', '[5]'), ('{files,0,name}', '5'), ('{files,0,size}', '-1'),
    ('{files,0,size}', '"x"'), ('{base}', '"ab"'), ('{base}', to_jsonb(repeat('a', 64))), ('{files,0,sha256}', NULL), ('{files,0,sha256}', '"0g"'), ('{files}', '[]'),
    ('{family}', NULL), ('{family}', '1'), ('{task}', NULL), ('{precision}', NULL), ('{precision}', '[]'), ('{precision}', '"fp64"'),
    ('{dimensions}', '-1'), ('{dimensions}', '2147483648'), ('{truncate_dim}', '-1'), ('{max_tokens}', '"many"'), ('{parameters}', '1.0'),
    ('{bytes}', '-1'), ('{bytes}', '9223372036854775808')) damage (path, value);

-- Bytes that are no manifest, and more of them than there may be.
INSERT INTO damage (what, bytes) SELECT d.* FROM sound, LATERAL (VALUES
    ('nothing', ''::bytea), ('an array', '[]'), ('a beginning', '{'), ('an empty object', '{}'), ('bytes', '\xff'),
    ('long', convert_to(manifest || repeat(' ', 17000000), 'UTF8')),
    ('many files', convert_to(jsonb_set(manifest::jsonb, '{files}',
        (SELECT jsonb_agg('{}'::jsonb) FROM generate_series(1, 10001)))::text, 'UTF8')),
    ('a hidden name', convert_to(replace(manifest, '"name":"', '"name":"\u0000'), 'UTF8'))) d (what, bytes);

-- Put there, forget what was read of the version, use it, and list it.
\pset tuples_only on
SELECT 'SELECT ' || quote_literal(what),
    format('UPDATE "x@1" SET data = (SELECT bytes FROM damage WHERE n = %s) WHERE file = ''manifest.json''', n),
    'ALTER TABLE "x@1" ALTER COLUMN part SET STATISTICS 0',
    'SELECT lmtext.count_tokens(''a'', ''x@1'')',
    'SELECT family IS NOT NULL AS described FROM lmtext.models WHERE model = ''"x@1"''::regclass'
FROM damage ORDER BY n \gexec


-- Another part with a name as long does not stand for it.
INSERT INTO "x@1" VALUES ('manifest-json', 0, '\x00');
UPDATE "x@1" SET data = convert_to(manifest, 'UTF8') FROM sound WHERE file = 'manifest.json';
SELECT lmtext.count_tokens('a', 'x@1');
DELETE FROM "x@1" WHERE file = 'manifest-json';

-- One version has one name: no leading zero, no sign, no number beyond what there can be, in this database.
\pset format unaligned
SELECT name, (SELECT family FROM lmtext_internal.describe_model(name)) FROM (VALUES ('x@1'), ('manifest.x@1')) n (name);
SELECT lmtext.count_tokens('a', '@1');
SELECT lmtext.count_tokens('a', 'x@');
SELECT lmtext.count_tokens('a', 'x@01');
SELECT lmtext.count_tokens('a', 'x@1a');
SELECT lmtext.count_tokens('a', 'x@/');
SELECT lmtext.count_tokens('a', 'x@99999999999');
SELECT lmtext.count_tokens('a', 'elsewhere.manifest.x@1');
SELECT format('SELECT lmtext.count_tokens(%L, %L) AS here', 'a', current_database() || '.manifest.x@1') \gexec

-- A version's name on something else, or its type on what is no plain table, make no model.
SELECT lmtext.import_model('x', :'bert', '{"max_tokens": 9}') AS version;
CREATE VIEW "x@3" AS SELECT 1 AS one;
CREATE TABLE "x@4" (one int);
CREATE TABLE "x@5" OF lmtext.model_part PARTITION BY LIST (part);
CREATE TYPE part_of_another AS (file text);
CREATE TABLE "x@6" OF part_of_another;
SELECT lmtext.deploy('x', 4);
SELECT lmtext.count_tokens('a', '""');
SELECT lmtext.count_tokens('a', 'x@3');
SELECT lmtext.count_tokens('a', 'x@5');
SELECT lmtext.count_tokens('a', 'x@6');
SELECT version FROM lmtext.models WHERE name = 'x' ORDER BY version;
-- A table that became a version: it had another column once, has no key, and holds nulls and a name beyond any file's.
CREATE TABLE grown (gone int, LIKE "x@2");
ALTER TABLE grown DROP COLUMN gone, ALTER file DROP NOT NULL, ALTER part DROP NOT NULL;
ALTER TABLE grown OF lmtext.model_part;
INSERT INTO grown VALUES (NULL, 0, ''), ('manifest.json', NULL, ''), ('manifest.json', 0, NULL),
    (repeat('manifest.json', 1000), 0, '');
INSERT INTO grown SELECT * FROM "x@2";
SELECT name, version, deployed, max_tokens FROM lmtext.models WHERE model = 'grown'::regclass;
SELECT lmtext.embed('a text', 'grown'::regclass) = lmtext.embed('a text', 'x@2') AS same;

-- One without a TOAST table, which a table has that was made without long values: its manifest lies in a row.
CREATE TABLE flat ();
ALTER TABLE flat ADD file text COLLATE "C", ADD part int, ADD data bytea, ADD base regclass,
    ALTER file SET STORAGE PLAIN, ALTER data SET STORAGE PLAIN;
ALTER TABLE flat OF lmtext.model_part;
SELECT reltoastrelid = 0 AS flat FROM pg_class WHERE oid = 'flat'::regclass;
SELECT max_tokens, status FROM lmtext.models WHERE model = 'flat'::regclass;
INSERT INTO flat SELECT * FROM "x@2" WHERE file = 'manifest.json';
SELECT max_tokens, status FROM lmtext.models WHERE model = 'flat'::regclass;
DROP TABLE flat;

-- A default that is no constant is the owner's code: it is not run, and no base.
ALTER TABLE grown ALTER part SET DEFAULT 0, ALTER base SET DEFAULT to_regclass('manifest.x@1');
SELECT lmtext.count_tokens('a', 'grown'::regclass);
-- A base is a model that has none itself.
SELECT lmtext.import_model('y', :'bert', '{"max_tokens": 7}') AS version;
ALTER TABLE "y@1" ALTER COLUMN base SET DEFAULT 'pg_class'::regclass;
SELECT lmtext.count_tokens('a', 'y@1');
SELECT lmtext.import_model('z', :'bert', '{"max_tokens": 8}') AS version;
ALTER TABLE "z@1" ALTER COLUMN base SET DEFAULT 'manifest."y@1"'::regclass;
SELECT lmtext.count_tokens('a', 'z@1');
-- Nor is one that its manifest does not name, or names by another digest.
ALTER TABLE "z@1" ALTER COLUMN base SET DEFAULT 'manifest."x@2"'::regclass;
SELECT lmtext.count_tokens('a', 'z@1');
UPDATE "z@1" SET data = convert_to(jsonb_set(convert_from(data, 'UTF8')::jsonb, '{base}', to_jsonb(repeat('a', 64)))::text, 'UTF8')
    WHERE file = 'manifest.json';
ALTER TABLE "z@1" ALTER COLUMN part SET STATISTICS 0;
SELECT lmtext.count_tokens('a', 'z@1');
ALTER TABLE "z@1" ALTER COLUMN base DROP DEFAULT;

-- What a caller asked for is written down, one and both.
SELECT lmtext.import_model('w', :'bert', '{"task": "embedding"}') AS version;
SELECT lmtext.import_model('w', :'bert', '{"task": "embedding", "max_tokens": 9}') AS version;
SELECT convert_from(data, 'UTF8')::json -> 'options' AS options FROM "w@1" WHERE file = 'manifest.json';
SELECT convert_from(data, 'UTF8')::json -> 'options' AS options FROM "w@2" WHERE file = 'manifest.json';

-- What kind of model it is, what a token costs, and what is peculiar to the kind: for lists and planners. A head costs what its base does.
CREATE TABLE doc AS SELECT 'text ' || i AS body, (ARRAY['a', 'b'])[i % 2 + 1] AS label FROM generate_series(1, 8) i;
CALL lmtext.train('head', 'SELECT body, label FROM manifest.doc', '{"base": "w", "hold_out": 0, "max_steps": 1}');
CREATE FUNCTION said(manifest bytea) RETURNS text LANGUAGE sql AS
    $$SELECT concat_ws(' ', m -> 'kind', m -> 'task', m -> 'flops_per_token', m -> 'details') FROM (SELECT convert_from(manifest, 'UTF8')::jsonb) f (m)$$;
SELECT said(data) FROM "w@1" WHERE file = 'manifest.json';
SELECT said(data) FROM "head@1" WHERE file = 'manifest.json';
-- A version that does not say it, as 0.3 made them, is the same model.
CREATE TABLE before AS SELECT lmtext.embed('a text', 'w@2') AS vector;
UPDATE "w@2" SET data = convert_to((convert_from(data, 'UTF8')::jsonb - ARRAY['kind', 'flops_per_token', 'details'])::text, 'UTF8')
    WHERE file = 'manifest.json';
ALTER TABLE "w@2" ALTER COLUMN part SET STATISTICS 0;
SELECT lmtext.embed('a text', 'w@2') = vector AS same FROM before;

-- What a caller may add to it has an end.
SELECT lmtext.import_model('w', :'bert', jsonb_build_object('licence', repeat('x', 17000000)));

-- What is dropped with all its versions takes nothing else along.
SELECT lmtext.drop_model('x');
SELECT relname, relkind FROM pg_class
WHERE relnamespace = 'manifest'::regnamespace AND relname ~ '^x@.$' ORDER BY relname COLLATE "C";

DROP SCHEMA manifest CASCADE;
DELETE FROM lmtext.model_name WHERE schema = 'manifest';

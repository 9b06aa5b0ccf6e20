-- Models as tables: import, versions, names, deployment, privileges, transactions, damage.
\getenv source LMTEXT_SOURCE_DIR
\set bert :source '/models/tiny/bert'
\set sharded :source '/models/tiny/bert-sharded'
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS lmtext;
CREATE SCHEMA models_a;
CREATE SCHEMA models_b;
SET search_path = models_a;

-- Large objects of a folder's files, one of them replaced (or left out: NULL).
CREATE FUNCTION models_a.objects(folder text, replaced text DEFAULT '', content bytea DEFAULT NULL)
RETURNS jsonb LANGUAGE sql AS $$
    SELECT jsonb_object_agg(f, lo_from_bytea(0, CASE WHEN f = replaced THEN content
        ELSE pg_read_binary_file(folder || '/' || f) END)::bigint)
    FROM pg_ls_dir(folder) f
    WHERE f <> 'golden.json' AND (f <> replaced OR content IS NOT NULL)
$$;
-- A JSON file of a folder with one key set.
CREATE FUNCTION models_a.edited(folder text, file text, key text, value jsonb)
RETURNS bytea LANGUAGE sql AS $$
    SELECT convert_to(jsonb_set(pg_read_file(folder || '/' || file)::jsonb, ARRAY[key], value)::text,
                      'UTF8')
$$;

CREATE FUNCTION models_a.open_objects(files jsonb, reader text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE object text;
BEGIN
    FOR object IN SELECT value FROM jsonb_each_text(files) LOOP
        EXECUTE format('GRANT SELECT ON LARGE OBJECT %s TO %I', object, reader);
    END LOOP;
END
$$;

-- Import makes a table, its number is the result, and the first version is deployed.
SELECT lmtext.import_model('m', :'bert');
SELECT name, version, deployed, family, task, precision, dimensions, max_tokens, parameters, bytes,
       sha256 ~ '^[0-9a-f]{64}$' AS digest, labels, licence, base, owner = current_user AS mine,
       created_at = date_trunc('second', created_at) AND created_at > now() - '1 hour'::interval AS recent,
       metrics, model
FROM lmtext.models WHERE model::text LIKE '%m@%';
\d "m@1"
SELECT attstorage FROM pg_attribute WHERE attrelid = '"m@1"'::regclass AND attname = 'data';
SELECT file, count(*), min(part), sum(length(data)) > 0 AS filled FROM "m@1" GROUP BY file ORDER BY file;
-- The digest of a file is PostgreSQL's own.
SELECT f->>'name' AS file,
       f->>'sha256' = encode(sha256(pg_read_binary_file(:'bert' || '/' || (f->>'name'))), 'hex') AS same
FROM "m@1", jsonb_array_elements(convert_from(data, 'UTF8')::jsonb->'files') f
WHERE file = 'manifest.json' ORDER BY 1;

-- The next version has the next number and waits to be deployed; options that change results change
-- the digest, others do not.
SELECT lmtext.import_model('m', :'bert', '{"licence": "Apache-2.0"}');
SELECT lmtext.import_model('m', :'bert', '{"max_tokens": 6}');
SELECT version, deployed, max_tokens, licence, sha256 = first_value(sha256) OVER (ORDER BY version) AS same
FROM lmtext.models WHERE name = 'm' ORDER BY version;
SELECT lmtext.import_model('shards', :'sharded');
SELECT count(DISTINCT file) FROM "shards@1" WHERE file LIKE '%.safetensors';

-- A bare name means the deployed version.
SELECT lmtext.embed('a long text of many words, more than six', 'm')
     = lmtext.embed('a long text of many words, more than six', 'm@1') AS first_is_deployed;
SELECT lmtext.deploy('m', 3);
SELECT lmtext.embed('a long text of many words, more than six', 'm')
     = lmtext.embed('a long text of many words, more than six', 'm@3') AS third_is_deployed,
       lmtext.embed('a long text of many words, more than six', 'm')
     = lmtext.embed('a long text of many words, more than six', 'm@1') AS as_the_first;
SELECT lmtext.deploy('m', 9);
SELECT lmtext.deploy('absent', 1);
SELECT lmtext.deploy('m@1', 1);
SELECT lmtext.deploy('m', NULL);

-- Names are looked up by search_path as tables are, and folded and quoted as identifiers are.
SELECT lmtext.import_model('models_b.m', :'bert', '{"max_tokens": 7}');
SELECT lmtext.import_model('"Odd name"', :'bert');
SELECT model, deployed, max_tokens FROM lmtext.models WHERE model::text ~ 'm@|Odd' ORDER BY model::text COLLATE "C";
SELECT cardinality(lmtext.token_ids('x', 'M')) = cardinality(lmtext.token_ids('x', 'models_a.m@1')) AS same;
SELECT cardinality(lmtext.token_ids('x', '"Odd name"')) > 0 AS found,
       cardinality(lmtext.token_ids('x', '"Odd name@1"')) > 0 AS found_version;
SELECT lmtext.embed('a long text of many words, more than six', 'm')
     = lmtext.embed('a long text of many words, more than six', 'models_a.m@3') AS in_a;
SET search_path = models_b, models_a;
SELECT lmtext.embed('a long text of many words, more than six', 'm')
     = lmtext.embed('a long text of many words, more than six', 'models_b.m@1') AS in_b,
       lmtext.embed('a long text of many words, more than six', 'm@1')
     = lmtext.embed('a long text of many words, more than six', 'models_b.m@1') AS version_in_b,
       lmtext.embed('a long text of many words, more than six', 'm@3')
     = lmtext.embed('a long text of many words, more than six', 'models_a.m@3') AS version_in_a;
SET search_path = models_a;

-- What is no name of a model.
SELECT lmtext.count_tokens('x', 'absent');
SELECT lmtext.count_tokens('x', 'm@9');
SELECT lmtext.count_tokens('x', 'nowhere.m');
SELECT lmtext.count_tokens('x', 'm@x');
SELECT lmtext.count_tokens('x', 'm@01');
SELECT lmtext.count_tokens('x', 'm@');
SELECT lmtext.count_tokens('x', '');
SELECT lmtext.count_tokens('x', 'a.b.c.d');
SELECT lmtext.count_tokens('x', 'pg_class'::regclass);
SELECT lmtext.count_tokens('x', 999999999::regclass);
SELECT lmtext.import_model('', :'bert');
SELECT lmtext.import_model('m@4', :'bert');
SELECT lmtext.import_model('a@b', :'bert');
SELECT lmtext.import_model(repeat('n', 57), :'bert');
SELECT lmtext.import_model(repeat('n', 56), :'bert');
SELECT lmtext.drop_model(repeat('n', 56));
SELECT lmtext.import_model('pg_temp.m', :'bert');
SELECT lmtext.import_model('nowhere.m', :'bert');
SELECT lmtext.import_model(NULL, :'bert');

-- Options.
SELECT lmtext.import_model('o', :'bert', '{"max_token": 5}');
SELECT lmtext.import_model('o', :'bert', '{"max_tokens": "5"}');
SELECT lmtext.import_model('o', :'bert', '{"max_tokens": 0}');
SELECT lmtext.import_model('o', :'bert', '{"max_tokens": 1.5}');
SELECT lmtext.import_model('o', :'bert', '{"max_tokens": 1e300}');
SELECT lmtext.import_model('o', :'bert', '{"licence": 5}');
SELECT lmtext.import_model('o', :'bert', '[]');
\set VERBOSITY sqlstate
SELECT lmtext.import_model('o', :'bert', '{"max_tokens": 1000000}');
\set VERBOSITY default

-- Files that are missing, cut short, or do not fit each other. Nothing is left of the attempt.
\set VERBOSITY sqlstate
SELECT lmtext.import_model('bad', :'source' || '/models/tiny');
SELECT lmtext.import_model('bad', :'source' || '/models/absent');
SELECT lmtext.import_model('bad', :'bert' || '/config.json');
SELECT objects(:'bert', 'config.json') AS files \gset
SELECT lmtext.import_model('bad', :'files'::jsonb);
SELECT objects(:'bert', 'tokenizer.json') AS files \gset
SELECT lmtext.import_model('bad', :'files'::jsonb);
SELECT objects(:'bert', 'model.safetensors') AS files \gset
SELECT lmtext.import_model('bad', :'files'::jsonb);
SELECT objects(:'bert', 'model.safetensors', '') AS files \gset
SELECT lmtext.import_model('bad', :'files'::jsonb);
SELECT objects(:'bert', 'model.safetensors',
    substr(pg_read_binary_file(:'bert' || '/model.safetensors'), 1, 5000)) AS files \gset
SELECT lmtext.import_model('bad', :'files'::jsonb);
-- (a weight that is not a number)
SELECT objects(:'bert', 'model.safetensors', overlay(pg_read_binary_file(:'bert' || '/model.safetensors')
    PLACING '\x0000c07f' FROM (length(pg_read_binary_file(:'bert' || '/model.safetensors')) - 3)))
    AS files \gset
SELECT lmtext.import_model('bad', :'files'::jsonb);
SELECT objects(:'bert', 'config.json', '{') AS files \gset
SELECT lmtext.import_model('bad', :'files'::jsonb);
SELECT objects(:'bert', 'config.json',
    edited(:'bert', 'config.json', 'hidden_size', '72')) AS files \gset
SELECT lmtext.import_model('bad', :'files'::jsonb);
SELECT objects(:'bert', 'config.json',
    edited(:'bert', 'config.json', 'num_attention_heads', '0')) AS files \gset
SELECT lmtext.import_model('bad', :'files'::jsonb);
SELECT objects(:'bert', 'config.json',
    edited(:'bert', 'config.json', 'num_hidden_layers', '5')) AS files \gset
SELECT lmtext.import_model('bad', :'files'::jsonb);
SELECT objects(:'bert', 'config.json',
    edited(:'bert', 'config.json', 'model_type', '"nosuch"')) AS files \gset
SELECT lmtext.import_model('bad', :'files'::jsonb);
SELECT objects(:'sharded', 'model-00002-of-00003.safetensors') AS files \gset
SELECT lmtext.import_model('bad', :'files'::jsonb);
\set VERBOSITY default
SELECT count(*) FROM lmtext.models WHERE name = 'bad';
SELECT * FROM lmtext.model_name WHERE model = 'bad';
-- A message names model and file.
SELECT objects(:'bert', 'config.json') AS files \gset
SELECT lmtext.import_model('bad', :'files'::jsonb);

-- Large objects.
SELECT objects(:'bert') AS files \gset
SELECT lmtext.import_model('lo', :'files'::jsonb);
SELECT a.sha256 = b.sha256 AS same FROM lmtext.models a, lmtext.models b
WHERE a.model = '"m@1"'::regclass AND b.model = '"lo@1"'::regclass;
SELECT lmtext.import_model('bad', '[]'::jsonb);
SELECT lmtext.import_model('bad', '{"config.json": "x"}'::jsonb);
SELECT lmtext.import_model('bad', '{"config.json": -1}'::jsonb);
SELECT lmtext.import_model('bad', '{"config.json": 1}'::jsonb);
SELECT lmtext.import_model('bad', '{"../config.json": 1}'::jsonb);
SELECT lmtext.import_model('bad', '{}'::jsonb);

-- Transactions: a version may be used before it is committed, also by parallel workers, and is gone
-- with its transaction or savepoint.
BEGIN;
SELECT lmtext.import_model('t', :'bert', '{"max_tokens": 9}');
SAVEPOINT one;
SELECT lmtext.import_model('t', :'bert', '{"max_tokens": 10}');
SELECT lmtext.deploy('t', 2);
SELECT lmtext.embed('a text', 't') = lmtext.embed('a text', 't@2') AS used;
ROLLBACK TO one;
SELECT lmtext.embed('a text', 't') = lmtext.embed('a text', 't@1') AS used;
SELECT lmtext.import_model('t', :'bert', '{"max_tokens": 8}');
SELECT set_config(name, 'on', true) IS NOT NULL AS forced
FROM pg_settings WHERE name IN ('force_parallel_mode', 'debug_parallel_query');
-- Nobody has loaded the second one yet: a worker does.
SELECT lmtext.embed('a text', 't') = lmtext.embed('a text', 'm@1') AS used_by_worker,
       lmtext.embed('a text', 't@2') = lmtext.embed('a text', 'm@1') AS loaded_by_worker;
ROLLBACK;
SELECT lmtext.count_tokens('x', 't');
SELECT count(*) FROM lmtext.model_name WHERE model = 't';
SELECT lmtext.import_model('t', :'bert');
BEGIN;
SELECT lmtext.drop_model('t');
SELECT lmtext.count_tokens('x', 't');
ROLLBACK;
SELECT lmtext.count_tokens('x', 't') > 0 AS back;
BEGIN READ ONLY;
SELECT lmtext.import_model('t', :'bert');
ROLLBACK;
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT count(*) FROM lmtext.models WHERE name = 't';
SELECT lmtext.import_model('t', :'bert');
SELECT lmtext.count_tokens('x', 't@2') > 0 AS used;
COMMIT;

-- So may a function that imports: its next statements are planned by the snapshot of an earlier one, and a
-- pinned version is asked for then.
CREATE FUNCTION models_a.import_and_use(folder text) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
    fresh regclass;
BEGIN
    PERFORM lmtext.import_model('fresh', folder);
    SELECT model INTO fresh FROM lmtext.models WHERE name = 'fresh';
    IF EXISTS (SELECT FROM unnest(lmtext.embed('a text', fresh)) x WHERE x = 'NaN') THEN
        RAISE 'no number';
    END IF;
    RETURN cardinality(lmtext.embed('a text', fresh));
END $$;
BEGIN;
SELECT models_a.import_and_use(:'bert');
ROLLBACK;

-- Numbers are not used again.
SELECT lmtext.drop_model('t@1');
SELECT lmtext.drop_model('t@2');
SELECT lmtext.deploy('t', 2);
SELECT lmtext.drop_model('t@1');
SELECT lmtext.import_model('t', :'bert');
SELECT name, version, deployed FROM lmtext.models WHERE name = 't' ORDER BY version;
SELECT lmtext.drop_model('t');
SELECT lmtext.drop_model('t');
SELECT * FROM lmtext.model_name WHERE model = 't';
SELECT lmtext.count_tokens('x', 't');
SELECT lmtext.import_model('t', :'bert');
SELECT lmtext.drop_model('absent@1');
SELECT lmtext.drop_model('absent');

-- A plain DROP TABLE is as good; a deployment that it leaves behind is an error, not another model.
DROP TABLE "t@4";
SELECT lmtext.count_tokens('x', 't');
SET search_path = models_a, models_b;
SELECT lmtext.import_model('models_b.t', :'bert');
SELECT lmtext.count_tokens('x', 't');
SET search_path = models_a;
SELECT lmtext.import_model('t', :'bert');
SELECT lmtext.count_tokens('x', 't') > 0 AS found;

-- What depends on a version keeps it.
CREATE TABLE doc (body text);
INSERT INTO doc VALUES ('one'), ('two'), (NULL);
CREATE INDEX doc_embedding ON doc ((cardinality(lmtext.embed(body, '"t@5"'::regclass))));
SELECT lmtext.drop_model('t');
DROP TABLE doc;
SELECT lmtext.drop_model('t');

-- Privileges: SELECT on the column file is what using a version takes.
CREATE ROLE regress_lmtext_owner;
CREATE ROLE regress_lmtext_user;
GRANT CREATE, USAGE ON SCHEMA models_b TO regress_lmtext_owner;
GRANT USAGE ON SCHEMA models_a, models_b TO regress_lmtext_user, regress_lmtext_owner;
SET search_path = models_b;
SET ROLE regress_lmtext_owner;
SELECT lmtext.import_model('p', :'bert');
SELECT lmtext.import_model('p', '{}'::jsonb);
SELECT lmtext.deploy('m', 1);
SELECT lmtext.drop_model('m');
RESET ROLE;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA lmtext TO regress_lmtext_owner;
SET ROLE regress_lmtext_owner;
-- The same error whether the directory exists or not.
SELECT lmtext.import_model('p', :'bert');
SELECT lmtext.import_model('p', :'source' || '/models/absent');
SELECT lmtext.import_model('p', '../../../../etc');
RESET ROLE;
SELECT models_a.objects(:'bert') AS files \gset
SET ROLE regress_lmtext_owner;
\set VERBOSITY sqlstate
SELECT lmtext.import_model('p', :'files'::jsonb);
\set VERBOSITY default
RESET ROLE;
SELECT models_a.open_objects(:'files', 'regress_lmtext_owner');
SET ROLE regress_lmtext_owner;
SELECT lmtext.import_model('p', :'files'::jsonb);
SELECT name, version, owner FROM lmtext.models ORDER BY 1, 2;
-- Versions of a name have one owner.
SELECT lmtext.import_model('m', :'files'::jsonb);
SELECT lmtext.deploy('m', 1);
SELECT lmtext.drop_model('m');
SELECT lmtext.drop_model('m@1');
SELECT lmtext.import_model('models_a.p', :'files'::jsonb);
UPDATE lmtext.model_name SET deployed = 1;
INSERT INTO lmtext.model_name VALUES ('models_b', 'x', 1, 1);
SELECT current_user;
SELECT lmtext.count_tokens('x', 'm');
SELECT lmtext.count_tokens('x', 'p') > 0 AS own;
SET ROLE regress_lmtext_user;
SELECT lmtext.count_tokens('x', 'p');
SELECT lmtext.count_tokens('x', '"p@1"'::regclass);
SELECT count(*) FROM lmtext.models;
SELECT count(*) FROM lmtext_internal.describe_model('"p@1"');
SET ROLE regress_lmtext_owner;
GRANT SELECT (file) ON "p@1" TO regress_lmtext_user;
SET ROLE regress_lmtext_user;
SELECT lmtext.count_tokens('x', 'p') > 0 AS granted;
SELECT name, version, owner FROM lmtext.models;
SELECT count(*) FROM "p@1" WHERE data IS NOT NULL;
RESET ROLE;
-- An index is built as the table's owner, in a restricted context.
CREATE TABLE models_b.doc (body text);
INSERT INTO models_b.doc VALUES ('one'), ('two'), (NULL);
ALTER TABLE models_b.doc OWNER TO regress_lmtext_owner;
CREATE INDEX doc_embedding ON models_b.doc ((cardinality(lmtext.embed(body, '"p@1"'::regclass))));
DROP TABLE models_b.doc;

-- lmtext.model_directory opens what is below it to those who may call import_model.
SET lmtext.model_directory = 'relative';
SELECT set_config('lmtext.model_directory', :'source' || '/models/tiny/', false) <> '' AS set;
SET ROLE regress_lmtext_owner;
SELECT lmtext.import_model('d', 'bert');
SELECT lmtext.import_model('d', :'bert');
SELECT lmtext.import_model('d', './bert/../bert-sharded/');
SELECT lmtext.import_model('d', '../tiny/bert');
SELECT lmtext.import_model('d', '/etc');
\set VERBOSITY sqlstate
SELECT lmtext.import_model('d', 'absent');
\set VERBOSITY default
SET lmtext.model_directory = '/';
RESET ROLE;
RESET lmtext.model_directory;

-- Rows that were changed are found when the version is loaded. (Files differ by spaces, so that no copy of a version is
-- in memory.)
SET search_path = models_a;
CREATE TEMP TABLE variant AS
    SELECT w, jsonb_object_agg(file, lo_from_bytea(0, pg_read_binary_file(:'bert' || '/' || file)
        || convert_to(repeat(' ', CASE file WHEN 'config.json' THEN w ELSE 0 END), 'UTF8'))::bigint) AS files
    FROM generate_series(11, 18) w, unnest('{config.json,tokenizer.json,tokenizer_config.json,model.safetensors}'::text[]) file
    GROUP BY w ORDER BY w;
SELECT lmtext.import_model('x', files, jsonb_build_object('max_tokens', w)) FROM variant;
UPDATE "x@1" SET data = set_byte(data, 60000, get_byte(data, 60000) # 1) WHERE file = 'model.safetensors';
SELECT lmtext.count_tokens('x', 'x@1');
DELETE FROM "x@2" WHERE file = 'model.safetensors';
SELECT lmtext.count_tokens('x', 'x@2');
DELETE FROM "x@3" WHERE file = 'manifest.json';
SELECT lmtext.count_tokens('x', 'x@3');
UPDATE "x@4" SET data = '\x7b7d' WHERE file = 'manifest.json';
SELECT lmtext.count_tokens('x', 'x@4');
UPDATE "x@5" SET data = convert_to(replace(convert_from(data, 'UTF8'), '"max_tokens":15', '"max_tokens":5'), 'UTF8')
WHERE file = 'manifest.json';
SELECT lmtext.count_tokens('x', 'x@5');
UPDATE "x@6" SET data = substr(data, 1, length(data) - 1) WHERE file = 'model.safetensors';
SELECT lmtext.count_tokens('x', 'x@6');
ALTER TABLE "x@7" ALTER COLUMN base SET DEFAULT '"m@1"'::regclass;
SELECT lmtext.count_tokens('x', 'x@7');
ALTER TABLE "x@8" DROP CONSTRAINT "x@8_pkey";
INSERT INTO "x@8" SELECT * FROM "x@8" WHERE file = 'config.json';
SELECT lmtext.count_tokens('x', 'x@8');
-- The list shows what can be shown.
SELECT name, version, family IS NOT NULL AS described, base FROM lmtext.models WHERE name = 'x' ORDER BY version;

-- Hostile manifests do not break the list either.
UPDATE "x@4" SET data = convert_to('{"format":1,"digest":"' || repeat('0', 64) || '","files":[],"family":"a\u0000b",
    "task":"' || U&'\00e9' || '","precision":"fp32","labels":["\u0000", 5],"created_at":"9999-99-99T99:99:99Z",
    "metrics":{"\u0000":[1e300,-0.5,true,null,"\ud83d\ude00"]},"licence":{}}', 'UTF8') WHERE file = 'manifest.json';
SELECT family, labels, metrics->'?'->0 > '1' AS big, created_at, licence FROM lmtext.models WHERE model = '"x@4"'::regclass;

SELECT name, tasks FROM lmtext.families WHERE name = 'bert';

-- What tokenizers may be made of, stage by stage, and tasks: as the library's tables have them.
SELECT stage, string_agg(name, ' ' ORDER BY name COLLATE "C") AS names FROM lmtext.tokenizers
GROUP BY stage ORDER BY stage COLLATE "C";
SELECT count(*) - count(DISTINCT (stage, name)) AS twice FROM lmtext.tokenizers;
SELECT * FROM lmtext.tasks ORDER BY name COLLATE "C";
-- Every function of a task is there, and every setting.
SELECT t.name, f AS missing FROM lmtext.tasks t, unnest(t.functions) f
WHERE NOT EXISTS (SELECT FROM pg_proc p WHERE p.pronamespace = 'lmtext'::regnamespace AND p.proname = f);
SELECT name FROM lmtext.tasks WHERE current_setting(setting, true) IS NULL;
-- Tasks of families are tasks.
SELECT DISTINCT t FROM lmtext.families, unnest(tasks) t WHERE t NOT IN (SELECT name FROM lmtext.tasks);

-- What changes models is closed to PUBLIC, what describes them is open.
SELECT p.oid::regprocedure, has_function_privilege('regress_lmtext_user', p.oid, 'EXECUTE') AS public
FROM pg_proc p
WHERE p.pronamespace IN ('lmtext'::regnamespace, 'lmtext_internal'::regnamespace)
    AND p.proname IN ('import_model', 'deploy', 'drop_model', 'describe_model', 'family_list', 'tokenizer_list',
        'task_list')
ORDER BY p.oid::regprocedure::text COLLATE "C";

DROP SCHEMA models_a, models_b CASCADE;
DELETE FROM lmtext.model_name WHERE schema IN ('models_a', 'models_b');
SELECT count(lo_unlink(oid)) > 0 AS unlinked FROM pg_largeobject_metadata;
DROP OWNED BY regress_lmtext_owner, regress_lmtext_user;
DROP ROLE regress_lmtext_owner, regress_lmtext_user;

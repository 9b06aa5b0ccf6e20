-- Grants by shorthand, the self-test, and who may export.
\getenv source LMTEXT_SOURCE_DIR
\set bert :source '/models/tiny/bert-st5-cls'
\set plain :source '/models/tiny/bert'
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS lmtext;
CREATE SCHEMA roles_a;
SET search_path = roles_a;
CREATE ROLE lmtext_test_owner;
CREATE ROLE "lmtext_test ""odd"" role";
GRANT CREATE, USAGE ON SCHEMA roles_a TO lmtext_test_owner;
GRANT USAGE ON SCHEMA roles_a TO "lmtext_test ""odd"" role";
SELECT lmtext.import_model('m', :'bert');
SELECT lmtext.import_model('m', :'bert', '{"max_tokens": 7}');
ALTER TABLE "m@1" OWNER TO lmtext_test_owner;
ALTER TABLE "m@2" OWNER TO lmtext_test_owner;
GRANT EXECUTE ON FUNCTION lmtext.export_model(text, text) TO lmtext_test_owner, "lmtext_test ""odd"" role";
CREATE VIEW roles_a.granted AS
    SELECT model, has_column_privilege('lmtext_test "odd" role', model, 'file', 'SELECT') AS use,
           has_table_privilege('lmtext_test "odd" role', model, 'SELECT') AS export
    FROM unnest('{"\"m@1\"","\"m@2\""}'::regclass[]) model;
GRANT SELECT ON roles_a.granted TO lmtext_test_owner;

-- A version, or all versions that there are.
SET ROLE lmtext_test_owner;
SELECT lmtext.grant_model('m@2', '"lmtext_test ""odd"" role"');
TABLE granted;
SELECT lmtext.grant_model('m', '"lmtext_test ""odd"" role"', privilege => 'export');
TABLE granted;
-- A grant that remains is reported; the table's SELECT takes those of its columns along, as REVOKE does.
SELECT lmtext.revoke_model('m@1', '"lmtext_test ""odd"" role"');
TABLE granted;
SELECT lmtext.revoke_model('m@1', '"lmtext_test ""odd"" role"', 'export');
TABLE granted;
SELECT lmtext.revoke_model('m', '"lmtext_test ""odd"" role"', 'export');
TABLE granted;
SELECT lmtext.revoke_model('m', 'lmtext_test_owner');

-- Only who may GRANT.
SELECT lmtext.grant_model('m@2', '"lmtext_test ""odd"" role"');
SET ROLE "lmtext_test ""odd"" role";
SELECT lmtext.grant_model('m@1', 'lmtext_test_owner');
SELECT lmtext.revoke_model('m@1', 'lmtext_test_owner');
SELECT lmtext.export_model('m@2', '/tmp/lmtext');
SELECT lmtext.export_model('m@1', '/tmp/lmtext');
SET ROLE lmtext_test_owner;
SELECT lmtext.export_model('m@1', '/tmp');
SELECT lmtext.export_model('m@1', '/nowhere/at/all');
SELECT lmtext.export_model('m@1', 'relative');
RESET ROLE;
SELECT lmtext.export_model('m@1', 'relative');
SELECT lmtext.export_model('m@1', '/');
SELECT lmtext.export_model('m@1', '/nowhere/at/all');
SELECT lmtext.export_model('absent', '/tmp/lmtext');
SELECT lmtext.export_model('m', NULL);
ALTER TABLE "m@1" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "m@1" FORCE ROW LEVEL SECURITY;
GRANT pg_write_server_files TO lmtext_test_owner;
SET ROLE lmtext_test_owner;
SELECT lmtext.export_model('m@1', '/nowhere/at/all');
RESET ROLE;

-- Bad arguments.
SELECT lmtext.grant_model('m', 'lmtext_test_owner', 'own');
SELECT lmtext.grant_model('absent', 'lmtext_test_owner');
SELECT lmtext.grant_model('m@9', 'lmtext_test_owner');
SELECT lmtext.grant_model('pg_class', 'lmtext_test_owner');
SELECT lmtext.grant_model('m', 999999999::oid::regrole);
SELECT lmtext.grant_model('m', NULL);
SELECT lmtext.revoke_model(NULL, 'lmtext_test_owner');

-- A name has one owner: who makes a version for others, as a member of their role or as a superuser, gives it to them.
CREATE ROLE lmtext_test_team;
CREATE ROLE lmtext_test_member;
CREATE ROLE lmtext_test_stranger;
GRANT lmtext_test_team TO lmtext_test_member;
GRANT CREATE, USAGE ON SCHEMA roles_a TO lmtext_test_team, lmtext_test_member, lmtext_test_stranger;
GRANT EXECUTE ON FUNCTION lmtext.import_model(text, jsonb, jsonb) TO lmtext_test_team, lmtext_test_stranger;
GRANT EXECUTE ON PROCEDURE lmtext.train(text, text, jsonb) TO lmtext_test_team;
SELECT jsonb_object_agg(f, lo_from_bytea(0, pg_read_binary_file(:'plain' || '/' || f))::bigint) AS files
FROM pg_ls_dir(:'plain') f WHERE f <> 'golden.json' \gset
DO $$ DECLARE o oid; BEGIN
    FOR o IN SELECT oid FROM pg_largeobject_metadata LOOP EXECUTE format('GRANT SELECT ON LARGE OBJECT %s TO PUBLIC', o); END LOOP;
END $$;
RESET client_min_messages;
SET ROLE lmtext_test_team;
SELECT lmtext.import_model('team', :'files'::jsonb);
SET ROLE lmtext_test_member;
SELECT lmtext.import_model('team', :'files'::jsonb);
SELECT lmtext.quantize('team@1', 'bf16');
RESET ROLE;
SELECT lmtext.import_model('team', :'files'::jsonb, '{"max_tokens": 9}');
SET ROLE lmtext_test_stranger;
SELECT lmtext.import_model('team', :'files'::jsonb);
-- Owners need no EXECUTE.
SET ROLE lmtext_test_team;
SELECT version, deployed, "precision", owner FROM lmtext.models WHERE name = 'team' ORDER BY version;
SELECT lmtext.import_model('team', :'files'::jsonb), lmtext.quantize('team', 'bf16');
SELECT lmtext.deploy('team', 2);
SELECT lmtext.drop_model('team@1');
SELECT lmtext.grant_model('team', 'lmtext_test_stranger');
SELECT lmtext.revoke_model('team@3', 'lmtext_test_stranger');
-- Nor do others have more by it.
SET ROLE lmtext_test_stranger;
SELECT lmtext.count_tokens('x', 'team') > 0 AS granted;
SELECT lmtext.count_tokens('x', 'team@3');
SELECT lmtext.deploy('team', 3);
SELECT lmtext.drop_model('team');
SELECT lmtext.drop_model('team@3');
SELECT lmtext.quantize('team', 'bf16');
SELECT lmtext.revoke_model('team', 'lmtext_test_team');
SELECT lmtext.export_model('team', '/tmp/lmtext');
CALL lmtext.train('topic', 'SELECT 1');
RESET ROLE;
-- The owner is that of the oldest version; by name, version 10 comes before version 9.
SELECT lmtext.import_model('sorted', :'plain'), lmtext.import_model('sorted', :'plain', '{"max_tokens": 9}');
ALTER TABLE "sorted@1" RENAME TO "sorted@9";
ALTER TABLE "sorted@2" RENAME TO "sorted@10";
ALTER TABLE "sorted@9" OWNER TO lmtext_test_team;
SELECT lmtext.import_model('sorted', :'plain', '{"max_tokens": 8}');
SELECT version, owner = 'lmtext_test_team' AS team FROM lmtext.models WHERE name = 'sorted' ORDER BY version;
SELECT lmtext.drop_model('sorted');
-- Where the new version's owner could not have it: the schema, and the base of a head.
REVOKE CREATE ON SCHEMA roles_a FROM lmtext_test_team;
SET ROLE lmtext_test_member;
SELECT lmtext.import_model('team', :'files'::jsonb);
RESET ROLE;
SELECT lmtext.import_model('team', :'files'::jsonb);
GRANT CREATE ON SCHEMA roles_a TO lmtext_test_team;
CREATE TABLE labelled AS SELECT 'text number ' || n AS body, (n % 3)::text AS label FROM generate_series(1, 30) n;
GRANT SELECT ON labelled TO PUBLIC;
SET ROLE lmtext_test_team;
CALL lmtext.train('team_topic', 'SELECT body, label FROM roles_a.labelled', '{"base": "team@2", "hold_out": 0}');
RESET ROLE;
CALL lmtext.train('team_topic', 'SELECT body, label FROM roles_a.labelled', '{"base": "m@2", "hold_out": 0}');
CALL lmtext.train('team_topic', 'SELECT body, label FROM roles_a.labelled', '{"base": "team@3", "hold_out": 0}');
SELECT version, owner FROM lmtext.models WHERE name = 'team_topic' ORDER BY version;
-- Versions say what they are where psql lists tables; what their owner writes there stays.
SELECT c.relname, obj_description(c.oid, 'pg_class') FROM pg_class c
WHERE c.relnamespace = 'roles_a'::regnamespace AND c.relkind = 'r' AND c.relname ~ '@' ORDER BY c.oid;
COMMENT ON TABLE "team@2" IS 'ours';
SET ROLE lmtext_test_team;
SELECT lmtext.deploy('team', 3), lmtext.deploy('team', 2);
SELECT obj_description('"team@2"'::regclass, 'pg_class');
-- What is pinned to another version is reported.
CREATE TABLE pinned (id int PRIMARY KEY, body text, kept real[], other real[],
    made real[] GENERATED ALWAYS AS (lmtext.embed(body, 'team@2'::regclass)) STORED);
CREATE INDEX pinned_tokens ON pinned (lmtext.count_tokens(body, 'roles_a.team@3'::regclass));
CREATE TRIGGER keep BEFORE INSERT OR UPDATE ON pinned FOR EACH ROW EXECUTE FUNCTION lmtext.embed_trigger('body', 'kept', 'team@2');
CREATE TRIGGER keep_other BEFORE INSERT OR UPDATE ON pinned FOR EACH ROW EXECUTE FUNCTION lmtext.embed_trigger('body', 'other', 'Roles_A."team@4"');
CREATE TRIGGER odd BEFORE INSERT OR UPDATE ON pinned FOR EACH ROW EXECUTE FUNCTION lmtext.embed_trigger('body', 'other', '"team@4');
CREATE TRIGGER odder BEFORE INSERT OR UPDATE ON pinned FOR EACH ROW EXECUTE FUNCTION lmtext.embed_trigger('a.b.c.d', '', 'elsewhere.team@4');
CREATE TRIGGER oddest BEFORE INSERT OR UPDATE ON pinned FOR EACH ROW EXECUTE FUNCTION lmtext.embed_trigger('body');
SELECT lmtext.deploy('team', 4);
SELECT lmtext.deploy('team', 2);
DROP TRIGGER keep_other ON pinned;
DROP INDEX pinned_tokens;
SELECT lmtext.deploy('team', 2);
-- The list has an end; what else names the function, another model or no version that there is, is not on it.
CREATE VIEW pinned_view AS SELECT lmtext.embed(body, 'team@3'::regclass) AS made FROM pinned;
CREATE TABLE pinned_parts (body text) PARTITION BY LIST (body);
CREATE INDEX pinned_partitioned ON pinned_parts (lmtext.count_tokens(body, 'roles_a.team@3'::regclass));
SELECT format('CREATE TRIGGER other_%s BEFORE INSERT ON pinned FOR EACH ROW EXECUTE FUNCTION lmtext.embed_trigger(''body'', ''other'', %L)',
    n, model) FROM unnest('{"",".",team,other@3,other.team@3,team@99}'::text[]) WITH ORDINALITY m (model, n) ORDER BY n \gexec
SELECT format('CREATE TRIGGER many_%s BEFORE INSERT ON pinned FOR EACH ROW EXECUTE FUNCTION lmtext.embed_trigger(''body'', ''other'', ''team@3'')',
    to_char(n, 'FM00')) FROM generate_series(1, 22) n ORDER BY n \gexec
SELECT lmtext.deploy('team', 2);
DROP VIEW pinned_view;
DROP TABLE pinned, pinned_parts;
RESET ROLE;
SET client_min_messages = warning;

-- The self-test: whoever may use a version. Levels depend on the processor.
SET ROLE "lmtext_test ""odd"" role";
SELECT "check", max_error <= 1e-5 AS near, ok FROM lmtext.selftest('m@2') WHERE "check" !~ '^instruction';
SELECT count(*) > 0 AS levels, bool_and(ok), bool_and(max_error <= 1e-5) AS near
FROM lmtext.selftest('m@2') WHERE "check" ~ '^instruction';
SELECT * FROM lmtext.selftest('m@1');
RESET ROLE;
-- (golden values hold at other levels than that of the import)
SET lmtext.isa = 'scalar';
SELECT "check", max_error <= 1e-5 AS near, ok FROM lmtext.selftest('m@2') WHERE "check" !~ '^instruction';
RESET lmtext.isa;
SELECT * FROM lmtext.selftest(NULL);
SELECT * FROM lmtext.selftest('absent');
-- A head, on a base that its user may not use.
CREATE TABLE doc AS SELECT 'text number ' || n AS body, (n % 3)::text AS label FROM generate_series(1, 30) n;
CALL lmtext.train('head', 'SELECT body, label FROM roles_a.doc', '{"base": "m@1", "hold_out": 0}');
SELECT lmtext.grant_model('head', '"lmtext_test ""odd"" role"');
SET ROLE "lmtext_test ""odd"" role";
SELECT "check", max_error <= 1e-5 AS near, ok FROM lmtext.selftest('head') WHERE "check" !~ '^instruction';
SELECT bool_and(ok) FROM lmtext.selftest('head') WHERE "check" ~ '^instruction';
RESET ROLE;
-- Weights whose products are beyond what a float can hold: nothing else of such a version can be compared.
SELECT jsonb_object_agg(f, lo_from_bytea(0, CASE WHEN f <> 'model.safetensors' THEN bytes
    ELSE overlay(bytes PLACING decode(repeat('ffff7f7f', 2500), 'hex') FROM length(bytes) - 9999) END)::bigint) AS files
FROM pg_ls_dir(:'plain') f, pg_read_binary_file(:'plain' || '/' || f) bytes WHERE f <> 'golden.json' \gset
SELECT lmtext.import_model('huge', :'files'::jsonb);
SELECT * FROM lmtext.selftest('huge');
SELECT lmtext.embed('a', 'huge');
-- Other golden values, damaged ones, and none, as versions of 0.1.0 have it.
BEGIN;
UPDATE "m@2" SET data = convert_to(regexp_replace(convert_from(data, 'UTF8'), '"values":\[[^,]*', '"values":[7'), 'UTF8')
WHERE file = 'golden.json';
SELECT "check", max_error > 1 AS far, ok FROM lmtext.selftest('m@2') WHERE "check" ~ 'ids|embeddings';
UPDATE "m@2" SET data = convert_to(regexp_replace(convert_from(data, 'UTF8'), '"ids":"..', '"ids":"00'), 'UTF8')
WHERE file = 'golden.json';
SELECT "check", ok FROM lmtext.selftest('m@2') WHERE "check" ~ 'ids|embeddings';
INSERT INTO "m@2" VALUES ('golden.json', 1, '{'), ('golden-json', 0, '{');
SELECT "check", ok FROM lmtext.selftest('m@2') WHERE "check" ~ 'golden|ids|embeddings';
UPDATE "m@2" SET data = '{' WHERE file = 'golden.json' AND part = 0;
SELECT "check", ok FROM lmtext.selftest('m@2') WHERE "check" ~ 'golden|ids|embeddings';
UPDATE "m@2" SET data = decode(repeat('20', 2000000), 'hex') WHERE file = 'golden.json' AND part = 0;
SELECT "check", ok FROM lmtext.selftest('m@2') WHERE "check" ~ 'golden|ids|embeddings';
DELETE FROM "m@2" WHERE file IN ('golden.json', 'golden-json');
SELECT "check", ok FROM lmtext.selftest('m@2') WHERE "check" ~ 'rows|golden';
UPDATE "m@2" SET data = convert_to(regexp_replace(convert_from(data, 'UTF8'), ',"rows":"[0-9a-f]{64}"}$', '}'), 'UTF8')
WHERE file = 'manifest.json';
SELECT "check", ok FROM lmtext.selftest('m@2') WHERE "check" !~ '^instruction';
SELECT bool_and(ok) AS nothing_false FROM lmtext.selftest('m@2');
ROLLBACK;
-- What no file has: a row more, another licence, other golden values that are as good.
BEGIN;
SET LOCAL max_parallel_workers_per_gather = 0; -- a parallel worker loads a copy of its own
SELECT "check", ok FROM lmtext.selftest('m@2') WHERE "check" ~ 'files|rows|copy|golden';
SAVEPOINT s;
INSERT INTO "m@2" VALUES ('note.txt', 0, 'by hand');
SELECT "check", ok FROM lmtext.selftest('m@2') WHERE "check" ~ 'files|rows|copy|golden';
ROLLBACK TO s;
UPDATE "m@2" SET data = convert_to(replace(convert_from(data, 'UTF8'), '"options"', '"licence":"none","options"'), 'UTF8')
WHERE file = 'manifest.json';
SELECT "check", ok FROM lmtext.selftest('m@2') WHERE "check" ~ 'files|rows|copy|golden';
SELECT licence FROM lmtext.models WHERE model = '"m@2"'::regclass;
ROLLBACK TO s;
UPDATE "m@2" SET data = data || ' ' WHERE file = 'golden.json';
SELECT "check", ok FROM lmtext.selftest('m@2') WHERE "check" ~ 'files|rows|copy|golden';
ROLLBACK TO s;
-- The rows of another version, which fit each other: this session goes on with the copy that it has loaded.
DELETE FROM "m@2";
INSERT INTO "m@2" SELECT * FROM "m@1";
SELECT "check", ok FROM lmtext.selftest('m@2') WHERE "check" ~ 'files|rows|copy';
ROLLBACK;
BEGIN;
DELETE FROM "m@2" WHERE file = 'golden.json';
-- Other bytes of a file, and of the manifest.
UPDATE "m@2" SET data = overlay(data PLACING '\x00' FROM 100) WHERE file = 'model.safetensors';
SELECT * FROM lmtext.selftest('m@2');
UPDATE "m@2" SET data = '{}' WHERE file = 'manifest.json';
SELECT * FROM lmtext.selftest('m@2');
DELETE FROM "m@2" WHERE file = 'manifest.json';
SELECT * FROM lmtext.selftest('m@2');
ROLLBACK;
SELECT DISTINCT ok FROM lmtext.selftest('m@2');
SET client_min_messages = error;
DROP SCHEMA roles_a CASCADE;
DROP OWNED BY lmtext_test_owner, "lmtext_test ""odd"" role", lmtext_test_team, lmtext_test_member, lmtext_test_stranger;
DROP ROLE lmtext_test_owner, "lmtext_test ""odd"" role", lmtext_test_team, lmtext_test_member, lmtext_test_stranger;
DELETE FROM lmtext.model_name WHERE schema = 'roles_a';
SELECT count(lo_unlink(oid)) > 0 AS unlinked FROM pg_largeobject_metadata;

-- The SQL surface as a whole: what there is, and the laws that every object of it keeps.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS lmtext;
RESET client_min_messages;

-- Functions for users, with the names of their arguments; those of lmtext_internal are left out.
CREATE TEMP VIEW routine AS
    SELECT p.*, pg_get_function_identity_arguments(p.oid) AS arguments,
           EXISTS (SELECT FROM unnest(p.proargnames, p.proargtypes::oid[]) u (name, type) WHERE u.name = 'model' AND u.type = 'regclass'::regtype) AS pinned,
           p.pronamespace = 'lmtext_internal'::regnamespace AS helper,
           p.proparallel <> 's' AS changes, -- or runs a query of the caller; all of these are listed below
           p.proname IN ('import_model', 'add_head', 'export_model', 'load_model', 'unload_model', 'train', 'tune', 'distill', 'prune', 'harden', 'compress', 'stats_reset',
               'prediction_cache_reset', 'pull_model', 'wake_launcher', 'index_stats', 'index_check', 'index_recall', 'enable_pgvector') AS closed,
           'model' = ANY (p.proargnames[:p.pronargs]) AS named
    FROM pg_proc p JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
         JOIN pg_extension e ON d.refobjid = e.oid AND d.refclassid = 'pg_extension'::regclass
    WHERE e.extname = 'lmtext';
\pset format unaligned
SELECT proname AS name, arguments, pg_get_function_result(oid) AS result FROM routine WHERE NOT helper
ORDER BY proname COLLATE "C", arguments COLLATE "C";

\pset format aligned

-- All of it is in the schema lmtext, what nobody calls by name in lmtext_internal, and says what it is.
SELECT oid::regprocedure AS elsewhere FROM routine
WHERE pronamespace <> 'lmtext'::regnamespace AND NOT helper
    OR NOT helper AND (prorettype = 'internal'::regtype OR 'internal'::regtype = ANY (proargtypes)
        OR proname ~ '^get_|_(accum|transition|combine|serialize|deserialize|final|support)$');
SELECT oid::regprocedure AS without_comment FROM routine
WHERE coalesce(obj_description(oid, 'pg_proc'), '') = '';
SELECT c.oid::regclass AS without_comment FROM pg_class c
WHERE c.relnamespace = 'lmtext'::regnamespace AND c.relkind IN ('r', 'v', 'c')
    AND coalesce(obj_description(c.oid, 'pg_class'), obj_description(c.reltype, 'pg_type'), '') = '';
SELECT o.oid::regoperator AS without_comment
FROM pg_operator o JOIN pg_proc p ON p.oid = o.oprcode
WHERE p.pronamespace IN ('lmtext'::regnamespace, 'lmtext_internal'::regnamespace) AND coalesce(obj_description(o.oid, 'pg_operator'), '') = '';

-- What makes models, writes files or changes what is in memory is not for PUBLIC; all else is, and asks for ownership
-- where it changes a model.
SELECT oid::regprocedure AS wrongly_open_or_closed
FROM routine r
WHERE closed = EXISTS (
    SELECT FROM aclexplode(coalesce(r.proacl, acldefault('f', r.proowner))) a
    WHERE a.grantee = 0 AND a.privilege_type = 'EXECUTE');
SELECT c.oid::regclass AS wrongly_open_or_closed
FROM pg_class c
WHERE c.relnamespace = 'lmtext'::regnamespace AND c.relkind IN ('r', 'v')
    AND (SELECT coalesce(array_agg(DISTINCT a.privilege_type::text), '{}')
         FROM (SELECT c.relacl UNION ALL SELECT t.attacl FROM pg_attribute t WHERE t.attrelid = c.oid) o (acl), aclexplode(o.acl) a
         WHERE a.grantee = 0) <> '{SELECT}';
SELECT c.oid::regclass AS relation, t.attname AS closed
FROM pg_class c JOIN pg_attribute t ON t.attrelid = c.oid AND t.attnum > 0
WHERE c.relnamespace = 'lmtext'::regnamespace AND c.relkind IN ('r', 'v')
    AND NOT EXISTS (SELECT FROM aclexplode(c.relacl) a WHERE a.grantee = 0) AND t.attacl IS NULL;
SELECT oid::regprocedure AS runs_as_its_owner FROM routine WHERE prosecdef;

-- Volatility: of what is parallel safe, what names a model is STABLE, and what is pinned to a version IMMUTABLE.
SELECT oid::regprocedure AS dishonest FROM routine
WHERE NOT helper AND NOT changes
    AND (pinned AND provolatile <> 'i'
         OR NOT pinned AND named AND provolatile <> 's');
-- Parallel safety is set everywhere: unsafe is what writes or runs a query of the caller.
SELECT proname, proparallel, count(*) FROM routine WHERE proparallel <> 's' GROUP BY 1, 2 ORDER BY 1;
-- A function that computes with a model tells the planner what it costs.
SELECT oid::regprocedure AS cheap FROM routine
WHERE NOT helper AND named AND procost <= 1 AND prokind <> 'p'; -- CALL has no plan
SELECT oid::regprocedure AS without_support FROM routine
WHERE NOT helper AND NOT changes AND prosupport = 0
    AND named AND proname NOT IN ('selftest', 'highlight', 'keywords') -- a text becomes many
    AND proargtypes[0] <> 'real[]'::regtype; -- a vector has one width: COST is all

-- Every function of a text and a model has a form for arrays, and each of both a pinned form.
SELECT DISTINCT f.proname, f.pinned, f.array_form
FROM (SELECT DISTINCT proname, p AS pinned, a AS array_form FROM routine, unnest('{t,f}'::bool[]) p, unnest('{t,f}'::bool[]) a
      WHERE NOT helper AND NOT changes AND named
          AND proname NOT IN ('selftest', 'similarity', 'detokenize', 'highlight', 'keywords', 'tag_words')) f
WHERE NOT EXISTS (SELECT FROM routine r WHERE r.proname = f.proname AND r.pinned = f.pinned
    AND ('text[]'::regtype = r.proargtypes[CASE WHEN r.proname IN ('rerank', 'next_sentence', 'entails', 'answer', 'sparse_similarity', 'maxsim') THEN 1 ELSE 0 END]) = f.array_form);

-- Views, with the types of their columns.
SELECT c.relname AS view, attname AS column, format_type(atttypid, atttypmod) AS type
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
WHERE c.relnamespace = 'lmtext'::regnamespace AND c.relkind = 'v'
ORDER BY c.relname, attnum;

-- Settings that exist once the library is loaded, who may change them, and their defaults.
LOAD 'lmtext';
SELECT name, context, boot_val, unit, enumvals, short_desc <> '' AS described
FROM pg_settings WHERE name LIKE 'lmtext.%' ORDER BY name COLLATE "C";

-- Whoever may not change models may still use those functions that read.
CREATE ROLE lmtext_test_surface;
SET ROLE lmtext_test_surface;
SELECT count(*) FROM lmtext.models;
SELECT lmtext.l2_normalize('{3,4}');
SELECT count(*) > 1 AS families FROM lmtext.families;
SELECT count(*) > 1 AS tokenizers FROM lmtext.tokenizers;
SELECT count(*) > 1 AS tasks FROM lmtext.tasks;
\set VERBOSITY sqlstate
SELECT lmtext.import_model('m', '/tmp');
CALL lmtext.train('m', 'SELECT 1');
SELECT lmtext.unload_model('m');
INSERT INTO lmtext.model_name VALUES ('a', 'b', 1, 1);
RESET ROLE;
DROP ROLE lmtext_test_surface;

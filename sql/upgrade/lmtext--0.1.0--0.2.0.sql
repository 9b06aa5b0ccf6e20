-- 0.1.0 to 0.2.0: what sql/install has gained since. test/t compares the outcome with a fresh install.
\echo Use "ALTER EXTENSION lmtext UPDATE" to load this file. \quit

-- 20-models

CREATE FUNCTION lmtext.export_model(model text, directory text) RETURNS void
    AS 'MODULE_PATHNAME', 'lmtext_export_model'
    LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000000;
COMMENT ON FUNCTION lmtext.export_model(text, text) IS
    'write the files of a model version into a new directory of the server';

CREATE FUNCTION lmtext.grant_model(model text, role pg_catalog.regrole, privilege text DEFAULT 'use')
    RETURNS void
    AS 'MODULE_PATHNAME', 'lmtext_grant_model'
    LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000;
COMMENT ON FUNCTION lmtext.grant_model(text, pg_catalog.regrole, text) IS
    'grant a role a privilege (use, export) on a version (''m@2''), or on all versions that a model has now (''m'')';

CREATE FUNCTION lmtext.revoke_model(model text, role pg_catalog.regrole, privilege text DEFAULT 'use')
    RETURNS void
    AS 'MODULE_PATHNAME', 'lmtext_revoke_model'
    LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000;
COMMENT ON FUNCTION lmtext.revoke_model(text, pg_catalog.regrole, text) IS
    'revoke a privilege (use, export) on a version or on all versions of a model; warns where the role has it still';

REVOKE EXECUTE ON FUNCTION
    lmtext.export_model(text, text), lmtext.grant_model(text, pg_catalog.regrole, text),
    lmtext.revoke_model(text, pg_catalog.regrole, text)
    FROM PUBLIC;

CREATE FUNCTION lmtext.selftest(model text, OUT "check" text, OUT max_error double precision, OUT ok boolean)
    RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'lmtext_selftest'
    LANGUAGE C STABLE PARALLEL SAFE COST 10000000 ROWS 8;
COMMENT ON FUNCTION lmtext.selftest(text) IS
    'does a model version still compute what it computed when it was made? One row a check';

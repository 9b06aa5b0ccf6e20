-- 20-models: versions of models, which of them a name means, and what there is.

-- Written by the functions below only. Names, not OIDs: rows are dumped and restored.
CREATE TABLE lmtext.model_name (
    schema name NOT NULL,
    model name NOT NULL,
    deployed integer CHECK (deployed OPERATOR(pg_catalog.>) 0),
    last_version integer NOT NULL CHECK (last_version OPERATOR(pg_catalog.>=) 0),
    PRIMARY KEY (schema, model)
);
COMMENT ON TABLE lmtext.model_name IS 'the deployed version of each model name';
COMMENT ON COLUMN lmtext.model_name.deployed IS 'number of the deployed version; NULL if there is none';
COMMENT ON COLUMN lmtext.model_name.last_version IS
    'highest version number ever given; numbers are not used again';
GRANT SELECT ON lmtext.model_name TO PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('lmtext.model_name', '');

CREATE FUNCTION lmtext.import_model(name text, source text, options jsonb DEFAULT '{}')
    RETURNS integer
    AS 'MODULE_PATHNAME', 'lmtext_import_model_directory'
    LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000000;
COMMENT ON FUNCTION lmtext.import_model(text, text, jsonb) IS
    'create the next version of a model from a directory on the server; returns its number; needs EXECUTE';

CREATE FUNCTION lmtext.import_model(name text, files jsonb, options jsonb DEFAULT '{}')
    RETURNS integer
    AS 'MODULE_PATHNAME', 'lmtext_import_model_objects'
    LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000000;
COMMENT ON FUNCTION lmtext.import_model(text, jsonb, jsonb) IS
    'create the next version of a model from large objects, given as {"file name": oid}; returns its number; needs EXECUTE';

CREATE FUNCTION lmtext.add_head(name text, base text, source text, options jsonb DEFAULT '{}')
    RETURNS integer
    AS 'MODULE_PATHNAME', 'lmtext_add_head'
    LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000000;
COMMENT ON FUNCTION lmtext.add_head(text, text, text, jsonb) IS
    'create the next version of a model from the head in a directory on the server, on the encoder of another model; returns its number; needs EXECUTE';

CREATE FUNCTION lmtext.quantize(model text, "precision" text, calibration text[] DEFAULT NULL)
    RETURNS integer
    AS 'MODULE_PATHNAME', 'lmtext_quantize'
    LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000000;
COMMENT ON FUNCTION lmtext.quantize(text, text, text[]) IS
    'create the next version of a model from one of its versions, with weights in another precision (fp32, bf16, int8, auto); returns its number';

CREATE FUNCTION lmtext.deploy(name text, version integer) RETURNS void
    AS 'MODULE_PATHNAME', 'lmtext_deploy'
    LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000;
COMMENT ON FUNCTION lmtext.deploy(text, integer) IS
    'deploy a version: the model''s name without a version then means it';

CREATE FUNCTION lmtext.drop_model(model text) RETURNS void
    AS 'MODULE_PATHNAME', 'lmtext_drop_model'
    LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000;
COMMENT ON FUNCTION lmtext.drop_model(text) IS
    'drop one version (''m@2''), or a model with all its versions (''m'')';

-- Who may make models is for the administrator to say. The functions for models that are there ask for ownership, or for
-- what GRANT asks for, and are granted to PUBLIC below.
REVOKE EXECUTE ON FUNCTION
    lmtext.import_model(text, text, jsonb), lmtext.import_model(text, jsonb, jsonb),
    lmtext.add_head(text, text, text, jsonb)
    FROM PUBLIC;

CREATE FUNCTION lmtext.export_model(model text, directory text) RETURNS void
    AS 'MODULE_PATHNAME', 'lmtext_export_model'
    LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000000;
COMMENT ON FUNCTION lmtext.export_model(text, text) IS
    'write the files of a model version to a new directory on the server';

CREATE FUNCTION lmtext.grant_model(model text, role pg_catalog.regrole, privilege text DEFAULT 'use')
    RETURNS void
    AS 'MODULE_PATHNAME', 'lmtext_grant_model'
    LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000;
COMMENT ON FUNCTION lmtext.grant_model(text, pg_catalog.regrole, text) IS
    'grant a role a privilege (use, export) on a version (''m@2'') or on all present versions of a model (''m'')';

CREATE FUNCTION lmtext.revoke_model(model text, role pg_catalog.regrole, privilege text DEFAULT 'use')
    RETURNS void
    AS 'MODULE_PATHNAME', 'lmtext_revoke_model'
    LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000;
COMMENT ON FUNCTION lmtext.revoke_model(text, pg_catalog.regrole, text) IS
    'revoke a privilege (use, export) on a version or on all versions of a model; warns if the role still has it';

-- An export below lmtext.model_directory asks for no right to the server's files, so this one is not for PUBLIC.
REVOKE EXECUTE ON FUNCTION lmtext.export_model(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
    lmtext.quantize(text, text, text[]), lmtext.deploy(text, integer), lmtext.drop_model(text),
    lmtext.grant_model(text, pg_catalog.regrole, text), lmtext.revoke_model(text, pg_catalog.regrole, text)
    TO PUBLIC;

CREATE FUNCTION lmtext.selftest(model text, OUT "check" text, OUT max_error double precision, OUT ok boolean)
    RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'lmtext_selftest'
    LANGUAGE C STABLE PARALLEL SAFE COST 10000000 ROWS 8;
COMMENT ON FUNCTION lmtext.selftest(text) IS
    'check that a model version computes what it computed when it was made; one row for each check';

CREATE FUNCTION lmtext_internal.describe_model(
    model regclass,
    OUT name text, OUT version integer, OUT deployed boolean, OUT family text, OUT task text,
    OUT "precision" text, OUT dimensions integer, OUT max_tokens integer, OUT parameters bigint,
    OUT bytes bigint, OUT sha256 text, OUT labels text[], OUT licence text, OUT base regclass,
    OUT created_at timestamptz, OUT metrics jsonb, OUT status text)
    RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'lmtext_describe_model'
    LANGUAGE C STABLE STRICT PARALLEL SAFE COST 1000 ROWS 1;
COMMENT ON FUNCTION lmtext_internal.describe_model(regclass) IS
    'contents of a model version''s manifest; no row if it is not a version or the caller may not use it';

CREATE VIEW lmtext.models AS
    SELECT d.name, d.version, d.deployed, d.family, d.task, d."precision", d.dimensions,
           d.max_tokens, d.parameters, d.bytes, d.sha256, d.labels, d.licence, d.base,
           pg_catalog.pg_get_userbyid(c.relowner) AS owner, d.created_at, d.metrics,
           c.oid::pg_catalog.regclass AS model, d.status
    FROM pg_catalog.pg_class c
    CROSS JOIN LATERAL lmtext_internal.describe_model(c.oid::pg_catalog.regclass) d
    WHERE c.relkind OPERATOR(pg_catalog.=) 'r'::pg_catalog."char"
        AND c.reloftype OPERATOR(pg_catalog.=) 'lmtext.model_part'::pg_catalog.regtype::pg_catalog.oid;
COMMENT ON VIEW lmtext.models IS 'model versions that the caller may use';
COMMENT ON COLUMN lmtext.models.deployed IS 'whether the name without a version means this one';
COMMENT ON COLUMN lmtext.models.dimensions IS 'dimensions of the embedding';
COMMENT ON COLUMN lmtext.models.max_tokens IS 'the window: number of tokens of a text that the model reads, special tokens included';
COMMENT ON COLUMN lmtext.models.bytes IS 'size of the files in bytes';
COMMENT ON COLUMN lmtext.models.sha256 IS
    'digest of its files, window and base: versions of equal digest compute the same';
COMMENT ON COLUMN lmtext.models.base IS 'for a classifier, the version that it was trained on';
COMMENT ON COLUMN lmtext.models.model IS 'table of the version, which names it in pinned calls';
COMMENT ON COLUMN lmtext.models.status IS
    'ready, busy (another session is dropping or changing the version; most columns are NULL), incomplete (no manifest) or damaged (the manifest cannot be read)';

CREATE FUNCTION lmtext_internal.family_list(OUT name text, OUT model_types text[], OUT tasks text[])
    RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'lmtext_family_list'
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100 ROWS 10;
COMMENT ON FUNCTION lmtext_internal.family_list() IS 'model families that can be imported';

CREATE VIEW lmtext.families AS SELECT f.name, f.model_types, f.tasks FROM lmtext_internal.family_list() f;
COMMENT ON VIEW lmtext.families IS
    'model families that can be imported: their values of model_type in config.json, and their tasks';

CREATE FUNCTION lmtext_internal.tokenizer_list(OUT stage text, OUT name text)
    RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'lmtext_tokenizer_list'
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100 ROWS 50;
COMMENT ON FUNCTION lmtext_internal.tokenizer_list() IS 'kinds of stages and models that a tokenizer may have';

CREATE VIEW lmtext.tokenizers AS SELECT t.stage, t.name FROM lmtext_internal.tokenizer_list() t;
COMMENT ON VIEW lmtext.tokenizers IS
    'what the tokenizer of a model may be made of: stages of tokenizer.json, and the types that each may have';

CREATE FUNCTION lmtext_internal.task_list(
    OUT name text, OUT does text, OUT functions text[], OUT setting text, OUT labels boolean)
    RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'lmtext_task_list'
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100 ROWS 10;
COMMENT ON FUNCTION lmtext_internal.task_list() IS 'tasks that a model may have';

CREATE VIEW lmtext.tasks AS
    SELECT t.name, t.does, t.functions, t.setting, t.labels FROM lmtext_internal.task_list() t;
COMMENT ON VIEW lmtext.tasks IS 'tasks that a model may have, and the functions of each';
COMMENT ON COLUMN lmtext.tasks.does IS 'what models of the task are used for';
COMMENT ON COLUMN lmtext.tasks.functions IS 'functions of the schema lmtext that need such a model';
COMMENT ON COLUMN lmtext.tasks.setting IS 'the setting that names the model of calls that name none';
COMMENT ON COLUMN lmtext.tasks.labels IS 'whether the results are scores of labels';

GRANT SELECT ON lmtext.models, lmtext.families, lmtext.tokenizers, lmtext.tasks TO PUBLIC;

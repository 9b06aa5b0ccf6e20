-- lmtext: text models in the database. Use CREATE EXTENSION lmtext to load this file.
\echo Use "CREATE EXTENSION lmtext" to load this file. \quit

-- The schema is made here and not adopted: what somebody put into a schema of this name before the
-- installation would otherwise be found by the bodies below. Every name in them is qualified.
CREATE SCHEMA lmtext;
COMMENT ON SCHEMA lmtext IS
    'lmtext: tokenize, embed, classify, search and train with text models';
GRANT USAGE ON SCHEMA lmtext TO PUBLIC;

-- What views, aggregates and operators are made of, out of the way of \df lmtext.*
CREATE SCHEMA lmtext_internal;
COMMENT ON SCHEMA lmtext_internal IS
    'functions of the extension lmtext that are not called by name';
GRANT USAGE ON SCHEMA lmtext_internal TO PUBLIC;
-- 10-types: the row type of model versions. Names of files compare by bytes on every machine.

CREATE TYPE lmtext.model_part AS (
    file text COLLATE "C",
    part integer,
    data bytea,
    base regclass
);
COMMENT ON TYPE lmtext.model_part IS
    'row of a model version: a chunk of one of its files; a table of this type is a model version';
COMMENT ON COLUMN lmtext.model_part.file IS
    'name of the file; manifest.json describes the version. A role that may SELECT this column may use the model';
COMMENT ON COLUMN lmtext.model_part.part IS 'number of the chunk, from 0';
COMMENT ON COLUMN lmtext.model_part.data IS 'bytes of the file, at most 1 MB';
COMMENT ON COLUMN lmtext.model_part.base IS
    'empty; its default names the version that this one is built on';
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
    lmtext.import_model(text, text, jsonb), lmtext.import_model(text, jsonb, jsonb)
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

GRANT SELECT ON lmtext.models, lmtext.families TO PUBLIC;
-- 30-tokenize: text to tokens and back. Each function names a model (STABLE) or pins a version
-- (IMMUTABLE), and takes one text or an array of texts.

CREATE FUNCTION lmtext_internal.token_support(internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_token_support' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.token_support(internal) IS
    'planner support: cost of tokenizing, from the width of the text';

CREATE FUNCTION lmtext.tokenize(
    text text,
    model text DEFAULT NULL,
    parse_special boolean DEFAULT true)
    RETURNS text[]
    AS 'MODULE_PATHNAME', 'lmtext_tokenize' LANGUAGE C STABLE PARALLEL SAFE COST 1000
    SUPPORT lmtext_internal.token_support;
COMMENT ON FUNCTION lmtext.tokenize(text, text, boolean) IS
    'tokens of a text, without special tokens';

CREATE FUNCTION lmtext.tokenize(text text, model regclass, parse_special boolean DEFAULT true)
    RETURNS text[]
    AS 'MODULE_PATHNAME', 'lmtext_tokenize' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000
    SUPPORT lmtext_internal.token_support;
COMMENT ON FUNCTION lmtext.tokenize(text, regclass, boolean) IS
    'tokens of a text, without special tokens (version pinned)';

CREATE FUNCTION lmtext.tokenize(
    texts text[],
    model text DEFAULT NULL,
    parse_special boolean DEFAULT true)
    RETURNS TABLE(ordinality bigint, tokens text[])
    AS 'MODULE_PATHNAME', 'lmtext_tokenize_array' LANGUAGE C STABLE PARALLEL SAFE COST 10000 ROWS 100
    SUPPORT lmtext_internal.token_support;
COMMENT ON FUNCTION lmtext.tokenize(text[], text, boolean) IS
    'tokens of each text, in order';

CREATE FUNCTION lmtext.tokenize(
    texts text[],
    model regclass,
    parse_special boolean DEFAULT true)
    RETURNS TABLE(ordinality bigint, tokens text[])
    AS 'MODULE_PATHNAME', 'lmtext_tokenize_array' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 10000 ROWS 100
    SUPPORT lmtext_internal.token_support;
COMMENT ON FUNCTION lmtext.tokenize(text[], regclass, boolean) IS
    'tokens of each text, in order (version pinned)';

CREATE FUNCTION lmtext.token_ids(
    text text,
    model text DEFAULT NULL,
    parse_special boolean DEFAULT true)
    RETURNS integer[]
    AS 'MODULE_PATHNAME', 'lmtext_token_ids' LANGUAGE C STABLE PARALLEL SAFE COST 1000
    SUPPORT lmtext_internal.token_support;
COMMENT ON FUNCTION lmtext.token_ids(text, text, boolean) IS
    'token ids of a text, special tokens included';

CREATE FUNCTION lmtext.token_ids(text text, model regclass, parse_special boolean DEFAULT true)
    RETURNS integer[]
    AS 'MODULE_PATHNAME', 'lmtext_token_ids' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000
    SUPPORT lmtext_internal.token_support;
COMMENT ON FUNCTION lmtext.token_ids(text, regclass, boolean) IS
    'token ids of a text, special tokens included (version pinned)';

CREATE FUNCTION lmtext.token_ids(
    texts text[],
    model text DEFAULT NULL,
    parse_special boolean DEFAULT true)
    RETURNS TABLE(ordinality bigint, ids integer[])
    AS 'MODULE_PATHNAME', 'lmtext_token_ids_array' LANGUAGE C STABLE PARALLEL SAFE COST 10000 ROWS 100
    SUPPORT lmtext_internal.token_support;
COMMENT ON FUNCTION lmtext.token_ids(text[], text, boolean) IS
    'token ids of each text, in order';

CREATE FUNCTION lmtext.token_ids(
    texts text[],
    model regclass,
    parse_special boolean DEFAULT true)
    RETURNS TABLE(ordinality bigint, ids integer[])
    AS 'MODULE_PATHNAME', 'lmtext_token_ids_array' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 10000 ROWS 100
    SUPPORT lmtext_internal.token_support;
COMMENT ON FUNCTION lmtext.token_ids(text[], regclass, boolean) IS
    'token ids of each text, in order (version pinned)';

CREATE FUNCTION lmtext.detokenize(ids integer[], model text DEFAULT NULL)
    RETURNS text
    AS 'MODULE_PATHNAME', 'lmtext_detokenize' LANGUAGE C STABLE PARALLEL SAFE COST 1000
    SUPPORT lmtext_internal.token_support;
COMMENT ON FUNCTION lmtext.detokenize(integer[], text) IS
    'text of token ids, without special tokens';

CREATE FUNCTION lmtext.detokenize(ids integer[], model regclass)
    RETURNS text
    AS 'MODULE_PATHNAME', 'lmtext_detokenize' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000
    SUPPORT lmtext_internal.token_support;
COMMENT ON FUNCTION lmtext.detokenize(integer[], regclass) IS
    'text of token ids, without special tokens (version pinned)';

CREATE FUNCTION lmtext.tokens(
    text text,
    model text DEFAULT NULL,
    parse_special boolean DEFAULT true)
    RETURNS TABLE("position" integer, id integer, token text, start integer, stop integer, special boolean)
    AS 'MODULE_PATHNAME', 'lmtext_tokens' LANGUAGE C STABLE PARALLEL SAFE COST 1000 ROWS 100
    SUPPORT lmtext_internal.token_support;
COMMENT ON FUNCTION lmtext.tokens(text, text, boolean) IS
    'one row for each token, with its character offsets in the text';

CREATE FUNCTION lmtext.tokens(text text, model regclass, parse_special boolean DEFAULT true)
    RETURNS TABLE("position" integer, id integer, token text, start integer, stop integer, special boolean)
    AS 'MODULE_PATHNAME', 'lmtext_tokens' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000 ROWS 100
    SUPPORT lmtext_internal.token_support;
COMMENT ON FUNCTION lmtext.tokens(text, regclass, boolean) IS
    'one row for each token, with its character offsets in the text (version pinned)';

CREATE FUNCTION lmtext.tokens(
    texts text[],
    model text DEFAULT NULL,
    parse_special boolean DEFAULT true)
    RETURNS TABLE(ordinality bigint, "position" integer, id integer, token text, start integer, stop integer, special boolean)
    AS 'MODULE_PATHNAME', 'lmtext_tokens_array' LANGUAGE C STABLE PARALLEL SAFE COST 10000 ROWS 1000
    SUPPORT lmtext_internal.token_support;
COMMENT ON FUNCTION lmtext.tokens(text[], text, boolean) IS
    'one row for each token of each text';

CREATE FUNCTION lmtext.tokens(texts text[], model regclass, parse_special boolean DEFAULT true)
    RETURNS TABLE(ordinality bigint, "position" integer, id integer, token text, start integer, stop integer, special boolean)
    AS 'MODULE_PATHNAME', 'lmtext_tokens_array' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 10000 ROWS 1000
    SUPPORT lmtext_internal.token_support;
COMMENT ON FUNCTION lmtext.tokens(text[], regclass, boolean) IS
    'one row for each token of each text (version pinned)';

CREATE FUNCTION lmtext.count_tokens(
    text text,
    model text DEFAULT NULL,
    parse_special boolean DEFAULT true)
    RETURNS integer
    AS 'MODULE_PATHNAME', 'lmtext_count_tokens' LANGUAGE C STABLE PARALLEL SAFE COST 1000
    SUPPORT lmtext_internal.token_support;
COMMENT ON FUNCTION lmtext.count_tokens(text, text, boolean) IS
    'number of tokens of a text, special tokens included';

CREATE FUNCTION lmtext.count_tokens(
    text text,
    model regclass,
    parse_special boolean DEFAULT true)
    RETURNS integer
    AS 'MODULE_PATHNAME', 'lmtext_count_tokens' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000
    SUPPORT lmtext_internal.token_support;
COMMENT ON FUNCTION lmtext.count_tokens(text, regclass, boolean) IS
    'number of tokens of a text, special tokens included (version pinned)';

CREATE FUNCTION lmtext.count_tokens(
    texts text[],
    model text DEFAULT NULL,
    parse_special boolean DEFAULT true)
    RETURNS integer[]
    AS 'MODULE_PATHNAME', 'lmtext_count_tokens_array' LANGUAGE C STABLE PARALLEL SAFE COST 10000
    SUPPORT lmtext_internal.token_support;
COMMENT ON FUNCTION lmtext.count_tokens(text[], text, boolean) IS
    'number of tokens of each text, in order';

CREATE FUNCTION lmtext.count_tokens(
    texts text[],
    model regclass,
    parse_special boolean DEFAULT true)
    RETURNS integer[]
    AS 'MODULE_PATHNAME', 'lmtext_count_tokens_array' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 10000
    SUPPORT lmtext_internal.token_support;
COMMENT ON FUNCTION lmtext.count_tokens(text[], regclass, boolean) IS
    'number of tokens of each text, in order (version pinned)';

CREATE FUNCTION lmtext.chunk(
    text text,
    model text DEFAULT NULL,
    max_tokens integer DEFAULT NULL,
    overlap integer DEFAULT 0)
    RETURNS TABLE(chunk integer, content text, start integer, stop integer, tokens integer)
    AS 'MODULE_PATHNAME', 'lmtext_chunk' LANGUAGE C STABLE PARALLEL SAFE COST 1000 ROWS 10
    SUPPORT lmtext_internal.token_support;
COMMENT ON FUNCTION lmtext.chunk(text, text, integer, integer) IS
    'pieces of a text, each of at most max_tokens tokens';

CREATE FUNCTION lmtext.chunk(
    text text,
    model regclass,
    max_tokens integer DEFAULT NULL,
    overlap integer DEFAULT 0)
    RETURNS TABLE(chunk integer, content text, start integer, stop integer, tokens integer)
    AS 'MODULE_PATHNAME', 'lmtext_chunk' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000 ROWS 10
    SUPPORT lmtext_internal.token_support;
COMMENT ON FUNCTION lmtext.chunk(text, regclass, integer, integer) IS
    'pieces of a text, each of at most max_tokens tokens (version pinned)';

CREATE FUNCTION lmtext.chunk(
    texts text[],
    model text DEFAULT NULL,
    max_tokens integer DEFAULT NULL,
    overlap integer DEFAULT 0)
    RETURNS TABLE(ordinality bigint, chunk integer, content text, start integer, stop integer, tokens integer)
    AS 'MODULE_PATHNAME', 'lmtext_chunk_array' LANGUAGE C STABLE PARALLEL SAFE COST 10000 ROWS 100
    SUPPORT lmtext_internal.token_support;
COMMENT ON FUNCTION lmtext.chunk(text[], text, integer, integer) IS
    'pieces of each text, in order';

CREATE FUNCTION lmtext.chunk(
    texts text[],
    model regclass,
    max_tokens integer DEFAULT NULL,
    overlap integer DEFAULT 0)
    RETURNS TABLE(ordinality bigint, chunk integer, content text, start integer, stop integer, tokens integer)
    AS 'MODULE_PATHNAME', 'lmtext_chunk_array' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 10000 ROWS 100
    SUPPORT lmtext_internal.token_support;
COMMENT ON FUNCTION lmtext.chunk(text[], regclass, integer, integer) IS
    'pieces of each text, in order (version pinned)';
-- 31-embed: text to vector. Named forms are STABLE; pinned forms are IMMUTABLE, obey no setting, and
-- serve expression indexes and generated columns.

CREATE FUNCTION lmtext_internal.embed_support(internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_embed_support' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.embed_support(internal) IS
    'planner support: cost of a forward pass over the first argument, from its width';

CREATE FUNCTION lmtext_internal.distance_support(internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_distance_support' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.distance_support(internal) IS
    'planner support: cost of forward passes over the first two arguments, from their widths';

CREATE FUNCTION lmtext.embed(
    text text,
    model text DEFAULT NULL,
    prompt_name text DEFAULT NULL,
    prompt text DEFAULT NULL,
    dimensions integer DEFAULT NULL)
    RETURNS real[]
    AS 'MODULE_PATHNAME', 'lmtext_embed' LANGUAGE C STABLE PARALLEL SAFE COST 100000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.embed(text, text, text, text, integer) IS
    'embedding of a text';

CREATE FUNCTION lmtext.embed(
    text text,
    model regclass,
    prompt_name text DEFAULT NULL,
    prompt text DEFAULT NULL,
    dimensions integer DEFAULT NULL,
    on_long text DEFAULT 'truncate')
    RETURNS real[]
    AS 'MODULE_PATHNAME', 'lmtext_embed' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.embed(text, regclass, text, text, integer, text) IS
    'embedding of a text (version pinned)';

CREATE FUNCTION lmtext.embed(
    texts text[],
    model text DEFAULT NULL,
    prompt_name text DEFAULT NULL,
    prompt text DEFAULT NULL,
    dimensions integer DEFAULT NULL)
    RETURNS real[]
    AS 'MODULE_PATHNAME', 'lmtext_embed_array' LANGUAGE C STABLE PARALLEL SAFE COST 1000000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.embed(text[], text, text, text, integer) IS
    'embeddings of texts, as the rows of one array, computed as one batch';

CREATE FUNCTION lmtext.embed(
    texts text[],
    model regclass,
    prompt_name text DEFAULT NULL,
    prompt text DEFAULT NULL,
    dimensions integer DEFAULT NULL,
    on_long text DEFAULT 'truncate')
    RETURNS real[]
    AS 'MODULE_PATHNAME', 'lmtext_embed_array' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.embed(text[], regclass, text, text, integer, text) IS
    'embeddings of texts, as the rows of one array, computed as one batch (version pinned)';

CREATE FUNCTION lmtext.similarity(a text, b text, model text DEFAULT NULL) RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_similarity' LANGUAGE C STABLE PARALLEL SAFE COST 200000
    SUPPORT lmtext_internal.distance_support;
COMMENT ON FUNCTION lmtext.similarity(text, text, text) IS 'cosine similarity of the embeddings of two texts';

CREATE FUNCTION lmtext.similarity(
    a text,
    b text,
    model regclass,
    on_long text DEFAULT 'truncate') RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_similarity' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 200000
    SUPPORT lmtext_internal.distance_support;
COMMENT ON FUNCTION lmtext.similarity(text, text, regclass, text) IS
    'cosine similarity of the embeddings of two texts (version pinned)';

CREATE FUNCTION lmtext.embed_trigger() RETURNS trigger
    AS 'MODULE_PATHNAME', 'lmtext_embed_trigger' LANGUAGE C PARALLEL SAFE COST 100000;
COMMENT ON FUNCTION lmtext.embed_trigger() IS
    'maintain a column of vectors: embed_trigger(''text column or expression'', ''vector column'', ''model@version'')';
-- 32-classify: labels of texts by a trained head. Named forms are STABLE; pinned forms are IMMUTABLE
-- and obey no setting. The forms of classify with min_score are functions of their own, without a
-- default: the older ones keep their signatures, on which views and indexes depend.

CREATE FUNCTION lmtext.classify(text text, model text DEFAULT NULL) RETURNS text
    AS 'MODULE_PATHNAME', 'lmtext_classify' LANGUAGE C STABLE PARALLEL SAFE COST 100000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.classify(text, text) IS 'label with the highest score for a text';

CREATE FUNCTION lmtext.classify(text text, model regclass, on_long text DEFAULT 'truncate')
    RETURNS text
    AS 'MODULE_PATHNAME', 'lmtext_classify' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.classify(text, regclass, text) IS
    'label with the highest score for a text (version pinned)';

CREATE FUNCTION lmtext.classify(texts text[], model text DEFAULT NULL) RETURNS text[]
    AS 'MODULE_PATHNAME', 'lmtext_classify_array' LANGUAGE C STABLE PARALLEL SAFE COST 1000000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.classify(text[], text) IS
    'labels with the highest scores for texts, computed as one batch';

CREATE FUNCTION lmtext.classify(texts text[], model regclass, on_long text DEFAULT 'truncate')
    RETURNS text[]
    AS 'MODULE_PATHNAME', 'lmtext_classify_array' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.classify(text[], regclass, text) IS
    'labels with the highest scores for texts, computed as one batch (version pinned)';

CREATE FUNCTION lmtext.classify(text text, model text, min_score real) RETURNS text
    AS 'MODULE_PATHNAME', 'lmtext_classify_bounded' LANGUAGE C STABLE PARALLEL SAFE COST 100000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.classify(text, text, real) IS
    'label with the highest score for a text, NULL if the score is below min_score';

CREATE FUNCTION lmtext.classify(
        text text, model regclass, min_score real, on_long text DEFAULT 'truncate')
    RETURNS text
    AS 'MODULE_PATHNAME', 'lmtext_classify_bounded' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.classify(text, regclass, real, text) IS
    'label with the highest score for a text, NULL if the score is below min_score (version pinned)';

CREATE FUNCTION lmtext.classify(texts text[], model text, min_score real) RETURNS text[]
    AS 'MODULE_PATHNAME', 'lmtext_classify_array_bounded' LANGUAGE C STABLE PARALLEL SAFE
    COST 1000000 SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.classify(text[], text, real) IS
    'labels with the highest scores for texts, NULL if a score is below min_score, computed as one batch';

CREATE FUNCTION lmtext.classify(
        texts text[], model regclass, min_score real, on_long text DEFAULT 'truncate')
    RETURNS text[]
    AS 'MODULE_PATHNAME', 'lmtext_classify_array_bounded' LANGUAGE C IMMUTABLE PARALLEL SAFE
    COST 1000000 SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.classify(text[], regclass, real, text) IS
    'labels with the highest scores for texts, NULL if a score is below min_score, computed as one batch (version pinned)';

CREATE FUNCTION lmtext.classify(vector real[], model text DEFAULT NULL, min_score real DEFAULT NULL)
    RETURNS text
    AS 'MODULE_PATHNAME', 'lmtext_classify_vector' LANGUAGE C STABLE PARALLEL SAFE COST 20;
COMMENT ON FUNCTION lmtext.classify(real[], text, real) IS
    'label with the highest score for an embedding by the base of the model';

CREATE FUNCTION lmtext.classify(vector real[], model regclass, min_score real DEFAULT NULL)
    RETURNS text
    AS 'MODULE_PATHNAME', 'lmtext_classify_vector' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 20;
COMMENT ON FUNCTION lmtext.classify(real[], regclass, real) IS
    'label with the highest score for an embedding by the base of the model (version pinned)';

CREATE TYPE lmtext.scored_label AS (
    label text,
    score real
);
COMMENT ON TYPE lmtext.scored_label IS 'a label and its probability';
COMMENT ON COLUMN lmtext.scored_label.label IS
    'label; NULL if the score is below min_score';
COMMENT ON COLUMN lmtext.scored_label.score IS 'probability of the label';

CREATE FUNCTION lmtext.classify_scored(
        text text, model text DEFAULT NULL, min_score real DEFAULT NULL)
    RETURNS lmtext.scored_label
    AS 'MODULE_PATHNAME', 'lmtext_classify_scored' LANGUAGE C STABLE PARALLEL SAFE COST 100000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.classify_scored(text, text, real) IS
    'label with the highest score for a text, and that score';

CREATE FUNCTION lmtext.classify_scored(
        text text, model regclass, min_score real DEFAULT NULL, on_long text DEFAULT 'truncate')
    RETURNS lmtext.scored_label
    AS 'MODULE_PATHNAME', 'lmtext_classify_scored' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.classify_scored(text, regclass, real, text) IS
    'label with the highest score for a text, and that score (version pinned)';

CREATE FUNCTION lmtext.classify_scored(
        texts text[], model text DEFAULT NULL, min_score real DEFAULT NULL)
    RETURNS lmtext.scored_label[]
    AS 'MODULE_PATHNAME', 'lmtext_classify_scored_array' LANGUAGE C STABLE PARALLEL SAFE
    COST 1000000 SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.classify_scored(text[], text, real) IS
    'labels with the highest scores for texts, and those scores, computed as one batch';

CREATE FUNCTION lmtext.classify_scored(
        texts text[], model regclass, min_score real DEFAULT NULL, on_long text DEFAULT 'truncate')
    RETURNS lmtext.scored_label[]
    AS 'MODULE_PATHNAME', 'lmtext_classify_scored_array' LANGUAGE C IMMUTABLE PARALLEL SAFE
    COST 1000000 SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.classify_scored(text[], regclass, real, text) IS
    'labels with the highest scores for texts, and those scores, computed as one batch (version pinned)';

CREATE FUNCTION lmtext.classify_scored(
        vector real[], model text DEFAULT NULL, min_score real DEFAULT NULL)
    RETURNS lmtext.scored_label
    AS 'MODULE_PATHNAME', 'lmtext_classify_scored_vector' LANGUAGE C STABLE PARALLEL SAFE COST 20;
COMMENT ON FUNCTION lmtext.classify_scored(real[], text, real) IS
    'label with the highest score for an embedding by the base of the model, and that score';

CREATE FUNCTION lmtext.classify_scored(vector real[], model regclass, min_score real DEFAULT NULL)
    RETURNS lmtext.scored_label
    AS 'MODULE_PATHNAME', 'lmtext_classify_scored_vector' LANGUAGE C IMMUTABLE PARALLEL SAFE
    COST 20;
COMMENT ON FUNCTION lmtext.classify_scored(real[], regclass, real) IS
    'label with the highest score for an embedding by the base of the model, and that score (version pinned)';

CREATE FUNCTION lmtext.class_scores(text text, model text DEFAULT NULL)
    RETURNS TABLE (label text, score real)
    AS 'MODULE_PATHNAME', 'lmtext_class_scores' LANGUAGE C STABLE PARALLEL SAFE COST 100000 ROWS 20
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.class_scores(text, text) IS
    'probability of each label for a text, highest first';

CREATE FUNCTION lmtext.class_scores(text text, model regclass, on_long text DEFAULT 'truncate')
    RETURNS TABLE (label text, score real)
    AS 'MODULE_PATHNAME', 'lmtext_class_scores' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100000
    ROWS 20 SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.class_scores(text, regclass, text) IS
    'probability of each label for a text, highest first (version pinned)';

CREATE FUNCTION lmtext.class_scores(texts text[], model text DEFAULT NULL)
    RETURNS TABLE (ordinality bigint, label text, score real)
    AS 'MODULE_PATHNAME', 'lmtext_class_scores_array' LANGUAGE C STABLE PARALLEL SAFE COST 1000000
    ROWS 200 SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.class_scores(text[], text) IS
    'probability of each label for each text of an array, computed as one batch';

CREATE FUNCTION lmtext.class_scores(texts text[], model regclass, on_long text DEFAULT 'truncate')
    RETURNS TABLE (ordinality bigint, label text, score real)
    AS 'MODULE_PATHNAME', 'lmtext_class_scores_array' LANGUAGE C IMMUTABLE PARALLEL SAFE
    COST 1000000 ROWS 200 SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.class_scores(text[], regclass, text) IS
    'probability of each label for each text of an array, computed as one batch (version pinned)';

CREATE FUNCTION lmtext.class_scores(vector real[], model text DEFAULT NULL)
    RETURNS TABLE (label text, score real)
    AS 'MODULE_PATHNAME', 'lmtext_class_scores_vector' LANGUAGE C STABLE PARALLEL SAFE COST 50
    ROWS 20;
COMMENT ON FUNCTION lmtext.class_scores(real[], text) IS
    'probability of each label for an embedding by the base of the model, highest first';

CREATE FUNCTION lmtext.class_scores(vector real[], model regclass)
    RETURNS TABLE (label text, score real)
    AS 'MODULE_PATHNAME', 'lmtext_class_scores_vector' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 50
    ROWS 20;
COMMENT ON FUNCTION lmtext.class_scores(real[], regclass) IS
    'probability of each label for an embedding by the base of the model, highest first (version pinned)';
-- 40-train: models made in the database. Views that show trainings are in 90-monitoring.sql.

CREATE PROCEDURE lmtext.train(name text, query text, options jsonb DEFAULT '{}')
    LANGUAGE C AS 'MODULE_PATHNAME', 'lmtext_train';
COMMENT ON PROCEDURE lmtext.train(text, text, jsonb) IS
    'train a classifier on the rows (text, label) of a query and store it as a new model version; needs EXECUTE';
REVOKE ALL ON PROCEDURE lmtext.train(text, text, jsonb) FROM PUBLIC;
-- 41-metrics: how well predicted labels match actual ones, as scikit-learn defines it. Labels are values
-- of any type, equal by the type's own equality. Rows in which either label is NULL are left out.

CREATE FUNCTION lmtext_internal.accuracy_accum(state bigint[], actual anycompatible, predicted anycompatible)
    RETURNS bigint[]
    AS 'MODULE_PATHNAME', 'lmtext_accuracy_accum' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 2;
COMMENT ON FUNCTION lmtext_internal.accuracy_accum(bigint[], anycompatible, anycompatible) IS
    'internal: part of the aggregate accuracy';

CREATE FUNCTION lmtext_internal.accuracy_combine(state bigint[], more bigint[]) RETURNS bigint[]
    AS 'MODULE_PATHNAME', 'lmtext_accuracy_combine' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.accuracy_combine(bigint[], bigint[]) IS
    'internal: part of the aggregate accuracy';

CREATE FUNCTION lmtext_internal.accuracy_final(state bigint[]) RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_accuracy_final' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.accuracy_final(bigint[]) IS 'internal: part of the aggregate accuracy';

CREATE AGGREGATE lmtext.accuracy(actual anycompatible, predicted anycompatible) (
    SFUNC = lmtext_internal.accuracy_accum,
    STYPE = bigint[],
    INITCOND = '{0,0}',
    COMBINEFUNC = lmtext_internal.accuracy_combine,
    FINALFUNC = lmtext_internal.accuracy_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.accuracy(anycompatible, anycompatible) IS
    'share of rows in which the predicted value equals the actual one';

CREATE FUNCTION lmtext_internal.f1_accum(state internal, actual anycompatible, predicted anycompatible)
    RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_f1_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 5;
COMMENT ON FUNCTION lmtext_internal.f1_accum(internal, anycompatible, anycompatible) IS 'internal: part of the aggregate f1';

CREATE FUNCTION lmtext_internal.f1_accum(
    state internal, actual anycompatible, predicted anycompatible, average text) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_f1_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 5;
COMMENT ON FUNCTION lmtext_internal.f1_accum(internal, anycompatible, anycompatible, text) IS
    'internal: part of the aggregate f1';

CREATE FUNCTION lmtext_internal.f1_accum(
    state internal, actual anycompatible, predicted anycompatible, average text, label anycompatible)
    RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_f1_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 5;
COMMENT ON FUNCTION lmtext_internal.f1_accum(internal, anycompatible, anycompatible, text, anycompatible) IS
    'internal: part of the aggregate f1';

CREATE FUNCTION lmtext_internal.f1_combine(state internal, more internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_f1_combine' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.f1_combine(internal, internal) IS 'internal: part of the aggregate f1';

CREATE FUNCTION lmtext_internal.f1_serialize(state internal) RETURNS bytea
    AS 'MODULE_PATHNAME', 'lmtext_f1_serialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.f1_serialize(internal) IS 'internal: part of the aggregate f1';

CREATE FUNCTION lmtext_internal.f1_deserialize(state bytea, internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_f1_deserialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.f1_deserialize(bytea, internal) IS 'internal: part of the aggregate f1';

CREATE FUNCTION lmtext_internal.f1_final(state internal) RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_f1_final' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.f1_final(internal) IS 'internal: part of the aggregate f1';

CREATE AGGREGATE lmtext.f1(actual anycompatible, predicted anycompatible) (
    SFUNC = lmtext_internal.f1_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.f1_combine,
    SERIALFUNC = lmtext_internal.f1_serialize,
    DESERIALFUNC = lmtext_internal.f1_deserialize,
    FINALFUNC = lmtext_internal.f1_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.f1(anycompatible, anycompatible) IS 'mean of the F1 scores of all labels (macro)';

CREATE AGGREGATE lmtext.f1(actual anycompatible, predicted anycompatible, average text) (
    SFUNC = lmtext_internal.f1_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.f1_combine,
    SERIALFUNC = lmtext_internal.f1_serialize,
    DESERIALFUNC = lmtext_internal.f1_deserialize,
    FINALFUNC = lmtext_internal.f1_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.f1(anycompatible, anycompatible, text) IS
    'F1 score over all labels; average is micro, macro or weighted';

CREATE AGGREGATE lmtext.f1(actual anycompatible, predicted anycompatible, average text, label anycompatible) (
    SFUNC = lmtext_internal.f1_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.f1_combine,
    SERIALFUNC = lmtext_internal.f1_serialize,
    DESERIALFUNC = lmtext_internal.f1_deserialize,
    FINALFUNC = lmtext_internal.f1_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.f1(anycompatible, anycompatible, text, anycompatible) IS
    'F1 score of one label; average is binary';

-- These run a query as the caller, who could run it as well; they write nothing.

CREATE FUNCTION lmtext.classification_report(query text)
    RETURNS TABLE (label text, "precision" double precision, recall double precision,
                   f1 double precision, support bigint, summary boolean)
    AS 'MODULE_PATHNAME', 'lmtext_classification_report' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE
    COST 100000 ROWS 20;
COMMENT ON FUNCTION lmtext.classification_report(text) IS
    'precision, recall and F1 of each label over a query of (actual, predicted), then their averages, marked by the column summary';

CREATE FUNCTION lmtext.confusion_matrix(query text)
    RETURNS TABLE (actual text, predicted text, count bigint)
    AS 'MODULE_PATHNAME', 'lmtext_confusion_matrix' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE
    COST 100000 ROWS 100;
COMMENT ON FUNCTION lmtext.confusion_matrix(text) IS
    'number of rows of each pair of labels in a query of (actual, predicted)';
-- 50-search: distances between vectors and between texts, their operators, and the mean vector. The
-- operators lie in the extension's schema, so that they are found as any operator is; what they mean
-- is pgvector's, and between pgvector's types its own operators stay in charge.

CREATE FUNCTION lmtext_internal.cosine_distance_support(internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_cosine_distance_support' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.cosine_distance_support(internal) IS
    'planner support: uses the <=> of the other side''s type if that type casts implicitly to real[]';

CREATE FUNCTION lmtext.cosine_distance(a real[], b real[]) RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_cosine_distance' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10
    SUPPORT lmtext_internal.cosine_distance_support;
COMMENT ON FUNCTION lmtext.cosine_distance(real[], real[]) IS 'cosine distance of two vectors';

CREATE OPERATOR @extschema@.<=> (
    LEFTARG = real[], RIGHTARG = real[], FUNCTION = lmtext.cosine_distance,
    COMMUTATOR = OPERATOR(@extschema@.<=>));
COMMENT ON OPERATOR @extschema@.<=> (real[], real[]) IS 'cosine distance of two vectors';

CREATE FUNCTION lmtext_internal.l2_distance_support(internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_l2_distance_support' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.l2_distance_support(internal) IS
    'planner support: uses the <-> of the other side''s type if that type casts implicitly to real[]';

CREATE FUNCTION lmtext.l2_distance(a real[], b real[]) RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_l2_distance' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10
    SUPPORT lmtext_internal.l2_distance_support;
COMMENT ON FUNCTION lmtext.l2_distance(real[], real[]) IS 'Euclidean distance of two vectors';

CREATE OPERATOR @extschema@.<-> (
    LEFTARG = real[], RIGHTARG = real[], FUNCTION = lmtext.l2_distance,
    COMMUTATOR = OPERATOR(@extschema@.<->));
COMMENT ON OPERATOR @extschema@.<-> (real[], real[]) IS 'Euclidean distance of two vectors';

CREATE FUNCTION lmtext_internal.inner_product_support(internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_inner_product_support' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.inner_product_support(internal) IS
    'planner support: uses the <#> of the other side''s type if that type casts implicitly to real[]';

CREATE FUNCTION lmtext.negative_inner_product(a real[], b real[]) RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_negative_inner_product' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10
    SUPPORT lmtext_internal.inner_product_support;
COMMENT ON FUNCTION lmtext.negative_inner_product(real[], real[]) IS 'negative inner product of two vectors';

CREATE OPERATOR @extschema@.<#> (
    LEFTARG = real[], RIGHTARG = real[], FUNCTION = lmtext.negative_inner_product,
    COMMUTATOR = OPERATOR(@extschema@.<#>));
COMMENT ON OPERATOR @extschema@.<#> (real[], real[]) IS 'negative inner product of two vectors';

CREATE FUNCTION lmtext.inner_product(a real[], b real[]) RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_inner_product' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10;
COMMENT ON FUNCTION lmtext.inner_product(real[], real[]) IS 'inner product of two vectors';

CREATE FUNCTION lmtext.l2_normalize(vector real[]) RETURNS real[]
    AS 'MODULE_PATHNAME', 'lmtext_l2_normalize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10;
COMMENT ON FUNCTION lmtext.l2_normalize(real[]) IS
    'vector of length 1 in the same direction; a zero vector is returned as it is';

CREATE FUNCTION lmtext.distance(a text, b text) RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_text_distance' LANGUAGE C STABLE STRICT PARALLEL SAFE COST 200000
    SUPPORT lmtext_internal.distance_support;
COMMENT ON FUNCTION lmtext.distance(text, text) IS
    'cosine distance of the embeddings of two texts, by the model lmtext.embedding_model';

CREATE OPERATOR @extschema@.<=> (
    LEFTARG = text, RIGHTARG = text, FUNCTION = lmtext.distance,
    COMMUTATOR = OPERATOR(@extschema@.<=>));
COMMENT ON OPERATOR @extschema@.<=> (text, text) IS
    'cosine distance of the embeddings of two texts, by the model lmtext.embedding_model';

CREATE FUNCTION lmtext_internal.mean_transition(internal, real[]) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_mean_transition' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 10;
COMMENT ON FUNCTION lmtext_internal.mean_transition(internal, real[]) IS 'internal: part of the aggregate mean';

CREATE FUNCTION lmtext_internal.mean_combine(internal, internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_mean_combine' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 10;
COMMENT ON FUNCTION lmtext_internal.mean_combine(internal, internal) IS 'internal: part of the aggregate mean';

CREATE FUNCTION lmtext_internal.mean_serialize(internal) RETURNS bytea
    AS 'MODULE_PATHNAME', 'lmtext_mean_serialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10;
COMMENT ON FUNCTION lmtext_internal.mean_serialize(internal) IS 'internal: part of the aggregate mean';

CREATE FUNCTION lmtext_internal.mean_deserialize(bytea, internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_mean_deserialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
    COST 10;
COMMENT ON FUNCTION lmtext_internal.mean_deserialize(bytea, internal) IS 'internal: part of the aggregate mean';

CREATE FUNCTION lmtext_internal.mean_final(internal) RETURNS real[]
    AS 'MODULE_PATHNAME', 'lmtext_mean_final' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 10;
COMMENT ON FUNCTION lmtext_internal.mean_final(internal) IS 'internal: part of the aggregate mean';

CREATE AGGREGATE lmtext.mean(vector real[]) (
    SFUNC = lmtext_internal.mean_transition, STYPE = internal, SSPACE = 4096,
    FINALFUNC = lmtext_internal.mean_final, COMBINEFUNC = lmtext_internal.mean_combine,
    SERIALFUNC = lmtext_internal.mean_serialize, DESERIALFUNC = lmtext_internal.mean_deserialize,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.mean(real[]) IS
    'mean of vectors, component by component; nulls are ignored';
-- 90-monitoring: models in shared memory, the machine, trainings under way, statistics of calls.

CREATE FUNCTION lmtext.load_model(model text) RETURNS boolean
    AS 'MODULE_PATHNAME', 'lmtext_load_model'
    LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED COST 100000;
COMMENT ON FUNCTION lmtext.load_model(text) IS
    'load a model into shared memory; false if it was already loaded';

CREATE FUNCTION lmtext.load_model(model regclass) RETURNS boolean
    AS 'MODULE_PATHNAME', 'lmtext_load_model_version'
    LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED COST 100000;
COMMENT ON FUNCTION lmtext.load_model(regclass) IS
    'load a model version into shared memory; false if it was already loaded';

CREATE FUNCTION lmtext.unload_model(model text) RETURNS boolean
    AS 'MODULE_PATHNAME', 'lmtext_unload_model'
    LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED COST 1000;
COMMENT ON FUNCTION lmtext.unload_model(text) IS
    'remove a model from shared memory; statements that use it run to their end. False if it was not loaded';

CREATE FUNCTION lmtext.unload_model(model regclass) RETURNS boolean
    AS 'MODULE_PATHNAME', 'lmtext_unload_model_version'
    LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED COST 1000;
COMMENT ON FUNCTION lmtext.unload_model(regclass) IS
    'remove a model version from shared memory; statements that use it run to their end. False if it was not loaded';

-- They change what other sessions find in memory.
REVOKE EXECUTE ON FUNCTION
    lmtext.load_model(text), lmtext.load_model(regclass),
    lmtext.unload_model(text), lmtext.unload_model(regclass)
    FROM PUBLIC;

CREATE FUNCTION lmtext_internal.get_model_cache(
    OUT model regclass, OUT version text, OUT database text, OUT state text,
    OUT instruction_level text, OUT bytes bigint, OUT pins integer, OUT hits bigint,
    OUT texts bigint, OUT tokens bigint, OUT loads bigint, OUT load_ms double precision, OUT loaded_at timestamptz,
    OUT last_used timestamptz)
    RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'lmtext_get_model_cache'
    LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED COST 1000 ROWS 10;
COMMENT ON FUNCTION lmtext_internal.get_model_cache() IS
    'loaded models that the caller may use; all of them for members of pg_monitor';

CREATE VIEW lmtext.model_cache AS SELECT * FROM lmtext_internal.get_model_cache();
COMMENT ON VIEW lmtext.model_cache IS
    'models in shared memory, and private copies of this session, that the caller may use; all of them for members of pg_monitor';
COMMENT ON COLUMN lmtext.model_cache.model IS
    'a version of this database with these contents; NULL if there is none';
COMMENT ON COLUMN lmtext.model_cache.database IS 'database whose session loaded it last';
COMMENT ON COLUMN lmtext.model_cache.state IS
    'loading, ready, unloading (in use, then gone) or private (a copy in the memory of this session)';
COMMENT ON COLUMN lmtext.model_cache.pins IS 'backends that are computing with it now';
COMMENT ON COLUMN lmtext.model_cache.hits IS
    'number of times that a backend found it in memory, once per backend and statement';
COMMENT ON COLUMN lmtext.model_cache.texts IS
    'texts that all backends have computed with it since it was first loaded; shows the progress of a long statement';

CREATE FUNCTION lmtext_internal.get_device(
    OUT cpu text, OUT instruction_level text, OUT best_instruction_level text, OUT blas text,
    OUT blas_threads integer, OUT os_threads integer, OUT shares_models boolean,
    OUT obstacle text)
    RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'lmtext_get_device'
    LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED COST 100 ROWS 1;
COMMENT ON FUNCTION lmtext_internal.get_device() IS 'processor and instruction level of this session';

CREATE VIEW lmtext.device AS
    SELECT d.*, e.extversion AS lmtext_version
    FROM lmtext_internal.get_device() d
    LEFT JOIN pg_catalog.pg_extension e
        ON e.extname OPERATOR(pg_catalog.=) 'lmtext'::pg_catalog.name;
COMMENT ON VIEW lmtext.device IS
    'processor, instruction level, matrix library and threads of this session';
COMMENT ON COLUMN lmtext.device.instruction_level IS
    'level of the kernels in use; lmtext.isa caps it';
COMMENT ON COLUMN lmtext.device.os_threads IS 'threads of this backend; always 1';
COMMENT ON COLUMN lmtext.device.shares_models IS
    'whether models can be shared; if not, obstacle tells why';

CREATE FUNCTION lmtext.session_counters(
    OUT texts bigint, OUT tokens bigint, OUT truncated bigint, OUT forwards bigint,
    OUT loads bigint, OUT attaches bigint)
    RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'lmtext_session_counters'
    LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED COST 1 ROWS 1;
COMMENT ON FUNCTION lmtext.session_counters() IS
    'what this backend has computed so far: texts and tokens embedded, texts cut, forward passes, models loaded and attached to; parallel workers count for themselves';

CREATE FUNCTION lmtext_internal.get_train_runs(
    OUT run bigint, OUT model text, OUT state text, OUT phase text, OUT done bigint,
    OUT total bigint, OUT step integer, OUT max_steps integer, OUT loss double precision,
    OUT held_out_loss double precision, OUT held_out_accuracy double precision,
    OUT started_at timestamptz, OUT updated_at timestamptz, OUT finished_at timestamptz,
    OUT pid integer, OUT role text, OUT database text)
    RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'lmtext_get_train_runs'
    LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED COST 100 ROWS 8;
COMMENT ON FUNCTION lmtext_internal.get_train_runs() IS
    'trainings that run and the last ones that ended';

CREATE VIEW lmtext.train_runs AS SELECT * FROM lmtext_internal.get_train_runs() ORDER BY run;
COMMENT ON VIEW lmtext.train_runs IS
    'trainings that run and the last ones that ended, of roles that the caller is a member of; all of them for members of pg_monitor';
COMMENT ON COLUMN lmtext.train_runs.state IS 'running, done or failed';
COMMENT ON COLUMN lmtext.train_runs.done IS 'rows embedded so far, out of total';
COMMENT ON COLUMN lmtext.train_runs.total IS 'number of rows to train on; NULL until all rows have been read';
COMMENT ON COLUMN lmtext.train_runs.loss IS 'loss on the training rows; NULL before the first step';
COMMENT ON COLUMN lmtext.train_runs.held_out_loss IS 'measured on the held-out rows; NULL if there are none, and before the first step';
COMMENT ON COLUMN lmtext.train_runs.held_out_accuracy IS
    'measured on the held-out rows; NULL if there are none, and before the first step';

CREATE FUNCTION lmtext_internal.get_train_log(
    OUT run bigint, OUT model text, OUT step integer, OUT loss double precision,
    OUT held_out_loss double precision, OUT held_out_accuracy double precision,
    OUT at timestamptz)
    RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'lmtext_get_train_log'
    LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED COST 100 ROWS 100;
COMMENT ON FUNCTION lmtext_internal.get_train_log() IS
    'curves of the trainings of train_runs, thinned to at most 128 points each';

CREATE VIEW lmtext.train_log AS SELECT * FROM lmtext_internal.get_train_log() ORDER BY run, step;
COMMENT ON VIEW lmtext.train_log IS
    'curves of the trainings of lmtext.train_runs, thinned to at most 128 points each';
COMMENT ON COLUMN lmtext.train_log.held_out_loss IS 'measured on the held-out rows; NULL if there are none';
COMMENT ON COLUMN lmtext.train_log.held_out_accuracy IS 'measured on the held-out rows; NULL if there are none';

CREATE FUNCTION lmtext_internal.get_stats(
    OUT role text, OUT database text, OUT model regclass, OUT version text, OUT function text,
    OUT calls bigint, OUT rows bigint, OUT tokens bigint, OUT truncated bigint, OUT errors bigint,
    OUT cached bigint, OUT total_ms double precision, OUT mean_ms double precision,
    OUT p50_ms double precision, OUT p95_ms double precision, OUT p99_ms double precision,
    OUT since timestamptz, OUT last_used timestamptz)
    RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'lmtext_get_stats'
    LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED COST 10000 ROWS 50;
COMMENT ON FUNCTION lmtext_internal.get_stats() IS
    'calls of functions that use a model, by role, version and function';

CREATE VIEW lmtext.stats AS SELECT * FROM lmtext_internal.get_stats();
COMMENT ON VIEW lmtext.stats IS
    'calls of functions that use a model, by roles that the caller is a member of; all of them, in all databases, for members of pg_monitor';
COMMENT ON COLUMN lmtext.stats.role IS
    'role whose privileges were used: the owner inside a SECURITY DEFINER function; NULL if it was dropped';
COMMENT ON COLUMN lmtext.stats.model IS
    'table of the version; NULL if it was dropped, is in another database, was not known, or is being changed by another session';
COMMENT ON COLUMN lmtext.stats.version IS
    'name of the version, even if it was dropped; NULL for calls that failed before a model was found, allowed and loaded';
COMMENT ON COLUMN lmtext.stats.function IS
    'name of the function; array forms and pinned forms count under the same name';
COMMENT ON COLUMN lmtext.stats.calls IS
    'calls with a text that is not null that computed something or failed; calls + cached is the number of evaluations';
COMMENT ON COLUMN lmtext.stats.rows IS 'texts that were computed, including those of calls that failed later';
COMMENT ON COLUMN lmtext.stats.tokens IS 'tokens of these texts, including special tokens if the function uses them';
COMMENT ON COLUMN lmtext.stats.truncated IS 'texts among rows that were longer than the model''s window';
COMMENT ON COLUMN lmtext.stats.errors IS 'calls that ended by an error, a cancel or the end of the session';
COMMENT ON COLUMN lmtext.stats.cached IS
    'evaluations that reused an earlier result of the statement; not part of calls and times';
COMMENT ON COLUMN lmtext.stats.total_ms IS 'time of all calls in milliseconds, including failed calls and waits';
COMMENT ON COLUMN lmtext.stats.p50_ms IS 'median time of a call in milliseconds, to within 9.1 %';
COMMENT ON COLUMN lmtext.stats.since IS 'when the first of these calls was counted';
COMMENT ON COLUMN lmtext.stats.last_used IS 'when the last of these calls was counted';

CREATE FUNCTION lmtext_internal.get_stats_info(
    OUT entries integer, OUT capacity integer, OUT evicted bigint, OUT obstacle text)
    RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'lmtext_get_stats_info'
    LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED COST 1000 ROWS 1;
COMMENT ON FUNCTION lmtext_internal.get_stats_info() IS 'fill state of the statistics of calls';

CREATE VIEW lmtext.stats_info AS SELECT * FROM lmtext_internal.get_stats_info();
COMMENT ON VIEW lmtext.stats_info IS 'fill state of the statistics of calls, for the whole server';
COMMENT ON COLUMN lmtext.stats_info.entries IS 'number of rows of lmtext.stats, of all roles and databases';
COMMENT ON COLUMN lmtext.stats_info.evicted IS
    'number of rows that were dropped because the statistics were full; the least recently used rows are dropped first';
COMMENT ON COLUMN lmtext.stats_info.obstacle IS
    'reason why there are no statistics (shared memory was not available); NULL if there are';

CREATE FUNCTION lmtext.stats_reset() RETURNS void
    AS 'MODULE_PATHNAME', 'lmtext_reset_stats'
    LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000;
COMMENT ON FUNCTION lmtext.stats_reset() IS 'reset the statistics of calls in this database';
REVOKE EXECUTE ON FUNCTION lmtext.stats_reset() FROM PUBLIC;

GRANT SELECT ON lmtext.model_cache, lmtext.device, lmtext.train_runs, lmtext.train_log,
    lmtext.stats, lmtext.stats_info TO PUBLIC;

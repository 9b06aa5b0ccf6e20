-- 0.2.0 to 0.3.0: what sql/install has gained since. test/t compares the outcome with a fresh install.
\echo Use "ALTER EXTENSION lmtext UPDATE" to load this file. \quit

-- 00-schema: functions that are not called by name have a schema of their own.
CREATE SCHEMA lmtext_internal;
COMMENT ON SCHEMA lmtext_internal IS
    'functions of the extension lmtext that are not called by name';
GRANT USAGE ON SCHEMA lmtext_internal TO PUBLIC;
ALTER FUNCTION lmtext.describe_model(regclass) SET SCHEMA lmtext_internal;
ALTER FUNCTION lmtext.family_list() SET SCHEMA lmtext_internal;
ALTER FUNCTION lmtext.token_support(internal) SET SCHEMA lmtext_internal;
ALTER FUNCTION lmtext.embed_support(internal) SET SCHEMA lmtext_internal;
ALTER FUNCTION lmtext.distance_support(internal) SET SCHEMA lmtext_internal;
ALTER FUNCTION lmtext.accuracy_accum(bigint[], anycompatible, anycompatible) SET SCHEMA lmtext_internal;
ALTER FUNCTION lmtext.accuracy_combine(bigint[], bigint[]) SET SCHEMA lmtext_internal;
ALTER FUNCTION lmtext.accuracy_final(bigint[]) SET SCHEMA lmtext_internal;
ALTER FUNCTION lmtext.f1_accum(internal, text, text) SET SCHEMA lmtext_internal;
ALTER FUNCTION lmtext.f1_accum(internal, text, text, text) SET SCHEMA lmtext_internal;
ALTER FUNCTION lmtext.f1_accum(internal, text, text, text, text) SET SCHEMA lmtext_internal;
ALTER FUNCTION lmtext.f1_combine(internal, internal) SET SCHEMA lmtext_internal;
ALTER FUNCTION lmtext.f1_serialize(internal) SET SCHEMA lmtext_internal;
ALTER FUNCTION lmtext.f1_deserialize(bytea, internal) SET SCHEMA lmtext_internal;
ALTER FUNCTION lmtext.f1_final(internal) SET SCHEMA lmtext_internal;
ALTER FUNCTION lmtext.cosine_distance_support(internal) SET SCHEMA lmtext_internal;
ALTER FUNCTION lmtext.l2_distance_support(internal) SET SCHEMA lmtext_internal;
ALTER FUNCTION lmtext.inner_product_support(internal) SET SCHEMA lmtext_internal;
ALTER FUNCTION lmtext.mean_transition(internal, real[]) SET SCHEMA lmtext_internal;
ALTER FUNCTION lmtext.mean_combine(internal, internal) SET SCHEMA lmtext_internal;
ALTER FUNCTION lmtext.mean_serialize(internal) SET SCHEMA lmtext_internal;
ALTER FUNCTION lmtext.mean_deserialize(bytea, internal) SET SCHEMA lmtext_internal;
ALTER FUNCTION lmtext.mean_final(internal) SET SCHEMA lmtext_internal;
ALTER FUNCTION lmtext.get_model_cache() SET SCHEMA lmtext_internal;
ALTER FUNCTION lmtext.get_device() SET SCHEMA lmtext_internal;
ALTER FUNCTION lmtext.get_train_runs() SET SCHEMA lmtext_internal;
ALTER FUNCTION lmtext.get_train_log() SET SCHEMA lmtext_internal;
ALTER FUNCTION lmtext.get_stats() SET SCHEMA lmtext_internal;
ALTER FUNCTION lmtext.get_stats_info() SET SCHEMA lmtext_internal;

-- 20-models: a row says what its version's state is. The view stays, with what users have built on it: it lets go of the
-- function, which has one column more afterwards.
CREATE OR REPLACE VIEW lmtext.models AS
    SELECT NULL::pg_catalog.text AS name, NULL::pg_catalog.int4 AS version, NULL::pg_catalog.bool AS deployed,
           NULL::pg_catalog.text AS family, NULL::pg_catalog.text AS task, NULL::pg_catalog.text AS "precision",
           NULL::pg_catalog.int4 AS dimensions, NULL::pg_catalog.int4 AS max_tokens, NULL::pg_catalog.int8 AS parameters,
           NULL::pg_catalog.int8 AS bytes, NULL::pg_catalog.text AS sha256, NULL::pg_catalog.text[] AS labels,
           NULL::pg_catalog.text AS licence, NULL::pg_catalog.regclass AS base, NULL::pg_catalog.name AS owner,
           NULL::pg_catalog.timestamptz AS created_at, NULL::pg_catalog.jsonb AS metrics,
           NULL::pg_catalog.regclass AS model;
DROP FUNCTION lmtext_internal.describe_model(regclass);
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

CREATE OR REPLACE VIEW lmtext.models AS
    SELECT d.name, d.version, d.deployed, d.family, d.task, d."precision", d.dimensions,
           d.max_tokens, d.parameters, d.bytes, d.sha256, d.labels, d.licence, d.base,
           pg_catalog.pg_get_userbyid(c.relowner) AS owner, d.created_at, d.metrics,
           c.oid::pg_catalog.regclass AS model, d.status
    FROM pg_catalog.pg_class c
    CROSS JOIN LATERAL lmtext_internal.describe_model(c.oid::pg_catalog.regclass) d
    WHERE c.relkind OPERATOR(pg_catalog.=) 'r'::pg_catalog."char"
        AND c.reloftype OPERATOR(pg_catalog.=) 'lmtext.model_part'::pg_catalog.regtype::pg_catalog.oid;
COMMENT ON COLUMN lmtext.models.status IS
    'ready, busy (another session is dropping or changing the version; most columns are NULL), incomplete (no manifest) or damaged (the manifest cannot be read)';
COMMENT ON FUNCTION lmtext.import_model(text, text, jsonb) IS
    'create the next version of a model from a directory on the server; returns its number; needs EXECUTE';
COMMENT ON FUNCTION lmtext.import_model(text, jsonb, jsonb) IS
    'create the next version of a model from large objects, given as {"file name": oid}; returns its number; needs EXECUTE';
-- Owners need no grant: the functions check who may.
GRANT EXECUTE ON FUNCTION
    lmtext.quantize(text, text, text[]), lmtext.deploy(text, integer), lmtext.drop_model(text),
    lmtext.grant_model(text, pg_catalog.regrole, text), lmtext.revoke_model(text, pg_catalog.regrole, text)
    TO PUBLIC;

-- 30-tokenize

-- 31-embed
COMMENT ON FUNCTION lmtext.embed_trigger() IS
    'maintain a column of vectors: embed_trigger(''text column or expression'', ''vector column'', ''model@version'')';

-- 32-classify
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

-- 40-train
COMMENT ON PROCEDURE lmtext.train(text, text, jsonb) IS
    'train a classifier on the rows (text, label) of a query and store it as a new model version; needs EXECUTE';

-- 41-metrics: f1 takes labels of any type, and the report marks its means. In place, as the updates of
-- citext and intarray do it, since views may depend on them: no new function could take their place.
UPDATE pg_catalog.pg_proc
SET proargtypes = pg_catalog.replace(proargtypes::pg_catalog.text, '2281 25 25', '2281 5077 5077')::pg_catalog.oidvector
WHERE proname OPERATOR(pg_catalog.=) 'f1_accum'
    AND pronamespace OPERATOR(pg_catalog.=) 'lmtext_internal'::pg_catalog.regnamespace;
UPDATE pg_catalog.pg_proc
SET proargtypes = pg_catalog.regexp_replace(proargtypes::pg_catalog.text, '^25 25', '5077 5077')::pg_catalog.oidvector
WHERE proname OPERATOR(pg_catalog.=) 'f1'
    AND pronamespace OPERATOR(pg_catalog.=) 'lmtext'::pg_catalog.regnamespace;
-- Their last argument, the label.
UPDATE pg_catalog.pg_proc
SET proargtypes = pg_catalog.regexp_replace(proargtypes::pg_catalog.text, ' 25 25$', ' 25 5077')::pg_catalog.oidvector
WHERE (proname OPERATOR(pg_catalog.=) 'f1_accum' AND pronargs OPERATOR(pg_catalog.=) 5::pg_catalog.int2
       AND pronamespace OPERATOR(pg_catalog.=) 'lmtext_internal'::pg_catalog.regnamespace)
    OR (proname OPERATOR(pg_catalog.=) 'f1' AND pronargs OPERATOR(pg_catalog.=) 4::pg_catalog.int2
        AND pronamespace OPERATOR(pg_catalog.=) 'lmtext'::pg_catalog.regnamespace);
UPDATE pg_catalog.pg_proc
SET proallargtypes = pg_catalog.array_append(proallargtypes, 16::pg_catalog.oid),
    proargmodes = pg_catalog.array_append(proargmodes, 't'::pg_catalog."char"),
    proargnames = pg_catalog.array_append(proargnames, 'summary'::pg_catalog.text)
WHERE oid OPERATOR(pg_catalog.=) 'lmtext.classification_report(text)'::pg_catalog.regprocedure;
COMMENT ON FUNCTION lmtext.classification_report(text) IS
    'precision, recall and F1 of each label over a query of (actual, predicted), then their averages, marked by the column summary';

-- 50-search

-- 90-monitoring
COMMENT ON COLUMN lmtext.train_runs.total IS 'number of rows to train on; NULL until all rows have been read';
COMMENT ON COLUMN lmtext.train_runs.loss IS 'loss on the training rows; NULL before the first step';
COMMENT ON COLUMN lmtext.train_runs.held_out_loss IS 'measured on the held-out rows; NULL if there are none, and before the first step';
COMMENT ON COLUMN lmtext.train_runs.held_out_accuracy IS
    'measured on the held-out rows; NULL if there are none, and before the first step';
COMMENT ON COLUMN lmtext.train_log.held_out_loss IS 'measured on the held-out rows; NULL if there are none';
COMMENT ON COLUMN lmtext.train_log.held_out_accuracy IS 'measured on the held-out rows; NULL if there are none';
-- cached takes the place of cache_hits, in place, since views may depend on it.
UPDATE pg_catalog.pg_proc
SET proargnames = pg_catalog.array_replace(proargnames, 'cache_hits'::pg_catalog.text, 'cached'::pg_catalog.text)
WHERE oid OPERATOR(pg_catalog.=) 'lmtext_internal.get_stats()'::pg_catalog.regprocedure;
ALTER VIEW lmtext.stats RENAME COLUMN cache_hits TO cached;
CREATE OR REPLACE VIEW lmtext.stats AS SELECT * FROM lmtext_internal.get_stats();
COMMENT ON COLUMN lmtext.stats.calls IS
    'calls with a text that is not null that computed something or failed; calls + cached is the number of evaluations';
COMMENT ON COLUMN lmtext.stats.cached IS
    'evaluations that reused an earlier result of the statement; not part of calls and times';
COMMENT ON COLUMN lmtext.stats.model IS
    'table of the version; NULL if it was dropped, is in another database, was not known, or is being changed by another session';

-- What the catalogs say of objects that were there.
COMMENT ON COLUMN lmtext.model_part.file IS
    'name of the file; manifest.json describes the version. A role that may SELECT this column may use the model';
COMMENT ON COLUMN lmtext.model_part.data IS 'bytes of the file, at most 1 MB';
COMMENT ON TABLE lmtext.model_name IS 'the deployed version of each model name';
COMMENT ON COLUMN lmtext.model_name.deployed IS 'number of the deployed version; NULL if there is none';
COMMENT ON COLUMN lmtext.model_name.last_version IS
    'highest version number ever given; numbers are not used again';
COMMENT ON FUNCTION lmtext.quantize(text, text, text[]) IS
    'create the next version of a model from one of its versions, with weights in another precision (fp32, bf16, int8, auto); returns its number';
COMMENT ON FUNCTION lmtext.deploy(text, integer) IS
    'deploy a version: the model''s name without a version then means it';
COMMENT ON FUNCTION lmtext.export_model(text, text) IS
    'write the files of a model version to a new directory on the server';
COMMENT ON FUNCTION lmtext.grant_model(text, pg_catalog.regrole, text) IS
    'grant a role a privilege (use, export) on a version (''m@2'') or on all present versions of a model (''m'')';
COMMENT ON FUNCTION lmtext.revoke_model(text, pg_catalog.regrole, text) IS
    'revoke a privilege (use, export) on a version or on all versions of a model; warns if the role still has it';
COMMENT ON FUNCTION lmtext.selftest(text) IS
    'check that a model version computes what it computed when it was made; one row for each check';
COMMENT ON VIEW lmtext.models IS 'model versions that the caller may use';
COMMENT ON COLUMN lmtext.models.deployed IS 'whether the name without a version means this one';
COMMENT ON COLUMN lmtext.models.dimensions IS 'dimensions of the embedding';
COMMENT ON COLUMN lmtext.models.max_tokens IS 'the window: number of tokens of a text that the model reads, special tokens included';
COMMENT ON COLUMN lmtext.models.bytes IS 'size of the files in bytes';
COMMENT ON COLUMN lmtext.models.base IS 'for a classifier, the version that it was trained on';
COMMENT ON COLUMN lmtext.models.model IS 'table of the version, which names it in pinned calls';
COMMENT ON FUNCTION lmtext_internal.family_list() IS 'model families that can be imported';
COMMENT ON VIEW lmtext.families IS
    'model families that can be imported: their values of model_type in config.json, and their tasks';
COMMENT ON FUNCTION lmtext_internal.token_support(internal) IS
    'planner support: cost of tokenizing, from the width of the text';
COMMENT ON FUNCTION lmtext.tokenize(text, text, boolean) IS
    'tokens of a text, without special tokens';
COMMENT ON FUNCTION lmtext.tokenize(text, regclass, boolean) IS
    'tokens of a text, without special tokens (version pinned)';
COMMENT ON FUNCTION lmtext.detokenize(integer[], text) IS
    'text of token ids, without special tokens';
COMMENT ON FUNCTION lmtext.detokenize(integer[], regclass) IS
    'text of token ids, without special tokens (version pinned)';
COMMENT ON FUNCTION lmtext.tokens(text, text, boolean) IS
    'one row for each token, with its character offsets in the text';
COMMENT ON FUNCTION lmtext.tokens(text, regclass, boolean) IS
    'one row for each token, with its character offsets in the text (version pinned)';
COMMENT ON FUNCTION lmtext.tokens(text[], text, boolean) IS
    'one row for each token of each text';
COMMENT ON FUNCTION lmtext.tokens(text[], regclass, boolean) IS
    'one row for each token of each text (version pinned)';
COMMENT ON FUNCTION lmtext.chunk(text, text, integer, integer) IS
    'pieces of a text, each of at most max_tokens tokens';
COMMENT ON FUNCTION lmtext.chunk(text, regclass, integer, integer) IS
    'pieces of a text, each of at most max_tokens tokens (version pinned)';
COMMENT ON FUNCTION lmtext_internal.embed_support(internal) IS
    'planner support: cost of a forward pass over the first argument, from its width';
COMMENT ON FUNCTION lmtext_internal.distance_support(internal) IS
    'planner support: cost of forward passes over the first two arguments, from their widths';
COMMENT ON FUNCTION lmtext.embed(text, text, text, text, integer) IS
    'embedding of a text';
COMMENT ON FUNCTION lmtext.embed(text, regclass, text, text, integer, text) IS
    'embedding of a text (version pinned)';
COMMENT ON FUNCTION lmtext.embed(text[], text, text, text, integer) IS
    'embeddings of texts, as the rows of one array, computed as one batch';
COMMENT ON FUNCTION lmtext.embed(text[], regclass, text, text, integer, text) IS
    'embeddings of texts, as the rows of one array, computed as one batch (version pinned)';
COMMENT ON FUNCTION lmtext.similarity(text, text, text) IS 'cosine similarity of the embeddings of two texts';
COMMENT ON FUNCTION lmtext.similarity(text, text, regclass, text) IS
    'cosine similarity of the embeddings of two texts (version pinned)';
COMMENT ON FUNCTION lmtext.class_scores(text, text) IS
    'probability of each label for a text, highest first';
COMMENT ON FUNCTION lmtext.class_scores(text, regclass, text) IS
    'probability of each label for a text, highest first (version pinned)';
COMMENT ON FUNCTION lmtext.class_scores(text[], text) IS
    'probability of each label for each text of an array, computed as one batch';
COMMENT ON FUNCTION lmtext.class_scores(text[], regclass, text) IS
    'probability of each label for each text of an array, computed as one batch (version pinned)';
COMMENT ON AGGREGATE lmtext.accuracy(anycompatible, anycompatible) IS
    'share of rows in which the predicted value equals the actual one';
COMMENT ON FUNCTION lmtext.confusion_matrix(text) IS
    'number of rows of each pair of labels in a query of (actual, predicted)';
COMMENT ON FUNCTION lmtext_internal.cosine_distance_support(internal) IS
    'planner support: uses the <=> of the other side''s type if that type casts implicitly to real[]';
COMMENT ON FUNCTION lmtext_internal.l2_distance_support(internal) IS
    'planner support: uses the <-> of the other side''s type if that type casts implicitly to real[]';
COMMENT ON FUNCTION lmtext_internal.inner_product_support(internal) IS
    'planner support: uses the <#> of the other side''s type if that type casts implicitly to real[]';
COMMENT ON FUNCTION lmtext.l2_normalize(real[]) IS
    'vector of length 1 in the same direction; a zero vector is returned as it is';
COMMENT ON FUNCTION lmtext.distance(text, text) IS
    'cosine distance of the embeddings of two texts, by the model lmtext.embedding_model';
COMMENT ON OPERATOR @extschema@.<=> (text, text) IS
    'cosine distance of the embeddings of two texts, by the model lmtext.embedding_model';
COMMENT ON FUNCTION lmtext_internal.mean_transition(internal, real[]) IS 'internal: part of the aggregate mean';
COMMENT ON FUNCTION lmtext_internal.mean_combine(internal, internal) IS 'internal: part of the aggregate mean';
COMMENT ON FUNCTION lmtext_internal.mean_serialize(internal) IS 'internal: part of the aggregate mean';
COMMENT ON FUNCTION lmtext_internal.mean_deserialize(bytea, internal) IS 'internal: part of the aggregate mean';
COMMENT ON FUNCTION lmtext_internal.mean_final(internal) IS 'internal: part of the aggregate mean';
COMMENT ON AGGREGATE lmtext.mean(real[]) IS
    'mean of vectors, component by component; nulls are ignored';
COMMENT ON FUNCTION lmtext.load_model(text) IS
    'load a model into shared memory; false if it was already loaded';
COMMENT ON FUNCTION lmtext.load_model(regclass) IS
    'load a model version into shared memory; false if it was already loaded';
COMMENT ON FUNCTION lmtext.unload_model(text) IS
    'remove a model from shared memory; statements that use it run to their end. False if it was not loaded';
COMMENT ON FUNCTION lmtext.unload_model(regclass) IS
    'remove a model version from shared memory; statements that use it run to their end. False if it was not loaded';
COMMENT ON COLUMN lmtext.model_cache.model IS
    'a version of this database with these contents; NULL if there is none';
COMMENT ON COLUMN lmtext.model_cache.hits IS
    'number of times that a backend found it in memory, once per backend and statement';
COMMENT ON COLUMN lmtext.model_cache.texts IS
    'texts that all backends have computed with it since it was first loaded; shows the progress of a long statement';
COMMENT ON FUNCTION lmtext_internal.get_device() IS 'processor and instruction level of this session';
COMMENT ON COLUMN lmtext.device.os_threads IS 'threads of this backend; always 1';
COMMENT ON COLUMN lmtext.device.shares_models IS
    'whether models can be shared; if not, obstacle tells why';
COMMENT ON FUNCTION lmtext_internal.get_train_runs() IS
    'trainings that run and the last ones that ended';
COMMENT ON VIEW lmtext.train_runs IS
    'trainings that run and the last ones that ended, of roles that the caller is a member of; all of them for members of pg_monitor';
COMMENT ON COLUMN lmtext.train_runs.done IS 'rows embedded so far, out of total';
COMMENT ON COLUMN lmtext.stats.role IS
    'role whose privileges were used: the owner inside a SECURITY DEFINER function; NULL if it was dropped';
COMMENT ON COLUMN lmtext.stats.version IS
    'name of the version, even if it was dropped; NULL for calls that failed before a model was found, allowed and loaded';
COMMENT ON COLUMN lmtext.stats.function IS
    'name of the function; array forms and pinned forms count under the same name';
COMMENT ON COLUMN lmtext.stats.rows IS 'texts that were computed, including those of calls that failed later';
COMMENT ON COLUMN lmtext.stats.tokens IS 'tokens of these texts, including special tokens if the function uses them';
COMMENT ON COLUMN lmtext.stats.truncated IS 'texts among rows that were longer than the model''s window';
COMMENT ON COLUMN lmtext.stats.errors IS 'calls that ended by an error, a cancel or the end of the session';
COMMENT ON COLUMN lmtext.stats.total_ms IS 'time of all calls in milliseconds, including failed calls and waits';
COMMENT ON COLUMN lmtext.stats.p50_ms IS 'median time of a call in milliseconds, to within 9.1 %';
COMMENT ON FUNCTION lmtext_internal.get_stats_info() IS 'fill state of the statistics of calls';
COMMENT ON VIEW lmtext.stats_info IS 'fill state of the statistics of calls, for the whole server';
COMMENT ON COLUMN lmtext.stats_info.entries IS 'number of rows of lmtext.stats, of all roles and databases';
COMMENT ON COLUMN lmtext.stats_info.evicted IS
    'number of rows that were dropped because the statistics were full; the least recently used rows are dropped first';
COMMENT ON COLUMN lmtext.stats_info.obstacle IS
    'reason why there are no statistics (shared memory was not available); NULL if there are';
COMMENT ON FUNCTION lmtext.stats_reset() IS 'reset the statistics of calls in this database';

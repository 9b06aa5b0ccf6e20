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

CREATE FUNCTION lmtext.embed_query(text text, model text DEFAULT NULL, dimensions integer DEFAULT NULL)
    RETURNS real[]
    AS 'MODULE_PATHNAME', 'lmtext_embed_query' LANGUAGE C STABLE PARALLEL SAFE COST 100000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.embed_query(text, text, integer) IS
    'embedding of a text that is searched for';

CREATE FUNCTION lmtext.embed_query(
    text text,
    model regclass,
    dimensions integer DEFAULT NULL,
    on_long text DEFAULT 'truncate')
    RETURNS real[]
    AS 'MODULE_PATHNAME', 'lmtext_embed_query' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.embed_query(text, regclass, integer, text) IS
    'embedding of a text that is searched for (version pinned)';

CREATE FUNCTION lmtext.embed_query(texts text[], model text DEFAULT NULL, dimensions integer DEFAULT NULL)
    RETURNS real[]
    AS 'MODULE_PATHNAME', 'lmtext_embed_query_array' LANGUAGE C STABLE PARALLEL SAFE COST 1000000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.embed_query(text[], text, integer) IS
    'embeddings of texts that are searched for, as the rows of one array, computed as one batch';

CREATE FUNCTION lmtext.embed_query(
    texts text[],
    model regclass,
    dimensions integer DEFAULT NULL,
    on_long text DEFAULT 'truncate')
    RETURNS real[]
    AS 'MODULE_PATHNAME', 'lmtext_embed_query_array' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.embed_query(text[], regclass, integer, text) IS
    'embeddings of texts that are searched for, as the rows of one array, computed as one batch (version pinned)';

CREATE FUNCTION lmtext.embed_document(text text, model text DEFAULT NULL, dimensions integer DEFAULT NULL)
    RETURNS real[]
    AS 'MODULE_PATHNAME', 'lmtext_embed_document' LANGUAGE C STABLE PARALLEL SAFE COST 100000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.embed_document(text, text, integer) IS
    'embedding of a text that is to be found';

CREATE FUNCTION lmtext.embed_document(
    text text,
    model regclass,
    dimensions integer DEFAULT NULL,
    on_long text DEFAULT 'truncate')
    RETURNS real[]
    AS 'MODULE_PATHNAME', 'lmtext_embed_document' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.embed_document(text, regclass, integer, text) IS
    'embedding of a text that is to be found (version pinned)';

CREATE FUNCTION lmtext.embed_document(texts text[], model text DEFAULT NULL, dimensions integer DEFAULT NULL)
    RETURNS real[]
    AS 'MODULE_PATHNAME', 'lmtext_embed_document_array' LANGUAGE C STABLE PARALLEL SAFE COST 1000000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.embed_document(text[], text, integer) IS
    'embeddings of texts that are to be found, as the rows of one array, computed as one batch';

CREATE FUNCTION lmtext.embed_document(
    texts text[],
    model regclass,
    dimensions integer DEFAULT NULL,
    on_long text DEFAULT 'truncate')
    RETURNS real[]
    AS 'MODULE_PATHNAME', 'lmtext_embed_document_array' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.embed_document(text[], regclass, integer, text) IS
    'embeddings of texts that are to be found, as the rows of one array, computed as one batch (version pinned)';

CREATE FUNCTION lmtext.hidden_states(text text, model text DEFAULT NULL, layer integer DEFAULT -1)
    RETURNS SETOF real[]
    AS 'MODULE_PATHNAME', 'lmtext_hidden_states' LANGUAGE C STABLE PARALLEL SAFE COST 100000 ROWS 50
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.hidden_states(text, text, integer) IS
    'what the encoder has for each token of a text behind one of its layers';

CREATE FUNCTION lmtext.hidden_states(text text, model regclass, layer integer DEFAULT -1)
    RETURNS SETOF real[]
    AS 'MODULE_PATHNAME', 'lmtext_hidden_states' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100000 ROWS 50
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.hidden_states(text, regclass, integer) IS
    'what the encoder has for each token of a text behind one of its layers (version pinned)';

CREATE FUNCTION lmtext.hidden_states(texts text[], model text DEFAULT NULL, layer integer DEFAULT -1)
    RETURNS TABLE (ordinality bigint, state real[])
    AS 'MODULE_PATHNAME', 'lmtext_hidden_states_array' LANGUAGE C STABLE PARALLEL SAFE COST 1000000 ROWS 500
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.hidden_states(text[], text, integer) IS
    'what the encoder has for each token of each text of an array behind one of its layers';

CREATE FUNCTION lmtext.hidden_states(texts text[], model regclass, layer integer DEFAULT -1)
    RETURNS TABLE (ordinality bigint, state real[])
    AS 'MODULE_PATHNAME', 'lmtext_hidden_states_array' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000000 ROWS 500
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.hidden_states(text[], regclass, integer) IS
    'what the encoder has for each token of each text of an array behind one of its layers (version pinned)';

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

-- 38-late_interaction: a vector for each token, and scores of them. Named forms are STABLE; pinned ones are IMMUTABLE and
-- obey no setting.

CREATE FUNCTION lmtext.token_vectors(text text, model text DEFAULT NULL, role text DEFAULT 'document')
    RETURNS real[]
    AS 'MODULE_PATHNAME', 'lmtext_token_vectors' LANGUAGE C STABLE PARALLEL SAFE COST 100000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.token_vectors(text, text, text) IS
    'a vector for each token of a text, as the rows of one array';

CREATE FUNCTION lmtext.token_vectors(text text, model regclass, role text DEFAULT 'document', on_long text DEFAULT 'truncate')
    RETURNS real[]
    AS 'MODULE_PATHNAME', 'lmtext_token_vectors' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.token_vectors(text, regclass, text, text) IS
    'a vector for each token of a text, as the rows of one array (version pinned)';

CREATE FUNCTION lmtext.token_vectors(texts text[], model text DEFAULT NULL, role text DEFAULT 'document')
    RETURNS TABLE (ordinality bigint, vectors real[])
    AS 'MODULE_PATHNAME', 'lmtext_token_vectors_array' LANGUAGE C STABLE PARALLEL SAFE COST 1000000 ROWS 10
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.token_vectors(text[], text, text) IS
    'a vector for each token of each text of an array, computed as one batch';

CREATE FUNCTION lmtext.token_vectors(texts text[], model regclass, role text DEFAULT 'document', on_long text DEFAULT 'truncate')
    RETURNS TABLE (ordinality bigint, vectors real[])
    AS 'MODULE_PATHNAME', 'lmtext_token_vectors_array' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000000 ROWS 10
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.token_vectors(text[], regclass, text, text) IS
    'a vector for each token of each text of an array, computed as one batch (version pinned)';

CREATE FUNCTION lmtext.maxsim(query text, document text, model text DEFAULT NULL)
    RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_maxsim_texts' LANGUAGE C STABLE PARALLEL SAFE COST 100000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.maxsim(text, text, text) IS
    'late interaction of a query and a document';

CREATE FUNCTION lmtext.maxsim(query text, document text, model regclass, on_long text DEFAULT 'truncate')
    RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_maxsim_texts' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.maxsim(text, text, regclass, text) IS
    'late interaction of a query and a document (version pinned)';

CREATE FUNCTION lmtext.maxsim(query text, documents text[], model text DEFAULT NULL)
    RETURNS double precision[]
    AS 'MODULE_PATHNAME', 'lmtext_maxsim_array' LANGUAGE C STABLE PARALLEL SAFE COST 1000000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.maxsim(text, text[], text) IS
    'late interaction of a query and each document of an array, computed as one batch';

CREATE FUNCTION lmtext.maxsim(query text, documents text[], model regclass, on_long text DEFAULT 'truncate')
    RETURNS double precision[]
    AS 'MODULE_PATHNAME', 'lmtext_maxsim_array' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.maxsim(text, text[], regclass, text) IS
    'late interaction of a query and each document of an array, computed as one batch (version pinned)';

CREATE FUNCTION lmtext.maxsim(query text, vectors real[], model text DEFAULT NULL)
    RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_maxsim_stored' LANGUAGE C STABLE PARALLEL SAFE COST 100000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.maxsim(text, real[], text) IS
    'late interaction of a query and the stored token vectors of a document';

CREATE FUNCTION lmtext.maxsim(query text, vectors real[], model regclass, on_long text DEFAULT 'truncate')
    RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_maxsim_stored' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.maxsim(text, real[], regclass, text) IS
    'late interaction of a query and the stored token vectors of a document (version pinned)';

CREATE FUNCTION lmtext.maxsim(query real[], document real[])
    RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_maxsim_vectors' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000;
COMMENT ON FUNCTION lmtext.maxsim(real[], real[]) IS
    'late interaction of stored token vectors: each of the query with the nearest of the document, added up';

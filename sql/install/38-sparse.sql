-- 38-sparse: learned sparse vectors. Named forms are STABLE; pinned ones are IMMUTABLE.

CREATE FUNCTION lmtext.sparse(text text, model text DEFAULT NULL, role text DEFAULT 'document')
    RETURNS jsonb AS 'MODULE_PATHNAME', 'lmtext_sparse' LANGUAGE C STABLE PARALLEL SAFE COST 100000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.sparse(text, text, text) IS
    'learned sparse vector of a text: tokens and their weights';

CREATE FUNCTION lmtext.sparse(text text, model regclass, role text DEFAULT 'document', on_long text DEFAULT 'truncate')
    RETURNS jsonb AS 'MODULE_PATHNAME', 'lmtext_sparse' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.sparse(text, regclass, text, text) IS
    'learned sparse vector of a text: tokens and their weights (version pinned)';

CREATE FUNCTION lmtext.sparse(texts text[], model text DEFAULT NULL, role text DEFAULT 'document')
    RETURNS jsonb[] AS 'MODULE_PATHNAME', 'lmtext_sparse_array' LANGUAGE C STABLE PARALLEL SAFE COST 1000000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.sparse(text[], text, text) IS
    'learned sparse vectors of an array of texts, computed as one batch';

CREATE FUNCTION lmtext.sparse(texts text[], model regclass, role text DEFAULT 'document', on_long text DEFAULT 'truncate')
    RETURNS jsonb[] AS 'MODULE_PATHNAME', 'lmtext_sparse_array' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.sparse(text[], regclass, text, text) IS
    'learned sparse vectors of an array of texts, computed as one batch (version pinned)';

CREATE FUNCTION lmtext.sparse_vector(text text, model text DEFAULT NULL, role text DEFAULT 'document')
    RETURNS text AS 'MODULE_PATHNAME', 'lmtext_sparse_vector' LANGUAGE C STABLE PARALLEL SAFE COST 100000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.sparse_vector(text, text, text) IS
    'learned sparse vector of a text, as pgvector''s type sparsevec reads it';

CREATE FUNCTION lmtext.sparse_vector(text text, model regclass, role text DEFAULT 'document', on_long text DEFAULT 'truncate')
    RETURNS text AS 'MODULE_PATHNAME', 'lmtext_sparse_vector' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.sparse_vector(text, regclass, text, text) IS
    'learned sparse vector of a text, as pgvector''s type sparsevec reads it (version pinned)';

CREATE FUNCTION lmtext.sparse_vector(texts text[], model text DEFAULT NULL, role text DEFAULT 'document')
    RETURNS text[] AS 'MODULE_PATHNAME', 'lmtext_sparse_vector_array' LANGUAGE C STABLE PARALLEL SAFE COST 1000000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.sparse_vector(text[], text, text) IS
    'learned sparse vectors of an array of texts, as pgvector''s type sparsevec reads them, computed as one batch';

CREATE FUNCTION lmtext.sparse_vector(texts text[], model regclass, role text DEFAULT 'document', on_long text DEFAULT 'truncate')
    RETURNS text[] AS 'MODULE_PATHNAME', 'lmtext_sparse_vector_array' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.sparse_vector(text[], regclass, text, text) IS
    'learned sparse vectors of an array of texts, as pgvector''s type sparsevec reads them, computed as one batch (version pinned)';

CREATE FUNCTION lmtext.sparse_similarity(query text, document text, model text DEFAULT NULL)
    RETURNS double precision AS 'MODULE_PATHNAME', 'lmtext_sparse_similarity' LANGUAGE C STABLE PARALLEL SAFE COST 100000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.sparse_similarity(text, text, text) IS
    'product of the learned sparse vectors of a query and a document';

CREATE FUNCTION lmtext.sparse_similarity(query text, document text, model regclass, on_long text DEFAULT 'truncate')
    RETURNS double precision AS 'MODULE_PATHNAME', 'lmtext_sparse_similarity' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.sparse_similarity(text, text, regclass, text) IS
    'product of the learned sparse vectors of a query and a document (version pinned)';

CREATE FUNCTION lmtext.sparse_similarity(query text, documents text[], model text DEFAULT NULL)
    RETURNS double precision[] AS 'MODULE_PATHNAME', 'lmtext_sparse_similarity_array' LANGUAGE C STABLE PARALLEL SAFE COST 1000000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.sparse_similarity(text, text[], text) IS
    'products of the learned sparse vectors of a query and each document of an array, computed as one batch';

CREATE FUNCTION lmtext.sparse_similarity(query text, documents text[], model regclass, on_long text DEFAULT 'truncate')
    RETURNS double precision[] AS 'MODULE_PATHNAME', 'lmtext_sparse_similarity_array' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.sparse_similarity(text, text[], regclass, text) IS
    'products of the learned sparse vectors of a query and each document of an array, computed as one batch (version pinned)';

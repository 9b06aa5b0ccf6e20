-- 77-filter: what a trained filter says of a text. Named forms are STABLE; pinned forms are IMMUTABLE and obey no
-- setting. They are trained by lmtext.train.

CREATE FUNCTION lmtext.holds(text text, model text) RETURNS boolean
    AS 'MODULE_PATHNAME', 'lmtext_holds' LANGUAGE C STABLE PARALLEL SAFE COST 100000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.holds(text, text) IS
    'whether a trained filter says that its predicate is true of a text; NULL where it is not sure';

CREATE FUNCTION lmtext.holds(text text, model regclass, on_long text DEFAULT 'truncate')
    RETURNS boolean
    AS 'MODULE_PATHNAME', 'lmtext_holds' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.holds(text, regclass, text) IS
    'whether a trained filter says that its predicate is true of a text; NULL where it is not sure (version pinned)';

CREATE FUNCTION lmtext.holds(texts text[], model text) RETURNS boolean[]
    AS 'MODULE_PATHNAME', 'lmtext_holds_array' LANGUAGE C STABLE PARALLEL SAFE COST 1000000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.holds(text[], text) IS
    'whether a trained filter says that its predicate is true of texts, NULL where it is not sure, computed as one batch';

CREATE FUNCTION lmtext.holds(texts text[], model regclass, on_long text DEFAULT 'truncate')
    RETURNS boolean[]
    AS 'MODULE_PATHNAME', 'lmtext_holds_array' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.holds(text[], regclass, text) IS
    'whether a trained filter says that its predicate is true of texts, NULL where it is not sure, computed as one batch (version pinned)';

CREATE FUNCTION lmtext.holds(vector real[], model text) RETURNS boolean
    AS 'MODULE_PATHNAME', 'lmtext_holds_vector' LANGUAGE C STABLE PARALLEL SAFE COST 20;
COMMENT ON FUNCTION lmtext.holds(real[], text) IS
    'whether a trained filter says that its predicate is true of the text of an embedding; NULL where it is not sure';

CREATE FUNCTION lmtext.holds(vector real[], model regclass) RETURNS boolean
    AS 'MODULE_PATHNAME', 'lmtext_holds_vector' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 20;
COMMENT ON FUNCTION lmtext.holds(real[], regclass) IS
    'whether a trained filter says that its predicate is true of the text of an embedding; NULL where it is not sure (version pinned)';
